/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: what registers will hold, as far as can be seen when a block is translated: what they hold then, what
 * memory holds from where they will be loaded, and what is added to these. Others decide by it what to expect, and may
 * be wrong: memory changes, and code behind a branch that is taken is translated as if it were not.
 */
#include <string.h>

#include "xlat64.h"

/* Not a pointer: NULL, or a small number that has nothing to do with what is there the next time. */
#define POINTER_LEAST (64 * KiB)

static bool known(const struct xlat *t, unsigned reg)
{
	return t->foreseen & BIT(reg);
}

static void set(struct xlat *t, unsigned reg, uint64_t value)
{
	t->foreseen |= (uint16_t)BIT(reg);
	t->seen[reg] = value;
}

/* The address of a memory operand, or what LEA makes. */
static bool foresee_address(const struct xlat *t, uint64_t *address)
{
	const struct insn *in = t->in;

	*address = (uint64_t)in->disp + (in->rip_relative ? t->eip + in->len : 0);
	if (in->addrsize != 8 || (in->base != REG_NONE && !known(t, in->base)) ||
	    (in->index != REG_NONE && !known(t, in->index)))
		return false;
	if (in->base != REG_NONE)
		*address += t->seen[in->base];
	if (in->index != REG_NONE)
		*address += t->seen[in->index] * in->scale;
	return true;
}

static bool peek(const struct xlat *t, uint64_t address, uint64_t *value)
{
	return opt_on(t->bt->cpu->opt_off, OPT_FORESEE) &&
	       shadow_peek(t->bt->shadow, address, t->ctx->key.flags & CTX_CPL3, value) && *value >= POINTER_LEAST;
}

static bool foresee_operand(const struct xlat *t, const struct operand *op, uint64_t *value)
{
	uint64_t address;

	switch (op->kind) {
	case OPD_GPR:
		*value = t->seen[op->reg];
		return known(t, op->reg);
	case OPD_IMM:
		*value = op->imm;
		return true;
	case OPD_MEM:
		return t->in->seg != SEG_FS && t->in->seg != SEG_GS && foresee_address(t, &address) &&
		       peek(t, address, value);
	default:
		return false;
	}
}

/* What an instruction with a destination of 64 bits leaves there. */
static bool foresee_result(const struct xlat *t, uint64_t *value)
{
	const struct insn *in = t->in;
	const struct operand *op = in->op;
	uint64_t a = t->seen[op[0].reg], b = 0;
	bool both = known(t, op[0].reg) && foresee_operand(t, &op[1], &b);

	switch (in->id) {
	case INSN_MOV: /* what is constant is not compared with anything */
		return op[1].kind != OPD_IMM && foresee_operand(t, &op[1], value);
	case INSN_LEA:
		return !in->rip_relative && foresee_address(t, value);
	case INSN_INC:
		*value = a + 1;
		return known(t, op[0].reg);
	case INSN_DEC:
		*value = a - 1;
		return known(t, op[0].reg);
	case INSN_ADD:
		*value = a + b;
		return both;
	case INSN_SUB:
		*value = a - b;
		return both;
	case INSN_POP:
		return known(t, RSP) && op[0].reg != RSP && peek(t, t->seen[RSP], value);
	default:
		return false;
	}
}

static bool is_single(const struct xlat *t)
{
	const struct operand *op = t->in->op;
	bool little = op[1].kind == OPD_IMM && op[1].imm == (uint64_t)(int8_t)op[1].imm;

	switch (t->in->id) {
	case INSN_LEA:
		return t->in->base != REG_NONE && t->in->index == REG_NONE && t->in->disp == (int8_t)t->in->disp &&
		       (t->single & BIT(t->in->base));
	case INSN_MOV:
		return op[1].kind == OPD_MEM || (op[1].kind == OPD_GPR && (t->single & BIT(op[1].reg)));
	case INSN_INC:
	case INSN_DEC:
		return t->single & BIT(op[0].reg);
	case INSN_ADD:
	case INSN_SUB:
		return little && (t->single & BIT(op[0].reg));
	default:
		return false;
	}
}

static void foresee_stack(struct xlat *t)
{
	if (t->in->id == INSN_PUSH)
		t->seen[RSP] -= t->in->opsize;
	else if (t->in->id == INSN_POP)
		t->seen[RSP] += t->in->opsize;
}

void xlat64_foresee(struct xlat *t)
{
	t->foreseen = t->single = UINT16_MAX;
	memcpy(t->seen, t->bt->cpu->gpr, sizeof(t->seen));
}

void xlat64_foresee_behind(struct xlat *t)
{
	const struct insn *in = t->in;
	const struct operand *to = &in->op[0];
	bool moves_stack = (in->id == INSN_PUSH || in->id == INSN_POP) && !(to->kind == OPD_GPR && to->reg == RSP);
	bool plain = in->noperands && to->kind == OPD_GPR && to->size == 8 && in->opsize == 8 &&
		     (in->gpr_written & BIT(to->reg));
	uint64_t value = 0;
	bool result = plain && foresee_result(t, &value), single = plain && is_single(t);

	if (moves_stack)
		foresee_stack(t);
	t->foreseen &= (uint16_t) ~(in->gpr_written & ~(moves_stack ? BIT(RSP) : 0));
	t->single &= (uint16_t)~in->gpr_written;
	if (result)
		set(t, to->reg, value);
	if (single)
		t->single |= (uint16_t)BIT(to->reg);
}
