/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "hostsig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31) /* linux/signal.h, which the C library's header excludes */
#endif

enum { ALT_STACK_BYTES = 256 * 1024 };

/* Which code a thread may be in when a signal hits it is a property of the thread, not of a VM. */
static _Thread_local struct {
	struct {
		hostsig_fn *fn;
		void *arg;
	} clients[HOSTSIG_MAX_CLIENTS];
	unsigned count;
	void *stack;
	stack_t before; /* what the thread had (a sanitizer's), to be given back */
} thread_clients;

static _Thread_local struct {
	void (*fn)(void *arg, const ucontext_t *uc);
	void *arg;
} thread_profile;

static void (*last_words)(void);
static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static pthread_once_t probe_once = PTHREAD_ONCE_INIT;
static bool keeps_rsp;

void hostsig_set_last_words(void (*fn)(void))
{
	last_words = fn;
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	for (unsigned i = thread_clients.count; i > 0; i--)
		if (thread_clients.clients[i - 1].fn(thread_clients.clients[i - 1].arg, signo, info, context)) {
			errno = saved_errno;
			return;
		}
	if (signo == HOSTSIG_KICK) {
		errno = saved_errno;
		return;
	}
	/* Ours: a bug. Die of it as if it had never been caught. */
	if (last_words)
		last_words();
	ucontext_t *uc = context;
	static const char text[] = "gnomon: internal error: unexpected signal in the monitor\n";
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	(void)uc;
	signal(signo, SIG_DFL);
	errno = saved_errno;
}

static void on_profile(int signo, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	if (thread_profile.fn)
		thread_profile.fn(thread_profile.arg, context);
	errno = saved_errno;
}

void hostsig_set_profile(void (*fn)(void *arg, const ucontext_t *uc), void *arg)
{
	/* The handler may come in between. */
	thread_profile.fn = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	thread_profile.arg = arg;
	atomic_signal_fence(memory_order_seq_cst);
	thread_profile.fn = fn;
}

static void install(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, HOSTSIG_KICK};
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, HOSTSIG_KICK); /* one at a time: handlers change the same context */
	sigaddset(&sa.sa_mask, HOSTSIG_PROFILE);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &sa, NULL);
	/* A kick in the profiler's handler would not see where the thread is. System calls go on by themselves. */
	sa.sa_sigaction = on_profile;
	sa.sa_flags |= SA_RESTART;
	sigaction(HOSTSIG_PROFILE, &sa, NULL);
}

extern const char hostsig_probe_behind[], hostsig_probe_end[];
static uint64_t probe_rsp;

/* The probe's UD2, and the #GP behind it. */
static bool on_probe(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;

	if (signo == SIGILL) {
		g[REG_RIP] = (greg_t)(uintptr_t)hostsig_probe_behind;
		return true;
	}
	if (signo != SIGSEGV)
		return false;
	keeps_rsp = false;
	g[REG_RSP] = (greg_t)probe_rsp;
	g[REG_RIP] = (greg_t)(uintptr_t)hostsig_probe_end;
	return true;
}

static void probe(void)
{
	keeps_rsp = true;
	hostsig_add(on_probe, NULL);
	__asm__ volatile("mov %%rsp, %0\n\t"
			 "mov %1, %%rsp\n\t"
			 "ud2\n"
			 "hostsig_probe_behind:\n\t"
			 "mov %0, %%rsp\n"
			 "hostsig_probe_end:"
			 : "+m"(probe_rsp)
			 : "r"(1ull << 63)
			 : "memory", "cc");
	hostsig_remove(on_probe, NULL);
}

bool hostsig_refuses_rsp(const ucontext_t *uc)
{
	enum { CANONICAL_BITS = 48, UNUSED_BITS = 64 - CANONICAL_BITS };
	uint64_t rsp = (uint64_t)uc->uc_mcontext.gregs[REG_RSP];

	return !keeps_rsp && (uint64_t)((int64_t)(rsp << UNUSED_BITS) >> UNUSED_BITS) != rsp;
}

bool hostsig_refused_rsp(const ucontext_t *uc)
{
	enum { TRAP_UD = 6, TRAP_GP = 13 };
	const greg_t *g = uc->uc_mcontext.gregs;

	return (g[REG_TRAPNO] == TRAP_UD || g[REG_TRAPNO] == TRAP_GP) && !g[REG_ERR] && hostsig_refuses_rsp(uc);
}

int hostsig_thread_init(void)
{
	/* Translated 64-bit code has the guest's RSP, which may lie anywhere: in this very stack, too. The kernel must
	 * not take that for a handler at work. */
	stack_t ss = {.ss_size = ALT_STACK_BYTES, .ss_flags = (int)SS_AUTODISARM};

	pthread_once(&install_once, install);
	if (thread_clients.stack)
		return 0;
	thread_clients.stack = malloc(ALT_STACK_BYTES);
	if (!thread_clients.stack)
		return -ENOMEM;
	ss.ss_sp = thread_clients.stack;
	if (sigaltstack(&ss, &thread_clients.before) < 0)
		return -errno;
	pthread_once(&probe_once, probe);
	return 0;
}

void hostsig_thread_fini(void)
{
	if (!thread_clients.stack)
		return;
	sigaltstack(&thread_clients.before, NULL);
	free(thread_clients.stack);
	memset(&thread_clients, 0, sizeof(thread_clients));
}

void hostsig_add(hostsig_fn *fn, void *arg)
{
	ASSERT(thread_clients.count < HOSTSIG_MAX_CLIENTS);
	thread_clients.clients[thread_clients.count].fn = fn;
	thread_clients.clients[thread_clients.count].arg = arg;
	thread_clients.count++;
}

void hostsig_remove(hostsig_fn *fn, void *arg)
{
	unsigned n = thread_clients.count;

	for (unsigned i = 0; i < n; i++) {
		if (thread_clients.clients[i].fn != fn || thread_clients.clients[i].arg != arg)
			continue;
		memmove(&thread_clients.clients[i], &thread_clients.clients[i + 1],
			(n - i - 1) * sizeof(thread_clients.clients[0]));
		thread_clients.count--;
		return;
	}
}
