/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pc_testdev.h"

#include <string.h>

void pc_testdev_init(struct pc_testdev *dev, const struct pc_testdev_config *cfg)
{
	memset(dev, 0, sizeof(*dev));
	dev->cfg = *cfg;
}

static void set_line(struct pc_testdev *dev, unsigned n, bool level)
{
	dev->lines = (uint32_t)((dev->lines & ~BIT(n)) | (level ? BIT(n) : 0));
	dev->cfg.irq(dev->cfg.arg, n, level);
}

void pc_testdev_reset(struct pc_testdev *dev)
{
	for (unsigned n = 0; n < PC_TESTDEV_IRQS; n++)
		if (dev->lines & BIT(n))
			set_line(dev, n, false);
}

/* The bytes of an access that lie in an array of `len`. */
static unsigned inside(uint64_t offset, unsigned size, uint64_t len)
{
	return offset < len ? (unsigned)MIN((uint64_t)size, len - offset) : 0;
}

static uint64_t data_read(void *arg, uint64_t offset, unsigned size)
{
	struct pc_testdev *dev = arg;
	return load_le(dev->data + offset, inside(offset, size, sizeof(dev->data)));
}

static void data_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct pc_testdev *dev = arg;
	store_le(dev->data + offset, inside(offset, size, sizeof(dev->data)), value);
}

static uint64_t zero_read(void *arg, uint64_t offset, unsigned size)
{
	return 0;
}

static void flush_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct pc_testdev *dev = arg;

	if (offset == 0)
		dev->cfg.flush(dev->cfg.arg, ALIGN_DOWN(value, PAGE_SIZE));
}

static void irq_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	set_line(arg, (unsigned)offset, value);
}

static uint64_t memory_read(void *arg, uint64_t offset, unsigned size)
{
	struct pc_testdev *dev = arg;
	return load_le(dev->memory + offset, inside(offset, size, sizeof(dev->memory)));
}

static void memory_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct pc_testdev *dev = arg;
	store_le(dev->memory + offset, inside(offset, size, sizeof(dev->memory)), value);
}

/* clang-format off */
const struct io_ops pc_testdev_data_ops   = {"pc-testdev-data", data_read, data_write, IO_8 | IO_16 | IO_32};
const struct io_ops pc_testdev_flush_ops  = {"pc-testdev-flush", zero_read, flush_write, IO_32};
const struct io_ops pc_testdev_bytes_ops  = {"pc-testdev-bytes", data_read, data_write, IO_8};
const struct io_ops pc_testdev_irq_ops    = {"pc-testdev-irq", zero_read, irq_write, IO_8};
const struct io_ops pc_testdev_memory_ops = {"pc-testdev-memory", memory_read, memory_write, IO_8 | IO_16 | IO_32 | IO_64};
/* clang-format on */
