/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that are there for test suites only. */
#include "board.h"

#include <stdio.h>

static void debug_exit_written(void *arg, uint32_t value)
{
	struct board *b = arg;
	b->cpu.debug_exit(b->cpu.arg, value);
}

static void flush_page(void *arg, uint64_t gpa)
{
	struct board *b = arg;
	physmem_forget(b->pm, gpa, PAGE_SIZE);
}

static void add_ports(struct board *b, uint32_t base, uint32_t len, const struct io_ops *ops)
{
	int rc = bus_add(&b->ports, base, len, ops, &b->testdev, 0);
	ASSERTF(rc == 0, "port %x: %d", base, rc);
}

int board_add_test_devices(struct board *b, const struct vm_config *vm, char *err, size_t errlen)
{
	int rc = 0;

	if (vm->pc_testdev) {
		pc_testdev_init(&b->testdev,
				&(struct pc_testdev_config){.irq = board_test_line, .flush = flush_page, .arg = b});
		add_ports(b, PC_TESTDEV_DATA, PC_TESTDEV_PORTS, &pc_testdev_data_ops);
		add_ports(b, PC_TESTDEV_FLUSH, PC_TESTDEV_PORTS, &pc_testdev_flush_ops);
		add_ports(b, PC_TESTDEV_BYTES, PC_TESTDEV_PORTS, &pc_testdev_bytes_ops);
		add_ports(b, PC_TESTDEV_IRQ, PC_TESTDEV_IRQS, &pc_testdev_irq_ops);
		b->testdev_window = (struct pm_region){.name = "pc-testdev",
						       .kind = PM_IO,
						       .base = PC_TESTDEV_BASE,
						       .len = PC_TESTDEV_LEN,
						       .priority = PM_PRIO_CHIP,
						       .enabled = true,
						       .ops = &pc_testdev_memory_ops,
						       .dev = &b->testdev};
		physmem_add(b->pm, &b->testdev_window);
	}
	if (vm->has_debug_exit) {
		debug_exit_init(&b->debug_exit, debug_exit_written, b);
		rc = bus_add(&b->ports, vm->debug_exit, DEBUG_EXIT_PORTS, &debug_exit_io_ops, &b->debug_exit, 0);
	}
	if (rc)
		snprintf(err, errlen, "--debug-exit: of the ports 0x%x-0x%x one is taken by another device",
			 vm->debug_exit, vm->debug_exit + DEBUG_EXIT_PORTS - 1);
	return rc;
}
