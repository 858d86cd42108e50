/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hidden faults of a guest with paging: what the guest's tables map is mapped in the window. */
#define _GNU_SOURCE
#include <string.h>

#include "cpu/mem.h"
#include "cpu/x86.h"
#include "shadow_internal.h"
#include "trace.h"

#define PTE_ADDR_64 (BIT(52) - PAGE_SIZE)

int paged_init(struct shadow *sh, unsigned max_mappings)
{
	int err = windows_init(sh, max_mappings);

	sh->paged.current = NO_SPACE;
	sh->paged.entry_bytes = 4;
	sh->paged.region_shift = 10;
	if (!err)
		err = rmap_init(sh);
	return err ? err : tables_init(sh);
}

void paged_destroy(struct shadow *sh)
{
	windows_destroy(sh);
	rmap_destroy(sh);
	tables_destroy(sh);
}

unsigned paged_window_of(const struct shadow *sh, bool user)
{
	return user && sh->paged.current != NO_SPACE ? 1 + sh->paged.current : SUPERVISOR;
}

/* Makes the region one of the present entry of the directory. False: its table cannot be traced. */
static bool claim_region(struct shadow *sh, struct window *w, unsigned r)
{
	struct region *region = &w->regions[r];
	struct batch b = {0};
	uint64_t entry;
	uint32_t n = 0;

	if (is_long(&sh->paged) && !quarter_claim(sh, w, r / 512))
		return false;
	entry = window_entry(sh, w, r);
	if (region->entry && !entry_same(region->entry, entry)) {
		region_drop(sh, &b, w, r);
		batch_flush(sh, &b);
	}
	if (!(entry & PTE_P))
		return false; /* the directory is not traced */
	if (!(entry & PTE_PS) || (sh->paged.entry_bytes == 4 && !(sh->cpu->cr4 & CR4_PSE))) {
		n = table_at(sh, entry & PTE_ADDR_64 & sh->pm->a20_mask);
		if (!n)
			return false;
		sh->paged.tables[n].writes = 0;
	}
	region_link(sh, w, r, entry, n);
	return true;
}

/* The stretch of a region around a translation that one leaf entry and one span of physical memory cover. linear: in
 * the window. */
static struct extent extent_of(const struct shadow *sh, const struct translation *t, gva_t linear,
			       const struct pm_span *s)
{
	bool whole = sh->pm->a20_mask == ~0ull && opt_on(sh->cpu->opt_off, OPT_EXTENTS);
	uint64_t size = whole ? MIN(t->page_size, (uint64_t)PAGE_SIZE << sh->paged.region_shift) : PAGE_SIZE;
	gpa_t gpa = t->gpa & sh->pm->a20_mask, low = ALIGN_DOWN(gpa, size), high = low + size;

	low = MAX(low, s->base);
	high = MIN(high, s->base + s->len);
	return (struct extent){.page = (linear - (gpa - low)) >> PAGE_SHIFT,
			       .count = (high - low) >> PAGE_SHIFT,
			       .backing = s->region->backing,
			       .offset = s->region->offset + (low - s->region->base)};
}

static uint64_t entry_of_page(const struct shadow *sh, const struct region *region, uint64_t page)
{
	return table_entry(sh, &sh->paged.tables[region->table], page & (BIT(sh->paged.region_shift) - 1));
}

static gpa_t extent_gpa(const struct extent *x, const struct pm_span *s)
{
	return x->offset - s->region->offset + s->region->base;
}

/* Does the page, next to what is mapped now, show the next page of RAM with the same rights? pte: its entry if so. */
static bool continues(const struct shadow *sh, const struct window *w, const struct region *region, uint64_t page,
		      uint64_t pte)
{
	return entry_of_page(sh, region, page) == pte && !w->state[page] && !window_is_parked(w, page) &&
	       !physmem_traced(sh->pm, pte & PTE_ADDR_64);
}

/* How many pages in a row are mapped, or known, from `page` on, by `step`? */
static uint64_t mapped_from(const struct window *w, uint64_t page, int step)
{
	uint64_t n = 0;

	while (n < AROUND && page < WINDOW_PAGES && (w->state[page] & (PAGE_MAPPED | PAGE_KNOWN))) {
		page += (uint64_t)(int64_t)step;
		n++;
	}
	return n;
}

/* Those of supervisor mode, mapped by a table that none has been taken away from? */
static bool is_kernels(const struct shadow *sh, const struct region *region, uint64_t pte)
{
	return !(pte & region->entry & PTE_U) && !sh->paged.tables[region->table].fickle;
}

/*
 * A program that goes from page to page through what the kernel read into its buffer, or moved to another address for
 * it: as many pages again as are mapped behind it are mapped ahead, if their entries differ from this one's by no more
 * than their place. They have been accessed and, if they may be written, written, so that neither bit need be watched.
 * A kernel's memory in small pages, which has both bits set from the start, is mapped as far as it goes on in the
 * table, but where pages come and go (a fixmap): all of them would have to be dropped each time.
 */
static void widen(const struct shadow *sh, const struct window *w, const struct region *region, const struct pm_span *s,
		  struct extent *x)
{
	uint64_t page = x->page, first = ALIGN_DOWN(page, BIT(sh->paged.region_shift)), up, down, pte;
	uint64_t last = first + BIT(sh->paged.region_shift) - 1;
	gpa_t gpa = extent_gpa(x, s);

	if (!region->table || x->count != 1 || window_is_parked(w, page) || (w->state[page] & PAGE_MAPPED) ||
	    sh->pm->a20_mask != ~0ull || !opt_on(sh->cpu->opt_off, OPT_AROUND))
		return;
	pte = entry_of_page(sh, region, page);
	if ((pte & PTE_ADDR_64) != gpa || !(pte & PTE_A))
		return;
	up = MIN(last - page, (s->base + s->len - gpa) / PAGE_SIZE - 1);
	down = MIN(page - first, (gpa - s->base) / PAGE_SIZE);
	if (!is_kernels(sh, region, pte)) {
		up = MIN(up, mapped_from(w, page - 1, -1));
		down = MIN(down, mapped_from(w, page + 1, 1));
	}
	for (uint64_t i = 1; i <= up && continues(sh, w, region, page + i, pte + i * PAGE_SIZE); i++)
		x->count++;
	for (uint64_t i = 1; i <= down && continues(sh, w, region, page - i, pte - i * PAGE_SIZE); i++) {
		x->page--;
		x->offset -= PAGE_SIZE;
		x->count++;
	}
}

/* More than a page of RAM that the guest may write to? Such RAM is made by the piece. */
static bool is_in_pieces(const struct shadow *sh, const struct extent *x)
{
	return sh->pm->in_pieces && x->writable && x->backing == &sh->pm->ram && x->count > 1;
}

static bool is_ram_made(const struct shadow *sh, const struct window *w, uint64_t page, uint64_t offset)
{
	return !(w->state[page] & PAGE_MAPPED) && physmem_is_made(sh->pm, offset);
}

/*
 * RAM that nobody has touched is made by the piece, and mapped with it: what touches one page of it touches nearly all.
 * So much of the extent, around the page, as is there then and not mapped yet.
 */
static void cut_to_made(const struct shadow *sh, const struct window *w, uint64_t page, struct extent *x)
{
	uint64_t offset = x->offset + (page - x->page) * PAGE_SIZE, first = page, last = page;
	uint64_t end = x->page + x->count;

	if (!is_in_pieces(sh, x))
		return;
	physmem_make(sh->pm, offset);
	while (first > x->page && is_ram_made(sh, w, first - 1, x->offset + (first - 1 - x->page) * PAGE_SIZE))
		first--;
	while (last + 1 < end && is_ram_made(sh, w, last + 1, x->offset + (last + 1 - x->page) * PAGE_SIZE))
		last++;
	x->offset += (first - x->page) * PAGE_SIZE;
	x->page = first;
	x->count = last + 1 - first;
}

/* What is around the page in its piece is going to be accessed, too. window_map() has small extents populated. */
static void touch_piece(const struct shadow *sh, const struct window *w, uint64_t page, const struct extent *x)
{
	if (is_in_pieces(sh, x) && x->count > AROUND)
		physmem_touch(sh->pm, w->base + (x->page << PAGE_SHIFT), x->count * PAGE_SIZE, x->offset,
			      (page - x->page) * PAGE_SIZE);
}

/* The window that shows a linear address of the present address space. NULL: none can. */
static struct window *window_for(struct shadow *sh, bool user, gva_t linear, bool chunk)
{
	return chunk ? view_own(sh, user, linear) : &sh->paged.windows[paged_window_of(sh, user)];
}

static void depend(struct shadow *sh, const struct pm_span *s, const struct extent *x)
{
	gpa_t gpa = extent_gpa(x, s);

	spaces_depend(sh, gpa);
	spaces_depend(sh, gpa + x->count * PAGE_SIZE - 1); /* no extent is as long as what it notes */
}

/* A page that was a table has become a program's memory. False: it was none. */
static bool release_retired(struct shadow *sh, const struct pm_span *s, gpa_t gpa)
{
	return s->region->kind == PM_RAM && s->region->backing == &sh->pm->ram &&
	       table_release_retired(sh, (uint32_t)((s->region->offset + (gpa - s->region->base)) >> PAGE_SHIFT));
}

/* chunk: the access was made by 64-bit code. know: the page may become known only. */
static enum shadow_fault fill(struct shadow *sh, bool user, gva_t linear, bool chunk, const struct translation *t,
			      const struct pm_span *s, bool know)
{
	bool supervisor = paged_window_of(sh, user) == SUPERVISOR;
	unsigned r = (unsigned)((uint32_t)linear >> PAGE_SHIFT >> sh->paged.region_shift);
	struct extent x = extent_of(sh, t, (uint32_t)linear, s), wide;

	/* A clean page stays read-only until its first write, which sets D. */
	x.writable = s->region->kind == PM_RAM && t->dirty && (t->writable || (supervisor && !(sh->cpu->cr0 & CR0_WP)));
	if (!tables_room(sh))
		spaces_drop(sh);
	for (unsigned tries = 0; tries < 3; tries++) {
		struct window *w = window_for(sh, user, linear, chunk);
		if (!w || !claim_region(sh, w, r))
			return SHADOW_EMULATE;
		wide = x;
		widen(sh, w, &w->regions[r], s, &wide);
		cut_to_made(sh, w, (uint32_t)linear >> PAGE_SHIFT, &wide);
		depend(sh, s, &wide);
		if (wide.count == 1 && wide.writable)
			release_retired(sh, s, t->gpa & sh->pm->a20_mask);
		if (know && window_know(sh, w, &wide))
			return SHADOW_RESOLVED;
		if (window_map(sh, w, &wide)) {
			touch_piece(sh, w, (uint32_t)linear >> PAGE_SHIFT, &wide);
			return SHADOW_RESOLVED;
		}
		if (tries == 0)
			spaces_make_room(sh);
		else
			spaces_drop(sh); /* the host itself has none left */
	}
	return SHADOW_EMULATE;
}

bool shadow_fetched(struct shadow *sh, gva_t linear, gpa_t gpa, bool user)
{
	uint64_t page = (uint32_t)linear >> PAGE_SHIFT;
	const struct pm_span *s;
	struct translation t;
	struct x86_fault f;
	struct window *w;
	uint32_t frame;

	if (!cpu_paging(sh->cpu))
		return true;
	s = physmem_span(sh->pm, gpa);
	if (sh->paged.current == NO_SPACE || !s->region || !s->region->backing)
		return false;
	w = window_for(sh, user, linear, cpu_code64(sh->cpu));
	if (!w)
		return false;
	frame = window_frame(sh, s->region->backing, s->region->offset + (gpa - s->region->base));
	if ((w->state[page] & PAGE_FETCHED) && w->frame[page] == frame)
		return true;
	spaces_depend(sh, gpa);
	/* What led there may be out of date, and not be flushed yet. */
	if (!cpu_walk(sh->cpu, linear, ACC_EXEC, user, true, &t, &f) ||
	    ((t.gpa & sh->pm->a20_mask) ^ gpa) >> PAGE_SHIFT || !tables_room(sh) ||
	    !claim_region(sh, w, (unsigned)(page >> sh->paged.region_shift)))
		return false;
	window_fetched(sh, w, page, frame);
	return true;
}

bool shadow_is_fetched(const struct shadow *sh, gva_t linear, gpa_t gpa, unsigned space)
{
	const struct pm_span *s = physmem_span(sh->pm, gpa);
	uint64_t page = (uint32_t)linear >> PAGE_SHIFT;

	for (unsigned i = 0; s->region && s->region->backing && i < ALL_WINDOWS; i++) {
		const struct window *w = &sh->paged.windows[i];
		if (w->state && w->view == space && (w->linear ^ linear) >> 32 == 0 &&
		    (w->state[page] & PAGE_FETCHED) &&
		    w->frame[page] == window_frame(sh, s->region->backing, s->region->offset + (gpa - s->region->base)))
			return true;
	}
	return false;
}

enum shadow_fault paged_fault(struct shadow *sh, hva_t address, bool write, bool know)
{
	struct cpu *cpu = sh->cpu;
	const struct window *w = paged_window_at(sh, address);
	bool user = w->view != SUPERVISOR;
	bool chunk = window_is_chunk(&sh->paged, w);
	gva_t linear = w->linear + (address - (hva_t)w->base);
	const struct pm_span *s;
	struct translation t;
	enum shadow_fault result;
	uint8_t state;

	if (!view_is_present(&sh->paged, w->view) || (chunk && (!w->owned || w->hidden_by)))
		return SHADOW_EMULATE;
	/* A and D are set below: who single-steps the access may hold another translation and not use this one. */
	if (!cpu_walk(cpu, linear, write ? ACC_WRITE : ACC_READ, user, false, &t, &sh->true_fault))
		return user == (cpu->cpl == 3) ? SHADOW_TRUE : SHADOW_EMULATE;
	s = physmem_span(sh->pm, t.gpa & sh->pm->a20_mask);
	if (!s->region || (s->region->kind != PM_RAM && s->region->kind != PM_ROM))
		return SHADOW_EMULATE;
	if (write && s->region->kind != PM_RAM)
		return SHADOW_EMULATE;
	state = w->state[(uint32_t)linear >> PAGE_SHIFT];
	if (user && write && release_retired(sh, s, t.gpa & sh->pm->a20_mask) && (state & PAGE_WRITABLE))
		return SHADOW_RESOLVED; /* if nothing but that trace was in the way */
	if (write && physmem_traced(sh->pm, t.gpa & sh->pm->a20_mask)) {
		/* Its state is to say that nothing but the trace is in the way. */
		if (t.accessed && t.dirty && !(state & PAGE_WRITABLE) && !(t.user && !user && (cpu->cr4 & CR4_SMAP)))
			fill(sh, user, linear, chunk, &t, s, know);
		return SHADOW_TRACED;
	}
	if ((state & PAGE_MAPPED) && (!write || (state & PAGE_WRITABLE)))
		return SHADOW_EMULATE; /* mapped as wanted, and yet it faulted: something else */
	/* What is known, and yet it is asked for it: it has been used enough, or the access goes on in the next page.
	 */
	know = know && !((state & PAGE_KNOWN) && (!write || (state & PAGE_WRITABLE)));
	if (!t.accessed || (write && !t.dirty))
		cpu_walk(cpu, linear, write ? ACC_WRITE : ACC_READ, user, true, &t, &sh->true_fault);
	cpu->stats->hidden_faults++;
	if (!user && t.user && (cpu->cr4 & CR4_SMAP))
		return SHADOW_EMULATE_USER; /* RFLAGS.AC decides each time */
	result = fill(sh, user, linear, chunk, &t, s, know);
	return result == SHADOW_RESOLVED && t.user && !user && cpu->cpl != 3 ? SHADOW_RESOLVED_USER : result;
}

const struct x86_fault *shadow_true_fault(const struct shadow *sh)
{
	return &sh->true_fault;
}

static void install(struct shadow *sh, gva_t linear, bool user, bool know)
{
	bool chunk = cpu_code64(sh->cpu), writable;
	const struct window *w;
	const struct pm_span *s;
	struct translation t;
	struct x86_fault f;
	uint8_t state;

	if (!opt_on(sh->cpu->opt_off, OPT_INSTALL) || !cpu_paging(sh->cpu) ||
	    !cpu_walk(sh->cpu, linear, ACC_READ, user, false, &t, &f) || !t.accessed)
		return;
	if (!user && t.user && (sh->cpu->cr4 & CR4_SMAP))
		return;
	w = window_for(sh, user, linear, chunk);
	if (!w)
		return;
	state = w->state[(uint32_t)linear >> PAGE_SHIFT];
	if ((state & PAGE_KNOWN) && !know)
		state = 0;
	s = physmem_span(sh->pm, t.gpa & sh->pm->a20_mask);
	writable = t.dirty && (t.writable || (!user && !(sh->cpu->cr0 & CR0_WP)));
	/* Mapped read-only it faults again if it is written, for whatever reason. */
	if (!s->region || s->region->kind != PM_RAM || (state & PAGE_WRITABLE) ||
	    ((state & (PAGE_MAPPED | PAGE_KNOWN)) && !writable))
		return;
	sh->cpu->stats->mappings_installed++;
	fill(sh, user, linear, chunk, &t, s, know);
}

void shadow_install(struct shadow *sh, gva_t linear, bool user)
{
	install(sh, linear, user, false);
}

bool shadow_know(struct shadow *sh, gva_t linear, bool user)
{
	install(sh, linear, user, true);
	return shadow_page_state(sh, linear, user) & SHADOW_PAGE_KNOWN;
}
