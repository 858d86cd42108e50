/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Features, status, configuration, and the loop that serves a queue. Rings are in virtq.c. */
#include "devices/virtio.h"

#include <string.h>

#include "devices/virtq.h"
#include "trace.h"

static bool live(const struct virtio *v, unsigned queue)
{
	/* Drivers of the legacy interface use their queues before they say DRIVER_OK (3.1.1). */
	uint8_t wanted = virtio_has(v, VIRTIO_F_VERSION_1) ? VIRTIO_DRIVER_OK : 0;

	return (v->status & wanted) == wanted && !(v->status & VIRTIO_NEEDS_RESET) && queue < v->ops->queues &&
	       v->vq[queue].ready && v->transport.may_dma(v->transport.arg);
}

void virtio_fail(struct virtio *v, const char *why)
{
	trace(dev, "%s: %s", v->ops->name, why);
	if (v->status & VIRTIO_NEEDS_RESET)
		return;
	v->status |= VIRTIO_NEEDS_RESET;
	if (virtio_has(v, VIRTIO_F_VERSION_1) && (v->status & VIRTIO_DRIVER_OK))
		v->transport.config_interrupt(v->transport.arg);
}

/* One slice of a queue's work. Returns whether there is more. */
static bool serve_slice(struct virtio *v, unsigned queue)
{
	struct virtq *q = &v->vq[queue];
	struct virtio_chain *c = &v->chain;
	uint64_t bytes = 0;

	for (unsigned n = 0; virtq_peek(v, q, c); n++) {
		uint32_t written = 0;
		if (n == VIRTIO_SLICE_CHAINS || bytes >= VIRTIO_SLICE_BYTES)
			return true;
		bytes += c->out_len + c->in_len;
		if (!v->ops->serve(v, queue, c, &written) || (v->status & VIRTIO_NEEDS_RESET))
			return false;
		virtq_push(v, q, c->head, written);
	}
	return false;
}

/*
 * Slices until the queue is empty and the driver knows to kick again. Bounded whatever the rings say: they may be where
 * nothing can be written, or where the device's own data go. Returns whether there may be more.
 */
static bool serve_queue(struct virtio *v, unsigned queue)
{
	struct virtq *q = &v->vq[queue];

	for (unsigned round = 0; round < VIRTIO_SLICE_ROUNDS; round++) {
		uint16_t start = q->last_avail;
		if (serve_slice(v, queue))
			return true;
		if ((round && q->last_avail == start) || !live(v, queue) || !virtq_ask_for_kick(v, q))
			return false;
	}
	return true;
}

void virtio_serve(struct virtio *v, unsigned queue)
{
	struct virtq *q;
	uint16_t before;
	bool more;

	if (v->busy || !live(v, queue))
		return;
	q = &v->vq[queue];
	before = q->used_idx;
	v->busy = true;
	more = serve_queue(v, queue);
	v->busy = false;
	if (q->used_idx != before && virtq_wants_interrupt(v, q, before))
		v->transport.queue_interrupt(v->transport.arg, queue);
	if (more) {
		v->pending |= (uint32_t)BIT(queue);
		if (!timer_armed(&v->more))
			timer_arm(&v->more, clock_now(v->more.clock) + VIRTIO_SLICE_PAUSE_NS);
	}
}

static void go_on(void *arg)
{
	struct virtio *v = arg;
	uint32_t pending = v->pending;

	v->pending = 0;
	for (unsigned n = 0; n < v->ops->queues; n++)
		if (pending & BIT(n))
			virtio_serve(v, n);
}

void virtio_kick(struct virtio *v, unsigned queue)
{
	/* While a slice is under way in time, the rest comes with it. */
	if (!(v->pending & BIT(queue % 32)))
		virtio_serve(v, queue);
}

void virtio_init(struct virtio *v, const struct virtio_ops *ops, struct physmem *pm, struct clock *clock,
		 uint64_t features)
{
	ASSERT(ops->queues <= VIRTIO_MAX_QUEUES);
	memset(v, 0, sizeof(*v));
	v->ops = ops;
	v->pm = pm;
	v->offered = features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_ANY_LAYOUT;
	timer_init(&v->more, clock, go_on, v);
}

void virtio_reset(struct virtio *v)
{
	timer_cancel(&v->more);
	v->pending = 0;
	v->status = 0;
	v->features = 0;
	for (unsigned n = 0; n < VIRTIO_MAX_QUEUES; n++)
		v->vq[n] = (struct virtq){.size = VIRTIO_QUEUE_SIZE, .vector = VIRTIO_NO_VECTOR};
	if (v->ops->reset)
		v->ops->reset(v);
}

void virtio_set_status(struct virtio *v, uint8_t status)
{
	uint8_t rising = status & (uint8_t)~v->status;

	trace(dev, "%s: status %02x, features %llx", v->ops->name, status, (unsigned long long)v->features);
	if (!status) {
		virtio_reset(v);
		return;
	}
	/* 2.2.2, 6.1: a driver of this interface must take VERSION_1. */
	if ((rising & VIRTIO_FEATURES_OK) && !virtio_has(v, VIRTIO_F_VERSION_1))
		status &= (uint8_t)~VIRTIO_FEATURES_OK;
	/* Bits are only added; the device's own stays. */
	v->status |= status & (uint8_t)~VIRTIO_NEEDS_RESET;
}

void virtio_set_features(struct virtio *v, unsigned half, uint32_t value)
{
	uint64_t mask;

	if (half > 1 || (v->status & (VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)))
		return;
	mask = (uint64_t)UINT32_MAX << (half * 32);
	v->features = (v->features & ~mask) | ((uint64_t)value << (half * 32) & v->offered);
}

void virtio_set_legacy_queue(struct virtio *v, unsigned queue, uint32_t pfn)
{
	struct virtq *q;

	if (queue >= v->ops->queues)
		return;
	q = &v->vq[queue];
	*q = (struct virtq){.size = VIRTIO_QUEUE_SIZE, .vector = q->vector, .ready = pfn != 0};
	q->desc = (gpa_t)pfn << PAGE_SHIFT;
	q->avail = q->desc + VIRTQ_DESC_LEN * q->size;
	q->used = ALIGN_UP(q->avail + virtq_avail_len(q), PAGE_SIZE);
}

uint64_t virtio_config_read(const struct virtio *v, uint64_t offset, unsigned size)
{
	if (offset > VIRTIO_CONFIG_LEN - size)
		return 0;
	return load_le(v->config + offset, size);
}

void virtio_config_write(struct virtio *v, uint64_t offset, unsigned size, uint64_t value)
{
	if (v->ops->config_written && offset <= VIRTIO_CONFIG_LEN - size)
		v->ops->config_written(v, (unsigned)offset, size, (uint32_t)value);
}
