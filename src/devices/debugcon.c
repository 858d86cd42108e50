/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debugcon.h"

enum { DEBUGCON_PRESENT = 0xe9 };

void debugcon_init(struct debugcon *dev, void (*send)(void *arg, uint8_t byte), void *arg)
{
	*dev = (struct debugcon){send, arg};
}

uint64_t debugcon_read(void *arg, uint64_t offset, unsigned size)
{
	return DEBUGCON_PRESENT;
}

void debugcon_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct debugcon *dev = arg;

	if (dev->send)
		dev->send(dev->arg, (uint8_t)value);
}

const struct io_ops debugcon_io_ops = {"debugcon", debugcon_read, debugcon_write, IO_8};
