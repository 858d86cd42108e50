/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything in a ring is the driver's word: each number is read once, checked, and used from the copy. A chain has as
 * many descriptors as its table at most, so that loops end.
 */
#include "devices/virtq.h"

#include <stdatomic.h>

/* clang-format off */
enum { /* descriptor flags, 2.6.5 */
	DESC_NEXT     = 1,
	DESC_WRITE    = 2,
	DESC_INDIRECT = 4,

	AVAIL_NO_INTERRUPT = 1, /* 2.6.6 */

	/* offsets in both rings */
	RING_FLAGS    = 0,
	RING_IDX      = 2,
	RING_ENTRIES  = 4,
	USED_LEN      = 8, /* of an entry of the used ring */
};
/* clang-format on */

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

_Static_assert(sizeof(struct desc) == VIRTQ_DESC_LEN, "guest layout");

static uint16_t read16(struct virtio *v, gpa_t gpa)
{
	uint16_t value;

	physmem_read(v->pm, gpa, &value, sizeof(value));
	return value;
}

static void write16(struct virtio *v, gpa_t gpa, uint16_t value)
{
	physmem_write(v->pm, gpa, &value, sizeof(value));
}

/* A table of descriptors: the queue's, or an indirect one. */
struct table {
	gpa_t base;
	uint32_t count;
};

static bool fail(struct virtio *v, const char *why)
{
	virtio_fail(v, why);
	return false;
}

static bool add_segment(struct virtio *v, struct virtio_chain *c, const struct desc *d)
{
	if (c->nsegs == VIRTIO_MAX_SEGS)
		return fail(v, "chain of too many buffers");
	c->seg[c->nsegs++] = (struct virtio_seg){d->addr, d->len};
	if (d->flags & DESC_WRITE) {
		c->in_len += d->len;
	} else {
		if (c->nsegs != c->nout + 1)
			return fail(v, "buffer to read behind one to write");
		c->out_len += d->len;
		c->nout++;
	}
	return true;
}

/* Moves on to an indirect table, 2.6.5.3. */
static bool enter_indirect(struct virtio *v, const struct virtio_chain *c, const struct desc *d, struct table *t)
{
	if (!virtio_has(v, VIRTIO_F_INDIRECT_DESC))
		return fail(v, "indirect table without the feature");
	if (c->nsegs || (d->flags & DESC_NEXT))
		return fail(v, "indirect table within a chain");
	if (!d->len || d->len % VIRTQ_DESC_LEN || d->len / VIRTQ_DESC_LEN > VIRTIO_MAX_SEGS)
		return fail(v, "indirect table of a wrong size");
	*t = (struct table){d->addr, d->len / VIRTQ_DESC_LEN};
	return true;
}

static bool read_chain(struct virtio *v, const struct virtq *q, struct virtio_chain *c)
{
	struct table t = {q->desc, q->size};
	uint32_t i = c->head, left = q->size;
	bool indirect = false;
	struct desc d;

	do {
		if (i >= t.count)
			return fail(v, "descriptor index out of range");
		if (!left--)
			return fail(v, "chain that loops");
		physmem_read(v->pm, t.base + (uint64_t)i * VIRTQ_DESC_LEN, &d, sizeof(d));
		if (d.flags & DESC_INDIRECT) {
			if (indirect)
				return fail(v, "indirect table within another");
			if (!enter_indirect(v, c, &d, &t))
				return false;
			indirect = true;
			left = t.count;
			i = 0;
			d.flags = DESC_NEXT;
			continue;
		}
		if (!add_segment(v, c, &d))
			return false;
		i = d.next;
	} while (d.flags & DESC_NEXT);
	return true;
}

/* Entries that the driver has added and the device not yet taken. */
static bool available(struct virtio *v, const struct virtq *q)
{
	uint16_t idx = read16(v, q->avail + RING_IDX);

	if (idx == q->last_avail)
		return false;
	if ((uint16_t)(idx - q->last_avail) > q->size)
		return fail(v, "available index too far ahead");
	atomic_thread_fence(memory_order_acquire); /* the entry is read after the index that announces it */
	return true;
}

bool virtq_peek(struct virtio *v, struct virtq *q, struct virtio_chain *c)
{
	if (!available(v, q))
		return false;
	c->head = read16(v, q->avail + RING_ENTRIES + 2u * (q->last_avail % q->size));
	c->nout = c->nsegs = c->out_seg = 0;
	c->out_len = c->in_len = 0;
	c->out_done = c->in_done = 0;
	if (!read_chain(v, q, c))
		return false;
	c->in_seg = c->nout;
	return true;
}

void virtq_push(struct virtio *v, struct virtq *q, uint16_t head, uint32_t written)
{
	uint32_t entry[2] = {head, written};

	q->last_avail++;
	physmem_write(v->pm, q->used + RING_ENTRIES + (uint64_t)USED_LEN * (q->used_idx % q->size), entry,
		      sizeof(entry));
	atomic_thread_fence(memory_order_release);
	write16(v, q->used + RING_IDX, ++q->used_idx);
}

bool virtq_ask_for_kick(struct virtio *v, struct virtq *q)
{
	gpa_t avail_event = q->used + RING_ENTRIES + (uint64_t)USED_LEN * q->size;

	if (!virtio_has(v, VIRTIO_F_EVENT_IDX) || read16(v, avail_event) == q->last_avail)
		return false;
	write16(v, avail_event, q->last_avail);
	atomic_thread_fence(memory_order_seq_cst);
	return available(v, q);
}

bool virtq_wants_interrupt(struct virtio *v, struct virtq *q, uint16_t before)
{
	uint16_t event;

	atomic_thread_fence(memory_order_seq_cst);
	if (!virtio_has(v, VIRTIO_F_EVENT_IDX))
		return !(read16(v, q->avail + RING_FLAGS) & AVAIL_NO_INTERRUPT);
	event = read16(v, q->avail + RING_ENTRIES + 2u * q->size);
	/* 2.6.7.2: whether `event` is among the indexes just passed. */
	return (uint16_t)(q->used_idx - event - 1) < (uint16_t)(q->used_idx - before);
}

size_t virtio_take(struct virtio *v, struct virtio_chain *c, void *buf, size_t len)
{
	uint8_t *to = buf;
	size_t taken = 0;

	while (taken < len && c->out_seg < c->nout) {
		const struct virtio_seg *s = &c->seg[c->out_seg];
		size_t n = MIN(len - taken, s->len - c->out_done);
		if (to)
			physmem_read(v->pm, s->gpa + c->out_done, to + taken, n);
		taken += n;
		c->out_done += (uint32_t)n;
		if (c->out_done == s->len) {
			c->out_seg++;
			c->out_done = 0;
		}
	}
	c->out_len -= taken;
	return taken;
}

size_t virtio_put(struct virtio *v, struct virtio_chain *c, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	size_t put = 0;

	while (put < len && c->in_seg < c->nsegs) {
		const struct virtio_seg *s = &c->seg[c->in_seg];
		size_t n = MIN(len - put, s->len - c->in_done);
		if (from)
			physmem_write(v->pm, s->gpa + c->in_done, from + put, n);
		put += n;
		c->in_done += (uint32_t)n;
		if (c->in_done == s->len) {
			c->in_seg++;
			c->in_done = 0;
		}
	}
	c->in_len -= put;
	return put;
}
