/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debugger's end: GDB's remote serial protocol (GDB manual, appendix E) at a socket, one client at a time, on the
 * I/O thread. docs/debugging.md is the user's view. A client that comes stops the guest; one that goes lets it run on,
 * without breakpoints.
 */
#ifndef GNOMON_MONITOR_GDB_H
#define GNOMON_MONITOR_GDB_H

#include "config.h"
#include "iothread.h"

struct gdb;
struct vm;

/*
 * Listens; before the I/O thread starts and before vm_run(). With cfg->wait the guest stays stopped. io, vm and cfg
 * outlive it. NULL on failure, with one line in err.
 */
struct gdb *gdb_open(struct iothread *io, struct vm *vm, const struct gdb_config *cfg, char *err, size_t errlen);

/* After the I/O thread has ended, while vm still exists: tells the client that the guest has ended. NULL: nothing. */
void gdb_close(struct gdb *gdb);

#endif
