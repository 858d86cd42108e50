/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known pages: the guest's tables have been walked, the entry is traced, rights and the reverse map are kept as those
 * of a page that is mapped, but the host has no mapping of it. Code that looks at states makes its accesses in RAM,
 * where the page is; all others fault, and it is mapped then. So a page that is touched a few times and taken away
 * again, or changes its rights all the time, costs no call of the host's. One that is used much is mapped: an access
 * by its frame takes a few nanoseconds more than one that goes through the window, and they are counted.
 */
#include "shadow_internal.h"

enum { USES = 1000 /* take as long as mapping and unmapping a page, on a quick host */ };

_Static_assert((unsigned)SHADOW_PAGE_KNOWN == (unsigned)PAGE_KNOWN &&
		   (unsigned)SHADOW_PAGE_KNOWN_STORABLE == (unsigned)PAGE_WRITABLE,
	       "shadow.h");

uint16_t *shadow_page_uses(const struct shadow *sh)
{
	return sh->paged.uses;
}

bool window_is_mapped(const struct window *w, uint64_t page, uint64_t count)
{
	while (count--)
		if (w->state[page++] & PAGE_MAPPED)
			return true;
	return false;
}

bool window_know(struct shadow *sh, struct window *w, const struct extent *x)
{
	uint32_t frame = window_frame(sh, x->backing, x->offset);
	struct extent known = *x;

	if (!opt_on(sh->cpu->opt_off, OPT_KNOWN) || x->count != 1 || frame >= FRAME_OTHER || !rmap_room(sh, 1) ||
	    (w->state[x->page] & PAGE_MAPPED))
		return false;
	if (window_is_parked(w, x->page) && w->frame[x->page] != frame) /* what is parked is named by w->frame */
		return false;
	window_learn(sh, w, x);
	known.known = true;
	window_set_states(sh, w, &known);
	physmem_make_here(sh->pm, sh->pm->ram.host + x->offset);
	sh->paged.uses[frame] = USES;
	sh->cpu->stats->pages_known++;
	return true;
}

bool shadow_is_known(const struct shadow *sh, hva_t address, bool write)
{
	const struct window *w = paged_window_at(sh, address);
	uint8_t state = w ? w->state[(address - (hva_t)w->base) >> PAGE_SHIFT] : 0;

	if (!w || !view_is_present(&sh->paged, w->view))
		return false;
	return (state & PAGE_KNOWN) && (!write || (state & (PAGE_WRITABLE | PAGE_PROTECTED)) == PAGE_WRITABLE);
}
