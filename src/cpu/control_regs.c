/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CR0, CR3, CR4: what may be written and what follows from it (SDM vol. 3 2.5, 4.1, 9.8.5, 9.9). */
#include "handlers_internal.h"
#include "tlb.h"
#include "trace.h"

/* Bits of CR4 that exist with a feature only. */
static const struct {
	uint64_t bits;
	enum insn_feature feature;
} cr4_bits[] = {
    {CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE, FEAT_BASE},
    {CR4_OSFXSR, FEAT_FXSR},
    {CR4_OSXMMEXCPT, FEAT_SSE},
    {CR4_UMIP, FEAT_UMIP},
    {CR4_FSGSBASE, FEAT_FSGSBASE},
    {CR4_PCIDE, FEAT_PCID},
    {CR4_OSXSAVE, FEAT_XSAVE},
    {CR4_LA57, FEAT_LA57},
    {CR4_SMEP, FEAT_SMEP},
    {CR4_SMAP, FEAT_SMAP},
};

/* A change of these changes what a translation is. */
#define CR0_PAGING (CR0_PE | CR0_PG | CR0_WP)
#define CR4_PAGING (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LA57)
/* Writes that change these reload the PDPTEs (4.4.1). */
#define CR0_PDPTE (CR0_PG | CR0_CD | CR0_NW)
#define CR4_PDPTE (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)

#define CR3_PCD_PWT   0x18ull
#define CR3_NO_FLUSH  BIT(63)
#define CR3_PCID_MASK 0xfffull

static bool tss_is_16bit(const struct cpu *cpu)
{
	unsigned type = cpu->tr.attr & SEG_TYPE;

	return type == SYS_TSS16 || type == SYS_TSS16_BUSY;
}

/* Turning paging on with EFER.LME set, or off, enters and leaves long mode (9.8.5). */
static bool check_paging_transition(const struct cpu *cpu, uint64_t value, struct x86_fault *f)
{
	bool was = cpu->cr0 & CR0_PG, is = value & CR0_PG;

	if (is && !was && (cpu->efer & EFER_LME))
		if (!(cpu->cr4 & CR4_PAE) || (cpu->seg[SEG_CS].attr & SEG_L) || tss_is_16bit(cpu))
			return raise_gp0(f);
	if (was && !is && (cpu_code64(cpu) || (cpu->cr4 & CR4_PCIDE)))
		return raise_gp0(f);
	return true;
}

bool cpu_write_cr0(struct cpu *cpu, uint64_t value, struct x86_fault *f)
{
	uint64_t old = cpu->cr0, changed;

	if (value >> 32)
		return raise_gp0(f);
	value = (value & CR0_DEFINED) | CR0_ET;
	if (((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return raise_gp0(f);
	if (!check_paging_transition(cpu, value, f))
		return false;
	changed = old ^ value;
	if ((changed & CR0_PDPTE) && (value & CR0_PG) && (cpu->cr4 & CR4_PAE) && !(cpu->efer & EFER_LME) &&
	    !cpu_load_pdptes(cpu, cpu->cr3, f))
		return false;
	cpu->cr0 = value;
	if (cpu->efer & EFER_LME)
		cpu->efer = value & CR0_PG ? cpu->efer | EFER_LMA : cpu->efer & ~EFER_LMA;
	if (changed & CR0_PAGING) {
		trace(mode, "CR0 %llx -> %llx at %04x:%llx", (unsigned long long)old, (unsigned long long)value,
		      cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip);
		cpu_mmu_event(cpu, MMU_CR0, 0);
	}
	return true;
}

bool cpu_write_cr3(struct cpu *cpu, uint64_t value, struct x86_fault *f)
{
	if (cpu_long(cpu)) {
		uint64_t reserved = ~(BIT(PHYSMEM_BITS) - 1);
		if (cpu->cr4 & CR4_PCIDE)
			reserved &= ~CR3_NO_FLUSH;
		if (value & reserved)
			return raise_gp0(f);
		value &= ~CR3_NO_FLUSH;
	} else {
		value = (uint32_t)value;
		if (cpu_paging(cpu) && (cpu->cr4 & CR4_PAE) && !cpu_load_pdptes(cpu, value, f))
			return false;
	}
	cpu->cr3 = value;
	cpu_mmu_event(cpu, MMU_CR3, 0);
	return true;
}

static uint64_t cr4_valid(const struct cpu *cpu)
{
	uint64_t valid = 0;

	for (unsigned i = 0; i < ARRAY_LEN(cr4_bits); i++)
		if (cpu_has(cpu, cr4_bits[i].feature))
			valid |= cr4_bits[i].bits;
	return valid;
}

bool cpu_write_cr4(struct cpu *cpu, uint64_t value, struct x86_fault *f)
{
	uint64_t changed = cpu->cr4 ^ value, old = cpu->cr4;

	if (value & ~cr4_valid(cpu))
		return raise_gp0(f);
	if (cpu_long(cpu) && !(value & CR4_PAE))
		return raise_gp0(f);
	if (cpu_long(cpu) && (changed & CR4_LA57))
		return raise_gp0(f);
	if ((changed & value & CR4_PCIDE) && (!cpu_long(cpu) || (cpu->cr3 & CR3_PCID_MASK)))
		return raise_gp0(f);
	if ((changed & CR4_PDPTE) && cpu_paging(cpu) && (value & CR4_PAE) && !cpu_long(cpu) &&
	    !cpu_load_pdptes(cpu, cpu->cr3, f))
		return false;
	cpu->cr4 = value;
	if (changed & CR4_PAGING) {
		trace(mode, "CR4 %llx -> %llx", (unsigned long long)old, (unsigned long long)value);
		cpu_mmu_event(cpu, MMU_CR4, 0);
	}
	return true;
}

static bool read_cr(struct cpu *cpu, unsigned n, uint64_t *value, struct x86_fault *f)
{
	switch (n) {
	case 0:
		*value = cpu->cr0;
		return true;
	case 2:
		*value = cpu->cr2;
		return true;
	case 3:
		*value = cpu->cr3;
		return true;
	case 4:
		*value = cpu->cr4;
		return true;
	case 8:
		*value = cpu->ops->cr8_read(cpu->machine);
		return true;
	}
	return x86_raise(f, EXC_UD);
}

static bool write_cr(struct cpu *cpu, unsigned n, uint64_t value, struct x86_fault *f)
{
	switch (n) {
	case 0:
		return cpu_write_cr0(cpu, value, f);
	case 2:
		cpu->cr2 = value;
		return true;
	case 3:
		return cpu_write_cr3(cpu, value, f);
	case 4:
		return cpu_write_cr4(cpu, value, f);
	case 8:
		if (value > 15)
			return raise_gp0(f);
		cpu->ops->cr8_write(cpu->machine, value);
		return true;
	}
	return x86_raise(f, EXC_UD);
}

bool do_mov_cr(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = in->code_size == 8 ? 8 : 4;
	uint64_t value;

	if (in->op[0].kind == OPD_CR)
		return write_cr(cpu, in->op[0].reg, gpr_read(cpu, in->op[1].reg, size), f);
	if (!read_cr(cpu, in->op[1].reg, &value, f))
		return false;
	gpr_write(cpu, in->op[0].reg, size, value);
	return true;
}

/* PE, MP, EM and TS only, and PE cannot be cleared. */
bool do_lmsw(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	const uint64_t msw = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
	uint64_t value;

	if (!insn_read(cpu, in, 0, &value, f))
		return false;
	return cpu_write_cr0(cpu, (cpu->cr0 & (~msw | CR0_PE)) | (value & msw), f);
}

bool do_clts(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	cpu->cr0 &= ~CR0_TS;
	return true;
}

/* No segment or paging check is made; a non-canonical address does nothing (INVLPG). */
bool do_invlpg(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t ea = insn_ea(cpu, in);
	gva_t address;

	if (in->code_size == 8) {
		address = ea + (in->seg == SEG_FS || in->seg == SEG_GS ? cpu->seg[in->seg].base : 0);
		if (!cpu_base_canonical(cpu, address))
			return true;
	} else {
		address = (uint32_t)(cpu->seg[in->seg].base + ea);
	}
	cpu_mmu_event(cpu, MMU_INVLPG, address);
	return true;
}

/* Nothing is kept by PCID: a load of CR3 flushes, bit 63 or not, and what INVPCID names is flushed whatever its PCID.
 */
bool do_invpcid(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_GLOBAL, INVPCID_ALL, INVPCID_TYPES };
	uint64_t type = gpr_read(cpu, in->op[0].reg, in->code_size == 8 ? 8 : 4);
	uint8_t buf[16];

	if (!cpu_read_bytes(cpu, in->seg, insn_ea(cpu, in), sizeof(buf), buf, f))
		return false;
	if (type >= INVPCID_TYPES || load_le(buf, 8) & ~CR3_PCID_MASK)
		return raise_gp0(f);
	if (type <= INVPCID_CONTEXT && !(cpu->cr4 & CR4_PCIDE) && load_le(buf, 8))
		return raise_gp0(f);
	if (type == INVPCID_ADDRESS && !cpu_base_canonical(cpu, load_le(buf + 8, 8)))
		return raise_gp0(f);
	if (type == INVPCID_ADDRESS)
		cpu_mmu_event(cpu, MMU_INVLPG, load_le(buf + 8, 8));
	else
		cpu_mmu_event(cpu, type == INVPCID_ALL_GLOBAL ? MMU_CR4 : MMU_CR3, 0);
	return true;
}

/* INVD, WBINVD: memory is coherent. RDSSP: no shadow stacks. */
bool do_nop(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return true;
}
