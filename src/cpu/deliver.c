/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt at delivery through the IVT or the IDT: real mode, protected mode, from V86 mode, long mode (SDM vol.
 * 3 6.12-6.14, 20.1.4, 20.3; volume 2, INT n). INT n in V86 mode is checked against IOPL and the redirection map by its
 * handler, before it comes here.
 */
#include "transfer_internal.h"

/* A gate of the IDT, checked. */
struct gate {
	uint16_t selector;
	unsigned type; /* SYS_* */
	unsigned ist;
	uint64_t offset;
	unsigned size; /* of the words pushed */
};

bool cpu_deliver_real(struct cpu *cpu, const struct delivery *e, struct x86_fault *f)
{
	struct frame frame = frame_current(cpu, 2);
	uint16_t entry[2]; /* IP, CS */

	if (e->vector * 4 + 3 > cpu->idtr.limit)
		return x86_raise_error(f, EXC_GP, (uint16_t)(e->vector * 8 | ERR_IDT));
	if (!cpu_read_linear(cpu, cpu->idtr.base + e->vector * 4, entry, sizeof(entry), ACC_READ | ACC_SYSTEM, f))
		return false;
	frame_add(&frame, e->rflags);
	frame_add(&frame, cpu->seg[SEG_CS].selector);
	frame_add(&frame, e->rip);
	struct segment cs = cpu_paragraph_segment(cpu, SEG_CS, entry[1]);
	if (!frame_room(cpu, &frame, f) || !cpu_check_rip(cpu, &cs, entry[0], f) || !frame_write(cpu, &frame, f))
		return false;
	frame_commit(cpu, &frame);
	cpu->seg[SEG_CS] = cs;
	cpu->next_rip = entry[0];
	cpu->rflags &= ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
	return true;
}

/* The IDT entry with the checks that precede those of its target. */
static bool read_gate(struct cpu *cpu, const struct delivery *e, struct gate *gate, struct x86_fault *f)
{
	unsigned bytes = cpu_long(cpu) ? 16 : 8;
	uint16_t error = (uint16_t)(e->vector * 8 | ERR_IDT);
	struct descriptor d = {0};

	if (e->vector * bytes + bytes - 1 > cpu->idtr.limit)
		return x86_raise_error(f, EXC_GP, error);
	if (!cpu_read_linear(cpu, cpu->idtr.base + e->vector * bytes, &d, bytes, ACC_READ | ACC_SYSTEM, f))
		return false;
	unsigned attr = desc_attr(d.low), type = attr_system_type(attr);
	bool wide = type == SYS_INT32 || type == SYS_TRAP32;
	bool known = wide || (!cpu_long(cpu) && (type == SYS_TASK_GATE || type == SYS_INT16 || type == SYS_TRAP16));
	if (!known || (cpu_long(cpu) && !descriptor_high_valid(&d)))
		return x86_raise_error(f, EXC_GP, error);
	if (e->kind == EVENT_SOFTWARE && attr_dpl(attr) < cpu->cpl)
		return x86_raise_error(f, EXC_GP, error);
	if (!(attr & SEG_P))
		return x86_raise_error(f, EXC_NP, error);
	*gate = (struct gate){.selector = gate_selector(d.low),
			      .type = type,
			      .ist = (unsigned)(d.low >> 32) & 7,
			      .offset = gate_offset(&d, wide) | d.high << 32,
			      .size = cpu_long(cpu) ? 8
				      : wide	    ? 4
						    : 2};
	return true;
}

/* The gate's code segment and the CPL it runs at. */
static bool read_handler(struct cpu *cpu, const struct gate *gate, struct segment *cs, unsigned *cpl,
			 struct x86_fault *f)
{
	struct descriptor d;

	if (!cpu_read_descriptor(cpu, gate->selector, &d, EXC_GP, f))
		return false;
	unsigned attr = desc_attr(d.low), dpl = attr_dpl(attr);
	if (!attr_code(attr) || dpl > cpu->cpl)
		return raise_selector(f, EXC_GP, gate->selector);
	if (cpu_long(cpu) && (attr & (SEG_L | SEG_DB)) != SEG_L)
		return raise_selector(f, EXC_GP, gate->selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, gate->selector);
	*cpl = attr_conforming(attr) ? cpu->cpl : dpl;
	/* V86 mode is left for ring 0 only. */
	if (cpu_v86(cpu) && *cpl != 0)
		return raise_selector(f, EXC_GP, gate->selector);
	if (!cpu_mark_accessed(cpu, gate->selector, &d, f))
		return false;
	cpu_segment_from_descriptor(cs, gate->selector, d.low);
	return true;
}

/* Commits the flags: what both kinds of gate clear, and IF for interrupt gates. */
static void enter_handler_flags(struct cpu *cpu, unsigned gate_type)
{
	cpu->rflags &= ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM);
	if (gate_type == SYS_INT16 || gate_type == SYS_INT32)
		cpu->rflags &= ~FLAG_IF;
}

static void add_return(const struct cpu *cpu, struct frame *frame, const struct delivery *e)
{
	frame_add(frame, e->rflags);
	frame_add(frame, cpu->seg[SEG_CS].selector);
	frame_add(frame, e->rip);
	if (e->error)
		frame_add(frame, *e->error);
}

bool cpu_deliver_protected(struct cpu *cpu, const struct delivery *e, struct x86_fault *f)
{
	static const uint8_t v86_segs[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
	bool from_v86 = cpu_v86(cpu);
	struct gate gate;
	struct segment cs;
	struct frame frame;
	unsigned cpl;

	if (!read_gate(cpu, e, &gate, f))
		return false;
	if (gate.type == SYS_TASK_GATE)
		return cpu_switch_task(cpu, gate.selector, TASK_EVENT, e->error, e->rip, e->rflags, f);
	if (!read_handler(cpu, &gate, &cs, &cpl, f))
		return false;
	if (cpl < cpu->cpl) {
		if (!frame_inner(cpu, cpl, gate.size, &frame, f))
			return false;
		for (unsigned i = 0; from_v86 && i < ARRAY_LEN(v86_segs); i++)
			frame_add(&frame, cpu->seg[v86_segs[i]].selector);
		frame_add(&frame, cpu->seg[SEG_SS].selector);
		frame_add(&frame, cpu->gpr[RSP]);
	} else {
		frame = frame_current(cpu, gate.size);
	}
	add_return(cpu, &frame, e);
	if (!frame_room(cpu, &frame, f) || !cpu_check_rip(cpu, &cs, gate.offset, f) || !frame_write(cpu, &frame, f))
		return false;
	frame_commit(cpu, &frame);
	enter_handler_flags(cpu, gate.type);
	cpu_enter_code(cpu, &cs, cpl, gate.offset);
	for (unsigned i = 0; from_v86 && i < ARRAY_LEN(v86_segs); i++)
		cpu->seg[v86_segs[i]] = segment_null(0);
	return true;
}

/* RSP of an interrupt stack table entry, 1 to 7 (6.14.5). */
static bool read_ist(struct cpu *cpu, unsigned ist, uint64_t *rsp, struct x86_fault *f)
{
	unsigned offset = 0x24 + (ist - 1) * 8;

	if ((cpu->tr.attr & SEG_NULL) || offset + 7 > cpu->tr.limit)
		return raise_selector(f, EXC_TS, cpu->tr.selector);
	return cpu_read_linear(cpu, cpu->tr.base + offset, rsp, 8, ACC_READ | ACC_SYSTEM, f);
}

bool cpu_deliver_long(struct cpu *cpu, const struct delivery *e, struct x86_fault *f)
{
	struct gate gate;
	struct segment cs;
	struct frame frame;
	unsigned cpl;

	if (!read_gate(cpu, e, &gate, f) || !read_handler(cpu, &gate, &cs, &cpl, f))
		return false;
	frame = frame_current(cpu, 8);
	frame.width = 8;
	frame.system = cpl < 3;
	if (cpl < cpu->cpl)
		frame.ss = segment_null_stack(cpl);
	if (gate.ist) {
		if (!read_ist(cpu, gate.ist, &frame.rsp, f))
			return false;
	} else if (cpl < cpu->cpl && !frame_inner(cpu, cpl, 8, &frame, f)) {
		return false;
	}
	frame.rsp &= ~0xfull; /* 6.14.2 */
	frame_add(&frame, cpu->seg[SEG_SS].selector);
	frame_add(&frame, cpu->gpr[RSP]);
	add_return(cpu, &frame, e);
	if (!frame_room(cpu, &frame, f) || !cpu_check_rip(cpu, &cs, gate.offset, f) || !frame_write(cpu, &frame, f))
		return false;
	frame_commit(cpu, &frame);
	enter_handler_flags(cpu, gate.type);
	cpu_enter_code(cpu, &cs, cpl, gate.offset);
	return true;
}
