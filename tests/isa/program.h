/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A test program as nasm made it with isa.inc: code, and rows of what is expected. */
#ifndef GNOMON_TESTS_ISA_PROGRAM_H
#define GNOMON_TESTS_ISA_PROGRAM_H

#include "harness.h"

struct program {
	uint32_t mode, load, entry;
	bool lm, amd;	/* machine_set_processor() */
	bool monitor;	/* MONITOR and MWAIT are shown */
	bool avx2;	/* only where the processor shows it */
	bool avx512;	/* likewise: F, DQ, BW, VL */
	uint8_t *image; /* owned: the file */
	const uint8_t *text;
	uint32_t text_bytes;
	struct expectation *rows; /* in the image */
	unsigned nrows;
};

/* Reads a file. False, with a line on stderr. */
bool program_load(struct program *p, const char *path);
void program_free(struct program *p);

/* Runs it to its end; says on stderr what differs. Returns the number of failures. */
unsigned program_run(struct program *p, struct machine *m);

#endif
