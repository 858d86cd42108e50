/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `gnomon test` reads: configurations of kvm-unit-tests, the QEMU options in them, tables of expectations, and
 * what guests print on their way into the reports. A refusal is one line; what is taken is complete; reports are
 * well-formed whatever the guest has said.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "monitor/suite/qemu_params.h"
#include "monitor/suite/shell_words.h"
#include "monitor/suite/suite.h"
#include "monitor/suite/unittests.h"

enum { ROUNDS = 200, MAX_TEXT = 8 << 10 };

struct text {
	char data[MAX_TEXT + 1]; /* ends with a 0 */
	size_t len;
};

static void put(struct text *t, const char *piece)
{
	size_t n = MIN(strlen(piece), MAX_TEXT - t->len);

	memcpy(t->data + t->len, piece, n);
	t->data[t->len += n] = 0;
}

static void damage(struct rng *r, struct text *t)
{
	for (unsigned n = rng_below(r, 4); n && t->len; n--) {
		size_t at = rng_below(r, (uint32_t)t->len);
		if (rng_percent(r, 30))
			t->len = at;
		else if (rng_percent(r, 30))
			rng_bytes(r, t->data + at, MIN((size_t)rng_below(r, 20), t->len - at));
		else
			t->data[at] = "\n\"'\\ []=#$`,\t\r-"[rng_below(r, 16)];
	}
	t->data[t->len] = 0;
}

static bool one_line(const char *what, const char *err, bool refused)
{
	if (!refused || (*err && !strchr(err, '\n')))
		return true;
	fprintf(stderr, "%s refused with '%s'\n", what, err);
	return false;
}

static const char *const values[] = {
    "x.flat", "2",	    "$MAX_SMP", "'a b'",   "\"a `b`\"", "-m 128",   "-m",	 "-m 4g",   "\"\"\"",
    "i386",   "a\\",	    "x=y x",	"90s",	   "#",		"# c",	    "nodefault", "\"\"\"a", "a\"\"\"",
    "-smp",   "-device a,", "-machine", "-append", "-initrd /", "pc,a=b,,", "''",	 "\\\n",    "-M pc"};
static const char *const cpus[] = {"max",
				   "qemu64",
				   "",
				   ",",
				   "+pae",
				   "-pae",
				   "vendor=GenuineIntel",
				   "vendor=x",
				   "=",
				   "x=y=z",
				   "+",
				   "--x",
				   "_",
				   "phys-bits=40",
				   "sse4_1",
				   "svm=off",
				   "pae=on",
				   "migratable=no"};

static void put_value(struct rng *r, struct text *t)
{
	for (unsigned n = rng_below(r, 5); n; n--) {
		put(t, RNG_PICK(r, values));
		put(t, rng_percent(r, 80) ? " " : rng_percent(r, 50) ? "\n" : "");
	}
	if (rng_percent(r, 30)) {
		put(t, " -cpu ");
		for (unsigned n = 1 + rng_below(r, 4); n; n--) {
			put(t, RNG_PICK(r, cpus));
			put(t, n > 1 ? "," : " ");
		}
	}
}

static void make_config(struct rng *r, struct text *t)
{
	static const char *const keys[] = {
	    "file",    "smp",	"test_args", "qemu_params", "extra_params", "groups",	      "arch",
	    "machine", "check", "accel",     "timeout",	    "disabled_if",  "kvmtool_params", "x"};

	for (unsigned tests = rng_below(r, 6); tests; tests--) {
		put(t, rng_percent(r, 95) ? "[name]\nfile = a.flat\n" : "[]\n");
		for (unsigned n = rng_below(r, 6); n; n--) {
			put(t, RNG_PICK(r, keys));
			put(t, rng_percent(r, 95) ? " = " : "=");
			if (rng_percent(r, 20))
				put(t, "\"\"\"");
			put_value(r, t);
			put(t, rng_percent(r, 80) ? "\n" : "\"\"\"\n");
		}
	}
}

/* As the plan does: words of arguments and parameters together. */
static bool take_words(const char *args, const char *params)
{
	struct strings words = {0};
	struct qemu_params p = {0};
	char err[200] = "";
	bool ok = true, taken;

	if (shell_words(args, &words, err, sizeof(err)) || shell_words(params, &words, err, sizeof(err))) {
		ok = one_line("words", err, true);
	} else {
		taken = qemu_params_take(&p, &words, "folder", err, sizeof(err));
		ok = one_line("parameters", err, !taken) && p.run.n % 2 == 0;
	}
	qemu_params_free(&p);
	strings_free(&words);
	return ok;
}

static bool fuzz_config(struct rng *r, struct text *t)
{
	struct unittests u;
	char err[200] = "", *exact;
	bool ok;
	int rc;

	make_config(r, t);
	damage(r, t);
	exact = malloc(t->len + 1); /* for the sanitizers */
	memcpy(exact, t->data, t->len);
	rc = unittests_parse(&u, exact, t->len, err, sizeof(err));
	free(exact);
	ok = one_line("configuration", err, rc);
	for (unsigned i = 0; i < u.n && ok; i++) {
		const struct unittest *test = &u.test[i];
		ok = test->name && *test->name && test->file && *test->file && !strchr(test->name, '\n');
		if (!ok)
			fprintf(stderr, "test %u is not complete\n", i);
		else
			ok = take_words(test->test_args ? test->test_args : "",
					test->qemu_params ? test->qemu_params : "");
	}
	unittests_free(&u);
	return ok;
}

static bool fuzz_expect(struct rng *r, struct text *t)
{
	static const char *const pieces[] = {"a",	"b",  "c",	  "pass",	"fail", "skip", "#",
					     " ",	"\t", "\n",	  " ",		"\n",	"\r",	"\n",
					     "why not", " ",  "a pass\n", "b fail x\n", "no"};
	struct suite_test tests[2] = {{.name = "a"}, {.name = "b"}};
	struct suite s = {.test = tests, .n = 2};
	char err[200] = "";
	int rc;
	bool ok;

	for (unsigned n = rng_below(r, 20); n; n--)
		put(t, RNG_PICK(r, pieces));
	damage(r, t);
	t->data[strlen(t->data)] = 0;
	rc = suite_expect_text(&s, t->data, rng_percent(r, 50), err, sizeof(err));
	ok = one_line("table", err, rc);
	for (unsigned i = 0; i < 2; i++)
		free(tests[i].expected_why);
	strings_free(&s.gone);
	return ok;
}

static void print_noise(struct rng *r, struct suite_test *t)
{
	static const char *const pieces[] = {"PASS: ", "FAIL: ", "SKIP: ", "SUMMARY: ", "\n",	   "\r\n",
					     "]]>",    "<a>",	 "&amp;",  "\"",	"  ...\n", "  ---\n",
					     "1..2\n", "ok 1\n", "\n\n",   "# ",	"\\"};
	char noise[64];

	for (unsigned n = rng_below(r, rng_percent(r, 90) ? 40 : 2000); n; n--) {
		size_t len = rng_below(r, sizeof(noise));
		if (rng_percent(r, 60)) {
			const char *piece = RNG_PICK(r, pieces);
			suite_output_add(&t->out, piece, strlen(piece));
			if (rng_percent(r, 20))
				suite_output_said(&t->out, piece, strlen(piece));
		} else {
			rng_bytes(r, noise, len);
			suite_output_add(&t->out, noise, len);
			if (rng_percent(r, 20))
				suite_output_said(&t->out, noise, len);
		}
	}
}

/* Nothing but ASCII; in TAP, each line is one of those that it knows. */
static bool check_report(const char *name, const char *text, size_t len, bool tap)
{
	bool block = false;

	for (size_t i = 0; i < len; i++)
		if ((text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] > '~') {
			fprintf(stderr, "%s: a character %02x\n", name, (unsigned char)text[i]);
			return false;
		}
	for (const char *line = text; tap && line < text + len; line = strchr(line, '\n') + 1) {
		bool inside = block;
		block = inside ? strncmp(line, "  ...\n", 6) : !strncmp(line, "  ---\n", 6);
		if (inside ? !strncmp(line, "  ", 2)
			   : block || !strncmp(line, "ok ", 3) || !strncmp(line, "not ok ", 7))
			continue;
		fprintf(stderr, "%s: a line '%.80s'\n", name, line);
		return false;
	}
	return !block;
}

static bool fuzz_report(struct rng *r)
{
	static const enum vm_end_reason reasons[] = {VM_END_DEBUG_EXIT, VM_END_DEBUG_EXIT, VM_END_FAILED,
						     VM_END_TIMEOUT};
	static const uint32_t written[] = {0, 1, 38, 63};
	struct suite_test *test = calloc(1, sizeof(*test));
	struct suite s = {.test = test, .n = 1};
	struct vm_end end = {.reason = RNG_PICK(r, reasons), .value = RNG_PICK(r, written)};
	char *tap = NULL, *junit = NULL;
	size_t tap_len, junit_len;
	FILE *out;
	bool ok;

	test->name = "name";
	print_noise(r, test);
	test->expected = rng_below(r, 4);
	suite_judge(test, &end, 0, false);
	out = open_memstream(&tap, &tap_len);
	tap_test(out, test, 1);
	fclose(out);
	out = open_memstream(&junit, &junit_len);
	junit_print(out, &s, "<suite> & \"co\"");
	fclose(out);
	ok = check_report("TAP", tap, tap_len, true) && check_report("JUnit", junit, junit_len, false);
	free(tap);
	out = open_memstream(&tap, &tap_len);
	table_print(out, &s, 1);
	fclose(out);
	ok = ok && check_report("table", tap, tap_len, false);
	free(tap);
	free(junit);
	free(test->why);
	free(test);
	return ok;
}

static bool run_case(uint64_t seed, const char *variant)
{
	struct text *t = malloc(sizeof(*t));
	struct rng r = rng_seeded(seed);
	bool ok = true;

	for (unsigned i = 0; i < ROUNDS && ok; i++) {
		memset(t, 0, sizeof(*t));
		ok = !strcmp(variant, "config")	  ? fuzz_config(&r, t)
		     : !strcmp(variant, "expect") ? fuzz_expect(&r, t)
						  : fuzz_report(&r);
	}
	free(t);
	return ok;
}

int main(int argc, char **argv)
{
	static const char *const variants[] = {"config", "expect", "report", NULL};

	return fuzz_main(
	    argc, argv,
	    &(struct fuzzer){.name = "fuzz_suite", .variants = variants, .run = run_case, .case_seconds = 20});
}
