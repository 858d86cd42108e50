/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves to and from segment registers and table registers (SDM vol. 2). */
#include "handlers_internal.h"

bool do_mov_from_sreg(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return insn_write(cpu, in, 0, cpu->seg[in->op[1].reg].selector, f);
}

bool do_mov_to_sreg(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned seg = in->op[0].reg;
	uint64_t selector;

	if (seg == SEG_CS)
		return x86_raise(f, EXC_UD);
	if (!insn_read(cpu, in, 1, &selector, f) || !cpu_load_segment(cpu, seg, (uint16_t)selector, f))
		return false;
	if (seg == SEG_SS)
		cpu->shadow = SHADOW_MOV_SS;
	return true;
}

static unsigned far_load_segment(unsigned id)
{
	switch (id) {
	case INSN_LES:
		return SEG_ES;
	case INSN_LDS:
		return SEG_DS;
	case INSN_LSS:
		return SEG_SS;
	case INSN_LFS:
		return SEG_FS;
	default:
		return SEG_GS;
	}
}

/* LDS, LES, LSS, LFS, LGS. LSS makes no interrupt shadow. */
bool do_load_far(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = operand_size(in);
	uint8_t pointer[10];

	if (!cpu_read_elements(cpu, in->seg, insn_ea(cpu, in), size + 2, size, pointer, f) ||
	    !cpu_load_segment(cpu, far_load_segment(in->id), (uint16_t)load_le(pointer + size, 2), f))
		return false;
	gpr_write(cpu, in->op[0].reg, size, load_le(pointer, size));
	return true;
}

/* User-mode instruction prevention: the store instructions of table registers (2.5, CR4.UMIP). */
static bool umip_allows(const struct cpu *cpu, struct x86_fault *f)
{
	return !(cpu->cr4 & CR4_UMIP) || !cpu_protected(cpu) || cpu->cpl == 0 || raise_gp0(f);
}

static unsigned table_base_bytes(const struct insn *in)
{
	return in->code_size == 8 ? 8 : 4;
}

static bool load_table(struct cpu *cpu, const struct insn *in, struct dtable *table, struct x86_fault *f)
{
	unsigned base_bytes = table_base_bytes(in);
	uint8_t buf[10];
	uint64_t base;

	if (!cpu_read_bytes(cpu, in->seg, insn_ea(cpu, in), 2 + base_bytes, buf, f))
		return false;
	base = load_le(buf + 2, base_bytes);
	if (base_bytes == 8 && !cpu_base_canonical(cpu, base))
		return raise_gp0(f);
	/* A 16-bit operand size loads 24 bits of the base. */
	if (base_bytes == 4 && operand_size(in) == 2)
		base &= 0xffffff;
	*table = (struct dtable){.base = base, .limit = (uint16_t)load_le(buf, 2)};
	return true;
}

/* All of the base is stored, whatever the operand size. */
static bool store_table(struct cpu *cpu, const struct insn *in, const struct dtable *table, struct x86_fault *f)
{
	unsigned base_bytes = table_base_bytes(in);
	uint8_t buf[10];

	if (!umip_allows(cpu, f))
		return false;
	store_le(buf, 2, table->limit);
	store_le(buf + 2, base_bytes, table->base);
	return cpu_write_bytes(cpu, in->seg, insn_ea(cpu, in), 2 + base_bytes, buf, f);
}

bool do_lgdt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return load_table(cpu, in, &cpu->gdtr, f);
}

bool do_lidt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return load_table(cpu, in, &cpu->idtr, f);
}

bool do_sgdt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return store_table(cpu, in, &cpu->gdtr, f);
}

bool do_sidt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return store_table(cpu, in, &cpu->idtr, f);
}

bool do_lldt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t selector;

	return insn_read(cpu, in, 0, &selector, f) && cpu_load_ldtr(cpu, (uint16_t)selector, f);
}

bool do_ltr(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t selector;

	return insn_read(cpu, in, 0, &selector, f) && cpu_load_tr(cpu, (uint16_t)selector, f);
}

bool do_sldt(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return umip_allows(cpu, f) && insn_write(cpu, in, 0, cpu->ldtr.selector, f);
}

bool do_str(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return umip_allows(cpu, f) && insn_write(cpu, in, 0, cpu->tr.selector, f);
}

bool do_smsw(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return umip_allows(cpu, f) && insn_write(cpu, in, 0, cpu->cr0, f);
}

/* --- FS and GS bases in 64-bit mode --- */

bool do_swapgs(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t base = cpu->seg[SEG_GS].base;

	if (cpu->cpl != 0)
		return raise_gp0(f);
	cpu->seg[SEG_GS].base = cpu->kernel_gs_base;
	cpu->kernel_gs_base = base;
	return true;
}

static bool read_base(struct cpu *cpu, const struct insn *in, unsigned seg, struct x86_fault *f)
{
	if (!(cpu->cr4 & CR4_FSGSBASE))
		return x86_raise(f, EXC_UD);
	gpr_write(cpu, in->op[0].reg, operand_size(in), cpu->seg[seg].base);
	return true;
}

static bool write_base(struct cpu *cpu, const struct insn *in, unsigned seg, struct x86_fault *f)
{
	uint64_t base = gpr_read(cpu, in->op[0].reg, operand_size(in));

	if (!(cpu->cr4 & CR4_FSGSBASE))
		return x86_raise(f, EXC_UD);
	if (!cpu_base_canonical(cpu, base))
		return raise_gp0(f);
	cpu->seg[seg].base = base;
	return true;
}

bool do_rdfsbase(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return read_base(cpu, in, SEG_FS, f);
}

bool do_rdgsbase(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return read_base(cpu, in, SEG_GS, f);
}

bool do_wrfsbase(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return write_base(cpu, in, SEG_FS, f);
}

bool do_wrgsbase(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return write_base(cpu, in, SEG_GS, f);
}
