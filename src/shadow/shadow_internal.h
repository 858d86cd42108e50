/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_SHADOW_INTERNAL_H
#define GNOMON_SHADOW_INTERNAL_H

#include "shadow.h"
#include "track.h"

#define WINDOW_BYTES (4 * GiB)
/* Wider than any single access that starts in the window, and than any displacement added to a checked address. */
#define GUARD_BYTES (1 * MiB)

/* Everything is reserved with room to align the window to 4 GiB. */
#define RESERVE_BYTES (5 * WINDOW_BYTES)
#define GRANULES      (WINDOW_BYTES >> SHADOW_GRANULE_SHIFT)

enum { SHADOW_MAX_RUNS = 256, AUDIT_EVERY = 1024 };

/* A stretch of the window mapped onto one contiguous stretch of one backing. */
struct run {
	gva_t base;
	uint64_t len;
	const struct pm_backing *backing;
	uint64_t offset; /* in the backing */
	bool writable;	 /* RAM (traced pages within are read-only), else ROM */
};

struct subscriber {
	track_fn *fn;
	void *arg;
};

enum { PAGED_SUPERVISOR, PAGED_USER };

enum { MAX_TRANSIENT = 4096 };

struct page_range {
	uint32_t page, count;
};

/* A window of a guest with paging: paged.c. */
struct paged_window {
	uint8_t *reservation;
	uint8_t *base;	   /* linear address 0; a multiple of 4 GiB */
	uint8_t *state;	   /* by page: PAGE_* */
	uint32_t *frame;   /* by page, if mapped: the page of RAM */
	uint64_t mappings; /* made since it was empty */
	struct page_range
	    transient[MAX_TRANSIENT]; /* mappings of pages that are not global: a load of CR3 drops them */
	unsigned ntransient;	      /* may exceed MAX_TRANSIENT: too many to note */
};

/* Entry of the reverse map: a page of a window, and the next one that shows the same page of RAM. */
struct alias {
	uint32_t page; /* page << 1 | window */
	uint32_t next;
};

struct shadow {
	struct cpu *cpu;
	struct physmem *pm;
	bool audit;
	unsigned audit_countdown;
	uint8_t *reservation;
	uint8_t *window;  /* linear address 0 */
	uint8_t *watched; /* per granule: how many watch it */
	struct run runs[SHADOW_MAX_RUNS];
	unsigned nruns;
	struct subscriber subscribers[TRACK_CLIENTS];
	struct paged_window paged[2]; /* PAGED_* */
	uint64_t *alias_head;	      /* by page of RAM: generation << 32 | index */
	struct alias *aliases;
	uint32_t naliases, alias_generation;
};

/* The run that holds the linear address, or NULL. */
const struct run *shadow_find_run(const struct shadow *sh, gva_t linear);

/* Sets the protection of the page at `offset` of RAM wherever it is mapped. */
void shadow_protect_page(struct shadow *sh, uint64_t offset, bool writable);

/* --- paged.c --- */
int paged_init(struct shadow *sh);
void paged_destroy(struct shadow *sh);
enum shadow_fault paged_fault(struct shadow *sh, unsigned window, gva_t linear, bool write);
void paged_drop_all(struct shadow *sh);
/* What a load of CR3 flushes: all but global pages (4.10.4.1). */
void paged_drop_transient(struct shadow *sh);
void paged_drop(struct shadow *sh, gva_t linear);
void paged_protect_page(struct shadow *sh, uint64_t offset, bool writable);

#endif
