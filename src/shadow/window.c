/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mapped in the windows of a guest with paging, and how many mappings of the host's that takes. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "shadow_internal.h"
#include "trace.h"

/* From one window to the next: a window, its probe page below, guards around both. */
#define WINDOW_STRIDE (2 * WINDOW_BYTES)
#define AREA_BYTES    ((WINDOWS + 1) * WINDOW_STRIDE)

#define PARKED_BYTES (WINDOW_PAGES / 8)

enum { POPULATE_MAX = 32 }; /* pages of an extent that are mapped at once, not when touched */

static void *reserve(size_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

static int window_init(struct window *w, uint8_t *base)
{
	w->base = base;
	w->state = reserve(WINDOW_PAGES, PROT_READ | PROT_WRITE);
	w->frame = reserve(WINDOW_PAGES * sizeof(*w->frame), PROT_READ | PROT_WRITE);
	w->regions = reserve(MAX_REGIONS * sizeof(*w->regions), PROT_READ | PROT_WRITE);
	w->parked = reserve(PARKED_BYTES, PROT_READ | PROT_WRITE);
	if (!w->state || !w->frame || !w->regions || !w->parked)
		return -ENOMEM;
	memory_is_sparse(w->state, WINDOW_PAGES);
	memory_is_sparse(w->frame, WINDOW_PAGES * sizeof(*w->frame));
	return mprotect(base + SHADOW_PROBE + 8 - PAGE_SIZE, PAGE_SIZE, PROT_READ) ? -errno : 0;
}

/*
 * Host addresses where mmap() puts nothing by itself: far below its usual place, and below where it begins if told to
 * go upwards (a third of the address space). There the unmapped parts of windows can be true holes: mapping a page into
 * a hole takes 2 us, over a reservation 4 (docs/decisions.md). The pages that stay mapped tell others of the area.
 */
#define HOLES_FROM ((uintptr_t)0x200000000000)
#define HOLES_TO   ((uintptr_t)0x2a0000000000)

static uint8_t *claim_holes(void)
{
	for (uintptr_t at = HOLES_FROM; at + AREA_BYTES <= HOLES_TO; at += AREA_BYTES) {
		void *p = mmap((void *)at, AREA_BYTES, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		if (p == (void *)at)
			return p;
		if (p != MAP_FAILED)
			munmap(p, AREA_BYTES);
		else if (errno != EEXIST)
			break;
	}
	return NULL;
}

/* What the host allows the process, less what the rest of it, windows without paging and traces may need. */
static uint64_t budget(unsigned allowed)
{
	enum { DEFAULT = 65530, OTHERS = 512, LEAST = 16 };
	FILE *f = allowed ? NULL : fopen("/proc/sys/vm/max_map_count", "re");

	if (f && fscanf(f, "%u", &allowed) != 1)
		allowed = 0;
	if (f)
		fclose(f);
	if (!allowed)
		allowed = DEFAULT;
	allowed -= allowed / 8;
	return allowed > OTHERS + LEAST ? allowed - OTHERS : LEAST;
}

int windows_init(struct shadow *sh, unsigned max_mappings)
{
	struct paged *p = &sh->paged;
	int err = 0;

	p->max_edges = budget(max_mappings);
	p->reservation = claim_holes();
	p->holes = p->reservation;
	if (!p->holes)
		p->reservation = reserve(AREA_BYTES, PROT_NONE);
	if (!p->reservation)
		return -ENOMEM;
	p->area = (uint8_t *)ALIGN_UP((uintptr_t)p->reservation + GUARD_BYTES, WINDOW_BYTES);
	for (unsigned i = 0; i < WINDOWS && p->holes; i++)
		munmap(p->area + i * WINDOW_STRIDE, WINDOW_BYTES);
	for (unsigned i = 0; i < WINDOWS && !err; i++)
		err = window_init(&p->windows[i], p->area + i * WINDOW_STRIDE);
	return err;
}

void windows_destroy(struct shadow *sh)
{
	struct paged *p = &sh->paged;

	release(p->reservation, AREA_BYTES);
	for (unsigned i = 0; i < WINDOWS; i++) {
		release(p->windows[i].state, WINDOW_PAGES);
		release(p->windows[i].frame, WINDOW_PAGES * sizeof(*p->windows[i].frame));
		release(p->windows[i].parked, PARKED_BYTES);
		release(p->windows[i].regions, MAX_REGIONS * sizeof(*p->windows[i].regions));
	}
}

const struct window *paged_window_at(const struct shadow *sh, hva_t address)
{
	uint64_t distance = address - (hva_t)sh->paged.area, n = distance / WINDOW_STRIDE;

	return n < WINDOWS && distance % WINDOW_STRIDE < WINDOW_BYTES ? &sh->paged.windows[n] : NULL;
}

bool paged_is_window(const struct shadow *sh, hva_t address)
{
	return paged_window_at(sh, address) != NULL;
}

bool paged_in_area(const struct shadow *sh, hva_t address)
{
	return address - (hva_t)sh->paged.reservation < AREA_BYTES;
}

_Static_assert(SHADOW_PAGE_STORABLE == (PAGE_MAPPED | PAGE_WRITABLE) &&
		   SHADOW_PAGE_MASK == (PAGE_MAPPED | PAGE_WRITABLE | PAGE_PROTECTED) &&
		   SHADOW_PAGE_TRACED == (PAGE_MAPPED | PAGE_WRITABLE | PAGE_PROTECTED),
	       "shadow.h");

const uint8_t *shadow_page_states(const struct shadow *sh, bool user)
{
	return sh->paged.windows[paged_window_of(sh, user)].state;
}

const uint32_t *shadow_page_frames(const struct shadow *sh)
{
	return sh->paged.windows[SUPERVISOR].frame;
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

uint64_t window_edges_at(const struct window *w, uint64_t page, uint64_t count)
{
	uint64_t n = 0;

	for (uint64_t at = page; at <= page + count; at++)
		n += is_edge(w, at);
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
	sh->paged.edges += after - before;
	sh->cpu->stats->mappings += after - before;
}

/* --- unmapping --- */

static bool try_unmap(const struct shadow *sh, const struct window *w, uint64_t page, uint64_t count)
{
	uint8_t *at = w->base + (page << PAGE_SHIFT);

	if (sh->paged.holes)
		return !munmap(at, count << PAGE_SHIFT);
	return mmap(at, count << PAGE_SHIFT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

static void lost(struct shadow *sh, const struct window *w, uint64_t page, uint64_t count)
{
	if (sh->lost)
		sh->lost(sh->lost_arg, window_number(&sh->paged, w), page << PAGE_SHIFT, count << PAGE_SHIFT);
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

static void forget(struct shadow *sh, struct window *w, uint64_t page, uint64_t count)
{
	for (uint64_t end = page + count; page < end; page++)
		if (w->state[page])
			window_forget(sh, w, page);
}

/* Is nothing mapped in [from, to)? */
static bool is_gap(const struct shadow *sh, const struct window *w, uint64_t from, uint64_t to)
{
	unsigned shift = sh->paged.region_shift;

	while (from < to) {
		uint64_t end = MIN(to, ((from >> shift) + 1) << shift);
		if (w->regions[from >> shift].pages || w->regions[from >> shift].parked)
			for (uint64_t at = from; at < end; at++)
				if (w->state[at] || window_is_parked(w, at))
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
	if (!try_unmap(sh, b->w, b->from, b->to - b->from))
		window_empty(sh, b->w);
	b->w = NULL;
}

void window_drop(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, uint64_t count)
{
	uint64_t before = window_edges_at(w, page, count), first = page, last;

	for (last = page + count; last > first && !w->state[last - 1]; last--)
		;
	for (; first < last && !w->state[first]; first++)
		;
	if (first == last)
		return;
	if (window_may_park(sh, w, first, last - first)) {
		window_park(sh, b, w, first, last - first);
		return;
	}
	if (b->rights != RIGHTS_NONE)
		batch_flush(sh, b); /* while its pages are mapped */
	window_forget_parked(sh, w, first, last - first);
	forget(sh, w, first, last - first);
	window_edges_changed(sh, w, before, window_edges_at(w, page, count));
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

	if (!w->pages && !w->edges)
		return;
	if (w->fetched)
		lost(sh, w, 0, WINDOW_PAGES);
	for (unsigned r = 0; r < window_regions(&sh->paged); r++) {
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
	window_edges_changed(sh, w, w->edges, 0);
	if (!try_unmap(sh, w, 0, WINDOW_PAGES))
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
		w->state[page] = (uint8_t)(PAGE_MAPPED | (x->writable ? PAGE_WRITABLE : 0));
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
		 MAP_SHARED | MAP_FIXED | (x->count <= POPULATE_MAX ? MAP_POPULATE : 0), x->backing->fd,
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
