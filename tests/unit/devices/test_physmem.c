/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map of guest physical memory: what wins, and which of its changes listeners are told of. */
#include "../run_suite.h"
#include "physmem.h"

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

int main(void)
{
	Suite *s = suite_create("physmem");
	TCase *t = tcase_create("map");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_device_in_a_hole);
	tcase_add_test(t, test_device_over_memory);
	tcase_add_test(t, test_kinds);
	suite_add_tcase(s, t);
	return run_suite(s);
}
