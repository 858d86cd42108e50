/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links between blocks of different pages under paging: made where the mapping has lasted, and not one jump longer. */
#include "bt_fixture.h"

enum { FAR = 0x60000, FAR_A = 0x50000, FAR_B = 0x52000, TABLES_B = 0x90000, ROUNDS = 20, PASSES = 12 };

static unsigned links; /* to other pages that there were at any time, at most */

static void count_links(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < bt->npages; i++)
		n += bt->pages[i].links_out;
	links = MAX(links, n);
}

/* Time passes in which the guest does nothing but what it did before. */
static void make_links(void)
{
	for (unsigned i = 0; i < PASSES; i++) {
		bt->cross_pass = 0;
		bt_cross_link(bt);
	}
	count_links();
	bt_audit(bt);
}

static void setup_cross(void)
{
	setup_bt();
	enable_paging();
	memory_used = 0xa0000;
	port_hook = make_links;
	links = 0;
}

static void set_pte(uint32_t linear, uint32_t frame)
{
	poke(PAGE_TABLE + (linear >> PAGE_SHIFT) * 4, 4, frame | PTE_P | PTE_W | PTE_U);
}

/* add ebx, n; jmp to the next page; there: add ebx, 2n; ret */
static void put_function(gpa_t at, uint8_t n)
{
	CODE_BYTES(at, 0x83, 0xc3, n, 0xe9, 0xf8, 0x0f, 0, 0);
	CODE_BYTES(at + PAGE_SIZE, 0x83, 0xc3, (uint8_t)(2 * n), 0xc3);
}

/* At CODE, ROUNDS times: three times call FAR, each followed by the making of links; INT 30. Halts or faults. */
static void put_caller(void)
{
	uint32_t at = CODE + 5;

	CODE_BYTES(CODE, 0xb9, ROUNDS, 0, 0, 0); /* mov ecx, ROUNDS */
	for (unsigned i = 0; i < 3; i++, at += 7) {
		CODE_BYTES(at, 0xe8, 0, 0, 0, 0, 0xe6, PORT_HOOK); /* call FAR; out PORT_HOOK, al */
		poke(at + 1, 4, FAR - (at + 5));
	}
	CODE_BYTES(at, 0xcd, 0x30, 0xe2, (uint8_t)(CODE + 5 - (at + 4)), 0xcd, 0x31); /* int 30; loop; int 31 */
}

static void put_gate(unsigned vector, uint32_t handler)
{
	set_gate(vector, gate(CODE0, handler, SEG_P | SYS_INT32 | dpl(3), 0));
}

static void run_rounds(unsigned cpl)
{
	cpu.rflags |= FLAG_IOPL; /* OUT at CPL 3 */
	enter_ring(cpl);
	cpu_mmu_event(&cpu, MMU_CR3, 0);
	cpu.gpr[RBX] = 0;
	run_from(CODE);
	ck_assert_int_eq(halted_in(), 0x31);
	bt_audit(bt);
}

/* _i: CPL; the loop changes nothing. Once there are links, nothing goes through tables but returns. */
START_TEST(test_links)
{
	put_function(FAR, 1);
	put_caller();
	put_gate(0x30, CODE + 0x800);
	CODE_BYTES(CODE + 0x800, 0xcf);
	put_gate(0x31, HANDLER + 16 * 0x31);
	run_rounds((unsigned)_i);
	ck_assert_uint_eq(cpu.gpr[RBX], ROUNDS * 3 * 3);
	ck_assert_uint_ge(links, 4); /* three calls and a jump */
}
END_TEST

/* _i: CPL. INT 30 lets FAR (and the page behind it) lead elsewhere, by entries and INVLPG. */
START_TEST(test_mapping)
{
	put_function(FAR_A, 1);
	put_function(FAR_B, 10);
	put_caller();
	/* push eax; EAX = [DATA] ^= [DATA + 4]; [entry of FAR] = EAX; add eax, 1000; [the one behind] = EAX; INVLPG
	 * both */
	CODE_BYTES(CODE + 0x800, 0x50, 0xa1, 0, 0, 3, 0, 0x33, 5, 4, 0, 3, 0, 0xa3, 0, 0, 3, 0, 0xa3, 0x80, 0x11, 8, 0,
		   5, 0, 0x10, 0, 0, 0xa3, 0x84, 0x11, 8, 0, 0x0f, 1, 0x3d, 0, 0, 6, 0, 0x0f, 1, 0x3d, 0, 0x10, 6, 0,
		   0x58, 0xcf);
	put_gate(0x30, CODE + 0x800);
	put_gate(0x31, HANDLER + 16 * 0x31);
	set_pte(FAR, FAR_A);
	set_pte(FAR + PAGE_SIZE, FAR_A + PAGE_SIZE);
	poke(DATA, 4, FAR_A | PTE_P | PTE_W | PTE_U);
	poke(DATA + 4, 4, FAR_A ^ FAR_B);
	run_rounds((unsigned)_i);
	ck_assert_uint_eq(cpu.gpr[RBX], ROUNDS / 2 * 3 * 33);
	ck_assert_uint_ge(links, 4);
	ck_assert_uint_ge(stats.links_broken, ROUNDS);
}
END_TEST

/*
 * _i: 0, INT 30 changes to another address space, in which the called page is another one; 1: only the page behind it
 * is, so that the caller's links are right in both.
 */
START_TEST(test_spaces)
{
	put_function(FAR_A, 1);
	put_function(FAR_B, 10);
	put_caller();
	/* push eax; EAX = [DATA] ^= [DATA + 4]; CR3 = EAX; pop eax; iretd */
	CODE_BYTES(CODE + 0x800, 0x50, 0xa1, 0, 0, 3, 0, 0x33, 5, 4, 0, 3, 0, 0xa3, 0, 0, 3, 0, 0x0f, 0x22, 0xd8, 0x58,
		   0xcf);
	put_gate(0x30, CODE + 0x800);
	put_gate(0x31, HANDLER + 16 * 0x31);
	set_pte(FAR, FAR_A);
	set_pte(FAR + PAGE_SIZE, FAR_A + PAGE_SIZE);
	poke_bytes(TABLES_B + PAGE_SIZE, pm.ram.host + PAGE_TABLE, PAGE_SIZE);
	poke(TABLES_B, 4, (TABLES_B + PAGE_SIZE) | PTE_P | PTE_W | PTE_U | PTE_A);
	if (!_i)
		poke(TABLES_B + PAGE_SIZE + (FAR >> PAGE_SHIFT) * 4, 4, FAR_B | PTE_P | PTE_W | PTE_U);
	poke(TABLES_B + PAGE_SIZE + (FAR >> PAGE_SHIFT) * 4 + 4, 4, (FAR_B + PAGE_SIZE) | PTE_P | PTE_W | PTE_U);
	poke(DATA, 4, TABLES_PAGES);
	poke(DATA + 4, 4, TABLES_PAGES ^ TABLES_B);
	run_rounds(3);
	ck_assert_uint_eq(cpu.gpr[RBX], ROUNDS / 2 * 3 * (_i ? 3 + 21 : 3 + 30));
	ck_assert_uint_ge(links, 4);
	ck_assert_uint_ge(stats.links_broken, ROUNDS);
}
END_TEST

START_TEST(test_switched_off)
{
	cpu.opt_off = BIT(OPT_CROSS);
	put_function(FAR, 1);
	put_caller();
	put_gate(0x30, CODE + 0x800);
	CODE_BYTES(CODE + 0x800, 0xcf);
	put_gate(0x31, HANDLER + 16 * 0x31);
	run_rounds(3);
	ck_assert_uint_eq(cpu.gpr[RBX], ROUNDS * 3 * 3);
	ck_assert_uint_eq(links, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cross");
	TCase *t = tcase_create("cross");

	tcase_add_checked_fixture(t, setup_cross, teardown_bt);
	for (int cpl = 0; cpl <= 3; cpl += 3) {
		tcase_add_loop_test(t, test_links, cpl, cpl + 1);
		tcase_add_loop_test(t, test_mapping, cpl, cpl + 1);
	}
	tcase_add_loop_test(t, test_spaces, 0, 2);
	tcase_add_test(t, test_switched_off);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
