/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `gnomon run`: finding their rows, and --help. */
#include "options_internal.h"

#include "trace.h"

#include <string.h>

/* clang-format off */
static const struct option_row {
	struct option_info info;
	bool (*parse)(struct parse *p, const char *value);
} option_rows[] = {
#define OPTION(id, name, argument, many, help) {{name, argument, many, help}, parse_##id},
#include "options.def"
#undef OPTION
};
/* clang-format on */

const struct option_info *options_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		if (strlen(option_rows[i].info.name) == len && !strncmp(option_rows[i].info.name, name, len))
			return &option_rows[i].info;
	return NULL;
}

/* The row of "--name" or "--name=value"; *value: what follows the '=', or NULL. */
static const struct option_row *find_option(const char *arg, const char **value)
{
	size_t len = strcspn(arg + 2, "=");
	const struct option_info *info = options_find(arg + 2, len);

	*value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
	return info ? container_of(info, struct option_row, info) : NULL;
}

static enum options_result fail(char *err, size_t errlen, const char *fmt, const char *arg)
{
	snprintf(err, errlen, fmt, arg, arg);
	return OPTIONS_WRONG;
}

/* What only the options together show. */
static enum options_result check_together(const struct vm_config *cfg, char *err, size_t errlen)
{
	if (cfg->display == DISPLAY_TTY && config_serial_on_stdio(cfg))
		return fail(err, errlen, "--display tty and --serial stdio%s both want the terminal", "");
	if (cfg->lockstep && cfg->engine == ENGINE_STEP)
		return fail(err, errlen, "--lockstep checks the translator: it does not go with --engine step%s", "");
	if (cfg->lockstep && (cfg->gdb.path || cfg->gdb.host))
		return fail(err, errlen, "--gdb does not go with --lockstep%s", "");
	if (!cfg->kernel && (cfg->initrd || cfg->append))
		return fail(err, errlen, "%s without --kernel", cfg->initrd ? "--initrd" : "--append");
	if (cfg->trace_file && !cfg->trace)
		return fail(err, errlen, "--trace-file without --trace%s", "");
	if ((cfg->profile_exact || cfg->perf_map) && !cfg->profile)
		return fail(err, errlen, "--%s without --profile", cfg->perf_map ? "perf-map" : "profile-exact");
	return OPTIONS_OK;
}

enum options_result options_parse(struct vm_config *cfg, int argc, char *const *argv, char *err, size_t errlen)
{
	bool seen[ARRAY_LEN(option_rows)] = {false};

	for (int i = 0; i < argc; i++) {
		const char *value, *arg = argv[i];
		const struct option_row *row;
		char option[32];
		struct parse p = {.cfg = cfg, .option = option, .err = err, .errlen = errlen, .result = OPTIONS_WRONG};

		if (!strcmp(arg, "--help") || !strcmp(arg, "-h"))
			return OPTIONS_HELP;
		if (!strcmp(arg, "--version"))
			return OPTIONS_VERSION;
		if (strncmp(arg, "--", 2))
			return fail(err, errlen,
				    *arg == '-' ? "unknown option '%s' (gnomon run --help)"
						: "unexpected argument '%s' (--cdrom %s?)",
				    arg);
		row = find_option(arg, &value);
		if (!row)
			return fail(err, errlen, "unknown option '%s' (gnomon run --help)", arg);
		snprintf(option, sizeof(option), "--%s", row->info.name);
		if (seen[row - option_rows] && !row->info.many)
			return fail(err, errlen, "%s is given twice", option);
		seen[row - option_rows] = true;
		if (!row->info.argument && value)
			return fail(err, errlen, "%s takes no value", option);
		if (row->info.argument && !value) {
			if (i + 1 == argc)
				return fail(err, errlen, "%s needs a value", option);
			value = argv[++i];
		}
		if (!row->parse(&p, value))
			return p.result;
	}
	return check_together(cfg, err, errlen);
}

static void print_row(FILE *out, const char *left, const char *help)
{
	enum { LEFT = 32 };

	fprintf(out, "  %-*s", LEFT - 2, left);
	if (strlen(left) > LEFT - 3)
		fprintf(out, "\n%*s", LEFT, "");
	for (; *help; help++) {
		fputc(*help, out);
		if (*help == '\n')
			fprintf(out, "%*s", LEFT, "");
	}
	fputc('\n', out);
}

void options_print_row(FILE *out, const struct option_info *o)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "",
		 o->many ? " ..." : "");
	print_row(out, left, o->help);
}

void options_print_opts(FILE *out)
{
	fprintf(out, "Optimisations; --opt -NAME switches one off, --opt -all all of them:\n");
	for (enum opt o = 0; o < OPT_COUNT; o++)
		print_row(out, opt_name(o), opt_help(o));
}

void options_print_help(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		options_print_row(out, &option_rows[i].info);
	print_row(out, "--version", "show the version");
	print_row(out, "--help", "show this");
	fprintf(out, "\nTrace categories:\n");
	for (enum trace_cat cat = 0; cat < TRACE_COUNT; cat++)
		print_row(out, trace_name(cat), trace_help(cat));
}
