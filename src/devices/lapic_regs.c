/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local APIC: register access through the page, the x2APIC MSRs, CR8 and the base MSR. */
#include "lapic_internal.h"
#include "physmem.h"
#include "trace.h"

enum {
	VERSION = 0x14 | (LVT_COUNT - 1) << 16,
	MSR_FIRST = 0x800,
	MSR_LAST = 0x8ff,
	LVT_READ_ONLY = 0x5000, /* delivery status, remote IRR */
};

/* What each LVT entry can hold: figure 11-8. */
static uint32_t lvt_writable(const struct lapic *l, unsigned n)
{
	switch (n) {
	case LVT_TIMER:
		return 0xff | LVT_MASKED | TIMER_PERIODIC | (l->cfg.tsc_deadline ? TIMER_DEADLINE : 0);
	case LVT_LINT0:
	case LVT_LINT1:
		return 0x7ff | 1u << 13 | LVT_LEVEL | LVT_MASKED;
	case LVT_ERROR:
		return 0xff | LVT_MASKED;
	default:
		return 0x7ff | LVT_MASKED;
	}
}

static void write_lvt(struct lapic *l, unsigned n, uint32_t v)
{
	v &= lvt_writable(l, n);
	if (!(l->svr & SVR_ENABLE))
		v |= LVT_MASKED;
	if (n == LVT_TIMER) {
		if ((v & LVT_TIMER_MODE) == LVT_TIMER_MODE) /* reserved */
			v &= ~(uint32_t)TIMER_PERIODIC;
		lapic_timer_set_lvt(l, v);
		return;
	}
	l->lvt[n] = v;
	/* A level that waited behind the mask. */
	if ((n == LVT_LINT0 || n == LVT_LINT1) && v & LVT_LEVEL && l->lint[n - LVT_LINT0])
		lapic_local(l, n);
}

static void write_svr(struct lapic *l, uint32_t v)
{
	l->svr = v & SVR_WRITABLE;
	if (!(v & SVR_ENABLE))
		for (unsigned i = 0; i < LVT_COUNT; i++)
			l->lvt[i] |= LVT_MASKED;
}

/* Registers that both modes have. False: there is none. */
static bool read_common(struct lapic *l, unsigned reg, uint32_t *v)
{
	switch (reg) {
	case LAPIC_VERSION:
		*v = VERSION;
		return true;
	case LAPIC_TPR:
		*v = l->tpr;
		return true;
	case LAPIC_PPR:
		*v = lapic_ppr(l);
		return true;
	case LAPIC_SVR:
		*v = l->svr;
		return true;
	case LAPIC_ISR ... LAPIC_ISR + 7:
		*v = l->isr[reg & 7];
		return true;
	case LAPIC_TMR ... LAPIC_TMR + 7:
		*v = l->tmr[reg & 7];
		return true;
	case LAPIC_IRR ... LAPIC_IRR + 7:
		*v = l->irr[reg & 7];
		return true;
	case LAPIC_ESR:
		*v = l->esr;
		return true;
	case LAPIC_ICR:
		*v = (uint32_t)l->icr;
		return true;
	case LAPIC_LVT ... LAPIC_LVT + LVT_COUNT - 1:
		*v = l->lvt[reg - LAPIC_LVT];
		return true;
	case LAPIC_INITIAL:
		*v = l->initial_count;
		return true;
	case LAPIC_CURRENT:
		*v = lapic_timer_count(l);
		return true;
	case LAPIC_DIVIDE:
		*v = l->divide;
		return true;
	default:
		return false;
	}
}

static bool write_common(struct lapic *l, unsigned reg, uint32_t v)
{
	switch (reg) {
	case LAPIC_TPR:
		l->tpr = (uint8_t)v;
		break;
	case LAPIC_EOI:
		lapic_eoi(l);
		break;
	case LAPIC_SVR:
		write_svr(l, v);
		break;
	case LAPIC_ESR: /* writing shows the errors since the last write */
		l->esr = l->esr_pending;
		l->esr_pending = 0;
		break;
	case LAPIC_LVT ... LAPIC_LVT + LVT_COUNT - 1:
		write_lvt(l, reg - LAPIC_LVT, v);
		break;
	case LAPIC_INITIAL:
		lapic_timer_set_count(l, v);
		break;
	case LAPIC_DIVIDE:
		lapic_timer_set_divide(l, v);
		break;
	default:
		return false;
	}
	lapic_update(l);
	return true;
}

static bool is_mmio(uint64_t offset)
{
	return !(offset & 15) && offset < 0x400;
}

uint64_t lapic_read(void *dev, uint64_t offset, unsigned size)
{
	struct lapic *l = dev;
	unsigned reg = (unsigned)(offset >> 4);
	uint32_t v = 0;

	if (!lapic_mmio_enabled(l))
		return UINT32_MAX;
	if (!is_mmio(offset)) /* between registers: undefined, 11.4.1 */
		return 0;
	switch (reg) {
	case LAPIC_ID:
		return l->id << 24;
	case LAPIC_APR:
	case LAPIC_RRD: /* gone since the Pentium 4 */
	case LAPIC_EOI:
		return 0;
	case LAPIC_LDR:
		return l->ldr;
	case LAPIC_DFR:
		return l->dfr;
	case LAPIC_ICR_HIGH:
		return l->icr >> 32;
	}
	if (!read_common(l, reg, &v))
		lapic_error(l, ESR_REGISTER);
	return v;
}

void lapic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct lapic *l = dev;
	unsigned reg = (unsigned)(offset >> 4);
	uint32_t v = (uint32_t)value;

	if (!lapic_mmio_enabled(l) || !is_mmio(offset))
		return;
	switch (reg) {
	case LAPIC_ID:
		l->id = v >> 24;
		break;
	case LAPIC_LDR:
		l->ldr = v & 0xff000000;
		break;
	case LAPIC_DFR:
		l->dfr = v | 0x0fffffff;
		break;
	case LAPIC_ICR:
		l->icr = (l->icr & ~(uint64_t)UINT32_MAX) | (v & ICR_WRITABLE);
		lapic_send_ipi(l);
		break;
	case LAPIC_ICR_HIGH:
		l->icr = (l->icr & UINT32_MAX) | (uint64_t)(v & 0xff000000) << 32;
		break;
	case LAPIC_VERSION: /* read only */
	case LAPIC_APR:
	case LAPIC_PPR:
	case LAPIC_RRD:
	case LAPIC_ISR ... LAPIC_ESR - 1:
	case LAPIC_CURRENT:
		break;
	default:
		if (!write_common(l, reg, v))
			lapic_error(l, ESR_REGISTER);
	}
}

const struct io_ops lapic_io_ops = {"lapic", lapic_read, lapic_write, IO_32};

bool lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *value)
{
	uint32_t v = 0;
	bool ok;

	if (!lapic_x2(l) || msr < MSR_FIRST || msr > MSR_LAST)
		return false;
	switch (msr - MSR_FIRST) {
	case LAPIC_ID:
		*value = l->cfg.id;
		return true;
	case LAPIC_LDR: /* 11.12.10.2 */
		*value = (l->cfg.id & ~15u) << 12 | 1u << (l->cfg.id & 15);
		return true;
	case LAPIC_ICR:
		*value = l->icr;
		return true;
	default:
		ok = read_common(l, msr - MSR_FIRST, &v);
		*value = v;
		return ok;
	}
}

/* Bits that may be written in x2APIC mode (others: #GP). */
static uint64_t x2_writable(const struct lapic *l, unsigned reg)
{
	switch (reg) {
	case LAPIC_TPR:
	case LAPIC_SELF_IPI:
		return 0xff;
	case LAPIC_SVR:
		return SVR_WRITABLE;
	case LAPIC_ICR:
		return (uint64_t)UINT32_MAX << 32 | ICR_WRITABLE;
	case LAPIC_LVT ... LAPIC_LVT + LVT_COUNT - 1:
		return lvt_writable(l, reg - LAPIC_LVT) | LVT_READ_ONLY;
	case LAPIC_INITIAL:
		return UINT32_MAX;
	case LAPIC_DIVIDE:
		return 0xb;
	default: /* EOI and ESR take 0 only */
		return 0;
	}
}

bool lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t value)
{
	unsigned reg = msr - MSR_FIRST;

	if (!lapic_x2(l) || msr < MSR_FIRST || msr > MSR_LAST || value & ~x2_writable(l, reg))
		return false;
	if (reg == LAPIC_ICR) {
		l->icr = value;
		lapic_send_ipi(l);
		return true;
	}
	if (reg == LAPIC_SELF_IPI) {
		struct apic_msg msg = {.vector = (uint8_t)value};
		if (msg.vector < FIRST_VECTOR)
			lapic_error(l, ESR_SEND_VECTOR);
		else
			lapic_deliver(l, &msg);
		return true;
	}
	return write_common(l, reg, (uint32_t)value);
}

uint64_t lapic_cr8_read(const struct lapic *l)
{
	return l->tpr >> 4;
}

void lapic_cr8_write(struct lapic *l, uint64_t cr8)
{
	l->tpr = (uint8_t)(cr8 << 4);
	lapic_update(l);
}

uint64_t lapic_base_msr_read(const struct lapic *l)
{
	return l->base_msr;
}

bool lapic_base_msr_write(struct lapic *l, uint64_t value)
{
	uint64_t base = (BIT(PHYSMEM_BITS) - 1) & ~PAGE_MASK;
	bool en = value & BASE_EN, extd = value & BASE_EXTD;

	if (value & ~(base | BASE_BSP | BASE_EN | (l->cfg.x2apic ? BASE_EXTD : 0u)))
		return false;
	/* 11.12.5: x2APIC mode is entered from xAPIC mode and left by disabling only. */
	if (extd && (!en || (!lapic_enabled(l))))
		return false;
	if (lapic_x2(l) && en && !extd)
		return false;
	bool disabled = lapic_enabled(l) && !en;
	l->base_msr = (value & ~(uint64_t)BASE_BSP) | (l->base_msr & BASE_BSP);
	trace(mode, "lapic %u base %llx", l->cfg.id, (unsigned long long)l->base_msr);
	if (disabled) { /* its state is lost: 11.4.3 */
		l->id = l->cfg.id & 0xff;
		lapic_init_reset(l);
	}
	lapic_update(l);
	return true;
}

gpa_t lapic_base(const struct lapic *l)
{
	return l->base_msr & ~PAGE_MASK;
}

bool lapic_mmio_enabled(const struct lapic *l)
{
	return lapic_enabled(l) && !lapic_x2(l);
}
