/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the handlers share among themselves. Does not leave this folder. */
#ifndef GNOMON_HANDLERS_INTERNAL_H
#define GNOMON_HANDLERS_INTERNAL_H

#include "event.h"
#include "handlers.h"
#include "mem.h"
#include "seg.h"
#include "step.h"
#include "sys.h"

enum { REX_W = 8 };

/* Operand size of an instruction without a size bit, from its prefixes: 2, 4 or 8 bytes (vol. 1, 3.6). */
static inline unsigned operand_size(const struct insn *in)
{
	bool prefix = in->prefixes & PFX_OPSIZE;

	if (in->code_size == 8 && (in->rex & REX_W))
		return 8;
	if (in->code_size == 2)
		return prefix ? 4 : 2;
	return prefix ? 2 : 4;
}

/* The same for instructions that push and pop: 64-bit mode defaults to 8 bytes (vol. 1, 6.2.3). */
static inline unsigned stack_operand_size(const struct insn *in)
{
	unsigned size = operand_size(in);

	return in->code_size == 8 && size == 4 ? 8 : size;
}

/* Near branches: in 64-bit mode always 8 bytes, as on Intel processors. */
static inline unsigned branch_size(const struct insn *in)
{
	return in->code_size == 8 ? 8 : operand_size(in);
}

/* Instructions whose opcode's lowest bit tells bytes from words. */
static inline unsigned sized_by_opcode(const struct insn *in)
{
	return in->bytes[in->opcode_off] & 1 ? operand_size(in) : 1;
}

static inline bool raise_gp0(struct x86_fault *f)
{
	return x86_raise_error(f, EXC_GP, 0);
}

static inline bool flag_even_parity(uint64_t v)
{
	return !__builtin_parity((unsigned)v & 0xff);
}

/* SF, ZF and PF of a result of `size` bytes. */
static inline uint64_t flags_szp(uint64_t v, unsigned size)
{
	v &= size_mask(size);
	return (v ? 0 : FLAG_ZF) | (v >> (size * 8 - 1) & 1 ? FLAG_SF : 0) | (flag_even_parity(v) ? FLAG_PF : 0);
}

static inline void set_flags(struct cpu *cpu, uint64_t mask, uint64_t flags)
{
	cpu->rflags = (cpu->rflags & ~mask) | (flags & mask);
}

#endif
