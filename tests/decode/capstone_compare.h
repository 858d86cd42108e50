/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What two decoders say of the same bytes. */
#ifndef GNOMON_TESTS_DECODE_COMPARE_H
#define GNOMON_TESTS_DECODE_COMPARE_H

#include <capstone/capstone.h>

#include "cpu/decode.h"
#include "known.h"

struct pair {
	csh cs[3]; /* 16, 32, 64 bits */
	cs_insn *insn, *spare;
	unsigned long both, neither, ours_only, theirs_only; /* decoded by */
	unsigned long disagreements;
	unsigned long known[KNOWN_MAX]; /* by reason */
	bool verbose;			/* prints every disagreement; else the first few */
};

void pair_open(struct pair *p);
void pair_close(struct pair *p);

/* Compares the instruction at bytes[0 .. avail), code_size 2, 4 or 8. */
void pair_compare(struct pair *p, const uint8_t *bytes, unsigned avail, unsigned code_size);

#endif
