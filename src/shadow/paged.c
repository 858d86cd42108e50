/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The windows of a guest with 32-bit or PAE paging: one for supervisor, one for user mode, of the current address
 * space. They are used as a TLB is: filled by hidden faults from the guest's tables, emptied when the guest flushes
 * (INVLPG, loads of CR3, changes of CR0 and CR4). So whatever the guest may rely on of a TLB, it may rely on here.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/mem.h"
#include "shadow_internal.h"
#include "trace.h"

enum {
	PAGES = WINDOW_BYTES / 4096,
	MAX_ALIASES = 1 << 20, /* entries of the reverse map */
	MAX_MAPPINGS = 40000,  /* of vm.max_map_count: 65,530 by default */
	NO_ALIAS = 0,
	ALIAS_TRIES = 8,
};

/* Bits of paged_window.state */
enum {
	PAGE_MAPPED = 1,
	PAGE_WRITABLE = 2, /* read-only only if traced */
	PAGE_GLOBAL = 8,   /* outlives loads of CR3 */
	PAGE_LARGE = 4,	   /* part of a large page: INVLPG of any of it drops all */
};

static void *reserve(size_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static int window_init(struct paged_window *w)
{
	w->reservation = reserve(3 * WINDOW_BYTES, PROT_NONE);
	w->state = reserve(PAGES, PROT_READ | PROT_WRITE);
	w->frame = reserve(PAGES * sizeof(*w->frame), PROT_READ | PROT_WRITE);
	if (!w->reservation || !w->state || !w->frame)
		return -ENOMEM;
	w->base = (uint8_t *)ALIGN_UP((uintptr_t)w->reservation + GUARD_BYTES, WINDOW_BYTES);
	return mprotect(w->base + SHADOW_PROBE + 8 - PAGE_SIZE, PAGE_SIZE, PROT_READ) ? -errno : 0;
}

int paged_init(struct shadow *sh)
{
	int err = 0;

	sh->alias_head = calloc(sh->pm->ram.size >> PAGE_SHIFT, sizeof(*sh->alias_head));
	sh->aliases = reserve(MAX_ALIASES * sizeof(*sh->aliases), PROT_READ | PROT_WRITE);
	if (!sh->alias_head || !sh->aliases)
		return -ENOMEM;
	sh->naliases = 1;
	for (unsigned i = 0; i < 2 && !err; i++)
		err = window_init(&sh->paged[i]);
	return err;
}

static void release(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

void paged_destroy(struct shadow *sh)
{
	for (unsigned i = 0; i < 2; i++) {
		release(sh->paged[i].reservation, 3 * WINDOW_BYTES);
		release(sh->paged[i].state, PAGES);
		release(sh->paged[i].frame, PAGES * sizeof(*sh->paged[i].frame));
	}
	release(sh->aliases, MAX_ALIASES * sizeof(*sh->aliases));
	free(sh->alias_head);
}

static void unmap(struct shadow *sh, struct paged_window *w, uint64_t page, uint64_t count)
{
	if (mmap(w->base + (page << PAGE_SHIFT), count << PAGE_SHIFT, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		PANIC("unmapping %llu pages: %s", (unsigned long long)count, strerror(errno));
	sh->cpu->stats->mappings_dropped++;
}

static void empty(struct shadow *sh, struct paged_window *w)
{
	if (!w->mappings)
		return;
	unmap(sh, w, 0, PAGES);
	madvise(w->state, PAGES, MADV_DONTNEED);
	sh->cpu->stats->mappings -= w->mappings;
	w->mappings = w->ntransient = 0;
}

void paged_drop_all(struct shadow *sh)
{
	for (unsigned i = 0; i < 2; i++)
		empty(sh, &sh->paged[i]);
	sh->alias_generation++; /* all heads are stale */
	sh->naliases = 1;
}

static void drop_pages(struct shadow *sh, struct paged_window *w, uint64_t page, uint64_t count)
{
	for (uint64_t end = page + count; page < end; page++) {
		uint64_t n = 0;
		for (; page + n < end && (w->state[page + n] & PAGE_MAPPED); n++)
			w->state[page + n] = 0;
		if (n)
			unmap(sh, w, page, n);
		page += n;
	}
}

void paged_drop_transient(struct shadow *sh)
{
	for (unsigned i = 0; i < 2; i++) {
		struct paged_window *w = &sh->paged[i];
		if (w->mappings == w->ntransient || w->ntransient > MAX_TRANSIENT) {
			empty(sh, w);
			continue;
		}
		for (unsigned n = 0; n < w->ntransient; n++)
			drop_pages(sh, w, w->transient[n].page, w->transient[n].count);
		sh->cpu->stats->mappings -= w->ntransient;
		w->mappings -= w->ntransient;
		w->ntransient = 0;
	}
}

/* Parts of a large page may be mapped though this page of it is not: what RAM lies under it. */
static bool part_of_large(const struct paged_window *w, uint64_t page)
{
	for (uint64_t at = ALIGN_DOWN(page, 1024), end = at + 1024; at < end; at++)
		if (w->state[at] & PAGE_LARGE)
			return true;
	return false;
}

void paged_drop(struct shadow *sh, gva_t linear)
{
	uint64_t page = linear >> PAGE_SHIFT & (PAGES - 1);

	for (unsigned i = 0; i < 2; i++) {
		struct paged_window *w = &sh->paged[i];
		if (!w->mappings)
			continue;
		if ((w->state[page] & (PAGE_MAPPED | PAGE_LARGE)) == PAGE_MAPPED)
			drop_pages(sh, w, page, 1);
		else if (part_of_large(w, page))
			drop_pages(sh, w, ALIGN_DOWN(page, 1024), 1024);
	}
}

/* Notes that a window's page shows a page of RAM, so that a trace finds it. */
static void add_alias(struct shadow *sh, unsigned window, uint64_t page, uint64_t ram_page)
{
	uint64_t *head = &sh->alias_head[ram_page];
	uint32_t next = *head >> 32 == sh->alias_generation ? (uint32_t)*head : NO_ALIAS, n = next;

	/* Mostly it is there already, from an earlier mapping. */
	for (unsigned tries = 0; n != NO_ALIAS && tries < ALIAS_TRIES; tries++, n = sh->aliases[n].next)
		if (sh->aliases[n].page == (uint32_t)(page << 1 | window))
			return;

	sh->aliases[sh->naliases] = (struct alias){(uint32_t)(page << 1 | window), next};
	*head = (uint64_t)sh->alias_generation << 32 | sh->naliases++;
}

void paged_protect_page(struct shadow *sh, uint64_t offset, bool writable)
{
	uint64_t ram_page = offset >> PAGE_SHIFT, head = sh->alias_head[ram_page];

	if (head >> 32 != sh->alias_generation)
		return;
	for (uint32_t n = (uint32_t)head; n != NO_ALIAS; n = sh->aliases[n].next) {
		struct paged_window *w = &sh->paged[sh->aliases[n].page & 1];
		uint64_t page = sh->aliases[n].page >> 1;
		if (!(w->state[page] & PAGE_WRITABLE) || w->frame[page] != ram_page)
			continue; /* it has been dropped or mapped anew */
		if (mprotect(w->base + (page << PAGE_SHIFT), PAGE_SIZE, writable ? PROT_READ | PROT_WRITE : PROT_READ) <
		    0)
			PANIC("protecting a page: %s", strerror(errno));
	}
}

/* What one mmap call maps. */
struct extent {
	uint64_t page, count;
	const struct pm_region *region;
	uint64_t offset; /* in the backing */
	bool writable, large, global;
};

static void record(struct shadow *sh, unsigned window, const struct extent *x)
{
	struct paged_window *w = &sh->paged[window];
	bool ram = x->region->backing == &sh->pm->ram;

	for (uint64_t i = 0; i < x->count; i++) {
		uint64_t page = x->page + i, ram_page = (x->offset >> PAGE_SHIFT) + i;
		w->state[page] = (uint8_t)(PAGE_MAPPED | (x->writable ? PAGE_WRITABLE : 0) |
					   (x->large ? PAGE_LARGE : 0) | (x->global ? PAGE_GLOBAL : 0));
		w->frame[page] = ram ? (uint32_t)ram_page : UINT32_MAX;
		if (!ram || !x->writable)
			continue;
		add_alias(sh, window, page, ram_page);
		if (sh->pm->traced[ram_page])
			ASSERT(mprotect(w->base + (page << PAGE_SHIFT), PAGE_SIZE, PROT_READ) == 0);
	}
}

static void map_extent(struct shadow *sh, unsigned window, const struct extent *x)
{
	struct paged_window *w = &sh->paged[window];

	if (sh->paged[0].mappings + sh->paged[1].mappings >= MAX_MAPPINGS || sh->naliases + x->count > MAX_ALIASES)
		paged_drop_all(sh);
	if (mmap(w->base + (x->page << PAGE_SHIFT), x->count << PAGE_SHIFT,
		 x->writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_FIXED, x->region->backing->fd,
		 (off_t)x->offset) == MAP_FAILED)
		PANIC("mapping %llu pages: %s", (unsigned long long)x->count, strerror(errno));
	w->mappings++;
	if (!x->global) {
		if (w->ntransient < MAX_TRANSIENT)
			w->transient[w->ntransient] = (struct page_range){(uint32_t)x->page, (uint32_t)x->count};
		w->ntransient++;
	}
	sh->cpu->stats->mappings++;
	sh->cpu->stats->mappings_made++;
	record(sh, window, x);
}

/* The stretch around a translation that one leaf entry and one span of physical memory cover. */
static struct extent extent_of(const struct shadow *sh, const struct translation *t, gva_t linear,
			       const struct pm_span *s)
{
	uint64_t size = sh->pm->a20_mask == ~0ull ? MIN(t->page_size, 4 * MiB) : PAGE_SIZE;
	gpa_t gpa = t->gpa & sh->pm->a20_mask, low = ALIGN_DOWN(gpa, size), high = low + size;

	low = MAX(low, s->base);
	high = MIN(high, s->base + s->len);
	return (struct extent){.page = (linear - (gpa - low)) >> PAGE_SHIFT,
			       .count = (high - low) >> PAGE_SHIFT,
			       .region = s->region,
			       .offset = s->region->offset + (low - s->region->base),
			       .large = t->page_size > PAGE_SIZE,
			       .global = t->global && (sh->cpu->cr4 & CR4_PGE)};
}

enum shadow_fault paged_fault(struct shadow *sh, unsigned window, gva_t linear, bool write)
{
	struct cpu *cpu = sh->cpu;
	struct paged_window *w = &sh->paged[window];
	bool user = window == PAGED_USER;
	const struct pm_span *s;
	struct translation t;
	struct x86_fault f;
	struct extent x;
	uint8_t state;

	if (!cpu_walk(cpu, linear, write ? ACC_WRITE : ACC_READ, user, true, &t, &f))
		return SHADOW_TRUE;
	s = physmem_span(sh->pm, t.gpa & sh->pm->a20_mask);
	if (!s->region || (s->region->kind != PM_RAM && s->region->kind != PM_ROM))
		return SHADOW_EMULATE;
	state = w->state[linear >> PAGE_SHIFT];
	if (write && s->region->kind != PM_RAM)
		return SHADOW_EMULATE;
	if (write && physmem_traced(sh->pm, t.gpa & sh->pm->a20_mask))
		return SHADOW_TRACED;
	if ((state & PAGE_MAPPED) && (!write || (state & PAGE_WRITABLE)))
		return SHADOW_EMULATE; /* mapped as wanted, and yet it faulted: something else */
	x = extent_of(sh, &t, linear, s);
	/* A clean page stays read-only until its first write, which sets D. */
	x.writable = s->region->kind == PM_RAM && t.dirty && (t.writable || (!user && !(cpu->cr0 & CR0_WP)));
	map_extent(sh, window, &x);
	cpu->stats->hidden_faults++;
	return SHADOW_RESOLVED;
}
