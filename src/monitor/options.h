/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `gnomon run`; the table is options.def. */
#ifndef GNOMON_MONITOR_OPTIONS_H
#define GNOMON_MONITOR_OPTIONS_H

#include "config.h"

#include <stdio.h>

/* Exit statuses of the program. */
enum {
	EXIT_POWERED_OFF = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_TIMED_OUT = 124,
};

enum options_result {
	OPTIONS_OK,
	OPTIONS_HELP,	  /* --help was given */
	OPTIONS_VERSION,  /* --version was given */
	OPTIONS_OPT_HELP, /* --opt help was given */
	OPTIONS_WRONG,	  /* err says what */
};

/*
 * Parses argv[0..argc) (without program and subcommand name) into cfg, which the caller has run through config_init()
 * and destroys whatever the result. On OPTIONS_WRONG err holds one line. Opens no files.
 */
enum options_result options_parse(struct vm_config *cfg, int argc, char *const *argv, char *err, size_t errlen);

/* The table of optimisations, for --opt help. */
void options_print_opts(FILE *out);

/* The generated table of options and of trace categories. */
void options_print_help(FILE *out);

/* One option, for others who take it too. */
struct option_info {
	const char *name;     /* without the dashes */
	const char *argument; /* NULL: takes none */
	bool many;
	const char *help;
};

/* The option called by the first `len` bytes of name, or NULL. */
const struct option_info *options_find(const char *name, size_t len);
void options_print_row(FILE *out, const struct option_info *o);

/*
 * "64", "640K", "256M", "4G", "1T": bytes. 0, or -EINVAL for what is no number with such a suffix, -ERANGE beyond 64
 * bits.
 */
int parse_size(const char *text, uint64_t *bytes);

/* Seconds such as "5" or "0.25". 0, or -EINVAL for what is not a plain decimal number, -ERANGE unless 0 < s <= 1e9. */
int parse_seconds(const char *text, double *seconds);

#endif
