/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `gnomon test`: guest kernels that test the machine from ring 0, each in a VM of its own.
 *
 *	command_test.c	the command; test_options.c: its command line (test_options.def)
 *	plan.c		which tests there are and how each is run: from files, or from a kvm-unit-tests configuration
 *			(unittests.c), whose QEMU options are mapped to ours (qemu_params.c, qemu_cpu.c, shell_words.c)
 *	runner.c	runs them, some at a time; child.c: one, in a process of its own
 *	judge.c		what came out: from the way the VM ended and the lines that the guest wrote (output.c); what was
 *			expected (expect.c)
 *	report_*.c	TAP, JUnit XML, the table
 */
#ifndef GNOMON_MONITOR_SUITE_H
#define GNOMON_MONITOR_SUITE_H

#include "../vm.h"
#include "strings.h"

#include <stdio.h>

enum suite_outcome {
	SUITE_PASS,
	SUITE_FAIL,
	SUITE_SKIP, /* not run, or the guest says that it had nothing to test */
	SUITE_OUTCOMES,
};

/* What the table of --expect says of a test. */
enum suite_expected {
	SUITE_EXPECT_NOTHING, /* not in the table: whatever is not a failure is in order */
	SUITE_EXPECT_PASS,
	SUITE_EXPECT_FAIL,
	SUITE_EXPECT_SKIP,
};

enum {
	SUITE_TAIL = 8 << 10,	  /* bytes of a test's output that are kept for the reports */
	SUITE_LOG_MAX = 16 << 20, /* bytes of it that go to its log */
	SUITE_LINE = 160,	  /* bytes of a line that are looked at */
	SUITE_TIMEOUT = 90,	  /* seconds, as kvm-unit-tests' scripts have it */
	SUITE_GRACE = 10,	  /* seconds for the monitor to end once time is up */
};

/* A guest's output as it comes in: lines that begin with PASS:, FAIL:, SKIP:, SUMMARY: are understood. */
struct suite_output {
	unsigned passed, failed, skipped; /* lines */
	char first_fail[SUITE_LINE], last_skip[SUITE_LINE], summary[SUITE_LINE];
	char last[SUITE_LINE]; /* of the other lines, but empty ones */
	char said[SUITE_LINE]; /* last line of the monitor itself, without "gnomon: " */
	char tail[SUITE_TAIL]; /* a ring */
	uint64_t bytes;
	char line[SUITE_LINE]; /* the one that is not complete yet */
	unsigned line_len;
};

struct suite_test {
	char *name; /* one line of text */
	char *file;
	struct strings run; /* the arguments of `gnomon run` */
	double timeout;	    /* seconds */
	char *skip;	    /* why it is not run, or NULL */
	unsigned cpus;	    /* processors that it asks for, if more than there are (--uniprocessor); else 0 */
	enum suite_expected expected;
	char *expected_why; /* or NULL */

	/* when it is done */
	bool done;
	enum suite_outcome outcome;
	char *why; /* of a failure or a skip: one line. Else NULL */
	double seconds;
	char *log; /* path, or NULL */
	struct suite_output out;
};

struct suite {
	struct suite_test *test;
	unsigned n;
	struct strings gone; /* in the table of --expect, but not there; checked when all tests are run */
};

struct suite_options {
	const char *config; /* NULL: names are kernels' files */
	struct strings names;
	const char *group, *arch, *junit, *logs, *expect;
	unsigned jobs;
	double timeout; /* 0: not given */
	bool all, uniprocessor, list;
	bool help, opt_help;
	struct strings run; /* options for `gnomon run` */
};

/* test_options.c: parses. 0, or -EINVAL and a line in err; the caller frees in either case. */
int test_options_parse(struct suite_options *o, int argc, char *const *argv, char *err, size_t errlen);
void test_options_free(struct suite_options *o);
void test_options_print_help(FILE *out);

/* Makes the list of tests. 0, or a negative errno and a line in err; the caller frees in either case. */
int suite_plan(struct suite *s, const struct suite_options *o, char *err, size_t errlen);
void suite_free(struct suite *s);

/* Reads the table of expectations into the tests. 0, or a negative errno and a line in err. */
int suite_expect(struct suite *s, const struct suite_options *o, char *err, size_t errlen);
/* The same from its text, for a fuzzer; whole: all tests are there. */
int suite_expect_text(struct suite *s, char *text, bool whole, char *err, size_t errlen);

/* Runs all tests that are not skipped. done: called for each, in any order. 0, a signal's number, or a negative errno.
 */
int suite_run(struct suite *s, const struct suite_options *o, void (*done)(void *arg, struct suite_test *t), void *arg);

/* child.c: runs `gnomon run` with these arguments in this process, output to out and err, the VM's end to `end`, until
 * the end of the process. */
NORETURN void suite_child(const struct strings *run, int out, int err, int end);

/* Output as it comes in; monitor: what the monitor itself says. */
void suite_output_add(struct suite_output *o, const char *buf, size_t len);
void suite_output_said(struct suite_output *o, const char *buf, size_t len);
/* The last bytes, from the beginning of a line, in memory from malloc (0 behind them). NULL: out of memory. */
char *suite_output_tail(const struct suite_output *o, size_t *len);

/* Sets outcome and why. wait_status: of waitpid(). killed: we had to. */
void suite_judge(struct suite_test *t, const struct vm_end *end, int wait_status, bool killed);

/* Is the outcome what was expected? */
bool suite_in_order(const struct suite_test *t);
/* "unexpected pass" and the like; NULL if it is in order. */
const char *suite_surprise(const struct suite_test *t);
const char *suite_outcome_name(enum suite_outcome o);

/* TAP 13: the plan, then each test (in order of its numbers, from 1). */
void tap_begin(FILE *out, const struct suite *s);
void tap_test(FILE *out, const struct suite_test *t, unsigned number);
/* The tests that are gone, as failures. */
void tap_end(FILE *out, const struct suite *s);
void junit_print(FILE *out, const struct suite *s, const char *name);
void table_print(FILE *out, const struct suite *s, double seconds);

#endif
