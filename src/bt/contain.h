/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is emitted 64-bit code contained? Under --audit, what the translator has emitted for a block is decoded again and run
 * with symbols for registers: each memory operand must be of a form that docs/isolation.md allows, whatever the
 * registers hold. Nothing of the translator's own bookkeeping is believed but what is said here.
 */
#ifndef GNOMON_BT_CONTAIN_H
#define GNOMON_BT_CONTAIN_H

#include "base.h"

enum { CONTAIN_ENTRIES = 3, CONTAIN_EXITS = 4, CONTAIN_DATA = 2 };

/* Where the monitor may enter the code in the middle, and what it sees to then. */
struct contain_point {
	uint16_t at;   /* offset */
	uint8_t delta; /* register of whose chunk the delta is, CONTAIN_CHUNK or CONTAIN_NONE */
	uint16_t near; /* registers that are in the block's chunk */
};
enum { CONTAIN_CHUNK = 254, CONTAIN_NONE = 255 };

/* A jump that may be made to lead behind the probes of another block, or of this one. */
struct contain_link {
	unsigned at; /* offset behind the jump */
	uint16_t
	    near; /* registers that the other one may take for near the chunk, and the scratch one: for its delta */
};

struct contain_code {
	const uint8_t *bytes;
	unsigned len;
	uint32_t run;			    /* address of the first byte when it runs */
	unsigned entries[CONTAIN_ENTRIES];  /* offsets at which others enter, who see to nothing */
	uint32_t chunk;			    /* the block's */
	int32_t view;			    /* where its ring's table of deltas is, from GS.base on */
	uint8_t delta;			    /* host register that has the delta at points, */
	uint8_t scratch;		    /* ... and one that nobody sees to there */
	const struct contain_point *points; /* by offset */
	unsigned npoints;
	/* Where such jumps lead, without the delta in its register and with it; 0: nowhere. What they find near. */
	unsigned behind[2];
	uint16_t near;
	const struct contain_link *links;
	unsigned nlinks;
};

struct contain_rules {
	uint64_t home;		       /* struct bt_home */
	uint32_t probe;		       /* the page of probes */
	uint32_t exits[CONTAIN_EXITS]; /* jumps out of the block lead to these; the second one may become links */
	uint32_t miss[2]; /* or to what a table holds, counted from one of these, the second one of 64-bit code */
	bool rsp_kept;	  /* a delta for RSP is in bt_home, between blocks */
	struct {
		uint64_t from, to;
	} data[CONTAIN_DATA]; /* more of the monitor's, at constant addresses */
	/* of looks at states of pages: by page of host addresses, by page and granule of RAM; RAM */
	uint64_t states, frames, traced, watched, uses, ram;
};

struct contain;

/* NULL: no memory. */
struct contain *contain_create(void);
void contain_destroy(struct contain *k);

/* False: `why` says what is wrong, and where. */
bool contain_check(struct contain *k, const struct contain_rules *rules, const struct contain_code *code, char *why,
		   size_t size);

#endif
