/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that waits for the outside: sockets, terminals, signals. Everything registered with it is embedded in its
 * owner and called on this thread. Unless said otherwise, functions are for this thread, or for any while it does not
 * run.
 */
#ifndef GNOMON_MONITOR_IOTHREAD_H
#define GNOMON_MONITOR_IOTHREAD_H

#include "base.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum {
	IO_MAX_WATCHES = 48,
	IO_MAX_ALARMS = 48,
	IO_MAX_POKES = 48,
};

/* A file descriptor being watched. */
struct io_watch {
	int fd;
	short events; /* POLLIN | POLLOUT; 0: only hang-up and errors. May be changed at any time on the I/O thread */
	void (*ready)(void *arg, short revents);
	void *arg;
};

/* A call at a time. */
struct io_alarm {
	void (*fire)(void *arg);
	void *arg;
	uint64_t deadline; /* host_now_ns() time; 0: not set */
};

/* A call asked for by another thread. */
struct io_poke {
	void (*fire)(void *arg);
	void *arg;
	atomic_bool pending;
};

struct iothread {
	pthread_t thread;
	bool running;
	atomic_bool stopping;
	int wake_fd;	    /* eventfd */
	sigset_t wait_mask; /* blocked while it waits: all signals but those that `caught` is for */
	void (*caught)(void *arg, int signo);
	void *caught_arg;
	struct io_watch wake_watch;
	struct io_watch *watches[IO_MAX_WATCHES]; /* NULL: removed during this round */
	unsigned nwatches;
	struct io_alarm *alarms[IO_MAX_ALARMS];
	unsigned nalarms;
	struct io_poke *pokes[IO_MAX_POKES];
	unsigned npokes;
};

/* 0 or a negative errno. */
int iothread_init(struct iothread *io);

/*
 * From now on SIGINT, SIGTERM, SIGQUIT, SIGXCPU and, unless it is ignored, SIGHUP reach `caught` on the I/O thread
 * instead of ending the process (and SIGWINCH, so that a display can follow its terminal). Call it before any thread is
 * made: they inherit the blocked signals. Ignores SIGPIPE. 0 or a negative errno.
 */
int iothread_catch_signals(struct iothread *io, void (*caught)(void *arg, int signo), void *arg);

/* Starts the thread, with all signals blocked but when it waits. 0 or a negative errno. */
int iothread_start(struct iothread *io);

/* Ends the thread and waits for it. Any thread but this one; nothing if it does not run. What is registered stays. */
void iothread_stop(struct iothread *io);

/* After iothread_stop() and after everybody has unregistered. */
void iothread_destroy(struct iothread *io);

/* 0, or -ENOSPC. The watch stays the caller's until unwatched, which may happen within its own or another's call. */
int iothread_watch(struct iothread *io, struct io_watch *w);
void iothread_unwatch(struct iothread *io, struct io_watch *w);

/* Sets (again) a call `ns` from now. 0, or -ENOSPC. */
int iothread_alarm(struct iothread *io, struct io_alarm *a, uint64_t ns);
void iothread_cancel(struct iothread *io, struct io_alarm *a);

/* Pokes are added before the thread starts, and removed after it has ended. 0, or -ENOSPC. */
int iothread_add_poke(struct iothread *io, struct io_poke *p);
void iothread_remove_poke(struct iothread *io, struct io_poke *p);

/* Any thread, signal handlers too: p->fire is called soon, once for all pokes before it begins. */
void iothread_poke(struct iothread *io, struct io_poke *p);

#endif
