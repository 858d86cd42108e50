/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JUnit's XML, as CI services read it. */
#include <stdlib.h>
#include <string.h>

#include "suite.h"

/* XML knows neither most control characters nor bytes that are no UTF-8: all but ASCII is shown in hexadecimal. */
static void put(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		switch (c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\r':
			break;
		case '\n':
		case '\t':
			fputc(c, out);
			break;
		default:
			if (c < 0x20 || c > 0x7e)
				fprintf(out, "\\x%02x", c);
			else
				fputc(c, out);
			break;
		}
	}
}

static void put_attribute(FILE *out, const char *name, const char *text)
{
	fprintf(out, " %s=\"", name);
	put(out, text, strlen(text));
	fputc('"', out);
}

static void put_output(FILE *out, const struct suite_test *t)
{
	size_t len;
	char *tail = suite_output_tail(&t->out, &len);

	if (tail && len) {
		fputs("    <system-out>", out);
		put(out, tail, len);
		fputs("</system-out>\n", out);
	}
	free(tail);
}

static void put_test(FILE *out, const struct suite_test *t, const char *suite)
{
	const char *why = t->why ? t->why : "", *surprise = suite_surprise(t);

	fputs("  <testcase", out);
	put_attribute(out, "classname", suite);
	put_attribute(out, "name", t->name);
	fprintf(out, " time=\"%.3f\">\n", t->seconds);
	if (!suite_in_order(t)) {
		fputs("    <failure", out);
		put_attribute(out, "type", surprise ? surprise : "failure");
		put_attribute(out, "message", *why ? why : surprise ? surprise : "");
		fputs("/>\n", out);
	} else if (t->outcome == SUITE_FAIL) { /* JUnit knows no expected failures */
		fputs("    <skipped", out);
		put_attribute(out, "type", "expected failure");
		put_attribute(out, "message", why);
		fputs("/>\n", out);
	} else if (t->outcome == SUITE_SKIP) {
		fputs("    <skipped", out);
		put_attribute(out, "message", why);
		fputs("/>\n", out);
	}
	put_output(out, t);
	fputs("  </testcase>\n", out);
}

static void put_gone(FILE *out, const char *name, const char *suite)
{
	fputs("  <testcase", out);
	put_attribute(out, "classname", suite);
	put_attribute(out, "name", name);
	fputs("><failure type=\"gone\" message=\"in the table of expectations, but there is no such "
	      "test\"/></testcase>\n",
	      out);
}

void junit_print(FILE *out, const struct suite *s, const char *name)
{
	unsigned failures = s->gone.n, skipped = 0;
	double seconds = 0;

	for (unsigned i = 0; i < s->n; i++) {
		bool ok = suite_in_order(&s->test[i]);
		failures += !ok;
		skipped += ok && s->test[i].outcome != SUITE_PASS;
		seconds += s->test[i].seconds;
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite", out);
	put_attribute(out, "name", name);
	fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"0\" skipped=\"%u\" time=\"%.3f\">\n", s->n + s->gone.n,
		failures, skipped, seconds);
	for (unsigned i = 0; i < s->n; i++)
		put_test(out, &s->test[i], name);
	for (unsigned i = 0; i < s->gone.n; i++)
		put_gone(out, s->gone.v[i], name);
	fputs("</testsuite>\n", out);
}
