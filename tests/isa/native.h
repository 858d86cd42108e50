/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle: runs 16- and 32-bit code natively, in this process's own compatibility mode, on segments of a local
 * descriptor table, and 64-bit code as this process's own. What it gives is the silicon's word, from the very bytes
 * that the guest has; nothing of src/ takes part in it.
 */
#ifndef GNOMON_TESTS_ISA_NATIVE_H
#define GNOMON_TESTS_ISA_NATIVE_H

#include "base.h"

struct native;

enum {
	NATIVE_ENDLESS = 255, /* native_state.trap: it did not end */
	NATIVE_YMM = 576,     /* upper halves of YMM registers in native_state.fx */
	NATIVE_YMM_BYTES = 256,
	NATIVE_K = NATIVE_YMM + NATIVE_YMM_BYTES, /* AVX-512: opmask registers, */
	NATIVE_ZMM = NATIVE_K + 8 * 8,		  /* upper halves of ZMM0 to ZMM15, */
	NATIVE_HI16 = NATIVE_ZMM + 16 * 32,	  /* ZMM16 to ZMM31; wherever the host's XSAVE has them */
	NATIVE_STATE_BYTES = NATIVE_HI16 + 16 * 64,
};

/* A segment as both sides see it. FS stays the C library's: not available. */
struct native_segment {
	uint32_t base, limit; /* guest linear base; highest offset (or, expand-down, the one below the lowest) */
	bool big, down, read_only, code;
};

struct native_state {
	uint64_t gpr[16];
	uint64_t rip, rflags;
	/* XSAVE image of x87, SSE, AVX and AVX-512 state; outside of 64-bit code nothing is loaded of registers beyond
	 * XMM7, YMM7 and RDI */
	uint8_t fx[NATIVE_STATE_BYTES];
	/* out: the exception that ended it */
	int trap;
	uint32_t error;
	uint64_t cr2; /* of a page fault */
};

/* Does the host run 16- and 32-bit code, in segments of our own? */
bool native_has_segments(void);
/* 0, or -ENOSYS if the host does not let us. Needs hostsig_thread_init(). */
int native_create(struct native **out);
void native_destroy(struct native *n);

/* Memory at guest linear `base`: zeros. What is not mapped raises a page fault. */
void native_map(struct native *n, uint32_t base, uint32_t len);
/* Host address of a guest linear one. */
uint8_t *native_memory(struct native *n, uint32_t linear);

/* seg: SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_GS. */
void native_set_segment(struct native *n, unsigned seg, const struct native_segment *s);

/* Runs from the state until an exception, which HLT makes at the latest. */
void native_run(struct native *n, struct native_state *s);

/* --- 64-bit code: the host's linear addresses are the guest's --- */

/* Memory at `base`: zeros. False: something else is there. */
bool native_map64(uint64_t base, uint64_t len);
void native_run64(struct native *n, struct native_state *s, uint64_t gs_base);

#endif
