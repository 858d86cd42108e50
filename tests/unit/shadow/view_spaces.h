/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of a guest in long mode, and what its views show of them. */
#ifndef GNOMON_TESTS_VIEW_SPACES_H
#define GNOMON_TESTS_VIEW_SPACES_H

#include "view_fixture.h"

/* Two address spaces. Each has tables of its own, but for the PDPT of the upper half, which is shared. */
enum {
	PML4 = 0x100000, /* and one in the next page */
	PDPT = 0x102000,
	PD = 0x104000,
	PT = 0x106000,
	PDPT_HIGH = 0x108000,
	PD_HIGH = 0x109000,
	PT_HIGH = 0x10a000,
	PAGES = 0x800000,
	LARGE = 0xa00000,
};

static const gva_t low = 0x555500000000, high = 0xffffffff80000000;

static inline gpa_t entry_at(gpa_t table, gva_t linear, unsigned level)
{
	return table + (linear >> (12 + 9 * (level - 1)) & 511) * 8;
}

static inline gpa_t frame(unsigned space, unsigned n)
{
	return PAGES + (space * 64 + n) * PAGE_SIZE;
}

static inline gpa_t pte(unsigned space, unsigned n)
{
	return entry_at(PT + space * PAGE_SIZE, low + n * PAGE_SIZE, 1);
}

/* 64 pages from `low`, of user mode; 64 from `high`, not; a large page of either size behind these, at physical
 * LARGE and 0. */
static inline void make_space(unsigned space)
{
	gpa_t at = space * PAGE_SIZE;

	poke(entry_at(PML4 + at, low, 4), (PDPT + at) | PTE_ALL);
	poke(entry_at(PDPT + at, low, 3), (PD + at) | PTE_ALL);
	poke(entry_at(PD + at, low, 2), (PT + at) | PTE_ALL);
	poke(entry_at(PML4 + at, high, 4), PDPT_HIGH | PTE_ALL | PTE_A);
	poke(entry_at(PDPT_HIGH, high, 3), PD_HIGH | PTE_ALL);
	poke(entry_at(PD_HIGH, high, 2), PT_HIGH | PTE_ALL);
	for (unsigned n = 0; n < 64; n++) {
		poke(pte(space, n), frame(space, n) | PTE_ALL);
		poke(entry_at(PT_HIGH, high + n * PAGE_SIZE, 1), frame(2, n) | PTE_P | PTE_W);
	}
	poke(entry_at(PD_HIGH, high + 2 * MiB, 2), LARGE | PTE_P | PTE_W | PTE_PS);
	poke(entry_at(PDPT_HIGH, high + GiB, 3), PTE_P | PTE_W | PTE_PS);
}

static inline void setup(void)
{
	setup_limited(0, true);
	make_space(0);
	make_space(1);
	enter_long_mode(PML4);
}

static inline void user(void)
{
	cpu->cpl = 3;
}

static const struct window *chunk(gva_t linear)
{
	return view_find(sh, paged_window_of(sh, cpu->cpl == 3), linear);
}

static inline bool mapped(gva_t linear)
{
	const struct window *w = chunk(linear);

	return w && (w->state[(uint32_t)linear >> PAGE_SHIFT] & PAGE_MAPPED);
}

static uint64_t lost_at, lost_len;
static unsigned lost_space, losses;

static inline void on_lost(void *arg, unsigned space, gva_t linear, uint64_t len)
{
	(void)arg;
	lost_space = space;
	lost_at = linear;
	lost_len = len;
	losses++;
}

#endif
