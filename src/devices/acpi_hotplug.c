/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/acpi_hotplug.h"

enum {
	PCI_PORT = 0xae00, /* up, down, eject, removable: 32 slots each */
	PCI_LEN = 0x10,
	CPU_PORT = 0xaf00, /* a bit for each APIC ID */
	CPU_LEN = 0x20,
};

static uint64_t pci_read(void *dev, uint64_t offset, unsigned size)
{
	return 0;
}

static uint64_t cpu_read(void *dev, uint64_t offset, unsigned size)
{
	const struct acpi_hotplug *h = dev;
	unsigned first = (unsigned)offset * 8;

	return h->cpus > first ? BIT(MIN(h->cpus - first, 8u)) - 1 : 0;
}

static void ignore(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
}

static const struct io_ops pci_ops = {
    .name = "acpi-pci-hotplug",
    .read = pci_read,
    .write = ignore,
    .widths = IO_8 | IO_16 | IO_32,
};

static const struct io_ops cpu_ops = {
    .name = "acpi-cpu-hotplug",
    .read = cpu_read,
    .write = ignore,
    .widths = IO_8,
};

int acpi_hotplug_init(struct acpi_hotplug *h, struct bus *bus, unsigned cpus)
{
	int err;

	h->cpus = cpus;
	err = bus_add(bus, PCI_PORT, PCI_LEN, &pci_ops, h, 0);
	return err ? err : bus_add(bus, CPU_PORT, CPU_LEN, &cpu_ops, h, 0);
}
