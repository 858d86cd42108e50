/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On top of cpu_fixture.h: the translator (or the single-stepper) over 1 MiB of RAM, with that RAM once more at ALIAS,
 * a page of device memory and a page of ROM. Guest code ends with HLT.
 */
#ifndef GNOMON_TESTS_BT_FIXTURE_H
#define GNOMON_TESTS_BT_FIXTURE_H

#include "../cpu/cpu_fixture.h"

#include <unistd.h>

#include "bt/bt_internal.h"
#include "cpu/exec.h"
#include "cpu/step.h"
#include "cpu/sys.h"
#include "cpu/tlb.h"
#include "hostsig.h"
#include "shadow/track.h"

enum {
	CODE = 0x20000, /* where guest code goes */
	DATA = 0x30000,
	ALIAS = 0x1000000, /* RAM again */
	DEVICE = 0x2000000,
	ROM_AT = 0x3000000,
	SMALL_CACHE = 256 * 1024,
	PORT_IRQ = 0xe3,  /* OUT: an interrupt of vector AL waits from now on */
	PORT_DMA = 0xe4,  /* OUT AL: a device writes it to dma_at */
	PORT_HOOK = 0xe5, /* OUT: calls port_hook */
};

static struct host_exec *exec;
static struct shadow *sh;
static struct bt *bt;
static volatile sig_atomic_t stop;
static struct pm_region alias_region, device_region, rom_region;
static struct pm_backing rom;
static uint8_t device_bytes[PAGE_SIZE];
static unsigned device_reads, device_writes;
static gpa_t dma_at;
static void (*port_hook)(void);

static uint32_t fixture_in(void *m, uint16_t port, unsigned size)
{
	return 0x12345678;
}

static void fixture_out(void *m, uint16_t port, unsigned size, uint32_t value)
{
	if (port == PORT_IRQ) {
		vector_pending = (int)value;
		cpu.intr = true;
	} else if (port == PORT_DMA) {
		poke(dma_at, size, value);
	} else if (port == PORT_HOOK) {
		port_hook();
	}
}

static void fixture_mmu_event(void *m, enum mmu_event event, gva_t address)
{
	if (sh)
		shadow_mmu_event(sh, event, address);
	if (bt)
		bt_mmu_event(bt, event, address);
}

static uint64_t fixture_tsc(void *m)
{
	return 0;
}

static void fixture_ferr(void *m, bool level)
{
	stop = 1;
}

static const struct cpu_ops bt_ops = {.port_in = fixture_in,
				      .port_out = fixture_out,
				      .intr_ack = on_intr_ack,
				      .tsc = fixture_tsc,
				      .mmu_event = fixture_mmu_event,
				      .ferr = fixture_ferr,
				      .triple_fault = on_triple_fault};

static uint64_t device_read(void *dev, uint64_t offset, unsigned size)
{
	device_reads++;
	return load_le(device_bytes + offset, size);
}

static void device_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	device_writes++;
	store_le(device_bytes + offset, size, value);
}

static const struct io_ops device_ops = {"device", device_read, device_write, IO_8 | IO_16 | IO_32};

/* Handlers of all exceptions and interrupts: HLT, one every 16 bytes from HANDLER on. */
static inline void fill_handlers(void)
{
	for (unsigned v = 0; v < 64; v++) {
		set_gate(v, gate(CODE0, HANDLER + 16 * v, SEG_P | SYS_INT32, 0));
		poke(HANDLER + 16 * v, 1, 0xf4);
	}
}

/* The vector whose handler the CPU halted in, or -1. */
static inline int halted_in(void)
{
	uint64_t at = cpu_linear_pc(&cpu) - 1 - HANDLER;

	return cpu.activity == CPU_HALTED && at < 64 * 16 && at % 16 == 0 ? (int)(at / 16) : -1;
}

static void add_regions(void)
{
	alias_region = (struct pm_region){
	    .name = "alias", .kind = PM_RAM, .base = ALIAS, .len = RAM_BYTES, .enabled = true, .backing = &pm.ram};
	device_region = (struct pm_region){
	    .name = "device", .kind = PM_IO, .base = DEVICE, .len = PAGE_SIZE, .enabled = true, .ops = &device_ops};
	rom_region = (struct pm_region){
	    .name = "rom", .kind = PM_ROM, .base = ROM_AT, .len = PAGE_SIZE, .enabled = true, .backing = &rom};
	ck_assert_int_eq(pm_backing_init(&rom, "rom", PAGE_SIZE), 0);
	physmem_add(&pm, &alias_region);
	physmem_add(&pm, &device_region);
	physmem_add(&pm, &rom_region);
}

/* Long runs go without. */
static bool audits = true;

static void make_translator(size_t cache_bytes)
{
	ck_assert_int_eq(shadow_create(&sh, &(struct shadow_config){.cpu = &cpu, .audit = audits}), 0);
	ck_assert_int_eq(
	    bt_create(&bt,
		      &(struct bt_config){
			  .cpu = &cpu, .shadow = sh, .stop = &stop, .cache_bytes = cache_bytes, .audit = audits}),
	    0);
}

/* Protected mode, ring 0, flat; see cpu_fixture.h. Each test runs in a process of its own. */
static void setup_machine(void)
{
	setup();
	memset(&fault, 0, sizeof(fault));
	cpu.ops = &bt_ops;
	cpu.gdtr.limit = GDT_BYTES - 1;
	ck_assert_int_eq(hostsig_thread_init(), 0);
	ck_assert_int_eq(exec_create(&exec, false), 0);
	exec_attach(exec);
	cpu.exec = exec;
	cpu_has(&cpu, FEAT_SSE); /* asks the host, which is slow, and remembers */
	add_regions();
	fill_handlers();
}

static void setup_bt(void)
{
	setup_machine();
	make_translator(SMALL_CACHE);
}

static inline void setup_bt_unaudited(void)
{
	audits = false;
	setup_bt();
}

static void teardown_bt(void)
{
	bt_destroy(bt);
	shadow_destroy(sh);
	exec_detach(exec);
	exec_destroy(exec);
	pm_backing_destroy(&rom);
	teardown();
}

static inline void poke_bytes(gpa_t at, const void *bytes, unsigned len)
{
	physmem_write(&pm, at, bytes, len);
}

/* Guest code at CODE, as bytes; the next call goes on behind it. */
#define CODE_BYTES(at, ...) poke_bytes((at), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Runs until HLT (or shutdown), taking events. */
static inline void run_engine(bool translate)
{
	cpu.activity = CPU_RUNNING;
	triple_faults = 0;
	while (cpu.activity == CPU_RUNNING && !triple_faults) {
		cpu_take_event(&cpu);
		if (translate)
			bt_run(bt);
		else
			cpu_step(&cpu);
		stop = 0;
	}
}

static inline void run_from(uint32_t eip)
{
	cpu.rip = eip;
	run_engine(true);
}

/* Flags that the compared code leaves undefined. */
static uint64_t undefined_flags;

static inline void check_same_cpu(const char *what, const struct cpu *ref)
{
	for (unsigned i = 0; i < 8; i++)
		ck_assert_msg(cpu.gpr[i] == ref->gpr[i], "%s: register %u is %llx, single-stepped %llx", what, i,
			      (unsigned long long)cpu.gpr[i], (unsigned long long)ref->gpr[i]);
	ck_assert_msg(cpu.rip == ref->rip, "%s: rip %llx, single-stepped %llx", what, (unsigned long long)cpu.rip,
		      (unsigned long long)ref->rip);
	ck_assert_msg(!((cpu.rflags ^ ref->rflags) & ~undefined_flags), "%s: flags %llx, single-stepped %llx", what,
		      (unsigned long long)cpu.rflags, (unsigned long long)ref->rflags);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		ck_assert_msg(!memcmp(&cpu.seg[i], &ref->seg[i], sizeof(struct segment)),
			      "%s: segment %u: %x %x, single-stepped %x %x", what, i, cpu.seg[i].selector,
			      cpu.seg[i].attr, ref->seg[i].selector, ref->seg[i].attr);
	ck_assert_msg(cpu.cpl == ref->cpl && cpu.activity == ref->activity && cpu.shadow == ref->shadow &&
			  cpu.pending_db == ref->pending_db,
		      "%s: modes", what);
	ck_assert_msg(!memcmp(cpu.fpu.image + 24, ref->fpu.image + 24, 4) &&
			  !memcmp(cpu.fpu.image + 32, ref->fpu.image + 32, 128 + 256),
		      "%s: x87 or SSE registers", what);
}

/* The present state and memory (the first memory_used bytes), and what single-stepping makes of them. */
static uint64_t memory_used = RAM_BYTES;
static struct cpu start, ref;
static uint8_t *start_memory, *ref_memory, start_device[PAGE_SIZE];

static inline void step_reference(uint32_t eip)
{
	free(start_memory);
	start_memory = malloc(2 * memory_used);
	ref_memory = start_memory + memory_used;
	cpu.rip = eip;
	start = cpu;
	memcpy(start_memory, pm.ram.host, memory_used);
	memcpy(start_device, device_bytes, PAGE_SIZE);
	run_engine(false);
	ref = cpu;
	memcpy(ref_memory, pm.ram.host, memory_used);
}

/* Puts them back, as a device would: whoever has translated must know. */
static inline void back_to_start(void)
{
	cpu = start;
	for (unsigned at = 0; at < memory_used; at += PAGE_SIZE)
		if (memcmp(pm.ram.host + at, start_memory + at, PAGE_SIZE))
			poke_bytes(at, start_memory + at, PAGE_SIZE);
	memcpy(device_bytes, start_device, PAGE_SIZE);
	if (cpu_paging(&cpu)) /* as the guest would after having changed its tables */
		cpu_mmu_event(&cpu, MMU_CR0, 0);
}

/* Runs translated what step_reference() did: all must come out the same. */
static inline void check_against_reference(const char *what)
{
	back_to_start();
	run_engine(true);
	check_same_cpu(what, &ref);
	if (!memcmp(pm.ram.host, ref_memory, memory_used))
		return;
	for (unsigned at = 0; at < memory_used; at++)
		if (pm.ram.host[at] != ref_memory[at])
			ck_abort_msg("%s: memory at %x is %x, single-stepped %x", what, at, pm.ram.host[at],
				     ref_memory[at]);
}

/* Runs code from the present state by single-stepping, then (`times` times) translated. */
static inline void same_as_stepped(const char *what, uint32_t eip, unsigned times)
{
	step_reference(eip);
	while (times--)
		check_against_reference(what);
}

/* The valid block at eip in the CPU's present mode, or NULL. */
static inline struct block *block_at_eip(uint32_t eip)
{
	struct context *ctx = bt_context(bt);

	for (struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b))
		if (b->valid && b->ctx == ctx && b->eip == eip)
			return b;
	return NULL;
}

/* The instruction at a physical address looks at its page's state from now on, and no other. */
static inline void make_look(gpa_t gpa)
{
	struct insn_map map[2] = {{.guest = 0}};
	struct block b = {.gpa = gpa, .ninsns = 1, .map = map};

	memset(bt->looks, 0, sizeof(bt->looks));
	while (!bt_look_pays(bt, &b, 0))
		bt_look_faulted(bt, &b, 0);
}

/* 16-bit stack at DATA, 64 KiB. */
static inline void use_stack16(uint32_t esp)
{
	set_descriptor(SCRATCH, descriptor(DATA, 0xffff, SEG_P | SEG_S | SEG_W));
	force_segment(SEG_SS, SCRATCH);
	cpu.gpr[RSP] = esp;
}

/* 64-bit code of ring 0 from now on. */
static inline void use_long_mode(void)
{
	cpu.lm = true;
	enter_long(0);
	cpu_mmu_event(&cpu, MMU_CR0, 0);
}

enum { PAGE_TABLE = TABLES_PAGES + PAGE_SIZE };

/* 4-KiB pages, linear = physical, for the first 4 MiB. */
static inline void enable_paging(void)
{
	poke(TABLES_PAGES, 4, PAGE_TABLE | PTE_P | PTE_W | PTE_U);
	for (unsigned i = 0; i < 1024; i++)
		poke(PAGE_TABLE + 4 * i, 4, i * PAGE_SIZE | PTE_P | PTE_W | PTE_U);
	cpu.cr3 = TABLES_PAGES;
	cpu.cr0 |= CR0_PG;
	cpu_mmu_event(&cpu, MMU_CR0, 0);
}

#endif
