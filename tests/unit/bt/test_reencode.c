/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Re-encoding: random guest instructions, re-encoded and decoded for 64-bit mode, are the same instruction on the same
 * operands, but for what is meant to differ. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/reencode.h"

enum { TRIES = 50000 };

static struct insn guest, host;
static uint8_t code[16], out[REENCODE_MAX + 1];
static unsigned len;

static void random_insn(unsigned code_size)
{
	unsigned at = 0;

	do {
		static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
		at = 0;
		while (rand() % 3 == 0 && at < 3)
			code[at++] = prefixes[rand() % (int)ARRAY_LEN(prefixes)];
		if (rand() % 3 == 0) {
			code[at++] = 0x0f;
			if (rand() % 8 == 0)
				code[at++] = rand() & 1 ? 0x38 : 0x3a;
		} else if (rand() % 32 == 0) {
			code[at++] = rand() & 1 ? 0xc4 : 0xc5;
			if (code[at - 1] == 0xc4)
				code[at++] = (uint8_t)((rand() & 0xe0) | (1 + rand() % 3));
		}
		bool evex = !at && rand() % 8 == 0;
		unsigned from = at;
		for (; at < sizeof(code); at++)
			code[at] = (uint8_t)(rand() >> 4);
		if (evex) {
			code[from] = 0x62;
			code[from + 1] =
			    (uint8_t)((code[from + 1] & 0xf0) | (code_size == 8 ? 0 : 0xc0) | (1 + rand() % 3));
			code[from + 2] |= (uint8_t)(rand() & 1 ? 0x7c : 4); /* vvvv, often none */
			code[from + 3] = (uint8_t)((code[from + 3] & 0x17) | (rand() % 4 ? 8 : 0) | rand() % 3 << 5);
		}
	} while (insn_decode(&guest, code, 15, code_size) || insn_rows[guest.id].class != CLASS_IDENT);
}

static const struct reencoding *how_now;

static unsigned moved(unsigned reg, unsigned home)
{
	if (how_now->moved != how_now->moved_to && reg == how_now->moved)
		return how_now->moved_to;
	return reg == RSP ? home : reg;
}

static unsigned code_size(int i)
{
	return i == 0 ? 4 : i == 1 ? 2 : 8;
}

#define SAME(what)                                                                                                     \
	ck_assert_msg(guest.what == host.what,                                                                         \
		      "%s: " #what " %lld, was %lld: %02x %02x %02x %02x %02x -> %02x %02x %02x %02x %02x %02x",       \
		      insn_name(&guest), (long long)host.what, (long long)guest.what, code[0], code[1], code[2],       \
		      code[3], code[4], out[0], out[1], out[2], out[3], out[4], out[5])

static void check_operands(unsigned home)
{
	SAME(id);
	SAME(noperands);
	SAME(has_mem);
	SAME(mem_size);
	SAME(mem_read);
	SAME(mem_write);
	SAME(flags_written);
	SAME(flags_read);
	SAME(vector);
	SAME(mask.opmask);
	SAME(mask.kind);
	SAME(mask.bits);
	SAME(mask.element);
	ck_assert_uint_eq(guest.prefixes & PFX_LOCK, host.prefixes & PFX_LOCK);
	for (unsigned i = 0; i < guest.noperands; i++) {
		const struct operand *g = &guest.op[i], *h = &host.op[i];
		SAME(op[i].kind);
		if (g->kind == OPD_GPR)
			ck_assert_msg(h->reg == moved(g->reg, home), "%s: operand %u is register %u, was %u",
				      insn_name(&guest), i, h->reg, g->reg);
		else if (g->kind == OPD_GPR_HIGH || g->kind == OPD_VEC)
			SAME(op[i].reg);
		if (g->kind == OPD_GPR && guest.id != INSN_NOP)
			SAME(op[i].size);
		if (g->kind == OPD_IMM)
			ck_assert_msg(!((g->imm ^ h->imm) & size_mask(MIN(guest.opsize, 4u))),
				      "%s: immediate %llx, was %llx", insn_name(&guest), (unsigned long long)h->imm,
				      (unsigned long long)g->imm);
	}
}

static bool reencode(const struct reencoding *how)
{
	memset(out, 0xcc, sizeof(out));
	how_now = how;
	len = insn_reencode(&guest, how, out);
	if (!len)
		return false;
	ck_assert_uint_le(len, REENCODE_MAX);
	ck_assert_msg(insn_decode(&host, out, len, 8) == 0,
		      "%s: %02x %02x %02x %02x %02x -> %02x %02x %02x %02x %02x %02x", insn_name(&guest), code[0],
		      code[1], code[2], code[3], code[4], out[0], out[1], out[2], out[3], out[4], out[5]);
	ck_assert_uint_eq(host.len, len);
	return true;
}

static bool memory(void)
{
	return guest.has_mem && !guest.vsib;
}

/* _i: code_size() */
START_TEST(test_same_memory)
{
	unsigned done = 0, refused = 0;

	srand(1);
	for (unsigned i = 0; i < TRIES; i++) {
		struct reencoding how = {.mem = HOST_MEM_SAME, .esp_home = R12};
		random_insn(code_size(_i));
		if (!memory() || guest.addrsize != 4)
			continue;
		if (!reencode(&how)) {
			refused++;
			continue;
		}
		done++;
		check_operands(R12);
		ck_assert_uint_eq(host.addrsize, 4);
		ck_assert(host.agen || host.seg == SEG_GS);
		ck_assert_uint_eq(host.base, guest.base == REG_NONE ? REG_NONE : moved(guest.base, R12));
		ck_assert_uint_eq(host.index, guest.index);
		ck_assert(guest.index == REG_NONE || host.scale == guest.scale);
		ck_assert_uint_eq((uint32_t)host.disp, (uint32_t)guest.disp);
	}
	ck_assert_uint_gt(done, TRIES / 60);
	ck_assert_uint_lt(refused, done / 5);
}
END_TEST

START_TEST(test_through_a_register)
{
	static const uint8_t bases[] = {R8, RBX, RBP, R13, R12, RAX};
	static const int32_t disps[] = {0, 5, -128, 128, 0x1234567};
	unsigned done = 0;

	srand(2);
	for (unsigned i = 0; i < TRIES; i++) {
		struct reencoding how = {.mem = HOST_MEM_BASE,
					 .esp_home = _i == 2 ? RSP : R12,
					 .gs = rand() & 1,
					 .base = bases[rand() % (int)ARRAY_LEN(bases)],
					 .disp = disps[rand() % 5]};
		random_insn(code_size(_i));
		if (!memory() || guest.agen || !reencode(&how))
			continue;
		done++;
		check_operands(how.esp_home);
		ck_assert_uint_eq(host.addrsize, 8);
		ck_assert_uint_eq(host.base, how.base);
		ck_assert_uint_eq(host.index, REG_NONE);
		ck_assert_int_eq((int32_t)host.disp, how.disp);
		ck_assert_uint_eq(host.seg == SEG_GS, how.gs);
	}
	ck_assert_uint_gt(done, TRIES / 60);
}
END_TEST

/* As 64-bit code has it: a register of R8 to R15 may be another one beside it. */
START_TEST(test_with_an_index)
{
	static const int32_t disps[] = {0, 5, -128, 128, 0x1234567};
	unsigned done = 0, vex = 0, evex = 0;

	srand(4);
	for (unsigned i = 0; i < TRIES; i++) {
		struct reencoding how = {.mem = HOST_MEM_INDEX,
					 .esp_home = RSP,
					 .base = (uint8_t)(rand() % GPR_COUNT),
					 .index = (uint8_t)(rand() % GPR_COUNT),
					 .scale = (uint8_t)(1 << rand() % 4),
					 .disp = disps[rand() % 5]};
		if (rand() & 1) {
			how.moved = (uint8_t)(R8 + rand() % 8);
			how.moved_to = (uint8_t)(R8 + rand() % 8);
		}
		random_insn(8);
		if (!memory() || guest.agen || how.index == RSP || !reencode(&how))
			continue;
		done++;
		vex += guest.encoding == ENC_VEX;
		evex += guest.encoding == ENC_EVEX;
		check_operands(RSP);
		ck_assert_uint_eq(host.addrsize, 8);
		ck_assert_uint_eq(host.base, how.base);
		ck_assert_uint_eq(host.index, how.index);
		ck_assert_uint_eq(host.scale, how.scale);
		ck_assert_int_eq((int32_t)host.disp, how.disp);
	}
	ck_assert_uint_gt(done, TRIES / 60);
	ck_assert_uint_gt(vex, 20);
	ck_assert_uint_gt(evex, 20);
}
END_TEST

START_TEST(test_registers_only)
{
	unsigned done = 0;

	srand(3);
	for (unsigned i = 0; i < TRIES; i++) {
		struct reencoding how = {.mem = HOST_MEM_NONE, .esp_home = rand() & 1 ? R12 : RSP};
		random_insn(code_size(_i));
		if (guest.has_mem || !reencode(&how))
			continue;
		done++;
		check_operands(how.esp_home);
	}
	ck_assert_uint_gt(done, TRIES / 60);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reencode");
	TCase *t = tcase_create("reencode");

	tcase_add_loop_test(t, test_same_memory, 0, 2);
	tcase_add_loop_test(t, test_through_a_register, 0, 3);
	tcase_add_test(t, test_with_an_index);
	tcase_add_loop_test(t, test_registers_only, 0, 3);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
