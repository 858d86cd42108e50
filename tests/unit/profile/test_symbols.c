/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols: a kernel's own tables found in memory, of 32 and 64 bits, with and without the order of names; look-up by
 * address. */
#include "../run_suite.h"
#include "profile/symbols.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 701, STEP = 0x40, ROOM = 64 * 1024 };

#define BASE32 0xc1000000u
#define BASE64 0xffffffff81000000u

struct memory {
	uint8_t bytes[ROOM];
	size_t len;
};

static void put(struct memory *m, const void *data, size_t len)
{
	memcpy(m->bytes + m->len, data, len);
	m->len += len;
}

static void put_u32(struct memory *m, uint32_t v)
{
	put(m, &v, 4);
}

static void align(struct memory *m, unsigned word)
{
	m->len = ALIGN_UP(m->len, (size_t)word);
}

static void put_word(struct memory *m, uint64_t v, unsigned word)
{
	put(m, &v, word);
}

/* Tokens are characters; 'f' stands for "func_", which 1 would be. */
static void put_kallsyms(struct memory *m, bool order, unsigned word)
{
	uint32_t markers[COUNT / 256 + 1], at = 0;
	uint16_t index[256];
	size_t table;

	m->len = 4096;
	for (unsigned i = 0; i < COUNT; i++)
		put_u32(m, word == 4 ? i * STEP : ~(i * STEP)); /* -1 - distance */
	align(m, word);
	put_word(m, word == 4 ? BASE32 : BASE64, word);
	put_word(m, COUNT, word);
	for (unsigned i = 0; i < COUNT; i++) {
		char name[16];
		uint8_t len = (uint8_t)snprintf(name, sizeof(name), "t\1%u", i);
		if (i % 256 == 0)
			markers[i / 256] = at;
		put(m, &len, 1);
		put(m, name, len);
		at += len + 1u;
	}
	align(m, word);
	put(m, markers, sizeof(markers));
	m->len += order ? COUNT * 3 : 0;
	align(m, word);
	table = m->len;
	for (unsigned i = 0; i < 256; i++) {
		char text[8];
		index[i] = (uint16_t)(m->len - table);
		put(m, text, (size_t)snprintf(text, sizeof(text), i == 1 ? "func_" : "%c", i ? i : '?') + 1);
	}
	align(m, word);
	put(m, index, sizeof(index));
}

START_TEST(test_kallsyms)
{
	struct memory *m = calloc(1, sizeof(*m));
	unsigned word = _i & 2 ? 8 : 4;
	uint64_t base = word == 4 ? BASE32 : BASE64;
	const struct symbol *y;
	struct symbols s;

	put_kallsyms(m, _i & 1, word);
	symbols_init(&s);
	ck_assert_uint_eq(symbols_find_kallsyms(&s, m->bytes, ROOM), COUNT);
	symbols_finish(&s);
	for (unsigned i = 0; i < COUNT; i++) {
		char name[16];
		snprintf(name, sizeof(name), "func_%u", i);
		y = symbols_at(&s, base + i * STEP + 5);
		ck_assert(y);
		ck_assert_str_eq(y->name, name);
	}
	ck_assert(!symbols_at(&s, base - 1));
	symbols_destroy(&s);
	/* A name that does not end where the markers say: nothing is found. */
	m->bytes[4096 + ALIGN_UP(COUNT * 4u, word) + 2 * word]++;
	symbols_init(&s);
	ck_assert_uint_eq(symbols_find_kallsyms(&s, m->bytes, ROOM), 0);
	symbols_destroy(&s);
	free(m);
}
END_TEST

START_TEST(test_look_up)
{
	struct symbols s;

	symbols_init(&s);
	ck_assert(symbols_add(&s, 0x2000, 0, 'T', "later", 5));
	ck_assert(symbols_add(&s, 0x1000, 0x10, 't', "sized<b>", 8));
	ck_assert(symbols_add(&s, 0x1800, 0, 'd', "data", 4));
	symbols_finish(&s);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_str_eq(symbols_at(&s, 0x100f)->name, "sized?b?");
	ck_assert(!symbols_at(&s, 0x1010));
	ck_assert(!symbols_at(&s, 0xfff));
	ck_assert_str_eq(symbols_at(&s, 0x2fff)->name, "later");
	ck_assert(!symbols_at(&s, 0x3000));
	symbols_destroy(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("symbols");
	TCase *tc = tcase_create("symbols");

	tcase_add_loop_test(tc, test_kallsyms, 0, 4);
	tcase_add_test(tc, test_look_up);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
