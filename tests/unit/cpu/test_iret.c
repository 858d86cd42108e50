/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IRET in every mode but nested tasks (test_task.c) and V86 round trips (test_event.c). */
#include "cpu_fixture.h"

/* Words on the stack in use, the first on top. */
static void push_frame(unsigned size, unsigned count, const uint64_t *words)
{
	uint64_t at = cpu.seg[SEG_SS].base + (cpu.gpr[RSP] & size_mask(cpu_stack_size(&cpu)));
	for (unsigned i = 0; i < count; i++)
		poke(at + i * size, size, words[i]);
}

#define FRAME(size, ...)                                                                                               \
	do {                                                                                                           \
		const uint64_t words[] = {__VA_ARGS__};                                                                \
		push_frame(size, ARRAY_LEN(words), words);                                                             \
	} while (0)

START_TEST(real_mode)
{
	enter_real();
	cpu.nmi_blocked = true;
	FRAME(2, 0x1234, 0x4000, 0xffff);
	WORKS(cpu_iret(&cpu, 2, &fault));
	ck_assert_uint_eq(cpu.next_rip, 0x1234);
	ck_assert_uint_eq(cpu.seg[SEG_CS].base, 0x40000);
	ck_assert_uint_eq(cpu.rflags, 0x7fd7);
	ck_assert_uint_eq(cpu.gpr[RSP], 0x806);
	ck_assert(!cpu.nmi_blocked);
	FRAME(4, 0x1234, 0x14000, 0xffffffff);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.rflags, 0x7fd7 | FLAG_RF | FLAG_AC | FLAG_ID);
	FRAME(4, 0x10000, 0x4000, 2);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, 0);
}
END_TEST

START_TEST(same_ring)
{
	FRAME(4, 0x12345, CODE0, 0xffffffff & ~FLAG_VM);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.rflags, (FLAGS_ALL & ~FLAG_VM) | FLAG_1);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 12);
	cpu.rflags = FLAG_1;
	FRAME(2, 0x2345, CODE0, FLAG_IF);
	WORKS(cpu_iret(&cpu, 2, &fault));
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IF);
	ck_assert_uint_eq(cpu.next_rip, 0x2345);
}
END_TEST

START_TEST(flags_at_ring3)
{
	enter_ring(3);
	cpu.rflags = FLAG_1 | FLAG_IF | 1 << FLAG_IOPL_SHIFT;
	FRAME(4, 0x12345, CODE3, FLAG_IOPL | FLAG_VIF | FLAG_VIP | FLAG_VM | FLAG_CF | FLAG_AC);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IF | 1 << FLAG_IOPL_SHIFT | FLAG_CF | FLAG_AC);
	cpu.rflags |= FLAG_IOPL;
	FRAME(4, 0x12345, CODE3, 0);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IOPL);
}
END_TEST

START_TEST(outer_ring)
{
	force_segment(SEG_FS, CODE0);
	force_segment(SEG_GS, CONFORMING);
	FRAME(4, 0x12345, CODE3, FLAG_IF | FLAG_IOPL, STACK3, DATA3);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, DATA3);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IF | FLAG_IOPL); /* by the CPL before */
	ck_assert_uint_eq(cpu.seg[SEG_DS].attr, SEG_NULL);
	ck_assert_uint_eq(cpu.seg[SEG_ES].attr, SEG_NULL);
	ck_assert_uint_eq(cpu.seg[SEG_FS].attr, SEG_NULL);
	ck_assert_uint_eq(cpu.seg[SEG_GS].selector, CONFORMING);
}
END_TEST

START_TEST(outer_16_bit_stack)
{
	set_descriptor(SCRATCH, descriptor(0, 0xffff, SEG_P | SEG_S | SEG_W | dpl(3)));
	cpu.gpr[RSP] = 0xa8000;
	FRAME(4, 0x12345, CODE3, 0, 0x1111f000, SCRATCH | 3);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.gpr[RSP], 0xaf000); /* only SP is loaded */
}
END_TEST

START_TEST(checks)
{
	FRAME(4, 0x12345, 0, 0, STACK3, DATA3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, 0);
	FRAME(4, 0x12345, DATA0, 0, STACK3, DATA3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, DATA0);
	FRAME(4, 0x12345, CODE_ABSENT, 0, STACK3, DATA3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_NP, CODE_ABSENT);
	FRAME(4, 0x1000, CODE_SHORT, 0, STACK3, DATA3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, 0);
	FRAME(4, 0x1000, CODE3, 0, STACK3, 3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, 0);
	FRAME(4, 0x1000, CODE3, 0, STACK3, DATA0 | 3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, DATA0);
	FRAME(4, 0x1000, CODE3, 0, STACK3, DATA3 & ~3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, DATA3 & ~3);
	cpu.seg[SEG_SS].limit = STACK0 + 0x12;
	FRAME(4, 0x1000, CODE3, 0, STACK3, DATA3);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_SS, 0);
	FRAME(4, 0x1000, CODE0, FLAG_VM, 0, 0);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_SS, 0); /* nine words for V86 mode */
	cpu.seg[SEG_SS].limit = 0xffffffff;
	FRAME(4, 0x10000, CODE0, FLAG_VM, 0, 0, 0, 0, 0, 0);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, 0);
}
END_TEST

START_TEST(v86)
{
	enter_v86(3);
	FRAME(2, 0x1234, 0x4000, FLAG_CF);
	WORKS(cpu_iret(&cpu, 2, &fault));
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_VM | FLAG_IOPL | FLAG_CF); /* IF gone, IOPL kept */
	ck_assert_uint_eq(cpu.seg[SEG_CS].base, 0x40000);
	ck_assert_uint_eq(cpu.gpr[RSP], 0x806);
	FRAME(4, 0x10000, 0x4000, 0);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, 0);
	enter_v86(0);
	FRAME(2, 0x1234, 0x4000, FLAG_CF);
	FAULTS(cpu_iret(&cpu, 2, &fault), EXC_GP, 0);
}
END_TEST

START_TEST(v86_virtual_interrupts)
{
	enter_v86(0);
	cpu.cr4 = CR4_VME;
	FRAME(2, 0x1234, 0x4000, FLAG_IF | FLAG_IOPL);
	WORKS(cpu_iret(&cpu, 2, &fault));
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_VM | FLAG_IF | FLAG_VIF);
	cpu.rflags &= ~FLAG_IF;
	FRAME(2, 0x1234, 0x4000, 0);
	WORKS(cpu_iret(&cpu, 2, &fault));
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_VM);
	FRAME(2, 0x1234, 0x4000, FLAG_TF);
	FAULTS(cpu_iret(&cpu, 2, &fault), EXC_GP, 0);
	cpu.rflags |= FLAG_VIP;
	FRAME(2, 0x1234, 0x4000, FLAG_IF);
	FAULTS(cpu_iret(&cpu, 2, &fault), EXC_GP, 0);
	FRAME(4, 0x1234, 0x4000, 0);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_GP, 0);
}
END_TEST

START_TEST(long_mode)
{
	enter_long(0);
	FRAME(8, 0x12345, CODE64, FLAG_CF | FLAG_VM, 0xffff800000000000, 0); /* a null SS, same ring */
	WORKS(cpu_iret(&cpu, 8, &fault));
	ck_assert_uint_eq(cpu.gpr[RSP], 0xffff800000000000);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_CF);
	cpu.gpr[RSP] = STACK0;
	FRAME(8, 0x12345, CODE64_3, 0, STACK3, 3);
	FAULTS(cpu_iret(&cpu, 8, &fault), EXC_GP, 0);
	FRAME(8, BIT(47), CODE64_3, 0, STACK3, DATA3);
	FAULTS(cpu_iret(&cpu, 8, &fault), EXC_GP, 0);
	FRAME(8, BIT(32), CODE3, 0, STACK3, DATA3); /* beyond a compatibility segment */
	FAULTS(cpu_iret(&cpu, 8, &fault), EXC_GP, 0);
	cpu.rflags |= FLAG_NT;
	FAULTS(cpu_iret(&cpu, 8, &fault), EXC_GP, 0);
	cpu.rflags &= ~FLAG_NT;
	set_descriptor(SCRATCH, descriptor(0, 0, SEG_P | SEG_S | SEG_CODE | SEG_L | SEG_DB));
	FRAME(8, 0x12345, SCRATCH, 0, STACK0, 0);
	FAULTS(cpu_iret(&cpu, 8, &fault), EXC_GP, SCRATCH);
	FRAME(4, 0x12345, CODE3, 0, STACK3, DATA3);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu_code_size(&cpu), 4);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3);
	FRAME(4, 0x12345, CODE64_3, 0); /* same ring from compatibility mode: three words */
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3 + 12);
	ck_assert(cpu_code64(&cpu));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iret");
	TCase *t = tcase_create("iret");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, real_mode);
	tcase_add_test(t, same_ring);
	tcase_add_test(t, flags_at_ring3);
	tcase_add_test(t, outer_ring);
	tcase_add_test(t, outer_16_bit_stack);
	tcase_add_test(t, checks);
	tcase_add_test(t, v86);
	tcase_add_test(t, v86_virtual_interrupts);
	tcase_add_test(t, long_mode);
	suite_add_tcase(s, t);
	return run_suite(s);
}
