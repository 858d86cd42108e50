/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs an instruction on the host, at an address of its own, until it raises a signal: INT3 follows it. */
#ifndef GNOMON_TESTS_DECODE_HOST_RUN_H
#define GNOMON_TESTS_DECODE_HOST_RUN_H

#include "base.h"

enum { HOST_CODE_BYTES = 32, INT3 = 0xcc, SKIP = 77 };
#define HOST_CODE ((uint8_t *)0x300000000000)

/* How it ended: SIGTRAP behind it. address: of a fault; 0 if the processor does not tell. */
struct host_end {
	int signo;
	uint64_t gpr[16], rip, address;
};
extern struct host_end host_end;

/* False: the host has no AVX-512, or no room there. */
bool host_run_init(void);

/* General and opmask registers; vector registers are 0. The code: HOST_CODE_BYTES. */
void host_run(const uint8_t *code, const uint64_t gpr[16], const uint64_t k[8]);

/* Deterministic. */
uint32_t random32(void);
bool chance(unsigned one_in);

#endif
