/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port I/O space: who answers at which port. Memory-mapped registers go through physmem regions instead
 * (physmem.h).
 */
#ifndef GNOMON_BUS_H
#define GNOMON_BUS_H

#include "io.h"

enum { BUS_MAX_RANGES = 96 };

struct bus_range {
	uint32_t base, len; /* ports */
	const struct io_ops *ops;
	void *dev;
	uint64_t offset; /* device offset of the first port */
};

struct bus {
	struct bus_range ranges[BUS_MAX_RANGES]; /* sorted by base */
	unsigned count;
};

void bus_init(struct bus *bus);

/*
 * Registers [base, base + len) for a device; offsets count from `offset`. 0, or -EBUSY if it overlaps a registered
 * range, -ENOSPC if the table is full, -EINVAL if it leaves the 64-KiB space. The board treats any error for a fixed
 * device as a bug; PCI BARs (guest-chosen) cope.
 */
int bus_add(struct bus *bus, uint32_t base, uint32_t len, const struct io_ops *ops, void *dev, uint64_t offset);

/* Removes what was added for dev at base; nothing if there is none. */
void bus_remove(struct bus *bus, uint32_t base, void *dev);

/* size: 1, 2 or 4. Splits accesses that span ranges; ports that nobody answers read as ones. */
uint32_t bus_read(struct bus *bus, uint16_t port, unsigned size);
/* Up to count reads of a data port in a row (REP INS); how many were done, 0 if the port has no block access. */
size_t bus_read_block(struct bus *bus, uint16_t port, unsigned size, void *buf, size_t count);
void bus_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value);

#endif
