/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random guests in 64-bit mode: their tables, handlers and registers. Code is at GUEST_CODE, data at several places,
 * some of them across 4 GiB, which show the same RAM; page tables are at GUEST64_TABLES for ring 0.
 */
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/mem.h"
#include "cpu/seg.h"
#include "cpu/sys.h"
#include "guest.h"

enum { PLACE_AT = ISA_BASED };

/* Handlers, as those of 32-bit code: they let the guest go on a few bytes behind what raised the exception. */
static void fill_handlers(struct machine *m, struct rng *r)
{
	for (unsigned v = 0; v < 128; v++) {
		uint8_t stub[ISA_STUB_BYTES] = {0x48, 0x83, 0xc4, 8, 0x48, 0x83, 0x04, 0x24, 0, 0x48, 0xcf};
		if (v < 8 || v == EXC_MF || v == EXC_XM || v > EXC_AC) /* no error code */
			memset(stub, 0x90, 4);
		stub[8] = (uint8_t)(v < 0x20 ? 1 + rng_below(r, 3) : rng_below(r, 2));
		if (rng_percent(r, 4))
			stub[0] = 0xf4;
		physmem_write(&m->pm, ISA_STUBS32 + v * ISA_STUB_BYTES, stub, sizeof(stub));
	}
}

/* Of the last level, for a page: read-only, absent, supervisor's, not executable, of other RAM. */
static void spoil(struct machine *m, struct rng *r, gva_t linear)
{
	gpa_t table = ISA_TABLES;
	uint64_t entry;

	for (unsigned shift = 39; shift > PAGE_SHIFT; shift -= 9)
		table = ALIGN_DOWN(machine_peek(m, table + 8 * (linear >> shift & 511), 8), (uint64_t)PAGE_SIZE);
	table += 8 * (linear >> PAGE_SHIFT & 511);
	entry = machine_peek(m, table, 8);
	if (rng_percent(r, 50))
		entry ^= RNG_PICK(r, ((const uint64_t[]){PTE_P, PTE_W, PTE_U, PTE_NX}));
	else
		entry = (entry & PAGE_MASK) | (uint64_t)(PLACE_AT + rng_below(r, 8) * PAGE_SIZE);
	machine_poke(m, table, 8, entry);
}

static void map_all(struct machine *m, struct rng *r, bool ring0)
{
	machine_map(m, GUEST_CODE, GUEST_CODE, GUEST_CODE_BYTES);
	if (ring0)
		machine_map(m, GUEST64_TABLES, ISA_TABLES, GUEST64_TABLES_BYTES);
	for (unsigned i = 0; i < GUEST64_PLACES; i++) {
		if (i && rng_percent(r, 30))
			continue;
		machine_map(m, guest64_places[i], PLACE_AT, GUEST64_PLACE_BYTES);
		for (unsigned p = 0; p < GUEST64_PLACE_BYTES; p += PAGE_SIZE)
			if (rng_percent(r, 8))
				spoil(m, r, guest64_places[i] + p);
	}
}

/*
 * Five levels of tables: the same addresses, and each lower half again with one of the bits that four levels do not
 * have, which guest64_address() changes.
 */
static void five_levels(struct machine *m)
{
	static const unsigned where[] = {0, 511, 1, 2, 4, 8, 16, 32, 64, 128, 511 - 1, 511 - 2, 511 - 64};
	gpa_t pml5 = m->tables_end;

	m->tables_end += PAGE_SIZE;
	ASSERT(m->tables_end <= ISA_RAM);
	for (unsigned i = 0; i < ARRAY_LEN(where); i++)
		machine_poke(m, pml5 + 8 * where[i], 8, ISA_TABLES | PTE_P | PTE_W | PTE_U);
	m->cpu.cr3 = pml5;
	m->cpu.cr4 |= CR4_LA57;
}

static void random_registers(struct machine *m, struct rng *r)
{
	struct cpu *cpu = &m->cpu;

	for (unsigned i = 0; i < GPR_COUNT; i++)
		cpu->gpr[i] = rng_percent(r, 75) ? guest64_address(r) : guest64_number(r);
	if (rng_percent(r, 90))
		cpu->gpr[RSP] = guest64_places[0] + GUEST64_PLACE_BYTES / 2 + rng_below(r, 64) * 8;
	cpu->rflags |= (rng_u32(r) & FLAGS_ARITH) | (rng_percent(r, 70) ? FLAG_IF : 0);
	if (rng_percent(r, 3))
		cpu->rflags |= FLAG_TF;
	cpu->seg[SEG_FS].base = rng_percent(r, 60) ? 0 : guest64_places[rng_below(r, GUEST64_PLACES)];
	cpu->seg[SEG_GS].base = rng_percent(r, 60) ? 0 : guest64_places[rng_below(r, GUEST64_PLACES)];
	cpu->kernel_gs_base = guest64_places[rng_below(r, GUEST64_PLACES)];
	rng_bytes(r, cpu->fpu.image + FX_XMM0, 16 * 16);
	rng_bytes(r, cpu->fpu.image + FX_YMM, 16 * 16);
	if (cpu->xcr0 & XCR0_AVX)
		guest_evex_state(cpu, r);
}

void guest64_setup(struct machine *m, struct rng *r)
{
	bool ring0 = rng_percent(r, 50);
	uint8_t buf[GUEST_CODE_BYTES + 2 * INSN_MAX_BYTES];
	struct code c = {.r = r, .out = buf, .size = 8, .offset = GUEST_CODE, .linear = GUEST_CODE};
	struct cpu *cpu = &m->cpu;

	machine_set_processor(m, true, rng_percent(r, 50));
	machine_reset(m, ISA_LONG, GUEST_CODE);
	c.cap = 128 + rng_below(r, rng_percent(r, 70) ? 256 : GUEST_CODE_BYTES - 256);
	code_generate(&c);
	memset(buf + c.len, 0xf4, sizeof(buf) - c.len);
	physmem_write(&m->pm, GUEST_CODE, buf, GUEST_CODE_BYTES);
	for (unsigned at = 0; at < GUEST64_PLACE_BYTES; at += 8)
		machine_poke(m, PLACE_AT + at, 8, rng_percent(r, 30) ? guest64_address(r) : guest64_number(r));
	fill_handlers(m, r);
	map_all(m, r, ring0);
	if (rng_percent(r, 25))
		five_levels(m);
	if (ring0) {
		machine_set_segment(m, SEG_CS, ISA_CODE64, machine_peek(m, ISA_GDT + ISA_CODE64, 8));
		machine_set_segment(m, SEG_SS, ISA_DATA32, machine_peek(m, ISA_GDT + ISA_DATA32, 8));
		cpu_set_cpl(cpu, 0);
	}
	cpu->cr4 |= rng_percent(r, 60) ? CR4_FSGSBASE : 0;
	cpu->cr0 |= rng_percent(r, 60) ? CR0_WP : 0;
	if (cpu_has(cpu, FEAT_AVX) && rng_percent(r, 80)) {
		cpu->cr4 |= CR4_OSXSAVE;
		cpu->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	}
	random_registers(m, r);
	cpu->ops->mmu_event(cpu->machine, MMU_CR0, 0);
}
