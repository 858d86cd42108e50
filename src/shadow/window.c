/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mapped in the windows of a guest with paging, and how many mappings of the host's that takes. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "shadow_internal.h"
#include "trace.h"

_Static_assert(SHADOW_PAGE_STORABLE == (PAGE_MAPPED | PAGE_WRITABLE) &&
		   SHADOW_PAGE_MASK == (PAGE_MAPPED | PAGE_WRITABLE | PAGE_PROTECTED) &&
		   SHADOW_PAGE_TRACED == (PAGE_MAPPED | PAGE_WRITABLE | PAGE_PROTECTED),
	       "shadow.h");

const uint8_t *shadow_page_states(const struct shadow *sh, bool user)
{
	return sh->paged.windows[paged_window_of(sh, user)].state;
}

uint8_t shadow_page_state(const struct shadow *sh, gva_t linear, bool user)
{
	unsigned n = paged_window_of(sh, user);
	const struct window *w = cpu_code64(sh->cpu) ? view_find(sh, n, linear) : &sh->paged.windows[n];

	return w ? w->state[(uint32_t)linear >> PAGE_SHIFT] : 0;
}

const uint32_t *shadow_page_frames(const struct shadow *sh, bool user)
{
	return sh->paged.windows[paged_window_of(sh, user)].frame;
}

/* --- how many mappings the host needs --- */

static unsigned host_rights(const struct window *w, uint64_t page)
{
	uint8_t state = w->state[page];

	if (window_is_parked(w, page))
		return 3;
	return !(state & PAGE_MAPPED) ? 0 : (state & (PAGE_WRITABLE | PAGE_PROTECTED)) == PAGE_WRITABLE ? 2 : 1;
}

/* Does a host mapping begin with the page? */
static bool is_edge(const struct window *w, uint64_t page)
{
	unsigned before = page ? host_rights(w, page - 1) : 0;
	unsigned here = page < WINDOW_PAGES ? host_rights(w, page) : 0;

	return before != here || (here && w->frame[page] != w->frame[page - 1] + 1);
}

enum { EMPTY_PAGES = 8 };

/* Are so many pages from `page` on without state? */
static bool are_empty(const struct window *w, uint64_t page)
{
	uint64_t states;

	if (page + EMPTY_PAGES > WINDOW_PAGES)
		return false;
	__builtin_memcpy(&states, w->state + page, sizeof(states));
	return !states;
}

_Static_assert(EMPTY_PAGES == sizeof(uint64_t), "are_empty()");

uint64_t window_edges_at(const struct window *w, uint64_t page, uint64_t count)
{
	uint64_t n = 0;

	for (uint64_t at = page; at <= page + count; at++) {
		if (at && !w->nparked && !w->state[at - 1] && are_empty(w, at))
			at += EMPTY_PAGES - 1;
		else
			n += is_edge(w, at);
	}
	return n;
}

uint64_t window_edges(const struct shadow *sh, const struct window *w)
{
	unsigned shift = sh->paged.region_shift, count = window_regions(&sh->paged);
	uint64_t n = 0;

	for (unsigned r = 0; r <= count; r++) {
		uint64_t first = (uint64_t)r << shift;
		if (r < count && (w->regions[r].pages || w->regions[r].parked))
			n += window_edges_at(w, first, BIT(shift) - 1);
		else if (r && (w->regions[r - 1].pages || w->regions[r - 1].parked))
			n += is_edge(w, first);
	}
	return n;
}

void window_edges_changed(struct shadow *sh, struct window *w, uint64_t before, uint64_t after)
{
	w->edges += after - before;
	sh->paged.views[w->view].edges += after - before;
	sh->paged.edges += after - before;
	sh->cpu->stats->mappings += after - before;
}

void paged_edges(struct shadow *sh, uint64_t more)
{
	sh->paged.edges += more;
	sh->cpu->stats->mappings += more;
}

/* --- unmapping --- */

static bool try_unmap(const struct window *w, uint64_t page, uint64_t count)
{
	uint8_t *at = w->base + (page << PAGE_SHIFT);

	if (w->holes)
		return !munmap(at, count << PAGE_SHIFT);
	return mmap(at, count << PAGE_SHIFT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

static void lost(struct shadow *sh, const struct window *w, uint64_t page, uint64_t count)
{
	if (sh->lost)
		sh->lost(sh->lost_arg, w->view, w->linear + (page << PAGE_SHIFT), count << PAGE_SHIFT);
}

void window_report_lost(struct shadow *sh, const struct window *w)
{
	if (w->fetched)
		lost(sh, w, 0, WINDOW_PAGES);
}

void window_forget(struct shadow *sh, struct window *w, uint64_t page)
{
	if ((w->state[page] & PAGE_WRITABLE) && w->frame[page] < FRAME_OTHER)
		rmap_remove(sh, w, page);
	if (w->state[page] & PAGE_FETCHED) {
		w->fetched--;
		lost(sh, w, page, 1);
	}
	w->state[page] = 0;
	w->regions[page >> sh->paged.region_shift].pages--;
	w->pages--;
}

/* The last page first: one of RAM that is shown at thousands of them is found at once in the reverse map, which has
 * what was mapped last at its head. */
static void forget(struct shadow *sh, struct window *w, uint64_t page, uint64_t count)
{
	for (uint64_t at = page + count; at > page;) {
		if (at - page >= EMPTY_PAGES && are_empty(w, at - EMPTY_PAGES))
			at -= EMPTY_PAGES;
		else if (w->state[--at])
			window_forget(sh, w, at);
	}
}

/* Is nothing mapped in [from, to)? */
static bool is_gap(const struct shadow *sh, const struct window *w, uint64_t from, uint64_t to)
{
	unsigned shift = sh->paged.region_shift;

	while (from < to) {
		uint64_t end = MIN(to, ((from >> shift) + 1) << shift);
		if (w->regions[from >> shift].pages || w->regions[from >> shift].parked)
			for (uint64_t at = from; at < end; at++)
				if ((w->state[at] & PAGE_MAPPED) || window_is_parked(w, at))
					return false;
		from = end;
	}
	return true;
}

void batch_flush(struct shadow *sh, struct batch *b)
{
	if (!b->w)
		return;
	if (b->rights != RIGHTS_NONE) {
		window_apply_rights(sh, b);
		return;
	}
	sh->cpu->stats->mappings_dropped++;
	/* Cutting a piece out of a mapping makes two of it: the host may have no room. All of it always goes. */
	if (!try_unmap(b->w, b->from, b->to - b->from))
		window_empty(sh, b->w);
	b->w = NULL;
}

void window_drop(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, uint64_t count)
{
	uint64_t first = page, last = page + count, before;

	while (last > first && !w->state[last - 1])
		last -= last - first >= EMPTY_PAGES && are_empty(w, last - EMPTY_PAGES) ? EMPTY_PAGES : 1;
	while (first < last && !w->state[first])
		first += last - first >= EMPTY_PAGES && are_empty(w, first) ? EMPTY_PAGES : 1;
	if (first == last)
		return;
	if (!window_is_mapped(w, first, last - first)) { /* what is parked there stays so */
		forget(sh, w, first, last - first);
		return;
	}
	before = window_edges_at(w, first, last - first);
	if (window_may_park(sh, w, first, last - first)) {
		window_park(sh, b, w, first, last - first);
		return;
	}
	if (b->rights != RIGHTS_NONE)
		batch_flush(sh, b); /* while its pages are mapped */
	window_forget_parked(sh, w, first, last - first);
	forget(sh, w, first, last - first);
	window_edges_changed(sh, w, before, window_edges_at(w, first, last - first));
	if (b->w == w && b->to <= first && is_gap(sh, w, b->to, first)) {
		b->to = last;
	} else if (b->w == w && last <= b->from && is_gap(sh, w, last, b->from)) {
		b->from = first;
	} else {
		batch_flush(sh, b);
		*b = (struct batch){w, first, last, RIGHTS_NONE};
	}
}

void window_empty(struct shadow *sh, struct window *w)
{
	unsigned shift = sh->paged.region_shift;
	uint64_t edges = w->edges;

	if (!w->pages && !edges)
		return;
	window_report_lost(sh, w);
	for (unsigned r = window_regions(&sh->paged); r-- > 0;) {
		window_forget_parked(sh, w, (uint64_t)r << shift, 1ull << shift);
		if (!w->regions[r].pages)
			continue;
		for (uint64_t page = (uint64_t)r << shift; w->fetched && page < (r + 1ull) << shift; page++) {
			if (!(w->state[page] & PAGE_FETCHED))
				continue;
			w->fetched--;
			w->state[page] ^= PAGE_FETCHED; /* reported */
			w->pages -= !w->state[page];
			w->regions[r].pages -= !w->state[page];
		}
		forget(sh, w, (uint64_t)r << shift, 1ull << shift);
	}
	window_edges_changed(sh, w, edges, 0);
	if (edges && !try_unmap(w, 0, WINDOW_PAGES))
		PANIC("emptying a window: %s", strerror(errno));
	sh->cpu->stats->mappings_dropped++;
}

/* --- mapping --- */

uint32_t window_frame(const struct shadow *sh, const struct pm_backing *backing, uint64_t offset)
{
	uint32_t page = (uint32_t)(offset >> PAGE_SHIFT);

	return backing == &sh->pm->ram ? page : (uint32_t)(FRAME_OTHER | (unsigned)backing->fd << 20) + page;
}

void window_set_states(struct shadow *sh, struct window *w, const struct extent *x)
{
	uint32_t frame = window_frame(sh, x->backing, x->offset);
	bool traceable = x->writable && frame < FRAME_OTHER;

	for (uint64_t i = 0; i < x->count; i++) {
		uint64_t page = x->page + i;
		bool fetched = (w->state[page] & PAGE_FETCHED) && w->frame[page] == frame + i;
		if (fetched) {
			w->state[page] &= (uint8_t)~PAGE_FETCHED;
			w->fetched--;
		}
		if (w->state[page] || fetched)
			window_forget(sh, w, page);
		w->frame[page] = frame + (uint32_t)i;
		w->state[page] = (uint8_t)((x->known ? PAGE_KNOWN : PAGE_MAPPED) | (x->writable ? PAGE_WRITABLE : 0));
		if (fetched) {
			w->state[page] |= PAGE_FETCHED;
			w->fetched++;
		}
		if (!traceable)
			continue;
		rmap_add(sh, w, page);
		if (sh->pm->traced[frame + i])
			w->state[page] |= PAGE_PROTECTED;
	}
	w->pages += x->count;
	w->regions[x->page >> sh->paged.region_shift].pages += (uint16_t)x->count;
}

static bool only_adds_rights(const struct shadow *sh, const struct window *w, const struct extent *x)
{
	return opt_on(sh->cpu->opt_off, OPT_RIGHTS) && x->count == 1 && x->writable &&
	       (w->state[x->page] & (PAGE_MAPPED | PAGE_WRITABLE)) == PAGE_MAPPED &&
	       w->frame[x->page] == window_frame(sh, x->backing, x->offset);
}

bool window_map(struct shadow *sh, struct window *w, const struct extent *x)
{
	uint64_t before;
	bool mapped;

	window_learn(sh, w, x);

	if (!rmap_room(sh, x->count) || !window_edges_room(sh))
		return false;
	if (window_can_reuse(sh, w, x))
		return window_reuse(sh, w, x);
	if (only_adds_rights(sh, w, x)) {
		struct batch b = {0};
		window_set_rights(sh, &b, w, x->page, RIGHTS_WRITE);
		batch_flush(sh, &b);
		return w->state[x->page];
	}
	before = window_edges_at(w, x->page, x->count);
	if (mmap(w->base + (x->page << PAGE_SHIFT), x->count << PAGE_SHIFT,
		 x->writable ? PROT_READ | PROT_WRITE : PROT_READ,
		 MAP_SHARED | MAP_FIXED | (x->count <= AROUND ? MAP_POPULATE : 0), x->backing->fd,
		 (off_t)x->offset) == MAP_FAILED)
		return false;
	window_forget_parked(sh, w, x->page, x->count);
	window_set_states(sh, w, x);
	window_edges_changed(sh, w, before, window_edges_at(w, x->page, x->count));
	sh->cpu->stats->mappings_made++;
	mapped = window_protect_traced(w, x);
	if (!mapped)
		window_empty(sh, w);
	return mapped;
}

void window_fetched(struct shadow *sh, struct window *w, uint64_t page, uint32_t frame)
{
	struct batch b = {0};

	if (w->state[page] && w->frame[page] != frame)
		window_drop(sh, &b, w, page, 1); /* the guest has not flushed yet what it showed before */
	if (window_is_parked(w, page)) {
		uint64_t before = window_edges_at(w, page, 1);
		batch_flush(sh, &b);
		window_forget_parked(sh, w, page, 1);
		window_edges_changed(sh, w, before, window_edges_at(w, page, 1));
		b = (struct batch){w, page, page + 1, RIGHTS_NONE};
	}
	batch_flush(sh, &b);
	if (!w->state[page]) {
		w->frame[page] = frame;
		w->pages++;
		w->regions[page >> sh->paged.region_shift].pages++;
	}
	w->state[page] |= PAGE_FETCHED;
	w->fetched++;
}
