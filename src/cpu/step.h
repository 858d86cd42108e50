/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The single-stepper: executes one guest instruction. Control flow, stack, string, segment and system instructions have
 * a C handler; every other one runs on the host CPU with a bounce buffer as its memory operand (exec.h).
 *
 * Handlers: cpu->rip still names the instruction; cpu->next_rip is preset to the following one, and branches (after
 * their checks) replace it. A handler returns false with *f set and the state unchanged to raise a fault (delivered
 * with RIP of this instruction), true when done. Traps that a handler delivers itself (INT n) set next_rip by event.h.
 * A repeated string instruction that is not finished sets next_rip = rip.
 */
#ifndef GNOMON_STEP_H
#define GNOMON_STEP_H

#include "decode.h"
#include "mem.h"

enum step_result {
	STEP_DONE,	/* one instruction (or one bounded part of a repeated one) completed */
	STEP_EXCEPTION, /* it raised an exception, which was delivered (or made a triple fault) */
};

/*
 * Executes the instruction at CS:RIP, with single-step and debug-register traps. Does not take interrupts: see
 * cpu_take_event().
 */
enum step_result cpu_step(struct cpu *cpu);

/* The same for an instruction that the caller has decoded already (its bytes are those at CS:RIP). */
enum step_result cpu_step_insn(struct cpu *cpu, const struct insn *in);

/* cpu_step(). False if that was only a part of a repeated instruction, which is none to be counted yet. */
bool cpu_step_counts(struct cpu *cpu);

/* Fetches and decodes at CS:RIP with fetch checks (CS limit, page faults with I bit). False: *f is to be delivered. */
bool cpu_fetch(struct cpu *cpu, struct insn *in, struct x86_fault *f);

/* The checks of the row (mode, CPL, CR0, feature, LOCK legality). */
bool cpu_insn_checks(struct cpu *cpu, const struct insn *in, struct x86_fault *f);

/* Offset of the explicit memory operand in its segment, truncated to the address size. */
uint64_t insn_ea(const struct cpu *cpu, const struct insn *in);

/* Operand values of general, segment, immediate and memory kind for handlers. Registers of size 4 zero-extend on write.
 */
bool insn_read(struct cpu *cpu, const struct insn *in, unsigned n, uint64_t *value, struct x86_fault *f);
bool insn_write(struct cpu *cpu, const struct insn *in, unsigned n, uint64_t value, struct x86_fault *f);

uint64_t gpr_read(const struct cpu *cpu, unsigned reg, unsigned size);
void gpr_write(struct cpu *cpu, unsigned reg, unsigned size,
	       uint64_t value); /* size 1, 2: keeps the rest; 4: zero-extends */

/* Near branch: checks the CS limit (or canonicality) of target, then sets next_rip. target is truncated to opsize
 * first. */
bool cpu_branch(struct cpu *cpu, uint64_t target, unsigned opsize, struct x86_fault *f);

#endif
