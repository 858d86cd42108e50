/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stats.h"

const struct stat_info stat_table[] = {
#define STAT(name, help) {#name, help, offsetof(struct stats, name)},
#include "stats.def"
#undef STAT
};

const unsigned stat_count = ARRAY_LEN(stat_table);
