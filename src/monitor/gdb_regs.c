/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb_regs.h"

#include <string.h>

#include "cpu/fpu.h"
#include "cpu/sys.h"

enum kind {
	GPR,
	RIP,
	RFLAGS,
	SELECTOR,
	ST,
	FX16,
	FX32,
	FTAG,
	ZERO,
	XMM,
	YMMH,
	OPMASK,
	ZMMH,
	MXCSR,
	BASE,
	CPL,
	LDTR,
	TR,
	GDTR,
	IDTR,
	CR,
	EFER,
	DR
};

enum { X87_REGS = 8, ST_BYTES = 10, FX_SLOT = 16, MXCSR_BITS = 0xffff };
enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };
#define ST_EXPONENT 0x7fff
#define ST_INTEGER  BIT(63)

/* clang-format off */
static const struct reg {
	uint16_t bits;
	uint8_t kind, n;
} regs[] = {
#define FEATURE(name)
#define END_FEATURE()
#define VECTORS()
#define VECTORS_512()
#define FLAGS(name, bytes)
#define FIELD(name, first, last)
#define END_FLAGS()
#define REG(name, bits, type, group, kind, n) {bits, kind, n},
#include "gdb_regs.def"
};
/* clang-format on */

unsigned gdb_regs_count(void)
{
	return ARRAY_LEN(regs);
}

unsigned gdb_reg_bytes(unsigned n)
{
	return regs[n].bits / 8;
}

static uint8_t *st(struct cpu *cpu, unsigned n)
{
	return cpu->fpu.image + FX_ST0 + FX_SLOT * n;
}

/* The tag word as FNSTENV stores it, which FXSAVE has only a bit a register of (vol. 1, 10.5.1.1). By physical
 * register, where ST(0) is the top of the stack. */
static unsigned full_tags(struct cpu *cpu)
{
	unsigned top = load_le(cpu->fpu.image + FX_FSW, 2) >> 11 & 7, tags = 0;

	for (unsigned i = 0; i < X87_REGS; i++) {
		const uint8_t *value = st(cpu, (i - top) & 7);
		uint64_t mantissa = load_le(value, 8);
		unsigned exponent = load_le(value + 8, 2) & ST_EXPONENT, tag = TAG_VALID;
		if (!(cpu->fpu.image[FX_TAG] >> i & 1))
			tag = TAG_EMPTY;
		else if (!exponent && !mantissa)
			tag = TAG_ZERO;
		else if (!exponent || exponent == ST_EXPONENT || !(mantissa & ST_INTEGER))
			tag = TAG_SPECIAL;
		tags |= tag << (2 * i);
	}
	return tags;
}

static uint8_t short_tags(unsigned tags)
{
	uint8_t used = 0;

	for (unsigned i = 0; i < X87_REGS; i++)
		if ((tags >> (2 * i) & 3) != TAG_EMPTY)
			used |= (uint8_t)BIT(i);
	return used;
}

static uint64_t cr(const struct cpu *cpu, unsigned n)
{
	return n == 0 ? cpu->cr0 : n == 2 ? cpu->cr2 : n == 3 ? cpu->cr3 : cpu->cr4;
}

static uint64_t read_number(struct cpu *cpu, const struct reg *r)
{
	const uint8_t *image = cpu->fpu.image;

	switch ((enum kind)r->kind) {
	case GPR:
		return cpu->gpr[r->n];
	case RIP:
		return cpu->rip;
	case RFLAGS:
		return cpu->rflags;
	case SELECTOR:
		return cpu->seg[r->n].selector;
	case FX16:
		return load_le(image + r->n, 2);
	case FX32:
		return load_le(image + r->n, 4);
	case FTAG:
		return full_tags(cpu);
	case MXCSR:
		return load_le(image + FX_MXCSR, 4);
	case BASE:
		return cpu->seg[r->n].base;
	case CPL:
		return cpu->cpl;
	case LDTR:
		return r->n ? cpu->ldtr.base : cpu->ldtr.selector;
	case TR:
		return r->n ? cpu->tr.base : cpu->tr.selector;
	case GDTR:
		return r->n ? cpu->gdtr.limit : cpu->gdtr.base;
	case IDTR:
		return r->n ? cpu->idtr.limit : cpu->idtr.base;
	case CR:
		return cr(cpu, r->n);
	case EFER:
		return cpu->efer;
	case DR:
		return cpu->dr[r->n];
	case ZERO:
	case ST:
	case XMM:
	case YMMH:
	case OPMASK:
	case ZMMH:
		break;
	}
	return 0;
}

/* The image's own bytes, for registers that are no numbers. */
static uint8_t *bytes_of(struct cpu *cpu, const struct reg *r)
{
	uint8_t *image = cpu->fpu.image;

	switch ((enum kind)r->kind) {
	case ST:
		return st(cpu, r->n);
	case XMM:
		return image + FX_XMM0 + FX_REG_BYTES * r->n;
	case YMMH:
		return image + FX_YMM + FX_REG_BYTES * r->n;
	case OPMASK:
		return image + FX_K + 8 * r->n;
	case ZMMH:
		return image + FX_ZMM + 32 * r->n;
	default:
		return NULL;
	}
}

void gdb_reg_read(struct cpu *cpu, unsigned n, uint8_t *value)
{
	const struct reg *r = &regs[n];
	const uint8_t *bytes;

	cpu_fpu_sync(cpu);
	bytes = bytes_of(cpu, r);
	if (bytes)
		memcpy(value, bytes, r->bits / 8);
	else
		store_le(value, r->bits / 8, read_number(cpu, r));
}

/* A new selector. In protected mode it would take a descriptor and its checks: let the guest load it. */
static bool write_selector(struct cpu *cpu, unsigned seg, uint64_t value)
{
	if (!cpu_real_segments(cpu) || value > 0xffff)
		return false;
	cpu->seg[seg].selector = (uint16_t)value;
	cpu->seg[seg].base = value << 4;
	return true;
}

static bool write_cr(struct cpu *cpu, unsigned n, uint64_t value)
{
	struct x86_fault ignored;

	if (cpu->cpl) /* as for the guest itself: real mode at CPL 3 is no state a processor can be in */
		return false;
	if (n == 0)
		return cpu_write_cr0(cpu, value, &ignored);
	if (n == 3)
		return cpu_write_cr3(cpu, value, &ignored);
	if (n == 4)
		return cpu_write_cr4(cpu, value, &ignored);
	cpu->cr2 = value;
	return true;
}

static bool write_number(struct cpu *cpu, const struct reg *r, uint64_t value)
{
	uint8_t *image = cpu->fpu.image;

	switch ((enum kind)r->kind) {
	case GPR:
		cpu->gpr[r->n] = value;
		return true;
	case RIP:
		cpu->rip = value;
		return true;
	case RFLAGS: /* not VM, which is a mode */
		cpu->rflags = (value & FLAGS_ALL & ~FLAG_VM) | FLAG_1 | (cpu->rflags & FLAG_VM);
		return true;
	case SELECTOR:
		return write_selector(cpu, r->n, value);
	case FX16:
		store_le(image + r->n, 2, value & (r->n == FX_FOP ? FOP_BITS : 0xffff));
		return true;
	case FX32:
		store_le(image + r->n, 8, value);
		return true;
	case FTAG:
		image[FX_TAG] = short_tags((unsigned)value);
		return true;
	case MXCSR:
		if (value & ~(uint64_t)MXCSR_BITS)
			return false; /* FXRSTOR would fault */
		store_le(image + FX_MXCSR, 4, value);
		return true;
	case CR:
		return write_cr(cpu, r->n, value);
	default:
		return false;
	}
}

bool gdb_reg_write(struct cpu *cpu, unsigned n, const uint8_t *value)
{
	const struct reg *r = &regs[n];
	uint8_t now[GDB_REG_MAX_BYTES], *bytes;

	gdb_reg_read(cpu, n, now);
	if (!memcmp(now, value, r->bits / 8))
		return true;
	bytes = bytes_of(cpu, r);
	if (!bytes)
		return write_number(cpu, r, load_le(value, r->bits / 8));
	memcpy(bytes, value, r->bits / 8);
	return true;
}
