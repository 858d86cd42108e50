/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As matrix_gen.c, for 64-bit code: all registers in all roles, addresses in two chunks, bases of FS and GS. */
#include <string.h>

#include "matrix.h"

static bool chance(struct machine *m, unsigned one_in)
{
	return machine_random(m) % one_in == 0;
}

static uint64_t random64(struct machine *m)
{
	uint64_t v = machine_random(m);

	return v << 40 ^ (uint64_t)machine_random(m) << 20 ^ machine_random(m);
}

/* --- encodings --- */

static unsigned put_prefixes(struct machine *m, const struct encoding *e, uint8_t *to)
{
	static const uint8_t segments[6] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	static const uint8_t reps[2] = {0xf2, 0xf3};
	unsigned n = 0;

	if (chance(m, 4))
		to[n++] = segments[machine_random(m) % 6];
	if (chance(m, 6))
		to[n++] = 0x67;
	if (e->map >= 4)
		return n;
	if (chance(m, 5) && e->prefix != 0x66)
		to[n++] = 0x66;
	if (e->mem && chance(m, 6))
		to[n++] = 0xf0;
	if (insn_rows[e->id].class == CLASS_REWRITE && !e->prefix && chance(m, 2))
		to[n++] = reps[machine_random(m) % 2];
	if (n && chance(m, 12)) { /* ignored: another prefix follows */
		to[n] = to[n - 1];
		to[n - 1] = (uint8_t)(REX_ANY | (machine_random(m) & 15));
		n++;
	}
	return n;
}

static uint8_t random_rex(struct machine *m, const struct encoding *e)
{
	uint8_t bits = (uint8_t)(machine_random(m) & (chance(m, 2) ? 7 : 15));

	if (e->map >= 4)
		return bits & 7;
	return e->rex || chance(m, 2) ? (uint8_t)(REX_ANY | e->rex | bits) : 0;
}

static uint8_t random_vex(struct machine *m)
{
	unsigned vvvv = chance(m, 2) ? VEX_NO_VVVV : (machine_random(m) & 15) << 3;

	return (uint8_t)(vvvv | (machine_random(m) & (VEX_W | VEX_L)));
}

/* EVEX's own: R', V' (inverted), zeroing, length, broadcast or rounding, opmask register. */
static void randomize_evex(struct machine *m, uint8_t *evex)
{
	enum { R_HIGH = 0x10, Z = 0x80, B = 0x10 };
	uint8_t last = (uint8_t)(machine_random(m) % (chance(m, 16) ? 4 : 3) << 5);

	if (chance(m, 2))
		evex[1] &= (uint8_t)~R_HIGH;
	last |= chance(m, 3) ? 0 : EVEX_NO_V;
	last |= chance(m, 3) ? B : 0;
	if (!chance(m, 3))
		last |= machine_random(m) & 7;
	if (chance(m, 3))
		last |= Z;
	evex[3] = last;
}

/* VEX of three bytes becomes that of two where it can. */
static unsigned shorten_vex(uint8_t *vex, unsigned len)
{
	if (len < 3 || vex[0] != 0xc4 || (vex[1] & 0x7f) != 0x61 || (vex[2] & VEX_W))
		return len;
	vex[0] = 0xc5;
	vex[1] = (uint8_t)((vex[1] & 0x80) | vex[2]);
	memmove(vex + 2, vex + 3, len - 3);
	return len - 1;
}

bool matrix64_try_encoding(struct machine *m, const struct encoding *e, struct insn *in)
{
	uint8_t bytes[32];
	unsigned n = put_prefixes(m, e, bytes), len;

	len = matrix_put_opcode(bytes + n, e, random_rex(m, e), random_vex(m));
	if (e->map >= MAP_EVEX)
		randomize_evex(m, bytes + n);
	else if (chance(m, 2))
		len = shorten_vex(bytes + n, len);
	n += len;
	for (unsigned i = 0; i < 14; i++)
		bytes[n + i] = (uint8_t)machine_random(m);
	bytes[n] = (uint8_t)((bytes[n] & 0x3f) | (e->mem ? machine_random(m) % 3 : 3) << 6);
	if (insn_decode(in, bytes, INSN_MAX_BYTES, 8) || in->id != e->id)
		return false;
	/* Intel's ignore it, AMD's make the target one of 16 bits. */
	return insn_rows[in->id].class != CLASS_BRANCH || !(in->prefixes & PFX_OPSIZE);
}

/* --- addresses --- */

static const struct {
	uint64_t from, to;
} places[] = {
    {LOW_LINEAR + DATA_FROM, LOW_LINEAR + DATA_TO},
    {HIGH_LINEAR, HIGH_LINEAR + HIGH_TO - HIGH_FROM},
};

static uint64_t inside(struct machine *m, unsigned place, unsigned size)
{
	uint64_t room = places[place].to - places[place].from - size;
	uint64_t at = places[place].from + machine_random(m) % room;

	return size >= 16 && !chance(m, 8) ? ALIGN_UP(at, 64ull) : at;
}

/* Beyond an end, partly or as a whole; across 4 GiB; not canonical; else inside. */
static uint64_t pick(struct machine *m, bool low, unsigned size)
{
	unsigned place = low ? 0 : machine_random(m) % 2;
	uint64_t at;

	if (size == MATRIX_INSIDE)
		return inside(m, place, size);
	switch (machine_random(m) % 24) {
	case 0:
		at = places[place].to - machine_random(m) % (size + 1);
		break;
	case 1:
		at = places[place].from - machine_random(m) % (size + 1);
		break;
	case 2:
		at = low ? inside(m, place, size) : BIT(47) + machine_random(m) % 64;
		break;
	case 3:
		at = inside(m, place, size) ^ (low ? 0 : BIT(47 + machine_random(m) % 17));
		break;
	case 4:
	case 5:
		at = low ? inside(m, place, size) : (HIGH_LINEAR | 0xffffffff) + 1 - machine_random(m) % (size + 1);
		break;
	default:
		return inside(m, place, size);
	}
	return chance(m, 3) ? at & ~15ull : at;
}

uint64_t matrix64_address(struct machine *m, bool low)
{
	uint64_t across = HIGH_LINEAR | 0xffffffff;

	if (!low && chance(m, 5))
		return across + 1 - machine_random(m) % 96;
	return inside(m, low ? 0 : machine_random(m) % 2, MATRIX_INSIDE);
}

/* Must the address be one that the encoding holds? */
static bool constant_address(const struct insn *in)
{
	return in->base == REG_NONE && in->index == REG_NONE && !in->moffs;
}

/* The segment's base, so that an offset of the instruction can be at `linear`; the offset. */
static uint64_t choose_base(struct machine *m, struct test_case *c, uint64_t linear)
{
	const struct insn *in = &c->in;
	uint64_t *base = in->seg == SEG_FS ? &c->fs_base : &c->gs_base;
	uint64_t user = linear & (BIT(47) - 1), offset;

	if (in->seg != SEG_FS && in->seg != SEG_GS)
		return linear;
	offset = in->addrsize == 4 || constant_address(in) || chance(m, 3) ? machine_random(m) : random64(m) >> 18;
	*base = user > offset ? user - offset : chance(m, 2) ? 0 : user;
	return linear - *base;
}

static void patch_disp(struct insn *in, uint64_t disp)
{
	memcpy(in->bytes + in->disp_off, &disp, in->disp_len);
	in->disp = in->disp_len == 8 ? (int64_t)disp : (int32_t)disp;
}

static void set_address(struct machine *m, const struct insn *in, uint64_t *reg, uint64_t v)
{
	*reg = in->addrsize == 4 ? (uint32_t)v | random64(m) << 32 : v;
}

/* Chooses registers (or the displacement) so that the operand is at offset `at`, or near it. */
static void solve(struct machine *m, const struct layout *l, struct insn *in, uint64_t *gpr, uint64_t at)
{
	bool stack = in->base == RSP && in->stacksize_op;
	uint64_t index = 0;

	if (constant_address(in) || in->moffs) {
		patch_disp(in, at - (in->rip_relative ? layout_code(l) + in->len : 0));
		return;
	}
	if (in->index != REG_NONE && in->index != in->base) {
		uint64_t v = chance(m, 4) ? random64(m) : machine_random(m) % 300 - 40ull;
		set_address(m, in, &gpr[in->index], v);
		index = v * in->scale;
	}
	if (in->base == REG_NONE || stack) {
		uint64_t base = stack ? gpr[RSP] : 0;
		if (in->index != REG_NONE)
			set_address(m, in, &gpr[in->index], (at - base - (uint64_t)in->disp) / in->scale);
		else if (in->disp_len == 4)
			patch_disp(in, at - base);
	} else if (in->base == in->index) {
		set_address(m, in, &gpr[in->base], (at - (uint64_t)in->disp) / (in->scale + 1u));
	} else {
		set_address(m, in, &gpr[in->base], at - index - (uint64_t)in->disp);
	}
}

/* --- what instructions need --- */

static void put_word(struct test_case *c, uint64_t at, uint64_t value)
{
	c->word.used = true;
	c->word.at = at;
	c->word.value = value;
}

static void prepare_branch(struct machine *m, const struct layout *l, struct test_case *c, uint64_t operand)
{
	struct insn *in = &c->in;
	uint64_t code = layout_code(l), first = code - CODE_AT;
	uint64_t goal = first + CODE_FROM + 64 + machine_random(m) % (CODE_TO - CODE_FROM - 128);

	if (goal - code < INSN_MAX_BYTES) /* not into the instruction itself */
		goal += INSN_MAX_BYTES;
	if (in->op[0].kind == OPD_REL && chance(m, 2))
		set_address(m, in, &c->start.gpr[RCX], machine_random(m) % 3);
	if (in->op[0].kind == OPD_REL && in->imm_len == 1) {
		if (-(int8_t)in->bytes[in->imm_off] <= in->len)
			in->bytes[in->imm_off] &= 0x7f;
	} else if (in->op[0].kind == OPD_REL) {
		uint32_t disp = (uint32_t)(goal - code - in->len);
		memcpy(in->bytes + in->imm_off, &disp, 4);
	}
	if (chance(m, 8))
		goal ^= BIT(47 + machine_random(m) % 17);
	if (in->id == INSN_RET)
		put_word(c, c->start.gpr[RSP], goal);
	else if (in->has_mem)
		put_word(c, operand, goal);
	else if (in->op[0].kind == OPD_GPR)
		c->start.gpr[in->op[0].reg] = goal;
}

/* Bits of the flags that POPF may find: none that ends in a trap or depends on the host. */
static uint64_t popped_flags(struct machine *m)
{
	return (machine_random(m) & (FLAGS_ARITH | FLAG_DF)) | FLAG_1 | FLAG_IF;
}

static void prepare_string(struct machine *m, struct test_case *c)
{
	struct insn *in = &c->in;
	uint64_t *gpr = c->start.gpr;
	bool low = in->addrsize == 4;

	set_address(m, in, &gpr[RDI], pick(m, low, 16));
	set_address(m, in, &gpr[RSI], choose_base(m, c, pick(m, low && in->seg != SEG_FS && in->seg != SEG_GS, 16)));
	set_address(m, in, &gpr[RCX], machine_random(m) % 24);
}

static void prepare_implicit(struct machine *m, struct test_case *c)
{
	struct insn *in = &c->in;
	uint64_t *gpr = c->start.gpr;
	bool low = in->addrsize == 4, based = in->seg == SEG_FS || in->seg == SEG_GS;

	switch (in->id) {
	case INSN_MOVSB ... INSN_SCASQ:
	case INSN_MOVSD_STRING:
	case INSN_CMPSD_STRING:
		prepare_string(m, c);
		break;
	case INSN_XLAT:
		set_address(m, in, &gpr[RBX], choose_base(m, c, pick(m, low && !based, 1)) - (uint8_t)gpr[RAX]);
		break;
	case INSN_MASKMOVQ:
	case INSN_MASKMOVDQU:
	case INSN_VMASKMOVDQU:
		set_address(m, in, &gpr[RDI], choose_base(m, c, pick(m, low && !based, MATRIX_INSIDE)));
		break;
	case INSN_BT_MEM_REG ... INSN_BTC_MEM_REG:
		gpr[in->op[1].reg] = chance(m, 8) ? random64(m) : machine_random(m) % 0x4000 - 0x2000ull;
		break;
	case INSN_ENTER:
		in->bytes[in->imm_off + 1] &= 3;
		gpr[RBP] = gpr[RSP] + machine_random(m) % 256;
		break;
	case INSN_LEAVE:
		gpr[RBP] = pick(m, false, 8);
		break;
	case INSN_POPF:
	case INSN_POPFQ:
		gpr[RSP] &= ~7ull;
		put_word(c, gpr[RSP], popped_flags(m));
		break;
	case INSN_DIV:
	case INSN_IDIV:
		if (!chance(m, 3))
			gpr[RDX] = machine_random(m) % 16;
		break;
	}
}

static uint64_t random_value(struct machine *m)
{
	static const uint64_t special[] = {0,	       1,	    0x7f,	    0x80,    0xff,
					   0x7fff,     0x8000,	    0x7fffffff,	    BIT(31), 0xffffffff,
					   BIT(32),    BIT(47) - 1, 0 - BIT(47),    BIT(63), ~0ull,
					   ~0ull >> 1, 0 - BIT(31), 0xffffffff0000, 63,	     64};
	uint64_t v = random64(m);

	return chance(m, 4) ? special[v % ARRAY_LEN(special)] : chance(m, 4) ? v & 0xff : v;
}

void matrix64_start_state(struct machine *m, struct native_state *s)
{
	for (unsigned i = 0; i < 16; i++)
		s->gpr[i] = random_value(m);
	s->gpr[RSP] = pick(m, false, 32);
	if (!chance(m, 8))
		s->gpr[RSP] &= ~7ull;
	s->rip = LOW_LINEAR + CODE_AT;
	s->rflags = (machine_random(m) & (FLAGS_ARITH | FLAG_DF)) | FLAG_1;
	matrix_random_x87(m, s->fx);
	if (m->cpu.xcr0 & XCR0_AVX512)
		matrix_random_avx512(m, s->fx);
}

/* A bit's number in a register that is part of the address, too, is an address: anywhere. */
static bool anywhere(const struct insn *in)
{
	return in->id >= INSN_BT_MEM_REG && in->id <= INSN_BTC_MEM_REG &&
	       (in->op[1].reg == in->base || in->op[1].reg == in->index);
}

bool matrix64_case(struct machine *m, const struct layout *l, const struct encoding *e, struct test_case *c)
{
	const struct insn *in = &c->in;
	uint64_t operand = 0;
	unsigned tries = 0;

	memset(c, 0, sizeof(*c));
	while (!matrix64_try_encoding(m, e, &c->in) || anywhere(in))
		if (++tries == 1000)
			return false;
	matrix64_start_state(m, &c->start);
	prepare_implicit(m, c);
	if (in->has_mem && !in->agen) {
		bool based = in->seg == SEG_FS || in->seg == SEG_GS;
		bool low = !based && (in->addrsize == 4 || constant_address(in));
		operand = pick(m, low, in->vsib ? MATRIX_INSIDE : MAX(in->mem_size, 1));
		if (in->vsib)
			matrix_small_indexes(m, in, c->start.fx);
		solve(m, l, &c->in, c->start.gpr, choose_base(m, c, operand));
	}
	if (insn_rows[in->id].class == CLASS_BRANCH)
		prepare_branch(m, l, c, operand);
	return true;
}
