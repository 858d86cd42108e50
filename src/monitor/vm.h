/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine: CPU, memory, board, engine. One thread, the vCPU thread, owns it and runs it; others reach it by
 * vm_call() and vm_post().
 */
#ifndef GNOMON_MONITOR_VM_H
#define GNOMON_MONITOR_VM_H

#include "board.h"
#include "clock.h"
#include "config.h"
#include "control.h"
#include "cpu/cpu.h"
#include "cpu/exec.h"
#include "physmem.h"
#include "stats.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

struct bt;
struct debugger;
struct profiler;
struct shadow;
struct vm;

/* Something to be done by the vCPU thread between two instructions. Owned by the caller; busy while queued. */
struct vm_request {
	void (*fn)(void *arg);
	void *arg;
	struct vm_request *next;
	bool queued;
};

/* Who wants the VM paused: it runs when nobody does. */
enum { VM_PAUSED_BY_USER = 1, VM_PAUSED_BY_DEBUGGER = 2 };

/* Why a VM has ended. */
enum vm_end_reason {
	VM_END_FAILED,	   /* it could not start, or something of ours failed: a line on stderr says what */
	VM_END_ASKED,	   /* by the user, by a signal, through the control socket */
	VM_END_TIMEOUT,	   /* --timeout */
	VM_END_POWER_OFF,  /* the guest's doing, from here on */
	VM_END_DEBUG_EXIT, /* --debug-exit: value is what it wrote */
	VM_END_RESET,	   /* --no-reboot */
	VM_END_TRIPLE_FAULT,
	VM_END_DIFFERENCE, /* --lockstep */
};

struct vm_end {
	enum vm_end_reason reason;
	uint32_t value;
};

enum vm_event { VM_EVENT_RESET, VM_EVENT_POWER_OFF, VM_EVENT_SUSPEND, VM_EVENT_WAKE };

/* An engine: how guest instructions are executed. */
struct vm_engine {
	const char *name;
	int (*create)(struct vm *vm); /* on the vCPU thread; 0 or a negative errno */
	void (*destroy)(struct vm *vm);
	/* Runs guest code until vm->stop, the CPU is not running, or an event can be taken. False: --lockstep found a
	 * difference. */
	bool (*run)(struct vm *vm);
};

struct vm {
	struct cpu cpu;
	volatile sig_atomic_t stop; /* the engine shall return; set by HOSTSIG_KICK */
	struct physmem pm;
	struct clock clock;
	struct stats stats;
	struct memory_use memory; /* in the end, with --stats */
	struct board board;
	const struct vm_config *cfg;
	const struct vm_engine *engine;
	struct host_exec *exec;
	struct shadow *shadow; /* NULL with --engine step */
	struct bt *bt;	       /* NULL with --engine step */
	uint64_t tsc_hz;       /* guest TSC ticks a second, constant; 0 until the clock is started */
	struct {
		uint64_t ns, ticks;
	} tsc_since;		   /* of the host's: what its TSC is measured from */
	struct debugger *debugger; /* NULL: none is attached */
	struct profiler *profiler; /* NULL: no profile is taken. The session's */

	/* The vCPU thread's own. */
	bool reset_pending; /* RESET# after this instruction */
	bool init_pending;  /* INIT */
	unsigned paused;    /* VM_PAUSED_BY_*: 0 while it runs */
	bool suspended;	    /* in ACPI's S3: time passes, the CPU is off */
	bool wake_pending;  /* out of it */
	timer_t kick_timer; /* sends HOSTSIG_KICK when a virtual timer is due */
	bool has_kick_timer;
	bool in_engine;
	bool asleep;	  /* in the same HLT still */
	uint64_t kick_at; /* virtual time for which kick_timer is set; CLOCK_NEVER: not set */
	void (*event)(void *arg, enum vm_event event); /* what the guest did; may be NULL */
	void *event_arg;
	void (*dump_first)(void *arg); /* for a panic: gives the terminal back. May be NULL */
	void *dump_arg;

	/* Shared with other threads, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t done; /* a synchronous request has been carried out */
	struct vm_request *requests, **requests_tail;
	pthread_t thread;
	bool running; /* `thread` is in vm_run() */
	bool closed;  /* no more requests are taken */
	bool exiting;
	int exit_status;
	struct vm_end end;
};

/* The host's ends of the board's character devices. */
struct vm_chardevs {
	struct board_chardev serial[CONFIG_MAX_SERIALS];
	struct board_chardev debugcon[CONFIG_MAX_DEBUGCONS];
	struct board_chardev console;
};

/*
 * Builds a VM (several may live in a process). cfg and what it names stay the caller's and outlive the VM; so does vm,
 * which must not move (64-byte aligned). 0, or a negative errno with one line in err; then nothing is left to destroy.
 */
int vm_init(struct vm *vm, const struct vm_config *cfg, const struct vm_chardevs *chardevs, char *err, size_t errlen);
void vm_destroy(struct vm *vm);

/* Runs the VM on the calling thread until it exits: the exit status given to vm_exit(), or a negative errno if it could
 * not start. */
int vm_run(struct vm *vm);
/* One line about such an errno. */
void vm_run_error(int rc, char *err, size_t errlen);

/* RESET# to CPU and board; at the end of S3 (vm->wake_pending) to what had no power. vCPU thread, between instructions.
 */
void vm_reset(struct vm *vm);

/* The end of S3, if it is in that state. vCPU thread, at any time: takes effect in vm_run(). */
void vm_wake(struct vm *vm);

/* --- from any thread --- */

/* Has fn(arg) carried out by the vCPU thread and waits for it. False: the VM has ended (fn was not called). */
bool vm_call(struct vm *vm, void (*fn)(void *arg), void *arg);

/* Queues a request; nothing if it is queued already. Not waited for; dropped when the VM ends. */
void vm_post(struct vm *vm, struct vm_request *r);

/* Makes vm_run() return `status` soon. The first call counts. */
void vm_exit(struct vm *vm, int status);
/* The same, with the reason (vm_exit: VM_END_ASKED). */
void vm_exit_for(struct vm *vm, struct vm_end end, int status);

enum vm_status vm_status(struct vm *vm);

/* --- vCPU thread --- */

/* Makes the engine return after the current instruction. */
void vm_interrupt(struct vm *vm);

/* Carries out what is queued. */
void vm_run_requests(struct vm *vm);
/* Refuses requests from now on and releases those who wait. */
void vm_close_requests(struct vm *vm);

/* Pausing stops the virtual clock. */
void vm_pause(struct vm *vm, unsigned by, bool paused);

/* --- tsc.c: the guest's TSC before tsc_offset. vCPU thread. --- */
/* Begins to measure its frequency, which is done when the clock is started. */
void vm_tsc_init(struct vm *vm);
/* Does the host say that its TSC runs at one rate, asleep or not? */
bool vm_host_tsc_invariant(void);
uint64_t vm_tsc(struct vm *vm);
/* To be called before the virtual clock is started or stopped. */
void vm_tsc_run(struct vm *vm, bool run);
/* Brings it nearer to the virtual clock; cheap to call often. */
void vm_tsc_bend(struct vm *vm);

/* Registers, segments, the current instruction. dump.c */
void cpu_dump(FILE *out, struct cpu *cpu);
/* The panic hook: all that is known of the VM. */
void vm_dump(void *vm);

const struct vm_engine *vm_find_engine(const struct vm_config *cfg);

/* For control.h and the terminal; the VM's ends of both. */
struct vm_control_ops vm_control(struct vm *vm);
/* The screen: as vga_render() and vga_text_cells(), or -ECANCELED. */
int vm_picture(struct vm *vm, struct picture *out);
int vm_text_screen(struct vm *vm, struct vga_text_screen *out);
/* 0, or -EAGAIN: no room in the keyboard's queue; -ECANCELED: the VM has ended. */
int vm_key(struct vm *vm, enum key key, bool down);

/* Brings counters that are kept elsewhere up to date. */
void vm_collect_stats(struct vm *vm);

/* What the process takes now, for this VM and (in `other`) whatever else it does. On the vCPU's thread, while the
 * engine is there. 0, or a negative errno: the host does not say. */
int vm_count_memory(const struct vm *vm, struct memory_use *u);

/* Runs the VM to its end; complaints go to say(). Returns the exit status of the program (options.h), and why it ended
 * in *end, which may be NULL. */
int vm_main(const struct vm_config *cfg, struct vm_end *end);

#endif
