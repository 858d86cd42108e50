/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GS.base of the calling thread. */
#ifndef GNOMON_BT_GSBASE_H
#define GNOMON_BT_GSBASE_H

#include <stdbool.h>
#include <stdint.h>

/* How user mode may change it. */
enum gsbase_kind {
	GSBASE_CALL, /* by a system call: arch_prctl(2) */
	GSBASE_KEPT, /* by WRGSBASE, as the kernel saves what that writes */
	/*
	 * By WRGSBASE, but when the thread has been off the processor the base is again what arch_prctl(2) made it: the
	 * processor has the instruction switched on and the kernel does not know (it is a guest of a hypervisor without
	 * virtualization hardware, which uses it itself). So arch_prctl() makes it lead nowhere, where each access
	 * faults, and whoever handles that writes it again.
	 */
	GSBASE_LOST,
};

/* The host's. Runs on a thread that has called hostsig_thread_init(). */
enum gsbase_kind gsbase_kind(void);

/* Prepares the thread for gsbase_set(). The first VM of a process reserves address space for what
 * nowhere is; false: there is none. */
bool gsbase_begin(enum gsbase_kind kind);
/* What is at `base` is read by addresses of base to base + GSBASE_REACH only. */
void gsbase_set(enum gsbase_kind kind, uintptr_t base);
#define GSBASE_REACH (UINT64_C(1) << 36)
/* To be called by whoever else has changed it on this thread. */
void gsbase_changed(void);
/* GSBASE_LOST: has an access faulted at this address because what was set has been lost? */
bool gsbase_is_nowhere(uintptr_t address);

#endif
