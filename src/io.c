/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "io.h"

/* The widest access not above `left` bytes that the device takes at this offset; 0 if none. */
static unsigned fit(const struct io_ops *ops, uint64_t offset, unsigned left)
{
	for (unsigned w = 8; w; w >>= 1)
		if (w <= left && (ops->widths & w) && !(offset & (w - 1)))
			return w;
	for (unsigned w = 8; w; w >>= 1) /* unaligned, but taken whole */
		if (w <= left && (ops->widths & w))
			return w;
	return 0;
}

uint64_t io_read(const struct io_ops *ops, void *dev, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned done = 0; done < size;) {
		unsigned w = fit(ops, offset + done, size - done);
		uint64_t part;
		if (w) {
			part = ops->read(dev, offset + done, w) & size_mask(w);
		} else {
			/* Narrower than anything the device takes: read the containing register, take the part. */
			unsigned narrow = ops->widths & (unsigned)-(int)ops->widths;
			uint64_t at = ALIGN_DOWN(offset + done, (uint64_t)narrow);
			unsigned skip = (unsigned)(offset + done - at);
			w = MIN(size - done, narrow - skip);
			part = ops->read ? ops->read(dev, at, narrow) >> (skip * 8) & size_mask(w) : size_mask(w);
		}
		value |= part << (done * 8);
		done += w;
	}
	return value;
}

void io_write(const struct io_ops *ops, void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	for (unsigned done = 0; done < size;) {
		unsigned w = fit(ops, offset + done, size - done);
		if (!w)
			return;
		ops->write(dev, offset + done, w, value >> (done * 8) & size_mask(w));
		done += w;
	}
}
