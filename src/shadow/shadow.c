/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of a guest without paging: linear addresses are physical ones, through A20. */
#define _GNU_SOURCE
#include "shadow_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trace.h"

static void unmap(void *at, uint64_t len)
{
	if (mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		PANIC("unmapping %llx bytes: %s", (unsigned long long)len, strerror(errno));
}

void run_change_edges(struct shadow *sh, struct run *r, uint32_t edges)
{
	sh->run_edges += (uint64_t)edges - r->edges;
	sh->cpu->stats->mappings += (uint64_t)edges - r->edges;
	r->edges = edges;
}

static void drop_run(struct shadow *sh, unsigned n)
{
	struct run *r = &sh->runs[n];

	unmap(sh->window + r->base, r->len);
	if (r->writable)
		unmap(sh->window + SHADOW_ALIAS + r->base, r->len);
	trace(shadow, "drop %llx+%llx", (unsigned long long)r->base, (unsigned long long)r->len);
	sh->cpu->stats->mappings_dropped++;
	sh->cpu->stats->mappings--;
	run_change_edges(sh, r, 0);
	*r = sh->runs[--sh->nruns];
}

static void drop_all(struct shadow *sh)
{
	while (sh->nruns)
		drop_run(sh, sh->nruns - 1);
}

static void drop_overlapping(struct shadow *sh, gpa_t base, uint64_t len)
{
	for (unsigned i = sh->nruns; i-- > 0;)
		if (sh->runs[i].base < base + len && base < sh->runs[i].base + sh->runs[i].len)
			drop_run(sh, i);
}

static void map_changed(void *arg, gpa_t base, uint64_t len)
{
	struct shadow *sh = arg;

	if (sh->pm->a20_mask != ~0ull || len > WINDOW_BYTES) /* aliases: not worth finding them */
		drop_all(sh);
	else
		drop_overlapping(sh, base, len);
	spaces_map_changed(sh, base, len); /* last: it ends in an audit */
}

static void traced_write(void *arg, gpa_t gpa, const uint8_t *data, unsigned len)
{
	struct shadow *sh = arg;
	uint8_t who = physmem_traced(sh->pm, gpa);

	sh->cpu->stats->traced_writes += !sh->cpu->setting_ad;
	for (unsigned i = 0; i < TRACK_CLIENTS; i++)
		if ((who >> i & 1) && sh->subscribers[i].fn)
			sh->subscribers[i].fn(sh->subscribers[i].arg, gpa, data, len);
}

int shadow_create(struct shadow **out, const struct shadow_config *cfg)
{
	struct shadow *sh = calloc(1, sizeof(*sh));
	int err;

	*out = NULL;
	if (!sh)
		return -ENOMEM;
	sh->cpu = cfg->cpu;
	sh->pm = cfg->cpu->pm;
	sh->audit = cfg->audit;
	sh->reservation = mmap(NULL, RESERVE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	sh->watched = mmap(NULL, GRANULES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sh->watched != MAP_FAILED)
		memory_is_sparse(sh->watched, GRANULES);
	err = sh->reservation == MAP_FAILED || sh->watched == MAP_FAILED ? -ENOMEM : paged_init(sh, cfg->max_mappings);
	if (err) {
		shadow_destroy(sh);
		return err;
	}
	sh->window = (uint8_t *)ALIGN_UP((uintptr_t)sh->reservation + GUARD_BYTES, WINDOW_BYTES);
	ASSERT(mprotect(sh->window + SHADOW_PROBE + 8 - PAGE_SIZE, PAGE_SIZE, PROT_READ) == 0);
	spaces_flush(sh);
	physmem_listen(sh->pm,
		       (struct pm_listener){.map_changed = map_changed, .traced_write = traced_write, .arg = sh});
	*out = sh;
	return 0;
}

void shadow_destroy(struct shadow *sh)
{
	if (!sh)
		return;
	physmem_unlisten(sh->pm, sh);
	if (sh->watched != MAP_FAILED)
		munmap(sh->watched, GRANULES);
	if (sh->reservation != MAP_FAILED)
		munmap(sh->reservation, RESERVE_BYTES);
	paged_destroy(sh);
	free(sh);
}

const uint8_t *shadow_watched(const struct shadow *sh)
{
	return sh->watched;
}

hva_t shadow_window_of(const struct shadow *sh, bool user)
{
	if (cpu_paging(sh->cpu))
		return (hva_t)sh->paged.windows[paged_window_of(sh, user)].base;
	return (hva_t)sh->window;
}

unsigned shadow_space(const struct shadow *sh, bool user)
{
	return paged_window_of(sh, user);
}

void shadow_on_lost(struct shadow *sh, shadow_lost_fn *fn, void *arg)
{
	sh->lost = fn;
	sh->lost_arg = arg;
}

hva_t shadow_window(const struct shadow *sh)
{
	return shadow_window_of(sh, sh->cpu->cpl == 3);
}

/* In the window without paging? */
static bool in_window(const struct shadow *sh, hva_t address, gva_t *linear)
{
	*linear = address - (hva_t)sh->window;
	return *linear < WINDOW_BYTES;
}

bool shadow_to_linear(const struct shadow *sh, hva_t address, gva_t *linear)
{
	const struct window *w = paged_chunk_near(sh, address);

	if (!w)
		w = paged_window_at(sh, address);
	if (!w)
		return in_window(sh, address, linear);
	*linear = w->linear + (address - (hva_t)w->base);
	return !window_is_chunk(&sh->paged, w) || (w->owned && !w->hidden_by);
}

bool shadow_in_place(const struct shadow *sh, hva_t address)
{
	return paged_is_window(sh, address);
}

const struct run *shadow_find_run(const struct shadow *sh, gva_t linear)
{
	for (unsigned i = 0; i < sh->nruns; i++)
		if (linear - sh->runs[i].base < sh->runs[i].len)
			return &sh->runs[i];
	return NULL;
}

/* The widest stretch of linear addresses around `linear` that maps to one span without a break at A20. */
static void widest(const struct shadow *sh, gva_t linear, const struct pm_span *s, struct run *r)
{
	gpa_t gpa = linear & sh->pm->a20_mask;
	gva_t low = linear - (gpa - s->base), high = low + s->len;

	if (gpa - s->base > linear)
		low = 0;
	if (sh->pm->a20_mask != ~0ull) {
		low = MAX(low, ALIGN_DOWN(linear, MiB));
		high = MIN(high, ALIGN_DOWN(linear, MiB) + MiB);
	}
	high = MIN(high, WINDOW_BYTES);
	r->base = low;
	r->len = high - low;
	r->backing = s->region->backing;
	r->offset = s->region->offset + ((low & sh->pm->a20_mask) - s->region->base);
	r->writable = s->region->kind == PM_RAM;
}

bool run_is_traced(const struct shadow *sh, const struct run *r, uint64_t at)
{
	return r->writable && r->backing == &sh->pm->ram && sh->pm->traced[(r->offset + at) >> PAGE_SHIFT];
}

/* Up to `most`. */
static uint32_t count_edges(const struct shadow *sh, const struct run *r, uint32_t most)
{
	bool before = run_is_traced(sh, r, 0), traced;
	uint32_t n = 0;

	for (uint64_t at = PAGE_SIZE; at < r->len && n < most; at += PAGE_SIZE) {
		traced = run_is_traced(sh, r, at);
		n += traced != before;
		before = traced;
	}
	return n;
}

uint32_t shadow_run_edges(const struct shadow *sh, const struct run *r)
{
	return count_edges(sh, r, UINT32_MAX);
}

/* What the budget has left. */
static uint32_t room(const struct shadow *sh)
{
	uint64_t used = sh->paged.edges + sh->run_edges;

	return used < sh->paged.max_edges ? (uint32_t)(sh->paged.max_edges - used) : 0;
}

/* Cuts the run, around the address, to what takes half of the room that there is: a page has no edges, so what an
 * instruction needs can always be mapped beside the rest. Halves of halves: two of them are apart, or one is in the
 * other. */
static void cut(const struct shadow *sh, struct run *r, gva_t linear)
{
	uint32_t most = room(sh) / 2;

	while (r->len > PAGE_SIZE && count_edges(sh, r, most + 1) > most) {
		uint64_t half = ALIGN_DOWN(r->len / 2, (uint64_t)PAGE_SIZE);
		if (linear - r->base < half) {
			r->len = half;
			continue;
		}
		r->base += half;
		r->offset += half;
		r->len -= half;
	}
}

static bool protect_traced(const struct shadow *sh, const struct run *r)
{
	for (uint64_t at = 0; at < r->len; at += PAGE_SIZE)
		if (run_is_traced(sh, r, at) && mprotect(sh->window + r->base + at, PAGE_SIZE, PROT_READ) < 0)
			return false;
	return true;
}

static bool map(const struct run *r, void *at, int prot)
{
	return mmap(at, r->len, prot, MAP_SHARED | MAP_FIXED, r->backing->fd, (off_t)r->offset) != MAP_FAILED;
}

/* False: nothing is to be mapped there, or the host has no room. */
static bool map_run(struct shadow *sh, gva_t linear)
{
	const struct pm_span *s = physmem_span(sh->pm, linear & sh->pm->a20_mask);
	struct run r = {.edges = 0};
	bool mapped;

	if (!s->region || (s->region->kind != PM_RAM && s->region->kind != PM_ROM))
		return false;
	if (sh->nruns == SHADOW_MAX_RUNS)
		drop_all(sh);
	widest(sh, linear, s, &r);
	run_cut_to_made(sh, &r, linear);
	cut(sh, &r, linear);
	drop_overlapping(sh, r.base, r.len);
	mapped = map(&r, sh->window + r.base, r.writable ? PROT_READ | PROT_WRITE : PROT_READ);
	/* Granules are those of RAM, looked up by linear address: not where RAM lies elsewhere, or behind a masked A20.
	 */
	if (r.writable && sh->pm->a20_mask == ~0ull && (r.backing != &sh->pm->ram || r.offset == r.base))
		mapped = mapped && map(&r, sh->window + SHADOW_ALIAS + r.base, PROT_READ | PROT_WRITE);
	sh->runs[sh->nruns++] = r;
	sh->cpu->stats->mappings_made++;
	sh->cpu->stats->mappings++;
	run_change_edges(sh, &sh->runs[sh->nruns - 1], shadow_run_edges(sh, &r));
	trace(shadow, "map %llx+%llx %s", (unsigned long long)r.base, (unsigned long long)r.len, s->region->name);
	if (mapped && protect_traced(sh, &r)) {
		if (r.writable && r.backing == &sh->pm->ram)
			physmem_touch(sh->pm, sh->window + r.base, r.len, r.offset, linear - r.base);
		runs_join(sh);
		return true;
	}
	drop_run(sh, sh->nruns - 1);
	return false;
}

/* An address in the guards or between the windows. */
static enum shadow_fault outside(const struct shadow *sh, hva_t address)
{
	bool ours = address - (hva_t)sh->reservation < RESERVE_BYTES || paged_in_area(sh, address);

	return ours ? SHADOW_EMULATE : SHADOW_FOREIGN;
}

static enum shadow_fault handle_fault(struct shadow *sh, hva_t address, bool write, bool know)
{
	const struct run *r;
	gva_t linear;

	if (shadow_in_view_table(sh, address))
		return view_fault(sh, address);
	if (paged_is_window(sh, address))
		return paged_fault(sh, address, write, know);
	if (!in_window(sh, address, &linear) && !in_window(sh, address - SHADOW_ALIAS, &linear))
		return outside(sh, address);
	r = shadow_find_run(sh, linear);
	if (!r) {
		if (!map_run(sh, linear))
			return SHADOW_EMULATE;
		sh->cpu->stats->hidden_faults++;
		if (sh->audit)
			shadow_audit(sh);
		return SHADOW_RESOLVED;
	}
	if (!write || !r->writable)
		return SHADOW_EMULATE;
	if (r->backing == &sh->pm->ram && sh->pm->traced[(r->offset + (linear - r->base)) >> PAGE_SHIFT])
		return SHADOW_TRACED;
	return SHADOW_EMULATE;
}

enum shadow_fault shadow_handle_fault(struct shadow *sh, hva_t address, bool write)
{
	return handle_fault(sh, address, write, false);
}

enum shadow_fault shadow_handle_look(struct shadow *sh, hva_t address, bool write)
{
	return handle_fault(sh, address, write, true);
}

/* The page at that distance from the run's beginning has become traced, or ceased to be. False: there is no room for
 * that. */
static bool protect_in_run(struct shadow *sh, struct run *r, uint64_t at, bool writable)
{
	bool traced = run_is_traced(sh, r, at);
	uint32_t edges = r->edges;

	if (at)
		edges += run_is_traced(sh, r, at - PAGE_SIZE) == traced ? -1u : 1u;
	if (at + PAGE_SIZE < r->len)
		edges += run_is_traced(sh, r, at + PAGE_SIZE) == traced ? -1u : 1u;
	if (edges > r->edges && edges - r->edges > room(sh))
		return false;
	run_change_edges(sh, r, edges);
	return !mprotect(sh->window + r->base + at, PAGE_SIZE, writable ? PROT_READ | PROT_WRITE : PROT_READ);
}

/*
 * Under paging the window without paging is not in use: it gives its mapping of RAM up rather than be split by each
 * traced page. Whoever leaves paging finds it absent and maps it anew. So does who finds it absent since there was no
 * room for another traced page: less of RAM is mapped at once then.
 */
void shadow_protect_page(struct shadow *sh, uint64_t offset, bool writable)
{
	for (unsigned i = sh->nruns; i-- > 0;) {
		struct run *r = &sh->runs[i];
		if (r->backing != &sh->pm->ram || !r->writable || offset - r->offset >= r->len)
			continue;
		if (cpu_paging(sh->cpu) || !protect_in_run(sh, r, offset - r->offset, writable))
			drop_run(sh, i);
	}
	windows_protect(sh, (uint32_t)(offset >> PAGE_SHIFT));
}

void shadow_mmu_event(struct shadow *sh, enum mmu_event event, gva_t address)
{
	if (event == MMU_FAULT || event == MMU_INVLPG) {
		spaces_flush_page(sh, address);
		return;
	}
	spaces_flush(sh);
	/* Guests load CR3 all the time; what changes with it is checked now and then. */
	if (sh->audit && (event == MMU_A20 || ++sh->audit_countdown % AUDIT_EVERY == 0)) {
		audit_upper(sh);
		shadow_audit(sh);
	}
}
