/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks of a 64-bit kernel by its unwind tables: frames of each kind, both layouts of entries, and nonsense. */
#include <stdlib.h>
#include <string.h>

#include "../run_suite.h"
#include "cpu/sys.h"
#include "monitor/profiler_internal.h"

enum {
	RAM_BYTES = 4 << 20,
	PML4 = 0x1000,
	PDPT = 0x2000,
	IPS = 0x10000, /* the tables */
	ENTRIES = 0x20000,
	COUNT = 256,
	CODE = 0x100000, /* entry n holds from here + 64 n */
	STRETCH = 64,
	STACK = 0x200000,
	OLD_END = 4,
	MAX = 16,
};

enum { SP_UNDEFINED, SP_BP = 4, SP_SP, SP_BP_INDIRECT = 8, SP_SP_INDIRECT };
enum { BP_SAME, BP_SAVED };
enum { CALL, REGS, IRET };

static struct vm *vm;
static struct profiler *p;
static uint64_t stack[MAX];

static void put(uint64_t at, uint64_t value, unsigned bytes)
{
	store_le(vm->pm.ram.host + at, bytes, value);
}

/* new_types: 2 for CALL, 3, 4. */
static void entry(unsigned n, unsigned sp, int sp_offset, unsigned bp, int bp_offset, unsigned type)
{
	uint64_t at = ENTRIES + n * 6;

	put(at, (uint16_t)sp_offset, 2);
	put(at + 2, (uint16_t)bp_offset, 2);
	put(at + 4, sp | bp << 4, 1);
	put(at + 5, type, 1);
}

static uint64_t pc_of(unsigned n)
{
	return CODE + n * STRETCH + 5;
}

static void setup(void)
{
	vm = calloc(1, sizeof(*vm));
	p = calloc(1, sizeof(*p));
	ck_assert_int_eq(physmem_init(&vm->pm, RAM_BYTES), 0);
	p->vm = vm;
	vm->cpu.cr0 = CR0_PE | CR0_PG;
	vm->cpu.cr4 = CR4_PAE;
	vm->cpu.efer = EFER_LME | EFER_LMA;
	vm->cpu.cr3 = PML4;
	vm->cpu.seg[SEG_CS].attr = SEG_P | SEG_S | SEG_CODE | SEG_L;
	put(PML4, PDPT | PTE_P, 8);
	put(PDPT, PTE_P | PTE_PS, 8);
	ck_assert(cpu_code64(&vm->cpu));
	p->orc.ips = IPS;
	p->orc.entries = ENTRIES;
	p->orc.count = COUNT;
	for (unsigned n = 0; n < COUNT; n++) {
		put(IPS + 4 * n, (uint32_t)(CODE + n * STRETCH - (IPS + 4 * n)), 4);
		entry(n, SP_SP, 8, BP_SAME, 0, CALL);
	}
}

static void teardown(void)
{
	physmem_destroy(&vm->pm);
	free(p);
	free(vm);
}

static unsigned unwind(unsigned n, uint64_t rbp, uint64_t rsp)
{
	return profile_orc_stack(p, pc_of(n), rbp, rsp, stack, MAX);
}

/* A leaf, a function with locals, one with a frame of its own, one that has saved RBP elsewhere, and the end. */
static void calls(unsigned call, unsigned end)
{
	entry(2, SP_SP, 0x28, BP_SAME, 0, call);
	entry(3, SP_BP, 0x10, BP_SAVED, -0x10, call);
	entry(4, SP_SP, 0x18, BP_SAVED, -0x10, call);
	entry(5, SP_UNDEFINED, 0, BP_SAME, 0, end);
	put(STACK, pc_of(2), 8);	      /* the leaf's return address */
	put(STACK + 8 + 0x20, pc_of(3), 8);   /* of 2 */
	put(STACK + 0x100, STACK + 0x500, 8); /* RBP saved by 3, whose frame is at STACK + 100 */
	put(STACK + 0x108, pc_of(4), 8);      /* its return address */
	put(STACK + 0x110 + 8, STACK + 0x600, 8);
	put(STACK + 0x110 + 0x10, pc_of(5), 8);
	ck_assert_uint_eq(unwind(1, STACK + 0x100, STACK), 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(stack[i], pc_of(2 + i));
}

START_TEST(test_calls)
{
	calls(CALL, OLD_END);
}
END_TEST

START_TEST(test_new_types)
{
	for (unsigned n = 0; n < COUNT; n++)
		entry(n, SP_SP, 8, BP_SAME, 0, 2);
	calls(2, 1);
}
END_TEST

/* What an interrupt has pushed, all registers of an exception, pointers to a stack on another stack. */
START_TEST(test_interrupts)
{
	entry(2, SP_SP, 0x10, BP_SAME, 0, IRET);
	entry(4, SP_SP, 0, BP_SAME, 0, REGS);
	entry(6, SP_SP_INDIRECT, 8, BP_SAME, 0, CALL);
	put(STACK, pc_of(2), 8);
	put(STACK + 8 + 0x10, pc_of(3), 8); /* interrupted: RIP, CS, RFLAGS, RSP */
	put(STACK + 8 + 0x18, 0x10, 8);
	put(STACK + 8 + 0x28, STACK + 0x200, 8);
	put(STACK + 0x200, pc_of(4), 8);
	put(STACK + 0x208 + 32, STACK + 0x777000, 8);
	put(STACK + 0x208 + 128, pc_of(5), 8);
	put(STACK + 0x208 + 136, 0x10, 8);
	put(STACK + 0x208 + 152, STACK + 0x400, 8);
	put(STACK + 0x400, pc_of(6), 8);
	put(STACK + 0x408, STACK + 0x800, 8);
	put(STACK + 0x800, pc_of(7), 8);
	ck_assert_uint_ge(unwind(1, 0, STACK), 6);
	ck_assert_uint_eq(stack[0], pc_of(2));
	ck_assert_uint_eq(stack[1], pc_of(3) + 1);
	ck_assert_uint_eq(stack[2], pc_of(4));
	ck_assert_uint_eq(stack[3], pc_of(5) + 1);
	ck_assert_uint_eq(stack[4], pc_of(6));
	ck_assert_uint_eq(stack[5], pc_of(7));
	put(STACK + 8 + 0x18, 0x33, 8); /* of a program: the kernel's stack ends */
	ck_assert_uint_eq(unwind(1, 0, STACK), 1);
}
END_TEST

/* Tables that are not there, not in RAM, or too short; code that they do not know. */
START_TEST(test_unknown)
{
	put(STACK, pc_of(2), 8);
	ck_assert_uint_ge(unwind(1, 0, STACK), 1);
	ck_assert_uint_eq(profile_orc_stack(p, CODE - 1, 0, STACK, stack, MAX), 0);
	ck_assert_uint_eq(profile_orc_stack(p, CODE + COUNT * STRETCH, 0, STACK, stack, MAX), 0);
	ck_assert_uint_eq(unwind(1, 0, 0xffff888000000000), 0);
	p->orc.changes = 1;
	ck_assert_uint_eq(unwind(1, 0, STACK), 0);
	p->orc.changes = 2;
	p->orc.entries = RAM_BYTES - 16;
	ck_assert_uint_eq(unwind(1, 0, STACK), 0);
	p->orc.entries = ENTRIES;
	p->orc.ips = (uint64_t)-8;
	ck_assert_uint_eq(unwind(1, 0, STACK), 0);
	p->orc.ips = IPS;
	p->orc.count = 0;
	ck_assert_uint_eq(unwind(1, 0, STACK), 0);
	p->orc.count = COUNT;
	vm->cpu.seg[SEG_CS].attr &= ~(uint32_t)SEG_L;
	ck_assert_uint_eq(unwind(1, 0, STACK), 0);
}
END_TEST

/* Whatever is in memory: it ends, and stays within. */
START_TEST(test_nonsense)
{
	srand(4711);
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned n = 0; n < COUNT * 6; n++)
			put(ENTRIES + n, (unsigned)rand(), 1);
		for (unsigned n = 0; n < 256; n++)
			put(STACK + 8 * n,
			    rand() & 1 ? pc_of((unsigned)rand() % COUNT) : STACK + (unsigned)rand() % 2048, 8);
		if (round & 1)
			put(IPS + 4 * ((unsigned)rand() % COUNT), (unsigned)rand(), 4);
		ck_assert_uint_le(unwind((unsigned)rand() % COUNT, STACK + 8 * ((unsigned)rand() % 200), STACK), MAX);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("profiler_orc");
	TCase *t = tcase_create("stacks");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_calls);
	tcase_add_test(t, test_new_types);
	tcase_add_test(t, test_interrupts);
	tcase_add_test(t, test_unknown);
	tcase_add_test(t, test_nonsense);
	suite_add_tcase(s, t);
	return run_suite(s);
}
