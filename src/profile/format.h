/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile on disk, version 2: docs/profiling.md describes it. All numbers are little-endian; records follow each
 * other without gaps behind eight bytes that name the file.
 */
#ifndef GNOMON_PROFILE_FORMAT_H
#define GNOMON_PROFILE_FORMAT_H

#include "base.h"

#define PROFILE_VERSION 2

/* The files of a profile's folder. */
#define PROFILE_MAIN_FILE     "profile.json"
#define PROFILE_COUNTERS_FILE "counters.jsonl"
#define PROFILE_SAMPLES_FILE  "samples.bin"
#define PROFILE_BLOCKS_FILE   "blocks.bin"
#define PROFILE_SYMBOLS_FILE  "symbols.txt"

#define PROFILE_SAMPLES_MAGIC "GNSAMPL2"
#define PROFILE_BLOCKS_MAGIC  "GNBLOCK2"

enum { PROFILE_MAGIC_BYTES = 8, PROFILE_MAX_STACK = 48 };

enum {
	SAMPLE_HAS_PC = 1,   /* pc and stack are of the guest */
	SAMPLE_USER = 2,     /* the guest's CPL was 3 */
	SAMPLE_IN_BLOCK = 4, /* in translated code: `block` */
	SAMPLE_PAGED = 8,
};

/* Followed by `depth` return addresses of 8 bytes, the innermost first. */
struct profile_sample {
	uint64_t time; /* ns since the start */
	uint64_t pc;   /* linear addresses of the guest */
	uint64_t block;
	uint64_t cr3;
	uint32_t ns;   /* CPU time since the previous sample */
	uint16_t insn; /* PHASE_CALLOUT: number in "insns" of profile.json */
	uint8_t phase; /* number in "phases" */
	uint8_t flags; /* SAMPLE_* */
	uint8_t depth;
	uint8_t zero[7];
};
_Static_assert(sizeof(struct profile_sample) == 48, "format");

enum { BLOCK_USER = 1, BLOCK_CODE32 = 2, BLOCK_VALID = 4, BLOCK_CODE64 = 8, BLOCK_COUNTED = 16 };

/*
 * Followed by guest_len bytes of guest code, host_len bytes of host code, and ninsns + 1 pairs of 2-byte offsets: where
 * each instruction begins in the two.
 */
struct profile_block {
	uint64_t gpa, host;
	uint64_t entries;     /* BLOCK_COUNTED */
	uint64_t ns;	      /* CPU time of samples in it */
	uint64_t linear, eip; /* RIP, in 64-bit code */
	uint32_t samples;
	uint32_t generation; /* flushes before it, of the whole cache or of copies */
	uint16_t guest_len, host_len;
	uint16_t context;
	uint8_t ninsns;
	uint8_t flags; /* BLOCK_* */
};
_Static_assert(sizeof(struct profile_block) == 64, "format");

#endif
