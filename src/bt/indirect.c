/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of indirect branch targets. A context of user mode has one for each address space, so that they outlive
 * switches between these; what is in one holds until the shadow reports that a linear page leads elsewhere.
 */
#include <string.h>
#include <sys/mman.h>

#include "bt_internal.h"

enum {
	CHUNKS = INDIRECT_ENTRIES / PAGE_SIZE, /* by bits 15:12 of the EIP */
	MAX_TABLES = 256,
	FORGET_PAGES = 64, /* more than that at once: the whole table */
};

#define INDIRECT_BYTES (INDIRECT_ENTRIES * sizeof(cache_pc_t))
#define CHUNK_BYTES    (PAGE_SIZE * sizeof(cache_pc_t))

static bool is_user(const struct context *c)
{
	return (c->key.flags & CTX_PAGED) && (c->key.flags & CTX_CPL3);
}

static unsigned space_of(const struct bt *bt, const struct context *c)
{
	return is_user(c) ? bt->space : SHADOW_SUPERVISOR;
}

void bt_indirect_select(struct bt *bt, struct context *c)
{
	cache_pc_t *entries = c->tables[space_of(bt, c)].entries;

	c->indirect = entries ? entries : bt->miss_table;
}

static void free_tables(struct bt *bt)
{
	for (unsigned i = 0; i < MAX_CONTEXTS; i++) {
		struct context *c = &bt->contexts[i];
		for (unsigned s = 0; s < SHADOW_SPACES; s++)
			if (c->tables[s].entries)
				munmap(c->tables[s].entries, INDIRECT_BYTES);
		memset(c->tables, 0, sizeof(c->tables));
		c->indirect = bt->miss_table;
	}
	bt->cpu->bt_indirect = bt->miss_table;
	bt->ntables = 0;
}

void bt_indirect_destroy(struct bt *bt)
{
	free_tables(bt);
}

/* The table of the context in the present address space; NULL: it goes on without. */
static struct indirect_table *present_table(struct bt *bt, struct context *c)
{
	struct indirect_table *t = &c->tables[space_of(bt, c)];

	if (t->entries)
		return t;
	if (bt->ntables == MAX_TABLES)
		free_tables(bt);
	t->entries = mmap(NULL, INDIRECT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->entries == MAP_FAILED) {
		t->entries = NULL;
		return NULL;
	}
	memcpy(t->entries, bt->miss_table, INDIRECT_BYTES);
	t->used = 0;
	bt->ntables++;
	c->indirect = t->entries;
	return t;
}

static void forget_all(struct bt *bt, struct indirect_table *t)
{
	for (unsigned i = 0; i < CHUNKS; i++)
		if (t->used >> i & 1)
			memcpy(t->entries + i * PAGE_SIZE, bt->miss_table, CHUNK_BYTES);
	t->used = 0;
}

void bt_indirect_reset(struct bt *bt)
{
	for (unsigned i = 0; i < MAX_CONTEXTS; i++) {
		struct context *c = &bt->contexts[i];
		for (unsigned s = 0; s < SHADOW_SPACES; s++)
			if (c->tables[s].entries)
				forget_all(bt, &c->tables[s]);
		c->fills.count = 0;
	}
}

/* Is the code's way from linear to physical addresses such that its loss will be reported? */
static bool tracked(struct bt *bt, const struct block *b)
{
	bool user = is_user(b->ctx);

	return shadow_fetched(bt->shadow, b->linear, b->gpa, user) &&
	       (!bt_crosses(b) ||
		shadow_fetched(bt->shadow, (uint32_t)(b->linear + b->guest_len - 1), b->next_page, user));
}

void bt_indirect_fill(struct bt *bt, struct block *b)
{
	unsigned n = b->eip % INDIRECT_ENTRIES;
	struct context *c = b->ctx;
	bool noted = !(c->key.flags & CTX_PAGED) || tracked(bt, b); /* which may forget others */
	struct indirect_table *t = present_table(bt, c);

	if (!t)
		return;
	t->entries[n] = b->indirect;
	t->used |= (uint16_t)BIT(n / PAGE_SIZE);
	bt->stats->indirect_fills++;
	if (noted)
		return;
	if (c->fills.count < MAX_FILLS)
		c->fills.at[c->fills.count] = (uint16_t)n;
	c->fills.count++;
}

void bt_indirect_remove(struct bt *bt, const struct block *b)
{
	unsigned n = b->eip % INDIRECT_ENTRIES;

	for (unsigned s = 0; s < SHADOW_SPACES; s++) {
		struct indirect_table *t = &b->ctx->tables[s];
		if (t->entries && t->entries[n] == b->indirect)
			t->entries[n] = bt->stubs.indirect_miss;
	}
}

/* The entries that code on one page may have: those whose EIP has the page's bits 15:12, or that cross into it. */
static void forget_page(struct bt *bt, struct indirect_table *t, uint32_t linear)
{
	unsigned first = linear & (INDIRECT_ENTRIES - 1) & ~(unsigned)PAGE_MASK;

	if (t->used >> (first / PAGE_SIZE) & 1)
		memcpy(t->entries + first, bt->miss_table, CHUNK_BYTES);
	t->used &= (uint16_t)~BIT(first / PAGE_SIZE);
	for (unsigned n = 1; n < INSN_MAX_BYTES; n++)
		t->entries[(first - n) % INDIRECT_ENTRIES] = bt->stubs.indirect_miss;
}

void bt_indirect_lost(void *arg, unsigned space, gva_t linear, uint64_t len)
{
	struct bt *bt = arg;

	for (unsigned i = 0; i < bt->ncontexts; i++) {
		struct context *c = &bt->contexts[i];
		struct indirect_table *t = &c->tables[space];
		if (!(c->key.flags & CTX_PAGED) || is_user(c) == (space == SHADOW_SUPERVISOR) || !t->entries)
			continue;
		/* CS bases are 0, but for oddities. */
		if (len > FORGET_PAGES * PAGE_SIZE || c->key.cs_base) {
			forget_all(bt, t);
			continue;
		}
		for (uint64_t at = 0; at < len; at += PAGE_SIZE)
			forget_page(bt, t, (uint32_t)(linear + at));
	}
}

/* Entries of code whose loss is not reported. They are in the table of the space that was left. */
static void forget_fills(struct bt *bt, struct context *c)
{
	if (c->fills.count > MAX_FILLS)
		forget_all(bt, &c->tables[space_of(bt, c)]);
	else
		for (unsigned n = 0; n < c->fills.count; n++)
			c->indirect[c->fills.at[n]] = bt->stubs.indirect_miss;
	c->fills.count = 0;
}

void bt_indirect_event(struct bt *bt)
{
	unsigned space = shadow_space(bt->shadow, true);

	for (unsigned i = 0; i < bt->ncontexts; i++)
		if (bt->contexts[i].fills.count)
			forget_fills(bt, &bt->contexts[i]);
	if (space == bt->space)
		return;
	bt->space = space;
	for (unsigned i = 0; i < bt->ncontexts; i++)
		bt_indirect_select(bt, &bt->contexts[i]);
}
