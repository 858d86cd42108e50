/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When instructions begin, and cease, to look at their page's state. */
#include "bt_fixture.h"

enum { AFTER = 3, PAYS = 200, LONGEST = AFTER << 6 };

/* Two instructions; nothing is translated. */
static struct insn_map map[3];
static struct block block;

static void setup_looks(void)
{
	setup_bt();
	memset(map, 0, sizeof(map));
	map[1].guest = 3;
	block = (struct block){.gpa = 0x5000, .ninsns = 2, .map = map};
}

/* Instruction n looks behind that many faults, and not before. */
static void looks_after(unsigned n, unsigned faults)
{
	for (unsigned i = 0; i < faults; i++) {
		ck_assert(!bt_look_pays(bt, &block, map[n].guest));
		bt_look_faulted(bt, &block, n);
	}
	ck_assert(bt_look_pays(bt, &block, map[n].guest));
	map[n].flags |= MAP_LOOKS; /* translated anew */
}

static void ceases(unsigned n)
{
	bt_looks_sampled(bt, &block);
	ck_assert(!bt_look_pays(bt, &block, map[n].guest));
	map[n].flags = 0;
}

START_TEST(test_budget)
{
	looks_after(0, AFTER);
	ck_assert(!bt_look_pays(bt, &block, map[1].guest));
	looks_after(1, AFTER);
	ceases(0);
	ck_assert(!bt_look_pays(bt, &block, map[1].guest));
	map[1].flags = 0;
	/* It takes longer each time, but not for ever. */
	for (unsigned faults = 2 * AFTER; faults < LONGEST; faults *= 2) {
		looks_after(0, faults);
		ceases(0);
	}
	for (unsigned i = 0; i < 3; i++) {
		looks_after(0, LONGEST);
		ceases(0);
	}
}
END_TEST

START_TEST(test_pays)
{
	looks_after(0, AFTER);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < PAYS; k++)
			bt_look_faulted(bt, &block, 0);
		bt_looks_sampled(bt, &block);
		ck_assert(bt_look_pays(bt, &block, map[0].guest));
	}
	for (unsigned k = 1; k < PAYS; k++)
		bt_look_faulted(bt, &block, 0);
	ceases(0);
	looks_after(0, 2 * AFTER);
}
END_TEST

/* The next process of a program knows; another program does not. */
START_TEST(test_places)
{
	struct block other = block;

	looks_after(0, AFTER);
	other.eip = 0x7000;
	ck_assert(bt_look_pays(bt, &other, map[0].guest));
	other.gpa = 0x6000;
	ck_assert(!bt_look_pays(bt, &other, map[0].guest));
}
END_TEST

/* Pages become known only; one that took a signal all the same costs four that did not, and then there are tries, less
 * and less often. */
START_TEST(test_known)
{
	struct look *l = bt_look_knows(bt, &block, 0);
	unsigned last = 0;

	ck_assert_ptr_nonnull(l);
	ck_assert_ptr_ne(bt_look_knows(bt, &block, 1), l);
	bt_known_in_vain(bt, 0x5000); /* nobody's */
	ck_assert_ptr_eq(bt_look_knows(bt, &block, 0), l);
	for (hva_t at = 0x5000; at < 0x9000; at += PAGE_SIZE)
		bt_page_known(bt, l, at);
	bt_known_in_vain(bt, 0x5123);
	bt_known_in_vain(bt, 0x5123); /* it is mapped by now */
	ck_assert_ptr_eq(bt_look_knows(bt, &block, 0), l);
	for (unsigned i = 0; i < 8; i++) {
		unsigned mapped = 0;
		bt_page_known(bt, l, 0xa000);
		bt_known_in_vain(bt, 0xa000);
		while (!bt_look_knows(bt, &block, 0))
			ck_assert_uint_le(++mapped, 64);
		ck_assert_uint_ge(mapped, MIN(last, 60));
		last = mapped;
	}
	ck_assert_uint_ge(last, 60);
	for (unsigned i = 0; i < 64; i++)
		bt_page_known(bt, l, 0xa000);
	bt_known_in_vain(bt, 0xa000);
	ck_assert_ptr_eq(bt_look_knows(bt, &block, 0), l); /* forgiven */
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("looks");
	TCase *t = tcase_create("looks");

	tcase_add_checked_fixture(t, setup_looks, teardown_bt);
	tcase_add_test(t, test_budget);
	tcase_add_test(t, test_pays);
	tcase_add_test(t, test_places);
	tcase_add_test(t, test_known);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
