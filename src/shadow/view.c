/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Views: by which chunks 64-bit code reaches memory. A view is a table in address space that is read by translated code
 * and only written here.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "shadow_internal.h"

enum {
	ENTRIES_PER_PAGE = PAGE_SIZE / sizeof(uint64_t),
	PAGE_EDGES = 2, /* host mappings that a readable page of a table adds, at most */
};

/* --- the table --- */

static unsigned page_of(gva_t linear)
{
	return linear >> (SHADOW_VIEW_SHIFT + 9) & (VIEW_PAGES - 1);
}

static bool page_readable(const struct view *v, unsigned n)
{
	return v->readable[n / 64] >> n % 64 & 1;
}

unsigned view_next_page(const struct view *v, unsigned n)
{
	while (n < VIEW_PAGES && !page_readable(v, n))
		n += v->readable[n / 64] >> n % 64 ? 1 : 64 - n % 64;
	return n;
}

gva_t view_page_linear(unsigned n)
{
	return (gva_t)(int16_t)n << (SHADOW_VIEW_SHIFT + 9);
}

static uint64_t *page_at(const struct view *v, unsigned n)
{
	return &v->table[view_page_linear(n) >> SHADOW_VIEW_SHIFT];
}

const uint64_t *view_page(const struct view *v, unsigned n)
{
	return page_readable(v, n) ? page_at(v, n) : NULL;
}

uint64_t view_nowhere(const struct shadow *sh, gva_t linear)
{
	return places_nowhere(sh) - ALIGN_DOWN(linear, WINDOW_BYTES);
}

uint64_t view_edges(const struct view *v)
{
	return (v->nreadable + v->nbeside) * PAGE_EDGES;
}

static bool is_supervisor(const struct shadow *sh, const struct view *v)
{
	return v == &sh->paged.views[SUPERVISOR];
}

/* Supervisor mode's is in several places. */
static bool make_page(struct shadow *sh, const struct view *v, unsigned n)
{
	if (is_supervisor(sh, v))
		return mmap(page_at(v, n), PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    sh->paged.supervisor_table, (off_t)n << PAGE_SHIFT) != MAP_FAILED;
	return !mprotect(page_at(v, n), PAGE_SIZE, PROT_READ | PROT_WRITE);
}

/* In place of what is there: whatever mappings the host has room for, this makes fewer of them. */
static void close_page(void *page)
{
	if (mmap(page, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		PANIC("closing a view: %s", strerror(errno));
}

bool view_make_readable(struct shadow *sh, struct view *v, gva_t linear)
{
	unsigned n = page_of(linear);
	uint64_t *page = page_at(v, n);

	if (page_readable(v, n))
		return true;
	if (!make_page(sh, v, n))
		return false;
	for (uint64_t i = 0; i < ENTRIES_PER_PAGE; i++)
		page[i] = view_nowhere(sh, view_page_linear(n) + (i << SHADOW_VIEW_SHIFT));
	v->readable[n / 64] |= BIT(n % 64);
	v->nreadable++;
	sh->paged.view_pages++;
	paged_edges(sh, PAGE_EDGES);
	return true;
}

/* --- supervisor mode's table behind those of user mode --- */

static uint8_t *place_beside(const struct view *v, unsigned n)
{
	return (uint8_t *)page_at(v, n) + SHADOW_SUPERVISOR_VIEW;
}

static bool page_beside(const struct view *v, unsigned n)
{
	return v->beside[n / 64] >> n % 64 & 1;
}

const void *view_page_beside(const struct view *v, unsigned n)
{
	return page_beside(v, n) ? place_beside(v, n) : NULL;
}

bool view_is_beside(const struct shadow *sh, gva_t linear)
{
	return page_beside(&sh->paged.views[paged_window_of(sh, true)], page_of(linear));
}

bool view_put_beside(struct shadow *sh, gva_t linear)
{
	struct view *v = &sh->paged.views[paged_window_of(sh, true)];
	unsigned n = page_of(linear);

	if (page_beside(v, n))
		return true;
	if (!page_readable(&sh->paged.views[SUPERVISOR], n) ||
	    mmap(place_beside(v, n), PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, sh->paged.supervisor_table,
		 (off_t)n << PAGE_SHIFT) == MAP_FAILED)
		return false;
	v->beside[n / 64] |= BIT(n % 64);
	v->nbeside++;
	paged_edges(sh, PAGE_EDGES);
	return true;
}

static void close_beside(struct shadow *sh, struct view *v)
{
	for (unsigned n = 0; v->nbeside; n++) {
		while (!page_beside(v, n))
			n++;
		close_page(place_beside(v, n));
		v->beside[n / 64] &= ~BIT(n % 64);
		v->nbeside--;
		paged_edges(sh, -(uint64_t)PAGE_EDGES);
	}
}

void view_make_unreadable(struct shadow *sh, struct view *v)
{
	for (unsigned n = 0; v->nreadable; n++) {
		n = view_next_page(v, n);
		close_page(page_at(v, n));
		v->readable[n / 64] &= ~BIT(n % 64);
		v->nreadable--;
		sh->paged.view_pages--;
		paged_edges(sh, -(uint64_t)PAGE_EDGES);
	}
	for (unsigned i = SUPERVISOR + 1; is_supervisor(sh, v) && i < WINDOWS; i++)
		close_beside(sh, &sh->paged.views[i]);
}

bool view_is_present(const struct paged *p, unsigned view)
{
	return p->current != NO_SPACE && (view == SUPERVISOR || view == 1 + p->current);
}

struct window *view_find(const struct shadow *sh, unsigned view, gva_t linear)
{
	const struct view *v = &sh->paged.views[view];
	unsigned n = page_of(linear);
	uint64_t base;

	if (!v->table || !page_readable(v, n) || (linear ^ view_page_linear(n)) >> (SHADOW_VIEW_SHIFT + 9))
		return NULL;
	base = v->table[linear >> SHADOW_VIEW_SHIFT] + ALIGN_DOWN(linear, WINDOW_BYTES);
	return base == places_nowhere(sh) ? NULL : (struct window *)paged_window_at(sh, base);
}

void view_show(struct shadow *sh, const struct window *w)
{
	sh->paged.views[w->view].table[w->linear >> SHADOW_VIEW_SHIFT] = (hva_t)w->base - w->linear;
}

void view_hide(struct shadow *sh, const struct window *w)
{
	sh->paged.views[w->view].table[w->linear >> SHADOW_VIEW_SHIFT] = view_nowhere(sh, w->linear);
}

/* --- for the translator --- */

hva_t shadow_view_of(const struct shadow *sh, bool user)
{
	const struct paged *p = &sh->paged;

	return is_long(p) && p->current != NO_SPACE ? (hva_t)p->views[paged_window_of(sh, user)].table : 0;
}

hva_t shadow_view(const struct shadow *sh)
{
	return shadow_view_of(sh, true);
}

bool shadow_own(struct shadow *sh, gva_t linear, bool user)
{
	return view_own(sh, user, linear) != NULL;
}

uint64_t shadow_delta(const struct shadow *sh, gva_t linear, bool user)
{
	const uint64_t *page = view_page(&sh->paged.views[paged_window_of(sh, user)], page_of(linear));

	if (!page || (linear ^ view_page_linear(page_of(linear))) >> (SHADOW_VIEW_SHIFT + 9))
		return view_nowhere(sh, linear);
	return page[linear >> SHADOW_VIEW_SHIFT & (ENTRIES_PER_PAGE - 1)];
}

bool shadow_owns(const struct shadow *sh, gva_t linear, bool user)
{
	return view_find(sh, paged_window_of(sh, user), linear) != NULL;
}

/* NULL: there is no view, or it does not own the address's chunk. */
static const struct window *chunk_of(const struct shadow *sh, gva_t linear, bool user)
{
	return shadow_view_of(sh, user) ? view_find(sh, paged_window_of(sh, user), linear) : NULL;
}

hva_t shadow_host_of(const struct shadow *sh, gva_t linear, bool user)
{
	const struct window *w = chunk_of(sh, linear, user);

	return (w ? (hva_t)w->base : places_nowhere(sh)) + linear % WINDOW_BYTES;
}

bool shadow_peek(const struct shadow *sh, gva_t linear, bool user, uint64_t *value)
{
	const struct window *w = chunk_of(sh, linear, user);
	uint64_t page = linear % WINDOW_BYTES >> PAGE_SHIFT, at = linear & PAGE_MASK;

	if (!w || at > PAGE_SIZE - sizeof(*value) || !(w->state[page] & (PAGE_MAPPED | PAGE_KNOWN)) ||
	    w->frame[page] >= FRAME_OTHER)
		return false;
	memcpy(value, sh->pm->ram.host + ((uint64_t)w->frame[page] << PAGE_SHIFT) + at, sizeof(*value));
	return true;
}

hva_t shadow_nowhere(const struct shadow *sh)
{
	return places_nowhere(sh);
}

bool shadow_in_view_table(const struct shadow *sh, hva_t address)
{
	return sh->paged.tables_of_views && address - (hva_t)sh->paged.tables_of_views < WINDOWS * VIEW_BYTES;
}

static bool is_entry(uint64_t at, gva_t *linear)
{
	*linear = at / sizeof(uint64_t) << SHADOW_VIEW_SHIFT;
	return at < sizeof(uint64_t) << 32 &&
	       !((*linear ^ view_page_linear(page_of(*linear))) >> (SHADOW_VIEW_SHIFT + 9));
}

enum shadow_fault view_fault(struct shadow *sh, hva_t address)
{
	uint64_t distance = address - (hva_t)sh->paged.tables_of_views, at = distance % VIEW_BYTES;
	unsigned view = (unsigned)(distance / VIEW_BYTES);
	enum shadow_fault result = SHADOW_EMULATE;
	bool user = view != SUPERVISOR;
	gva_t linear;

	if (!view_is_present(&sh->paged, view))
		return SHADOW_EMULATE;
	if (!is_entry(at, &linear)) {
		if (!is_entry(at - SHADOW_SUPERVISOR_VIEW, &linear))
			return SHADOW_EMULATE;
		user = false;
	}
	if (view_own(sh, user, linear))
		result = SHADOW_RESOLVED;
	sh->cpu->stats->hidden_faults += result == SHADOW_RESOLVED;
	return result;
}
