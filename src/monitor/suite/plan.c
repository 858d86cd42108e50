/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tests there are, and how each is run or why not. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../file.h"
#include "../options.h"
#include "qemu_params.h"
#include "shell_words.h"
#include "suite.h"
#include "unittests.h"

/* The machine that test suites are written for: QEMU's with these devices, output on the first serial port. */
static const char *const machine[] = {"--serial", "stdio",	  "--display", "none",	       "--rng",
				      "off",	  "--debug-exit", "0xf4",      "--pc-testdev", "--no-reboot"};

struct planning {
	struct suite *s;
	const struct suite_options *o;
	char *folder; /* of the configuration */
};

/* A new test. NULL: out of memory. */
static struct suite_test *add_test(struct suite *s, const char *name, const char *file)
{
	struct suite_test *more = realloc(s->test, (s->n + 1) * sizeof(*more)), *t;

	if (!more)
		return NULL;
	s->test = more;
	t = &more[s->n];
	memset(t, 0, sizeof(*t));
	t->name = strdup(name);
	make_printable(t->name); /* it goes into TAP lines, XML and file names */
	t->file = strdup(file);
	if (!t->name || !t->file) {
		free(t->name);
		free(t->file);
		return NULL;
	}
	s->n++;
	return t;
}

/* What follows from the options of `gnomon test`; the test's own come in between. */
static void add_options(const struct planning *p, struct suite_test *t, const struct strings *own)
{
	const struct strings *all = &p->o->run;
	char seconds[32];

	strings_add(&t->run, "--kernel");
	strings_add(&t->run, "%s", t->file);
	for (size_t i = 0; i < ARRAY_LEN(machine); i++)
		strings_add(&t->run, "%s", machine[i]);
	snprintf(seconds, sizeof(seconds), "%.9g", t->timeout);
	strings_set_option(&t->run, "--timeout", seconds);
	for (unsigned i = 0; i < all->n; i++)
		strings_add(&t->run, "%s", all->v[i]);
	for (unsigned i = 0; own && i + 1 < own->n; i += 2)
		strings_set_option(&t->run, own->v[i], own->v[i + 1]);
}

/* --- kernels' files --- */

static int plan_files(struct planning *p, char *err, size_t errlen)
{
	for (unsigned i = 0; i < p->o->names.n; i++) {
		const char *path = p->o->names.v[i], *slash = strrchr(path, '/');
		uint64_t size;
		int fd = file_open(path, "kernel", &size, err, errlen);
		struct suite_test *t;

		if (fd < 0)
			return fd;
		close(fd);
		t = add_test(p->s, slash ? slash + 1 : path, path);
		if (!t)
			return -ENOMEM;
		t->timeout = p->o->timeout ? p->o->timeout : SUITE_TIMEOUT;
		add_options(p, t, NULL);
	}
	return 0;
}

/* --- a configuration --- */

/* Is `word` one of the words of text? */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; p && *p;) {
		size_t n = strcspn(p, " \t\n");
		if (n == len && !strncmp(p, word, n))
			return true;
		p += n + strspn(p + n, " \t\n");
	}
	return false;
}

static bool wanted(const struct planning *p, const struct unittest *u)
{
	if (p->o->names.n && !strings_contain(&p->o->names, u->name))
		return false;
	return !p->o->group || has_word(u->groups, p->o->group);
}

/* Does a regular file of the host (one of /sys, most often) hold this and no more, but for a newline? */
static bool file_holds(const char *path, const char *value)
{
	char err[200], text[80];
	uint64_t size;
	int fd = file_open(path, "", &size, err, sizeof(err));
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[MAX(len, 0)] = 0;
	text[strcspn(text, "\n")] = 0;
	return len >= 0 && !strcmp(text, value);
}

/* "path=value path=value". NULL: all hold; or why not. */
static char *check_files(const char *check)
{
	char *copy = strdup(check), *save = NULL, *why = NULL;

	for (char *word = copy ? strtok_r(copy, " \t\n", &save) : NULL; word && !why;
	     word = strtok_r(NULL, " \t\n", &save)) {
		char *value = strchr(word, '=');
		if (!value) {
			why = format("'%s' is not a check such as path=value", word);
		} else {
			*value++ = 0;
			if (!file_holds(word, value))
				why = format("%s not equal to %s", word, value);
		}
	}
	free(copy);
	return why;
}

/* Reasons that need no look at the parameters, in the order of kvm-unit-tests' own scripts. NULL: none. */
static char *reason_to_skip(const struct planning *p, const struct unittest *u, const char *file)
{
	static const char *const special[][2] = {
	    {"migration", "there is no migration"},
	    {"panic", "there is no panic device"},
	    {"pv-host", "there are no protected guests"},
	};

	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		if (has_word(u->groups, special[i][0]))
			return format("%s", special[i][1]);
	if (has_word(u->groups, "nodefault") && !p->o->group && !p->o->names.n && !p->o->all)
		return format("test marked as manual run only (--all)");
	if (u->arch && *u->arch && strcmp(u->arch, p->o->arch))
		return format("%s only", u->arch);
	if (u->machine && *u->machine && strcmp(u->machine, "pc"))
		return format("machine %s only", u->machine);
	if (u->accel && *u->accel && strncmp(u->accel, "tcg", 3))
		return format("%s only", u->accel);
	if (u->disabled_if && *u->disabled_if)
		return format("disabled_if is not evaluated: %s", u->disabled_if);
	if (u->unknown)
		return format("parameter '%s' is not known", u->unknown);
	if (u->check && *u->check) {
		char *why = check_files(u->check);
		if (why)
			return why;
	}
	return access(file, R_OK) ? format("test file '%s' not found", file) : NULL;
}

/* "90", "90s", "2m"; 0: no limit of its own. */
static bool take_timeout(const char *text, double *seconds)
{
	char *end;
	double n = strtod(text, &end);

	if (!isdigit((unsigned char)*text) || (*end && (end[1] || !strchr("smh", *end))) || n > 1e6)
		return false;
	*seconds = n * (*end == 'm' ? 60 : *end == 'h' ? 3600 : 1);
	return true;
}

/* test_args and parameters as QEMU's command line would have them. */
static char *take_parameters(const struct planning *p, const struct unittest *u, struct qemu_params *params)
{
	struct strings words = {0};
	char why[200] = "out of memory", cpus[32];
	bool ok;

	snprintf(cpus, sizeof(cpus), "%.20s", u->smp && strcmp(u->smp, "$MAX_SMP") ? u->smp : "1");
	strings_add(&words, "-smp");
	strings_add(&words, "%s", cpus);
	if (u->test_args && *u->test_args)
		strings_add(&words, "-append");
	ok = !(u->test_args && shell_words(u->test_args, &words, why, sizeof(why))) &&
	     !(u->qemu_params && shell_words(u->qemu_params, &words, why, sizeof(why))) && !words.failed &&
	     qemu_params_take(params, &words, p->folder, why, sizeof(why)) && !params->run.failed;
	strings_free(&words);
	if (!ok)
		return format("%s", why);
	if (params->cpus > 1 && !p->o->uniprocessor)
		return format("needs %u processors (--uniprocessor: with one)", params->cpus);
	return NULL;
}

static bool plan_unittest(struct planning *p, const struct unittest *u)
{
	char *path = format("%s/%s", p->folder, u->file);
	struct suite_test *t = path ? add_test(p->s, u->name, path) : NULL;
	struct qemu_params params = {.lm = !strcmp(p->o->arch, "x86_64")};

	free(path);
	if (!t)
		return false;
	t->timeout = SUITE_TIMEOUT;
	t->skip = reason_to_skip(p, u, t->file);
	if (!t->skip && u->timeout && *u->timeout && !take_timeout(u->timeout, &t->timeout))
		t->skip = format("'%s' is not a timeout", u->timeout);
	if (p->o->timeout)
		t->timeout = p->o->timeout;
	else if (!t->timeout)
		t->timeout = 24 * 3600;
	if (!t->skip)
		t->skip = take_parameters(p, u, &params);
	if (!t->skip && !strings_contain(&params.run, "--cpu") && !strings_contain(&p->o->run, "--cpu"))
		strings_set_option(&params.run, "--cpu", params.lm ? "lm" : "-lm");
	if (!t->skip)
		add_options(p, t, &params.run);
	t->cpus = params.cpus > 1 ? params.cpus : 0;
	make_printable(t->skip);
	qemu_params_free(&params);
	return true;
}

static int plan_config(struct planning *p, char *err, size_t errlen)
{
	const char *config = p->o->config, *slash = strrchr(config, '/');
	struct unittests u;
	int rc = unittests_read(&u, config, err, errlen);

	if (rc)
		return rc;
	p->folder = slash ? strndup(config, (size_t)(slash - config)) : strdup(".");
	for (unsigned i = 0; i < p->o->names.n && !rc; i++) {
		bool there = false;
		for (unsigned n = 0; n < u.n; n++)
			there |= !strcmp(u.test[n].name, p->o->names.v[i]);
		if (!there) {
			snprintf(err, errlen, "configuration '%s': no test '%.80s'", config, p->o->names.v[i]);
			rc = -ENOENT;
		}
	}
	for (unsigned i = 0; i < u.n && !rc; i++)
		if (wanted(p, &u.test[i]) && !(p->folder && plan_unittest(p, &u.test[i])))
			rc = -ENOMEM;
	if (!rc && !p->s->n) {
		snprintf(err, errlen,
			 p->o->group ? "configuration '%s': no test in group '%.80s'" : "configuration '%s': no tests",
			 config, p->o->group);
		rc = -ENOENT;
	}
	unittests_free(&u);
	free(p->folder);
	return rc;
}

int suite_plan(struct suite *s, const struct suite_options *o, char *err, size_t errlen)
{
	struct planning p = {.s = s, .o = o};
	int rc;

	*s = (struct suite){0};
	snprintf(err, errlen, "out of memory");
	rc = o->config ? plan_config(&p, err, errlen) : plan_files(&p, err, errlen);
	for (unsigned i = 0; i < s->n && !rc; i++)
		if (s->test[i].run.failed)
			rc = -ENOMEM;
	return rc;
}

void suite_free(struct suite *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct suite_test *t = &s->test[i];
		free(t->name);
		free(t->file);
		strings_free(&t->run);
		free(t->skip);
		free(t->expected_why);
		free(t->why);
		free(t->log);
	}
	free(s->test);
	strings_free(&s->gone);
	*s = (struct suite){0};
}
