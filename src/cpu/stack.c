/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH, POP, PUSHA, POPA, ENTER, LEAVE (SDM vol. 2). */
#include "handlers_internal.h"

/* Offset in SS of a value of RSP. */
static uint64_t stack_offset(const struct cpu *cpu, uint64_t rsp)
{
	return rsp & size_mask(cpu_stack_size(cpu));
}

bool do_push(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t value;

	return insn_read(cpu, in, 0, &value, f) && cpu_push(cpu, stack_operand_size(in), value, f);
}

/* A 32-bit push of a selector moves ESP by 4 but writes 16 bits only, as current processors do (PUSH, "Description").
 */
bool do_push_sreg(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = stack_operand_size(in);
	uint16_t selector = cpu->seg[in->op[0].reg].selector;
	uint64_t rsp = cpu_stack_add(cpu, cpu->gpr[RSP], -(int64_t)size);

	if (!cpu_write(cpu, SEG_SS, stack_offset(cpu, rsp), size == 8 ? 8 : 2, selector, f))
		return false;
	cpu->gpr[RSP] = rsp;
	return true;
}

/* ESP has been incremented when the destination's address is computed, and before POP ESP overwrites it. */
bool do_pop(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t rsp = cpu->gpr[RSP];
	unsigned size = stack_operand_size(in);
	uint64_t value;

	if (!cpu_pop(cpu, size, &value, f))
		return false;
	if (!in->has_mem) {
		gpr_write(cpu, in->op[0].reg, size, value);
	} else if (!cpu_write(cpu, in->seg, insn_ea(cpu, in), size, value, f)) {
		cpu->gpr[RSP] = rsp;
		return false;
	}
	return true;
}

bool do_pop_sreg(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = stack_operand_size(in), seg = in->op[0].reg;
	/* Before SS changes: the width of the stack pointer is that of the old stack. */
	uint64_t rsp = cpu_stack_add(cpu, cpu->gpr[RSP], size);
	uint64_t value;

	if (!cpu_peek(cpu, size, 0, &value, f) || !cpu_load_segment(cpu, seg, (uint16_t)value, f))
		return false;
	cpu->gpr[RSP] = rsp;
	if (seg == SEG_SS)
		cpu->shadow = SHADOW_MOV_SS;
	return true;
}

/* All eight words are checked before the first is written, so that a fault leaves nothing behind. */
bool do_pusha(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = operand_size(in);
	uint64_t rsp = cpu_stack_add(cpu, cpu->gpr[RSP], -8 * (int64_t)size);
	uint64_t at[8];

	for (unsigned i = 0; i < 8; i++) {
		at[i] = stack_offset(cpu, cpu_stack_add(cpu, rsp, (int64_t)size * (7 - i)));
		if (!cpu_probe_write(cpu, SEG_SS, at[i], size, f))
			return false;
	}
	for (unsigned i = 0; i < 8; i++)
		if (!cpu_write(cpu, SEG_SS, at[i], size, gpr_read(cpu, i, size), f))
			return false;
	cpu->gpr[RSP] = rsp;
	return true;
}

bool do_popa(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = operand_size(in);
	uint64_t value[8];

	for (unsigned i = 0; i < 8; i++)
		if (!cpu_peek(cpu, size, i, &value[7 - i], f))
			return false;
	for (unsigned i = 0; i < 8; i++)
		if (i != RSP) /* the image of SP is thrown away */
			gpr_write(cpu, i, size, value[i]);
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], 8 * (int64_t)size);
	return true;
}

/* Copies the frame pointers of the enclosing procedures: level - 1 of them, from below BP. */
static bool enter_display(struct cpu *cpu, unsigned size, unsigned level, struct x86_fault *f)
{
	uint64_t frame = cpu->gpr[RBP], pointer;

	for (unsigned i = 1; i < level; i++) {
		frame = cpu_stack_add(cpu, frame, -(int64_t)size);
		if (!cpu_read(cpu, SEG_SS, stack_offset(cpu, frame), size, &pointer, f) ||
		    !cpu_push(cpu, size, pointer, f))
			return false;
	}
	return true;
}

bool do_enter(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = stack_operand_size(in);
	uint64_t bytes = load_le(in->bytes + in->imm_off, 2);
	unsigned level = in->bytes[in->imm_off + 2] % 32;
	uint64_t rsp = cpu->gpr[RSP], frame, top;

	if (!cpu_push(cpu, size, cpu->gpr[RBP], f))
		goto fault;
	frame = cpu->gpr[RSP];
	if (level && (!enter_display(cpu, size, level, f) || !cpu_push(cpu, size, frame, f)))
		goto fault;
	top = cpu_stack_add(cpu, cpu->gpr[RSP], -(int64_t)bytes);
	/* Faults if a write at the new top of the stack would (ENTER, "Description"). */
	if (!cpu_probe_write(cpu, SEG_SS, stack_offset(cpu, top), 1, f))
		goto fault;
	cpu->gpr[RSP] = top;
	gpr_write(cpu, RBP, size, frame);
	return true;
fault:
	cpu->gpr[RSP] = rsp;
	return false;
}

bool do_leave(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = stack_operand_size(in);
	uint64_t value;

	if (!cpu_read(cpu, SEG_SS, stack_offset(cpu, cpu->gpr[RBP]), size, &value, f))
		return false;
	/* SP takes BP in the width of the stack, the rest of ESP stays. */
	gpr_write(cpu, RSP, cpu_stack_size(cpu), cpu->gpr[RBP]);
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], size);
	gpr_write(cpu, RBP, size, value);
	return true;
}
