/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunks: windows that views own. Which of them shows what changes as the guest goes on. What supervisor mode has of
 * its own in an address space (the memory of its programs, all of the kernel's where it hides itself from them) is
 * hidden while another one is in use, and not filled anew each time.
 */
#include "shadow_internal.h"
#include "trace.h"

enum {
	CHUNK_EDGES = 1, /* host mappings that the place of a chunk adds */
	OWN_EDGES = 6,	 /* at most, when one is owned: its place and a page of a table, in two places */
	KEPT = 64,	 /* so many have places before one that shows nothing is taken for another address */
};

static uint16_t *list_of(struct paged *p, const struct window *w)
{
	return w->hidden_by ? &p->spaces[w->hidden_by - 1].hidden : &p->views[w->view].chunks;
}

static void enlist(struct paged *p, struct window *w)
{
	uint16_t *head = list_of(p, w);

	w->next = *head;
	*head = (uint16_t)window_number(p, w);
}

static void unlist(struct paged *p, const struct window *w)
{
	uint16_t *link = list_of(p, w);

	while (*link != window_number(p, w))
		link = &p->windows[*link].next;
	*link = w->next;
}

static void take_away(struct shadow *sh, struct window *w)
{
	trace(shadow, "view %u gives up %llx", w->view, (unsigned long long)w->linear);
	if (!w->hidden_by)
		view_hide(sh, w);
	window_clear(sh, w);
	window_shrink(w);
	unlist(&sh->paged, w);
	w->returns = 0;
	w->owned = false;
	w->hidden_by = 0;
	sh->cpu->stats->chunks--;
}

void chunks_release(struct shadow *sh, const uint16_t *list)
{
	while (*list)
		take_away(sh, &sh->paged.windows[*list]);
}

void view_close(struct shadow *sh, unsigned view)
{
	chunks_release(sh, &sh->paged.views[view].chunks);
	view_make_unreadable(sh, &sh->paged.views[view]);
}

/* --- recycling --- */

/* The address space that has to be used for the chunk to be used. NO_SPACE: the present one, or any. */
static unsigned space_of(const struct paged *p, const struct window *w)
{
	if (w->hidden_by)
		return w->hidden_by - 1u;
	return view_is_present(p, w->view) ? (unsigned)NO_SPACE : w->view - 1u;
}

/* Which of two chunks is to go first? Those that are not in use, by how long their address spaces are not. */
static bool is_older(const struct paged *p, const struct window *a, const struct window *b)
{
	unsigned of_a = space_of(p, a), of_b = space_of(p, b);

	if (of_a == of_b)
		return a->used < b->used;
	if (of_a == NO_SPACE || of_b == NO_SPACE)
		return of_b == NO_SPACE;
	return p->spaces[of_a].used < p->spaces[of_b].used;
}

/* Does it show nothing, as those of programs that have ended do? */
static bool is_empty(const struct window *w)
{
	return w->owned && !w->pages && !w->nparked;
}

/* A chunk that nobody owns: one that has a place; if many have, the one of those that show nothing that was used least
 * recently; a new one while the budget of mappings allows it; the oldest. */
static struct window *free_chunk(struct shadow *sh)
{
	struct paged *p = &sh->paged;
	struct window *oldest = NULL, *empty = NULL;

	for (unsigned i = WINDOWS; i < ALL_WINDOWS; i++) {
		struct window *w = &p->windows[i];
		if (w->state && !w->owned)
			return w;
		if (!w->state && empty && i >= WINDOWS + KEPT)
			break;
		if (!w->state && (!oldest || p->edges + CHUNK_EDGES <= p->max_edges) && chunk_init(sh, w)) {
			paged_edges(sh, CHUNK_EDGES);
			return w;
		}
		if (w->owned && (!oldest || is_older(p, w, oldest)))
			oldest = w;
		if (is_empty(w) && (!empty || w->used < empty->used))
			empty = w;
	}
	if (empty)
		oldest = empty;
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
	/* What the guest does not map takes no chunk, and no page of a table. */
	if (!w && !upper_maps(sh, linear))
		return NULL;
	if (!w || (!user && !view_is_beside(sh, linear))) {
		if (p->view_pages == MAX_VIEW_PAGES)
			spaces_drop(sh);
		if (p->edges + OWN_EDGES > p->max_edges)
			spaces_make_room(sh);
		view = paged_window_of(sh, user); /* address spaces may be numbered anew */
		w = view_find(sh, view, linear);
	}
	if (!w) {
		if (!view_make_readable(sh, &p->views[view], linear))
			return NULL;
		w = free_chunk(sh);
		if (!w)
			return NULL;
		w->linear = ALIGN_DOWN(linear, WINDOW_BYTES);
		w->view = (uint16_t)view;
		w->owned = true;
		enlist(p, w);
		view_show(sh, w);
		sh->cpu->stats->chunks++;
		trace(shadow, "view %u owns %llx", view, (unsigned long long)w->linear);
	}
	if (!user && !view_put_beside(sh, linear)) /* the host has no mappings left: the single-stepper accesses it */
		return NULL;
	w->used = ++p->owned_ever;
	return w;
}

/* --- another address space --- */

static void hide(struct shadow *sh, struct window *w, unsigned space)
{
	ASSERT(sh->paged.spaces[space].live);
	view_hide(sh, w);
	window_report_lost(sh, w);
	unlist(&sh->paged, w);
	w->hidden_by = (uint16_t)(space + 1);
	enlist(&sh->paged, w);
}

static void show(struct shadow *sh, struct window *w)
{
	unlist(&sh->paged, w);
	w->hidden_by = 0;
	enlist(&sh->paged, w);
	view_show(sh, w);
}

void chunks_switch(struct shadow *sh, unsigned from, unsigned to)
{
	struct paged *p = &sh->paged;

	for (unsigned n = p->views[SUPERVISOR].chunks, next; n; n = next) {
		next = p->windows[n].next;
		if (!upper_window_right(sh, &p->windows[n]))
			hide(sh, &p->windows[n], from);
	}
	for (unsigned n = p->spaces[to].hidden, next; n; n = next) {
		struct window *w = &p->windows[n];
		next = w->next;
		if (upper_window_right(sh, w) && !view_find(sh, SUPERVISOR, w->linear))
			show(sh, w);
		else
			take_away(sh, w);
	}
}
