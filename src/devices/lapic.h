/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local APIC, xAPIC and x2APIC. SDM vol. 3, chapter 11 (Advanced Programmable Interrupt Controller).
 *
 * Wiring: a PM_IO region of one page at lapic_base() with lapic_io_ops, enabled while lapic_mmio_enabled(); MSR 1Bh is
 * lapic_base_msr_read/write, MSRs 800h-8FFh are lapic_msr_read/write. Many CPUs share the address: the board passes the
 * access on to the one that makes it.
 */
#ifndef GNOMON_LAPIC_H
#define GNOMON_LAPIC_H

#include "../clock.h"
#include "../io.h"
#include "apic.h"
#include "catchup.h"

#define LAPIC_DEFAULT_BASE 0xfee00000ull
/* Frequency of the timer before the divider: what CPUID leaf 15h or calibration finds. 1 ns a tick, as with QEMU. */
#define LAPIC_TIMER_HZ 1000000000ull

enum {
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERF,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	LVT_COUNT,
};

struct lapic_config {
	struct clock *clock;
	uint32_t id; /* initial APIC ID */
	bool bsp;
	bool x2apic;		/* CPUID shows x2APIC: the mode may be enabled */
	bool tsc_deadline;	/* CPUID shows TSC-deadline mode */
	struct irq_line intr;	/* level: lapic_pending() */
	struct irq_line extint; /* level of an ExtINT that came as a message (rare); may be unconnected */
	void *arg;		/* of all that follow; members may be NULL */
	void (*nmi)(void *arg);
	void (*smi)(void *arg);
	void (*init)(void *arg);		 /* INIT: the board resets the CPU and calls lapic_init_reset() */
	void (*sipi)(void *arg, uint8_t vector); /* start at vector << 12 */
	void (*ipi)(void *arg, const struct apic_msg *msg); /* to the bus; arg is ipi_arg */
	void *ipi_arg;
	void (*eoi)(void *arg,
		    uint8_t vector); /* end of a level-triggered interrupt, for the I/O APICs; arg is eoi_arg */
	void *eoi_arg;
	/* Virtual time (ns) at which the guest's TSC reaches the value (a past one may give any past time), and the TSC
	 * now. */
	uint64_t (*tsc_to_ns)(void *arg, uint64_t tsc);
	uint64_t (*tsc_now)(void *arg);
};

struct lapic {
	struct lapic_config cfg;
	struct timer timer;
	struct catchup catchup; /* of the periodic timer */
	uint64_t base_msr;	/* IA32_APIC_BASE */
	uint32_t id;		/* xAPIC: 8 bits */
	uint32_t ldr, dfr, svr;
	uint32_t isr[8], tmr[8], irr[8];
	uint32_t lvt[LVT_COUNT];
	uint64_t icr;
	uint32_t esr, esr_pending;
	uint32_t divide; /* divide configuration register */
	uint32_t initial_count;
	uint64_t timer_due;   /* ns of the interrupt that the timer is armed for */
	uint64_t timer_start; /* ns at which the count was initial_count */
	bool timer_ended;     /* counted down once: stays at 0, in whatever mode, until a count is written */
	uint64_t tsc_deadline;
	uint8_t tpr;
	bool lint[2]; /* input levels */
	bool out;     /* level of intr */
};

void lapic_init(struct lapic *lapic, const struct lapic_config *cfg);

/* Power-up or RESET#: software disabled, APIC base as at power-up. */
void lapic_reset(struct lapic *lapic);

/* INIT: as reset, but APIC ID and base MSR stay. SDM vol. 3, 11.4.7.3. */
void lapic_init_reset(struct lapic *lapic);

/* A vector above the processor priority waits (and the APIC is enabled). */
bool lapic_pending(const struct lapic *lapic);

/* Takes the highest pending vector into service; the spurious vector if there is none. */
uint8_t lapic_ack(struct lapic *lapic);

/* The 8259's INTR reaches the CPU: APIC globally disabled, or LINT0 unmasked with delivery mode ExtINT. */
bool lapic_accepts_extint(const struct lapic *lapic);

/* LINT0 or LINT1 (n 0, 1); lapic is a struct lapic. ExtINT on LINT0 is not passed on from here: see
 * lapic_accepts_extint(). */
void lapic_set_lint(void *lapic, int n, bool level);

/* A message for this local APIC (matched already). */
void lapic_deliver(struct lapic *lapic, const struct apic_msg *msg);

/* The message's destination includes this local APIC. */
bool lapic_matches(const struct lapic *lapic, const struct apic_msg *msg);

/* CR8, and TPR bits 7-4. */
uint64_t lapic_cr8_read(const struct lapic *lapic);
void lapic_cr8_write(struct lapic *lapic, uint64_t cr8);

/* IA32_APIC_BASE. Writing returns false for #GP (reserved bits, illegal mode transition). */
uint64_t lapic_base_msr_read(const struct lapic *lapic);
bool lapic_base_msr_write(struct lapic *lapic, uint64_t value);
gpa_t lapic_base(const struct lapic *lapic);
bool lapic_mmio_enabled(const struct lapic *lapic); /* xAPIC mode: the page answers */

/* MSRs 800h-8FFh in x2APIC mode. False: #GP. SDM vol. 3, 11.12. */
bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value);
bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value);

/* IA32_TSC_DEADLINE (MSR 6E0h); reads 0 and ignores writes unless the timer is in that mode. */
uint64_t lapic_tsc_deadline_read(const struct lapic *lapic);
void lapic_tsc_deadline_write(struct lapic *lapic, uint64_t tsc);

uint64_t lapic_read(void *lapic, uint64_t offset, unsigned size);
void lapic_write(void *lapic, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops lapic_io_ops;

#endif
