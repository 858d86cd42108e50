/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A storm over four or five levels of tables: entries change at random, in use or not, with and without flushes; after
 * each flush what views allow is compared with what the walker of the CPU says of the same addresses.
 */
#include "../run_suite.h"
#include "view_fixture.h"

/* Pools of tables, by level. Entries lead to any of the next level's. */
enum {
	POOL = 4,
	TABLES = 0x100000,
	PAGES = 0x400000,
	NPAGES = 24, /* the last ones cannot be written: a chipset can have RAM so */
	NROM = 4,
	ROM = PAGES + (NPAGES - NROM) * PAGE_SIZE,
	ROUNDS = 200,
	PROMISES = 64,
};

struct promise {
	bool made;
	unsigned space;
	gva_t linear;
	gpa_t gpa;
};

static struct promise promises[PROMISES];
static struct pm_region rom;
static uint64_t seed;
static unsigned levels;

/* xorshift64*: the same sequence every time. */
static uint32_t rnd(uint32_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static gpa_t table(unsigned level, unsigned n)
{
	return TABLES + ((level - 1) * POOL + n) * PAGE_SIZE;
}

/* Indexes that the addresses of the storm have at each level: the ends of chunks, halves and tables among them. */
static unsigned index_of(unsigned level)
{
	static const unsigned some[5][4] = {{0}, {0, 1, 2, 511}, {0, 1, 511, 511}, {0, 3, 4, 511}, {0, 255, 256, 511}};

	if (level == 5)
		return some[4][rnd(4)];

	return some[level][rnd(4)];
}

static gva_t address(void)
{
	gva_t at = 0;

	for (unsigned level = levels; level; level--)
		at = at << 9 | index_of(level);
	at <<= 64 - 9 * levels;
	return (gva_t)((int64_t)at >> (64 - 12 - 9 * levels)) + rnd(PAGE_SIZE - 8);
}

static gpa_t page_of_data(void)
{
	if (rnd(8) ==
	    0) /* a table that is looked at as memory; the upper ones are not traced: writes to them go unseen */
		return table(1 + rnd(2), rnd(POOL));
	return PAGES + rnd(NPAGES) * PAGE_SIZE;
}

static uint64_t random_entry(unsigned level)
{
	uint64_t flags = PTE_P | (rnd(8) ? PTE_W : 0) | (rnd(6) ? PTE_U : 0) | (rnd(3) ? PTE_A : 0) |
			 (rnd(2) ? PTE_D : 0) | (rnd(16) ? 0 : PTE_NX) | (rnd(8) ? 0 : PTE_G) | (rnd(8) ? 0 : BIT(11)) |
			 (rnd(8) ? 0 : BIT(60));

	if (rnd(10) == 0)
		return flags & ~PTE_P;
	if (rnd(40) == 0)
		flags |= BIT(45); /* reserved */
	if (level == 1)
		return flags | page_of_data();
	if (level > 3 && rnd(40) == 0)
		return flags | PTE_PS | table(level - 1, rnd(POOL)); /* reserved */
	if (level < 4 && rnd(6) == 0)
		return flags | PTE_PS | (level == 3 ? rnd(2) * GiB : rnd(RAM_BYTES / (2 * MiB)) * 2 * MiB);
	return flags | table(level - 1, rnd(POOL));
}

static void change_an_entry(void)
{
	unsigned level = 1 + rnd(levels);
	gpa_t at = table(level, rnd(POOL)) + index_of(level) * 8;
	uint64_t entry = load_le(pm.ram.host + at, 8);

	switch (rnd(4)) {
	case 0: /* one bit of it */
		poke(at, entry ^ (const uint64_t[]){PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_NX}[rnd(6)]);
		break;
	case 1: { /* as another one */
		gpa_t other = table(level, rnd(POOL)) + index_of(level) * 8;
		poke(at, load_le(pm.ram.host + other, 8));
		break;
	}
	default:
		poke(at, random_entry(level));
	}
}

static void on_lost(void *arg, unsigned space, gva_t linear, uint64_t len)
{
	(void)arg;
	for (unsigned i = 0; i < PROMISES; i++)
		if (promises[i].made && promises[i].space == space && promises[i].linear - linear < len)
			promises[i].made = false;
}

static void fetch(void)
{
	struct promise *p = &promises[rnd(PROMISES)];
	gva_t linear = ALIGN_DOWN(address(), PAGE_SIZE);
	bool user = rnd(2);
	struct translation t;
	struct x86_fault f;

	if (!cpu_walk(cpu, linear, ACC_EXEC, user, true, &t, &f))
		return;
	*p = (struct promise){0};
	if (!shadow_fetched(sh, linear, t.gpa, user))
		return;
	*p = (struct promise){true, shadow_space(sh, user), linear, t.gpa};
}

static void check_promises(void)
{
	for (unsigned i = 0; i < PROMISES; i++) {
		const struct promise *p = &promises[i];
		bool user = p->space != SHADOW_SUPERVISOR;
		struct translation t;
		struct x86_fault f;
		if (!p->made || p->space != shadow_space(sh, user))
			continue;
		ck_assert_msg(cpu_walk(cpu, p->linear, ACC_EXEC, user, false, &t, &f) && t.gpa == p->gpa,
			      "code at %llx of space %u is gone", (unsigned long long)p->linear, p->space);
	}
}

static int expected(gva_t linear, bool write, struct translation *t)
{
	struct x86_fault f;

	if (!cpu_walk(cpu, linear, write ? ACC_WRITE : ACC_READ, cpu->cpl == 3, false, t, &f))
		return SHADOW_TRUE;
	if (t->gpa >= RAM_BYTES)
		return SHADOW_EMULATE;
	if (write && t->gpa - ROM < NROM * PAGE_SIZE)
		return SHADOW_EMULATE;
	return write && physmem_traced(&pm, t->gpa) ? SHADOW_TRACED : DONE;
}

/* compare: nothing has changed since the last flush. */
static void access_to(gva_t linear, bool compare)
{
	bool write = rnd(2);
	uint8_t byte = (uint8_t)rnd(256);
	struct translation t;
	int want, got;

	cpu->cpl = rnd(2) ? 3 : 0;
	want = expected(linear, write, &t);
	/* Upper tables shown by large pages are not to be written as memory: that is a change without a flush. */
	if (write && want == DONE && t.gpa - table(1, 0) < levels * POOL * PAGE_SIZE)
		return;
	got = rnd(2) ? access_looking(linear, write, &byte) : access_view(linear, 0, write, &byte);
	if (!compare)
		return;
	if (want == SHADOW_TRUE && got == SHADOW_EMULATE && !shadow_own(sh, linear, cpu->cpl == 3))
		return; /* nothing is mapped anywhere near, so that there is no chunk */
	if (want == SHADOW_TRACED && got == DONE && !physmem_traced(&pm, t.gpa))
		return; /* room was made, and nothing is mapped by that table any more */
	ck_assert_msg(got == want, "%s of %llx by %s: %d, not %d", write ? "store" : "load", (unsigned long long)linear,
		      cpu->cpl ? "user" : "supervisor", got, want);
	if (got == DONE)
		ck_assert_msg(pm.ram.host[t.gpa] == byte, "%llx leads elsewhere", (unsigned long long)linear);
}

static void access_somewhere(bool compare)
{
	access_to(address(), compare);
}

/* Of one page: it must be right from then on, others may be old. */
static void flush_page(void)
{
	gva_t linear = address();

	shadow_mmu_event(sh, rnd(2) ? MMU_INVLPG : MMU_FAULT, linear);
	for (unsigned n = 3; n; n--)
		access_to(ALIGN_DOWN(linear, PAGE_SIZE) + rnd(PAGE_SIZE - 8), true);
}

static void flush(void)
{
	unsigned which = rnd(16);

	for (unsigned n = rnd(4); n; n--)
		flush_page();

	if (which == 0) {
		cpu->cr0 ^= CR0_WP;
		shadow_mmu_event(sh, MMU_CR0, 0);
	} else if (which == 1) {
		cpu->cr4 ^= rnd(2) ? CR4_SMEP : CR4_SMAP;
		shadow_mmu_event(sh, MMU_CR4, 0);
	} else if (which < 10) {
		flush_all();
	} else {
		load_cr3(table(levels, rnd(POOL)));
	}
	audit_upper(sh);
}

static void storm(unsigned max_mappings)
{
	memset(promises, 0, sizeof(promises));
	setup_limited(max_mappings, false);
	rom = (struct pm_region){.name = "rom",
				 .kind = PM_ROM,
				 .base = ROM,
				 .len = NROM * PAGE_SIZE,
				 .priority = PM_PRIO_PAM,
				 .enabled = true,
				 .backing = &pm.ram,
				 .offset = ROM};
	physmem_add(&pm, &rom);
	shadow_on_lost(sh, on_lost, NULL);
	for (unsigned level = 1; level <= levels; level++)
		for (unsigned n = 0; n < POOL; n++)
			for (unsigned i = 0; i < 6; i++)
				poke(table(level, n) + index_of(level) * 8, random_entry(level));
	enter_long_mode(table(levels, 0));
	if (levels == 5) {
		cpu->cr4 |= CR4_LA57;
		shadow_mmu_event(sh, MMU_CR4, 0);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned n = rnd(12); n; n--)
			change_an_entry();
		for (unsigned n = rnd(12); n; n--)
			access_somewhere(false); /* what was known may be used, or not */
		if (rnd(4) == 0) {
			gpa_t page = PAGES + rnd(NPAGES) * PAGE_SIZE;
			if (physmem_traced(&pm, page) & TRACK_CODE)
				track_release(sh, page, TRACK_CODE);
			else
				track_protect(sh, page, TRACK_CODE);
		}
		flush();
		check_promises();
		for (unsigned n = 40; n; n--)
			access_somewhere(true);
		for (unsigned n = rnd(6); n; n--)
			fetch();
		check_promises();
		if (round % 16 == 0)
			shadow_audit(sh);
	}
	ck_assert_uint_gt(stats.hidden_faults, 500);
	ck_assert_uint_gt(stats.pages_known, 100);
	shadow_on_lost(sh, NULL, NULL);
	teardown();
}

/* _i: the seed. */
START_TEST(test_storm)
{
	seed = (uint64_t)_i + 1;
	levels = 4 + _i % 2;
	storm(0);
	ck_assert_uint_gt(stats.spaces_found, 5);
}
END_TEST

/* The same with hardly any mappings of the host. */
START_TEST(test_storm_short)
{
	seed = (uint64_t)_i + 100;
	levels = 4;
	storm(720);
	ck_assert_uint_gt(stats.mappings_short, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view_storm");
	TCase *t = tcase_create("view_storm");

	tcase_add_loop_test(t, test_storm, 0, 6);
	tcase_add_loop_test(t, test_storm_short, 0, 8);
	suite_add_tcase(s, t);
	return run_suite(s);
}
