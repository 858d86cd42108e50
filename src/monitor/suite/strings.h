/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of strings that grows, ended by a NULL as execv() likes it. */
#ifndef GNOMON_MONITOR_SUITE_STRINGS_H
#define GNOMON_MONITOR_SUITE_STRINGS_H

#include "base.h"

struct strings {
	char **v; /* NULL or n strings and a NULL, all from malloc */
	unsigned n;
	bool failed; /* out of memory: something is missing. To be looked at once, in the end */
};

void strings_add(struct strings *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends option and value, or replaces the value that the option has. value NULL: out of memory. */
void strings_set_option(struct strings *s, const char *option, const char *value);
bool strings_contain(const struct strings *s, const char *what);
void strings_free(struct strings *s);

/* Puts a ? for every character that is not printable ASCII: one line, harmless to a terminal. text may be NULL. */
void make_printable(char *text);

/* printf into memory from malloc; NULL: out of memory. */
char *format(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
