/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix sockets at paths: made, taken over when stale, and removed again. TCP ports to listen at. */
#ifndef GNOMON_MONITOR_SOCKET_H
#define GNOMON_MONITOR_SOCKET_H

#include "base.h"

#include <sys/types.h>

struct listener {
	int fd;		/* non-blocking; -1: none */
	char path[108]; /* empty: TCP */
	dev_t dev;	/* of the socket file that we made: at the end only that is removed */
	ino_t ino;
};

/*
 * Listens at path, for this user only (mode 0600). The file appears once connections are taken. A socket file that
 * nobody listens at is replaced; -EADDRINUSE if somebody does. 0 or a negative errno with one line in err.
 */
int listener_open(struct listener *l, const char *path, char *err, size_t errlen);

/*
 * Listens at a TCP port (0: the host's choice) of the address or name. 0, with the port in *bound (may be NULL), or a
 * negative errno with one line in err.
 */
int listener_open_tcp(struct listener *l, const char *host, uint16_t port, uint16_t *bound, char *err, size_t errlen);

/* A new connection (non-blocking), or a negative errno (-EAGAIN: there is none). */
int listener_accept(struct listener *l);

/* What a connection has sent: its bytes (1 to size), 0 if there are none now, or -1 if it has ended or failed. */
ssize_t socket_receive(int fd, void *buf, size_t size);

/* Sends what the connection takes now of the *len bytes that are queued, and moves the rest to the front. False: it has
 * failed. */
bool socket_send_queued(int fd, void *queue, size_t *len);

/* Closes and removes the socket file. Nothing if it is not open. */
void listener_close(struct listener *l);

/* Connects (blocking socket). The descriptor, or a negative errno with one line in err. */
int socket_connect(const char *path, char *err, size_t errlen);

#endif
