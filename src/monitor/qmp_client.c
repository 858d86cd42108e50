/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qmp_client.h"

#include "socket.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 30000, /* a VM under the single-stepper may take its time over a screen dump */
	MAX_MESSAGE = 16 * 1024 * 1024,
};

static int fail(int code, char *err, size_t errlen, const char *text)
{
	snprintf(err, errlen, "%s", text);
	return code;
}

/* More bytes from the VM. */
static int receive(struct qmp_conn *conn, char *err, size_t errlen)
{
	struct pollfd pfd = {.fd = conn->fd, .events = POLLIN};
	ssize_t n;

	if (conn->len == conn->size) {
		size_t size = MAX(4096, 2 * conn->size);
		char *buf = size <= MAX_MESSAGE ? realloc(conn->buf, size) : NULL;
		if (!buf)
			return fail(-ENOMEM, err, errlen, "the VM's answer is too long");
		conn->buf = buf;
		conn->size = size;
	}
	if (poll(&pfd, 1, PATIENCE_MS) == 0)
		return fail(-ETIMEDOUT, err, errlen, "the VM does not answer");
	n = recv(conn->fd, conn->buf + conn->len, conn->size - conn->len, 0);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return fail(-ECONNRESET, err, errlen, "the VM closed the connection");
	conn->len += (size_t)n;
	return 0;
}

/* The next line as JSON: a new reference in *message. */
static int next_message(struct qmp_conn *conn, json_t **message, char *err, size_t errlen)
{
	char *end;
	size_t used;

	while (!(end = memchr(conn->buf, '\n', conn->len))) {
		int rc = receive(conn, err, errlen);
		if (rc)
			return rc;
	}
	used = (size_t)(end - conn->buf) + 1;
	*message = json_loadb(conn->buf, used, 0, NULL);
	memmove(conn->buf, conn->buf + used, conn->len - used);
	conn->len -= used;
	if (!*message)
		return fail(-EPROTO, err, errlen, "what listens there does not speak QMP");
	return 0;
}

static int send_all(struct qmp_conn *conn, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(conn->fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_command(struct qmp_conn *conn, const char *command, json_t *args, char *err, size_t errlen)
{
	json_t *message = json_pack("{ss}", "execute", command);
	char *text;
	size_t size;
	int rc;

	if (args)
		json_object_set_new(message, "arguments", args);
	size = json_dumpb(message, NULL, 0, JSON_COMPACT);
	text = size ? malloc(size + 2) : NULL;
	if (!text) {
		json_decref(message);
		return fail(-ENOMEM, err, errlen, "out of memory");
	}
	json_dumpb(message, text, size, JSON_COMPACT);
	json_decref(message);
	/* In one piece: after `quit` the VM is gone as soon as it has seen the command's end. */
	memcpy(text + size, "\r\n", 2);
	rc = send_all(conn, text, size + 2);
	free(text);
	return rc ? fail(rc, err, errlen, "the VM closed the connection") : 0;
}

int qmp_execute(struct qmp_conn *conn, const char *command, json_t *args, json_t **result, char *err, size_t errlen)
{
	json_t *message = NULL, *value;
	int rc = send_command(conn, command, args, err, errlen);

	while (!rc) {
		rc = next_message(conn, &message, err, errlen);
		if (rc)
			break;
		if ((value = json_object_get(message, "return"))) {
			if (result)
				*result = json_incref(value);
			break;
		}
		if ((value = json_object_get(message, "error"))) {
			const char *desc = json_string_value(json_object_get(value, "desc"));
			rc = fail(-EPROTO, err, errlen, desc ? desc : "the VM refused the command");
			break;
		}
		json_decref(message); /* an event */
		message = NULL;
	}
	json_decref(message);
	return rc;
}

int qmp_connect(struct qmp_conn *conn, const char *path, char *err, size_t errlen)
{
	json_t *greeting = NULL;
	int rc;

	*conn = (struct qmp_conn){.fd = socket_connect(path, err, errlen)};
	if (conn->fd < 0)
		return conn->fd;
	conn->buf = malloc(4096);
	conn->size = conn->buf ? 4096 : 0;
	rc = conn->buf ? next_message(conn, &greeting, err, errlen) : fail(-ENOMEM, err, errlen, "out of memory");
	if (!rc && !json_object_get(greeting, "QMP"))
		rc = fail(-EPROTO, err, errlen, "what listens there does not speak QMP");
	json_decref(greeting);
	if (!rc)
		rc = qmp_execute(conn, "qmp_capabilities", NULL, NULL, err, errlen);
	if (rc)
		qmp_disconnect(conn);
	return rc;
}

void qmp_disconnect(struct qmp_conn *conn)
{
	if (conn->fd >= 0)
		close(conn->fd);
	free(conn->buf);
	*conn = (struct qmp_conn){.fd = -1};
}
