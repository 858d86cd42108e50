/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XLAT, MASKMOVQ, MASKMOVDQU: implicit memory operands in DS or an overriding segment (SDM vol. 2). */
#include "fpu.h"
#include "handlers_internal.h"

#include <string.h>

enum { FSW_TOP = 7 << 11 };

bool do_xlat(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t ea = (cpu->gpr[RBX] + (cpu->gpr[RAX] & 0xff)) & size_mask(in->addrsize);
	uint64_t value;

	if (!cpu_read(cpu, in->seg, ea, 1, &value, f))
		return false;
	gpr_write(cpu, RAX, 1, value);
	return true;
}

/* Stores the bytes of `data` whose mask byte has its top bit set. All are checked first. */
static bool masked_store(struct cpu *cpu, const struct insn *in, const uint8_t *data, const uint8_t *mask, unsigned len,
			 struct x86_fault *f)
{
	uint64_t base = gpr_read(cpu, RDI, in->addrsize), limit = size_mask(in->addrsize);

	for (unsigned i = 0; i < len; i++)
		if ((mask[i] & 0x80) && !cpu_probe_write(cpu, in->seg, (base + i) & limit, 1, f))
			return false;
	for (unsigned i = 0; i < len; i++)
		if ((mask[i] & 0x80) && !cpu_write(cpu, in->seg, (base + i) & limit, 1, data[i], f))
			return false;
	return true;
}

static const uint8_t *vector_register(const struct cpu *cpu, unsigned first, unsigned reg)
{
	return cpu->fpu.image + first + reg * FX_REG_BYTES;
}

bool do_maskmovdqu(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return masked_store(cpu, in, vector_register(cpu, FX_XMM0, in->op[0].reg & 15),
			    vector_register(cpu, FX_XMM0, in->op[1].reg & 15), 16, f);
}

/* The image holds ST(i), MMX registers are the physical ones: the top of stack lies between (vol. 1, 9.2, 10.5.1.1). */
static const uint8_t *mmx_register(const struct cpu *cpu, unsigned reg)
{
	unsigned top = (unsigned)load_le(cpu->fpu.image + FX_FSW, 2) >> 11 & 7;

	return vector_register(cpu, FX_ST0, (reg - top) & 7);
}

bool do_maskmovq(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint8_t data[8], mask[8], st[8][FX_REG_BYTES];
	uint16_t fsw;

	cpu_fpu_sync(cpu);
	fsw = (uint16_t)load_le(cpu->fpu.image + FX_FSW, 2);
	memcpy(data, mmx_register(cpu, in->op[0].reg & 7), 8);
	memcpy(mask, mmx_register(cpu, in->op[1].reg & 7), 8);
	if (!masked_store(cpu, in, data, mask, 8, f))
		return false;
	/* As every MMX instruction: TOP becomes 0, all registers valid (vol. 1, 9.5.1). */
	for (unsigned i = 0; i < 8; i++)
		memcpy(st[i], mmx_register(cpu, i), FX_REG_BYTES);
	memcpy(cpu->fpu.image + FX_ST0, st, sizeof(st));
	store_le(cpu->fpu.image + FX_FSW, 2, fsw & ~FSW_TOP);
	cpu->fpu.image[FX_TAG] = 0xff;
	return true;
}
