/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's page tables and directories that windows were filled from. They are traced: what the guest writes to them
 * is noted, and applied to the windows when it flushes (sync.c), in few large calls. Until then a processor may go on
 * with what it knows, and so may we.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/x86.h"
#include "shadow_internal.h"

#define TABLES_BYTES (MAX_TABLES * sizeof(struct table))

enum {
	RUN_MAX = 64,	  /* entries written in a row: the page is filled or emptied as a whole */
	WRITES_MAX = 512, /* writes without use in between: it is no table any more */
	STORED_BYTES = 8, /* a store reported by shadow_tables_stored() lies within as many, aligned */
};

static struct table *table(const struct shadow *sh, uint32_t n)
{
	return &sh->paged.tables[n];
}

/* --- trace --- */

static void note_written(struct shadow *sh, struct table *t, unsigned entry)
{
	t->written[entry / 64] |= BIT(entry % 64);
	if (t->dirty)
		return;
	t->dirty = true;
	t->next = sh->paged.dirty_tables;
	sh->paged.dirty_tables = table_number(&sh->paged, t);
}

/* Does the write only set A or D in one entry? Nobody needs to know: whoever has used it has them set. */
static bool sets_accessed_dirty(const struct shadow *sh, uint64_t offset, const uint8_t *data, unsigned len)
{
	uint64_t old, new;

	if (len > 8 || offset % sh->paged.entry_bytes)
		return false;
	old = load_le(sh->pm->ram.host + offset, len);
	new = load_le(data, len);
	return !(old & ~new) && !((old ^ new) & ~(PTE_A | PTE_D));
}

static bool is_current_directory(const struct shadow *sh, uint32_t n)
{
	const struct paged *p = &sh->paged;

	for (unsigned i = 0; p->current != NO_SPACE && i < DIRECTORIES; i++)
		if (p->spaces[p->current].directory[i] == n)
			return true;
	return false;
}

/* Drops all that depends on the table, which is none any more (or is rewritten as a whole): with that the trace goes.
 */
static void abandon(struct shadow *sh, struct table *t)
{
	struct paged *p = &sh->paged;
	uint32_t n = table_number(p, t);
	struct batch b = {0};

	while (t->quarters)
		quarter_drop(sh, &b, window_of_quarter(p, t->quarters), (t->quarters - 1) % QUARTERS);
	for (unsigned s = 0; t->spaces && s < SPACES; s++)
		for (unsigned i = 0; p->spaces[s].live && i < DIRECTORIES; i++)
			if (p->spaces[s].directory[i] == n)
				space_free(sh, s);
	while (t->users)
		region_drop(sh, &b, window_of_user(p, t->users), (t->users - 1) % MAX_REGIONS);
	batch_flush(sh, &b);
	sh->cpu->stats->tables_abandoned++;
}

/* Is the page written as memory is, not as a table? */
static bool looks_like_data(struct table *t, unsigned entry, unsigned len)
{
	t->run = entry == t->run_at ? t->run + 1 : 0;
	t->run_at = (uint16_t)(entry + 1);
	return len > 8 || ++t->writes > WRITES_MAX || t->run > RUN_MAX;
}

static void entries_written(struct shadow *sh, struct table *t, uint64_t at, unsigned len)
{
	unsigned first = (unsigned)(at & PAGE_MASK) / sh->paged.entry_bytes;
	unsigned last = (unsigned)((at & PAGE_MASK) + len - 1) / sh->paged.entry_bytes;

	sh->cpu->stats->table_writes++;
	if (looks_like_data(t, first, len) && !is_current_directory(sh, table_number(&sh->paged, t))) {
		abandon(sh, t);
		return;
	}
	for (unsigned i = first; i <= last; i++)
		note_written(sh, t, i);
}

/*
 * A table that has been retired is cleared, as a whole, to become one again, or something else: what is written next
 * tells. By code that looks entries are written before the table is used.
 */
static void retired_written(struct shadow *sh, struct table *t, uint64_t at, const uint8_t *data, unsigned len)
{
	bool cleared = data && len > 8 && all_zero(data, len);
	unsigned entry = (unsigned)(at & PAGE_MASK) / sh->paged.entry_bytes;

	if (!cleared && (data || looks_like_data(t, entry, len)))
		table_release_retired(sh, t->frame);
}

static void table_written(void *arg, gpa_t gpa, const uint8_t *data, unsigned len)
{
	struct shadow *sh = arg;
	struct table *t;
	uint64_t at;
	uint32_t n;

	if (!physmem_ram_offset(sh->pm, gpa, &at))
		return;
	n = sh->paged.table_of[at >> PAGE_SHIFT];
	if (!n || !memcmp(sh->pm->ram.host + at, data, len) || sets_accessed_dirty(sh, at, data, len))
		return;
	t = table(sh, n);
	if (!t->retired)
		entries_written(sh, t, at, len);
	if (t->retired)
		retired_written(sh, t, at, data, len);
}

void shadow_tables_stored(struct shadow *sh, const uint64_t *offsets, unsigned count)
{
	sh->cpu->stats->traced_writes += count;
	for (unsigned i = 0; i < count; i++) {
		uint32_t n = sh->paged.table_of[offsets[i] >> PAGE_SHIFT];
		unsigned len = STORED_BYTES - (unsigned)(offsets[i] % STORED_BYTES);
		if (n && table(sh, n)->retired)
			retired_written(sh, table(sh, n), offsets[i], NULL, len);
		else if (n) /* an earlier one of them may have shown that it is none */
			entries_written(sh, table(sh, n), offsets[i], len);
	}
}

/* --- life --- */

int tables_init(struct shadow *sh)
{
	struct paged *p = &sh->paged;
	void *tables =
	    mmap(NULL, TABLES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	p->tables = tables == MAP_FAILED ? NULL : tables;
	p->table_of = calloc(sh->pm->ram.size >> PAGE_SHIFT, sizeof(*p->table_of));
	p->ntables = 1; /* number 0 is none */
	track_subscribe(sh, TRACK_PAGE_TABLE, table_written, sh);
	return p->tables && p->table_of ? 0 : -ENOMEM;
}

void tables_destroy(struct shadow *sh)
{
	if (sh->paged.tables)
		munmap(sh->paged.tables, TABLES_BYTES);
	free(sh->paged.table_of);
}

static uint32_t new_table(struct shadow *sh, uint32_t frame)
{
	struct paged *p = &sh->paged;
	uint32_t n = p->free_tables;

	if (n)
		p->free_tables = table(sh, n)->next;
	else if (p->ntables < MAX_TABLES)
		n = p->ntables++;
	else
		return 0;
	*table(sh, n) = (struct table){.frame = frame};
	return n;
}

bool tables_room(const struct shadow *sh)
{
	return sh->paged.free_tables || sh->paged.ntables + DIRECTORIES < MAX_TABLES;
}

static void take_from_retired(struct shadow *sh, struct table *t)
{
	sh->paged.retired[t->retired - 1] = 0;
	t->retired = 0;
}

uint32_t table_at(struct shadow *sh, gpa_t gpa)
{
	struct paged *p = &sh->paged;
	uint64_t offset;
	uint32_t n;

	spaces_depend(sh, gpa);
	if (!physmem_ram_offset(sh->pm, gpa, &offset))
		return 0;
	n = p->table_of[offset >> PAGE_SHIFT];
	if (n && table(sh, n)->retired) {
		take_from_retired(sh, table(sh, n));
		table(sh, n)->writes = 0;
	}
	if (n)
		return n;
	n = new_table(sh, (uint32_t)(offset >> PAGE_SHIFT));
	if (!n)
		return 0;
	p->table_of[offset >> PAGE_SHIFT] = n;
	track_protect(sh, gpa, TRACK_PAGE_TABLE);
	sh->cpu->stats->tables++;
	return n;
}

void table_free(struct shadow *sh, struct table *t)
{
	t->next = sh->paged.free_tables;
	sh->paged.free_tables = table_number(&sh->paged, t);
}

static void release(struct shadow *sh, struct table *t)
{
	sh->paged.table_of[t->frame] = 0;
	track_release(sh, (uint64_t)t->frame << PAGE_SHIFT, TRACK_PAGE_TABLE);
	sh->cpu->stats->tables--;
	t->dead = true;
	if (!t->dirty)
		table_free(sh, t); /* else it is still in a list */
}

bool table_release_retired(struct shadow *sh, uint32_t frame)
{
	struct table *t = table(sh, sh->paged.table_of[frame]);

	if (!sh->paged.table_of[frame] || !t->retired)
		return false;
	take_from_retired(sh, t);
	release(sh, t);
	return true;
}

void tables_release_retired(struct shadow *sh)
{
	for (unsigned i = 0; i < RETIRED; i++)
		if (sh->paged.retired[i])
			table_release_retired(sh, table(sh, sh->paged.retired[i])->frame);
}

/* A guest that frees the page of a table makes a table of it again soon, mostly, and setting a trace costs as much as
 * dropping one. The last ones keep theirs. */
static void retire(struct shadow *sh, struct table *t)
{
	struct paged *p = &sh->paged;
	unsigned at = p->retired_at;

	p->retired_at = (at + 1) % RETIRED;
	if (p->retired[at])
		table_release_retired(sh, table(sh, p->retired[at])->frame);
	p->retired[at] = table_number(p, t);
	t->retired = (uint8_t)(at + 1);
	t->writes = t->run = 0;
	t->fickle = false;
}

void table_unused(struct shadow *sh, uint32_t n)
{
	struct table *t = table(sh, n);

	if (t->users || t->spaces)
		return;
	if (opt_on(sh->cpu->opt_off, OPT_RETIRE))
		retire(sh, t);
	else
		release(sh, t);
}

uint64_t table_entry(const struct shadow *sh, const struct table *t, unsigned i)
{
	return load_le(sh->pm->ram.host + ((uint64_t)t->frame << PAGE_SHIFT) + i * sh->paged.entry_bytes,
		       sh->paged.entry_bytes);
}

/* --- regions --- */

static uint32_t user_number(const struct shadow *sh, const struct window *w, unsigned r)
{
	return window_number(&sh->paged, w) * MAX_REGIONS + r + 1;
}

void region_link(struct shadow *sh, struct window *w, unsigned r, uint64_t entry, uint32_t n)
{
	struct region *region = &w->regions[r];
	uint32_t user = user_number(sh, w, r);

	region->entry = entry;
	w->linked[r / 64] |= BIT(r % 64);
	if (!n || region->table == n)
		return;
	region->table = n;
	region->prev = 0;
	region->next = table(sh, n)->users;
	if (region->next)
		region_of_user(&sh->paged, region->next)->prev = user;
	table(sh, n)->users = user;
}

static void unlink_region(struct shadow *sh, struct window *w, unsigned r)
{
	struct region *region = &w->regions[r];
	uint32_t n = region->table;

	region->entry = 0;
	w->linked[r / 64] &= ~BIT(r % 64);
	if (!n)
		return;
	if (region->prev)
		region_of_user(&sh->paged, region->prev)->next = region->next;
	else
		table(sh, n)->users = region->next;
	if (region->next)
		region_of_user(&sh->paged, region->next)->prev = region->prev;
	region->table = region->next = region->prev = 0;
	table_unused(sh, n);
}

void region_drop(struct shadow *sh, struct batch *b, struct window *w, unsigned r)
{
	unsigned shift = sh->paged.region_shift;

	if (w->regions[r].pages)
		window_drop(sh, b, w, (uint64_t)r << shift, 1ull << shift);
	unlink_region(sh, w, r);
}
