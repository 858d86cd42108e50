/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XSAVE, XSAVEOPT, XSAVEC and XRSTOR (SDM vol. 1, chapter 13), of the components that CPUID shows: x87 and SSE. They
 * work on the image of the state, not on the host's registers.
 */
#include <string.h>

#include "fpu.h"
#include "handlers_internal.h"

enum { X87 = 1, SSE = 2, COMPONENTS = X87 | SSE };

enum {
	HEADER = FX_BYTES,
	XSTATE_BV = HEADER,
	XCOMP_BV = HEADER + 8,
	AREA_BYTES = HEADER + 64,
	AREA_ALIGNMENT = 64,
	X87_INIT_FCW = 0x37f,
	MXCSR_INIT = 0x1f80,
	FX_MXCSR_MASK = 28,
	X87_FIRST_BYTES = FX_MXCSR, /* FCW to FDP */
	X87_REGISTERS_BYTES = FX_XMM0 - FX_ST0,
	XMM_BYTES = 16,
};

#define COMPACTED BIT(63)

/* Bits of MXCSR that are none raise #GP: as the host has it (vol. 1, 11.6.6). */
static uint32_t mxcsr_mask(void)
{
	uint8_t image[FX_BYTES] __attribute__((aligned(16)));
	uint32_t mask;

	__asm__ volatile("fxsave64 %0" : "=m"(image));
	mask = (uint32_t)load_le(image + FX_MXCSR_MASK, 4);
	return mask ? mask : 0xffbf;
}

static unsigned xmm_bytes(const struct insn *in)
{
	return (in->code_size == 8 ? 16 : 8) * XMM_BYTES;
}

static uint64_t requested(const struct cpu *cpu)
{
	return cpu->xcr0 & (gpr_read(cpu, RDX, 4) << 32 | gpr_read(cpu, RAX, 4));
}

static bool all_zero(const uint8_t *at, unsigned len)
{
	return !*at && !memcmp(at, at + 1, len - 1);
}

/* Components that are not as they were initialised (13.6). */
static uint64_t in_use(const uint8_t *image)
{
	static const uint8_t init[X87_FIRST_BYTES] = {X87_INIT_FCW & 0xff, X87_INIT_FCW >> 8};
	uint64_t used = 0;

	if (memcmp(image, init, sizeof(init)) || !all_zero(image + FX_ST0, X87_REGISTERS_BYTES))
		used |= X87;
	if (!all_zero(image + FX_XMM0, 16 * XMM_BYTES))
		used |= SSE;
	return used;
}

/* Without REX.W the pointers are 32 bits and a selector, which is zero (CPUID 7.EBX[13]). */
static void copy_pointers(uint8_t *to, const uint8_t *from, bool wide)
{
	store_le(to + FX_FIP, 8, load_le(from + FX_FIP, wide ? 8 : 4));
	store_le(to + FX_FDP, 8, load_le(from + FX_FDP, wide ? 8 : 4));
}

static void copy_x87(uint8_t *to, const uint8_t *from, const struct insn *in)
{
	memcpy(to, from, FX_FIP);
	copy_pointers(to, from, in->rex & REX_W);
	memcpy(to + FX_ST0, from + FX_ST0, X87_REGISTERS_BYTES);
}

static bool area(struct cpu *cpu, const struct insn *in, enum access access, uint64_t *offset, struct x86_fault *f)
{
	gva_t gva;

	*offset = insn_ea(cpu, in);
	if (!cpu_seg_linear(cpu, in->seg, *offset, AREA_BYTES, access, &gva, f))
		return false;
	return !(gva % AREA_ALIGNMENT) || raise_gp0(f);
}

/* optimized: what is as initialised is not written; compact: XSAVEC, which writes all of the header. */
static bool save(struct cpu *cpu, const struct insn *in, bool optimized, bool compact, struct x86_fault *f)
{
	const uint8_t *image = cpu->fpu.image;
	uint64_t mask = requested(cpu), used, written, offset, bv;
	uint8_t buf[AREA_BYTES];

	if (!area(cpu, in, ACC_WRITE, &offset, f) || !cpu_probe_write(cpu, in->seg, offset, AREA_BYTES, f) ||
	    !cpu_read_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f))
		return false;
	cpu_fpu_sync(cpu);
	used = in_use(image);
	if (compact && load_le(image + FX_MXCSR, 4) != MXCSR_INIT)
		used |= SSE;
	written = optimized || compact ? mask & used : mask;
	if (written & X87)
		copy_x87(buf, image, in);
	if (written & SSE)
		memcpy(buf + FX_XMM0, image + FX_XMM0, xmm_bytes(in));
	if (compact ? written & SSE : mask & SSE) {
		memcpy(buf + FX_MXCSR, image + FX_MXCSR, 4);
		store_le(buf + FX_MXCSR_MASK, 4, mxcsr_mask());
	}
	bv = compact ? 0 : load_le(buf + XSTATE_BV, 8) & ~mask;
	if (compact) {
		memset(buf + HEADER, 0, AREA_BYTES - HEADER);
		store_le(buf + XCOMP_BV, 8, mask | COMPACTED);
	}
	store_le(buf + XSTATE_BV, 8, bv | (mask & used));
	return cpu_write_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f);
}

bool do_xsave(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return save(cpu, in, false, false, f);
}

bool do_xsaveopt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return save(cpu, in, true, false, f);
}

bool do_xsavec(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return save(cpu, in, true, true, f);
}

/* What the header must not say (13.8.1, 13.8.2). */
static bool header_valid(const struct cpu *cpu, const uint8_t *buf)
{
	uint64_t bv = load_le(buf + XSTATE_BV, 8), comp = load_le(buf + XCOMP_BV, 8);

	if (comp & COMPACTED)
		return !(comp & ~COMPACTED & ~cpu->xcr0) && !(bv & ~comp) &&
		       all_zero(buf + HEADER + 16, AREA_BYTES - HEADER - 16);
	return !(bv & ~cpu->xcr0) && all_zero(buf + XCOMP_BV, 16);
}

bool do_xrstor(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	static const uint8_t init[AREA_BYTES] = {X87_INIT_FCW & 0xff, X87_INIT_FCW >> 8};
	uint64_t mask = requested(cpu), bv, offset;
	uint32_t mxcsr = MXCSR_INIT;
	uint8_t buf[AREA_BYTES];
	bool compact;

	if (!area(cpu, in, ACC_READ, &offset, f) || !cpu_read_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f))
		return false;
	if (!header_valid(cpu, buf))
		return raise_gp0(f);
	bv = load_le(buf + XSTATE_BV, 8);
	compact = load_le(buf + XCOMP_BV, 8) & COMPACTED;
	/* The standard form keeps MXCSR whether or not there is SSE state. */
	if (!compact || (bv & SSE))
		mxcsr = (uint32_t)load_le(buf + FX_MXCSR, 4);
	if ((mask & SSE) && (mxcsr & ~mxcsr_mask()))
		return raise_gp0(f);
	cpu_fpu_sync(cpu);
	if (mask & X87) {
		struct fpu_pointers before = {.fip = load_le(cpu->fpu.image + FX_FIP, 8),
					      .fdp = load_le(cpu->fpu.image + FX_FDP, 8)};
		copy_x87(cpu->fpu.image, bv & X87 ? buf : init, in);
		fpu_forget_bases(cpu, &before);
	}
	if (mask & SSE) {
		memcpy(cpu->fpu.image + FX_XMM0, (bv & SSE ? buf : init) + FX_XMM0, xmm_bytes(in));
		store_le(cpu->fpu.image + FX_MXCSR, 4, mxcsr);
	}
	if (mask & X87) { /* bits that no register holds are gone at once, as if it had been loaded */
		struct fpu_pointers loaded;
		fpu_load(cpu, &loaded);
		fpu_save(cpu, &loaded);
	}
	return true;
}
