/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers of single options: options_machine.c, options_monitor.c; what they share: options_values.c. */
#ifndef GNOMON_OPTIONS_INTERNAL_H
#define GNOMON_OPTIONS_INTERNAL_H

#include "options.h"

/* What an option's parser sees: the config, and where its complaint goes. Parsers return false after wrong(). */
struct parse {
	struct vm_config *cfg;
	const char *option; /* as the user knows it: "--memory" */
	char *err;
	size_t errlen;
	enum options_result result; /* of options_parse() when a parser returns false */
};

/* Every complaint names the option; the caller prints "gnomon: " before it. False. */
bool PRINTF_LIKE(2, 3) wrong(struct parse *p, const char *fmt, ...);
/* A copy of the value, which must not be empty. */
bool take_path(struct parse *p, const char *value, char **path);
/* The same, for a socket. */
bool take_unix_path(struct parse *p, const char *value, char **path);
/* What follows `prefix` in value, or NULL. */
const char *after(const char *value, const char *prefix);

#define OPTION(id, name, argument, many, help) bool parse_##id(struct parse *p, const char *value);
#include "options.def"
#undef OPTION

#endif
