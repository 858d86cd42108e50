/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random instructions of AVX-512: EVEX with all its fields, whether or not they go together, and what opmask registers
 * make of accesses.
 */
#include <string.h>

#include "cpu/decode.h"
#include "cpu/fpu.h"
#include "cpu/sys.h"
#include "guest.h"

/* Those that are special to operands: masked element by element, packed, narrowed, gathered; or with general registers.
 */
static const struct evex {
	uint8_t map, pp, opcode;
} special[] = {
    {1, 0, 0x10}, {1, 1, 0x11}, {1, 2, 0x10}, {1, 3, 0x11},				/* VMOVUPS to VMOVSD */
    {1, 1, 0x6f}, {1, 1, 0x7f}, {1, 2, 0x6f}, {1, 2, 0x7f}, {1, 3, 0x6f}, {1, 3, 0x7f}, /* VMOVDQA32 to VMOVDQU16 */
    {2, 1, 0x88}, {2, 1, 0x89}, {2, 1, 0x8a}, {2, 1, 0x8b},				/* VEXPANDPS to VPCOMPRESSQ */
    {2, 1, 0x62}, {2, 1, 0x63},								/* VPEXPANDB to VPCOMPRESSW */
    {2, 2, 0x30}, {2, 2, 0x31}, {2, 2, 0x32}, {2, 2, 0x33}, {2, 2, 0x24}, {2, 2, 0x15}, /* VPMOVWB and its like */
    {2, 1, 0x90}, {2, 1, 0x91}, {2, 1, 0x92}, {2, 1, 0x93},				/* gathers */
    {2, 1, 0xa0}, {2, 1, 0xa1}, {2, 1, 0xa2}, {2, 1, 0xa3},				/* scatters */
    {2, 3, 0x68},									/* VP2INTERSECT */
    {2, 1, 0x18}, {2, 1, 0x19}, {2, 1, 0x1a}, {2, 1, 0x1b}, {2, 1, 0x59}, {2, 1, 0x5b}, /* broadcasts of memory */
    {2, 1, 0x7a}, {2, 1, 0x7b}, {2, 1, 0x7c}, {1, 1, 0x6e}, {1, 1, 0x7e}, {3, 1, 0x22}, /* of general registers */
    {3, 1, 0x14}, {3, 1, 0x15}, {3, 1, 0x16}, {3, 1, 0x17}, {3, 1, 0x1d}, {3, 1, 0x3b}, /* parts extracted */
    {1, 2, 0x2a}, {1, 3, 0x2c}, {1, 2, 0x2d}, {1, 3, 0x78}, {1, 3, 0x79}, {1, 2, 0x7b}, /* conversions */
    {1, 0, 0x2e}, {1, 1, 0xe7}, {2, 1, 0x2a}, {1, 1, 0xfe}, {2, 1, 0xa8},
};

static unsigned bits(struct code *c, unsigned mask)
{
	return rng_u32(c->r) & mask;
}

/* What may stand before EVEX, and what makes it no instruction. */
static void prefixes(struct code *c)
{
	static const uint8_t allowed[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67, 0x67},
			     wrong[] = {0x66, 0xf0, 0xf2, 0xf3, 0x41};

	while (rng_percent(c->r, 15))
		code_put(c, 1, RNG_PICK(c->r, allowed));
	if (rng_percent(c->r, 3))
		code_put(c, 1, RNG_PICK(c->r, wrong));
}

static void fields(struct code *c)
{
	static const uint8_t lengths[] = {0, 0x20, 0x40, 0x40};
	struct evex e = {(uint8_t)(1 + rng_below(c->r, 3)), (uint8_t)bits(c, 3), (uint8_t)bits(c, 0xff)};
	unsigned registers = c->size == 8 ? bits(c, 0xf0) : 0xd0 | bits(c, 0x30);
	unsigned vvvv = rng_percent(c->r, 45)
			    ? 0x78
			    : bits(c, c->size == 8 ? 0x78 : 0x38) | (c->size == 8 || rng_percent(c->r, 5) ? 0 : 0x40);
	unsigned last = rng_percent(c->r, 4) ? 0x60 : RNG_PICK(c->r, lengths);

	if (rng_percent(c->r, 45))
		e = RNG_PICK(c->r, special);
	if (rng_percent(c->r, 3)) /* reserved bits, other maps */
		registers ^= 8 | bits(c, 7);
	last |= rng_percent(c->r, 75) ? 8 : bits(c, 8);
	last |= rng_percent(c->r, 70) ? bits(c, 7) : 0;
	last |= rng_percent(c->r, 20) ? 0x10 : 0;
	last |= rng_percent(c->r, 20) ? 0x80 : 0;
	code_put(c, 1, 0x62);
	code_put(c, 1, registers | e.map);
	code_put(c, 1, bits(c, 0x80) | vvvv | (rng_percent(c->r, 99) ? 4 : 0) | e.pp);
	code_put(c, 1, last);
	code_put(c, 1, e.opcode);
}

/* [base + disp], [base + index * scale + disp], RIP-relative, anything; `base`: a register that points somewhere, or
 * UINT_MAX. The base's upper bit is EVEX's. */
static void operand(struct code *c, uint8_t *evex, unsigned base)
{
	unsigned mod = rng_below(c->r, 3), reg = bits(c, 0x38);

	if (base == UINT32_MAX || c->size == 2 || rng_percent(c->r, 20)) {
		code_put(c, 1, rng_percent(c->r, 25) ? 0xc0 | bits(c, 0x3f) : bits(c, 0xff));
		code_put(c, 1, bits(c, 0xff));
		return;
	}
	if (c->size == 8)
		evex[1] = (uint8_t)((evex[1] & ~0x20) | (base & 8 ? 0 : 0x20));
	if (mod == 0 && (base & 7) == RBP)
		mod = 1;
	if ((base & 7) == RSP || rng_percent(c->r, 25)) {
		code_put(c, 1, mod << 6 | reg | 4);
		code_put(c, 1, (rng_percent(c->r, 50) ? bits(c, 0xf8) : 0x20) | (base & 7));
	} else {
		code_put(c, 1, mod << 6 | reg | (base & 7));
	}
	if (mod == 1)
		code_put(c, 1, bits(c, 0xff));
	else if (mod == 2)
		code_put(c, 4, rng_percent(c->r, 85) ? rng_below(c->r, 0x200) - 0x100 : guest_number(c->r));
}

void code_evex(struct code *c, unsigned base)
{
	unsigned at = c->len, evex;

	if (c->cap - at < 3 * INSN_MAX_BYTES) {
		code_put(c, 1, 0x90);
		return;
	}
	for (unsigned tries = 0; tries < 24; tries++) {
		struct insn in;
		c->len = at;
		prefixes(c);
		evex = c->len;
		fields(c);
		operand(c, c->out + evex, base);
		rng_bytes(c->r, c->out + c->len, INSN_MAX_BYTES);
		if (!insn_decode(&in, c->out + at, INSN_MAX_BYTES, c->size) && in.id != INSN_INVALID) {
			c->len = at + in.len;
			return;
		}
	}
	/* What is none stays now and then. */
	c->len = rng_percent(c->r, 30) ? at + 7 : at;
}

/* KMOVQ or KMOVD k, register; KMOVW k, memory and the like come by code_valid_insn(). */
static void set_opmask(struct code *c)
{
	code_put(c, 2, 0xe1c4);
	code_put(c, 1, c->size == 8 && rng_percent(c->r, 70) ? 0xfb : 0x7b);
	code_put(c, 1, 0x92);
	code_put(c, 1, 0xc0 | bits(c, 0x3f));
}

/* VPBROADCASTD of a small number: indexes, for gathers and scatters. */
static void set_indexes(struct code *c)
{
	code_put(c, 1, 0x62);
	code_put(c, 1, c->size == 8 ? 0x62 | bits(c, 0x90) : 0xf2);
	code_put(c, 3, 0x7c487d);
	code_put(c, 1, 0xc0 | bits(c, 0x3f));
}

void code_evex_sequence(struct code *c, unsigned base)
{
	if (rng_percent(c->r, 30))
		set_opmask(c);
	if (rng_percent(c->r, 15))
		set_indexes(c);
	for (unsigned n = 1 + rng_below(c->r, 4); n; n--)
		code_evex(c, base);
}

void guest_evex_state(struct cpu *cpu, struct rng *r)
{
	uint8_t *image = cpu->fpu.image;

	if (!cpu_has(cpu, FEAT_AVX512F) || !rng_percent(r, 85))
		return;
	cpu->cr4 |= CR4_OSXSAVE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	cpu->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512;
	rng_bytes(r, image + FX_ZMM, CPU_XSAVE_BYTES - FX_ZMM);
	for (unsigned i = 0; i < 8; i++)
		store_le(image + FX_K + 8 * i, 8,
			 rng_percent(r, 20)   ? 0
			 : rng_percent(r, 25) ? ~0ull
					      : rng_u64(r) >> rng_below(r, 64));
	for (unsigned i = 16; i < 32; i++) /* indexes that lead somewhere */
		for (unsigned at = 0; at < 64 && i % 4 == 0; at += 4)
			store_le(image + FX_HI16 + 64 * (i - 16) + at, 4, rng_below(r, 0x400));
}
