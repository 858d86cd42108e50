/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file of kvm-unit-tests (unittests.cfg; its docs/unittests.txt): sections with a test each.
 *
 *	[name]
 *	file = name.flat
 *	qemu_params = -cpu max -m 512		# or extra_params
 *
 * Values are kept as they stand, without a comment behind them. Parameters may go over several lines between """ and
 *""", where a backslash before the end of a line joins it with the next.
 */
#ifndef GNOMON_MONITOR_SUITE_UNITTESTS_H
#define GNOMON_MONITOR_SUITE_UNITTESTS_H

#include "base.h"

enum { UNITTESTS_MAX = 4096, UNITTESTS_MAX_BYTES = 1 << 20 };

/* The parameters by which we can run a test. Strings are from malloc, NULL where the section has none. */
struct unittest {
	unsigned line; /* of the section's head */
	char *name;
	char *file, *smp, *test_args, *qemu_params, *groups, *arch, *machine, *check, *accel, *timeout, *disabled_if;
	char *unknown; /* name of the first parameter that is none of these */
};

struct unittests {
	struct unittest *test;
	unsigned n;
};

/* Takes a file's text (which may hold anything). 0, or a negative errno and "line N: ..." in err. */
int unittests_parse(struct unittests *u, const char *text, size_t len, char *err, size_t errlen);
/* Reads a file. 0, or a negative errno and a line that names it in err. */
int unittests_read(struct unittests *u, const char *path, char *err, size_t errlen);
void unittests_free(struct unittests *u);

#endif
