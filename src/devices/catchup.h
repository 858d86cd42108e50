/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ticks that the guest has not seen, because they fell due while it could not run or had not taken the one before: they
 * are delivered later, so that a guest which counts ticks keeps time on a loaded host. docs/time.md has the policy.
 *
 * A tick that is owed comes a quarter of a period after the last one was acknowledged, not at once: a guest gets on
 * with its work while it catches up, and does so as long as it gets a fifth of the time. Where nobody reports
 * acknowledgements, nothing is owed.
 */
#ifndef GNOMON_CATCHUP_H
#define GNOMON_CATCHUP_H

#include "../clock.h"

enum { CATCHUP_MASKED = 8 };

#define CATCHUP_MAX 2000u /* ticks owed at most; what is beyond them is lost */

struct catchup {
	uint32_t owed;
	bool waiting;	/* a tick was delivered, and not acknowledged yet */
	bool acks_seen; /* somebody calls catchup_acked() */
	uint8_t masked; /* ticks in a row that met a masked line */
	uint64_t pause; /* ns from an acknowledgement to the next tick that is owed */
	struct timer timer;
	void (*deliver)(void *arg);
	void *arg;
};

/* deliver: raises the interrupt once more. */
void catchup_init(struct catchup *c, struct clock *clock, void (*deliver)(void *arg), void *arg);

/* Forgets everything: the timer was stopped or set anew. */
void catchup_clear(struct catchup *c);

/* The device delivers a tick now, in place of `due` (at least 1) that have fallen due. period: ns. */
void catchup_tick(struct catchup *c, uint64_t due, uint64_t period);

/* The guest has taken the tick delivered last. */
void catchup_acked(struct catchup *c);

/*
 * The line of the tick just delivered is masked. If that goes on for CATCHUP_MASKED ticks, of which nobody has taken
 * one, the guest wants none of them. (Handlers mask their line while they run, and the host may stop them there.)
 */
void catchup_unwanted(struct catchup *c);

#endif
