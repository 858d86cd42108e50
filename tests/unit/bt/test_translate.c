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

/* --- instructions that make several accesses, a middle one of which faults --- */

START_TEST(test_popa_across_stack_end)
{
	/* popa of words, of doublewords, where one element crosses FFFF, or the whole only wraps around */
	static const uint32_t sp[] = {0xfff5, 0xfff2, 0xfff0, 0xfff8, 0xffe1, 0xfffe};

	for (unsigned i = 0; i < 16; i++)
		cpu.gpr[i] = 0x11111111 * i;
	for (unsigned i = 0; i < 64; i++)
		poke(DATA + (uint16_t)(0xffe0 + i), 1, 0x40 + i);
	use_stack16(0xabc00000 | sp[_i / 2]);
	if (_i & 1)
		CODE_BYTES(CODE, 0x66, 0x61, 0xf4);
	else
		CODE_BYTES(CODE, 0x61, 0xf4);
	same_as_stepped("POPA", CODE, 2);
}
END_TEST

START_TEST(test_popa_across_limit)
{
	/* 16-bit stack of limit FFFD: the word at FFFE is beyond, both ends of what is popped are not */
	set_descriptor(SCRATCH, descriptor(DATA, 0xfffd, SEG_P | SEG_S | SEG_W));
	force_segment(SEG_SS, SCRATCH);
	cpu.gpr[RSP] = 0xfffa;
	CODE_BYTES(CODE, 0x66, 0x61, 0xf4);
	same_as_stepped("POPA", CODE, 2);
}
END_TEST

START_TEST(test_pusha_across_stack_end)
{
	static const uint32_t sp[] = {0x0005, 0x0002, 0x0010, 0x0018, 0x000f, 0x0000};

	for (unsigned i = 0; i < 8; i++)
		cpu.gpr[i] = 0x11111111 * i;
	use_stack16(0xabc00000 | sp[_i / 2]);
	if (_i & 1)
		CODE_BYTES(CODE, 0x66, 0x60, 0xf4);
	else
		CODE_BYTES(CODE, 0x60, 0xf4);
	same_as_stepped("PUSHA", CODE, 2);
}
END_TEST

START_TEST(test_pop_to_esp_relative)
{
	/* 16-bit stack, pop dword [ds:esp + 8]: SP wraps around, the address does not carry */
	use_stack16(0x2fffc);
	poke(DATA + 0xfffc, 4, 0xcafebabe);
	CODE_BYTES(CODE, 0x3e, 0x8f, 0x44, 0x24, 0x08, 0xf4);
	same_as_stepped("POP [ESP+8]", CODE, 2);
}
END_TEST

/* --- what an inline segment load leaves behind --- */

START_TEST(test_real_mode_segment_attributes)
{
	enter_real();
	cpu_set_real_segment(&cpu, SEG_CS, CODE >> 4);
	/* Loaded in protected mode as read-only data, and still so: MOV DS gives it the attributes of real mode. */
	cpu.seg[SEG_DS].attr = SEG_P | SEG_S | SEG_A;
	cpu.gpr[RAX] = 0x300;
	CODE_BYTES(CODE, 0x8e, 0xd8, 0xf4);
	same_as_stepped("MOV DS", 0, 2);
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
	tcase_add_loop_test(t, test_popa_across_stack_end, 0, 12);
	tcase_add_test(t, test_popa_across_limit);
	tcase_add_loop_test(t, test_pusha_across_stack_end, 0, 12);
	tcase_add_test(t, test_pop_to_esp_relative);
	tcase_add_test(t, test_real_mode_segment_attributes);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
