/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random code: noise, instructions that decode, and short sequences that noise would hardly ever contain.
 */
#include <string.h>

#include "cpu/decode.h"
#include "guest.h"

void code_put(struct code *c, unsigned n, uint64_t value)
{
	for (unsigned i = 0; i < n && c->len < c->cap; i++, value >>= 8)
		c->out[c->len++] = (uint8_t)value;
}

/* 66h where the default operand size is not `size`. */
void code_put_opsize(struct code *c, unsigned size)
{
	if (size != c->size)
		code_put(c, 1, 0x66);
}

void code_put_addrsize(struct code *c, unsigned size)
{
	if (size != c->size)
		code_put(c, 1, 0x67);
}

unsigned code_random_size(struct code *c)
{
	return rng_percent(c->r, 75) ? c->size : 6 - c->size;
}

uint32_t guest_number(struct rng *r)
{
	static const uint32_t pool[] = {0,	1,	 2,	  3,	      4,	  7,	   8,	     0x7f,
					0x80,	0xff,	 0x100,	  0xfff,      0x1000,	  0x7fff,  0x8000,   0xfffe,
					0xffff, 0x10000, 0x10001, 0x7fffffff, 0x80000000, ~0u - 7, ~0u - 3,  ~0u - 1,
					~0u,	0xfff0,	 0xfffff, 0x100000,   0x11ffff,	  ISA_RAM, ISA_ALIAS};

	switch (rng_below(r, 4)) {
	case 0:
		return rng_below(r, 64);
	case 1:
		return rng_u32(r) >> rng_below(r, 32);
	default:
		return RNG_PICK(r, pool);
	}
}

uint32_t guest_address(struct rng *r)
{
	static const uint32_t pool[] = {ISA_STACK, ISA_STACK0, ISA_IDT,	    ISA_GDT,	ISA_TSS, ISA_TSS2,
					0,	   0x10000,    0x100000,    ISA_RAM,	ISA_IO,	 ISA_ALIAS + GUEST_CODE,
					ISA_ALIAS, ISA_BASED,  0xfffffff0u, 0x80000000u};
	uint32_t jitter = rng_percent(r, 50) ? rng_below(r, 32) - 16 : rng_below(r, 0x400);

	switch (rng_below(r, 8)) {
	case 0:
	case 1:
		return GUEST_CODE + rng_below(r, GUEST_CODE_BYTES);
	case 2:
		return GUEST_FAR_CODE + rng_below(r, 0x400);
	case 3:
	case 4:
		return ISA_STACK + rng_below(r, 0x2000);
	case 5:
		return ALIGN_DOWN(rng_below(r, ISA_RAM), 0x1000u) + rng_below(r, 32) - 16;
	default:
		return RNG_PICK(r, pool) + jitter;
	}
}

uint16_t guest_selector(struct rng *r)
{
	if (rng_percent(r, 5))
		return (uint16_t)rng_u32(r);
	return (uint16_t)(rng_below(r, ISA_GDT_BYTES / 8) * 8 + (rng_percent(r, 30)   ? rng_below(r, 8)
								 : rng_percent(r, 50) ? 3
										      : 0));
}

/* --- single instructions --- */

static void random_prefixes(struct code *c)
{
	static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};

	while (rng_percent(c->r, 30)) {
		switch (rng_below(c->r, 8)) {
		case 0:
		case 1:
			code_put(c, 1, 0x66);
			break;
		case 2:
			code_put(c, 1, 0x67);
			break;
		case 3:
			code_put(c, 1, rng_percent(c->r, 50) ? 0xf2 : 0xf3);
			break;
		case 4:
			code_put(c, 1, rng_percent(c->r, 50) ? 0xf0 : 0xf3);
			break;
		default:
			code_put(c, 1, RNG_PICK(c->r, segments));
		}
	}
	if (c->size == 8 && rng_percent(c->r, 60))
		code_put(c, 1, 0x40 | rng_below(c->r, 16));
}

static void random_opcode(struct code *c)
{
	unsigned what = rng_below(c->r, 100);

	if (what < 60) {
		code_put(c, 1, rng_u32(c->r));
	} else if (what < 90) {
		code_put(c, 1, 0x0f);
		code_put(c, 1, rng_u32(c->r));
	} else if (what < 96) {
		code_put(c, 1, 0x0f);
		code_put(c, 1, rng_percent(c->r, 50) ? 0x38 : 0x3a);
		code_put(c, 1, rng_u32(c->r));
	} else {
		code_put(c, 1, rng_percent(c->r, 45) ? 0xc5 : rng_percent(c->r, 80) ? 0xc4 : 0x62);
		code_put(c, 1, rng_u32(c->r) | 0xc0);
	}
}

/* Displacements, branch targets and addresses of things that exist. */
static void aim(struct code *c, uint8_t *bytes, const struct insn *in)
{
	struct rng *r = c->r;
	uint32_t here = c->offset + (uint32_t)(bytes - c->out) + in->len;

	if (in->disp_len >= 2 && rng_percent(r, 70))
		store_le(bytes + in->disp_off, in->disp_len,
			 in->base == REG_NONE && in->index == REG_NONE ? guest_address(r) : guest_number(r));
	if (!in->imm_len || in->op[0].kind != OPD_REL)
		return;
	if (rng_percent(r, 80))
		store_le(bytes + in->imm_off, in->imm_len, rng_below(r, 96) - 40);
	else if (in->imm_len > 1)
		store_le(bytes + in->imm_off, in->imm_len, guest_address(r) - here);
}

void code_valid_insn(struct code *c)
{
	unsigned at = c->len;

	if (c->cap - at < 2 * INSN_MAX_BYTES) {
		code_put(c, 1, 0x90);
		return;
	}
	for (unsigned tries = 0; tries < 6; tries++) {
		struct insn in;
		c->len = at;
		random_prefixes(c);
		random_opcode(c);
		rng_bytes(c->r, c->out + c->len, INSN_MAX_BYTES);
		if (insn_decode(&in, c->out + at, INSN_MAX_BYTES, c->size) || in.id == INSN_INVALID)
			continue;
		/* HLT and the like end the case soon. */
		if (in.id == INSN_HLT && rng_percent(c->r, 90))
			continue;
		aim(c, c->out + at, &in);
		c->len = at + in.len;
		return;
	}
	c->len = at + 1;
}

void code_noise(struct code *c)
{
	for (unsigned n = 1 + rng_below(c->r, 8); n; n--)
		code_put(c, 1, rng_u32(c->r));
}

void code_generate(struct code *c)
{
	unsigned noisy = rng_percent(c->r, 10) ? 60 : 2;

	while (c->len + 64 < c->cap) {
		if (rng_percent(c->r, noisy))
			code_noise(c);
		else if (rng_percent(c->r, 4))
			code_evex(c, UINT32_MAX);
		else if (rng_percent(c->r, c->size == 8 ? 65 : 25))
			(c->size == 8 ? code64_sequence : code_sequence)(c);
		else
			code_valid_insn(c);
	}
	memset(c->out + c->len, 0xf4, c->cap - c->len);
	c->len = c->cap;
}

void fuzz_code(struct rng *r, uint8_t *out, unsigned len, unsigned size, uint32_t offset, uint32_t linear)
{
	struct code c = {.r = r, .out = out, .cap = len, .size = size, .offset = offset, .linear = linear};

	code_generate(&c);
}
