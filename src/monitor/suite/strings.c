/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "strings.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return text;
}

void make_printable(char *text)
{
	for (; text && *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

void strings_add(struct strings *s, const char *fmt, ...)
{
	char **more = realloc(s->v, (s->n + 2) * sizeof(*more)), *text = NULL;
	va_list ap;

	if (more) {
		s->v = more;
		va_start(ap, fmt);
		if (vasprintf(&text, fmt, ap) < 0)
			text = NULL;
		va_end(ap);
		s->v[s->n] = text;
		s->v[s->n + !!text] = NULL;
		s->n += !!text;
	}
	s->failed |= !text;
}

void strings_set_option(struct strings *s, const char *option, const char *value)
{
	char *copy = value ? strdup(value) : NULL;
	unsigned i = 0;

	while (i + 1 < s->n && strcmp(s->v[i], option))
		i++;
	if (!copy) {
		s->failed = true;
	} else if (i + 1 < s->n) {
		free(s->v[i + 1]);
		s->v[i + 1] = copy;
	} else {
		strings_add(s, "%s", option);
		strings_add(s, "%s", copy);
		free(copy);
	}
}

bool strings_contain(const struct strings *s, const char *what)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->v[i], what))
			return true;
	return false;
}

void strings_free(struct strings *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strings){0};
}
