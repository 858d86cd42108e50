/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IRETD of ring 0 in the cache: RF, which lasts to the end of the next instruction, and the way back from a page
 * fault; what a page fault leaves of its page. */
#include "bt_fixture.h"

enum { TARGET = CODE + 0x40, HOLE = 0x70000 };

static void push(uint32_t value)
{
	cpu.gpr[RSP] -= 4;
	poke(cpu.gpr[RSP], 4, value);
}

static void stop_at(gva_t at)
{
	bt_set_breakpoints(bt, &at, 1);
	bt_run(bt);
	ck_assert(bt_at_breakpoint(bt));
	ck_assert_uint_eq(cpu.rip, at);
}

/* Where it can be done there: hosts with FSGSBASE. */
static void check_in_cache(void)
{
	if (bt_switches_windows(bt))
		ck_assert_uint_le(stats.insn_callouts[INSN_IRETD], 2);
}

/* _i: bit 0: to user mode. What RF is in front of the target, and behind it. Bit 1: instructions are counted. */
START_TEST(test_rf)
{
	bt->count = _i & 2;
	CODE_BYTES(CODE, 0xcf);
	CODE_BYTES(TARGET, 0x90, 0x90);
	for (unsigned n = 0; n < 8; n++) {
		bool rf = n % 2;
		enter_ring(0);
		cpu.gpr[RSP] -= 0x100;
		if (_i & 1) {
			for (unsigned i = 0; i < SEG_COUNT; i++)
				if (i != SEG_CS && i != SEG_SS)
					force_segment(i, DATA3);
			push(DATA3);
			push(STACK3);
		}
		push(FLAG_1 | (rf ? FLAG_RF : 0));
		push(_i & 1 ? CODE3 : CODE0);
		push(TARGET);
		cpu.rip = CODE;
		stop_at(TARGET);
		ck_assert_msg(!(cpu.rflags & FLAG_RF) == !rf, "turn %u: flags %llx", n, (unsigned long long)cpu.rflags);
		ck_assert_uint_eq(cpu.cpl, _i & 1 ? 3 : 0);
		stop_at(TARGET + 1);
		ck_assert_msg(!(cpu.rflags & FLAG_RF), "turn %u: RF", n);
	}
	check_in_cache();
}
END_TEST

static void set_entry(uint32_t entry)
{
	poke(PAGE_TABLE + (HOLE >> PAGE_SHIFT) * 4, 4, entry);
}

/* The guest has taken a page away and not flushed it: a page fault there leaves nothing of it, in the window or in the
 * monitor's TLB. _i: engine. */
START_TEST(test_nothing_old)
{
	uint64_t value;
	struct x86_fault f;

	enable_paging();
	set_entry(HOLE | PTE_P | PTE_W | PTE_U | PTE_A); /* clean: mapped read-only */
	cpu_mmu_event(&cpu, MMU_CR3, 0);
	/* mov ecx, [HOLE]; mov [entry], 0; mov [HOLE], ecx */
	CODE_BYTES(CODE, 0x8b, 0x0d, 0, 0, HOLE >> 16, 0, 0xc7, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0x89, 0x0d, 0, 0,
		   HOLE >> 16, 0, 0xcd, 0x30);
	poke(CODE + 8, 4, PAGE_TABLE + (HOLE >> PAGE_SHIFT) * 4);
	CODE_BYTES(CODE + 0x40, 0xa1, 0, 0, HOLE >> 16, 0, 0xcd, 0x30); /* mov eax, [HOLE]; int 30 */
	ck_assert(cpu_read_linear(&cpu, HOLE, &value, 4, ACC_READ, &f));
	cpu.rip = CODE;
	run_engine(_i);
	ck_assert_int_eq(halted_in(), 14);
	ck_assert_uint_eq(cpu.cr2, HOLE);
	ck_assert(!cpu_read_linear(&cpu, HOLE, &value, 4, ACC_READ, &f));
	enter_ring(0);
	cpu.cr2 = 0;
	cpu.activity = CPU_RUNNING;
	cpu.rip = CODE + 0x40;
	run_engine(_i);
	ck_assert_int_eq(halted_in(), 14);
	ck_assert_uint_eq(cpu.cr2, HOLE);
	shadow_audit(sh);
}
END_TEST

/* A page that user mode has faulted in is there when it comes back, without a hidden fault. */
START_TEST(test_installed)
{
	const uint32_t entry = HOLE | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;

	enable_paging();
	CODE_BYTES(CODE, 0xff, 0x05, 0, 0, HOLE >> 16, 0, 0xcd, 0x30); /* inc [HOLE]; int 30 */
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	/* #PF: mov [entry of HOLE], entry; add esp, 4; iretd */
	CODE_BYTES(HANDLER + 16 * 14, 0xe9, 0xfb, 0, 0, 0);
	CODE_BYTES(HANDLER + 16 * 14 + 0x100, 0xc7, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0x83, 0xc4, 0x04, 0xcf);
	poke(HANDLER + 16 * 14 + 0x102, 4, PAGE_TABLE + (HOLE >> PAGE_SHIFT) * 4);
	poke(HANDLER + 16 * 14 + 0x106, 4, entry);
	for (unsigned n = 1; n < 8; n++) {
		uint64_t faults = stats.true_faults, installed = stats.mappings_installed;
		enter_ring(3);
		set_entry(0);
		cpu_mmu_event(&cpu, MMU_INVLPG, HOLE);
		run_from(CODE);
		ck_assert_int_eq(halted_in(), 0x30);
		ck_assert_uint_eq(peek(HOLE, 4), n);
		ck_assert_uint_eq(stats.true_faults, faults + 1);
		ck_assert_uint_eq(stats.mappings_installed, installed + 1);
		shadow_audit(sh);
	}
	check_in_cache();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("returns");
	TCase *t = tcase_create("returns");

	tcase_add_checked_fixture(t, setup_bt_unaudited, teardown_bt);
	tcase_add_loop_test(t, test_rf, 0, 4);
	tcase_add_loop_test(t, test_nothing_old, 0, 2);
	tcase_add_test(t, test_installed);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
