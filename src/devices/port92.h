/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port 92h, system control port A: fast A20 (bit 1) and fast reset (rising edge of bit 0). PIIX4 4.2.7.
 *
 * Wiring: bus_add 0x92 len 1 with port92_io_ops.
 */
#ifndef GNOMON_PORT92_H
#define GNOMON_PORT92_H

#include "../io.h"

struct port92 {
	struct irq_line a20;   /* level: A20 is passed */
	struct irq_line reset; /* raised: reset the machine; the board acts after the instruction */
	uint8_t value;
};

void port92_init(struct port92 *dev, struct irq_line a20, struct irq_line reset);

/* A20 passed, as at the CPU's reset. Does not drive the line. */
void port92_reset(struct port92 *dev);

/* For a board whose A20 has other drivers: what the register reads back. */
void port92_note_a20(struct port92 *dev, bool passed);

uint64_t port92_read(void *dev, uint64_t offset, unsigned size);
void port92_write(void *dev, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops port92_io_ops;

#endif
