/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A board with a PIIX3 IDE function and images in temporary files, for the tests of disks and CD-ROMs. */
#ifndef GNOMON_TESTS_IDE_FIXTURE_H
#define GNOMON_TESTS_IDE_FIXTURE_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/piix_ide.h"

enum { RAM = 8 * 1024 * 1024, BMIBA = 0xc000, PRDT = 0x1000 };

static struct physmem pm;
static struct bus ports;
static struct pci_bus pci;
static struct piix_ide ide;
static struct clock clk;
static struct pm_region ram;
static bool irq[2];
static unsigned irqs[2]; /* rising edges */

static void fixture_irq(void *to, int n, bool level)
{
	irqs[n] += level && !irq[n];
	irq[n] = level;
}

static void fixture_setup(void)
{
	struct irq_line lines[2] = {{fixture_irq, NULL, 0}, {fixture_irq, NULL, 1}};

	memset(irq, 0, sizeof(irq));
	memset(irqs, 0, sizeof(irqs));
	ck_assert_int_eq(physmem_init(&pm, RAM), 0);
	ram = (struct pm_region){.name = "ram", .kind = PM_RAM, .len = RAM, .enabled = true, .backing = &pm.ram};
	physmem_add(&pm, &ram);
	bus_init(&ports);
	clock_init(&clk, true);
	clock_start(&clk);
	ck_assert_int_eq(pci_bus_init(&pci, &ports, &pm), 0);
	ck_assert_int_eq(piix_ide_init(&ide, &pci, &clk, lines), 0);
}

static void fixture_enable_master(void)
{
	pci_config_write(&ide.pci, PCI_BAR0 + 16, 4, BMIBA);
	pci_config_write(&ide.pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}

/* A file of `size` bytes; block i (of `block` bytes) begins with i in 8 bytes. */
static inline void make_file(char *path, uint64_t size, unsigned block)
{
	static uint8_t chunk[1 << 20];
	int fd;

	strcpy(path, "/tmp/gnomon-test-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	for (uint64_t at = 0; at < size; at += sizeof(chunk)) {
		memset(chunk, 0, sizeof(chunk));
		for (uint64_t i = 0; i < sizeof(chunk); i += block)
			store_le(chunk + i, 8, (at + i) / block);
		ck_assert_int_eq(pwrite(fd, chunk, MIN(sizeof(chunk), size - at), (off_t)at),
				 (int)MIN(sizeof(chunk), size - at));
	}
	close(fd);
}

static inline uint8_t in8(unsigned port)
{
	return (uint8_t)bus_read(&ports, (uint16_t)port, 1);
}

static inline void out8(unsigned port, unsigned value)
{
	bus_write(&ports, (uint16_t)port, 1, value);
}

static inline uint8_t read_status(void)
{
	return in8(0x1f7);
}

/* The data port, 16 bits at a time. */
static inline void take(void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i += 2) {
		uint16_t w = (uint16_t)bus_read(&ports, 0x1f0, 2);
		memcpy((uint8_t *)buf + i, &w, 2);
	}
}

static inline void give(const void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i += 2)
		bus_write(&ports, 0x1f0, 2, (uint32_t)load_le((const uint8_t *)buf + i, 2));
}

static inline void put_prd(unsigned n, uint32_t address, unsigned len, bool last)
{
	uint32_t prd[2] = {address, (len & 0xffff) | (last ? 0x80000000u : 0)};
	physmem_write(&pm, PRDT + n * 8, prd, 8);
}

static inline void master_start(bool to_memory)
{
	bus_write(&ports, BMIBA + 4, 4, PRDT);
	out8(BMIBA + 2, 6);
	out8(BMIBA, to_memory ? 9 : 1);
}

#endif
