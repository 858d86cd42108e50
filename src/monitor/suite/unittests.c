/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "unittests.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../file.h"
#include "shell_words.h"

#define TRIPLE "\"\"\""

static const struct {
	const char *key;
	size_t offset;
} parameters[] = {
    {"file", offsetof(struct unittest, file)},
    {"smp", offsetof(struct unittest, smp)},
    {"test_args", offsetof(struct unittest, test_args)},
    {"qemu_params", offsetof(struct unittest, qemu_params)},
    {"extra_params", offsetof(struct unittest, qemu_params)},
    {"groups", offsetof(struct unittest, groups)},
    {"arch", offsetof(struct unittest, arch)},
    {"machine", offsetof(struct unittest, machine)},
    {"check", offsetof(struct unittest, check)},
    {"accel", offsetof(struct unittest, accel)},
    {"timeout", offsetof(struct unittest, timeout)},
    {"disabled_if", offsetof(struct unittest, disabled_if)},
};

/* For other monitors than QEMU: not meant for us. */
static const char *const ignored[] = {"kvmtool_params"};

struct reader {
	struct unittests *u;
	char *at, *end; /* what is left; ends with a 0 */
	unsigned line;	/* number of the last one read */
	char *err;
	size_t errlen;
};

static int PRINTF_LIKE(3, 4) wrong(struct reader *r, unsigned line, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(r->err, r->errlen, "line %u: ", line);

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < r->errlen)
		vsnprintf(r->err + n, r->errlen - (size_t)n, fmt, ap);
	va_end(ap);
	make_printable(r->err);
	return -EINVAL;
}

/* The next line, or NULL. It is cut off in place; *more: whether a newline ended it. */
static char *next_line(struct reader *r)
{
	char *line = r->at, *newline;

	if (line >= r->end)
		return NULL;
	newline = memchr(line, '\n', (size_t)(r->end - line));
	r->at = newline ? newline + 1 : r->end;
	if (newline)
		*newline = 0;
	r->line++;
	return line;
}

/* Without blanks at both ends; in place. */
static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = 0;
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* Of more than one value for a parameter the last holds. */
static int set(struct reader *r, char **to, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return wrong(r, r->line, "out of memory");
	free(*to);
	*to = copy;
	return 0;
}

static bool odd_backslashes(const char *text)
{
	size_t n = 0, len = strlen(text);

	while (n < len && text[len - 1 - n] == '\\')
		n++;
	return n & 1;
}

/* The closing """, which may follow a quote; NULL: it is not in this line. */
static const char *last_triple(const char *line)
{
	const char *found = NULL, *p = line;

	while ((p = strstr(p, TRIPLE)))
		found = p++;
	return found;
}

/* What follows the opening """, up to the closing one. */
static int take_long_value(struct reader *r, const char *line, char **to)
{
	unsigned opened = r->line;
	size_t len;
	FILE *out = open_memstream(to, &len);

	if (!out)
		return wrong(r, r->line, "out of memory");
	for (; line; line = next_line(r)) {
		const char *close = last_triple(line);
		if (close) {
			fprintf(out, "%.*s", (int)(close - line), line);
			break;
		}
		if (odd_backslashes(line))
			fprintf(out, "%.*s", (int)strlen(line) - 1, line);
		else
			fprintf(out, "%s\n", line);
	}
	if (fclose(out) || !*to)
		return wrong(r, r->line, "out of memory");
	return line ? 0 : wrong(r, opened, "the " TRIPLE " is not closed");
}

static int take_parameter(struct reader *r, struct unittest *t, const char *key, char *value)
{
	char *text = NULL;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		char **to = (char **)((char *)t + parameters[i].offset);
		if (strcmp(key, parameters[i].key))
			continue;
		if (strncmp(value, TRIPLE, strlen(TRIPLE))) {
			value[shell_comment(value) - value] = 0;
			return set(r, to, trim(value));
		}
		rc = take_long_value(r, value + strlen(TRIPLE), &text);
		if (!rc)
			rc = set(r, to, text);
		free(text);
		return rc;
	}
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		if (!strcmp(key, ignored[i]))
			return 0;
	return t->unknown ? 0 : set(r, &t->unknown, key);
}

static int begin_section(struct reader *r, const char *name)
{
	struct unittests *u = r->u;
	struct unittest *more;

	if (!*name)
		return wrong(r, r->line, "a test without a name");
	if (u->n == UNITTESTS_MAX)
		return wrong(r, r->line, "more than %d tests", UNITTESTS_MAX);
	more = realloc(u->test, (u->n + 1) * sizeof(*more));
	if (!more)
		return wrong(r, r->line, "out of memory");
	u->test = more;
	more[u->n++] = (struct unittest){.line = r->line};
	return set(r, &more[u->n - 1].name, name);
}

static int take_line(struct reader *r, char *line)
{
	size_t len, key;
	char *value;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	if (*line == '[') {
		line[shell_comment(line) - line] = 0;
		line = trim(line);
		len = strlen(line);
		if (line[len - 1] != ']')
			return wrong(r, r->line, "a [ without its ] at the end");
		line[len - 1] = 0;
		return begin_section(r, trim(line + 1));
	}
	key = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	value = line + key + strspn(line + key, " \t");
	if (!key || *value != '=')
		return wrong(r, r->line, "'%.40s' is not [name], parameter = value or a # comment", line);
	line[key] = 0;
	if (!r->u->n)
		return wrong(r, r->line, "'%.40s' before the first [name]", line);
	return take_parameter(r, &r->u->test[r->u->n - 1], line, trim(value + 1));
}

int unittests_parse(struct unittests *u, const char *text, size_t len, char *err, size_t errlen)
{
	char *copy = malloc(len + 1), *line;
	struct reader r = {.u = u, .at = copy, .end = copy + len, .err = err, .errlen = errlen};
	int rc = 0;

	*u = (struct unittests){0};
	if (!copy) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	memcpy(copy, text, len);
	copy[len] = 0;
	if (memchr(text, 0, len))
		rc = wrong(&r, 1, "not a text: there are bytes of value 0 in it");
	while (!rc && (line = next_line(&r)))
		rc = take_line(&r, line);
	for (unsigned i = 0; i < u->n && !rc; i++)
		if (!u->test[i].file || !*u->test[i].file)
			rc = wrong(&r, u->test[i].line, "[%.40s] names no file", u->test[i].name);
	free(copy);
	if (rc)
		unittests_free(u);
	return rc;
}

int unittests_read(struct unittests *u, const char *path, char *err, size_t errlen)
{
	char *text = NULL, why[200];
	uint64_t size;
	int fd = file_open(path, "configuration", &size, err, errlen), rc;

	*u = (struct unittests){0};
	if (fd < 0)
		return fd;
	if (size > UNITTESTS_MAX_BYTES) {
		snprintf(err, errlen, "configuration '%s': larger than %d bytes", path, UNITTESTS_MAX_BYTES);
		rc = -EFBIG;
	} else {
		text = malloc(size + 1);
		rc = text ? file_read_all(fd, text, size) : -ENOMEM;
		if (rc) {
			snprintf(err, errlen, "configuration '%s': %s", path, strerror(-rc));
		} else {
			rc = unittests_parse(u, text, size, why, sizeof(why));
			if (rc)
				snprintf(err, errlen, "configuration '%s': %s", path, why);
		}
	}
	free(text);
	close(fd);
	return rc;
}

void unittests_free(struct unittests *u)
{
	for (unsigned i = 0; i < u->n; i++) {
		struct unittest *t = &u->test[i];
		for (size_t p = 0; p < ARRAY_LEN(parameters); p++) {
			char **value = (char **)((char *)t + parameters[p].offset);
			free(*value);
			*value = NULL;
		}
		free(t->name);
		free(t->unknown);
	}
	free(u->test);
	*u = (struct unittests){0};
}
