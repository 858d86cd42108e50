/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_MONITOR_PROFILER_INTERNAL_H
#define GNOMON_MONITOR_PROFILER_INTERNAL_H

#include "phase.h"
#include "profile/format.h"
#include "profile/symbols.h"
#include "profiler.h"
#include "vm.h"

enum {
	PROFILE_PERIOD_NS = 1003009, /* about a millisecond, but in step with no timer of a guest */
	PROFILE_MAX_PERIODS = 20,    /* between two samples, where signals are dear */
	PROFILE_SNAPSHOT_MS = 100,
	PROFILE_RING = 4096, /* samples: four seconds of an I/O thread that is late */
};

/* One sample as the handler leaves it. */
struct ring_entry {
	struct profile_sample head;
	uint64_t stack[PROFILE_MAX_STACK];
};

/* A file of the profile. After an error nothing more is written to it. */
struct profile_file {
	const char *name;
	FILE *file;
	int error; /* negative errno */
};

/*
 * What a 64-bit Linux kernel knows of its stack frames (ORC): two sorted tables in its memory, found by their names in
 * kallsyms. The I/O thread looks for them, anew when the system call's entry (LSTAR) tells of another kernel, and
 * leaves the addresses, as linear ones, for the handler.
 */
struct profile_orc {
	atomic_uint changes;	 /* odd: being changed */
	atomic_ulong ips, count; /* int32_t each, from itself to where an entry begins to hold */
	atomic_ulong entries;	 /* of 6 bytes */
	uint64_t lstar;		 /* the I/O thread's: when it last looked */
	uint64_t look_at;	 /* host_now_ns(): not again before */
	unsigned looks;
};

struct profiler {
	struct vm *vm;
	struct iothread *io;
	struct io_alarm alarm;
	const char *folder;
	uint64_t start; /* host_now_ns() */

	/* The vCPU thread's and its signal handler's; the times are read by the I/O thread too. */
	timer_t timer;
	bool has_timer;
	bool attached;
	long period_ns;			/* between two samples */
	uint64_t last_cpu;		/* CPU time of the thread at the last sample */
	uint64_t slept_at;		/* host_now_ns(), while asleep */
	uint64_t slept_cpu;		/* CPU time then */
	uint64_t attached_at;		/* host_now_ns() */
	pthread_mutex_t lock;		/* of ended_at: the translator is there meanwhile */
	uint64_t ended_at;		/* 0: is still attached */
	uint64_t idle_ns;		/* asleep, less what sleeping itself cost */
	uint64_t phase_ns[PHASE_COUNT]; /* CPU time */
	uint64_t phase_samples[PHASE_COUNT];
	uint64_t insn_ns[STATS_MAX_INSNS]; /* of PHASE_CALLOUT, and devices reached from it */
	uint64_t lost;			   /* samples for which the ring had no room */

	/* From the handler to the I/O thread. */
	struct ring_entry *ring; /* PROFILE_RING */
	atomic_uint head, tail;	 /* next to write, to read; they count on */

	struct profile_orc orc;

	struct profile_file main;	       /* written at the start and at the end */
	struct profile_file samples, counters; /* I/O thread */
	struct profile_file blocks;	       /* vCPU thread */
	uint64_t *shown;		       /* counters as last written, stat_count */
	atomic_bool failed;		       /* that one of them cannot be written was said */
};

/* --- profiler_files.c --- */
int profile_files_open(struct profiler *p, char *err, size_t errlen);
/* Closes them and writes what is written at the end. 0 or the first error, which has been said. */
int profile_files_close(struct profiler *p);
/* Moves samples from the ring to the file. */
void profile_files_drain(struct profiler *p);
/* A line of counters. */
void profile_files_snapshot(struct profiler *p);
/* profile.json. 0, or a negative errno, now or then, which has been said. */
int profile_files_main(struct profiler *p, bool complete);

/* --- profiler_names.c --- */
/* Writes the symbols of a Linux kernel in the guest's memory, if there is one: after the run. 0 or a negative errno. */
int profile_names_save(struct profiler *p);
/* A perf map of all blocks that are in the cache: vCPU thread. Complains itself. */
void profile_names_perf_map(struct profiler *p);
/* symbols_each_kallsyms() in the guest's RAM. */
void profile_names_each(const struct vm *vm, kallsyms_fn *fn, void *arg);

/* --- profiler_stack.c --- */
/*
 * Return addresses found by following frame pointers from rbp, at most max; how many. Reads guest memory through page
 * tables by itself, and only RAM below 3 GiB: it runs in a signal handler that may have interrupted anything.
 */
unsigned profile_stack(const struct vm *vm, uint64_t rbp, uint64_t rsp, uint64_t *to, unsigned max);
/* As these do: the guest's physical address of a linear one; `bytes` (at most 8) at a linear address, within a page. */
bool profile_stack_translate(const struct vm *vm, uint64_t linear, uint64_t *gpa, bool *executable);
bool profile_stack_read(const struct vm *vm, uint64_t linear, unsigned bytes, uint64_t *value);

/* --- profiler_orc.c --- */
/* Looks for the kernel's tables, if it is time: I/O thread. */
void profile_orc_look(struct profiler *p);
/* As profile_stack(), of 64-bit kernel code at pc. 0 also if the kernel's tables are not known. */
unsigned profile_orc_stack(const struct profiler *p, uint64_t pc, uint64_t rbp, uint64_t rsp, uint64_t *to,
			   unsigned max);

#endif
