/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local APIC: state, priorities, delivery. */
#include <string.h>

#include "lapic_internal.h"
#include "trace.h"

static void set_bit(uint32_t *v, unsigned n, bool on)
{
	v[n >> 5] = on ? v[n >> 5] | 1u << (n & 31) : v[n >> 5] & ~(1u << (n & 31));
}

static bool get_bit(const uint32_t *v, unsigned n)
{
	return v[n >> 5] >> (n & 31) & 1;
}

/* Highest vector in a 256-bit register, or -1. */
static int highest(const uint32_t *v)
{
	for (int i = 7; i >= 0; i--)
		if (v[i])
			return i * 32 + 31 - __builtin_clz(v[i]);
	return -1;
}

/* Processor priority: 11.8.3.1. */
uint8_t lapic_ppr(const struct lapic *l)
{
	int serving = highest(l->isr);
	uint8_t isrv = serving < 0 ? 0 : (uint8_t)serving & 0xf0;

	return (l->tpr & 0xf0) >= isrv ? l->tpr : isrv;
}

bool lapic_pending(const struct lapic *l)
{
	int v = highest(l->irr);

	return lapic_enabled(l) && v >= 0 && (v & 0xf0) > (lapic_ppr(l) & 0xf0);
}

void lapic_update(struct lapic *l)
{
	bool out = lapic_pending(l);

	if (out != l->out) {
		l->out = out;
		irq_set(&l->cfg.intr, out);
	}
}

static void accept_vector(struct lapic *l, uint8_t vector, bool level)
{
	if (vector < FIRST_VECTOR) {
		lapic_error(l, ESR_RECV_VECTOR);
		return;
	}
	trace(irq, "lapic %u accepts vector %02x", l->id, vector);
	set_bit(l->irr, vector, true);
	set_bit(l->tmr, vector, level);
	lapic_update(l);
}

void lapic_error(struct lapic *l, uint32_t bits)
{
	uint32_t lvt = l->lvt[LVT_ERROR];
	bool first = !(l->esr_pending & bits);

	l->esr_pending |= bits;
	/* An illegal vector in the error entry itself must not report itself for ever. */
	if (first && !(lvt & LVT_MASKED) && (lvt & 0xff) >= FIRST_VECTOR)
		accept_vector(l, lvt & 0xff, false);
}

uint8_t lapic_ack(struct lapic *l)
{
	int v = highest(l->irr);

	if (!lapic_pending(l))
		return l->svr & 0xff;
	set_bit(l->irr, (unsigned)v, false);
	set_bit(l->isr, (unsigned)v, true);
	lapic_update(l);
	trace(irq, "lapic %u ack vector %02x", l->id, (unsigned)v);
	if ((l->lvt[LVT_TIMER] & 0xff) == (unsigned)v)
		lapic_timer_acked(l);
	return (uint8_t)v;
}

void lapic_eoi(struct lapic *l)
{
	int v = highest(l->isr);

	if (v < 0)
		return;
	set_bit(l->isr, (unsigned)v, false);
	if (get_bit(l->tmr, (unsigned)v)) {
		/* A level on a LINT pin that is still there asks again. */
		for (unsigned n = 0; n < 2; n++) {
			uint32_t lvt = l->lvt[LVT_LINT0 + n];
			if (l->lint[n] && lvt & LVT_LEVEL && (lvt & 0xff) == (unsigned)v)
				lapic_local(l, LVT_LINT0 + n);
		}
		if (l->cfg.eoi)
			l->cfg.eoi(l->cfg.eoi_arg, (uint8_t)v);
	}
	lapic_update(l);
}

static void call(const struct lapic *l, void (*f)(void *arg))
{
	if (f)
		f(l->cfg.arg);
}

void lapic_deliver(struct lapic *l, const struct apic_msg *msg)
{
	if (!lapic_enabled(l))
		return;
	switch (msg->mode) {
	case APIC_FIXED:
	case APIC_LOWEST:
		if (l->svr & SVR_ENABLE)
			accept_vector(l, msg->vector, msg->level);
		break;
	case APIC_SMI:
		call(l, l->cfg.smi);
		break;
	case APIC_NMI:
		call(l, l->cfg.nmi);
		break;
	case APIC_INIT:
		if (!msg->deassert)
			call(l, l->cfg.init);
		break;
	case APIC_SIPI:
		if (l->cfg.sipi)
			l->cfg.sipi(l->cfg.arg, msg->vector);
		break;
	case APIC_EXTINT:
		irq_set(&l->cfg.extint, true);
		break;
	}
}

void lapic_local(struct lapic *l, unsigned lvt)
{
	uint32_t v = l->lvt[lvt];
	bool lint = lvt == LVT_LINT0 || lvt == LVT_LINT1;
	unsigned mode = lvt == LVT_TIMER || lvt == LVT_ERROR ? APIC_FIXED : v >> 8 & 7;

	if (v & LVT_MASKED || !lapic_enabled(l))
		return;
	switch (mode) {
	case APIC_FIXED:
		accept_vector(l, v & 0xff, lint && v & LVT_LEVEL);
		break;
	case APIC_SMI:
		call(l, l->cfg.smi);
		break;
	case APIC_NMI:
		call(l, l->cfg.nmi);
		break;
	case APIC_INIT:
		call(l, l->cfg.init);
		break;
	default: /* ExtINT: lapic_accepts_extint() */
		break;
	}
}

void lapic_set_lint(void *arg, int n, bool level)
{
	struct lapic *l = arg;
	bool rose = level && !l->lint[n & 1];

	l->lint[n & 1] = level;
	if (rose)
		lapic_local(l, LVT_LINT0 + (unsigned)(n & 1));
}

bool lapic_accepts_extint(const struct lapic *l)
{
	uint32_t v = l->lvt[LVT_LINT0];

	return !lapic_enabled(l) || (!(v & LVT_MASKED) && (v >> 8 & 7) == APIC_EXTINT);
}

/* Sends what ICR says: 11.6.1. */
void lapic_send_ipi(struct lapic *l)
{
	uint32_t icr = (uint32_t)l->icr;
	bool x2 = lapic_x2(l);
	struct apic_msg msg = {
	    .dest = (uint32_t)(x2 ? l->icr >> 32 : l->icr >> 56),
	    .vector = icr & 0xff,
	    .mode = icr >> 8 & 7,
	    .logical = icr & ICR_LOGICAL,
	    .wide = x2,
	    /* Fixed IPIs are edges whatever the trigger bit says; it matters for the INIT level de-assert only. */
	    .deassert = icr & ICR_LEVEL && !(icr & ICR_ASSERT),
	};
	unsigned shorthand = icr >> 18 & 3;

	if ((msg.mode == APIC_FIXED || msg.mode == APIC_LOWEST) && msg.vector < FIRST_VECTOR) {
		lapic_error(l, ESR_SEND_VECTOR);
		return;
	}
	if (shorthand >= 2) {
		msg.dest = UINT32_MAX;
		msg.wide = true;
		msg.logical = false;
		msg.exclude = shorthand == 3 ? l : NULL;
	}
	if (shorthand == 1)
		lapic_deliver(l, &msg);
	else if (l->cfg.ipi)
		l->cfg.ipi(l->cfg.ipi_arg, &msg);
	else if (lapic_matches(l, &msg))
		lapic_deliver(l, &msg);
}

bool lapic_matches(const struct lapic *l, const struct apic_msg *msg)
{
	uint32_t all = msg->wide ? UINT32_MAX : 0xff;

	if (!lapic_enabled(l) || msg->exclude == l)
		return false;
	if (msg->dest == all)
		return true;
	if (!msg->logical)
		return msg->dest == (lapic_x2(l) ? l->cfg.id : l->id);
	if (lapic_x2(l)) {
		uint32_t ldr = (l->cfg.id & ~15u) << 12 | 1u << (l->cfg.id & 15);
		return ldr >> 16 == msg->dest >> 16 && (ldr & msg->dest & 0xffff);
	}
	if (msg->dest > 0xff)
		return false;
	if (l->dfr >> 28 == 0xf)
		return l->ldr >> 24 & msg->dest;
	return (l->ldr >> 28 == msg->dest >> 4 || msg->dest >> 4 == 15) && (l->ldr >> 24 & msg->dest & 15);
}

/* Everything but the ID and the base MSR: 11.4.7. */
void lapic_init_reset(struct lapic *l)
{
	lapic_timer_stop(l);
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->tmr, 0, sizeof(l->tmr));
	memset(l->irr, 0, sizeof(l->irr));
	l->ldr = 0;
	l->dfr = UINT32_MAX;
	l->svr = 0xff;
	l->icr = 0;
	l->esr = l->esr_pending = 0;
	l->divide = l->initial_count = 0;
	l->timer_ended = false;
	l->tsc_deadline = 0;
	l->tpr = 0;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = LVT_MASKED;
	/*
	 * Not so in the SDM: the BSP comes up in virtual wire mode, which firmware would set up on a real board and
	 * SeaBIOS takes for granted before it has looked at the APIC.
	 */
	if (l->cfg.bsp)
		l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
	lapic_update(l);
}

void lapic_reset(struct lapic *l)
{
	l->id = l->cfg.id & 0xff;
	l->base_msr = LAPIC_DEFAULT_BASE | BASE_EN | (l->cfg.bsp ? BASE_BSP : 0);
	lapic_init_reset(l);
}

void lapic_init(struct lapic *l, const struct lapic_config *cfg)
{
	memset(l, 0, sizeof(*l));
	l->cfg = *cfg;
	lapic_timer_init(l);
	lapic_reset(l);
}
