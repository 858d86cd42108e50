/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paging storms: random changes of page tables, flushes and accesses, each checked against a model of what a processor
 * may do (SDM vol. 3, 4.6 to 4.10): which translations it may still hold, which faults it raises, which A and D bits it
 * sets, and that nothing else changes.
 */
#ifndef GNOMON_TESTS_ISA_STORM_H
#define GNOMON_TESTS_ISA_STORM_H

#include "program.h"

/* paging.inc, storm.inc */
enum {
	ST_FRAMES = 0x40000,
	ST_NFRAMES = 8,
	ST_CODE = 0x800, /* in each frame: MOV EAX, imm32; INT PROBED */
	ST_PLAY = 0x800000,
	ST_TABLES = 0x110000, /* ST_NTABLES, that directories share */
	ST_NTABLES = 4,
	ST_DIRS = 0x114000, /* one for each address space */
	ST_SPACES = 3,
	ST_PDPTS = 0x118000, /* PAE: 32 bytes for each */
	ST_IDENTITY = 0x102000,
	ST_VARS = 0x2f000,
	ST_OP = ST_VARS + 64,
	/* Linear pages in play: ST_PAGES in each of ST_REGIONS directory entries. */
	ST_REGIONS = 2,
	ST_PAGES = 8,
	ST_FIRST = ST_FRAMES / 4096, /* so that a large page at 0 shows frames there */
	ST_MEMORY = ISA_RAM,	     /* compared */
};

enum storm_code {
	OP_READ8,
	OP_READ32,
	OP_WRITE8,
	OP_WRITE16,
	OP_WRITE32,
	OP_ADD,
	OP_XCHG,
	OP_CMPXCHG,
	OP_BTS,
	OP_BTR,
	OP_CMPXCHG8B,
	OP_STOS,
	OP_MOVS,
	OP_LODS,
	OP_MOVUPS,
	OP_EXEC,
	OP_INVLPG,
	OP_CR3,
	OP_CR4,
	OP_CR0,
	OP_OFF_ON,
	OP_COUNT
};

/* As the guest sees it at ST_OP. */
struct storm_op {
	uint32_t code, ring, eax, ecx, edx, ebx, esi, edi;
};

/* The model of paging. */
struct leaf { /* what a TLB entry holds */
	gpa_t gpa;
	bool w, u, nx, g, d, large;
};

enum { MAX_CACHED = 24, MAX_OPTIONS = 64 };

struct storm_model {
	bool pae, pge, wp;
	uint8_t *mem; /* all RAM as it should be; owned by the caller */
	gpa_t dir;    /* of the address space in use */
	struct leaf tlb[ST_REGIONS][ST_PAGES][MAX_CACHED];
	unsigned ntlb[ST_REGIONS][ST_PAGES];
	uint64_t pde[ST_REGIONS][MAX_CACHED]; /* entries of the directory that may be held */
	unsigned npde[ST_REGIONS];
	bool full; /* a table has overflowed: flush before anything else */
};

/* One way in which an access to a page may end. */
struct option {
	bool fault;
	uint8_t error;
	gpa_t gpa;	  /* of the page */
	struct leaf leaf; /* by which it ends so, from then on held */
	struct {
		gpa_t at;
		uint8_t set; /* A, D */
	} ad[2];
	unsigned nad;
};

enum { ACCESS_WRITE = 1, ACCESS_EXEC = 2 };

unsigned storm_large_bytes(const struct storm_model *s);
unsigned storm_entry_bytes(const struct storm_model *s);
/* Linear address of a page in play, and the reverse: false if it is not one. */
uint32_t storm_page(const struct storm_model *s, unsigned region, unsigned page);
bool storm_find_page(const struct storm_model *s, uint32_t linear, unsigned *region, unsigned *page);
gpa_t storm_pde_at(const struct storm_model *s, gpa_t dir, unsigned region);

/* All ways in which an access to a linear address may end; their number. */
unsigned storm_options(const struct storm_model *s, uint32_t linear, unsigned access, bool user, struct option *out);

/* The access was carried out in this way: also if it has overwritten its own entry, that is held. */
void storm_used(struct storm_model *s, uint32_t linear, const struct option *o);
/* Notes what the tables say now: it may be held from now on. */
void storm_note(struct storm_model *s);
void storm_invlpg(struct storm_model *s, uint32_t linear);
/* A page fault invalidates what it could come from (4.10.4.1). */
void storm_faulted(struct storm_model *s, uint32_t linear);
void storm_flush(struct storm_model *s, bool also_global);

/* One storm, as a machine runs it. */
struct storm {
	struct machine *m;
	struct storm_model s;
	struct storm_op op; /* as it was given */
	uint8_t *scratch;   /* ISA_RAM bytes */
	unsigned long steps, limit, accesses, faults;
	unsigned failures;
	struct storm_op history[16];
};

/* What the operation did, against the model, which follows. False, with a message on stderr: not possible. */
bool storm_check(struct storm *st);

/* Is it an access, and how many bytes, in how many elements? */
struct storm_access {
	uint32_t linear;
	unsigned bytes, count, access;
	bool is;
};
struct storm_access storm_access_of(const struct storm_op *op);

extern const char *const storm_names[OP_COUNT];

#endif
