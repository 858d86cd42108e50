/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time-stamp counter and those who read it (SDM vol. 3 17.17). */
#include "handlers_internal.h"

/* tsc_offset holds all that the guest ever added, by either MSR; tsc_adjust is only what IA32_TSC_ADJUST reads. */
uint64_t cpu_tsc(struct cpu *cpu)
{
	return cpu->ops->tsc(cpu->machine) + cpu->tsc_offset;
}

static void set_edx_eax(struct cpu *cpu, uint64_t value)
{
	gpr_write(cpu, RAX, 4, value);
	gpr_write(cpu, RDX, 4, value >> 32);
}

static bool tsc_allowed(const struct cpu *cpu, struct x86_fault *f)
{
	return !(cpu->cr4 & CR4_TSD) || cpu->cpl == 0 || raise_gp0(f);
}

bool do_rdtsc(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	if (!tsc_allowed(cpu, f))
		return false;
	set_edx_eax(cpu, cpu_tsc(cpu));
	return true;
}

bool do_rdtscp(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	if (!do_rdtsc(cpu, in, f))
		return false;
	gpr_write(cpu, RCX, 4, cpu->tsc_aux);
	return true;
}

bool do_rdpid(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	gpr_write(cpu, in->op[0].reg, in->code_size == 8 ? 8 : 4, cpu->tsc_aux);
	return true;
}

/* CPUID shows no performance counters, so that every index is out of range. */
bool do_rdpmc(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return raise_gp0(f);
}
