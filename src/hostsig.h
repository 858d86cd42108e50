/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host signals that stand for what guest code does: page faults, divide errors, illegal instructions, single steps. The
 * process installs its handlers once; a thread that runs guest code registers who understands the host addresses at
 * which that may happen.
 */
#ifndef GNOMON_HOSTSIG_H
#define GNOMON_HOSTSIG_H

#include "base.h"

#include <signal.h>
#include <ucontext.h>

/* Trap numbers as in ucontext's REG_TRAPNO: the host's exception vector. */

/*
 * Looks at the machine context of a signal that hit the calling thread. Returns true if it dealt with it (perhaps by
 * changing the context), false to ask the next one. Runs in signal context, on the alternate stack.
 */
typedef bool hostsig_fn(void *arg, int signo, siginfo_t *info, ucontext_t *uc);

enum { HOSTSIG_MAX_CLIENTS = 8 };

/* The signal that other threads and timers send to a thread in guest code to make it leave soon. */
#define HOSTSIG_KICK SIGUSR1

/* The signal of the profiler's timer. */
#define HOSTSIG_PROFILE SIGPROF

/* Gives the calling thread its alternate stack and installs the process's handlers (once). 0 or a negative errno. */
int hostsig_thread_init(void);
void hostsig_thread_fini(void);

/*
 * Not every host returns to code whose RSP is not canonical. Processors do, but where the host's own hypervisor has no
 * virtualization hardware either, each return from its kernel, be it from a signal or from a timer's interrupt, may end
 * in a #GP at the instruction returned to, and a page fault that the hypervisor deals with in an #UD. Would it be so
 * with this context?
 */
bool hostsig_refuses_rsp(const ucontext_t *uc);
/* May the signal be such a one? The instruction may also have raised one of its own. */
bool hostsig_refused_rsp(const ucontext_t *uc);

/* Registers a client of the calling thread; the newest is asked first. Removal by the same pair. */
void hostsig_add(hostsig_fn *fn, void *arg);
void hostsig_remove(hostsig_fn *fn, void *arg);

/*
 * Who takes HOSTSIG_PROFILE on the calling thread; NULL: nobody. It may look at the context, but must not change it:
 * the thread goes on as if nothing had been. No kick and no other handler interrupts it.
 */
void hostsig_set_profile(void (*fn)(void *arg, const ucontext_t *uc), void *arg);

/* Called when a signal is nobody's, before the process dies of it: to restore a terminal. */
void hostsig_set_last_words(void (*fn)(void));

#endif
