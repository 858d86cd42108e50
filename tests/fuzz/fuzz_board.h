/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole machine with small media, for fuzzers. */
#ifndef GNOMON_TESTS_FUZZ_BOARD_H
#define GNOMON_TESTS_FUZZ_BOARD_H

#include "fuzz.h"
#include "monitor/vm.h"

struct board_fuzz {
	struct rng r;
	struct vm_config cfg;
	struct vm *vm;
	int media[4]; /* memory files behind the images */
	unsigned nmedia;
};

/* Exits if the machine cannot be made: what it needs is not installed. manual: virtual time stands still. */
void board_fuzz_init(struct board_fuzz *f, uint64_t seed, bool manual);
void board_fuzz_destroy(struct board_fuzz *f);

/* Random instructions for a code segment of `size` (2, 4), to be put at `offset` in it and at linear address `linear`.
 * out: len + 32 bytes. */
void fuzz_code(struct rng *r, uint8_t *out, unsigned len, unsigned size, uint32_t offset, uint32_t linear);

#endif
