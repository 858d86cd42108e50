/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC's timer: SDM vol. 3, 11.5.4. One tick of the divider's input is one nanosecond. */
#include "lapic_internal.h"

_Static_assert(LAPIC_TIMER_HZ == NS_PER_SEC, "ticks are nanoseconds");

/* Periodic interrupts come no closer than this, whatever the guest asks for; those in between are lost.
 * Others that the guest did not see are made up for. */
#define MIN_PERIOD_NS (50 * NS_PER_US)

static unsigned divider(const struct lapic *l)
{
	unsigned code = (l->divide & 3) | (l->divide >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

static uint32_t mode(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

static uint64_t period(const struct lapic *l)
{
	return (uint64_t)l->initial_count * divider(l);
}

/* Ends the periods that have passed. */
static void sync_periods(struct lapic *l, uint64_t now)
{
	if (!l->initial_count || l->timer_ended)
		return;
	if (mode(l) == TIMER_ONE_SHOT)
		l->timer_ended = now - l->timer_start >= period(l);
	else if (mode(l) == TIMER_PERIODIC)
		l->timer_start += (now - l->timer_start) / period(l) * period(l);
}

static void arm_count(struct lapic *l, uint64_t now, uint64_t least)
{
	uint64_t at;

	sync_periods(l, now);
	at = l->timer_start + period(l);
	if (!l->initial_count || l->timer_ended) {
		timer_cancel(&l->timer);
		return;
	}
	if (at < least)
		at += (least - at + period(l) - 1) / period(l) * period(l);
	l->timer_due = at;
	timer_arm(&l->timer, at);
}

static void fire(void *arg)
{
	struct lapic *l = arg;
	uint64_t now = clock_now(l->cfg.clock);

	uint64_t due;

	l->tsc_deadline = 0;
	if (mode(l) == TIMER_PERIODIC) {
		due = 1 + (now > l->timer_due ? (now - l->timer_due) / period(l) : 0);
		if (period(l) >= MIN_PERIOD_NS && !(l->lvt[LVT_TIMER] & LVT_MASKED))
			catchup_tick(&l->catchup, due, period(l));
		arm_count(l, now, now + MIN_PERIOD_NS);
	}
	lapic_local(l, LVT_TIMER);
}

/* A periodic interrupt that is owed. */
static void deliver_again(void *arg)
{
	lapic_local(arg, LVT_TIMER);
}

void lapic_timer_acked(struct lapic *l)
{
	if (mode(l) == TIMER_PERIODIC)
		catchup_acked(&l->catchup);
}

void lapic_timer_init(struct lapic *l)
{
	timer_init(&l->timer, l->cfg.clock, fire, l);
	catchup_init(&l->catchup, l->cfg.clock, deliver_again, l);
}

void lapic_timer_stop(struct lapic *l)
{
	timer_cancel(&l->timer);
	catchup_clear(&l->catchup);
}

uint32_t lapic_timer_count(struct lapic *l)
{
	uint64_t now = clock_now(l->cfg.clock), gone;

	sync_periods(l, now);
	if (mode(l) == TIMER_DEADLINE || !l->initial_count || l->timer_ended)
		return 0;
	gone = (now - l->timer_start) / divider(l);
	return gone >= l->initial_count ? 0 : l->initial_count - (uint32_t)gone;
}

void lapic_timer_set_count(struct lapic *l, uint32_t count)
{
	uint64_t now = clock_now(l->cfg.clock);

	if (mode(l) == TIMER_DEADLINE)
		return;
	catchup_clear(&l->catchup);
	l->initial_count = count;
	l->timer_start = now;
	l->timer_ended = false;
	arm_count(l, now, 0);
}

void lapic_timer_set_divide(struct lapic *l, uint32_t divide)
{
	uint64_t now = clock_now(l->cfg.clock), gone;

	sync_periods(l, now);
	gone = MIN((now - l->timer_start) / divider(l), (uint64_t)l->initial_count);
	l->divide = divide & 0xb;
	/* The count goes on from where it is; the start may wrap below time 0, which the differences taken of it do not
	 * mind. */
	l->timer_start = now - gone * divider(l);
	if (mode(l) != TIMER_DEADLINE && timer_armed(&l->timer))
		arm_count(l, now, 0);
}

void lapic_timer_set_lvt(struct lapic *l, uint32_t lvt)
{
	bool was = mode(l) == TIMER_DEADLINE, is = (lvt & LVT_TIMER_MODE) == TIMER_DEADLINE;
	uint64_t now = clock_now(l->cfg.clock);

	sync_periods(l, now);
	if (lvt != l->lvt[LVT_TIMER])
		catchup_clear(&l->catchup);
	l->lvt[LVT_TIMER] = lvt;
	if (was != is) {
		timer_cancel(&l->timer);
		l->initial_count = 0;
		l->tsc_deadline = 0;
	} else if (!is) {
		arm_count(l, now, 0);
	}
}

uint64_t lapic_tsc_deadline_read(const struct lapic *l)
{
	return mode(l) == TIMER_DEADLINE ? l->tsc_deadline : 0;
}

void lapic_tsc_deadline_write(struct lapic *l, uint64_t tsc)
{
	if (mode(l) != TIMER_DEADLINE || !l->cfg.tsc_to_ns)
		return;
	l->tsc_deadline = tsc;
	if (!tsc) {
		timer_cancel(&l->timer);
		return;
	}
	uint64_t at = l->cfg.tsc_to_ns(l->cfg.arg, tsc);
	if (at > clock_now(l->cfg.clock)) {
		timer_arm(&l->timer, at);
	} else {
		timer_cancel(&l->timer);
		fire(l);
	}
}
