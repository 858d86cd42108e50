/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunks: which of them views show, in one address space and another, and what when there are too many. */
#include "../run_suite.h"
#include "view_spaces.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(test_spaces)
{
	uint8_t byte;
	hva_t view;

	user();
	view = shadow_view(sh);
	ck_assert_int_eq(store(low, 0x50), DONE);
	load_cr3(PML4 + PAGE_SIZE);
	ck_assert(shadow_view(sh) != view && !mapped(low));
	ck_assert_int_eq(store(low, 0x51), DONE);
	load_cr3(PML4);
	ck_assert(shadow_view(sh) == view && mapped(low));
	ck_assert_int_eq(load(low, &byte), DONE);
	ck_assert_uint_eq(byte, 0x50);
	/* Supervisor mode's is one for all: what both map stays, what is another's goes. */
	cpu->cpl = 0;
	ck_assert_int_eq(store(low, 0x52), DONE);
	ck_assert_int_eq(store(high, 0x53), DONE);
	load_cr3(PML4 + PAGE_SIZE);
	ck_assert(!mapped(low) && mapped(high));
	ck_assert_int_eq(load(low, &byte), DONE);
	ck_assert_uint_eq(byte, 0x51);
	/* And is there when that is used again, if it is still so. */
	uint64_t faults = stats.hidden_faults;
	load_cr3(PML4);
	ck_assert(mapped(low));
	ck_assert_int_eq(load(low, &byte), DONE);
	ck_assert_uint_eq(byte, 0x52);
	load_cr3(PML4 + PAGE_SIZE);
	ck_assert_int_eq(load(low, &byte), DONE);
	ck_assert_uint_eq(byte, 0x51);
	ck_assert_uint_eq(stats.hidden_faults, faults);
	poke(pte(0, 0), frame(0, 40) | PTE_USED);
	load_cr3(PML4);
	ck_assert(!mapped(low));
	ck_assert_int_eq(store(low, 0x54), DONE);
	ck_assert_uint_eq(pm.ram.host[frame(0, 40)], 0x54);
	load_cr3(PML4 + PAGE_SIZE);
	shadow_audit(sh);
	/* Changed while its tables were not in use. */
	poke(entry_at(PDPT, low, 3), 0);
	user();
	load_cr3(PML4);
	ck_assert(!mapped(low));
	ck_assert_int_eq(load(low, &byte), SHADOW_TRUE);
	cpu->cpl = 0;
	ck_assert(!mapped(low));
	ck_assert_int_eq(load(low, &byte), SHADOW_EMULATE); /* no chunk for nothing */
}
END_TEST

/* Where mapping a page takes half the time, and where page tables go with the last page that they map. */
START_TEST(test_holes)
{
	uint8_t *at, there;

	ck_assert_int_eq(store(low, 0x50), DONE);
	at = chunk(low)->base + (uint32_t)low;
	ck_assert(sh->paged.places.holes && sh->paged.chunk_places.holes);
	ck_assert(mincore(at, PAGE_SIZE, &there) == 0 && mincore(at + PAGE_SIZE, PAGE_SIZE, &there) < 0);
	ck_assert_int_eq(errno, ENOMEM); /* nothing is mapped, PROT_NONE neither */
}
END_TEST

/* A kernel that hides all of itself from user mode but for the way in (page table isolation). */
START_TEST(test_hidden_kernel)
{
	enum { TRAMPOLINE = 0x111000 };
	uint64_t faults;
	uint8_t byte;

	shadow_on_lost(sh, on_lost, NULL);
	/* PDPT, directory, table */
	for (unsigned n = 0; n < 3; n++)
		poke(TRAMPOLINE + n * PAGE_SIZE + (high >> (30 - 9 * n) & 511) * 8,
		     n < 2 ? (TRAMPOLINE + (n + 1) * PAGE_SIZE) | PTE_ALL : frame(2, 0) | PTE_USED);
	poke(entry_at(PML4 + PAGE_SIZE, high, 4), TRAMPOLINE | PTE_ALL);
	for (unsigned n = 0; n < 8; n++)
		ck_assert_int_eq(store(high + n * PAGE_SIZE, 1), DONE);
	ck_assert(shadow_fetched(sh, high, frame(2, 0), false));
	load_cr3(PML4 + PAGE_SIZE);
	ck_assert(losses == 1 && lost_space == SHADOW_SUPERVISOR && lost_len == 4 * GiB);
	ck_assert_int_eq(load(high, &byte), DONE);
	ck_assert_int_eq(load(high + PAGE_SIZE, &byte), SHADOW_TRUE);
	faults = stats.hidden_faults;
	for (unsigned round = 0; round < 4; round++) {
		load_cr3(round % 2 ? PML4 + PAGE_SIZE : PML4);
		ck_assert(mapped(high) && mapped(high + PAGE_SIZE) == !(round % 2));
		ck_assert_int_eq(load(high, &byte), DONE);
	}
	ck_assert_uint_eq(stats.hidden_faults, faults);
	ck_assert_uint_eq(stats.chunks, 2);
	/* What is hidden is not forgotten by traces. */
	ck_assert(track_protect(sh, frame(2, 5), TRACK_CODE));
	load_cr3(PML4);
	ck_assert_int_eq(store(high + 5 * PAGE_SIZE, 2), SHADOW_TRACED);
	shadow_on_lost(sh, NULL, NULL);
}
END_TEST

/* 32-bit code of a 64-bit guest has windows, of the lowest 4 GiB. */
START_TEST(test_compatibility_mode)
{
	uint8_t byte;

	poke(entry_at(PML4, 0, 4), PDPT | PTE_USED);
	poke(PDPT + 3 * 8, PD | PTE_USED);
	poke(PD, PT | PTE_USED);
	poke(PDPT + PAGE_SIZE + 3 * 8, (PD + PAGE_SIZE) | PTE_USED);
	poke(PML4 + PAGE_SIZE, (PDPT + PAGE_SIZE) | PTE_USED);
	poke(PD + PAGE_SIZE, (PT + PAGE_SIZE) | PTE_USED);
	user();
	cpu->seg[SEG_CS].attr = SEG_DB;
	for (unsigned round = 0; round < 6; round++) {
		unsigned space = round % 2;
		volatile uint8_t *at = (volatile uint8_t *)shadow_window(sh) + 3 * GiB + 5 * PAGE_SIZE;
		enum shadow_fault what = shadow_handle_fault(sh, (hva_t)at, true);
		ck_assert_int_eq(what, round < 2 ? SHADOW_RESOLVED : SHADOW_EMULATE /* mapped as it is to be */);
		*at = (uint8_t)(0x10 + round);
		ck_assert_uint_eq(pm.ram.host[frame(space, 5)], 0x10 + round);
		/* The same through the view, and code in it. */
		ck_assert_int_eq(load(3 * GiB + 5 * PAGE_SIZE, &byte), DONE);
		ck_assert_uint_eq(byte, 0x10 + round);
		ck_assert(shadow_fetched(sh, 3 * GiB + 6 * PAGE_SIZE, frame(space, 6), true));
		shadow_audit(sh);
		load_cr3(PML4 + !space * PAGE_SIZE);
	}
	ck_assert(shadow_page_states(sh, true)[(3 * GiB >> PAGE_SHIFT) + 5] & SHADOW_PAGE_LOADABLE);
	shadow_on_lost(sh, on_lost, NULL);
	poke(PDPT + 3 * 8, 0);
	flush_all();
	ck_assert_uint_eq(losses, 1);
	ck_assert(lost_at == 3 * GiB + 6 * PAGE_SIZE && lost_space == shadow_space(sh, true));
	ck_assert(!shadow_page_states(sh, true)[(3 * GiB >> PAGE_SHIFT) + 5]);
	ck_assert_int_eq(shadow_handle_fault(sh, shadow_window(sh) + 3 * GiB + 5 * PAGE_SIZE, false), SHADOW_TRUE);
	shadow_on_lost(sh, NULL, NULL);
}
END_TEST

/* A guest that maps all of its 57 bits makes tables of deltas grow to their limit, no further. */
START_TEST(test_tables_run_out)
{
	enum { PML5 = 0x110000, PML4_ALL = 0x111000, PDPT_ALL = 0x112000, REGION_SHIFT = SHADOW_VIEW_SHIFT + 9 };
	uint8_t byte;

	for (unsigned n = 0; n < 512; n++) {
		poke(PML5 + n * 8, PML4_ALL | PTE_ALL);
		poke(PML4_ALL + n * 8, PDPT_ALL | PTE_ALL);
		poke(PDPT_ALL + n * 8, PD | PTE_ALL);
	}
	poke(PD, PT | PTE_ALL);
	cpu->cr3 = PML5;
	cpu->cr4 |= CR4_LA57;
	shadow_mmu_event(sh, MMU_CR4, 0);
	sh->audit = false; /* this often */
	for (uint64_t n = 0; n < MAX_VIEW_PAGES + 100; n++) {
		pm.ram.host[frame(0, 0)] = (uint8_t)n;
		ck_assert_int_eq(load(n << REGION_SHIFT, &byte), DONE);
		ck_assert_uint_eq(byte, (uint8_t)n);
		ck_assert_uint_le(sh->paged.view_pages, MAX_VIEW_PAGES);
	}
	ck_assert_uint_eq(sh->paged.view_pages, 100);
	sh->audit = true;
	shadow_audit(sh);
}
END_TEST

/* More chunks than there are; each shows page 0 of the space. */
START_TEST(test_chunks_run_out)
{
	enum { MANY = CHUNKS + 100 };
	uint8_t byte;

	poke(entry_at(PML4, 0, 4), PDPT | PTE_ALL);
	for (uint64_t n = 0; n < 128; n++)
		poke(PDPT + n * 4 * 8, PD | PTE_ALL);
	poke(PD, PT | PTE_ALL);
	for (uint64_t n = 1; n < 4; n++)
		poke(PML4 + n * 8, PDPT | PTE_ALL);
	pm.ram.host[frame(0, 0)] = 0x66;
	sh->audit = false; /* this often */
	for (uint64_t n = 0; n < MANY; n++) {
		ck_assert_int_eq(load(n * 4 * GiB, &byte), DONE);
		ck_assert_uint_eq(byte, 0x66);
		ck_assert(shadow_fetched(sh, n * 4 * GiB, frame(0, 0), false));
	}
	sh->audit = true;
	shadow_audit(sh);
	ck_assert_uint_eq(stats.chunks, CHUNKS);
	ck_assert_uint_eq(stats.chunks_recycled, MANY - CHUNKS);
	ck_assert(!chunk(0) && !chunk(99 * 4 * GiB) && chunk(100 * 4 * GiB) && chunk((MANY - 1) * 4 * GiB));
	ck_assert_int_eq(load(0, &byte), DONE);
	/* Another space's go first. */
	load_cr3(PML4 + PAGE_SIZE);
	user();
	ck_assert_int_eq(store(low, 1), DONE);
	load_cr3(PML4);
	cpu->cpl = 0;
	ck_assert_int_eq(load((MANY + 1) * 4 * GiB, &byte), DONE);
	user();
	load_cr3(PML4 + PAGE_SIZE);
	ck_assert(!chunk(low));
	/* All goes with the mode. */
	cpu->cr0 = 0;
	shadow_mmu_event(sh, MMU_CR0, 0);
	ck_assert_uint_eq(stats.chunks, 0);
	ck_assert_uint_eq(stats.tables, 0);
	ck_assert_uint_eq(sh->paged.edges, CHUNKS); /* their places */
}
END_TEST

/* Programs come, each with addresses of its own, and end: their chunks are taken for others, long before there are no
 * more. One that shows something, for however long, stays. */
START_TEST(test_empty_chunks)
{
	enum { PROGRAMS = 84, FEW = CHUNKS / 4 + 1 }; /* the entry of `low` is behind those */
	uint8_t byte;

	poke(entry_at(PML4, 0, 4), PDPT | PTE_ALL);
	poke(PD, PT | PTE_ALL);
	user();
	ck_assert_int_eq(store(low, 0x67), DONE);
	sh->audit = false; /* this often */
	for (uint64_t n = 0; n < PROGRAMS; n++) {
		poke(PDPT + n * 4 * 8, PD | PTE_ALL);
		ck_assert_int_eq(load(n * 4 * GiB, &byte), DONE);
		ck_assert_uint_eq(byte, 0x67);
		poke(PDPT + n * 4 * 8, 0);
		flush_all();
		ck_assert_uint_le(stats.chunks, FEW);
	}
	sh->audit = true;
	shadow_audit(sh);
	ck_assert(mapped(low));
	ck_assert_uint_ge(stats.chunks_recycled, PROGRAMS - FEW);
}
END_TEST

/* Memory of a device comes and goes: what is shown of it goes, and of nothing else, as long as nothing of it is. */
START_TEST(test_map_changes)
{
	enum { AT = 0xe0000000 };
	static struct pm_backing frames;
	static struct pm_region screen = {.name = "screen", .kind = PM_RAM, .base = AT, .len = MiB, .backing = &frames};
	uint64_t faults;
	uint8_t byte;

	ck_assert_int_eq(pm_backing_init(&frames, "screen", MiB), 0);
	physmem_add(&pm, &screen);
	ck_assert_int_eq(store(low, 0x50), DONE);
	faults = stats.hidden_faults;
	for (unsigned n = 0; n < 4; n++) {
		physmem_enable(&pm, &screen, !(n % 2));
		ck_assert(mapped(low));
		shadow_audit(sh);
	}
	ck_assert_uint_eq(stats.hidden_faults, faults);
	poke(pte(0, 1), AT | PTE_USED);
	flush_all();
	ck_assert_int_eq(store(low + PAGE_SIZE, 0x51), SHADOW_EMULATE);
	for (unsigned n = 0; n < 2; n++) {
		physmem_enable(&pm, &screen, true);
		ck_assert_int_eq(n ? load(low + PAGE_SIZE, &byte) : store(low + PAGE_SIZE, 0x52), DONE);
		physmem_enable(&pm, &screen, false);
		ck_assert(!mapped(low + PAGE_SIZE));
		ck_assert_int_eq(load(low + PAGE_SIZE, &byte), SHADOW_EMULATE);
	}
	physmem_enable(&pm, &screen, true);
	ck_assert_int_eq(load(low + PAGE_SIZE, &byte), DONE);
	ck_assert_uint_eq(byte, 0x52);
	physmem_enable(&pm, &screen, false);
	pm_backing_destroy(&frames);
}
END_TEST

START_TEST(test_budget)
{
	enum { LIMIT = 1000, CHUNKS_USED = 20 };
	uint8_t byte;

	teardown();
	setup_limited(LIMIT, false);
	for (unsigned s = 0; s < 2; s++) {
		make_space(s);
		for (uint64_t n = 0; n < CHUNKS_USED; n++)
			poke(PDPT + s * PAGE_SIZE + n * 4 * 8, (PD + s * PAGE_SIZE) | PTE_ALL);
		poke(PD + s * PAGE_SIZE, (PT + s * PAGE_SIZE) | PTE_ALL);
		poke(PML4 + s * PAGE_SIZE, (PDPT + s * PAGE_SIZE) | PTE_ALL);
	}
	enter_long_mode(PML4);
	user();
	for (unsigned round = 0; round < 6; round++) {
		load_cr3(PML4 + round % 2 * PAGE_SIZE);
		for (uint64_t n = 0; n < CHUNKS_USED; n++)
			for (unsigned page = 0; page < 64; page += 2) {
				pm.ram.host[frame(round % 2, page)] = (uint8_t)(page + round);
				ck_assert_int_eq(load(n * 4 * GiB + page * PAGE_SIZE, &byte), DONE);
				ck_assert_uint_eq(byte, (uint8_t)(page + round));
				ck_assert_uint_le(stats.mappings, LIMIT / 2);
			}
	}
	ck_assert_uint_gt(stats.mappings_short, 2);
}
END_TEST

enum { PLANTS = 8 };

static void plant(unsigned which)
{
	struct window *w = view_find(sh, paged_window_of(sh, true), low);
	struct view *v = &sh->paged.views[w->view];
	uint64_t *entry = &v->table[low >> 32];

	switch (which) {
	case 0: /* leads to the chunk of another */
		*entry += 2 * WINDOW_BYTES;
		break;
	case 1: /* past its chunk */
		*entry += PAGE_SIZE;
		break;
	case 2: /* to a chunk, for an address that is not its own */
		entry[1] = *entry;
		break;
	case 3: /* more of the table is readable than is noted */
		mprotect(v->table, PAGE_SIZE, PROT_READ);
		break;
	case 4: /* something in the guard */
		mmap(w->base - GiB, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 5: /* something in the place of a chunk that nobody owns */
		mmap(sh->paged.chunk_places.first + 100 * (WINDOW_BYTES + SHADOW_VIEW_GUARD), PAGE_SIZE, PROT_READ,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 6: /* an upper table has changed, and the flush was missed */
		pm.ram.host[entry_at(PDPT, low, 3)] = 0;
		break;
	case 7: /* a directory that is not traced */
		pm.traced[PD >> PAGE_SHIFT] = 0;
		break;
	}
}

/* _i: what is planted; PLANTS: nothing, and the audit is content. */
START_TEST(test_audit)
{
	uint8_t was;
	pid_t child;
	int status;

	user();
	ck_assert_int_eq(store(low, 1), DONE);
	was = pm.ram.host[entry_at(PDPT, low, 3)];
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 2);
		plant((unsigned)_i);
		audit_upper(sh);
		shadow_audit(sh);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	pm.ram.host[entry_at(PDPT, low, 3)] = was; /* memory is shared with the child */
	if (_i == PLANTS)
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "violation %d is not found", _i);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chunks");
	TCase *t = tcase_create("chunks");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_spaces);
	tcase_add_test(t, test_holes);
	tcase_add_test(t, test_hidden_kernel);
	tcase_add_test(t, test_compatibility_mode);
	tcase_add_test(t, test_chunks_run_out);
	tcase_add_test(t, test_tables_run_out);
	tcase_add_test(t, test_empty_chunks);
	tcase_add_test(t, test_map_changes);
	tcase_add_test(t, test_budget);
	tcase_add_loop_test(t, test_audit, 0, PLANTS + 1);
	suite_add_tcase(s, t);
	return run_suite(s);
}
