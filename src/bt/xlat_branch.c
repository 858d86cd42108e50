/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Near control transfers. */
#include "bt_profile_internal.h"

static uint32_t branch_target(struct xlat *t)
{
	t->adapted |= t->in->opsize == 2; /* does not move with the block */
	return (uint32_t)((t->eip + t->in->len + t->in->op[0].imm) & size_mask(t->in->opsize));
}

static bool target_in_limit(const struct xlat *t, uint32_t target)
{
	return target <= t->ctx->key.cs_limit;
}

void xlat_jump_table(struct xlat *t)
{
	bt_profile_count_branch(t);
	if (opt_on(t->bt->cpu->opt_off, OPT_TABLE) && !t->bt->lockstep)
		emit_load(&t->e, 4, HOST_T2, (struct host_addr){HOST_TABLE, HOST_T0, 4, 0, false, false});
	else
		emit_mov_imm(&t->e, HOST_T2, (uint32_t)t->bt->stubs.indirect_miss);
	emit_jmp_reg(&t->e, HOST_T2);
}

static void jump_indirect(struct xlat *t, enum xlat_branch_kind kind)
{
	t->branch = (uint8_t)kind;
	xlat_stack_update(t);
	xlat_count(t);
	xlat_jump_table(t);
	t->branch = BRANCH_TABLE;
	t->ended = true;
}

/* reg: target; checked against the CS limit where the operand size allows more. Changes T1, T2. */
static void check_target(struct xlat *t, unsigned reg)
{
	uint32_t limit = t->ctx->key.cs_limit;

	if (limit != 0xffffffffu && !(t->in->opsize == 2 && limit >= 0xffff))
		xlat_check_limit(t, reg, limit);
}

static bool load_target(struct xlat *t, unsigned reg)
{
	const struct operand *op = &t->in->op[0];

	if (op->kind == OPD_MEM) {
		if (!xlat_segment_usable(t, t->in->seg, false))
			return false;
		emit_load(&t->e, t->in->opsize, reg, xlat_operand(t, t->in->opsize, 0));
	} else if (t->in->opsize == 2) {
		emit_movzx16(&t->e, reg, host_reg(op->reg));
	} else {
		emit_mov(&t->e, 4, reg, host_reg(op->reg));
	}
	check_target(t, reg);
	return true;
}

static void push_return(struct xlat *t)
{
	unsigned size = t->in->opsize;
	uint32_t eip = (uint32_t)((t->eip + t->in->len) & size_mask(size));

	emit_store_imm(&t->e, size, eip, xlat_stack(t, -(int32_t)size, size));
	if (size == 4)
		xlat_reloc(t, 4, RELOC_EIP);
	else
		t->adapted = true; /* half an EIP */
	xlat_stack_move(t, -(int32_t)size);
}

static bool jump(struct xlat *t)
{
	uint32_t target = branch_target(t);

	if (!target_in_limit(t, target))
		return false;
	xlat_link(t, target, -1);
	t->ended = true;
	return true;
}

static bool call(struct xlat *t)
{
	uint32_t target = branch_target(t);

	if (!target_in_limit(t, target) || !xlat_segment_usable(t, SEG_SS, true))
		return false;
	push_return(t);
	xlat_link(t, target, -1);
	t->ended = true;
	return true;
}

static bool jump_ind(struct xlat *t)
{
	if (!load_target(t, HOST_T0))
		return false;
	jump_indirect(t, BRANCH_INDIRECT);
	return true;
}

static bool call_ind(struct xlat *t)
{
	unsigned target = xlat_stack_is_flat(t) ? HOST_T0 : HOST_T3; /* other pushes change T0 */

	if (!xlat_segment_usable(t, SEG_SS, true) || !load_target(t, target))
		return false;
	push_return(t);
	if (target != HOST_T0)
		emit_mov(&t->e, 4, HOST_T0, target);
	jump_indirect(t, BRANCH_INDIRECT);
	return true;
}

static bool ret(struct xlat *t)
{
	unsigned size = t->in->opsize;
	int32_t pop = t->in->noperands && t->in->op[0].kind == OPD_IMM ? (int32_t)(t->in->op[0].imm & 0xffff) : 0;

	if (!xlat_segment_usable(t, SEG_SS, true))
		return false;
	emit_load(&t->e, size, HOST_T0, xlat_stack(t, 0, size));
	check_target(t, HOST_T0);
	xlat_stack_move(t, (int32_t)size + pop);
	jump_indirect(t, BRANCH_RETURN);
	return true;
}

static bool conditional(struct xlat *t)
{
	uint8_t opcode = t->in->bytes[t->in->opcode_off];
	uint32_t target = branch_target(t);

	if (!target_in_limit(t, target))
		return false;
	if (opcode == 0x0f)
		opcode = t->in->bytes[t->in->opcode_off + 1];
	xlat_link(t, target, opcode & 15);
	return true;
}

/* Saves RCX in T1 and leaves the count, zero-extended, in ECX. */
static void narrow_count(struct xlat *t)
{
	emit_mov(&t->e, 8, HOST_T1, RCX);
	emit_movzx16(&t->e, RCX, RCX);
}

static bool jcxz(struct xlat *t)
{
	uint32_t target = branch_target(t);
	bool narrow = t->in->addrsize == 2;
	uint8_t *zero, *past;

	if (!target_in_limit(t, target))
		return false;
	xlat_count(t);
	if (narrow)
		narrow_count(t);
	zero = emit_jecxz(&t->e);
	if (narrow)
		emit_mov(&t->e, 8, RCX, HOST_T1);
	past = emit_jmp8(&t->e);
	emit_target8(&t->e, zero);
	if (narrow)
		emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_link(t, target, -1);
	emit_target8(&t->e, past);
	return true;
}

/* LOOP, LOOPE, LOOPNE. leave_cc: the condition that ends the loop beside the count, or -1. */
static bool loop(struct xlat *t, int leave_cc)
{
	uint32_t target = branch_target(t);
	bool narrow = t->in->addrsize == 2;
	uint8_t *zero, *cond = NULL;
	struct host_addr less = {RCX, REG_NONE, 1, -1, false, false};

	if (!target_in_limit(t, target))
		return false;
	xlat_count(t);
	if (narrow) {
		emit_lea(&t->e, 4, HOST_T0, less);
		emit_mov(&t->e, 2, RCX, HOST_T0);
		narrow_count(t);
	} else {
		emit_lea(&t->e, 4, RCX, less);
	}
	zero = emit_jecxz(&t->e);
	if (narrow)
		emit_mov(&t->e, 8, RCX, HOST_T1);
	if (leave_cc >= 0)
		cond = emit_jcc8(&t->e, (unsigned)leave_cc);
	xlat_link(t, target, -1);
	emit_target8(&t->e, zero);
	if (narrow)
		emit_mov(&t->e, 8, RCX, HOST_T1);
	if (cond)
		emit_target8(&t->e, cond);
	return true;
}

bool xlat_branch(struct xlat *t)
{
	switch (t->in->id) {
	case INSN_JMP_REL:
		return jump(t);
	case INSN_CALL_REL:
		return call(t);
	case INSN_JMP_IND:
		return jump_ind(t);
	case INSN_CALL_IND:
		return call_ind(t);
	case INSN_RET:
		return ret(t);
	case INSN_JCXZ:
	case INSN_JECXZ:
		return jcxz(t);
	case INSN_LOOP:
		return loop(t, -1);
	case INSN_LOOPE:
		return loop(t, CC_NE);
	case INSN_LOOPNE:
		return loop(t, CC_E);
	default:
		return conditional(t);
	}
}
