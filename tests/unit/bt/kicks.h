/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A timer that signals the thread at random moments. Whoever includes this defines _GNU_SOURCE. */
#ifndef TESTS_KICKS_H
#define TESTS_KICKS_H

#include <signal.h>
#include <time.h>

#include "bt_fixture.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static timer_t timer;
static unsigned pause_ns, random_state = 12345;

static void arm_timer(void)
{
	struct itimerspec its = {0};

	random_state = random_state * 1664525 + 1013904223;
	its.it_value.tv_nsec = pause_ns ? 10000 + (long)((random_state >> 8) % pause_ns) : 0;
	timer_settime(timer, 0, &its, NULL);
}

/* Each kick arms the next one. */
static bool kick_again(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	if (signo == HOSTSIG_KICK)
		arm_timer();
	return false;
}

/* The first one; kicks go on by themselves, for another signal its handler calls arm_timer(). */
static void start_signals(int signo, unsigned ns)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signo};

	ev.sigev_notify_thread_id = gettid();
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	hostsig_add(kick_again, NULL);
	pause_ns = ns;
	arm_timer();
}

static inline void start_kicks(unsigned ns)
{
	start_signals(HOSTSIG_KICK, ns);
}

static void end_kicks(void)
{
	pause_ns = 0;
	timer_delete(timer);
	hostsig_remove(kick_again, NULL);
}

#endif
