/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger does to the vCPU: stops it, steps it, lets it run to a breakpoint or watchpoint. Nothing of it can be
 * seen by the guest: its memory, debug registers and TF are untouched, and the virtual clock stands while it is
 * stopped. All functions are for the vCPU thread, between instructions (vm_call), or for any before it runs.
 *
 * Breakpoints are the translator's business (bt_set_breakpoints). Single steps, and everything while a watchpoint is
 * set, are the single-stepper's.
 */
#ifndef GNOMON_MONITOR_DEBUGGER_H
#define GNOMON_MONITOR_DEBUGGER_H

#include "bt/bt.h"
#include "cpu/watch.h"

struct vm;

enum { DEBUGGER_MAX_BREAKPOINTS = BT_MAX_BREAKPOINTS };

/* Why the guest stopped. */
enum debugger_stop {
	DEBUGGER_ATTACHED, /* the debugger came, or restarted the machine */
	DEBUGGER_INTERRUPT,
	DEBUGGER_STEP,
	DEBUGGER_BREAKPOINT,
	DEBUGGER_WATCHPOINT,
	DEBUGGER_RESET, /* the guest is about to reset the machine */
};

struct debugger {
	struct vm *vm;
	/* The guest has stopped by itself. vCPU thread. */
	void (*stopped)(void *arg);
	void *arg;
	gva_t breakpoint[DEBUGGER_MAX_BREAKPOINTS]; /* linear addresses */
	uint8_t users[DEBUGGER_MAX_BREAKPOINTS];    /* bit per kind of breakpoint set there */
	unsigned nbreakpoints;
	struct watchpoints watch;
	bool catch_resets;

	enum debugger_stop reason; /* of the last stop */
	gva_t stop_pc;		   /* linear */
	uint8_t watch_on;	   /* DEBUGGER_WATCHPOINT: WATCH_* */
	gva_t watch_at;
	bool step;			 /* one instruction, then stop; or as many as begin within the range */
	uint64_t range_first, range_end; /* EIPs, the end is beyond; equal: no range */
	bool step_off; /* the first instruction, at a breakpoint that has been told of, is executed whatever is there */
	bool reset_told; /* the pending reset has been told of */
};

/* Stops the VM and keeps it under the debugger's control until it detaches. */
void debugger_attach(struct debugger *d, struct vm *vm);
/* Removes all breakpoints and watchpoints and lets the guest run. Nothing if not attached. */
void debugger_detach(struct debugger *d);

void debugger_interrupt(struct debugger *d);
/* step: one instruction (or an iteration of a repeated one), without taking external interrupts. */
void debugger_resume(struct debugger *d, bool step);
/* Steps until EIP is outside of [first, end), or at a breakpoint; at least one instruction. */
void debugger_step_range(struct debugger *d, uint64_t first, uint64_t end);
bool debugger_stopped(const struct debugger *d);
/* RESET# to the machine, which then stands before its first instruction. */
void debugger_restart(struct debugger *d);

/* kind: 0..7, so that several may lie at one address. -ENOSPC: too many. Setting what is set, removing what is not: 0.
 */
int debugger_set_breakpoint(struct debugger *d, gva_t at, unsigned kind, bool set);
/* The kind of breakpoint at an address; -1: none. */
int debugger_breakpoint_kind(const struct debugger *d, gva_t at);
/* on: WATCH_*. -EINVAL: an empty or wrapping range. */
int debugger_set_watchpoint(struct debugger *d, gva_t at, uint64_t len, uint8_t on, bool set);

/* --- hooks of the run loop, while a debugger is attached --- */

/* A step is due: made, or several of a range. False: go on. Called before events are taken. */
bool debugger_step(struct debugger *d);
/* Runs the engine, up to a breakpoint or watchpoint. Returns as the engine does. */
bool debugger_run(struct debugger *d);
/* A reset is pending. True: not yet. */
bool debugger_catches_reset(struct debugger *d);

#endif
