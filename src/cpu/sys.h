/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control and debug registers, MSRs, CPUID, flags: the C bodies of system instructions, shared by both engines.
 */
#ifndef GNOMON_SYS_H
#define GNOMON_SYS_H

#include "cpu.h"
#include "decode.h"

/* MOV to CRn, LMSW and friends: reserved bits, transitions of paging and long mode, notifications. False: #GP. */
bool cpu_write_cr0(struct cpu *cpu, uint64_t value, struct x86_fault *f);
bool cpu_write_cr3(struct cpu *cpu, uint64_t value, struct x86_fault *f);
bool cpu_write_cr4(struct cpu *cpu, uint64_t value, struct x86_fault *f);
bool cpu_write_dr(struct cpu *cpu, unsigned n, uint64_t value, struct x86_fault *f);
bool cpu_read_dr(struct cpu *cpu, unsigned n, uint64_t *value, struct x86_fault *f);
/* An access was made: the breakpoints on it are owed as a #DB trap after the instruction (pending_db). Worth a call
 * only with cpu_watches_data(). A debugger's are noted, too. */
void cpu_match_data_breakpoints(struct cpu *cpu, gva_t gva, unsigned len, bool write);
void cpu_match_io_breakpoints(struct cpu *cpu, uint16_t port, unsigned size);

bool cpu_read_msr(struct cpu *cpu, uint32_t index, uint64_t *value, struct x86_fault *f);
bool cpu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value, struct x86_fault *f);

struct cpuid_result {
	uint32_t eax, ebx, ecx, edx;
};
/* Is the guest's processor one of AMD's, by CPUID? */
bool cpu_is_amd(const struct cpu *cpu);
struct cpuid_result cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf);
/* Does the guest's CPUID show the feature? Constant per VM. */
bool cpu_has(const struct cpu *cpu, enum insn_feature feature);

/* Bits that XCR0 may have. */
uint64_t cpu_xcr0_valid(const struct cpu *cpu);

/* As cpu_canonical(), but with the bits that linear addresses have in any mode of this processor, LA57 or not: for what
 * is kept (MSRs, bases of tables) or names a page to INVLPG, not for what is accessed. */
bool cpu_base_canonical(const struct cpu *cpu, uint64_t address);

/* Guest TSC now. */
uint64_t cpu_tsc(struct cpu *cpu);

/* POPF/IRET: merges value into RFLAGS as CPL, IOPL, mode and size allow. */
void cpu_write_flags(struct cpu *cpu, uint64_t value, unsigned size);

/* I/O permission (IOPL, TSS bitmap): #GP(0). */
bool cpu_io_allowed(struct cpu *cpu, uint16_t port, unsigned size, struct x86_fault *f);

/* Must data accesses be told to cpu_match_data_breakpoints()? */
static inline bool cpu_watches_data(const struct cpu *cpu)
{
	return (cpu->dr[7] & DR7_ENABLES) || cpu->watch;
}

/* Must every instruction be single-stepped, and every element of a string be a step: for debug registers, TF, or a
 * debugger? */
static inline bool cpu_debug_active(const struct cpu *cpu)
{
	return (cpu->rflags & FLAG_TF) || cpu_watches_data(cpu);
}

#endif
