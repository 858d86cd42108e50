/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87, SSE, AVX and AVX-512 state between the host's registers and the guest's image. */
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
       FX_YMM = 576,   /* upper halves of YMM registers, behind XSAVE's header (vol. 1, 13.5.3) */
       FX_K = 832,     /* opmask registers, 8 bytes each, */
       FX_ZMM = 896,   /* ... upper halves of ZMM0 to ZMM15, */
       FX_HI16 = 1408, /* ... ZMM16 to ZMM31 (13.5.6) */
       FX_REG_BYTES = 16,
       FSW_ES = 0x80,
       FOP_BITS = 0x7ff,
};

/* The x87 unit's pointers to its last instruction and that one's operand, and its opcode (vol. 1, 8.1.8, 8.1.9). */
struct fpu_pointers {
	uint64_t fip, fdp;
	uint16_t fop;
};

/*
 * FCS and FDS are not kept, and protected mode's images have zeros for them, as CPUID says (vol. 1, 8.1.8). In
 * real-address and V86 mode there are linear addresses in their place, for which cpu->fip_base and fdp_base are kept: 0
 * where FIP or FDP was loaded, or lost.
 */

/* Pointers that are not those from before are of no segment, for all that is known. */
void fpu_forget_bases(struct cpu *cpu, const struct fpu_pointers *before);

/* The pointers, as linear addresses. */
struct fpu_pointers fpu_linear_pointers(const struct cpu *cpu);
/* Sets them. */
void fpu_set_linear_pointers(struct cpu *cpu, const struct fpu_pointers *p);

/*
 * Images of FNSTENV and FNSAVE in real-address and V86 mode (vol. 1, figures 8-11 and 8-12), of `bytes`: made of one in
 * protected mode's format, which differs in the pointers alone; and the pointers of one.
 */
void fpu_image_to_real(uint8_t *image, unsigned bytes, const struct fpu_pointers *linear);
struct fpu_pointers fpu_image_pointers(const uint8_t *image, unsigned bytes);

/* Will `in` store pointers that the host forgets at any signal and switch of processes, so that they may or may not be
 * there? */
bool fpu_stores_lost_pointers(struct cpu *cpu, const struct insn *in);

/* How much of the vector registers: XMM registers, YMM registers, or all that AVX-512 has. */
enum fpu_width { FPU_XMM, FPU_YMM, FPU_ZMM };

/* Of instructions that change upper parts of registers. */
static inline enum fpu_width fpu_width(const struct cpu *cpu)
{
	return cpu->xcr0 & XCR0_AVX512 ? FPU_ZMM : FPU_YMM;
}

/* Loads the guest's state; tells the pointers in it. */
void fpu_load(const struct cpu *cpu, struct fpu_pointers *loaded, enum fpu_width width);

/*
 * Stores the state, and leaves a host that has masked all exceptions. From fpu_load(), which has told `loaded`,
 * to here no C code may use vector registers. False: of new pointers, only the low 32 bits are known; the others are 0.
 */
bool fpu_save(struct cpu *cpu, const struct fpu_pointers *loaded, enum fpu_width width);

/*
 * The x87 state as FXSAVE would store it: `to`, FX_BYTES and aligned, of which the parts before MXCSR and from FX_ST0
 * to FX_XMM0 are written. It stays in the host's registers, if it is there. Pointers that the host tells of an
 * exception only are zeros without one then, as in what AMD's processors store.
 */
void fpu_peek(struct cpu *cpu, uint8_t *to);

/* Where XSAVE's standard form has a state component beyond x87 and SSE, as CPUID shows it, and how large it is. */
unsigned xsave_offset(unsigned component);
unsigned xsave_bytes(unsigned component);

/* The x87 state will be replaced: what is in the host's registers is forgotten. */
void fpu_drop(struct cpu *cpu);

#endif
