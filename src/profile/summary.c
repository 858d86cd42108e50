/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report shows, as JSON: the text and the page are made of it. docs/profiling.md says what each number is. */
#define _GNU_SOURCE
#include "profile.h"

#include <stdlib.h>
#include <string.h>

static json_t *whole(double v)
{
	return json_integer(v < 0 ? 0 : v > 9e18 ? (json_int_t)9e18 : (json_int_t)v);
}

/* A hit rate, or null where nothing was asked for. */
static json_t *rate(double misses, double all)
{
	return all > 0 ? json_real(1 - MIN(misses, all) / all) : json_null();
}

/* --- where time went --- */

static void shares_of(const uint64_t *phase_ns, double idle, double wall, double *share)
{
	double sum = idle;

	for (unsigned i = 0; i < PHASE_SHARE_COUNT; i++)
		share[i] = 0;
	for (unsigned i = 0; i < PHASE_COUNT; i++) {
		share[phase_table[i].share] += (double)phase_ns[i];
		sum += (double)phase_ns[i];
	}
	share[PHASE_SHARE_IDLE] += idle;
	share[PHASE_SHARE_HOST] = wall > sum ? wall - sum : 0;
}

static json_t *shares(const struct profile *p)
{
	double share[PHASE_SHARE_COUNT];
	json_t *all = json_array();

	shares_of(p->phase_ns, (double)p->idle_ns, (double)p->wall_ns, share);
	for (unsigned i = 0; i < PHASE_SHARE_COUNT; i++)
		json_array_append_new(all, json_pack("{ssso}", "name", phase_share_names[i], "ns", whole(share[i])));
	return all;
}

static json_t *phases(const struct profile *p)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < PHASE_COUNT; i++)
		json_array_append_new(all, json_pack("{sssssoss}", "name", phase_table[i].name, "share",
						     phase_share_names[phase_table[i].share], "ns",
						     whole((double)p->phase_ns[i]), "help", phase_table[i].help));
	return all;
}

/* --- the translation cache --- */

/* Samples in blocks that count their entries, below which their time says little. */
enum { ENOUGH_SAMPLES = 20 };

/*
 * Without a count of instructions: the time in blocks that count their entries, for each instruction of theirs, is what
 * an instruction takes. Blocks are left in the middle, too, but so are all.
 */
double profile_executed(const struct profile *p)
{
	double executed = 0, counted_ns = 0, ns = 0, samples = 0;

	if (p->insns_counted)
		return (double)profile_counter(p, "insns_executed");
	for (size_t i = 0; i < p->nblocks; i++) {
		const struct profile_block *b = &p->blocks[i].head;
		ns += (double)b->ns;
		if (!(b->flags & BLOCK_COUNTED))
			continue;
		executed += (double)b->entries * b->ninsns;
		counted_ns += (double)b->ns;
		samples += b->samples;
	}
	return executed * (samples >= ENOUGH_SAMPLES && counted_ns > 0 ? ns / counted_ns : (double)p->counted_of);
}

double profile_entries(const struct profile *p)
{
	double weight = 0, per_insn = 0, entries = 0;

	for (size_t i = 0; i < p->nblocks; i++) {
		const struct profile_block *b = &p->blocks[i].head;
		entries += (double)b->entries;
		weight += (double)b->ns;
		per_insn += (double)b->ns / b->ninsns;
	}
	if (p->exact)
		return entries;
	return weight > 0 ? profile_executed(p) * per_insn / weight : 0;
}

static json_t *kind(const char *name, double entries, double misses, bool known)
{
	return json_pack("{sssososo}", "name", name, "entries", known ? whole(entries) : json_null(), "misses",
			 whole(misses), "hit_rate", known ? rate(misses, entries) : json_null());
}

/* By how control comes to a block. Each row: how often it was tried that way, and how often that failed. */
static json_t *kinds(const struct profile *p, double entries)
{
	double dispatched = (double)profile_counter(p, "block_dispatches");
	double link_misses = (double)profile_counter(p, "link_misses");
	double tried[3], missed[3], linked = entries - dispatched;
	static const char *const names[3] = {"table", "indirect", "return"};
	json_t *all = json_array();

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		char name[32];
		snprintf(name, sizeof(name), "branches_%s", names[i]);
		tried[i] = (double)profile_counter(p, name);
		snprintf(name, sizeof(name), "misses_%s", names[i]);
		missed[i] = (double)profile_counter(p, name);
		linked -= tried[i] - missed[i];
	}
	json_array_append_new(all, kind("linked", MAX(linked, 0) + link_misses, link_misses, p->exact));
	if (p->exact) {
		json_array_append_new(all, kind("other page (table)", tried[0], missed[0], true));
		json_array_append_new(all, kind("indirect (table)", tried[1], missed[1], true));
		json_array_append_new(all, kind("return (table)", tried[2], missed[2], true));
	} else {
		json_array_append_new(all, kind("table (other page, indirect, return)", 0,
						(double)profile_counter(p, "indirect_misses"), false));
	}
	json_array_append_new(all, kind("dispatcher", (double)profile_counter(p, "dispatcher_lookups"),
					(double)profile_counter(p, "dispatcher_misses"), true));
	return all;
}

/* Counters of a family, without their prefix. */
static json_t *family(const struct profile *p, const char *prefix)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < stat_count; i++)
		if (!strncmp(stat_table[i].name, prefix, strlen(prefix)))
			json_object_set_new(all, stat_table[i].name + strlen(prefix), whole((double)p->counters[i]));
	return all;
}

json_t *profile_summary_cache(const struct profile *p)
{
	double executed = profile_executed(p), entries = profile_entries(p);
	double translated = (double)profile_counter(p, "insns_translated");
	double misses = (double)profile_counter(p, "dispatcher_misses");
	json_t *j =
	    json_pack("{sosssoso}", "entries", whole(entries), "entries_are", p->exact ? "counted" : "estimated",
		      "misses", whole(misses), "hit_rate", rate(misses, entries));

	json_object_set_new(j, "kinds", kinds(p, entries));
	json_object_set_new(j, "insns_executed", whole(executed));
	json_object_set_new(j, "insns_are", json_string(p->insns_counted ? "counted" : "estimated"));
	json_object_set_new(j, "insns_translated", whole(translated));
	json_object_set_new(j, "reuse", translated > 0 ? json_real(executed / translated) : json_null());
	json_object_set_new(j, "retranslated", family(p, "retranslated_"));
	json_object_set_new(j, "invalidated", family(p, "invalidated_"));
	return j;
}

/* --- what made translated code leave --- */

static int by_ns(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "ns"));
	json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "ns"));
	json_int_t m = json_integer_value(json_object_get(*(json_t *const *)a, "count"));
	json_int_t n = json_integer_value(json_object_get(*(json_t *const *)b, "count"));

	return x != y ? (x < y ? 1 : -1) : m != n ? (m < n ? 1 : -1) : 0;
}

static json_t *sorted(json_t *array)
{
	size_t n = json_array_size(array);
	json_t **items = malloc((n + 1) * sizeof(*items)), *result = json_array();

	for (size_t i = 0; items && i < n; i++)
		items[i] = json_array_get(array, i);
	if (items)
		qsort(items, n, sizeof(*items), by_ns);
	for (size_t i = 0; items && i < n; i++)
		json_array_append(result, items[i]);
	free(items);
	json_decref(array);
	return result;
}

static json_t *callouts(const struct profile *p)
{
	json_t *all = json_array(), *count;
	const char *name;

	json_object_foreach(p->callouts, name, count)
	{
		json_int_t ns = json_integer_value(json_object_get(p->insn_ns, name));
		json_array_append_new(
		    all, json_pack("{sssIsI}", "insn", name, "count", json_integer_value(count), "ns", ns));
	}
	return sorted(all);
}

static json_t *all_counters(const struct profile *p)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < stat_count; i++)
		if (p->insns_counted || strcmp(stat_table[i].name, "insns_executed") != 0)
			json_object_set_new(all, stat_table[i].name, whole((double)p->counters[i]));
	return all;
}

static json_t *warnings(const struct profile *p)
{
	json_t *all = json_array();

	for (size_t i = 0; i < ARRAY_LEN(p->warning) && *p->warning[i]; i++)
		json_array_append_new(all, json_string(p->warning[i]));
	return all;
}

json_t *profile_summary(const struct profile *p, const struct symbols *symbols, unsigned blocks)
{
	json_t *j =
	    json_pack("{sssssbsbsIsIsIsI}", "gnomon", p->gnomon, "engine", p->engine, "exact", p->exact, "complete",
		      p->complete, "period_ns", (json_int_t)p->period_ns, "samples", (json_int_t)p->nsamples,
		      "lost_samples", (json_int_t)p->lost, "wall_ns", (json_int_t)p->wall_ns);

	json_object_set_new(j, "symbols", json_integer((json_int_t)symbols->count));
	json_object_set_new(j, "warnings", warnings(p));
	json_object_set_new(j, "shares", shares(p));
	json_object_set_new(j, "phases", phases(p));
	json_object_set_new(j, "cache", profile_summary_cache(p));
	json_object_set_new(j, "callouts", callouts(p));
	json_object_set_new(j, "functions", profile_summary_functions(p, symbols));
	json_object_set_new(j, "blocks", profile_summary_blocks(p, symbols, blocks));
	json_object_set_new(j, "stacks", profile_summary_stacks(p, symbols));
	json_object_set_new(j, "timeline", profile_summary_timeline(p));
	json_object_set_new(j, "counters", all_counters(p));
	return j;
}

/* --- over time --- */

enum { TIMELINE_POINTS = 300 };

static uint64_t change(const struct profile_snapshot *a, const struct profile_snapshot *b, unsigned stat)
{
	uint64_t before = a ? a->counters[stat] : 0;

	return b->counters[stat] > before ? b->counters[stat] - before : 0;
}

/* What executed instructions are taken from, between two snapshots: their count, or the time in translated code. */
static double ran(const struct profile *p, const struct profile_snapshot *a, const struct profile_snapshot *b)
{
	double sum = 0;

	for (unsigned i = 0; !p->insns_counted && i < PHASE_COUNT; i++) {
		uint64_t before = a ? a->phase_ns[i] : 0;
		if ((i == PHASE_USER || i == PHASE_KERNEL) && b->phase_ns[i] > before)
			sum += (double)(b->phase_ns[i] - before);
	}
	for (unsigned i = 0; p->insns_counted && i < stat_count; i++)
		if (!strcmp(stat_table[i].name, "insns_executed"))
			sum = (double)change(a, b, i);
	return sum;
}

/* For each unit of ran() in the whole profile. */
struct rates {
	double executed, entries;
};

static json_t *point(const struct profile *p, const struct profile_snapshot *a, const struct profile_snapshot *b,
		     const struct rates *of)
{
	uint64_t phase_ns[PHASE_COUNT], began = a ? a->time : p->began_ns, idle = a ? a->idle_ns : 0;
	double share[PHASE_SHARE_COUNT], units = ran(p, a, b);
	json_t *parts = json_array(), *changes = json_object(), *levels = json_object();

	for (unsigned i = 0; i < PHASE_COUNT; i++) {
		uint64_t before = a ? a->phase_ns[i] : 0;
		phase_ns[i] = b->phase_ns[i] > before ? b->phase_ns[i] - before : 0;
	}
	shares_of(phase_ns, b->idle_ns > idle ? (double)(b->idle_ns - idle) : 0,
		  b->time > began ? (double)(b->time - began) : 0, share);
	for (unsigned i = 0; i < PHASE_SHARE_COUNT; i++)
		json_array_append_new(parts, whole(share[i]));
	for (unsigned i = 0; i < stat_count; i++) {
		const char *name = stat_table[i].name;
		if (!strcmp(name, "cache_bytes_used") || !strcmp(name, "blocks_live"))
			json_object_set_new(levels, name, whole((double)b->counters[i]));
		else if (!strcmp(name, "dispatcher_misses") || !strcmp(name, "blocks_translated") ||
			 !strcmp(name, "hidden_faults") || !strcmp(name, "callouts"))
			json_object_set_new(changes, name, whole((double)change(a, b, i)));
	}
	json_object_set_new(
	    levels, "hit_rate",
	    rate(json_number_value(json_object_get(changes, "dispatcher_misses")), of->entries * units));
	json_object_set_new(levels, "insns_executed", whole(of->executed * units));
	json_object_set_new(levels, "working_set", whole((double)b->working_set));
	json_object_set_new(levels, "t", whole(b->time > p->began_ns ? (double)(b->time - p->began_ns) : 0));
	json_object_set_new(levels, "shares", parts);
	json_object_update(levels, changes);
	json_decref(changes);
	return levels;
}

json_t *profile_summary_timeline(const struct profile *p)
{
	struct rates of = {0, 0};
	size_t step = p->nsnapshots / TIMELINE_POINTS + 1;
	const struct profile_snapshot *last = NULL;
	json_t *all = json_array();
	double units = p->nsnapshots ? ran(p, NULL, &p->snapshots[p->nsnapshots - 1]) : 0;

	if (units > 0)
		of = (struct rates){profile_executed(p) / units, profile_entries(p) / units};
	for (size_t i = step - 1; i < p->nsnapshots; i += step) {
		json_array_append_new(all, point(p, last, &p->snapshots[i], &of));
		last = &p->snapshots[i];
	}
	return all;
}
