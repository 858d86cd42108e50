/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What 64-bit code expects a pointer to point to, and what becomes of code that expected the wrong thing. */
#include "bt_fixture.h"

enum { RUNS = 20 };

static const gva_t nowhere = 0x700000000000; /* nothing is mapped for terabytes around it */

/* Runs test eax, eax; jz 2; inc dword [rbx]; hlt. */
static void touch(uint64_t really, gva_t at)
{
	cpu.gpr[RAX] = really;
	cpu.gpr[RBX] = at;
	cpu.gpr[RSP] = STACK0;
	run_from(CODE);
}

static void setup_near(void)
{
	setup_bt();
	use_long_mode();
	CODE_BYTES(CODE, 0x85, 0xc0, 0x74, 0x02, 0xff, 0x03, 0xf4);
	poke(DATA, 4, 0);
	/* Translated while the pointer is not one, and the access not made. */
	touch(0, nowhere);
}

START_TEST(test_no_pointer_yet)
{
	uint64_t stepped = stats.stepped;

	for (unsigned i = 0; i < RUNS; i++)
		touch(1, DATA);
	ck_assert_uint_eq(peek(DATA, 4), RUNS);
	ck_assert_uint_le(stats.stepped - stepped, 2);
}
END_TEST

/* There is nothing to learn from faults that the guest's own tables call for. */
START_TEST(test_never_a_pointer)
{
	uint64_t translated;

	poke(IDT + EXC_PF * 16, 8, gate(CODE64, HANDLER + 16 * EXC_PF, SEG_P | SYS_INT32, 0));
	poke(IDT + EXC_PF * 16 + 8, 8, 0);
	translated = stats.blocks_translated;
	for (unsigned i = 0; i < RUNS; i++) {
		touch(1, nowhere + 4 * i);
		ck_assert_int_eq(halted_in(), EXC_PF);
		ck_assert_uint_eq(cpu.cr2, nowhere + 4 * i);
	}
	ck_assert_uint_le(stats.blocks_translated - translated, 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("near");
	TCase *t = tcase_create("near");

	tcase_add_checked_fixture(t, setup_near, teardown_bt);
	tcase_add_test(t, test_no_pointer_yet);
	tcase_add_test(t, test_never_a_pointer);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
