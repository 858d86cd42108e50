/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Far JMP, CALL, RET, call gates. */
#include "cpu_fixture.h"

START_TEST(real_mode)
{
	enter_real();
	WORKS(cpu_far_call(&cpu, 0x1200, 0x5555, 2, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_CS].base, 0x12000);
	ck_assert_uint_eq(cpu.next_rip, 0x5555);
	ck_assert_uint_eq(cpu.gpr[RSP], 0x7fc);
	ck_assert_uint_eq(stack_word(2, 0), 0x7002);
	ck_assert_uint_eq(stack_word(2, 1), 0x100);
	WORKS(cpu_far_return(&cpu, 2, 6, &fault));
	ck_assert_uint_eq(cpu.gpr[RSP], 0x806);
	ck_assert_uint_eq(cpu.next_rip, 0x7002);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 0x100);
	WORKS(cpu_far_jump(&cpu, 0xffff, 0x12345, 2, &fault)); /* 16 bits count */
	ck_assert_uint_eq(cpu.next_rip, 0x2345);
	FAULTS(cpu_far_jump(&cpu, 0x1200, 0x10000, 4, &fault), EXC_GP, 0);
	cpu.gpr[RSP] = 3;
	FAULTS(cpu_far_call(&cpu, 0x1200, 0, 2, &fault), EXC_SS, 0); /* the second word straddles 64 KiB */
	cpu.gpr[RSP] = 2;
	WORKS(cpu_far_call(&cpu, 0x1200, 0, 2, &fault)); /* wraps cleanly */
	ck_assert_uint_eq(cpu.gpr[RSP], 0xfffe);
	ck_assert_uint_eq(peek(cpu.seg[SEG_SS].base + 0xfffe, 2), 0x2345);
}
END_TEST

START_TEST(jump_checks)
{
	FAULTS(cpu_far_jump(&cpu, 0, 0, 4, &fault), EXC_GP, 0);
	FAULTS(cpu_far_jump(&cpu, DATA0, 0, 4, &fault), EXC_GP, DATA0);
	FAULTS(cpu_far_jump(&cpu, CODE3, 0, 4, &fault), EXC_GP, CODE3 & ~3);
	FAULTS(cpu_far_jump(&cpu, CODE0 | 1, 0, 4, &fault), EXC_GP, CODE0);
	FAULTS(cpu_far_jump(&cpu, CODE_ABSENT, 0, 4, &fault), EXC_NP, CODE_ABSENT);
	FAULTS(cpu_far_jump(&cpu, CODE_SHORT, 0x1000, 4, &fault), EXC_GP, 0);
	FAULTS(cpu_far_jump(&cpu, SEL_LDT, 0, 4, &fault), EXC_GP, SEL_LDT);
	WORKS(cpu_far_jump(&cpu, CODE_SHORT, 0xfff, 4, &fault));
	WORKS(cpu_far_jump(&cpu, CODE16, 0x1234, 4, &fault));
	ck_assert_uint_eq(cpu_code_size(&cpu), 2);
	enter_ring(3);
	WORKS(cpu_far_jump(&cpu, CONFORMING, 0x1234, 4, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CONFORMING | 3);
	FAULTS(cpu_far_jump(&cpu, CODE0, 0, 4, &fault), EXC_GP, CODE0);
	FAULTS(cpu_far_jump(&cpu, GATE32, 0, 4, &fault), EXC_GP, CODE0); /* JMP gains no privilege */
	WORKS(cpu_far_jump(&cpu, CODE3 & ~3, 5, 4, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE3);
}
END_TEST

START_TEST(conforming_is_not_for_inner_rings)
{
	set_descriptor(CONFORMING, descriptor(0, 0xfffff, SEG_P | SEG_S | SEG_CODE | SEG_C | dpl(3)));
	FAULTS(cpu_far_jump(&cpu, CONFORMING, 0, 4, &fault), EXC_GP, CONFORMING);
	FAULTS(cpu_far_call(&cpu, CONFORMING, 0, 4, &fault), EXC_GP, CONFORMING);
}
END_TEST

START_TEST(call_gate_inner)
{
	enter_ring(3);
	poke(STACK3, 4, 0x11111111);
	poke(STACK3 + 4, 4, 0x22222222);
	WORKS(cpu_far_call(&cpu, GATE32, 0xdeadbeef, 4, &fault));
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE0);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, DATA0);
	ck_assert_uint_eq(cpu.next_rip, HANDLER);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 24);
	ck_assert_uint_eq(stack_word(4, 0), 0x7002);
	ck_assert_uint_eq(stack_word(4, 1), CODE3);
	ck_assert_uint_eq(stack_word(4, 2), 0x11111111);
	ck_assert_uint_eq(stack_word(4, 3), 0x22222222);
	ck_assert_uint_eq(stack_word(4, 4), STACK3);
	ck_assert_uint_eq(stack_word(4, 5), DATA3);
	/* And back: inner data segments are dropped, parameters released on both stacks. */
	force_segment(SEG_DS, DATA0);
	force_segment(SEG_ES, DATA3);
	force_segment(SEG_FS, CONFORMING);
	WORKS(cpu_far_return(&cpu, 4, 8, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3 + 8);
	ck_assert_uint_eq(cpu.next_rip, 0x7002);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE3);
	ck_assert_uint_eq(cpu.seg[SEG_DS].attr, SEG_NULL);
	ck_assert_uint_eq(cpu.seg[SEG_DS].selector, 0);
	ck_assert_uint_eq(cpu.seg[SEG_ES].selector, DATA3);
	ck_assert_uint_eq(cpu.seg[SEG_FS].selector, CONFORMING);
}
END_TEST

START_TEST(call_gate_16)
{
	enter_ring(3);
	cpu.gpr[RSP] = 0x19000;
	poke(0x19000, 2, 0x1111);
	WORKS(cpu_far_call(&cpu, GATE16, 0, 4, &fault));
	ck_assert_uint_eq(cpu.next_rip, 0x2000);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 10);
	ck_assert_uint_eq(stack_word(2, 0), 0x7002);
	ck_assert_uint_eq(stack_word(2, 1), CODE3);
	ck_assert_uint_eq(stack_word(2, 2), 0x1111);
	ck_assert_uint_eq(stack_word(2, 3), 0x9000);
	ck_assert_uint_eq(stack_word(2, 4), DATA3);
}
END_TEST

START_TEST(call_gate_checks)
{
	enter_ring(3);
	set_descriptor(SCRATCH, gate(CODE0, HANDLER, SEG_P | SYS_CALL32 | dpl(2), 0));
	FAULTS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault), EXC_GP, SCRATCH);
	set_descriptor(SCRATCH, gate(CODE0, HANDLER, SYS_CALL32 | dpl(3), 0));
	FAULTS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault), EXC_NP, SCRATCH);
	set_descriptor(SCRATCH, gate(0, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	FAULTS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault), EXC_GP, 0);
	set_descriptor(SCRATCH, gate(DATA0, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	FAULTS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault), EXC_GP, DATA0);
	set_descriptor(SCRATCH, gate(CODE_ABSENT, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	FAULTS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault), EXC_NP, CODE_ABSENT);
	set_descriptor(SCRATCH, gate(CODE_SHORT, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	FAULTS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault), EXC_GP, 0);
	/* The stack of the inner ring */
	poke(TSS_A + 8, 2, 0);
	FAULTS(cpu_far_call(&cpu, GATE32, 0, 4, &fault), EXC_TS, 0);
	poke(TSS_A + 8, 2, DATA3);
	FAULTS(cpu_far_call(&cpu, GATE32, 0, 4, &fault), EXC_TS, DATA3 & ~3);
	poke(TSS_A + 8, 2, DATA_RO);
	FAULTS(cpu_far_call(&cpu, GATE32, 0, 4, &fault), EXC_TS, DATA_RO);
	poke(TSS_A + 8, 2, DATA_ABSENT);
	FAULTS(cpu_far_call(&cpu, GATE32, 0, 4, &fault), EXC_SS, DATA_ABSENT);
	poke(TSS_A + 8, 2, DATA_DOWN);
	poke(TSS_A + 4, 4, 0x8017); /* expand-down above 0x7fff: one byte short */
	FAULTS(cpu_far_call(&cpu, GATE32, 0, 4, &fault), EXC_SS, DATA_DOWN);
	poke(TSS_A + 4, 4, 0x8018);
	memcpy(&before, &cpu, sizeof(cpu));
	WORKS(cpu_far_call(&cpu, GATE32, 0, 4, &fault));
	memcpy(&cpu, &before, sizeof(cpu));
	cpu.tr.limit = 4 + 5 - 1;
	FAULTS(cpu_far_call(&cpu, GATE32, 0, 4, &fault), EXC_TS, SEL_TSS_A);
	/* The caller's stack, where the parameters are */
	cpu.tr.limit = 0x67;
	cpu.seg[SEG_SS].limit = STACK3 + 6;
	FAULTS(cpu_far_call(&cpu, GATE32, 0, 4, &fault), EXC_SS, 0);
}
END_TEST

START_TEST(call_gate_to_ring1_and_same_ring)
{
	enter_ring(3);
	set_descriptor(SCRATCH, gate(CODE1, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	WORKS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault));
	ck_assert_uint_eq(cpu.cpl, 1);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 0x400 - 16);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, DATA1);
	WORKS(cpu_far_call(&cpu, SCRATCH, 0, 4, &fault)); /* from ring 1 to itself: RPL of the gate is 0 */
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 0x400 - 24);
	WORKS(cpu_far_jump(&cpu, SCRATCH, 0, 4, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE1);
}
END_TEST

START_TEST(return_checks)
{
	poke(STACK0, 4, 0x1234);
	poke(STACK0 + 4, 4, 0);
	FAULTS(cpu_far_return(&cpu, 4, 0, &fault), EXC_GP, 0);
	poke(STACK0 + 4, 4, DATA0);
	FAULTS(cpu_far_return(&cpu, 4, 0, &fault), EXC_GP, DATA0);
	poke(STACK0 + 4, 4, CODE0 | 3);
	FAULTS(cpu_far_return(&cpu, 4, 0, &fault), EXC_GP, CODE0);
	poke(STACK0 + 4, 4, CODE_ABSENT);
	FAULTS(cpu_far_return(&cpu, 4, 0, &fault), EXC_NP, CODE_ABSENT);
	poke(STACK0 + 4, 4, CODE3);
	poke(STACK0 + 8, 4, STACK3);
	poke(STACK0 + 12, 4, 0);
	FAULTS(cpu_far_return(&cpu, 4, 0, &fault), EXC_GP, 0);
	poke(STACK0 + 12, 4, DATA0);
	FAULTS(cpu_far_return(&cpu, 4, 0, &fault), EXC_GP, DATA0);
	poke(STACK0 + 12, 4, DATA3);
	WORKS(cpu_far_return(&cpu, 4, 0, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	poke(STACK3 + 4, 4, CODE0);
	FAULTS(cpu_far_return(&cpu, 4, 0, &fault), EXC_GP, CODE0); /* inwards */
}
END_TEST

START_TEST(alignment)
{
	enter_ring(3);
	cpu.gpr[RSP] = STACK3 + 2;
	cpu.rflags |= FLAG_AC;
	WORKS(cpu_far_call(&cpu, CODE3, 0, 4, &fault));
	cpu.cr0 |= CR0_AM;
	FAULTS(cpu_far_call(&cpu, CODE3, 0, 4, &fault), EXC_AC, 0);
	WORKS(cpu_far_call(&cpu, CODE3, 0, 2, &fault));
	poke(TSS_A + 4, 4, STACK0 + 2);
	set_descriptor(GATE32, gate(CODE0, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	WORKS(cpu_far_call(&cpu, GATE32, 0, 4, &fault)); /* the inner stack is not checked */
}
END_TEST

START_TEST(long_mode)
{
	enter_long(3);
	WORKS(cpu_far_call(&cpu, GATE64, 0, 4, &fault));
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert(cpu_code64(&cpu));
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, 0);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 8 - 32);
	ck_assert_uint_eq(peek(cpu.gpr[RSP], 8), 0x7002);
	ck_assert_uint_eq(peek(cpu.gpr[RSP] + 24, 8), DATA3);
	WORKS(cpu_far_return(&cpu, 8, 0, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3);
	set_descriptor(GATE64 + 8, 0x8000); /* offset 47 set: not canonical */
	FAULTS(cpu_far_call(&cpu, GATE64, 0, 4, &fault), EXC_GP, 0);
	set_descriptor(GATE64 + 8, BIT(40)); /* a type in the second half */
	FAULTS(cpu_far_call(&cpu, GATE64, 0, 4, &fault), EXC_GP, GATE64);
	FAULTS(cpu_far_jump(&cpu, TSS64, 0, 4, &fault), EXC_GP, TSS64); /* no task switches */
	set_descriptor(SCRATCH, descriptor(0, 0, SEG_P | SEG_S | SEG_CODE | SEG_L | SEG_DB | dpl(3)));
	FAULTS(cpu_far_jump(&cpu, SCRATCH, 0, 4, &fault), EXC_GP, SCRATCH);
	WORKS(cpu_far_jump(&cpu, CODE3, 0x1234, 4, &fault)); /* to compatibility mode */
	ck_assert_uint_eq(cpu_code_size(&cpu), 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("far");
	TCase *t = tcase_create("far");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, real_mode);
	tcase_add_test(t, jump_checks);
	tcase_add_test(t, conforming_is_not_for_inner_rings);
	tcase_add_test(t, call_gate_inner);
	tcase_add_test(t, call_gate_16);
	tcase_add_test(t, call_gate_checks);
	tcase_add_test(t, call_gate_to_ring1_and_same_ring);
	tcase_add_test(t, return_checks);
	tcase_add_test(t, alignment);
	tcase_add_test(t, long_mode);
	suite_add_tcase(s, t);
	return run_suite(s);
}
