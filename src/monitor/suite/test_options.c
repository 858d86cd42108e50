/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../options.h"
#include "suite.h"

enum { JOBS_MAX = 256 };

struct parse {
	struct suite_options *o;
	char *err;
	size_t errlen;
};

static int PRINTF_LIKE(2, 3) wrong(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err, p->errlen, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int take_name(struct parse *p, const char *option, const char *value, const char **to)
{
	*to = value;
	return *value ? 0 : wrong(p, "--%s: the name is empty", option);
}

static int parse_config(struct parse *p, const char *value)
{
	return take_name(p, "config", value, &p->o->config);
}

static int parse_group(struct parse *p, const char *value)
{
	return take_name(p, "group", value, &p->o->group);
}

static int parse_all(struct parse *p, const char *value)
{
	p->o->all = true;
	return 0;
}

static int parse_arch(struct parse *p, const char *value)
{
	p->o->arch = value;
	return strcmp(value, "i386") && strcmp(value, "x86_64") ? wrong(p, "--arch: '%s' is not i386 or x86_64", value)
								: 0;
}

static int parse_uniprocessor(struct parse *p, const char *value)
{
	p->o->uniprocessor = true;
	return 0;
}

static int parse_list(struct parse *p, const char *value)
{
	p->o->list = true;
	return 0;
}

static int parse_jobs(struct parse *p, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || !n || n > JOBS_MAX)
		return wrong(p, "--jobs: '%s' is not a number of 1 to %d", value, JOBS_MAX);
	p->o->jobs = (unsigned)n;
	return 0;
}

static int parse_timeout(struct parse *p, const char *value)
{
	return parse_seconds(value, &p->o->timeout) ? wrong(p, "--timeout: '%s' is not a number of seconds", value) : 0;
}

static int parse_logs(struct parse *p, const char *value)
{
	return take_name(p, "logs", value, &p->o->logs);
}

static int parse_junit(struct parse *p, const char *value)
{
	return take_name(p, "junit", value, &p->o->junit);
}

static int parse_expect(struct parse *p, const char *value)
{
	return take_name(p, "expect", value, &p->o->expect);
}

static const struct {
	struct option_info info;
	int (*parse)(struct parse *p, const char *value); /* NULL: for `gnomon run` */
} rows[] = {
#define TEST_OPTION(id, name, argument, help) {{name, argument, false, help}, parse_##id},
#define TEST_PASSED(name)		      {{name, NULL, false, NULL}, NULL},
#include "test_options.def"
#undef TEST_OPTION
#undef TEST_PASSED
};

/* Rows of options of `gnomon run` get the rest from there. */
static const struct option_info *info_of(size_t row)
{
	const char *name = rows[row].info.name;
	return rows[row].parse ? &rows[row].info : options_find(name, strlen(name));
}

/* -jN and -j N are --jobs; *value: of the option, or NULL. -1: no such option. */
static int find_row(const char *arg, const char **value)
{
	size_t len = strlen("jobs");
	const char *name = "jobs";

	if (!strncmp(arg, "-j", 2)) {
		*value = arg[2] ? arg + 2 : NULL;
	} else if (!strncmp(arg, "--", 2)) {
		name = arg + 2;
		len = strcspn(name, "=");
		*value = name[len] ? name + len + 1 : NULL;
	} else {
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].info.name) == len && !strncmp(rows[i].info.name, name, len))
			return (int)i;
	return -1;
}

static int take_option(struct parse *p, int argc, char *const *argv, int *i, bool *seen)
{
	const char *value, *arg = argv[*i];
	int row = find_row(arg, &value);
	const struct option_info *info = row < 0 ? NULL : info_of((size_t)row);

	if (!info)
		return wrong(p, "unknown option '%s' (gnomon test --help)", arg);
	if (seen[row] && !info->many)
		return wrong(p, "--%s is given twice", info->name);
	seen[row] = true;
	if (!info->argument && value)
		return wrong(p, "--%s takes no value", info->name);
	if (info->argument && !value) {
		if (*i + 1 == argc)
			return wrong(p, "--%s needs a value", info->name);
		value = argv[++*i];
	}
	if (rows[row].parse)
		return rows[row].parse(p, value);
	strings_add(&p->o->run, "--%s", info->name);
	if (value)
		strings_add(&p->o->run, "%s", value);
	return 0;
}

/* What `gnomon run` would say of its options. */
static int check_passed(struct parse *p)
{
	struct strings args = {0};
	struct vm_config cfg;
	enum options_result result;

	strings_add(&args, "--kernel");
	strings_add(&args, "kernel");
	for (unsigned i = 0; i < p->o->run.n; i++)
		strings_add(&args, "%s", p->o->run.v[i]);
	config_init(&cfg);
	result = options_parse(&cfg, (int)args.n, args.v, p->err, p->errlen);
	config_destroy(&cfg);
	strings_free(&args);
	p->o->opt_help = result == OPTIONS_OPT_HELP;
	return result == OPTIONS_OK || p->o->opt_help ? 0 : -EINVAL;
}

static int check_together(struct parse *p)
{
	struct suite_options *o = p->o;
	const char *only = o->group	     ? "--group"
			   : o->all	     ? "--all"
			   : o->arch	     ? "--arch"
			   : o->uniprocessor ? "--uniprocessor"
					     : NULL;

	if (check_passed(p))
		return -EINVAL;
	if (o->opt_help)
		return 0;
	if (!o->config && only)
		return wrong(p, "%s without --config", only);
	if (!o->config && !o->names.n)
		return wrong(p, "no kernel and no --config is named (gnomon test --help)");
	if (o->config && strings_contain(&o->run, "--append"))
		return wrong(p, "--append does not go with --config, which has the tests' arguments");
	if (o->names.failed || o->run.failed)
		return wrong(p, "out of memory");
	if (!o->arch)
		o->arch = "i386";
	return 0;
}

int test_options_parse(struct suite_options *o, int argc, char *const *argv, char *err, size_t errlen)
{
	struct parse p = {.o = o, .err = err, .errlen = errlen};
	bool seen[ARRAY_LEN(rows)] = {false}, names = false;

	*o = (struct suite_options){.jobs = 1};
	for (int i = 0; i < argc; i++) {
		if (names || *argv[i] != '-') {
			strings_add(&o->names, "%s", argv[i]);
		} else if (!strcmp(argv[i], "--")) {
			names = true;
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			o->help = true;
			return 0;
		} else {
			int rc = take_option(&p, argc, argv, &i, seen);
			if (rc)
				return rc;
		}
	}
	return check_together(&p);
}

void test_options_free(struct suite_options *o)
{
	strings_free(&o->names);
	strings_free(&o->run);
}

void test_options_print_help(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (i && rows[i - 1].parse && !rows[i].parse)
			fprintf(out, "\nOf each test's VM, as for `gnomon run`:\n");
		options_print_row(out, info_of(i));
	}
}
