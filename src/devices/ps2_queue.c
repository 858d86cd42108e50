/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ps2.h"

void ps2_queue_clear(struct ps2_queue *q)
{
	q->head = q->count = 0;
}

void ps2_reply(struct ps2_queue *q, uint8_t byte)
{
	if (q->reply_count < PS2_REPLY)
		q->reply[q->reply_count++] = byte;
}

bool ps2_queue_put(struct ps2_queue *q, const uint8_t *bytes, unsigned count)
{
	if (q->count + count > PS2_QUEUE)
		return false;
	for (unsigned i = 0; i < count; i++)
		q->byte[(q->head + q->count++) % PS2_QUEUE] = bytes[i];
	return true;
}

bool ps2_queue_pop(struct ps2_queue *q, bool replies_only, uint8_t *byte)
{
	if (q->reply_at < q->reply_count) {
		*byte = q->reply[q->reply_at++];
	} else if (!replies_only && q->count) {
		*byte = q->byte[q->head];
		q->head = (q->head + 1) % PS2_QUEUE;
		q->count--;
	} else {
		return false;
	}
	q->last = *byte;
	return true;
}
