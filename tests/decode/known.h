/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where our decoder (Zydis) and Capstone 4.0.2 disagree and the manual sides with ours: each with its reason. */
#ifndef GNOMON_TESTS_DECODE_KNOWN_H
#define GNOMON_TESTS_DECODE_KNOWN_H

#include <capstone/capstone.h>

#include "cpu/decode.h"

/* Two answers about the same bytes. */
struct question {
	const uint8_t *bytes;
	unsigned avail, code_size;
	csh cs;			 /* for bytes of this code size */
	csh cs32;		 /* for 32-bit code */
	cs_insn *spare;		 /* to decode other bytes into */
	const struct insn *ours; /* NULL: not decoded */
	const cs_insn *theirs;	 /* NULL: not decoded */
	const char *what;	 /* which difference was seen */
};

enum { KNOWN_MAX = 32 };

/* Number of the reason, below KNOWN_MAX, or -1: it is news. */
int known_disagreement(const struct question *q);
/* In words; NULL: no such number. */
const char *known_reason(unsigned n);

#endif
