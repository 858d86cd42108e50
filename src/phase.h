/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the vCPU thread is doing, for the profiler, which looks at it from a signal handler. A store where it changes,
 * and nothing else: it is always kept.
 */
#ifndef GNOMON_PHASE_H
#define GNOMON_PHASE_H

#include "stats.h"

enum phase {
#define PHASE(id, name, share, help) PHASE_##id,
#include "phase.def"
#undef PHASE
	PHASE_COUNT
};

/* What a run's time is divided into. PHASE_SHARE_IDLE and _HOST have no phase: the thread does not run then. */
enum phase_share {
	PHASE_SHARE_USER,
	PHASE_SHARE_KERNEL,
	PHASE_SHARE_MONITOR,
	PHASE_SHARE_TRANSLATOR,
	PHASE_SHARE_DEVICES,
	PHASE_SHARE_IDLE,
	PHASE_SHARE_HOST,
	PHASE_SHARE_COUNT
};

struct phase_info {
	const char *name;
	enum phase_share share;
	const char *help;
};

extern const struct phase_info phase_table[PHASE_COUNT];
extern const char *const phase_share_names[PHASE_SHARE_COUNT];

/* Sets the phase; what it was before, to be set again at the end. */
static inline uint8_t phase_set(struct stats *s, uint8_t phase)
{
	uint8_t before = s->phase;

	s->phase = phase;
	return before;
}

#endif
