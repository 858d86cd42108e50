/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SYSENTER, SYSEXIT, SYSCALL, SYSRET (SDM vol. 2; vol. 3 5.8.7, 5.8.8). */
#include "handlers_internal.h"

enum { /* low bits of segment attributes: present, code or data, accessed */
       FLAT_CODE = SEG_P | SEG_S | SEG_CODE | SEG_R | SEG_A | SEG_G,
       FLAT_DATA = SEG_P | SEG_S | SEG_W | SEG_A | SEG_G | SEG_DB,
};

void cpu_flat_segments(uint16_t cs, uint16_t ss, unsigned cpl, bool code64, struct segment *code, struct segment *stack)
{
	uint16_t dpl = (uint16_t)(cpl << SEG_DPL_SHIFT);

	*code = (struct segment){.selector = (uint16_t)((cs & ~SEL_RPL) | cpl),
				 .attr = (uint16_t)(FLAT_CODE | dpl | (code64 ? SEG_L : SEG_DB)),
				 .limit = 0xffffffff};
	*stack = (struct segment){
	    .selector = (uint16_t)((ss & ~SEL_RPL) | cpl), .attr = (uint16_t)(FLAT_DATA | dpl), .limit = 0xffffffff};
}

static void load_flat(struct cpu *cpu, uint16_t cs, uint16_t ss, unsigned cpl, bool code64)
{
	cpu_flat_segments(cs, ss, cpl, code64, &cpu->seg[SEG_CS], &cpu->seg[SEG_SS]);
	cpu_set_cpl(cpu, cpl);
	cpu_drop_upper_halves(cpu);
}

/* AMD's processors have SYSENTER and SYSEXIT in legacy mode only (APM vol. 3). */
static bool not_on_amd(const struct cpu *cpu)
{
	return cpu_long(cpu) && cpu_is_amd(cpu);
}

bool do_sysenter(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint16_t cs = (uint16_t)cpu->sysenter_cs;
	bool wide = cpu_long(cpu);

	if (not_on_amd(cpu))
		return x86_raise(f, EXC_UD);
	if (!cpu_protected(cpu) || !(cs & ~SEL_RPL))
		return raise_gp0(f);
	cpu->rflags &= ~(FLAG_VM | FLAG_IF | FLAG_RF);
	load_flat(cpu, cs, (uint16_t)(cs + 8), 0, wide);
	cpu->gpr[RSP] = wide ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
	cpu->next_rip = wide ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip;
	return true;
}

bool do_sysexit(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	bool to64 = operand_size(in) == 8;
	uint16_t cs = (uint16_t)(cpu->sysenter_cs & ~(uint64_t)SEL_RPL);
	uint64_t rip = cpu->gpr[RDX], rsp = cpu->gpr[RCX];

	if (not_on_amd(cpu))
		return x86_raise(f, EXC_UD);
	if (!cpu_protected(cpu) || cpu->cpl != 0 || !cs)
		return raise_gp0(f);
	if (to64 && (!cpu_canonical(cpu, rip) || !cpu_canonical(cpu, rsp)))
		return raise_gp0(f);
	load_flat(cpu, (uint16_t)(cs + (to64 ? 32 : 16)), (uint16_t)(cs + (to64 ? 40 : 24)), 3, to64);
	cpu->gpr[RSP] = to64 ? rsp : (uint32_t)rsp;
	cpu->next_rip = to64 ? rip : (uint32_t)rip;
	return true;
}

/* Intel's have SYSCALL and SYSRET in 64-bit code only, AMD's in all of protected mode (vol. 2, SYSCALL; APM vol. 3). */
static bool syscall_there(const struct cpu *cpu)
{
	return (cpu->efer & EFER_SCE) && (cpu_code64(cpu) || (cpu_is_amd(cpu) && cpu_protected(cpu) && !cpu_v86(cpu)));
}

/* A single step is one if TF is set behind the instruction (17.3.1.4; APM vol. 2, 13.1.4). */
static void single_step_by_new_flags(struct cpu *cpu)
{
	if (cpu->rflags & FLAG_TF)
		cpu->pending_db |= DR6_BS;
}

bool do_syscall(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint16_t cs = (uint16_t)(cpu->star >> 32 & ~(uint64_t)SEL_RPL);

	if (!syscall_there(cpu))
		return x86_raise(f, EXC_UD);
	gpr_write(cpu, RCX, cpu_long(cpu) ? 8 : 4, cpu->next_rip);
	if (!cpu_long(cpu)) {
		cpu->rflags &= ~(FLAG_IF | FLAG_RF);
		cpu->next_rip = (uint32_t)cpu->star;
	} else {
		cpu->gpr[R11] = cpu->rflags & ~FLAG_RF;
		cpu->rflags = (cpu->rflags & ~(cpu->sfmask | FLAG_RF)) | FLAG_1;
		cpu->next_rip = cpu_code64(cpu) ? cpu->lstar : cpu->cstar;
	}
	load_flat(cpu, cs, (uint16_t)(cs + 8), 0, cpu_long(cpu));
	single_step_by_new_flags(cpu);
	return true;
}

bool do_sysret(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	bool to64 = operand_size(in) == 8;
	uint16_t base = (uint16_t)(cpu->star >> 48);

	if (!syscall_there(cpu))
		return x86_raise(f, EXC_UD);
	/* On AMD's processors ring 3 meets an address that is not canonical. */
	if (cpu->cpl != 0 || (to64 && !cpu_is_amd(cpu) && !cpu_canonical(cpu, cpu->gpr[RCX])))
		return raise_gp0(f);
	if (cpu_long(cpu))
		cpu->rflags = (cpu->gpr[R11] & FLAGS_ALL & ~(FLAG_RF | FLAG_VM)) | FLAG_1;
	else
		cpu->rflags |= FLAG_IF;
	load_flat(cpu, (uint16_t)(to64 ? base + 16 : base), (uint16_t)(base + 8), 3, to64);
	cpu->next_rip = to64 ? cpu->gpr[RCX] : (uint32_t)cpu->gpr[RCX];
	single_step_by_new_flags(cpu);
	return true;
}
