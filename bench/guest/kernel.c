// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows about entering and leaving the kernel. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static void do_syscall(uint64_t count, void *arg)
{
	while (count--)
		getppid();
}

void row_syscall(void)
{
	measure(do_syscall, NULL, 1);
}

static void do_int80(uint64_t count, void *arg)
{
	while (count--) {
#if defined(__i386__)
		long result;

		__asm__ volatile("int $0x80" : "=a"(result) : "0"(SYS_getppid) : "memory");
		(void)result;
#else
		syscall(SYS_getppid);
#endif
	}
}

void row_int80(void)
{
	measure(do_int80, NULL, 1);
}

static void do_clock(uint64_t count, void *arg)
{
	struct timespec t;

	while (count--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

void row_clock(void)
{
	measure(do_clock, NULL, 1);
}

static volatile sig_atomic_t signals;
static uint8_t *page;

static void on_usr1(int number)
{
	signals = signals + 1;
}

static void do_signal(uint64_t count, void *arg)
{
	pid_t self = getpid();

	while (count--)
		kill(self, SIGUSR1);
}

void row_signal(void)
{
	need(signal(SIGUSR1, on_usr1) != SIG_ERR, "signal");
	measure(do_signal, NULL, 1);
	need(signals > 0, "no signal came");
}

static void on_segv(int number)
{
	signals = signals + 1;
	need(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static void do_segv(uint64_t count, void *arg)
{
	while (count--) {
		mprotect(page, PAGE, PROT_READ);
		*(volatile uint8_t *)page = 1;
	}
}

void row_segv(void)
{
	page = anonymous(1);
	*page = 1;
	need(signal(SIGSEGV, on_segv) != SIG_ERR, "signal");
	measure(do_segv, NULL, 1);
	need(signals > 0, "no signal came");
}
