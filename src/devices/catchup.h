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

#define CATCHUP_MAX 2000u /* ticks owed at most; what is beyond them is lost */

struct catchup {
	uint32_t owed;
	bool waiting;	/* a tick was delivered, and not acknowledged yet */
	bool masked;	/* ... with its line masked */
	bool acks_seen; /* somebody calls catchup_acked() */
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
 * The line of the tick just delivered is masked. If it was so at the tick before and nobody took that, the guest wants
 * none of them. (Once only: handlers mask their line for as long as they run.)
 */
void catchup_unwanted(struct catchup *c);

#endif
