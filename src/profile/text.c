/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The summary for a terminal. */
#include "profile.h"

#include <string.h>

enum { CALLOUT_LINES = 15, FUNCTION_LINES = 25 };

static double num(const json_t *j, const char *name)
{
	return json_number_value(json_object_get(j, name));
}

static const char *str(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

static double seconds(const json_t *j, const char *name)
{
	return num(j, name) / 1e9;
}

static double percent(double part, double all)
{
	return all > 0 ? 100 * part / all : 0;
}

static void print_head(FILE *out, const json_t *s)
{
	size_t i;
	json_t *w;

	fprintf(out, "Gnomon %s, engine %s: %.3f s, %.0f samples", str(s, "gnomon"), str(s, "engine"),
		seconds(s, "wall_ns"), num(s, "samples"));
	if (num(s, "lost_samples") > 0)
		fprintf(out, " (%.0f lost)", num(s, "lost_samples"));
	fprintf(out, "%s\n", json_is_true(json_object_get(s, "exact")) ? ", block entries counted" : "");
	json_array_foreach(json_object_get(s, "warnings"), i, w) fprintf(out, "Warning: %s\n", json_string_value(w));
	if (num(s, "symbols") == 0)
		fprintf(out, "No symbols: code is shown by address (--symbols vmlinux, System.map or kallsyms)\n");
}

static void print_time(FILE *out, const json_t *s)
{
	double wall = num(s, "wall_ns");
	json_t *row;
	size_t i;

	fprintf(out, "\nWhere time went\n");
	json_array_foreach(json_object_get(s, "shares"), i, row) fprintf(
	    out, "  %-32s %10.3f s %6.2f%%\n", str(row, "name"), seconds(row, "ns"), percent(num(row, "ns"), wall));
	fprintf(out, "\nOf that, not in translated code\n");
	json_array_foreach(json_object_get(s, "phases"), i, row)
	{
		if (!strcmp(str(row, "name"), "user") || !strcmp(str(row, "name"), "kernel"))
			continue;
		fprintf(out, "  %-12s %10.3f s %6.2f%%  %s\n", str(row, "name"), seconds(row, "ns"),
			percent(num(row, "ns"), wall), str(row, "help"));
	}
}

static void print_rate(FILE *out, const json_t *rate)
{
	if (json_is_number(rate))
		fprintf(out, "%9.4f%%", 100 * json_number_value(rate));
	else
		fprintf(out, "%10s", "-");
}

static void print_counts(FILE *out, const char *title, const json_t *family)
{
	const char *name;
	json_t *value;

	fprintf(out, "  %-22s", title);
	json_object_foreach((json_t *)family, name, value) fprintf(out, " %s %.0f", name, json_number_value(value));
	fputc('\n', out);
}

static void print_cache(FILE *out, const json_t *s)
{
	const json_t *c = json_object_get(s, "cache"), *n = json_object_get(s, "counters");
	json_t *row;
	size_t i;

	fprintf(out, "\nTranslation cache\n  hit rate              ");
	print_rate(out, json_object_get(c, "hit_rate"));
	fprintf(out, "  (%.0f block entries, %s; %.0f without a translation)\n", num(c, "entries"),
		str(c, "entries_are"), num(c, "misses"));
	fprintf(out, "  %-38s%15s%15s%11s\n", "by kind of entry", "tries", "misses", "hit rate");
	json_array_foreach(json_object_get(c, "kinds"), i, row)
	{
		const json_t *entries = json_object_get(row, "entries");
		fprintf(out, "    %-36s", str(row, "name"));
		if (json_is_null(entries))
			fprintf(out, "%15s", "-");
		else
			fprintf(out, "%15.0f", json_number_value(entries));
		fprintf(out, "%15.0f ", num(row, "misses"));
		print_rate(out, json_object_get(row, "hit_rate"));
		fputc('\n', out);
	}
	fprintf(out, "  reuse                 %.1f executions of each translated instruction (%.0f, %s / %.0f)\n",
		num(c, "reuse"), num(c, "insns_executed"), str(c, "insns_are"), num(c, "insns_translated"));
	fprintf(out, "  occupancy             %.1f of %.1f MiB, %.0f blocks live\n",
		num(n, "cache_bytes_used") / (double)MiB, num(n, "cache_bytes_total") / (double)MiB,
		num(n, "blocks_live"));
	fprintf(out, "  translations          %.0f, revived %.0f, links made %.0f, broken %.0f\n",
		num(n, "blocks_translated"), num(n, "blocks_revived"), num(n, "links_made"), num(n, "links_broken"));
	print_counts(out, "translated again", json_object_get(c, "retranslated"));
	print_counts(out, "invalidated", json_object_get(c, "invalidated"));
	fprintf(out, "  flushes               %.0f; sites adapted %.0f, to user mode's window %.0f\n",
		num(n, "flushes"), num(n, "sites_adapted"), num(n, "sites_user"));
}

static void print_faults(FILE *out, const json_t *s)
{
	const json_t *n = json_object_get(s, "counters");

	fprintf(out,
		"\nFaults\n  hidden %.0f, true %.0f; exceptions %.0f, interrupts %.0f, INT n %.0f\n"
		"  single-stepped %.0f: faults %.0f, traced pages %.0f, device memory %.0f, no translation %.0f, "
		"shadow %.0f\n",
		num(n, "hidden_faults"), num(n, "true_faults"), num(n, "exceptions"), num(n, "interrupts"),
		num(n, "soft_interrupts"),
		num(n, "stepped_fault") + num(n, "stepped_traced") + num(n, "stepped_mmio") +
		    num(n, "stepped_callout") + num(n, "stepped_shadow") + num(n, "stepped_debug") +
		    num(n, "stepped_engine"),
		num(n, "stepped_fault"), num(n, "stepped_traced"), num(n, "stepped_mmio"), num(n, "stepped_callout"),
		num(n, "stepped_shadow"));
}

static void print_callouts(FILE *out, const json_t *s)
{
	double wall = num(s, "wall_ns");
	json_t *row;
	size_t i;

	fprintf(out, "\nCallouts (%.0f)                     count       time        each\n",
		num(json_object_get(s, "counters"), "callouts"));
	json_array_foreach(json_object_get(s, "callouts"), i, row)
	{
		if (i == CALLOUT_LINES)
			break;
		fprintf(out, "  %-20.20s %16.0f %8.3f s %8.2f us %6.2f%%\n", str(row, "insn"), num(row, "count"),
			seconds(row, "ns"), num(row, "count") > 0 ? num(row, "ns") / num(row, "count") / 1e3 : 0,
			percent(num(row, "ns"), wall));
	}
}

static void print_functions(FILE *out, const json_t *s)
{
	double wall = num(s, "wall_ns");
	json_t *row;
	size_t i;

	fprintf(out, "\nFunctions of the guest (with what the monitor does for them)   self   with callees\n");
	json_array_foreach(json_object_get(s, "functions"), i, row)
	{
		if (i == FUNCTION_LINES)
			break;
		fprintf(out, "  %-50.50s %8.3f s %6.2f%% %6.2f%%\n", str(row, "name"), seconds(row, "self_ns"),
			percent(num(row, "self_ns"), wall), percent(num(row, "total_ns"), wall));
	}
}

/* The two columns are as long as the longer. */
static void print_pair(FILE *out, const json_t *insn)
{
	const json_t *guest = json_object_get(insn, "guest"), *host = json_object_get(insn, "host");
	size_t lines = MAX(json_array_size(guest), json_array_size(host));

	for (size_t i = 0; i < lines; i++) {
		const char *g = json_string_value(json_array_get(guest, i)),
			   *h = json_string_value(json_array_get(host, i));
		if (i)
			fprintf(out, "    %*s", (int)strlen(str(insn, "at")), "");
		else
			fprintf(out, "    %s", str(insn, "at"));
		fprintf(out, "  %-38.38s  %s\n", g ? g : "", h ? h : "");
	}
}

static void print_blocks(FILE *out, const json_t *s)
{
	double wall = num(s, "wall_ns");
	json_t *row, *insn;
	size_t i, n;

	fprintf(out, "\nHottest blocks\n");
	json_array_foreach(json_object_get(s, "blocks"), i, row)
	{
		fprintf(out, "  %s %s, %s mode: %.3f s %.2f%%", str(row, "linear"), str(row, "name"),
			json_is_true(json_object_get(row, "user")) ? "user" : "kernel", seconds(row, "ns"),
			percent(num(row, "ns"), wall));
		if (json_is_integer(json_object_get(row, "entries")))
			fprintf(out, ", entered %.0f times", num(row, "entries"));
		fprintf(out, ", %.0f bytes -> %.0f\n", num(row, "guest_bytes"), num(row, "host_bytes"));
		json_array_foreach(json_object_get(row, "code"), n, insn) print_pair(out, insn);
		fputc('\n', out);
	}
}

void profile_print_text(FILE *out, const json_t *s)
{
	print_head(out, s);
	print_time(out, s);
	print_cache(out, s);
	print_faults(out, s);
	print_callouts(out, s);
	print_functions(out, s);
	print_blocks(out, s);
}
