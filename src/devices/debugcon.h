/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug console of Bochs and QEMU (isa-debugcon): a byte written to the port goes to the host; it reads E9h.
 *
 * Wiring: bus_add PORT len 1 with debugcon_io_ops; SeaBIOS writes to 0x402.
 */
#ifndef GNOMON_DEBUGCON_H
#define GNOMON_DEBUGCON_H

#include "../io.h"

struct debugcon {
	void (*send)(void *arg, uint8_t byte); /* NULL: dropped */
	void *arg;
};

void debugcon_init(struct debugcon *dev, void (*send)(void *arg, uint8_t byte), void *arg);

uint64_t debugcon_read(void *dev, uint64_t offset, unsigned size);
void debugcon_write(void *dev, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops debugcon_io_ops;

#endif
