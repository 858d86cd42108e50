/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's registers as gdb sees them: gdb_regs.def. vCPU thread, between instructions. */
#ifndef GNOMON_MONITOR_GDB_REGS_H
#define GNOMON_MONITOR_GDB_REGS_H

#include "cpu/cpu.h"

enum { GDB_REG_MAX_BYTES = 32 };

unsigned gdb_regs_count(void);
unsigned gdb_reg_bytes(unsigned n);
/* Little-endian, gdb_reg_bytes(n) of them. */
void gdb_reg_read(struct cpu *cpu, unsigned n, uint8_t *value);
/* False: the register cannot be written, or not with this value. The value that it has can always be. */
bool gdb_reg_write(struct cpu *cpu, unsigned n, const uint8_t *value);

/* The description of them that gdb asks for, as XML; constant. *len (may be NULL): its length. */
const char *gdb_target_xml(size_t *len);

#endif
