/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile virtio driver: block, entropy and console devices whose rings, tables, buffers, registers and configuration
 * space hold anything, with buffers that lie in rings and registers too. Whatever it has done, the devices come back
 * within the work a slice allows, the disk keeps its size, and after a reset they serve an honest driver.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_rng.h"
#include "fuzz.h"

/* clang-format off */
enum {
	RAM_SIZE = 1024 * 1024,
	DISK_SIZE = 256 * 1024,
	DEVICES = 3,
	STEPS = 400,
	/* where the driver keeps its things, so that they meet */
	AREA = 0x8000, AREA_LEN = 0x8000,
	RING_SIZE = 128, AVAIL = 0x800, USED = 0x1000, HEADER = 0x1800, INDIRECT_TABLE = 0x1900,
	PORTS = 0xc000, PORTS_STRIDE = 0x100,
	REGISTERS = 0xfe000000, REGISTERS_STRIDE = 0x10000, TABLES = 0xfe100000,
};
#define RING(n) ((gpa_t)(AREA + (n) * 0x2000)) /* of device n; offsets in it above */
/* clang-format on */

struct machine {
	struct rng r;
	struct clock clock;
	struct physmem pm;
	struct pm_region ram;
	struct bus ports;
	struct pci_bus pci;
	struct image disk;
	struct virtio_blk blk;
	struct virtio_rng rng;
	struct virtio_console console;
	struct virtio_pci *dev[DEVICES];
	uint64_t sent;
	bool orderly; /* the driver mostly does what it should */
};

static void set_mem(struct machine *m, gpa_t at, unsigned size, uint64_t v)
{
	physmem_write(&m->pm, at, &v, size);
}

static uint64_t mem(struct machine *m, gpa_t at, unsigned size)
{
	uint64_t v = 0;
	physmem_read(&m->pm, at, &v, size);
	return v;
}

static void count_sent(void *arg, const uint8_t *buf, size_t len)
{
	struct machine *m = arg;
	m->sent += len;
}

static void enable(struct virtio_pci *d, unsigned n)
{
	pci_config_write(&d->pci, PCI_BAR0, 4, PORTS + n * PORTS_STRIDE);
	pci_config_write(&d->pci, PCI_BAR0 + 4, 4, TABLES + n * PAGE_SIZE);
	pci_config_write(&d->pci, PCI_BAR0 + 16, 4, REGISTERS + n * REGISTERS_STRIDE);
	pci_config_write(&d->pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
}

static bool make_disk(struct machine *m)
{
	int fd = memfd_create("fuzz-disk", MFD_CLOEXEC);
	char path[64], err[256];

	if (fd < 0 || ftruncate(fd, DISK_SIZE) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (image_open(&m->disk, path, rng_percent(&m->r, 10) ? IMAGE_READONLY : 0, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		return false;
	}
	close(fd);
	return true;
}

static bool machine_init(struct machine *m, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	m->r = rng_seeded(seed);
	m->orderly = rng_percent(&m->r, 70);
	clock_init(&m->clock, true);
	if (physmem_init(&m->pm, RAM_SIZE) < 0 || !make_disk(m))
		return false;
	m->ram =
	    (struct pm_region){.name = "ram", .kind = PM_RAM, .len = RAM_SIZE, .enabled = true, .backing = &m->pm.ram};
	physmem_add(&m->pm, &m->ram);
	bus_init(&m->ports);
	pci_bus_init(&m->pci, &m->ports, &m->pm);
	virtio_blk_init(&m->blk, &m->pm, &m->clock, &m->disk, "fuzz");
	virtio_rng_init(&m->rng, &m->pm, &m->clock);
	virtio_console_init(&m->console, &m->pm, &m->clock, count_sent, m);
	m->dev[0] = &m->blk.transport;
	m->dev[1] = &m->rng.transport;
	m->dev[2] = &m->console.transport;
	for (unsigned n = 0; n < DEVICES; n++) {
		pci_attach(&m->dev[n]->pci, &m->pci, PCI_DEVFN(4 + n, 0));
		enable(m->dev[n], n);
	}
	return true;
}

static void machine_destroy(struct machine *m)
{
	image_close(&m->disk);
	physmem_destroy(&m->pm);
}

/* --- what the driver may come up with --- */

/* Mostly near its own things, sometimes at registers, at borders, anywhere. */
static uint64_t any_address(struct machine *m)
{
	unsigned n = rng_below(&m->r, DEVICES);

	switch (rng_below(&m->r, 16)) {
	case 0:
		return REGISTERS + n * REGISTERS_STRIDE + rng_below(&m->r, 64) * 4;
	case 1:
		return REGISTERS + n * REGISTERS_STRIDE + rng_below(&m->r, 4) * 0x1000;
	case 2:
		return RAM_SIZE - rng_below(&m->r, 64);
	case 3:
		return rng_u64(&m->r);
	case 4:
		return TABLES + n * PAGE_SIZE + rng_below(&m->r, 64);
	default:
		return AREA + rng_below(&m->r, AREA_LEN / 64) * 64;
	}
}

static uint32_t any_length(struct machine *m)
{
	static const uint32_t some[] = {0, 1, 16, 20, 512, 513, 1024, 4096, 65536, 1 << 20, UINT32_MAX};
	return rng_percent(&m->r, 80) ? RNG_PICK(&m->r, some) : rng_below(&m->r, 2048);
}

static void any_descriptor(struct machine *m, gpa_t at)
{
	static const uint16_t flags[] = {0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 7, 0xffff};

	set_mem(m, at, 8, any_address(m));
	set_mem(m, at + 8, 4, any_length(m));
	set_mem(m, at + 12, 2, RNG_PICK(&m->r, flags));
	set_mem(m, at + 14, 2, rng_percent(&m->r, 95) ? rng_below(&m->r, 8) : rng_u32(&m->r));
}

/* A block request that makes sense as far as it goes. */
static void any_header(struct machine *m, gpa_t at)
{
	static const uint32_t types[] = {0, 0, 0, 1, 1, 4, 8, 11, 13, 99};

	set_mem(m, at, 8, RNG_PICK(&m->r, types));
	set_mem(m, at + 8, 8, rng_percent(&m->r, 90) ? rng_below(&m->r, DISK_SIZE / 512 + 4) : rng_u64(&m->r));
}

static void change_memory(struct machine *m)
{
	gpa_t at = AREA + rng_below(&m->r, AREA_LEN / 64) * 64;

	switch (rng_below(&m->r, 4)) {
	case 0: /* an available ring */
		set_mem(m, at, 2, rng_below(&m->r, 2));
		set_mem(m, at + 2, 2, rng_percent(&m->r, 80) ? rng_below(&m->r, 8) : rng_u32(&m->r));
		for (unsigned i = 0; i < 8; i++)
			set_mem(m, at + 4 + i * 2, 2, rng_below(&m->r, 10));
		break;
	case 1:
		any_header(m, at);
		break;
	default:
		for (unsigned i = 0; i < 8; i++)
			any_descriptor(m, at + i * 16);
	}
}

static void set_up_queue(struct machine *m, unsigned n)
{
	gpa_t regs = REGISTERS + n * REGISTERS_STRIDE;
	unsigned queue = rng_below(&m->r, 3);

	if (rng_percent(&m->r, 40)) {
		bus_write(&m->ports, (uint16_t)(PORTS + n * PORTS_STRIDE + 14), 2, queue);
		bus_write(&m->ports, (uint16_t)(PORTS + n * PORTS_STRIDE + 8), 4, (uint32_t)(any_address(m) >> 12));
		return;
	}
	set_mem(m, regs + 22, 2, queue);
	set_mem(m, regs + 24, 2, 1u << rng_below(&m->r, 9));
	set_mem(m, regs + 32, 8, any_address(m));
	set_mem(m, regs + 40, 8, any_address(m));
	set_mem(m, regs + 48, 8, any_address(m));
	set_mem(m, regs + 28, 2, 1);
}

static void begin(struct machine *m, unsigned n)
{
	gpa_t regs = REGISTERS + n * REGISTERS_STRIDE;

	if (rng_percent(&m->r, 30))
		set_mem(m, regs + 20, 1, 0);
	set_mem(m, regs + 20, 1, 3);
	for (unsigned half = 0; half < 2; half++) {
		set_mem(m, regs + 8, 4, half);
		set_mem(m, regs + 12, 4, rng_percent(&m->r, 50) ? rng_u32(&m->r) | half : UINT32_MAX);
	}
	set_mem(m, regs + 20, 1, 11);
	for (unsigned i = 0; i < 2; i++)
		set_up_queue(m, n);
	set_mem(m, regs + 20, 1, 15);
}

/* Rings where they belong, the same for all queues of a device. */
static void begin_well(struct machine *m, unsigned n)
{
	gpa_t regs = REGISTERS + n * REGISTERS_STRIDE;

	set_mem(m, regs + 20, 1, 0);
	set_mem(m, RING(n) + AVAIL + 2, 2, 0);
	set_mem(m, regs + 8, 4, 0);
	set_mem(m, regs + 12, 4, rng_u32(&m->r));
	set_mem(m, regs + 8, 4, 1);
	set_mem(m, regs + 12, 4, 1);
	set_mem(m, regs + 20, 1, 11);
	for (unsigned queue = 0; queue < m->dev[n]->virtio->ops->queues; queue++) {
		set_mem(m, regs + 22, 2, queue);
		set_mem(m, regs + 24, 2, RING_SIZE);
		set_mem(m, regs + 32, 8, RING(n));
		set_mem(m, regs + 40, 8, RING(n) + AVAIL);
		set_mem(m, regs + 48, 8, RING(n) + USED);
		set_mem(m, regs + 28, 2, 1);
	}
	set_mem(m, regs + 20, 1, 15);
}

static void put_descriptor(struct machine *m, gpa_t at, uint64_t address, uint32_t len, unsigned flags, unsigned next)
{
	set_mem(m, at, 8, address);
	set_mem(m, at + 8, 4, len);
	set_mem(m, at + 12, 2, flags);
	set_mem(m, at + 14, 2, next);
	if (rng_percent(&m->r, 4))
		any_descriptor(m, at);
}

/* A request as it should be but for one thing or another, several times over. */
static void submit(struct machine *m, unsigned n)
{
	static const uint32_t lengths[] = {16, 20, 512, 1024, 4096, 65536, 512 * 1024, 4 << 20};
	gpa_t ring = RING(n), table = ring, header = ring + HEADER;
	unsigned count = rng_percent(&m->r, 90) ? 1 : rng_below(&m->r, RING_SIZE + 1);
	uint16_t idx = (uint16_t)mem(m, ring + AVAIL + 2, 2);
	bool to_guest = rng_percent(&m->r, 50);

	any_header(m, header);
	if (rng_percent(&m->r, 30)) {
		table = ring + INDIRECT_TABLE;
		put_descriptor(m, ring, table, 3 * 16, 4, 0);
	}
	put_descriptor(m, table, header, 16, 1, 1);
	put_descriptor(m, table + 16, rng_percent(&m->r, 70) ? 0x40000 : any_address(m), RNG_PICK(&m->r, lengths),
		       to_guest ? 3 : 1, 2);
	put_descriptor(m, table + 32, header + 32, 1, 2, 0);
	if (rng_percent(&m->r, 20)) { /* what a discard says */
		set_mem(m, 0x40000, 8, rng_below(&m->r, DISK_SIZE / 512 + 4));
		set_mem(m, 0x40008, 8, rng_below(&m->r, 20) | (uint64_t)rng_below(&m->r, 3) << 32);
	}
	for (unsigned i = 0; i < count; i++)
		set_mem(m, ring + AVAIL + 4 + 2 * ((idx + i) % RING_SIZE), 2,
			rng_percent(&m->r, 98) ? 0 : rng_u32(&m->r));
	set_mem(m, ring + AVAIL + 2, 2, idx + count);
	set_mem(m, REGISTERS + n * REGISTERS_STRIDE + 0x3000 + 4 * rng_below(&m->r, 2), 2, 0);
}

static void touch_anything(struct machine *m, unsigned n)
{
	static const unsigned sizes[] = {1, 2, 4};
	unsigned size = RNG_PICK(&m->r, sizes);
	gpa_t at = REGISTERS + n * REGISTERS_STRIDE + rng_below(&m->r, 4) * 0x1000 + rng_below(&m->r, 64 / size) * size;
	uint16_t port = (uint16_t)(PORTS + n * PORTS_STRIDE + rng_below(&m->r, 32 / size) * size);
	unsigned reg = 0x40 + rng_below(&m->r, 0xc0 / size) * size;

	switch (rng_below(&m->r, 6)) {
	case 0:
		set_mem(m, at, size, rng_u32(&m->r));
		break;
	case 1:
		mem(m, at, size);
		break;
	case 2:
		bus_write(&m->ports, port, size, rng_u32(&m->r));
		break;
	case 3:
		bus_read(&m->ports, port, size);
		break;
	case 4:
		pci_config_write(&m->dev[n]->pci, reg, size, rng_u32(&m->r) >> rng_below(&m->r, 32));
		break;
	default:
		pci_config_read(&m->dev[n]->pci, reg, size);
	}
}

static void step(struct machine *m)
{
	unsigned n = rng_below(&m->r, DEVICES), what = rng_below(&m->r, 100);
	uint8_t input[16] = {0};

	if (m->orderly && what < 85) {
		if (what < 10 || (m->dev[n]->virtio->status & VIRTIO_NEEDS_RESET))
			begin_well(m, n);
		submit(m, n);
	} else if (what < 35)
		change_memory(m);
	else if (what < 45)
		begin(m, n);
	else if (what < 75)
		set_mem(m, REGISTERS + n * REGISTERS_STRIDE + 0x3000 + 4 * rng_below(&m->r, 3), 2, 0);
	else if (what < 80)
		bus_write(&m->ports, (uint16_t)(PORTS + n * PORTS_STRIDE + 16), 2, rng_below(&m->r, 4));
	else if (what < 90)
		touch_anything(m, n);
	else if (what < 95)
		virtio_console_receive(&m->console, input, rng_below(&m->r, 17));
	else
		clock_advance(&m->clock, rng_below(&m->r, 50000));
}

/* --- afterwards --- */

/* An honest driver of the legacy interface: one request, which must come back with `written` bytes. */
static bool serves(struct machine *m, unsigned n, unsigned queue, uint64_t second, uint32_t second_len,
		   uint32_t written)
{
	const gpa_t rings = 0x40000, header = 0x50000;
	uint16_t ports = (uint16_t)(PORTS + n * PORTS_STRIDE);
	static const uint8_t zeros[0x4000];

	physmem_write(&m->pm, rings, zeros, sizeof(zeros));
	physmem_write(&m->pm, header, zeros, 64);
	bus_write(&m->ports, (uint16_t)(ports + 18), 1, 3);
	bus_write(&m->ports, (uint16_t)(ports + 14), 2, queue);
	bus_write(&m->ports, (uint16_t)(ports + 8), 4, rings >> 12);
	bus_write(&m->ports, (uint16_t)(ports + 18), 1, 7);
	set_mem(m, rings, 8, header);
	set_mem(m, rings + 8, 4, 16);
	set_mem(m, rings + 12, 2, second_len ? 1 : 0);
	set_mem(m, rings + 14, 2, 1);
	set_mem(m, rings + 16, 8, second);
	set_mem(m, rings + 24, 4, second_len);
	set_mem(m, rings + 28, 2, 2);
	set_mem(m, rings + 16 * VIRTIO_QUEUE_SIZE + 2, 2, 1);
	bus_write(&m->ports, (uint16_t)(ports + 16), 2, queue);
	if (mem(m, rings + 0x1002, 2) == 1 && mem(m, rings + 0x1008, 4) == written)
		return true;
	fprintf(stderr, "device %u: %llu requests came back, with %llu bytes\n", n,
		(unsigned long long)mem(m, rings + 0x1002, 2), (unsigned long long)mem(m, rings + 0x1008, 4));
	return false;
}

static bool check(struct machine *m)
{
	uint64_t sent;

	if (m->disk.size != DISK_SIZE || lseek(m->disk.fd, 0, SEEK_END) != DISK_SIZE) {
		fprintf(stderr, "the disk has another size\n");
		return false;
	}
	virtio_blk_reset(&m->blk);
	virtio_rng_reset(&m->rng);
	virtio_console_reset(&m->console);
	if (clock_next(&m->clock) != CLOCK_NEVER) {
		fprintf(stderr, "a timer has outlived the reset\n");
		return false;
	}
	for (unsigned n = 0; n < DEVICES; n++)
		enable(m->dev[n], n);
	sent = m->sent;
	if (!serves(m, 0, 0, 0x60000, 513, 513) || !serves(m, 2, 1, 0, 0, 0))
		return false;
	/* The entropy device has nothing to read: its one buffer is the second. */
	return m->sent == sent + 16 && serves(m, 1, 0, 0x60000, 100, 100);
}

static bool run(uint64_t seed, const char *variant)
{
	static struct machine m;
	bool ok = false;

	if (machine_init(&m, seed)) {
		for (unsigned i = 0; i < STEPS; i++)
			step(&m);
		ok = check(&m);
	}
	machine_destroy(&m);
	return ok;
}

int main(int argc, char **argv)
{
	return fuzz_main(argc, argv, &(struct fuzzer){.name = "fuzz_virtio", .run = run, .case_seconds = 10});
}
