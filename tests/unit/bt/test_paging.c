/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translated code under paging, against the single-stepper: page faults, accessed and dirty bits, changes of mappings,
 * address spaces, code under several addresses. */
#include <stdio.h>

#include "bt_fixture.h"

enum { FAR = 0x60000, FAR_A = 0x50000, FAR_B = 0x52000, HOLE = 0x70000, TABLES_B = 0x90000 };

static void set_pte(uint32_t linear, uint32_t frame, unsigned bits)
{
	poke(PAGE_TABLE + (linear >> PAGE_SHIFT) * 4, 4, frame | bits);
}

static void setup_paging(void)
{
	setup_bt_unaudited();
	enable_paging();
	memory_used = 0xa0000;
}

/* mov eax, n; inc ebx by n; ret */
static void put_function(gpa_t at, uint8_t n)
{
	CODE_BYTES(at, 0xb8, n, 0, 0, 0, 0x01, 0xc3, 0xc3);
}

/* clang-format off */
static const struct {
	const char *name;
	uint8_t len, bytes[8];
} samples[] = {
	{"mov eax, [ebx]", 2, {0x8b, 0x03}}, {"mov [ebx], eax", 2, {0x89, 0x03}}, {"inc [ebx]", 2, {0xff, 0x03}}, {"push [ebx]", 2, {0xff, 0x33}}, {"pop [ebx]", 2, {0x8f, 0x03}},
	{"xchg [ebx], ecx", 2, {0x87, 0x0b}}, {"cmpxchg [ebx], ecx", 3, {0x0f, 0xb1, 0x0b}}, {"movups xmm0, [ebx]", 3, {0x0f, 0x10, 0x03}}, {"movups [ebx], xmm0", 3, {0x0f, 0x11, 0x03}},
	{"call [ebx]", 2, {0xff, 0x13}}, {"jmp [ebx]", 2, {0xff, 0x23}}, {"rep movsd", 2, {0xf3, 0xa5}}, {"rep stosb", 2, {0xf3, 0xaa}}, {"repe cmpsb", 2, {0xf3, 0xa6}}, {"movsd", 1, {0xa5}},
	{"mov esp, ebx; push eax", 3, {0x89, 0xdc, 0x50}}, {"mov esp, ebx; pusha", 3, {0x89, 0xdc, 0x60}}, {"mov esp, ebx; popa", 3, {0x89, 0xdc, 0x61}},
	{"mov esp, ebx; call", 7, {0x89, 0xdc, 0xe8, 0, 0, 0, 0}}, {"mov esp, ebx; ret", 3, {0x89, 0xdc, 0xc3}}, {"fstp [ebx]", 2, {0xdb, 0x3b}}, {"bts [ebx], eax", 3, {0x0f, 0xab, 0x03}},
};
/* clang-format on */

/* Entries of the page at HOLE, or of the one behind it. */
static const unsigned entries[] = {
    0, PTE_P, PTE_P | PTE_W, PTE_P | PTE_U, PTE_P | PTE_W | PTE_U, PTE_P | PTE_W | PTE_U | PTE_A};

/* _i: instruction, over all entries, at CPL 0 and 3, with and without WP, within a page and across the border. */
START_TEST(test_page_faults)
{
	static struct cpu fresh;
	char what[128];

	CODE_BYTES(CODE, 0x90);
	poke_bytes(CODE, samples[_i].bytes, samples[_i].len);
	CODE_BYTES(CODE + samples[_i].len, 0xcd, 0x30, 0xf4); /* int 30, whose handler halts */
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	cpu.cr4 |= CR4_OSFXSR;
	fresh = cpu;
	for (unsigned variant = 0; variant < ARRAY_LEN(entries) * 16; variant++) {
		unsigned n = variant % ARRAY_LEN(entries), how = variant / ARRAY_LEN(entries);
		uint32_t page = how & 4 ? HOLE + PAGE_SIZE : HOLE, at = how & 8 ? HOLE + PAGE_SIZE - 2 : page + 0x100;
		if ((how & 3) == 3 || ((how & 12) == 12 && n % 2))
			continue;
		cpu = fresh;
		set_pte(HOLE, HOLE, PTE_P | PTE_W | PTE_U);
		set_pte(HOLE + PAGE_SIZE, HOLE + PAGE_SIZE, PTE_P | PTE_W | PTE_U);
		set_pte(page, page, entries[n]);
		for (unsigned i = 0; i < 2 * PAGE_SIZE; i += 4)
			poke(HOLE + i, 4, CODE + samples[_i].len);
		enter_ring(how & 1 ? 3 : 0);
		if (how & 2)
			cpu.cr0 |= CR0_WP;
		cpu_mmu_event(&cpu, MMU_CR0, 0);
		cpu.gpr[RBX] = at;
		cpu.gpr[RSI] = DATA;
		cpu.gpr[RDI] = at - 4;
		cpu.gpr[RCX] = 5;
		cpu.gpr[RAX] = CODE + samples[_i].len;
		snprintf(what, sizeof(what), "%s at %x, entry %x, CPL %u, WP %u", samples[_i].name, at, entries[n],
			 how & 1 ? 3 : 0, how >> 1 & 1);
		same_as_stepped(what, CODE, 2);
		ck_assert_msg(cpu.cr2 == ref.cr2, "%s: CR2 %llx, single-stepped %llx", what,
			      (unsigned long long)cpu.cr2, (unsigned long long)ref.cr2);
	}
}
END_TEST

/* clang-format off */
/* 20 times: CR3 = [30000]; call FAR (direct, then through EAX); CR3 = [30004]; the same. */
static const uint8_t switch_spaces[] = {
    0xb9, 0x14, 0x00, 0x00, 0x00, 0xa1, 0x00, 0x00, 0x03, 0x00, 0x0f, 0x22, 0xd8, 0xe8, 0xee, 0xff, 0x03, 0x00, 0xb8, 0x00,
    0x00, 0x06, 0x00, 0xff, 0xd0, 0xa1, 0x04, 0x00, 0x03, 0x00, 0x0f, 0x22, 0xd8, 0xe8, 0xda, 0xff, 0x03, 0x00, 0xb8, 0x00,
    0x00, 0x06, 0x00, 0xff, 0xd0, 0xe2, 0xd6, 0xf4};

/* 20 times: the entry of FAR = [30000]; INVLPG; call FAR; = [30004]; INVLPG; call FAR; EDX += [FAR + 100]. */
static const uint8_t switch_mapping[] = {
    0xb9, 0x14, 0x00, 0x00, 0x00, 0xa1, 0x00, 0x00, 0x03, 0x00, 0xa3, 0x80, 0x11, 0x08, 0x00, 0x0f, 0x01, 0x3d, 0x00, 0x00,
    0x06, 0x00, 0xe8, 0xe5, 0xff, 0x03, 0x00, 0xa1, 0x04, 0x00, 0x03, 0x00, 0xa3, 0x80, 0x11, 0x08, 0x00, 0x0f, 0x01, 0x3d,
    0x00, 0x00, 0x06, 0x00, 0xe8, 0xcf, 0xff, 0x03, 0x00, 0x03, 0x15, 0x00, 0x01, 0x06, 0x00, 0xe2, 0xcc, 0xf4};
/* clang-format on */

/* _i: entries with G set, and CR4.PGE, for all but FAR */
START_TEST(test_address_spaces)
{
	if (_i) {
		cpu.cr4 |= CR4_PGE;
		/* Accessed and dirty, since it depends on what a TLB holds whose entry is asked. */
		for (unsigned at = 0; at < 0x100; at++)
			if (at != FAR >> PAGE_SHIFT)
				poke(PAGE_TABLE + 4 * at, 4, peek(PAGE_TABLE + 4 * at, 4) | PTE_G | PTE_A | PTE_D);
	}
	put_function(FAR_A, 1);
	put_function(FAR_B, 100);
	/* The second space is a copy of the first, but for FAR. */
	set_pte(FAR, FAR_A, PTE_P | PTE_W | PTE_U);
	poke_bytes(TABLES_B + PAGE_SIZE, pm.ram.host + PAGE_TABLE, PAGE_SIZE);
	poke(TABLES_B, 4, (TABLES_B + PAGE_SIZE) | PTE_P | PTE_W | PTE_U | PTE_A);
	poke(TABLES_B + PAGE_SIZE + (FAR >> PAGE_SHIFT) * 4, 4, FAR_B | PTE_P | PTE_W | PTE_U);
	poke(DATA, 4, TABLES_B);
	poke(DATA + 4, 4, TABLES_PAGES);
	poke_bytes(CODE, switch_spaces, sizeof(switch_spaces));
	cpu_mmu_event(&cpu, MMU_CR0, 0);
	cpu.gpr[RBX] = 0;
	same_as_stepped("address spaces", CODE, 3);
	ck_assert_uint_eq(cpu.gpr[RBX], 20 * 2 * 101);
	bt_audit(bt);
}
END_TEST

START_TEST(test_mapping_changes)
{
	put_function(FAR_A, 1);
	put_function(FAR_B, 100);
	poke(FAR_A + 0x100, 4, 5);
	poke(FAR_B + 0x100, 4, 7);
	poke(DATA, 4, FAR_A | PTE_P | PTE_W | PTE_U);
	poke(DATA + 4, 4, FAR_B | PTE_P | PTE_W | PTE_U);
	poke_bytes(CODE, switch_mapping, sizeof(switch_mapping));
	cpu.gpr[RBX] = cpu.gpr[RDX] = 0;
	same_as_stepped("mapping changes", CODE, 3);
	ck_assert_uint_eq(cpu.gpr[RBX], 20 * 101);
	ck_assert_uint_eq(cpu.gpr[RDX], 20 * 7);
	bt_audit(bt);
}
END_TEST

/* clang-format off */
/* EAX = [30000], EDX = [30004]; 40 times: the entry of FAR = EAX, that of the page behind it = EDX, by MOV and XCHG; INVLPG; EBX += [FAR + 100] + [FAR + 1100]. */
static const uint8_t store_entries[] = {
    0xb9, 0x28, 0x00, 0x00, 0x00, 0xa1, 0x00, 0x00, 0x03, 0x00, 0x8b, 0x15, 0x04, 0x00, 0x03, 0x00, 0xa3, 0x80, 0x11, 0x08,
    0x00, 0x89, 0xd6, 0x87, 0x35, 0x84, 0x11, 0x08, 0x00, 0xe2, 0xf1, 0x0f, 0x01, 0x3d, 0x00, 0x00, 0x06, 0x00, 0x03, 0x1d,
    0x00, 0x01, 0x06, 0x00, 0x03, 0x1d, 0x00, 0x11, 0x06, 0x00, 0xf4};
/* clang-format on */

/* More stores to a page table than are noted at once; the last time they run in the cache, but for the first few, which
 * are callouts until the page is worth a mapping. */
START_TEST(test_table_stores)
{
	uint64_t callouts, writes;

	poke(FAR_A + 0x100, 4, 5);
	poke(FAR_B + 0x100, 4, 7);
	poke_bytes(CODE, store_entries, sizeof(store_entries));
	for (unsigned round = 0; round < 4; round++) {
		poke(DATA, 4, (round % 2 ? FAR_A : FAR_B) | PTE_P | PTE_W | PTE_U);
		poke(DATA + 4, 4, (round % 2 ? FAR_B : FAR_A) | PTE_P | PTE_W | PTE_U);
		cpu.gpr[RBX] = 0;
		callouts = stats.callouts;
		writes = stats.table_writes;
		same_as_stepped("table stores", CODE, 1);
		ck_assert_uint_eq(cpu.gpr[RBX], 12);
		bt_audit(bt);
		shadow_audit(sh);
	}
	callouts = stats.callouts - callouts;
	ck_assert_uint_ge(stats.table_writes - writes + callouts, 80);
	ck_assert_uint_lt(callouts, 20);
}
END_TEST

/* Code executed under one linear address and written under another. */
START_TEST(test_aliases)
{
	set_pte(HOLE, FAR_A, PTE_P | PTE_W | PTE_U);
	set_pte(FAR, FAR_A, PTE_P | PTE_U);
	put_function(FAR_A, 1);
	/* mov ecx, 20; l: call FAR; inc byte [HOLE + 1]; loop l; hlt */
	CODE_BYTES(CODE, 0xb9, 20, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xfe, 0x05, 0x01, 0x00, 0x07, 0x00, 0xe2, 0xf3, 0xf4);
	poke(CODE + 6, 4, FAR - (CODE + 10));
	cpu.gpr[RBX] = 0;
	same_as_stepped("aliases", CODE, 3);
	ck_assert_uint_eq(cpu.gpr[RAX], 20);
	bt_audit(bt);
}
END_TEST

/* An instruction across pages that do not follow each other in memory, and one whose second page is not there. */
START_TEST(test_code_across_pages)
{
	uint32_t end = FAR + PAGE_SIZE - 3;

	set_pte(FAR, FAR_A, PTE_P | PTE_W | PTE_U);
	set_pte(FAR + PAGE_SIZE, FAR_B + PAGE_SIZE, _i & 1 ? 0 : PTE_P | PTE_W | PTE_U);
	CODE_BYTES(FAR_A + PAGE_SIZE - 3, 0xb8, 0x44, 0x33);
	CODE_BYTES(FAR_B + PAGE_SIZE, 0x22, 0x11, 0xf4);
	cpu.gpr[RAX] = 5;
	same_as_stepped("across pages", end, 3);
	ck_assert_uint_eq(cpu.gpr[RAX], _i & 1 ? 5 : 0x11223344);
	ck_assert_uint_eq(cpu.cr2, _i & 1 ? FAR + PAGE_SIZE : 0);
	if (_i & 1)
		return;
	/* Another second page */
	CODE_BYTES(FAR_A + 2 * PAGE_SIZE, 0x66, 0x55, 0xf4);
	set_pte(FAR + PAGE_SIZE, FAR_A + 2 * PAGE_SIZE, PTE_P | PTE_W | PTE_U);
	cpu_mmu_event(&cpu, MMU_INVLPG, FAR + PAGE_SIZE);
	same_as_stepped("across pages", end, 2);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x55663344);
}
END_TEST

/* clang-format off */
/* A callout, a call that reads its return address, a loop, a page's own table of targets, INT 30. */
static const uint8_t place_dependent[] = {
    0x31, 0xc0, 0x0f, 0xa2,			  /* 00: xor eax, eax; cpuid */
    0xe8, 0x17, 0x00, 0x00, 0x00,		  /* 04: call 20 */
    0x89, 0xc6, 0xb9, 0x03, 0x00, 0x00, 0x00,	  /* 09: mov esi, eax; mov ecx, 3 */
    0x49, 0x75, 0xfd,				  /* 10: dec ecx; jne 10 */
    0xe8, 0x19, 0x00, 0x00, 0x00,		  /* 13: call 31 */
    0xcd, 0x30, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, /* 18: int 30 */
    0x8b, 0x04, 0x24, 0xc3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 20: mov eax, [esp]; ret */
    0x8b, 0x3c, 0x24, 0x83, 0xc7, 0x02, 0x57, 0xc3, /* 31: mov edi, [esp]; add edi, 2; push edi; ret (to 1a) */
};
/* clang-format on */

/* The same code of user mode at one address after the other: copied, not translated again, and changed for both. */
START_TEST(test_twins)
{
	static struct cpu fresh;
	uint64_t translated;

	cpu.opt_off = BIT(OPT_LOOK); /* the first faults would change the code */
	poke_bytes(FAR_A, place_dependent, sizeof(place_dependent));
	CODE_BYTES(FAR_A + 0x1a, 0xcd, 0x30);
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	set_pte(FAR, FAR_A, PTE_P | PTE_W | PTE_U);
	set_pte(HOLE, FAR_A, PTE_P | PTE_W | PTE_U);
	enter_ring(3);
	fresh = cpu;
	cpu_mmu_event(&cpu, MMU_CR0, 0);
	same_as_stepped("first place", FAR, 2);
	ck_assert_uint_eq(cpu.gpr[RSI], FAR + 9);
	translated = stats.blocks_translated;
	ck_assert_uint_eq(stats.blocks_copied, 0);
	cpu = fresh;
	same_as_stepped("second place", HOLE, 2);
	ck_assert_uint_eq(cpu.gpr[RSI], HOLE + 9);
	ck_assert_uint_eq(cpu.gpr[RDI], HOLE + 0x1a);
	ck_assert_uint_ge(stats.blocks_copied, 4);
	ck_assert_uint_eq(stats.blocks_translated, translated);
	bt_audit(bt);
	/* mov ecx, 4 */
	CODE_BYTES(FAR_A + 0xc, 4);
	cpu = fresh;
	same_as_stepped("changed, second place", HOLE, 2);
	cpu = fresh;
	same_as_stepped("changed, first place", FAR, 2);
	bt_audit(bt);
}
END_TEST

/* More copies than there is room for: what they are copied from stays, and is copied again. */
START_TEST(test_many_twins)
{
	static struct cpu fresh;
	uint64_t translated, flushes;

	cpu.opt_off = BIT(OPT_LOOK);
	poke_bytes(FAR_A, place_dependent, sizeof(place_dependent));
	CODE_BYTES(FAR_A + 0x1a, 0xcd, 0x30);
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	enter_ring(3);
	fresh = cpu;
	set_pte(FAR, FAR_A, PTE_P | PTE_W | PTE_U);
	run_from(FAR);
	ck_assert_int_eq(halted_in(), 0x30);
	translated = stats.blocks_translated;
	flushes = stats.flushes;
	for (uint32_t at = 0x100000; at < 0x400000 && stats.copy_flushes < 2; at += PAGE_SIZE) {
		set_pte(at, FAR_A, PTE_P | PTE_W | PTE_U);
		cpu = fresh;
		cpu_mmu_event(&cpu, MMU_CR3, 0);
		run_from(at);
		ck_assert_int_eq(halted_in(), 0x30);
		ck_assert_uint_eq(cpu.gpr[RSI], at + 9);
	}
	ck_assert_uint_eq(stats.copy_flushes, 2);
	ck_assert_uint_eq(stats.flushes, flushes);
	ck_assert_uint_eq(stats.blocks_translated, translated);
	bt_audit(bt);
}
END_TEST

/* _i: IOPL. At CPL 3 PUSHF and POPF raise nothing, and what is popped for IF is taken with IOPL 3 only. */
START_TEST(test_user_flags)
{
	unsigned iopl = (unsigned)_i << 4;
	uint64_t callouts;

	/* push 8d5 | IOPL; popf; pushf; pop eax; push 202 | IOPL; popf; pushf; pop ebx; push 3202; popf; pushf; pop
	 * edx; int 30 */
	CODE_BYTES(CODE, 0x68, 0xd5, 0x08 | iopl, 0, 0, 0x9d, 0x9c, 0x58, 0x68, 0x02, 0x02 | iopl, 0, 0, 0x9d, 0x9c,
		   0x5b, 0x68, 0x02, 0x32, 0, 0, 0x9d, 0x9c, 0x5a, 0xcd, 0x30);
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	enter_ring(3);
	cpu.rflags = FLAG_1 | FLAG_IF | (uint64_t)_i << 12;
	cpu_mmu_event(&cpu, MMU_CR3, 0);
	same_as_stepped("flags of user mode", CODE, 2);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x8d7u | (unsigned)_i << 12 | (_i == 3 ? 0 : FLAG_IF));
	enter_ring(3);
	cpu.rflags = FLAG_1 | FLAG_IF | (uint64_t)_i << 12;
	callouts = stats.insn_callouts[INSN_POPFD] + stats.insn_callouts[INSN_PUSHFD];
	run_from(CODE);
	ck_assert_uint_eq(stats.insn_callouts[INSN_POPFD] + stats.insn_callouts[INSN_PUSHFD],
			  callouts + (_i == 3 ? 0 : 1)); /* one would change IOPL */
}
END_TEST

/* Increments a word in each of 16 pages from HOLE on, at a CPL. */
static void touch_pages(unsigned cpl)
{
	enter_ring(cpl);
	cpu_mmu_event(&cpu, MMU_CR3, 0);
	cpu.gpr[RBX] = HOLE;
	cpu.gpr[RCX] = 16;
	run_from(CODE);
	ck_assert_int_eq(halted_in(), 0x30);
}

/* _i: CPL. What looks at a page's state before it accesses it looks at that of the window that it goes to: once the
 * pages are there, nothing is single-stepped. */
START_TEST(test_looks)
{
	uint64_t stepped;

	/* inc [ebx]; add ebx, 1000; dec ecx; jnz CODE; int 30 */
	CODE_BYTES(CODE, 0xff, 0x03, 0x81, 0xc3, 0x00, 0x10, 0x00, 0x00, 0x49, 0x75, 0xf5, 0xcd, 0x30);
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	make_look(CODE);
	touch_pages((unsigned)_i);
	stepped = stats.stepped;
	touch_pages((unsigned)_i);
	ck_assert_uint_eq(stats.stepped, stepped);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_eq(peek(HOLE + i * PAGE_SIZE, 4), 2);
}
END_TEST

/* _i: CPL of code on pages of supervisor mode's. Where indirect branches lead is known beyond a load of CR3. */
START_TEST(test_supervisor_targets)
{
	/* mov ecx, 10; mov eax, FAR; call eax; loop to the call; int 30 */
	CODE_BYTES(CODE, 0xb9, 0x10, 0, 0, 0, 0xb8, 0, 0, FAR >> 16, 0, 0xff, 0xd0, 0xe2, 0xfc, 0xcd, 0x30);
	CODE_BYTES(FAR, 0xc3);
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	set_pte(CODE, CODE, PTE_P | PTE_W);
	set_pte(FAR, FAR, PTE_P | PTE_W);
	for (unsigned turn = 0; turn < 3; turn++) {
		enter_ring((unsigned)_i);
		cpu_mmu_event(&cpu, MMU_CR3, 0);
		if (turn == 2)
			stats.indirect_misses = 0;
		run_from(CODE);
		ck_assert_int_eq(halted_in(), 0x30);
	}
	ck_assert_uint_eq(stats.indirect_misses, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("paging");
	TCase *t = tcase_create("paging");

	tcase_add_checked_fixture(t, setup_paging, teardown_bt);
	tcase_add_loop_test(t, test_page_faults, 0, ARRAY_LEN(samples));
	tcase_add_loop_test(t, test_address_spaces, 0, 2);
	tcase_add_test(t, test_mapping_changes);
	tcase_add_test(t, test_table_stores);
	tcase_add_test(t, test_aliases);
	tcase_add_loop_test(t, test_code_across_pages, 0, 2);
	tcase_add_test(t, test_twins);
	tcase_add_test(t, test_many_twins);
	tcase_add_loop_test(t, test_user_flags, 0, 4);
	tcase_add_loop_test(t, test_looks, 0, 4);
	tcase_add_loop_test(t, test_supervisor_targets, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
