/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug exit of QEMU (isa-debug-exit): a guest ends its machine by a write, and the value becomes the exit status.
 *
 * Wiring: bus_add PORT len DEBUG_EXIT_PORTS with debug_exit_io_ops. Test suites have it at F4h.
 */
#ifndef GNOMON_DEBUG_EXIT_H
#define GNOMON_DEBUG_EXIT_H

#include "../io.h"

enum { DEBUG_EXIT_PORTS = 4 };

struct debug_exit {
	void (*written)(void *arg, uint32_t value);
	void *arg;
};

void debug_exit_init(struct debug_exit *dev, void (*written)(void *arg, uint32_t value), void *arg);

/* The exit status of the program for a value that was written, as QEMU makes it: odd, and so never 0. */
static inline int debug_exit_status(uint32_t value)
{
	return (value << 1 | 1) & 0xff;
}

uint64_t debug_exit_read(void *dev, uint64_t offset, unsigned size);
void debug_exit_write(void *dev, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops debug_exit_io_ops;

#endif
