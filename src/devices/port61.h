/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port 61h, NMI status and control: speaker, channel 2's gate and output, the refresh toggle. PIIX4 4.2.6.
 *
 * Wiring: bus_add 0x61 len 1 with port61_io_ops.
 */
#ifndef GNOMON_PORT61_H
#define GNOMON_PORT61_H

#include "pit.h"

struct port61 {
	struct pit *pit;
	uint8_t control; /* bits 0-3 as written */
};

/* The PIT gives gate, output and time. */
void port61_init(struct port61 *dev, struct pit *pit);
void port61_reset(struct port61 *dev);

uint64_t port61_read(void *dev, uint64_t offset, unsigned size);
void port61_write(void *dev, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops port61_io_ops;

#endif
