/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of a guest without paging: what is mapped, with which rights, what changes of the memory map, A20 and
 * traces do to it; and that the audit notices what is wrong. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "shadow/shadow_internal.h"

enum {
	RAM_BYTES = 300 * 1024 * 1024,
	LOW_END = 0xa0000, /* RAM below; then VGA memory, ROM, more RAM */
	VGA = 0xa0000,
	PAM = 0xf0000,
	HIGH = 0x100000,
	COPY = 0x20000000, /* the first MiB of RAM again */
	BIOS = 0xfffff000,
	PAGE = 0x4000, /* what tests trace */
};

static struct physmem pm;
static struct cpu *cpu;
static struct stats stats;
static struct shadow *sh;
static struct pm_region low, vga, pam, high, copy, bios;
static struct pm_backing rom, vram;
static uint8_t *window;
static int probe_pipe[2];

static uint64_t vga_read(void *dev, uint64_t offset, unsigned size)
{
	return 0x11;
}

static void vga_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
}

static const struct io_ops vga_ops = {"vga", vga_read, vga_write, IO_8 | IO_16 | IO_32};

static void add(struct pm_region *r, const char *name, enum pm_kind kind, gpa_t base, uint64_t len,
		struct pm_backing *b, uint64_t offset)
{
	*r = (struct pm_region){
	    .name = name, .kind = kind, .base = base, .len = len, .enabled = true, .backing = b, .offset = offset};
	if (kind == PM_IO)
		r->ops = &vga_ops;
	physmem_add(&pm, r);
}

static void setup(void)
{
	memset(&stats, 0, sizeof(stats));
	ck_assert_int_eq(physmem_init(&pm, RAM_BYTES), 0);
	ck_assert_int_eq(pm_backing_init(&rom, "rom", 2 * PAGE_SIZE), 0);
	ck_assert_int_eq(pm_backing_init(&vram, "vram", 16 * PAGE_SIZE), 0);
	add(&low, "low", PM_RAM, 0, LOW_END, &pm.ram, 0);
	add(&vga, "vga", PM_IO, VGA, 0x20000, NULL, 0);
	add(&pam, "pam", PM_ROM, PAM, 0x10000, &pm.ram, PAM);
	add(&high, "high", PM_RAM, HIGH, RAM_BYTES - HIGH, &pm.ram, HIGH);
	add(&copy, "copy", PM_RAM, COPY, LOW_END, &pm.ram, 0);
	add(&bios, "bios", PM_ROM, BIOS, PAGE_SIZE, &rom, PAGE_SIZE);
	cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64));
	memset(cpu, 0, sizeof(*cpu));
	cpu->pm = &pm;
	cpu->stats = &stats;
	ck_assert_int_eq(shadow_create(&sh, &(struct shadow_config){.cpu = cpu, .audit = true}), 0);
	window = (uint8_t *)shadow_window(sh);
	ck_assert_int_eq(pipe2(probe_pipe, O_NONBLOCK), 0);
}

static void teardown(void)
{
	shadow_destroy(sh);
	pm_backing_destroy(&rom);
	pm_backing_destroy(&vram);
	physmem_destroy(&pm);
	free(cpu);
	close(probe_pipe[0]);
	close(probe_pipe[1]);
}

/* What the host kernel says of an address: without a fault. */
static bool readable(const uint8_t *at)
{
	uint8_t byte;

	if (write(probe_pipe[1], at, 1) != 1)
		return false;
	return read(probe_pipe[0], &byte, 1) == 1;
}

static bool writable(uint8_t *at)
{
	if (!readable(at))
		return false;
	ck_assert_int_eq(write(probe_pipe[1], at, 1), 1);
	if (read(probe_pipe[0], at, 1) == 1)
		return true;
	uint8_t byte;
	ck_assert_int_eq(read(probe_pipe[0], &byte, 1), 1);
	return false;
}

static enum shadow_fault touch(gva_t linear, bool write)
{
	return shadow_handle_fault(sh, (hva_t)window + linear, write);
}

static uint8_t *alias(gva_t linear)
{
	return window + SHADOW_ALIAS + linear;
}

START_TEST(test_layout)
{
	static const unsigned bad[] = {1, 2, 255, 256, 257, 4096, 8191};

	ck_assert_uint_eq((uintptr_t)window & (WINDOW_BYTES - 1), 0);
	for (gva_t at = 0; at < WINDOW_BYTES; at += 64 * MiB)
		ck_assert(!readable(window + at));
	ck_assert(!readable(window - 1) && !readable(window + WINDOW_BYTES) &&
		  !readable(window + WINDOW_BYTES + GUARD_BYTES));
	/* The probe page: x = 0 alone. */
	ck_assert(readable(window + SHADOW_PROBE) && readable(window + SHADOW_PROBE + 7) &&
		  !writable(window + SHADOW_PROBE));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert(!readable(window + SHADOW_PROBE + 8 * (int64_t)bad[i]));
	ck_assert(!readable(alias(0)) && !readable(alias(WINDOW_BYTES - 1)) && !readable(alias(WINDOW_BYTES)));
}
END_TEST

START_TEST(test_runs)
{
	pm.ram.host[0x1234] = 0x56;
	ck_assert_int_eq(touch(0x1234, false), SHADOW_RESOLVED);
	ck_assert_uint_eq(window[0x1234], 0x56);
	window[0x1235] = 0x78;
	ck_assert_uint_eq(pm.ram.host[0x1235], 0x78);
	/* All of the span in one mapping, and no more. */
	ck_assert(writable(window) && writable(window + LOW_END - 1) && !readable(window + LOW_END));
	ck_assert_uint_eq(stats.mappings, 1);
	ck_assert(!readable(window + HIGH));
	ck_assert_int_eq(touch(RAM_BYTES - 1, true), SHADOW_RESOLVED);
	ck_assert(writable(window + HIGH) && writable(window + RAM_BYTES - 1) && !readable(window + RAM_BYTES));
	ck_assert(!readable(window + PAM));
	ck_assert_uint_eq(stats.hidden_faults, 2);
	shadow_audit(sh);
}
END_TEST

/* RAM that is made by the piece is mapped so, and what has grown together is one run. */
START_TEST(test_runs_in_pieces)
{
	const unsigned pieces = 4;

	pm.in_pieces = true;
	for (unsigned i = 0; i < pieces; i++) { /* 0, 2, 1, 3 */
		gva_t at = HIGH + (i == 1 ? 2 : i == 2 ? 1 : i) * PM_PIECE + PAGE_SIZE;
		ck_assert_int_eq(touch(at, true), SHADOW_RESOLVED);
		window[at] = (uint8_t)(at >> 16);
		ck_assert_uint_eq(pm.ram.host[at], (uint8_t)(at >> 16));
		ck_assert_uint_eq(stats.mappings, i == 1 ? 2 : 1);
		ck_assert(writable(alias(at)));
	}
	ck_assert(writable(window + HIGH) && writable(window + HIGH + pieces * PM_PIECE - 1));
	ck_assert(!readable(window + HIGH + pieces * PM_PIECE));
	ck_assert(track_protect(sh, HIGH + PM_PIECE, TRACK_CODE));
	ck_assert(!writable(window + HIGH + PM_PIECE) && writable(window + HIGH + PM_PIECE - 1));
	ck_assert_uint_eq(sh->run_edges, 2);
	/* No edge between two: they stay apart. */
	ck_assert(track_protect(sh, HIGH + pieces * PM_PIECE, TRACK_CODE));
	ck_assert_int_eq(touch(HIGH + pieces * PM_PIECE, false), SHADOW_RESOLVED);
	ck_assert_uint_eq(sh->nruns, 2);
	shadow_audit(sh);
	track_release(sh, HIGH + PM_PIECE, TRACK_CODE);
	track_release(sh, HIGH + pieces * PM_PIECE, TRACK_CODE);
	ck_assert_uint_eq(stats.mappings, sh->nruns + sh->run_edges);
	shadow_audit(sh);
}
END_TEST

START_TEST(test_rom_and_devices)
{
	rom.host[PAGE_SIZE + 0xff0] = 0xea;
	ck_assert_int_eq(touch(0xfffffff0, false), SHADOW_RESOLVED);
	ck_assert_uint_eq(window[0xfffffff0], 0xea);
	ck_assert(!writable(window + 0xfffffff0));
	ck_assert_int_eq(touch(0xfffffff0, true), SHADOW_EMULATE);
	/* RAM that is shown as ROM */
	ck_assert_int_eq(touch(PAM, true), SHADOW_RESOLVED);
	ck_assert(readable(window + PAM) && !writable(window + PAM) && !readable(alias(PAM)));
	ck_assert_int_eq(touch(PAM, true), SHADOW_EMULATE);
	/* devices, holes, guards, and what is none of ours */
	ck_assert_int_eq(touch(VGA, false), SHADOW_EMULATE);
	ck_assert_int_eq(touch(0xe0000, true), SHADOW_EMULATE);
	ck_assert_int_eq(touch(WINDOW_BYTES, false), SHADOW_EMULATE);
	ck_assert_int_eq(shadow_handle_fault(sh, (hva_t)window - 8, false), SHADOW_EMULATE);
	ck_assert_int_eq(shadow_handle_fault(sh, (hva_t)window + SHADOW_PROBE + 2048, false), SHADOW_EMULATE);
	ck_assert_int_eq(shadow_handle_fault(sh, (hva_t)alias(WINDOW_BYTES), true), SHADOW_EMULATE);
	ck_assert_int_eq(shadow_handle_fault(sh, (hva_t)&stats, false), SHADOW_FOREIGN);
	ck_assert_uint_eq(stats.mappings, 2);
}
END_TEST

START_TEST(test_to_linear)
{
	gva_t linear;

	ck_assert(shadow_to_linear(sh, (hva_t)window + 0x12345678, &linear));
	ck_assert_uint_eq(linear, 0x12345678);
	ck_assert(!shadow_to_linear(sh, (hva_t)window - 1, &linear));
	ck_assert(!shadow_to_linear(sh, (hva_t)window + WINDOW_BYTES, &linear));
}
END_TEST

START_TEST(test_map_changes)
{
	ck_assert_int_eq(touch(PAM, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(0, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(BIOS, false), SHADOW_RESOLVED);
	/* PAM: ROM to RAM. What does not change stays mapped. */
	physmem_set_kind(&pm, &pam, PM_RAM, true);
	ck_assert(!readable(window + PAM) && readable(window) && readable(window + BIOS));
	ck_assert_int_eq(touch(PAM, true), SHADOW_RESOLVED);
	ck_assert(writable(window + PAM) && writable(alias(PAM)));
	shadow_audit(sh);
	/* And back: the alias goes, too. */
	physmem_set_kind(&pm, &pam, PM_ROM, true);
	ck_assert(!readable(window + PAM) && !readable(alias(PAM)));
	ck_assert_int_eq(touch(PAM + 1, true), SHADOW_RESOLVED);
	ck_assert(!writable(window + PAM) && !readable(alias(PAM)));
	physmem_enable(&pm, &pam, false);
	ck_assert(!readable(window + PAM));
	ck_assert_int_eq(touch(PAM, false), SHADOW_EMULATE);
	/* A region moves over another one, and away. */
	static struct pm_region bar;
	bar = (struct pm_region){.name = "bar",
				 .kind = PM_RAM,
				 .base = HIGH,
				 .len = 16 * PAGE_SIZE,
				 .priority = PM_PRIO_PCI,
				 .backing = &vram};
	physmem_add(&pm, &bar);
	ck_assert_int_eq(touch(HIGH, false), SHADOW_RESOLVED);
	physmem_enable(&pm, &bar, true);
	ck_assert(!readable(window + HIGH));
	vram.host[5] = 0x99;
	ck_assert_int_eq(touch(HIGH, false), SHADOW_RESOLVED);
	ck_assert_uint_eq(window[HIGH + 5], 0x99);
	ck_assert(!readable(window + HIGH + 16 * PAGE_SIZE));
	physmem_move(&pm, &bar, HIGH + 256 * PAGE_SIZE, true);
	ck_assert(!readable(window + HIGH));
	ck_assert_int_eq(touch(HIGH, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(HIGH + 256 * PAGE_SIZE, false), SHADOW_RESOLVED);
	ck_assert_uint_eq(window[HIGH + 256 * PAGE_SIZE + 5], 0x99);
	shadow_audit(sh);
}
END_TEST

START_TEST(test_a20)
{
	pm.ram.host[0x500] = 1;
	pm.ram.host[HIGH + 0x500] = 2;
	ck_assert_int_eq(touch(HIGH + 0x500, false), SHADOW_RESOLVED);
	ck_assert_uint_eq(window[HIGH + 0x500], 2);
	physmem_set_a20(&pm, false);
	ck_assert(!readable(window + HIGH + 0x500));
	ck_assert_int_eq(touch(HIGH + 0x500, true), SHADOW_RESOLVED);
	ck_assert_uint_eq(window[HIGH + 0x500], 1);
	ck_assert(!readable(window + HIGH + LOW_END)); /* VGA */
	ck_assert_int_eq(touch(HIGH + VGA, false), SHADOW_EMULATE);
	ck_assert(!readable(alias(HIGH + 0x500)) && !readable(alias(0x500)));
	ck_assert_int_eq(touch(2 * MiB, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(3 * MiB, false), SHADOW_RESOLVED);
	pm.ram.host[2 * MiB] = 7;
	ck_assert_uint_eq(window[3 * MiB], 7);
	shadow_audit(sh);
	/* A trace holds at both addresses. */
	ck_assert(track_protect(sh, 2 * MiB, TRACK_CODE));
	ck_assert(!writable(window + 2 * MiB) && !writable(window + 3 * MiB));
	ck_assert_int_eq(touch(3 * MiB, true), SHADOW_TRACED);
	physmem_set_a20(&pm, true);
	ck_assert(!readable(window + 3 * MiB));
	ck_assert_int_eq(touch(3 * MiB, true), SHADOW_RESOLVED);
	ck_assert(writable(window + 3 * MiB) && !writable(window + 2 * MiB));
	shadow_mmu_event(sh, MMU_A20, 0);
}
END_TEST

/* More runs than there is room for: a masked A20 makes one a MiB. */
START_TEST(test_many_runs)
{
	sh->audit = false; /* once, at the end */
	physmem_set_a20(&pm, false);
	ck_assert_uint_gt(RAM_BYTES / MiB, SHADOW_MAX_RUNS);
	for (unsigned turn = 0; turn < 3; turn++)
		for (gva_t at = HIGH; at < RAM_BYTES; at += MiB) {
			uint64_t before = stats.mappings;
			if (!readable(window + at))
				ck_assert_int_eq(touch(at, true), SHADOW_RESOLVED);
			ck_assert(writable(window + at));
			ck_assert_uint_le(stats.mappings, MIN(before + 1, SHADOW_MAX_RUNS));
		}
	shadow_audit(sh);
}
END_TEST

/* --- traces --- */

START_TEST(test_trace_in_every_alias)
{
	ck_assert_int_eq(touch(0, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(COPY, false), SHADOW_RESOLVED);
	ck_assert(track_protect(sh, PAGE + 0x10, TRACK_CODE));
	ck_assert(track_protect(sh, COPY + PAGE, TRACK_CODE)); /* the same page: nothing new */
	ck_assert_uint_eq(stats.traces_set, 1);
	ck_assert(!writable(window + PAGE) && !writable(window + COPY + PAGE) &&
		  readable(window + PAGE + PAGE_SIZE - 1));
	ck_assert(writable(window + PAGE - 1) && writable(window + PAGE + PAGE_SIZE) &&
		  writable(window + COPY + PAGE - 1));
	ck_assert_int_eq(touch(PAGE, true), SHADOW_TRACED);
	ck_assert_int_eq(touch(COPY + PAGE + 5, true), SHADOW_TRACED);
	/* The alias is free of traces, and shows RAM only under its own number. */
	ck_assert(writable(alias(PAGE)));
	ck_assert(!readable(alias(COPY + PAGE)));
	/* Two clients: both must have let go. */
	ck_assert(track_protect(sh, PAGE, TRACK_PAGE_TABLE));
	track_release(sh, PAGE, TRACK_CODE);
	ck_assert(!writable(window + PAGE) && !writable(window + COPY + PAGE));
	track_release(sh, PAGE, TRACK_CODE); /* has none: no harm */
	track_release(sh, PAGE, TRACK_PAGE_TABLE);
	ck_assert(writable(window + PAGE) && writable(window + COPY + PAGE));
	ck_assert_uint_eq(stats.traces_dropped, 1);
	ck_assert(!track_protect(sh, BIOS, TRACK_CODE));
	ck_assert(!track_protect(sh, VGA, TRACK_CODE));
	shadow_audit(sh);
}
END_TEST

/* A trace set before the page is mapped holds when it is; and one of a page that leaves the map is released by its
 * number. */
START_TEST(test_trace_and_map)
{
	ck_assert(track_protect(sh, PAM, TRACK_CODE)); /* RAM shown as ROM */
	ck_assert_int_eq(touch(PAM, false), SHADOW_RESOLVED);
	physmem_set_kind(&pm, &pam, PM_RAM, true);
	ck_assert_int_eq(touch(PAM, false), SHADOW_RESOLVED);
	ck_assert(!writable(window + PAM) && writable(window + PAM + PAGE_SIZE));
	ck_assert_int_eq(touch(PAM, true), SHADOW_TRACED);
	physmem_enable(&pm, &pam, false);
	track_release(sh, PAM, TRACK_CODE);
	physmem_enable(&pm, &pam, true);
	ck_assert_int_eq(touch(PAM, false), SHADOW_RESOLVED);
	ck_assert(writable(window + PAM));
}
END_TEST

enum { SCATTERED = 60, FEW = 16 /* what is left of the least that can be asked for */ };

static gpa_t scattered(unsigned n)
{
	return HIGH + (gpa_t)n * 2 * PAGE_SIZE;
}

/* Each has become a page that is written to with care, and the page behind it is none. */
static void check_scattered(unsigned n)
{
	gpa_t at = scattered(n);

	for (unsigned i = 0; i < 2; i++)
		if (!readable(window + at + i * PAGE_SIZE))
			ck_assert_int_eq(touch(at + i * PAGE_SIZE, false), SHADOW_RESOLVED);
	ck_assert(readable(window + at) && !writable(window + at) && writable(window + at + PAGE_SIZE));
	ck_assert_int_eq(touch(at, true), SHADOW_TRACED);
	ck_assert_uint_le(sh->run_edges, FEW);
}

/* Traced pages all over RAM, more than the host has mappings for: less of it is mapped at once, but all can be. */
START_TEST(test_traces_without_room)
{
	shadow_destroy(sh);
	ck_assert_int_eq(shadow_create(&sh, &(struct shadow_config){.cpu = cpu, .audit = true, .max_mappings = 1}), 0);
	window = (uint8_t *)shadow_window(sh);
	for (unsigned n = 0; n < SCATTERED; n++) {
		ck_assert(track_protect(sh, scattered(n), TRACK_CODE));
		check_scattered(n);
	}
	for (unsigned n = 0; n < SCATTERED; n++)
		check_scattered(n * 7 % SCATTERED);
	for (unsigned n = 0; n < SCATTERED; n++)
		track_release(sh, scattered(n), TRACK_CODE);
	shadow_audit(sh);
	ck_assert_uint_eq(sh->run_edges, 0);
	ck_assert(touch(scattered(3), true) == SHADOW_RESOLVED || writable(window + scattered(3)));
	ck_assert_uint_eq(stats.mappings, sh->nruns + sh->run_edges);
}
END_TEST

static struct {
	unsigned calls, len;
	gpa_t gpa;
	uint8_t data[16], old;
} seen[2];

static void on_traced(void *arg, gpa_t gpa, const uint8_t *data, unsigned len)
{
	unsigned n = *(unsigned *)arg;

	seen[n].calls++;
	seen[n].gpa = gpa;
	seen[n].len = len;
	memcpy(seen[n].data, data, MIN(len, 16u));
	seen[n].old = pm.ram.host[PAGE + (gpa & PAGE_MASK)];
}

START_TEST(test_traced_writes)
{
	static unsigned who[2] = {0, 1};
	uint8_t data[PAGE_SIZE];

	memset(seen, 0, sizeof(seen));
	memset(data, 0xab, sizeof(data));
	track_subscribe(sh, TRACK_CODE, on_traced, &who[0]);
	track_subscribe(sh, TRACK_PAGE_TABLE, on_traced, &who[1]);
	physmem_write(&pm, PAGE, data, 4);
	ck_assert_uint_eq(seen[0].calls, 0);
	track_protect(sh, PAGE, TRACK_CODE);
	pm.ram.host[PAGE + 8] = 0x33;
	physmem_write(&pm, PAGE + 8, data, 4);
	ck_assert_uint_eq(seen[0].calls, 1);
	ck_assert_uint_eq(seen[0].gpa, PAGE + 8);
	ck_assert_uint_eq(seen[0].len, 4);
	ck_assert_uint_eq(seen[0].old, 0x33); /* told before */
	ck_assert_uint_eq(seen[0].data[0], 0xab);
	ck_assert_uint_eq(pm.ram.host[PAGE + 8], 0xab);
	ck_assert_uint_eq(seen[1].calls, 0);
	/* Through another address; across the page's border, cut to the page. */
	physmem_write(&pm, COPY + PAGE + PAGE_SIZE - 3, data, 16);
	ck_assert_uint_eq(seen[0].calls, 2);
	ck_assert_uint_eq(seen[0].len, 3);
	physmem_write(&pm, PAGE - 16, data, 17);
	ck_assert_uint_eq(seen[0].calls, 3);
	ck_assert_uint_eq(seen[0].gpa, PAGE);
	ck_assert_uint_eq(seen[0].len, 1);
	track_protect(sh, PAGE, TRACK_PAGE_TABLE);
	physmem_write(&pm, PAGE, data, PAGE_SIZE);
	ck_assert_uint_eq(seen[0].calls, 4);
	ck_assert_uint_eq(seen[1].calls, 1);
	ck_assert_uint_eq(stats.traced_writes, 4);
}
END_TEST

START_TEST(test_watched)
{
	const uint8_t *w = shadow_watched(sh);
	unsigned g = PAGE / SHADOW_GRANULE;

	/* One byte: its granule, and the one before, from which stores may reach into it. */
	track_watch(sh, PAGE, 1, true);
	ck_assert(w[g] == 1 && w[g - 1] == 1 && w[g - 2] == 0 && w[g + 1] == 0);
	/* Up to the last byte of a granule, and one beyond. */
	track_watch(sh, PAGE + 10, SHADOW_GRANULE - 10, true);
	ck_assert(w[g] == 2 && w[g + 1] == 0);
	track_watch(sh, PAGE + 10, SHADOW_GRANULE - 9, true);
	ck_assert(w[g] == 3 && w[g + 1] == 1);
	track_watch(sh, PAGE + 10, SHADOW_GRANULE - 9, false);
	track_watch(sh, PAGE + 10, SHADOW_GRANULE - 10, false);
	track_watch(sh, PAGE, 1, false);
	ck_assert(w[g] == 0 && w[g - 1] == 0 && w[g + 1] == 0);
	/* The first granule has none before it; what no alias shows is not watched. */
	track_watch(sh, 0, SHADOW_GRANULE, true);
	ck_assert(w[0] == 1 && w[1] == 0);
	track_watch(sh, WINDOW_BYTES, 64, true);
	track_watch(sh, WINDOW_BYTES - 64, 65, true);
	track_watch(sh, WINDOW_BYTES - 64, 64, true);
	ck_assert_uint_eq(w[GRANULES - 1], 1);
	/* Too many: it stays watched. */
	for (unsigned i = 0; i < 300; i++)
		track_watch(sh, PAGE, 1, true);
	for (unsigned i = 0; i < 300; i++)
		track_watch(sh, PAGE, 1, false);
	ck_assert_uint_ne(w[g], 0);
}
END_TEST

/* --- the audit --- */

static void *map_file(void *at, const struct pm_backing *b, uint64_t offset, int prot)
{
	return mmap(at, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED, b->fd, (off_t)offset);
}

static void plant(unsigned n)
{
	switch (n) {
	case 0: /* a page without a run */
		map_file(window + HIGH, &pm.ram, HIGH, PROT_READ);
		break;
	case 1: /* the guards */
		map_file(window + WINDOW_BYTES - PAGE_SIZE, &pm.ram, 0, PROT_READ);
		mmap(window - PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, pm.ram.fd, 0);
		break;
	case 2: /* the wrong page */
		map_file(window + PAGE, &pm.ram, PAGE + PAGE_SIZE, PROT_READ);
		break;
	case 3: /* another file */
		map_file(window + PAGE, &vram, 0, PROT_READ);
		break;
	case 4: /* writable ROM */
		mprotect(window + BIOS, PAGE_SIZE, PROT_READ | PROT_WRITE);
		break;
	case 5: /* a writable traced page */
		mprotect(window + PAGE, PAGE_SIZE, PROT_READ | PROT_WRITE);
		break;
	case 6: /* executable guest memory */
		mprotect(window + PAGE + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_EXEC);
		break;
	case 7: /* an alias of what is not in the window */
		map_file(alias(HIGH), &pm.ram, HIGH, PROT_READ | PROT_WRITE);
		break;
	case 8: /* an alias of the wrong page */
		map_file(alias(PAGE), &pm.ram, PAGE + PAGE_SIZE, PROT_READ | PROT_WRITE);
		break;
	case 9: /* of RAM under another number */
		map_file(alias(COPY + PAGE), &pm.ram, PAGE, PROT_READ | PROT_WRITE);
		break;
	case 10: /* of ROM */
		map_file(alias(BIOS), &rom, PAGE_SIZE, PROT_READ | PROT_WRITE);
		break;
	case 11: /* a run of what the map no longer shows */
		pm.nspans = 1;
		pm.spans[0].region = NULL;
		break;
	}
}

enum { PLANTS = 12 };

/* _i: what is planted; PLANTS: nothing, and the audit is content. */
START_TEST(test_audit)
{
	pid_t child;
	int status;

	ck_assert_int_eq(touch(0, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(COPY, false), SHADOW_RESOLVED);
	ck_assert_int_eq(touch(BIOS, false), SHADOW_RESOLVED);
	ck_assert(track_protect(sh, PAGE, TRACK_CODE));
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 2);
		plant((unsigned)_i);
		shadow_audit(sh);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (_i == PLANTS)
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "violation %d is not found", _i);
}
END_TEST

START_TEST(test_two_windows)
{
	struct shadow *other;
	struct shadow_config cfg = {.cpu = cpu, .audit = true};

	ck_assert_int_eq(shadow_create(&other, &cfg), 0);
	ck_assert_uint_ne(shadow_window(other), shadow_window(sh));
	ck_assert_int_eq(shadow_handle_fault(other, shadow_window(other) + 5, true), SHADOW_RESOLVED);
	ck_assert(!readable(window + 5));
	ck_assert_int_eq(shadow_handle_fault(sh, shadow_window(other) + 5, true), SHADOW_FOREIGN);
	shadow_destroy(other);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("window");
	TCase *t = tcase_create("window");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_layout);
	tcase_add_test(t, test_runs);
	tcase_add_test(t, test_runs_in_pieces);
	tcase_add_test(t, test_rom_and_devices);
	tcase_add_test(t, test_to_linear);
	tcase_add_test(t, test_map_changes);
	tcase_add_test(t, test_a20);
	tcase_add_test(t, test_many_runs);
	tcase_add_test(t, test_trace_in_every_alias);
	tcase_add_test(t, test_trace_and_map);
	tcase_add_test(t, test_traces_without_room);
	tcase_add_test(t, test_traced_writes);
	tcase_add_test(t, test_watched);
	tcase_add_loop_test(t, test_audit, 0, PLANTS + 1);
	tcase_add_test(t, test_two_windows);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
