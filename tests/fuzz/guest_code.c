/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random code: noise, instructions that decode, and short sequences that noise would hardly ever contain.
 */
#include <string.h>

#include "cpu/decode.h"
#include "guest.h"

static void put(struct code *c, unsigned n, uint64_t value)
{
	for (unsigned i = 0; i < n && c->len < c->cap; i++, value >>= 8)
		c->out[c->len++] = (uint8_t)value;
}

/* 66h where the default operand size is not `size`. */
static void put_opsize(struct code *c, unsigned size)
{
	if (size != c->size)
		put(c, 1, 0x66);
}

static void put_addrsize(struct code *c, unsigned size)
{
	if (size != c->size)
		put(c, 1, 0x67);
}

static unsigned random_size(struct code *c)
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
			put(c, 1, 0x66);
			break;
		case 2:
			put(c, 1, 0x67);
			break;
		case 3:
			put(c, 1, rng_percent(c->r, 50) ? 0xf2 : 0xf3);
			break;
		case 4:
			put(c, 1, rng_percent(c->r, 50) ? 0xf0 : 0xf3);
			break;
		default:
			put(c, 1, RNG_PICK(c->r, segments));
		}
	}
}

static void random_opcode(struct code *c)
{
	unsigned what = rng_below(c->r, 100);

	if (what < 60) {
		put(c, 1, rng_u32(c->r));
	} else if (what < 90) {
		put(c, 1, 0x0f);
		put(c, 1, rng_u32(c->r));
	} else if (what < 96) {
		put(c, 1, 0x0f);
		put(c, 1, rng_percent(c->r, 50) ? 0x38 : 0x3a);
		put(c, 1, rng_u32(c->r));
	} else {
		put(c, 1, rng_percent(c->r, 45) ? 0xc5 : rng_percent(c->r, 80) ? 0xc4 : 0x62);
		put(c, 1, rng_u32(c->r) | 0xc0);
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

static void valid_insn(struct code *c)
{
	unsigned at = c->len;

	if (c->cap - at < 2 * INSN_MAX_BYTES) {
		put(c, 1, 0x90);
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

static void noise(struct code *c)
{
	for (unsigned n = 1 + rng_below(c->r, 8); n; n--)
		put(c, 1, rng_u32(c->r));
}

/* --- sequences --- */

static void mov_reg(struct code *c, unsigned reg, uint32_t value)
{
	put(c, 1, 0xb8 + reg);
	put(c, c->size, value);
}

static void put_store(struct code *c, uint32_t offset, unsigned bytes, uint64_t value)
{
	unsigned size = random_size(c);

	put_addrsize(c, size);
	if (bytes > 1)
		put_opsize(c, bytes);
	put(c, 1, bytes == 1 ? 0xc6 : 0xc7);
	put(c, 1, size == 4 ? 0x05 : 0x06);
	put(c, size, offset);
	put(c, bytes, value);
}

/* A store over code: behind it, before it, into itself; sometimes an instruction that makes sense. */
static void self_modify(struct code *c)
{
	static const uint8_t one_byte[] = {0x90, 0x40, 0x41, 0x4b, 0x50, 0x58, 0xf5, 0xf8,
					   0xf9, 0xfc, 0xfd, 0xcc, 0x06, 0x07, 0xc3};
	uint32_t at = c->linear + c->len + rng_below(c->r, 128) - 48;

	if (rng_percent(c->r, 20))
		at += ISA_ALIAS;
	if (rng_percent(c->r, 70))
		put_store(c, at, 1, RNG_PICK(c->r, one_byte));
	else
		put_store(c, at, random_size(c), rng_u64(c->r));
}

static void counted_loop(struct code *c)
{
	unsigned begin, body = 1 + rng_below(c->r, 4);

	mov_reg(c, RCX, 1 + rng_below(c->r, 20));
	begin = c->len;
	while (body--)
		valid_insn(c);
	if (rng_percent(c->r, 60)) {
		put(c, 1, rng_percent(c->r, 80) ? 0xe2 : 0xe0 + rng_below(c->r, 2));
		put(c, 1, begin - c->len - 1);
	} else {
		put(c, 1, 0x49); /* dec ecx; jnz */
		put(c, 1, 0x75);
		put(c, 1, begin - c->len - 1);
	}
}

static void string_op(struct code *c)
{
	static const uint8_t ops[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac,
				      0xad, 0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f};
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x67, 0x67};

	if (rng_percent(c->r, 80))
		mov_reg(c, RCX, rng_percent(c->r, 80) ? rng_below(c->r, 64) : guest_number(c->r) & 0x1ffff);
	if (rng_percent(c->r, 70))
		mov_reg(c, RSI, guest_address(c->r));
	if (rng_percent(c->r, 70))
		mov_reg(c, RDI, guest_address(c->r));
	if (rng_percent(c->r, 30))
		put(c, 1, 0xfc + rng_below(c->r, 2));
	if (rng_percent(c->r, 30))
		put(c, 1, RNG_PICK(c->r, prefixes));
	if (rng_percent(c->r, 75))
		put(c, 1, 0xf2 + rng_below(c->r, 2));
	put(c, 1, RNG_PICK(c->r, ops));
}

static void load_segment(struct code *c)
{
	unsigned seg = rng_below(c->r, 6);

	if (rng_percent(c->r, 50)) {
		mov_reg(c, RAX, guest_selector(c->r));
		put(c, 2, 0xc08e | (uint64_t)(seg << 3) << 8);
	} else {
		static const uint8_t pops[] = {0x07, 0x17, 0x1f};
		put(c, 1, 0x68);
		put(c, c->size, guest_selector(c->r));
		put(c, 1, RNG_PICK(c->r, pops));
	}
	/* Often in its interrupt shadow: a new stack pointer. */
	if (rng_percent(c->r, 30))
		mov_reg(c, RSP, ISA_STACK);
}

static void far_transfer(struct code *c)
{
	unsigned size = random_size(c);

	put_opsize(c, size);
	if (rng_percent(c->r, 70)) {
		put(c, 1, rng_percent(c->r, 50) ? 0xea : 0x9a);
		put(c, size, guest_address(c->r));
		put(c, 2, rng_percent(c->r, 30) ? 0 : guest_selector(c->r));
	} else { /* a frame, and RETF or IRET */
		put(c, 1, 0x68);
		put(c, size, rng_u32(c->r) & 0x77fd7);
		put_opsize(c, size);
		put(c, 1, 0x68);
		put(c, size, guest_selector(c->r));
		put_opsize(c, size);
		put(c, 1, 0x68);
		put(c, size, guest_address(c->r));
		put_opsize(c, size);
		put(c, 1, rng_percent(c->r, 50) ? 0xcf : 0xcb);
	}
}

static void flags_and_system(struct code *c)
{
	static const uint32_t cr0[] = {CR0_TS, CR0_EM, CR0_MP, CR0_NE, CR0_AM, CR0_PE, CR0_WP};

	switch (rng_below(c->r, 8)) {
	case 0: /* push imm; popf */
		put(c, 1, 0x68);
		put(c, c->size, rng_u32(c->r) & (rng_percent(c->r, 80) ? 0x7ed7 : 0x7fffff));
		put(c, 1, 0x9d);
		break;
	case 1: /* mov eax, cr0; xor eax, bit; mov cr0, eax */
		put(c, 3, 0xc0200f);
		put_opsize(c, 4);
		put(c, 1, 0x35);
		put(c, 4, RNG_PICK(c->r, cr0));
		put(c, 3, 0xc0220f);
		break;
	case 2:
		put(c, 1, 0xfa + rng_below(c->r, 2));
		break;
	case 3: /* lgdt, lidt, sgdt, sidt, lmsw, invlpg */
		put(c, 2, 0x010f);
		put(c, 1, (rng_below(c->r, 8) << 3) | (c->size == 4 ? 5 : 6));
		put(c, c->size, guest_address(c->r));
		break;
	case 4:
		put(c, 1, 0xcd);
		put(c, 1, rng_percent(c->r, 50) ? rng_below(c->r, 32) : rng_u32(c->r));
		break;
	case 5: /* mov edx, A20; out */
		put(c, 1, 0xb0);
		put(c, 1, rng_u32(c->r));
		put(c, 1, 0xe6);
		put(c, 1, rng_percent(c->r, 30) ? 0x92 : 0xe3 + rng_below(c->r, 6));
		break;
	case 6: /* mov drN, eax */
		mov_reg(c, RAX, guest_address(c->r));
		put(c, 2, 0x230f);
		put(c, 1, 0xc0 | rng_below(c->r, 8) << 3);
		break;
	default: /* clts */
		put(c, 2, 0x060f);
	}
}

static void call_and_return(struct code *c)
{
	unsigned at = c->len, n = 1 + rng_below(c->r, 3);

	/* call f; jmp over; f: ...; ret; over: */
	put(c, 1, 0xe8);
	put(c, c->size, 2);
	put(c, 2, 0xeb);
	at = c->len - 1;
	while (n--)
		valid_insn(c);
	put(c, 1, rng_percent(c->r, 80) ? 0xc3 : 0xc2);
	if (c->out[c->len - 1] == 0xc2)
		put(c, 2, rng_below(c->r, 3) * 2);
	c->out[at] = (uint8_t)(c->len - at - 1);
}

static void set_register(struct code *c)
{
	mov_reg(c, rng_below(c->r, 8), rng_percent(c->r, 50) ? guest_address(c->r) : guest_number(c->r));
}

void code_generate(struct code *c)
{
	static void (*const sequences[])(struct code *) = {
	    self_modify,  self_modify,	    counted_loop,    string_op,	   string_op,	 load_segment,
	    far_transfer, flags_and_system, call_and_return, set_register, set_register, noise};
	unsigned noisy = rng_percent(c->r, 10) ? 60 : 2;

	while (c->len + 64 < c->cap) {
		if (rng_percent(c->r, noisy))
			noise(c);
		else if (rng_percent(c->r, 25))
			RNG_PICK(c->r, sequences)(c);
		else
			valid_insn(c);
	}
	memset(c->out + c->len, 0xf4, c->cap - c->len);
	c->len = c->cap;
}
