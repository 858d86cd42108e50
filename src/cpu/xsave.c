/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV and XSETBV (SDM vol. 1, chapter 13), of the components that CPUID shows: x87,
 * SSE, AVX and AVX-512. They work on the image of the state, not on the host's registers.
 */
#include <string.h>

#include "cpuid_internal.h"
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
_Static_assert((int)AREA_BYTES == (int)FX_YMM, "13.4");

/* State components beyond x87 and SSE: where they are in the image, and parts outside 64-bit mode, which has them all
 * (13.5.3, 13.5.6). */
static const struct component {
	uint8_t number;
	uint16_t image, bytes, bytes32;
} components[] = {
    {2, FX_YMM, 16 * FX_REG_BYTES, 8 * FX_REG_BYTES},
    {5, FX_K, 8 * 8, 8 * 8},
    {6, FX_ZMM, 16 * 32, 8 * 32},
    {7, FX_HI16, 16 * 64, 0},
};
enum { COMPONENTS = sizeof(components) / sizeof(components[0]), COMPONENT_MAX = 8 };
_Static_assert(FX_YMM + 16 * FX_REG_BYTES == FX_K && FX_K + 8 * 8 == FX_ZMM && FX_ZMM + 16 * 32 == FX_HI16 &&
		   FX_HI16 + 16 * 64 == CPU_XSAVE_BYTES && FX_HI16 % 64 == 0,
	       "the image");

unsigned xsave_bytes(unsigned component)
{
	for (unsigned i = 0; i < COMPONENTS; i++)
		if (components[i].number == component)
			return components[i].bytes;
	return 0;
}

unsigned xsave_offset(unsigned component)
{
	static __thread unsigned known[COMPONENT_MAX]; /* asking is slow */

	if (component >= COMPONENT_MAX)
		return 0;
	if (!known[component])
		known[component] = component == 2 ? FX_YMM : host_cpuid(0xd, component).ebx;
	return known[component];
}

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

/* Of XMM registers. */
static unsigned vector_bytes(const struct insn *in)
{
	return (in->code_size == 8 ? 16 : 8) * FX_REG_BYTES;
}

static unsigned part_bytes(const struct insn *in, const struct component *c)
{
	return in->code_size == 8 ? c->bytes : c->bytes32;
}

/* Where it is in an area of the compacted form with these components, or in one of the standard form (0). */
static unsigned part_offset(const struct component *c, uint64_t compacted)
{
	unsigned offset = AREA_BYTES;

	if (!compacted)
		return xsave_offset(c->number);
	for (const struct component *before = components; before < c; before++)
		if (compacted >> before->number & 1)
			offset += before->bytes;
	return offset;
}

static uint64_t requested(const struct cpu *cpu)
{
	return cpu->xcr0 & (gpr_read(cpu, RDX, 4) << 32 | gpr_read(cpu, RAX, 4));
}

/* Components that are not as they were initialised (13.6). x87: that state, the others are in the image. */
static uint64_t in_use(const struct cpu *cpu, const uint8_t *x87)
{
	const uint8_t *image = cpu->fpu.image;
	static const uint8_t init[X87_FIRST_BYTES] = {X87_INIT_FCW & 0xff, X87_INIT_FCW >> 8};
	uint64_t used = 0;

	if (memcmp(x87, init, sizeof(init)) || !all_zero(x87 + FX_ST0, X87_REGISTERS_BYTES))
		used |= XCR0_X87;
	if (!all_zero(image + FX_XMM0, 16 * FX_REG_BYTES))
		used |= XCR0_SSE;
	for (const struct component *c = components; c < components + COMPONENTS; c++) {
		unsigned bytes = cpu_code64(cpu) || c->bytes32 ? c->bytes : 0; /* ZMM16 to ZMM31 */
		if ((cpu->xcr0 >> c->number & 1) && bytes && !all_zero(image + c->image, bytes))
			used |= BIT(c->number);
	}
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

/* The parts of the area behind its header, after all of it has been found writable. */
static bool save_parts(struct cpu *cpu, const struct insn *in, uint64_t written, uint64_t compacted, uint64_t offset,
		       struct x86_fault *f)
{
	for (const struct component *c = components; c < components + COMPONENTS; c++)
		if ((written >> c->number & 1) && part_bytes(in, c) &&
		    !cpu_write_bytes(cpu, in->seg, offset + part_offset(c, compacted), part_bytes(in, c),
				     cpu->fpu.image + c->image, f))
			return false;
	return true;
}

/* optimized: what is as initialised is not written; compact: XSAVEC, which writes all of the header. */
static bool save(struct cpu *cpu, const struct insn *in, bool optimized, bool compact, struct x86_fault *f)
{
	const uint8_t *image = cpu->fpu.image;
	uint64_t mask = requested(cpu), used, written, offset, bv;
	uint8_t buf[AREA_BYTES], x87[FX_BYTES] __attribute__((aligned(16)));
	uint64_t compacted = compact ? mask | COMPACTED : 0;
	unsigned len = AREA_BYTES;

	fpu_peek(cpu, x87);
	used = in_use(cpu, x87);
	if (compact && load_le(image + FX_MXCSR, 4) != MXCSR_INIT)
		used |= XCR0_SSE;
	written = optimized || compact ? mask & used : mask;
	for (const struct component *c = components; c < components + COMPONENTS; c++)
		if ((written >> c->number & 1) && part_bytes(in, c))
			len = MAX(len, part_offset(c, compacted) + part_bytes(in, c));
	if (!area(cpu, in, len, ACC_WRITE, &offset, f) || !cpu_probe_write(cpu, in->seg, offset, len, f) ||
	    !cpu_read_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f))
		return false;
	if (written & XCR0_X87)
		copy_x87(buf, x87, in);
	if (written & XCR0_SSE)
		memcpy(buf + FX_XMM0, image + FX_XMM0, vector_bytes(in));
	/* To the standard form, MXCSR belongs to AVX state, too (13.5.2). */
	if (compact ? written & XCR0_SSE : mask & (XCR0_SSE | XCR0_AVX)) {
		memcpy(buf + FX_MXCSR, image + FX_MXCSR, 4);
		store_le(buf + FX_MXCSR_MASK, 4, mxcsr_mask());
	}
	bv = compact ? 0 : load_le(buf + XSTATE_BV, 8) & ~mask;
	if (compact) {
		memset(buf + HEADER, 0, AREA_BYTES - HEADER);
		store_le(buf + XCOMP_BV, 8, compacted);
	}
	store_le(buf + XSTATE_BV, 8, bv | (mask & used));
	return cpu_write_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f) &&
	       save_parts(cpu, in, written, compacted, offset, f);
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

/* Into where the image has it. */
static bool read_part(struct cpu *cpu, const struct insn *in, const struct component *c, uint64_t compacted,
		      uint8_t *buf, struct x86_fault *f)
{
	unsigned at = part_offset(c, compacted), bytes = part_bytes(in, c);
	uint64_t offset;

	return !bytes || (area(cpu, in, at + bytes, ACC_READ, &offset, f) &&
			  cpu_read_bytes(cpu, in->seg, offset + at, bytes, buf + c->image, f));
}

static bool read_area(struct cpu *cpu, const struct insn *in, uint8_t *buf, struct to_load *l, struct x86_fault *f)
{
	uint64_t offset, compacted;
	bool compact;

	if (!area(cpu, in, AREA_BYTES, ACC_READ, &offset, f) ||
	    !cpu_read_bytes(cpu, in->seg, offset, AREA_BYTES, buf, f))
		return false;
	if (!header_valid(cpu, buf))
		return raise_gp0(f);
	l->mask = requested(cpu);
	l->there = l->mask & load_le(buf + XSTATE_BV, 8);
	compacted = load_le(buf + XCOMP_BV, 8);
	compact = compacted & COMPACTED;
	for (const struct component *c = components; c < components + COMPONENTS; c++)
		if ((l->there >> c->number & 1) && !read_part(cpu, in, c, compact ? compacted : 0, buf, f))
			return false;
	/* The standard form keeps MXCSR whether or not there is SSE state. */
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
	for (const struct component *c = components; c < components + COMPONENTS; c++)
		if (l.mask >> c->number & 1)
			memcpy(image + c->image, (l.there >> c->number & 1 ? buf : init) + c->image, part_bytes(in, c));
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
		value &= in_use(cpu, x87);
	}
	gpr_write(cpu, RAX, 4, value);
	gpr_write(cpu, RDX, 4, value >> 32);
	return true;
}

uint64_t cpu_xcr0_valid(const struct cpu *cpu)
{
	return XCR0_X87 | XCR0_SSE | (cpu_has(cpu, FEAT_AVX) ? XCR0_AVX : 0) |
	       (cpu_has(cpu, FEAT_AVX512F) ? XCR0_AVX512 : 0);
}

/* AVX needs SSE, AVX-512 needs AVX and is one (13.3). */
static bool xcr0_consistent(uint64_t value)
{
	uint64_t avx512 = value & XCR0_AVX512;

	return (value & XCR0_X87) && !((value & XCR0_AVX) && !(value & XCR0_SSE)) &&
	       (!avx512 || (avx512 == XCR0_AVX512 && (value & XCR0_AVX)));
}

bool do_xsetbv(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t value = gpr_read(cpu, RDX, 4) << 32 | gpr_read(cpu, RAX, 4);

	if (!(cpu->cr4 & CR4_OSXSAVE))
		return x86_raise(f, EXC_UD);
	if (cpu->cpl != 0 || (uint32_t)cpu->gpr[RCX] != 0 || (value & ~cpu_xcr0_valid(cpu)) || !xcr0_consistent(value))
		return raise_gp0(f);
	cpu->xcr0 = value;
	return true;
}
