/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prototypes of all handlers that insn.def names, made from the table. What a handler owes: step.h.
 */
#ifndef GNOMON_HANDLERS_H
#define GNOMON_HANDLERS_H

#include "decode.h"

/* A row without a handler declares do_NONE, which nobody defines. */
#define INSN(id, mnemonic, form, class, checks, feature, handler)                                                      \
	bool do_##handler(struct cpu *cpu, const struct insn *in, struct x86_fault *f);
#include "insn.def"
#undef INSN

#endif
