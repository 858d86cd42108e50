/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MONITOR and MWAIT (SDM vol. 2; vol. 3, 8.10). A wait may end for reasons of the processor's own: here it ends with
 * whatever wakes the virtual CPU's thread, which is also where devices write memory. What was written between the two
 * instructions is found by comparing, and an interrupt taken between them ends the wait before it begins.
 */
#include <string.h>

#include "handlers_internal.h"

enum { BREAK_ON_INTERRUPT = 1 /* ECX of MWAIT: though IF is clear */ };

static gva_t monitored_line(gva_t linear)
{
	return ALIGN_DOWN(linear, (gva_t)MONITOR_LINE);
}

bool do_monitor(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	gva_t linear;

	if (cpu->cpl != 0)
		return x86_raise(f, EXC_UD);
	if ((uint32_t)cpu->gpr[RCX])
		return raise_gp0(f);
	if (!cpu_seg_linear(cpu, in->seg, gpr_read(cpu, RAX, in->addrsize), 1, ACC_READ, &linear, f) ||
	    !cpu_translate_linear(cpu, linear, ACC_READ, &cpu->monitor_gpa, f))
		return false;
	cpu->monitor_gpa = monitored_line(cpu->monitor_gpa);
	cpu_phys_read(cpu, cpu->monitor_gpa, cpu->monitor_line, MONITOR_LINE);
	cpu->monitoring = true;
	return true;
}

bool do_mwait(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint32_t extensions = (uint32_t)cpu->gpr[RCX];
	uint8_t now[MONITOR_LINE];
	bool armed = cpu->monitoring;

	if (cpu->cpl != 0)
		return x86_raise(f, EXC_UD);
	if (extensions & ~(uint32_t)BREAK_ON_INTERRUPT)
		return raise_gp0(f);
	cpu->monitoring = false;
	if (!armed || ((extensions & BREAK_ON_INTERRUPT) && cpu->intr))
		return true;
	cpu_phys_read(cpu, cpu->monitor_gpa, now, MONITOR_LINE);
	if (!memcmp(now, cpu->monitor_line, MONITOR_LINE))
		cpu->activity = CPU_MWAIT;
	return true;
}
