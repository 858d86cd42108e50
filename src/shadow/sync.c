/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest flushes: what it has written to tables (table.c) is applied to the windows. */
#include <string.h>

#include "cpu/x86.h"
#include "shadow_internal.h"

/* Of an entry: what decides where an access goes and whether it may. */
#define ENTRY_MEANING (~(PTE_A | PTE_D | PTE_G | PTE_PWT | PTE_PCD | BIT(9) | BIT(10) | BIT(11)))

bool entry_same(uint64_t old, uint64_t now)
{
	if (((old ^ now) & ENTRY_MEANING) || !(now & PTE_P) || !(now & PTE_A))
		return false;
	return !(now & PTE_PS) || !(old & PTE_D) || (now & PTE_D);
}

/* Entries that changed of the directory, number i of a window that shows it. */
static void sync_directory(struct shadow *sh, struct batch *b, const struct table *t, struct window *w, unsigned i)
{
	for (unsigned word = 0; word < TABLE_ENTRIES / 64; word++)
		for (uint64_t bits = t->written[word]; bits; bits &= bits - 1) {
			unsigned r = i * 512 + word * 64 + (unsigned)__builtin_ctzll(bits);
			const struct region *region = &w->regions[r];
			if (region->entry && !entry_same(region->entry, window_entry(sh, w, r)))
				region_drop(sh, b, w, r);
		}
}

static void sync_directories(struct shadow *sh, struct batch *b, const struct table *t)
{
	struct paged *p = &sh->paged;
	uint32_t n = table_number(p, t);

	for (uint32_t q = t->quarters; q; q = window_of_quarter(p, q)->quarters[(q - 1) % QUARTERS].next)
		sync_directory(sh, b, t, window_of_quarter(p, q), (q - 1) % QUARTERS);
	for (unsigned s = 0; t->spaces && !is_long(p) && s < SPACES; s++)
		for (unsigned i = 0; p->spaces[s].live && i < DIRECTORIES; i++) {
			if (p->spaces[s].directory[i] != n)
				continue;
			sync_directory(sh, b, t, &p->windows[1 + s], i);
			if (s == p->current)
				sync_directory(sh, b, t, &p->windows[SUPERVISOR], i);
		}
}

/* What the window may show at the page, its entry being pte, of what it shows now. */
static enum rights rights_by(const struct shadow *sh, const struct window *w, uint64_t page, uint64_t pte)
{
	const struct region *r = &w->regions[page >> sh->paged.region_shift];
	bool supervisor = w->view == SUPERVISOR, pae = sh->paged.entry_bytes == 8;
	uint64_t offset, ignored = is_long(&sh->paged) ? PTE_IGNORED_64 | PTE_NX : pae ? PTE_NX : 0;
	gpa_t gpa = ALIGN_DOWN(pte & ~ignored, PAGE_SIZE) & sh->pm->a20_mask;

	if (!(pte & PTE_P) || !(pte & PTE_A) || (!supervisor && !(pte & PTE_U)))
		return RIGHTS_NONE;
	if (supervisor && (sh->cpu->cr4 & CR4_SMAP) && (pte & r->entry & PTE_U) &&
	    (w->state[page] & (PAGE_MAPPED | PAGE_KNOWN)))
		return RIGHTS_NONE; /* code may be fetched there */
	if (supervisor && (sh->cpu->cr4 & CR4_SMEP) && (pte & r->entry & PTE_U) && (w->state[page] & PAGE_FETCHED))
		return RIGHTS_NONE;
	if ((pte & PTE_NX) && (!(sh->cpu->efer & EFER_NXE) || (w->state[page] & PAGE_FETCHED)))
		return RIGHTS_NONE;
	if (!physmem_ram_offset(sh->pm, gpa, &offset) || offset >> PAGE_SHIFT != w->frame[page])
		return RIGHTS_NONE;
	if (!(pte & PTE_D) || physmem_span(sh->pm, gpa)->region->kind != PM_RAM)
		return RIGHTS_READ;
	return (pte & r->entry & PTE_W) || (supervisor && !(sh->cpu->cr0 & CR0_WP)) ? RIGHTS_WRITE : RIGHTS_READ;
}

static enum rights rights_shown(const struct window *w, uint64_t page)
{
	return w->state[page] & PAGE_WRITABLE ? RIGHTS_WRITE : RIGHTS_READ;
}

static bool was_written(const struct table *t, unsigned i)
{
	return t->written[i / 64] >> i % 64 & 1;
}

bool table_region_right(const struct shadow *sh, const struct window *w, unsigned r)
{
	const struct paged *p = &sh->paged;
	const struct region *region = &w->regions[r];
	unsigned space = w->view == SUPERVISOR ? p->current : w->view - 1u, i = p->entry_bytes == 8 ? r / 512 : 0;
	const struct table *dir, *t = &sh->paged.tables[region->table];
	uint32_t n;

	if (space == NO_SPACE || !p->spaces[space].live)
		return false;
	n = is_long(p) ? w->quarters[i].directory : p->spaces[space].directory[i];
	dir = &p->tables[n];
	if (!n && !(w->quarters[i].entry & PTE_PS))
		return false;
	if ((n && !(sh->pm->traced[dir->frame] & TRACK_PAGE_TABLE)) ||
	    (region->table && (t->dead || !(sh->pm->traced[t->frame] & TRACK_PAGE_TABLE))))
		return false;
	return (n && was_written(dir, r - i * 512)) || entry_same(region->entry, window_entry(sh, w, r));
}

bool table_page_right(const struct shadow *sh, const struct window *w, uint64_t page)
{
	const struct region *region = &w->regions[page >> sh->paged.region_shift];
	unsigned i = (unsigned)(page & (BIT(sh->paged.region_shift) - 1));
	const struct table *t = &sh->paged.tables[region->table];

	return !region->table || was_written(t, i) ||
	       rights_by(sh, w, page, table_entry(sh, t, i)) >= rights_shown(w, page);
}

static void sync_page(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, uint64_t pte)
{
	enum rights rights = rights_by(sh, w, page, pte);

	if (rights == RIGHTS_NONE)
		window_drop(sh, b, w, page, 1);
	else if (rights != rights_shown(w, page) && (w->state[page] & (PAGE_MAPPED | PAGE_KNOWN)))
		window_set_rights(sh, b, w, page, rights);
}

static void sync_user(struct shadow *sh, struct batch *b, struct table *t, uint32_t user)
{
	struct window *w = window_of_user(&sh->paged, user);
	uint64_t first = (uint64_t)((user - 1) % MAX_REGIONS) << sh->paged.region_shift;

	if (!region_of_user(&sh->paged, user)->pages)
		return;
	for (unsigned word = 0; word < TABLE_ENTRIES / 64; word++)
		for (uint64_t bits = t->written[word]; bits; bits &= bits - 1) {
			unsigned i = word * 64 + (unsigned)__builtin_ctzll(bits);
			uint64_t pte = table_entry(sh, t, i);
			if (!w->state[first + i])
				continue;
			t->fickle |= !(pte & PTE_P);
			sync_page(sh, b, w, first + i, pte);
		}
}

void tables_sync(struct shadow *sh)
{
	struct paged *p = &sh->paged;
	struct batch b = {0};

	while (p->dirty_tables) {
		struct table *t = &p->tables[p->dirty_tables];
		p->dirty_tables = t->next;
		if (t->dead) {
			table_free(sh, t);
			continue;
		}
		for (uint32_t user = t->users, next; user; user = next) {
			next = region_of_user(&sh->paged, user)->next;
			sync_user(sh, &b, t, user);
		}
		sync_directories(sh, &b, t);
		sh->cpu->stats->table_syncs++;
		if (t->dead) {
			table_free(sh, t);
			continue;
		}
		t->dirty = false;
		memset(t->written, 0, sizeof(t->written));
	}
	batch_flush(sh, &b);
}
