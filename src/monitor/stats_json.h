/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters and memory as JSON: for --stats, x-stats and x-memory. */
#ifndef GNOMON_MONITOR_STATS_JSON_H
#define GNOMON_MONITOR_STATS_JSON_H

#include "memory.h"
#include "stats.h"

#include <jansson.h>
#include <stdio.h>

/* {"blocks_translated": 1234, ...}: in the order of stats.def. A new reference; NULL without memory. */
json_t *stats_json(const struct stats *stats);

/* {"guest_ram": 1234, ..., "beyond_ram": 1234}: in the order of memory.def. A new reference; NULL without memory. */
json_t *memory_json(const struct memory_use *use);

/* Writes the counters, and memory as one of them. 0 or a negative errno. */
int stats_json_write(FILE *out, const struct stats *stats, const struct memory_use *use);

#endif
