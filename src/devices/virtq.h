/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Split virtqueues, internal to virtio*.c: VIRTIO 1.1, section 2.6. */
#ifndef GNOMON_DEVICES_VIRTQ_H
#define GNOMON_DEVICES_VIRTQ_H

#include "devices/virtio.h"

enum { VIRTQ_DESC_LEN = 16 };

/* Bytes of the available ring, with used_event. */
static inline unsigned virtq_avail_len(const struct virtq *q)
{
	return 6 + 2u * q->size;
}

/* Reads the next chain without taking it. False: there is none, or the driver has broken the rules (virtio_fail). */
bool virtq_peek(struct virtio *v, struct virtq *q, struct virtio_chain *c);

/* Takes the chain that virtq_peek() read, and gives it back with `written` bytes in its in buffers. */
void virtq_push(struct virtio *v, struct virtq *q, uint16_t head, uint32_t written);

/* The queue is empty: the driver shall kick again. True: it has added something meanwhile. */
bool virtq_ask_for_kick(struct virtio *v, struct virtq *q);

/* Whether the driver wants to hear of what was pushed since used_idx was `before`. */
bool virtq_wants_interrupt(struct virtio *v, struct virtq *q, uint16_t before);

#endif
