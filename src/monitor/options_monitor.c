/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that say how the machine is run, watched and shown. */
#include "options_internal.h"

#include "gdb_address.h"
#include "trace.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Without a suffix: MiB. */
bool parse_tc_size(struct parse *p, const char *value)
{
	bool plain = *value && strspn(value, "0123456789") == strlen(value);
	uint64_t bytes;
	int rc = parse_size(value, &bytes);

	if (rc == -EINVAL)
		return wrong(p, "'%s' is not a size such as 64M", value);
	if (!rc && plain)
		bytes = bytes > CONFIG_TC_SIZE_MAX ? bytes : bytes * MiB;
	if (rc || bytes < CONFIG_TC_SIZE_MIN || bytes > CONFIG_TC_SIZE_MAX)
		return wrong(p, "'%s' is outside 1M to %lluM", value, (unsigned long long)(CONFIG_TC_SIZE_MAX / MiB));
	p->cfg->tc_size = ALIGN_UP(bytes, PAGE_SIZE);
	return true;
}

bool parse_control(struct parse *p, const char *value)
{
	const char *path = after(value, "unix:");

	if (!path)
		return wrong(p, "'%s' is not unix:PATH", value);
	return take_unix_path(p, path, &p->cfg->control);
}

bool parse_gdb(struct parse *p, const char *value)
{
	char why[200];
	int rc = gdb_address_parse(value, &p->cfg->gdb, why, sizeof(why));

	return !rc || wrong(p, "%s", rc == -ENOMEM ? "out of memory" : why);
}

bool parse_display(struct parse *p, const char *value)
{
	if (!strcmp(value, "none"))
		p->cfg->display = DISPLAY_NONE;
	else if (!strcmp(value, "tty"))
		p->cfg->display = DISPLAY_TTY;
	else
		return wrong(p, "'%s' is not none or tty", value);
	return true;
}

bool parse_engine(struct parse *p, const char *value)
{
	if (!strcmp(value, "bt"))
		p->cfg->engine = ENGINE_BT;
	else if (!strcmp(value, "step"))
		p->cfg->engine = ENGINE_STEP;
	else
		return wrong(p, "'%s' is not bt or step", value);
	return true;
}

bool parse_lockstep(struct parse *p, const char *value)
{
	return p->cfg->lockstep = true;
}

bool parse_audit(struct parse *p, const char *value)
{
	return p->cfg->audit = true;
}

bool parse_max_mappings(struct parse *p, const char *value)
{
	enum { LEAST = 1000 };
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < LEAST || n > UINT_MAX)
		return wrong(p, "'%s' is not a number of mappings: at least %d are needed", value, LEAST);
	p->cfg->max_mappings = (unsigned)n;
	return true;
}

bool parse_opt(struct parse *p, const char *value)
{
	char bad[64];

	if (!strcmp(value, "help")) {
		p->result = OPTIONS_OPT_HELP;
		return false;
	}
	return !opt_select(value, &p->cfg->opt_off, bad, sizeof(bad)) ||
	       wrong(p, "'%s' is not -NAME or +NAME of an optimisation (--opt help lists them)", bad);
}

bool parse_count(struct parse *p, const char *value)
{
	return p->cfg->count = true;
}

bool parse_trace(struct parse *p, const char *value)
{
	char bad[64];

	if (!*value)
		return wrong(p, "no category is named");
	/* Selecting is how trace.h checks; that it takes effect now is what the user asked for. */
	if (trace_select(value, bad, sizeof(bad)))
		return wrong(p, "'%s' is not a trace category", bad);
	return take_path(p, value, &p->cfg->trace);
}

bool parse_trace_file(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->trace_file);
}

bool parse_stats(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->stats);
}

bool parse_profile(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->profile);
}

bool parse_perf_map(struct parse *p, const char *value)
{
	return p->cfg->perf_map = true;
}

bool parse_profile_exact(struct parse *p, const char *value)
{
	return p->cfg->profile_exact = true;
}

bool parse_timeout(struct parse *p, const char *value)
{
	int rc = parse_seconds(value, &p->cfg->timeout);

	if (rc == -EINVAL)
		return wrong(p, "'%s' is not a number of seconds", value);
	return !rc || wrong(p, "'%s' seconds: more than 0 and at most 1000000000 is meant", value);
}
