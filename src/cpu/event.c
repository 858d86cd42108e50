/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions and interrupts: what is delivered, when, and what becomes of a fault met on the way (SDM vol.
 * 3 6.7-6.9, 6.15, 17.2, 17.3).
 */
#include "tlb.h"
#include "trace.h"
#include "transfer_internal.h"

/* Vectors whose saved flags have RF set: fault class (17.3.1.1). #DB is decided by its cause. */
#define RF_FAULTS                                                                                                      \
	(BIT(EXC_DE) | BIT(EXC_BR) | BIT(EXC_UD) | BIT(EXC_NM) | BIT(EXC_TS) | BIT(EXC_NP) | BIT(EXC_SS) |             \
	 BIT(EXC_GP) | BIT(EXC_PF) | BIT(EXC_MF) | BIT(EXC_AC) | BIT(EXC_XM))

/* Table 6-4 */
#define CONTRIBUTORY (BIT(EXC_DE) | BIT(EXC_TS) | BIT(EXC_NP) | BIT(EXC_SS) | BIT(EXC_GP))

/* Exceptions whose error code is a selector, which tells with EXT of an external cause (6.13). */
#define SELECTOR_ERRORS (BIT(EXC_TS) | BIT(EXC_NP) | BIT(EXC_SS) | BIT(EXC_GP))

static bool vector_in(uint64_t set, unsigned vector)
{
	return vector < 64 && (set & BIT(vector));
}

static bool attempt(struct cpu *cpu, const struct delivery *e, struct x86_fault *f)
{
	if (!cpu_protected(cpu))
		return cpu_deliver_real(cpu, e, f);
	if (cpu_long(cpu))
		return cpu_deliver_long(cpu, e, f);
	return cpu_deliver_protected(cpu, e, f);
}

/* cpu_deliver() with the choice of RF in the saved flags. */
static bool deliver(struct cpu *cpu, unsigned vector, enum event_kind kind, const uint16_t *error, bool rf,
		    struct x86_fault *f)
{
	/* INT1 counts as external: only INT n, INT3 and INTO do not set EXT. */
	bool software = kind == EVENT_SOFTWARE;
	bool at_next = software || kind == EVENT_ICEBP;
	struct delivery e = {.vector = vector,
			     .kind = kind,
			     .error = error,
			     .rip = at_next ? cpu->next_rip : cpu->rip,
			     .rflags = cpu->rflags | (rf ? FLAG_RF : 0)};

	cpu->ext = !software;
	bool ok = attempt(cpu, &e, f);
	cpu->ext = false;
	if (!ok) {
		if (!software && f->has_error && vector_in(SELECTOR_ERRORS, f->vector))
			f->error |= ERR_EXT;
		return false;
	}
	cpu->shadow = SHADOW_NONE;
	/* An instruction that delivers leaves RIP to whoever completes it. */
	if (!at_next)
		cpu->rip = cpu->next_rip;
	return true;
}

bool cpu_deliver(struct cpu *cpu, unsigned vector, enum event_kind kind, const uint16_t *error, struct x86_fault *f)
{
	return deliver(cpu, vector, kind, error, kind == EVENT_EXCEPTION && vector_in(RF_FAULTS, vector), f);
}

/* Table 6-5: what becomes of `second`, met while delivering `first`. False: shutdown. */
static bool combine(const struct x86_fault *first, struct x86_fault *second)
{
	bool first_contributory = vector_in(CONTRIBUTORY, first->vector);
	bool second_contributory = vector_in(CONTRIBUTORY, second->vector);
	bool second_pf = second->vector == EXC_PF;

	if (first->vector == EXC_DF)
		return !(second_contributory || second_pf);
	if ((first_contributory && second_contributory) ||
	    (first->vector == EXC_PF && (second_contributory || second_pf)))
		*second = (struct x86_fault){.vector = EXC_DF, .has_error = true};
	return true;
}

/* The registers that report an exception; CR2 also of a page fault that ends as a double fault. */
static void report(struct cpu *cpu, const struct x86_fault *f)
{
	if (f->vector == EXC_PF) {
		cpu->cr2 = f->address;
		cpu_mmu_event(cpu, MMU_FAULT, f->address);
	}
	if (f->vector == EXC_DB) {
		cpu->dr[6] = (cpu->dr[6] & ~(DR6_B(0) | DR6_B(1) | DR6_B(2) | DR6_B(3))) | f->address | DR6_FIXED;
		cpu->dr[7] &= ~DR7_GD;
	}
}

static void triple_fault(struct cpu *cpu)
{
	trace(fault, "triple fault at %04x:%llx", cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip);
	cpu->activity = CPU_SHUTDOWN;
	cpu->ops->triple_fault(cpu->machine);
}

void cpu_deliver_fault(struct cpu *cpu, const struct x86_fault *f)
{
	struct x86_fault now = *f, next;

	/* Every chain of table 6-5 is shorter; the bound is there so that a fault in this table cannot hang the
	 * monitor. */
	for (unsigned i = 0; i < 8; i++) {
		bool rf = vector_in(RF_FAULTS, now.vector) || (now.vector == EXC_DB && (now.address & DR6_BD));

		trace(fault, "exception %u error %x at %04x:%llx address %llx", now.vector, now.error,
		      cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip, (unsigned long long)now.address);
		report(cpu, &now);
		if (cpu->stats)
			cpu->stats->exceptions++;
		if (deliver(cpu, now.vector, EVENT_EXCEPTION, now.has_error ? &now.error : NULL, rf, &next))
			return;
		report(cpu, &next);
		if (!combine(&now, &next))
			break;
		now = next;
	}
	triple_fault(cpu);
}

static void deliver_external(struct cpu *cpu, unsigned vector)
{
	struct x86_fault f;

	if (cpu->stats)
		cpu->stats->interrupts++;
	trace(irq, "interrupt %02x at %04x:%llx", vector, cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip);
	if (!cpu_deliver(cpu, vector, EVENT_EXTERNAL, NULL, &f))
		cpu_deliver_fault(cpu, &f);
}

static bool interruptible(const struct cpu *cpu)
{
	return cpu->intr && (cpu->rflags & FLAG_IF) && cpu->shadow == SHADOW_NONE;
}

bool cpu_event_ready(const struct cpu *cpu)
{
	if (cpu->activity > CPU_MWAIT || cpu->shadow == SHADOW_MOV_SS)
		return false;
	return cpu->pending_db || (cpu->nmi && !cpu->nmi_blocked) || interruptible(cpu);
}

bool cpu_take_event(struct cpu *cpu)
{
	if (!cpu_event_ready(cpu))
		return false;
	cpu->monitoring = false;
	/* Table 6-2: traps on the previous instruction, NMI, maskable interrupts. */
	if (cpu->pending_db) {
		struct x86_fault f = {.vector = EXC_DB, .address = cpu->pending_db};
		cpu->pending_db = 0;
		cpu->activity = CPU_RUNNING;
		cpu_deliver_fault(cpu, &f);
		return true;
	}
	if (cpu->nmi && !cpu->nmi_blocked) {
		cpu->nmi = false;
		cpu->nmi_blocked = true;
		cpu->activity = CPU_RUNNING;
		deliver_external(cpu, EXC_NMI);
		return true;
	}
	int vector = cpu->ops->intr_ack(cpu->machine);
	if (vector < 0)
		return false;
	cpu->activity = CPU_RUNNING;
	deliver_external(cpu, (unsigned)vector & 0xff);
	return true;
}
