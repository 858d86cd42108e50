/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Views: what 64-bit code reaches through tables of deltas. */
#include "../run_suite.h"
#include "view_spaces.h"

#include <sys/mman.h>

START_TEST(test_no_view)
{
	teardown();
	setup_limited(0, true);
	ck_assert(!shadow_view(sh) && !shadow_own(sh, 0, false));
	cpu->cr0 = CR0_PE | CR0_PG;
	cpu->cr4 = CR4_PAE;
	shadow_mmu_event(sh, MMU_CR0, 0);
	ck_assert(!shadow_view(sh) && !shadow_own(sh, 0, false) && shadow_window(sh));
	enter_long_mode(PML4);
	/* Nothing is owned where nothing is mapped. */
	ck_assert(shadow_view(sh) && !shadow_own(sh, 0, false));
	poke(PML4, PDPT | PTE_ALL);
	poke(PDPT + 3 * 8, PD | PTE_ALL);
	ck_assert(shadow_own(sh, 0, false) && !shadow_own(sh, 4 * GiB, false));
	cpu->cr0 = 0;
	shadow_mmu_event(sh, MMU_CR0, 0);
	ck_assert(!shadow_view(sh) && !shadow_own(sh, 0, false));
	ck_assert_uint_eq(stats.chunks, 0);
}
END_TEST

START_TEST(test_pages)
{
	uint8_t byte = 0;

	for (unsigned n = 0; n < 8; n++) {
		pm.ram.host[frame(2, n) + 5] = (uint8_t)(0x30 + n);
		ck_assert_int_eq(load(high + n * PAGE_SIZE + 5, &byte), DONE);
		ck_assert_uint_eq(byte, 0x30 + n);
		ck_assert_int_eq(store(low + n * PAGE_SIZE + 7, (uint8_t)(0x40 + n)), DONE);
		ck_assert_uint_eq(pm.ram.host[frame(0, n) + 7], 0x40 + n);
	}
	ck_assert(pm.ram.host[pte(0, 3)] & PTE_D);
	/* One view for each mode: user mode does not get what is the supervisor's. */
	hva_t supervisor = shadow_view_of(sh, false);
	ck_assert_uint_eq(((const uint64_t *)(shadow_view(sh) + SHADOW_SUPERVISOR_VIEW))[high >> SHADOW_VIEW_SHIFT],
			  ((const uint64_t *)supervisor)[high >> SHADOW_VIEW_SHIFT]);
	user();
	ck_assert(shadow_view_of(sh, true) != supervisor && shadow_view_of(sh, false) == supervisor);
	ck_assert_int_eq(load(low + 7, &byte), DONE);
	ck_assert_uint_eq(byte, 0x40);
	ck_assert_int_eq(load(high, &byte), SHADOW_TRUE);
	ck_assert_uint_eq(shadow_true_fault(sh)->address, high);
	ck_assert_uint_eq(stats.chunks, 4);
}
END_TEST

START_TEST(test_five_levels)
{
	const gva_t top = 0x00ff555500000000;
	const gpa_t pml5 = 0x110000;
	uint8_t byte;

	ck_assert_int_eq(load(top, &byte), SHADOW_EMULATE);
	poke(pml5 + (top >> 48) * 8, PML4 | PTE_ALL);
	cpu->cr3 = pml5;
	cpu->cr4 |= CR4_LA57;
	shadow_mmu_event(sh, MMU_CR4, 0);
	ck_assert_int_eq(store(top + 3 * PAGE_SIZE, 0x35), DONE);
	ck_assert_uint_eq(pm.ram.host[frame(0, 3)], 0x35);
	ck_assert_int_eq(load(low, &byte), SHADOW_EMULATE);
	ck_assert_int_eq(load(1ull << 56, &byte), SHADOW_EMULATE);
	shadow_audit(sh);
	poke(pml5 + (top >> 48) * 8, PML4 | PTE_P | PTE_A);
	flush_all();
	ck_assert_int_eq(load(top + 3 * PAGE_SIZE, &byte), DONE);
	ck_assert_int_eq(store(top + 3 * PAGE_SIZE, 0x36), SHADOW_TRUE);
}
END_TEST

START_TEST(test_large_pages)
{
	uint8_t byte;

	pm.ram.host[LARGE + 0x12345] = 0x77;
	ck_assert_int_eq(load(high + 2 * MiB + 0x12345, &byte), DONE);
	ck_assert_uint_eq(byte, 0x77);
	ck_assert_int_eq(store(high + 2 * MiB + 0x12345, 0x78), DONE);
	ck_assert_uint_eq(pm.ram.host[LARGE + 0x12345], 0x78);
	ck_assert(mapped(high + 4 * MiB - 1));
	/* 1 GiB: its 2 MiB at once, and a page table in it is traced. */
	ck_assert_int_eq(store(high + GiB + LARGE + 1, 0x79), DONE);
	ck_assert_uint_eq(pm.ram.host[LARGE + 1], 0x79);
	ck_assert(mapped(high + GiB + LARGE + 2 * MiB - 1) && !mapped(high + GiB + LARGE + 2 * MiB));
	ck_assert_int_eq(load(low, &byte), DONE);
	ck_assert_int_eq(store(high + GiB + PT, 1), SHADOW_TRACED);
	ck_assert_int_eq(load(high + GiB + PT, &byte), DONE);
	/* The page directory pointer table is not: what it says is looked at in time. */
	ck_assert_int_eq(store(high + GiB + PDPT, pm.ram.host[PDPT]), DONE);
	poke(entry_at(PDPT_HIGH, high + GiB, 3), 0);
	ck_assert(mapped(high + GiB + LARGE));
	flush_all();
	ck_assert(!mapped(high + GiB + LARGE) && mapped(high + 2 * MiB));
	ck_assert_int_eq(load(high + GiB + LARGE, &byte), SHADOW_TRUE);
	/* Beyond RAM. */
	poke(entry_at(PDPT_HIGH, high + GiB, 3), GiB | PTE_P | PTE_PS);
	flush_all();
	ck_assert_int_eq(load(high + GiB, &byte), SHADOW_EMULATE);
}
END_TEST

/* _i: which level changes: 1 to 4. Nothing happens before the flush; then what it says is what counts. */
START_TEST(test_changes_of_tables)
{
	const gpa_t entry[] = {0, pte(0, 5), entry_at(PD, low, 2), entry_at(PDPT, low, 3), entry_at(PML4, low, 4)};
	const uint64_t target[] = {0, frame(0, 5), PT, PD, PDPT};
	uint64_t was = load_le(pm.ram.host + entry[_i], 8);
	uint8_t byte = 0;

	user();
	ck_assert_int_eq(store(low + 5 * PAGE_SIZE, 1), DONE);
	was = load_le(pm.ram.host + entry[_i], 8) | PTE_A | (_i == 1 ? PTE_D : 0);
	/* Gone. */
	poke(entry[_i], 0);
	ck_assert(mapped(low + 5 * PAGE_SIZE));
	flush_all();
	ck_assert_int_eq(load(low + 5 * PAGE_SIZE, &byte), SHADOW_TRUE);
	/* Back; then without the right to write, for the supervisor only, not to be executed. */
	poke(entry[_i], was);
	ck_assert_int_eq(store(low + 5 * PAGE_SIZE, 2), DONE);
	poke(entry[_i], was & ~PTE_W);
	flush_all();
	ck_assert_int_eq(store(low + 5 * PAGE_SIZE, 3), SHADOW_TRUE);
	ck_assert_int_eq(load(low + 5 * PAGE_SIZE, &byte), DONE);
	ck_assert_uint_eq(byte, 2);
	poke(entry[_i], was & ~PTE_U);
	flush_all();
	ck_assert_int_eq(load(low + 5 * PAGE_SIZE, &byte), SHADOW_TRUE);
	poke(entry[_i], was);
	ck_assert(shadow_fetched(sh, low + 5 * PAGE_SIZE, frame(0, 5), true));
	poke(entry[_i], was | PTE_NX);
	flush_all();
	ck_assert_int_eq(store(low + 5 * PAGE_SIZE, 4), DONE);
	ck_assert(!shadow_fetched(sh, low + 5 * PAGE_SIZE, frame(0, 5), true));
	/* Not accessed: it will be, once the access is made again. */
	poke(entry[_i], was & ~PTE_A);
	flush_all();
	ck_assert(!mapped(low + 5 * PAGE_SIZE));
	ck_assert_int_eq(store(low + 5 * PAGE_SIZE, 5), DONE);
	ck_assert(pm.ram.host[entry[_i]] & PTE_A);
	/* Bits of software change nothing. */
	poke(entry[_i], was | BIT(11) | BIT(58));
	flush_all();
	ck_assert(mapped(low + 5 * PAGE_SIZE));
	/* Reserved ones do. */
	poke(entry[_i], target[_i] | PTE_USED | BIT(48));
	flush_all();
	ck_assert_int_eq(load(low + 5 * PAGE_SIZE, &byte), SHADOW_TRUE);
	ck_assert(shadow_true_fault(sh)->error & PF_RSVD);
}
END_TEST

START_TEST(test_traces_and_code)
{
	uint8_t byte;

	shadow_on_lost(sh, on_lost, NULL);
	/* The same page of RAM, by three ways. */
	ck_assert_int_eq(store(high + 3 * PAGE_SIZE, 1), DONE);
	ck_assert_int_eq(store(high + GiB + frame(2, 3), 2), DONE);
	ck_assert(track_protect(sh, frame(2, 3), TRACK_CODE));
	ck_assert_int_eq(store(high + 3 * PAGE_SIZE, 3), SHADOW_TRACED);
	ck_assert_int_eq(store(high + GiB + frame(2, 3), 3), SHADOW_TRACED);
	ck_assert_int_eq(load(high + GiB + frame(2, 3), &byte), DONE);
	ck_assert_uint_eq(byte, 2);
	track_release(sh, frame(2, 3), TRACK_CODE);
	ck_assert_int_eq(store(high + 3 * PAGE_SIZE, 4), DONE);
	/* Fetched from, with the full address reported. */
	ck_assert(shadow_fetched(sh, high + 9 * PAGE_SIZE + 4, frame(2, 9) + 4, false));
	ck_assert(shadow_fetched(sh, high + 3 * PAGE_SIZE, frame(2, 3), false));
	poke(entry_at(PT_HIGH, high + 9 * PAGE_SIZE, 1), frame(2, 10) | PTE_USED);
	ck_assert_uint_eq(losses, 0);
	flush_all();
	ck_assert_uint_eq(losses, 1);
	ck_assert(lost_space == SHADOW_SUPERVISOR && lost_at == high + 9 * PAGE_SIZE && lost_len == PAGE_SIZE);
	poke(entry_at(PML4, high, 4), 0);
	flush_all();
	ck_assert_uint_eq(losses, 2);
	ck_assert_uint_eq(lost_at, high + 3 * PAGE_SIZE);
	ck_assert(!shadow_fetched(sh, high + 3 * PAGE_SIZE, frame(2, 3), false));
	ck_assert(!shadow_fetched(sh, 1ull << 47, 0, false));
	shadow_on_lost(sh, NULL, NULL);
}
END_TEST

/* Directories are not traced once nothing comes from them, or when they are written as memory is. */
START_TEST(test_directories)
{
	uint8_t data[PAGE_SIZE] = {1};

	ck_assert_int_eq(store(low, 1), DONE);
	ck_assert_int_eq(store(high, 1), DONE);
	ck_assert_uint_eq(physmem_traced(&pm, PD), TRACK_PAGE_TABLE);
	ck_assert_uint_eq(physmem_traced(&pm, PDPT), 0);
	physmem_write(&pm, PD, data, sizeof(data));
	ck_assert(physmem_traced(&pm, PD) == 0 && !mapped(low));
	physmem_write(&pm, PT, data, sizeof(data));
	ck_assert_uint_eq(physmem_traced(&pm, PT), 0);
	ck_assert_uint_eq(physmem_traced(&pm, PD_HIGH), TRACK_PAGE_TABLE);
	poke(entry_at(PDPT_HIGH, high, 3), 0);
	flush_all();
	ck_assert(mapped(high) == false);
	physmem_write(&pm, PD_HIGH, data, sizeof(data));
	ck_assert_uint_eq(physmem_traced(&pm, PD_HIGH), 0);
}
END_TEST

START_TEST(test_out_of_reach)
{
	const gva_t bad[] = {1ull << 47, 0xffff7fffffffffff, 0x8000000000000000, 0x0001000000000000};
	gva_t linear;
	uint8_t byte;

	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(load(bad[i], &byte), SHADOW_EMULATE);
		ck_assert(!shadow_own(sh, bad[i], false));
	}
	/* What leaves a chunk faults, and tells where it would have gone. */
	poke(entry_at(PDPT, low - 1, 3), PTE_USED | PTE_PS);
	poke(entry_at(PML4, low - 1, 4), PDPT | PTE_ALL);
	for (int64_t disp = -(int64_t)(2 * GiB); disp <= (int64_t)(2 * GiB); disp += (int64_t)GiB) {
		gva_t from = disp < 0 ? low : low + (4 * GiB - 1);
		if (!disp)
			continue;
		shadow_own(sh, from, false);
		ck_assert_int_eq(access_view(from, disp, false, &byte), SHADOW_EMULATE);
		ck_assert(shadow_to_linear(sh, fault_address, &linear));
		ck_assert_uint_eq(linear, from + (uint64_t)disp);
	}
	ck_assert(shadow_to_linear(sh, (hva_t)chunk(low)->base + 0x12345, &linear));
	ck_assert_uint_eq(linear, low + 0x12345);
	/* Places and tables of nobody. */
	ck_assert_int_eq(shadow_handle_fault(sh, shadow_view_of(sh, true) + VIEW_BYTES, false), SHADOW_EMULATE);
	ck_assert_int_eq(shadow_handle_fault(sh, places_nowhere(sh) + 5, true), SHADOW_EMULATE);
	ck_assert(!shadow_to_linear(sh, places_nowhere(sh) + 5, &linear));
}
END_TEST

enum { HOST_PAGES = 300000 }; /* half as many mappings are more than hosts allow a process */

/* Until the host makes no more. */
static uint8_t *use_up_mappings(void)
{
	uint8_t *at = mmap(NULL, HOST_PAGES * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t n = 1;

	ck_assert(at != MAP_FAILED);
	while (n < HOST_PAGES && !mprotect(at + n * PAGE_SIZE, PAGE_SIZE, PROT_READ))
		n += 2;
	return n < HOST_PAGES ? at : NULL;
}

/* Where the present address space has supervisor mode's entry for an address. */
static hva_t beside(gva_t linear)
{
	return shadow_view(sh) + SHADOW_SUPERVISOR_VIEW + (linear >> SHADOW_VIEW_SHIFT) * sizeof(uint64_t);
}

/* Supervisor mode's table cannot be shown behind another view then: nobody is told to try once more. What is shown can
 * be taken away: pages beside each other, of which the host makes one mapping, too. */
START_TEST(test_no_host_mappings)
{
	const gva_t next = low + (1ull << 41); /* its entry is in the next page of the table */
	hva_t entry;
	uint8_t *all;

	cpu->cpl = 0;
	poke(entry_at(PML4, next, 4), PDPT | PTE_ALL);
	ck_assert(shadow_own(sh, high, false) && shadow_own(sh, low, false) && shadow_own(sh, next, false));
	load_cr3(PML4 + PAGE_SIZE);
	entry = beside(high);
	all = use_up_mappings();
	if (!all) /* a host with no limit worth the name */
		return;
	ck_assert_int_eq(shadow_handle_fault(sh, entry, false), SHADOW_EMULATE);
	ck_assert(!shadow_own(sh, high, false));
	spaces_drop(sh);
	munmap(all, HOST_PAGES * PAGE_SIZE);
	shadow_audit(sh);
	entry = beside(high); /* address spaces are numbered anew */
	ck_assert_int_eq(shadow_handle_fault(sh, entry, false), SHADOW_RESOLVED);
	ck_assert_uint_eq(*(const uint64_t *)entry, shadow_delta(sh, high, false));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view");
	TCase *t = tcase_create("view");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_no_view);
	tcase_add_test(t, test_pages);
	tcase_add_test(t, test_five_levels);
	tcase_add_test(t, test_large_pages);
	tcase_add_loop_test(t, test_changes_of_tables, 1, 5);
	tcase_add_test(t, test_traces_and_code);
	tcase_add_test(t, test_directories);
	tcase_add_test(t, test_out_of_reach);
	tcase_add_test(t, test_no_host_mappings);
	suite_add_tcase(s, t);
	return run_suite(s);
}
