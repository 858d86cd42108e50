/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys on their way to the guest at a person's pace. They are pressed one after the other whoever sent them, and wait
 * while the keyboard's own queue is full, so that scripted typing loses nothing in a slow guest. I/O thread only.
 */
#ifndef GNOMON_MONITOR_KEYQUEUE_H
#define GNOMON_MONITOR_KEYQUEUE_H

#include "control.h"
#include "iothread.h"

enum {
	KEYQUEUE_SIZE = 4096, /* presses and releases */
	KEYQUEUE_MAX_CHORD = 16,
};

struct keyqueue_event {
	uint16_t key; /* enum key */
	bool down;
	uint32_t pause_ms; /* before the next one */
};

struct keyqueue {
	struct iothread *io;
	const struct vm_control_ops *vm;
	struct io_alarm alarm;
	unsigned tries; /* of the first event */
	unsigned head, used;
	struct keyqueue_event events[KEYQUEUE_SIZE];
};

void keyqueue_init(struct keyqueue *kq, struct iothread *io, const struct vm_control_ops *vm);
/* Forgets what is left. */
void keyqueue_destroy(struct keyqueue *kq);

/* One press or release, at once if nothing waits. 0, or -ENOSPC. */
int keyqueue_key(struct keyqueue *kq, enum key key, bool down);

/*
 * Presses the keys in order, holds them for hold_ms, and releases them in reverse order. n: 1..KEYQUEUE_MAX_CHORD. 0,
 * or -ENOSPC (then nothing is pressed).
 */
int keyqueue_chord(struct keyqueue *kq, const enum key *keys, unsigned n, unsigned hold_ms);

#endif
