/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restates the invariants of the windows with paging, against what the host says is mapped and what the guest's tables
 * say now, but for entries that were written since the guest's last flush.
 */
#define _GNU_SOURCE
#include "shadow_internal.h"

#include <inttypes.h>

#include "cpu/x86.h"

static unsigned number(const struct shadow *sh, const struct window *w)
{
	return window_number(&sh->paged, w);
}

/* One mapping of the host's in a window, readable. Returns how many pages. */
uint64_t audit_paged_map(const struct shadow *sh, const struct window *w, const struct host_map *m)
{
	for (uint64_t at = 0; at < m->len; at += PAGE_SIZE) {
		uint64_t page = (m->base + at) >> PAGE_SHIFT;
		uint8_t state = w->state[page];
		uint32_t frame = (uint32_t)((m->offset + at) >> PAGE_SHIFT);
		bool writable = (state & (PAGE_WRITABLE | PAGE_PROTECTED)) == PAGE_WRITABLE;
		ASSERTF(state & PAGE_MAPPED, "SH-1: page %" PRIx64 " of window %u is mapped without being noted", page,
			number(sh, w));
		ASSERTF(!m->executable, "SH-5: page %" PRIx64 " of window %u is executable", page, number(sh, w));
		ASSERTF(m->writable == writable, "SH-8: page %" PRIx64 " of window %u is %swritable, its state %x",
			page, number(sh, w), m->writable ? "" : "not ", state);
		if (w->frame[page] >= FRAME_OTHER)
			continue;
		ASSERTF(m->inode == audit_inode(&sh->pm->ram) && frame == w->frame[page],
			"SH-7: page %" PRIx64 " of window %u shows frame %x, noted is %x", page, number(sh, w), frame,
			w->frame[page]);
		ASSERTF(!m->writable || !sh->pm->traced[frame], "SH-4: page %" PRIx64 " of window %u is traced", page,
			number(sh, w));
	}
	return m->len >> PAGE_SHIFT;
}

static void check_page(const struct shadow *sh, const struct window *w, uint64_t page)
{
	ASSERTF(w->frame[page] >= FRAME_OTHER || table_page_right(sh, w, page),
		"SH-7: page %" PRIx64 " of window %u (state %x, frame %x) is not what the tables say", page,
		number(sh, w), w->state[page], w->frame[page]);
	if ((w->state[page] & PAGE_WRITABLE) && w->frame[page] < FRAME_OTHER)
		ASSERTF(rmap_has(sh, w, page), "SH-9: page %" PRIx64 " of window %u is not in the reverse map", page,
			number(sh, w));
	if (!(w->state[page] & PAGE_KNOWN))
		return;
	ASSERTF(!(w->state[page] & PAGE_MAPPED) && w->frame[page] < sh->pm->ram.size >> PAGE_SHIFT,
		"SH-16: page %" PRIx64 " of window %u, state %x", page, number(sh, w), w->state[page]);
	ASSERTF(
	    !(w->state[page] & PAGE_PROTECTED) == !((w->state[page] & PAGE_WRITABLE) && sh->pm->traced[w->frame[page]]),
	    "SH-16: page %" PRIx64 " of window %u, state %x, is traced or not", page, number(sh, w), w->state[page]);
}

/* Returns how many pages of the region are mapped. */
static uint64_t check_region(const struct shadow *sh, const struct window *w, unsigned r)
{
	const struct region *region = &w->regions[r];
	uint64_t first = (uint64_t)r << sh->paged.region_shift, n = 0, with_state = 0, parked = 0;

	for (uint64_t at = first; at < first + BIT(sh->paged.region_shift); at += 64)
		for (uint64_t bits = w->parked[at / 64]; bits; bits &= bits - 1, parked++) {
			uint64_t page = at + (unsigned)__builtin_ctzll(bits);
			ASSERTF(!w->state[page] || (w->state[page] & PAGE_KNOWN),
				"SH-12: page %" PRIx64 " of window %u", page, number(sh, w));
		}
	ASSERTF(parked == region->parked, "SH-12: region %x of window %u", r, number(sh, w));

	ASSERTF(!!region->entry == (w->linked[r / 64] >> r % 64 & 1), "SH-7: region %x of window %u", r, number(sh, w));
	ASSERTF(region->entry || !region->pages, "SH-7: region %x of window %u has pages but no entry", r,
		number(sh, w));
	if (!region->entry)
		return 0;
	ASSERTF(table_region_right(sh, w, r), "SH-7: region %x of window %u is not what the directory says", r,
		number(sh, w));
	for (uint64_t page = first; page < first + BIT(sh->paged.region_shift); page++) {
		if (!w->state[page])
			continue;
		with_state++;
		n += w->state[page] & PAGE_MAPPED;
		check_page(sh, w, page);
	}
	ASSERTF(with_state == region->pages, "SH-7: region %x of window %u has %" PRIu64 " pages, noted are %u", r,
		number(sh, w), with_state, region->pages);
	return n;
}

void audit_paged(const struct shadow *sh, const uint64_t host_pages[ALL_WINDOWS])
{
	const struct paged *p = &sh->paged;
	uint64_t all = 0;

	for (unsigned i = 0; i < WINDOWS; i++)
		all += view_edges(&p->views[i]);
	for (unsigned i = 0; i < ALL_WINDOWS; i++) {
		const struct window *w = &p->windows[i];
		uint64_t n = 0;
		for (unsigned r = 0; (w->pages || w->nparked) && r < window_regions(p); r++)
			n += check_region(sh, w, r);
		ASSERTF(n == host_pages[i], "SH-1: window %u has %" PRIu64 " pages mapped, noted are %" PRIu64, i,
			host_pages[i], n);
		ASSERTF(w->edges == (w->state ? window_edges(sh, w) : 0), "SH-11: window %u", i);
		all += w->edges + (window_is_chunk(p, w) && w->state); /* and a place */
	}
	ASSERTF(all == p->edges, "SH-11: %" PRIu64 " mappings, noted are %" PRIu64, all, p->edges);
}
