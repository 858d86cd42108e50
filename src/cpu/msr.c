/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RDMSR, WRMSR (SDM vol. 4; msr.def). */
#include <string.h>

#include "handlers_internal.h"
#include "tlb.h"
#include "trace.h"

#define MISC_ENABLE_FIXED    (BIT(11) | BIT(12)) /* no branch trace, no PEBS */
#define MISC_ENABLE_WRITABLE (BIT(0) | BIT(3) | BIT(16) | BIT(18) | BIT(22) | BIT(23) | BIT(34))

/* Memory types: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, and 7 UC- in the PAT only (11.3, 11.12.2). Bit per type. */
enum { MTRR_TYPES = 0x73, PAT_TYPES = 0xf3 };

enum {
	MTRR_VALID_DEF = 0xcff,
	MTRR_VARIABLE = 16, /* registers: base and mask of 8 ranges */
	MTRR_FIX64K = 0x250,
	MTRR_FIX16K = 0x258,
	MTRR_FIX4K = 0x268,
	X2APIC_FIRST = 0x800,
	X2APIC_LAST = 0x8ff,
};

static uint64_t get_tsc(struct cpu *cpu)
{
	return cpu_tsc(cpu);
}

/* Writing the counter shows in IA32_TSC_ADJUST too (17.17.3). */
static bool set_tsc(struct cpu *cpu, uint64_t value)
{
	uint64_t delta = value - cpu_tsc(cpu);

	cpu->tsc_offset += delta;
	cpu->tsc_adjust += delta;
	return true;
}

static uint64_t get_tsc_adjust(struct cpu *cpu)
{
	return cpu->tsc_adjust;
}

static bool set_tsc_adjust(struct cpu *cpu, uint64_t value)
{
	cpu->tsc_offset += value - cpu->tsc_adjust;
	cpu->tsc_adjust = value;
	return true;
}

/* Stored only: neither XD disable nor the CPUID limit has an effect. */
static uint64_t get_misc_enable(struct cpu *cpu)
{
	return cpu->misc_enable | MISC_ENABLE_FIXED;
}

static bool set_misc_enable(struct cpu *cpu, uint64_t value)
{
	cpu->misc_enable = value & MISC_ENABLE_WRITABLE;
	return true;
}

static bool types_valid(uint64_t value, unsigned types)
{
	for (unsigned i = 0; i < 64; i += 8) {
		unsigned type = (unsigned)(value >> i) & 0xff;
		if (type > 7 || !(types >> type & 1))
			return false;
	}
	return true;
}

static uint64_t get_pat(struct cpu *cpu)
{
	return cpu->pat;
}

static bool set_pat(struct cpu *cpu, uint64_t value)
{
	if (!types_valid(value, PAT_TYPES))
		return false;
	cpu->pat = value;
	return true;
}

static uint64_t get_mtrr_def_type(struct cpu *cpu)
{
	return cpu->mtrr_def_type;
}

static bool set_mtrr_def_type(struct cpu *cpu, uint64_t value)
{
	if ((value & ~(uint64_t)MTRR_VALID_DEF) || !types_valid(value & 0xff, MTRR_TYPES))
		return false;
	cpu->mtrr_def_type = value;
	return true;
}

static uint64_t get_efer(struct cpu *cpu)
{
	return cpu->efer;
}

/* LMA is read-only; LME cannot change while paging is on (2.2.1). SCE comes with the register: the manual makes it
 * depend on nothing else (table 2-1; vol. 4, table 2-2). */
static bool set_efer(struct cpu *cpu, uint64_t value)
{
	uint64_t valid =
	    EFER_SCE | (cpu_has(cpu, FEAT_LM) ? EFER_LME | EFER_LMA : 0) | (cpu_has(cpu, FEAT_NX) ? EFER_NXE : 0);
	uint64_t changed = (cpu->efer ^ value) & ~EFER_LMA;

	if ((value & ~valid) || ((changed & EFER_LME) && cpu_paging(cpu)))
		return false;
	cpu->efer = (value & ~EFER_LMA) | (cpu->efer & EFER_LMA);
	if (changed & (EFER_LME | EFER_NXE)) {
		trace(mode, "EFER %llx", (unsigned long long)cpu->efer);
		cpu_mmu_event(cpu, MMU_EFER, 0);
	}
	return true;
}

enum msr_kind { KIND_FIELD, KIND_CANONICAL, KIND_CONST, KIND_IGNORE, KIND_FUNC };

struct msr_row {
	uint32_t index;
	uint8_t kind, feature;
	size_t field;	/* offset in struct cpu */
	uint64_t value; /* constant, or mask of valid bits */
	uint64_t (*get)(struct cpu *cpu);
	bool (*set)(struct cpu *cpu, uint64_t value); /* false: #GP */
};

static const struct msr_row msr_rows[] = {
#define MSR_FIELD(i, f, name, valid)                                                                                   \
	{.index = i, .kind = KIND_FIELD, .feature = FEAT_##f, .field = offsetof(struct cpu, name), .value = valid},
#define MSR_CANONICAL(i, f, name)                                                                                      \
	{.index = i, .kind = KIND_CANONICAL, .feature = FEAT_##f, .field = offsetof(struct cpu, name)},
#define MSR_CONST(i, v)	     {.index = i, .kind = KIND_CONST, .value = v},
#define MSR_IGNORE(i, v)     {.index = i, .kind = KIND_IGNORE, .value = v},
#define MSR_FUNC(i, f, name) {.index = i, .kind = KIND_FUNC, .feature = FEAT_##f, .get = get_##name, .set = set_##name},
#include "msr.def"
};

static const struct msr_row *find_msr(const struct cpu *cpu, uint32_t index)
{
	for (unsigned i = 0; i < ARRAY_LEN(msr_rows); i++)
		if (msr_rows[i].index == index)
			return cpu_has(cpu, msr_rows[i].feature) ? &msr_rows[i] : NULL;
	return NULL;
}

static uint64_t *msr_field(struct cpu *cpu, const struct msr_row *row)
{
	return (uint64_t *)(void *)((char *)cpu + row->field);
}

static bool belongs_to_apic(uint32_t index)
{
	return index == MSR_APIC_BASE || index == MSR_TSC_DEADLINE || (index >= X2APIC_FIRST && index <= X2APIC_LAST);
}

/* Where a memory type range register is kept; NULL: not one. */
static uint64_t *mtrr_range(struct cpu *cpu, uint32_t index)
{
	if (index >= MSR_MTRR_PHYSBASE0 && index < MSR_MTRR_PHYSBASE0 + MTRR_VARIABLE)
		return &cpu->mtrr_var[index - MSR_MTRR_PHYSBASE0];
	if (index == MTRR_FIX64K)
		return &cpu->mtrr_fix[0];
	if (index >= MTRR_FIX16K && index < MTRR_FIX16K + 2)
		return &cpu->mtrr_fix[1 + index - MTRR_FIX16K];
	if (index >= MTRR_FIX4K && index < MTRR_FIX4K + 8)
		return &cpu->mtrr_fix[3 + index - MTRR_FIX4K];
	return NULL;
}

/* Reserved bits and types (11.11.2). */
static bool mtrr_valid(uint32_t index, uint64_t value)
{
	uint64_t address = (BIT(PHYSMEM_BITS) - 1) & ~PAGE_MASK;

	if (index >= MTRR_FIX64K)
		return types_valid(value, MTRR_TYPES);
	if (index & 1) /* mask: a valid bit */
		return !(value & ~(address | BIT(11)));
	return !(value & ~(address | 0xff)) && types_valid(value & 0xff, MTRR_TYPES);
}

static bool unknown_msr(const struct cpu *cpu, const char *what, uint32_t index, struct x86_fault *f)
{
	trace(mode, "%s of unknown MSR %x at %04x:%llx", what, index, cpu->seg[SEG_CS].selector,
	      (unsigned long long)cpu->rip);
	return raise_gp0(f);
}

bool cpu_read_msr(struct cpu *cpu, uint32_t index, uint64_t *value, struct x86_fault *f)
{
	const struct msr_row *row;
	const uint64_t *mtrr = mtrr_range(cpu, index);

	if (belongs_to_apic(index))
		return cpu->ops->apic_msr_read(cpu->machine, index, value) || raise_gp0(f);
	if (mtrr) {
		*value = *mtrr;
		return true;
	}
	row = find_msr(cpu, index);
	if (!row)
		return unknown_msr(cpu, "read", index, f);
	if (row->kind == KIND_FUNC)
		*value = row->get(cpu);
	else if (row->kind == KIND_CONST || row->kind == KIND_IGNORE)
		*value = row->value;
	else
		*value = *msr_field(cpu, row);
	return true;
}

static bool write_row(struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
	switch (row->kind) {
	case KIND_FIELD:
		if (value & ~row->value)
			return false;
		*msr_field(cpu, row) = value;
		return true;
	case KIND_CANONICAL:
		if (!cpu_base_canonical(cpu, value))
			return false;
		*msr_field(cpu, row) = value;
		return true;
	case KIND_IGNORE:
		return true;
	case KIND_FUNC:
		return row->set(cpu, value);
	default:
		return false;
	}
}

bool cpu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value, struct x86_fault *f)
{
	const struct msr_row *row;
	uint64_t *mtrr = mtrr_range(cpu, index);

	if (belongs_to_apic(index))
		return cpu->ops->apic_msr_write(cpu->machine, index, value) || raise_gp0(f);
	if (mtrr) {
		if (!mtrr_valid(index, value))
			return raise_gp0(f);
		*mtrr = value;
		return true;
	}
	row = find_msr(cpu, index);
	if (!row)
		return unknown_msr(cpu, "write", index, f);
	return write_row(cpu, row, value) || raise_gp0(f);
}

bool do_rdmsr(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t value;

	if (!cpu_read_msr(cpu, (uint32_t)cpu->gpr[RCX], &value, f))
		return false;
	gpr_write(cpu, RAX, 4, value);
	gpr_write(cpu, RDX, 4, value >> 32);
	return true;
}

bool do_wrmsr(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t value = gpr_read(cpu, RDX, 4) << 32 | gpr_read(cpu, RAX, 4);

	return cpu_write_msr(cpu, (uint32_t)cpu->gpr[RCX], value, f);
}
