/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads of segment registers, LDTR and TR; reset. */
#include "cpu/tlb.h"
#include "cpu_fixture.h"

START_TEST(real_mode_keeps_the_limit)
{
	force_segment(SEG_DS, DATA0);
	cpu.cr0 &= ~CR0_PE;
	WORKS(cpu_load_segment(&cpu, SEG_DS, 0x1234, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_DS].base, 0x12340);
	ck_assert_uint_eq(cpu.seg[SEG_DS].limit, 0xffffffff);
	ck_assert_uint_eq(cpu.seg[SEG_DS].attr & (SEG_P | SEG_W | SEG_S), SEG_P | SEG_W | SEG_S);
}
END_TEST

START_TEST(v86_load)
{
	enter_v86(0);
	WORKS(cpu_load_segment(&cpu, SEG_SS, 0xf00d, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_SS].base, 0xf00d0);
	ck_assert_uint_eq(cpu.seg[SEG_SS].limit, 0xffff);
	ck_assert_uint_eq(cpu.seg[SEG_SS].attr, 0xf3);
}
END_TEST

START_TEST(data_ring0)
{
	WORKS(cpu_load_segment(&cpu, SEG_ES, DATA0, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_ES].limit, 0xffffffff);
	ck_assert_uint_eq(peek(GDT + DATA0 + 5, 1) & 1, 1); /* accessed */
	ck_assert_uint_eq(cpu.seg[SEG_ES].attr & SEG_A, SEG_A);
	WORKS(cpu_load_segment(&cpu, SEG_ES, 3, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_ES].attr & SEG_NULL, SEG_NULL);
	ck_assert_uint_eq(cpu.seg[SEG_ES].selector, 3);
	WORKS(cpu_load_segment(&cpu, SEG_FS, CODE0, &fault)); /* readable */
	WORKS(cpu_load_segment(&cpu, SEG_GS, DATA_RO, &fault));
	FAULTS(cpu_load_segment(&cpu, SEG_ES, CODE_XONLY, &fault), EXC_GP, CODE_XONLY);
	FAULTS(cpu_load_segment(&cpu, SEG_ES, DATA0 | 1, &fault), EXC_GP, DATA0);
	FAULTS(cpu_load_segment(&cpu, SEG_ES, SEL_TSS_B, &fault), EXC_GP, SEL_TSS_B);
	FAULTS(cpu_load_segment(&cpu, SEG_ES, DATA_ABSENT, &fault), EXC_NP, DATA_ABSENT);
	FAULTS(cpu_load_segment(&cpu, SEG_ES, GDT_BYTES, &fault), EXC_GP, GDT_BYTES);
	cpu.gdtr.limit = DATA3 + 3; /* one byte short */
	FAULTS(cpu_load_segment(&cpu, SEG_ES, DATA3, &fault), EXC_GP, DATA3 & ~3);
}
END_TEST

START_TEST(data_ring3)
{
	enter_ring(3);
	FAULTS(cpu_load_segment(&cpu, SEG_DS, DATA0, &fault), EXC_GP, DATA0);
	FAULTS(cpu_load_segment(&cpu, SEG_DS, CODE0 | 3, &fault), EXC_GP, CODE0);
	WORKS(cpu_load_segment(&cpu, SEG_DS, CONFORMING | 3, &fault)); /* privilege does not matter */
	WORKS(cpu_load_segment(&cpu, SEG_DS, DATA3 & ~3, &fault));
}
END_TEST

START_TEST(stack_segment)
{
	WORKS(cpu_load_segment(&cpu, SEG_SS, DATA16, &fault));
	ck_assert_uint_eq(cpu_stack_size(&cpu), 2);
	FAULTS(cpu_load_segment(&cpu, SEG_SS, 0, &fault), EXC_GP, 0);
	FAULTS(cpu_load_segment(&cpu, SEG_SS, DATA3, &fault), EXC_GP, DATA3 & ~3);
	FAULTS(cpu_load_segment(&cpu, SEG_SS, DATA3 & ~3, &fault), EXC_GP, DATA3 & ~3);
	FAULTS(cpu_load_segment(&cpu, SEG_SS, DATA_RO, &fault), EXC_GP, DATA_RO);
	FAULTS(cpu_load_segment(&cpu, SEG_SS, CODE0, &fault), EXC_GP, CODE0);
	FAULTS(cpu_load_segment(&cpu, SEG_SS, DATA_ABSENT, &fault), EXC_SS, DATA_ABSENT);
}
END_TEST

START_TEST(ldt)
{
	set_descriptor(0x0c, descriptor(0x5000, 0x10, SEG_P | SEG_S | SEG_W));
	WORKS(cpu_load_segment(&cpu, SEG_ES, 0x0c, &fault));
	ck_assert_uint_eq(cpu.seg[SEG_ES].base, 0x5000);
	FAULTS(cpu_load_segment(&cpu, SEG_ES, 0x24, &fault), EXC_GP, 0x24);
	WORKS(cpu_load_ldtr(&cpu, 0, &fault));
	FAULTS(cpu_load_segment(&cpu, SEG_ES, 0x0c, &fault), EXC_GP, 0x0c);
	FAULTS(cpu_load_segment(&cpu, SEG_ES, 0x04, &fault), EXC_GP, 0x04);
	WORKS(cpu_load_ldtr(&cpu, SEL_LDT, &fault));
	WORKS(cpu_load_segment(&cpu, SEG_ES, 0x0c, &fault));
	FAULTS(cpu_load_ldtr(&cpu, 0x0c, &fault), EXC_GP, 0x0c);
	FAULTS(cpu_load_ldtr(&cpu, DATA0, &fault), EXC_GP, DATA0);
	set_descriptor(SEL_LDT, descriptor(LDT, 0x1f, SYS_LDT));
	FAULTS(cpu_load_ldtr(&cpu, SEL_LDT, &fault), EXC_NP, SEL_LDT);
}
END_TEST

START_TEST(task_register)
{
	WORKS(cpu_load_tr(&cpu, SEL_TSS_B, &fault));
	ck_assert_uint_eq(peek(GDT + SEL_TSS_B + 5, 1) & 0xf, SYS_TSS32_BUSY);
	ck_assert_uint_eq(cpu.tr.base, TSS_B);
	ck_assert_uint_eq(cpu.tr.attr & SEG_TYPE, SYS_TSS32_BUSY);
	FAULTS(cpu_load_tr(&cpu, SEL_TSS_B, &fault), EXC_GP, SEL_TSS_B); /* busy */
	FAULTS(cpu_load_tr(&cpu, 0, &fault), EXC_GP, 0);
	FAULTS(cpu_load_tr(&cpu, SEL_TSS_C | SEL_TI, &fault), EXC_GP, SEL_TSS_C | SEL_TI);
	set_descriptor(SEL_TSS_C, descriptor(TSS_C, 0x2b, SYS_TSS16));
	FAULTS(cpu_load_tr(&cpu, SEL_TSS_C, &fault), EXC_NP, SEL_TSS_C);
}
END_TEST

START_TEST(long_mode)
{
	enter_long(0);
	WORKS(cpu_load_segment(&cpu, SEG_SS, 0, &fault));
	FAULTS(cpu_load_segment(&cpu, SEG_SS, 3, &fault), EXC_GP, 0);
	set_descriptor(TSS64 + 8, 0xffff8000);
	WORKS(cpu_load_tr(&cpu, TSS64, &fault));
	ck_assert_uint_eq(cpu.tr.base, 0xffff800000000000 | TSS_A);
	FAULTS(cpu_load_tr(&cpu, SEL_TSS_C, &fault), EXC_GP, SEL_TSS_C);
	cpu.gdtr.limit = GDT_END - 1;
	set_descriptor(GDT_END - 8, descriptor(LDT, 0x1f, SEG_P | SYS_LDT)); /* only its first half fits */
	FAULTS(cpu_load_ldtr(&cpu, GDT_END - 8, &fault), EXC_GP, GDT_END - 8);
	enter_ring(3);
	force_segment(SEG_CS, CODE64_3);
	FAULTS(cpu_load_segment(&cpu, SEG_SS, 3, &fault), EXC_GP, 0);
}
END_TEST

START_TEST(page_fault_on_the_gdt)
{
	poke(TABLES_PAGES, 4, (TABLES_PAGES + 0x1000) | PTE_P | PTE_W);
	for (unsigned i = 0; i < 0x100; i++)
		poke(TABLES_PAGES + 0x1000 + i * 4, 4, i * 0x1000 | PTE_P | PTE_W);
	poke(TABLES_PAGES + 0x1004, 4, GDT | PTE_P); /* read only */
	cpu.cr3 = TABLES_PAGES;
	cpu.cr0 |= CR0_PG | CR0_WP;
	FAULTS(cpu_load_segment(&cpu, SEG_ES, DATA3, &fault), EXC_PF, PF_P | PF_W); /* the accessed bit */
	ck_assert_uint_eq(fault.address, GDT + (DATA3 & ~3) + 5);
	poke(TABLES_PAGES + 0x1004, 4, 0);
	tlb_flush(&cpu);
	enter_ring(3);
	FAULTS(cpu_load_segment(&cpu, SEG_ES, DATA3, &fault), EXC_PF, 0); /* a supervisor access even so */
	ck_assert_uint_eq(fault.address, GDT + (DATA3 & ~3));
}
END_TEST

START_TEST(reset)
{
	cpu.cr0 = CR0_PE | CR0_PG | CR0_NW | CR0_ET;
	cpu.pat = 5;
	cpu.activity = CPU_SHUTDOWN;
	cpu.pending_db = 1;
	cpu_reset(&cpu, true);
	ck_assert_uint_eq(cpu.cr0, CR0_NW | CR0_ET); /* CD and NW survive INIT */
	ck_assert_uint_eq(cpu.pat, 5);
	ck_assert_uint_eq(cpu_linear_pc(&cpu), 0xfffffff0);
	ck_assert_uint_eq(cpu.activity, CPU_RUNNING);
	ck_assert_uint_eq(cpu.pending_db, 0);
	cpu_reset(&cpu, false);
	ck_assert_uint_eq(cpu.cr0, CR0_CD | CR0_NW | CR0_ET);
	ck_assert_uint_ne(cpu.pat, 5);
	ck_assert_uint_eq(cpu.rflags, FLAG_1);
	ck_assert_uint_eq(cpu.dr[6], DR6_FIXED);
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert_ptr_eq(cpu.pm, &pm);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segments");
	TCase *t = tcase_create("segments");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, real_mode_keeps_the_limit);
	tcase_add_test(t, v86_load);
	tcase_add_test(t, data_ring0);
	tcase_add_test(t, data_ring3);
	tcase_add_test(t, stack_segment);
	tcase_add_test(t, ldt);
	tcase_add_test(t, task_register);
	tcase_add_test(t, long_mode);
	tcase_add_test(t, page_fault_on_the_gdt);
	tcase_add_test(t, reset);
	suite_add_tcase(s, t);
	return run_suite(s);
}
