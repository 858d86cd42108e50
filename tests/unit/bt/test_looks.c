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

static Suite *suite(void)
{
	Suite *s = suite_create("looks");
	TCase *t = tcase_create("looks");

	tcase_add_checked_fixture(t, setup_looks, teardown_bt);
	tcase_add_test(t, test_budget);
	tcase_add_test(t, test_pays);
	tcase_add_test(t, test_places);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
