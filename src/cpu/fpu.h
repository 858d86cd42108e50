/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87 and SSE state between the host's registers and the guest's image. */
#ifndef GNOMON_FPU_H
#define GNOMON_FPU_H

#include "cpu.h"

enum { /* FXSAVE image (vol. 1, 10.5.1); FIP and FDP of FXSAVE64: 8 bytes each */
       FX_FCW = 0,
       FX_FSW = 2,
       FX_TAG = 4,
       FX_FOP = 6,
       FX_FIP = 8,
       FX_FDP = 16,
       FX_MXCSR = 24,
       FX_ST0 = 32,
       FX_XMM0 = 160,
       FX_BYTES = 512,
       FSW_ES = 0x80,
       FOP_BITS = 0x7ff,
};

/* The x87 unit's pointers to its last instruction and that one's operand, and its opcode (vol. 1, 8.1.8, 8.1.9). */
struct fpu_pointers {
	uint64_t fip, fdp;
	uint16_t fop;
};

/* Loads the guest's state; tells the pointers in it. */
void fpu_load(const struct cpu *cpu, struct fpu_pointers *loaded);

/*
 * Stores the state, and leaves a host that has masked all exceptions. From fpu_load(), which has told `loaded`,
 * to here no C code may use vector registers. False: of new pointers, only the low 32 bits are known; the others are 0.
 */
bool fpu_save(struct cpu *cpu, const struct fpu_pointers *loaded);

#endif
