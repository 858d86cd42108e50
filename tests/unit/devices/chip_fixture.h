/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of small devices share: a manual clock, lines that count, a main() around a list of tests. */
#ifndef GNOMON_TEST_CHIP_FIXTURE_H
#define GNOMON_TEST_CHIP_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "io.h"

static struct clock clk;

/* A line that remembers its level and counts its rising edges. */
struct probe {
	bool level;
	unsigned edges;
};

static inline void probe_set(void *to, int n, bool level)
{
	struct probe *p = to;

	p->edges += level && !p->level;
	p->level = level;
}

static inline struct irq_line probe_line(struct probe *p)
{
	*p = (struct probe){0};
	return (struct irq_line){probe_set, p, 0};
}

static inline int run_tests(const char *name, const TTest *const *tests, unsigned count, SFun setup)
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	for (unsigned i = 0; i < count; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

/* Random accesses to every port of a device: nothing may crash, hang, or break an assertion of ours. */
static inline void hammer(const struct io_ops *ops, void *dev, unsigned ports, unsigned rounds, uint64_t step_ns)
{
	srand(1);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t port = (unsigned)rand() % ports;
		if (rand() & 1)
			io_write(ops, dev, port, 1, (unsigned)rand() & 0xff);
		else
			io_read(ops, dev, port, 1);
		if (step_ns)
			clock_advance(&clk, (uint64_t)rand() % step_ns);
	}
}

#endif
