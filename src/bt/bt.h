/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator: runs guest code from the translation cache. README.md in this folder has the vocabulary.
 */
#ifndef GNOMON_BT_H
#define GNOMON_BT_H

#include <signal.h>
#include <ucontext.h>

#include "cpu/cpu.h"
#include "memory.h"
#include "shadow/shadow.h"

struct bt;

enum bt_profile {
	BT_PROFILE_OFF,
	BT_PROFILE_SAMPLED, /* bt_sample() can be asked, retranslations are counted by cause, some blocks count
			       themselves */
	BT_PROFILE_EXACT,   /* blocks, branches and instructions are counted, too */
};

/* BT_PROFILE_SAMPLED: one of so many blocks counts its entries. */
enum { BT_PROFILE_COUNTED_BITS = 4 };

struct bt_config {
	struct cpu *cpu;
	struct shadow *shadow;
	const volatile sig_atomic_t *stop; /* set (and HOSTSIG_KICK sent to the thread) to make bt_run return soon */
	size_t cache_bytes;		   /* 0: default, 64 MiB */
	bool count;			   /* count executed instructions exactly (slower) */
	bool audit;
	enum bt_profile profile;
	void (*before_flush)(void *arg); /* blocks are about to be forgotten; may be NULL */
	void *before_flush_arg;
};

/* What the translator needs of the host's processor and does not find; NULL: nothing. */
const char *bt_host_lacks(void);

/* 0 or a negative errno (-ENOTSUP: bt_host_lacks()). Runs on the thread that calls bt_run, which must have called
 * hostsig_thread_init(). */
int bt_create(struct bt **out, const struct bt_config *cfg);
/* Before the shadow's end. */
void bt_destroy(struct bt *bt);

/*
 * Runs guest code until *stop is set, the CPU is no longer CPU_RUNNING, or an event can be taken (cpu_event_ready). The
 * state in *cpu is complete and exact, at an instruction boundary. Calls cpu->ops on the way (port I/O, ...). Modes
 * that are not translated yet are single-stepped.
 */
void bt_run(struct bt *bt);

enum { BT_MAX_BREAKPOINTS = 256 };

/*
 * Sets the linear addresses at which bt_run() returns before it executes the instruction there, whatever the mode and
 * the address space, and unseen by the guest (n: at most BT_MAX_BREAKPOINTS). They take the place of those set before.
 * Not while bt_run() runs; bt_lockstep() ignores them.
 */
void bt_set_breakpoints(struct bt *bt, const gva_t *at, unsigned n);
/* Did bt_run() return because of one? */
bool bt_at_breakpoint(const struct bt *bt);

/* Drops every translation (tests; a CPUID or memory layout change). */
void bt_flush(struct bt *bt);

/* For cpu_ops.mmu_event, after shadow_mmu_event. */
void bt_mmu_event(struct bt *bt, enum mmu_event event, gva_t address);

/* Where the thread that runs the guest was interrupted, for the profiler's signal handler. */
enum bt_place {
	BT_ELSEWHERE,  /* in the monitor */
	BT_ON_THE_WAY, /* entering or leaving the cache */
	BT_FAULTING,   /* leaving it because of a fault */
	BT_IN_CACHE,
};

struct bt_sample {
	gva_t pc;    /* linear address of the guest's instruction */
	gva_t block; /* of the block's first one */
	uint64_t rbp, rsp;
	bool user;
};

/* *out is filled in for BT_IN_CACHE; the block gets the nanoseconds. Safe in a handler on the vCPU thread. */
enum bt_place bt_sample(struct bt *bt, const ucontext_t *uc, uint32_t ns, struct bt_sample *out);

/* What is known of a block that was sampled or counted. Pointers hold during the call. */
struct bt_block_info {
	gva_t linear;
	guest_pc_t eip;
	gpa_t gpa;
	cache_pc_t host;
	uint64_t entries; /* if `counted` */
	uint64_t ns;	  /* of samples in it */
	uint32_t samples;
	unsigned context, ninsns, guest_len, host_len;
	bool user, code32, code64, valid, counted;
	const uint8_t *guest_code, *host_code;
	const uint16_t (*map)[2]; /* ninsns + 1: offsets of each instruction in guest and host code */
};

/* Calls fn for each block that was sampled or entered; all: for the others too. vCPU thread. */
void bt_profile_blocks(struct bt *bt, bool all, void (*fn)(void *arg, const struct bt_block_info *b), void *arg);

/* How many blocks were entered since the last call (BT_PROFILE_EXACT; else 0): by one other thread, roughly. */
unsigned bt_profile_working_set(struct bt *bt);

/* Brings stats->block_entries up to date. vCPU thread. */
void bt_collect_stats(struct bt *bt);

void bt_count_memory(const struct bt *bt, struct memory_use *u);

/* Prints the current block, guest and host code, for panic(). */
void bt_dump(struct bt *bt);

/*
 * Lockstep (DESIGN 5, STYLE 17): runs one block through the translator after single-stepping it from the same state,
 * and compares everything. Returns as bt_run does, after each block, and when stats->insns_executed has come to
 * `until`. A difference is printed and counted; returns false then.
 */
bool bt_lockstep(struct bt *bt, uint64_t until);

#endif
