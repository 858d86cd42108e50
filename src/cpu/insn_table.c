/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insn.def as data. */
#include "handlers.h"

#define do_NONE NULL

const struct insn_row insn_rows[INSN_COUNT] = {
    [INSN_INVALID] = {.name = "(unknown)", .class = CLASS_UNDEF},
#define INSN(id_, mnemonic_, form_, class_, checks_, feature_, handler_)                                               \
	[INSN_##id_] = {                                                                                               \
	    .name = #id_,                                                                                              \
	    .class = CLASS_##class_,                                                                                   \
	    .checks = (checks_),                                                                                       \
	    .feature = FEAT_##feature_,                                                                                \
	    .handler = do_##handler_,                                                                                  \
	},
#include "insn.def"
#undef INSN
};
