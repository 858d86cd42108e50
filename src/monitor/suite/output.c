/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's output: whatever it is, it is looked at line by line, and its end is kept. */
#include <stdlib.h>
#include <string.h>

#include "suite.h"

/* What follows `prefix` in line, or NULL. */
static const char *after(const char *line, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(line, prefix, len) ? NULL : line + len;
}

static void copy_line(char to[SUITE_LINE], const char *from)
{
	from += strspn(from, " ");
	memcpy(to, from, strnlen(from, SUITE_LINE - 1) + 1);
	to[SUITE_LINE - 1] = 0;
}

static void take_line(struct suite_output *o)
{
	const char *text;

	o->line[o->line_len] = 0;
	o->line_len = 0;
	if (after(o->line, "PASS:")) {
		o->passed++;
	} else if ((text = after(o->line, "FAIL:"))) {
		if (!o->failed++)
			copy_line(o->first_fail, text);
	} else if ((text = after(o->line, "SKIP:"))) {
		o->skipped++;
		copy_line(o->last_skip, text);
	} else if ((text = after(o->line, "SUMMARY:"))) {
		copy_line(o->summary, text);
	} else if (o->line[strspn(o->line, " \t")]) {
		copy_line(o->last, o->line);
	}
}

void suite_output_add(struct suite_output *o, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		o->tail[o->bytes++ % SUITE_TAIL] = buf[i];
		if (buf[i] == '\n')
			take_line(o);
		else if (o->line_len < SUITE_LINE - 1 && buf[i] && buf[i] != '\r')
			o->line[o->line_len++] = buf[i];
	}
}

void suite_output_said(struct suite_output *o, const char *buf, size_t len)
{
	const char *end = buf + len, *line = buf;

	while (end > buf && end[-1] == '\n')
		end--;
	for (const char *p = buf; p < end; p++)
		if (*p == '\n')
			line = p + 1;
	if (line < end) {
		size_t n = MIN((size_t)(end - line), (size_t)SUITE_LINE - 1);
		char copy[SUITE_LINE];
		memcpy(copy, line, n);
		copy[n] = 0;
		copy_line(o->said, after(copy, "gnomon: ") ? after(copy, "gnomon: ") : copy);
	}
}

char *suite_output_tail(const struct suite_output *o, size_t *len)
{
	uint64_t n = MIN(o->bytes, (uint64_t)SUITE_TAIL), at = o->bytes - n;
	char *text = malloc(n + 1), *newline;

	if (!text)
		return NULL;
	for (uint64_t i = 0; i < n; i++)
		text[i] = o->tail[(at + i) % SUITE_TAIL];
	newline = at ? memchr(text, '\n', n) : NULL;
	if (newline) { /* what is left of the first line is not worth showing */
		n -= (uint64_t)(newline + 1 - text);
		memmove(text, newline + 1, n);
	}
	text[n] = 0;
	*len = n;
	return text;
}
