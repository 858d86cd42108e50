/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of the translation cache: made, bounded, emptied by a flush. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bt_profile_internal.h"
#include "large.h"
#include "trace.h"

extern const char bt_leave_exit[], bt_leave_indirect[], bt_leave64_exit[], bt_leave64_indirect[];

/*
 * Two mappings of the same memory, the executable one in the low 2 GiB: its addresses are displacements. Not those of a
 * memfd, as which it would look to the host's perf like a file that it could read names from, and not like code that
 * --perf-map names.
 */
static int map_code(struct bt *bt, size_t bytes)
{
	void *run = MAP_FAILED, *write = large_reserve(bytes, 0), *low = large_reserve(bytes, MAP_32BIT);
	int err;

	if (write && low &&
	    mmap(write, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
		/* Of shared memory: once more. */
		run = mremap(write, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, low);
	if (run == MAP_FAILED || mprotect(run, bytes, PROT_READ | PROT_EXEC) < 0) {
		err = -errno;
		if (low)
			munmap(low, bytes);
		if (write)
			munmap(write, bytes);
		return err;
	}
	bt->cache_write = write;
	bt->cache_run = (cache_pc_t)run;
	bt->cache_bytes = bytes;
	return 0;
}

/* jmp *[rip]; the address. */
static cache_pc_t make_trampoline(struct bt *bt, size_t *used, const char *target)
{
	static const uint8_t jmp[6] = {0xff, 0x25, 0, 0, 0, 0};
	uint8_t *at = bt->cache_write + *used;
	cache_pc_t pc = bt->cache_run + *used;
	uint64_t address = (uintptr_t)target;

	memcpy(at, jmp, 6);
	memcpy(at + 6, &address, 8);
	*used += 16;
	return pc;
}

/* mov r10d, home; jmp *[rip] */
static cache_pc_t make_trampoline64(struct bt *bt, size_t *used, const char *target)
{
	uint8_t *at = bt->cache_write + *used;
	cache_pc_t pc = bt->cache_run + *used;
	uint32_t home = (uint32_t)(uintptr_t)bt->home;

	at[0] = 0x41;
	at[1] = 0xba;
	memcpy(at + 2, &home, 4);
	*used += 6;
	make_trampoline(bt, used, target);
	*used = ALIGN_UP(*used, 16);
	return pc;
}

/* mov r10, home.image[R10]; jmp home.entry: where no register is left. */
static cache_pc_t make_entry64(struct bt *bt, size_t *used)
{
	static const uint8_t load[4] = {0x4c, 0x8b, 0x14, 0x25}, jmp[3] = {0xff, 0x24, 0x25};
	uint8_t *at = bt->cache_write + *used;
	cache_pc_t pc = bt->cache_run + *used;
	uint32_t image = (uint32_t)(uintptr_t)&bt->home->image[R10], entry = (uint32_t)(uintptr_t)&bt->home->entry;

	_Static_assert(sizeof(load) + sizeof(image) + sizeof(jmp) + sizeof(entry) == ENTER64_BYTES,
		       "as the handler has it");
	memcpy(at, load, sizeof(load));
	memcpy(at + 4, &image, 4);
	memcpy(at + 8, jmp, sizeof(jmp));
	memcpy(at + 11, &entry, 4);
	*used += 16;
	return pc;
}

/* Each part's last large page is half empty, so that a small cache would take many times as much as it may. */
static bool in_large_pages(const struct bt *bt)
{
	return bt->pm->large && bt->cache_bytes >= 2 * CACHE_PARTS * LARGE_PAGE;
}

/* Address space for so many times cache_bytes; what is translated is at its beginning. Of copies, and where records are
 * few, large pages would be half empty: 14 MiB in all. */
static void *records(const struct bt *bt, unsigned times, bool large)
{
	void *p = large_alloc(times * bt->cache_bytes, false);

	if (p && large && in_large_pages(bt))
		madvise(p, bt->cache_bytes, MADV_HUGEPAGE);
	return p;
}

static void free_records(const struct bt *bt, void *p, unsigned times)
{
	if (p)
		munmap(p, times * bt->cache_bytes);
}

static void *heads(const struct bt *bt, size_t size)
{
	return large_alloc(size << HASH_BITS, in_large_pages(bt));
}

static void free_heads(void *p, size_t size)
{
	if (p)
		munmap(p, size << HASH_BITS);
}

static size_t area_used(const struct bt *bt, unsigned area)
{
	const struct cache_area *a = &bt->areas[area];

	return (a->end.code - a->begin.code) + (a->end.blocks - a->begin.blocks) * sizeof(*bt->blocks) +
	       (a->end.exits - a->begin.exits) * sizeof(*bt->exits);
}

size_t bt_cache_used(const struct bt *bt)
{
	return bt->areas[AREA_TRANSLATED].begin.code + area_used(bt, AREA_TRANSLATED) + area_used(bt, AREA_COPIED) +
	       bt->nmaps * sizeof(*bt->maps) + bt->ninsns * sizeof(*bt->insns) + bt->nsources * sizeof(*bt->sources) +
	       bt->nrelocs * sizeof(*bt->relocs) + bt->npages * sizeof(*bt->pages);
}

/* used: bytes of code that are not blocks'. */
static void init_areas(struct bt *bt, size_t used)
{
	struct cache_area *own = &bt->areas[AREA_TRANSLATED], *copied = &bt->areas[AREA_COPIED];
	size_t half = ALIGN_DOWN(bt->cache_bytes / 2, (size_t)PAGE_SIZE);

	own->begin = own->end = (struct cache_mark){.code = used};
	own->code_limit = half;
	copied->begin = copied->end = (struct cache_mark){.code = half,
							  .blocks = (unsigned)(bt->cache_bytes / sizeof(*bt->blocks)),
							  .exits = (unsigned)(bt->cache_bytes / sizeof(*bt->exits))};
	copied->code_limit = bt->cache_bytes;
}

int bt_cache_init(struct bt *bt, size_t bytes)
{
	int err = map_code(bt, ALIGN_UP(bytes, PAGE_SIZE));
	size_t used = 0;

	if (!err)
		err = bt_home_init(bt);
	if (err)
		return err;
	bt->stubs.exit = make_trampoline(bt, &used, bt_leave_exit);
	bt->stubs.indirect_miss = make_trampoline(bt, &used, bt_leave_indirect);
	bt->stubs.exit64 = make_trampoline64(bt, &used, bt_leave64_exit);
	bt->stubs.indirect_miss64 = make_trampoline64(bt, &used, bt_leave64_indirect);
	bt->stubs.enter64 = make_entry64(bt, &used);
	bt->home->enter = bt->stubs.enter64;
	init_areas(bt, used);
	bt->ram_pages = bt->pm->ram.size >> PAGE_SHIFT;
	bt->blocks = records(bt, AREAS, true);
	bt->exits = records(bt, AREAS, true);
	bt->maps = records(bt, 1, true);
	bt->insns = records(bt, 1, true);
	bt->sources = records(bt, 1, false);
	bt->relocs = records(bt, 1, false);
	bt->pages = records(bt, 1, false);
	bt->places = heads(bt, sizeof(*bt->places));
	bt->dormant = heads(bt, sizeof(*bt->dormant));
	bt->hash = heads(bt, sizeof(*bt->hash));
	bt->page_blocks = calloc(bt->ram_pages, sizeof(*bt->page_blocks));
	if (!bt->blocks || !bt->exits || !bt->maps || !bt->insns || !bt->sources || !bt->relocs || !bt->places ||
	    !bt->dormant || !bt->hash || !bt->page_blocks || !bt->pages || bt_pages_init(bt))
		return -ENOMEM;
	bt->stats->cache_bytes_total = bt->cache_bytes;
	return bt_indirect_init(bt);
}

/* --- memory that a flush leaves --- */

/* A stretch that is used from its beginning on. */
struct part {
	void *at;
	size_t used, size;
	bool code;
};

static struct part code_part(const struct bt *bt, unsigned area)
{
	const struct cache_area *a = &bt->areas[area];
	size_t first = ALIGN_UP(a->begin.code, PAGE_SIZE);

	return (struct part){bt->cache_write + first, a->end.code - MIN(first, a->end.code), a->code_limit - first,
			     true};
}

static struct part blocks_part(const struct bt *bt, unsigned area)
{
	const struct cache_area *a = &bt->areas[area];

	return (struct part){&bt->blocks[a->begin.blocks], (a->end.blocks - a->begin.blocks) * sizeof(*bt->blocks),
			     bt->cache_bytes, false};
}

static struct part exits_part(const struct bt *bt, unsigned area)
{
	const struct cache_area *a = &bt->areas[area];

	return (struct part){&bt->exits[a->begin.exits], (a->end.exits - a->begin.exits) * sizeof(*bt->exits),
			     bt->cache_bytes, false};
}

enum { COPIED_PARTS = 3, MANY_COPIES = 8 /* that part of the cache */ };

/* Those of copies first. */
static void list_parts(const struct bt *bt, struct part parts[CACHE_PARTS])
{
	const struct part all[] = {
	    code_part(bt, AREA_COPIED),
	    blocks_part(bt, AREA_COPIED),
	    exits_part(bt, AREA_COPIED),
	    code_part(bt, AREA_TRANSLATED),
	    blocks_part(bt, AREA_TRANSLATED),
	    exits_part(bt, AREA_TRANSLATED),
	    {bt->maps, bt->nmaps * sizeof(*bt->maps), bt->cache_bytes, false},
	    {bt->insns, bt->ninsns * sizeof(*bt->insns), bt->cache_bytes, false},
	    {bt->sources, bt->nsources * sizeof(*bt->sources), bt->cache_bytes, false},
	    {bt->relocs, bt->nrelocs * sizeof(*bt->relocs), bt->cache_bytes, false},
	    {bt->pages, bt->npages * sizeof(*bt->pages), bt->cache_bytes, false},
	};

	_Static_assert(sizeof(all) == CACHE_PARTS * sizeof(*parts), "as in struct bt");
	memcpy(parts, all, sizeof(all));
}

enum { AHEAD_BYTES = 64 << 10 };

/* How many bytes. */
static size_t populate(const struct bt *bt, const struct part *p, size_t from)
{
	uint8_t *at = (uint8_t *)ALIGN_DOWN((uintptr_t)p->at + from, (uintptr_t)PAGE_SIZE);
	uint8_t *page = (uint8_t *)ALIGN_DOWN((uintptr_t)at, LARGE_PAGE);
	size_t len = AHEAD_BYTES;

	if (p->code && in_large_pages(bt) && large_make(page))
		len = LARGE_PAGE - (size_t)(at - page);
	len = MIN(len, p->size - from);
	madvise(at, len, MADV_POPULATE_WRITE);
	if (p->code)
		madvise((void *)(uintptr_t)(bt->cache_run + (cache_pc_t)(at - bt->cache_write)), len,
			MADV_POPULATE_READ);
	return len;
}

/* The host makes pages that are asked for together in a fraction of the time that a fault on each takes. Where it does
 * not know how, they fault. */
void bt_populate_ahead(struct bt *bt)
{
	struct part parts[CACHE_PARTS];

	if (!opt_on(bt->cpu->opt_off, OPT_PIECES))
		return;
	list_parts(bt, parts);
	for (unsigned i = 0; i < CACHE_PARTS; i++) {
		if (parts[i].used + AHEAD_BYTES / 4 <= bt->ahead[i] || bt->ahead[i] + PAGE_SIZE > parts[i].size)
			continue;
		bt->ahead[i] = MAX(bt->ahead[i], ALIGN_DOWN(parts[i].used, (size_t)PAGE_SIZE));
		bt->ahead[i] += populate(bt, &parts[i], bt->ahead[i]);
	}
}

/* Of whole pages, as what is copied begins within one. */
static void give_back(struct bt *bt, const struct part *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uintptr_t first = ALIGN_UP((uintptr_t)parts[i].at, PAGE_SIZE);
		size_t before = first - (uintptr_t)parts[i].at;
		if (bt->held[i] > before)
			madvise((void *)first, MIN(ALIGN_UP(bt->held[i] - before, PAGE_SIZE), parts[i].size - before),
				parts[i].code ? MADV_REMOVE : MADV_DONTNEED);
		bt->held[i] = bt->ahead[i] = 0;
	}
}

/*
 * The first n parts are about to be emptied. The next blocks use the same memory, unless they want it in other
 * proportions than those before, so that it adds up to more than it may be.
 */
static void leave_memory(struct bt *bt, unsigned n)
{
	struct part parts[CACHE_PARTS];
	size_t sum = 0;

	list_parts(bt, parts);
	for (unsigned i = 0; i < CACHE_PARTS; i++) {
		bt->held[i] = MAX(bt->held[i], MAX(parts[i].used, MIN(bt->ahead[i], parts[i].size)));
		sum += bt->held[i];
	}
	if (sum > bt->cache_bytes + bt->cache_bytes / 16)
		give_back(bt, parts, n);
}

/* --- flushes --- */

/* Block numbers, and host code, will be those of others. */
static void forget_places(struct bt *bt)
{
	cpu_fpu_sync(bt->cpu); /* its instruction pointer may name a block */
	bt->current = NULL;
	bt->coming_from = NULL;
	bt->generation++;
}

static void flush_copies(struct bt *bt)
{
	struct cache_area *a = &bt->areas[AREA_COPIED];

	forget_places(bt);
	bt_profile_flush(bt, true);
	bt_forget_copies(bt);
	bt_pages_sweep(bt);
	leave_memory(bt, COPIED_PARTS);
	a->end = a->begin;
	bt->stats->copy_flushes++;
	trace(bt, "flush of copies");
}

bool bt_make_room(struct bt *bt, unsigned area)
{
	if (opt_on(bt->cpu->opt_off, OPT_MODELS) && area_used(bt, AREA_COPIED) > bt->cache_bytes / MANY_COPIES)
		flush_copies(bt);
	if (xlat_has_room(bt, area))
		return true;
	bt_flush(bt);
	return false;
}

void bt_flush(struct bt *bt)
{
	forget_places(bt);
	bt_profile_flush(bt, false);
	memset(bt->hash, 0, sizeof(*bt->hash) << HASH_BITS);
	memset(bt->dormant, 0, sizeof(*bt->dormant) << HASH_BITS);
	memset(bt->places, 0, sizeof(*bt->places) << HASH_BITS);
	bt_release_blocks(bt);
	bt_indirect_reset(bt);
	leave_memory(bt, CACHE_PARTS);
	bt_pages_reset(bt);
	for (unsigned i = 0; i < AREAS; i++)
		bt->areas[i].end = bt->areas[i].begin;
	bt->nmaps = bt->ninsns = bt->nsources = bt->nrelocs = 0;
	bt->ncontexts = 0;
	memset(bt->region_changes, 0, sizeof(bt->region_changes));
	/* By then pages of memory may be those of other programs. */
	if (bt->stats->flushes % STRAYS_KEPT == STRAYS_KEPT - 1)
		memset(bt->strays, 0, sizeof(bt->strays));
	memset(bt->known_modes, 0, sizeof(bt->known_modes));
	bt->cpu->bt_compat.table = NULL;
	bt->ctx = NULL;
	bt->stats->flushes++;
	bt->stats->blocks_live = 0;
	bt->stats->cache_bytes_used = 0;
	trace(bt, "flush");
}

void bt_cache_destroy(struct bt *bt)
{
	bt_release_blocks(bt);
	if (bt->cache_write) {
		munmap(bt->cache_write, bt->cache_bytes);
		munmap((void *)bt->cache_run, bt->cache_bytes);
	}
	bt_indirect_destroy(bt);
	bt_home_destroy(bt);
	free_records(bt, bt->blocks, AREAS);
	free_records(bt, bt->exits, AREAS);
	free_records(bt, bt->maps, 1);
	free_records(bt, bt->insns, 1);
	free_records(bt, bt->sources, 1);
	free_records(bt, bt->relocs, 1);
	free_records(bt, bt->pages, 1);
	bt_pages_destroy(bt);
	free_heads(bt->places, sizeof(*bt->places));
	free_heads(bt->dormant, sizeof(*bt->dormant));
	free_heads(bt->hash, sizeof(*bt->hash));
	free(bt->page_blocks);
}
