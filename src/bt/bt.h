/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator: runs guest code from the translation cache. README.md in this folder has the vocabulary.
 */
#ifndef GNOMON_BT_H
#define GNOMON_BT_H

#include <signal.h>

#include "cpu/cpu.h"
#include "shadow/shadow.h"

struct bt;

struct bt_config {
	struct cpu *cpu;
	struct shadow *shadow;
	const volatile sig_atomic_t *stop; /* set (and HOSTSIG_KICK sent to the thread) to make bt_run return soon */
	size_t cache_bytes;		   /* 0: default, 64 MiB */
	bool count;			   /* count executed instructions exactly (slower) */
	bool audit;
};

/* 0 or a negative errno. Runs on the thread that calls bt_run, which must have called hostsig_thread_init(). */
int bt_create(struct bt **out, const struct bt_config *cfg);
void bt_destroy(struct bt *bt);

/*
 * Runs guest code until *stop is set, the CPU is no longer CPU_RUNNING, or an event can be taken (cpu_event_ready). The
 * state in *cpu is complete and exact, at an instruction boundary. Calls cpu->ops on the way (port I/O, ...). Modes
 * that are not translated yet are single-stepped.
 */
void bt_run(struct bt *bt);

/* Drops every translation (tests; a CPUID or memory layout change). */
void bt_flush(struct bt *bt);

/* For cpu_ops.mmu_event, after shadow_mmu_event. */
void bt_mmu_event(struct bt *bt, enum mmu_event event, gva_t address);

/* Prints the current block, guest and host code, for panic(). */
void bt_dump(struct bt *bt);

/*
 * Lockstep (DESIGN 5, STYLE 17): runs one block through the translator after single-stepping it from the same state,
 * and compares everything. Returns as bt_run does, after each block. A difference is printed and counted; returns false
 * then.
 */
bool bt_lockstep(struct bt *bt);

#endif
