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
	return v->nreadable * PAGE_EDGES;
}

bool view_make_readable(struct shadow *sh, struct view *v, gva_t linear)
{
	unsigned n = page_of(linear);
	uint64_t *page = page_at(v, n);

	if (page_readable(v, n))
		return true;
	if (mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE))
		return false;
	for (uint64_t i = 0; i < ENTRIES_PER_PAGE; i++)
		page[i] = view_nowhere(sh, view_page_linear(n) + (i << SHADOW_VIEW_SHIFT));
	v->readable[n / 64] |= BIT(n % 64);
	v->nreadable++;
	sh->paged.view_pages++;
	paged_edges(sh, PAGE_EDGES);
	return true;
}

void view_make_unreadable(struct shadow *sh, struct view *v)
{
	for (unsigned n = 0; v->nreadable; n++) {
		n = view_next_page(v, n);
		/* In place of what is there: whatever mappings the host has room for, this makes fewer of them. */
		if (mmap(page_at(v, n), PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
			 -1, 0) == MAP_FAILED)
			PANIC("closing a view: %s", strerror(errno));
		v->readable[n / 64] &= ~BIT(n % 64);
		v->nreadable--;
		sh->paged.view_pages--;
		paged_edges(sh, -(uint64_t)PAGE_EDGES);
	}
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
	return shadow_view_of(sh, sh->cpu->cpl == 3);
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

	if (!w || at > PAGE_SIZE - sizeof(*value) || !(w->state[page] & PAGE_MAPPED) || w->frame[page] >= FRAME_OTHER)
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

enum shadow_fault view_fault(struct shadow *sh, hva_t address)
{
	uint64_t distance = address - (hva_t)sh->paged.tables_of_views;
	unsigned view = (unsigned)(distance / VIEW_BYTES);
	gva_t linear = distance % VIEW_BYTES / sizeof(uint64_t) << SHADOW_VIEW_SHIFT;
	enum shadow_fault result = SHADOW_EMULATE;

	if (view_is_present(&sh->paged, view) && view_own(sh, view != SUPERVISOR, linear))
		result = SHADOW_RESOLVED;
	sh->cpu->stats->hidden_faults += result == SHADOW_RESOLVED;
	return result;
}
