/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87, SSE, AVX and AVX-512 state between the host's registers and the guest's image.
 *
 * Of the pointers to the last x87 instruction and its operand, Intel's processors save all with FXSAVE. AMD's do so
 * only while an unmasked exception is pending; at other times they store zeros, or (those without XSAVEERPTR, before
 * Zen) nothing at all, and do not load them either: whatever was there, perhaps another process's, would then be the
 * guest's. FNSTENV always has them, but only 32 bits (APM vol. 2, 11.4.4; SDM vol. 1, 8.1.8). So: memory is cleared
 * before, FNINIT clears the host's pointers behind, and what FXSAVE does not tell FNSTENV is asked for.
 *
 * The host's kernel uses FXSAVE and its like too, so that on AMD's a signal or a switch of processes clears pointers
 * without an exception, as it does for any process. The guest then finds zeros.
 */
#include "fpu.h"

#include <string.h>

#include "decode.h"

/* FNSTENV in 32-bit protected mode, which is 64-bit mode's too (vol. 1, figure 8-9). */
struct environment {
	uint32_t fcw, fsw, ftw, fip, fcs_fop, fdp, fds;
};
_Static_assert(sizeof(struct environment) == 28, "FNSTENV");

static bool has_pointers(const uint8_t *image)
{
	return load_le(image + FX_FIP, 8) || load_le(image + FX_FDP, 8) || load_le(image + FX_FOP, 2) ||
	       (image[FX_FSW] & FSW_ES);
}

static struct fpu_pointers get_pointers(const uint8_t *image)
{
	return (struct fpu_pointers){load_le(image + FX_FIP, 8), load_le(image + FX_FDP, 8),
				     (uint16_t)load_le(image + FX_FOP, 2)};
}

/* Completes `now` from the host's registers. Pointers that are still those loaded last keep all their bits. */
static bool ask_environment(uint8_t *now, const struct fpu_pointers *loaded)
{
	struct environment env;
	uint16_t fop;
	bool same;

	__asm__ volatile("fnstenv %0" : "=m"(env));
	fop = env.fcs_fop >> 16 & FOP_BITS;
	same = (uint32_t)loaded->fip == env.fip && (uint32_t)loaded->fdp == env.fdp && loaded->fop == fop;
	store_le(now + FX_FOP, 2, fop);
	store_le(now + FX_FDP, 8, (uint32_t)loaded->fdp == env.fdp ? loaded->fdp : env.fdp);
	store_le(now + FX_FIP, 8, same ? loaded->fip : env.fip);
	return same;
}

static inline __attribute__((always_inline)) void fxsave(uint8_t *to)
{
	__asm__ volatile("movq $0, (%0)\n\tmovq $0, 8(%0)\n\tmovq $0, 16(%0)\n\tfxsave64 (%0)" : : "r"(to) : "memory");
}

/* FXSAVE comes first, while vector registers are the guest's. `to` is aligned. False: FIP and FDP are low halves. */
static inline __attribute__((always_inline)) bool store(uint8_t *to, const struct fpu_pointers *loaded)
{
	bool whole;

	fxsave(to);
	whole = has_pointers(to) || ask_environment(to, loaded);
	__asm__ volatile("fninit");
	return whole;
}

/* The lower halves stay. */
static void load_upper(const uint8_t *from)
{
	__asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
			 "vinsertf128 $1, 16 * \\n(%0), %%ymm\\n, %%ymm\\n\n\t"
			 ".endr"
			 :
			 : "r"(from)
			 : "memory");
}

#define ALL_16	  "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"
#define UPPER_16  "16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31"
#define OPMASKS_8 "0, 1, 2, 3, 4, 5, 6, 7"

/* All that AVX-512 adds; the YMM registers stay. */
static void load_512(const uint8_t *image)
{
	__asm__ volatile(".irp n, " ALL_16 "\n\t"
			 "vinserti64x4 $1, %c1 + 32 * \\n(%0), %%zmm\\n, %%zmm\\n\n\t"
			 ".endr\n\t"
			 ".irp n, " UPPER_16 "\n\t"
			 "vmovdqa64 %c2 + 64 * (\\n - 16)(%0), %%zmm\\n\n\t"
			 ".endr\n\t"
			 ".irp n, " OPMASKS_8 "\n\t"
			 "kmovq %c3 + 8 * \\n(%0), %%k\\n\n\t"
			 ".endr"
			 :
			 : "r"(image), "i"(FX_ZMM), "i"(FX_HI16), "i"(FX_K)
			 : "memory");
}

static void store_512(uint8_t *image)
{
	__asm__ volatile(".irp n, " ALL_16 "\n\t"
			 "vextracti64x4 $1, %%zmm\\n, %c1 + 32 * \\n(%0)\n\t"
			 ".endr\n\t"
			 ".irp n, " UPPER_16 "\n\t"
			 "vmovdqa64 %%zmm\\n, %c2 + 64 * (\\n - 16)(%0)\n\t"
			 ".endr\n\t"
			 ".irp n, " OPMASKS_8 "\n\t"
			 "kmovq %%k\\n, %c3 + 8 * \\n(%0)\n\t"
			 ".endr"
			 :
			 : "r"(image), "i"(FX_ZMM), "i"(FX_HI16), "i"(FX_K)
			 : "memory");
}

/* Leaves zeros behind: the monitor's code, which is SSE code, would be slowed down by anything else. */
static void store_upper(uint8_t *to)
{
	__asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
			 "vextractf128 $1, %%ymm\\n, 16 * \\n(%0)\n\t"
			 ".endr\n\t"
			 "vzeroupper"
			 :
			 : "r"(to)
			 : "memory");
}

void fpu_load(const struct cpu *cpu, struct fpu_pointers *loaded, enum fpu_width width)
{
	*loaded = get_pointers(cpu->fpu.image);
	__asm__ volatile("fxrstor64 %0" : : "m"(cpu->fpu.image) : "memory");
	if (width >= FPU_YMM)
		load_upper(cpu->fpu.image + FX_YMM);
	if (width == FPU_ZMM)
		load_512(cpu->fpu.image);
}

bool fpu_save(struct cpu *cpu, const struct fpu_pointers *loaded, enum fpu_width width)
{
	uint32_t mxcsr = 0x1f80;
	bool whole;

	if (width == FPU_ZMM)
		store_512(cpu->fpu.image);
	if (width >= FPU_YMM)
		store_upper(cpu->fpu.image + FX_YMM);
	whole = store(cpu->fpu.image, loaded);
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	return whole;
}

/* Does FXSAVE leave out the pointers of an instruction without exception? */
static bool host_forgets(void)
{
	uint8_t image[FX_BYTES] __attribute__((aligned(16)));

	__asm__ volatile("movq $0, 8(%0)\n\tfninit\n\tfldz\n\tfxsave64 (%0)\n\tfninit" : : "r"(image) : "memory");
	return !load_le(image + FX_FIP, 8);
}

static void copy_x87(uint8_t *to, const uint8_t *from)
{
	memcpy(to, from, FX_MXCSR);
	memcpy(to + FX_ST0, from + FX_ST0, FX_XMM0 - FX_ST0);
}

void fpu_peek(struct cpu *cpu, uint8_t *to)
{
	if (cpu->fpu_live) {
		fxsave(to);
		if (!has_pointers(to))
			return;
		cpu_fpu_sync(cpu); /* they may be of the cache */
	}
	copy_x87(to, cpu->fpu.image);
}

void fpu_drop(struct cpu *cpu)
{
	if (cpu->fpu_live)
		__asm__ volatile("fninit");
	cpu->fpu_live = false;
}

void cpu_fpu_sync(struct cpu *cpu)
{
	uint8_t now[FX_BYTES] __attribute__((aligned(16)));
	struct fpu_pointers loaded;
	bool whole;

	if (!cpu->fpu_live)
		return;
	loaded = get_pointers(cpu->fpu.image);
	whole = store(now, &loaded);
	copy_x87(cpu->fpu.image, now);
	cpu->fpu_live = false;
	fpu_forget_bases(cpu, &loaded);
	if (cpu->fpu_stored)
		cpu->fpu_stored(cpu->fpu_stored_arg, &loaded, whole);
}

bool fpu_stores_lost_pointers(struct cpu *cpu, const struct insn *in)
{
	switch (in->id) {
	case INSN_FNSTENV:
	case INSN_FNSAVE:
	case INSN_XSAVE:
	case INSN_XSAVE64:
	case INSN_XSAVEOPT:
	case INSN_XSAVEOPT64:
	case INSN_XSAVEC:
	case INSN_XSAVEC64:
		cpu_fpu_sync(cpu);
		return !(cpu->fpu.image[FX_FSW] & FSW_ES) && host_forgets();
	}
	return false;
}
