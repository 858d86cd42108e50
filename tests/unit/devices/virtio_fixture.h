/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bus with a virtio device on it and the driver's side of its queues, over the legacy or the version 1 interface. */
#ifndef GNOMON_TESTS_VIRTIO_FIXTURE_H
#define GNOMON_TESTS_VIRTIO_FIXTURE_H

#include "chip_fixture.h"
#include "devices/virtio_pci.h"

/* clang-format off */
enum {
	RAM_SIZE = 8 * 1024 * 1024,
	PORTS = 0xc000, REGISTERS = 0xfe000000, TABLE = 0xfe100000, /* BARs 0, 4, 1 */
	/* rings of queue n: */
	RINGS = 0x10000, RINGS_LEN = 0x4000,

	NEXT = 1, WRITE = 2, INDIRECT = 4,
	F_INDIRECT = 1 << 28, F_EVENT = 1 << 29,
};
/* clang-format on */

static struct physmem pm;
static struct bus ports;
static struct pci_bus pci;
static struct pm_region ram;
static struct virtio_pci *dev;
static struct probe pirq[4];
static bool modern; /* which interface the driver uses */

static struct {
	uint64_t address;
	uint32_t data;
	unsigned count;
} msi;

/* The driver's side of a queue. */
static struct queue {
	unsigned n, size;
	gpa_t desc, avail, used;
	uint16_t avail_idx, used_idx; /* produced; consumed */
} queues[VIRTIO_MAX_QUEUES];

static void got_msi(void *arg, uint64_t address, uint32_t data)
{
	msi.address = address;
	msi.data = data;
	msi.count++;
}

static void bus_setup(void)
{
	clock_init(&clk, true);
	clock_start(&clk);
	ck_assert_int_eq(physmem_init(&pm, RAM_SIZE), 0);
	ram = (struct pm_region){.name = "ram", .kind = PM_RAM, .len = RAM_SIZE, .enabled = true, .backing = &pm.ram};
	physmem_add(&pm, &ram);
	bus_init(&ports);
	ck_assert_int_eq(pci_bus_init(&pci, &ports, &pm), 0);
	for (unsigned i = 0; i < 4; i++)
		pci.pirq[i] = probe_line(&pirq[i]);
	pci.msi = got_msi;
	memset(&msi, 0, sizeof(msi));
}

static void bus_teardown(void)
{
	physmem_destroy(&pm);
}

static void attach(struct virtio_pci *device)
{
	dev = device;
	pci_attach(&dev->pci, &pci, PCI_DEVFN(4, 0));
	pci_config_write(&dev->pci, PCI_BAR0, 4, PORTS);
	pci_config_write(&dev->pci, PCI_BAR0 + 4, 4, TABLE);
	pci_config_write(&dev->pci, PCI_BAR0 + 16, 4, REGISTERS);
	pci_config_write(&dev->pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
}

static inline uint64_t mem(gpa_t gpa, unsigned size)
{
	uint64_t v = 0;
	physmem_read(&pm, gpa, &v, size);
	return v;
}

static inline void set_mem(gpa_t gpa, unsigned size, uint64_t v)
{
	physmem_write(&pm, gpa, &v, size);
}

static inline uint64_t reg(unsigned offset, unsigned size)
{
	return mem(REGISTERS + offset, size);
}

static inline void set_reg(unsigned offset, unsigned size, uint64_t v)
{
	set_mem(REGISTERS + offset, size, v);
}

static inline uint32_t port(unsigned offset, unsigned size)
{
	return bus_read(&ports, (uint16_t)(PORTS + offset), size);
}

static inline void set_port(unsigned offset, unsigned size, uint32_t v)
{
	bus_write(&ports, (uint16_t)(PORTS + offset), size, v);
}

static inline uint8_t status(void)
{
	return (uint8_t)(modern ? reg(20, 1) : port(18, 1));
}

static inline void set_status(uint8_t v)
{
	if (modern)
		set_reg(20, 1, v);
	else
		set_port(18, 1, v);
}

static inline uint8_t isr(void)
{
	return (uint8_t)(modern ? reg(0x1000, 1) : port(19, 1));
}

static inline uint64_t config(unsigned offset, unsigned size)
{
	return modern ? reg(0x2000 + offset, size) : port(20 + offset, size);
}

static inline void set_config(unsigned offset, unsigned size, uint32_t v)
{
	if (modern)
		set_reg(0x2000 + offset, size, v);
	else
		set_port(20 + offset, size, v);
}

static inline uint64_t offered(void)
{
	uint64_t v;

	if (!modern)
		return port(0, 4);
	set_reg(0, 4, 0);
	v = reg(4, 4);
	set_reg(0, 4, 1);
	return v | reg(4, 4) << 32;
}

static void setup_queue(unsigned n, unsigned size)
{
	struct queue *q = &queues[n];

	*q = (struct queue){.n = n, .size = size};
	q->desc = RINGS + n * RINGS_LEN;
	q->avail = q->desc + 16 * size;
	q->used = ALIGN_UP(q->avail + 6 + 2 * size, PAGE_SIZE);
	for (gpa_t at = q->desc; at < q->desc + RINGS_LEN; at += 8)
		set_mem(at, 8, 0);
	if (!modern) {
		set_port(14, 2, n);
		ck_assert_uint_eq(port(12, 2), size);
		set_port(8, 4, (uint32_t)(q->desc >> 12));
		ck_assert_uint_eq(port(8, 4), q->desc >> 12);
		return;
	}
	set_reg(22, 2, n);
	set_reg(24, 2, size);
	ck_assert_uint_eq(reg(24, 2), size);
	set_reg(32, 8, q->desc);
	set_reg(40, 4, q->avail);
	set_reg(44, 4, 0);
	set_reg(48, 8, q->used);
	set_reg(28, 2, 1);
	ck_assert_uint_eq(reg(28, 2), 1);
}

/* Reset, features (beyond the interface's own), queues, DRIVER_OK. */
static void start(uint64_t features, unsigned nqueues, unsigned size)
{
	set_status(0);
	ck_assert_uint_eq(status(), 0);
	set_status(1);
	set_status(3);
	if (modern) {
		set_reg(8, 4, 0);
		set_reg(12, 4, (uint32_t)features);
		set_reg(8, 4, 1);
		set_reg(12, 4, 1);
		set_status(11);
		ck_assert_uint_eq(status(), 11);
	} else {
		set_port(4, 4, (uint32_t)features);
		ck_assert_uint_eq(port(4, 4), features);
	}
	for (unsigned n = 0; n < nqueues; n++)
		setup_queue(n, size);
	set_status(status() | 4);
}

static void desc_at(gpa_t table, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	set_mem(table + i * 16, 8, addr);
	set_mem(table + i * 16 + 8, 4, len);
	set_mem(table + i * 16 + 12, 2, flags);
	set_mem(table + i * 16 + 14, 2, next);
}

static inline void desc(struct queue *q, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	desc_at(q->desc, i, addr, len, flags, next);
}

static inline void publish(struct queue *q, unsigned head)
{
	set_mem(q->avail + 4 + 2 * (q->avail_idx % q->size), 2, head);
	set_mem(q->avail + 2, 2, ++q->avail_idx);
}

static inline void kick(struct queue *q)
{
	if (modern)
		set_reg(0x3000 + 4 * q->n, 2, q->n);
	else
		set_port(16, 2, q->n);
}

/* The next chain that came back: its length, or -1 if there is none; *head may be NULL. */
static inline int64_t collect(struct queue *q, unsigned *head)
{
	gpa_t entry = q->used + 4 + 8 * (q->used_idx % q->size);

	if ((uint16_t)mem(q->used + 2, 2) == q->used_idx)
		return -1;
	q->used_idx++;
	if (head)
		*head = (unsigned)mem(entry, 4);
	return (int64_t)mem(entry + 4, 4);
}

#endif
