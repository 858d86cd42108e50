/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table at the end, for people. */
#include <ctype.h>
#include <string.h>

#include "suite.h"

static int name_width(const struct suite *s)
{
	size_t width = 4;

	for (unsigned i = 0; i < s->n; i++)
		width = MAX(width, strlen(s->test[i].name));
	return (int)MIN(width, (size_t)48);
}

/* Behind the numbers, with the blanks that separate it. */
static void put_reason(FILE *out, const struct suite_test *t)
{
	const char *surprise = suite_surprise(t);
	const char *why = t->why ? t->why : t->outcome == SUITE_PASS ? t->out.summary : "";
	const char *first = surprise ? surprise : t->outcome == SUITE_FAIL && suite_in_order(t) ? "expected" : "";

	if (*first || *why)
		fprintf(out, "  %s%s", first, *first && *why ? ": " : "");
	for (; *why; why++)
		fputc(isprint((unsigned char)*why) ? *why : '?', out);
	if (t->cpus && !t->skip)
		fprintf(out, "  (one processor, not %u)", t->cpus);
	fputc('\n', out);
}

void table_print(FILE *out, const struct suite *s, double seconds)
{
	int width = name_width(s);
	unsigned count[SUITE_OUTCOMES] = {0}, surprises = s->gone.n;

	fprintf(out, "%-*s  outcome    PASS  FAIL  SKIP  seconds\n", width, "test");
	for (unsigned i = 0; i < s->n; i++) {
		const struct suite_test *t = &s->test[i];
		count[t->outcome]++;
		surprises += suite_surprise(t) != NULL;
		fprintf(out, "%-*s  %-7s", width, t->name, suite_outcome_name(t->outcome));
		if (t->skip)
			fprintf(out, "  %27s", "");
		else
			fprintf(out, "  %6u  %4u  %4u  %7.1f", t->out.passed, t->out.failed, t->out.skipped,
				t->seconds);
		put_reason(out, t);
	}
	for (unsigned i = 0; i < s->gone.n; i++)
		fprintf(out, "%-*s  gone: in the table of expectations, but there is no such test\n", width,
			s->gone.v[i]);
	fprintf(out, "%u test%s: %u passed, %u failed, %u skipped", s->n, s->n == 1 ? "" : "s", count[SUITE_PASS],
		count[SUITE_FAIL], count[SUITE_SKIP]);
	if (surprises)
		fprintf(out, ", %u not as expected", surprises);
	fprintf(out, ", in %.1f seconds\n", seconds);
}
