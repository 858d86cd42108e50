/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address spaces: their user windows are kept, so that a load of CR3 is a change of base. Kernel mode has one window
 * for all; on a load of CR3 what the new directory maps otherwise is dropped from it.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "cpu/x86.h"
#include "shadow_internal.h"
#include "trace.h"

#define PTE_ADDR_64 (BIT(52) - PAGE_SIZE)

static bool pae(const struct cpu *cpu)
{
	return cpu->cr4 & CR4_PAE;
}

static void read_key(const struct cpu *cpu, uint64_t key[DIRECTORIES])
{
	memset(key, 0, DIRECTORIES * sizeof(*key));
	if (!pae(cpu)) {
		key[0] = (cpu->cr3 & 0xfffff000u) | PTE_P;
		return;
	}
	if (cpu_long(cpu)) {
		key[0] = (cpu->cr3 & PTE_ADDR_64) | PTE_P;
		return;
	}
	for (unsigned i = 0; i < DIRECTORIES; i++)
		if (cpu->pdpte[i] & PTE_P)
			key[i] = (cpu->pdpte[i] & PTE_ADDR_64) | PTE_P;
}

/* What mappings depend on beside the tables. Whether pages are global matters to none: tables are traced. */
static uint64_t mode_of(const struct cpu *cpu)
{
	return (cpu->cr0 & (CR0_PG | CR0_WP)) |
	       (cpu->cr4 & (CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP | CR4_LA57)) << 32 |
	       (cpu->efer & (EFER_NXE | EFER_LMA)) << 8;
}

uint64_t space_entry(const struct shadow *sh, unsigned space, unsigned r)
{
	const struct paged *p = &sh->paged;
	unsigned i = p->entry_bytes == 8 ? r / 512 : 0, index = r - i * 512;
	const uint8_t *host = p->spaces[space].host[i];

	return host ? load_le(host + (size_t)index * p->entry_bytes, p->entry_bytes) : 0;
}

void window_clear(struct shadow *sh, struct window *w)
{
	struct batch b = {0};

	window_empty(sh, w);
	for (unsigned word = 0; word < MAX_REGIONS / 64; word++)
		while (w->linked[word])
			region_drop(sh, &b, w, word * 64 + (unsigned)__builtin_ctzll(w->linked[word]));
	for (unsigned q = 0; q < QUARTERS; q++)
		quarter_drop(sh, &b, w, q);
}

void space_free(struct shadow *sh, unsigned n)
{
	struct space *s = &sh->paged.spaces[n];

	if (!s->live)
		return;
	s->live = false;
	view_close(sh, 1 + n);
	chunks_release(sh, &s->hidden);
	window_clear(sh, &sh->paged.windows[1 + n]);
	sh->paged.windows[1 + n].returns = 0;
	for (unsigned i = 0; i < DIRECTORIES; i++) {
		if (!s->directory[i])
			continue;
		sh->paged.tables[s->directory[i]].spaces--;
		table_unused(sh, s->directory[i]);
		s->directory[i] = 0;
	}
}

/* The slot of an address space that is new: a free one, or that which has not been used for longest. */
static unsigned take_slot(struct shadow *sh)
{
	struct space *s = sh->paged.spaces;
	unsigned best = 0;

	for (unsigned i = 0; i < SPACES; i++) {
		if (!s[i].live)
			return i;
		if (s[i].used < s[best].used)
			best = i;
	}
	space_free(sh, best);
	sh->cpu->stats->spaces_recycled++;
	return best;
}

static unsigned new_space(struct shadow *sh, const uint64_t key[DIRECTORIES])
{
	unsigned n = take_slot(sh);
	struct space *s = &sh->paged.spaces[n];

	*s = (struct space){.live = true};
	memcpy(s->key, key, sizeof(s->key));
	for (unsigned i = 0; i < DIRECTORIES && !is_long(&sh->paged); i++) {
		gpa_t gpa = key[i] & PTE_ADDR_64 & sh->pm->a20_mask;
		if (!key[i])
			continue;
		s->directory[i] = table_at(sh, gpa);
		if (!s->directory[i])
			continue; /* nothing is mapped by what is not traced */
		sh->paged.tables[s->directory[i]].spaces++;
		s->host[i] = physmem_host(sh->pm, gpa, NULL);
	}
	return n;
}

static unsigned find_space(const struct shadow *sh, const uint64_t key[DIRECTORIES])
{
	for (unsigned i = 0; i < SPACES; i++)
		if (sh->paged.spaces[i].live && !memcmp(sh->paged.spaces[i].key, key, DIRECTORIES * sizeof(*key)))
			return i;
	return NO_SPACE;
}

/* Drops from the supervisor window what the space maps otherwise. In long mode chunks_switch() does. */
static void switch_supervisor(struct shadow *sh, unsigned space)
{
	struct window *w = &sh->paged.windows[SUPERVISOR];
	struct batch b = {0};

	for (unsigned word = 0; word < MAX_REGIONS / 64; word++)
		for (uint64_t bits = w->linked[word]; bits; bits &= bits - 1) {
			unsigned r = word * 64 + (unsigned)__builtin_ctzll(bits);
			if (!entry_same(w->regions[r].entry, space_entry(sh, space, r)))
				region_drop(sh, &b, w, r);
		}
	batch_flush(sh, &b);
}

static void drop_spaces(struct shadow *sh)
{
	view_close(sh, SUPERVISOR);
	window_clear(sh, &sh->paged.windows[SUPERVISOR]);
	for (unsigned i = 0; i < SPACES; i++)
		space_free(sh, i);
	sh->paged.current = NO_SPACE;
}

/* Is it another one than before? */
static bool select_space(struct shadow *sh)
{
	struct paged *p = &sh->paged;
	uint64_t key[DIRECTORIES];
	unsigned n;

	if (!(p->mode & CR0_PG) || (is_long(p) && !places_for_chunks(sh)))
		return false;
	read_key(sh->cpu, key);
	if (p->current != NO_SPACE && !memcmp(p->spaces[p->current].key, key, sizeof(key)))
		return false;
	if (!tables_room(sh) || !opt_on(sh->cpu->opt_off, OPT_SPACES))
		drop_spaces(sh);
	n = find_space(sh, key);
	if (n == NO_SPACE)
		n = new_space(sh, key);
	else
		sh->cpu->stats->spaces_found++;
	if (is_long(p))
		chunks_switch(sh, p->current, n);
	else
		switch_supervisor(sh, n);
	p->current = n;
	p->spaces[n].used = ++p->switches;
	for (unsigned i = 0; i < DIRECTORIES; i++)
		p->tables[p->spaces[n].directory[i]].writes = 0;
	return true;
}

void spaces_drop(struct shadow *sh)
{
	drop_spaces(sh);
	select_space(sh);
}

enum { DEPENDS_SHIFT = 24 };
_Static_assert(sizeof(((struct paged *)0)->depends) * 8 << DEPENDS_SHIFT == 4 * GiB, "depends");

void spaces_depend(struct shadow *sh, gpa_t gpa)
{
	if (gpa < 4 * GiB)
		sh->paged.depends[gpa >> DEPENDS_SHIFT >> 6] |= BIT(gpa >> DEPENDS_SHIFT & 63);
}

/* A kernel that looks for the size of a frame buffer has it vanish and come back, whoever shows it. */
void spaces_map_changed(struct shadow *sh, gpa_t base, uint64_t len)
{
	bool any = base >= 4 * GiB || len > 4 * GiB - base;

	for (uint64_t n = base >> DEPENDS_SHIFT; !any && n <= (base + len - 1) >> DEPENDS_SHIFT; n++)
		any = sh->paged.depends[n / 64] >> n % 64 & 1;
	if (any)
		spaces_drop(sh);
}

void spaces_make_room(struct shadow *sh)
{
	struct paged *p = &sh->paged;

	sh->cpu->stats->mappings_short++;
	while (p->edges > p->max_edges / 2) {
		unsigned oldest = NO_SPACE;
		for (unsigned i = 0; i < SPACES; i++)
			if (p->spaces[i].live && i != p->current && (p->views[1 + i].edges || p->spaces[i].hidden) &&
			    (oldest == NO_SPACE || p->spaces[i].used < p->spaces[oldest].used))
				oldest = i;
		if (oldest == NO_SPACE) {
			spaces_drop(sh);
			return;
		}
		space_free(sh, oldest);
	}
}

void spaces_flush(struct shadow *sh)
{
	struct paged *p = &sh->paged;
	uint64_t mode = mode_of(sh->cpu);

	if (mode == p->mode) {
		tables_sync(sh);
		upper_sync(sh, select_space(sh));
		return;
	}
	p->mode = 0;
	spaces_drop(sh);
	tables_release_retired(sh);
	tables_sync(sh); /* frees those in its list */
	p->mode = mode;
	p->entry_bytes = pae(sh->cpu) ? 8 : 4;
	p->region_shift = pae(sh->cpu) ? 9 : 10;
	p->upper = !(mode & CR0_PG) || !cpu_long(sh->cpu) ? 0 : sh->cpu->cr4 & CR4_LA57 ? 3 : 2;
	select_space(sh);
}

/* Does the window show anything of the page, which may be a large one, that an address is in? */
static bool shows(const struct paged *p, const struct window *w, gva_t linear)
{
	uint64_t page = (uint32_t)linear >> PAGE_SHIFT;
	const struct region *r = &w->regions[page >> p->region_shift];

	if ((w->linear ^ linear) >> SHADOW_VIEW_SHIFT)
		return false;
	return w->state[page] || (r->pages && !r->table) ||
	       (is_long(p) && (w->quarters[page / (WINDOW_PAGES / QUARTERS)].entry & PTE_PS));
}

void spaces_flush_page(struct shadow *sh, gva_t linear)
{
	const struct paged *p = &sh->paged;
	bool shown = false;

	if (!p->mode || p->current == NO_SPACE || !opt_on(sh->cpu->opt_off, OPT_FORGET)) {
		spaces_flush(sh);
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		unsigned view = paged_window_of(sh, i & 1);
		const struct window *w = i & 2 ? view_find(sh, view, linear) : &p->windows[view];
		if (!w || !shows(p, w, linear))
			continue;
		if (is_long(p) && !upper_window_right(sh, w)) {
			spaces_flush(sh);
			return;
		}
		shown = true;
	}
	if (shown)
		tables_sync(sh);
}
