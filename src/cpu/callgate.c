/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call gates (SDM 5.8.3-5.8.5; volume 2, CALL): the same or a more privileged ring, parameters, 16-, 32- and 64-bit.
 */
#include "transfer_internal.h"

struct target {
	struct segment cs;
	unsigned cpl;
	uint64_t rip;
};

static bool check_target(struct cpu *cpu, const struct descriptor *gate, bool call, struct target *t,
			 struct x86_fault *f)
{
	uint16_t selector = gate_selector(gate->low);
	struct descriptor d;

	if (!cpu_read_descriptor(cpu, selector, &d, EXC_GP, f))
		return false;
	unsigned attr = desc_attr(d.low), dpl = attr_dpl(attr);
	if (!attr_code(attr) || dpl > cpu->cpl)
		return raise_selector(f, EXC_GP, selector);
	/* Only CALL may gain privilege. */
	if (!call && !attr_conforming(attr) && dpl != cpu->cpl)
		return raise_selector(f, EXC_GP, selector);
	if (cpu_long(cpu) && (attr & (SEG_L | SEG_DB)) != SEG_L)
		return raise_selector(f, EXC_GP, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	if (!cpu_mark_accessed(cpu, selector, &d, f))
		return false;
	cpu_segment_from_descriptor(&t->cs, selector, d.low);
	t->cpl = attr_conforming(attr) ? cpu->cpl : dpl;
	return true;
}

/* SS:SP of the caller and the parameters, below which CS:IP will be pushed. */
static bool add_caller(struct cpu *cpu, struct frame *frame, unsigned params, struct x86_fault *f)
{
	uint64_t value[31];

	for (unsigned i = 0; i < params; i++) {
		if (!cpu_peek(cpu, frame->size, i, &value[i], f))
			return false;
	}
	frame_add(frame, cpu->seg[SEG_SS].selector);
	frame_add(frame, cpu->gpr[RSP]);
	while (params--)
		frame_add(frame, value[params]);
	return true;
}

bool cpu_call_gate(struct cpu *cpu, uint16_t selector, const struct descriptor *gate, bool call, struct x86_fault *f)
{
	bool wide = attr_system_type(desc_attr(gate->low)) == SYS_CALL32;
	unsigned size = cpu_long(cpu) ? 8 : wide ? 4 : 2;
	unsigned params = cpu_long(cpu) ? 0 : (unsigned)(gate->low >> 32) & 31;
	struct target t = {.rip = gate_offset(gate, wide) | gate->high << 32};
	struct frame frame;

	if (!check_target(cpu, gate, call, &t, f))
		return false;
	if (!call) {
		if (!cpu_check_rip(cpu, &t.cs, t.rip, f))
			return false;
		cpu_enter_code(cpu, &t.cs, cpu->cpl, t.rip);
		return true;
	}
	if (t.cpl < cpu->cpl) {
		if (!frame_inner(cpu, t.cpl, size, &frame, f) || !add_caller(cpu, &frame, params, f))
			return false;
	} else {
		frame = frame_current(cpu, size);
		if (cpu_long(cpu))
			frame.width = 8;
	}
	frame_add(&frame, cpu->seg[SEG_CS].selector);
	frame_add(&frame, cpu->next_rip);
	if (!frame_room(cpu, &frame, f) || !cpu_check_rip(cpu, &t.cs, t.rip, f) || !frame_write(cpu, &frame, f))
		return false;
	frame_commit(cpu, &frame);
	cpu_enter_code(cpu, &t.cs, t.cpl, t.rip);
	return true;
}
