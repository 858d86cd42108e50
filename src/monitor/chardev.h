/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host ends of serial ports and debug consoles: bytes out to the terminal, a file or a socket, bytes in from there.
 *
 * Output goes through a ring that the I/O thread empties, so that a slow reader never holds up the guest for long.
 * Nothing is lost to a reader that keeps up within CHARDEV_PATIENCE_MS. One that does not is taken for stalled: what
 * does not fit is dropped (and counted) until it reads again. While no client is connected to a socket, the ring keeps
 * the latest bytes for the next one.
 */
#ifndef GNOMON_MONITOR_CHARDEV_H
#define GNOMON_MONITOR_CHARDEV_H

#include "config.h"
#include "iothread.h"
#include "socket.h"
#include "terminal.h"

enum {
	CHARDEV_RING = 64 * 1024,
	CHARDEV_PATIENCE_MS = 100,
	CHARDEV_INPUT = 256, /* bytes read at a time */
};

/* Who is behind it. Called on the I/O thread. */
struct chardev_user {
	/* Takes bytes; returns how many it took. The rest is offered again a little later, and nothing more is read
	 * meanwhile. NULL: input is not read. */
	size_t (*input)(void *arg, const uint8_t *buf, size_t len);
	void (*quit)(void *arg); /* the user pressed Ctrl-A x */
	void *arg;
};

struct chardev {
	enum chardev_kind kind;
	const char *name; /* for messages: the path, or "stdio" */
	struct iothread *io;
	struct chardev_user user;
	struct listener listener;
	int in_fd, out_fd; /* -1: none */
	struct terminal terminal;
	struct escape escape;
	struct io_watch listen_watch, in_watch, out_watch;
	bool listening, reading, writing; /* which of the watches are set */
	struct io_alarm retry, flush;
	struct io_poke poke;
	uint8_t input[CHARDEV_INPUT]; /* read and not yet taken by the user */
	size_t input_len;

	pthread_mutex_t lock; /* what follows; nothing else is used by two threads */
	pthread_cond_t room;
	uint8_t *ring;
	size_t head, used;
	bool connected; /* somebody is there to read */
	bool stalled;
	bool scheduled; /* the I/O thread knows that there is something in the ring */
	uint64_t dropped;
};

/*
 * Opens it before the I/O thread starts. cfg's strings must outlive it. stdio: the terminal, if it is one, goes raw and
 * the user is told of Ctrl-A x. 0, or a negative errno with one line in err; then there is nothing to close.
 */
int chardev_open(struct chardev *cd, struct iothread *io, const struct chardev_config *cfg,
		 const struct chardev_user *user, char *err, size_t errlen);

/* After the I/O thread has ended: writes out what is left (for a second at most), restores the terminal, removes the
 * socket. */
void chardev_close(struct chardev *cd);

/* Any thread. Waits for room CHARDEV_PATIENCE_MS at most. */
void chardev_write(struct chardev *cd, const uint8_t *buf, size_t len);

/* For a panic hook: writes out what it can without waiting for anybody and restores the terminal. */
void chardev_panic(struct chardev *cd);

#endif
