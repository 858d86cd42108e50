/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Task switches by every route, and their faults on both sides of the commit point. */
#include "cpu_fixture.h"

static unsigned type_of(uint16_t selector)
{
	return peek(GDT + selector + 5, 1) & 0xf;
}

static void fill_tss32(uint32_t base)
{
	poke(base + 0x20, 4, HANDLER);
	poke(base + 0x24, 4, FLAG_1 | FLAG_CF | FLAG_IF);
	for (unsigned i = 0; i < 8; i++)
		poke(base + 0x28 + i * 4, 4, 0xb0000000 + i);
	poke(base + 0x38, 4, 0xa000);
	poke(base + 0x48, 2, DATA0);
	poke(base + 0x4c, 2, CODE0);
	poke(base + 0x50, 2, DATA0);
	poke(base + 0x54, 2, DATA3);
	poke(base + 0x58, 2, 0);
	poke(base + 0x5c, 2, DATA0);
	poke(base + 0x60, 2, SEL_LDT);
}

static void fill_tss16(void)
{
	poke(TSS_C + 0x0e, 2, 0x3456);
	poke(TSS_C + 0x10, 2, FLAG_1 | FLAG_ZF);
	for (unsigned i = 0; i < 8; i++)
		poke(TSS_C + 0x12 + i * 2, 2, 0xc000 + i);
	poke(TSS_C + 0x22, 2, DATA16);
	poke(TSS_C + 0x24, 2, CODE16);
	poke(TSS_C + 0x26, 2, DATA16);
	poke(TSS_C + 0x28, 2, 0);
}

static void setup_tasks(void)
{
	setup();
	fill_tss32(TSS_B);
	fill_tss16();
	for (unsigned i = 0; i < 8; i++) {
		if (i != RSP)
			cpu.gpr[i] = 0xa0000000 + i;
	}
}

START_TEST(jump)
{
	cpu.rflags |= FLAG_NT;
	cpu.dr[7] = DR7_FIXED | DR7_L(0) | DR7_G(1);
	WORKS(cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault));
	ck_assert_uint_eq(type_of(SEL_TSS_A), SYS_TSS32);
	ck_assert_uint_eq(type_of(SEL_TSS_B), SYS_TSS32_BUSY);
	ck_assert_uint_eq(cpu.tr.selector, SEL_TSS_B);
	ck_assert_uint_eq(cpu.tr.attr & SEG_TYPE, SYS_TSS32_BUSY);
	ck_assert_uint_eq(peek(TSS_A + 0x20, 4), 0x7002);
	ck_assert_uint_eq(peek(TSS_A + 0x24, 4), FLAG_1 | FLAG_IF | FLAG_NT);
	ck_assert_uint_eq(peek(TSS_A + 0x28 + RBX * 4, 4), 0xa0000000 + RBX);
	ck_assert_uint_eq(peek(TSS_A + 0x28 + RSP * 4, 4), STACK0);
	ck_assert_uint_eq(peek(TSS_A + 0x4c, 2), CODE0);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_CF | FLAG_IF);
	ck_assert_uint_eq(cpu.next_rip, HANDLER);
	ck_assert_uint_eq(cpu.gpr[RDI], 0xb0000000 + RDI);
	ck_assert_uint_eq(cpu.gpr[RSP], 0xa000);
	ck_assert_uint_eq(cpu.seg[SEG_DS].selector, DATA3);
	ck_assert_uint_eq(cpu.seg[SEG_FS].attr, SEG_NULL);
	ck_assert_uint_eq(cpu.ldtr.base, LDT);
	ck_assert_uint_eq(cpu.cr0 & CR0_TS, CR0_TS);
	ck_assert_uint_eq(cpu.dr[7], DR7_FIXED | DR7_G(1));
	ck_assert_uint_eq(peek(TSS_B, 2), 0);
	ck_assert_uint_eq(cr3_loads, 0); /* no paging */
	ck_assert_uint_eq(cpu.pending_db, 0);
	FAULTS(cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault), EXC_GP, SEL_TSS_B); /* busy */
}
END_TEST

START_TEST(call_and_return)
{
	WORKS(cpu_far_call(&cpu, TASK_GATE, 0, 4, &fault));
	ck_assert_uint_eq(type_of(SEL_TSS_A), SYS_TSS32_BUSY);
	ck_assert_uint_eq(type_of(SEL_TSS_B), SYS_TSS32_BUSY);
	ck_assert_uint_eq(peek(TSS_B, 2), SEL_TSS_A);
	ck_assert_uint_eq(cpu.rflags & FLAG_NT, FLAG_NT);
	cpu.next_rip = HANDLER + 1;
	cpu.gpr[RAX] = 0x1234;
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.tr.selector, SEL_TSS_A);
	ck_assert_uint_eq(type_of(SEL_TSS_A), SYS_TSS32_BUSY);
	ck_assert_uint_eq(type_of(SEL_TSS_B), SYS_TSS32);
	ck_assert_uint_eq(cpu.next_rip, 0x7002);
	ck_assert_uint_eq(cpu.gpr[RAX], 0xa0000000);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IF);
	ck_assert_uint_eq(peek(TSS_B + 0x20, 4), HANDLER + 1);
	ck_assert_uint_eq(peek(TSS_B + 0x24, 4) & FLAG_NT, 0);
	ck_assert_uint_eq(peek(TSS_B + 0x28, 4), 0x1234);
}
END_TEST

START_TEST(to_16_bit_and_back)
{
	WORKS(cpu_far_call(&cpu, SEL_TSS_C, 0, 4, &fault));
	ck_assert_uint_eq(type_of(SEL_TSS_C), SYS_TSS16_BUSY);
	ck_assert_uint_eq(cpu.next_rip, 0x3456);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_ZF | FLAG_NT);
	ck_assert_uint_eq(cpu.gpr[RBP], 0xc000 + RBP);
	ck_assert_uint_eq(cpu_code_size(&cpu), 2);
	ck_assert_uint_eq(cpu.seg[SEG_GS].attr, SEG_NULL);
	cpu.gpr[RAX] = 0xbeef;
	WORKS(cpu_iret(&cpu, 2, &fault));
	ck_assert_uint_eq(cpu.tr.selector, SEL_TSS_A);
	ck_assert_uint_eq(cpu_code_size(&cpu), 4);
	ck_assert_uint_eq(cpu.gpr[RBP], 0xa0000000 + RBP);
	ck_assert_uint_eq(peek(TSS_C + 0x12, 2), 0xbeef);
	ck_assert_uint_eq(peek(TSS_C + 0x2a, 2), 0); /* the LDT field is not written */
}
END_TEST

START_TEST(exception_with_error_code)
{
	struct x86_fault f = {.vector = EXC_GP, .has_error = true, .error = 0x1230};

	set_gate(EXC_GP, gate(SEL_TSS_B, 0, SEG_P | SYS_TASK_GATE, 0));
	cpu_deliver_fault(&cpu, &f);
	ck_assert_uint_eq(cpu.rip, HANDLER);
	ck_assert_uint_eq(cpu.gpr[RSP], 0xa000 - 4);
	ck_assert_uint_eq(stack_word(4, 0), 0x1230);
	ck_assert_uint_eq(peek(TSS_A + 0x20, 4), 0x7000);
	ck_assert_uint_eq(peek(TSS_A + 0x24, 4), FLAG_1 | FLAG_IF | FLAG_RF);
	ck_assert_uint_eq(cpu.rflags & FLAG_NT, FLAG_NT);
	ck_assert_uint_eq(cpu.rflags & FLAG_IF, FLAG_IF); /* as in the TSS */
}
END_TEST

START_TEST(software_interrupt)
{
	enter_ring(3);
	set_gate(0x40, gate(SEL_TSS_B, 0, SEG_P | SYS_TASK_GATE | dpl(3), 0));
	WORKS(cpu_deliver(&cpu, 0x40, EVENT_SOFTWARE, NULL, &fault));
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert_uint_eq(peek(TSS_A + 0x20, 4), 0x7002);
	ck_assert_uint_eq(peek(TSS_A + 0x4c, 2), CODE3);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE3);
}
END_TEST

START_TEST(faults_before_the_commit)
{
	FAULTS(cpu_far_jump(&cpu, SEL_TSS_A, 0, 4, &fault), EXC_GP, SEL_TSS_A);
	set_descriptor(SEL_TSS_B, descriptor(TSS_B, 0x66, SEG_P | SYS_TSS32));
	FAULTS(cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault), EXC_TS, SEL_TSS_B);
	set_descriptor(SEL_TSS_B, descriptor(TSS_B, 0x67, SYS_TSS32));
	FAULTS(cpu_far_call(&cpu, SEL_TSS_B, 0, 4, &fault), EXC_NP, SEL_TSS_B);
	FAULTS(cpu_far_call(&cpu, TASK_GATE, 0, 4, &fault), EXC_NP, SEL_TSS_B);
	set_descriptor(SEL_TSS_B, descriptor(TSS_B, 0x67, SEG_P | SYS_TSS32_BUSY));
	FAULTS(cpu_far_call(&cpu, TASK_GATE, 0, 4, &fault), EXC_GP, SEL_TSS_B);
	set_descriptor(TASK_GATE, gate(SEL_TSS_B | SEL_TI, 0, SEG_P | SYS_TASK_GATE, 0));
	FAULTS(cpu_far_call(&cpu, TASK_GATE, 0, 4, &fault), EXC_GP, SEL_TSS_B | SEL_TI);
	set_descriptor(TASK_GATE, gate(SEL_TSS_B, 0, SYS_TASK_GATE, 0));
	FAULTS(cpu_far_call(&cpu, TASK_GATE, 0, 4, &fault), EXC_NP, TASK_GATE);
	set_descriptor(SEL_TSS_B, descriptor(TSS_B, 0x67, SEG_P | SYS_TSS32));
	enter_ring(3);
	FAULTS(cpu_far_call(&cpu, SEL_TSS_B, 0, 4, &fault), EXC_GP, SEL_TSS_B); /* DPL */
	/* Return to a task that is not waiting. */
	cpu.rflags |= FLAG_NT;
	poke(TSS_A, 2, SEL_TSS_B);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_TS, SEL_TSS_B);
	poke(TSS_A, 2, 0);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_TS, 0);
	poke(TSS_A, 2, SEL_TSS_B | SEL_TI);
	FAULTS(cpu_iret(&cpu, 4, &fault), EXC_TS, SEL_TSS_B | SEL_TI);
	ck_assert_uint_eq(peek(TSS_A + 0x20, 4), 0);
}
END_TEST

/* Selector fields of the new TSS and what each bad value raises, in the new task. */
START_TEST(faults_after_the_commit)
{
	static const struct {
		uint8_t field;
		uint16_t selector;
		uint8_t vector;
		uint16_t error;
	} cases[] = {
	    {0x60, DATA0, EXC_TS, DATA0},
	    {0x60, 0x0c, EXC_TS, 0x0c},
	    {0x4c, 0, EXC_TS, 0},
	    {0x4c, DATA0, EXC_TS, DATA0},
	    {0x4c, CODE0 | 3, EXC_TS, CODE0},
	    {0x4c, CODE_ABSENT, EXC_NP, CODE_ABSENT},
	    {0x50, 0, EXC_TS, 0},
	    {0x50, DATA3, EXC_TS, DATA3 & ~3},
	    {0x50, DATA_RO, EXC_TS, DATA_RO},
	    {0x50, DATA_ABSENT, EXC_SS, DATA_ABSENT},
	    {0x54, CODE_XONLY, EXC_TS, CODE_XONLY},
	    {0x48, DATA_ABSENT, EXC_NP, DATA_ABSENT},
	    {0x5c, DATA0 | 3, EXC_TS, DATA0},
	    {0x58, GDT_BYTES, EXC_TS, GDT_BYTES},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		teardown();
		setup_tasks();
		poke(TSS_B + cases[i].field, 2, cases[i].selector);
		ck_assert(!cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault));
		ck_assert_msg(fault.vector == cases[i].vector && fault.error == cases[i].error, "case %u: %u(%x)", i,
			      fault.vector, fault.error);
		ck_assert_uint_eq(cpu.tr.selector, SEL_TSS_B);
		ck_assert_uint_eq(cpu.rip, HANDLER);
		ck_assert_uint_eq(type_of(SEL_TSS_A), SYS_TSS32);
		ck_assert_uint_eq(peek(TSS_A + 0x20, 4), 0x7002);
	}
}
END_TEST

START_TEST(handler_of_a_failed_switch)
{
	poke(TSS_B + 0x48, 2, DATA_ABSENT); /* ES: after SS, so that a stack is there */
	set_gate(0x40, gate(SEL_TSS_B, 0, SEG_P | SYS_TASK_GATE, 0));
	set_gate(EXC_NP, gate(CODE0, 0x3000, SEG_P | SYS_INT32, 0));
	vector_pending = 0x40;
	cpu.intr = true;
	ck_assert(cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.rip, 0x3000);
	ck_assert_uint_eq(stack_word(4, 0), DATA_ABSENT | ERR_EXT);
	ck_assert_uint_eq(stack_word(4, 1), HANDLER);
	ck_assert_uint_eq(triple_faults, 0);
}
END_TEST

START_TEST(eip_beyond_the_limit)
{
	poke(TSS_B + 0x4c, 2, CODE_SHORT);
	ck_assert(!cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault));
	ck_assert_uint_eq(fault.vector, EXC_GP);
	ck_assert_uint_eq(fault.error, 0);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE_SHORT);
}
END_TEST

START_TEST(debug_trap)
{
	poke(TSS_B + 0x64, 2, 1);
	set_gate(EXC_DB, gate(CODE0, 0x3000, SEG_P | SYS_INT32, 0));
	WORKS(cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault));
	ck_assert(cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.dr[6], DR6_FIXED | DR6_BT);
	ck_assert_uint_eq(stack_word(4, 0), HANDLER);
}
END_TEST

START_TEST(to_v86)
{
	poke(TSS_B + 0x24, 4, FLAG_1 | FLAG_VM);
	poke(TSS_B + 0x20, 4, 0x1234);
	poke(TSS_B + 0x4c, 2, 0x1000);
	poke(TSS_B + 0x50, 2, 0xffff); /* no descriptors are read */
	WORKS(cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert(cpu_v86(&cpu));
	ck_assert_uint_eq(cpu.seg[SEG_SS].base, 0xffff0);
	ck_assert_uint_eq(cpu_linear_pc(&cpu), 0x11234);
}
END_TEST

static void map_identity(uint32_t directory)
{
	poke(directory, 4, (TABLES_PAGES + 0x1000) | PTE_P | PTE_W);
	for (unsigned i = 0; i < 0x100; i++)
		poke(TABLES_PAGES + 0x1000 + i * 4, 4, i * 0x1000 | PTE_P | PTE_W);
}

START_TEST(paging)
{
	map_identity(TABLES_PAGES);
	map_identity(TABLES_PAGES + 0x2000);
	cpu.cr3 = TABLES_PAGES;
	cpu.cr0 |= CR0_PG | CR0_WP;
	poke(TSS_B + 0x1c, 4, TABLES_PAGES + 0x2000);
	/* The link of a nested task must be writable, and everything is looked at before anything is written. */
	poke(TABLES_PAGES + 0x1000 + 5 * 4, 4, TSS_B | PTE_P);
	FAULTS(cpu_far_call(&cpu, SEL_TSS_B, 0, 4, &fault), EXC_PF, PF_P | PF_W);
	ck_assert_uint_eq(fault.address, TSS_B);
	poke(TABLES_PAGES + 0x1000 + 5 * 4, 4, TSS_B | PTE_P | PTE_W);
	poke(TABLES_PAGES + 0x1000 + 4 * 4, 4, 0);
	FAULTS(cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault), EXC_PF, PF_W);
	ck_assert_uint_eq(fault.address, TSS_A + 0x20);
	ck_assert_uint_eq(type_of(SEL_TSS_A), SYS_TSS32_BUSY);
	ck_assert_uint_eq(type_of(SEL_TSS_B), SYS_TSS32);
	poke(TABLES_PAGES + 0x1000 + 4 * 4, 4, TSS_A | PTE_P | PTE_W);
	WORKS(cpu_far_jump(&cpu, SEL_TSS_B, 0, 4, &fault));
	ck_assert_uint_eq(cpu.cr3, TABLES_PAGES + 0x2000);
	ck_assert_uint_eq(cr3_loads, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tasks");
	TCase *t = tcase_create("tasks");

	tcase_add_checked_fixture(t, setup_tasks, teardown);
	tcase_add_test(t, jump);
	tcase_add_test(t, call_and_return);
	tcase_add_test(t, to_16_bit_and_back);
	tcase_add_test(t, exception_with_error_code);
	tcase_add_test(t, software_interrupt);
	tcase_add_test(t, faults_before_the_commit);
	tcase_add_test(t, faults_after_the_commit);
	tcase_add_test(t, handler_of_a_failed_switch);
	tcase_add_test(t, eip_beyond_the_limit);
	tcase_add_test(t, debug_trap);
	tcase_add_test(t, to_v86);
	tcase_add_test(t, paging);
	suite_add_tcase(s, t);
	return run_suite(s);
}
