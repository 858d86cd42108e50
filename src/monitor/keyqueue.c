/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keyqueue.h"

enum {
	GAP_MS = 20,	 /* between two chords, at most: guests that debounce see two */
	RETRY_MS = 10,	 /* the keyboard is full */
	MAX_TRIES = 500, /* a guest that never reads its keyboard: the key is lost */
};

static void drain(void *arg)
{
	struct keyqueue *kq = arg;

	while (kq->used) {
		struct keyqueue_event e = kq->events[kq->head];
		uint64_t pause = e.pause_ms;

		if (kq->vm->key(kq->vm->arg, e.key, e.down) == -EAGAIN && ++kq->tries < MAX_TRIES) {
			iothread_alarm(kq->io, &kq->alarm, RETRY_MS * NS_PER_MS);
			return;
		}
		kq->tries = 0;
		kq->head = (kq->head + 1) % KEYQUEUE_SIZE;
		kq->used--;
		/* The last one's pause counts too: what comes next waits for the alarm. */
		if (pause) {
			iothread_alarm(kq->io, &kq->alarm, pause * NS_PER_MS);
			return;
		}
	}
}

void keyqueue_init(struct keyqueue *kq, struct iothread *io, const struct vm_control_ops *vm)
{
	*kq = (struct keyqueue){.io = io, .vm = vm, .alarm = {.fire = drain, .arg = kq}};
}

void keyqueue_destroy(struct keyqueue *kq)
{
	iothread_cancel(kq->io, &kq->alarm);
	kq->used = 0;
}

static void put(struct keyqueue *kq, enum key key, bool down, unsigned pause_ms)
{
	kq->events[(kq->head + kq->used++) % KEYQUEUE_SIZE] =
	    (struct keyqueue_event){.key = (uint16_t)key, .down = down, .pause_ms = pause_ms};
}

static void kick(struct keyqueue *kq)
{
	if (!kq->alarm.deadline)
		drain(kq);
}

int keyqueue_key(struct keyqueue *kq, enum key key, bool down)
{
	if (kq->used == KEYQUEUE_SIZE)
		return -ENOSPC;
	put(kq, key, down, 0);
	kick(kq);
	return 0;
}

int keyqueue_chord(struct keyqueue *kq, const enum key *keys, unsigned n, unsigned hold_ms)
{
	if (KEYQUEUE_SIZE - kq->used < 2 * n)
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++)
		put(kq, keys[i], true, i + 1 == n ? hold_ms : 0);
	for (unsigned i = n; i-- > 0;)
		put(kq, keys[i], false, i ? 0 : MIN(hold_ms, GAP_MS));
	kick(kq);
	return 0;
}
