/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IRET (SDM volume 2, IRET/IRETD/IRETQ; 7.4 for nested tasks, 20.2.3 and 20.3.3 for V86 mode).
 */
#include "transfer_internal.h"

/* What the frame holds; ss and rsp only for an outer ring and in 64-bit mode. */
struct iret_frame {
	uint64_t rip, cs, flags, rsp, ss;
};

static bool peek_frame(struct cpu *cpu, unsigned opsize, struct iret_frame *frame, struct x86_fault *f)
{
	return cpu_peek(cpu, opsize, 0, &frame->rip, f) && cpu_peek(cpu, opsize, 1, &frame->cs, f) &&
	       cpu_peek(cpu, opsize, 2, &frame->flags, f);
}

/* RFLAGS as the CPL and IOPL before the return allow. */
static uint64_t merge_flags(const struct cpu *cpu, uint64_t value, unsigned opsize)
{
	uint64_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;

	if (opsize > 2)
		mask |= FLAG_RF | FLAG_AC | FLAG_ID;
	if (cpu->cpl <= cpu_iopl(cpu))
		mask |= FLAG_IF;
	if (cpu->cpl == 0) {
		mask |= FLAG_IOPL;
		if (opsize > 2 && cpu_protected(cpu))
			mask |= FLAG_VIF | FLAG_VIP;
	}
	return (cpu->rflags & ~mask) | (value & mask) | FLAG_1;
}

static bool iret_real(struct cpu *cpu, unsigned opsize, struct x86_fault *f)
{
	struct iret_frame frame;

	if (!peek_frame(cpu, opsize, &frame, f))
		return false;
	/* The limit survives a load in real mode, so the present one is the new one. */
	if (!cpu_check_rip(cpu, &cpu->seg[SEG_CS], frame.rip, f))
		return false;
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], 3 * opsize);
	cpu_set_real_segment(cpu, SEG_CS, (uint16_t)frame.cs);
	cpu->next_rip = frame.rip;
	cpu->rflags = merge_flags(cpu, frame.flags, opsize);
	return true;
}

static bool iret_v86(struct cpu *cpu, unsigned opsize, struct x86_fault *f)
{
	bool virtual = cpu_iopl(cpu) < 3;
	struct iret_frame frame;

	if (virtual && !((cpu->cr4 & CR4_VME) && opsize == 2))
		return x86_raise_error(f, EXC_GP, 0);
	if (!peek_frame(cpu, opsize, &frame, f))
		return false;
	if (virtual && (((cpu->rflags & FLAG_VIP) && (frame.flags & FLAG_IF)) || (frame.flags & FLAG_TF)))
		return x86_raise_error(f, EXC_GP, 0);
	if (frame.rip > 0xffff)
		return x86_raise_error(f, EXC_GP, 0);
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], 3 * opsize);
	cpu_set_v86_segment(cpu, SEG_CS, (uint16_t)frame.cs);
	cpu->next_rip = frame.rip;
	cpu->rflags = merge_flags(cpu, frame.flags, opsize);
	if (virtual) /* IF itself is out of reach (CPL 3 > IOPL): VIF stands for it */
		cpu->rflags = (cpu->rflags & ~FLAG_VIF) | (frame.flags & FLAG_IF ? FLAG_VIF : 0);
	return true;
}

/* From ring 0 to V86 mode: nine doublewords, no descriptors. */
static bool iret_to_v86(struct cpu *cpu, const struct iret_frame *frame, struct x86_fault *f)
{
	static const uint8_t order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
	uint64_t esp, selector[ARRAY_LEN(order)];

	if (!cpu_peek(cpu, 4, 3, &esp, f))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
		if (!cpu_peek(cpu, 4, 4 + i, &selector[i], f))
			return false;
	}
	if (frame->rip > 0xffff)
		return x86_raise_error(f, EXC_GP, 0);
	cpu->rflags = (frame->flags & FLAGS_ALL) | FLAG_1;
	cpu_set_v86_segment(cpu, SEG_CS, (uint16_t)frame->cs);
	for (unsigned i = 0; i < ARRAY_LEN(order); i++)
		cpu_set_v86_segment(cpu, order[i], (uint16_t)selector[i]);
	cpu_set_cpl(cpu, 3);
	cpu->gpr[RSP] = esp;
	cpu->next_rip = frame->rip;
	return true;
}

static bool iret_outer(struct cpu *cpu, const struct segment *cs, struct iret_frame *frame, unsigned opsize,
		       struct x86_fault *f)
{
	unsigned rpl = cs->selector & SEL_RPL;
	bool code64 = cpu_long(cpu) && (cs->attr & SEG_L), outer = rpl > cpu->cpl;
	struct segment ss;

	if (!cpu_peek(cpu, opsize, 3, &frame->rsp, f) || !cpu_peek(cpu, opsize, 4, &frame->ss, f))
		return false;
	if (!cpu_check_return_stack(cpu, (uint16_t)frame->ss, rpl, code64, &ss, f) ||
	    !cpu_check_rip(cpu, cs, frame->rip, f))
		return false;
	cpu->rflags = merge_flags(cpu, frame->flags, opsize);
	cpu_enter_code(cpu, cs, rpl, frame->rip);
	cpu->seg[SEG_SS] = ss;
	cpu_set_stack_pointer(cpu, frame->rsp);
	if (outer)
		cpu_drop_inner_segments(cpu);
	return true;
}

static bool iret_protected(struct cpu *cpu, unsigned opsize, struct x86_fault *f)
{
	struct iret_frame frame;
	struct segment cs;

	if (!peek_frame(cpu, opsize, &frame, f))
		return false;
	if ((frame.flags & FLAG_VM) && cpu->cpl == 0 && opsize == 4 && !cpu_long(cpu))
		return iret_to_v86(cpu, &frame, f);
	if (!cpu_check_return_code(cpu, (uint16_t)frame.cs, &cs, f))
		return false;
	/* 64-bit mode always pops SS:RSP. */
	if ((frame.cs & SEL_RPL) > cpu->cpl || cpu_code64(cpu))
		return iret_outer(cpu, &cs, &frame, opsize, f);
	if (!cpu_check_rip(cpu, &cs, frame.rip, f))
		return false;
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], 3 * opsize);
	cpu->rflags = merge_flags(cpu, frame.flags, opsize);
	cpu_enter_code(cpu, &cs, cpu->cpl, frame.rip);
	return true;
}

/* NT set: back to the task whose TSS the present one links to. */
static bool iret_task(struct cpu *cpu, struct x86_fault *f)
{
	uint16_t link;

	if (!cpu_read_linear(cpu, cpu->tr.base, &link, sizeof(link), ACC_READ | ACC_SYSTEM, f))
		return false;
	return cpu_task_switch(cpu, link, TASK_IRET, NULL, f);
}

bool cpu_iret(struct cpu *cpu, unsigned opsize, struct x86_fault *f)
{
	cpu->nmi_blocked = false; /* even if IRET faults (6.7.1) */
	if (!cpu_protected(cpu))
		return iret_real(cpu, opsize, f);
	if (cpu_v86(cpu))
		return iret_v86(cpu, opsize, f);
	if (cpu->rflags & FLAG_NT)
		return cpu_long(cpu) ? x86_raise_error(f, EXC_GP, 0) : iret_task(cpu, f);
	return iret_protected(cpu, opsize, f);
}
