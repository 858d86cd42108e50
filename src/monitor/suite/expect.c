/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of --expect: a line for each test, "NAME OUTCOME REASON", with pass, fail or skip as outcome; the reason
 * may be missing. # begins a comment, in the outcome's place or before it; the reason is text.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../file.h"
#include "suite.h"

enum { EXPECT_MAX_BYTES = 1 << 20 };

static bool take_outcome(const char *word, enum suite_expected *e)
{
	*e = !strcmp(word, "pass")   ? SUITE_EXPECT_PASS
	     : !strcmp(word, "fail") ? SUITE_EXPECT_FAIL
	     : !strcmp(word, "skip") ? SUITE_EXPECT_SKIP
				     : SUITE_EXPECT_NOTHING;
	return *e != SUITE_EXPECT_NOTHING;
}

static struct suite_test *find(struct suite *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->test[i].name, name))
			return &s->test[i];
	return NULL;
}

static int take_row(struct suite *s, char *line, unsigned number, struct strings *names, char *err, size_t errlen)
{
	char *save = NULL, *name = strtok_r(line, " \t\r", &save), *outcome, *why;
	enum suite_expected e;

	if (!name || *name == '#')
		return 0;
	outcome = strtok_r(NULL, " \t\r", &save);
	why = strtok_r(NULL, "\r", &save);
	if (!outcome || !take_outcome(outcome, &e)) {
		snprintf(err, errlen, "line %u: '%.40s' is not pass, fail or skip", number, outcome ? outcome : "");
		return -EINVAL;
	}
	if (strings_contain(names, name)) {
		snprintf(err, errlen, "line %u: '%.80s' is there twice", number, name);
		return -EINVAL;
	}
	strings_add(names, "%s", name);
	for (unsigned i = 0; i < s->n; i++) {
		struct suite_test *t = &s->test[i];
		if (strcmp(t->name, name))
			continue;
		t->expected = e;
		free(t->expected_why);
		t->expected_why = why ? strdup(why + strspn(why, " \t")) : NULL;
	}
	return 0;
}

int suite_expect_text(struct suite *s, char *text, bool whole, char *err, size_t errlen)
{
	struct strings names = {0};
	unsigned number = 0;
	int rc = 0;

	for (char *line; !rc && (line = strsep(&text, "\n"));)
		rc = take_row(s, line, ++number, &names, err, errlen);
	for (unsigned i = 0; i < names.n && !rc && whole; i++)
		if (!find(s, names.v[i]))
			strings_add(&s->gone, "%s", names.v[i]);
	if (rc)
		make_printable(err);
	if (!rc && (names.failed || s->gone.failed)) {
		snprintf(err, errlen, "out of memory");
		rc = -ENOMEM;
	}
	strings_free(&names);
	return rc;
}

int suite_expect(struct suite *s, const struct suite_options *o, char *err, size_t errlen)
{
	uint64_t size;
	char *text, why[200] = "larger than a table can be";
	int fd = file_open(o->expect, "table", &size, err, errlen), rc = -EFBIG;

	if (fd < 0)
		return fd;
	text = size <= EXPECT_MAX_BYTES ? malloc(size + 1) : NULL;
	if (text) {
		rc = file_read_all(fd, text, size);
		snprintf(why, sizeof(why), "%s", strerror(-rc));
		text[size] = 0;
		if (!rc && memchr(text, 0, size)) {
			snprintf(why, sizeof(why), "not a text");
			rc = -EINVAL;
		}
		if (!rc)
			rc = suite_expect_text(s, text, o->config && !o->names.n && !o->group, why, sizeof(why));
	}
	if (rc)
		snprintf(err, errlen, "table '%s': %s", o->expect, why);
	free(text);
	close(fd);
	return rc;
}
