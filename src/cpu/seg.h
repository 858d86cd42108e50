/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading of segment registers, descriptors, far transfers, task switches (SDM vol. 3 ch. 3, 5, 7).
 */
#ifndef GNOMON_SEG_H
#define GNOMON_SEG_H

#include "cpu.h"

/* A descriptor as read from a table; 64-bit system descriptors fill `high`. */
struct descriptor {
	uint64_t low, high;
};

/* MOV/POP/LxS to a data or stack segment register (not CS): all checks, accessed bit, real/V86 rules. */
bool cpu_load_segment(struct cpu *cpu, unsigned seg, uint16_t selector, struct x86_fault *f);

/* Sets a segment as real-address (keep_limit) or V86 mode does. */
void cpu_set_real_segment(struct cpu *cpu, unsigned seg, uint16_t selector);
void cpu_set_v86_segment(struct cpu *cpu, unsigned seg, uint16_t selector);

/* Reads a descriptor from GDT or LDT; error: selector error code with `vector` (#GP, #TS, #NP...) when beyond the limit
 * or null. */
bool cpu_read_descriptor(struct cpu *cpu, uint16_t selector, struct descriptor *out, unsigned vector,
			 struct x86_fault *f);
void cpu_segment_from_descriptor(struct segment *s, uint16_t selector, uint64_t descriptor);
/* Writes the accessed bit of a descriptor in memory if it is clear, and in *d. */
bool cpu_mark_accessed(struct cpu *cpu, uint16_t selector, struct descriptor *d, struct x86_fault *f);

bool cpu_load_ldtr(struct cpu *cpu, uint16_t selector, struct x86_fault *f);
bool cpu_load_tr(struct cpu *cpu, uint16_t selector, struct x86_fault *f);

/* Far JMP, CALL and RET with all gates; they set CS and next_rip. return_rip for CALL is next_rip on entry. */
bool cpu_far_jump(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize, struct x86_fault *f);
bool cpu_far_call(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize, struct x86_fault *f);
bool cpu_far_return(struct cpu *cpu, unsigned opsize, unsigned pop_bytes, struct x86_fault *f);

enum task_switch { TASK_JUMP, TASK_CALL, TASK_IRET, TASK_EVENT };

/* Switches to the TSS that selector names (7.3). error: pushed on the new stack if not NULL (faults through task
 * gates). */
bool cpu_task_switch(struct cpu *cpu, uint16_t selector, enum task_switch why, const uint16_t *error,
		     struct x86_fault *f);

/* SS:ESP for a ring from the current TSS (5.8.5). vector #TS conditions. */
bool cpu_tss_stack(struct cpu *cpu, unsigned ring, uint16_t *ss, uint64_t *rsp, struct x86_fault *f);

/* Changes of CPL, CS and the mode-dependent state go through these, so that cpl follows. */
void cpu_set_cpl(struct cpu *cpu, unsigned cpl);
/* Behind a change of CS: compatibility mode has 32-bit registers. What their upper halves hold after a stay there is
 * undefined (vol. 1, 3.4.1.1): here they are 0 from its beginning, while R8 to R15 are kept. */
void cpu_drop_upper_halves(struct cpu *cpu);
/* CS and SS as SYSENTER and its like load them: from no descriptor, flat. code64: 64-bit code. */
void cpu_flat_segments(uint16_t cs, uint16_t ss, unsigned cpl, bool code64, struct segment *code,
		       struct segment *stack);

#endif
