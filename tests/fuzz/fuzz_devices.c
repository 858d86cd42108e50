/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random accesses to every port and every device window of the whole board, with RAM full of what descriptors and rings
 * look like, so that DMA goes anywhere. Every access comes back soon, and nothing crashes (best run with the
 * sanitizers).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_board.h"

enum { STEPS = 4000 };
#define ACCESS_NS (500 * NS_PER_MS) /* the longest that one access may take, with room for a busy host */

static uint32_t interesting(struct rng *r)
{
	static const uint32_t pool[] = {0,	    1,		2,	 3,	  7,	      8,	  0x10,
					0x20,	    0x40,	0x7f,	 0x80,	  0xa0,	      0xc0,	  0xec,
					0xef,	    0xf0,	0xff,	 0x100,	  0x1f0,      0x200,	  0xfff,
					0x1000,	    0x7fff,	0x8000,	 0xffff,  0x10000,    0x7fffffff, 0x80000000,
					0xfffffff0, 0xffffffff, 8 << 20, 0xa0000, 0xfee00000, 0xfec00000};

	switch (rng_below(r, 4)) {
	case 0:
		return rng_u32(r);
	case 1:
		return rng_u32(r) >> rng_below(r, 32);
	default:
		return RNG_PICK(r, pool);
	}
}

static void fill_memory(struct board_fuzz *f)
{
	uint32_t at = rng_below(&f->r, 8 << 20) & ~15u;

	for (unsigned i = 0, n = rng_below(&f->r, 64); i < n; i++) {
		uint32_t value = rng_percent(&f->r, 40) ? rng_below(&f->r, 8 << 20) & ~3u : interesting(&f->r);
		physmem_write(&f->vm->pm, at + 4 * i, &value, 4);
	}
}

static void access_port(struct board_fuzz *f, uint16_t port)
{
	struct vm *vm = f->vm;
	unsigned size = 1u << rng_below(&f->r, 3);

	if (rng_percent(&f->r, 35))
		bus_read(&vm->board.ports, port, size);
	else
		bus_write(&vm->board.ports, port, size, interesting(&f->r));
}

/* Drivers write many registers of one device. */
static void ports_of_one_device(struct board_fuzz *f)
{
	struct bus *bus = &f->vm->board.ports;

	for (unsigned n = 1 + rng_below(&f->r, 12); n; n--) {
		/* The table may change at any write. */
		const struct bus_range *range = &bus->ranges[rng_below(&f->r, bus->count)];
		unsigned burst = 1 + rng_below(&f->r, 8);
		uint32_t base = range->base, len = range->len;
		while (burst--)
			access_port(f, (uint16_t)(base + rng_below(&f->r, len)));
	}
}

static void configure_pci(struct board_fuzz *f)
{
	struct bus *bus = &f->vm->board.ports;
	static const uint8_t registers[] = {4,	  4,	4,    0x10, 0x14, 0x18, 0x1c, 0x20, 0x20, 0x24, 0x30,
					    0x3c, 0x40, 0x58, 0x59, 0x5a, 0x5f, 0x60, 0x72, 0x80, 0x90};
	unsigned reg = rng_percent(&f->r, 70) ? RNG_PICK(&f->r, registers) : rng_below(&f->r, 256);
	uint32_t address = 0x80000000u | rng_below(&f->r, 8) << 11 | rng_below(&f->r, 4) << 8 | (reg & 0xfc);
	uint32_t value = reg == 4 ? rng_below(&f->r, 8) : interesting(&f->r);

	bus_write(bus, 0xcf8, 4, address);
	if (rng_percent(&f->r, 20))
		bus_read(bus, (uint16_t)(0xcfc + (reg & 3)), 1);
	else
		bus_write(bus, (uint16_t)(0xcfc + (reg & 3)), reg & 3 ? 1 : 4, value);
}

static void access_windows(struct board_fuzz *f)
{
	struct physmem *pm = &f->vm->pm;

	for (unsigned n = 1 + rng_below(&f->r, 12); n; n--) {
		const struct pm_span *span = &pm->spans[rng_below(&f->r, pm->nspans)];
		uint64_t at =
		    span->base + (rng_u64(&f->r) % MIN(span->len, (uint64_t)(rng_percent(&f->r, 50) ? 0x400 : MiB)));
		unsigned len = rng_percent(&f->r, 90) ? 1u << rng_below(&f->r, 4) : 1 + rng_below(&f->r, 64);
		uint8_t buf[64];
		for (unsigned i = 0; i < sizeof(buf); i += 4)
			store_le(buf + i, 4, interesting(&f->r));
		if (rng_percent(&f->r, 40))
			physmem_read(pm, at, buf, len);
		else
			physmem_write(pm, at, buf, len);
	}
}

/* A command to the DMA interface of fw_cfg (ports 514-51b, big-endian). */
static void fw_cfg_dma(struct board_fuzz *f)
{
	uint32_t at = rng_below(&f->r, 8 << 20) & ~15u;
	uint32_t control =
	    (rng_u32(&f->r) & 0x1f) | (rng_percent(&f->r, 60) ? rng_below(&f->r, 0x40) << 16 : rng_u32(&f->r));
	uint32_t length = rng_percent(&f->r, 70) ? rng_below(&f->r, 8192) : interesting(&f->r);
	uint64_t address = rng_percent(&f->r, 80) ? rng_below(&f->r, 8 << 20) : rng_u64(&f->r);
	uint8_t command[16];

	store_le(command, 4, __builtin_bswap32(control));
	store_le(command + 4, 4, __builtin_bswap32(length));
	store_le(command + 8, 8, __builtin_bswap64(address));
	physmem_write(&f->vm->pm, at, command, sizeof(command));
	bus_write(&f->vm->board.ports, 0x514, 4, 0);
	bus_write(&f->vm->board.ports, 0x518, 4, __builtin_bswap32(at));
}

static void look_at_screen(struct board_fuzz *f)
{
	static struct vga_text_screen screen;
	struct picture p = {0};

	vga_text_cells(&f->vm->board.vga, &screen);
	vga_render(&f->vm->board.vga, &p);
	picture_free(&p);
}

static void cpu_side(struct board_fuzz *f)
{
	struct board *b = &f->vm->board;
	uint64_t value;

	switch (rng_below(&f->r, 6)) {
	case 0:
		board_intr_ack(b);
		break;
	case 1:
		board_apic_msr_write(b, rng_percent(&f->r, 50) ? 0x1b : 0x800 + rng_below(&f->r, 0x40),
				     interesting(&f->r));
		break;
	case 2:
		board_apic_msr_read(b, 0x800 + rng_below(&f->r, 0x40), &value);
		break;
	case 3:
		board_cr8_write(b, rng_below(&f->r, 16));
		break;
	case 4:
		board_ferr(b, rng_percent(&f->r, 50));
		break;
	default:
		if (rng_percent(&f->r, 5))
			vm_reset(f->vm);
	}
}

static void one_step(struct board_fuzz *f)
{
	switch (rng_below(&f->r, 16)) {
	case 0:
		fill_memory(f);
		break;
	case 1:
		configure_pci(f);
		break;
	case 2:
	case 3:
	case 4:
		access_windows(f);
		break;
	case 5:
		fw_cfg_dma(f);
		break;
	case 6:
		cpu_side(f);
		break;
	case 7:
	case 8:
		/* Not more than a few milliseconds: the work grows with the time. */
		clock_advance(&f->vm->clock, rng_u32(&f->r) >> (8 + rng_below(&f->r, 24)));
		break;
	case 9:
		if (rng_percent(&f->r, 5))
			look_at_screen(f);
		break;
	case 10:
		access_port(f, (uint16_t)rng_u32(&f->r));
		break;
	default:
		ports_of_one_device(f);
	}
}

static bool run_case(uint64_t seed, const char *variant)
{
	struct board_fuzz f;
	bool ok = true;

	board_fuzz_init(&f, seed, true);
	for (unsigned i = 0; i < STEPS && ok; i++) {
		uint64_t before = host_now_ns();
		one_step(&f);
		if (host_now_ns() - before > ACCESS_NS) {
			fprintf(stderr, "step %u took %.1f s\n", i, (double)(host_now_ns() - before) / 1e9);
			ok = false;
		}
	}
	board_fuzz_destroy(&f);
	return ok;
}

int main(int argc, char **argv)
{
	return fuzz_main(argc, argv, &(struct fuzzer){.name = "fuzz_devices", .run = run_case, .case_seconds = 60});
}
