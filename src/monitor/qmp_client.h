/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of the control socket: one command at a time, answers waited for. */
#ifndef GNOMON_MONITOR_QMP_CLIENT_H
#define GNOMON_MONITOR_QMP_CLIENT_H

#include "base.h"

#include <jansson.h>

struct qmp_conn {
	int fd;
	char *buf; /* received, not yet used */
	size_t len, size;
};

/* Connects and negotiates. 0, or a negative errno with one line in err. */
int qmp_connect(struct qmp_conn *conn, const char *path, char *err, size_t errlen);
void qmp_disconnect(struct qmp_conn *conn);

/*
 * Sends a command and waits for its answer (events are passed over). args: taken over; NULL for none. 0, with what it
 * returned in *result (a new reference; result may be NULL); -EPROTO if the VM refused it, -ECONNRESET if it is gone,
 * -ETIMEDOUT; then one line is in err.
 */
int qmp_execute(struct qmp_conn *conn, const char *command, json_t *args, json_t **result, char *err, size_t errlen);

#endif
