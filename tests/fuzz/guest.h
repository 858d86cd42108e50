/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random guests for fuzz_guest: code, registers, tables. */
#ifndef GNOMON_TESTS_FUZZ_GUEST_H
#define GNOMON_TESTS_FUZZ_GUEST_H

#include "fuzz.h"
#include "harness.h"

enum {
	GUEST_CODE = ISA_LOAD,
	GUEST_CODE_BYTES = 0x1000,
	GUEST_FAR_CODE = ISA_BASED + 0x400, /* the same in the segments that are based at ISA_BASED */
	GUEST_PAGE_DIRECTORY = 0x40000,
	GUEST_PAGE_TABLE = 0x41000, /* of the low 4 MiB */
	GUEST_HIGH_CODE = 0x100100, /* above 1 MiB: A20, and HMA of real mode */
};

/* Instructions generated one after the other. */
struct code {
	struct rng *r;
	uint8_t *out;
	unsigned len, cap;
	unsigned size;	 /* of the code segment: 2, 4 or 8 */
	uint32_t offset; /* of out[0] in CS */
	uint32_t linear; /* of out[0] */
};

/* Fills the whole buffer: instructions, noise, HLT at the end. */
void code_generate(struct code *c);

/* For the generator: n bytes; prefixes where a size is not the default; a random size of 2 or 4; one instruction;
 * noise; a few instructions that go together. */
void code_put(struct code *c, unsigned n, uint64_t value);
void code_put_opsize(struct code *c, unsigned size);
void code_put_addrsize(struct code *c, unsigned size);
unsigned code_random_size(struct code *c);
void code_valid_insn(struct code *c);
void code_noise(struct code *c);
void code_sequence(struct code *c);
/* AVX-512: one instruction; a few, by a register that points somewhere (UINT32_MAX: by any); state, and XCR0. */
void code_evex(struct code *c, unsigned base);
void code_evex_sequence(struct code *c, unsigned base);
void guest_evex_state(struct cpu *cpu, struct rng *r);

/* code_generate() for those who do not see the harness: fuzz_board.h. */
void fuzz_code(struct rng *r, uint8_t *out, unsigned len, unsigned size, uint32_t offset, uint32_t linear);

/* A number that addresses, counts and limits are interesting at. */
uint32_t guest_number(struct rng *r);
/* A linear address of something: code, stack, tables, device memory, edges. */
uint32_t guest_address(struct rng *r);
/* A selector: mostly of the harness's GDT. */
uint16_t guest_selector(struct rng *r);

/* Of 64-bit code: the same. */
enum {
	GUEST64_PLACES = 8,
	GUEST64_PLACE_BYTES = 0x8000,
	GUEST64_TABLES = 0x20000000, /* where ring 0 finds its page tables */
	GUEST64_TABLES_BYTES = ISA_RAM - ISA_TABLES,
};
extern const uint64_t guest64_places[GUEST64_PLACES];
uint64_t guest64_number(struct rng *r);
void code64_sequence(struct code *c);
uint64_t guest64_address(struct rng *r);
void guest64_setup(struct machine *m, struct rng *r);

/* Fills memory and registers of a machine that has just been reset, from a seed. */
void guest_setup(struct machine *m, struct rng *r);

#endif
