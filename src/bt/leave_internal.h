/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leave.c and callout.c share. */
#ifndef GNOMON_BT_LEAVE_INTERNAL_H
#define GNOMON_BT_LEAVE_INTERNAL_H

#include "bt_internal.h"

/* --- leave.c --- */
/* Continues behind instruction n of the block: there, if the CPU stands there in the same mode. */
void bt_continue_behind(struct bt *bt, struct block *b, unsigned n);
/* Accesses that a translated instruction cannot make by itself. */
uint64_t bt_slow_accesses(const struct stats *s);
/* RF lasts to the end of the next instruction: it still holds if that one has not been completed. */
void bt_restore_rf(struct bt *bt);
/* Supervisor code has taken an exception where it accesses user mode's memory. */
void bt_note_copy_fault(struct bt *bt, uint32_t address);
/* IRETD or IRETQ has been completed, perhaps that of a page fault's handler: the next access is the one that faulted.
 */
void bt_back_from_fault(struct bt *bt);

/* --- callout.c --- */
void bt_callout(struct bt *bt, struct block *b, const struct bt_exit *x);

#endif
