/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translations where the state could come out wrong: faults half-way, shadows, segments that change under a
 * translation. */
#include "bt_fixture.h"

START_TEST(test_runs)
{
	/* mov ecx, 10; xor eax, eax; add eax, ecx; loop; hlt */
	CODE_BYTES(CODE, 0xb9, 10, 0, 0, 0, 0x31, 0xc0, 0x01, 0xc8, 0xe2, 0xfc, 0xf4);
	run_from(CODE);
	ck_assert_uint_eq(cpu.gpr[RAX], 55);
	ck_assert_uint_eq(cpu.rip, CODE + 12);
	ck_assert_uint_gt(stats.blocks_translated, 0);
}
END_TEST

/* Runs the translator until it comes back from a fault of the instruction at eip, and leaves it there. */
static void run_to_fault(uint32_t from, uint32_t eip)
{
	cpu.rip = from;
	bt_begin(bt);
	for (unsigned i = 0; i < 100; i++) {
		bt_run_once(bt);
		if (bt->frame.reason == LEAVE_FAULT && cpu.rip == eip)
			return;
	}
	ck_abort_msg("no fault at %x", eip);
}

START_TEST(test_sti_shadow_outlives_hidden_fault)
{
	cpu.rflags &= ~FLAG_IF;
	cpu.gpr[RBX] = ALIAS + DATA; /* not in the window yet */
	/* sti; mov eax, [ebx]; hlt */
	CODE_BYTES(CODE, 0xfb, 0x8b, 0x03, 0xf4);
	run_to_fault(CODE, CODE + 1);
	cpu.intr = true;
	ck_assert(!cpu_event_ready(&cpu));
	bt_end(bt);
	/* It ends with that instruction, in the cache or single-stepped. */
	bt_run(bt);
	ck_assert(cpu_event_ready(&cpu));
	ck_assert_uint_eq(cpu.rip, CODE + 3);
}
END_TEST

START_TEST(test_mov_ss_shadow_outlives_hidden_fault)
{
	cpu.nmi = false;
	enter_real();
	cpu.gpr[RBX] = 0x100;
	cpu.gpr[RAX] = 0x300;
	cpu_set_real_segment(&cpu, SEG_CS, CODE >> 4);
	/* mov ss, ax; mov cx, [bx]; hlt */
	CODE_BYTES(CODE, 0x8e, 0xd0, 0x8b, 0x0f, 0xf4);
	run_to_fault(0, 2);
	cpu.nmi = true;
	ck_assert(!cpu_event_ready(&cpu));
	bt_run_once(bt); /* from where it stands, in the cache */
	ck_assert(cpu_event_ready(&cpu));
	bt_end(bt);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("translate");
	TCase *t = tcase_create("translate");

	tcase_add_checked_fixture(t, setup_bt, teardown_bt);
	tcase_add_test(t, test_runs);
	tcase_add_test(t, test_sti_shadow_outlives_hidden_fault);
	tcase_add_test(t, test_mov_ss_shadow_outlives_hidden_fault);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
