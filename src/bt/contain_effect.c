/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What instructions do to the symbols. All that is not named here makes what it writes unknown. */
#include "bt_internal.h"
#include "contain_internal.h"

static struct value *reg(struct contain *k, unsigned n)
{
	return &k->now.gpr[n];
}

/* What is left of a value in 32 bits, zero-extended. */
static struct value low_half(struct contain *k, const struct value *v)
{
	if (value_is_constant(v))
		return value_constant((uint32_t)v->constant);
	return value_within(k, v, 0, UINT32_MAX) ? *v : value_made(k, SYM_LOW, 0, *v);
}

static struct value signed_of(struct contain *k, unsigned size)
{
	int64_t half = (int64_t)BIT(8 * size - 1);

	return value_symbol(k, SYM_ANY, -half, half - 1);
}

/* The second operand, of the size of the first; `read`: what a memory operand holds. */
static struct value source(struct contain *k, const struct value *read)
{
	const struct operand *op = &k->in.op[1];

	switch (op->kind) {
	case OPD_GPR:
		return op->size == 8 ? *reg(k, op->reg) : low_half(k, reg(k, op->reg));
	case OPD_IMM:
		return value_constant(k->in.op[0].size == 4 ? (uint32_t)op->imm : op->imm);
	case OPD_MEM:
		return *read;
	default:
		return value_any(k);
	}
}

static struct value masked(struct contain *k, const struct value *a, const struct value *b)
{
	int64_t low, high;

	if (value_bounds(k, b, &low, &high) && low >= 0)
		return value_symbol(k, SYM_ANY, 0, high);
	if (value_bounds(k, a, &low, &high) && low >= 0)
		return value_symbol(k, SYM_ANY, 0, high);
	return value_any(k);
}

static struct value either(struct contain *k, const struct value *a, const struct value *b)
{
	int64_t low, high, low2, high2;

	if (value_bounds(k, a, &low, &high) && value_bounds(k, b, &low2, &high2))
		return value_symbol(k, SYM_ANY, MIN(low, low2), MAX(high, high2));
	return value_any(k);
}

static bool is_cmov(unsigned id)
{
	return id >= INSN_CMOVB && id <= INSN_CMOVZ;
}

/* A destination of 64 bits. */
static struct value result64(struct contain *k, const struct value *read)
{
	const struct operand *op = k->in.op;
	struct value a = *reg(k, op[0].reg), b = source(k, read), zero = value_constant(0);

	switch (k->in.id) {
	case INSN_MOV:
		return b;
	case INSN_LEA:
		return operand_address(k);
	case INSN_ADD:
		return value_sum(k, a, b, 1);
	case INSN_SUB:
		return value_sum(k, a, b, -1);
	case INSN_INC:
		a.constant++;
		return a;
	case INSN_DEC:
		a.constant--;
		return a;
	case INSN_NEG:
		return value_sum(k, zero, a, -1);
	case INSN_NOT:
		return value_sum(k, value_constant(UINT64_MAX), a, -1);
	case INSN_AND:
		return masked(k, &a, &b);
	case INSN_SHL:
		return op[1].kind == OPD_IMM && op[1].imm <= 20 ? value_sum(k, zero, a, (int64_t)BIT(op[1].imm))
								: value_any(k);
	case INSN_MOVSX:
	case INSN_MOVSXD:
		return signed_of(k, op[1].size);
	case INSN_MOVZX:
		return op[1].kind == OPD_MEM ? *read : value_sized(k, op[1].size);
	default:
		return is_cmov(k->in.id) ? either(k, &a, &b) : value_any(k);
	}
}

/* Of 32 bits, of instructions that write all of it, whatever the operands are. */
static struct value result32(struct contain *k, const struct value *read)
{
	const struct operand *op = k->in.op;
	struct value v, b;

	switch (k->in.id) {
	case INSN_MOV:
		b = source(k, read);
		return low_half(k, &b);
	case INSN_LEA:
		v = operand_address(k);
		return low_half(k, &v);
	case INSN_MOVZX:
		return op[1].kind == OPD_MEM ? *read : value_sized(k, op[1].size);
	case INSN_AND:
		if (op[1].kind == OPD_IMM)
			return value_symbol(k, SYM_ANY, 0, (int64_t)(uint32_t)op[1].imm);
		return value_sized(k, 4);
	case INSN_SHR:
		if (op[1].kind == OPD_IMM && (op[1].imm & 31))
			return value_symbol(k, SYM_ANY, 0, (int64_t)(UINT32_MAX >> (op[1].imm & 31)));
		return value_any(k);
	case INSN_SHL:
	case INSN_SAR:
		return op[1].kind == OPD_IMM && (op[1].imm & 31) ? value_sized(k, 4) : value_any(k);
	case INSN_ADD:
	case INSN_SUB:
	case INSN_OR:
	case INSN_XOR:
	case INSN_INC:
	case INSN_DEC:
	case INSN_NEG:
	case INSN_NOT:
	case INSN_MOVSX:
	case INSN_MOVSXD:
		return value_sized(k, 4);
	default:
		return is_cmov(k->in.id) ? value_sized(k, 4) : value_any(k);
	}
}

/* Instructions of BMI2 that translations are made of, and CDQE. False: none of them. */
static bool moved_bits(struct contain *k, const struct value *read, struct value *v)
{
	const struct operand *op = k->in.op;
	struct value from = source(k, read), other;
	unsigned count;

	switch (k->in.id) {
	case INSN_SHRX:
	case INSN_SARX:
		other = *reg(k, op[2].reg);
		if (op[0].size != 8 || !value_is_constant(&other) || !(other.constant & 63))
			return false;
		count = other.constant & 63;
		if (k->in.id == INSN_SHRX)
			*v = value_made(k, SYM_SHIFTED, count, from);
		else
			*v = value_symbol(k, SYM_ANY, -(int64_t)(BIT(63) >> count), (int64_t)(BIT(63) >> count) - 1);
		return true;
	case INSN_RORX:
		if (op[0].size != 8)
			return false;
		*v = value_made(k, SYM_ROTATED, (unsigned)op[2].imm & 63, from);
		return true;
	case INSN_PEXT:
	case INSN_PDEP:
		if (op[2].kind != OPD_GPR || !value_is_constant(reg(k, op[2].reg)))
			return false;
		other = *reg(k, op[2].reg);
		if (op[1].kind == OPD_GPR && op[1].size == 4) /* bits that the mask may have */
			from = *reg(k, op[1].reg);
		*v = value_made(k, SYM_EXTRACTED, 0, from);
		k->symbols[v->term[0].symbol].mask = other.constant;
		if (k->in.id == INSN_PEXT)
			other.constant = BIT(__builtin_popcountll(other.constant) & 63) - 1;
		k->symbols[v->term[0].symbol].low = 0;
		k->symbols[v->term[0].symbol].high = (int64_t)other.constant;
		if (k->in.id == INSN_PDEP)
			k->symbols[v->term[0].symbol].kind = SYM_ANY;
		return other.constant <= INT64_MAX;
	case INSN_CDQE:
		*v = signed_of(k, 4);
		return true;
	default:
		return false;
	}
}

static void forget_written(struct contain *k)
{
	for (unsigned w = k->in.gpr_written; w; w &= w - 1)
		*reg(k, (unsigned)__builtin_ctz(w)) = value_any(k);
}

/* Does the value lead into a place, or nowhere: the beginning of one and a number of 32 bits, or one of bt_held's? */
static bool may_hold(struct contain *k, const struct value *v)
{
	const struct symbol *s = value_only(k, v);

	if (s && s->kind == SYM_HELD)
		return true;
	for (unsigned i = 0; i < v->n; i++) {
		struct value rest;
		if (k->symbols[v->term[i].symbol].kind != SYM_PLACE || v->term[i].times != 1)
			continue;
		rest = value_sum(k, *v, (struct value){.n = 1, .term[0] = v->term[i]}, -1);
		return value_within(k, &rest, 0, UINT32_MAX);
	}
	return false;
}

/* Stores that later loads find; and what nobody may store. */
static void store(struct contain *k, const struct value *stored)
{
	struct value at = operand_address(k);
	uint64_t home = at.constant - k->rules->home;

	if (!value_is_constant(&at) || home >= sizeof(struct bt_home))
		return;
	if (home - offsetof(struct bt_home, held) < sizeof(struct bt_held)) {
		if (!stored || !may_hold(k, stored))
			k->wrong = "a base leads to what is no place";
	} else if (stored && home % 8 == 0 && k->in.mem_size == 8) {
		k->now.slot[home / 8] = *stored;
	}
	if (home / 8 * 8 - offsetof(struct bt_home, view) < sizeof(((struct bt_home *)0)->view))
		k->wrong = "the view's address is written";
	if (home / 8 == offsetof(struct bt_home, rsp_delta) / 8)
		rsp_stored(k);
	if (home == offsetof(struct bt_home, table) && !(stored && value_has(k, stored, SYM_TABLE)))
		k->wrong = "the table of branch targets becomes something else";
}

/* PUSH and POP of registers and of the flags, in the monitor's words. */
static void stack(struct contain *k, bool push)
{
	struct value *word = stack_word(k, push), moved = *reg(k, RSP);

	if (!word || k->in.has_mem || k->in.opsize == 2) {
		k->wrong = k->wrong ? k->wrong : "a stack operand in memory";
		return;
	}
	moved.constant += push ? -8ull : 8ull;
	if (!push && k->in.id == INSN_POP)
		*reg(k, k->in.op[0].reg) = word->n > TERMS ? value_any(k) : *word;
	else if (push && k->in.id == INSN_PUSH && k->in.op[0].kind == OPD_GPR)
		*word = *reg(k, k->in.op[0].reg);
	else if (push)
		word->n = TERMS + 1;
	*reg(k, RSP) = moved;
}

static void check_string(struct contain *k)
{
	const struct insn *in = &k->in;
	unsigned uses = in->gpr_written & (BIT(RSI) | BIT(RDI));

	if (in->addrsize != 8 || in->seg == SEG_FS || in->seg == SEG_GS || !uses)
		k->wrong = "a string instruction with a base";
	for (unsigned r = RSI; r <= RDI; r++)
		if ((uses & BIT(r)) && !value_placed(k, reg(k, r), in->opsize))
			k->wrong = "a string instruction outside of a chunk's place";
	forget_written(k);
}

static bool is_string(unsigned id)
{
	return (id >= INSN_MOVSB && id <= INSN_SCASQ) || id == INSN_MOVSD_STRING || id == INSN_CMPSD_STRING;
}

/* BT and its like with a register: the bit must be in the word. */
static void check_bit(struct contain *k)
{
	const struct operand *bit = &k->in.op[1];

	if (!value_within(k, reg(k, bit->reg), 0, bit->size * 8 - 1))
		k->wrong = "a bit outside of its word";
}

static void ident(struct contain *k)
{
	const struct insn *in = &k->in;
	const struct operand *to = &in->op[0];
	bool access = in->has_mem && !in->agen, plain = in->noperands && to->kind == OPD_GPR && to->size >= 4;
	struct value read = access ? operand_access(k) : value_any(k), result = read, from;

	if (access && in->mem_write) {
		from = in->id == INSN_MOV && in->noperands == 2 ? source(k, &read) : value_any(k);
		store(k, in->id == INSN_MOV ? &from : NULL);
	}
	if (value_has(k, &read, SYM_SECRET) && in->id != INSN_MOVZX)
		k->wrong = "what a probe has read is used";
	else if (!value_has(k, &read, SYM_SECRET) && !moved_bits(k, &read, &result))
		result = !plain ? value_any(k) : to->size == 8 ? result64(k, &read) : result32(k, &read);
	else
		plain = true;
	forget_written(k);
	if (plain && (in->gpr_written & BIT(in->id == INSN_CDQE ? RAX : to->reg)))
		*reg(k, in->id == INSN_CDQE ? RAX : to->reg) = result;
}

static void rewritten(struct contain *k)
{
	switch (k->in.id) {
	case INSN_PUSH:
	case INSN_PUSHFQ:
		stack(k, true);
		break;
	case INSN_POP:
	case INSN_POPFQ:
		stack(k, false);
		break;
	case INSN_BT_MEM_REG:
	case INSN_BTS_MEM_REG:
	case INSN_BTR_MEM_REG:
	case INSN_BTC_MEM_REG:
		check_bit(k);
		ident(k);
		break;
	case INSN_VMASKMOVPS:
	case INSN_VMASKMOVPD:
	case INSN_VPMASKMOVD:
	case INSN_VPMASKMOVQ:
	case INSN_VZEROUPPER:
	case INSN_VZEROALL:
	case INSN_RDTSC:
		ident(k);
		break;
	case INSN_WRGSBASE:
		if (k->in.op[0].size != 8 || !(value_has(k, reg(k, k->in.op[0].reg), SYM_VIEW) ||
					       value_has(k, reg(k, k->in.op[0].reg), SYM_WINDOW)))
			k->wrong = "GS.base becomes something else than a view's";
		break;
	default:
		k->wrong = "nothing that translations are made of";
	}
}

void effect_apply(struct contain *k)
{
	for (unsigned r = k->in.gpr_read; r; r &= r - 1)
		if (value_has(k, reg(k, (unsigned)__builtin_ctz(r)), SYM_SECRET))
			k->wrong = "what a probe has read is used";
	if (is_string(k->in.id))
		check_string(k);
	else if (insn_rows[k->in.id].class == CLASS_IDENT)
		ident(k);
	else if (insn_rows[k->in.id].class != CLASS_BRANCH)
		rewritten(k);
}
