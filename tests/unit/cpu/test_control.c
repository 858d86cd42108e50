/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jumps, calls, returns, loops, BOUND, INT n in each mode. */
#include "insn_fixture.h"

START_TEST(conditions)
{
	/* Flags and the conditions (bit n: cc n) that hold with them. */
	static const struct {
		uint64_t flags;
		uint16_t holds;
	} cases[] = {
	    {0, 0xaaaa},       {FLAG_OF, 0x5aa9}, {FLAG_CF, 0xaa66 | 0},       {FLAG_ZF, 0x6a5a | 0},
	    {FLAG_SF, 0x59aa}, {FLAG_PF, 0xa6aa}, {FLAG_SF | FLAG_OF, 0xa9a9},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned cc = 0; cc < 16; cc++) {
			bool holds = cases[i].holds >> cc & 1;
			cpu.rflags = FLAG_1 | cases[i].flags;
			OK((uint8_t)(0x70 | cc), 0x10);
			ck_assert_msg(cpu.next_rip == cpu.rip + (holds ? 0x12 : 2), "cc %u, case %u", cc, i);
			OK(0x0f, (uint8_t)(0x80 | cc), 0x00, 0x01, 0x00, 0x00);
			ck_assert_uint_eq(cpu.next_rip, cpu.rip + (holds ? 0x106 : 6));
		}
}
END_TEST

START_TEST(near_jumps)
{
	OK(0xeb, 0xf0);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 2 - 16);
	OK(0x66, 0xe9, 0x00, 0xa0); /* a 16-bit jump truncates EIP */
	ck_assert_uint_eq(cpu.next_rip, (cpu.rip + 4 + 0xa000) & 0xffff);
	cpu.gpr[RCX] = 0x12345678;
	OK(0xff, 0xe1);
	ck_assert_uint_eq(cpu.next_rip, 0x12345678);
	poke(0x200, 4, 0xcafe);
	cpu.gpr[RBX] = 0x200;
	OK(0xff, 0x23);
	ck_assert_uint_eq(cpu.next_rip, 0xcafe);
	cpu.seg[SEG_CS].limit = 0xffff;
	RAISES(EXC_GP, 0xff, 0xe1);
	RAISES(EXC_GP, 0xe9, 0, 0, 1, 0);
}
END_TEST

START_TEST(calls_and_returns)
{
	OK(0xe8, 0, 1, 0, 0);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 5 + 0x100);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 4);
	ck_assert_uint_eq(stack_word(4, 0), cpu.rip + 5);
	OK(0xc3);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 5);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0);
	/* CALL [ESP]: the operand is read before the push. */
	poke(STACK0, 4, 0x4321);
	OK(0xff, 0x14, 0x24);
	ck_assert_uint_eq(cpu.next_rip, 0x4321);
	poke(STACK0 - 4, 4, 0x1111);
	OK(0xc2, 0x08, 0x80);
	ck_assert_uint_eq(cpu.next_rip, 0x1111);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 0x8008);
	OK(0x66, 0xe8, 0, 0);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 0x8006);
	/* Neither a bad target nor a bad stack leaves anything behind. */
	cpu.seg[SEG_CS].limit = 0xffff;
	RAISES(EXC_GP, 0xe8, 0, 0, 1, 0);
	cpu.seg[SEG_SS].limit = 0xfff;
	RAISES(EXC_SS, 0xe8, 0, 0, 0, 0);
	RAISES(EXC_SS, 0xc3);
}
END_TEST

START_TEST(far_pointers)
{
	enter_real();
	OK(0xea, 0x34, 0x12, 0x00, 0x20);
	ck_assert_uint_eq(cpu.next_rip, 0x1234);
	ck_assert_uint_eq(cpu.seg[SEG_CS].base, 0x20000);
	poke(cpu.seg[SEG_DS].base + 0x50, 4, 0x30005678);
	cpu.gpr[RBX] = 0x50;
	OK(0xff, 0x1f); /* CALL FAR [BX] */
	ck_assert_uint_eq(cpu.next_rip, 0x5678);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 0x3000);
	ck_assert_uint_eq(stack_word(2, 1), 0x2000);
	OK(0xcb);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 0x2000);
	cpu.gpr[RBX] = 0xfffe; /* the selector lies beyond the limit */
	RAISES(EXC_GP, 0xff, 0x2f);
}
END_TEST

START_TEST(loops)
{
	cpu.gpr[RCX] = 2;
	OK(0xe2, 0x10);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 0x12);
	OK(0xe2, 0x10);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 2);
	ck_assert_uint_eq(cpu.gpr[RCX], 0);
	OK(0xe3, 0x10); /* JECXZ */
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 0x12);
	OK(0xe2, 0x10);
	ck_assert_uint_eq(cpu.gpr[RCX], 0xffffffff);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 0x12);
	cpu.gpr[RCX] = 0x50000;
	OK(0x67, 0xe2, 0x10); /* counts CX */
	ck_assert_uint_eq(cpu.gpr[RCX], 0x5ffff);
	cpu.gpr[RCX] = 0x50000;
	OK(0x67, 0xe3, 0x10);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 0x13);
	cpu.gpr[RCX] = 5;
	cpu.rflags = FLAG_1;
	OK(0xe1, 0x10); /* LOOPE: not equal */
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 2);
	OK(0xe0, 0x10); /* LOOPNE */
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 0x12);
	ck_assert_uint_eq(cpu.gpr[RCX], 3);
	cpu.seg[SEG_CS].limit = 0x7001;
	RAISES(EXC_GP, 0xe2, 0x7f);
}
END_TEST

START_TEST(bound)
{
	poke(0x300, 4, (uint32_t)-5);
	poke(0x304, 4, 7);
	cpu.gpr[RBX] = 0x300;
	cpu.gpr[RAX] = (uint32_t)-5;
	OK(0x62, 0x03);
	cpu.gpr[RAX] = 7;
	OK(0x62, 0x03);
	cpu.gpr[RAX] = 8;
	RAISES(EXC_BR, 0x62, 0x03);
	cpu.gpr[RAX] = (uint32_t)-6;
	RAISES(EXC_BR, 0x62, 0x03);
	poke(0x300, 4, 0x0005fff0); /* words: -16 .. 5 */
	cpu.gpr[RAX] = 0x1234fff0;
	OK(0x66, 0x62, 0x03);
}
END_TEST

START_TEST(interrupts_in_real_mode)
{
	enter_real();
	poke(0x21 * 4, 4, 0x20000100);
	poke(3 * 4, 4, 0x20000300);
	cpu.rflags |= FLAG_IF | FLAG_TF;
	OK(0xcd, 0x21);
	ck_assert_uint_eq(cpu.next_rip, 0x100);
	ck_assert_uint_eq(cpu.seg[SEG_CS].base, 0x20000);
	ck_assert_uint_eq(stack_word(2, 0), cpu.rip + 2);
	ck_assert(!flag(FLAG_IF | FLAG_TF));
	OK(0xcc);
	ck_assert_uint_eq(cpu.next_rip, 0x300);
	OK(0xce); /* INTO without overflow */
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 1);
	OK(0xcf);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 0x2000);
	ck_assert_uint_eq(stats.soft_interrupts, 2);
}
END_TEST

START_TEST(interrupts_at_ring3)
{
	set_gate(0x21, gate(CODE0, HANDLER, SEG_P | SYS_INT32, 0));
	set_gate(0x80, gate(CODE0, HANDLER, SEG_P | SYS_TRAP32 | dpl(3), 0));
	enter_ring(3);
	FAULTS(RUN(0xcd, 0x21), EXC_GP, 0x21 * 8 + 2);
	OK(0xcd, 0x80);
	ck_assert_uint_eq(cpu.next_rip, HANDLER);
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert_uint_eq(stack_word(4, 0), cpu.rip + 2);
	ck_assert(flag(FLAG_IF));
}
END_TEST

/* Table 20-2: the six ways INT n goes in V86 mode. */
START_TEST(interrupts_in_v86_mode)
{
	const uint64_t iomap = 0x88;

	set_gate(0x21, gate(CODE0, HANDLER, SEG_P | SYS_INT32 | dpl(3), 0));
	poke(0x21 * 4, 4, 0x30000100);
	cpu.tr.limit = 0x200;
	poke(TSS_A + 102, 2, iomap);
	enter_v86(0);
	RAISES(EXC_GP, 0xcd, 0x21); /* 1: no VME, IOPL < 3 */
	enter_v86(3);
	OK(0xcd, 0x21); /* 2: no VME, IOPL 3 */
	ck_assert_uint_eq(cpu.next_rip, HANDLER);
	ck_assert(!flag(FLAG_VM));

	cpu.cr4 |= CR4_VME;
	poke(TSS_A + iomap - 32 + 4, 1, 2); /* bit 0x21 set */
	enter_v86(0);
	RAISES(EXC_GP, 0xcd, 0x21); /* 3 */
	enter_v86(3);
	OK(0xcd, 0x21); /* 4 */
	ck_assert_uint_eq(cpu.next_rip, HANDLER);

	poke(TSS_A + iomap - 32 + 4, 1, 0);
	enter_v86(0);
	cpu.rflags |= FLAG_VIF;
	OK(0xcd, 0x21); /* 6: redirected, VIF stands for IF */
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 0x3000);
	ck_assert_uint_eq(cpu.next_rip, 0x100);
	ck_assert(flag(FLAG_VM) && flag(FLAG_IF) && !flag(FLAG_VIF));
	ck_assert_uint_eq(stack_word(2, 2), FLAG_1 | FLAG_IF | FLAG_IOPL);
	enter_v86(3);
	OK(0xcd, 0x21); /* 5 */
	ck_assert(!flag(FLAG_IF));
	ck_assert_uint_eq(cpu.gpr[RSP], 0x800 - 6);
	/* A map that the TSS does not hold. */
	poke(TSS_A + 102, 2, 0x400);
	enter_v86(3);
	RAISES(EXC_GP, 0xcd, 0x21);
}
END_TEST

START_TEST(in_64_bit_code)
{
	enter_long(0);
	cpu.gpr[RAX] = 0x800000000000; /* not canonical */
	RAISES(EXC_GP, 0xff, 0xe0);
	cpu.gpr[RAX] = 0xffff800000001234;
	OK(0x66, 0xff, 0xd0); /* 66 does not make a near call 16 bits wide */
	ck_assert_uint_eq(cpu.next_rip, 0xffff800000001234);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 8);
	cpu.gpr[RCX] = 0x100000001;
	OK(0x67, 0xe2, 0x10); /* ECX, zero-extended */
	ck_assert_uint_eq(cpu.gpr[RCX], 0);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip + 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control");
	TCase *tc = insn_case(s, "control");

	tcase_add_test(tc, conditions);
	tcase_add_test(tc, near_jumps);
	tcase_add_test(tc, calls_and_returns);
	tcase_add_test(tc, far_pointers);
	tcase_add_test(tc, loops);
	tcase_add_test(tc, bound);
	tcase_add_test(tc, interrupts_in_real_mode);
	tcase_add_test(tc, interrupts_at_ring3);
	tcase_add_test(tc, interrupts_in_v86_mode);
	tcase_add_test(tc, in_64_bit_code);
	return run_suite(s);
}
