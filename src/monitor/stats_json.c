/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stats_json.h"

#include <string.h>

/* Callouts by instruction, as far as there were any. */
static json_t *callouts(const struct stats *stats)
{
	json_t *group = json_object();

	for (unsigned i = 0; group && i < stats->insn_count; i++)
		if (stats->insn_callouts[i])
			json_object_set_new(group, stats->insn_names[i],
					    json_integer((json_int_t)stats->insn_callouts[i]));
	return group;
}

json_t *stats_json(const struct stats *stats)
{
	json_t *all = json_object();

	for (unsigned i = 0; all && i < stat_count; i++) {
		uint64_t value;
		if (stat_table[i].offset == offsetof(struct stats, insns_executed) && !stats->insns_counted)
			continue;
		memcpy(&value, (const char *)stats + stat_table[i].offset, sizeof(value));
		json_object_set_new(all, stat_table[i].name, json_integer((json_int_t)value));
	}
	if (all && stats->insn_names)
		json_object_set_new(all, "callouts_by_insn", callouts(stats));
	return all;
}

json_t *memory_json(const struct memory_use *use)
{
	json_t *all = json_object();

	for (unsigned i = 0; all && i < MEMORY_KINDS; i++)
		json_object_set_new(all, memory_names[i], json_integer((json_int_t)use->bytes[i]));
	if (all)
		json_object_set_new(all, "beyond_ram", json_integer((json_int_t)memory_beyond_ram(use)));
	return all;
}

int stats_json_write(FILE *out, const struct stats *stats, const struct memory_use *use)
{
	json_t *all = stats_json(stats);
	int rc = 0;

	if (!all)
		return -ENOMEM;
	json_object_set_new(all, "memory", memory_json(use));
	errno = 0;
	if (json_dumpf(all, out, JSON_INDENT(2)) || fputc('\n', out) == EOF || fflush(out))
		rc = errno ? -errno : -EIO;
	json_decref(all);
	return rc;
}
