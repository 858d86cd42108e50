// SPDX-License-Identifier: GPL-2.0-or-later
/* bench list | run ROW [MS] | agent | exit: one program that holds all rows, so that a guest needs only one file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

#define BATCH_NS  20000000ull
#define BATCHES	  400
#define AT_LEAST  5
#define AT_LEAST1 3
#define MOST	  (1ull << 40)

volatile uint32_t sink;
const char *own_path;
unsigned bench_time_ms = 400;
static const char *row_name;

static const struct row {
	const char *name;
	const char *group;
	const char *what;
	void (*run)(void);
} rows[] = {
#define ROW(name, group, what) {#name, #group, what, row_##name},
#include "rows.def"
#undef ROW
};

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fail(const char *what)
{
	printf("FAIL %s %s: %s\n", row_name ? row_name : "-", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

uint8_t *anonymous(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(p != MAP_FAILED, "mmap");
	return p;
}

uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static uint64_t batch(row_body *body, void *arg, uint64_t count)
{
	uint64_t start = now_ns();

	body(count, arg);
	return now_ns() - start;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ROW name best median mean operations: nanoseconds for an operation, in the best batch, the median one, and on
 * average; operations counts those of the calibration too. */
static void report(double *batches, unsigned n, double mean, uint64_t operations)
{
	qsort(batches, n, sizeof(*batches), by_size);
	printf("ROW %s %.3f %.3f %.3f %llu\n", row_name, batches[0], batches[n / 2], mean,
	       (unsigned long long)operations);
	fflush(stdout);
}

static void run_batches(row_body *body, void *arg, uint64_t count, unsigned per, uint64_t before, unsigned at_least)
{
	double batches[BATCHES];
	uint64_t begin = now_ns(), spent = 0;
	unsigned n = 0;

	while (n < BATCHES && (n < at_least || spent < bench_time_ms * 1000000ull)) {
		batches[n++] = (double)batch(body, arg, count) / (double)(count * per);
		spent = now_ns() - begin;
	}
	report(batches, n, (double)spent / (double)(n * count * per), (before + n * count) * per);
}

void measure(row_body *body, void *arg, unsigned per)
{
	uint64_t count = 1, before = 0, ns;

	/* A batch that was interrupted looks long enough too early: such a size must show twice. */
	for (;;) {
		ns = batch(body, arg, count);
		before += count;
		if (ns >= BATCH_NS / 2) {
			uint64_t again = batch(body, arg, count);

			before += count;
			ns = again < ns ? again : ns;
			if (ns >= BATCH_NS / 2)
				break;
		}
		count *= ns < BATCH_NS / 16 ? 8 : 2;
		need(count < MOST, "the compiler has removed the loop");
	}
	run_batches(body, arg, count, per, before, AT_LEAST);
}

void measure_single(row_body *body, void *arg)
{
	printf("FIRST %s %llu\n", row_name, (unsigned long long)batch(body, arg, 1));
	run_batches(body, arg, 1, 1, 1, AT_LEAST1);
}

bool run_row(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, name))
			continue;
		row_name = name;
		rows[i].run();
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 1 && !strcmp(argv[1], "exit"))
		return 0;
	if (argc > 1 && !strcmp(argv[1], "list")) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			printf("%s\t%s\t%s\n", rows[i].name, rows[i].group, rows[i].what);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "run")) {
		if (argc > 3)
			bench_time_ms = (unsigned)atoi(argv[3]);
		return run_row(argv[2]) ? 0 : 2;
	}
	/* The kernel starts its first process without arguments of ours. */
	return agent(argc, argv);
}
