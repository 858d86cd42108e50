/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gnomon test`. */
#include <stdio.h>
#include <string.h>

#include "../commands.h"
#include "../file.h"
#include "../options.h"
#include "suite.h"

static void print_help(void)
{
	printf("Usage: gnomon test [OPTIONS] FILE...\n"
	       "       gnomon test [OPTIONS] --config unittests.cfg [NAME...]\n\n"
	       "Runs test kernels (ELF, Multiboot 1), each in a VM of its own, which has QEMU's devices for\n"
	       "test suites: isa-debug-exit at 0xf4, pc-testdev, output on the first serial port.\n"
	       "A test passes by writing 0 to the former. Standard output is TAP, a table goes to standard error.\n\n"
	       "Options:\n");
	test_options_print_help(stdout);
	printf(
	    "\nExit status: 0 all passed, were skipped or are as the table of --expect has it; 1 not so; 2 usage.\n");
}

/* Results in the order of the tests, each as soon as those before it are done. */
struct telling {
	struct suite *s;
	unsigned told;
};

static void test_done(void *arg, struct suite_test *t)
{
	struct telling *to = arg;

	while (to->told < to->s->n && to->s->test[to->told].done) {
		tap_test(stdout, &to->s->test[to->told], to->told + 1);
		to->told++;
	}
}

static int report(const struct suite *s, const struct suite_options *o, FILE *junit, double seconds)
{
	bool ok = !s->gone.n;

	tap_end(stdout, s);
	table_print(stderr, s, seconds);
	for (unsigned i = 0; i < s->n; i++)
		ok &= suite_in_order(&s->test[i]);
	if (junit) {
		junit_print(junit, s, o->config ? o->config : "gnomon test");
		errno = 0;
		if (fflush(junit) || ferror(junit)) {
			say("--junit '%s': %s", o->junit, errno ? strerror(errno) : "cannot be written");
			return EXIT_FAILED;
		}
	}
	return ok ? 0 : EXIT_FAILED;
}

static int run(struct suite *s, const struct suite_options *o, FILE *junit)
{
	enum { SIGNALLED = 128 }; /* as shells have it */
	struct telling to = {.s = s};
	uint64_t began = host_now_ns();
	int rc;

	tap_begin(stdout, s);
	rc = suite_run(s, o, test_done, &to);
	if (rc > 0) {
		printf("Bail out! %s\n", strsignal(rc));
		return SIGNALLED + rc;
	}
	if (rc < 0) {
		printf("Bail out! %s\n", strerror(-rc));
		say("cannot run tests%s%s: %s", o->logs ? ": --logs " : "", o->logs ? o->logs : "", strerror(-rc));
		return EXIT_FAILED;
	}
	return report(s, o, junit, (double)(host_now_ns() - began) / NS_PER_SEC);
}

/* The report's file is made first: nobody runs tests for hours to learn then that its name is wrong. */
static int run_reporting(struct suite *s, const struct suite_options *o)
{
	FILE *junit = NULL;
	char err[512];
	int status;

	if (o->junit && file_create_stream(&junit, "--junit", o->junit, true, err, sizeof(err))) {
		say("%s", err);
		return EXIT_FAILED;
	}
	status = run(s, o, junit);
	if (junit)
		fclose(junit);
	return status;
}

int command_test(int argc, char *const *argv)
{
	struct suite_options o;
	struct suite s = {0};
	char err[512] = "";
	int status = EXIT_USAGE, rc = test_options_parse(&o, argc, argv, err, sizeof(err));

	if (!rc && o.help) {
		print_help();
		status = 0;
		goto out;
	}
	if (!rc && o.opt_help) {
		options_print_opts(stdout);
		status = 0;
		goto out;
	}
	if (!rc)
		rc = suite_plan(&s, &o, err, sizeof(err));
	if (!rc && o.expect)
		rc = suite_expect(&s, &o, err, sizeof(err));
	if (rc) {
		say("%s", err);
	} else if (o.list) {
		for (unsigned i = 0; i < s.n; i++)
			puts(s.test[i].name);
		status = 0;
	} else {
		status = run_reporting(&s, &o);
	}
out:
	suite_free(&s);
	test_options_free(&o);
	return status;
}
