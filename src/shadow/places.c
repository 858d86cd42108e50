/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where windows lie among the host's addresses, what is kept of each page of them, and how many mappings of the host's
 * they may take. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shadow_internal.h"

#define WINDOW_GUARD WINDOW_BYTES /* the probe page is in it */
#define PARKED_BYTES (WINDOW_PAGES / 8)

_Static_assert(SHADOW_VIEW_GUARD % WINDOW_BYTES == 0 && SHADOW_VIEW_GUARD >= 2 * SHADOW_VIEW_REACH, "guards");

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

/* What is kept by page, of a stretch of host addresses. */
static bool pages_init(uint8_t **state, uint32_t **frame, uint64_t pages)
{
	*state = reserve(pages, PROT_READ | PROT_WRITE);
	*frame = reserve(pages * sizeof(**frame), PROT_READ | PROT_WRITE);
	if (!*state || !*frame)
		return false;
	memory_is_sparse(*state, pages);
	memory_is_sparse(*frame, pages * sizeof(**frame));
	return true;
}

static void pages_destroy(uint8_t *state, uint32_t *frame, uint64_t pages)
{
	release(state, pages);
	release(frame, pages * sizeof(*frame));
}

/* All but states and frames. */
static bool window_init(struct window *w)
{
	w->regions = reserve(MAX_REGIONS * sizeof(*w->regions), PROT_READ | PROT_WRITE);
	w->parked = reserve(PARKED_BYTES, PROT_READ | PROT_WRITE);
	return w->regions && w->parked;
}

static void window_destroy(struct window *w)
{
	release(w->parked, PARKED_BYTES);
	release(w->regions, MAX_REGIONS * sizeof(*w->regions));
	w->state = NULL;
	w->frame = NULL;
	w->parked = NULL;
	w->regions = NULL;
}

void window_shrink(struct window *w)
{
	madvise(w->state, WINDOW_PAGES, MADV_DONTNEED);
	madvise(w->frame, WINDOW_PAGES * sizeof(*w->frame), MADV_DONTNEED);
	madvise(w->regions, MAX_REGIONS * sizeof(*w->regions), MADV_DONTNEED);
}

/* --- host addresses --- */

/*
 * Host addresses where mmap() puts nothing by itself: far below its usual place, and below where it begins if told to
 * go upwards (a third of the address space). There the unmapped parts of windows can be true holes: mapping a page into
 * a hole takes 2 us, over a reservation 4 (docs/decisions.md). The pages that stay mapped tell others of the area.
 */
#define HOLES_FROM ((uintptr_t)0x200000000000)
#define HOLES_TO   ((uintptr_t)0x2a0000000000)
#define HOLES_STEP (64 * GiB)

static void *claim_holes(size_t bytes)
{
	/* Not by `bytes`: chunks want more than half of all, and windows have taken a little. */
	for (uintptr_t at = HOLES_FROM; at + bytes <= HOLES_TO; at += HOLES_STEP) {
		void *p = mmap((void *)at, bytes, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		if (p == (void *)at)
			return p;
		if (p != MAP_FAILED)
			munmap(p, bytes);
		else if (errno != EEXIST)
			break;
	}
	return NULL;
}

static uint64_t stride(const struct places *s)
{
	return WINDOW_BYTES + s->guard;
}

static size_t places_bytes(const struct places *s)
{
	return (s->count + 1) * stride(s);
}

/* Nothing is mapped at them, nor reserved if they can be holes. */
static bool places_init(struct places *s, unsigned count, uint64_t guard)
{
	s->count = count;
	s->guard = guard;
	s->reservation = claim_holes(places_bytes(s));
	s->holes = s->reservation;
	if (!s->holes)
		s->reservation = reserve(places_bytes(s), PROT_NONE);
	if (!s->reservation)
		return false;
	s->first = (uint8_t *)ALIGN_UP((uintptr_t)s->reservation + guard, WINDOW_BYTES);
	return true;
}

static void places_destroy(const struct places *s)
{
	release(s->reservation, places_bytes(s));
}

static uint8_t *place(const struct places *s, unsigned n)
{
	return s->first + n * stride(s);
}

static void take_place(struct window *w, const struct places *s, unsigned n)
{
	w->base = place(s, n);
	w->holes = s->holes;
	if (w->holes)
		munmap(w->base, WINDOW_BYTES);
}

/* The place whose window, or guards of `reach` bytes, the address is in; s->count: none. */
static unsigned place_at(const struct places *s, hva_t address, uint64_t reach)
{
	uint64_t distance = address - ((hva_t)s->first - reach), n = distance / stride(s);

	return n < s->count && distance % stride(s) < WINDOW_BYTES + 2 * reach ? (unsigned)n : s->count;
}

hva_t places_nowhere(const struct shadow *sh)
{
	return (hva_t)place(&sh->paged.chunk_places, NOWHERE);
}

const struct window *paged_window_at(const struct shadow *sh, hva_t address)
{
	const struct paged *p = &sh->paged;
	unsigned n = place_at(&p->places, address, 0);

	if (n < p->places.count)
		return &p->windows[n];
	n = place_at(&p->chunk_places, address, 0);
	return n < NOWHERE && p->chunk_places.count ? &p->windows[WINDOWS + n] : NULL;
}

bool paged_is_window(const struct shadow *sh, hva_t address)
{
	return paged_window_at(sh, address) != NULL;
}

const struct window *paged_chunk_near(const struct shadow *sh, hva_t address)
{
	const struct places *s = &sh->paged.chunk_places;
	unsigned n = place_at(s, address, SHADOW_VIEW_REACH);
	const struct window *w;

	if (!s->count || n >= NOWHERE)
		return NULL;
	w = &sh->paged.windows[WINDOWS + n];
	return w->owned && !w->hidden_by ? w : NULL;
}

bool paged_in_chunk_area(const struct shadow *sh, hva_t address)
{
	const struct places *s = &sh->paged.chunk_places;

	return s->count && address - (hva_t)s->reservation < places_bytes(s);
}

bool paged_in_area(const struct shadow *sh, hva_t address)
{
	const struct places *s = &sh->paged.places;

	return address - (hva_t)s->reservation < places_bytes(s) || paged_in_chunk_area(sh, address);
}

hva_t shadow_host_states(const struct shadow *sh)
{
	const struct paged *p = &sh->paged;

	return (hva_t)p->chunk_state - ((hva_t)p->chunk_places.reservation >> PAGE_SHIFT);
}

hva_t shadow_host_frames(const struct shadow *sh)
{
	const struct paged *p = &sh->paged;

	return (hva_t)p->chunk_frame - ((hva_t)p->chunk_places.reservation >> PAGE_SHIFT) * sizeof(*p->chunk_frame);
}

/* --- life --- */

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
	if (!places_init(&p->places, WINDOWS, WINDOW_GUARD))
		return -ENOMEM;
	for (unsigned i = 0; i < WINDOWS; i++)
		take_place(&p->windows[i], &p->places, i);
	for (unsigned i = 0; i < WINDOWS && !err; i++) {
		struct window *w = &p->windows[i];
		w->view = (uint16_t)i;
		err = window_init(w) && pages_init(&w->state, &w->frame, WINDOW_PAGES) ? 0 : -ENOMEM;
		if (!err && mprotect(w->base + SHADOW_PROBE + 8 - PAGE_SIZE, PAGE_SIZE, PROT_READ))
			err = -errno;
	}
	return err;
}

static void views_destroy(struct paged *p)
{
	pages_destroy(p->chunk_state, p->chunk_frame, places_bytes(&p->chunk_places) >> PAGE_SHIFT);
	places_destroy(&p->chunk_places);
	release(p->tables_of_views, WINDOWS * VIEW_BYTES);
	if (p->tables_of_views && p->supervisor_table >= 0)
		close(p->supervisor_table);
	p->chunk_places = (struct places){0};
	p->tables_of_views = p->chunk_state = NULL;
	p->chunk_frame = NULL;
}

bool places_for_chunks(struct shadow *sh)
{
	struct paged *p = &sh->paged;

	if (p->tables_of_views)
		return true;
	if (!places_init(&p->chunk_places, NOWHERE + 1, SHADOW_VIEW_GUARD)) {
		p->chunk_places.count = 0;
		return false;
	}
	p->tables_of_views = reserve(WINDOWS * VIEW_BYTES, PROT_NONE);
	p->supervisor_table = p->tables_of_views ? memfd_create("gnomon-view", MFD_CLOEXEC) : -1;
	if (p->supervisor_table < 0 || ftruncate(p->supervisor_table, VIEW_PAGES * PAGE_SIZE) ||
	    !pages_init(&p->chunk_state, &p->chunk_frame, places_bytes(&p->chunk_places) >> PAGE_SHIFT)) {
		views_destroy(p);
		return false;
	}
	for (unsigned i = 0; i < WINDOWS; i++)
		p->views[i].table = (uint64_t *)(p->tables_of_views + i * VIEW_BYTES);
	return true;
}

bool chunk_init(struct shadow *sh, struct window *w)
{
	struct paged *p = &sh->paged;
	uint64_t page;

	if (!window_init(w)) {
		window_destroy(w);
		return false;
	}
	take_place(w, &p->chunk_places, window_number(p, w) - WINDOWS);
	page = (uint64_t)(w->base - p->chunk_places.reservation) >> PAGE_SHIFT;
	w->state = p->chunk_state + page;
	w->frame = p->chunk_frame + page;
	return true;
}

void windows_destroy(struct shadow *sh)
{
	struct paged *p = &sh->paged;

	for (unsigned i = 0; i < WINDOWS; i++)
		pages_destroy(p->windows[i].state, p->windows[i].frame, WINDOW_PAGES);
	for (unsigned i = 0; i < ALL_WINDOWS; i++)
		window_destroy(&p->windows[i]);
	places_destroy(&p->places);
	if (p->tables_of_views)
		views_destroy(p);
}
