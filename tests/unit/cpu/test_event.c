/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions and interrupts: delivery in each mode, nesting, priorities, shadows. */
#include "cpu_fixture.h"

#define INT_GATE  (SEG_P | SYS_INT32)
#define TRAP_GATE (SEG_P | SYS_TRAP32)

static bool software(unsigned vector)
{
	return cpu_deliver(&cpu, vector, EVENT_SOFTWARE, NULL, &fault);
}

static bool external(unsigned vector)
{
	return cpu_deliver(&cpu, vector, EVENT_EXTERNAL, NULL, &fault);
}

static void exception(unsigned vector, int error, uint64_t address)
{
	struct x86_fault f = {
	    .vector = (uint8_t)vector, .has_error = error >= 0, .error = (uint16_t)error, .address = address};
	cpu_deliver_fault(&cpu, &f);
}

START_TEST(real_mode)
{
	enter_real();
	cpu.rflags |= FLAG_TF | FLAG_AC | FLAG_CF;
	poke(0x21 * 4, 4, 0x12345678);
	WORKS(software(0x21));
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 0x1234);
	ck_assert_uint_eq(cpu.next_rip, 0x5678);
	ck_assert_uint_eq(cpu.rip, 0x7000); /* the instruction completes by itself */
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_CF);
	ck_assert_uint_eq(cpu.gpr[RSP], 0x7fa);
	ck_assert_uint_eq(stack_word(2, 0), 0x7002);
	ck_assert_uint_eq(stack_word(2, 1), 0x100);
	ck_assert_uint_eq(stack_word(2, 2), FLAG_1 | FLAG_CF | FLAG_IF | FLAG_TF);
	cpu.idtr.limit = 0x21 * 4 + 2;
	FAULTS(software(0x21), EXC_GP, 0x21 * 8 + 2);
	WORKS(software(0x20));
}
END_TEST

START_TEST(real_mode_idt_base)
{
	enter_real();
	cpu.idtr.base = 0x20000;
	poke(0x20000 + EXC_GP * 4, 4, 0x00010002);
	exception(EXC_GP, 0, 0);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 1);
	ck_assert_uint_eq(cpu.rip, 2);
	ck_assert_uint_eq(cpu.gpr[RSP], 0x7fa); /* no error code */
	ck_assert_uint_eq(stack_word(2, 0), 0x7000);
	ck_assert_uint_eq(stats.exceptions, 1);
}
END_TEST

START_TEST(same_ring)
{
	set_gate(EXC_GP, gate(CODE0, HANDLER, INT_GATE, 0));
	set_gate(0x30, gate(CODE0, HANDLER + 4, TRAP_GATE, 0));
	set_gate(0x31, gate(CODE0, 0x3456, SEG_P | SYS_INT16, 0));
	cpu.rflags |= FLAG_NT | FLAG_TF;
	exception(EXC_GP, 0xabcd, 0);
	ck_assert_uint_eq(cpu.rip, HANDLER);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 16);
	ck_assert_uint_eq(stack_word(4, 0), 0xabcd);
	ck_assert_uint_eq(stack_word(4, 1), 0x7000);
	ck_assert_uint_eq(stack_word(4, 2), CODE0);
	ck_assert_uint_eq(stack_word(4, 3), FLAG_1 | FLAG_IF | FLAG_NT | FLAG_TF | FLAG_RF);
	ck_assert_uint_eq(cpu.rflags, FLAG_1);
	cpu.rflags |= FLAG_IF;
	WORKS(software(0x30));
	ck_assert_uint_eq(cpu.next_rip, HANDLER + 4);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IF); /* trap gates leave IF */
	ck_assert_uint_eq(stack_word(4, 2), FLAG_1 | FLAG_IF);
	WORKS(external(0x31));
	ck_assert_uint_eq(cpu.rip, 0x3456);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 16 - 12 - 6);
	ck_assert_uint_eq(stack_word(2, 1), CODE0);
}
END_TEST

START_TEST(inner_ring)
{
	enter_ring(3);
	set_gate(0x80, gate(CODE0, HANDLER, TRAP_GATE | dpl(3), 0));
	WORKS(software(0x80));
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, DATA0);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 20);
	ck_assert_uint_eq(stack_word(4, 0), 0x7002);
	ck_assert_uint_eq(stack_word(4, 1), CODE3);
	ck_assert_uint_eq(stack_word(4, 3), STACK3);
	ck_assert_uint_eq(stack_word(4, 4), DATA3);
	ck_assert_uint_eq(cpu.seg[SEG_DS].selector, DATA3); /* only V86 mode loses them */
}
END_TEST

START_TEST(gate_checks)
{
	set_gate(0x40, gate(CODE0, HANDLER, TRAP_GATE, 0));
	enter_ring(3);
	FAULTS(software(0x40), EXC_GP, 0x40 * 8 + 2); /* DPL; software: no EXT */
	memcpy(&before, &cpu, sizeof(cpu));
	WORKS(external(0x40)); /* hardware does not care */
	memcpy(&cpu, &before, sizeof(cpu));
	WORKS(cpu_deliver(&cpu, 0x40, EVENT_ICEBP, NULL, &fault));
	memcpy(&cpu, &before, sizeof(cpu));
	set_gate(0x40, gate(CODE0, HANDLER, SYS_TRAP32 | dpl(3), 0));
	FAULTS(software(0x40), EXC_NP, 0x40 * 8 + 2);
	FAULTS(external(0x40), EXC_NP, 0x40 * 8 + 3);
	set_gate(0x40, gate(CODE0, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	FAULTS(software(0x40), EXC_GP, 0x40 * 8 + 2);
	set_gate(0x40, gate(0, HANDLER, TRAP_GATE | dpl(3), 0));
	FAULTS(software(0x40), EXC_GP, 0);
	FAULTS(external(0x40), EXC_GP, 1);
	set_gate(0x40, gate(DATA0, HANDLER, TRAP_GATE | dpl(3), 0));
	FAULTS(software(0x40), EXC_GP, DATA0);
	set_gate(0x40, gate(CODE_ABSENT, HANDLER, TRAP_GATE | dpl(3), 0));
	FAULTS(external(0x40), EXC_NP, CODE_ABSENT | 1);
	set_gate(0x40, gate(CODE_SHORT, HANDLER, TRAP_GATE | dpl(3), 0));
	FAULTS(software(0x40), EXC_GP, 0);
	FAULTS(external(0x40), EXC_GP, 1);
	set_gate(0x40, gate(CODE0, HANDLER, TRAP_GATE | dpl(3), 0));
	poke(TSS_A + 8, 2, DATA3);
	FAULTS(external(0x40), EXC_TS, (DATA3 & ~3) | 1);
	cpu.tr.limit = 4;
	FAULTS(software(0x40), EXC_TS, SEL_TSS_A);
	cpu.idtr.limit = 0x40 * 8 + 6;
	FAULTS(software(0x40), EXC_GP, 0x40 * 8 + 2);
	enter_ring(0);
	cpu.idtr.limit = 0x7ff;
	set_gate(0x40, gate(CODE3, HANDLER, TRAP_GATE | dpl(3), 0));
	FAULTS(software(0x40), EXC_GP, CODE3 & ~3); /* outwards */
	set_gate(0x40, gate(CODE0, HANDLER, TRAP_GATE | dpl(3), 0));
	cpu.seg[SEG_SS].limit = STACK0 - 6;
	FAULTS(external(0x40), EXC_SS, 1);
	FAULTS(software(0x40), EXC_SS, 0);
}
END_TEST

START_TEST(conforming_handler)
{
	enter_ring(3);
	set_gate(0x40, gate(CONFORMING, HANDLER, TRAP_GATE | dpl(3), 0));
	WORKS(software(0x40));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CONFORMING | 3);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3 - 12);
}
END_TEST

START_TEST(from_v86)
{
	enter_v86(3);
	set_gate(0x40, gate(CODE0, HANDLER, INT_GATE | dpl(3), 0));
	WORKS(software(0x40));
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert(!cpu_v86(&cpu));
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 36);
	ck_assert_uint_eq(stack_word(4, 0), 0x7002);
	ck_assert_uint_eq(stack_word(4, 1), 0x210);
	ck_assert_uint_eq(stack_word(4, 2), FLAG_1 | FLAG_VM | FLAG_IF | FLAG_IOPL);
	ck_assert_uint_eq(stack_word(4, 3), 0x800);
	ck_assert_uint_eq(stack_word(4, 4), 0x220); /* SS ES DS FS GS */
	ck_assert_uint_eq(stack_word(4, 5), 0x200);
	ck_assert_uint_eq(stack_word(4, 6), 0x230);
	ck_assert_uint_eq(stack_word(4, 7), 0x240);
	ck_assert_uint_eq(stack_word(4, 8), 0x250);
	ck_assert_uint_eq(cpu.seg[SEG_ES].attr, SEG_NULL);
	ck_assert_uint_eq(cpu.seg[SEG_GS].selector, 0);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_IOPL);
	/* Back again. */
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert(cpu_v86(&cpu));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.seg[SEG_SS].base, 0x2200);
	ck_assert_uint_eq(cpu.seg[SEG_GS].selector, 0x250);
	ck_assert_uint_eq(cpu.gpr[RSP], 0x800);
}
END_TEST

START_TEST(from_v86_needs_ring_0)
{
	enter_v86(3);
	set_gate(0x40, gate(CODE1, HANDLER, INT_GATE | dpl(3), 0));
	FAULTS(software(0x40), EXC_GP, CODE1 & ~3);
	set_gate(0x40, gate(CONFORMING, HANDLER, INT_GATE | dpl(3), 0));
	FAULTS(external(0x40), EXC_GP, CONFORMING | 1);
}
END_TEST

/* An exception whose handler is in a segment that is not there, so that each delivery adds a fault. */
START_TEST(double_fault)
{
	static const struct {
		uint8_t first, expect;
	} cases[] = {
	    /* second: #NP, from the first's gate */
	    {EXC_GP, EXC_DF}, {EXC_DE, EXC_DF}, {EXC_PF, EXC_DF}, {EXC_TS, EXC_DF},
	    {EXC_UD, EXC_NP}, {EXC_DB, EXC_NP}, {EXC_AC, EXC_NP}, {EXC_BR, EXC_NP},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		enter_ring(0);
		for (unsigned v = 0; v < 32; v++)
			set_gate(v, gate(CODE0, HANDLER + v * 16, INT_GATE, 0));
		set_gate(cases[i].first, gate(CODE_ABSENT, 0, INT_GATE, 0));
		exception(cases[i].first, 0, 0);
		ck_assert_uint_eq(cpu.rip, HANDLER + cases[i].expect * 16);
		ck_assert_uint_eq(stack_word(4, 0), cases[i].expect == EXC_DF ? 0 : (CODE_ABSENT | 1));
		ck_assert_uint_eq(triple_faults, 0);
		cpu.rip = 0x7000;
	}
}
END_TEST

START_TEST(triple_fault)
{
	cpu.idtr.limit = 0;
	exception(EXC_UD, -1, 0);
	ck_assert_uint_eq(triple_faults, 1);
	ck_assert_uint_eq(cpu.activity, CPU_SHUTDOWN);
	cpu.nmi = cpu.intr = true;
	ck_assert(!cpu_take_event(&cpu));
	ck_assert(!cpu_event_ready(&cpu));
}
END_TEST

START_TEST(double_fault_rf_and_page_fault_on_the_stack)
{
	for (unsigned i = 0; i < 0x100; i++)
		poke(TABLES_PAGES + 0x1000 + i * 4, 4, i * 0x1000 | PTE_P | PTE_W);
	poke(TABLES_PAGES, 4, (TABLES_PAGES + 0x1000) | PTE_P | PTE_W);
	poke(TABLES_PAGES + 0x1000 + 7 * 4, 4, 0);
	cpu.cr3 = TABLES_PAGES;
	cpu.cr0 |= CR0_PG;
	set_gate(0x40, gate(CODE0, HANDLER, INT_GATE, 0));
	cpu.gpr[RSP] = STACK0 + 4; /* the second push goes to an absent page */
	poke(STACK0, 4, 0x55555555);
	FAULTS(software(0x40), EXC_PF, PF_W);
	ck_assert_uint_eq(fault.address, STACK0 - 4);
	ck_assert_uint_eq(peek(STACK0, 4), 0x55555555); /* nor was the first word written */
	/* #PF while delivering #PF; the handler of #DF is a task. */
	poke(TSS_B + 0x1c, 4, TABLES_PAGES);
	poke(TSS_B + 0x20, 4, HANDLER);
	poke(TSS_B + 0x38, 4, STACK0 + 0x800);
	poke(TSS_B + 0x4c, 2, CODE0);
	poke(TSS_B + 0x50, 2, DATA0);
	set_gate(EXC_PF, gate(CODE0, HANDLER, INT_GATE, 0));
	set_gate(EXC_DF, gate(SEL_TSS_B, 0, SEG_P | SYS_TASK_GATE, 0));
	exception(EXC_PF, PF_W, 0x123456);
	ck_assert_uint_eq(cpu.cr2, STACK0 - 4);
	ck_assert_uint_eq(cpu.tr.selector, SEL_TSS_B);
	ck_assert_uint_eq(cpu.rip, HANDLER);
	ck_assert_uint_eq(stack_word(4, 0), 0);
	ck_assert_uint_eq(peek(TSS_A + 0x20, 4), 0x7000);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 + 0x800 - 4);
}
END_TEST

START_TEST(debug_exception)
{
	set_gate(EXC_DB, gate(CODE0, HANDLER, INT_GATE, 0));
	cpu.dr[6] = DR6_FIXED | DR6_B(2) | DR6_BT;
	cpu.dr[7] |= DR7_GD;
	cpu.pending_db = DR6_BS | DR6_B(1);
	ck_assert(cpu_event_ready(&cpu));
	ck_assert(cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.dr[6], DR6_FIXED | DR6_BS | DR6_BT | DR6_B(1));
	ck_assert_uint_eq(cpu.dr[7], DR7_FIXED);
	ck_assert_uint_eq(cpu.pending_db, 0);
	ck_assert_uint_eq(stack_word(4, 2) & FLAG_RF, 0); /* a trap */
	exception(EXC_DB, -1, DR6_BD);
	ck_assert_uint_eq(stack_word(4, 2) & FLAG_RF, FLAG_RF); /* general detect: a fault */
	exception(EXC_DB, -1, DR6_B(0));
	ck_assert_uint_eq(stack_word(4, 2) & FLAG_RF, 0);
}
END_TEST

START_TEST(priorities_and_shadows)
{
	for (unsigned v = 0; v < 0x40; v++)
		set_gate(v, gate(CODE0, HANDLER + v * 16, INT_GATE, 0));
	vector_pending = 0x31;
	cpu.intr = cpu.nmi = true;
	cpu.pending_db = DR6_B(0);
	cpu.shadow = SHADOW_MOV_SS;
	ck_assert(!cpu_event_ready(&cpu));
	ck_assert(!cpu_take_event(&cpu));
	cpu.shadow = SHADOW_NONE;
	ck_assert(cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.rip, HANDLER + EXC_DB * 16);
	ck_assert(cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.rip, HANDLER + EXC_NMI * 16);
	ck_assert(cpu.nmi_blocked);
	cpu.nmi = true;
	ck_assert(!cpu_take_event(&cpu)); /* NMI blocked, IF clear */
	cpu.rflags |= FLAG_IF;
	cpu.shadow = SHADOW_STI;
	ck_assert(!cpu_event_ready(&cpu));
	ck_assert(!cpu_take_event(&cpu));
	cpu.shadow = SHADOW_NONE;
	ck_assert(cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.rip, HANDLER + 0x31 * 16);
	ck_assert_uint_eq(stats.interrupts, 2);
	WORKS(cpu_iret(&cpu, 4, &fault));
	ck_assert(!cpu.nmi_blocked);
	ck_assert(cpu_event_ready(&cpu));
}
END_TEST

START_TEST(halt)
{
	set_gate(0x31, gate(CODE0, HANDLER, INT_GATE, 0));
	cpu.activity = CPU_HALTED;
	cpu.intr = true;
	cpu.rflags &= ~FLAG_IF;
	ck_assert(!cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.activity, CPU_HALTED);
	cpu.rflags |= FLAG_IF;
	ck_assert(!cpu_take_event(&cpu)); /* it has vanished (vector -1) */
	ck_assert_uint_eq(cpu.activity, CPU_HALTED);
	cpu.intr = true;
	vector_pending = 0x31;
	ck_assert(cpu_take_event(&cpu));
	ck_assert_uint_eq(cpu.activity, CPU_RUNNING);
	ck_assert_uint_eq(cpu.rip, HANDLER);
}
END_TEST

static void set_gate64(unsigned vector, uint16_t selector, uint64_t offset, unsigned attr, unsigned ist)
{
	poke(IDT + vector * 16, 8, gate(selector, (uint32_t)offset, attr, ist));
	poke(IDT + vector * 16 + 8, 8, offset >> 32);
}

START_TEST(long_mode)
{
	enter_long(3);
	set_gate64(EXC_GP, CODE64, 0xffff800000001234, INT_GATE, 0);
	set_gate64(0x40, CODE64, HANDLER, TRAP_GATE | dpl(3), 2);
	set_gate64(0x41, CODE0, HANDLER, TRAP_GATE | dpl(3), 0);
	set_gate64(0x42, CODE64, HANDLER, SEG_P | SYS_INT16 | dpl(3), 0);
	poke(TSS_A + 0x24 + 8, 8, 0xa00f); /* IST2 */
	exception(EXC_GP, 0x18, 0);
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert_uint_eq(cpu.rip, 0xffff800000001234);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 16 - 48); /* aligned first */
	ck_assert_uint_eq(peek(cpu.gpr[RSP], 8), 0x18);
	ck_assert_uint_eq(peek(cpu.gpr[RSP] + 8, 8), 0x7000);
	ck_assert_uint_eq(peek(cpu.gpr[RSP] + 16, 8), CODE64_3);
	ck_assert_uint_eq(peek(cpu.gpr[RSP] + 32, 8), STACK3);
	ck_assert_uint_eq(peek(cpu.gpr[RSP] + 40, 8), DATA3);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, 0);
	/* A second one on an IST stack, in the same ring: SS stays. */
	WORKS(software(0x40));
	ck_assert_uint_eq(cpu.gpr[RSP], 0xa000 - 40);
	cpu.rip = cpu.next_rip;
	WORKS(cpu_iret(&cpu, 8, &fault));
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0 - 16 - 48);
	cpu.gpr[RSP] += 8;
	WORKS(cpu_iret(&cpu, 8, &fault));
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, DATA3);
	FAULTS(software(0x41), EXC_GP, CODE0); /* not a 64-bit segment */
	FAULTS(software(0x42), EXC_GP, 0x42 * 8 + 2);
	FAULTS(software(0x100), EXC_GP, 0x802);
	poke(TSS_A + 0x24 + 8, 8, BIT(48));
	FAULTS(software(0x40), EXC_SS, 0);
	cpu.tr.limit = 0x2b + 7;
	FAULTS(software(0x40), EXC_TS, SEL_TSS_A);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("events");
	TCase *t = tcase_create("events");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, real_mode);
	tcase_add_test(t, real_mode_idt_base);
	tcase_add_test(t, same_ring);
	tcase_add_test(t, inner_ring);
	tcase_add_test(t, gate_checks);
	tcase_add_test(t, conforming_handler);
	tcase_add_test(t, from_v86);
	tcase_add_test(t, from_v86_needs_ring_0);
	tcase_add_test(t, double_fault);
	tcase_add_test(t, triple_fault);
	tcase_add_test(t, double_fault_rf_and_page_fault_on_the_stack);
	tcase_add_test(t, debug_exception);
	tcase_add_test(t, priorities_and_shadows);
	tcase_add_test(t, halt);
	tcase_add_test(t, long_mode);
	suite_add_tcase(s, t);
	return run_suite(s);
}
