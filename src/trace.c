/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
#define TRACE_CATEGORY(name, help) #name,
#include "trace.def"
#undef TRACE_CATEGORY
};

static const char *const helps[] = {
#define TRACE_CATEGORY(name, help) help,
#include "trace.def"
#undef TRACE_CATEGORY
};

uint32_t trace_mask;
static FILE *trace_file;

_Static_assert(TRACE_COUNT <= 32, "trace_mask has 32 bits");

void trace_emit(enum trace_cat cat, const char *fmt, ...)
{
	va_list ap;
	char line[512];
	int n = snprintf(line, sizeof(line), "%s: ", names[cat]);

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	fprintf(trace_file ? trace_file : stderr, "%s\n", line);
}

static uint32_t parse_word(const char *word, size_t len)
{
	if (len == 3 && !strncmp(word, "all", 3))
		return (uint32_t)(BIT(TRACE_COUNT) - 1);
	for (unsigned i = 0; i < TRACE_COUNT; i++)
		if (strlen(names[i]) == len && !strncmp(names[i], word, len))
			return 1u << i;
	return 0;
}

int trace_select(const char *spec, char *bad, size_t bad_len)
{
	uint32_t mask = 0;

	while (*spec) {
		size_t len = strcspn(spec, ",");
		uint32_t bit = parse_word(spec, len);
		if (!bit) {
			snprintf(bad, bad_len, "%.*s", (int)MIN(len, 64), spec);
			return -EINVAL;
		}
		mask |= bit;
		spec += len + (spec[len] == ',');
	}
	trace_mask |= mask;
	return 0;
}

void trace_set_file(void *stdio_file)
{
	trace_file = stdio_file;
}

const char *trace_name(enum trace_cat cat)
{
	return names[cat];
}

const char *trace_help(enum trace_cat cat)
{
	return helps[cat];
}
