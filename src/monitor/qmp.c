/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: clients, framing, events. */
#define _GNU_SOURCE
#include "qmp_internal.h"
#include "trace.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static void client_close(struct qmp_client *c)
{
	if (c->fd < 0)
		return;
	trace(ctl, "client %d leaves", c->fd);
	iothread_unwatch(c->qmp->io, &c->watch);
	close(c->fd);
	free(c->in);
	free(c->out);
	c->in = c->out = NULL;
	c->fd = -1;
}

static void client_flush(struct qmp_client *c)
{
	if (!socket_send_queued(c->fd, c->out, &c->out_len)) {
		client_close(c);
		return;
	}
	c->watch.events = (short)((c->out_len ? POLLOUT : 0) | (c->out_len < QMP_PAUSE_INPUT ? POLLIN : 0));
}

/* Queues one message; takes over the reference. */
static void client_send(struct qmp_client *c, json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *out;

	json_decref(message);
	if (c->fd < 0 || !text)
		goto done;
	trace(ctl, "to %d: %.200s", c->fd, text);
	if (c->out_len + len + 2 > c->out_size) {
		size_t size = MAX(c->out_len + len + 2, 2 * c->out_size);
		out = size <= QMP_MAX_OUTPUT ? realloc(c->out, size) : NULL;
		if (!out) {
			client_close(c); /* it sends commands and never reads the answers */
			goto done;
		}
		c->out = out;
		c->out_size = size;
	}
	memcpy(c->out + c->out_len, text, len);
	memcpy(c->out + c->out_len + len, "\r\n", 2);
	c->out_len += len + 2;
	client_flush(c);
done:
	free(text);
}

static void send_error(struct qmp_client *c, const char *desc)
{
	client_send(c, json_pack("{s{ssss}}", "error", "class", "GenericError", "desc", desc));
}

static void next_command(struct qmp_client *c)
{
	c->in_len = 0;
	c->depth = c->lines = 0;
	c->in_string = c->after_backslash = false;
}

/* Whether what has come up to this newline can still become a command. */
static bool may_go_on(const struct qmp_client *c)
{
	json_error_t e;
	json_t *json = json_loadb(c->in, c->in_len, 0, &e);

	json_decref(json);
	return json || (json_error_code(&e) == json_error_premature_end_of_input && c->lines < QMP_MAX_LINES);
}

static void execute(struct qmp_client *c)
{
	json_error_t e;
	json_t *command = json_loadb(c->in, c->in_len, JSON_REJECT_DUPLICATES, &e);
	char desc[JSON_ERROR_TEXT_LENGTH + 32];

	trace(ctl, "from %d: %.*s", c->fd, (int)MIN(c->in_len, 200), c->in);
	next_command(c);
	if (command) {
		client_send(c, qmp_dispatch(c, command));
		json_decref(command);
		return;
	}
	snprintf(desc, sizeof(desc), "JSON parse error, %s", e.text);
	send_error(c, desc);
}

/*
 * Commands follow each other with or without newlines (both kinds of client exist), so the end of one is where its
 * brackets close. A line that cannot become a command is told to be wrong at its end, not when a later one closes it.
 */
static void feed(struct qmp_client *c, char byte)
{
	if (c->skipping) {
		c->skipping = byte != '\n';
		return;
	}
	if (!c->in_len && isspace((unsigned char)byte))
		return;
	if (!c->in_len && byte != '{') {
		c->skipping = true;
		send_error(c, "JSON parse error, a command is an object");
		return;
	}
	c->in[c->in_len++] = byte;
	if (byte == '\n' && (c->lines++, !may_go_on(c))) {
		execute(c); /* tells what is wrong with it */
		return;
	}
	if (c->in_string) {
		c->in_string = c->after_backslash || byte != '"';
		c->after_backslash = !c->after_backslash && byte == '\\';
	} else if (byte == '"') {
		c->in_string = true;
	} else if (byte == '{' || byte == '[') {
		c->depth++;
	} else if ((byte == '}' || byte == ']') && --c->depth == 0) {
		execute(c);
		return;
	}
	if (c->in_len == QMP_MAX_INPUT) {
		next_command(c);
		c->skipping = true;
		send_error(c, "the command is too long");
	}
}

static void client_ready(void *arg, short revents)
{
	struct qmp_client *c = arg;
	char buf[4096];
	ssize_t n;

	if (revents & POLLOUT)
		client_flush(c);
	if (c->fd < 0 || !(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	n = socket_receive(c->fd, buf, sizeof(buf));
	if (n < 0) {
		client_close(c);
		return;
	}
	for (ssize_t i = 0; i < n && c->fd >= 0; i++)
		feed(c, buf[i]);
}

static void new_client(void *arg, short revents)
{
	struct qmp *qmp = arg;
	struct qmp_client *c = NULL;
	int fd = listener_accept(&qmp->listener);

	if (fd < 0)
		return;
	for (unsigned i = 0; i < QMP_MAX_CLIENTS && !c; i++)
		if (qmp->clients[i].fd < 0)
			c = &qmp->clients[i];
	if (!c) {
		close(fd);
		return;
	}
	*c = (struct qmp_client){.qmp = qmp, .fd = fd, .in = malloc(QMP_MAX_INPUT)};
	c->watch = (struct io_watch){.fd = fd, .events = POLLIN, .ready = client_ready, .arg = c};
	if (!c->in || iothread_watch(qmp->io, &c->watch)) {
		client_close(c);
		return;
	}
	trace(ctl, "client %d", fd);
	client_send(c, qmp_greeting());
}

void qmp_emit(struct qmp *qmp, enum qmp_event event, bool by_guest, const char *reason)
{
	static const char *const names[] = {
	    [QMP_EVENT_SHUTDOWN] = "SHUTDOWN", [QMP_EVENT_RESET] = "RESET",	    [QMP_EVENT_STOP] = "STOP",
	    [QMP_EVENT_RESUME] = "RESUME",     [QMP_EVENT_POWERDOWN] = "POWERDOWN", [QMP_EVENT_SUSPEND] = "SUSPEND",
	    [QMP_EVENT_WAKEUP] = "WAKEUP",
	};
	struct timeval now;

	gettimeofday(&now, NULL);
	for (unsigned i = 0; i < QMP_MAX_CLIENTS; i++) {
		struct qmp_client *c = &qmp->clients[i];
		json_t *message;
		if (c->fd < 0 || !c->negotiated)
			continue;
		message = json_pack("{s{sIsI}ss}", "timestamp", "seconds", (json_int_t)now.tv_sec, "microseconds",
				    (json_int_t)now.tv_usec, "event", names[event]);
		if (message && reason)
			json_object_set_new(message, "data", json_pack("{sbss}", "guest", by_guest, "reason", reason));
		client_send(c, message);
	}
}

static void poked(void *arg)
{
	struct qmp *qmp = arg;
	struct qmp_pending pending[QMP_MAX_PENDING];
	unsigned n;

	pthread_mutex_lock(&qmp->lock);
	n = qmp->npending;
	memcpy(pending, qmp->pending, n * sizeof(pending[0]));
	qmp->npending = 0;
	pthread_mutex_unlock(&qmp->lock);
	for (unsigned i = 0; i < n; i++)
		qmp_emit(qmp, pending[i].event, pending[i].by_guest, pending[i].reason);
}

void qmp_notify(struct qmp *qmp, enum qmp_event event, bool by_guest, const char *reason)
{
	if (!qmp)
		return;
	pthread_mutex_lock(&qmp->lock);
	/* A guest that resets in a loop fills this before the I/O thread looks: what is told once is told. */
	if (qmp->npending < QMP_MAX_PENDING)
		qmp->pending[qmp->npending++] = (struct qmp_pending){event, by_guest, reason};
	pthread_mutex_unlock(&qmp->lock);
	iothread_poke(qmp->io, &qmp->poke);
}

struct qmp *qmp_open(struct iothread *io, const struct vm_control_ops *vm, const char *path, char *err, size_t errlen)
{
	struct qmp *qmp = calloc(1, sizeof(*qmp));

	if (!qmp) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	qmp->io = io;
	qmp->vm = vm;
	for (unsigned i = 0; i < QMP_MAX_CLIENTS; i++)
		qmp->clients[i].fd = -1;
	pthread_mutex_init(&qmp->lock, NULL);
	keyqueue_init(&qmp->keys, io, vm);
	qmp->poke = (struct io_poke){.fire = poked, .arg = qmp};
	if (listener_open(&qmp->listener, path, err, errlen))
		goto out;
	qmp->listen_watch =
	    (struct io_watch){.fd = qmp->listener.fd, .events = POLLIN, .ready = new_client, .arg = qmp};
	if (iothread_watch(io, &qmp->listen_watch) || iothread_add_poke(io, &qmp->poke)) {
		snprintf(err, errlen, "too many descriptors to wait for");
		goto out;
	}
	return qmp;
out:
	qmp_close(qmp);
	return NULL;
}

void qmp_close(struct qmp *qmp)
{
	if (!qmp)
		return;
	poked(qmp); /* the guest's last event */
	for (unsigned i = 0; i < QMP_MAX_CLIENTS; i++)
		client_close(&qmp->clients[i]);
	keyqueue_destroy(&qmp->keys);
	iothread_unwatch(qmp->io, &qmp->listen_watch);
	iothread_remove_poke(qmp->io, &qmp->poke);
	listener_close(&qmp->listener);
	pthread_mutex_destroy(&qmp->lock);
	free(qmp);
}
