/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What travels between I/O APIC, MSI and local APICs. SDM vol. 3, 11.6 and 11.11. */
#ifndef GNOMON_APIC_H
#define GNOMON_APIC_H

#include "../base.h"

/* Delivery modes: ICR, LVT and redirection entries bits 8-10. */
enum apic_mode {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_SIPI = 6,
	APIC_EXTINT = 7,
};

struct lapic;

struct apic_msg {
	uint32_t dest; /* APIC ID, or logical destination; broadcast: 0xff, in x2APIC form 0xffffffff */
	uint8_t vector;
	uint8_t mode;		     /* enum apic_mode */
	bool logical;		     /* destination mode */
	bool level;		     /* trigger mode */
	bool deassert;		     /* INIT level de-assert */
	bool wide;		     /* dest is a 32-bit x2APIC destination */
	const struct lapic *exclude; /* gets nothing (all but self); NULL: none */
};

enum { APIC_BUS_MAX = 64 };

/* All local APICs of the machine. */
struct apic_bus {
	struct lapic *lapic[APIC_BUS_MAX];
	unsigned count;
};

void apic_bus_init(struct apic_bus *bus);
void apic_bus_add(struct apic_bus *bus, struct lapic *lapic); /* at most APIC_BUS_MAX */

/* Delivers to all that the destination names; lowest priority picks one. Fits ioapic_config.deliver and
 * lapic_config.ipi. */
void apic_bus_deliver(void *bus, const struct apic_msg *msg);

/* A message signalled interrupt: a 32-bit write of data to address (0xfeexxxxx). SDM vol. 3, 11.11. */
void apic_bus_msi(struct apic_bus *bus, uint64_t address, uint32_t data);

#endif
