/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix sockets at paths: made, taken over when stale, and removed again. */
#ifndef GNOMON_MONITOR_SOCKET_H
#define GNOMON_MONITOR_SOCKET_H

#include "base.h"

#include <sys/types.h>

struct listener {
	int fd; /* non-blocking; -1: none */
	char path[108];
	dev_t dev; /* of the socket file that we made: at the end only that is removed */
	ino_t ino;
};

/*
 * Listens at path, for this user only (mode 0600). A socket file that nobody listens at is replaced; -EADDRINUSE if
 * somebody does. 0 or a negative errno with one line in err.
 */
int listener_open(struct listener *l, const char *path, char *err, size_t errlen);

/* A new connection (non-blocking), or a negative errno (-EAGAIN: there is none). */
int listener_accept(struct listener *l);

/* Closes and removes the socket file. Nothing if it is not open. */
void listener_close(struct listener *l);

/* Connects (blocking socket). The descriptor, or a negative errno with one line in err. */
int socket_connect(const char *path, char *err, size_t errlen);

#endif
