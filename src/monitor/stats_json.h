/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters as JSON: for --stats and for x-stats. */
#ifndef GNOMON_MONITOR_STATS_JSON_H
#define GNOMON_MONITOR_STATS_JSON_H

#include "stats.h"

#include <jansson.h>

/* A further family of counters, such as callouts by kind: becomes an object within the object. Counters at 0 are left
 * out. */
struct stats_group {
	const char *name;
	const char *const *names; /* count of them */
	const uint64_t *values;
	unsigned count;
};

/* {"blocks_translated": 1234, ...}: in the order of stats.def. A new reference; NULL without memory. */
json_t *stats_json(const struct stats *stats, const struct stats_group *groups, unsigned ngroups);

/* Writes it to a file, which is made or replaced. 0, or a negative errno with one line in err. */
int stats_json_write(const char *path, const struct stats *stats, const struct stats_group *groups, unsigned ngroups,
		     char *err, size_t errlen);

#endif
