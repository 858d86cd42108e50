/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repeated string instructions of supervisor mode's at adapted sites: what they store where all of it can be stored,
 * and what becomes of everything else, against the single-stepper. */
#include <stdio.h>

#include "bt_fixture.h"

enum { FROM = 0x60000, TO = 0x70000 };
enum { ADAPT_LEVEL, ADAPT_GUARDED, ADAPT_USER, ADAPTATIONS };

static void set_pte(uint32_t linear, unsigned bits)
{
	poke(PAGE_TABLE + (linear >> PAGE_SHIFT) * 4, 4, ALIGN_DOWN(linear, PAGE_SIZE) | bits);
}

static void setup_guarded(void)
{
	setup_bt_unaudited();
	enable_paging();
	memory_used = 0xa0000;
	/* int 30, whose handler halts */
	set_gate(0x30, gate(CODE0, HANDLER + 16 * 0x30, SEG_P | SYS_INT32 | dpl(3), 0));
	CODE_BYTES(CODE + 2, 0xcd, 0x30);
	for (unsigned i = 0; i < 2 * PAGE_SIZE; i += 4)
		poke(FROM + i, 4, 0x01020304 * i);
}

static void adapt(unsigned how)
{
	bt_site_set(bt, &(struct site){.linear = CODE,
				       .level = how == ADAPT_LEVEL ? SITE_CALLOUT : SITE_PLAIN,
				       .user = how == ADAPT_USER});
	if (how == ADAPT_LEVEL)
		memset(bt->looks, 0, sizeof(bt->looks));
	else
		make_look(CODE);
	for (unsigned at = 0; at < 2 * PAGE_SIZE; at += PAGE_SIZE)
		cpu.bt_user_region[(TO + at) >> USER_REGION_SHIFT] = how == ADAPT_USER;
}

/* clang-format off */
static const struct {
	const char *name;
	uint8_t bytes[2], size;
} instructions[] = {
	{"rep stosb", {0xf3, 0xaa}, 1}, {"rep stosd", {0xf3, 0xab}, 4}, {"rep movsb", {0xf3, 0xa4}, 1}, {"rep movsd", {0xf3, 0xa5}, 4}, {"repe cmpsd", {0xf3, 0xa7}, 4}, {"rep lodsd", {0xf3, 0xad}, 4},
};
/* Offsets of the first elements from FROM and TO, counts. */
static const struct {
	uint32_t from, to, count;
	bool down;
} spans[] = {
	{0, 0, 1024, false}, {4, 8, 1, false}, {0, 0, 0, false}, {0, 4092, 1, false}, {0, 4092, 2, false}, {4088, 0, 3, false}, {16, 16, 4, true}, {4, 4, 3, true}, {0, 4094, 1, false}, {0, 12, 3000, false},
	{0, 0x100, 0x40000000, false},
};
/* clang-format on */

static const unsigned entries[] = {0, PTE_P, PTE_P | PTE_W | PTE_U, PTE_P | PTE_U,
				   PTE_P | PTE_W | PTE_U | PTE_A | PTE_D};

/* _i: instruction. */
START_TEST(test_same)
{
	static struct cpu fresh;
	char what[128];

	poke_bytes(CODE, instructions[_i].bytes, 2);
	cpu.cr0 |= CR0_WP;
	fresh = cpu;
	for (unsigned n = 0; n < ADAPTATIONS * ARRAY_LEN(spans) * ARRAY_LEN(entries); n++) {
		unsigned s = n / ADAPTATIONS % ARRAY_LEN(spans), e = n / ADAPTATIONS / ARRAY_LEN(spans);
		int32_t back = spans[s].down ? 1 : 0;
		if (spans[s].count > 5000 && instructions[_i].bytes[1] != 0xaa) /* ends in a fault, or is too long */
			continue;
		cpu = fresh;
		set_pte(TO, entries[e]);
		set_pte(TO + PAGE_SIZE, entries[e]);
		set_pte(TO + 2 * PAGE_SIZE, 0);
		bt_flush(bt);
		adapt(n % ADAPTATIONS);
		cpu_mmu_event(&cpu, MMU_CR0, 0);
		cpu.gpr[RSI] = FROM + spans[s].from + (uint32_t)back * PAGE_SIZE;
		cpu.gpr[RDI] = TO + spans[s].to + (uint32_t)back * PAGE_SIZE;
		cpu.gpr[RCX] = spans[s].count;
		cpu.gpr[RAX] = 0x55667788;
		cpu.rflags = back ? cpu.rflags | FLAG_DF : cpu.rflags & ~FLAG_DF;
		snprintf(what, sizeof(what), "%s, span %u, entry %x, adaptation %u", instructions[_i].name, s,
			 entries[e], n % ADAPTATIONS);
		same_as_stepped(what, CODE, 3);
		ck_assert_msg(cpu.cr2 == ref.cr2, "%s: CR2 %llx, single-stepped %llx", what,
			      (unsigned long long)cpu.cr2, (unsigned long long)ref.cr2);
		shadow_audit(sh);
	}
}
END_TEST

/* A page of zeros, twice, to TO. */
static void clear_page(void)
{
	CODE_BYTES(CODE, 0xf3, 0xab);
	cpu.gpr[RDI] = TO;
	cpu.gpr[RCX] = 1024;
	cpu.gpr[RAX] = 0;
	poke(TO + 0xabc, 4, 5);
	run_from(CODE);
	ck_assert_int_eq(halted_in(), 0x30);
	ck_assert_uint_eq(peek(TO + 0xabc, 4), 0);
}

/* _i: adaptation. In the cache from the second time on: the first has the page mapped. */
START_TEST(test_in_cache)
{
	uint64_t callouts, steps;

	set_pte(TO, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
	cpu_mmu_event(&cpu, MMU_CR0, 0);
	adapt((unsigned)_i);
	clear_page();
	callouts = stats.insn_callouts[INSN_STOSD];
	steps = stats.stepped;
	ck_assert_uint_eq(callouts, 1);
	clear_page();
	clear_page();
	ck_assert_uint_eq(stats.insn_callouts[INSN_STOSD], callouts);
	ck_assert_uint_eq(stats.stepped, steps);
}
END_TEST

/* The page has become a page table, and must not be cleared unseen: its entry's mapping is gone behind the flush. */
START_TEST(test_page_table)
{
	const uint32_t far = 0x400000;

	set_pte(TO, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
	adapt(ADAPT_LEVEL);
	clear_page();
	clear_page();
	poke(TO, 4, FROM | PTE_P | PTE_W | PTE_A);
	poke(TABLES_PAGES + 4, 4, TO | PTE_P | PTE_W | PTE_A);
	CODE_BYTES(CODE + 0x100, 0xa1, far & 0xff, far >> 8 & 0xff, far >> 16 & 0xff, far >> 24, 0xcd, 0x30);
	poke(FROM, 4, 0x12345678);
	run_from(CODE + 0x100);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x12345678);
	clear_page();
	shadow_mmu_event(sh, MMU_CR3, 0);
	shadow_audit(sh);
	run_from(CODE + 0x100);
	ck_assert_int_eq(halted_in(), 14);
	ck_assert_uint_eq(cpu.cr2, far);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guarded");
	TCase *t = tcase_create("guarded");

	tcase_add_checked_fixture(t, setup_guarded, teardown_bt);
	tcase_add_loop_test(t, test_same, 0, ARRAY_LEN(instructions));
	tcase_add_loop_test(t, test_in_cache, 0, ADAPTATIONS);
	tcase_add_test(t, test_page_table);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
