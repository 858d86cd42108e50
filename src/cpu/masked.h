/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory operands of which an opmask register chooses elements, for the single-stepper: insn.mask. */
#ifndef GNOMON_CPU_MASKED_H
#define GNOMON_CPU_MASKED_H

#include "decode.h"

/* What the instruction reads goes into `bounce`, with zeros in place of what it does not ask for; what it will write is
 * known to be writable. */
bool masked_fetch(struct cpu *cpu, const struct insn *in, uint64_t offset, uint8_t *bounce, struct x86_fault *f);

/* Stores what it has written to `bounce`. */
bool masked_store(struct cpu *cpu, const struct insn *in, uint64_t offset, const uint8_t *bounce, struct x86_fault *f);

#endif
