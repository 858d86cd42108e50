/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of indirect branch targets, by all bits of the EIP: what stands there needs no check where it leads (64-bit
 * code: by the low 32 bits of RIP, and blocks check for themselves that the others are theirs). A context
 * of user mode has one for each address space, so that they outlive switches between these; what is in one holds until
 * the shadow reports that a linear page leads elsewhere.
 *
 * What a table has for 32-bit code is where to jump to, so that nothing is added to it: the miss stub, where no block
 * is. A span that is used is therefore a private mapping of a file of nothing else. A jump by any other is one to
 * address 0, which signal.c takes for the same.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bt_internal.h"

enum {
	MAX_TABLES = 128,
	MAX_PAGES = 4096, /* held by all tables: 16 MiB */
	FEW_PAGES = MAX_PAGES * 3 / 4,
	PIECE_SHIFT = 10, /* a piece: the EIPs whose entries take one page of memory */
	PAGE_PIECES = PAGE_SIZE >> PIECE_SHIFT,
	EIP_PIECES = 1 << (32 - PIECE_SHIFT),
	SPAN_SHIFT = 19, /* a span: those whose entries take one page table of the host's */
	SPAN_PAGES = 3,	 /* which that is, and what notes its pieces */
};

#define ENTRIES_BYTES (INDIRECT_ENTRIES * sizeof(uint32_t))
#define USED_BYTES    (EIP_PIECES / 8)
#define SPANS_BYTES   ((1u << (32 - SPAN_SHIFT)) / 8)
#define TABLE_BYTES   (ENTRIES_BYTES + 2 * USED_BYTES + MAX_PAGES * sizeof(uint32_t) + SPANS_BYTES)
#define PIECE_BYTES   (sizeof(uint32_t) << PIECE_SHIFT)
#define SPAN_BYTES    (sizeof(uint32_t) << SPAN_SHIFT)

_Static_assert(PIECE_BYTES == PAGE_SIZE && 64 % PAGE_PIECES == 0, "used");
_Static_assert(sizeof(((struct bt *)0)->miss_spans) == SPANS_BYTES, "miss_spans");

static unsigned space_of(const struct bt *bt, const struct context *c)
{
	return context_user(c) ? bt->space : SHADOW_SUPERVISOR;
}

static void *reserve(int prot, size_t bytes)
{
	void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* As it was reserved, without memory. madvise() alone would leave the host's page tables, of which a guest that jumps
 * to all addresses makes gigabytes. */
static void renew(void *at, size_t bytes, int prot)
{
	if (mmap(at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		madvise(at, bytes, MADV_DONTNEED); /* no room for another mapping */
}

/* The file: a descriptor, or a negative errno. */
static int make_miss_span(struct bt *bt)
{
	int fd = memfd_create("gnomon-no-targets", MFD_CLOEXEC);
	uint32_t *entries;

	if (fd < 0)
		return -errno;
	entries = ftruncate(fd, SPAN_BYTES) < 0 ? MAP_FAILED
						: mmap(NULL, SPAN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (entries == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	madvise(entries, SPAN_BYTES, MADV_POPULATE_WRITE);
	for (size_t i = 0; i < SPAN_BYTES / sizeof(*entries); i++)
		entries[i] = (uint32_t)bt->stubs.indirect_miss;
	munmap(entries, SPAN_BYTES);
	return fd;
}

int bt_indirect_init(struct bt *bt)
{
	bt->miss_table = reserve(PROT_READ, ENTRIES_BYTES);
	bt->miss_span = make_miss_span(bt);
	return !bt->miss_table ? -ENOMEM : MIN(bt->miss_span, 0);
}

void bt_indirect_select(struct bt *bt, struct context *c)
{
	uint32_t *entries = c->tables[space_of(bt, c)].entries;

	c->indirect = entries ? entries : bt->miss_table;
}

static void free_tables(struct bt *bt)
{
	for (unsigned i = 0; i < MAX_CONTEXTS; i++) {
		struct context *c = &bt->contexts[i];
		for (unsigned s = 0; s < SHADOW_SPACES; s++)
			if (c->tables[s].entries)
				munmap(c->tables[s].entries, TABLE_BYTES);
		memset(c->tables, 0, sizeof(c->tables));
		c->indirect = bt->miss_table;
	}
	bt->ntables = 0;
	bt->table_pages = bt->held_miss_spans * SPAN_PAGES;
}

void bt_indirect_destroy(struct bt *bt)
{
	free_tables(bt);
	if (bt->miss_table)
		munmap(bt->miss_table, ENTRIES_BYTES);
	if (bt->miss_span > 0)
		close(bt->miss_span);
}

/* The table of the context in the present address space; NULL: it goes on without. */
static struct indirect_table *present_table(struct bt *bt, struct context *c)
{
	struct indirect_table *t = &c->tables[space_of(bt, c)];

	if (t->entries)
		return t;
	if (bt->ntables == MAX_TABLES)
		free_tables(bt);
	t->entries = reserve(PROT_READ | PROT_WRITE, TABLE_BYTES);
	if (!t->entries)
		return NULL;
	memory_is_sparse(t->entries, TABLE_BYTES);
	t->used = (uint64_t *)(t->entries + INDIRECT_ENTRIES);
	t->held = t->used + USED_BYTES / sizeof(*t->used);
	t->list = (uint32_t *)(t->held + USED_BYTES / sizeof(*t->held));
	t->spans = (uint64_t *)(t->list + MAX_PAGES);
	t->pieces = t->held_pieces = t->held_spans = 0;
	bt->ntables++;
	c->indirect = t->entries;
	return t;
}

static bool has(const uint64_t *bits, uint32_t piece)
{
	return bits[piece / 64] >> (piece % 64) & 1;
}

static bool eip_used(const struct indirect_table *t, uint32_t eip)
{
	return has(t->used, eip >> PIECE_SHIFT);
}

/* The pieces of the EIP's page that are used, in the lowest bits. */
static unsigned page_used(const struct indirect_table *t, uint32_t eip)
{
	uint32_t first = eip >> PAGE_SHIFT << (PAGE_SHIFT - PIECE_SHIFT);

	return (unsigned)(t->used[first / 64] >> (first % 64)) & ((1u << PAGE_PIECES) - 1);
}

/* Its memory stays: another process will want it. */
static void forget_piece(const struct context *c, struct indirect_table *t, uint32_t piece)
{
	uint32_t *entries = t->entries + ((size_t)piece << PIECE_SHIFT);

	for (unsigned i = 0; i < 1u << PIECE_SHIFT; i++)
		entries[i] = c->miss;
	t->used[piece / 64] &= ~BIT(piece % 64);
	t->pieces--;
}

static void forget_all(const struct context *c, struct indirect_table *t)
{
	for (unsigned i = 0; t->pieces && i < t->held_pieces; i++)
		if (has(t->used, t->list[i]))
			forget_piece(c, t, t->list[i]);
}

static void give_back(struct bt *bt, struct indirect_table *t)
{
	if (t->held_spans) {
		renew(t->entries, TABLE_BYTES, PROT_READ | PROT_WRITE);
		memory_is_sparse(t->entries, TABLE_BYTES);
	}
	bt->table_pages -= t->held_pieces + t->held_spans * SPAN_PAGES;
	t->pieces = t->held_pieces = t->held_spans = 0;
}

static void give_back_misses(struct bt *bt)
{
	renew(bt->miss_table, ENTRIES_BYTES, PROT_READ);
	memset(bt->miss_spans, 0, sizeof(bt->miss_spans));
	bt->table_pages -= bt->held_miss_spans * SPAN_PAGES;
	bt->held_miss_spans = 0;
}

void bt_indirect_reset(struct bt *bt)
{
	for (unsigned i = 0; i < MAX_CONTEXTS; i++) {
		struct context *c = &bt->contexts[i];
		for (unsigned s = 0; s < SHADOW_SPACES; s++)
			if (c->tables[s].entries)
				give_back(bt, &c->tables[s]);
		c->fills.count = 0;
	}
}

/* Is the code's way from linear to physical addresses such that its loss will be reported? */
static bool tracked(struct bt *bt, const struct block *b)
{
	bool user = context_user(b->ctx);

	return shadow_fetched(bt->shadow, block_linear(b, 0), b->gpa, user) &&
	       (!bt_crosses(b) || shadow_fetched(bt->shadow, block_linear(b, b->guest_len - 1u), b->next_page, user));
}

/* Memory of pieces that nothing is in. */
static void give_back_unused(struct bt *bt, struct indirect_table *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->held_pieces; i++) {
		uint32_t piece = t->list[i];
		if (has(t->used, piece)) {
			t->list[n++] = piece;
			continue;
		}
		madvise(t->entries + ((size_t)piece << PIECE_SHIFT), PIECE_BYTES, MADV_DONTNEED);
		t->held[piece / 64] &= ~BIT(piece % 64);
	}
	bt->table_pages -= t->held_pieces - n;
	t->held_pieces = n;
}

/* There is much: what goes is what nothing is in. If that is not worth it, all does. */
static void make_room(struct bt *bt)
{
	for (unsigned i = 0; i < bt->ncontexts; i++)
		for (unsigned s = 0; s < SHADOW_SPACES; s++) {
			struct indirect_table *t = &bt->contexts[i].tables[s];
			if (t->entries && t->pieces)
				give_back_unused(bt, t);
			else if (t->entries)
				give_back(bt, t);
		}
	give_back_misses(bt);
	if (bt->table_pages > FEW_PAGES)
		bt_indirect_reset(bt);
}

/* For a piece and its span. */
static void see_to_room(struct bt *bt)
{
	if (bt->table_pages + 1 + SPAN_PAGES > MAX_PAGES)
		make_room(bt);
}

/* The host needs a page table for what is read and written there. False: it is there already. */
static bool use_span(struct bt *bt, uint64_t *spans, unsigned *held, uint32_t span)
{
	if (has(spans, span))
		return false;
	spans[span / 64] |= BIT(span % 64);
	++*held;
	bt->table_pages += SPAN_PAGES;
	return true;
}

static void use_table_span(struct bt *bt, const struct context *c, struct indirect_table *t, uint32_t eip)
{
	uint32_t span = eip >> SPAN_SHIFT;

	/* Where there is no room for another mapping, misses remain signals. */
	if (use_span(bt, t->spans, &t->held_spans, span) && c->miss)
		mmap(t->entries + ((size_t)span << SPAN_SHIFT), SPAN_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, bt->miss_span, 0);
}

void bt_indirect_missed(struct bt *bt, struct context *c, guest_pc_t eip)
{
	struct indirect_table *t = &c->tables[space_of(bt, c)];

	see_to_room(bt);
	if (t->entries)
		use_table_span(bt, c, t, (uint32_t)eip);
	else
		use_span(bt, bt->miss_spans, &bt->held_miss_spans, (uint32_t)eip >> SPAN_SHIFT);
}

static void use_piece(struct bt *bt, const struct context *c, struct indirect_table *t, uint32_t eip)
{
	uint32_t piece = eip >> PIECE_SHIFT;

	if (has(t->used, piece))
		return;
	see_to_room(bt);
	use_table_span(bt, c, t, eip);
	if (!has(t->held, piece)) {
		t->held[piece / 64] |= BIT(piece % 64);
		t->list[t->held_pieces++] = piece;
		bt->table_pages++;
		if (bt->pm->large) /* the fault would cost more: large.h */
			madvise(t->entries + ((size_t)piece << PIECE_SHIFT), PIECE_BYTES, MADV_POPULATE_WRITE);
	}
	t->used[piece / 64] |= BIT(piece % 64);
	t->pieces++;
}

void bt_indirect_fill(struct bt *bt, struct block *b)
{
	struct context *c = b->ctx;
	bool noted = !(c->key.flags & CTX_PAGED) || tracked(bt, b); /* which may forget others */
	struct indirect_table *t = present_table(bt, c);

	if (!t)
		return;
	if (shadow_space(bt->shadow, true) != bt->space) /* the shadow has made room, and numbered them anew */
		return;
	use_piece(bt, c, t, (uint32_t)b->eip);
	t->entries[(uint32_t)b->eip] = bt_indirect_entry(bt, b);
	bt->stats->indirect_fills++;
	if (noted)
		return;
	if (c->fills.count < MAX_FILLS)
		c->fills.at[c->fills.count] = (uint32_t)b->eip;
	c->fills.count++;
	bt->fills_noted = true;
}

static void forget_eip(const struct context *c, struct indirect_table *t, uint32_t eip)
{
	if (eip_used(t, eip))
		t->entries[eip] = c->miss;
}

void bt_indirect_remove(struct bt *bt, const struct block *b)
{
	for (unsigned s = 0; s < SHADOW_SPACES; s++) {
		struct indirect_table *t = &b->ctx->tables[s];
		if (t->entries && eip_used(t, (uint32_t)b->eip) &&
		    t->entries[(uint32_t)b->eip] == bt_indirect_entry(bt, b))
			forget_eip(b->ctx, t, (uint32_t)b->eip);
	}
}

/* Those whose EIP is on one page, or that cross into it. */
static void forget_page(const struct context *c, struct indirect_table *t, uint32_t linear)
{
	for (uint32_t n = 1; n < INSN_MAX_BYTES; n++)
		forget_eip(c, t, linear - n);
	for (unsigned used = page_used(t, linear); used; used &= used - 1)
		forget_piece(c, t, (linear >> PIECE_SHIFT) + (unsigned)__builtin_ctz(used));
}

void bt_indirect_lost(void *arg, unsigned space, gva_t linear, uint64_t len)
{
	struct bt *bt = arg;

	bt_pages_lost(bt, space, linear, len);
	for (unsigned i = 0; i < bt->ncontexts; i++) {
		struct context *c = &bt->contexts[i];
		struct indirect_table *t = &c->tables[space];
		if (!(c->key.flags & CTX_PAGED) || context_user(c) == (space == SHADOW_SUPERVISOR) || !t->entries)
			continue;
		/* CS bases are 0, but for oddities. */
		if (len > FORGET_PAGES * PAGE_SIZE || c->key.cs_base) {
			forget_all(c, t);
			continue;
		}
		for (uint64_t at = 0; at < len; at += PAGE_SIZE)
			forget_page(c, t, (uint32_t)(linear + at) & ~(uint32_t)PAGE_MASK);
	}
}

struct block *bt_indirect_lasting(const struct bt *bt, const struct context *c, guest_pc_t eip)
{
	const struct indirect_table *t = &c->tables[space_of(bt, c)];
	uint32_t entry = t->entries && eip_used(t, (uint32_t)eip) ? t->entries[(uint32_t)eip] : c->miss;
	struct block *b;

	if (!entry || entry == c->miss || c->fills.count > MAX_FILLS)
		return NULL;
	for (unsigned n = 0; n < c->fills.count; n++)
		if (c->fills.at[n] == (uint32_t)eip)
			return NULL;
	b = bt_find_host(bt, bt_indirect_origin(bt, c) + entry);
	return b && b->valid && b->ctx == c && b->eip == eip ? b : NULL;
}

bool bt_indirect_uses(const struct bt *bt, gva_t page)
{
	for (unsigned i = 0; i < bt->ncontexts; i++) {
		const struct indirect_table *t = &bt->contexts[i].tables[bt->space];
		if (context_user(&bt->contexts[i]) && t->entries && page_used(t, (uint32_t)page))
			return true;
	}
	return false;
}

void bt_indirect_claim(struct bt *bt, gva_t page)
{
	for (unsigned i = 0; i < bt->ncontexts; i++) {
		struct context *c = &bt->contexts[i];
		for (unsigned s = 0; s < SHADOW_SPACES && context_user(c); s++)
			if (s != bt->space && c->tables[s].entries)
				forget_page(c, &c->tables[s], (uint32_t)page);
	}
}

/* Entries of code whose loss is not reported. They are in the table of the space that was left. */
static void forget_fills(struct bt *bt, struct context *c)
{
	struct indirect_table *t = &c->tables[space_of(bt, c)];

	if (t->entries && c->fills.count > MAX_FILLS)
		forget_all(c, t);
	else if (t->entries)
		for (unsigned n = 0; n < c->fills.count; n++)
			forget_eip(c, t, c->fills.at[n]);
	c->fills.count = 0;
}

void bt_indirect_event(struct bt *bt)
{
	unsigned space = shadow_space(bt->shadow, true);

	for (unsigned i = 0; bt->fills_noted && i < bt->ncontexts; i++)
		if (bt->contexts[i].fills.count)
			forget_fills(bt, &bt->contexts[i]);
	bt->fills_noted = false;
	if (space == bt->space)
		return;
	bt->space = space;
	for (unsigned i = 0; i < bt->ncontexts; i++)
		if (context_user(&bt->contexts[i])) /* all others have one table */
			bt_indirect_select(bt, &bt->contexts[i]);
}
