/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Printer port in compatibility mode: a printer that is always ready. IEEE 1284, compatibility mode.
 *
 * Wiring: bus_add 0x378 len 3 with parallel_io_ops; interrupt 7.
 */
#ifndef GNOMON_PARALLEL_H
#define GNOMON_PARALLEL_H

#include "../io.h"

struct parallel {
	struct irq_line irq;
	void (*send)(void *arg, uint8_t byte); /* NULL: dropped */
	void *arg;
	uint8_t data, control;
	bool acked; /* the ACK# pulse of the last byte has not been seen in the status yet */
};

void parallel_init(struct parallel *dev, struct irq_line irq, void (*send)(void *arg, uint8_t byte), void *arg);
void parallel_reset(struct parallel *dev);

uint64_t parallel_read(void *dev, uint64_t offset, unsigned size);
void parallel_write(void *dev, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops parallel_io_ops;

#endif
