/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Far JMP, CALL and RET (SDM 5.8; volume 2, JMP, CALL, RET).
 */
#include "transfer_internal.h"

/* Real-address and V86 mode; the CPL stays. */
static void enter_paragraph_code(struct cpu *cpu, const struct segment *cs, uint64_t rip)
{
	cpu->seg[SEG_CS] = *cs;
	cpu->next_rip = rip;
}

/* A code segment named by JMP or CALL itself. */
static bool check_direct_code(struct cpu *cpu, uint16_t selector, struct descriptor *d, struct segment *cs,
			      struct x86_fault *f)
{
	unsigned attr = desc_attr(d->low), dpl = attr_dpl(attr), rpl = selector & SEL_RPL;

	if (!attr_code(attr) || (cpu_long(cpu) && (attr & SEG_L) && (attr & SEG_DB)))
		return raise_selector(f, EXC_GP, selector);
	if (attr_conforming(attr) ? dpl > cpu->cpl : rpl > cpu->cpl || dpl != cpu->cpl)
		return raise_selector(f, EXC_GP, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	if (!cpu_mark_accessed(cpu, selector, d, f))
		return false;
	cpu_segment_from_descriptor(cs, selector, d->low);
	return true;
}

/* Call gates, task gates and TSSs: privilege, then the transfer. */
static bool system_transfer(struct cpu *cpu, uint16_t selector, const struct descriptor *d, bool call,
			    struct x86_fault *f)
{
	unsigned attr = desc_attr(d->low), type = attr_system_type(attr);
	enum task_switch why = call ? TASK_CALL : TASK_JUMP;
	bool legacy = !cpu_long(cpu);
	bool known =
	    type == SYS_CALL32 ||
	    (legacy && (type == SYS_CALL16 || type == SYS_TASK_GATE || type == SYS_TSS16 || type == SYS_TSS32));

	/* A busy TSS is #GP(selector) as well. */
	if (!known || attr_dpl(attr) < cpu->cpl || attr_dpl(attr) < (selector & SEL_RPL))
		return raise_selector(f, EXC_GP, selector);
	if (cpu_long(cpu) && !descriptor_high_valid(d))
		return raise_selector(f, EXC_GP, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	if (type == SYS_CALL16 || type == SYS_CALL32)
		return cpu_call_gate(cpu, selector, d, call, f);
	if (type == SYS_TASK_GATE)
		selector = gate_selector(d->low);
	return cpu_task_switch(cpu, selector, why, NULL, f);
}

bool cpu_far_jump(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize, struct x86_fault *f)
{
	struct descriptor d;
	struct segment cs;

	offset &= size_mask(opsize);
	if (cpu_real_segments(cpu)) {
		cs = cpu_paragraph_segment(cpu, SEG_CS, selector);
		if (!cpu_check_rip(cpu, &cs, offset, f))
			return false;
		enter_paragraph_code(cpu, &cs, offset);
		return true;
	}
	if (!cpu_read_descriptor(cpu, selector, &d, EXC_GP, f))
		return false;
	if (!(desc_attr(d.low) & SEG_S))
		return system_transfer(cpu, selector, &d, false, f);
	if (!check_direct_code(cpu, selector, &d, &cs, f) || !cpu_check_rip(cpu, &cs, offset, f))
		return false;
	cpu_enter_code(cpu, &cs, cpu->cpl, offset);
	return true;
}

bool cpu_far_call(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize, struct x86_fault *f)
{
	struct frame frame = frame_current(cpu, opsize);
	bool paragraphs = cpu_real_segments(cpu);
	struct descriptor d;
	struct segment cs;

	offset &= size_mask(opsize);
	if (paragraphs) {
		cs = cpu_paragraph_segment(cpu, SEG_CS, selector);
	} else {
		if (!cpu_read_descriptor(cpu, selector, &d, EXC_GP, f))
			return false;
		if (!(desc_attr(d.low) & SEG_S))
			return system_transfer(cpu, selector, &d, true, f);
		if (!check_direct_code(cpu, selector, &d, &cs, f))
			return false;
	}
	frame_add(&frame, cpu->seg[SEG_CS].selector);
	frame_add(&frame, cpu->next_rip);
	if (!frame_room(cpu, &frame, f) || !cpu_check_rip(cpu, &cs, offset, f) || !frame_write(cpu, &frame, f))
		return false;
	frame_commit(cpu, &frame);
	if (paragraphs)
		enter_paragraph_code(cpu, &cs, offset);
	else
		cpu_enter_code(cpu, &cs, cpu->cpl, offset);
	return true;
}

/* RETF to an outer ring: SS:SP lie above the parameters, which are dropped from both stacks. */
static bool return_outer(struct cpu *cpu, const struct segment *cs, uint64_t rip, unsigned opsize, unsigned pop_bytes,
			 struct x86_fault *f)
{
	unsigned rpl = cs->selector & SEL_RPL;
	bool code64 = cpu_long(cpu) && (cs->attr & SEG_L);
	uint64_t mask = size_mask(cpu_stack_size(cpu));
	uint64_t at = cpu_stack_add(cpu, cpu->gpr[RSP], 2 * opsize + pop_bytes);
	uint64_t rsp, ss_selector;
	struct segment ss;

	if (!cpu_read(cpu, SEG_SS, at & mask, opsize, &rsp, f) ||
	    !cpu_read(cpu, SEG_SS, cpu_stack_add(cpu, at, opsize) & mask, opsize, &ss_selector, f))
		return false;
	if (!cpu_check_return_stack(cpu, (uint16_t)ss_selector, rpl, code64, &ss, f) || !cpu_check_rip(cpu, cs, rip, f))
		return false;
	cpu_enter_code(cpu, cs, rpl, rip);
	cpu->seg[SEG_SS] = ss;
	cpu_set_stack_pointer(cpu, rsp);
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], pop_bytes);
	cpu_drop_inner_segments(cpu);
	return true;
}

bool cpu_far_return(struct cpu *cpu, unsigned opsize, unsigned pop_bytes, struct x86_fault *f)
{
	uint64_t rip, selector;
	struct segment cs;
	bool paragraphs = cpu_real_segments(cpu);

	if (!cpu_peek(cpu, opsize, 0, &rip, f) || !cpu_peek(cpu, opsize, 1, &selector, f))
		return false;
	if (paragraphs) {
		cs = cpu_paragraph_segment(cpu, SEG_CS, (uint16_t)selector);
	} else {
		if (!cpu_check_return_code(cpu, (uint16_t)selector, &cs, f))
			return false;
		if ((selector & SEL_RPL) > cpu->cpl)
			return return_outer(cpu, &cs, rip, opsize, pop_bytes, f);
	}
	if (!cpu_check_rip(cpu, &cs, rip, f))
		return false;
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], 2 * opsize + pop_bytes);
	if (paragraphs)
		enter_paragraph_code(cpu, &cs, rip);
	else
		cpu_enter_code(cpu, &cs, cpu->cpl, rip);
	return true;
}
