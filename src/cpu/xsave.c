/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV and XSETBV (SDM vol. 1, chapter 13), of the components that CPUID shows: x87,
 * SSE and AVX. They work on the image of the state, not on the host's registers. With no other component the compacted
 * form has AVX state where the standard form has it.
 */
#include <string.h>

#include "fpu.h"
#include "handlers_internal.h"

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
};
_Static_assert((int)AREA_BYTES == (int)FX_YMM && AREA_BYTES + 16 * FX_REG_BYTES == CPU_XSAVE_BYTES, "13.4");

#define COMPACTED BIT(63)

/* Bits of MXCSR that are none raise #GP: as the host has it (vol. 1, 11.6.6). */
static uint32_t mxcsr_mask(void)
{
	static __thread uint32_t mask; /* asking costs as much as the rest of XSAVE */

	if (!mask) {
		uint8_t image[FX_BYTES] __attribute__((aligned(16)));
		__asm__ volatile("fxsave64 %0" : "=m"(image));
		mask = (uint32_t)load_le(image + FX_MXCSR_MASK, 4);
		mask = mask ? mask : 0xffbf;
	}
	return mask;
}

/* Of XMM registers, or of the upper halves of YMM registers. */
static unsigned vector_bytes(const struct insn *in)
{
	return (in->code_size == 8 ? 16 : 8) * FX_REG_BYTES;
}

static uint64_t requested(const struct cpu *cpu)
{
	return cpu->xcr0 & (gpr_read(cpu, RDX, 4) << 32 | gpr_read(cpu, RAX, 4));
}

static bool all_zero(const uint8_t *at, unsigned len)
{
	return !*at && !memcmp(at, at + 1, len - 1);
}

/* Components that are not as they were initialised (13.6). x87: that state, the others are in the image. */
static uint64_t in_use(const uint8_t *x87, const uint8_t *image)
{
	static const uint8_t init[X87_FIRST_BYTES] = {X87_INIT_FCW & 0xff, X87_INIT_FCW >> 8};
	uint64_t used = 0;

	if (memcmp(x87, init, sizeof(init)) || !all_zero(x87 + FX_ST0, X87_REGISTERS_BYTES))
		used |= XCR0_X87;
	if (!all_zero(image + FX_XMM0, 16 * FX_REG_BYTES))
		used |= XCR0_SSE;
	if (!all_zero(image + FX_YMM, 16 * FX_REG_BYTES))
		used |= XCR0_AVX;
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

static bool area(struct cpu *cpu, const struct insn *in, unsigned len, enum access access, uint64_t *offset,
		 struct x86_fault *f)
{
	gva_t gva;

	*offset = insn_ea(cpu, in);
	if (!cpu_seg_linear(cpu, in->seg, *offset, len, access, &gva, f))
		return false;
	return !(gva % AREA_ALIGNMENT) || raise_gp0(f);
}

/* optimized: what is as initialised is not written; compact: XSAVEC, which writes all of the header. */
static bool save(struct cpu *cpu, const struct insn *in, bool optimized, bool compact, struct x86_fault *f)
{
	const uint8_t *image = cpu->fpu.image;
	uint64_t mask = requested(cpu), used, written, offset, bv;
	uint8_t buf[CPU_XSAVE_BYTES], x87[FX_BYTES] __attribute__((aligned(16)));
	unsigned len;

	fpu_peek(cpu, x87);
	used = in_use(x87, image);
	if (compact && load_le(image + FX_MXCSR, 4) != MXCSR_INIT)
		used |= XCR0_SSE;
	written = optimized || compact ? mask & used : mask;
	len = written & XCR0_AVX ? FX_YMM + vector_bytes(in) : AREA_BYTES;
	if (!area(cpu, in, len, ACC_WRITE, &offset, f) || !cpu_probe_write(cpu, in->seg, offset, len, f) ||
	    !cpu_read_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f))
		return false;
	if (written & XCR0_X87)
		copy_x87(buf, x87, in);
	if (written & XCR0_SSE)
		memcpy(buf + FX_XMM0, image + FX_XMM0, vector_bytes(in));
	if (written & XCR0_AVX)
		memcpy(buf + FX_YMM, image + FX_YMM, vector_bytes(in));
	/* To the standard form, MXCSR belongs to AVX state, too (13.5.2). */
	if (compact ? written & XCR0_SSE : mask & (XCR0_SSE | XCR0_AVX)) {
		memcpy(buf + FX_MXCSR, image + FX_MXCSR, 4);
		store_le(buf + FX_MXCSR_MASK, 4, mxcsr_mask());
	}
	bv = compact ? 0 : load_le(buf + XSTATE_BV, 8) & ~mask;
	if (compact) {
		memset(buf + HEADER, 0, AREA_BYTES - HEADER);
		store_le(buf + XCOMP_BV, 8, mask | COMPACTED);
	}
	store_le(buf + XSTATE_BV, 8, bv | (mask & used));
	return cpu_write_bytes(cpu, in->seg, offset, len, buf, f);
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

/* What XRSTOR loads of the area; what is not there is initialised. */
struct to_load {
	uint64_t mask, there;
	uint32_t mxcsr;
	bool mxcsr_loaded;
};

static bool read_area(struct cpu *cpu, const struct insn *in, uint8_t *buf, struct to_load *l, struct x86_fault *f)
{
	bool compact;
	uint64_t offset;

	if (!area(cpu, in, AREA_BYTES, ACC_READ, &offset, f) ||
	    !cpu_read_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f))
		return false;
	if (!header_valid(cpu, buf))
		return raise_gp0(f);
	l->mask = requested(cpu);
	l->there = l->mask & load_le(buf + XSTATE_BV, 8);
	if ((l->there & XCR0_AVX) &&
	    (!area(cpu, in, FX_YMM + vector_bytes(in), ACC_READ, &offset, f) ||
	     !cpu_read_bytes(cpu, in->seg, offset + FX_YMM, vector_bytes(in), buf + FX_YMM, f)))
		return false;
	/* The standard form keeps MXCSR whether or not there is SSE state. */
	compact = load_le(buf + XCOMP_BV, 8) & COMPACTED;
	l->mxcsr_loaded = l->mask & (compact ? XCR0_SSE : XCR0_SSE | XCR0_AVX);
	l->mxcsr = !compact || (l->there & XCR0_SSE) ? (uint32_t)load_le(buf + FX_MXCSR, 4) : MXCSR_INIT;
	return !(l->mxcsr_loaded && (l->mxcsr & ~mxcsr_mask())) || raise_gp0(f);
}

bool do_xrstor(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	static const uint8_t init[CPU_XSAVE_BYTES] = {X87_INIT_FCW & 0xff, X87_INIT_FCW >> 8};
	uint8_t buf[CPU_XSAVE_BYTES], *image = cpu->fpu.image;
	struct to_load l;

	if (!read_area(cpu, in, buf, &l, f))
		return false;
	if (l.mask & XCR0_X87) {
		struct fpu_pointers before = {.fip = load_le(image + FX_FIP, 8), .fdp = load_le(image + FX_FDP, 8)};
		fpu_drop(cpu);
		copy_x87(image, l.there & XCR0_X87 ? buf : init, in);
		fpu_forget_bases(cpu, &before);
	}
	if (l.mask & XCR0_SSE)
		memcpy(image + FX_XMM0, (l.there & XCR0_SSE ? buf : init) + FX_XMM0, vector_bytes(in));
	if (l.mask & XCR0_AVX)
		memcpy(image + FX_YMM, (l.there & XCR0_AVX ? buf : init) + FX_YMM, vector_bytes(in));
	if (l.mxcsr_loaded)
		store_le(image + FX_MXCSR, 4, l.mxcsr);
	if (l.there & XCR0_X87) { /* bits that no register holds are gone at once, as if it had been loaded */
		struct fpu_pointers loaded;
		fpu_load(cpu, &loaded, false);
		fpu_save(cpu, &loaded, false);
	}
	return true;
}

bool do_xgetbv(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	enum { XCR0 = 0, IN_USE = 1 };
	uint32_t index = (uint32_t)cpu->gpr[RCX];
	uint8_t x87[FX_BYTES] __attribute__((aligned(16)));
	uint64_t value = cpu->xcr0;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		return x86_raise(f, EXC_UD);
	if (index > (cpu_has(cpu, FEAT_XGETBV1) ? IN_USE : XCR0))
		return raise_gp0(f);
	if (index == IN_USE) {
		fpu_peek(cpu, x87);
		value &= in_use(x87, cpu->fpu.image);
	}
	gpr_write(cpu, RAX, 4, value);
	gpr_write(cpu, RDX, 4, value >> 32);
	return true;
}

bool do_xsetbv(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t value = gpr_read(cpu, RDX, 4) << 32 | gpr_read(cpu, RAX, 4);
	uint64_t valid = XCR0_X87 | XCR0_SSE | (cpu_has(cpu, FEAT_AVX) ? XCR0_AVX : 0);

	if (!(cpu->cr4 & CR4_OSXSAVE))
		return x86_raise(f, EXC_UD);
	if (cpu->cpl != 0 || (uint32_t)cpu->gpr[RCX] != 0 || !(value & XCR0_X87) || (value & ~valid) ||
	    ((value & XCR0_AVX) && !(value & XCR0_SSE)))
		return raise_gp0(f);
	cpu->xcr0 = value;
	return true;
}
