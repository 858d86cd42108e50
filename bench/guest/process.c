// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows about processes, and about what passes between them. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define RING 16

static void do_fork(uint64_t count, void *arg)
{
	while (count--) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

void row_fork(void)
{
	measure(do_fork, NULL, 1);
}

static void do_exec(uint64_t count, void *argv)
{
	while (count--) {
		int status = -1;
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (pid == 0) {
			execv(*(char **)argv, argv);
			_exit(127);
		}
		waitpid(pid, &status, 0);
		need(status == 0, *(char **)argv);
	}
}

void row_exec(void)
{
	char *argv[] = {(char *)own_path, "exit", NULL};

	measure(do_exec, argv, 1);
}

void row_exec_dyn(void)
{
	char *argv[] = {"/bin/true", NULL};

	measure(do_exec, argv, 1);
}

/* Hands on each byte that comes, until there is nobody to send one. */
static void hand_on(int in, int out)
{
	char c;

	while (read(in, &c, 1) == 1 && write(out, &c, 1) == 1)
		;
}

struct round_trip {
	int out, in;
};

static void do_round_trip(uint64_t count, void *arg)
{
	struct round_trip *trip = arg;
	char c = 0;

	while (count--) {
		need(write(trip->out, &c, 1) == 1, "write");
		need(read(trip->in, &c, 1) == 1, "read");
	}
}

/* A ring of processes, of which this is one; each has a pipe to the next. */
static void ring(unsigned size, unsigned per)
{
	int first[2], in, next[2];

	need(pipe(first) == 0, "pipe");
	in = first[0];
	for (unsigned i = 1; i < size; i++) {
		pid_t pid;

		need(pipe(next) == 0, "pipe");
		pid = fork();
		need(pid >= 0, "fork");
		if (pid == 0) {
			close(first[1]);
			close(next[0]);
			hand_on(in, next[1]);
			_exit(0);
		}
		close(in);
		close(next[1]);
		in = next[0];
	}
	measure(do_round_trip, &(struct round_trip){first[1], in}, per);
	close(first[1]);
	while (wait(NULL) > 0)
		;
}

void row_pipe(void)
{
	ring(2, 1);
}

void row_pipe16(void)
{
	ring(RING, RING);
}

static void *thread(void *arg)
{
	struct round_trip *trip = arg;

	hand_on(trip->in, trip->out);
	return NULL;
}

void row_thread(void)
{
	int there[2], back[2];
	struct round_trip other;
	pthread_t id;

	need(pipe(there) == 0 && pipe(back) == 0, "pipe");
	other = (struct round_trip){back[1], there[0]};
	need(pthread_create(&id, NULL, thread, &other) == 0, "pthread_create");
	measure(do_round_trip, &(struct round_trip){there[1], back[0]}, 1);
	close(there[1]);
	pthread_join(id, NULL);
}
