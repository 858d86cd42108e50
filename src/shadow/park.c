/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parked pages: the guest has taken them away, and the host's mapping stays, without any right. If the guest gives the
 * same page of RAM back at that address (a file that is mapped again, memory that is freed and allocated), rights are
 * all that it takes: 2 us for both ways instead of 5. If it gives another one, a mapping is replaced, which costs a
 * microsecond more than a new one: so pages of a window are parked only while most that come back do so unchanged.
 */
#include "shadow_internal.h"

enum { RETURNS_MAX = 64, RETURNS_TO_PARK = 32 };

static bool is_last_shown(const struct shadow *sh, const struct window *w, const struct extent *x)
{
	return w->frame[x->page] == window_frame(sh, x->backing, x->offset);
}

void window_learn(struct shadow *sh, struct window *w, const struct extent *x)
{
	if (x->count != 1 || w->state[x->page])
		return;
	if (!is_last_shown(sh, w, x))
		w->returns -= w->returns > 0;
	else
		w->returns += w->returns < RETURNS_MAX;
}

bool window_may_park(const struct shadow *sh, const struct window *w, uint64_t page, uint64_t count)
{
	if (!opt_on(sh->cpu->opt_off, OPT_PARK) || w->view == SUPERVISOR || w->returns < RETURNS_TO_PARK ||
	    !window_edges_room(sh))
		return false;
	for (uint64_t at = page; at < page + count; at++)
		if ((w->state[at] & PAGE_MAPPED) && w->frame[at] >= FRAME_OTHER)
			return false;
	return true;
}

static void park(struct shadow *sh, struct batch *b, struct window *w, uint64_t page)
{
	w->parked[page / 64] |= BIT(page % 64);
	w->regions[page >> sh->paged.region_shift].parked++;
	w->nparked++;
	sh->cpu->stats->mappings_parked++;
	if (b->w == w && b->rights == RIGHTS_PARKED && b->to == page) {
		b->to++;
		return;
	}
	batch_flush(sh, b);
	*b = (struct batch){w, page, page + 1, RIGHTS_PARKED};
}

void window_park(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, uint64_t count)
{
	uint64_t before = window_edges_at(w, page, count);

	if (b->rights != RIGHTS_PARKED)
		batch_flush(sh, b);
	for (uint64_t at = page; at < page + count; at++) {
		bool mapped = w->state[at] & PAGE_MAPPED;
		if (w->state[at])
			window_forget(sh, w, at);
		if (mapped)
			park(sh, b, w, at);
	}
	window_edges_changed(sh, w, before, window_edges_at(w, page, count));
}

void window_forget_parked(const struct shadow *sh, struct window *w, uint64_t page, uint64_t count)
{
	for (uint64_t at = page; w->nparked && at < page + count; at++) {
		struct region *r = &w->regions[at >> sh->paged.region_shift];
		if (!r->parked) { /* on to the next one */
			at |= BIT(sh->paged.region_shift) - 1;
			continue;
		}
		if (!window_is_parked(w, at))
			continue;
		w->parked[at / 64] &= ~BIT(at % 64);
		r->parked--;
		w->nparked--;
	}
}

bool window_can_reuse(const struct shadow *sh, const struct window *w, const struct extent *x)
{
	return x->count == 1 && window_is_parked(w, x->page) && is_last_shown(sh, w, x);
}

bool window_reuse(struct shadow *sh, struct window *w, const struct extent *x)
{
	uint64_t before = window_edges_at(w, x->page, 1);
	uint8_t state;

	window_forget_parked(sh, w, x->page, 1);
	window_set_states(sh, w, x);
	window_edges_changed(sh, w, before, window_edges_at(w, x->page, 1));
	sh->cpu->stats->mappings_reused++;
	state = w->state[x->page] & (PAGE_WRITABLE | PAGE_PROTECTED);
	if (window_protect(w, x->page, 1, state == PAGE_WRITABLE ? RIGHTS_WRITE : RIGHTS_READ))
		return true;
	window_empty(sh, w);
	return false;
}
