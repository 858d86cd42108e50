/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gnomon report`: what a profile says. */
#include "commands.h"
#include "options.h"
#include "profile/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SYMBOL_FILES = 8, TEXT_BLOCKS = 3, PAGE_BLOCKS = 25, MAX_BLOCKS = 1000 };

struct report_options {
	const char *folder, *html;
	const char *symbols[MAX_SYMBOL_FILES];
	unsigned nsymbols;
	bool json;
	int blocks; /* -1: the default */
};

static int print_help(void)
{
	printf(
	    "Usage: gnomon report FOLDER [OPTIONS]\n\n"
	    "Shows a profile that `gnomon run --profile FOLDER` has taken: docs/profiling.md.\n\n"
	    "  --html FILE      write a page with charts, for a browser (- for standard output)\n"
	    "  --json           print everything as JSON\n"
	    "  --symbols FILE   names of guest code: an ELF file (vmlinux), System.map or kallsyms; may be repeated\n"
	    "  --blocks N       show the N hottest blocks (default %d; with --html and --json %d)\n",
	    TEXT_BLOCKS, PAGE_BLOCKS);
	return EXIT_POWERED_OFF;
}

/* The value of option argv[*i], or NULL after a complaint. */
static const char *value_of(int argc, char *const *argv, int *i)
{
	if (*i + 1 < argc)
		return argv[++*i];
	say("report: %s needs a value", argv[*i]);
	return NULL;
}

static bool parse_blocks(struct report_options *o, const char *value)
{
	char *end;
	long n = strtol(value, &end, 10);

	o->blocks = (int)n;
	if (*value >= '0' && *value <= '9' && !*end && n <= MAX_BLOCKS)
		return true;
	say("report: --blocks: '%s' is not a number up to %d", value, MAX_BLOCKS);
	return false;
}

static bool parse(struct report_options *o, int argc, char *const *argv)
{
	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];
		if (!strcmp(arg, "--json")) {
			o->json = true;
		} else if (!strcmp(arg, "--html")) {
			o->html = value_of(argc, argv, &i);
			if (!o->html)
				return false;
		} else if (!strcmp(arg, "--blocks")) {
			arg = value_of(argc, argv, &i);
			if (!arg || !parse_blocks(o, arg))
				return false;
		} else if (!strcmp(arg, "--symbols")) {
			arg = value_of(argc, argv, &i);
			if (arg && o->nsymbols == MAX_SYMBOL_FILES)
				say("report: more than %d files of symbols", MAX_SYMBOL_FILES);
			if (!arg || o->nsymbols == MAX_SYMBOL_FILES)
				return false;
			o->symbols[o->nsymbols++] = arg;
		} else if (*arg == '-' || o->folder) {
			say("report: %s '%s' (gnomon report --help)",
			    *arg == '-' ? "unknown option" : "unexpected argument", arg);
			return false;
		} else {
			o->folder = arg;
		}
	}
	if (!o->folder)
		say("report takes the folder of a profile (gnomon report --help)");
	return o->folder != NULL;
}

/* What the user names comes first; what the profile brings along is used without. */
static int load_symbols(struct symbols *s, const struct profile *p, const struct report_options *o)
{
	char err[700];

	for (unsigned i = 0; i < o->nsymbols; i++)
		if (symbols_load(s, o->symbols[i], err, sizeof(err))) {
			say("report: %s", err);
			return EXIT_FAILED;
		}
	if (*p->symbols_file && symbols_load(s, p->symbols_file, err, sizeof(err)))
		say("report: %s; it is left out", err);
	symbols_finish(s);
	return 0;
}

static int write_page(const char *path, const json_t *summary)
{
	FILE *out = strcmp(path, "-") ? fopen(path, "we") : stdout;
	int rc = out ? profile_write_html(out, summary) : -errno;

	if (out == stdout && ferror(out))
		rc = 0; /* main() tells */
	else if (out && out != stdout && fclose(out) && !rc)
		rc = -errno;
	if (rc)
		say("report: cannot write %s: %s", path, strerror(-rc));
	return rc ? EXIT_FAILED : 0;
}

static int print_json(const json_t *summary)
{
	if (json_dumpf(summary, stdout, JSON_INDENT(1)) && !ferror(stdout)) {
		say("report: out of memory");
		return EXIT_FAILED;
	}
	puts("");
	return 0;
}

static int show(const struct profile *p, const struct report_options *o)
{
	struct symbols symbols;
	unsigned blocks = o->blocks >= 0 ? (unsigned)o->blocks : o->html || o->json ? PAGE_BLOCKS : TEXT_BLOCKS;
	json_t *summary;
	int status;

	symbols_init(&symbols);
	status = load_symbols(&symbols, p, o);
	summary = status ? NULL : profile_summary(p, &symbols, blocks);
	if (!status && !summary) {
		say("report: out of memory");
		status = EXIT_FAILED;
	}
	if (!status && o->html)
		status = write_page(o->html, summary);
	if (!status && o->json)
		status = print_json(summary);
	else if (!status && !o->html)
		profile_print_text(stdout, summary);
	json_decref(summary);
	symbols_destroy(&symbols);
	return status;
}

int command_report(int argc, char *const *argv)
{
	struct report_options o = {.blocks = -1};
	struct profile p;
	char err[700];
	int status = EXIT_FAILED;

	if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h")))
		return print_help();
	if (!parse(&o, argc, argv))
		return EXIT_USAGE;
	if (profile_read(&p, o.folder, err, sizeof(err)))
		say("report: %s", err);
	else
		status = show(&p, &o);
	profile_destroy(&p);
	return status;
}
