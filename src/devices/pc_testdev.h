/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test device of QEMU (pc-testdev, hw/misc/pc-testdev.c there): what ring-0 test suites poke at.
 *
 *	E0h-E3h		a register that holds what was written
 *	E4h		a physical address (32 bits): the host's mappings of that page are dropped
 *	E8h-EBh		the same register as E0h, in bytes: wider accesses are split
 *	2000h-2017h	interrupt lines 0 to 23: not 0 raises, 0 drops
 *	FF000000h	64 KiB of device memory that holds what was written
 *
 * Wiring: bus_add at these ports with pc_testdev_data_ops, pc_testdev_flush_ops, pc_testdev_bytes_ops and
 * pc_testdev_irq_ops; a PM_IO region at PC_TESTDEV_BASE with pc_testdev_memory_ops.
 */
#ifndef GNOMON_PC_TESTDEV_H
#define GNOMON_PC_TESTDEV_H

#include "../io.h"

#define PC_TESTDEV_BASE 0xff000000ull

/* clang-format off */
enum {
	PC_TESTDEV_DATA  = 0xe0,
	PC_TESTDEV_FLUSH = 0xe4,
	PC_TESTDEV_BYTES = 0xe8,
	PC_TESTDEV_PORTS = 4, /* of each of these */
	PC_TESTDEV_IRQ   = 0x2000,
	PC_TESTDEV_IRQS  = 24,
	PC_TESTDEV_LEN   = 64 << 10,
};
/* clang-format on */

struct pc_testdev_config {
	void (*irq)(void *arg, unsigned n, bool level);
	void (*flush)(void *arg, uint64_t gpa); /* gpa: of a page */
	void *arg;
};

struct pc_testdev {
	struct pc_testdev_config cfg;
	uint32_t lines; /* levels */
	uint8_t data[PC_TESTDEV_PORTS];
	uint8_t memory[PC_TESTDEV_LEN];
};

void pc_testdev_init(struct pc_testdev *dev, const struct pc_testdev_config *cfg);

/* Drops the lines; register and memory keep their contents. */
void pc_testdev_reset(struct pc_testdev *dev);

extern const struct io_ops pc_testdev_data_ops, pc_testdev_flush_ops, pc_testdev_bytes_ops, pc_testdev_irq_ops,
    pc_testdev_memory_ops;

#endif
