/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restates the invariants of README.md that concern blocks; under --audit, now and then. */
#include "bt_internal.h"
#include "shadow/track.h"

static void check_traced(const struct bt *bt, const struct block *b)
{
	const uint8_t *watched = shadow_watched(bt->shadow);
	unsigned start = b->gpa & PAGE_MASK;

	for (unsigned n = 0; n < 2; n++)
		if (b->ram_page[n] != NO_PAGE)
			ASSERTF(bt->pm->traced[b->ram_page[n]] & TRACK_CODE,
				"BT-8: page %llx of block %x is not traced", (unsigned long long)b->ram_page[n],
				b->linear);
	for (unsigned at = start; at < start + b->guest_len; at++) {
		uint64_t page = b->ram_page[at / PAGE_SIZE], offset = (page << PAGE_SHIFT) + at % PAGE_SIZE;
		ASSERTF(page == NO_PAGE || offset >= 4 * GiB || watched[offset >> SHADOW_GRANULE_SHIFT],
			"BT-8: byte %u of block %x is not watched", at - start, b->linear);
	}
}

static void check_links(const struct bt *bt, const struct block *b)
{
	for (unsigned i = 0; i < b->nexits; i++) {
		const struct bt_exit *x = &b->exits[i], *in;
		if (!x->to)
			continue;
		ASSERTF(x->to->valid && x->to->ctx == b->ctx && x->to->eip == x->target,
			"BT-9: exit %u of block %x leads to %x", i, b->linear, x->to->linear);
		ASSERTF(!(b->ctx->key.flags & CTX_PAGED) || (x->to->gpa ^ b->gpa) >> PAGE_SHIFT == 0,
			"BT-9: exit %u of block %x leads to another page", i, b->linear);
		ASSERTF(!(b->ctx->key.flags & CTX_PAGED) || !bt_crosses(x->to),
			"BT-9: exit %u of block %x leads to one that crosses pages", i, b->linear);
		for (in = x->to->incoming; in && in != x; in = in->next_incoming)
			;
		ASSERTF(in, "BT-9: block %x does not know of exit %u of %x", x->to->linear, i, b->linear);
	}
	for (const struct bt_exit *x = b->incoming; x; x = x->next_incoming)
		ASSERTF(x->to == b && x->from->valid, "BT-9: block %x has an exit of %x that does not lead to it",
			b->linear, x->from->linear);
	(void)bt;
}

static void check_entries(const struct bt *bt, const struct context *c, const uint32_t *entries, uint32_t page)
{
	for (uint32_t eip = page << PAGE_SHIFT; eip >> PAGE_SHIFT == page; eip++) {
		cache_pc_t to = bt->stubs.indirect_miss + entries[eip];
		const struct block *b = entries[eip] ? bt_find_host(bt, to) : NULL;
		if (entries[eip])
			ASSERTF(b && b->valid && b->indirect == to && b->eip == eip && b->ctx == c,
				"BT-10: entry %x of context %u", eip, c->id);
	}
}

static void check_table(const struct bt *bt, const struct context *c, const struct indirect_table *t)
{
	unsigned pages = 0;

	if (!t->entries)
		return;
	for (uint32_t n = 0; n < INDIRECT_ENTRIES / PAGE_SIZE / 64; n++)
		for (uint64_t used = t->used[n]; used; used &= used - 1, pages++)
			check_entries(bt, c, t->entries, n * 64 + (uint32_t)__builtin_ctzll(used));
	ASSERTF(pages == t->pages, "BT-10: context %u has a table of %u pages, not %u", c->id, pages, t->pages);
}

static void check_breakpoints(const struct bt *bt, const struct block *b)
{
	uint16_t last = b->map[b->ninsns - 1].guest;
	bool breaks = false;

	for (unsigned i = 0; i < b->nexits; i++) {
		if (b->exits[i].kind != EXIT_BREAK)
			continue;
		breaks = true;
		ASSERTF(b->exits[i].target == b->eip + last && bt_is_breakpoint(bt, (uint32_t)(b->linear + last)),
			"BT-11: block %x breaks at %x, where no breakpoint is", b->linear, b->exits[i].target);
	}
	if (!bt_breakpoint_within(bt, b->linear, b->guest_len))
		return;
	for (unsigned i = 0; i < b->ninsns; i++)
		ASSERTF(!bt_is_breakpoint(bt, (uint32_t)(b->linear + b->map[i].guest)) ||
			    (breaks && b->map[i].guest == last),
			"BT-11: block %x runs over the breakpoint at its byte %u", b->linear, b->map[i].guest);
}

void bt_audit(struct bt *bt)
{
	for (unsigned i = 0; i < bt->nblocks; i++) {
		struct block *b = &bt->blocks[i];
		if (!b->valid)
			continue;
		/* What is not in memory (ROM is) has no source to compare with. */
		if (b->ram_page[0] != NO_PAGE) {
			ASSERTF(bt_source_matches(bt, b), "BT-7: block %x is not what stands in memory", b->linear);
			check_traced(bt, b);
		}
		check_links(bt, b);
		check_breakpoints(bt, b);
	}
	for (unsigned c = 0; c < bt->ncontexts; c++)
		for (unsigned s = 0; s < SHADOW_SPACES; s++)
			check_table(bt, &bt->contexts[c], &bt->contexts[c].tables[s]);
}
