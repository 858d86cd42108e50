/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The windows of a guest with paging: address spaces that come back, changes of tables and when they take effect, few
 * mappings of the host. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "paged_fixture.h"

enum {
	RAM_BYTES = 64 * 1024 * 1024,
	TABLES = 0x100000, /* a directory and a table for each space */
	PAGES = 0x800000,
	MAPPED = 200, /* pages of a space, each beside a hole */
	MANY = 48,    /* more than are kept */
};

static void setup(void)
{
	make_machine(RAM_BYTES, 0, true);
}

static gpa_t directory(unsigned space)
{
	return TABLES + space * 2 * PAGE_SIZE;
}

/* Page n of a space is at linear address 2 * n pages. */
static gpa_t pte(unsigned space, unsigned n)
{
	return directory(space) + PAGE_SIZE + 8 * n;
}

static uint32_t frame(unsigned space, unsigned n)
{
	return PAGES + ((space * 37 + n * 3) % 4096) * PAGE_SIZE;
}

static void make_space(unsigned space)
{
	poke(directory(space), (uint32_t)directory(space) + PAGE_SIZE + (PTE_P | PTE_W | PTE_U));
	for (unsigned n = 0; n < MAPPED; n++)
		poke(pte(space, n), frame(space, n) + (PTE_P | PTE_W | PTE_U));
}

static void load_cr3(unsigned space)
{
	cpu->cr3 = directory(space);
	shadow_mmu_event(sh, MMU_CR3, 0);
}

static void enter_user(unsigned space)
{
	enter(directory(space), 3);
}

static enum shadow_fault touch(unsigned n, bool write)
{
	return shadow_handle_fault(sh, shadow_window(sh) + 2 * n * PAGE_SIZE, write);
}

static const uint8_t *shown(unsigned n)
{
	return (const uint8_t *)shadow_window(sh) + 2 * n * PAGE_SIZE;
}

static bool mapped(unsigned n)
{
	return sh->paged.windows[paged_window_of(sh, true)].state[2 * n] & PAGE_MAPPED;
}

START_TEST(test_spaces_come_back)
{
	for (unsigned s = 0; s < 3; s++)
		make_space(s);
	enter_user(0);
	ck_assert_int_eq(touch(5, true), SHADOW_RESOLVED);
	hva_t window = shadow_window(sh);
	load_cr3(1);
	ck_assert(shadow_window(sh) != window && !mapped(5));
	ck_assert_int_eq(touch(5, false), SHADOW_RESOLVED);
	load_cr3(2);
	load_cr3(0);
	ck_assert(shadow_window(sh) == window && mapped(5));
	pm.ram.host[frame(0, 5)] = 0x77;
	ck_assert_uint_eq(*shown(5), 0x77);
}
END_TEST

/* _i: 0: of the present space, at INVLPG; 1: of another one, at its load */
START_TEST(test_changes_wait_for_the_flush)
{
	make_space(0);
	make_space(1);
	enter_user(0);
	touch(5, true);
	touch(6, true);
	touch(7, true);
	if (_i)
		load_cr3(1);
	poke(pte(0, 5), 0);
	poke(pte(0, 6), frame(0, 9) + (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	if (!_i) {
		ck_assert(mapped(5) && mapped(6));
		shadow_mmu_event(sh, MMU_INVLPG, 2 * 5 * PAGE_SIZE);
	} else {
		load_cr3(0);
	}
	ck_assert(!mapped(5) && !mapped(6) && mapped(7));
	ck_assert_int_eq(touch(5, false), SHADOW_TRUE);
	ck_assert_int_eq(touch(6, true), SHADOW_RESOLVED);
	pm.ram.host[frame(0, 9)] = 0x99;
	ck_assert_uint_eq(*shown(6), 0x99);
}
END_TEST

START_TEST(test_tables_are_traced)
{
	make_space(0);
	enter_user(0);
	touch(5, true);
	ck_assert_uint_eq(physmem_traced(&pm, directory(0)), TRACK_PAGE_TABLE);
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), TRACK_PAGE_TABLE);
	/* A guest that maps its own table cannot write to it unseen. */
	poke(pte(0, 8), (uint32_t)directory(0) + PAGE_SIZE + (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	ck_assert_int_eq(touch(8, true), SHADOW_TRACED);
	/* The directory no longer leads to the table: it is memory like any other from the flush on. */
	poke(directory(0), 0);
	load_cr3(0);
	ck_assert(!mapped(5));
	poke(pte(0, 0), 0x12345);
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), 0);
}
END_TEST

/* The guest frees a table, which nothing depends on from the flush on. */
static void free_table(void)
{
	touch(5, true);
	ck_assert(mapped(5));
	poke(directory(0), 0);
	load_cr3(0);
	ck_assert(!mapped(5));
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), TRACK_PAGE_TABLE);
}

START_TEST(test_retired_tables)
{
	static const uint8_t zeros[PAGE_SIZE];
	uint64_t set, store = pte(0, 7);

	make_space(0);
	make_space(1);
	enter_user(0);
	free_table();
	set = stats.traces_set;
	/* It is cleared, and becomes one again. */
	physmem_write(&pm, pte(0, 0), zeros, sizeof(zeros));
	shadow_tables_stored(sh, &store, 1);
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), TRACK_PAGE_TABLE);
	make_space(0);
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), 0); /* not by who has looked */
	free_table();
	poke(directory(0), (uint32_t)directory(0) + PAGE_SIZE + (PTE_P | PTE_W | PTE_U));
	ck_assert_int_eq(touch(6, true), SHADOW_RESOLVED);
	ck_assert_uint_eq(stats.traces_set, set + 1);
	poke(pte(0, 6), 0); /* and what is written to it is seen */
	load_cr3(0);
	ck_assert(!mapped(6));
	/* It becomes memory of a program's. */
	free_table();
	poke(directory(0), (uint32_t)directory(1) + PAGE_SIZE + (PTE_P | PTE_W | PTE_U));
	poke(pte(1, 9), (uint32_t)directory(0) + PAGE_SIZE + (PTE_P | PTE_W | PTE_U));
	ck_assert_int_eq(touch(9, true), SHADOW_RESOLVED);
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), 0);
	ck_assert_uint_eq(sh->paged.windows[paged_window_of(sh, true)].state[2 * 9], PAGE_MAPPED | PAGE_WRITABLE);
}
END_TEST

/* Only so many, and none when paging is off. */
START_TEST(test_retired_tables_are_few)
{
	unsigned traced = 0;

	for (unsigned s = 0; s < RETIRED + 8; s++)
		make_space(s);
	for (unsigned s = 0; s < RETIRED + 8; s++) {
		enter_user(s);
		touch(5, true);
		poke(directory(s), 0);
		load_cr3(s);
	}
	for (unsigned s = 0; s < RETIRED + 8; s++)
		traced += physmem_traced(&pm, pte(s, 0)) != 0;
	ck_assert(traced > RETIRED / 4 && traced <= RETIRED);
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), 0);
	cpu->cr0 = CR0_PE;
	shadow_mmu_event(sh, MMU_CR0, 0);
	for (unsigned s = 0; s < RETIRED + 8; s++)
		ck_assert_uint_eq(physmem_traced(&pm, pte(s, 0)), 0);
	ck_assert_uint_eq(stats.tables, 0);
}
END_TEST

START_TEST(test_table_becomes_data)
{
	uint8_t data[PAGE_SIZE];

	make_space(0);
	enter_user(0);
	touch(5, true);
	memset(data, 0x5a, sizeof(data));
	physmem_write(&pm, directory(0) + PAGE_SIZE, data, sizeof(data));
	ck_assert_uint_eq(physmem_traced(&pm, pte(0, 0)), 0);
	ck_assert(!mapped(5));
	ck_assert_uint_eq(stats.tables_abandoned, 1);
}
END_TEST

START_TEST(test_accessed_and_dirty_stay)
{
	make_space(0);
	enter_user(0);
	touch(5, true);
	/* A cleared by the guest: a processor sets it again after the flush, so the mapping has to go. */
	poke(pte(0, 5), frame(0, 5) + (PTE_P | PTE_W | PTE_U | PTE_D));
	shadow_mmu_event(sh, MMU_INVLPG, 2 * 5 * PAGE_SIZE);
	ck_assert(!mapped(5));
	touch(5, true);
	/* The same value again, or more of A and D, is no change. */
	uint64_t writes = stats.table_writes;
	poke(pte(0, 5), frame(0, 5) + (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	ck_assert_uint_eq(stats.table_writes, writes);
	load_cr3(0);
	ck_assert(mapped(5));
}
END_TEST

/* Pages that the guest makes read-only and writable again stay mapped, with other rights. The audit compares them with
 * the host's. */
START_TEST(test_rights_change_in_place)
{
	uint64_t made;

	make_space(0);
	enter_user(0);
	for (unsigned n = 4; n < 8; n++)
		touch(n, true);
	made = stats.mappings_made;
	for (unsigned n = 5; n < 7; n++)
		poke(pte(0, n), frame(0, n) + (PTE_P | PTE_U | PTE_A | PTE_D));
	shadow_mmu_event(sh, MMU_CR3, 0);
	shadow_audit(sh);
	ck_assert_int_eq(touch(4, true), SHADOW_EMULATE); /* nothing to resolve */
	ck_assert_int_eq(touch(5, true), SHADOW_TRUE);
	ck_assert_int_eq(touch(5, false), SHADOW_EMULATE);
	/* One by a flush, the other when it is written. */
	poke(pte(0, 5), frame(0, 5) + (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	shadow_mmu_event(sh, MMU_CR3, 0);
	ck_assert_int_eq(touch(5, true), SHADOW_EMULATE);
	poke(pte(0, 6), frame(0, 6) + (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	ck_assert_int_eq(touch(6, true), SHADOW_RESOLVED);
	shadow_audit(sh);
	ck_assert_uint_eq(stats.mappings_made, made);
	ck_assert_uint_eq(stats.mappings_changed, 4);
	/* Writable, but traced: not until the trace goes. */
	track_protect(sh, frame(0, 6), TRACK_CODE);
	shadow_audit(sh);
	poke(pte(0, 6), frame(0, 6) + (PTE_P | PTE_U | PTE_A | PTE_D));
	shadow_mmu_event(sh, MMU_CR3, 0);
	poke(pte(0, 6), frame(0, 6) + (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	shadow_mmu_event(sh, MMU_CR3, 0);
	ck_assert_int_eq(touch(6, true), SHADOW_TRACED);
	shadow_audit(sh);
	track_release(sh, frame(0, 6), TRACK_CODE);
	ck_assert_int_eq(touch(6, true), SHADOW_EMULATE);
	/* Another page's frame is another mapping. */
	poke(pte(0, 5), frame(0, 9) + (PTE_P | PTE_U | PTE_A | PTE_D));
	shadow_mmu_event(sh, MMU_CR3, 0);
	ck_assert(!mapped(5));
}
END_TEST

/* Pages that keep coming back as what they were are parked: their mappings stay, without rights. */
/* RAM that the chipset protects: whatever entries say later. _i: the page is known only. */
START_TEST(test_rom_stays_read_only)
{
	struct pm_region rom = {.name = "rom",
				.kind = PM_ROM,
				.base = frame(0, 5),
				.len = PAGE_SIZE,
				.priority = PM_PRIO_PAM,
				.enabled = true,
				.backing = &pm.ram,
				.offset = frame(0, 5)};
	const uint32_t used = frame(0, 5) + (PTE_P | PTE_U | PTE_A | PTE_D);
	hva_t at;

	physmem_add(&pm, &rom);
	make_space(0);
	poke(pte(0, 5), used);
	enter_user(0);
	at = shadow_window(sh) + 2 * 5 * PAGE_SIZE;
	ck_assert_int_eq(_i ? shadow_handle_look(sh, at, false) : touch(5, false), SHADOW_RESOLVED);
	ck_assert(mapped(5) == !_i);
	poke(pte(0, 5), used + PTE_W);
	shadow_mmu_event(sh, MMU_INVLPG, 2 * 5 * PAGE_SIZE);
	shadow_audit(sh);
	ck_assert(!(sh->paged.windows[paged_window_of(sh, true)].state[2 * 5] & PAGE_WRITABLE));
	ck_assert_int_eq(touch(5, true), SHADOW_EMULATE);
	physmem_enable(&pm, &rom, false);
}
END_TEST

START_TEST(test_pages_are_parked)
{
	uint64_t made;

	make_space(0);
	enter_user(0);
	for (unsigned round = 0; round < 40; round++) {
		made = stats.mappings_made;
		for (unsigned n = 5; n < 8; n++) {
			poke(pte(0, n), frame(0, n) + (PTE_P | PTE_W | PTE_U));
			ck_assert_int_eq(touch(n, n != 6), SHADOW_RESOLVED);
		}
		ck_assert(mapped(5) && mapped(6) && mapped(7));
		shadow_audit(sh);
		for (unsigned n = 5; n < 8; n++)
			poke(pte(0, n), 0);
		shadow_mmu_event(sh, MMU_CR3, 0);
		shadow_audit(sh);
		ck_assert(!mapped(5) && !mapped(6) && !mapped(7));
		ck_assert_int_eq(touch(5, false), SHADOW_TRUE);
	}
	ck_assert_uint_eq(stats.mappings_made, made);
	ck_assert_uint_gt(stats.mappings_reused, 60);
	/* Another page of RAM, and one that has become a page table meanwhile. */
	poke(pte(0, 5), frame(0, 9) + (PTE_P | PTE_W | PTE_U));
	ck_assert_int_eq(touch(5, true), SHADOW_RESOLVED);
	pm.ram.host[frame(0, 9)] = 0x99;
	ck_assert_uint_eq(*shown(5), 0x99);
	track_protect(sh, frame(0, 7), TRACK_PAGE_TABLE);
	poke(pte(0, 7), frame(0, 7) + (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D));
	ck_assert_int_eq(touch(7, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(7, true), SHADOW_TRACED);
	shadow_audit(sh);
	/* All goes with the address space. */
	ck_assert_uint_ge(sh->paged.edges, 3);
	cpu->cr4 = CR4_PSE;
	shadow_mmu_event(sh, MMU_CR4, 0);
	ck_assert_uint_eq(sh->paged.edges, 0);
}
END_TEST

/* What is touched of a parked page is nothing of the host's. */
START_TEST(test_parked_pages_are_out_of_reach)
{
	make_space(0);
	enter_user(0);
	for (unsigned round = 0; round < 40; round++) {
		poke(pte(0, 5), frame(0, 5) + (PTE_P | PTE_W | PTE_U));
		touch(5, true);
		poke(pte(0, 5), 0);
		shadow_mmu_event(sh, MMU_CR3, 0);
	}
	ck_assert_uint_gt(stats.mappings_parked, 0);
	signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would end the process otherwise */
	(void)*(const volatile uint8_t *)shown(5);
}
END_TEST

START_TEST(test_budget)
{
	enum { LIMIT = 2000 };

	teardown();
	make_machine(RAM_BYTES, LIMIT, false);
	for (unsigned s = 0; s < MANY; s++)
		make_space(s);
	enter_user(0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned s = 0; s < MANY; s++) {
			load_cr3(s);
			for (unsigned n = 0; n < MAPPED; n++) {
				if (mapped(n))
					continue;
				ck_assert_int_eq(touch(n, true), SHADOW_RESOLVED);
				pm.ram.host[frame(s, n)] = (uint8_t)(s + n);
				ck_assert_uint_eq(*shown(n), (uint8_t)(s + n));
				ck_assert_uint_le(stats.mappings, LIMIT);
			}
		}
	ck_assert_uint_gt(stats.mappings_short, 5);
}
END_TEST

enum { PLANTS = 7 };

static void plant(unsigned which)
{
	struct window *w = &sh->paged.windows[paged_window_of(sh, true)];

	switch (which) {
	case 0: /* writable, though the guest's entry was clean */
		mprotect(w->base + 2 * 6 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE);
		break;
	case 1: /* executable */
		mprotect(w->base + 2 * 5 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
		break;
	case 2: /* mapped, but not noted */
		w->state[2 * 5] = 0;
		break;
	case 3: /* noted, but not mapped */
		munmap(w->base + 2 * 5 * PAGE_SIZE, PAGE_SIZE);
		break;
	case 4: /* an entry changed unseen */
		pm.ram.host[pte(0, 5)] = 0;
		break;
	case 5: /* a table that is not traced */
		pm.traced[pte(0, 0) >> PAGE_SHIFT] = 0;
		break;
	case 6: /* a page that a trace would not find */
		rmap_remove(sh, w, 2 * 5);
		break;
	}
}

/* _i: what is planted; PLANTS: nothing, and the audit is content. */
START_TEST(test_audit)
{
	uint8_t entry;
	pid_t child;
	int status;

	make_space(0);
	enter_user(0);
	touch(5, true);
	touch(6, false);
	/* Code was fetched, and the window is emptied: nothing remains noted. */
	ck_assert(shadow_fetched(sh, 2 * 7 * PAGE_SIZE, frame(0, 7), true));
	window_empty(sh, &sh->paged.windows[paged_window_of(sh, true)]);
	shadow_audit(sh);
	touch(5, true);
	touch(6, false);
	entry = pm.ram.host[pte(0, 5)];
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 2);
		plant((unsigned)_i);
		shadow_audit(sh);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	pm.ram.host[pte(0, 5)] = entry; /* memory is shared with the child */
	if (_i == PLANTS)
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "violation %d is not found", _i);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("paged");
	TCase *t = tcase_create("paged");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_spaces_come_back);
	tcase_add_loop_test(t, test_changes_wait_for_the_flush, 0, 2);
	tcase_add_test(t, test_tables_are_traced);
	tcase_add_test(t, test_retired_tables);
	tcase_add_test(t, test_retired_tables_are_few);
	tcase_add_test(t, test_table_becomes_data);
	tcase_add_test(t, test_accessed_and_dirty_stay);
	tcase_add_test(t, test_rights_change_in_place);
	tcase_add_loop_test(t, test_rom_stays_read_only, 0, 2);
	tcase_add_test(t, test_pages_are_parked);
	tcase_add_test_raise_signal(t, test_parked_pages_are_out_of_reach, SIGSEGV);
	tcase_add_test(t, test_budget);
	tcase_add_loop_test(t, test_audit, 0, PLANTS + 1);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
