/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of the translation cache: made, bounded, emptied by a flush. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bt_profile_internal.h"
#include "trace.h"

extern const char bt_leave_exit[], bt_leave_indirect[], bt_leave64_exit[], bt_leave64_indirect[];

/*
 * Two mappings of the same memory, the executable one in the low 2 GiB: its addresses are displacements. Not those of a
 * memfd, as which it would look to the host's perf like a file that it could read names from, and not like code that
 * --perf-map names.
 */
static int map_code(struct bt *bt, size_t bytes)
{
	void *run, *write = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *low = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
	int err;

	if (write == MAP_FAILED || low == MAP_FAILED)
		return -errno;
	/* Of shared memory: once more. */
	run = mremap(write, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, low);
	if (run == MAP_FAILED || mprotect(run, bytes, PROT_READ | PROT_EXEC) < 0) {
		err = -errno;
		if (run != MAP_FAILED)
			munmap(run, bytes);
		munmap(write, bytes);
		return err;
	}
	bt->cache_write = write;
	bt->cache_run = (cache_pc_t)run;
	bt->cache_bytes = bytes;
	return 0;
}

/* jmp *[rip]; the address. */
static cache_pc_t make_trampoline(struct bt *bt, const char *target)
{
	static const uint8_t jmp[6] = {0xff, 0x25, 0, 0, 0, 0};
	uint8_t *at = bt->cache_write + bt->cache_used;
	cache_pc_t pc = bt->cache_run + bt->cache_used;
	uint64_t address = (uintptr_t)target;

	memcpy(at, jmp, 6);
	memcpy(at + 6, &address, 8);
	bt->cache_used += 16;
	return pc;
}

/* mov r10d, home; jmp *[rip] */
static cache_pc_t make_trampoline64(struct bt *bt, const char *target)
{
	uint8_t *at = bt->cache_write + bt->cache_used;
	cache_pc_t pc = bt->cache_run + bt->cache_used;
	uint32_t home = (uint32_t)(uintptr_t)bt->home;

	at[0] = 0x41;
	at[1] = 0xba;
	memcpy(at + 2, &home, 4);
	bt->cache_used += 6;
	make_trampoline(bt, target);
	bt->cache_used = ALIGN_UP(bt->cache_used, 16);
	return pc;
}

/* mov r10, home.image[R10]; jmp home.entry: where no register is left. */
static cache_pc_t make_entry64(struct bt *bt)
{
	static const uint8_t load[4] = {0x4c, 0x8b, 0x14, 0x25}, jmp[3] = {0xff, 0x24, 0x25};
	uint8_t *at = bt->cache_write + bt->cache_used;
	cache_pc_t pc = bt->cache_run + bt->cache_used;
	uint32_t image = (uint32_t)(uintptr_t)&bt->home->image[R10], entry = (uint32_t)(uintptr_t)&bt->home->entry;

	_Static_assert(sizeof(load) + sizeof(image) + sizeof(jmp) + sizeof(entry) == ENTER64_BYTES,
		       "as the handler has it");
	memcpy(at, load, sizeof(load));
	memcpy(at + 4, &image, 4);
	memcpy(at + 8, jmp, sizeof(jmp));
	memcpy(at + 11, &entry, 4);
	bt->cache_used += 16;
	return pc;
}

static void *records(const struct bt *bt)
{
	void *p =
	    mmap(NULL, bt->cache_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void free_records(const struct bt *bt, void *p)
{
	if (p)
		munmap(p, bt->cache_bytes);
}

size_t bt_cache_used(const struct bt *bt)
{
	return bt->cache_used + bt->nblocks * sizeof(*bt->blocks) + bt->nexits * sizeof(*bt->exits) +
	       bt->nmaps * sizeof(*bt->maps) + bt->ninsns * sizeof(*bt->insns) + bt->nsources * sizeof(*bt->sources) +
	       bt->nrelocs * sizeof(*bt->relocs) + bt->npages * sizeof(*bt->pages);
}

int bt_cache_init(struct bt *bt, size_t bytes)
{
	int err = map_code(bt, ALIGN_UP(bytes, PAGE_SIZE));

	if (!err)
		err = bt_home_init(bt);
	if (err)
		return err;
	bt->stubs.exit = make_trampoline(bt, bt_leave_exit);
	bt->stubs.indirect_miss = make_trampoline(bt, bt_leave_indirect);
	bt->stubs.exit64 = make_trampoline64(bt, bt_leave64_exit);
	bt->stubs.indirect_miss64 = make_trampoline64(bt, bt_leave64_indirect);
	bt->stubs.enter64 = make_entry64(bt);
	bt->home->enter = bt->stubs.enter64;
	bt->cache_fixed = bt->cache_used;
	bt->ram_pages = bt->pm->ram.size >> PAGE_SHIFT;
	bt->blocks = records(bt);
	bt->exits = records(bt);
	bt->maps = records(bt);
	bt->insns = records(bt);
	bt->sources = records(bt);
	bt->relocs = records(bt);
	bt->pages = records(bt);
	bt->places = calloc(1u << HASH_BITS, sizeof(*bt->places));
	bt->dormant = calloc(1u << HASH_BITS, sizeof(*bt->dormant));
	bt->hash = calloc(1u << HASH_BITS, sizeof(*bt->hash));
	bt->page_blocks = calloc(bt->ram_pages, sizeof(*bt->page_blocks));
	if (!bt->blocks || !bt->exits || !bt->maps || !bt->insns || !bt->sources || !bt->relocs || !bt->places ||
	    !bt->dormant || !bt->hash || !bt->page_blocks || !bt->pages || bt_pages_init(bt))
		return -ENOMEM;
	bt->stats->cache_bytes_total = bt->cache_bytes;
	return bt_indirect_init(bt);
}

/*
 * The next blocks use the same memory, unless they want it in other proportions than those before, so that it adds up
 * to more than it may be.
 */
static void give_back(struct bt *bt)
{
	const struct {
		void *at;
		size_t used;
	} parts[] = {
	    {bt->blocks, bt->nblocks * sizeof(*bt->blocks)},	{bt->exits, bt->nexits * sizeof(*bt->exits)},
	    {bt->maps, bt->nmaps * sizeof(*bt->maps)},		{bt->insns, bt->ninsns * sizeof(*bt->insns)},
	    {bt->sources, bt->nsources * sizeof(*bt->sources)}, {bt->relocs, bt->nrelocs * sizeof(*bt->relocs)},
	    {bt->pages, bt->npages * sizeof(*bt->pages)},
	};
	size_t fixed = ALIGN_UP(bt->cache_fixed, PAGE_SIZE), sum = 0;

	_Static_assert(sizeof(parts) / sizeof(*parts) == RECORD_KINDS, "as in struct bt");
	bt->code_held = MAX(bt->code_held, bt->cache_used);
	for (unsigned i = 0; i < RECORD_KINDS; i++) {
		bt->records_held[i] = MAX(bt->records_held[i], parts[i].used);
		sum += bt->records_held[i];
	}
	if (bt->code_held + sum <= bt->cache_bytes + bt->cache_bytes / 16)
		return;
	for (unsigned i = 0; i < RECORD_KINDS; i++)
		madvise(parts[i].at, bt->cache_bytes, MADV_DONTNEED);
	madvise(bt->cache_write + fixed, bt->cache_bytes - fixed, MADV_REMOVE);
	memset(bt->records_held, 0, sizeof(bt->records_held));
	bt->code_held = 0;
}

void bt_flush(struct bt *bt)
{
	cpu_fpu_sync(bt->cpu); /* its instruction pointer may name a block */
	bt_profile_flush(bt);
	memset(bt->hash, 0, sizeof(*bt->hash) << HASH_BITS);
	memset(bt->dormant, 0, sizeof(*bt->dormant) << HASH_BITS);
	memset(bt->places, 0, sizeof(*bt->places) << HASH_BITS);
	bt_release_blocks(bt);
	bt_indirect_reset(bt);
	give_back(bt);
	bt_pages_reset(bt);
	bt->nblocks = bt->nexits = bt->nmaps = bt->ninsns = bt->nsources = bt->nrelocs = 0;
	bt->cache_used = bt->cache_fixed;
	bt->ncontexts = 0;
	memset(bt->region_changes, 0, sizeof(bt->region_changes));
	/* By then pages of memory may be those of other programs. */
	if (bt->generation % STRAYS_KEPT == STRAYS_KEPT - 1)
		memset(bt->strays, 0, sizeof(bt->strays));
	memset(bt->known_modes, 0, sizeof(bt->known_modes));
	bt->cpu->bt_compat.table = NULL;
	bt->ctx = NULL;
	bt->current = NULL;
	bt->generation++;
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
	free_records(bt, bt->blocks);
	free_records(bt, bt->exits);
	free_records(bt, bt->maps);
	free_records(bt, bt->insns);
	free_records(bt, bt->sources);
	free_records(bt, bt->relocs);
	free_records(bt, bt->pages);
	bt_pages_destroy(bt);
	free(bt->places);
	free(bt->dormant);
	free(bt->hash);
	free(bt->page_blocks);
}
