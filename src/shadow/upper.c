/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The upper two of a long-mode guest's four levels of tables (three of five). They are not traced: each GiB of a window
 * (a quarter) remembers what they said when it was last used, and all that code may use is compared with them again at
 * each flush and each change of address space. A processor, too, may go on with what it knows of them until then.
 */
#include "cpu/x86.h"
#include "shadow_internal.h"

#define PTE_ADDR_64 (BIT(52) - PAGE_SIZE)
#define ADDR_1G	    (BIT(52) - GiB)

static struct quarter *quarter_of(struct paged *p, uint32_t quarter)
{
	return &window_of_quarter(p, quarter)->quarters[(quarter - 1) % QUARTERS];
}

static uint32_t number_of(const struct paged *p, const struct window *w, unsigned q)
{
	return window_number(p, w) * QUARTERS + q + 1;
}

/* What of an entry is left by what the tables above it allow. */
static uint64_t below(uint64_t upper, uint64_t entry)
{
	if (!(upper & entry & PTE_P))
		return 0;
	entry &= ~PTE_IGNORED_64 & (upper | ~(PTE_U | PTE_W | PTE_A));
	return entry | (upper & PTE_NX);
}

/* The entries of the present tables, 0 where there are none. */
static void read_entries(const struct shadow *sh, gpa_t table, unsigned index, uint64_t *out, unsigned count)
{
	uint64_t offset;
	bool ram = physmem_ram_offset(sh->pm, (table & PTE_ADDR_64) & sh->pm->a20_mask, &offset);

	for (unsigned i = 0; i < count; i++)
		out[i] = ram ? load_le(sh->pm->ram.host + offset + (index + i) * 8, 8) : 0;
}

/* What the upper tables say now of the quarters of a window. */
static void upper_read(const struct shadow *sh, gva_t linear, uint64_t entry[QUARTERS])
{
	uint64_t above = PTE_P | PTE_W | PTE_U | PTE_A, next;
	gpa_t at = sh->cpu->cr3;

	for (unsigned level = 2 + sh->paged.upper; level > 3; level--) {
		read_entries(sh, at, linear >> (3 + 9 * level) & 511, &next, 1);
		above = next & PTE_PS /* reserved */ ? 0 : below(above, next);
		at = above;
	}
	read_entries(sh, at, linear >> 30 & 511, entry, QUARTERS);
	for (unsigned q = 0; q < QUARTERS; q++)
		entry[q] = below(above, entry[q]);
}

bool upper_maps(const struct shadow *sh, gva_t linear)
{
	uint64_t entry[QUARTERS];

	upper_read(sh, ALIGN_DOWN(linear, WINDOW_BYTES), entry);
	return (entry[0] | entry[1] | entry[2] | entry[3]) & PTE_P;
}

uint64_t window_entry(const struct shadow *sh, const struct window *w, unsigned r)
{
	const struct paged *p = &sh->paged;
	const struct quarter *q = &w->quarters[r / 512];
	uint64_t index = r % 512;

	if (!is_long(p))
		return space_entry(sh, w->view == SUPERVISOR ? p->current : w->view - 1u, r);
	if (q->entry & PTE_PS) /* as if a directory of large pages were there */
		return (q->entry & ~ADDR_1G) | ((q->entry & ADDR_1G) + index * 2 * MiB);
	return q->host ? below(q->entry, load_le(q->host + index * 8, 8)) : 0;
}

/* --- quarters --- */

static void link_directory(struct shadow *sh, struct window *w, unsigned q, uint32_t n)
{
	struct paged *p = &sh->paged;
	struct quarter *quarter = &w->quarters[q];
	struct table *t = &p->tables[n];

	quarter->directory = n;
	quarter->host = sh->pm->ram.host + ((uint64_t)t->frame << PAGE_SHIFT);
	quarter->next = t->quarters;
	t->quarters = number_of(p, w, q);
	t->spaces++;
}

static void unlink_directory(struct shadow *sh, struct window *w, unsigned q)
{
	struct paged *p = &sh->paged;
	struct quarter *quarter = &w->quarters[q];
	struct table *t = &p->tables[quarter->directory];
	uint32_t *link = &t->quarters;

	if (!quarter->directory)
		return;
	while (*link != number_of(p, w, q))
		link = &quarter_of(p, *link)->next;
	*link = quarter->next;
	t->spaces--;
	table_unused(sh, quarter->directory);
	quarter->directory = quarter->next = 0;
	quarter->host = NULL;
}

void quarter_drop(struct shadow *sh, struct batch *b, struct window *w, unsigned q)
{
	enum { WORDS = 512 / 64 };

	for (unsigned word = q * WORDS; word < (q + 1) * WORDS; word++)
		while (w->linked[word])
			region_drop(sh, b, w, word * 64 + (unsigned)__builtin_ctzll(w->linked[word]));
	unlink_directory(sh, w, q);
	w->quarters[q].entry = 0;
}

bool quarter_claim(struct shadow *sh, struct window *w, unsigned q)
{
	struct quarter *quarter = &w->quarters[q];
	uint64_t now[QUARTERS];
	uint32_t n = 0;

	upper_read(sh, w->linear, now);
	if (quarter->entry && !entry_same(quarter->entry, now[q])) {
		struct batch b = {0};
		quarter_drop(sh, &b, w, q);
		batch_flush(sh, &b);
	}
	if (!(now[q] & PTE_P))
		return false;
	if (!(now[q] & PTE_PS)) {
		n = table_at(sh, now[q] & PTE_ADDR_64 & sh->pm->a20_mask);
		if (!n)
			return false;
		if (!quarter->directory)
			link_directory(sh, w, q, n);
		sh->paged.tables[n].writes = 0;
	}
	quarter->entry = now[q];
	return true;
}

/* --- flush --- */

static void sync_window(struct shadow *sh, struct batch *b, struct window *w)
{
	uint64_t now[QUARTERS];

	if (!(w->quarters[0].entry | w->quarters[1].entry | w->quarters[2].entry | w->quarters[3].entry))
		return;
	upper_read(sh, w->linear, now);
	for (unsigned q = 0; q < QUARTERS; q++) {
		if (!w->quarters[q].entry)
			continue;
		if (entry_same(w->quarters[q].entry, now[q]))
			w->quarters[q].entry = now[q];
		else
			quarter_drop(sh, b, w, q);
	}
}

static void sync_chunks(struct shadow *sh, struct batch *b, unsigned view)
{
	struct paged *p = &sh->paged;

	for (unsigned n = p->views[view].chunks; n; n = p->windows[n].next)
		sync_window(sh, b, &p->windows[n]);
}

void upper_sync(struct shadow *sh, bool switched)
{
	struct paged *p = &sh->paged;
	struct batch b = {0};

	if (!is_long(p) || p->current == NO_SPACE)
		return;
	sync_window(sh, &b, &p->windows[SUPERVISOR]);
	sync_window(sh, &b, &p->windows[1 + p->current]);
	if (!switched)
		sync_chunks(sh, &b, SUPERVISOR);
	sync_chunks(sh, &b, 1 + p->current);
	batch_flush(sh, &b);
}

bool upper_window_right(const struct shadow *sh, const struct window *w)
{
	uint64_t now[QUARTERS];
	bool right = true;

	upper_read(sh, w->linear, now);
	for (unsigned q = 0; q < QUARTERS; q++)
		right &= !w->quarters[q].entry || entry_same(w->quarters[q].entry, now[q]);
	return right;
}
