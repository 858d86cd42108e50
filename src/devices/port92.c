/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "port92.h"

enum {
	FAST_RESET = 0x01,
	A20 = 0x02,
};

void port92_init(struct port92 *dev, struct irq_line a20, struct irq_line reset)
{
	dev->a20 = a20;
	dev->reset = reset;
	port92_reset(dev);
}

void port92_reset(struct port92 *dev)
{
	dev->value = A20;
}

void port92_note_a20(struct port92 *dev, bool passed)
{
	dev->value = (uint8_t)(passed ? dev->value | A20 : dev->value & ~A20);
}

uint64_t port92_read(void *arg, uint64_t offset, unsigned size)
{
	struct port92 *dev = arg;

	return dev->value;
}

void port92_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct port92 *dev = arg;
	uint8_t old = dev->value;

	dev->value = (uint8_t)value;
	irq_set(&dev->a20, value & A20);
	if (value & ~(uint64_t)old & FAST_RESET)
		irq_set(&dev->reset, true);
}

const struct io_ops port92_io_ops = {"port92", port92_read, port92_write, IO_8};
