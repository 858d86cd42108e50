/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_MONITOR_QMP_INTERNAL_H
#define GNOMON_MONITOR_QMP_INTERNAL_H

#include "keyqueue.h"
#include "qmp.h"
#include "socket.h"

#include <jansson.h>

enum {
	QMP_MAX_CLIENTS = 8,
	QMP_MAX_INPUT = 64 * 1024,	  /* bytes of one command */
	QMP_MAX_LINES = 256,		  /* of one command */
	QMP_MAX_OUTPUT = 8 * 1024 * 1024, /* waiting for a client: it is dropped beyond */
	QMP_PAUSE_INPUT = 1024 * 1024,	  /* waiting for a client: it is not listened to beyond */
	QMP_MAX_PENDING = 32,		  /* events of other threads */
};

struct qmp_pending {
	enum qmp_event event;
	bool by_guest;
	const char *reason;
};

struct qmp_client {
	struct qmp *qmp;
	int fd; /* -1: free slot */
	bool negotiated;
	struct io_watch watch;
	/* The command being received, and where the scanner for its end is. */
	char *in; /* QMP_MAX_INPUT bytes */
	size_t in_len;
	unsigned depth, lines;
	bool in_string, after_backslash;
	bool skipping; /* up to the end of the line, after an error */
	/* Not yet sent. */
	char *out;
	size_t out_len, out_size;
};

struct qmp {
	struct iothread *io;
	const struct vm_control_ops *vm;
	struct listener listener;
	struct io_watch listen_watch;
	struct qmp_client clients[QMP_MAX_CLIENTS];
	struct keyqueue keys;
	unsigned buttons; /* of the mouse, as last sent */
	struct io_poke poke;
	pthread_mutex_t lock; /* the two below */
	struct qmp_pending pending[QMP_MAX_PENDING];
	unsigned npending;
};

struct qmp_error {
	const char *class; /* NULL: GenericError */
	char desc[512];
};

/* Sets the error and returns NULL, for handlers. */
json_t *qmp_fail(struct qmp_error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Carries out one parsed command and returns the answer ({"return": ...} or {"error": ...}, with the id). Never NULL.
 */
json_t *qmp_dispatch(struct qmp_client *client, json_t *command);

/* The message that greets a client. */
json_t *qmp_greeting(void);

/* Sends an event to all clients that have negotiated. */
void qmp_emit(struct qmp *qmp, enum qmp_event event, bool by_guest, const char *reason);

/* Commands of qmp_input.c. */
json_t *qmp_send_key(struct qmp_client *client, json_t *args, struct qmp_error *e);
json_t *qmp_input_send_event(struct qmp_client *client, json_t *args, struct qmp_error *e);

#endif
