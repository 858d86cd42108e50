/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rule BT-1: wherever in its host code an instruction faults (up to the last host instruction that can), the recovered
 * state is that of its beginning. A host HLT, which faults, is planted at each of those places in turn; the
 * single-stepper must then come to what it comes to by itself.
 */
#include <stdio.h>

#include "bt_fixture.h"

enum { HERE = CODE, END = CODE + 0x800, PLANT = 0xf4, MODES = 6, VARIANTS = 8 };

static const char *const modes[MODES] = {"flat",	 "limited segments", "segments with a base",
					 "16-bit stack", "real mode",	     "16-bit protected mode"};

struct sample {
	uint8_t len, bytes[7];
	bool real_only;
};

#define S(...)                                                                                                         \
	{                                                                                                              \
		sizeof((uint8_t[]){__VA_ARGS__}), {__VA_ARGS__}, false                                                 \
	}

static const struct sample samples[] = {
    S(0x8b, 0x03),
    S(0x89, 0x03),
    S(0x89, 0x23),
    S(0x8b, 0x24, 0x1b),
    S(0x88, 0x23),
    S(0x8a, 0x23),
    S(0x00, 0x23),
    S(0x02, 0x3b),
    S(0x10, 0x13),
    S(0xff, 0x03),
    S(0xf7, 0x13),
    S(0xf7, 0x63, 0x08),
    S(0xf6, 0x73, 0x08),
    S(0xd3, 0x03),
    S(0x0f, 0xa5, 0x0b),
    S(0x0f, 0xb1, 0x0b),
    S(0x0f, 0xb0, 0x2b),
    S(0x0f, 0xc1, 0x0b),
    S(0x0f, 0xc0, 0x2b),
    S(0x87, 0x0b),
    S(0xf0, 0x01, 0x0b),
    S(0x86, 0x2b),
    S(0xc7, 0x03, 0x90, 0x90, 0x90, 0x90),
    S(0xc6, 0x03, 0x90),
    S(0x0f, 0xb6, 0x23),
    S(0x0f, 0xbf, 0x0b),
    S(0x0f, 0x44, 0x0b),
    S(0x0f, 0x94, 0x03),
    S(0x0f, 0xc7, 0x0b),
    S(0x0f, 0xa3, 0x0b),
    S(0x0f, 0xab, 0x0b),
    S(0x0f, 0xba, 0x2b, 0x03),
    S(0xa0, 0x90, 0x90, 0x00, 0x00),
    S(0xa3, 0x90, 0x90, 0x00, 0x00),
    /* stack */
    S(0x50),
    S(0x54),
    S(0x58),
    S(0x5b),
    S(0x5c),
    S(0xff, 0x33),
    S(0xff, 0x34, 0x24),
    S(0x8f, 0x03),
    S(0x8f, 0x04, 0x24),
    S(0x8f, 0x44, 0x24, 0x04),
    S(0x60),
    S(0x61),
    S(0x6a, 0x90),
    S(0x68, 0x90, 0x90, 0x90, 0x90),
    S(0x9c),
    S(0x9d),
    S(0xc9),
    S(0xc8, 0x08, 0x00, 0x00),
    S(0x06),
    S(0x1e),
    /* transfers */
    S(0xe8, 0x00, 0x00, 0x00, 0x00),
    S(0xc3),
    S(0xc2, 0x04, 0x00),
    S(0xff, 0x13),
    S(0xff, 0x23),
    S(0xff, 0x14, 0x24),
    S(0xe2, 0x00),
    S(0xe0, 0x00),
    S(0xe3, 0x00),
    /* strings */
    S(0xa4),
    S(0xa5),
    S(0xaa),
    S(0xab),
    S(0xac),
    S(0xad),
    S(0xa6),
    S(0xa7),
    S(0xae),
    S(0xaf),
    S(0xf3, 0xa4),
    S(0xf3, 0xa5),
    S(0xf3, 0xaa),
    S(0xf3, 0xab),
    S(0xf3, 0xac),
    S(0xf3, 0xa6),
    S(0xf2, 0xa7),
    S(0xf2, 0xae),
    S(0xf3, 0xaf),
    /* others */
    S(0xd7),
    S(0x8c, 0x1b),
    S(0x8c, 0xd8),
    S(0x0f, 0x10, 0x03),
    S(0x0f, 0x11, 0x03),
    S(0x0f, 0x58, 0x03),
    S(0xd9, 0x03),
    S(0xd9, 0x1b),
    S(0xdb, 0x2b),
    S(0xdb, 0x7b, 0x10),
    S(0xde, 0x03),
    S(0xfa),
    S(0xfb, 0x90),
    {2, {0x8e, 0x1b}, true},
    {2, {0x8e, 0xd0}, true},
    {1, {0x07}, true},
    {1, {0x17}, true},
    {2, {0x8e, 0xe3}, true},
};

static void data_segments(uint32_t base, uint32_t limit, unsigned attr)
{
	set_descriptor(SCRATCH, descriptor(base, limit, SEG_P | SEG_S | SEG_W | attr));
	for (unsigned seg = 0; seg < SEG_COUNT; seg++)
		if (seg != SEG_CS)
			force_segment(seg, SCRATCH);
}

static void set_mode(unsigned mode)
{
	uint32_t at = mode == 0 || mode == 3 ? DATA : 0;

	if (mode == 1)
		data_segments(DATA, 0x7fff, SEG_DB);
	if (mode == 2)
		data_segments(DATA, 0xfffff, SEG_DB | SEG_G);
	if (mode == 3)
		use_stack16(0);
	if (mode == 4) {
		enter_real();
		for (unsigned seg = 0; seg < SEG_COUNT; seg++)
			cpu_set_real_segment(&cpu, seg, seg == SEG_CS ? CODE >> 4 : DATA >> 4);
	}
	if (mode == 5) {
		data_segments(DATA, 0xffff, 0);
		set_descriptor(CODE16, descriptor(CODE, 0xffff, SEG_P | SEG_S | SEG_CODE | SEG_R));
		force_segment(SEG_CS, CODE16);
	}
	cpu.gpr[RAX] = 0x12345678;
	cpu.gpr[RCX] = 0x00000003;
	cpu.gpr[RDX] = 0x00001234;
	cpu.gpr[RBX] = at + 0x100;
	cpu.gpr[RSI] = at + 0x200;
	cpu.gpr[RDI] = at + 0x300;
	cpu.gpr[RBP] = at + 0x400;
	cpu.gpr[RSP] = mode == 3 ? 0x500 : at + 0x500;
	cpu.rip = mode >= 4 ? 0 : CODE;
	cpu.cr4 |= CR4_OSFXSR;
}

/* Memory full of pointers to HLT, in every width; interrupt vectors of real mode too. */
static void set_memory(void)
{
	uint32_t end = cpu_code_size(&cpu) == 2 ? 0x0800 : END;

	for (unsigned i = 0; i < 256; i++)
		poke(4 * i, 4, 0x0800);
	poke(0x0800, 1, PLANT);
	poke(END, 1, PLANT);
	for (unsigned at = 0; at < 0x1000; at += 4)
		poke(DATA + at, 4, end);
	for (unsigned at = 0x80; at < 0x7f0; at += 4)
		poke(CODE + at, 4, end);
	for (unsigned at = 0; at < 0x400; at++)
		poke(DATA + PAGE_SIZE + at, 1, at);
}

/* Can the host instruction fault? */
static bool may_fault(const struct insn *in)
{
	/* GS: the guest's; R13: probes; R8: the alias. */
	return in->has_mem && !in->agen && (in->mem_read || in->mem_write) &&
	       (in->seg == SEG_GS || in->base == R13 || in->base == R8);
}

/* Offsets, in the block, of the host instructions of the first guest instruction up to the last that can fault. */
static unsigned places(const struct block *b, uint16_t *out, unsigned max)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)b->body;
	unsigned n = 0, all = 0;

	for (unsigned at = b->map[0].host; at < b->map[1].host;) {
		struct insn in;
		ck_assert_int_eq(insn_decode(&in, code + at, 15, 8), 0);
		bool pops = code[at] >= 0x58 && code[at] <= 0x5f;
		bool pops_high = code[at] == 0x41 && code[at + 1] >= 0x58 && code[at + 1] <= 0x5f;
		if (!pops && !pops_high && n < max) /* between PUSHF and POP the monitor's stack is not in order */
			out[n++] = (uint16_t)at;
		if (may_fault(&in) || in.repeats ||
		    (code[at] >= 0xa4 && code[at] <= 0xaf && code[at] != 0xa8 && code[at] != 0xa9))
			all = n;
		if (insn_rows[in.id].class == CLASS_BRANCH && in.id != INSN_JECXZ)
			break; /* beyond: exits, slow paths */
		at += in.len;
	}
	return all;
}

static unsigned planted;

static void plant_each(const char *what)
{
	uint16_t at[64];
	uint32_t eip = (uint32_t)cpu.rip;
	const struct block *b;
	unsigned n;

	same_as_stepped(what, eip, 2);
	back_to_start();
	b = block_at_eip(eip);
	if (!b)
		return; /* it was single-stepped, or changed itself */
	n = places(b, at, ARRAY_LEN(at));
	for (unsigned i = 0; i < n && b->valid; i++) {
		uint8_t *host = bt_writable(bt, b, at[i]), was = *host;
		*host = PLANT;
		check_against_reference(what);
		*host = was;
	}
	planted += n;
}

static void try_sample(unsigned mode, const struct sample *s, unsigned variant)
{
	static const uint8_t prefixes[][2] = {{0, 0},	 {0x66, 0}, {0x67, 0},	  {0x66, 0x67},
					      {0x2e, 0}, {0x64, 0}, {0x36, 0x66}, {0, 0}};
	uint8_t level =
	    variant == VARIANTS - 1 ? SITE_CHECKED : SITE_PLAIN; /* the last: as if it had stored beside code */
	char what[120];
	unsigned at = CODE;

	set_mode(mode);
	set_memory();
	for (unsigned i = 0; i < 2; i++)
		if (prefixes[variant][i])
			poke(at++, 1, prefixes[variant][i]);
	poke_bytes(at, s->bytes, s->len);
	at += s->len;
	for (unsigned i = 0; i < 4; i++)
		poke(at++, 1, 0x90);
	poke(at, 1, PLANT);
	snprintf(what, sizeof(what), "%s, %02x %02x %02x with prefixes %02x %02x", modes[mode], s->bytes[0],
		 s->bytes[1], s->bytes[2], prefixes[variant][0], prefixes[variant][1]);
	bt_site_set(bt, &(struct site){.linear = CODE, .level = level});
	if (getenv("PRECISE_TRACE"))
		fprintf(stderr, "%s\n", what);
	plant_each(what);
}

/* _i: mode and prefixes */
START_TEST(test_precise)
{
	static struct cpu fresh;
	unsigned mode = (unsigned)_i / VARIANTS, variant = (unsigned)_i % VARIANTS;

	memory_used = DATA + 2 * PAGE_SIZE;
	fresh = cpu;
	for (unsigned i = 0; i < ARRAY_LEN(samples); i++) {
		if (samples[i].real_only && mode != 4)
			continue;
		cpu = fresh;
		cpu.rflags |= FLAG_CF | FLAG_AF;
		if (i & 1)
			cpu.rflags |= FLAG_DF;
		try_sample(mode, &samples[i], variant);
	}
	ck_assert_uint_gt(planted, 100);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("precise");
	TCase *t = tcase_create("precise");

	tcase_add_checked_fixture(t, setup_bt_unaudited, teardown_bt);
	tcase_add_loop_test(t, test_precise, 0, MODES * VARIANTS);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
