/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of branch targets: a guest that jumps all over its address space takes no more of the host's memory, its page
 * tables included, than they may have. */
#include "bt_fixture.h"

#include <stdio.h>

enum {
	FAR = 0xe0000, /* a page of RAM with a block, far from CODE for a table */
	MORE_KIB = 12 * 1024,
	MORE_PAGES = 4096,
};

/* What /proc says of the process's page tables. */
static unsigned long page_tables_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long kib = 0;
	char line[128];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmPTE: %lu kB", &kib) == 1)
			break;
	fclose(f);
	ck_assert_uint_gt(kib, 0);
	return kib;
}

/* Nothing is there: the table is only read. */
START_TEST(test_misses)
{
	unsigned long before;

	enable_paging();
	CODE_BYTES(CODE, 0xff, 0xe3); /* jmp ebx */
	before = page_tables_kib();
	for (uint32_t at = 4 * MiB; at; at += 512 * KiB) {
		enter_ring(0);
		cpu.gpr[RBX] = at;
		run_from(CODE);
		ck_assert_int_eq(halted_in(), 14);
		ck_assert_uint_eq(cpu.cr2, at);
		ck_assert_uint_le(bt->table_pages, MORE_PAGES);
	}
	ck_assert_uint_lt(page_tables_kib() - before, MORE_KIB);
}
END_TEST

/* The same two pages of code in all of it. */
START_TEST(test_entries)
{
	unsigned long before;

	enable_paging();
	for (unsigned i = 1; i < 1024; i++)
		poke(TABLES_PAGES + i * 4, 4, PAGE_TABLE | PTE_P | PTE_W | PTE_U);
	/* jmp ebx; and esi: behind it. add ebx, 4 MiB; jnc CODE; hlt */
	CODE_BYTES(CODE, 0xff, 0xe3, 0x40, 0x81, 0xc3, 0x00, 0x00, 0x40, 0x00, 0x73, 0xf5, 0xf4);
	CODE_BYTES(CODE + 0x100, 0xff, 0xe6); /* jmp esi */
	CODE_BYTES(FAR, 0xff, 0xe6);
	before = page_tables_kib();
	for (unsigned round = 0; round < 3; round++) {
		enter_ring(0);
		cpu.gpr[RAX] = 0;
		cpu.gpr[RBX] = round % 2 ? FAR : CODE + 0x100;
		cpu.gpr[RSI] = CODE + 2;
		run_from(CODE);
		ck_assert_uint_eq(cpu.gpr[RAX], 1024);
		ck_assert_uint_le(bt->table_pages, MORE_PAGES);
		ck_assert_uint_gt(bt->table_pages, 0);
		bt_audit(bt);
	}
	/* That much is the window's: a page of code each, with states. */
	ck_assert_uint_lt(page_tables_kib() - before, MORE_KIB + 2 * 1024 * 4);
}
END_TEST

/* A jump is a signal where the table has nothing yet, and no other near there is. */
START_TEST(test_unmade)
{
	uint64_t before;

	/* jmp ebx; at CODE + 0x1000 and CODE + 0x2000: jmp esi; behind the first: hlt */
	CODE_BYTES(CODE, 0xff, 0xe3, 0xf4);
	CODE_BYTES(CODE + 0x1000, 0xff, 0xe6);
	CODE_BYTES(CODE + 0x2000, 0xff, 0xe6);
	enter_ring(0);
	cpu.gpr[RSI] = CODE + 2;
	for (unsigned i = 1; i <= 2; i++) {
		before = stats.indirect_misses;
		cpu.gpr[RBX] = CODE + i * 0x1000;
		run_from(CODE);
		ck_assert_uint_gt(stats.indirect_misses, before);
		ck_assert_uint_eq(stats.indirect_unmade, 1);
	}
	cpu.opt_off |= BIT(OPT_TABLE);
	bt_flush(bt);
	run_from(CODE);
	ck_assert_uint_eq(stats.indirect_unmade, 1);
	cpu.opt_off = 0;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("targets");
	TCase *t = tcase_create("targets");

	tcase_add_checked_fixture(t, setup_bt_unaudited, teardown_bt);
	tcase_add_test(t, test_misses);
	tcase_add_test(t, test_entries);
	tcase_add_test(t, test_unmade);
	suite_add_tcase(s, t);
	return run_suite(s);
}
