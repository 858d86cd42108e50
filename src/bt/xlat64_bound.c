/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: how large registers can be, as far as the block's own instructions tell. What is added to a base whose
 * chunk is known is not looked at when it is at most SHADOW_VIEW_GUARD, scaled: places have as much around them that is
 * never mapped. Instructions of 32 bits bound what they write; other indexes are compared once, by a probe.
 */
#include "xlat64.h"

/* Less than the guard by what the base may be out of its chunk, the displacement, and the largest operand. */
#define INDEX_MAX ((int64_t)(SHADOW_VIEW_GUARD - 2 * DIRECT_DISP - 2 * ENTRY_REACH))
#define BOUND_MAX ((int64_t)1 << 40) /* bounds beyond are of no use */

static const struct bound unbounded = {INT64_MIN, INT64_MAX};

static struct bound limited(struct bound b)
{
	return b.low < -BOUND_MAX || b.high > BOUND_MAX ? unbounded : b;
}

static bool is_bounded(struct bound b)
{
	return b.low != INT64_MIN;
}

static struct bound sum(struct bound a, struct bound b)
{
	return is_bounded(a) && is_bounded(b) ? limited((struct bound){a.low + b.low, a.high + b.high}) : unbounded;
}

static struct bound negative(struct bound b)
{
	return is_bounded(b) ? (struct bound){-b.high, -b.low} : unbounded;
}

static struct bound product(struct bound b, int64_t by)
{
	return is_bounded(b) ? limited((struct bound){b.low * by, b.high * by}) : unbounded;
}

static struct bound constant(uint64_t v)
{
	return limited((struct bound){(int64_t)v, (int64_t)v});
}

static struct bound hull(struct bound a, struct bound b)
{
	return (struct bound){MIN(a.low, b.low), MAX(a.high, b.high)};
}

/* What `size` bytes hold, extended. */
static struct bound extended(unsigned size, bool sign)
{
	int64_t range = size < 8 ? (int64_t)1 << (8 * size) : INT64_MAX;

	if (size >= 8)
		return unbounded;
	return sign ? (struct bound){-range / 2, range / 2 - 1} : (struct bound){0, range - 1};
}

static struct bound of_operand(const struct xlat *t, const struct operand *op)
{
	if (op->kind == OPD_IMM)
		return constant(op->imm);
	return op->kind == OPD_GPR && op->size == 8 ? t->bound[op->reg] : unbounded;
}

static struct bound of_address(const struct xlat *t)
{
	const struct insn *in = t->in;
	struct bound b = constant((uint64_t)in->disp);

	if (in->rip_relative || in->addrsize != 8)
		return unbounded;
	if (in->base != REG_NONE)
		b = sum(b, t->bound[in->base]);
	return in->index != REG_NONE ? sum(b, product(t->bound[in->index], in->scale)) : b;
}

static struct bound shifted_left(struct bound b, uint64_t by)
{
	return by <= 20 ? product(b, (int64_t)1 << by) : unbounded;
}

/* What an instruction with a destination of 64 bits leaves in it. */
static struct bound of_result64(const struct xlat *t)
{
	const struct insn *in = t->in;
	const struct operand *op = in->op;
	struct bound a = of_operand(t, &op[0]), b = of_operand(t, &op[1]);

	switch (in->id) {
	case INSN_MOV:
		return b;
	case INSN_LEA:
		return of_address(t);
	case INSN_ADD:
		return sum(a, b);
	case INSN_SUB:
		return sum(a, negative(b));
	case INSN_INC:
		return sum(a, constant(1));
	case INSN_DEC:
		return sum(a, constant(UINT64_MAX));
	case INSN_NEG:
		return negative(a);
	case INSN_AND: /* with what is not negative */
		if (is_bounded(b) && b.low >= 0)
			return (struct bound){0, b.high};
		return is_bounded(a) && a.low >= 0 ? (struct bound){0, a.high} : unbounded;
	case INSN_SHL:
		return op[1].kind == OPD_IMM ? shifted_left(a, op[1].imm & 63) : unbounded;
	default:
		if (in->id >= INSN_CMOVB && in->id <= INSN_CMOVZ)
			return hull(a, b);
		return unbounded;
	}
}

/* Instructions that write all of a destination of 32 bits, and zeros above, whatever their operands are. */
static bool writes_all(const struct insn *in)
{
	switch (in->id) {
	case INSN_MOV:
	case INSN_MOVZX:
	case INSN_MOVSX:
	case INSN_MOVSXD:
	case INSN_LEA:
	case INSN_ADD:
	case INSN_SUB:
	case INSN_AND:
	case INSN_OR:
	case INSN_XOR:
	case INSN_INC:
	case INSN_DEC:
	case INSN_NEG:
	case INSN_NOT:
		return true;
	case INSN_SHL:
	case INSN_SHR:
	case INSN_SAR:
		return in->op[1].kind == OPD_IMM && (in->op[1].imm & 31);
	default:
		return in->id >= INSN_CMOVB && in->id <= INSN_CMOVZ;
	}
}

static struct bound of_result32(const struct insn *in)
{
	const struct operand *op = in->op;
	struct bound all = extended(4, false);

	if (in->id == INSN_MOVZX)
		return extended(op[1].size, false);
	if (in->id == INSN_AND && op[1].kind == OPD_IMM)
		all.high = (int64_t)(uint32_t)op[1].imm;
	else if (in->id == INSN_SHR)
		all.high >>= op[1].imm & 31;
	return all;
}

static struct bound of_result(const struct xlat *t)
{
	const struct insn *in = t->in;
	const struct operand *op = in->op;

	if (op[0].size == 4)
		return writes_all(in) ? of_result32(in) : unbounded;
	if (op[0].size != 8)
		return unbounded;
	if (in->id == INSN_MOVZX)
		return extended(op[1].size, false);
	if (in->id == INSN_MOVSX || in->id == INSN_MOVSXD)
		return extended(op[1].size, true);
	return of_result64(t);
}

void xlat64_bound_forget(struct xlat *t)
{
	for (unsigned i = 0; i < GPR_COUNT; i++)
		t->bound[i] = unbounded;
}

void xlat64_bound_behind(struct xlat *t)
{
	const struct insn *in = t->in;
	bool plain = in->noperands && in->op[0].kind == OPD_GPR && insn_rows[in->id].class == CLASS_IDENT;
	struct bound result = unbounded;
	unsigned written = in->gpr_written;

	if (plain)
		result = of_result(t);
	if (in->id == INSN_CDQE)
		result = extended(4, true);
	for (; written; written &= written - 1)
		t->bound[__builtin_ctz(written)] = unbounded;
	if (in->id == INSN_CDQE)
		t->bound[RAX] = result;
	else if (plain && (in->gpr_written & BIT(in->op[0].reg)))
		t->bound[in->op[0].reg] = result;
}

bool xlat64_bounded(const struct xlat *t, unsigned index, unsigned scale)
{
	struct bound b = product(t->bound[index], scale);

	return is_bounded(b) && b.low >= -INDEX_MAX && b.high <= INDEX_MAX;
}

static bool expected(const struct xlat *t, unsigned index, unsigned *how)
{
	int64_t value = (int64_t)t->seen[index];

	if (is_bounded(t->bound[index]))
		return false;
	if (t->like) {
		*how |= INDEX_PROBED;
		if (xlat_like(t, RELOC_INDEX + *how))
			return true;
		*how |= INDEX_NEGATIVE;
		return xlat_like(t, RELOC_INDEX + *how);
	}
	*how |= value < 0 ? INDEX_PROBED | INDEX_NEGATIVE : INDEX_PROBED;
	if (value < 0 && !(t->ctx->key.flags & CTX_CPL3)) /* an address of the kernel's image, rather */
		return false;
	return (t->foreseen & t->single & BIT(index)) && value >= -(int64_t)BIT(31) && value < (int64_t)BIT(31);
}

bool xlat64_bound_probe(struct xlat *t, unsigned index, unsigned *how)
{
	uint64_t half;

	if (!expected(t, index, how))
		return false;
	half = *how & INDEX_NEGATIVE ? 0 - BIT(31) : 0;
	xlat64_probe_half(t, index, half);
	t->bound[index] = (struct bound){(int64_t)half, (int64_t)(half + BIT(31)) - 1};
	return true;
}
