/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 64-bit code: stack instructions and near control transfers. The access first, then the stack pointer, with LEA. */
#include "xlat64.h"

struct host_addr xlat64_stack(struct xlat *t, int32_t delta)
{
	xlat64_look_up(t, RSP);
	xlat64_rsp_accessed(t, delta);
	return (struct host_addr){RSP, HOST64_DELTA, 1, delta, false, false};
}

void xlat64_stack_move(struct xlat *t, int32_t delta)
{
	emit_lea(&t->e, 8, RSP, (struct host_addr){RSP, REG_NONE, 1, delta, false, false});
	t->rsp_apart += delta;
}

bool xlat64_push(struct xlat *t)
{
	const struct operand *op = &t->in->op[0];
	unsigned size = t->in->opsize, from = op->reg;
	struct host_addr at;

	if (size != 8 && size != 2)
		return false;
	switch (op->kind) {
	case OPD_GPR:
		at = xlat64_stack(t, -(int32_t)size);
		if (xlat64_in_memory(t, from))
			xlat64_load_reg(t, from = HOST64_T, op->reg);
		emit_store(&t->e, size, from, at);
		break;
	case OPD_IMM:
		at = xlat64_stack(t, -(int32_t)size);
		emit_store_imm(&t->e, size, (uint32_t)op->imm, at);
		break;
	case OPD_MEM:
		emit_load(&t->e, size, HOST64_T, xlat64_operand(t));
		emit_store(&t->e, size, HOST64_T, xlat64_stack(t, -(int32_t)size));
		break;
	default:
		return false;
	}
	xlat64_stack_move(t, -(int32_t)size);
	return true;
}

bool xlat64_pop(struct xlat *t)
{
	const struct operand *op = &t->in->op[0];
	unsigned size = t->in->opsize;

	if (op->kind != OPD_GPR || (size != 8 && size != 2) || (op->reg == RSP && size != 8))
		return false;
	if (op->reg == RSP) { /* the value replaces the moved pointer */
		emit_load(&t->e, 8, RSP, xlat64_stack(t, 0));
		t->delta = DELTA_NONE;
		return true;
	}
	if (xlat64_in_memory(t, op->reg)) {
		emit_load(&t->e, size, HOST64_T, xlat64_stack(t, 0));
		xlat64_store_reg(t, size, op->reg, HOST64_T);
	} else {
		emit_load_part(&t->e, size, op->reg, xlat64_stack(t, 0));
	}
	xlat64_stack_move(t, (int32_t)size);
	return true;
}

bool xlat64_leave_frame(struct xlat *t)
{
	if (t->in->opsize != 8)
		return false;
	xlat64_look_up(t, RBP);
	emit_load(&t->e, 8, HOST64_T, (struct host_addr){RBP, HOST64_DELTA, 1, 0, false, false});
	emit_lea(&t->e, 8, RSP, (struct host_addr){RBP, REG_NONE, 1, 8, false, false});
	emit_mov(&t->e, 8, RBP, HOST64_T);
	xlat64_rsp_taken(t, 8);
	if (xlat64_has_delta(t))
		xlat64_serve(t, RSP, t->apart[RBP] + 8);
	return true;
}

/* --- near transfers --- */

/* False: a target that only the C body deals with. */
static bool direct_target(const struct xlat *t, guest_pc_t *target)
{
	int64_t distance;

	*target = t->eip + t->in->len + t->in->op[0].imm;
	distance = (int64_t)(*target - t->b->eip);
	return distance == (int32_t)distance && cpu_canonical(t->bt->cpu, *target);
}

/* The return address in one store: the RET's load would wait for two halves until both are in the cache (13 cycles).
 * HOST64_T is changed. */
static void push_return(struct xlat *t)
{
	guest_pc_t rip = t->eip + t->in->len;

	if (rip == (uint64_t)(int64_t)(int32_t)rip) {
		emit_store_imm(&t->e, 8, (uint32_t)rip, xlat64_stack(t, -8));
		t->adapted = true; /* no copies: programs there are not moved */
	} else {
		struct host_addr at = xlat64_stack(t, -8);

		emit_mov_imm64(&t->e, HOST64_T, rip);
		xlat_reloc(t, 8, RELOC_RIP);
		emit_store(&t->e, 8, HOST64_T, at);
	}
	xlat64_stack_move(t, -8);
}

static bool jump(struct xlat *t, bool call)
{
	guest_pc_t target;

	if (!direct_target(t, &target))
		return false;
	if (call)
		push_return(t);
	xlat_link(t, target, -1);
	t->ended = true;
	return true;
}

/* HOST64_T = target. */
static bool load_target(struct xlat *t)
{
	const struct operand *op = &t->in->op[0];

	if (op->kind == OPD_MEM)
		emit_load(&t->e, 8, HOST64_T, xlat64_operand(t));
	else if (xlat64_in_memory(t, op->reg))
		xlat64_load_reg(t, HOST64_T, op->reg);
	else
		emit_mov(&t->e, 8, HOST64_T, op->reg);
	return true;
}

/* Without probes, a target that is not canonical is found out behind the branch, which is undone (bt_undo_branch()):
 * but not a push. */
static bool call_indirect(struct xlat *t)
{
	if (!xlat64_probes(t))
		return false;
	load_target(t);
	xlat64_probe_canonical(t);
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, target));
	push_return(t);
	xlat64_jump_home(t);
	return true;
}

static bool jump_indirect(struct xlat *t)
{
	load_target(t);
	if (xlat64_probes(t))
		xlat64_probe_canonical(t);
	xlat64_jump_indirect(t, BRANCH_INDIRECT);
	return true;
}

static bool ret(struct xlat *t)
{
	emit_load(&t->e, 8, HOST64_T, xlat64_stack(t, 0));
	if (xlat64_probes(t))
		xlat64_probe_canonical(t);
	xlat64_stack_move(t, 8 + insn_ret_pops(t->in));
	xlat64_jump_indirect(t, BRANCH_RETURN);
	return true;
}

static bool conditional(struct xlat *t)
{
	uint8_t opcode = t->in->bytes[t->in->opcode_off];
	guest_pc_t target;

	if (!direct_target(t, &target))
		return false;
	if (opcode == 0x0f)
		opcode = t->in->bytes[t->in->opcode_off + 1];
	xlat_link(t, target, opcode & 15);
	return true;
}

/* JRCXZ, JECXZ. */
static bool jump_if_zero(struct xlat *t)
{
	guest_pc_t target;
	uint8_t *zero, *past;

	if (!direct_target(t, &target))
		return false;
	xlat_count(t);
	zero = t->in->addrsize == 4 ? emit_jecxz(&t->e) : emit_jrcxz(&t->e);
	past = emit_jmp8(&t->e);
	emit_target8(&t->e, zero);
	xlat_link(t, target, -1);
	emit_target8(&t->e, past);
	return true;
}

/* leave_cc: the condition that ends the loop beside the count, or -1. */
static bool loop(struct xlat *t, int leave_cc)
{
	unsigned size = t->in->addrsize;
	uint8_t *zero, *cond = NULL;
	guest_pc_t target;

	if (!direct_target(t, &target))
		return false;
	xlat_count(t);
	emit_lea(&t->e, size, RCX, (struct host_addr){RCX, REG_NONE, 1, -1, false, false});
	zero = emit_jrcxz(&t->e); /* a count of 32 bits was zero-extended */
	if (leave_cc >= 0)
		cond = emit_jcc8(&t->e, (unsigned)leave_cc);
	xlat_link(t, target, -1);
	emit_target8(&t->e, zero);
	if (cond)
		emit_target8(&t->e, cond);
	return true;
}

bool xlat64_branch(struct xlat *t)
{
	if (t->in->prefixes & PFX_OPSIZE) /* processors differ */
		return false;
	switch (t->in->id) {
	case INSN_JMP_REL:
		return jump(t, false);
	case INSN_CALL_REL:
		return jump(t, true);
	case INSN_JMP_IND:
		return jump_indirect(t);
	case INSN_CALL_IND:
		return call_indirect(t);
	case INSN_RET:
		return ret(t);
	case INSN_JRCXZ:
	case INSN_JECXZ:
		return jump_if_zero(t);
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
