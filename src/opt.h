/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Optimisations that can be switched off for bisecting: the rows of opt.def. They are asked when code is translated,
 * and on slow paths; what runs does not ask.
 */
#ifndef GNOMON_OPT_H
#define GNOMON_OPT_H

#include "base.h"

enum opt {
#define OPT(id, name, help) OPT_##id,
#include "opt.def"
#undef OPT
	OPT_COUNT
};

/* Which are off: a bit for each. 0, the default: all are on. */
typedef uint64_t opt_off_t;
_Static_assert(OPT_COUNT <= 64, "a bit for each");
#define OPT_ALL_OFF ((opt_off_t)((BIT(OPT_COUNT - 1) << 1) - 1))

static inline bool opt_on(opt_off_t off, enum opt o)
{
	return !(off >> o & 1);
}

/*
 * Applies "-name" or "+name", or several with commas between, from left to right; the name "all" stands for each. 0, or
 * -EINVAL with the offending word in bad (size bad_len).
 */
int opt_select(const char *spec, opt_off_t *off, char *bad, size_t bad_len);

const char *opt_name(enum opt o);
const char *opt_help(enum opt o);

#endif
