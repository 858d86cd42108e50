/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory the translator takes: what cache_memory.c and indirect.c have allocated, as far as it is in use. */
#include "bt_internal.h"

/* Nearly nothing of its gigabytes is there. */
static void count_table(struct memory_use *u, const struct indirect_table *t)
{
	if (!t->entries)
		return;
	memory_count(u, MEMORY_targets, t->used, (size_t)((uint8_t *)(t->spans + 1) - (uint8_t *)t->used));
	for (unsigned i = 0; i < t->held_pieces; i++)
		memory_count(u, MEMORY_targets, t->entries + (size_t)t->list[i] * (PAGE_SIZE / sizeof(*t->entries)),
			     PAGE_SIZE);
}

void bt_count_memory(const struct bt *bt, struct memory_use *u)
{
	const size_t hash = sizeof(*bt->hash) << HASH_BITS;

	memory_count_shared(u, MEMORY_code, bt->cache_write, bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt, sizeof(*bt));
	memory_count(u, MEMORY_blocks, bt->blocks, AREAS * bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt->exits, AREAS * bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt->maps, bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt->insns, bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt->sources, bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt->relocs, bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt->pages, bt->cache_bytes);
	memory_count(u, MEMORY_blocks, bt->hash, hash);
	memory_count(u, MEMORY_blocks, bt->dormant, hash);
	memory_count(u, MEMORY_blocks, bt->places, hash);
	memory_count(u, MEMORY_blocks, bt->page_blocks, bt->ram_pages * sizeof(*bt->page_blocks));
	for (unsigned i = 0; i < MAX_CONTEXTS; i++)
		for (unsigned s = 0; s < SHADOW_SPACES; s++)
			count_table(u, &bt->contexts[i].tables[s]);
}
