/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracing: always compiled, one branch when off, chosen at run time with --trace bt,irq,... One line an event on stderr
 * (or a file).
 */
#ifndef GNOMON_TRACE_H
#define GNOMON_TRACE_H

#include "base.h"

enum trace_cat {
#define TRACE_CATEGORY(name, help) TRACE_##name,
#include "trace.def"
#undef TRACE_CATEGORY
	TRACE_COUNT
};

/* Bit mask of what is on. Set once at start, by the user's choice; not VM state. */
extern uint32_t trace_mask;

#define trace_on(cat) UNLIKELY(trace_mask &(1u << TRACE_##cat))
#define trace(cat, ...)                                                                                                \
	do {                                                                                                           \
		if (trace_on(cat))                                                                                     \
			trace_emit(TRACE_##cat, __VA_ARGS__);                                                          \
	} while (0)

void trace_emit(enum trace_cat cat, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Parses "bt,irq" or "all" into the mask. 0, or -EINVAL with the offending word in bad (size bad_len). */
int trace_select(const char *spec, char *bad, size_t bad_len);

/* Where trace lines go; NULL: stderr. The stream stays the caller's. */
void trace_set_file(void *stdio_file);

/* Name and help of a category, for --help. */
const char *trace_name(enum trace_cat cat);
const char *trace_help(enum trace_cat cat);

#endif
