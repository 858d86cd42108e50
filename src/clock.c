/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"

void clock_init(struct clock *c, bool manual)
{
	*c = (struct clock){.manual = manual};
}

uint64_t clock_now(const struct clock *c)
{
	if (c->manual || !c->running)
		return c->base;
	return c->base + (host_now_ns() - c->host_base);
}

void clock_start(struct clock *c)
{
	if (c->running)
		return;
	c->host_base = host_now_ns();
	c->running = true;
	if (c->rearm)
		c->rearm(c->rearm_arg, clock_next(c));
}

void clock_stop(struct clock *c)
{
	if (!c->running)
		return;
	c->base = clock_now(c);
	c->running = false;
}

uint64_t clock_next(const struct clock *c)
{
	return c->timers ? c->timers->deadline : CLOCK_NEVER;
}

void clock_run(struct clock *c)
{
	uint64_t now = clock_now(c);

	while (c->timers && c->timers->deadline <= now) {
		struct timer *t = c->timers;
		timer_cancel(t);
		t->fire(t->arg);
	}
}

void clock_advance(struct clock *c, uint64_t ns)
{
	uint64_t end = c->base + ns;

	ASSERT(c->manual);
	while (c->timers && c->timers->deadline <= end) {
		c->base = MAX(c->base, c->timers->deadline);
		clock_run(c);
	}
	c->base = end;
}

void timer_init(struct timer *t, struct clock *c, void (*fire)(void *arg), void *arg)
{
	*t = (struct timer){.fire = fire, .arg = arg, .deadline = CLOCK_NEVER, .clock = c};
}

static void timer_unlink(struct timer *t)
{
	struct timer **p = &t->clock->timers;

	while (*p != t) {
		ASSERT(*p);
		p = &(*p)->next;
	}
	*p = t->next;
	t->next = NULL;
	t->deadline = CLOCK_NEVER;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	struct clock *c = t->clock;
	uint64_t before = clock_next(c);

	if (timer_armed(t))
		timer_unlink(t);
	if (deadline == CLOCK_NEVER)
		deadline--;
	t->deadline = deadline;

	struct timer **p = &c->timers;
	while (*p && (*p)->deadline <= deadline)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	if (clock_next(c) != before && c->rearm)
		c->rearm(c->rearm_arg, clock_next(c));
}

void timer_cancel(struct timer *t)
{
	if (timer_armed(t))
		timer_unlink(t);
}
