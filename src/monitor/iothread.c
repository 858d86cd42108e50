/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "iothread.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void woken(void *arg, short revents)
{
	struct iothread *io = arg;
	uint64_t count;

	while (read(io->wake_fd, &count, sizeof(count)) == sizeof(count))
		;
}

/* Signals that this thread has got and not reported yet, as bits. They are unblocked in its ppoll() only. A signalfd
 * would look simpler, but Linux wakes whoever polls one for every signal of the process: each fault of guest code, that
 * is. */
static _Thread_local atomic_uint signals_caught;

static void on_signal(int signo)
{
	atomic_fetch_or(&signals_caught, 1u << signo);
}

static void run_signals(struct iothread *io)
{
	unsigned caught = atomic_exchange(&signals_caught, 0);

	for (int signo = 1; caught >> signo; signo++)
		if (caught >> signo & 1)
			io->caught(io->caught_arg, signo);
}

int iothread_init(struct iothread *io)
{
	*io = (struct iothread){.wake_fd = -1};
	sigfillset(&io->wait_mask);
	io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->wake_fd < 0)
		return -errno;
	io->wake_watch = (struct io_watch){.fd = io->wake_fd, .events = POLLIN, .ready = woken, .arg = io};
	return iothread_watch(io, &io->wake_watch);
}

int iothread_catch_signals(struct iothread *io, void (*caught)(void *arg, int signo), void *arg)
{
	static const int caught_signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGXCPU, SIGWINCH, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal}, hangup;
	size_t n = ARRAY_LEN(caught_signals);
	sigset_t set;

	/* nohup(1): the VM outlives its terminal. SIGHUP is the last one. */
	if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler == SIG_IGN)
		n--;
	sigemptyset(&set);
	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, caught_signals[i]);
	signal(SIGPIPE, SIG_IGN);
	/* Blocked first: in other threads, and until the I/O thread waits, they only become pending. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	io->caught = caught;
	io->caught_arg = arg;
	for (size_t i = 0; i < n; i++) {
		if (sigaction(caught_signals[i], &sa, NULL) < 0)
			return -errno;
		sigdelset(&io->wait_mask, caught_signals[i]);
	}
	return 0;
}

static int poll_timeout_ms(const struct iothread *io)
{
	uint64_t next = UINT64_MAX, now = host_now_ns();

	for (unsigned i = 0; i < io->nalarms; i++)
		next = MIN(next, io->alarms[i]->deadline);
	if (next == UINT64_MAX)
		return -1;
	/* Rounded up: waking early would only poll again. */
	return next <= now ? 0 : (int)MIN((next - now + NS_PER_MS - 1) / NS_PER_MS, 3600000);
}

static void run_alarms(struct iothread *io)
{
	uint64_t now = host_now_ns();

	/* One that is set again within its own call is due later than `now`: the loop ends. */
	for (unsigned i = 0; i < io->nalarms;) {
		struct io_alarm *a = io->alarms[i];
		if (a->deadline > now) {
			i++;
			continue;
		}
		iothread_cancel(io, a);
		a->fire(a->arg);
		i = 0;
	}
}

static void run_pokes(struct iothread *io)
{
	for (unsigned i = 0; i < io->npokes; i++)
		if (atomic_exchange(&io->pokes[i]->pending, false))
			io->pokes[i]->fire(io->pokes[i]->arg);
}

static void drop_removed_watches(struct iothread *io)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < io->nwatches; i++)
		if (io->watches[i])
			io->watches[kept++] = io->watches[i];
	io->nwatches = kept;
}

static void *run(void *arg)
{
	struct iothread *io = arg;
	struct pollfd fds[IO_MAX_WATCHES];

	while (!atomic_load(&io->stopping)) {
		struct timespec timeout;
		unsigned n;
		int ms, rc;

		drop_removed_watches(io);
		n = io->nwatches;
		for (unsigned i = 0; i < n; i++)
			fds[i] = (struct pollfd){.fd = io->watches[i]->fd, .events = io->watches[i]->events};
		ms = poll_timeout_ms(io);
		timeout = (struct timespec){ms / 1000, ms % 1000 * (long)NS_PER_MS};
		rc = ppoll(fds, n, ms < 0 ? NULL : &timeout, &io->wait_mask);
		run_signals(io);
		if (rc < 0)
			continue; /* EINTR or a passing shortage */
		/* Slots keep their meaning in this round: removed ones are NULL, new ones come after n. */
		for (unsigned i = 0; i < n; i++)
			if (fds[i].revents && io->watches[i])
				io->watches[i]->ready(io->watches[i]->arg, fds[i].revents);
		run_pokes(io);
		run_alarms(io);
	}
	return NULL;
}

int iothread_start(struct iothread *io)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	atomic_store(&io->stopping, false);
	rc = pthread_create(&io->thread, NULL, run, io);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	io->running = rc == 0;
	return -rc;
}

static void wake(struct iothread *io)
{
	uint64_t one = 1;
	/* Fails only if the counter is full, and then it wakes all the same. */
	ssize_t n = write(io->wake_fd, &one, sizeof(one));
	(void)n;
}

void iothread_stop(struct iothread *io)
{
	if (!io->running)
		return;
	atomic_store(&io->stopping, true);
	wake(io);
	pthread_join(io->thread, NULL);
	io->running = false;
	drop_removed_watches(io);
}

void iothread_destroy(struct iothread *io)
{
	iothread_stop(io);
	if (io->wake_fd >= 0)
		close(io->wake_fd);
	io->wake_fd = -1;
}

int iothread_watch(struct iothread *io, struct io_watch *w)
{
	if (io->nwatches == IO_MAX_WATCHES)
		return -ENOSPC;
	io->watches[io->nwatches++] = w;
	return 0;
}

void iothread_unwatch(struct iothread *io, struct io_watch *w)
{
	for (unsigned i = 0; i < io->nwatches; i++)
		if (io->watches[i] == w)
			io->watches[i] = NULL;
	if (!io->running)
		drop_removed_watches(io);
}

int iothread_alarm(struct iothread *io, struct io_alarm *a, uint64_t ns)
{
	if (!a->deadline) {
		if (io->nalarms == IO_MAX_ALARMS)
			return -ENOSPC;
		io->alarms[io->nalarms++] = a;
	}
	a->deadline = host_now_ns() + MAX(ns, 1);
	return 0;
}

void iothread_cancel(struct iothread *io, struct io_alarm *a)
{
	if (!a->deadline)
		return;
	a->deadline = 0;
	for (unsigned i = 0; i < io->nalarms; i++)
		if (io->alarms[i] == a) {
			io->alarms[i] = io->alarms[--io->nalarms];
			return;
		}
}

int iothread_add_poke(struct iothread *io, struct io_poke *p)
{
	if (io->npokes == IO_MAX_POKES)
		return -ENOSPC;
	atomic_init(&p->pending, false);
	io->pokes[io->npokes++] = p;
	return 0;
}

void iothread_remove_poke(struct iothread *io, struct io_poke *p)
{
	for (unsigned i = 0; i < io->npokes; i++)
		if (io->pokes[i] == p) {
			io->pokes[i] = io->pokes[--io->npokes];
			return;
		}
}

void iothread_poke(struct iothread *io, struct io_poke *p)
{
	/* Already pending: whoever set it has woken the thread. */
	if (!atomic_exchange(&p->pending, true))
		wake(io);
}
