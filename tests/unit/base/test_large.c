/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory in large pages: what it holds, on hosts with and without them; what a host is asked; RAM in large pieces. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../run_suite.h"
#include "large.h"
#include "physmem.h"

enum { LARGE_BYTES = 2 << 20, RAM_BYTES = 5 << 20, SOME = 77 };

/* Shared memory of two large pages. */
static uint8_t *shared(void)
{
	uint8_t *p = large_reserve((size_t)2 * LARGE_BYTES, 0);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % LARGE_PAGE, 0);
	ck_assert_ptr_eq(
	    mmap(p, (size_t)2 * LARGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0), p);
	return p;
}

/* How many bytes around an address the process's page tables map by large pages. */
static unsigned long large_at(const void *at)
{
	unsigned long from, to, value, found = 0;
	char line[256], name[32];
	bool inside = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)at >= from && (uintptr_t)at < to;
		else if (inside && sscanf(line, "%31[A-Za-z]: %lu kB", name, &value) == 2 &&
			 (!strcmp(name, "ShmemPmdMapped") || !strcmp(name, "AnonHugePages")))
			found += value << 10;
	fclose(f);
	return found;
}

/* Whether there is a large page or not: what was there stays, and the rest is zeros. */
START_TEST(test_make)
{
	uint8_t *p = shared();
	bool made;

	p[SOME * PAGE_SIZE] = SOME;
	made = large_make(p);
	ck_assert_uint_eq(large_at(p), made ? LARGE_BYTES : 0);
	for (size_t i = 0; i < LARGE_BYTES; i += PAGE_SIZE)
		ck_assert_uint_eq(p[i], i == SOME * PAGE_SIZE ? SOME : 0);
	p[LARGE_BYTES] = 1; /* the next one is not affected */
	ck_assert_uint_eq(large_at(p), made ? LARGE_BYTES : 0);
	munmap(p, (size_t)2 * LARGE_BYTES);
}
END_TEST

START_TEST(test_no_memory)
{
	uint8_t *p = shared();

	ck_assert(!large_make(p + (size_t)2 * LARGE_BYTES - PAGE_SIZE)); /* not aligned */
	munmap(p + LARGE_BYTES, LARGE_BYTES);
	ck_assert(!large_make(p + LARGE_BYTES)); /* nothing is mapped there */
	munmap(p, LARGE_BYTES);
}
END_TEST

START_TEST(test_alloc)
{
	for (int large = 0; large < 2; large++) {
		uint8_t *p = large_alloc(LARGE_BYTES + 1, large);
		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % LARGE_PAGE, 0);
		for (size_t i = 0; i <= LARGE_BYTES; i += PAGE_SIZE / 2)
			ck_assert_uint_eq(p[i], 0);
		p[LARGE_BYTES] = 1;
		munmap(p, LARGE_BYTES + 1);
	}
}
END_TEST

/* Asked again, the host says the same. */
START_TEST(test_pays)
{
	unsigned yes = 0;

	for (int i = 0; i < SOME; i++)
		yes += large_pays();
	ck_assert(yes < 4 || yes > SOME - 4);
}
END_TEST

static uint64_t hole(const struct physmem *pm, uint64_t from)
{
	return (uint64_t)lseek(pm->ram.fd, (off_t)from, SEEK_HOLE);
}

/* All pieces of a large page at once; the end of RAM, which is less than one, in the usual ones. */
START_TEST(test_ram)
{
	struct physmem pm;
	uint64_t at = LARGE_BYTES + 3 * PAGE_SIZE, tail = (uint64_t)2 * LARGE_BYTES + PM_PIECE;
	uint8_t *p = shared();
	uint64_t unit = large_make(p) ? LARGE_BYTES : PM_PIECE;

	ck_assert_int_eq(physmem_init(&pm, RAM_BYTES), 0);
	ck_assert_uint_eq((uintptr_t)pm.ram.host % LARGE_PAGE, 0);
	pm.in_pieces = pm.large = true;
	pm.ram.host[at] = SOME;
	physmem_make(&pm, at + PAGE_SIZE);
	ck_assert_uint_eq(hole(&pm, 0), 0);
	ck_assert_uint_eq(hole(&pm, LARGE_BYTES), LARGE_BYTES + unit);
	for (uint64_t o = 0; o < RAM_BYTES; o += PM_PIECE)
		ck_assert_int_eq(physmem_is_made(&pm, o), o >= LARGE_BYTES && o < LARGE_BYTES + unit);
	ck_assert_uint_eq(pm.ram.host[at], SOME);
	physmem_make_here(&pm, pm.ram.host + tail);
	ck_assert(physmem_is_made(&pm, tail) && !physmem_is_made(&pm, tail - 1));
	ck_assert_uint_eq(hole(&pm, tail), tail + PM_PIECE);
	physmem_touch(&pm, pm.ram.host + at, LARGE_BYTES, at, PAGE_SIZE); /* begins within a piece, ends in the next */
	ck_assert_uint_eq(pm.ram.host[at], SOME);
	physmem_destroy(&pm);
	munmap(p, (size_t)2 * LARGE_BYTES);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("large");
	TCase *t = tcase_create("large");

	tcase_add_test(t, test_make);
	tcase_add_test(t, test_no_memory);
	tcase_add_test(t, test_alloc);
	tcase_add_test(t, test_pays);
	tcase_add_test(t, test_ram);
	suite_add_tcase(s, t);
	return run_suite(s);
}
