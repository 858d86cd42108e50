/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "opt.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *help;
} rows[] = {
#define OPT(id, name, help) {name, help},
#include "opt.def"
#undef OPT
};

/* The bits of a name; 0: there is none of that name. */
static opt_off_t find(const char *name, size_t len)
{
	if (len == strlen("all") && !strncmp(name, "all", len))
		return OPT_ALL_OFF;
	for (unsigned i = 0; i < OPT_COUNT; i++)
		if (strlen(rows[i].name) == len && !strncmp(rows[i].name, name, len))
			return BIT(i);
	return 0;
}

int opt_select(const char *spec, opt_off_t *off, char *bad, size_t bad_len)
{
	opt_off_t now = *off;

	do {
		size_t len = strcspn(spec, ",");
		opt_off_t bits = len ? find(spec + 1, len - 1) : 0;

		if (!bits || (*spec != '-' && *spec != '+')) {
			snprintf(bad, bad_len, "%.*s", (int)MIN(len, 64), spec);
			return -EINVAL;
		}
		now = *spec == '-' ? now | bits : now & ~bits;
		spec += len;
	} while (*spec++);
	*off = now;
	return 0;
}

const char *opt_name(enum opt o)
{
	return rows[o].name;
}

const char *opt_help(enum opt o)
{
	return rows[o].help;
}
