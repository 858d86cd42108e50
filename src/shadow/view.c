/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Views: by which chunks 64-bit code reaches memory. A view is a table in address space that is read by translated code
 * and only written here. Chunks are windows; which one shows what changes as the guest goes on.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "shadow_internal.h"
#include "trace.h"

enum {
	ENTRIES_PER_PAGE = PAGE_SIZE / sizeof(uint64_t),
	PAGE_EDGES = 2,	 /* host mappings that a readable page of a table adds, at most */
	CHUNK_EDGES = 1, /* and the place of a chunk */
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

static void count_edges(struct shadow *sh, uint64_t more)
{
	sh->paged.edges += more;
	sh->cpu->stats->mappings += more;
}

uint64_t view_edges(const struct view *v)
{
	return v->nreadable * PAGE_EDGES;
}

static bool make_readable(struct shadow *sh, struct view *v, unsigned n)
{
	uint64_t *page = page_at(v, n);

	if (page_readable(v, n))
		return true;
	if (mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE))
		return false;
	for (uint64_t i = 0; i < ENTRIES_PER_PAGE; i++)
		page[i] = view_nowhere(sh, view_page_linear(n) + (i << SHADOW_VIEW_SHIFT));
	v->readable[n / 64] |= BIT(n % 64);
	v->nreadable++;
	count_edges(sh, PAGE_EDGES);
	return true;
}

static void make_unreadable(struct shadow *sh, struct view *v)
{
	for (unsigned n = 0; v->nreadable; n++) {
		n = view_next_page(v, n);
		/* In place of what is there: whatever mappings the host has room for, this makes fewer of them. */
		if (mmap(page_at(v, n), PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
			 -1, 0) == MAP_FAILED)
			PANIC("closing a view: %s", strerror(errno));
		v->readable[n / 64] &= ~BIT(n % 64);
		v->nreadable--;
		count_edges(sh, -(uint64_t)PAGE_EDGES);
	}
}

bool view_is_present(const struct paged *p, unsigned view)
{
	return p->current != NO_SPACE && (view == SUPERVISOR || view == 1 + p->current);
}

/* --- chunks --- */

struct window *view_find(const struct shadow *sh, unsigned view, gva_t linear)
{
	const struct view *v = &sh->paged.views[view];
	uint64_t base;

	if (!v->table || !page_readable(v, page_of(linear)))
		return NULL;
	base = v->table[linear >> SHADOW_VIEW_SHIFT] + ALIGN_DOWN(linear, WINDOW_BYTES);
	return base == places_nowhere(sh) ? NULL : (struct window *)paged_window_at(sh, base);
}

static void take_away(struct shadow *sh, struct window *w)
{
	struct paged *p = &sh->paged;
	struct view *v = &p->views[w->view];
	uint16_t *link = &v->chunks;

	trace(shadow, "view %u gives up %llx", w->view, (unsigned long long)w->linear);
	v->table[w->linear >> SHADOW_VIEW_SHIFT] = view_nowhere(sh, w->linear);
	window_clear(sh, w);
	window_shrink(w);
	while (*link != window_number(p, w))
		link = &p->windows[*link].next;
	*link = w->next;
	w->returns = 0;
	w->owned = false;
	sh->cpu->stats->chunks--;
}

void view_close(struct shadow *sh, unsigned view)
{
	struct view *v = &sh->paged.views[view];

	while (v->chunks)
		take_away(sh, &sh->paged.windows[v->chunks]);
	make_unreadable(sh, v);
}

/* Which of two chunks is to go first? Those of views that are not present, by how long that is. */
static bool is_older(const struct paged *p, const struct window *a, const struct window *b)
{
	bool present_a = view_is_present(p, a->view), present_b = view_is_present(p, b->view);

	if (present_a != present_b)
		return present_b;
	if (!present_a && a->view != b->view)
		return p->spaces[a->view - 1].used < p->spaces[b->view - 1].used;
	return a->used < b->used;
}

/* A chunk that nobody owns: one that has a place; a new one while the budget of mappings allows it; the oldest. */
static struct window *free_chunk(struct shadow *sh)
{
	struct paged *p = &sh->paged;
	struct window *oldest = NULL;

	for (unsigned i = WINDOWS; i < ALL_WINDOWS; i++) {
		struct window *w = &p->windows[i];
		if (w->state && !w->owned)
			return w;
		if (!w->state && (!oldest || p->edges + CHUNK_EDGES <= p->max_edges) && chunk_init(sh, w)) {
			count_edges(sh, CHUNK_EDGES);
			return w;
		}
		if (w->owned && (!oldest || is_older(p, w, oldest)))
			oldest = w;
	}
	if (oldest) {
		take_away(sh, oldest);
		sh->cpu->stats->chunks_recycled++;
	}
	return oldest;
}

struct window *view_own(struct shadow *sh, bool user, gva_t linear)
{
	struct paged *p = &sh->paged;
	struct window *w;
	unsigned view;

	if (!is_long(p) || p->current == NO_SPACE || !cpu_canonical(sh->cpu, linear))
		return NULL;
	view = paged_window_of(sh, user);
	w = view_find(sh, view, linear);
	if (!w) {
		if (p->edges + PAGE_EDGES + CHUNK_EDGES > p->max_edges) {
			spaces_make_room(sh);
			view = paged_window_of(sh, user); /* address spaces may be numbered anew */
		}
		if (!make_readable(sh, &p->views[view], page_of(linear)))
			return NULL;
		w = free_chunk(sh);
		if (!w)
			return NULL;
		w->linear = ALIGN_DOWN(linear, WINDOW_BYTES);
		w->view = (uint16_t)view;
		w->owned = true;
		w->next = p->views[view].chunks;
		p->views[view].chunks = (uint16_t)window_number(p, w);
		p->views[view].table[linear >> SHADOW_VIEW_SHIFT] = (hva_t)w->base - w->linear;
		sh->cpu->stats->chunks++;
		trace(shadow, "view %u owns %llx", view, (unsigned long long)w->linear);
	}
	w->used = ++p->owned_ever;
	return w;
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

bool views_hold(const struct shadow *sh, hva_t address)
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
