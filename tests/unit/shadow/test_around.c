/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mapped along with a page: of a program that goes from page to page, what continues those that are mapped; of
 * a kernel, its neighbours as far as its table goes on. */
#define _GNU_SOURCE
#include "paged_fixture.h"

enum {
	RAM_BYTES = 16 * 1024 * 1024,
	DIRECTORY = 0x100000,
	TABLE = 0x101000,
	FRAMES = 0x400000,
	FIRST = 100, /* page */
	COUNT = 64,
	FLAGS = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D,
};

static void set_pte(unsigned page, uint32_t flags)
{
	poke(TABLE + 4 * page, FRAMES + page * PAGE_SIZE + flags);
}

static void setup(void)
{
	make_machine(RAM_BYTES, 0, true);
	poke(DIRECTORY, TABLE + (PTE_P | PTE_W | PTE_U));
	for (unsigned i = 0; i < COUNT; i++)
		set_pte(FIRST + i, FLAGS);
	enter(DIRECTORY, 3);
}

static uint8_t state(unsigned page)
{
	return sh->paged.windows[paged_window_of(sh, true)].state[page];
}

static void read_page(unsigned page)
{
	if (!(state(page) & PAGE_MAPPED))
		ck_assert_int_eq(shadow_handle_fault(sh, shadow_window(sh) + page * PAGE_SIZE, false), SHADOW_RESOLVED);
	ck_assert(state(page) & PAGE_MAPPED);
}

/* _i: 1 upwards, -1 downwards. */
START_TEST(test_rows)
{
	unsigned from = _i > 0 ? FIRST : FIRST + COUNT - 1;

	for (unsigned i = 0; i < COUNT; i++)
		read_page(from + i * (unsigned)_i);
	ck_assert_uint_le(stats.hidden_faults, 9);
	ck_assert(!(state(FIRST - 1) & PAGE_MAPPED));
	ck_assert(!(state(FIRST + COUNT) & PAGE_MAPPED));
	for (unsigned i = 0; i < COUNT; i++)
		poke(FRAMES + (FIRST + i) * PAGE_SIZE, i);
	for (uint32_t i = 0; i < COUNT; i++)
		ck_assert_mem_eq((uint8_t *)shadow_window(sh) + (FIRST + i) * PAGE_SIZE, &i, 4);
}
END_TEST

START_TEST(test_scattered)
{
	for (unsigned i = 0; i < COUNT; i += 2)
		read_page(FIRST + i);
	ck_assert_uint_eq(stats.hidden_faults, COUNT / 2);
	ck_assert_uint_eq(stats.mappings_made, COUNT / 2);
}
END_TEST

/* What an entry has in the middle of the row, which ends it. */
static const struct {
	uint32_t flags, frames_on;
} odd[] = {
    {FLAGS & ~PTE_A, 0}, /* the bit is to be set by an access */
    {FLAGS & ~PTE_D, 0}, /* and this one by a write */
    {FLAGS & ~PTE_W, 0},
    {FLAGS, 1}, /* other RAM */
    {0, 0},
};

START_TEST(test_ends)
{
	unsigned middle = FIRST + COUNT / 2;

	poke(TABLE + 4 * middle, FRAMES + (middle + odd[_i].frames_on) * PAGE_SIZE + odd[_i].flags);
	for (unsigned page = FIRST; page < middle; page++)
		read_page(page);
	for (unsigned page = middle; page < FIRST + COUNT; page++)
		ck_assert(!(state(page) & PAGE_MAPPED));
	for (unsigned page = middle + 1; page < FIRST + COUNT; page++)
		read_page(page);
	ck_assert(!(state(middle) & PAGE_MAPPED));
}
END_TEST

/* A page of RAM whose writes somebody must know of ends it as well. */
START_TEST(test_traced)
{
	unsigned middle = FIRST + COUNT / 2;

	poke(TABLE + 4 * middle, TABLE + FLAGS);
	poke(TABLE + 4 * (middle - 1), TABLE - PAGE_SIZE + FLAGS);
	for (unsigned page = FIRST; page < FIRST + COUNT; page++)
		read_page(page);
	ck_assert(state(middle) & PAGE_PROTECTED);
}
END_TEST

/* What the guest takes away is gone, wherever in a row it is. */
START_TEST(test_taken_away)
{
	for (unsigned page = FIRST; page < FIRST + COUNT; page++)
		read_page(page);
	set_pte(FIRST + 20, 0);
	shadow_mmu_event(sh, MMU_INVLPG, (FIRST + 20) * PAGE_SIZE);
	ck_assert(!(state(FIRST + 20) & PAGE_MAPPED));
	ck_assert(state(FIRST + 19) & state(FIRST + 21) & PAGE_MAPPED);
	ck_assert_int_eq(shadow_handle_fault(sh, shadow_window(sh) + (FIRST + 20) * PAGE_SIZE, false), SHADOW_TRUE);
}
END_TEST

static enum shadow_fault write_page(unsigned page)
{
	return shadow_handle_fault(sh, shadow_window(sh) + page * PAGE_SIZE, true);
}

/* Sixteen pages, and nothing else, with these flags. */
static void make_short_row(uint32_t flags)
{
	for (unsigned i = 0; i < COUNT; i++)
		set_pte(FIRST + i, i < 16 ? flags : 0);
}

static uint64_t pages_shown(void)
{
	return sh->paged.windows[paged_window_of(sh, false)].pages;
}

START_TEST(test_kernel)
{
	make_short_row(FLAGS & ~PTE_U);
	set_pte(FIRST + 3, FLAGS & ~(PTE_U | PTE_D));					     /* clean */
	poke(TABLE + 4 * (FIRST + 12), FRAMES + (FIRST + 4) * PAGE_SIZE + (FLAGS & ~PTE_U)); /* other RAM */
	enter(DIRECTORY, 0);
	ck_assert_int_eq(write_page(FIRST + 8), SHADOW_RESOLVED);
	ck_assert_uint_eq(pages_shown(), 12 - 4);
	shadow_audit(sh);
	/* One that is taken away goes alone, and the others of its table come alone from then on. */
	set_pte(FIRST + 8, 0);
	shadow_mmu_event(sh, MMU_CR3, 0);
	ck_assert_uint_eq(pages_shown(), 12 - 4 - 1);
	ck_assert_int_eq(write_page(FIRST + 14), SHADOW_RESOLVED);
	ck_assert_uint_eq(pages_shown(), 12 - 4);
}
END_TEST

/* The first page of user mode's comes alone: whether they were accessed says which of them it wants. */
START_TEST(test_user_alone)
{
	make_short_row(FLAGS);
	ck_assert_int_eq(write_page(FIRST + 8), SHADOW_RESOLVED);
	for (unsigned i = 0; i < 16; i++)
		ck_assert(!!(state(FIRST + i) & PAGE_MAPPED) == (i == 8));
}
END_TEST

/* How many pages in a row are mapped around a page, whose window is of large pages. */
static unsigned row(unsigned page)
{
	unsigned n = 0;

	while (state(page - 1) & PAGE_MAPPED)
		page--;
	while (state(page + n) & PAGE_MAPPED)
		n++;
	return n;
}

/* A large page is mapped a piece at a time where RAM is new, and as far as it is there where it is not. */
START_TEST(test_pieces)
{
	unsigned first = FRAMES / PAGE_SIZE, piece = PM_PIECE / PAGE_SIZE;
	uint32_t value = 7;

	pm.in_pieces = true;
	cpu->cr4 |= CR4_PSE;
	poke(DIRECTORY + 4, FRAMES + FLAGS + PTE_PS);
	shadow_mmu_event(sh, MMU_CR4, 0);
	read_page(first + 3 * piece + 5);
	ck_assert_uint_eq(row(first + 3 * piece + 5), piece);
	ck_assert(physmem_is_made(&pm, FRAMES + 3 * PM_PIECE) && !physmem_is_made(&pm, FRAMES + 2 * PM_PIECE));
	poke(FRAMES + PM_PIECE, value); /* as DMA would: made, and mapped when it is touched */
	ck_assert(physmem_is_made(&pm, FRAMES + PM_PIECE) && !(state(first + piece) & PAGE_MAPPED));
	read_page(first + 2 * piece + 1);
	ck_assert_uint_eq(row(first + 2 * piece), 3 * piece);
	ck_assert_mem_eq((uint8_t *)shadow_window(sh) + FRAMES + PM_PIECE, &value, 4);
	ck_assert_uint_eq(stats.mappings_made, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("around");
	TCase *t = tcase_create("around");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_scattered);
	for (int i = -1; i <= 1; i += 2)
		tcase_add_loop_test(t, test_rows, i, i + 1);
	tcase_add_loop_test(t, test_ends, 0, (int)ARRAY_LEN(odd));
	tcase_add_test(t, test_traced);
	tcase_add_test(t, test_taken_away);
	tcase_add_test(t, test_kernel);
	tcase_add_test(t, test_user_alone);
	tcase_add_test(t, test_pieces);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
