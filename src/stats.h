/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of a VM. Plain fields, counted by the vCPU thread. */
#ifndef GNOMON_STATS_H
#define GNOMON_STATS_H

#include "base.h"

enum { STATS_MAX_INSNS = 2048 };

struct stats {
#define STAT(name, help) uint64_t name;
#include "stats.def"
#undef STAT
	bool insns_counted; /* insns_executed is */
	/* Callouts by instruction; named by whoever counts (NULL: nobody). */
	const char *const *insn_names;
	unsigned insn_count;
	uint64_t insn_callouts[STATS_MAX_INSNS];
	/* What the thread is doing: phase.h. */
	volatile uint8_t phase;
	uint16_t phase_insn; /* PHASE_CALLOUT: which instruction */
};

/* One row of the table: for printing all of them. */
struct stat_info {
	const char *name;
	const char *help;
	size_t offset; /* of the uint64_t in struct stats */
};

extern const struct stat_info stat_table[];
extern const unsigned stat_count;

#endif
