/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile that was read, and what is made of it. */
#ifndef GNOMON_PROFILE_PROFILE_H
#define GNOMON_PROFILE_PROFILE_H

#include "format.h"
#include "phase.h"
#include "symbols.h"

#include <jansson.h>
#include <stdio.h>

struct profile_snapshot {
	uint64_t time, idle_ns;
	uint64_t phase_ns[PHASE_COUNT];
	uint64_t working_set;
	uint64_t *counters; /* as in stat_table */
};

/* Files are kept as they are; these point into them. Sizes have been checked. */
struct profile_sample_ref {
	struct profile_sample head;
	const uint8_t *stack; /* head.depth numbers of 8 bytes */
};

struct profile_block_ref {
	struct profile_block head;
	const uint8_t *guest, *host, *map;
};

struct profile {
	bool complete, exact;
	bool insns_counted; /* the counter insns_executed is there */
	char engine[16], gnomon[16];
	uint64_t counted_of; /* of so many blocks one counts its entries */
	uint64_t wall_ns, idle_ns, period_ns, began_ns, lost;
	uint64_t phase_ns[PHASE_COUNT];
	uint64_t *counters; /* as in stat_table */
	json_t *insn_ns;    /* time by instruction */
	json_t *callouts;   /* count by instruction */
	struct profile_sample_ref *samples;
	size_t nsamples;
	struct profile_block_ref *blocks;
	size_t nblocks;
	struct profile_snapshot *snapshots;
	size_t nsnapshots;
	uint8_t *sample_bytes, *block_bytes;
	char symbols_file[512]; /* found in the folder; "" if there is none */
	char warning[4][160];	/* what is not in order; "" behind the last */
};

/*
 * Reads a folder, whatever it holds. Files that end early, as after a crash, are read as far as they go, with a
 * warning; 0, or a negative errno with one line in err. profile_destroy() after either.
 */
int profile_read(struct profile *p, const char *folder, char *err, size_t errlen);
void profile_destroy(struct profile *p);

/* The counter of that name; 0 if the profile has none. */
uint64_t profile_counter(const struct profile *p, const char *name);

/* All that a report shows, as docs/profiling.md describes it for `gnomon report --json`. A new reference; NULL without
 * memory. blocks: how many of the hottest. */
json_t *profile_summary(const struct profile *p, const struct symbols *symbols, unsigned blocks);

/* Parts of it. */
json_t *profile_summary_cache(const struct profile *p);
json_t *profile_summary_timeline(const struct profile *p);
json_t *profile_summary_blocks(const struct profile *p, const struct symbols *symbols, unsigned max);
json_t *profile_summary_functions(const struct profile *p, const struct symbols *symbols);
json_t *profile_summary_stacks(const struct profile *p, const struct symbols *symbols);

/* Executed instructions of the guest, and entries of blocks, counted or estimated; 0 if there is nothing to estimate
 * them from. */
double profile_executed(const struct profile *p);
double profile_entries(const struct profile *p);

/* The name of guest code at a linear address: "function+0x12", or its page. */
void profile_name(const struct symbols *symbols, uint64_t pc, bool user, bool offset, char *to, size_t len);

void profile_print_text(FILE *out, const json_t *summary);
/* 0 or a negative errno. */
int profile_write_html(FILE *out, const json_t *summary);

#endif
