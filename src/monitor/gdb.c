/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to the debugger: who may come, what goes over the line, what becomes of the guest at its ends. */
#define _GNU_SOURCE
#include "gdb_internal.h"
#include "trace.h"
#include "vm.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- sending --- */

static void update_events(struct gdb *gdb)
{
	/* Who does not read the answers is not asked for more. */
	gdb->watch.events = gdb->out_len ? POLLOUT : POLLIN;
}

static void do_attach(void *arg)
{
	struct gdb *gdb = arg;
	debugger_attach(&gdb->debugger, gdb->vm);
}

static void do_detach(void *arg)
{
	struct gdb *gdb = arg;
	debugger_detach(&gdb->debugger);
}

static void disconnect(struct gdb *gdb)
{
	if (gdb->fd < 0)
		return;
	trace(ctl, "gdb leaves");
	iothread_unwatch(gdb->io, &gdb->watch);
	close(gdb->fd);
	gdb->fd = -1;
	gdb->out_len = 0;
	gdb->running = false;
	vm_call(gdb->vm, do_detach, gdb);
}

static void flush(struct gdb *gdb)
{
	if (!socket_send_queued(gdb->fd, gdb->out, &gdb->out_len)) {
		disconnect(gdb);
		return;
	}
	if (gdb->leaving && !gdb->out_len)
		disconnect(gdb);
	else
		update_events(gdb);
}

static void queue(struct gdb *gdb, const char *bytes, size_t len)
{
	if (gdb->fd < 0)
		return;
	if (len > sizeof(gdb->out) - gdb->out_len) {
		disconnect(gdb); /* it asks for things again and again and never reads them */
		return;
	}
	memcpy(gdb->out + gdb->out_len, bytes, len);
	gdb->out_len += len;
}

static void send_reply(struct gdb *gdb)
{
	trace(ctl, "to gdb: %.*s", (int)MIN(gdb->reply.len, 200), gdb->reply.data);
	queue(gdb, gdb->reply.data, gdb->reply.len);
}

/* --- the guest stops --- */

static void guest_stopped(void *arg)
{
	struct gdb *gdb = arg;
	struct gdb_packet *p = &gdb->reply;

	if (gdb->fd < 0 || !gdb->running)
		return;
	gdb_begin(p);
	gdb_tell_stop(gdb);
	if (gdb->running) /* it has been told so already, or runs on */
		return;
	gdb_end(p);
	send_reply(gdb);
	if (gdb->fd >= 0)
		flush(gdb);
}

/* vCPU thread. */
static void tell_stopped(void *arg)
{
	struct gdb *gdb = arg;
	iothread_poke(gdb->io, &gdb->stopped);
}

static void do_interrupt(void *arg)
{
	struct gdb *gdb = arg;
	debugger_interrupt(&gdb->debugger);
}

/* --- receiving --- */

static void feed(struct gdb *gdb, uint8_t byte)
{
	enum gdb_input what = gdb_parser_feed(&gdb->in, byte);

	switch (what) {
	case GDB_IN_PACKET:
		trace(ctl, "from gdb: %.200s", gdb->in.data);
		if (!gdb->no_ack)
			queue(gdb, "+", 1);
		gdb_begin(&gdb->reply);
		if (gdb_dispatch(gdb)) {
			gdb_end(&gdb->reply);
			send_reply(gdb);
		}
		break;
	case GDB_IN_DAMAGED:
		if (!gdb->no_ack)
			queue(gdb, "-", 1);
		break;
	case GDB_IN_TOO_LONG:
		if (!gdb->no_ack)
			queue(gdb, "+", 1);
		gdb_begin(&gdb->reply);
		gdb_format(&gdb->reply, "E%02x", GDB_E_NO_SPACE);
		gdb_end(&gdb->reply);
		send_reply(gdb);
		break;
	case GDB_IN_INTERRUPT:
		if (gdb->running)
			vm_call(gdb->vm, do_interrupt, gdb);
		break;
	case GDB_IN_NAK:
		if (!gdb->no_ack && !gdb->running)
			queue(gdb, gdb->reply.data, gdb->reply.len);
		break;
	case GDB_IN_ACK:
	case GDB_IN_NOTHING:
		break;
	}
}

static void client_ready(void *arg, short revents)
{
	struct gdb *gdb = arg;
	uint8_t buf[4096];
	ssize_t n;

	if (revents & POLLOUT)
		flush(gdb);
	if (gdb->fd < 0 || !(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	n = socket_receive(gdb->fd, buf, sizeof(buf));
	if (n < 0) {
		disconnect(gdb);
		return;
	}
	for (ssize_t i = 0; i < n && gdb->fd >= 0 && !gdb->leaving; i++)
		feed(gdb, buf[i]);
	if (gdb->fd >= 0)
		flush(gdb);
}

static void new_client(void *arg, short revents)
{
	struct gdb *gdb = arg;
	int fd = listener_accept(&gdb->listener);

	if (fd < 0)
		return;
	if (gdb->fd >= 0) {
		trace(ctl, "a second gdb is sent away");
		close(fd);
		return;
	}
	gdb->watch = (struct io_watch){.fd = fd, .events = POLLIN, .ready = client_ready, .arg = gdb};
	if (iothread_watch(gdb->io, &gdb->watch)) {
		close(fd);
		return;
	}
	trace(ctl, "gdb connects");
	gdb->fd = fd;
	gdb->no_ack = gdb->running = gdb->tells_breaks = gdb->leaving = false;
	gdb->out_len = 0;
	gdb_parser_init(&gdb->in);
	gdb_begin(&gdb->reply);
	gdb_end(&gdb->reply);
	vm_call(gdb->vm, do_attach, gdb);
}

/* --- life --- */

static int listen_for(struct gdb *gdb, const struct gdb_config *cfg, char *err, size_t errlen)
{
	uint16_t port;
	int rc;

	if (cfg->path)
		return listener_open(&gdb->listener, cfg->path, err, errlen);
	rc = listener_open_tcp(&gdb->listener, cfg->host, cfg->port, &port, err, errlen);
	if (!rc && !cfg->port)
		say("gdb: target remote %s:%u", cfg->host, port);
	return rc;
}

struct gdb *gdb_open(struct iothread *io, struct vm *vm, const struct gdb_config *cfg, char *err, size_t errlen)
{
	struct gdb *gdb = calloc(1, sizeof(*gdb));

	if (!gdb) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	gdb->io = io;
	gdb->vm = vm;
	gdb->fd = -1;
	gdb->stopped = (struct io_poke){.fire = guest_stopped, .arg = gdb};
	gdb->debugger.stopped = tell_stopped;
	gdb->debugger.arg = gdb;
	if (listen_for(gdb, cfg, err, errlen)) {
		free(gdb);
		return NULL;
	}
	gdb->listen_watch =
	    (struct io_watch){.fd = gdb->listener.fd, .events = POLLIN, .ready = new_client, .arg = gdb};
	if (iothread_watch(io, &gdb->listen_watch) || iothread_add_poke(io, &gdb->stopped)) {
		snprintf(err, errlen, "too many descriptors to wait for");
		gdb_close(gdb);
		return NULL;
	}
	if (cfg->wait)
		debugger_attach(&gdb->debugger, vm);
	return gdb;
}

void gdb_close(struct gdb *gdb)
{
	if (!gdb)
		return;
	if (gdb->fd >= 0 && gdb->running) {
		gdb_begin(&gdb->reply);
		gdb_format(&gdb->reply, "W%02x", gdb->vm->exit_status & 0xff);
		gdb_end(&gdb->reply);
		send_reply(gdb);
	}
	if (gdb->fd >= 0)
		flush(gdb);
	disconnect(gdb);
	debugger_detach(&gdb->debugger);
	iothread_unwatch(gdb->io, &gdb->listen_watch);
	iothread_remove_poke(gdb->io, &gdb->stopped);
	listener_close(&gdb->listener);
	free(gdb);
}
