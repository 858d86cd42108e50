/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's rights of pages that stay mapped: for traces, and where the guest's tables allow more or less than before.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "shadow_internal.h"

enum {
	EDGES_MAX = 3,	    /* that mapping an extent can add, beside its traced pages */
	EDGES_TRACES = 256, /* that traces may take beyond the budget, which leaves as much to them (places.c) */
};

static bool edges_fit(const struct shadow *sh, uint64_t most)
{
	return sh->paged.edges + sh->run_edges <= most;
}

bool window_edges_room(const struct shadow *sh)
{
	return edges_fit(sh, sh->paged.max_edges - EDGES_MAX);
}

bool window_protect(const struct window *w, uint64_t page, uint64_t count, enum rights rights)
{
	int prot = rights == RIGHTS_WRITE ? PROT_READ | PROT_WRITE : rights == RIGHTS_READ ? PROT_READ : PROT_NONE;

	return !mprotect(w->base + (page << PAGE_SHIFT), count << PAGE_SHIFT, prot);
}

/* Neighbours at once. */
bool window_protect_traced(const struct window *w, const struct extent *x)
{
	uint64_t end = x->page + x->count, n;

	for (uint64_t page = x->page; page < end; page += n) {
		bool traced = w->state[page] & PAGE_PROTECTED;
		for (n = 1; page + n < end && !(w->state[page + n] & PAGE_PROTECTED) == !traced; n++)
			;
		if (traced && !window_protect(w, page, n, RIGHTS_READ))
			return false;
	}
	return true;
}

void windows_protect(struct shadow *sh, uint32_t frame)
{
	struct paged *p = &sh->paged;
	bool traced = sh->pm->traced[frame];
	uint32_t next;

	for (uint32_t n = p->alias_head[frame]; n; n = next) {
		struct window *w = &p->windows[p->aliases[n].page / WINDOW_PAGES];
		uint64_t page = p->aliases[n].page % WINDOW_PAGES, before = window_edges_at(w, page, 1);
		next = p->aliases[n].next;
		if (!!(w->state[page] & PAGE_PROTECTED) == traced)
			continue;
		w->state[page] ^= PAGE_PROTECTED;
		if (!(w->state[page] & PAGE_MAPPED))
			continue;
		window_edges_changed(sh, w, before, window_edges_at(w, page, 1));
		if ((traced && !edges_fit(sh, sh->paged.max_edges + EDGES_TRACES)) ||
		    !window_protect(w, page, 1, traced ? RIGHTS_READ : RIGHTS_WRITE)) {
			/* No room for more mappings. The window goes, and with it aliases. */
			window_empty(sh, w);
			next = p->alias_head[frame];
		}
	}
}

/* --- what the guest's tables allow --- */

/* The page's state. Returns whether the host's rights change. */
static bool change_state(struct shadow *sh, struct window *w, uint64_t page, enum rights rights)
{
	uint8_t *state = &w->state[page];
	bool mapped = *state & PAGE_MAPPED, host = mapped;

	if (rights == RIGHTS_READ) {
		if (w->frame[page] < FRAME_OTHER)
			rmap_remove(sh, w, page);
		host = mapped && !(*state & PAGE_PROTECTED);
		*state &= (uint8_t) ~(PAGE_WRITABLE | PAGE_PROTECTED);
		return host;
	}
	*state |= PAGE_WRITABLE;
	if (w->frame[page] < FRAME_OTHER) {
		rmap_add(sh, w, page);
		*state |= sh->pm->traced[w->frame[page]] ? PAGE_PROTECTED : 0;
		host = mapped && !(*state & PAGE_PROTECTED);
	}
	return host;
}

void window_set_rights(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, enum rights rights)
{
	uint64_t before = window_edges_at(w, page, 1);
	bool host;

	if (!window_edges_room(sh) || !rmap_room(sh, 1) || !opt_on(sh->cpu->opt_off, OPT_RIGHTS)) {
		if (rights == RIGHTS_READ)
			window_drop(sh, b, w, page, 1);
		return; /* that it may be written is found out again when it is */
	}
	host = change_state(sh, w, page, rights);
	window_edges_changed(sh, w, before, window_edges_at(w, page, 1));
	if (!host)
		return;
	sh->cpu->stats->mappings_changed++;
	if (b->w == w && b->rights == rights && b->to == page) {
		b->to++;
		return;
	}
	batch_flush(sh, b);
	*b = (struct batch){w, page, page + 1, rights};
}

void window_apply_rights(struct shadow *sh, struct batch *b)
{
	struct window *w = b->w;

	b->w = NULL;
	/* Emptied meanwhile, as a whole. */
	if (!(w->state[b->from] & PAGE_MAPPED) && !window_is_parked(w, b->from))
		return;
	/* Pages within a mapping have become one of their own: the host may have no room. */
	if (!window_protect(w, b->from, b->to - b->from, b->rights))
		window_empty(sh, w);
}
