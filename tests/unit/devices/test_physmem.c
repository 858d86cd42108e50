/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map of guest physical memory: what wins, and which of its changes listeners are told of. */
#define _GNU_SOURCE
#include "../run_suite.h"
#include "physmem.h"

#include <unistd.h>

enum { RAM_BYTES = 1 << 20, BAR = 0x80000000, BAR_LEN = 0x4000, FEW = 3 };

static struct physmem pm;
static struct pm_region ram, bar, rom;
static struct {
	gpa_t base;
	uint64_t len;
} told[8];
static unsigned ntold;

static void map_changed(void *arg, gpa_t base, uint64_t len)
{
	ck_assert_uint_lt(ntold, ARRAY_LEN(told));
	told[ntold].base = base;
	told[ntold++].len = len;
}

static void setup(void)
{
	ck_assert_int_eq(physmem_init(&pm, RAM_BYTES), 0);
	ram = (struct pm_region){.name = "ram", .kind = PM_RAM, .len = RAM_BYTES, .enabled = true, .backing = &pm.ram};
	bar = (struct pm_region){.name = "bar", .kind = PM_IO, .base = BAR, .len = BAR_LEN, .priority = PM_PRIO_PCI};
	rom = (struct pm_region){.name = "rom",
				 .kind = PM_ROM,
				 .base = 0xe0000,
				 .len = 0x20000,
				 .priority = PM_PRIO_PAM,
				 .backing = &pm.ram};
	physmem_add(&pm, &ram);
	physmem_add(&pm, &bar);
	physmem_add(&pm, &rom);
	physmem_listen(&pm, (struct pm_listener){.map_changed = map_changed});
	ntold = 0;
}

static void teardown(void)
{
	physmem_destroy(&pm);
}

static const char *name_at(gpa_t gpa)
{
	const struct pm_region *r = physmem_span(&pm, gpa)->region;

	return r ? r->name : "hole";
}

/* A device that comes, moves and goes where there is no memory. */
START_TEST(test_device_in_a_hole)
{
	uint64_t generation = pm.generation;

	physmem_enable(&pm, &bar, true);
	ck_assert_str_eq(name_at(BAR), "bar");
	physmem_move(&pm, &bar, 2u * BAR_LEN, false);
	physmem_move(&pm, &bar, BAR + BAR_LEN, true);
	ck_assert_str_eq(name_at(BAR), "hole");
	ck_assert_str_eq(name_at(BAR + BAR_LEN), "bar");
	physmem_enable(&pm, &bar, false);
	ck_assert_uint_eq(ntold, 0);
	ck_assert_uint_gt(pm.generation, generation); /* what was looked up may be wrong all the same */
}
END_TEST

/* The same over RAM, or reaching into it by a page. */
START_TEST(test_device_over_memory)
{
	static const gpa_t bases[FEW] = {0, RAM_BYTES / 2, RAM_BYTES - PAGE_SIZE};

	for (unsigned i = 0; i < FEW; i++) {
		physmem_move(&pm, &bar, bases[i], true);
		ck_assert_uint_eq(ntold, 1);
		ck_assert_uint_eq(told[0].base, bases[i]);
		ck_assert_uint_eq(told[0].len, BAR_LEN);
		ck_assert_str_eq(name_at(bases[i]), "bar");
		physmem_enable(&pm, &bar, false);
		ck_assert_uint_eq(ntold, 2);
		ck_assert_str_eq(name_at(bases[i]), "ram");
		ntold = 0;
	}
	physmem_move(&pm, &bar, RAM_BYTES, true); /* just behind it */
	ck_assert_uint_eq(ntold, 0);
}
END_TEST

START_TEST(test_kinds)
{
	physmem_enable(&pm, &rom, true);
	ck_assert_uint_eq(ntold, 1);
	physmem_set_kind(&pm, &rom, PM_RAM, true);
	ck_assert_uint_ge(ntold, 2);
	ck_assert_int_eq(physmem_span(&pm, rom.base)->region->kind, PM_RAM);
	/* Memory that becomes something else where nothing else is. */
	physmem_move(&pm, &rom, BAR, true);
	ntold = 0;
	physmem_set_kind(&pm, &rom, PM_HOLE, true);
	ck_assert_uint_ge(ntold, 1);
	ntold = 0;
	physmem_set_kind(&pm, &rom, PM_ROM, true);
	ck_assert_uint_ge(ntold, 1);
	ntold = 0;
	physmem_set_len(&pm, &rom, PAGE_SIZE);
	ck_assert_uint_eq(ntold, 1);
	ck_assert_uint_eq(told[0].len, 0x20000);
}
END_TEST

/* Where RAM from an offset on first has data, or a hole. */
static uint64_t first(int what, uint64_t from)
{
	off_t at = lseek(pm.ram.fd, (off_t)from, what);

	return at < 0 ? RAM_BYTES : (uint64_t)at;
}

/* A piece is made whole, around what is there already, and nothing beside it. */
START_TEST(test_pieces)
{
	static const uint8_t zeros[PAGE_SIZE];
	const uint8_t data[] = {1, 2, 3};
	uint64_t kept = PM_PIECE + 5 * PAGE_SIZE + 7;
	uint8_t back[3];

	physmem_write(&pm, kept, data, sizeof(data));
	physmem_make(&pm, kept);
	ck_assert_uint_eq(first(SEEK_HOLE, PM_PIECE), PM_PIECE); /* not asked for */
	pm.in_pieces = true;
	physmem_make(&pm, kept);
	ck_assert(physmem_is_made(&pm, PM_PIECE) && !physmem_is_made(&pm, 0) && !physmem_is_made(&pm, 2 * PM_PIECE));
	ck_assert_uint_eq(first(SEEK_DATA, 0), PM_PIECE);
	ck_assert_uint_eq(first(SEEK_HOLE, PM_PIECE), 2 * PM_PIECE);
	physmem_read(&pm, kept, back, sizeof(back));
	ck_assert_mem_eq(back, data, sizeof(data));
	memset(pm.ram.host + kept, 0, sizeof(data));
	for (uint64_t at = 0; at < RAM_BYTES; at += PAGE_SIZE)
		ck_assert_mem_eq(pm.ram.host + at, zeros, PAGE_SIZE);
}
END_TEST

/* Writes make what they go to: across two pieces, and in the last one, which is cut short. */
START_TEST(test_pieces_written)
{
	struct physmem small = {0};
	uint8_t data[PAGE_SIZE];

	pm.in_pieces = true;
	memset(data, 0x5a, sizeof(data));
	physmem_write(&pm, PM_PIECE - 1, data, sizeof(data));
	ck_assert_uint_eq(first(SEEK_DATA, 0), 0);
	ck_assert_uint_eq(first(SEEK_HOLE, 0), 2 * PM_PIECE);
	ck_assert_mem_eq(pm.ram.host + PM_PIECE - 1, data, sizeof(data));
	ck_assert_int_eq(physmem_init(&small, PM_PIECE + PAGE_SIZE), 0);
	small.in_pieces = true;
	physmem_make_here(&small, small.ram.host + PM_PIECE);
	physmem_make_here(&small, data); /* not RAM */
	ck_assert_int_eq(lseek(small.ram.fd, 0, SEEK_DATA), PM_PIECE);
	ck_assert_int_eq(lseek(small.ram.fd, PM_PIECE, SEEK_HOLE), PM_PIECE + PAGE_SIZE);
	physmem_destroy(&small);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("physmem");
	TCase *t = tcase_create("map");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_device_in_a_hole);
	tcase_add_test(t, test_device_over_memory);
	tcase_add_test(t, test_kinds);
	tcase_add_test(t, test_pieces);
	tcase_add_test(t, test_pieces_written);
	suite_add_tcase(s, t);
	return run_suite(s);
}
