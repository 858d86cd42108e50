/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GS.base of the calling thread: with WRGSBASE where the host allows it (11 to 21 ns), else by a system call. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gsbase.h"
#include "hostsig.h"

#define HWCAP2_FSGSBASE_BIT 2ul /* AT_HWCAP2: the kernel lets user mode use it */

extern const char gsbase_probe_end[];

static pthread_once_t probe_once = PTHREAD_ONCE_INIT, reserve_once = PTHREAD_ONCE_INIT;
static enum gsbase_kind kind_found;
static uintptr_t nowhere;
static _Thread_local uintptr_t by_call; /* what arch_prctl() has been told last */

static uintptr_t read_base(void)
{
	uintptr_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void write_base(uintptr_t base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base));
}

static bool on_probe(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	if (signo != SIGILL)
		return false;
	*(bool *)arg = false;
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)gsbase_probe_end;
	return true;
}

/* Writes what is there already. */
static void probe(void)
{
	bool executes = true;
	uintptr_t base;

	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) {
		kind_found = GSBASE_KEPT;
		return;
	}
	hostsig_add(on_probe, &executes);
	__asm__ volatile("rdgsbase %0\n\t"
			 "wrgsbase %0\n"
			 "gsbase_probe_end:"
			 : "=r"(base)
			 :
			 : "memory");
	hostsig_remove(on_probe, &executes);
	kind_found = executes ? GSBASE_LOST : GSBASE_CALL;
}

enum gsbase_kind gsbase_kind(void)
{
	pthread_once(&probe_once, probe);
	return kind_found;
}

/* Stays: threads have it as their base. */
static void reserve(void)
{
	void *p = mmap(NULL, GSBASE_REACH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	nowhere = p == MAP_FAILED ? 0 : (uintptr_t)p;
}

static void call(uintptr_t base)
{
	if (base == by_call)
		return;
	syscall(SYS_arch_prctl, ARCH_SET_GS, base);
	by_call = base;
}

bool gsbase_begin(enum gsbase_kind kind)
{
	if (kind != GSBASE_LOST)
		return true;
	pthread_once(&reserve_once, reserve);
	if (nowhere)
		call(nowhere);
	return nowhere;
}

void gsbase_set(enum gsbase_kind kind, uintptr_t base)
{
	if (kind == GSBASE_CALL)
		call(base);
	else if (read_base() != base)
		write_base(base);
}

void gsbase_changed(void)
{
	by_call = UINTPTR_MAX; /* no base at all */
}

bool gsbase_is_nowhere(uintptr_t address)
{
	return address - nowhere < GSBASE_REACH;
}
