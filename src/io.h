/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a device is reached: register access functions, interrupt lines. A device never sees who calls it.
 */
#ifndef GNOMON_IO_H
#define GNOMON_IO_H

#include "base.h"

/*
 * Register access of one device, at offsets from the base of its range. The bus calls with the sizes in `widths`
 * only (bit mask of 1, 2, 4, 8 bytes); it splits wider accesses into the widest that the device takes, and passes
 * narrower ones as reads of the narrowest containing width where possible (read) or as they are (a device that takes no
 * byte writes does not see byte writes: they are ignored). Values are little-endian numbers in the low `size` bytes.
 */
struct io_ops {
	const char *name;
	uint64_t (*read)(void *dev, uint64_t offset, unsigned size);
	void (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value);
	uint8_t widths; /* IO_8 | IO_16 | ..., and IO_BLOCK if this is part of a struct io_block_ops */
};

enum {
	IO_8 = 1,
	IO_16 = 2,
	IO_32 = 4,
	IO_64 = 8,
	IO_BLOCK = 16,
};

/*
 * For devices with a data port: `count` accesses of `size` bytes at one offset in a row (REP INS, REP OUTS). Either may
 * be NULL. They return how many were done; the caller makes the rest singly.
 */
struct io_block_ops {
	struct io_ops ops;
	size_t (*read)(void *dev, uint64_t offset, unsigned size, void *buf, size_t count);
	size_t (*write)(void *dev, uint64_t offset, unsigned size, const void *buf, size_t count);
};

/* The block functions of a device, or NULL. */
static inline const struct io_block_ops *io_block_ops(const struct io_ops *ops)
{
	return ops->widths & IO_BLOCK ? container_of(ops, struct io_block_ops, ops) : NULL;
}

/* Splits an access into the widths that `ops` takes. size: 1..8. Reads of what the device does not take give ones. */
uint64_t io_read(const struct io_ops *ops, void *dev, uint64_t offset, unsigned size);
void io_write(const struct io_ops *ops, void *dev, uint64_t offset, unsigned size, uint64_t value);

/* An interrupt (or other one-bit) output of a device. A line with set == NULL is not connected. */
struct irq_line {
	void (*set)(void *to, int n, bool level);
	void *to;
	int n;
};

static inline void irq_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->to, line->n, level);
}

#endif
