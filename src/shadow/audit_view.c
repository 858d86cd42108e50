/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restates the invariants of views and chunks, against what the host says is mapped and what the tables hold. */
#include "shadow_internal.h"

#include <inttypes.h>

/* Of the page of supervisor mode's table that would be so far into those of another view. */
static unsigned beside_number(uint64_t at)
{
	return (at - SHADOW_SUPERVISOR_VIEW) % VIEW_BYTES >> PAGE_SHIFT & (VIEW_PAGES - 1);
}

uint64_t audit_view_map(const struct shadow *sh, hva_t start, uint64_t len)
{
	const struct paged *p = &sh->paged;
	uint64_t distance = start - (hva_t)p->tables_of_views;
	const struct window *w = paged_window_at(sh, start);

	if (w && window_is_chunk(p, w))
		ASSERTF(w->owned, "SH-14: something is mapped in chunk %u, which nobody owns", window_number(p, w));
	else
		ASSERTF(!paged_in_chunk_area(sh, start), "SH-14: something is mapped at %" PRIx64 ", between chunks",
			start);
	if (!shadow_in_view_table(sh, start))
		return 0;
	for (uint64_t at = distance; at < distance + len; at += PAGE_SIZE) {
		const struct view *v = &p->views[at / VIEW_BYTES];
		gva_t linear = at % VIEW_BYTES / sizeof(uint64_t) << SHADOW_VIEW_SHIFT;
		unsigned n = linear >> (SHADOW_VIEW_SHIFT + 9) & (VIEW_PAGES - 1);
		if (view_page_beside(v, beside_number(at)) == p->tables_of_views + at) {
			ASSERTF(view_page(&p->views[SUPERVISOR], beside_number(at)),
				"SH-13: page %x of supervisor mode's table", beside_number(at));
			continue;
		}
		ASSERTF(view_page_linear(n) == linear && view_page(v, n),
			"SH-13: the table of view %u is readable at %" PRIx64, (unsigned)(at / VIEW_BYTES), linear);
	}
	return len >> PAGE_SHIFT;
}

static void check_entry(const struct shadow *sh, unsigned view, gva_t linear, uint64_t delta)
{
	const struct paged *p = &sh->paged;
	hva_t base = linear + delta;
	const struct window *w = paged_window_at(sh, base);

	if (delta == view_nowhere(sh, linear))
		return;
	ASSERTF(w && window_is_chunk(p, w) && base == (hva_t)w->base && w->owned && !w->hidden_by && w->view == view &&
		    w->linear == linear,
		"SH-13: view %u leads from %" PRIx64 " to %" PRIx64, view, linear, base);
}

static unsigned check_view(const struct shadow *sh, unsigned view)
{
	const struct paged *p = &sh->paged;
	const struct view *v = &p->views[view];
	unsigned readable = 0;

	for (unsigned n = view_next_page(v, 0); n < VIEW_PAGES; n = view_next_page(v, n + 1)) {
		const uint64_t *page = view_page(v, n);
		for (uint64_t i = 0; i < PAGE_SIZE / sizeof(*page); i++)
			check_entry(sh, view, view_page_linear(n) + (i << SHADOW_VIEW_SHIFT), page[i]);
		readable++;
	}
	ASSERTF(readable == v->nreadable, "SH-13: view %u", view);
	for (unsigned n = v->chunks; n; n = p->windows[n].next)
		ASSERTF(view_find(sh, view, p->windows[n].linear) == &p->windows[n],
			"SH-13: view %u does not show chunk %u", view, n);
	return readable;
}

void audit_views(const struct shadow *sh, uint64_t table_pages)
{
	const struct paged *p = &sh->paged;
	uint64_t readable = 0;

	if (!p->tables_of_views)
		return;
	for (unsigned i = 0; i < WINDOWS; i++)
		readable += check_view(sh, i) + p->views[i].nbeside;
	ASSERTF(readable == table_pages, "SH-13: %" PRIu64 " pages of tables are readable, noted are %" PRIu64,
		table_pages, readable);
}

void audit_upper(const struct shadow *sh)
{
	const struct paged *p = &sh->paged;

	for (unsigned i = 0; is_long(p) && i < ALL_WINDOWS; i++) {
		const struct window *w = &p->windows[i];
		if (view_is_present(p, w->view) && (i < WINDOWS || (w->owned && !w->hidden_by)))
			ASSERTF(upper_window_right(sh, w), "SH-15: window %u", i);
	}
}
