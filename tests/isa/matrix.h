/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generated instructions: every row of insn.def that can run at CPL 3, in all its encodings, against the host's own
 * execution of the same bytes.
 */
#ifndef GNOMON_TESTS_ISA_MATRIX_H
#define GNOMON_TESTS_ISA_MATRIX_H

#include "harness.h"
#include "native.h"

enum {
	CODE_AT = 0xc000,
	CODE_FROM = 0xb000, /* around it, HLT everywhere: wherever a branch goes, it ends */
	CODE_TO = 0xe000,
	LOW_TO = 0x10000, /* data that 16-bit addresses reach in flat segments */
	DATA_FROM = 0x20000,
	DATA_TO = 0x40000,
	/* 64-bit code */
	HIGH_FROM = DATA_TO, /* data at HIGH_LINEAR, in two chunks */
	HIGH_TO = 0x60000,
};

/* 64-bit code: linear addresses of physical 0, but for HIGH_FROM to HIGH_TO, and of HIGH_FROM. */
#define LOW_LINEAR  0x30000000ull
#define HIGH_LINEAR 0x12ffff0000ull

/* A mode with its segments, in both worlds. */
struct layout {
	const char *name;
	enum isa_mode mode;
	unsigned code_size;
	struct native_segment seg[SEG_COUNT];
};

extern const struct layout layouts[];
extern const unsigned layout_count;

/* Of the last byte of VEX; vvvv stands inverted. */
enum { VEX_W = 0x80, VEX_NO_VVVV = 0x78, VEX_L = 4 };

enum { REX_ANY = 0x40, REX_W = 0x48 };

/* EVEX of 0F, 0F38, 0F3A. Of its last byte: all but the vector's length and whether V', which stands inverted, is 0. */
enum { MAP_EVEX = 7, MAP_LAST = 9 };
enum { EVEX_NO_V = 8, EVEX_L512 = 0x40 };

/* An encoding without its operands. */
struct encoding {
	uint16_t id;
	uint8_t prefix; /* 0, 66, F2, F3: part of the opcode or not, as the case may be */
	uint8_t
	    map; /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A, 4: VEX 0F38, 5: VEX 0F3A, 6: VEX 0F, MAP_EVEX and on: EVEX */
	uint8_t opcode;
	bool mem;
	uint8_t rex; /* REX.W where that is part of it; 64-bit code */
};

/* One instruction (or a sequence of them) with the state it starts from. */
enum { SEQUENCE_MAX = 26 };

struct test_case {
	struct insn in; /* of a sequence, the first */
	struct insn sequence[SEQUENCE_MAX];
	unsigned nsequence; /* 0: just `in` */
	bool storm;	    /* the guest's run is interrupted all the time */
	struct native_state start;
	/* memory beside random data: what an indirect branch finds */
	struct {
		uint64_t at, value;
		bool used;
	} word;
	uint64_t fs_base, gs_base; /* 64-bit code */
};

static inline bool layout_wide(const struct layout *l)
{
	return l->code_size == 8;
}

/* Linear address of CODE_AT. */
static inline uint64_t layout_code(const struct layout *l)
{
	return CODE_AT + (layout_wide(l) ? LOW_LINEAR : 0);
}

/* Can the host run it, at CPL 3, so that the outcome is comparable? */
bool matrix_row_tested(const struct cpu *cpu, unsigned id, bool wide);

/* All encodings of the tested rows; the caller frees them. */
struct encoding *matrix_encodings(const struct cpu *cpu, bool wide, unsigned *count);

/* Writes prefix, map and opcode of an encoding; returns how many bytes. vex: W, vvvv and L, as VEX has them. rex: 0, or
 * REX; VEX has its R, X and B. */
unsigned matrix_put_opcode(uint8_t *to, const struct encoding *e, uint8_t rex, uint8_t vex);

/* The last byte of EVEX is the one before the opcode, which `behind` follows. */
static inline void matrix_set_evex(uint8_t *behind, uint8_t last)
{
	behind[-2] = last;
}

/* A random instruction of an encoding for the layout. False: none was found. */
bool matrix_case(struct machine *m, const struct layout *l, const struct encoding *e, struct test_case *c);

/*
 * A random sequence: memory operands through EBX, EBP, ESI, EDI, which no instruction changes, short branches forward,
 * pushes and pops. Tells how blocks fare, where matrix_case tells how instructions do. It runs `times` times over.
 */
void matrix_sequence(struct machine *m, const struct layout *l, const struct encoding *list, unsigned count,
		     unsigned times, struct test_case *c);

/* For matrix_sequence. */
bool matrix_try_encoding(struct machine *m, const struct layout *l, const struct encoding *e, struct insn *in);
void matrix_start_state(struct machine *m, const struct layout *l, struct native_state *s);
uint32_t matrix_offset(struct machine *m, const struct layout *l, unsigned seg, unsigned addrsize);

/* --- 64-bit code: the same --- */
bool matrix64_case(struct machine *m, const struct layout *l, const struct encoding *e, struct test_case *c);
bool matrix64_try_encoding(struct machine *m, const struct encoding *e, struct insn *in);
void matrix64_start_state(struct machine *m, struct native_state *s);
/* An address with room for an operand; low: that 32 bits hold. */
uint64_t matrix64_address(struct machine *m, bool low);
/* What the guest of any layout has in x87, SSE and AVX registers. */
void matrix_random_x87(struct machine *m, uint8_t *fx);
void matrix_random_avx512(struct machine *m, uint8_t *fx);
void matrix_small_indexes(struct machine *m, const struct insn *in, uint8_t *fx);
enum { MATRIX_INSIDE = 600 }; /* size of an access that shall stay inside */

/* A run of the matrix under one engine, in one layout. */
struct matrix {
	struct machine *m;
	struct native *n;
	const struct layout *l;
	struct cpu base; /* the mode's state, but for what a case sets */
	uint8_t *pristine;
	unsigned *done, *failed; /* by row */
	unsigned reports, cases, skipped, faults, finished;
};

/* Runs the case on both sides and compares; counts in x. */
void matrix_run_case(struct matrix *x, const struct test_case *c);
/* Compares; guest and host as they have ended. */
void matrix_compare(struct matrix *x, const struct test_case *c, const struct native_state *host,
		    const struct native_state *guest);
/* `what` is the difference. */
void matrix_report(struct matrix *x, const struct test_case *c, const struct native_state *host,
		   const struct native_state *guest, const char *what);
/* The host's memory for a physical address of the guest's. */
uint8_t *matrix_host_memory(const struct matrix *x, uint32_t at);
/* Physical address of the first difference in memory; 0: none. */
uint32_t matrix_memory_difference(const struct matrix *x);
/* Makes memory what x->pristine says, on both sides. */
void matrix_restore_memory(struct matrix *x);

#endif
