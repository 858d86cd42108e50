/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The translation cache: lookup, links, invalidation. */
#include <inttypes.h>
#include <string.h>

#include "bt_profile_internal.h"
#include "shadow/track.h"
#include "trace.h"

/* What is on a page is close together: it is looked for, and copied, together. */
static unsigned bucket(const struct context *ctx, guest_pc_t eip, gpa_t gpa)
{
	guest_pc_t page = eip >> PAGE_SHIFT;
	uint32_t h = ((uint32_t)(page ^ page >> 32) ^ (uint32_t)ctx->id * 0x9e3779b9u ^
		      (uint32_t)(gpa >> PAGE_SHIFT) * 0xc2b2ae35u) *
		     0x85ebca6bu;
	return h >> (32 - HASH_BITS + HASH_PAGE_BITS) << HASH_PAGE_BITS | bt_hash_in_page(eip);
}

/* Under paging the second page may be another one by now. */
static bool next_page_matches(struct bt *bt, const struct block *b)
{
	gpa_t next;

	return LIKELY(!bt_may_cross(block_linear(b, 0))) || !(b->ctx->key.flags & CTX_PAGED) || !bt_crosses(b) ||
	       (bt_next_page(bt, block_linear(b, 0), &next) && next == b->next_page);
}

struct block *bt_lookup(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa)
{
	bt->stats->dispatcher_lookups++;
	return bt_peek(bt, ctx, eip, gpa);
}

struct block *bt_peek(struct bt *bt, const struct context *ctx, guest_pc_t eip, gpa_t gpa)
{
	for (struct block *b = bt_block(bt, bt->hash[bucket(ctx, eip, gpa)]); b; b = bt_block(bt, b->hash_next))
		if (b->ctx == ctx && b->eip == eip && b->gpa == gpa && next_page_matches(bt, b))
			return b;
	return NULL;
}

static void add_to_page(struct bt *bt, struct block *b, unsigned which, gpa_t gpa)
{
	uint64_t offset;

	b->ram_page[which] = NO_PAGE;
	if (!physmem_ram_offset(bt->pm, gpa, &offset))
		return;
	b->ram_page[which] = (uint32_t)(offset >> PAGE_SHIFT);
	b->page_next[which] = bt->page_blocks[b->ram_page[which]];
	bt->page_blocks[b->ram_page[which]] = bt_block_number(bt, b);
	track_protect(bt->shadow, gpa, TRACK_CODE);
}

/* The block's bytes in RAM, as far as they are in RAM. */
static void watch(struct bt *bt, const struct block *b, bool on)
{
	unsigned start = b->gpa & PAGE_MASK, first = MIN((unsigned)b->guest_len, (unsigned)PAGE_SIZE - start);

	if (b->ram_page[0] != NO_PAGE)
		track_watch(bt->shadow, ((uint64_t)b->ram_page[0] << PAGE_SHIFT) + start, first, on);
	if (b->ram_page[1] != NO_PAGE)
		track_watch(bt->shadow, (uint64_t)b->ram_page[1] << PAGE_SHIFT, b->guest_len - first, on);
}

void bt_insert(struct bt *bt, struct block *b)
{
	unsigned n = bucket(b->ctx, b->eip, b->gpa);

	b->hash_next = bt->hash[n];
	bt->hash[n] = bt_block_number(bt, b);
	add_to_page(bt, b, 0, b->gpa);
	b->ram_page[1] = NO_PAGE;
	if (bt_crosses(b))
		add_to_page(bt, b, 1, b->next_page);
	bt_page_add(bt, b);
	watch(bt, b, true);
	b->valid = true;
	bt->stats->blocks_live++;
}

/* The jump, whose displacement is at that offset of the block, leads to the target. */
static void patch(struct bt *bt, const struct block *b, unsigned at, cache_pc_t target)
{
	int32_t distance = (int32_t)(target - (b->body + at + sizeof(distance)));

	memcpy(bt_writable(bt, b, at), &distance, sizeof(distance));
}

/* The displacement of the jump by which the stub leads to blocks of another pair. */
static unsigned stub_jump(const struct block *from, const struct bt_exit *x)
{
	return x->stub + from->ending + 1u;
}

/* The exit leads to the block. */
static void lead_to(struct bt *bt, const struct bt_exit *x, const struct block *to)
{
	const struct block *from = bt_block(bt, x->from);
	bool same_pair = !memcmp(from->pair, to->pair, sizeof(to->pair));
	unsigned behind = same_pair ? bt_behind_probes(from, x, to) : 0;

	if (behind)
		patch(bt, from, x->patch, to->body + behind);
	else if (!from->ending)
		patch(bt, from, x->patch, to->body);
	else if (same_pair && to->inner)
		patch(bt, from, x->patch, to->body + to->inner);
	else
		patch(bt, from, stub_jump(from, x), to->body);
}

/* The exit leads to its stub, and out of the cache. */
static void lead_out(struct bt *bt, const struct bt_exit *x)
{
	const struct block *from = bt_block(bt, x->from);

	patch(bt, from, x->patch, from->body + x->stub);
	if (from->ending)
		patch(bt, from, stub_jump(from, x), from->body + stub_jump(from, x) + sizeof(int32_t));
}

void bt_link(struct bt *bt, struct bt_exit *x, struct block *to)
{
	ASSERT((x->kind == EXIT_LINK || x->kind == EXIT_TABLE) && !x->to && to->valid && bt_block(bt, x->from)->valid);
	x->to = bt_block_number(bt, to);
	x->next_from = to->incoming;
	to->incoming = bt_exit_number(bt, x);
	lead_to(bt, x, to);
	if (bt->audit)
		bt_audit_link(bt, x);
	bt_page_linked(bt, bt_block(bt, x->from), to, 1);
	bt->stats->links_made++;
}

void bt_unlink(struct bt *bt, struct bt_exit *x)
{
	uint32_t *p = &bt_block(bt, x->to)->incoming;

	/* Under paging few links leave their page, and lists are short. One to be walked both ways would take four
	 * bytes more for each exit, of which there are hundreds of thousands. */
	while (bt_exit(bt, *p) != x)
		p = &bt_exit(bt, *p)->next_from;
	*p = x->next_from;
	bt_page_linked(bt, bt_block(bt, x->from), bt_block(bt, x->to), -1);
	x->to = 0;
	lead_out(bt, x);
	bt->stats->links_broken++;
}

static void remove_from_page(struct bt *bt, struct block *b, unsigned which)
{
	uint32_t *p;

	if (b->ram_page[which] == NO_PAGE)
		return;
	p = &bt->page_blocks[b->ram_page[which]];
	for (struct block *at = bt_block(bt, *p); at != b; at = bt_block(bt, *p))
		p = &at->page_next[at->ram_page[0] == b->ram_page[which] ? 0 : 1];
	*p = b->page_next[which];
	if (!bt->page_blocks[b->ram_page[which]])
		track_release(bt->shadow, (uint64_t)b->ram_page[which] << PAGE_SHIFT, TRACK_CODE);
	b->ram_page[which] = NO_PAGE;
}

/* Takes the block out of a list by the hash. False: it is not in there. */
static bool unlist(struct bt *bt, uint32_t *lists, const struct block *b)
{
	uint32_t *p = &lists[bucket(b->ctx, b->eip, b->gpa)];

	while (*p && bt_block(bt, *p) != b)
		p = &bt_block(bt, *p)->hash_next;
	if (!*p)
		return false;
	*p = b->hash_next;
	return true;
}

/* Nothing leads to the block any more. */
static void detach(struct bt *bt, struct block *b)
{
	struct bt_exit *exits = bt_exits(bt, b);
	bool listed = unlist(bt, bt->hash, b);

	ASSERT(listed);
	b->valid = false;
	while (b->incoming)
		bt_unlink(bt, bt_exit(bt, b->incoming));
	for (unsigned i = 0; i < b->nexits; i++)
		if (exits[i].to)
			bt_unlink(bt, &exits[i]);
	bt_indirect_remove(bt, b);
	bt_page_remove(bt, b);
	watch(bt, b, false);
	remove_from_page(bt, b, 0);
	remove_from_page(bt, b, 1);
	bt->stats->blocks_live--;
}

void bt_invalidate(struct bt *bt, struct block *b, bool keep)
{
	ASSERT(b->valid);
	bt_profile_lost(bt, b, bt->losing);
	detach(bt, b);
	bt_place_remove(bt, b);
	if (keep) {
		b->hash_next = bt->dormant[bucket(b->ctx, b->eip, b->gpa)];
		bt->dormant[bucket(b->ctx, b->eip, b->gpa)] = bt_block_number(bt, b);
	}
	trace(bt, "invalidate %" PRIx64 "+%u", block_linear(b, 0), b->guest_len);
}

/* Does the block contain a byte of [offset, offset + len) of RAM, all within the page? */
static bool overlaps(const struct block *b, uint64_t page, unsigned offset, unsigned len)
{
	unsigned start = b->gpa & PAGE_MASK, end = start + b->guest_len;

	if (b->ram_page[0] == page && offset < end && offset + len > start)
		return true;
	return b->ram_page[1] == page && end > PAGE_SIZE && offset < end - PAGE_SIZE;
}

/* A quarter of the granules of one page have been written, and none of another page's in between: it becomes data. */
static bool becomes_data(struct bt *bt, uint64_t at, unsigned len)
{
	struct code_writes *w = &bt->code_writes;
	unsigned first = (unsigned)(at & PAGE_MASK) / GRANULE_BYTES;
	unsigned last = (unsigned)((at + len - 1) & PAGE_MASK) / GRANULE_BYTES;

	if (w->page != at >> PAGE_SHIFT)
		*w = (struct code_writes){.page = at >> PAGE_SHIFT};
	w->granules |= ((BIT(last - first) << 1) - 1) << first;
	return __builtin_popcountll(w->granules) >= PAGE_GRANULES / 4 && opt_on(bt->cpu->opt_off, OPT_DATA);
}

/* All blocks of the page go, and with them its trace; those that are executed again come back (bt_revive). */
static unsigned invalidate_page(struct bt *bt, uint64_t page)
{
	unsigned count = 0;

	bt->code_writes.granules = 0;
	for (; bt->page_blocks[page]; count++)
		bt_invalidate(bt, bt_block(bt, bt->page_blocks[page]), true);
	return count;
}

unsigned bt_invalidate_bytes(struct bt *bt, gpa_t gpa, const uint8_t *data, unsigned len)
{
	unsigned count = 0;
	uint64_t at, page;

	if (!physmem_ram_offset(bt->pm, gpa, &at))
		return 0;
	if (becomes_data(bt, at, len))
		return invalidate_page(bt, at >> PAGE_SHIFT);
	/* What is overwritten with the same does not change: programs that patch themselves do it again and again. */
	for (; len && *data == bt->pm->ram.host[at]; len--, at++)
		data++;
	for (; len && data[len - 1] == bt->pm->ram.host[at + len - 1]; len--)
		;
	if (!len)
		return 0;
	page = at >> PAGE_SHIFT;
	for (struct block *b = bt_block(bt, bt->page_blocks[page]), *next; b; b = next) {
		next = bt_block(bt, b->page_next[b->ram_page[0] == page ? 0 : 1]);
		if (overlaps(b, page, (unsigned)(at & PAGE_MASK), len)) {
			bt_invalidate(bt, b, true);
			count++;
		}
	}
	return count;
}

bool bt_source_matches(struct bt *bt, const struct block *b)
{
	unsigned len, rest;
	const uint8_t *code = bt_code_at(bt, b->gpa, &len);

	len = MIN(len, (unsigned)b->guest_len);
	if (!code || memcmp(code, b->source, len))
		return false;
	if (len == b->guest_len)
		return true;
	code = bt_code_at(bt, b->next_page, &rest);
	return code && !memcmp(code, b->source + len, b->guest_len - len);
}

enum { MAX_REVIVE_TRIES = 16 };

struct block *bt_revive(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa)
{
	uint32_t *p = &bt->dormant[bucket(ctx, eip, gpa)];
	struct block *b = bt_block(bt, *p);

	if (!opt_on(bt->cpu->opt_off, OPT_REVIVE))
		return NULL;
	for (unsigned tries = 0; b && tries < MAX_REVIVE_TRIES; tries++, p = &b->hash_next, b = bt_block(bt, *p)) {
		if (b->stale || b->ctx != ctx || b->eip != eip || b->gpa != gpa || !next_page_matches(bt, b) ||
		    !bt_source_matches(bt, b))
			continue;
		*p = b->hash_next;
		bt_insert(bt, b);
		bt->stats->blocks_revived++;
		return b;
	}
	return NULL;
}

struct block *bt_find_host(const struct bt *bt, cache_pc_t pc)
{
	const struct cache_area *a =
	    &bt->areas[pc - bt->cache_run < bt->areas[AREA_COPIED].begin.code ? AREA_TRANSLATED : AREA_COPIED];
	unsigned low = a->begin.blocks, high = a->end.blocks;

	while (low < high) { /* blocks lie there in the order of their translation */
		unsigned mid = (low + high) / 2;
		struct block *b = &bt->blocks[mid];
		if (pc < b->indirect)
			high = mid;
		else if (pc >= b->body + b->body_len)
			low = mid + 1;
		else
			return b;
	}
	return NULL;
}

int bt_find_insn(const struct block *b, cache_pc_t pc)
{
	int low = 0, high = b->ninsns;
	unsigned offset;

	if (pc < b->body)
		return -1;
	offset = (unsigned)(pc - b->body);
	while (low < high) { /* the last entry that begins at or before offset */
		int mid = (low + high + 1) / 2;
		if (b->map[mid].host <= offset)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

void bt_release_blocks(struct bt *bt)
{
	for (struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b)) {
		if (!b->valid)
			continue;
		b->valid = false;
		watch(bt, b, false);
		for (unsigned n = 0; n < 2; n++) {
			if (b->ram_page[n] == NO_PAGE || !bt->page_blocks[b->ram_page[n]])
				continue;
			bt->page_blocks[b->ram_page[n]] = 0;
			track_release(bt->shadow, (uint64_t)b->ram_page[n] << PAGE_SHIFT, TRACK_CODE);
		}
	}
}

/* The last ones first, as these are the first in their lists. */
void bt_forget_copies(struct bt *bt)
{
	const struct cache_area *a = &bt->areas[AREA_COPIED];

	for (unsigned i = a->end.blocks; i-- > a->begin.blocks;) {
		struct block *b = &bt->blocks[i];
		if (b->valid)
			detach(bt, b);
		else
			unlist(bt, bt->dormant, b);
	}
}
