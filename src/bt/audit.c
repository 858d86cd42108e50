/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restates the invariants of README.md that concern blocks; under --audit, now and then. */
#include <inttypes.h>
#include <string.h>

#include "bt_internal.h"
#include "shadow/track.h"

static void check_traced(const struct bt *bt, const struct block *b)
{
	const uint8_t *watched = shadow_watched(bt->shadow);
	unsigned start = b->gpa & PAGE_MASK;

	for (unsigned n = 0; n < 2; n++)
		if (b->ram_page[n] != NO_PAGE)
			ASSERTF(bt->pm->traced[b->ram_page[n]] & TRACK_CODE,
				"BT-8: page %" PRIx32 " of block %" PRIx64 " is not traced", b->ram_page[n],
				block_linear(b, 0));
	for (unsigned at = start; at < start + b->guest_len; at++) {
		uint64_t page = b->ram_page[at / PAGE_SIZE], offset = (page << PAGE_SHIFT) + at % PAGE_SIZE;
		ASSERTF(page == NO_PAGE || offset >= 4 * GiB || watched[offset >> SHADOW_GRANULE_SHIFT],
			"BT-8: byte %u of block %" PRIx64 " is not watched", at - start, block_linear(b, 0));
	}
}

/* Where the jump at that offset of the block leads. */
static cache_pc_t jump_target(const struct bt *bt, const struct block *b, unsigned at)
{
	int32_t distance;

	memcpy(&distance, bt_writable(bt, b, at), sizeof(distance));
	return b->body + at + sizeof(distance) + (cache_pc_t)distance;
}

/* May the exit lead to that offset of a block? Behind its probes, what these find must be known: docs/isolation.md. */
static bool is_entry_for(const struct block *from, const struct bt_exit *x, const struct block *to, unsigned offset)
{
	bool same_pair = !memcmp(from->pair, to->pair, sizeof(to->pair)), delta = x->near >> from->pair[0] & 1;

	if (!same_pair)
		return !offset && !from->ending;
	if (offset == (from->ending ? to->inner : 0))
		return true;
	if (!to->near || from->chunk != to->chunk || (to->near & ~x->near))
		return false;
	return offset == to->probed || (delta && offset == to->map[0].host);
}

void bt_audit_link(const struct bt *bt, const struct bt_exit *x)
{
	const struct block *from = bt_block(bt, x->from), *to = bt_block(bt, x->to);
	cache_pc_t at = jump_target(bt, from, x->patch);

	if (from->ending && at == from->body + x->stub) {
		ASSERTF(jump_target(bt, from, x->stub + from->ending + 1u) == to->body,
			"BT-9: a stub of block %" PRIx64 " does not lead to the beginning of %" PRIx64,
			block_linear(from, 0), block_linear(to, 0));
		return;
	}
	ASSERTF(is_entry_for(from, x, to, (unsigned)(at - to->body)),
		"BT-9: a link from block %" PRIx64 " enters %" PRIx64 " where it may not", block_linear(from, 0),
		block_linear(to, 0));
}

static void check_links(const struct bt *bt, const struct block *b)
{
	gva_t linear = block_linear(b, 0);

	for (unsigned i = 0; i < b->nexits; i++) {
		const struct bt_exit *x = &bt_exits(bt, b)[i], *in;
		const struct block *to = bt_block(bt, x->to);
		if (!to)
			continue;
		ASSERTF(to->valid && to->ctx == b->ctx && to->eip == bt_exit_target(bt, x),
			"BT-9: exit %u of block %" PRIx64 " leads to %" PRIx64, i, linear, block_linear(to, 0));
		bt_audit_link(bt, x);
		if (to->page != b->page)
			bt_audit_cross(bt, b, to);
		ASSERTF(!(b->ctx->key.flags & CTX_PAGED) || !bt_crosses(to),
			"BT-9: exit %u of block %" PRIx64 " leads to one that crosses pages", i, linear);
		for (in = bt_exit(bt, to->incoming); in && in != x; in = bt_exit(bt, in->next_from))
			;
		ASSERTF(in, "BT-9: block %" PRIx64 " does not know of exit %u of %" PRIx64, block_linear(to, 0), i,
			linear);
	}
	for (const struct bt_exit *x = bt_exit(bt, b->incoming); x; x = bt_exit(bt, x->next_from))
		ASSERTF(bt_block(bt, x->to) == b && bt_block(bt, x->from)->valid,
			"BT-9: block %" PRIx64 " has an exit of %" PRIx64 " that does not lead to it", linear,
			block_linear(bt_block(bt, x->from), 0));
}

enum { PIECE_ENTRIES = PAGE_SIZE / sizeof(uint32_t) };

static void check_entries(const struct bt *bt, const struct context *c, const uint32_t *entries, uint32_t piece)
{
	for (uint32_t n = 0; n < PIECE_ENTRIES; n++) {
		uint32_t eip = piece * PIECE_ENTRIES + n;
		cache_pc_t to = bt_indirect_origin(bt, c) + entries[eip];
		const struct block *b = bt_find_host(bt, to);
		if (entries[eip] && entries[eip] != c->miss)
			ASSERTF(b && b->valid && b->indirect == to && (uint32_t)b->eip == eip && b->ctx == c,
				"BT-10: entry %x of context %u", eip, c->id);
	}
}

static void check_table(const struct bt *bt, const struct context *c, const struct indirect_table *t)
{
	unsigned pieces = 0;

	if (!t->entries)
		return;
	for (unsigned i = 0; i < t->held_pieces; i++) {
		uint32_t piece = t->list[i];
		ASSERTF(t->held[piece / 64] >> (piece % 64) & 1, "BT-10: piece %x of context %u", piece, c->id);
		if (!(t->used[piece / 64] >> (piece % 64) & 1))
			continue;
		check_entries(bt, c, t->entries, piece);
		pieces++;
	}
	ASSERTF(pieces == t->pieces, "BT-10: context %u has a table of %u pieces, not %u", c->id, pieces, t->pieces);
}

static void check_breakpoints(const struct bt *bt, const struct block *b)
{
	uint16_t last = b->map[b->ninsns - 1].guest;
	gva_t linear = block_linear(b, 0);
	bool breaks = false;

	for (unsigned i = 0; i < b->nexits; i++) {
		if (bt_exits(bt, b)[i].kind != EXIT_BREAK)
			continue;
		breaks = true;
		ASSERTF(bt_exits(bt, b)[i].distance == last && bt_is_breakpoint(bt, block_linear(b, last)),
			"BT-11: block %" PRIx64 " breaks at its byte %d, where no breakpoint is", linear,
			bt_exits(bt, b)[i].distance);
	}
	if (!bt_breakpoint_within(bt, linear, b->guest_len))
		return;
	for (unsigned i = 0; i < b->ninsns; i++)
		ASSERTF(!bt_is_breakpoint(bt, block_linear(b, b->map[i].guest)) || (breaks && b->map[i].guest == last),
			"BT-11: block %" PRIx64 " runs over the breakpoint at its byte %u", linear, b->map[i].guest);
}

void bt_audit(struct bt *bt)
{
	for (struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b)) {
		if (!b->valid)
			continue;
		/* What is not in memory (ROM is) has no source to compare with. */
		if (b->ram_page[0] != NO_PAGE) {
			ASSERTF(bt_source_matches(bt, b), "BT-7: block %" PRIx64 " is not what stands in memory",
				block_linear(b, 0));
			check_traced(bt, b);
		}
		check_links(bt, b);
		check_breakpoints(bt, b);
	}
	bt_audit_pages(bt);
	for (unsigned c = 0; c < bt->ncontexts; c++)
		for (unsigned s = 0; s < SHADOW_SPACES; s++)
			check_table(bt, &bt->contexts[c], &bt->contexts[c].tables[s]);
}
