/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TAP 13 (Test Anything Protocol). A failure that the table expects is a TODO; an unexpected pass is "not ok". */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { LINES_SHOWN = 12 };

/* In descriptions, # and \ are marked. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '#' || *text == '\\')
			fputc('\\', out);
		fputc(isprint((unsigned char)*text) ? *text : '?', out);
	}
}

static void put_escaped(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (isprint(c) || c == '\t')
			fputc(c, out);
		else
			fprintf(out, "\\x%02x", c);
	}
}

/* A double-quoted YAML scalar. */
static void put_member(FILE *out, const char *name, const char *text)
{
	fprintf(out, "  %s: \"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(isprint((unsigned char)*text) ? *text : '?', out);
	}
	fputs("\"\n", out);
}

/* The last lines of output that are not empty, as a literal block. */
static void put_output(FILE *out, const struct suite_test *t)
{
	size_t len = 0, lines = 0;
	char *tail = suite_output_tail(&t->out, &len), *at;
	bool begun = false;

	for (at = tail + len; tail && at > tail && lines <= LINES_SHOWN; at--)
		lines += at[-1] == '\n' && at < tail + len && *at != '\n';
	at += lines > LINES_SHOWN;
	for (char *end; tail && at < tail + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(tail + len - at));
		if (!end)
			end = tail + len;
		if (strspn(at, " \t\r") == (size_t)(end - at))
			continue;
		fputs(begun ? "    " : "  output: |\n    ", out);
		begun = true;
		put_escaped(out, at, (size_t)(end - at) - (end[-1] == '\r'));
		fputc('\n', out);
	}
	free(tail);
}

static void put_details(FILE *out, const struct suite_test *t)
{
	fputs("  ---\n", out);
	if (t->why)
		put_member(out, "message", t->why);
	if (*t->out.summary)
		put_member(out, "summary", t->out.summary);
	if (t->log)
		put_member(out, "log", t->log);
	fprintf(out, "  duration_ms: %.0f\n", t->seconds * 1000);
	put_output(out, t);
	fputs("  ...\n", out);
}

void tap_begin(FILE *out, const struct suite *s)
{
	fprintf(out, "TAP version 13\n1..%u\n", s->n + s->gone.n);
	fflush(out);
}

void tap_test(FILE *out, const struct suite_test *t, unsigned number)
{
	bool ok = suite_in_order(t) && t->outcome != SUITE_FAIL;
	const char *surprise = suite_surprise(t);

	fprintf(out, "%s %u - ", ok ? "ok" : "not ok", number);
	put_text(out, t->name);
	if (surprise && t->outcome != SUITE_FAIL) {
		fprintf(out, ": %s", surprise);
	} else if (t->outcome == SUITE_SKIP) {
		fputs(" # SKIP ", out);
		put_text(out, t->why ? t->why : "");
	} else if (t->outcome == SUITE_FAIL && suite_in_order(t)) {
		fputs(" # TODO ", out);
		put_text(out, t->expected_why ? t->expected_why : "expected to fail");
	}
	fputc('\n', out);
	if (!ok)
		put_details(out, t);
	fflush(out);
}

void tap_end(FILE *out, const struct suite *s)
{
	for (unsigned i = 0; i < s->gone.n; i++) {
		fprintf(out, "not ok %u - ", s->n + i + 1);
		put_text(out, s->gone.v[i]);
		fputs(": in the table of expectations, but there is no such test\n", out);
	}
	fflush(out);
}
