/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exercises memory protection, signals, processes, threads and the FPU; prints only what is the same wherever it runs.
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64 };

static uint32_t seed = 1;
static sigjmp_buf escape;
static unsigned char *area, *fault_page;
static volatile int faults, ticks, nested;

static uint32_t next(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	faults++;
	fault_page = (unsigned char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
	siglongjmp(escape, 1);
}

/* Protections change at random; each access must fault exactly when its page forbids it. */
static void protections(void)
{
	int allowed[PAGES];
	uint32_t sum = 0;
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, NULL);
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < PAGES; i++)
		allowed[i] = PROT_READ | PROT_WRITE;
	for (volatile int round = 0; round < 20000; round++) {
		volatile int page = next() % PAGES, write = next() % 2, before = faults, forbidden;
		switch (next() % 8) {
		case 0:
		case 1:
			allowed[page] = (int[]){PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE}[next() % 3];
			mprotect(area + page * PAGE, PAGE, allowed[page]);
			break;
		case 2:
			mmap(area + page * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			     -1, 0);
			allowed[page] = PROT_READ | PROT_WRITE;
			break;
		default:
			break;
		}
		forbidden = !(allowed[page] & (write ? PROT_WRITE : PROT_READ));
		if (!sigsetjmp(escape, 1)) {
			volatile unsigned char *byte = area + page * PAGE + next() % 4;
			if (write)
				*byte = (unsigned char)(*byte + round);
			else
				sum = sum * 31 + *byte;
		}
		if (faults - before != forbidden)
			printf("round %d: %d faults, %d expected\n", round, faults - before, forbidden);
	}
	mprotect(area, PAGES * PAGE, PROT_READ | PROT_WRITE);
	signal(SIGSEGV, SIG_DFL);
	printf("protections: %d faults, sum %08x\n", faults, (unsigned)sum);
}

static void on_signal(int number)
{
	nested++;
	if (number == SIGUSR1)
		raise(SIGUSR2);
}

static void on_tick(int number)
{
	(void)number;
	ticks++;
}

static void signals(void)
{
	struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
	double x = 1;
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	for (int i = 0; i < 3000; i++)
		kill(getpid(), SIGUSR1);
	signal(SIGALRM, on_tick);
	setitimer(ITIMER_REAL, &every, NULL);
	for (long i = 1; ticks < 50; i++) /* ticks must not disturb the FPU; x stays what it is */
		x = (x * 3 + 1) / 3 - 1.0 / 3;
	setitimer(ITIMER_REAL, &never, NULL);
	printf("signals: %d nested, ticks %s, x is one: %d\n", nested, ticks >= 50 ? "came" : "did not",
	       fabs(x - 1) < 1e-3);
}

static void processes(void)
{
	uint32_t sum = 0;
	for (int i = 0; i < 200; i++) {
		int ends[2], status;
		uint32_t value;
		if (pipe(ends))
			exit(3);
		pid_t child = fork();
		if (child == 0) {
			area[0] = (unsigned char)i; /* copy on write */
			value = next() ^ (uint32_t)i;
			if (write(ends[1], &value, sizeof(value)) != sizeof(value))
				_exit(255);
			if (i % 10 == 0)
				abort();
			_exit(i % 100);
		}
		if (read(ends[0], &value, sizeof(value)) != sizeof(value) || waitpid(child, &status, 0) != child)
			exit(4);
		close(ends[0]);
		close(ends[1]);
		sum =
		    sum * 33 + value + (uint32_t)(WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status));
	}
	printf("processes: %08x\n", (unsigned)sum);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;
static uint32_t shared;

static void *take_turns(void *argument)
{
	int me = (int)(intptr_t)argument;
	for (int round = 0; round < 500; round++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&turn_changed, &lock);
		shared = shared * 31 + (uint32_t)(me + round);
		turn = (turn + 1) % 4;
		pthread_cond_broadcast(&turn_changed);
		pthread_mutex_unlock(&lock);
	}
	return argument;
}

static void threads(void)
{
	pthread_t thread[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, take_turns, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	printf("threads: %08x\n", (unsigned)shared);
}

static void numbers(void)
{
	double sum = 0, x = 0.5;
	for (int i = 1; i < 200000; i++) {
		x = 3.7 * x * (1 - x);
		sum += sqrt(i) * x / (1 + i % 17);
	}
	printf("numbers: %.17g %.17g %a %.12Lg\n", sum, x, sin(sum), (long double)sum * sum);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGABRT, SIG_DFL);
	protections();
	signals();
	processes();
	threads();
	numbers();
	return 0;
}
