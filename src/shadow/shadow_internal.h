/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_SHADOW_INTERNAL_H
#define GNOMON_SHADOW_INTERNAL_H

#include "paged_internal.h"
#include "shadow.h"
#include "track.h"

#define WINDOW_BYTES (4 * GiB)
/* Wider than any single access that starts in the window, and than any displacement added to a checked address. */
#define GUARD_BYTES (1 * MiB)

/* Everything is reserved with room to align the window to 4 GiB. */
#define RESERVE_BYTES (5 * WINDOW_BYTES)
/* Address space of the table of a view. */
#define VIEW_BYTES BIT(SHADOW_VIEW_TABLE_BITS)
_Static_assert(SHADOW_SUPERVISOR_VIEW + (sizeof(uint64_t) << 32) <= VIEW_BYTES,
	       "a table, and supervisor mode's behind it");
_Static_assert(VIEW_PAGES / 2 * PAGE_SIZE < SHADOW_SUPERVISOR_VIEW, "they do not meet");
_Static_assert(((uint64_t)SHADOW_SUPERVISOR_VIEW / sizeof(uint64_t) << SHADOW_VIEW_SHIFT) % BIT(51),
	       "what an index finds in the other table is not made up for by a probed one: docs/isolation.md");
#define GRANULES (WINDOW_BYTES >> SHADOW_GRANULE_SHIFT)

enum { SHADOW_MAX_RUNS = 256, AUDIT_EVERY = 1024 };

/* A stretch of the window mapped onto one contiguous stretch of one backing. */
struct run {
	gva_t base;
	uint64_t len;
	const struct pm_backing *backing;
	uint64_t offset; /* in the backing */
	bool writable;	 /* RAM (traced pages within are read-only), else ROM */
	uint32_t edges;	 /* between traced pages and others: mappings of the host's, beside the first */
};

struct subscriber {
	track_fn *fn;
	void *arg;
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
	uint64_t run_edges; /* of all runs */
	struct subscriber subscribers[TRACK_CLIENTS];
	shadow_lost_fn *lost;
	void *lost_arg;
	struct x86_fault true_fault;
	struct paged paged;
};

/* The run that holds the linear address, or NULL. */
const struct run *shadow_find_run(const struct shadow *sh, gva_t linear);

/* What its edges should be. */
uint32_t shadow_run_edges(const struct shadow *sh, const struct run *r);

/* Is the page at that distance from the run's beginning traced RAM? */
bool run_is_traced(const struct shadow *sh, const struct run *r, uint64_t at);
void run_change_edges(struct shadow *sh, struct run *r, uint32_t edges);

/* --- run.c --- */
/* Of a run that is going to be mapped: so much, around the address, as is made then, and is in no other run. */
void run_cut_to_made(const struct shadow *sh, struct run *r, gva_t linear);
/* Makes one run of the last one and those beside it, which the host's kernel has as one mapping as well. */
void runs_join(struct shadow *sh);

/* Sets the protection of the page at `offset` of RAM wherever it is mapped. */
void shadow_protect_page(struct shadow *sh, uint64_t offset, bool writable);

/* --- audit.c --- */
/* One line of the kernel's list of mappings, cut to the window. */
struct host_map {
	gva_t base;
	uint64_t len;
	bool readable, writable, executable;
	uint64_t offset, inode;
};
uint64_t audit_inode(const struct pm_backing *b);

/* --- audit_paged.c --- */
uint64_t audit_paged_map(const struct shadow *sh, const struct window *w, const struct host_map *m);
/* host_pages: readable pages of each window, as the host says. */
void audit_paged(const struct shadow *sh, const uint64_t host_pages[ALL_WINDOWS]);

/* --- audit_view.c --- */
/* One mapping of the host's, readable. Does it lie in a table of a view, or where only chunks may be mapped? Returns
 * how many pages of tables. */
uint64_t audit_view_map(const struct shadow *sh, hva_t start, uint64_t len);
/* table_pages: how many are readable, as the host says. */
void audit_views(const struct shadow *sh, uint64_t table_pages);
/* Right after a flush: upper tables are not traced. */
void audit_upper(const struct shadow *sh);

/* --- fill.c --- */
int paged_init(struct shadow *sh, unsigned max_mappings);
void paged_destroy(struct shadow *sh);
/* The number of the window of user or supervisor mode in the present address space. */
unsigned paged_window_of(const struct shadow *sh, bool user);
/* know: the page may become known instead of mapped. */
enum shadow_fault paged_fault(struct shadow *sh, hva_t address, bool write, bool know);

/* --- view.c --- */
enum shadow_fault view_fault(struct shadow *sh, hva_t address);

/* --- places.c --- */
/* Is it an address of a window? */
const struct window *paged_window_at(const struct shadow *sh, hva_t address);
bool paged_is_window(const struct shadow *sh, hva_t address);
/* The chunk that is owned and has the address within SHADOW_VIEW_REACH, or NULL. */
const struct window *paged_chunk_near(const struct shadow *sh, hva_t address);
/* Is the address one of those reserved for windows? */
bool paged_in_area(const struct shadow *sh, hva_t address);
bool paged_in_chunk_area(const struct shadow *sh, hva_t address);

/* --- rights.c --- */
/* Applies that the trace of a page of RAM has come or gone. */
void windows_protect(struct shadow *sh, uint32_t frame);

#endif
