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
	bt_begin(bt, false);
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

/* --- the ends of the address space --- */

/* CS base such that EIP 80000000 is CODE: branches, calls and returns there, and displacements that overflow. */
START_TEST(test_extreme_offsets)
{
	set_descriptor(SCRATCH,
		       descriptor(CODE - 0x80000000u, 0xfffff, SEG_P | SEG_S | SEG_CODE | SEG_R | SEG_DB | SEG_G));
	force_segment(SEG_CS, SCRATCH);
	/* call $ + 11; pop [esp + 7fffffff] into the void; hlt; ret */
	CODE_BYTES(CODE, 0xe8, 0x10, 0, 0, 0, 0x6a, 0x05, 0x8f, 0x84, 0x24, 0xff, 0xff, 0xff, 0x7f, 0xf4);
	CODE_BYTES(CODE + 0x15, 0xb8, 0x00, 0x00, 0x00, 0x80, 0x85, 0xdb, 0x75, 0x03, 0x43, 0xff, 0xe0, 0xc3);
	cpu.gpr[RBX] = 0;
	same_as_stepped("EIP 80000000", 0x80000000u, 3);
}
END_TEST

/* Code in the last bytes below 4 GiB, which goes on at 0. */
START_TEST(test_code_at_the_top)
{
	static struct pm_region top;
	uint32_t at = (uint32_t)-6 + (uint32_t)_i;

	top = (struct pm_region){.name = "top",
				 .kind = _i & 1 ? PM_ROM : PM_RAM,
				 .base = 0xfffff000,
				 .len = PAGE_SIZE,
				 .enabled = true,
				 .backing = _i & 1 ? &rom : &pm.ram,
				 .offset = 0};
	if (!(_i & 1))
		top.offset = 0x50000;
	physmem_add(&pm, &top);
	uint8_t *page = top.backing->host + top.offset;
	/* mov eax, 12345678; hlt, across the end */
	static const uint8_t code[] = {0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4};
	for (unsigned i = 0; i < sizeof(code); i++) {
		uint32_t to = at + i;
		if (to >= 0xfffff000)
			page[to & PAGE_MASK] = code[i];
		else
			poke(to, 1, code[i]);
	}
	same_as_stepped("code at the top", at, 2);
	/* One that crosses the end is beyond the limit (as here; 5.3 leaves it open). */
	ck_assert_uint_eq(cpu.gpr[RAX], _i < 2 ? 0x12345678 : 0);
	/* Its part at 0 changes. */
	if (_i > 3) {
		poke(_i - 2, 1, 0x99);
		same_as_stepped("changed code at the top", at, 2);
	}
}
END_TEST

/* 16-bit code up to the end of its segment: what lies behind is not executed. */
START_TEST(test_code_at_limit)
{
	enter_real();
	poke(4 * EXC_GP, 4, 0x0000500u | 0x300 << 16);
	poke(0x3500, 1, 0xf4);
	cpu_set_real_segment(&cpu, SEG_CS, CODE >> 4);
	/* nop, nop, then: mov ax, imm16 across the limit; jmp +2 across it; or just the end */
	for (unsigned at = 0xfff0; at < 0x10000; at++)
		poke(CODE + at, 1, 0x90);
	if (_i == 1)
		CODE_BYTES(CODE + 0xfffe, 0xb8, 1, 2);
	if (_i == 2)
		CODE_BYTES(CODE + 0xfffe, 0xeb, 0x02);
	if (_i == 3)
		CODE_BYTES(CODE + 0xfffd, 0x66, 0xeb, 0x02);
	if (_i == 4)
		CODE_BYTES(CODE + 0xfffd, 0xe8, 0x02, 0x00);
	if (_i == 5)
		CODE_BYTES(CODE + 0xfffe, 0x75, 0x10);
	poke(CODE + 2, 2, 0xf4f4);
	poke(CODE, 2, 0xf4f4);
	poke(CODE + 0x10010, 1, 0xf4);
	cpu.gpr[RSP] = 0x800;
	cpu.rflags &= ~FLAG_ZF;
	same_as_stepped("code at the limit", 0xfff0, 3);
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
	tcase_add_test(t, test_extreme_offsets);
	tcase_add_loop_test(t, test_code_at_the_top, 0, 6);
	tcase_add_loop_test(t, test_code_at_limit, 0, 6);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
