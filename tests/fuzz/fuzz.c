/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { POLL_NS = 20000000, DEFAULT_COUNT = 200, MAX_REPORTS = 20 };

struct options {
	uint64_t seed, first, count, seconds;
	bool one;
	const char *variant; /* NULL: all */
};

/* What the child says of itself. */
struct progress {
	volatile uint64_t seed, cases, failures;
	volatile uint32_t variant;
};

struct session {
	const struct fuzzer *f;
	const struct options *o;
	struct progress *p; /* shared */
	uint64_t start;	    /* host_now_ns() */
	uint64_t end_seed;
};

static bool selected(const struct options *o, const char *variant)
{
	return !o->variant || !variant || !strcmp(o->variant, variant);
}

static bool run_seed(struct session *s, uint64_t seed)
{
	bool ok = true;

	s->p->seed = seed;
	for (unsigned v = 0; !v || (s->f->variants && s->f->variants[v]); v++) {
		const char *variant = s->f->variants ? s->f->variants[v] : NULL;
		if (!selected(s->o, variant))
			continue;
		s->p->variant = v;
		s->p->cases++;
		if (s->f->run(seed, variant))
			continue;
		ok = false;
		s->p->failures++;
		fprintf(stderr, "%s: FAILED: --seed %" PRIu64 "%s%s\n", s->f->name, seed, variant ? " --engine " : "",
			variant ? variant : "");
	}
	return ok;
}

static bool time_is_up(const struct session *s)
{
	return s->o->seconds && host_now_ns() - s->start > s->o->seconds * NS_PER_SEC;
}

static NORETURN void child(struct session *s, uint64_t seed)
{
	for (; seed < s->end_seed && !time_is_up(s); seed++)
		run_seed(s, seed);
	s->p->seed = seed;
	exit(0);
}

/* Waits for the child: true if it ended by itself and well. Kills it if one case takes too long. */
static bool supervise(struct session *s, pid_t pid)
{
	uint64_t cases = 0, since = host_now_ns();
	const char *what = "crashed";
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
		if (cases != s->p->cases) {
			cases = s->p->cases;
			since = host_now_ns();
		} else if (host_now_ns() - since > s->f->case_seconds * NS_PER_SEC) {
			what = "hangs";
			kill(pid, SIGKILL);
			since = host_now_ns();
		}
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFEXITED(status) && WEXITSTATUS(status) == FUZZ_SKIPPED)
		exit(FUZZ_SKIPPED);
	fprintf(stderr, "%s: %s (%s %d): --seed %" PRIu64 "%s%s\n", s->f->name, what,
		WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		s->p->seed, s->f->variants ? " --engine " : "", s->f->variants ? s->f->variants[s->p->variant] : "");
	return false;
}

static int run_session(struct session *s)
{
	uint64_t seed = s->o->first, found = 0;

	while (seed < s->end_seed && !time_is_up(s) && found < MAX_REPORTS) {
		pid_t pid;
		fflush(NULL);
		pid = fork();
		if (pid < 0) {
			perror("fork");
			return 1;
		}
		if (!pid)
			child(s, seed);
		if (!supervise(s, pid))
			found++;
		seed = s->p->seed + 1;
	}
	found += s->p->failures;
	printf("%s: %" PRIu64 " cases, seeds %" PRIu64 " to %" PRIu64 ", %.0f s, %" PRIu64 " failures\n", s->f->name,
	       s->p->cases, s->o->first, MIN(seed, s->end_seed) - 1, (double)(host_now_ns() - s->start) / 1e9, found);
	return found ? 1 : 0;
}

static int usage(const struct fuzzer *f)
{
	fprintf(stderr, "usage: %s [--seed N | --first N --count N --seconds N]", f->name);
	for (unsigned v = 0; f->variants && f->variants[v]; v++)
		fprintf(stderr, "%s%s", v ? "|" : " [--engine ", f->variants[v]);
	fprintf(stderr, f->variants ? "]\n" : "\n");
	return 2;
}

static bool known_variant(const struct fuzzer *f, const char *name)
{
	for (unsigned v = 0; f->variants && f->variants[v]; v++)
		if (!strcmp(f->variants[v], name))
			return true;
	return false;
}

static bool parse(struct options *o, const struct fuzzer *f, int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		uint64_t *number = NULL;
		char *end;
		if (i + 1 == argc)
			return false;
		if (!strcmp(argv[i], "--seed")) {
			number = &o->seed;
			o->one = true;
		} else if (!strcmp(argv[i], "--first")) {
			number = &o->first;
		} else if (!strcmp(argv[i], "--count")) {
			number = &o->count;
		} else if (!strcmp(argv[i], "--seconds")) {
			number = &o->seconds;
		} else if (!strcmp(argv[i], "--engine") && known_variant(f, argv[i + 1])) {
			o->variant = argv[i + 1];
			continue;
		} else {
			return false;
		}
		*number = strtoull(argv[i + 1], &end, 0);
		if (*end)
			return false;
	}
	return true;
}

int fuzz_main(int argc, char **argv, const struct fuzzer *f)
{
	struct options o = {.first = 1};
	struct session s = {.f = f, .o = &o, .start = host_now_ns()};

	if (!parse(&o, f, argc, argv))
		return usage(f);
	if (!o.count)
		o.count = o.seconds ? UINT64_MAX / 2 : DEFAULT_COUNT;
	s.end_seed = o.first + o.count;
	s.p = mmap(NULL, sizeof(*s.p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.p == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	if (o.one)
		return run_seed(&s, o.seed) ? 0 : 1;
	return run_session(&s);
}
