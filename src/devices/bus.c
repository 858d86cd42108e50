/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus.h"

#include <string.h>

#include "trace.h"

void bus_init(struct bus *bus)
{
	memset(bus, 0, sizeof(*bus));
}

int bus_add(struct bus *bus, uint32_t base, uint32_t len, const struct io_ops *ops, void *dev, uint64_t offset)
{
	unsigned at = 0;

	if (!len || base > 0xffff || len > 0x10000 - base)
		return -EINVAL;
	if (bus->count == BUS_MAX_RANGES)
		return -ENOSPC;
	while (at < bus->count && bus->ranges[at].base < base)
		at++;
	if (at > 0 && bus->ranges[at - 1].base + bus->ranges[at - 1].len > base)
		return -EBUSY;
	if (at < bus->count && bus->ranges[at].base < base + len)
		return -EBUSY;
	memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->count - at) * sizeof(bus->ranges[0]));
	bus->ranges[at] = (struct bus_range){base, len, ops, dev, offset};
	bus->count++;
	return 0;
}

void bus_remove(struct bus *bus, uint32_t base, void *dev)
{
	for (unsigned i = 0; i < bus->count; i++) {
		if (bus->ranges[i].base != base || bus->ranges[i].dev != dev)
			continue;
		bus->count--;
		memmove(&bus->ranges[i], &bus->ranges[i + 1], (bus->count - i) * sizeof(bus->ranges[0]));
		return;
	}
}

/* The range that holds the port, or NULL. */
static struct bus_range *find(struct bus *bus, uint32_t port)
{
	unsigned low = 0, high = bus->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		struct bus_range *r = &bus->ranges[mid];
		if (port < r->base)
			high = mid;
		else if (port >= r->base + r->len)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}

/* How many of `left` bytes from this port one range (or the absence of one) answers. */
static unsigned reach(struct bus *bus, const struct bus_range *r, uint32_t port, unsigned left)
{
	if (r)
		return MIN(left, r->base + r->len - port);
	for (unsigned n = 1; n < left; n++)
		if (find(bus, port + n))
			return n;
	return left;
}

uint32_t bus_read(struct bus *bus, uint16_t port, unsigned size)
{
	uint32_t value = 0;

	for (unsigned done = 0; done < size;) {
		uint32_t at = (uint16_t)(port + done);
		struct bus_range *r = find(bus, at);
		unsigned n = reach(bus, r, at, size - done);
		uint64_t part = r ? io_read(r->ops, r->dev, r->offset + (at - r->base), n) : size_mask(n);
		value |= (uint32_t)(part << (done * 8));
		done += n;
	}
	trace(io, "in%u %04x -> %x", size * 8, port, value);
	return value;
}

size_t bus_read_block(struct bus *bus, uint16_t port, unsigned size, void *buf, size_t count)
{
	struct bus_range *r = find(bus, port);
	const struct io_block_ops *block = r ? io_block_ops(r->ops) : NULL;
	size_t n;

	if (!block || !block->read || port + size > r->base + r->len)
		return 0;
	n = block->read(r->dev, r->offset + (port - r->base), size, buf, count);
	trace(io, "in%u %04x x %zu", size * 8, port, n);
	return n;
}

void bus_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value)
{
	trace(io, "out%u %04x <- %x", size * 8, port, value);
	for (unsigned done = 0; done < size;) {
		uint32_t at = (uint16_t)(port + done);
		struct bus_range *r = find(bus, at);
		unsigned n = reach(bus, r, at, size - done);
		if (r)
			io_write(r->ops, r->dev, r->offset + (at - r->base), n, value >> (done * 8));
		done += n;
	}
}
