/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82093AA I/O APIC, 24 inputs, with the EOI register of version 20h. 82093AA data sheet.
 *
 * Wiring: a PM_IO region of one page at IOAPIC_BASE with ioapic_io_ops.
 */
#ifndef GNOMON_IOAPIC_H
#define GNOMON_IOAPIC_H

#include "../io.h"
#include "apic.h"

#define IOAPIC_BASE 0xfec00000ull

enum { IOAPIC_PINS = 24 };

struct ioapic {
	uint64_t entry[IOAPIC_PINS]; /* redirection table */
	uint32_t lines;		     /* input levels */
	uint32_t irr;		     /* edge requests not yet delivered (masked, say) */
	uint8_t select;		     /* IOREGSEL */
	uint8_t id;
	uint8_t version; /* 0x11 or 0x20 */
	void (*deliver)(void *arg, const struct apic_msg *msg);
	void *arg;
};

/* version: 0x11, or 0x20 for one that has the EOI register. deliver: apic_bus_deliver with the bus. */
void ioapic_init(struct ioapic *io, uint8_t version, void (*deliver)(void *arg, const struct apic_msg *msg), void *arg);
void ioapic_reset(struct ioapic *io);

/* Drives input n (0-23); ioapic is a struct ioapic. */
void ioapic_set_irq(void *ioapic, int n, bool level);

/* The pin whose unmasked entry gives this vector on an edge, or -1. */
int ioapic_edge_pin(const struct ioapic *ioapic, uint8_t vector);

/* Pin n is masked. */
bool ioapic_masked(const struct ioapic *ioapic, unsigned n);

/* EOI broadcast of a vector by a local APIC; ioapic is a struct ioapic. Fits lapic_config.eoi. */
void ioapic_eoi(void *ioapic, uint8_t vector);

uint64_t ioapic_read(void *ioapic, uint64_t offset, unsigned size);
void ioapic_write(void *ioapic, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops ioapic_io_ops;

#endif
