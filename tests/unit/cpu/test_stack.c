/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH, POP, PUSHA, POPA, ENTER, LEAVE, PUSHF, POPF. */
#include "insn_fixture.h"

START_TEST(push_forms)
{
	cpu.gpr[RAX] = 0x12345678;
	OK(0x50);
	ck_assert_uint_eq(stack_word(4, 0), 0x12345678);
	OK(0x6a, 0xfe);
	ck_assert_uint_eq(stack_word(4, 0), 0xfffffffe);
	OK(0x66, 0x6a, 0xfe);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 10);
	ck_assert_uint_eq(stack_word(2, 0), 0xfffe);
	cpu.gpr[RSP] = STACK0;
	OK(0x54); /* PUSH ESP: the old value */
	ck_assert_uint_eq(stack_word(4, 0), STACK0);
	poke(STACK0 + 4, 4, 0xabcd);
	cpu.gpr[RSP] = STACK0;
	OK(0xff, 0x74, 0x24, 0x04); /* PUSH [ESP+4]: the old ESP */
	ck_assert_uint_eq(stack_word(4, 0), 0xabcd);
	cpu.seg[SEG_SS].limit = 0xfff;
	RAISES(EXC_SS, 0x50);
}
END_TEST

START_TEST(push_selector_writes_16_bits)
{
	poke(STACK0 - 4, 4, 0xdeadbeef);
	OK(0x1e);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 4);
	ck_assert_uint_eq(stack_word(4, 0), 0xdead0000 | DATA0);
}
END_TEST

START_TEST(pop_forms)
{
	poke(STACK0, 4, 0x11112222);
	OK(0x5c); /* POP ESP */
	ck_assert_uint_eq(cpu.gpr[RSP], 0x11112222);
	cpu.gpr[RSP] = STACK0;
	OK(0x66, 0x5c); /* POP SP: into the incremented ESP */
	ck_assert_uint_eq(cpu.gpr[RSP], 0x2222);
	cpu.gpr[RSP] = STACK0;
	OK(0x8f, 0x04, 0x24); /* POP [ESP]: address after the increment */
	ck_assert_uint_eq(peek(STACK0 + 4, 4), 0x11112222);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 4);
	cpu.seg[SEG_ES].limit = 0xff;
	RAISES(EXC_GP, 0x26, 0x8f, 0x05, 0x00, 0x10, 0x00, 0x00);
}
END_TEST

START_TEST(pop_segment)
{
	poke(STACK0, 4, 0xffff0000 | DATA16);
	OK(0x07);
	ck_assert_uint_eq(cpu.seg[SEG_ES].selector, DATA16);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 4);
	ck_assert_uint_eq(cpu.shadow, SHADOW_NONE);
	cpu.gpr[RSP] = STACK0;
	OK(0x17); /* SS becomes 16 bits wide: ESP has been moved as the old stack does */
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 4);
	ck_assert_uint_eq(cpu.shadow, SHADOW_MOV_SS);
	poke(STACK0 + 4, 4, 0x08);
	memcpy(&before, &cpu, sizeof(cpu));
	ck_assert(!RUN(0x17));
	ck_assert_uint_eq(fault.vector, EXC_GP);
	ck_assert_uint_eq(fault.error, 0x08);
	ck_assert_uint_eq(cpu.gpr[RSP], before.gpr[RSP]);
}
END_TEST

START_TEST(pusha_popa)
{
	for (unsigned i = 0; i < 8; i++)
		if (i != RSP)
			cpu.gpr[i] = 0x1000 + i;
	OK(0x60);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 32);
	ck_assert_uint_eq(stack_word(4, 7), 0x1000 + RAX);
	ck_assert_uint_eq(stack_word(4, 3), STACK0);
	ck_assert_uint_eq(stack_word(4, 0), 0x1000 + RDI);
	poke(STACK0 - 32 + 12, 4, 0x5555);
	for (unsigned i = 0; i < 8; i++)
		if (i != RSP)
			cpu.gpr[i] = 0xffffffff;
	OK(0x61);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(cpu.gpr[i], i == RSP ? STACK0 : 0x1000 + i);
	OK(0x66, 0x60);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 16);
}
END_TEST

START_TEST(pusha_wraps_and_faults)
{
	enter_real();
	cpu.gpr[RSP] = 0xaaaa0008;
	OK(0x60); /* four words below, four at the top of the segment */
	ck_assert_uint_eq(cpu.gpr[RSP], 0xaaaafff8);
	cpu.gpr[RBX] = 0x1234;
	cpu.gpr[RSP] = 0xfff9; /* the third word would straddle the limit */
	cpu.seg[SEG_SS].limit = 0xfff3;
	poke(cpu.seg[SEG_SS].base + 0xffe9, 8, 0x7777777777777777);
	RAISES(EXC_SS, 0x60);
	ck_assert_uint_eq(peek(cpu.seg[SEG_SS].base + 0xffe9, 8), 0x7777777777777777);
}
END_TEST

START_TEST(enter_leave)
{
	cpu.gpr[RBP] = 0x123456;
	OK(0xc8, 0x20, 0x00, 0x00);
	ck_assert_uint_eq(cpu.gpr[RBP], STACK0 - 4);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 4 - 0x20);
	ck_assert_uint_eq(peek(STACK0 - 4, 4), 0x123456);
	OK(0xc9);
	ck_assert_uint_eq(cpu.gpr[RBP], 0x123456);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0);
	/* Three levels: two frame pointers copied from below the old EBP, then the new one. */
	cpu.gpr[RBP] = 0x6000;
	poke(0x5ffc, 4, 0xaaaa);
	poke(0x5ff8, 4, 0xbbbb);
	OK(0xc8, 0x10, 0x00, 0x23); /* levels count modulo 32 */
	ck_assert_uint_eq(peek(STACK0 - 8, 4), 0xaaaa);
	ck_assert_uint_eq(peek(STACK0 - 12, 4), 0xbbbb);
	ck_assert_uint_eq(peek(STACK0 - 16, 4), STACK0 - 4);
	ck_assert_uint_eq(cpu.gpr[RBP], STACK0 - 4);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 16 - 0x10);
	/* 16-bit operands on a 32-bit stack: BP alone changes, as on silicon. */
	cpu.gpr[RBP] = 0x11112222;
	cpu.gpr[RSP] = STACK0;
	OK(0x66, 0xc8, 0x02, 0x00, 0x00);
	ck_assert_uint_eq(cpu.gpr[RBP], 0x11110000 | (STACK0 - 2));
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 4);
}
END_TEST

START_TEST(enter_faults)
{
	force_segment(SEG_SS, DATA_DOWN); /* offsets 0x8000 and up */
	cpu.gpr[RSP] = 0x8040;
	RAISES(EXC_SS, 0xc8, 0x80, 0x00, 0x00); /* the new top is below */
	cpu.gpr[RBP] = 0x8002;
	RAISES(EXC_SS, 0xc8, 0x00, 0x00, 0x02); /* the old frame is */
	cpu.gpr[RBP] = 0x7ffe;
	RAISES(EXC_SS, 0xc9);
	cpu.gpr[RBP] = 0x8100;
	OK(0xc8, 0x10, 0x00, 0x01);
}
END_TEST

START_TEST(leave_on_a_16_bit_stack)
{
	force_segment(SEG_SS, DATA16);
	cpu.gpr[RSP] = 0xabcd0000;
	cpu.gpr[RBP] = 0x77770500;
	poke(0x500, 4, 0x12345678);
	OK(0xc9);
	ck_assert_uint_eq(cpu.gpr[RSP], 0xabcd0504);
	ck_assert_uint_eq(cpu.gpr[RBP], 0x12345678);
}
END_TEST

START_TEST(flags_by_ring)
{
	cpu.rflags = FLAG_1 | FLAG_RF | FLAG_IF;
	OK(0x9c);
	ck_assert_uint_eq(stack_word(4, 0), FLAG_1 | FLAG_IF);
	poke(cpu.gpr[RSP], 4, 0xffffffff);
	OK(0x9d);
	ck_assert_uint_eq(cpu.rflags, (FLAGS_ALL & ~(FLAG_RF | FLAG_VM | FLAG_VIF | FLAG_VIP)) | FLAG_1);
	/* The upper half survives a 16-bit POPF. */
	poke(cpu.gpr[RSP], 2, 0);
	OK(0x66, 0x9d);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_AC | FLAG_ID);
	/* Ring 3, IOPL 0: neither IF nor IOPL. */
	enter_ring(3);
	cpu.rflags = FLAG_1 | FLAG_IF;
	poke(cpu.gpr[RSP], 4, FLAG_IOPL | FLAG_CF);
	OK(0x9d);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IF | FLAG_CF);
	cpu.rflags = FLAG_1 | FLAG_IF | FLAG_IOPL;
	poke(cpu.gpr[RSP], 4, 0);
	OK(0x9d);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IOPL);
}
END_TEST

START_TEST(flags_in_v86_mode)
{
	enter_v86(0);
	RAISES(EXC_GP, 0x9c);
	RAISES(EXC_GP, 0x9d);
	RAISES(EXC_GP, 0xfa);
	RAISES(EXC_GP, 0xfb);
	enter_v86(3);
	OK(0x9c);
	ck_assert_uint_eq(stack_word(2, 0), FLAG_1 | FLAG_IF | FLAG_IOPL);
	OK(0xfa);
	ck_assert(!flag(FLAG_IF));
	cpu.cr4 |= CR4_VME;
	enter_v86(0);
	cpu.rflags |= FLAG_VIF;
	OK(0xfa);
	ck_assert(flag(FLAG_IF) && !flag(FLAG_VIF));
	OK(0x9c);
	ck_assert_uint_eq(stack_word(2, 0), FLAG_1 | FLAG_IOPL);
	RAISES(EXC_GP, 0x66, 0x9c);
	poke(cpu.seg[SEG_SS].base + cpu.gpr[RSP], 2, FLAG_IF | FLAG_CF);
	OK(0x9d);
	ck_assert(flag(FLAG_VIF) && flag(FLAG_CF) && !flag(FLAG_IOPL) && flag(FLAG_VM));
	cpu.gpr[RSP] -= 2;
	cpu.rflags |= FLAG_VIP;
	RAISES(EXC_GP, 0x9d);
	RAISES(EXC_GP, 0xfb);
	cpu.rflags &= ~FLAG_VIP;
	poke(cpu.seg[SEG_SS].base + cpu.gpr[RSP], 2, FLAG_TF);
	RAISES(EXC_GP, 0x9d);
}
END_TEST

START_TEST(interrupt_flag)
{
	cpu.rflags = FLAG_1;
	OK(0xfb);
	ck_assert(flag(FLAG_IF));
	ck_assert_uint_eq(cpu.shadow, SHADOW_STI);
	cpu.shadow = SHADOW_NONE;
	OK(0xfb); /* IF was set: no shadow */
	ck_assert_uint_eq(cpu.shadow, SHADOW_NONE);
	enter_ring(3);
	RAISES(EXC_GP, 0xfa);
	cpu.rflags |= FLAG_IOPL;
	OK(0xfa);
	ck_assert(!flag(FLAG_IF));
	cpu.rflags = FLAG_1;
	cpu.cr4 |= CR4_PVI;
	OK(0xfb);
	ck_assert(flag(FLAG_VIF) && !flag(FLAG_IF));
	ck_assert_uint_eq(cpu.shadow, SHADOW_NONE);
	cpu.rflags |= FLAG_VIP;
	RAISES(EXC_GP, 0xfb);
	OK(0xfa);
	ck_assert(!flag(FLAG_VIF));
}
END_TEST

START_TEST(in_64_bit_code)
{
	enter_long(0);
	cpu.gpr[RAX] = 0x123456789abcdef0;
	OK(0x50);
	ck_assert_uint_eq(stack_word(8, 0), 0x123456789abcdef0);
	OK(0x66, 0x50);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 10);
	OK(0x6a, 0xff);
	ck_assert_uint_eq(stack_word(8, 0), ~0ull);
	OK(0x8f, 0xc3);
	ck_assert_uint_eq(cpu.gpr[RBX], ~0ull);
	cpu.gpr[RSP] = STACK0;
	OK(0x0f, 0xa8); /* PUSH GS: eight bytes */
	ck_assert_uint_eq(stack_word(8, 0), DATA0);
	cpu.gpr[RBP] = 0x1122334455667788;
	OK(0xc8, 0x10, 0x00, 0x00);
	ck_assert_uint_eq(cpu.gpr[RBP], STACK0 - 16);
	OK(0xc9);
	ck_assert_uint_eq(cpu.gpr[RBP], 0x1122334455667788);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stack");
	TCase *tc = insn_case(s, "stack");

	tcase_add_test(tc, push_forms);
	tcase_add_test(tc, push_selector_writes_16_bits);
	tcase_add_test(tc, pop_forms);
	tcase_add_test(tc, pop_segment);
	tcase_add_test(tc, pusha_popa);
	tcase_add_test(tc, pusha_wraps_and_faults);
	tcase_add_test(tc, enter_leave);
	tcase_add_test(tc, enter_faults);
	tcase_add_test(tc, leave_on_a_16_bit_stack);
	tcase_add_test(tc, flags_by_ring);
	tcase_add_test(tc, flags_in_v86_mode);
	tcase_add_test(tc, interrupt_flag);
	tcase_add_test(tc, in_64_bit_code);
	return run_suite(s);
}
