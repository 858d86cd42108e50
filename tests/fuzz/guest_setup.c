/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random machines around random code: tables, handlers, memory, registers. */
#include <string.h>

#include "cpu/mem.h"
#include "cpu/seg.h"
#include "cpu/sys.h"
#include "guest.h"

static void fill_memory(struct machine *m, struct rng *r)
{
	uint8_t page[PAGE_SIZE];

	for (gpa_t at = ISA_BASED; at < ISA_RAM; at += sizeof(page)) {
		switch (rng_below(r, 4)) {
		case 0:
			memset(page, 0xf4, sizeof(page)); /* a wild jump ends here */
			break;
		case 1:
			memset(page, 0, sizeof(page));
			break;
		case 2:
			for (unsigned i = 0; i < sizeof(page); i += 4)
				store_le(page + i, 4, rng_percent(r, 30) ? guest_address(r) : guest_number(r));
			break;
		default:
			rng_bytes(r, page, sizeof(page));
		}
		physmem_write(&m->pm, at, page, sizeof(page));
	}
}

static void put_code(struct machine *m, struct rng *r, uint32_t linear, uint32_t offset, unsigned size, unsigned bytes)
{
	uint8_t buf[GUEST_CODE_BYTES + 2 * INSN_MAX_BYTES];
	struct code c = {.r = r, .out = buf, .cap = bytes, .size = size, .offset = offset, .linear = linear};

	ASSERT(bytes <= GUEST_CODE_BYTES);
	code_generate(&c);
	physmem_write(&m->pm, linear, buf, bytes);
}

static bool pushes_error(unsigned vector)
{
	return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC;
}

/* Handlers that let the guest go on a few bytes behind what raised the exception; some that do not. */
static void fill_handlers(struct machine *m, struct rng *r)
{
	for (unsigned v = 0; v < 256; v++) {
		uint8_t stub32[ISA_STUB_BYTES] = {0x83, 0xc4, 0x04, 0x83, 0x04, 0x24, 0x01, 0xcf};
		uint8_t stub16[ISA_STUB_BYTES] = {0x55, 0x89, 0xe5, 0x83, 0x46, 0x02, 0x01, 0x5d, 0xcf};
		unsigned skip = v < 0x20 ? 1 + rng_below(r, 3) : rng_below(r, 2);
		if (!pushes_error(v))
			memset(stub32, 0x90, 3);
		stub32[6] = stub16[6] = (uint8_t)skip;
		if (rng_percent(r, 5))
			stub32[0] = stub16[0] = 0xf4;
		physmem_write(&m->pm, ISA_STUBS32 + v * ISA_STUB_BYTES, stub32, sizeof(stub32));
		physmem_write(&m->pm, ISA_STUBS16 + v * ISA_STUB_BYTES, stub16, sizeof(stub16));
	}
	for (unsigned n = rng_percent(r, 30) ? rng_below(r, 12) : 0; n; n--) {
		unsigned v = rng_percent(r, 80) ? rng_below(r, 32) : rng_below(r, 256);
		uint64_t gate = rng_u64(r);
		if (rng_percent(r, 70)) /* of a random kind, to a place that exists */
			gate =
			    guest_address(r) | (uint64_t)guest_selector(r) << 16 | (uint64_t)(rng_u32(r) | SEG_P) << 40;
		machine_poke(m, ISA_IDT + 8 * v, 8, gate);
		machine_poke(m, 4 * v, 4, guest_address(r));
	}
}

static uint64_t random_descriptor(struct rng *r)
{
	static const uint32_t limits[] = {0, 0xfff, 0xffff, 0xfffff, 0x7, 0x10000, 0xffffe};
	unsigned attr = SEG_P | (rng_u32(r) & (SEG_TYPE | SEG_DPL | SEG_DB | SEG_G | SEG_AVL));

	if (rng_percent(r, 85))
		attr |= SEG_S;
	if (rng_percent(r, 8))
		attr &= ~SEG_P;
	return isa_descriptor(rng_percent(r, 30) ? 0 : guest_address(r), RNG_PICK(r, limits), attr);
}

static void fill_tables(struct machine *m, struct rng *r)
{
	static const unsigned gates[] = {SYS_CALL16, SYS_CALL32, SYS_TASK_GATE, SYS_INT32, SYS_TSS16, SYS_LDT};
	uint64_t gate;

	for (unsigned s = ISA_FREE; s < ISA_GDT_BYTES; s += 8)
		machine_poke(m, ISA_GDT + s, 8, random_descriptor(r));
	for (unsigned i = 0; i < 8; i++)
		machine_poke(m, ISA_LDT + 8 * i, 8, random_descriptor(r));
	for (unsigned s = ISA_CALL_GATE; s <= ISA_TASK_GATE; s += 8) {
		gate = guest_address(r) & 0xffff;
		gate |= (uint64_t)(rng_percent(r, 50) ? ISA_CODE32 : ISA_SEL_TSS2) << 16;
		gate |= (uint64_t)(SEG_P | SEG_DPL | RNG_PICK(r, gates)) << 40 | (uint64_t)rng_below(r, 4) << 32;
		machine_poke(m, ISA_GDT + s, 8, gate);
	}
	for (unsigned n = rng_percent(r, 20) ? rng_below(r, 4) : 0; n; n--)
		machine_poke(m, ISA_GDT + 8 * rng_below(r, ISA_GDT_BYTES / 8), 8,
			     rng_percent(r, 50) ? rng_u64(r) : random_descriptor(r));
	/* A task to switch to. */
	for (unsigned i = 0; i < 0x68; i += 4)
		machine_poke(m, ISA_TSS2 + i, 4, guest_address(r));
	machine_poke(m, ISA_TSS2 + 0x20, 4, GUEST_CODE + rng_below(r, 256));
	machine_poke(m, ISA_TSS2 + 0x24, 4, rng_u32(r) & 0x7ed7);
	for (unsigned i = 0x48; i <= 0x5c; i += 4)
		machine_poke(m, ISA_TSS2 + i, 4, i == 0x4c ? ISA_CODE32 : ISA_DATA32);
	machine_poke(m, ISA_TSS2 + 0x60, 4, 0);
}

static void random_fpu(struct cpu *cpu, struct rng *r)
{
	uint8_t *image = cpu->fpu.image;

	if (rng_percent(r, 30))
		return;
	for (unsigned i = 0; i < 8; i++)
		rng_bytes(r, image + 32 + 16 * i, 10);
	rng_bytes(r, image + 160, 128); /* XMM0-7 */
	store_le(image, 2, 0x37f);
	if (rng_percent(r, 40))
		store_le(image, 2, (rng_u32(r) & 0xf3f) | 0x40);
	store_le(image + 2, 2, rng_u32(r) & 0x3800);
	store_le(image + 4, 1, rng_u32(r));
	store_le(image + 24, 4, rng_percent(r, 60) ? 0x1f80 : rng_u32(r) & 0xffff);
}

static void random_registers(struct machine *m, struct rng *r)
{
	struct cpu *cpu = &m->cpu;

	for (unsigned i = 0; i < 8; i++)
		cpu->gpr[i] = rng_percent(r, 40) ? guest_address(r) : guest_number(r);
	if (rng_percent(r, 90))
		cpu->gpr[RSP] = (cpu->gpr[RSP] & (rng_percent(r, 50) ? 0 : 0xffff0000u)) |
				(ISA_STACK - 0x100 + rng_below(r, 0x200));
	cpu->rflags |= rng_u32(r) & FLAGS_ARITH;
	if (rng_percent(r, 70))
		cpu->rflags |= FLAG_IF;
	if (rng_percent(r, 20))
		cpu->rflags |= rng_u32(r) & (FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID | FLAG_RF | FLAG_IOPL);
	if (rng_percent(r, 3))
		cpu->rflags |= FLAG_TF;
	random_fpu(cpu, r);
}

static void random_control(struct machine *m, struct rng *r)
{
	struct cpu *cpu = &m->cpu;
	struct x86_fault f;

	if (rng_percent(r, 15))
		cpu->cr0 ^= rng_u32(r) & (CR0_TS | CR0_EM | CR0_MP | CR0_NE | CR0_AM | CR0_WP);
	if (rng_percent(r, 20))
		cpu_write_cr4(cpu,
			      rng_u32(r) & (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_OSFXSR |
					    CR4_OSXMMEXCPT | CR4_UMIP),
			      &f);
	if (rng_percent(r, 5)) {
		cpu_write_dr(cpu, rng_below(r, 4), guest_address(r), &f);
		cpu_write_dr(cpu, 7, rng_u32(r) & 0xffff07ff, &f);
	}
	cpu->sysenter_cs = rng_percent(r, 50) ? ISA_CODE32 : guest_selector(r);
	cpu->sysenter_eip = guest_address(r);
	cpu->sysenter_esp = ISA_STACK;
}

/* Page tables that map nearly everything to itself: 4-MiB pages, or 4-KiB ones for the low 4 MiB, some of them
 * read-only, supervisor, absent or random. */
static uint32_t random_entry(struct rng *r, uint32_t target, unsigned more)
{
	uint32_t entry = target | PTE_P | PTE_W | PTE_U | more;

	if (rng_percent(r, 40))
		entry |= rng_u32(r) & (PTE_A | PTE_D | PTE_G | PTE_PWT);
	if (rng_percent(r, 12))
		entry &= ~(rng_u32(r) & (PTE_P | PTE_W | PTE_U));
	if (rng_percent(r, 3))
		entry = rng_u32(r);
	else if (rng_percent(r, 4)) /* an alias of other RAM */
		entry = (entry & PAGE_MASK) | rng_below(r, ISA_RAM / PAGE_SIZE) << PAGE_SHIFT;
	return entry;
}

static void enable_paging(struct machine *m, struct rng *r)
{
	bool small = rng_percent(r, 70);
	struct x86_fault f;

	for (unsigned i = 0; i < 1024; i++) {
		if (!i && small)
			machine_poke(m, GUEST_PAGE_DIRECTORY, 4, GUEST_PAGE_TABLE | PTE_P | PTE_W | PTE_U);
		else
			machine_poke(m, GUEST_PAGE_DIRECTORY + 4 * i, 4,
				     i ? random_entry(r, i << 22, PTE_PS) : PTE_PS | PTE_P | PTE_W | PTE_U);
		if (small)
			machine_poke(m, GUEST_PAGE_TABLE + 4 * i, 4, random_entry(r, i << PAGE_SHIFT, 0));
	}
	/* What nothing works without, mostly. */
	for (unsigned i = 0; small && i < 0x10; i++)
		if (rng_percent(r, 97))
			machine_poke(m, GUEST_PAGE_TABLE + 4 * i, 4, i << PAGE_SHIFT | PTE_P | PTE_W | PTE_U);
	if (rng_percent(r, 30))
		m->cpu.cr0 |= CR0_WP;
	if (cpu_write_cr4(&m->cpu, m->cpu.cr4 | CR4_PSE | (rng_percent(r, 50) ? CR4_PGE : 0), &f) &&
	    cpu_write_cr3(&m->cpu, GUEST_PAGE_DIRECTORY, &f))
		cpu_write_cr0(&m->cpu, m->cpu.cr0 | CR0_PG, &f);
}

static void real_or_v86_segments(struct machine *m, struct rng *r, bool v86)
{
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		uint16_t selector = 0;
		if (i != SEG_CS && rng_percent(r, i == SEG_SS ? 20 : 60))
			selector = (uint16_t)(rng_percent(r, 50) ? guest_address(r) >> 4 : guest_number(r));
		(v86 ? cpu_set_v86_segment : cpu_set_real_segment)(&m->cpu, i, selector);
	}
	if (v86)
		m->cpu.rflags = (m->cpu.rflags & ~FLAG_IOPL) | (rng_percent(r, 60) ? FLAG_IOPL : 0);
}

static void protected_segments(struct machine *m, struct rng *r)
{
	struct x86_fault f;

	for (unsigned i = 0; i < SEG_COUNT; i++) {
		if (i == SEG_CS || !rng_percent(r, i == SEG_SS ? 25 : 50))
			continue;
		for (unsigned tries = 0; tries < 4 && !cpu_load_segment(&m->cpu, i, guest_selector(r), &f); tries++)
			;
	}
}

/* CS other than flat; returns the offset in it of the code at `linear`. */
static uint32_t choose_code_segment(struct machine *m, struct rng *r, uint32_t linear)
{
	struct cpu *cpu = &m->cpu;

	if (rng_percent(r, 50))
		return linear;
	switch (m->mode) {
	case ISA_REAL:
	case ISA_V86:
		(m->mode == ISA_V86 ? cpu_set_v86_segment : cpu_set_real_segment)(cpu, SEG_CS, (uint16_t)(linear >> 4));
		return linear & 15;
	case ISA_PM32:
		machine_set_segment(m, SEG_CS, ISA_CODE32_BASED, machine_peek(m, ISA_GDT + ISA_CODE32_BASED, 8));
		return linear - ISA_BASED;
	case ISA_PM16:
		machine_set_segment(m, SEG_CS, ISA_CODE16_BASED, machine_peek(m, ISA_GDT + ISA_CODE16_BASED, 8));
		return linear - ISA_BASED;
	default:
		return linear;
	}
}

void guest_setup(struct machine *m, struct rng *r)
{
	if (rng_percent(r, 40)) {
		guest64_setup(m, r);
		return;
	}
	static const enum isa_mode modes[] = {ISA_REAL, ISA_REAL, ISA_REAL,   ISA_PM32, ISA_PM32,
					      ISA_PM16, ISA_PM16, ISA_PM32_3, ISA_V86};
	enum isa_mode mode = RNG_PICK(r, modes);
	uint32_t linear = GUEST_CODE + (rng_percent(r, 50) ? 0 : rng_below(r, 0x40)), offset;
	unsigned size = mode == ISA_PM32 || mode == ISA_PM32_3 ? 4 : 2;
	unsigned bytes = 128 + rng_below(r, rng_percent(r, 70) ? 256 : GUEST_CODE_BYTES - 256);

	machine_reset(m, mode, linear);
	fill_memory(m, r);
	fill_tables(m, r);
	fill_handlers(m, r);
	if (mode == ISA_REAL || mode == ISA_V86)
		real_or_v86_segments(m, r, mode == ISA_V86);
	else
		protected_segments(m, r);
	put_code(m, r, GUEST_CODE, GUEST_CODE, size, GUEST_CODE_BYTES);
	put_code(m, r, GUEST_FAR_CODE, GUEST_FAR_CODE - ISA_BASED, rng_percent(r, 50) ? size : 6 - size, 512);
	put_code(m, r, GUEST_HIGH_CODE, GUEST_HIGH_CODE, size, 256);
	if ((mode == ISA_PM32 || mode == ISA_PM16) && rng_percent(r, 40))
		linear = GUEST_FAR_CODE;
	else if (rng_percent(r, 10)) /* across a page */
		linear = GUEST_CODE + GUEST_CODE_BYTES - bytes % 64 - 8;
	offset = choose_code_segment(m, r, linear);
	put_code(m, r, linear, offset, size, bytes % 1024);
	m->cpu.rip = m->cpu.next_rip = offset;
	random_registers(m, r);
	random_control(m, r);
	if (rng_percent(r, 60))
		guest_evex_state(&m->cpu, r);
	if (mode != ISA_REAL && rng_percent(r, 30))
		enable_paging(m, r);
	if (rng_percent(r, 10))
		physmem_set_a20(&m->pm, false);
}
