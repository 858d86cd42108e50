/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The single-stepper's executor: runs one ordinary guest instruction on the host CPU, with the guest's registers loaded
 * around it and a bounce buffer in place of its memory operand. So no ALU, x87 or SSE instruction is implemented here,
 * and undefined flags are the silicon's.
 */
#ifndef GNOMON_EXEC_H
#define GNOMON_EXEC_H

#include "decode_cache.h"
#include "memory.h"

struct host_exec;

/* Allocates the code slots and buffers; large: see large.h. 0 or a negative errno. The thread that runs guest code
 * calls exec_attach() before, exec_detach() after. */
int exec_create(struct host_exec **out, bool large);
void exec_destroy(struct host_exec *x);
void exec_attach(struct host_exec *x);
void exec_detach(struct host_exec *x);

/* Executes in (class IDENT, or a class without handler) at cpu->rip. False: *f; the state is unchanged. */
bool exec_insn(struct cpu *cpu, const struct insn *in, struct x86_fault *f);

/* Makes the FOP of the x87 instruction `in`, if that is what the host remembers (vol. 1, 8.1.9), the guest's: its
 * memory operand has another ModRM byte on the host. */
void exec_fix_fop(struct cpu *cpu, const struct insn *in, uint8_t host_modrm);

/* A decoded instruction remembered by address; NULL if the bytes differ. exec owns it; valid until the next call. */
struct insn *exec_decode_cache(struct host_exec *x, gva_t linear);

void exec_count_memory(const struct host_exec *x, struct memory_use *u);

/* The decoder's cache of this virtual CPU, for the translator too. */
struct decode_cache *exec_templates(struct host_exec *x);

#endif
