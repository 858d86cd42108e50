/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hpet.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum { /* register offsets, section 2.3 */
	GCAP_ID      = 0x000,
	GEN_CONF     = 0x010,
	GINTR_STA    = 0x020,
	MAIN_CNT     = 0x0f0,
	TIMER_BASE   = 0x100, /* 0x20 bytes each */
	TIMER_CONF   = 0x00,
	TIMER_COMP   = 0x08,
	TIMER_FSB    = 0x10,
};

enum { /* GEN_CONF */
	ENABLE_CNF   = 1u << 0,
	LEG_RT_CNF   = 1u << 1,
};

enum { /* Tn_CONF_CAP */
	INT_TYPE_CNF = 1u << 1, /* level */
	INT_ENB_CNF  = 1u << 2,
	TYPE_CNF     = 1u << 3, /* periodic */
	PER_INT_CAP  = 1u << 4,
	SIZE_CAP     = 1u << 5,
	VAL_SET_CNF  = 1u << 6,
	MODE32_CNF   = 1u << 8,
	INT_ROUTE    = 0x1fu << 9,
	CONF_WRITABLE = INT_TYPE_CNF | INT_ENB_CNF | TYPE_CNF | MODE32_CNF | INT_ROUTE,
};

enum { /* GCAP_ID, low half: revision 1, legacy replacement, 64 bits, vendor */
	CAPABILITIES = 0x80860000 | 1u << 15 | 1u << 13 | (HPET_TIMERS - 1) << 8 | 1,
};
/* clang-format on */

#define PERIOD_FS (HPET_TICK_NS * 1000000ull)

/* A comparator further ahead than that (350 years) is never reached. */
#define FAR BIT(60)
/* A comparator written this much behind the counter was meant to lie ahead: it matches at once. */
#define JUST_MISSED (NS_PER_SEC / HPET_TICK_NS)
#define MIN_PERIOD  (HPET_MIN_PERIOD_NS / HPET_TICK_NS)

static bool running(const struct hpet *h)
{
	return h->config & ENABLE_CNF;
}

bool hpet_legacy(const struct hpet *h)
{
	return h->config & LEG_RT_CNF;
}

static uint64_t counter(const struct hpet *h)
{
	return running(h) ? h->counter + (clock_now(h->cfg.clock) - h->origin) / HPET_TICK_NS : h->counter;
}

static unsigned number(const struct hpet_timer *t)
{
	return (unsigned)(t - t->hpet->timer);
}

static uint64_t mask(const struct hpet_timer *t)
{
	return t->config & MODE32_CNF ? UINT32_MAX : UINT64_MAX;
}

static bool periodic(const struct hpet_timer *t)
{
	return (t->config & TYPE_CNF) && t->period;
}

/* --- interrupts --- */

/* Where a timer's interrupt goes, or -1. */
static int route(const struct hpet_timer *t)
{
	unsigned n = number(t), pin = (t->config & INT_ROUTE) >> 9;

	if (hpet_legacy(t->hpet) && n < 2)
		return n ? HPET_IRQ_RTC : HPET_IRQ_TIMER;
	return HPET_ROUTES & BIT(pin) ? (int)pin : -1;
}

/* Several timers may share a line. */
static void drive(struct hpet *h, int line)
{
	bool level = false;

	if (line < 0)
		return;
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		level |= h->timer[i].line == line && h->timer[i].level;
	h->cfg.irq(h->cfg.arg, (unsigned)line, level);
}

static void set_level(struct hpet_timer *t, bool level)
{
	if (t->level == level)
		return;
	t->level = level;
	drive(t->hpet, t->line);
}

/* After a change of what may interrupt, how and where. */
static void update_line(struct hpet_timer *t)
{
	int to = route(t), from = t->line;
	bool pending = t->hpet->status & BIT(number(t));

	if (to != from) {
		set_level(t, false);
		t->line = to;
	}
	if (t->config & INT_TYPE_CNF)
		set_level(t, pending && running(t->hpet) && (t->config & INT_ENB_CNF));
	else if (!(t->config & INT_ENB_CNF))
		set_level(t, false);
}

static void pulse(void *arg)
{
	struct hpet_timer *t = arg;

	set_level(t, false);
	set_level(t, true);
}

static void interrupt(struct hpet_timer *t)
{
	trace(time, "hpet timer %u to line %d", number(t), t->line);
	if (t->config & INT_TYPE_CNF) {
		t->hpet->status |= (uint32_t)BIT(number(t));
		update_line(t);
	} else {
		pulse(t);
	}
}

/* --- matches --- */

/* Arms the host side for t->target, if an interrupt is wanted. */
static void arm(struct hpet_timer *t, uint64_t now)
{
	struct hpet *h = t->hpet;
	uint64_t delta = t->target - now;

	if (!running(h) || !(t->config & INT_ENB_CNF) || delta > FAR) {
		timer_cancel(&t->timer);
		return;
	}
	/* Relative to `origin`, where the counter has no fraction. */
	timer_arm(&t->timer, h->origin + (t->target - h->counter) * HPET_TICK_NS);
}

/* Finds the next match after a change of counter, comparator or mode. */
static void schedule(struct hpet_timer *t, bool comparator_written)
{
	uint64_t now = counter(t->hpet);
	uint64_t delta = (t->comparator - now) & mask(t);

	if (comparator_written && ((now - t->comparator) & mask(t)) < JUST_MISSED)
		delta = 0;
	t->target = now + delta;
	arm(t, now);
}

/* A periodic comparator steps on by itself. Returns how many matches have passed. */
static uint64_t sync_periods(struct hpet_timer *t, uint64_t now)
{
	uint64_t passed;

	if (!running(t->hpet) || !periodic(t) || now - t->target > FAR) /* the latter: still ahead */
		return 0;
	passed = (now - t->target) / t->period + 1;
	t->target += passed * t->period;
	t->comparator = t->target & mask(t);
	return passed;
}

static void fire(void *arg)
{
	struct hpet_timer *t = arg;
	uint64_t now = counter(t->hpet), due;

	if (!periodic(t)) { /* 32 bits match again when they have wrapped */
		t->target += mask(t) + 1;
		if (t->config & MODE32_CNF)
			arm(t, now);
		interrupt(t);
		return;
	}
	due = sync_periods(t, now);
	if (!due) { /* read in the very tick: not reached yet */
		arm(t, now);
		return;
	}
	if (t->period >= MIN_PERIOD) {
		if (!(t->config & INT_TYPE_CNF))
			catchup_tick(&t->catchup, due, t->period * HPET_TICK_NS);
	} else {
		uint64_t skip = (MIN_PERIOD + t->period - 1) / t->period - 1;
		t->target += skip * t->period;
		t->comparator = t->target & mask(t);
	}
	arm(t, now);
	interrupt(t);
}

void hpet_acked(struct hpet *h, unsigned n)
{
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		struct hpet_timer *t = &h->timer[i];
		if (t->line == (int)n && periodic(t) && t->level)
			catchup_acked(&t->catchup);
	}
}

void hpet_unwanted(struct hpet *h, unsigned n)
{
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		if (h->timer[i].line == (int)n)
			catchup_unwanted(&h->timer[i].catchup);
}

/* --- registers --- */

static void write_config(struct hpet *h, uint32_t value)
{
	uint32_t changed = (h->config ^ value) & (ENABLE_CNF | LEG_RT_CNF);
	uint64_t now = counter(h);

	for (unsigned i = 0; i < HPET_TIMERS; i++)
		sync_periods(&h->timer[i], now);
	h->counter = now;
	h->origin = clock_now(h->cfg.clock);
	h->config ^= changed;
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		struct hpet_timer *t = &h->timer[i];
		catchup_clear(&t->catchup);
		update_line(t);
		if (changed & ENABLE_CNF)
			schedule(t, false);
	}
	if (changed & LEG_RT_CNF)
		h->cfg.legacy(h->cfg.arg, hpet_legacy(h));
}

static void write_status(struct hpet *h, uint32_t value)
{
	h->status &= ~value;
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		if (value & BIT(i))
			update_line(&h->timer[i]);
}

static void write_counter(struct hpet *h, uint64_t value)
{
	h->counter = value;
	h->origin = clock_now(h->cfg.clock);
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		catchup_clear(&h->timer[i].catchup);
		schedule(&h->timer[i], false);
	}
}

static void write_timer_config(struct hpet_timer *t, uint32_t value)
{
	uint32_t before = t->config;

	sync_periods(t, counter(t->hpet));
	t->config = value & CONF_WRITABLE;
	t->set_value = (value & VAL_SET_CNF) && (value & TYPE_CNF);
	if (t->config & MODE32_CNF) {
		t->comparator &= UINT32_MAX;
		t->period &= UINT32_MAX;
	}
	if (t->config == before)
		return;
	catchup_clear(&t->catchup);
	if ((t->config ^ before) & INT_TYPE_CNF)
		t->hpet->status &= ~(uint32_t)BIT(number(t));
	update_line(t);
	schedule(t, false);
}

/*
 * Periodic mode: the value is the period; together with the comparator itself after VAL_SET (2.3.9.2.2 sets both by one
 * write; others write twice, the first match and then the period).
 */
static void write_comparator(struct hpet_timer *t, uint64_t value)
{
	value &= mask(t);
	sync_periods(t, counter(t->hpet));
	catchup_clear(&t->catchup);
	if (t->config & TYPE_CNF)
		t->period = value;
	if (!(t->config & TYPE_CNF) || t->set_value)
		t->comparator = value;
	t->set_value = false;
	schedule(t, true);
}

static uint64_t read_timer(struct hpet_timer *t, unsigned reg)
{
	switch (reg) {
	case TIMER_CONF:
		return (uint64_t)HPET_ROUTES << 32 | SIZE_CAP | PER_INT_CAP | t->config;
	case TIMER_COMP:
		sync_periods(t, counter(t->hpet));
		return t->comparator;
	case TIMER_FSB:
		return t->fsb;
	default:
		return 0;
	}
}

/* The whole register at an offset that is a multiple of 8. */
static uint64_t read_register(struct hpet *h, unsigned offset)
{
	switch (offset) {
	case GCAP_ID:
		return PERIOD_FS << 32 | CAPABILITIES;
	case GEN_CONF:
		return h->config;
	case GINTR_STA:
		return h->status;
	case MAIN_CNT:
		return counter(h);
	}
	if (offset >= TIMER_BASE && offset < TIMER_BASE + HPET_TIMERS * 0x20)
		return read_timer(&h->timer[(offset - TIMER_BASE) / 0x20], offset % 0x20);
	return 0;
}

static void write_register(struct hpet *h, unsigned offset, uint64_t value)
{
	struct hpet_timer *t;

	switch (offset) {
	case GEN_CONF:
		write_config(h, (uint32_t)value);
		return;
	case GINTR_STA:
		write_status(h, (uint32_t)value);
		return;
	case MAIN_CNT:
		write_counter(h, value);
		return;
	}
	if (offset < TIMER_BASE || offset >= TIMER_BASE + HPET_TIMERS * 0x20)
		return;
	t = &h->timer[(offset - TIMER_BASE) / 0x20];
	if (offset % 0x20 == TIMER_CONF)
		write_timer_config(t, (uint32_t)value);
	else if (offset % 0x20 == TIMER_COMP)
		write_comparator(t, value);
	else if (offset % 0x20 == TIMER_FSB)
		t->fsb = value;
}

uint64_t hpet_read(void *dev, uint64_t offset, unsigned size)
{
	struct hpet *h = dev;
	unsigned reg = (unsigned)(offset & (HPET_LEN - 1) & ~7u);

	return read_register(h, reg) >> (offset & 4) * 8 & size_mask(size);
}

/* Halves of what a write of 4 bytes leaves alone: 0 in the status register, whose bits are cleared by ones. */
static uint64_t other_half(struct hpet *h, unsigned reg)
{
	bool comparator = reg >= TIMER_BASE && reg % 0x20 == TIMER_COMP;
	const struct hpet_timer *t = &h->timer[(reg - TIMER_BASE) / 0x20 % HPET_TIMERS];

	if (reg == GINTR_STA)
		return 0;
	if (comparator && (t->config & TYPE_CNF) && !t->set_value)
		return t->period;
	return read_register(h, reg);
}

void hpet_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct hpet *h = dev;
	unsigned reg = (unsigned)(offset & (HPET_LEN - 1) & ~7u), shift = (offset & 4) * 8;

	trace(time, "hpet %03x/%u <- %llx", (unsigned)offset, size, (unsigned long long)value);
	if (size == 4) {
		uint64_t keep = ~((uint64_t)UINT32_MAX << shift);
		value = (other_half(h, reg) & keep) | value << shift;
	}
	/* The upper halves of the configuration registers are read-only. */
	if (shift && reg != MAIN_CNT && !(reg >= TIMER_BASE && reg % 0x20 != TIMER_CONF))
		return;
	write_register(h, reg, value);
}

const struct io_ops hpet_io_ops = {"hpet", hpet_read, hpet_write, IO_32 | IO_64};

void hpet_init(struct hpet *h, const struct hpet_config *cfg)
{
	memset(h, 0, sizeof(*h));
	h->cfg = *cfg;
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		struct hpet_timer *t = &h->timer[i];
		t->hpet = h;
		t->line = -1;
		timer_init(&t->timer, cfg->clock, fire, t);
		catchup_init(&t->catchup, cfg->clock, pulse, t);
	}
	hpet_reset(h);
}

void hpet_reset(struct hpet *h)
{
	bool legacy = hpet_legacy(h);

	h->config = h->status = 0;
	h->counter = 0;
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		struct hpet_timer *t = &h->timer[i];
		timer_cancel(&t->timer);
		catchup_clear(&t->catchup);
		t->config = 0;
		t->comparator = UINT64_MAX;
		t->period = t->fsb = 0;
		t->set_value = false;
		set_level(t, false);
		t->line = -1;
	}
	if (legacy)
		h->cfg.legacy(h->cfg.arg, false);
}
