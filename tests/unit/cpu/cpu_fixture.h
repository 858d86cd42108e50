/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A CPU with 1 MiB of RAM, descriptor tables with one of everything, and checks that a fault leaves the state alone.
 * Included once per test program.
 */
#ifndef GNOMON_TESTS_CPU_FIXTURE_H
#define GNOMON_TESTS_CPU_FIXTURE_H

#include "../run_suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "cpu/mem.h"
#include "cpu/seg.h"

enum {
	GDT = 0x1000,
	LDT = 0x2000,
	IDT = 0x3000,
	TSS_A = 0x4000, /* 32-bit, current */
	TSS_B = 0x5000, /* 32-bit */
	TSS_C = 0x6000, /* 16-bit */
	STACK0 = 0x8000,
	STACK3 = 0x9000,
	HANDLER = 0x12000,
	TABLES_PAGES = 0x80000, /* page tables, where a test wants paging */
	RAM_BYTES = 0x100000,
};

/* Selectors; _3: with RPL 3. */
enum {
	CODE0 = 0x08,
	DATA0 = 0x10,
	CODE3 = 0x1b,
	DATA3 = 0x23,
	SEL_TSS_A = 0x28,
	SEL_LDT = 0x30,
	CODE16 = 0x38,
	DATA16 = 0x40,
	CONFORMING = 0x48,
	DATA_ABSENT = 0x50,
	CODE_ABSENT = 0x58,
	CODE_XONLY = 0x60,
	DATA_RO = 0x68,
	GATE32 = 0x70,
	GATE16 = 0x78,
	TASK_GATE = 0x80,
	SEL_TSS_B = 0x88,
	SEL_TSS_C = 0x90,
	DATA1 = 0x99,
	CODE_SHORT = 0xa0,
	CODE1 = 0xa9,
	CODE64 = 0xb0,
	DATA_DOWN = 0xb8,
	CODE64_3 = 0xc3,
	GATE64 = 0xd0,
	TSS64 = 0xe0,
	GDT_END = 0xf0,
	SCRATCH = 0xf0,
	GDT_BYTES = 0x100,
};

static struct physmem pm;
static struct pm_region ram;
static struct cpu cpu, before;
static struct stats stats;
static struct x86_fault fault;
static unsigned triple_faults, cr3_loads;
static int vector_pending;

static void on_triple_fault(void *m)
{
	triple_faults++;
}

static void on_mmu_event(void *m, enum mmu_event event, gva_t address)
{
	cr3_loads += event == MMU_CR3;
}

static int on_intr_ack(void *m)
{
	cpu.intr = false;
	return vector_pending;
}

static const struct cpu_ops ops = {.triple_fault = on_triple_fault, .mmu_event = on_mmu_event, .intr_ack = on_intr_ack};

static inline void poke(gpa_t at, unsigned len, uint64_t value)
{
	physmem_write(&pm, at, &value, len);
}

static inline uint64_t peek(gpa_t at, unsigned len)
{
	uint64_t value = 0;
	physmem_read(&pm, at, &value, len);
	return value;
}

/* attr: SEG_*; limit: as stored (pages with SEG_G). */
static inline uint64_t descriptor(uint32_t base, uint32_t limit, unsigned attr)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)attr << 40 |
	       (uint64_t)(limit & 0xf0000) << 32 | (uint64_t)(base & 0xff000000u) << 32;
}

static inline uint64_t gate(uint16_t selector, uint32_t offset, unsigned attr, unsigned params)
{
	return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)params << 32 | (uint64_t)attr << 40 |
	       (uint64_t)(offset & 0xffff0000u) << 32;
}

static inline unsigned dpl(unsigned n)
{
	return n << SEG_DPL_SHIFT;
}

static inline void set_descriptor(uint16_t selector, uint64_t d)
{
	poke((selector & SEL_TI ? LDT : GDT) + (selector & SEL_INDEX), 8, d);
}

static inline uint64_t get_descriptor(uint16_t selector)
{
	return peek(GDT + (selector & SEL_INDEX), 8);
}

static inline void set_gate(unsigned vector, uint64_t d)
{
	poke(IDT + vector * 8, 8, d);
}

static void fill_gdt(void)
{
	const unsigned code = SEG_P | SEG_S | SEG_CODE | SEG_R, data = SEG_P | SEG_S | SEG_W, big = SEG_DB | SEG_G;

	set_descriptor(CODE0, descriptor(0, 0xfffff, code | big));
	set_descriptor(DATA0, descriptor(0, 0xfffff, data | big));
	set_descriptor(CODE3, descriptor(0, 0xfffff, code | big | dpl(3)));
	set_descriptor(DATA3, descriptor(0, 0xfffff, data | big | dpl(3)));
	set_descriptor(SEL_TSS_A, descriptor(TSS_A, 0x88, SEG_P | SYS_TSS32_BUSY));
	set_descriptor(SEL_LDT, descriptor(LDT, 0x1f, SEG_P | SYS_LDT));
	set_descriptor(CODE16, descriptor(0x10000, 0xffff, code));
	set_descriptor(DATA16, descriptor(0, 0xffff, data));
	set_descriptor(CONFORMING, descriptor(0, 0xfffff, code | big | SEG_C));
	set_descriptor(DATA_ABSENT, descriptor(0, 0xfffff, (data | big) & ~SEG_P));
	set_descriptor(CODE_ABSENT, descriptor(0, 0xfffff, (code | big) & ~SEG_P));
	set_descriptor(CODE_XONLY, descriptor(0, 0xfffff, (code | big) & ~SEG_R));
	set_descriptor(DATA_RO, descriptor(0, 0xfffff, (data | big) & ~SEG_W));
	set_descriptor(GATE32, gate(CODE0, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 2));
	set_descriptor(GATE16, gate(CODE0, 0x2000, SEG_P | SYS_CALL16 | dpl(3), 1));
	set_descriptor(TASK_GATE, gate(SEL_TSS_B, 0, SEG_P | SYS_TASK_GATE | dpl(3), 0));
	set_descriptor(SEL_TSS_B, descriptor(TSS_B, 0x67, SEG_P | SYS_TSS32));
	set_descriptor(SEL_TSS_C, descriptor(TSS_C, 0x2b, SEG_P | SYS_TSS16));
	set_descriptor(DATA1, descriptor(0, 0xfffff, data | big | dpl(1)));
	set_descriptor(CODE_SHORT, descriptor(0, 0xfff, code | SEG_DB));
	set_descriptor(CODE1, descriptor(0, 0xfffff, code | big | dpl(1)));
	set_descriptor(CODE64, descriptor(0, 0, code | SEG_L));
	set_descriptor(DATA_DOWN, descriptor(0, 0x7fff, data | SEG_E | SEG_DB));
	set_descriptor(CODE64_3, descriptor(0, 0, code | SEG_L | dpl(3)));
	set_descriptor(GATE64, gate(CODE64, HANDLER, SEG_P | SYS_CALL32 | dpl(3), 0));
	set_descriptor(TSS64, descriptor(TSS_A, 0x67, SEG_P | SYS_TSS32));
}

/* Loads a segment register without checks. */
static inline void force_segment(unsigned seg, uint16_t selector)
{
	cpu_segment_from_descriptor(&cpu.seg[seg], selector, get_descriptor(selector) | BIT(40));
}

/* Flat 32-bit code at a ring (0 or 3), without paging. */
static inline void enter_ring(unsigned cpl)
{
	force_segment(SEG_CS, cpl ? CODE3 : CODE0);
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		if (i != SEG_CS)
			force_segment(i, cpl ? DATA3 : DATA0);
	}
	cpu.gpr[RSP] = cpl ? STACK3 : STACK0;
	cpu_set_cpl(&cpu, cpl);
}

static inline void enter_real(void)
{
	cpu.cr0 &= ~CR0_PE;
	cpu.idtr = (struct dtable){.limit = 0x3ff};
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		cpu.seg[i] = (struct segment){.limit = 0xffff};
		cpu_set_real_segment(&cpu, i, (uint16_t)(0x100 * i));
	}
	cpu.gpr[RSP] = 0x800;
	cpu_set_cpl(&cpu, 0);
}

static inline void enter_v86(unsigned iopl)
{
	cpu.rflags = FLAG_1 | FLAG_VM | FLAG_IF | (uint64_t)iopl << FLAG_IOPL_SHIFT;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		cpu_set_v86_segment(&cpu, i, (uint16_t)(0x200 + 0x10 * i));
	cpu.gpr[RSP] = 0x800;
	cpu_set_cpl(&cpu, 3);
}

/* IA-32e mode with identity paging of the first GiB in 2-MiB pages, in 64-bit code of a ring. */
static inline void enter_long(unsigned cpl)
{
	poke(TABLES_PAGES, 8, (TABLES_PAGES + 0x1000) | PTE_P | PTE_W | PTE_U);
	poke(TABLES_PAGES + 0x1000, 8, (TABLES_PAGES + 0x2000) | PTE_P | PTE_W | PTE_U);
	poke(TABLES_PAGES + 0x2000, 8, PTE_P | PTE_W | PTE_U | PTE_PS);
	cpu.cr3 = TABLES_PAGES;
	cpu.cr4 = CR4_PAE;
	cpu.cr0 |= CR0_PG;
	cpu.efer = EFER_LME | EFER_LMA;
	enter_ring(cpl);
	force_segment(SEG_CS, cpl ? CODE64_3 : CODE64);
	cpu.idtr.limit = 0xfff;
	poke(TSS_A + 4, 8, STACK0 - 8); /* RSP0, misaligned on purpose */
}

/* Fresh: protected mode, ring 0, IF set, next_rip two bytes ahead. */
static void setup(void)
{
	memset(&cpu, 0, sizeof(cpu));
	memset(&stats, 0, sizeof(stats));
	triple_faults = cr3_loads = 0;
	vector_pending = -1;
	ck_assert_int_eq(physmem_init(&pm, RAM_BYTES), 0);
	ram = (struct pm_region){.name = "ram", .kind = PM_RAM, .len = RAM_BYTES, .enabled = true, .backing = &pm.ram};
	physmem_add(&pm, &ram);
	physmem_set_a20(&pm, true);
	cpu.pm = &pm;
	cpu.ops = &ops;
	cpu.stats = &stats;
	cpu_reset(&cpu, false);
	fill_gdt();
	cpu.gdtr = (struct dtable){.base = GDT, .limit = GDT_BYTES - 1};
	cpu.idtr = (struct dtable){.base = IDT, .limit = 0x7ff};
	cpu_segment_from_descriptor(&cpu.tr, SEL_TSS_A, get_descriptor(SEL_TSS_A));
	cpu_segment_from_descriptor(&cpu.ldtr, SEL_LDT, get_descriptor(SEL_LDT));
	poke(TSS_A + 4, 4, STACK0);
	poke(TSS_A + 8, 2, DATA0);
	poke(TSS_A + 12, 4, STACK0 + 0x400);
	poke(TSS_A + 16, 2, DATA1);
	cpu.cr0 |= CR0_PE;
	cpu.rflags = FLAG_1 | FLAG_IF;
	enter_ring(0);
	cpu.rip = 0x7000;
	cpu.next_rip = 0x7002;
}

static void teardown(void)
{
	physmem_destroy(&pm);
}

static inline void check_unchanged(const char *what)
{
	ck_assert_msg(!memcmp(&before, &cpu, offsetof(struct cpu, fpu)), "%s: the fault changed the state", what);
}

/* The call must fail with this fault and leave everything as it was. */
#define FAULTS(call, vec, err)                                                                                         \
	do {                                                                                                           \
		memcpy(&before, &cpu, sizeof(cpu));                                                                    \
		memset(&fault, 0xee, sizeof(fault));                                                                   \
		ck_assert_msg(!(call), "%s succeeds", #call);                                                          \
		ck_assert_msg(fault.vector == (vec) && fault.has_error && fault.error == (err), "%s: %u(%x)", #call,   \
			      fault.vector, fault.error);                                                              \
		check_unchanged(#call);                                                                                \
	} while (0)

#define WORKS(call)                                                                                                    \
	ck_assert_msg((call), "%s: fault %u(%x) %llx", #call, fault.vector, fault.error,                               \
		      (unsigned long long)fault.address)

/* The n-th word on the stack at the current SP. */
static inline uint64_t stack_word(unsigned size, unsigned n)
{
	return peek(cpu.seg[SEG_SS].base + (cpu.gpr[RSP] & size_mask(cpu_stack_size(&cpu))) + n * size, size);
}

#endif
