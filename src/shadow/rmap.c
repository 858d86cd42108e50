/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reverse map: from a page of RAM to the pages of windows that show it writable, so that traces find them. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "shadow_internal.h"

#define ALIAS_BYTES (MAX_ALIASES * sizeof(struct alias))

int rmap_init(struct shadow *sh)
{
	struct paged *p = &sh->paged;
	void *aliases =
	    mmap(NULL, ALIAS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	p->aliases = aliases == MAP_FAILED ? NULL : aliases;
	p->alias_head = calloc(sh->pm->ram.size >> PAGE_SHIFT, sizeof(*p->alias_head));
	p->naliases = 1; /* number 0 is none */
	p->uses = calloc(sh->pm->ram.size >> PAGE_SHIFT, sizeof(*p->uses));
	return p->aliases && p->alias_head && p->uses ? 0 : -ENOMEM;
}

void rmap_destroy(struct shadow *sh)
{
	if (sh->paged.aliases)
		munmap(sh->paged.aliases, ALIAS_BYTES);
	free(sh->paged.alias_head);
	free(sh->paged.uses);
}

bool rmap_room(const struct shadow *sh, uint64_t count)
{
	return sh->paged.used_aliases + count < MAX_ALIASES;
}

static uint32_t name(const struct shadow *sh, const struct window *w, uint64_t page)
{
	return (uint32_t)(window_number(&sh->paged, w) * WINDOW_PAGES + page);
}

void rmap_add(struct shadow *sh, const struct window *w, uint64_t page)
{
	struct paged *p = &sh->paged;
	uint32_t *head = &p->alias_head[w->frame[page]], n = p->free_aliases;

	if (n)
		p->free_aliases = p->aliases[n].next;
	else
		n = p->naliases++;
	p->aliases[n] = (struct alias){name(sh, w, page), *head};
	*head = n;
	p->used_aliases++;
}

bool rmap_has(const struct shadow *sh, const struct window *w, uint64_t page)
{
	uint32_t n = sh->paged.alias_head[w->frame[page]];

	while (n && sh->paged.aliases[n].page != name(sh, w, page))
		n = sh->paged.aliases[n].next;
	return n;
}

void rmap_remove(struct shadow *sh, const struct window *w, uint64_t page)
{
	struct paged *p = &sh->paged;
	uint32_t *link = &p->alias_head[w->frame[page]], which = name(sh, w, page), n;

	while (p->aliases[*link].page != which) {
		ASSERTF(*link, "SH-9: page %llx of window %u is not in the reverse map", (unsigned long long)page,
			window_number(p, w));
		link = &p->aliases[*link].next;
	}
	n = *link;
	*link = p->aliases[n].next;
	p->aliases[n].next = p->free_aliases;
	p->free_aliases = n;
	p->used_aliases--;
}
