/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pit.h"

#include <string.h>

#include "trace.h"

enum {
	PORT_CONTROL = 3,

	CONTROL_BCD = 0x01,
	CONTROL_READ_BACK = 3, /* in bits 7-6 */
	READ_BACK_NO_COUNT = 0x20,
	READ_BACK_NO_STATUS = 0x10,
	STATUS_OUT = 0x80,
	STATUS_NULL = 0x40,

	ACCESS_LOW = 1,
	ACCESS_HIGH = 2,
	ACCESS_BOTH = 3,
};

#define MIN_EDGE_TICKS (PIT_MIN_EDGE_NS * PIT_HZ / NS_PER_SEC + 1)

static uint64_t ticks_now(const struct pit *pit)
{
	return muldiv64(clock_now(pit->clock), PIT_HZ, NS_PER_SEC);
}

/* The first nanosecond at which ticks_now() is at least `tick`. */
static uint64_t tick_to_ns(uint64_t tick)
{
	return muldiv64(tick, NS_PER_SEC, PIT_HZ) + 1;
}

/* Modes 2 and 3 reload themselves. */
static bool periodic(const struct pit_channel *ch)
{
	return ch->mode == 2 || ch->mode == 3;
}

/* Modes 1 and 5 start at a rising edge of GATE. */
static bool triggered(const struct pit_channel *ch)
{
	return ch->mode == 1 || ch->mode == 5;
}

static uint64_t elapsed(const struct pit_channel *ch, uint64_t now)
{
	return ch->running ? now - ch->start : ch->held;
}

/*
 * Ends the periods that have passed, so that less than one has elapsed; a count that was written meanwhile takes over
 * at the first end. (Mode 3 would take it at the end of the half period.)
 */
static void sync_periods(struct pit_channel *ch, uint64_t now)
{
	if (!periodic(ch) || !ch->running)
		return;
	if (ch->next_count && now - ch->start >= ch->count) {
		ch->start += ch->count;
		ch->count = ch->next_count;
		ch->next_count = 0;
		ch->null_count = false;
	}
	ch->start += (now - ch->start) / ch->count * ch->count;
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint32_t v)
{
	return (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12 & 15) * 1000;
}

/* What the counting element shows. */
static uint16_t counter(struct pit_channel *ch, uint64_t now)
{
	uint32_t modulus = ch->bcd ? 10000 : 0x10000;
	uint64_t gone;
	uint32_t v;

	sync_periods(ch, now);
	gone = elapsed(ch, now);
	if (ch->mode == 3) /* counts by two, twice a period */
		v = (uint32_t)(ch->count - gone * 2 % MAX(ch->count, 1));
	else if (periodic(ch))
		v = (uint32_t)(ch->count - gone % MAX(ch->count, 1));
	else
		v = (uint32_t)((ch->count + modulus - gone % modulus) % modulus);
	return ch->bcd ? to_bcd(v) : (uint16_t)v;
}

static bool channel_out(struct pit_channel *ch, uint64_t now)
{
	uint64_t gone;

	sync_periods(ch, now);
	gone = elapsed(ch, now);
	switch (ch->mode) {
	case 0:
		return ch->loaded && gone >= ch->count;
	case 1:
		return !ch->running || gone >= ch->count;
	case 2:
		return !ch->running || gone != ch->count - 1;
	case 3:
		return !ch->running || gone < (ch->count + 1) / 2;
	default:
		return !ch->running || gone != ch->count;
	}
}

/* Arms the timer for the next rising edge of OUT0 after `now`, not before tick `least`. */
static void schedule(struct pit *pit, uint64_t now, uint64_t least)
{
	struct pit_channel *ch = &pit->ch[0];
	uint64_t gone, periods;

	sync_periods(ch, now);
	if (!ch->running)
		goto off;
	if (periodic(ch)) {
		uint64_t from = MAX(now + 1, least);
		uint32_t count = ch->next_count ? ch->next_count : ch->count;
		pit->edge = ch->start + ch->count; /* the period under way, then maybe others of another length */
		if (pit->edge < from) {
			periods = (from - pit->edge + count - 1) / count;
			pit->edge += periods * count;
		}
	} else {
		gone = ch->count + (ch->mode >= 4); /* modes 4 and 5: the end of the strobe */
		if (now - ch->start >= gone)
			goto off;
		pit->edge = ch->start + gone;
	}
	timer_arm(&pit->timer, tick_to_ns(pit->edge));
	return;
off:
	timer_cancel(&pit->timer);
}

static void pulse(void *arg)
{
	struct pit *pit = arg;

	irq_set(&pit->irq, false);
	irq_set(&pit->irq, true);
}

static void edge(void *arg)
{
	struct pit *pit = arg;
	struct pit_channel *ch = &pit->ch[0];
	uint64_t now = ticks_now(pit), at = pit->edge;

	if (periodic(ch) && ch->count >= MIN_EDGE_TICKS)
		catchup_tick(&pit->catchup, 1 + (now > at ? (now - at) / ch->count : 0), tick_to_ns(ch->count));
	pulse(pit);
	schedule(pit, now, at + MIN_EDGE_TICKS);
}

/* Something about channel n has changed. */
static void changed(struct pit *pit, unsigned n, uint64_t now)
{
	if (n)
		return;
	catchup_clear(&pit->catchup);
	irq_set(&pit->irq, channel_out(&pit->ch[0], now));
	schedule(pit, now, 0);
}

void pit_init(struct pit *pit, struct clock *clock, struct irq_line irq)
{
	memset(pit, 0, sizeof(*pit));
	pit->clock = clock;
	pit->irq = irq;
	timer_init(&pit->timer, clock, edge, pit);
	catchup_init(&pit->catchup, clock, pulse, pit);
	pit_reset(pit);
}

void pit_reset(struct pit *pit)
{
	for (unsigned i = 0; i < 3; i++)
		pit->ch[i] = (struct pit_channel){.mode = 3, .access = ACCESS_BOTH, .gate = i != 2, .count = 0x10000};
	changed(pit, 0, ticks_now(pit));
}

bool pit_out(struct pit *pit, unsigned channel)
{
	return channel_out(&pit->ch[channel % 3], ticks_now(pit));
}

/* Starts the counter from the top, with the count written last. */
static void reload(struct pit_channel *ch, uint64_t now)
{
	if (ch->next_count)
		ch->count = ch->next_count;
	ch->next_count = 0;
	ch->null_count = false;
	ch->held = 0;
	ch->start = now;
	ch->running = true;
}

void pit_set_gate(struct pit *pit, unsigned channel, bool level)
{
	struct pit_channel *ch = &pit->ch[channel % 3];
	uint64_t now = ticks_now(pit);

	if (ch->gate == level)
		return;
	sync_periods(ch, now);
	ch->gate = level;
	if (!ch->loaded)
		return;
	if (!level) {
		if (triggered(ch))
			return;
		/* A one-shot may have been over for long: `held` needs to say no more than that. */
		ch->held = (uint32_t)MIN(elapsed(ch, now), UINT32_MAX);
		ch->running = false;
	} else if (periodic(ch) || triggered(ch)) {
		reload(ch, now);
	} else {
		ch->start = now - ch->held;
		ch->running = true;
	}
	changed(pit, channel % 3, now);
}

void pit_irq0_acked(struct pit *pit)
{
	catchup_acked(&pit->catchup);
}

void pit_irq0_unwanted(struct pit *pit)
{
	catchup_unwanted(&pit->catchup);
}

static void load_count(struct pit *pit, unsigned n, uint32_t value, uint64_t now)
{
	struct pit_channel *ch = &pit->ch[n];
	uint32_t count = ch->bcd ? from_bcd(value) : value;

	if (!count)
		count = ch->bcd ? 10000 : 0x10000;
	trace(time, "pit channel %u mode %u count %u", n, ch->mode, count);
	sync_periods(ch, now);
	if (triggered(ch) || (periodic(ch) && ch->loaded && ch->running)) {
		ch->next_count = count; /* at the next trigger, or at the end of the period */
		ch->null_count = true;
		if (!ch->loaded)
			ch->count = count;
		ch->loaded = true;
		if (!n)
			schedule(pit, now, 0);
		return;
	}
	ch->count = count;
	ch->next_count = 0;
	ch->loaded = true;
	ch->null_count = false;
	ch->held = 0;
	ch->start = now;
	ch->running = ch->gate;
	changed(pit, n, now);
}

static void write_count(struct pit *pit, unsigned n, uint8_t v)
{
	struct pit_channel *ch = &pit->ch[n];
	uint64_t now = ticks_now(pit);

	switch (ch->access) {
	case ACCESS_LOW:
		load_count(pit, n, v, now);
		break;
	case ACCESS_HIGH:
		load_count(pit, n, (uint32_t)v << 8, now);
		break;
	default:
		if (ch->write_high_next) {
			ch->write_high_next = false;
			load_count(pit, n, (uint32_t)v << 8 | ch->write_low, now);
			break;
		}
		ch->write_low = v;
		ch->write_high_next = true;
		if (ch->mode == 0) { /* counting stops and OUT falls until the second byte */
			ch->held = (uint32_t)MIN(elapsed(ch, now), UINT32_MAX);
			ch->loaded = ch->running = false;
			changed(pit, n, now);
		}
	}
}

static void latch_count(struct pit_channel *ch, uint64_t now)
{
	if (ch->latched)
		return;
	ch->latch = counter(ch, now);
	ch->latched = ch->access == ACCESS_BOTH ? 2 : 1;
}

static void latch_status(struct pit_channel *ch, uint64_t now)
{
	if (ch->status_latched)
		return;
	ch->status = (channel_out(ch, now) ? STATUS_OUT : 0) | (ch->null_count ? STATUS_NULL : 0) | ch->access << 4 |
		     ch->mode << 1 | ch->bcd;
	ch->status_latched = true;
}

static void write_control(struct pit *pit, uint8_t v)
{
	unsigned n = v >> 6, access = v >> 4 & 3, mode = v >> 1 & 7;
	uint64_t now = ticks_now(pit);

	if (n == CONTROL_READ_BACK) {
		for (unsigned i = 0; i < 3; i++) {
			if (!(v & 2u << i))
				continue;
			if (!(v & READ_BACK_NO_COUNT))
				latch_count(&pit->ch[i], now);
			if (!(v & READ_BACK_NO_STATUS))
				latch_status(&pit->ch[i], now);
		}
		return;
	}
	struct pit_channel *ch = &pit->ch[n];
	if (!access) {
		latch_count(ch, now);
		return;
	}
	*ch = (struct pit_channel){
	    .mode = (uint8_t)(mode > 5 ? mode - 4 : mode), /* bit 2 is ignored in modes 2 and 3 */
	    .access = (uint8_t)access,
	    .bcd = v & CONTROL_BCD,
	    .gate = ch->gate,
	    .count = ch->count,
	    .null_count = true,
	};
	changed(pit, n, now);
}

void pit_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct pit *pit = dev;

	if ((offset & 3) == PORT_CONTROL)
		write_control(pit, (uint8_t)value);
	else
		write_count(pit, offset & 3, (uint8_t)value);
}

uint64_t pit_read(void *dev, uint64_t offset, unsigned size)
{
	struct pit *pit = dev;
	struct pit_channel *ch;
	uint16_t v;
	bool high;

	if ((offset & 3) == PORT_CONTROL) /* write only */
		return 0xff;
	ch = &pit->ch[offset & 3];
	if (ch->status_latched) {
		ch->status_latched = false;
		return ch->status;
	}
	v = ch->latched ? ch->latch : counter(ch, ticks_now(pit));
	if (ch->latched)
		ch->latched--;
	high = ch->access == ACCESS_HIGH;
	if (ch->access == ACCESS_BOTH) {
		high = ch->read_high_next;
		ch->read_high_next = !high;
	}
	return high ? v >> 8 : v & 0xff;
}

const struct io_ops pit_io_ops = {"pit", pit_read, pit_write, IO_8};
