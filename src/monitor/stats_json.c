/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stats_json.h"

#include <stdio.h>
#include <string.h>

static void add_group(json_t *all, const struct stats_group *g)
{
	json_t *group = json_object();

	for (unsigned i = 0; i < g->count; i++)
		if (g->values[i])
			json_object_set_new(group, g->names[i], json_integer((json_int_t)g->values[i]));
	json_object_set_new(all, g->name, group);
}

json_t *stats_json(const struct stats *stats, const struct stats_group *groups, unsigned ngroups)
{
	json_t *all = json_object();

	for (unsigned i = 0; all && i < stat_count; i++) {
		uint64_t value;
		memcpy(&value, (const char *)stats + stat_table[i].offset, sizeof(value));
		json_object_set_new(all, stat_table[i].name, json_integer((json_int_t)value));
	}
	if (all && stats->insn_names) {
		struct stats_group callouts = {"callouts_by_insn", stats->insn_names, stats->insn_callouts,
					       stats->insn_count};
		add_group(all, &callouts);
	}
	for (unsigned g = 0; all && g < ngroups; g++)
		add_group(all, &groups[g]);
	return all;
}

int stats_json_write(const char *path, const struct stats *stats, const struct stats_group *groups, unsigned ngroups,
		     char *err, size_t errlen)
{
	json_t *all = stats_json(stats, groups, ngroups);
	FILE *out = fopen(path, "we");
	int rc = 0;

	if (!out) {
		rc = -errno;
	} else {
		errno = 0;
		if (!all || json_dumpf(all, out, JSON_INDENT(2)) || fputc('\n', out) == EOF)
			rc = errno ? -errno : -EIO;
		if (fclose(out) && !rc)
			rc = -errno;
	}
	json_decref(all);
	if (rc)
		snprintf(err, errlen, "cannot write the statistics to %s: %s", path, strerror(-rc));
	return rc;
}
