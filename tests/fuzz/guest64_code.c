/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random 64-bit code: addresses, and short sequences that noise would hardly ever contain. */
#include "guest.h"

const uint64_t guest64_places[GUEST64_PLACES] = {
    0x30000000,
    0x8ffffc000,
    0x12ffffc000,
    0x7ffe00000000,
    0x7fffffff8000 /* the last ones of the lower half */,
    0xffff800000000000ull,
    0xffff8812ffffc000ull,
    0xffffffff80000000ull,
};

uint64_t guest64_address(struct rng *r)
{
	static const uint64_t odd[] = {0x7fffffffffff,	      0x800000000000, 0xffff7fffffffffffull,
				       0x8000000000000000ull, ~0ull,	      0,
				       0x100000000,	      0xffffffff};
	uint64_t place = RNG_PICK(r, guest64_places);

	switch (rng_below(r, 16)) {
	case 0:
		return RNG_PICK(r, odd) + rng_below(r, 32) - 16;
	case 1: /* not canonical, or another chunk */
		return (place + rng_below(r, GUEST64_PLACE_BYTES)) ^ BIT(32 + rng_below(r, 32));
	case 2:
	case 3:
		return GUEST_CODE + rng_below(r, GUEST_CODE_BYTES);
	case 4:
		return place + (rng_percent(r, 50) ? GUEST64_PLACE_BYTES : 0) + rng_below(r, 64) - 32;
	case 5:
	case 6:
	case 7: /* across pages, and 4 GiB */
		return place + GUEST64_PLACE_BYTES / 2 + rng_below(r, 64) - 32;
	default:
		return place + (rng_below(r, GUEST64_PLACE_BYTES) & ~7u);
	}
}

uint64_t guest64_number(struct rng *r)
{
	static const uint64_t pool[] = {0,	 1,	      7,       8,	0x3f,	    0x40,	 0x7f,
					0x80,	 0x7fff,      0xffff,  BIT(31), 0x7fffffff, BIT(32) - 1, BIT(32),
					BIT(47), 0 - BIT(47), BIT(63), ~0ull,	~7ull,	    0 - BIT(31)};

	return rng_percent(r, 60) ? RNG_PICK(r, pool) : rng_u64(r) >> rng_below(r, 64);
}

/* --- code --- */

static void rex(struct code *c, unsigned w, unsigned reg, unsigned base)
{
	code_put(c, 1, 0x40 | w << 3 | reg >> 3 << 2 | base >> 3);
}

static void mov_reg(struct code *c, unsigned reg, uint64_t value)
{
	rex(c, 1, 0, reg);
	code_put(c, 1, 0xb8 | (reg & 7));
	code_put(c, 8, value);
}

/* ModRM and what follows, for [base + disp]. */
static void operand(struct code *c, unsigned reg, unsigned base, int32_t disp)
{
	code_put(c, 1, 0x80 | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == RSP)
		code_put(c, 1, 0x24);
	code_put(c, 4, (uint32_t)disp);
}

static unsigned any_reg(struct code *c)
{
	return rng_below(c->r, 16);
}

/* A pointer, and a few accesses by it, or by what is made of it. */
static void pointer(struct code *c)
{
	static const uint8_t ops[] = {0x8b, 0x89, 0x01, 0x03, 0x31, 0x39, 0x63, 0x87, 0x8d};
	static const int32_t disps[] = {0, 8, -8, 0x40, 0xff8, -0x1000, 0x100000, -0x100000, 0x100001, INT32_MAX};
	unsigned base = any_reg(c), other = any_reg(c);

	if (base == RSP)
		base = rng_percent(c->r, 50) ? RBX : RSP;
	mov_reg(c, base, guest64_address(c->r) & ~(rng_percent(c->r, 70) ? 15ull : 0));
	for (unsigned n = 1 + rng_below(c->r, 4); n; n--) {
		unsigned reg = any_reg(c);
		if (rng_percent(c->r, 25)) { /* add, mov, xchg of pointers */
			rex(c, 1, base, other);
			code_put(c, 1, RNG_PICK(c->r, ((const uint8_t[]){0x01, 0x89, 0x87, 0x29})));
			code_put(c, 1, 0xc0 | (base & 7) << 3 | (other & 7));
			base = rng_percent(c->r, 50) ? base : other;
		}
		rex(c, rng_percent(c->r, 80), reg, base);
		code_put(c, 1, RNG_PICK(c->r, ops));
		operand(c, reg, base,
			rng_percent(c->r, 60) ? (int32_t)rng_below(c->r, 64) - 32 : RNG_PICK(c->r, disps));
	}
}

static void string_op(struct code *c)
{
	static const uint8_t ops[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};

	if (rng_percent(c->r, 85))
		mov_reg(c, RCX, rng_percent(c->r, 85) ? rng_below(c->r, 80) : guest64_number(c->r));
	if (rng_percent(c->r, 70))
		mov_reg(c, RSI, guest64_address(c->r));
	if (rng_percent(c->r, 80))
		mov_reg(c, RDI, guest64_address(c->r));
	if (rng_percent(c->r, 20))
		code_put(c, 1, 0xfc + rng_below(c->r, 2));
	if (rng_percent(c->r, 15))
		code_put(c, 1, RNG_PICK(c->r, ((const uint8_t[]){0x64, 0x65, 0x66, 0x67})));
	if (rng_percent(c->r, 75))
		code_put(c, 1, 0xf2 + rng_below(c->r, 2));
	if (rng_percent(c->r, 60))
		rex(c, 1, 0, 0);
	code_put(c, 1, RNG_PICK(c->r, ops));
}

/* A store over code near here, by a constant address. */
static void self_modify(struct code *c)
{
	static const uint8_t one_byte[] = {0x90, 0x48, 0x41, 0x50, 0x58, 0xf5, 0xf8, 0xf9, 0xfc, 0xcc, 0xc3};
	uint32_t at = c->linear + c->len + rng_below(c->r, 128) - 48;

	code_put(c, 3, rng_percent(c->r, 50) ? 0x2504c6 : 0x2504c7);
	code_put(c, 4, at);
	if (c->out[c->len - 7] == 0xc6)
		code_put(c, 1, RNG_PICK(c->r, one_byte));
	else
		code_put(c, 4, rng_u32(c->r));
}

static void counted_loop(struct code *c)
{
	unsigned begin;

	mov_reg(c, RCX, 1 + rng_below(c->r, 20));
	begin = c->len;
	for (unsigned body = 1 + rng_below(c->r, 3); body; body--)
		code_valid_insn(c);
	if (rng_percent(c->r, 30))
		self_modify(c);
	code_put(c, 1, 0xe2);
	code_put(c, 1, begin - c->len - 1);
}

static void stack_and_calls(struct code *c)
{
	if (rng_percent(c->r, 30))
		mov_reg(c, RSP, guest64_address(c->r) & ~(rng_percent(c->r, 85) ? 7ull : 0));
	for (unsigned n = 1 + rng_below(c->r, 4); n; n--) {
		if (rng_percent(c->r, 30))
			rex(c, 0, 0, any_reg(c));
		code_put(c, 1, 0x50 + rng_below(c->r, 16));
	}
	if (rng_percent(c->r, 50))
		return;
	code_put(c, 1, 0xe8); /* call f; jmp over; f: ...; ret */
	code_put(c, 4, 2);
	code_put(c, 2, 0x10eb);
	code_put(c, 1, 0xc3);
}

static void system_insn(struct code *c)
{
	uint64_t page = RNG_PICK(c->r, guest64_places) + rng_below(c->r, 8) * PAGE_SIZE;
	unsigned reg = any_reg(c);

	switch (rng_below(c->r, 7)) {
	case 0: /* rdfsbase, rdgsbase, wrfsbase, wrgsbase */
		mov_reg(c, reg, guest64_address(c->r));
		code_put(c, 1, 0xf3);
		rex(c, rng_percent(c->r, 80), 0, reg);
		code_put(c, 2, 0xae0f);
		code_put(c, 1, 0xc0 | rng_below(c->r, 4) << 3 | (reg & 7));
		break;
	case 1: /* swapgs */
		code_put(c, 3, 0xf8010f);
		break;
	case 2: /* mov rax, cr3; mov cr3, rax */
		code_put(c, 3, 0xd8200f);
		code_put(c, 3, 0xd8220f);
		break;
	case 3: /* invlpg [rbx] */
		mov_reg(c, RBX, page);
		code_put(c, 3, 0x3b010f);
		break;
	case 4: /* xor byte [entry of a table], bits */
		mov_reg(c, RBX, GUEST64_TABLES + rng_below(c->r, GUEST64_TABLES_BYTES));
		code_put(c, 2, 0x3380);
		code_put(c, 1, RNG_PICK(c->r, ((const uint8_t[]){1, 2, 4, 0x20, 0x40, 0x80})));
		break;
	case 5:
		code_put(c, 2, 0x9d9c);
		break;
	default:
		code_put(c, 1, 0xcd);
		code_put(c, 1, rng_below(c->r, 40));
	}
}

static void set_register(struct code *c)
{
	mov_reg(c, any_reg(c), rng_percent(c->r, 60) ? guest64_address(c->r) : guest64_number(c->r));
}

/* As pointer(), of vectors. */
static void vectors(struct code *c)
{
	unsigned base = any_reg(c), index = any_reg(c);

	if (rng_percent(c->r, 85))
		mov_reg(c, base, guest64_address(c->r) & ~(rng_percent(c->r, 70) ? 63ull : 0));
	if (rng_percent(c->r, 30))
		mov_reg(c, index, rng_percent(c->r, 70) ? rng_below(c->r, 64) : guest64_number(c->r));
	code_evex_sequence(c, base);
}

void code64_sequence(struct code *c)
{
	static void (*const sequences[])(struct code *) = {pointer,	pointer,      pointer,	       string_op,
							   string_op,	self_modify,  counted_loop,    stack_and_calls,
							   system_insn, set_register, stack_and_calls, code_noise,
							   vectors,	vectors,      vectors};

	RNG_PICK(c->r, sequences)(c);
}
