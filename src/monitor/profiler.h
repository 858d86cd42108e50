/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --profile: looks every millisecond where the vCPU thread is, and every 100 ms at the counters, and writes both to a
 * folder (profile/format.h, docs/profiling.md).
 */
#ifndef GNOMON_MONITOR_PROFILER_H
#define GNOMON_MONITOR_PROFILER_H

#include "iothread.h"

#include <jansson.h>

struct profiler;
struct vm;

/* Makes the folder and its files. The profiler is vm's afterwards, and ends with profiler_close(). 0, or a negative
 * errno with one line in err. */
int profiler_open(struct profiler **out, struct vm *vm, struct iothread *io, char *err, size_t errlen);

/* Writes what is left; after the I/O thread has ended, before vm_destroy(). 0, or a negative errno: the profile is not
 * complete, as the user has been told. */
int profiler_close(struct profiler *p);

/* Shares of time so far and what they come from, for x-profile. I/O thread. A new reference. */
json_t *profiler_json(struct profiler *p);

/* --- vCPU thread --- */

/* Samples are taken between the two. 0 or a negative errno. The engine is there. */
int profiler_attach(struct profiler *p);
void profiler_detach(struct profiler *p);

/* Before and after the thread sleeps, HOSTSIG_PROFILE blocked. */
void profiler_sleeps(struct profiler *p);
void profiler_wakes(struct profiler *p);

/* Writes the blocks that were sampled or counted: they are about to be forgotten. */
void profiler_save_blocks(void *p);

#endif
