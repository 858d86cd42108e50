/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame of a repeated string instruction (vol. 1, 7.3.9; REP in vol. 2). Does not leave this folder. */
#ifndef GNOMON_STRING_INTERNAL_H
#define GNOMON_STRING_INTERNAL_H

#include "handlers_internal.h"

/* Elements done at most before interrupts get a chance. */
enum { STRING_BUDGET = 4096 };

struct string_op {
	unsigned size;	   /* of an element, bytes */
	unsigned addrsize; /* of SI, DI and CX */
	int64_t step;	   /* +size or -size */
	bool repeats;
	uint64_t count;	 /* elements left; 1 without a prefix */
	unsigned budget; /* elements left for this call */
};

/* element: bytes. False: nothing to do (CX is 0). */
bool string_begin(struct cpu *cpu, const struct insn *in, unsigned element, struct string_op *s);

static inline bool string_more(const struct string_op *s)
{
	return s->count && s->budget;
}

static inline uint64_t string_offset(const struct cpu *cpu, const struct string_op *s, unsigned reg)
{
	return gpr_read(cpu, reg, s->addrsize);
}

/* Moves SI or DI over n elements. */
void string_move(struct cpu *cpu, const struct string_op *s, unsigned reg, unsigned n);
/* n elements are done: CX and the budget. */
void string_done(struct cpu *cpu, struct string_op *s, unsigned n);
/* Ends the call: an unfinished instruction is to be executed again. */
bool string_end(struct cpu *cpu, const struct string_op *s);

/* Part of a page of plain memory. */
struct string_run {
	unsigned n;    /* elements; 0: go element by element */
	gva_t low;     /* linear address of the lowest byte */
	uint8_t *host; /* the same in the monitor */
};

/*
 * How many of the next elements at seg:offset lie in one page of RAM (or ROM, to read) and can be accessed without a
 * fault.
 */
struct string_run string_run(struct cpu *cpu, const struct string_op *s, unsigned seg, uint64_t offset,
			     unsigned access);

#endif
