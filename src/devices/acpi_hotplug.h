/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hot-plug ports that the ACPI tables built into SeaBIOS know of: PCI slots (ae00-ae0f) and processors (af00-af1f),
 * as on QEMU's board (docs/specs/acpi_pci_hotplug, acpi_cpu_hotplug). Nothing can be plugged here: no events, no slot
 * is removable, and the processors are those that were there at power-on. Without them the ports read as ones, and
 * every slot would look removable.
 */
#ifndef GNOMON_DEVICES_ACPI_HOTPLUG_H
#define GNOMON_DEVICES_ACPI_HOTPLUG_H

#include "devices/bus.h"

struct acpi_hotplug {
	unsigned cpus; /* present, with APIC IDs from 0 */
};

/* 0 or bus_add's error. */
int acpi_hotplug_init(struct acpi_hotplug *h, struct bus *bus, unsigned cpus);

#endif
