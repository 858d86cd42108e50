/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short sequences of instructions that noise would hardly ever contain. */
#include "guest.h"

static void mov_reg(struct code *c, unsigned reg, uint32_t value)
{
	code_put(c, 1, 0xb8 + reg);
	code_put(c, c->size, value);
}

static void put_store(struct code *c, uint32_t offset, unsigned bytes, uint64_t value)
{
	unsigned size = code_random_size(c);

	code_put_addrsize(c, size);
	if (bytes > 1)
		code_put_opsize(c, bytes);
	code_put(c, 1, bytes == 1 ? 0xc6 : 0xc7);
	code_put(c, 1, size == 4 ? 0x05 : 0x06);
	code_put(c, size, offset);
	code_put(c, bytes, value);
}

/* A store over code: behind it, before it, into itself; sometimes an instruction that makes sense. */
static void self_modify(struct code *c)
{
	static const uint8_t one_byte[] = {0x90, 0x40, 0x41, 0x4b, 0x50, 0x58, 0xf5, 0xf8,
					   0xf9, 0xfc, 0xfd, 0xcc, 0x06, 0x07, 0xc3};
	uint32_t near = c->len + rng_below(c->r, 128) - 48, at = c->linear + near;

	if (rng_percent(c->r, 40)) { /* real-address mode: wherever CS is */
		code_put(c, 1, 0x2e);
		at = c->offset + near;
	} else if (rng_percent(c->r, 20)) {
		at += ISA_ALIAS;
	}
	if (rng_percent(c->r, 70))
		put_store(c, at, 1, RNG_PICK(c->r, one_byte));
	else
		put_store(c, at, code_random_size(c), rng_u64(c->r));
}

static void counted_loop(struct code *c)
{
	unsigned begin, body = 1 + rng_below(c->r, 4);

	mov_reg(c, RCX, 1 + rng_below(c->r, 20));
	begin = c->len;
	while (body--)
		code_valid_insn(c);
	if (rng_percent(c->r, 30)) /* of the loop itself: one form a time through */
		self_modify(c);
	if (rng_percent(c->r, 60)) {
		code_put(c, 1, rng_percent(c->r, 80) ? 0xe2 : 0xe0 + rng_below(c->r, 2));
		code_put(c, 1, begin - c->len - 1);
	} else {
		code_put(c, 1, 0x49); /* dec ecx; jnz */
		code_put(c, 1, 0x75);
		code_put(c, 1, begin - c->len - 1);
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
		code_put(c, 1, 0xfc + rng_below(c->r, 2));
	if (rng_percent(c->r, 30))
		code_put(c, 1, RNG_PICK(c->r, prefixes));
	if (rng_percent(c->r, 75))
		code_put(c, 1, 0xf2 + rng_below(c->r, 2));
	code_put(c, 1, RNG_PICK(c->r, ops));
}

static void load_segment(struct code *c)
{
	unsigned seg = rng_below(c->r, 6);

	if (rng_percent(c->r, 50)) {
		mov_reg(c, RAX, guest_selector(c->r));
		code_put(c, 2, 0xc08e | (uint64_t)(seg << 3) << 8);
	} else {
		static const uint8_t pops[] = {0x07, 0x17, 0x1f};
		code_put(c, 1, 0x68);
		code_put(c, c->size, guest_selector(c->r));
		code_put(c, 1, RNG_PICK(c->r, pops));
	}
	/* Often in its interrupt shadow: a new stack pointer. */
	if (rng_percent(c->r, 30))
		mov_reg(c, RSP, ISA_STACK);
}

static void far_transfer(struct code *c)
{
	unsigned size = code_random_size(c);

	code_put_opsize(c, size);
	if (rng_percent(c->r, 70)) {
		code_put(c, 1, rng_percent(c->r, 50) ? 0xea : 0x9a);
		code_put(c, size, guest_address(c->r));
		code_put(c, 2, rng_percent(c->r, 30) ? 0 : guest_selector(c->r));
	} else { /* a frame, and RETF or IRET */
		code_put(c, 1, 0x68);
		code_put(c, size, rng_u32(c->r) & 0x77fd7);
		code_put_opsize(c, size);
		code_put(c, 1, 0x68);
		code_put(c, size, guest_selector(c->r));
		code_put_opsize(c, size);
		code_put(c, 1, 0x68);
		code_put(c, size, guest_address(c->r));
		code_put_opsize(c, size);
		code_put(c, 1, rng_percent(c->r, 50) ? 0xcf : 0xcb);
	}
}

static void flags_and_system(struct code *c)
{
	static const uint32_t cr0[] = {CR0_TS, CR0_EM, CR0_MP, CR0_NE, CR0_AM, CR0_PE, CR0_WP};

	switch (rng_below(c->r, 8)) {
	case 0: /* push imm; popf */
		code_put(c, 1, 0x68);
		code_put(c, c->size, rng_u32(c->r) & (rng_percent(c->r, 80) ? 0x7ed7 : 0x7fffff));
		code_put(c, 1, 0x9d);
		break;
	case 1: /* mov eax, cr0; xor eax, bit; mov cr0, eax */
		code_put(c, 3, 0xc0200f);
		code_put_opsize(c, 4);
		code_put(c, 1, 0x35);
		code_put(c, 4, RNG_PICK(c->r, cr0));
		code_put(c, 3, 0xc0220f);
		break;
	case 2:
		code_put(c, 1, 0xfa + rng_below(c->r, 2));
		break;
	case 3: /* lgdt, lidt, sgdt, sidt, lmsw, invlpg */
		code_put(c, 2, 0x010f);
		code_put(c, 1, (rng_below(c->r, 8) << 3) | (c->size == 4 ? 5 : 6));
		code_put(c, c->size, guest_address(c->r));
		break;
	case 4:
		code_put(c, 1, 0xcd);
		code_put(c, 1, rng_percent(c->r, 50) ? rng_below(c->r, 32) : rng_u32(c->r));
		break;
	case 5: /* mov edx, A20; out */
		code_put(c, 1, 0xb0);
		code_put(c, 1, rng_u32(c->r));
		code_put(c, 1, 0xe6);
		code_put(c, 1, rng_percent(c->r, 30) ? 0x92 : 0xe3 + rng_below(c->r, 6));
		break;
	case 6: /* mov drN, eax */
		mov_reg(c, RAX, guest_address(c->r));
		code_put(c, 2, 0x230f);
		code_put(c, 1, 0xc0 | rng_below(c->r, 8) << 3);
		break;
	default: /* clts */
		code_put(c, 2, 0x060f);
	}
}

/* With paging on: entries change, with and without a flush. */
static void page_tables(struct code *c)
{
	static const uint32_t bits[] = {PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_G};
	uint32_t page = rng_below(c->r, 0x120);

	switch (rng_below(c->r, 4)) {
	case 0: /* mov eax, cr3; mov cr3, eax */
		code_put(c, 3, 0xd8200f);
		code_put(c, 3, 0xd8220f);
		break;
	case 1: /* invlpg [page] */
		code_put_addrsize(c, 4);
		code_put(c, 3, 0x3d010f);
		code_put(c, 4, page << 12);
		break;
	case 2: /* xor dword [entry], bit */
		code_put_opsize(c, 4);
		code_put_addrsize(c, 4);
		code_put(c, 2, 0x3581);
		code_put(c, 4, GUEST_PAGE_TABLE + 4 * page);
		code_put(c, 4, RNG_PICK(c->r, bits));
		break;
	default: /* mov dword [entry], value */
		code_put_opsize(c, 4);
		code_put_addrsize(c, 4);
		code_put(c, 2, 0x05c7);
		code_put(c, 4, GUEST_PAGE_TABLE + 4 * page);
		code_put(c, 4, rng_below(c->r, 0x120) << 12 | 7 | (rng_u32(c->r) & 0x160));
	}
}

static void call_and_return(struct code *c)
{
	unsigned at = c->len, n = 1 + rng_below(c->r, 3);

	/* call f; jmp over; f: ...; ret; over: */
	code_put(c, 1, 0xe8);
	code_put(c, c->size, 2);
	code_put(c, 2, 0xeb);
	at = c->len - 1;
	while (n--)
		code_valid_insn(c);
	code_put(c, 1, rng_percent(c->r, 80) ? 0xc3 : 0xc2);
	if (c->out[c->len - 1] == 0xc2)
		code_put(c, 2, rng_below(c->r, 3) * 2);
	c->out[at] = (uint8_t)(c->len - at - 1);
}

static void set_register(struct code *c)
{
	mov_reg(c, rng_below(c->r, 8), rng_percent(c->r, 50) ? guest_address(c->r) : guest_number(c->r));
}

static void vectors(struct code *c)
{
	unsigned base = rng_below(c->r, 8);

	if (rng_percent(c->r, 85))
		mov_reg(c, base, guest_address(c->r) & ~(rng_percent(c->r, 70) ? 63u : 0));
	code_evex_sequence(c, base);
}

void code_sequence(struct code *c)
{
	static void (*const sequences[])(struct code *) = {self_modify, self_modify,	 counted_loop, string_op,
							   string_op,	load_segment,	 far_transfer, flags_and_system,
							   page_tables, call_and_return, set_register, set_register,
							   code_noise,	vectors,	 vectors};

	RNG_PICK(c->r, sequences)(c);
}
