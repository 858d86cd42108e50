/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "chardev.h"

#include "file.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	WRITE_MAX = 4096,    /* what a pipe that polls writable takes without blocking (pipe(7)) */
	FLUSH_DELAY_MS = 2,  /* guests write byte by byte: gather some */
	RETRY_DELAY_MS = 10, /* the guest did not take its input */
	CLOSE_PATIENCE_MS = 1000,
};

static void set_reading(struct chardev *cd, bool on)
{
	if (on == cd->reading)
		return;
	cd->reading = on && iothread_watch(cd->io, &cd->in_watch) == 0;
	if (!on)
		iothread_unwatch(cd->io, &cd->in_watch);
}

static void set_writing(struct chardev *cd, bool on)
{
	if (on == cd->writing)
		return;
	cd->writing = on && iothread_watch(cd->io, &cd->out_watch) == 0;
	if (!on)
		iothread_unwatch(cd->io, &cd->out_watch);
}

static void set_listening(struct chardev *cd, bool on)
{
	if (on == cd->listening)
		return;
	cd->listening = on && iothread_watch(cd->io, &cd->listen_watch) == 0;
	if (!on)
		iothread_unwatch(cd->io, &cd->listen_watch);
}

static void set_connected(struct chardev *cd, bool on)
{
	pthread_mutex_lock(&cd->lock);
	cd->connected = on;
	cd->stalled = false;
	pthread_cond_broadcast(&cd->room);
	pthread_mutex_unlock(&cd->lock);
}

/* The socket's client has gone: wait for the next one. */
static void disconnect(struct chardev *cd)
{
	set_reading(cd, false);
	set_writing(cd, false);
	set_connected(cd, false);
	close(cd->in_fd);
	cd->in_fd = cd->out_fd = -1;
	set_listening(cd, true);
}

/* A copy of the ring's first bytes, up to max and to the ring's edge. */
static size_t peek(struct chardev *cd, uint8_t *buf, size_t max)
{
	size_t n;

	pthread_mutex_lock(&cd->lock);
	n = MIN(MIN(cd->used, CHARDEV_RING - cd->head), max);
	memcpy(buf, cd->ring + cd->head, n);
	if (!cd->used)
		cd->scheduled = false;
	pthread_mutex_unlock(&cd->lock);
	return n;
}

static void consume(struct chardev *cd, size_t n)
{
	pthread_mutex_lock(&cd->lock);
	cd->head = (cd->head + n) % CHARDEV_RING;
	cd->used -= n;
	cd->stalled = false;
	pthread_cond_broadcast(&cd->room);
	pthread_mutex_unlock(&cd->lock);
}

static void output_failed(struct chardev *cd, int code)
{
	if (cd->kind == CHARDEV_UNIX) {
		disconnect(cd);
		return;
	}
	say("cannot write to %s: %s; its output is dropped from now on", cd->name, strerror(code));
	set_writing(cd, false);
	cd->out_fd = -1; /* not ours to close (stdio), or closed as in_fd */
	set_connected(cd, false);
}

static ssize_t write_some(struct chardev *cd, const uint8_t *buf, size_t len)
{
	struct pollfd pfd = {.fd = cd->out_fd, .events = POLLOUT};

	if (cd->kind == CHARDEV_UNIX)
		return send(cd->out_fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* Standard output is shared with others and so must not be made non-blocking: ask first. */
	if (cd->kind == CHARDEV_STDIO && (poll(&pfd, 1, 0) != 1 || !(pfd.revents & (POLLOUT | POLLERR)))) {
		errno = EAGAIN;
		return -1;
	}
	return write(cd->out_fd, buf, len);
}

/* Writes the ring out, as far as the reader takes it. */
static void flush(void *arg)
{
	struct chardev *cd = arg;
	uint8_t buf[WRITE_MAX];
	size_t len;

	while (cd->out_fd >= 0 && (len = peek(cd, buf, sizeof(buf)))) {
		ssize_t n = write_some(cd, buf, len);
		if (n > 0) {
			consume(cd, (size_t)n);
		} else if (n < 0 && errno == EAGAIN) {
			set_writing(cd, true);
			return;
		} else if (!(n < 0 && errno == EINTR)) {
			output_failed(cd, n < 0 ? errno : EIO);
			return;
		}
	}
	set_writing(cd, false);
}

static void poked(void *arg)
{
	struct chardev *cd = arg;
	bool now;

	pthread_mutex_lock(&cd->lock);
	now = cd->used > CHARDEV_RING / 2;
	pthread_mutex_unlock(&cd->lock);
	if (now || iothread_alarm(cd->io, &cd->flush, FLUSH_DELAY_MS * NS_PER_MS))
		flush(cd);
}

static void out_ready(void *arg, short revents)
{
	flush(arg);
}

/* Offers what was read to the guest. */
static void offer(void *arg)
{
	struct chardev *cd = arg;
	size_t taken = cd->input_len ? cd->user.input(cd->user.arg, cd->input, cd->input_len) : 0;

	taken = MIN(taken, cd->input_len);
	memmove(cd->input, cd->input + taken, cd->input_len - taken);
	cd->input_len -= taken;
	if (cd->in_fd < 0 && !cd->input_len)
		return;
	set_reading(cd, cd->in_fd >= 0 && !cd->input_len);
	if (cd->input_len)
		iothread_alarm(cd->io, &cd->retry, RETRY_DELAY_MS * NS_PER_MS);
}

/* Takes out of the input what is for the monitor. */
static size_t filter_escapes(struct chardev *cd, uint8_t *buf, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		switch (escape_feed(&cd->escape, &buf[i])) {
		case ESCAPE_PASS:
			buf[kept++] = buf[i];
			break;
		case ESCAPE_HELP:
			say("%s", escape_help);
			break;
		case ESCAPE_QUIT:
			if (cd->user.quit)
				cd->user.quit(cd->user.arg);
			break;
		case ESCAPE_NONE:
			break;
		}
	}
	return kept;
}

static void in_ready(void *arg, short revents)
{
	struct chardev *cd = arg;
	ssize_t n = read(cd->in_fd, cd->input, sizeof(cd->input));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (cd->kind == CHARDEV_UNIX) {
			disconnect(cd);
		} else {
			set_reading(cd, false);
			cd->in_fd = -1;
		}
		return;
	}
	cd->input_len = cd->terminal.raw ? filter_escapes(cd, cd->input, (size_t)n) : (size_t)n;
	if (!cd->user.input)
		cd->input_len = 0;
	else
		offer(cd);
}

static void client_ready(void *arg, short revents)
{
	struct chardev *cd = arg;
	int fd = listener_accept(&cd->listener);

	if (fd < 0)
		return;
	set_listening(cd, false);
	cd->in_fd = cd->out_fd = fd;
	cd->in_watch.fd = cd->out_watch.fd = fd;
	set_reading(cd, !cd->input_len);
	set_connected(cd, true);
	flush(cd);
}

static int open_file(struct chardev *cd, const char *path, char *err, size_t errlen)
{
	int fd = file_create(path);

	cd->out_fd = MAX(fd, -1);
	if (fd < 0)
		snprintf(err, errlen, "cannot write to %s: %s", path, file_create_error(fd));
	return MIN(fd, 0);
}

static void open_stdio(struct chardev *cd)
{
	cd->name = "standard output";
	cd->in_fd = STDIN_FILENO;
	cd->out_fd = STDOUT_FILENO;
	if (terminal_raw(&cd->terminal, STDIN_FILENO))
		say("%s", escape_help);
}

/* Fails only for want of slots. */
static int watch_ends(struct chardev *cd)
{
	cd->listen_watch = (struct io_watch){.fd = cd->listener.fd, .events = POLLIN, .ready = client_ready, .arg = cd};
	cd->in_watch = (struct io_watch){.fd = cd->in_fd, .events = POLLIN, .ready = in_ready, .arg = cd};
	cd->out_watch = (struct io_watch){.fd = cd->out_fd, .events = POLLOUT, .ready = out_ready, .arg = cd};
	cd->retry = (struct io_alarm){.fire = offer, .arg = cd};
	cd->flush = (struct io_alarm){.fire = flush, .arg = cd};
	cd->poke = (struct io_poke){.fire = poked, .arg = cd};
	cd->connected = cd->out_fd >= 0;
	if (cd->kind == CHARDEV_UNIX)
		set_listening(cd, true);
	else if (cd->kind == CHARDEV_STDIO)
		set_reading(cd, true);
	return iothread_add_poke(cd->io, &cd->poke);
}

int chardev_open(struct chardev *cd, struct iothread *io, const struct chardev_config *cfg,
		 const struct chardev_user *user, char *err, size_t errlen)
{
	pthread_condattr_t monotonic;
	int rc = 0;

	*cd = (struct chardev){.kind = cfg->kind, .name = cfg->path, .io = io, .in_fd = -1, .out_fd = -1};
	if (user)
		cd->user = *user;
	cd->listener.fd = -1;
	if (cfg->kind == CHARDEV_NONE)
		return 0;
	cd->ring = malloc(CHARDEV_RING);
	if (!cd->ring) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	pthread_mutex_init(&cd->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&cd->room, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (cfg->kind == CHARDEV_FILE)
		rc = open_file(cd, cfg->path, err, errlen);
	else if (cfg->kind == CHARDEV_UNIX)
		rc = listener_open(&cd->listener, cfg->path, err, errlen);
	else
		open_stdio(cd);
	if (!rc && (rc = watch_ends(cd)))
		snprintf(err, errlen, "too many character devices");
	if (rc)
		chardev_close(cd);
	return rc;
}

void chardev_close(struct chardev *cd)
{
	uint64_t deadline = host_now_ns() + CLOSE_PATIENCE_MS * NS_PER_MS;

	if (cd->kind == CHARDEV_NONE || !cd->ring)
		return;
	for (flush(cd); cd->writing && host_now_ns() < deadline; flush(cd)) {
		struct pollfd pfd = {.fd = cd->out_fd, .events = POLLOUT};
		poll(&pfd, 1, 10);
	}
	set_reading(cd, false);
	set_writing(cd, false);
	set_listening(cd, false);
	iothread_cancel(cd->io, &cd->retry);
	iothread_cancel(cd->io, &cd->flush);
	iothread_remove_poke(cd->io, &cd->poke);
	terminal_restore(&cd->terminal);
	if (cd->kind != CHARDEV_STDIO && cd->out_fd >= 0)
		close(cd->out_fd);
	listener_close(&cd->listener);
	pthread_cond_destroy(&cd->room);
	pthread_mutex_destroy(&cd->lock);
	free(cd->ring);
	cd->ring = NULL;
	cd->in_fd = cd->out_fd = -1;
}

/* With the lock held: waits for room as long as the reader is not given up. */
static void wait_for_room(struct chardev *cd)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += CHARDEV_PATIENCE_MS * 1000000l;
	until.tv_sec += until.tv_nsec / 1000000000l;
	until.tv_nsec %= 1000000000l;
	while (cd->used == CHARDEV_RING && cd->connected)
		if (pthread_cond_timedwait(&cd->room, &cd->lock, &until)) {
			cd->stalled = true;
			return;
		}
}

/* With the lock held: as much as fits. */
static size_t put(struct chardev *cd, const uint8_t *buf, size_t len)
{
	size_t tail = (cd->head + cd->used) % CHARDEV_RING;
	size_t n = MIN(MIN(len, CHARDEV_RING - cd->used), CHARDEV_RING - tail);

	memcpy(cd->ring + tail, buf, n);
	cd->used += n;
	return n;
}

static void make_room(struct chardev *cd, size_t len)
{
	size_t excess;

	if (cd->used + len <= CHARDEV_RING)
		return;
	excess = MIN(cd->used, cd->used + len - CHARDEV_RING);
	cd->head = (cd->head + excess) % CHARDEV_RING;
	cd->used -= excess;
	cd->dropped += excess;
}

void chardev_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	bool poke;

	if (cd->kind == CHARDEV_NONE)
		return;
	pthread_mutex_lock(&cd->lock);
	while (len) {
		size_t n;
		if (!cd->connected)
			make_room(cd, MIN(len, CHARDEV_RING));
		else if (cd->used == CHARDEV_RING && !cd->stalled) {
			cd->scheduled = true;
			iothread_poke(cd->io, &cd->poke);
			wait_for_room(cd);
		}
		n = put(cd, buf, len);
		if (!n && cd->stalled) {
			cd->dropped += len;
			break;
		}
		buf += n;
		len -= n;
	}
	poke = cd->connected && (!cd->scheduled || cd->used > CHARDEV_RING / 2);
	cd->scheduled |= poke;
	pthread_mutex_unlock(&cd->lock);
	if (poke)
		iothread_poke(cd->io, &cd->poke);
}

void chardev_panic(struct chardev *cd)
{
	if (cd->kind == CHARDEV_NONE || !cd->ring)
		return;
	/* Whoever holds the lock may be the thread that panics: what comes out may be torn, which is better than
	 * nothing. */
	for (size_t left = cd->out_fd >= 0 ? cd->used : 0; left;) {
		size_t n = MIN(left, CHARDEV_RING - cd->head);
		ssize_t done = write_some(cd, cd->ring + cd->head, n);
		if (done <= 0)
			break;
		cd->head = (cd->head + (size_t)done) % CHARDEV_RING;
		left -= (size_t)done;
	}
	terminal_restore(&cd->terminal);
}
