/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSHF, POPF, CLI, STI, with IOPL, V86 mode and virtual interrupts (SDM vol. 2; vol. 3 20.3, 20.4). */
#include "handlers_internal.h"

void cpu_write_flags(struct cpu *cpu, uint64_t value, unsigned size)
{
	uint64_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;

	if (cpu->cpl <= cpu_iopl(cpu))
		mask |= FLAG_IF;
	if (cpu->cpl == 0)
		mask |= FLAG_IOPL;
	if (size > 2) {
		mask |= FLAG_AC | FLAG_ID | FLAG_RF;
		value &= ~FLAG_RF; /* POPF clears it */
	}
	cpu->rflags = (cpu->rflags & ~mask) | (value & mask) | FLAG_1;
}

/* In V86 mode below IOPL 3: only 16-bit forms with VME work, on VIF instead of IF (20.3.3.4). */
static bool v86_virtual(const struct cpu *cpu)
{
	return cpu_v86(cpu) && cpu_iopl(cpu) < 3;
}

static bool vme_allows(const struct cpu *cpu, unsigned size, struct x86_fault *f)
{
	return ((cpu->cr4 & CR4_VME) && size == 2) || raise_gp0(f);
}

bool do_pushf(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = stack_operand_size(in);
	uint64_t value = cpu->rflags & ~(FLAG_VM | FLAG_RF);

	if (v86_virtual(cpu)) {
		if (!vme_allows(cpu, size, f))
			return false;
		value = (value & ~FLAG_IF) | FLAG_IOPL | (cpu->rflags & FLAG_VIF ? FLAG_IF : 0);
	}
	return cpu_push(cpu, size, value, f);
}

bool do_popf(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = stack_operand_size(in);
	bool virtual = v86_virtual(cpu);
	uint64_t value;

	if (virtual && !vme_allows(cpu, size, f))
		return false;
	if (!cpu_peek(cpu, size, 0, &value, f))
		return false;
	if (virtual && ((value & FLAG_TF) || ((value & FLAG_IF) && (cpu->rflags & FLAG_VIP))))
		return raise_gp0(f);
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], size);
	cpu_write_flags(cpu, value, size);
	if (virtual)
		set_flags(cpu, FLAG_VIF, value & FLAG_IF ? FLAG_VIF : 0);
	return true;
}

/* May IF be changed; if not, may VIF (VME in V86 mode, PVI at CPL 3)? */
enum interrupt_flag { FLAG_IS_IF, FLAG_IS_VIF, FLAG_IS_DENIED };

static enum interrupt_flag interrupt_flag(const struct cpu *cpu)
{
	if (!cpu_protected(cpu) || cpu->cpl <= cpu_iopl(cpu))
		return FLAG_IS_IF;
	if (cpu->cpl == 3 && (cpu->cr4 & (cpu_v86(cpu) ? CR4_VME : CR4_PVI)))
		return FLAG_IS_VIF;
	return FLAG_IS_DENIED;
}

bool do_cli(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	switch (interrupt_flag(cpu)) {
	case FLAG_IS_IF:
		cpu->rflags &= ~FLAG_IF;
		return true;
	case FLAG_IS_VIF:
		cpu->rflags &= ~FLAG_VIF;
		return true;
	default:
		return raise_gp0(f);
	}
}

bool do_sti(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	switch (interrupt_flag(cpu)) {
	case FLAG_IS_IF:
		/* Only a change of IF delays interrupts (STI, "Description"). */
		if (!(cpu->rflags & FLAG_IF))
			cpu->shadow = SHADOW_STI;
		cpu->rflags |= FLAG_IF;
		return true;
	case FLAG_IS_VIF:
		if (cpu->rflags & FLAG_VIP)
			return raise_gp0(f);
		cpu->rflags |= FLAG_VIF;
		return true;
	default:
		return raise_gp0(f);
	}
}

/* #UD outside CPL 0 (CLAC, STAC). */
static bool set_ac(struct cpu *cpu, uint64_t ac, struct x86_fault *f)
{
	if (cpu->cpl != 0)
		return x86_raise(f, EXC_UD);
	set_flags(cpu, FLAG_AC, ac);
	return true;
}

bool do_clac(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return set_ac(cpu, 0, f);
}

bool do_stac(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return set_ac(cpu, FLAG_AC, f);
}

bool do_hlt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	cpu->activity = CPU_HALTED;
	return true;
}
