/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions, interrupts and their delivery in every mode (SDM vol. 3 ch. 6, 20.1.4, 20.3).
 */
#ifndef GNOMON_EVENT_H
#define GNOMON_EVENT_H

#include "cpu.h"

enum event_kind {
	EVENT_EXCEPTION, /* fault: the saved RIP is cpu->rip; a second one while delivering makes #DF, a third a triple
			    fault */
	EVENT_EXTERNAL,	 /* hardware interrupt or NMI: error codes carry EXT */
	EVENT_SOFTWARE,	 /* INT n, INT3, INTO: DPL check; saved RIP is cpu->next_rip */
	EVENT_ICEBP,	 /* INT1: no DPL check; saved RIP is cpu->next_rip */
};

/*
 * Delivers f through the IDT (or the IVT), nested faults included: double fault, triple fault (ops->triple_fault). Sets
 * CR2 for #PF, DR6 for #DB, RF in the saved flags as 17.3.1.1 says. Afterwards CS:RIP is the handler's first
 * instruction. Counts stats->exceptions.
 */
void cpu_deliver_fault(struct cpu *cpu, const struct x86_fault *f);

/* One attempt at delivery. False: *f holds the fault met, nothing has changed (but for what a task switch commits). */
bool cpu_deliver(struct cpu *cpu, unsigned vector, enum event_kind kind, const uint16_t *error, struct x86_fault *f);

/*
 * Called at an instruction boundary: takes the highest-priority pending event that may be taken now (pending #DB trap,
 * NMI, external interrupt; INIT and SIPI come from outside) and delivers it; wakes a halted CPU. True if one was taken.
 * Also ends the interrupt shadow bookkeeping: see cpu->shadow.
 */
bool cpu_take_event(struct cpu *cpu);

/* Would cpu_take_event() deliver something now (given IF, shadows, NMI blocking)? */
bool cpu_event_ready(const struct cpu *cpu);

/* IRET in all its forms, given the operand size in bytes; sets next_rip. */
bool cpu_iret(struct cpu *cpu, unsigned opsize, struct x86_fault *f);

#endif
