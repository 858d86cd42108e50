/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables that every test finds, and the modes it may start in. */
#include <string.h>

#include "cpu/seg.h"
#include "harness.h"

uint64_t isa_descriptor(uint32_t base, uint32_t limit, unsigned attr)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)attr << 40 |
	       (uint64_t)(limit & 0xf0000) << 32 | (uint64_t)(base & 0xff000000u) << 32;
}

static uint64_t gate(uint16_t selector, uint32_t offset, unsigned attr)
{
	return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)attr << 40 |
	       (uint64_t)(offset & 0xffff0000u) << 32;
}

static unsigned dpl(unsigned n)
{
	return n << SEG_DPL_SHIFT;
}

static void fill_gdt(struct machine *m)
{
	const unsigned code = SEG_P | SEG_S | SEG_CODE | SEG_R | SEG_A, data = SEG_P | SEG_S | SEG_W | SEG_A;
	const unsigned big = SEG_DB | SEG_G;
	const struct {
		uint16_t selector;
		uint32_t base, limit;
		unsigned attr;
	} rows[] = {
	    /* clang-format off */
	    {ISA_CODE32,       0,         0xfffff, code | big},
	    {ISA_DATA32,       0,         0xfffff, data | big},
	    {ISA_CODE16,       0,         0xffff,  code},
	    {ISA_DATA16,       0,         0xffff,  data},
	    {ISA_CODE32_3,     0,         0xfffff, code | big | dpl(3)},
	    {ISA_DATA32_3,     0,         0xfffff, data | big | dpl(3)},
	    {ISA_SEL_TSS,      ISA_TSS,   ISA_TSS_BYTES - 1, SEG_P | SYS_TSS32_BUSY},
	    {ISA_SEL_TSS2,     ISA_TSS2,  0x67,    SEG_P | SYS_TSS32},
	    {ISA_SEL_LDT,      ISA_LDT,   0xff,    SEG_P | SYS_LDT},
	    {ISA_BASED_4G,     ISA_BASED, 0xfffff, data | big | dpl(3)},
	    {ISA_LIMIT_4K,     ISA_BASED, 0xfff,   data | SEG_DB | dpl(3)},
	    {ISA_DOWN_32,      ISA_BASED, 0xfff,   data | SEG_DB | SEG_E | dpl(3)},
	    {ISA_DOWN_16,      ISA_BASED, 0xfff,   data | SEG_E | dpl(3)},
	    {ISA_READ_ONLY,    ISA_BASED, 0xffff,  (data & ~SEG_W) | SEG_DB | dpl(3)},
	    {ISA_EXEC_ONLY,    ISA_BASED, 0xffff,  (code & ~SEG_R) | SEG_DB | dpl(3)},
	    {ISA_ABSENT,       ISA_BASED, 0xffff,  (data & ~SEG_P) | SEG_DB | dpl(3)},
	    {ISA_CODE16_BASED, ISA_BASED, 0xffff,  code},
	    {ISA_LIMIT_64K,    ISA_BASED, 0xffff,  data | SEG_DB | dpl(3)},
	    {ISA_STACK16,      ISA_BASED, 0xffff,  data},
	    {ISA_STACK_4K,     ISA_BASED, 0xfff,   data | SEG_DB},
	    {ISA_CODE32_BASED, ISA_BASED, 0xffff,  code | SEG_DB},
	    /* clang-format on */
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		machine_poke(m, ISA_GDT + (rows[i].selector & SEL_INDEX), 8,
			     isa_descriptor(rows[i].base, rows[i].limit, rows[i].attr));
}

static bool pushes_error(unsigned vector)
{
	return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC;
}

static void fill_handlers(struct machine *m)
{
	static const uint8_t plain[] = {0xf4, 0xcf}, drop_error[] = {0xf4, 0x8d, 0x64, 0x24, 0x04, 0xcf};

	for (unsigned v = 0; v < 256; v++) {
		uint32_t at32 = ISA_STUBS32 + v * ISA_STUB_BYTES, at16 = ISA_STUBS16 + v * ISA_STUB_BYTES;
		bool user = v == EXC_BP || v == EXC_OF || v >= 0x20;
		if (pushes_error(v))
			physmem_write(&m->pm, at32, drop_error, sizeof(drop_error));
		else
			physmem_write(&m->pm, at32, plain, sizeof(plain));
		physmem_write(&m->pm, at16, plain, sizeof(plain));
		machine_poke(m, ISA_IDT + 8 * v, 8, gate(ISA_CODE32, at32, SEG_P | SYS_INT32 | dpl(user ? 3 : 0)));
		machine_poke(m, 4 * v, 4, at16);
	}
}

static void fill_tss(struct machine *m)
{
	machine_poke(m, ISA_TSS + 4, 4, ISA_STACK0);
	machine_poke(m, ISA_TSS + 8, 4, ISA_DATA32);
	machine_poke(m, ISA_TSS + 0x66, 2, 0x68);
	machine_poke(m, ISA_TSS + ISA_TSS_BYTES - 1, 1, 0xff);
}

void machine_set_segment(struct machine *m, unsigned seg, uint16_t selector, uint64_t descriptor)
{
	cpu_segment_from_descriptor(&m->cpu.seg[seg], selector, descriptor | BIT(40));
}

static void load(struct machine *m, unsigned seg, uint16_t selector)
{
	machine_set_segment(m, seg, selector, machine_peek(m, ISA_GDT + (selector & SEL_INDEX), 8));
}

static void load_all(struct machine *m, uint16_t code, uint16_t data)
{
	for (unsigned i = 0; i < SEG_COUNT; i++)
		load(m, i, i == SEG_CS ? code : data);
	cpu_set_cpl(&m->cpu, code & 3);
}

/* --- ISA_COMPAT, ISA_LONG --- */

enum { LONG_GATES = 128 }; /* there is no room for more in front of the LDT */

static void fill_long_tables(struct machine *m)
{
	const uint64_t pointer = PTE_P | PTE_W | PTE_U, page = pointer | PTE_A | PTE_D | PTE_PS;
	const gpa_t pdpt = ISA_TABLES + PAGE_SIZE, directories = pdpt + PAGE_SIZE;

	machine_poke(m, ISA_TABLES, 8, pdpt | pointer);
	for (unsigned i = 0; i < 4; i++)
		machine_poke(m, pdpt + 8 * i, 8, (directories + i * PAGE_SIZE) | pointer);
	for (uint64_t i = 0; i < 4 * 512; i++)
		machine_poke(m, directories + 8 * i, 8, i * 2 * MiB | page);
}

/* kernel: where physical 0 is. */
static void fill_long_descriptors(struct machine *m, gva_t kernel)
{
	const unsigned code = SEG_P | SEG_S | SEG_CODE | SEG_R | SEG_A | SEG_L | SEG_G;

	for (unsigned v = 0; v < LONG_GATES; v++) {
		machine_poke(m, ISA_IDT + 16 * v, 8,
			     gate(ISA_CODE64, ISA_STUBS32 + v * ISA_STUB_BYTES,
				  SEG_P | SYS_INT32 | dpl(v == EXC_BP || v == EXC_OF ? 3 : 0)));
		machine_poke(m, ISA_IDT + 16 * v + 8, 8, kernel >> 32);
	}
	machine_poke(m, ISA_GDT + ISA_CODE64, 8, isa_descriptor(0, 0xfffff, code));
	machine_poke(m, ISA_GDT + (ISA_CODE64_3 & SEL_INDEX), 8, isa_descriptor(0, 0xfffff, code | dpl(3)));
	machine_poke(m, ISA_TSS + 4, 8, kernel + ISA_STACK0);
}

static void enter_long_mode(struct machine *m)
{
	struct cpu *cpu = &m->cpu;

	cpu->gdtr.limit = (ISA_CODE64_3 & SEL_INDEX) + 7;
	cpu->cr3 = ISA_TABLES;
	cpu->cr4 |= CR4_PAE;
	cpu->efer = EFER_LME | EFER_LMA;
	cpu->cr0 |= CR0_PG;
	cpu->ops->mmu_event(cpu->machine, MMU_CR0, 0);
}

static void enter_compatibility_mode(struct machine *m)
{
	fill_long_tables(m);
	fill_long_descriptors(m, 0);
	enter_long_mode(m);
	load_all(m, ISA_CODE32_3, ISA_DATA32_3);
}

static gpa_t next_table(struct machine *m, gpa_t entry)
{
	uint64_t value = machine_peek(m, entry, 8);

	if (value & PTE_P)
		return ALIGN_DOWN(value, (uint64_t)PAGE_SIZE);
	ASSERT(m->tables_end < ISA_RAM);
	machine_poke(m, entry, 8, m->tables_end | PTE_P | PTE_W | PTE_U);
	m->tables_end += PAGE_SIZE;
	return m->tables_end - PAGE_SIZE;
}

void machine_map(struct machine *m, gva_t linear, gpa_t gpa, unsigned bytes)
{
	for (gva_t end = linear + bytes; linear != end; linear += PAGE_SIZE, gpa += PAGE_SIZE) {
		gpa_t table = ISA_TABLES;
		for (unsigned shift = 39; shift > PAGE_SHIFT; shift -= 9)
			table = next_table(m, table + 8 * (linear >> shift & 511));
		machine_poke(m, table + 8 * (linear >> PAGE_SHIFT & 511), 8, gpa | PTE_P | PTE_W | PTE_U);
	}
}

static void enter_64bit_mode(struct machine *m)
{
	struct cpu *cpu = &m->cpu;
	gpa_t table = ISA_TABLES;

	m->tables_end = ISA_TABLES + PAGE_SIZE;
	for (unsigned shift = 39; shift > 21; shift -= 9)
		table = next_table(m, table + 8 * (ISA_LONG_KERNEL >> shift & 511));
	machine_poke(m, table + 8 * (ISA_LONG_KERNEL >> 21 & 511), 8, PTE_P | PTE_W | PTE_PS);
	fill_long_descriptors(m, ISA_LONG_KERNEL);
	cpu->gdtr.base += ISA_LONG_KERNEL;
	cpu->idtr.base += ISA_LONG_KERNEL;
	cpu->tr.base += ISA_LONG_KERNEL;
	enter_long_mode(m);
	cpu->efer |= EFER_NXE;
	load_all(m, ISA_CODE64_3, ISA_DATA32_3);
}

static void enter_mode(struct machine *m, enum isa_mode mode)
{
	struct cpu *cpu = &m->cpu;

	if (mode == ISA_REAL) {
		for (unsigned i = 0; i < SEG_COUNT; i++)
			cpu_set_real_segment(cpu, i, 0);
		cpu->idtr = (struct dtable){.limit = 0x3ff};
		return;
	}
	cpu->cr0 |= CR0_PE;
	cpu->gdtr = (struct dtable){.base = ISA_GDT, .limit = ISA_GDT_BYTES - 1};
	cpu->idtr = (struct dtable){.base = ISA_IDT, .limit = 0x7ff};
	cpu_segment_from_descriptor(&cpu->tr, ISA_SEL_TSS, machine_peek(m, ISA_GDT + ISA_SEL_TSS, 8));
	cpu_segment_from_descriptor(&cpu->ldtr, ISA_SEL_LDT, machine_peek(m, ISA_GDT + ISA_SEL_LDT, 8));
	switch (mode) {
	case ISA_PM16:
		load_all(m, ISA_CODE16, ISA_DATA16);
		break;
	case ISA_PM32_3:
		load_all(m, ISA_CODE32_3, ISA_DATA32_3);
		break;
	case ISA_COMPAT:
		enter_compatibility_mode(m);
		break;
	case ISA_LONG:
		enter_64bit_mode(m);
		break;
	case ISA_V86:
		cpu->rflags |= FLAG_VM | FLAG_IOPL;
		for (unsigned i = 0; i < SEG_COUNT; i++)
			cpu_set_v86_segment(cpu, i, 0);
		cpu_set_cpl(cpu, 3);
		break;
	default:
		load_all(m, ISA_CODE32, ISA_DATA32);
	}
}

void machine_reset(struct machine *m, enum isa_mode mode, uint32_t entry)
{
	static const uint8_t zeros[4096];
	struct cpu *cpu = &m->cpu;

	for (gpa_t at = 0; at < ISA_RAM; at += sizeof(zeros))
		physmem_write(&m->pm, at, zeros, sizeof(zeros));
	m->mode = mode;
	m->done = m->triple = m->ferr = false;
	m->wake = m->async = m->ferr_vector = 0;
	physmem_set_a20(&m->pm, true);
	cpu_reset(cpu, false);
	cpu->intr = false;
	fill_gdt(m);
	fill_handlers(m);
	fill_tss(m);
	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[RSP] = ISA_STACK;
	cpu->cr0 = CR0_ET | CR0_NE | CR0_MP;
	cpu->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
	/* As after FNINIT. */
	store_le(cpu->fpu.image, 2, 0x37f);
	store_le(cpu->fpu.image + 4, 1, 0);
	enter_mode(m, mode);
	cpu->rip = cpu->next_rip = entry;
}
