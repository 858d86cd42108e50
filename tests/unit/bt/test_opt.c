/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --opt switches off is off, and what the guest computes the same. */
#include "../run_suite.h"
#include "bt_fixture.h"

enum { SUB = CODE + 0x40 }; /* RET */

/* Code that ends with HLT, and a counter of the rows of stats.def that it makes larger with the optimisation, or
 * without. */
static const struct row {
	enum opt opt;
	size_t counter;
	bool larger_with;
	uint8_t code[48];
} rows[] = {
    /* clang-format off */
    /* jmp next; hlt */
    {OPT_LINK, offsetof(struct stats, links_made), true, {0xeb, 0x00, 0xf4}},
    /* mov ecx, 2; l: call SUB; loop l; hlt */
    {OPT_TABLE, offsetof(struct stats, indirect_fills), true, {0xb9, 2, 0, 0, 0, 0xe8, 0x36, 0, 0, 0, 0xe2, 0xf9, 0xf4}},
    /* call SUB; call SUB; hlt */
    {OPT_SECOND, offsetof(struct stats, indirect_fills), false, {0xe8, 0x3b, 0, 0, 0, 0xe8, 0x36, 0, 0, 0, 0xf4}},
    /* stc; jnc next; hlt */
    {OPT_EXTEND, offsetof(struct stats, link_misses), false, {0xf9, 0x73, 0x00, 0xf4}},
    /* out 0, al; nop; hlt */
    {OPT_RESUME, offsetof(struct stats, dispatcher_lookups), false, {0xe6, 0x00, 0x90, 0xf4}},
    /* call SUB; mov byte [SUB], 90h; mov byte [SUB], 0c3h; call SUB; hlt */
    {OPT_REVIVE, offsetof(struct stats, blocks_revived), true,
	{0xe8, 0x3b, 0, 0, 0, 0xc6, 0x05, 0x40, 0, 2, 0, 0x90, 0xc6, 0x05, 0x40, 0, 2, 0, 0xc3, 0xe8, 0x28, 0, 0, 0, 0xf4}},
    /* mov ecx, 9; l: mov al, [DEVICE]; loop l; hlt */
    {OPT_ADAPT, offsetof(struct stats, sites_adapted), true, {0xb9, 9, 0, 0, 0, 0xa0, 0, 0, 0, 2, 0xe2, 0xf9, 0xf4}},
    /* mov ecx, 9; mov eax, ds; l: mov es, eax; loop l; hlt */
    {OPT_SEGMENTS, offsetof(struct stats, callouts), false, {0xb9, 9, 0, 0, 0, 0x8c, 0xd8, 0x8e, 0xc0, 0xe2, 0xfc, 0xf4}},
    /* pushf; popf; hlt */
    {OPT_FLAGS, offsetof(struct stats, callouts), false, {0x9c, 0x9d, 0xf4}},
    /* mov esi, DATA; mov edi, esi; movsb; hlt */
    {OPT_STRINGS, offsetof(struct stats, callouts), false, {0xbe, 0, 0, 3, 0, 0x89, 0xf7, 0xa4, 0xf4}},
    /* clang-format on */
};

/* What the row's code adds to its counter. */
static uint64_t run_row(const struct row *r, opt_off_t off)
{
	const char *at = (const char *)&stats + r->counter;
	uint64_t before, after;

	bt_flush(bt);
	memset(bt->sites, 0, sizeof(bt->sites));
	cpu.opt_off = off;
	memcpy(&before, at, sizeof(before));
	poke_bytes(CODE, r->code, sizeof(r->code));
	poke(SUB, 1, 0xc3);
	same_as_stepped(opt_name(r->opt), CODE, 1);
	memcpy(&after, at, sizeof(after));
	return after - before;
}

START_TEST(test_off)
{
	const struct row *r = &rows[_i];
	uint64_t with = run_row(r, 0), without = run_row(r, BIT(r->opt)), again = run_row(r, 0);

	ck_assert_msg(r->larger_with ? with > without : with < without, "%s: %llu with it, %llu without",
		      opt_name(r->opt), (unsigned long long)with, (unsigned long long)without);
	ck_assert_msg((with > without) == (again > without), "%s: %llu when switched on again", opt_name(r->opt),
		      (unsigned long long)again);
	if (r->larger_with)
		ck_assert_uint_eq(without, 0);
}
END_TEST

START_TEST(test_select)
{
	opt_off_t off = 0;
	char bad[16];

	ck_assert_int_eq(opt_select("-link", &off, bad, sizeof(bad)), 0);
	ck_assert_uint_eq(off, BIT(OPT_LINK));
	ck_assert_int_eq(opt_select("-twin,+link", &off, bad, sizeof(bad)), 0);
	ck_assert_uint_eq(off, BIT(OPT_TWIN));
	ck_assert_int_eq(opt_select("-all,+rdtsc", &off, bad, sizeof(bad)), 0);
	ck_assert_uint_eq(off, OPT_ALL_OFF & ~BIT(OPT_RDTSC));
	ck_assert_int_eq(opt_select("+all,-spaces", &off, bad, sizeof(bad)), 0);
	ck_assert_uint_eq(off, BIT(OPT_SPACES));
	ck_assert_uint_eq(OPT_ALL_OFF, BIT(OPT_COUNT) - 1);
	/* Of what is wrong somewhere nothing is taken. */
	static const char *const wrong[] = {"",		  "link",   "-",      "-link,",	   ",-link",
					    "-link,-lin", "-links", "--link", "-link twin"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_int_eq(opt_select(wrong[i], &off, bad, sizeof(bad)), -EINVAL);
		ck_assert_uint_eq(off, BIT(OPT_SPACES));
	}
	ck_assert_int_eq(opt_select("-link,-a-name-that-is-long", &off, bad, sizeof(bad)), -EINVAL);
	ck_assert_str_eq(bad, "-a-name-that-is");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("opt");
	TCase *tc = tcase_create("opt");

	tcase_add_checked_fixture(tc, setup_bt, teardown_bt);
	tcase_add_loop_test(tc, test_off, 0, ARRAY_LEN(rows));
	tcase_add_test(tc, test_select);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
