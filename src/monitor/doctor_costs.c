/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's calls cost: sandboxes that intercept them make a guest's page faults many times slower. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "doctor.h"

enum { ROUNDS = 5, CALLS = 100 };

/* The page that is touched; a handler has no other way to learn of it. */
static _Thread_local uint8_t *volatile touched;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	/* Anything else would come back for ever: die of it as without a handler. */
	if (!touched || info->si_addr != touched || mprotect(touched, PAGE_SIZE, PROT_READ))
		signal(SIGSEGV, SIG_DFL);
}

static void call(uint8_t *page, int fd)
{
	syscall(SYS_getppid);
}

static void protect(uint8_t *page, int fd)
{
	(void)mprotect(page, PAGE_SIZE, PROT_READ);
	(void)mprotect(page, PAGE_SIZE, PROT_NONE);
}

static void fault(uint8_t *page, int fd)
{
	(void)*(volatile uint8_t *)page;
	(void)mprotect(page, PAGE_SIZE, PROT_NONE);
}

static void map(uint8_t *page, int fd)
{
	if (mmap(page, PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == page)
		(void)*(volatile uint8_t *)page;
}

/* ns for one call, the best of a few rounds. */
static uint64_t cost(void (*fn)(uint8_t *page, int fd), uint8_t *page, int fd)
{
	uint64_t best = UINT64_MAX;

	for (unsigned r = 0; r < ROUNDS; r++) {
		uint64_t t0 = host_now_ns();
		for (unsigned i = 0; i < CALLS; i++)
			fn(page, fd);
		best = MIN(best, (host_now_ns() - t0) / CALLS);
	}
	return best;
}

static uint64_t fault_cost(uint8_t *page)
{
	struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, before;
	uint64_t with, without;

	touched = page;
	if (sigaction(SIGSEGV, &ours, &before))
		return 0;
	without = cost(protect, page, -1);
	with = cost(fault, page, -1);
	sigaction(SIGSEGV, &before, NULL);
	touched = NULL;
	return with > without ? with - without : 0;
}

struct doctor_costs doctor_measure(void)
{
	struct doctor_costs c = {.system_call = cost(call, NULL, -1)};
	int fd = memfd_create("gnomon-doctor", MFD_CLOEXEC);
	uint8_t *page = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED) {
		c.fault = fault_cost(page);
		if (fd >= 0 && !ftruncate(fd, PAGE_SIZE))
			c.map_page = cost(map, page, fd);
		munmap(page, PAGE_SIZE);
	}
	if (fd >= 0)
		close(fd);
	return c;
}
