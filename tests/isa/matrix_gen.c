/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One random instruction with operands that make sense. */
#include <string.h>

#include "matrix.h"

static unsigned chance(struct machine *m, unsigned one_in)
{
	return machine_random(m) % one_in == 0;
}

static void random_bytes(struct machine *m, uint8_t *to, unsigned n)
{
	while (n--)
		*to++ = (uint8_t)machine_random(m);
}

static unsigned put_prefixes(struct machine *m, const struct encoding *e, uint8_t *to)
{
	static const uint8_t segments[5] = {0x26, 0x2e, 0x36, 0x3e, 0x65};
	static const uint8_t reps[2] = {0xf2, 0xf3};
	unsigned n = 0;

	if (chance(m, 4))
		to[n++] = segments[machine_random(m) % 5];
	if (chance(m, 5))
		to[n++] = 0x67;
	if (e->map < 4) {
		if (chance(m, 5) && e->prefix != 0x66)
			to[n++] = 0x66;
		if (e->mem && chance(m, 6))
			to[n++] = 0xf0;
		if (insn_rows[e->id].class == CLASS_REWRITE && !e->prefix && chance(m, 2))
			to[n++] = reps[machine_random(m) % 2];
	}
	return n;
}

static uint8_t random_vex(struct machine *m)
{
	unsigned vvvv = chance(m, 2) ? VEX_NO_VVVV : 0x40 | (machine_random(m) & 7) << 3;

	return (uint8_t)(vvvv | (machine_random(m) & (VEX_W | VEX_L)));
}

bool matrix_try_encoding(struct machine *m, const struct layout *l, const struct encoding *e, struct insn *in)
{
	uint8_t bytes[32];
	unsigned n = put_prefixes(m, e, bytes);
	unsigned mod = machine_random(m) % 3;

	n += matrix_put_opcode(bytes + n, e, 0, random_vex(m));
	random_bytes(m, bytes + n, 12);
	bytes[n] = (uint8_t)((bytes[n] & 0x3f) | (e->mem ? mod : 3) << 6);
	if (insn_decode(in, bytes, INSN_MAX_BYTES, l->code_size) || in->id != e->id)
		return false;
	if (in->has_mem && in->seg == SEG_FS)
		return false;
	/* W of these outside 64-bit mode: nothing to Intel's processors, #UD to AMD's. */
	if ((in->id == INSN_VPEXTRD || in->id == INSN_VPINSRD) && (in->bytes[in->opcode_off + 2] & VEX_W))
		return false;
	if (in->seg == SEG_CS && (in->id == INSN_MASKMOVQ || in->id == INSN_MASKMOVDQU || in->id == INSN_VMASKMOVDQU ||
				  insn_rows[in->id].class == CLASS_BRANCH))
		return false;
	/* Code segments are writable in real-address and V86 mode, but not to the host. */
	return !(in->mem_write && in->seg == SEG_CS && (l->mode == ISA_REAL || l->mode == ISA_V86));
}

/* Offsets that a segment allows and both sides have memory for. */
static void window(const struct layout *l, unsigned seg, unsigned addrsize, uint32_t *low, uint32_t *high)
{
	const struct native_segment *s = &l->seg[seg];
	uint32_t from = s->code ? CODE_FROM : DATA_FROM, to = s->code ? CODE_TO : DATA_TO;

	if (!s->code && !s->base && addrsize == 2) {
		from = CODE_TO;
		to = LOW_TO;
	}

	*low = s->base < from ? from - s->base : 0;
	*high = MIN(to - 1 - s->base, addrsize == 2 ? 0xffff : ~0u);
	if (s->down) {
		*low = MAX(*low, s->limit + 1);
		*high = s->big ? *high : MIN(*high, 0xffffu);
	} else {
		*high = MIN(*high, s->limit);
	}
}

/* An offset for an access of `size` bytes: mostly inside, sometimes at the edge or beyond. */
static uint32_t pick_offset(struct machine *m, const struct layout *l, unsigned seg, unsigned addrsize, unsigned size)
{
	uint32_t low, high, at;

	window(l, seg, addrsize, &low, &high);
	/* Across the end of 4 GiB, processors may fault or wrap (volume 3, 5.3). */
	if (size != MATRIX_INSIDE && l->seg[seg].limit != 0xffffffffu && chance(m, 8)) {
		at = chance(m, 2) ? low - machine_random(m) % (size + 1) : high + 1 - machine_random(m) % (size + 2);
		return chance(m, 4) ? at & ~15u : at;
	}
	at = low + machine_random(m) % (high - low + 1 - MIN(size, (high - low) / 2));
	if (size >= 16 && !chance(m, 8))
		at = ALIGN_UP(at + l->seg[seg].base, 64) - l->seg[seg].base;
	return at;
}

static uint32_t random_value(struct machine *m)
{
	static const uint32_t special[] = {0,	   1,	   2,	   0x7f,       0x80,	    0xff,
					   0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000u, 0xffffffffu};
	uint32_t v = machine_random(m) << 16 ^ machine_random(m);

	return chance(m, 4) ? special[v % ARRAY_LEN(special)] : chance(m, 4) ? v & 0xff : v;
}

static void set_low(uint64_t *reg, unsigned size, uint32_t v)
{
	*reg = size == 2 ? (*reg & 0xffff0000u) | (v & 0xffff) : v;
}

static void patch_disp(struct insn *in, uint32_t disp)
{
	memcpy(in->bytes + in->disp_off, &disp, in->disp_len);
	in->disp = in->disp_len == 2 ? (int16_t)disp : (int32_t)disp;
}

/* Chooses registers (or the displacement) so that the operand is at offset `at`, or near it. */
static void solve(struct machine *m, struct insn *in, uint64_t *gpr, uint32_t at)
{
	unsigned size = in->addrsize;
	uint32_t index = 0;

	if (in->index != REG_NONE && in->index != in->base) {
		set_low(&gpr[in->index], size, machine_random(m) % 300 - 40);
		index = (uint32_t)gpr[in->index] * in->scale;
	}
	if (in->base == REG_NONE || in->base == RSP) {
		uint32_t base = in->base == RSP ? (uint32_t)gpr[RSP] : 0;
		if (in->disp_len == size)
			patch_disp(in, at - index - base);
		else if (in->index != REG_NONE)
			set_low(&gpr[in->index], size, at - (uint32_t)in->disp);
	} else if (in->base == in->index) {
		set_low(&gpr[in->base], size, (at - (uint32_t)in->disp) / (in->scale + 1u));
	} else {
		set_low(&gpr[in->base], size, at - index - (uint32_t)in->disp);
	}
}

static void put_word(struct test_case *c, uint32_t at, uint32_t value)
{
	c->word.used = true;
	c->word.at = at;
	c->word.value = value;
}

static uint32_t branch_goal(struct machine *m)
{
	uint32_t goal = CODE_FROM + 64 + machine_random(m) % (CODE_TO - CODE_FROM - 128);

	return goal - CODE_AT < INSN_MAX_BYTES ? goal + INSN_MAX_BYTES : goal; /* not into the instruction itself */
}

static void prepare_branch(struct machine *m, const struct layout *l, struct test_case *c, uint32_t operand)
{
	struct insn *in = &c->in;
	uint32_t goal = branch_goal(m);

	if (in->op[0].kind == OPD_REL && chance(m, 2))
		set_low(&c->start.gpr[RCX], in->addrsize, machine_random(m) % 3);
	if (in->id == INSN_RET)
		put_word(c, l->seg[SEG_SS].base + ((uint32_t)c->start.gpr[RSP] & (l->seg[SEG_SS].big ? ~0u : 0xffff)),
			 goal);
	else if (in->has_mem)
		put_word(c, l->seg[in->seg].base + operand, goal);
	else if (in->op[0].kind == OPD_GPR)
		set_low(&c->start.gpr[in->op[0].reg], in->opsize, goal);
	else if (in->imm_len >= 2) {
		uint32_t disp = goal - CODE_AT - in->len;
		memcpy(in->bytes + in->imm_off, &disp, in->imm_len);
	} else if (in->op[0].kind == OPD_REL && -(int8_t)in->bytes[in->imm_off] <= in->len) {
		in->bytes[in->imm_off] &= 0x7f; /* not into itself */
	}
}

/* Instructions whose registers are addresses or counts without being named in an operand. */
static void prepare_implicit(struct machine *m, const struct layout *l, struct test_case *c)
{
	struct insn *in = &c->in;
	uint64_t *gpr = c->start.gpr;

	switch (in->id) {
	case INSN_MOVSB ... INSN_SCASD:
	case INSN_MOVSD_STRING:
	case INSN_CMPSD_STRING:
		set_low(&gpr[RSI], in->addrsize, pick_offset(m, l, in->seg, in->addrsize, 16));
		set_low(&gpr[RDI], in->addrsize, pick_offset(m, l, SEG_ES, in->addrsize, 16));
		set_low(&gpr[RCX], in->addrsize, machine_random(m) % 24);
		break;
	case INSN_XLAT:
		set_low(&gpr[RBX], in->addrsize, pick_offset(m, l, in->seg, in->addrsize, 1) - (uint8_t)gpr[RAX]);
		break;
	case INSN_MASKMOVQ:
	case INSN_MASKMOVDQU:
	case INSN_VMASKMOVDQU:
		/* Bytes that the mask leaves out may fault or not. */
		set_low(&gpr[RDI], in->addrsize, pick_offset(m, l, in->seg, in->addrsize, MATRIX_INSIDE));
		break;
	case INSN_BT_MEM_REG ... INSN_BTC_MEM_REG:
		set_low(&gpr[in->op[1].reg], in->opsize, machine_random(m) % 0x4000 - 0x2000);
		break;
	case INSN_ENTER:
		/* At SP 0, the upper half of what EBP gets is the processor's own idea. With less than an operand's
		 * room before the limit at the new SP, AMD's processors fault; so that is aligned. */
		gpr[RSP] |= 4;
		in->bytes[in->imm_off] = (uint8_t)((in->bytes[in->imm_off] & ~3u) | (gpr[RSP] & 3));
		in->bytes[in->imm_off + 1] &= 3;
		set_low(&gpr[RBP], 4, (uint32_t)gpr[RSP] + machine_random(m) % 256);
		break;
	case INSN_LEAVE:
		set_low(&gpr[RBP], 4, pick_offset(m, l, SEG_SS, l->seg[SEG_SS].big ? 4 : 2, 4));
		break;
	case INSN_DIV:
	case INSN_IDIV:
		if (!chance(m, 3))
			gpr[RDX] = machine_random(m) % 16;
		break;
	}
}

void matrix_random_x87(struct machine *m, uint8_t *fx)
{
	store_le(fx, 2, 0x37f | (machine_random(m) & 0xc00));
	store_le(fx + 2, 2, machine_random(m) & 0x7f00 & ~0x8000u);
	fx[4] = (uint8_t)(chance(m, 3) ? machine_random(m) : 0xff);
	store_le(fx + 24, 4, 0x1f80 | (machine_random(m) & 0xe040));
	for (unsigned i = 0; i < 8; i++) {
		long double v = (long double)(int32_t)machine_random(m) / (1 << machine_random(m) % 24) - 3.5L;
		uint8_t *st = fx + 32 + 16 * i;
		memcpy(st, &v, 10);
		if (chance(m, 3))
			random_bytes(m, st, 10);
		else if (chance(m, 4))
			store_le(st, 8, chance(m, 2) ? 0 : BIT(63));
	}
	for (unsigned i = 0; i < 32; i++) {
		float v[4];
		uint8_t *xmm = fx + 160 + 8 * i;
		for (unsigned k = 0; k < 2; k++)
			v[k] = (float)(int32_t)machine_random(m) / (float)(1 << machine_random(m) % 28);
		memcpy(xmm, v, 8);
		if (chance(m, 2))
			random_bytes(m, xmm, 8);
	}
	random_bytes(m, fx + NATIVE_YMM, NATIVE_YMM_BYTES);
}

void matrix_random_avx512(struct machine *m, uint8_t *fx)
{
	random_bytes(m, fx + NATIVE_ZMM, NATIVE_STATE_BYTES - NATIVE_ZMM);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t k = (uint64_t)machine_random(m) << 32 ^ (uint64_t)machine_random(m) << 16 ^ machine_random(m);
		store_le(fx + NATIVE_K + 8 * i, 8, chance(m, 4) ? 0 - (uint64_t)chance(m, 2) : k);
	}
}

/* Bytes from `at` on of a vector register. */
static uint8_t *vector_at(uint8_t *fx, unsigned reg, unsigned at)
{
	if (reg >= 16)
		return fx + NATIVE_HI16 + 64 * (reg - 16) + at;
	if (at >= 32)
		return fx + NATIVE_ZMM + 32 * reg + at - 32;
	return fx + (at < 16 ? 160 : NATIVE_YMM - 16) + 16 * reg + at;
}

/* All elements lie in the MATRIX_INSIDE bytes at the operand. */
void matrix_small_indexes(struct machine *m, const struct insn *in, uint8_t *fx)
{
	unsigned size = insn_index_size(in), bytes = in->encoding == ENC_EVEX ? 64 : 32;

	for (unsigned i = 0; i < bytes; i += size)
		store_le(vector_at(fx, in->vsib_index, i), size,
			 machine_random(m) % ((MATRIX_INSIDE - 8u) / in->scale));
}

static uint32_t pick_stack(struct machine *m, const struct layout *l)
{
	uint32_t at = pick_offset(m, l, SEG_SS, l->seg[SEG_SS].big ? 4 : 2, 32);

	/* A fault in real-address mode pushes its frame here; at 1, 3 or 5 that would be a triple fault. */
	if (l->mode == ISA_REAL || !chance(m, 8))
		at &= ~3u;
	return l->seg[SEG_SS].big ? at : (at & 0xffff) | (machine_random(m) << 16);
}

void matrix_start_state(struct machine *m, const struct layout *l, struct native_state *s)
{
	for (unsigned i = 0; i < 8; i++)
		s->gpr[i] = random_value(m);
	s->gpr[RSP] = pick_stack(m, l);
	s->rip = CODE_AT;
	s->rflags = (uint32_t)(machine_random(m) & (FLAGS_ARITH | FLAG_DF)) | FLAG_1;
	matrix_random_x87(m, s->fx);
}

uint32_t matrix_offset(struct machine *m, const struct layout *l, unsigned seg, unsigned addrsize)
{
	return pick_offset(m, l, seg, addrsize, MATRIX_INSIDE);
}

bool matrix_case(struct machine *m, const struct layout *l, const struct encoding *e, struct test_case *c)
{
	uint32_t operand = 0;
	unsigned tries = 0;

	memset(c, 0, sizeof(*c));
	while (!matrix_try_encoding(m, l, e, &c->in))
		if (++tries == 200)
			return false;
	matrix_start_state(m, l, &c->start);
	prepare_implicit(m, l, c);
	if (c->in.has_mem && !c->in.agen) {
		/* 16-bit addresses of large x87 operands wrap at 64 KiB piece by piece, in ways of the processor's own.
		 */
		bool pieces = c->in.addrsize == 2 && c->in.mem_size >= 10 && (insn_rows[c->in.id].checks & CHK_FPU);
		operand = pick_offset(m, l, c->in.seg, c->in.addrsize,
				      pieces || c->in.vsib || c->in.id == INSN_BOUND ? MATRIX_INSIDE
										     : MAX(c->in.mem_size, 1));
		if (c->in.vsib)
			matrix_small_indexes(m, &c->in, c->start.fx);
		solve(m, &c->in, c->start.gpr, operand);
	}
	if (insn_rows[c->in.id].class == CLASS_BRANCH)
		prepare_branch(m, l, c, operand);
	return true;
}
