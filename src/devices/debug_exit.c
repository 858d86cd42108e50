/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug_exit.h"

void debug_exit_init(struct debug_exit *dev, void (*written)(void *arg, uint32_t value), void *arg)
{
	*dev = (struct debug_exit){written, arg};
}

uint64_t debug_exit_read(void *arg, uint64_t offset, unsigned size)
{
	return 0;
}

void debug_exit_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct debug_exit *dev = arg;

	dev->written(dev->arg, (uint32_t)value);
}

const struct io_ops debug_exit_io_ops = {"debug-exit", debug_exit_read, debug_exit_write, IO_8 | IO_16 | IO_32};
