/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the local APIC. Registers and bits: SDM vol. 3, chapter 11. */
#ifndef GNOMON_LAPIC_INTERNAL_H
#define GNOMON_LAPIC_INTERNAL_H

#include "lapic.h"

/* clang-format off */
enum { /* register numbers: MMIO offset >> 4, MSR - 800h. Table 11-1, 11-6 */
	LAPIC_ID        = 0x02,
	LAPIC_VERSION   = 0x03,
	LAPIC_TPR       = 0x08,
	LAPIC_APR       = 0x09,
	LAPIC_PPR       = 0x0a,
	LAPIC_EOI       = 0x0b,
	LAPIC_RRD       = 0x0c,
	LAPIC_LDR       = 0x0d,
	LAPIC_DFR       = 0x0e,
	LAPIC_SVR       = 0x0f,
	LAPIC_ISR       = 0x10, /* 8 registers each */
	LAPIC_TMR       = 0x18,
	LAPIC_IRR       = 0x20,
	LAPIC_ESR       = 0x28,
	LAPIC_ICR       = 0x30,
	LAPIC_ICR_HIGH  = 0x31,
	LAPIC_LVT       = 0x32, /* LVT_COUNT registers */
	LAPIC_INITIAL   = 0x38,
	LAPIC_CURRENT   = 0x39,
	LAPIC_DIVIDE    = 0x3e,
	LAPIC_SELF_IPI  = 0x3f,
};

enum { /* 11.4.3, 11.5, 11.6, 11.9 */
	BASE_BSP        = 1u << 8,
	BASE_EXTD       = 1u << 10,
	BASE_EN         = 1u << 11,

	SVR_ENABLE      = 1u << 8,
	SVR_WRITABLE    = 0x3ff,

	LVT_LEVEL       = 1u << 15,
	LVT_MASKED      = 1u << 16,
	LVT_TIMER_MODE  = 3u << 17,
	TIMER_ONE_SHOT  = 0,
	TIMER_PERIODIC  = 1u << 17,
	TIMER_DEADLINE  = 2u << 17,

	ICR_LOGICAL     = 1u << 11,
	ICR_ASSERT      = 1u << 14,
	ICR_LEVEL       = 1u << 15,
	ICR_WRITABLE    = 0x000ccfff,

	ESR_SEND_VECTOR = 1u << 5,
	ESR_RECV_VECTOR = 1u << 6,
	ESR_REGISTER    = 1u << 7,

	FIRST_VECTOR    = 16, /* lower ones are illegal */
};
/* clang-format on */

static inline bool lapic_enabled(const struct lapic *l)
{
	return l->base_msr & BASE_EN;
}

static inline bool lapic_x2(const struct lapic *l)
{
	return l->base_msr & BASE_EXTD;
}

/* Brings the output line up to date. */
void lapic_update(struct lapic *l);
uint8_t lapic_ppr(const struct lapic *l);
void lapic_error(struct lapic *l, uint32_t bits);
void lapic_eoi(struct lapic *l);
void lapic_send_ipi(struct lapic *l);
/* Delivers the interrupt of a local source, as its LVT entry says. */
void lapic_local(struct lapic *l, unsigned lvt);

void lapic_timer_init(struct lapic *l);
void lapic_timer_stop(struct lapic *l);
/* The CPU has taken the timer's vector. */
void lapic_timer_acked(struct lapic *l);
uint32_t lapic_timer_count(struct lapic *l);
void lapic_timer_set_count(struct lapic *l, uint32_t count);
void lapic_timer_set_divide(struct lapic *l, uint32_t divide);
/* Before the LVT entry changes to the new value. */
void lapic_timer_set_lvt(struct lapic *l, uint32_t lvt);

#endif
