/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory the shadow takes, as far as it is in use. What windows map is the guest's, and not counted here. */
#include "shadow_internal.h"

void shadow_count_memory(const struct shadow *sh, struct memory_use *u)
{
	const struct paged *p = &sh->paged;
	uint64_t ram_pages = sh->pm->ram.size >> PAGE_SHIFT;

	memory_count(u, MEMORY_shadow, sh, sizeof(*sh));
	memory_count(u, MEMORY_shadow, sh->watched, GRANULES);
	memory_count(u, MEMORY_shadow, p->tables, MAX_TABLES * sizeof(*p->tables));
	memory_count(u, MEMORY_shadow, p->table_of, ram_pages * sizeof(*p->table_of));
	memory_count(u, MEMORY_shadow, p->aliases, MAX_ALIASES * sizeof(*p->aliases));
	memory_count(u, MEMORY_shadow, p->alias_head, ram_pages * sizeof(*p->alias_head));
	memory_count(u, MEMORY_shadow, p->uses, ram_pages * sizeof(*p->uses));
	for (unsigned i = 0; i < WINDOWS; i++)
		for (unsigned n = view_next_page(&p->views[i], 0); n < VIEW_PAGES;
		     n = view_next_page(&p->views[i], n + 1))
			memory_count(u, MEMORY_shadow, view_page(&p->views[i], n), PAGE_SIZE);
	for (unsigned i = 0; i < ALL_WINDOWS; i++) {
		const struct window *w = &p->windows[i];
		memory_count(u, MEMORY_shadow, w->state, WINDOW_PAGES);
		memory_count(u, MEMORY_shadow, w->frame, WINDOW_PAGES * sizeof(*w->frame));
		memory_count(u, MEMORY_shadow, w->regions, MAX_REGIONS * sizeof(*w->regions));
	}
}
