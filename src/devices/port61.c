/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "port61.h"

enum {
	GATE2 = 0x01,
	SPEAKER = 0x02,
	WRITABLE = 0x0f, /* and the SERR# and IOCHK# enables, kept only */
	REFRESH = 0x10,
	OUT2 = 0x20,
};

/* The refresh request toggles at this interval: channel 1 of the XT counted 18 ticks. */
#define REFRESH_NS 15085u

void port61_init(struct port61 *dev, struct pit *pit)
{
	dev->pit = pit;
	port61_reset(dev);
}

void port61_reset(struct port61 *dev)
{
	dev->control = 0;
	pit_set_gate(dev->pit, 2, false);
}

uint64_t port61_read(void *arg, uint64_t offset, unsigned size)
{
	struct port61 *dev = arg;
	uint8_t v = dev->control;

	if (clock_now(dev->pit->clock) / REFRESH_NS & 1)
		v |= REFRESH;
	if (pit_out(dev->pit, 2))
		v |= OUT2;
	return v;
}

void port61_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct port61 *dev = arg;

	dev->control = value & WRITABLE;
	pit_set_gate(dev->pit, 2, value & GATE2);
}

const struct io_ops port61_io_ops = {"port61", port61_read, port61_write, IO_8};
