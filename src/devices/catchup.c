/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "catchup.h"

static void fire(void *arg)
{
	struct catchup *c = arg;

	/* The guest has not taken the regular tick yet: its acknowledgement asks again. */
	if (!c->owed || c->waiting)
		return;
	c->owed--;
	c->waiting = true;
	c->deliver(c->arg);
}

void catchup_init(struct catchup *c, struct clock *clock, void (*deliver)(void *arg), void *arg)
{
	*c = (struct catchup){.deliver = deliver, .arg = arg};
	timer_init(&c->timer, clock, fire, c);
}

void catchup_clear(struct catchup *c)
{
	c->owed = 0;
	c->masked = 0;
	c->waiting = c->acks_seen = false;
	timer_cancel(&c->timer);
}

void catchup_unwanted(struct catchup *c)
{
	if (++c->masked < CATCHUP_MASKED)
		return;
	c->masked = 0;
	c->owed = 0;
	c->waiting = false;
	timer_cancel(&c->timer);
}

void catchup_tick(struct catchup *c, uint64_t due, uint64_t period)
{
	if (c->acks_seen)
		c->owed = (uint32_t)MIN(c->owed + (due - 1) + c->waiting, (uint64_t)CATCHUP_MAX);
	c->waiting = true;
	c->pause = period / 4;
}

void catchup_acked(struct catchup *c)
{
	c->acks_seen = true;
	c->masked = 0;
	c->waiting = false;
	if (c->owed && !timer_armed(&c->timer))
		timer_arm(&c->timer, clock_now(c->timer.clock) + c->pause);
}
