/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DAA, DAS, AAA, AAS, AAM, AAD and SALC (SDM vol. 2), which a 64-bit host does not have. Flags that the manual leaves
 * undefined are those of current processors, which the unit test asks.
 */
#include "handlers_internal.h"

static void set_ax(struct cpu *cpu, unsigned ah, unsigned al)
{
	gpr_write(cpu, RAX, 2, (ah & 0xff) << 8 | (al & 0xff));
}

static bool decimal_adjust(struct cpu *cpu, bool subtract)
{
	unsigned al = cpu->gpr[RAX] & 0xff, old = al;
	bool carry = cpu->rflags & FLAG_CF, half = cpu->rflags & FLAG_AF;
	uint64_t flags = 0;

	if ((al & 0xf) > 9 || half) {
		flags |= FLAG_AF;
		if (carry || (subtract ? al < 6 : al > 0xf9))
			flags |= FLAG_CF;
		al = subtract ? al - 6 : al + 6;
	}
	if (old > 0x99 || carry) {
		al = subtract ? al - 0x60 : al + 0x60;
		flags |= FLAG_CF;
	}
	al &= 0xff;
	gpr_write(cpu, RAX, 1, al);
	set_flags(cpu, FLAGS_ARITH, flags | flags_szp(al, 1));
	return true;
}

bool do_daa(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return decimal_adjust(cpu, false);
}

bool do_das(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return decimal_adjust(cpu, true);
}

static bool ascii_adjust(struct cpu *cpu, int direction)
{
	unsigned ax = cpu->gpr[RAX] & 0xffff;
	uint64_t flags = 0;

	if ((ax & 0xf) > 9 || (cpu->rflags & FLAG_AF)) {
		ax += (unsigned)(direction * 0x106);
		flags = FLAG_AF | FLAG_CF;
	}
	set_ax(cpu, ax >> 8, ax & 0xf);
	set_flags(cpu, FLAGS_ARITH, flags | flags_szp(ax & 0xf, 1));
	return true;
}

bool do_aaa(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return ascii_adjust(cpu, 1);
}

bool do_aas(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return ascii_adjust(cpu, -1);
}

bool do_aam(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned al = cpu->gpr[RAX] & 0xff, base = in->bytes[in->imm_off];

	if (!base)
		return x86_raise(f, EXC_DE);
	set_ax(cpu, al / base, al % base);
	set_flags(cpu, FLAGS_ARITH, flags_szp(al % base, 1));
	return true;
}

/* The undefined flags are those of the 8-bit addition that makes AL. */
bool do_aad(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned al = cpu->gpr[RAX] & 0xff, tens = (cpu->gpr[RAX] >> 8 & 0xff) * in->bytes[in->imm_off] & 0xff;
	unsigned sum = al + tens;
	uint64_t flags = (sum & 0x100 ? FLAG_CF : 0) | ((al ^ tens ^ sum) & 0x10 ? FLAG_AF : 0) |
			 ((al ^ sum) & (tens ^ sum) & 0x80 ? FLAG_OF : 0);

	set_ax(cpu, 0, sum);
	set_flags(cpu, FLAGS_ARITH, flags | flags_szp(sum, 1));
	return true;
}

/* AL becomes all ones if CF is set (undocumented, opcode 0xD6). */
bool do_salc(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	gpr_write(cpu, RAX, 1, cpu->rflags & FLAG_CF ? 0xff : 0);
	return true;
}
