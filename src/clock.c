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
	if (c->counter)
		return c->base + (*c->counter - c->counter_base) * c->count_ns;
	return c->base + (host_now_ns() - c->host_base);
}

void clock_count(struct clock *c, const uint64_t *counter, unsigned ns)
{
	ASSERT(!c->running && !c->manual && ns);
	c->counter = counter;
	c->count_ns = ns;
}

uint64_t clock_next_count(const struct clock *c)
{
	uint64_t now = clock_now(c), next = clock_next(c);

	if (!c->counter || next == CLOCK_NEVER)
		return UINT64_MAX;
	return *c->counter + (next > now ? (next - now - 1) / c->count_ns + 1 : 0);
}

void clock_skip(struct clock *c, uint64_t ns)
{
	ASSERT(c->counter);
	c->base += ns;
}

void clock_start(struct clock *c)
{
	if (c->running)
		return;
	c->host_base = host_now_ns();
	c->counter_base = c->counter ? *c->counter : 0;
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
