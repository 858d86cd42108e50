/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The profiler's hooks in the translator (profile.c). None does anything unless a profile is taken. */
#ifndef GNOMON_BT_PROFILE_INTERNAL_H
#define GNOMON_BT_PROFILE_INTERNAL_H

#include "xlat.h"

/* Why a block is no longer valid. */
enum bt_lost { BT_LOST_NOT, BT_LOST_WRITE, BT_LOST_DMA, BT_LOST_MAP, BT_LOST_ADAPT };

/* After bt_cache_init(). 0 or a negative errno. */
int bt_profile_init(struct bt *bt, const struct bt_config *cfg);
void bt_profile_destroy(struct bt *bt);

/* All blocks, or all copies, are about to be forgotten. */
void bt_profile_flush(struct bt *bt, bool copies);

/* A block was translated; became invalid. */
void bt_profile_translated(struct bt *bt, const struct block *b);
void bt_profile_lost(struct bt *bt, const struct block *b, enum bt_lost why);

/* Does the code there count its entries, when it is translated: samples have chosen it? It is not copied then, and no
 * model for copies. */
bool bt_profile_wants(const struct bt *bt, guest_pc_t eip, gpa_t gpa);
/* If samples have chosen a block, it is invalidated, and wanted. Not while the cache runs. */
void bt_profile_choose(struct bt *bt);

/* Emits what counts an entry of the block, a branch through the table (t->branch). Changes T1, T2, no flags. */
void bt_profile_count_entry(struct xlat *t);
void bt_profile_count_branch(struct xlat *t);
/* The body (writable) was copied from another block's: it counts for itself. */
void bt_profile_copied(struct xlat *t, uint8_t *body);

/* Where translated code's counters are; nowhere, if it has none. */
void bt_profile_counters(const struct bt *bt, uint64_t *from, uint64_t *to);

/* The dispatcher has to find the target of such a branch. */
void bt_profile_missed_table(struct bt *bt);

/* Brings counters that translated code keeps into stats. */
void bt_profile_collect(struct bt *bt);

#endif
