/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows of guests with paging: what is mapped in them, and what of the guest's tables that depends on. See README.md,
 * "With paging" and "64-bit code".
 */
#ifndef GNOMON_PAGED_INTERNAL_H
#define GNOMON_PAGED_INTERNAL_H

#include "base.h"
#include "physmem.h"

struct shadow;

enum {
	WINDOW_PAGES = 1 << 20,
	SPACES = 32,	      /* address spaces whose user windows are kept */
	SUPERVISOR = 0,	      /* number of the supervisor window; that of the user window of space n is 1 + n */
	WINDOWS = 1 + SPACES, /* of these, and of views */
	CHUNKS = 256,	      /* windows beyond them, which views own: what 64-bit code reaches */
	ALL_WINDOWS = WINDOWS + CHUNKS,
	NOWHERE = CHUNKS, /* number of the place that no chunk is at */
	NO_SPACE = SPACES,
	MAX_REGIONS = 2048, /* of a window: what one entry of a page directory maps, 4 or (PAE) 2 MiB */
	TABLE_ENTRIES = 1024,
	MAX_TABLES = 1 << 15,
	MAX_ALIASES = 1 << 21,
	DIRECTORIES = 4,       /* PAE; else only the first is used */
	QUARTERS = 4,	       /* of a window in long mode: 1 GiB each, what an entry of the third level maps */
	VIEW_PAGES = 1 << 16,  /* of a view, canonical addresses: bits 56 to 41 of the linear address */
	MAX_VIEW_PAGES = 2048, /* that are readable, of all views: 8 MiB */
	RETIRED = 64,	       /* tables that nothing depends on, and that are traced all the same */
	AROUND = 32, /* pages that a fault maps along with its own; so many the host fills in at once (window_map()) */
};

/* Bits of window.state */
enum {
	PAGE_MAPPED = 1,
	PAGE_WRITABLE = 2,  /* the guest's tables allow it (and D is set); read-only only if traced */
	PAGE_PROTECTED = 4, /* PAGE_WRITABLE, but traced */
	PAGE_FETCHED = 8,   /* code was fetched: to be reported when dropped */
	PAGE_KNOWN = 16,    /* not mapped, but all that mapping it takes is known: see known.c */
};

/* What software keeps in entries of long mode, and protection keys. */
#define PTE_IGNORED_64 (BIT(63) - BIT(52))

/* Frame numbers below this are pages of RAM; from it on, what tells pages of other backings apart. */
#define FRAME_OTHER BIT(31)

/* What one entry of a page directory maps in a window. */
struct region {
	uint64_t entry;	     /* that its pages were mapped by; 0: none */
	uint32_t table;	     /* number of the page table, 0 for a large page */
	uint32_t next, prev; /* other users of the table: region numbers + 1 */
	uint16_t pages;	     /* with state */
	uint16_t parked;
};

/* Long mode: what the upper tables, which are not traced, say of a GiB of a window. They are read anew at flushes. */
struct quarter {
	uint64_t entry;	     /* of the third level, with what those above allow: see upper_read(); 0: nothing mapped */
	uint32_t directory;  /* number of the page directory, 0: a page of 1 GiB, or nothing */
	uint32_t next;	     /* other quarters that the directory maps: 4 * window + quarter, + 1 */
	const uint8_t *host; /* the directory */
};

struct window {
	uint8_t *base;	    /* host address of its first page */
	gva_t linear;	    /* the linear one: 0 but for chunks */
	uint16_t view;	    /* SUPERVISOR, or 1 + the space that it shows to user mode */
	bool holes;	    /* what is not mapped is not reserved either */
	bool owned;	    /* a chunk, by that view */
	uint16_t hidden_by; /* and not shown until this space - 1 is used again; 0: shown */
	uint16_t next;	    /* chunk of the same view, or hidden by the same space, 0: none */
	uint64_t used;	    /* a chunk, when last: see struct paged */
	uint8_t *state;	    /* by page: PAGE_* */
	uint32_t *frame;    /* by page with state */
	struct region *regions;
	uint64_t *parked; /* by page: see park.c */
	uint32_t nparked;
	uint8_t returns;		   /* pages have come back to the frame they showed last: a score */
	uint64_t linked[MAX_REGIONS / 64]; /* regions with an entry */
	uint64_t pages, fetched;
	uint64_t edges; /* pages that begin another host mapping than the page before */
	struct quarter quarters[QUARTERS];
};

/* A table of deltas for 64-bit code: see shadow_view(). Windows below WINDOWS belong to one as well. */
struct view {
	uint64_t *table;		    /* by linear >> 32 */
	uint64_t readable[VIEW_PAGES / 64]; /* pages of it */
	unsigned nreadable;
	uint64_t beside[VIEW_PAGES / 64]; /* pages of supervisor mode's that are readable behind it */
	unsigned nbeside;
	uint16_t chunks; /* first one that it shows, 0: none */
	uint64_t edges;	 /* of its windows */
};

/* Host addresses for windows, with guards between them. */
struct places {
	uint8_t *reservation;
	uint8_t *first;
	uint64_t guard;
	unsigned count;
	bool holes;
};

/* A page of RAM that mappings were made from: a page table or a page directory. Traced while it is one. */
struct table {
	uint32_t frame;
	uint32_t users;	      /* first region that is mapped by it, number + 1: as a page table */
	uint32_t next;	      /* of the dirty, or of the free ones */
	uint32_t quarters;    /* long mode: first quarter that it is the directory of, number + 1 */
	uint16_t spaces;      /* how often it is a directory of a space or a quarter */
	uint16_t writes;      /* since a fault was last resolved by it */
	uint16_t run, run_at; /* entries written in a row, and which one would continue it */
	bool dirty, dead;
	bool fickle;			      /* pages that it mapped have been taken away */
	uint8_t retired;		      /* place in paged.retired, + 1; 0: something depends on it */
	uint64_t written[TABLE_ENTRIES / 64]; /* entries that changed since the last flush */
};

/* An address space: what the registers say that its tables begin with. */
struct space {
	bool live;
	uint64_t
	    key[DIRECTORIES]; /* physical addresses of the directories (long mode: of the highest table), 0: none */
	uint32_t directory[DIRECTORIES];
	const uint8_t *host[DIRECTORIES];
	uint64_t used;	 /* when, in switches */
	uint16_t hidden; /* first chunk of supervisor mode's that is to be shown in it only, 0: none */
};

/* Entry of the reverse map: a page of a window that shows a page of RAM writable. */
struct alias {
	uint32_t page; /* window << 20 | page */
	uint32_t next;
};

struct paged {
	struct places places, chunk_places;
	struct window windows[ALL_WINDOWS]; /* that of a view is of the same number, then come chunks */
	uint8_t *tables_of_views;
	int supervisor_table;  /* memfd: pages of it, where they are in the table */
	uint8_t *chunk_state;  /* window.state of all chunks, and zeros around them, by page of chunk_places */
	uint32_t *chunk_frame; /* window.frame likewise */
	struct view views[WINDOWS];
	unsigned view_pages; /* of all their tables that are readable */
	struct space spaces[SPACES];
	unsigned current;    /* space, or NO_SPACE: no paging, or none that is shadowed */
	unsigned upper;	     /* levels of tables that are not traced: 2, or 3 with LA57; 0: not long mode */
	uint64_t switches;   /* the time, for spaces */
	uint64_t owned_ever; /* the time, for chunks */
	uint64_t mode;	     /* bits of control registers that mappings depend on */
	unsigned entry_bytes, region_shift; /* of this mode: 4, 10 or 8, 9; shift in pages */
	struct table *tables;		    /* number 0 is none */
	uint32_t *table_of;		    /* by page of RAM */
	uint32_t ntables, free_tables, dirty_tables;
	uint32_t retired[RETIRED]; /* tables, 0: none */
	unsigned retired_at;	   /* the oldest */
	uint32_t *alias_head;	   /* by page of RAM */
	uint16_t *uses;		   /* likewise: shadow_page_uses() */
	struct alias *aliases;
	uint32_t naliases, free_aliases, used_aliases;
	uint64_t depends[4]; /* spaces_depend(): bit for each 16 MiB below 4 GiB */
	uint64_t edges;	     /* of all windows: host mappings, as good as */
	uint64_t max_edges;  /* a budget: the rest of the process needs mappings too */
};

/* What one mmap call maps, within one region. */
struct extent {
	uint64_t page, count;
	const struct pm_backing *backing;
	uint64_t offset;
	bool writable;
	bool known; /* one page, which is to be PAGE_KNOWN */
};

/* What the guest's tables allow with a page. */
enum rights { RIGHTS_NONE, RIGHTS_READ, RIGHTS_WRITE, RIGHTS_PARKED /* none, the mapping stays */ };

/* Pages to be unmapped, or given other rights, in as few calls as possible. */
struct batch {
	struct window *w;
	uint64_t from, to;
	enum rights rights;
};

static inline bool window_is_parked(const struct window *w, uint64_t page)
{
	return w->nparked && (w->parked[page / 64] >> page % 64 & 1);
}

static inline unsigned window_regions(const struct paged *p)
{
	return WINDOW_PAGES >> p->region_shift;
}

/* Of numbers of quarters: see struct quarter. */
static inline struct window *window_of_quarter(struct paged *p, uint32_t quarter)
{
	return &p->windows[(quarter - 1) / QUARTERS];
}

/* Of numbers of regions: see struct table. */
static inline struct window *window_of_user(struct paged *p, uint32_t user)
{
	return &p->windows[(user - 1) / MAX_REGIONS];
}

static inline struct region *region_of_user(struct paged *p, uint32_t user)
{
	return &window_of_user(p, user)->regions[(user - 1) % MAX_REGIONS];
}

static inline uint32_t table_number(const struct paged *p, const struct table *t)
{
	return (uint32_t)(t - p->tables);
}

static inline bool is_long(const struct paged *p)
{
	return p->upper;
}

static inline bool window_is_chunk(const struct paged *p, const struct window *w)
{
	return w >= p->windows + WINDOWS;
}

static inline unsigned window_number(const struct paged *p, const struct window *w)
{
	return (unsigned)(w - p->windows);
}

/* --- places.c --- */
int windows_init(struct shadow *sh, unsigned max_mappings);
void windows_destroy(struct shadow *sh);
/* Room for views and chunks, from the first use on. False: the host has none. */
bool places_for_chunks(struct shadow *sh);
/* Gives a chunk arrays, and its place: for good, as one mapping more. */
bool chunk_init(struct shadow *sh, struct window *w);
hva_t places_nowhere(const struct shadow *sh);
/* Gives back what of the arrays of a window without pages takes memory. */
void window_shrink(struct window *w);

/* --- window.c --- */
/* Maps, in place of what is mapped there. False: the host has no room for more mappings. */
bool window_map(struct shadow *sh, struct window *w, const struct extent *x);
/* Code was fetched from the page, which shows that frame. */
void window_fetched(struct shadow *sh, struct window *w, uint64_t page, uint32_t frame);
/* The frame number of a page of a backing. */
uint32_t window_frame(const struct shadow *sh, const struct pm_backing *backing, uint64_t offset);
/* Forgets pages and notes them for unmapping. */
void window_drop(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, uint64_t count);
void batch_flush(struct shadow *sh, struct batch *b);
/* The mappings that begin at pages of [page, page + count], the end included, and how a change of them is noted. */
uint64_t window_edges_at(const struct window *w, uint64_t page, uint64_t count);
void window_edges_changed(struct shadow *sh, struct window *w, uint64_t before, uint64_t after);
/* Host mappings that are in no window. */
void paged_edges(struct shadow *sh, uint64_t more);
/* Counts the mappings that begin in the window. */
uint64_t window_edges(const struct shadow *sh, const struct window *w);
/* All of the window may show something else from now on, though nothing of it is dropped. */
void window_report_lost(struct shadow *sh, const struct window *w);
/* Unmaps all, keeping entries of regions. */
void window_empty(struct shadow *sh, struct window *w);

/* Takes the page's state away. */
void window_forget(struct shadow *sh, struct window *w, uint64_t page);
/* Sets the states of what the host maps from now on. */
void window_set_states(struct shadow *sh, struct window *w, const struct extent *x);

/* --- park.c --- */
/* A page that shows nothing is to show x: whether it is what it showed last. */
void window_learn(struct shadow *sh, struct window *w, const struct extent *x);
/* Are the pages, which the guest takes away, to be parked? */
bool window_may_park(const struct shadow *sh, const struct window *w, uint64_t page, uint64_t count);
void window_park(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, uint64_t count);
/* Their mappings go, or are replaced. */
void window_forget_parked(const struct shadow *sh, struct window *w, uint64_t page, uint64_t count);
/* Is the extent a parked page? Then it is mapped by window_reuse(). */
bool window_can_reuse(const struct shadow *sh, const struct window *w, const struct extent *x);
bool window_reuse(struct shadow *sh, struct window *w, const struct extent *x);

/* --- known.c --- */
/* The page, which shows nothing, is known from now on. False: it is to be mapped. */
bool window_know(struct shadow *sh, struct window *w, const struct extent *x);
/* Is any page there mapped? */
bool window_is_mapped(const struct window *w, uint64_t page, uint64_t count);

/* --- rights.c --- */
bool window_protect(const struct window *w, uint64_t page, uint64_t count, enum rights rights);
/* Does the budget allow what one more extent, or other rights of a page within one, can add? */
bool window_edges_room(const struct shadow *sh);
/* Protects traced pages of what was just mapped. False: the host has no room for more mappings. */
bool window_protect_traced(const struct window *w, const struct extent *x);
/* Notes that a mapped page is to be readable, or writable (if traced, as soon as it is no more). */
void window_set_rights(struct shadow *sh, struct batch *b, struct window *w, uint64_t page, enum rights rights);
void window_apply_rights(struct shadow *sh, struct batch *b);

/* --- rmap.c --- */
int rmap_init(struct shadow *sh);
void rmap_destroy(struct shadow *sh);
bool rmap_room(const struct shadow *sh, uint64_t count);
void rmap_add(struct shadow *sh, const struct window *w, uint64_t page);
bool rmap_has(const struct shadow *sh, const struct window *w, uint64_t page);
void rmap_remove(struct shadow *sh, const struct window *w, uint64_t page);

/* --- table.c --- */
int tables_init(struct shadow *sh);
void tables_destroy(struct shadow *sh);
/* The table's number, traced from now on. 0: it is not in RAM, or there are too many. */
uint32_t table_at(struct shadow *sh, gpa_t gpa);
/* Room for all that one fault or one load of CR3 needs. */
bool tables_room(const struct shadow *sh);
/* Nothing may depend on it any more: it is retired then. */
void table_unused(struct shadow *sh, uint32_t n);
/* The page of RAM, if it is a table that is retired (else false), or all of them, are traced no longer. */
bool table_release_retired(struct shadow *sh, uint32_t frame);
void tables_release_retired(struct shadow *sh);
/* One that is dead, and in no list. */
void table_free(struct shadow *sh, struct table *t);
/* Entry i of the table, as it is in the guest's memory. */
uint64_t table_entry(const struct shadow *sh, const struct table *t, unsigned i);
/* Mappings of the region come from this entry, and (unless it maps a large page) this table. */
void region_link(struct shadow *sh, struct window *w, unsigned r, uint64_t entry, uint32_t table);
void region_drop(struct shadow *sh, struct batch *b, struct window *w, unsigned r);

/* --- sync.c --- */
/* Could a processor that has used `old` go on with what it knows after a flush, the entry being `now`? */
bool entry_same(uint64_t old, uint64_t now);
/* Is what a region or a page of a window comes from still so, or was it written since the last flush? */
bool table_region_right(const struct shadow *sh, const struct window *w, unsigned r);
bool table_page_right(const struct shadow *sh, const struct window *w, uint64_t page);
/* Applies what changed in tables to all windows. */
void tables_sync(struct shadow *sh);

/* --- chunk.c --- */
/* The chunk; the present user or supervisor mode's view owns and shows it from now on. NULL: it cannot. */
struct window *view_own(struct shadow *sh, bool user, gva_t linear);
/* Takes all chunks away from a view, or all of a list, which ends up empty. */
void view_close(struct shadow *sh, unsigned view);
void chunks_release(struct shadow *sh, const uint16_t *list);
/* Another address space is the present one: supervisor mode's view shows what it shares with the one before, and what
 * it has of its own. */
void chunks_switch(struct shadow *sh, unsigned from, unsigned to);

/* --- view.c --- */
/* The chunk that the view shows at a linear address, or NULL. */
struct window *view_find(const struct shadow *sh, unsigned view, gva_t linear);
/* Has the entry lead to a chunk, the page of the table being readable, or nowhere. */
void view_show(struct shadow *sh, const struct window *w);
void view_hide(struct shadow *sh, const struct window *w);
/* The page of the table with the entry for a linear address. False: the host has no room. */
bool view_make_readable(struct shadow *sh, struct view *v, gva_t linear);
void view_make_unreadable(struct shadow *sh, struct view *v);
/* Makes the page of supervisor mode's table with the entry for an address readable behind that of the present address
 * space, too. False: it is not readable at all, or the host has no more mappings. */
bool view_put_beside(struct shadow *sh, gva_t linear);
bool view_is_beside(const struct shadow *sh, gva_t linear);
/* Host address of a page of supervisor mode's table behind the view's; NULL: it is not readable there. */
const void *view_page_beside(const struct view *v, unsigned n);
/* The first page of its table that is readable, from number n on, or VIEW_PAGES. */
unsigned view_next_page(const struct view *v, unsigned n);
/* A page of its table. NULL: it is not readable. */
const uint64_t *view_page(const struct view *v, unsigned n);
/* The linear address that its first entry is for. */
gva_t view_page_linear(unsigned n);
/* What the entry for a linear address is if the view does not own the chunk. */
uint64_t view_nowhere(const struct shadow *sh, gva_t linear);
/* Host mappings that it takes beside those of pages in windows. */
uint64_t view_edges(const struct view *v);
/* Is it one of those that code may use now? */
bool view_is_present(const struct paged *p, unsigned view);

/* --- upper.c --- */
/* The entry that region r of a window of a present view comes from, with what tables above it allow; in long mode as of
 * the last quarter_claim() or upper_sync(). 0: there is none. */
uint64_t window_entry(const struct shadow *sh, const struct window *w, unsigned r);
/* Do the present upper tables lead anywhere within the 4 GiB around an address? */
bool upper_maps(const struct shadow *sh, gva_t linear);
/* Brings what is known of a quarter up to date. False: nothing can be mapped there. */
bool quarter_claim(struct shadow *sh, struct window *w, unsigned q);
void quarter_drop(struct shadow *sh, struct batch *b, struct window *w, unsigned q);
/* Drops what upper tables no longer say from the windows of present views. switched: chunks_switch() has just looked at
 * supervisor mode's chunks. */
void upper_sync(struct shadow *sh, bool switched);
/* Do all quarters that have been claimed show what upper tables say now? */
bool upper_window_right(const struct shadow *sh, const struct window *w);

/* --- space.c --- */
uint64_t space_entry(const struct shadow *sh, unsigned space, unsigned r);
/* Drops all of a window, and what is known of tables with it. */
void window_clear(struct shadow *sh, struct window *w);
void space_free(struct shadow *sh, unsigned n);
void spaces_drop(struct shadow *sh);
/* What is kept depends on what is at a physical address; that may be something else now, in a stretch of them. */
void spaces_depend(struct shadow *sh, gpa_t gpa);
void spaces_map_changed(struct shadow *sh, gpa_t base, uint64_t len);
/* Makes room for mappings: of address spaces that were not used for long first, of all if that is not enough. */
void spaces_make_room(struct shadow *sh);
/* After an event: applies what the guest's flush asks for. */
void spaces_flush(struct shadow *sh);
/* After one that concerns the page of a linear address only: nothing old is shown of that from here on. */
void spaces_flush_page(struct shadow *sh, gva_t linear);

#endif
