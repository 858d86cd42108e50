/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parallel.h"

#include <string.h>

/* clang-format off */
enum {
	REG_DATA        = 0,
	REG_STATUS      = 1,
	REG_CONTROL     = 2,

	STATUS_UNUSED   = 0x07,
	STATUS_NO_ERROR = 0x08,
	STATUS_SELECTED = 0x10,
	STATUS_NO_ACK   = 0x40, /* ACK# is active low */
	STATUS_READY    = 0x80,

	CONTROL_STROBE  = 0x01,
	CONTROL_INIT    = 0x04,
	CONTROL_SELECT  = 0x08,
	CONTROL_IRQ     = 0x10,
	CONTROL_WRITABLE = 0x3f,
	CONTROL_UNUSED  = 0xc0,
};
/* clang-format on */

void parallel_init(struct parallel *dev, struct irq_line irq, void (*send)(void *arg, uint8_t byte), void *arg)
{
	memset(dev, 0, sizeof(*dev));
	dev->irq = irq;
	dev->send = send;
	dev->arg = arg;
	parallel_reset(dev);
}

void parallel_reset(struct parallel *dev)
{
	dev->data = 0;
	dev->control = CONTROL_INIT | CONTROL_SELECT;
	dev->acked = false;
	irq_set(&dev->irq, false);
}

uint64_t parallel_read(void *arg, uint64_t offset, unsigned size)
{
	struct parallel *dev = arg;
	uint8_t v;

	switch (offset & 3) {
	case REG_DATA:
		return dev->data;
	case REG_STATUS:
		v = STATUS_READY | STATUS_SELECTED | STATUS_NO_ERROR | STATUS_UNUSED | (dev->acked ? 0 : STATUS_NO_ACK);
		dev->acked = false;
		irq_set(&dev->irq, false);
		return v;
	case REG_CONTROL:
		return dev->control | CONTROL_UNUSED;
	default:
		return 0xff;
	}
}

static void write_control(struct parallel *dev, uint8_t v)
{
	bool strobed = v & (uint8_t)~dev->control & CONTROL_STROBE;

	dev->control = v & CONTROL_WRITABLE;
	if (!(v & CONTROL_IRQ))
		irq_set(&dev->irq, false);
	if (!strobed || !(v & CONTROL_INIT))
		return;
	if (dev->send)
		dev->send(dev->arg, dev->data);
	dev->acked = true;
	if (v & CONTROL_IRQ) { /* ISA interrupt 7 is an edge: each byte makes one */
		irq_set(&dev->irq, false);
		irq_set(&dev->irq, true);
	}
}

void parallel_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct parallel *dev = arg;

	if ((offset & 3) == REG_DATA)
		dev->data = (uint8_t)value;
	else if ((offset & 3) == REG_CONTROL)
		write_control(dev, (uint8_t)value);
}

const struct io_ops parallel_io_ops = {"parallel", parallel_read, parallel_write, IO_8};
