/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debugger.h"

#include <string.h>

#include "cpu/event.h"
#include "cpu/step.h"
#include "vm.h"

/* Instructions of a range between looks at timers, which no signal tells of meanwhile. */
enum { STEP_BATCH = 1000 };

bool debugger_stopped(const struct debugger *d)
{
	return d->vm->paused & VM_PAUSED_BY_DEBUGGER;
}

static void stop(struct debugger *d, enum debugger_stop reason)
{
	d->step = d->step_off = false;
	d->reason = reason;
	d->stop_pc = cpu_linear_pc(&d->vm->cpu);
	d->watch.hit = false;
	vm_pause(d->vm, VM_PAUSED_BY_DEBUGGER, true);
}

static void stop_and_tell(struct debugger *d, enum debugger_stop reason)
{
	stop(d, reason);
	d->stopped(d->arg);
}

/* One of the watchpoints has been hit: stops. */
static bool check_watch(struct debugger *d)
{
	if (!d->watch.hit)
		return false;
	d->watch_on = d->watch.hit_on;
	d->watch_at = d->watch.hit_at;
	stop_and_tell(d, DEBUGGER_WATCHPOINT);
	return true;
}

/* --- life --- */

void debugger_attach(struct debugger *d, struct vm *vm)
{
	d->vm = vm;
	vm->debugger = d;
	d->reset_told = false;
	stop(d, DEBUGGER_ATTACHED);
}

void debugger_detach(struct debugger *d)
{
	struct vm *vm = d->vm;

	if (!vm || vm->debugger != d)
		return;
	d->nbreakpoints = d->watch.count = 0;
	d->step = d->step_off = d->catch_resets = false;
	vm->cpu.watch = NULL;
	if (vm->bt)
		bt_set_breakpoints(vm->bt, NULL, 0);
	vm->debugger = NULL;
	vm_pause(vm, VM_PAUSED_BY_DEBUGGER, false);
}

void debugger_interrupt(struct debugger *d)
{
	if (!debugger_stopped(d))
		stop_and_tell(d, DEBUGGER_INTERRUPT);
}

void debugger_resume(struct debugger *d, bool step)
{
	struct vm *vm = d->vm;

	d->step = step;
	d->range_first = d->range_end = 0;
	/* Unless it has been sent elsewhere, and there a breakpoint counts. */
	d->step_off = d->reason == DEBUGGER_BREAKPOINT && d->stop_pc == cpu_linear_pc(&vm->cpu);
	d->watch.hit = false;
	vm->cpu.watch = d->watch.count ? &d->watch : NULL;
	/* Debuggers remove and set all of them at every stop: only here the translator hears of it. */
	if (vm->bt)
		bt_set_breakpoints(vm->bt, d->breakpoint, d->nbreakpoints);
	vm_pause(vm, VM_PAUSED_BY_DEBUGGER, false);
}

void debugger_step_range(struct debugger *d, uint64_t first, uint64_t end)
{
	debugger_resume(d, true);
	d->range_first = first;
	d->range_end = end;
}

void debugger_restart(struct debugger *d)
{
	vm_reset(d->vm);
	d->reset_told = false;
	stop(d, DEBUGGER_ATTACHED);
}

/* --- breakpoints and watchpoints --- */

static unsigned find(const struct debugger *d, gva_t at)
{
	unsigned i = 0;

	while (i < d->nbreakpoints && d->breakpoint[i] != at)
		i++;
	return i;
}

int debugger_set_breakpoint(struct debugger *d, gva_t at, unsigned kind, bool set)
{
	unsigned i = find(d, at);

	if (i == d->nbreakpoints) {
		if (!set)
			return 0;
		if (i == DEBUGGER_MAX_BREAKPOINTS)
			return -ENOSPC;
		d->breakpoint[i] = at;
		d->users[i] = 0;
		d->nbreakpoints++;
	}
	d->users[i] = (uint8_t)(set ? d->users[i] | 1u << kind : d->users[i] & ~(1u << kind));
	if (!d->users[i]) {
		d->nbreakpoints--;
		d->breakpoint[i] = d->breakpoint[d->nbreakpoints];
		d->users[i] = d->users[d->nbreakpoints];
	}
	return 0;
}

int debugger_breakpoint_kind(const struct debugger *d, gva_t at)
{
	unsigned i = find(d, at);

	return i == d->nbreakpoints ? -1 : __builtin_ctz(d->users[i]);
}

int debugger_set_watchpoint(struct debugger *d, gva_t at, uint64_t len, uint8_t on, bool set)
{
	struct watchpoint p = {.first = at, .last = at + len - 1, .on = on};
	struct watchpoints *w = &d->watch;
	unsigned i = 0;

	if (!len || p.last < p.first)
		return -EINVAL;
	while (i < w->count && (w->point[i].first != p.first || w->point[i].last != p.last || w->point[i].on != p.on))
		i++;
	if (set && i == WATCH_MAX)
		return -ENOSPC;
	if (set && i == w->count)
		w->point[w->count++] = p;
	if (!set && i < w->count)
		w->point[i] = w->point[--w->count];
	return 0;
}

/* --- running --- */

/* One instruction, or what is due before it of exceptions and NMIs. Interrupts wait: who steps through code does not
 * want to find himself in the timer's handler time and again. */
static void execute_one(struct debugger *d)
{
	struct cpu *cpu = &d->vm->cpu;

	cpu->watch = &d->watch; /* elements of strings are steps */
	if (cpu->pending_db || (cpu->nmi && !cpu->nmi_blocked && cpu->shadow != SHADOW_MOV_SS))
		cpu_take_event(cpu);
	else
		d->vm->stats.insns_executed += cpu_step_counts(cpu);
	cpu->watch = d->watch.count ? &d->watch : NULL;
}

/* Behind an instruction. True: it was the last one. */
static bool step_done(struct debugger *d)
{
	const struct cpu *cpu = &d->vm->cpu;

	if (check_watch(d) || !d->step)
		return true;
	if (cpu->rip < d->range_first || cpu->rip >= d->range_end)
		stop_and_tell(d, DEBUGGER_STEP);
	else if (find(d, cpu_linear_pc(cpu)) < d->nbreakpoints)
		stop_and_tell(d, DEBUGGER_BREAKPOINT);
	else
		return false;
	return true;
}

bool debugger_step(struct debugger *d)
{
	struct vm *vm = d->vm;
	unsigned left = STEP_BATCH;

	if ((!d->step && !d->step_off) || vm->cpu.activity != CPU_RUNNING)
		return false; /* a halted CPU waits for an interrupt first, as any */
	d->step_off = false;
	do {
		execute_one(d);
	} while (!step_done(d) && --left && vm->cpu.activity == CPU_RUNNING && !vm->stop);
	return true;
}

/* With a check of each access, or without a translator. */
static void run_stepper(struct debugger *d)
{
	struct vm *vm = d->vm;
	struct cpu *cpu = &vm->cpu;

	while (!vm->stop && cpu->activity == CPU_RUNNING && !cpu_event_ready(cpu)) {
		if (find(d, cpu_linear_pc(cpu)) < d->nbreakpoints) {
			stop_and_tell(d, DEBUGGER_BREAKPOINT);
			return;
		}
		vm->stats.insns_executed += cpu_step_counts(cpu);
		if (check_watch(d))
			return;
	}
}

bool debugger_run(struct debugger *d)
{
	struct vm *vm = d->vm;
	bool ok = true;

	if (check_watch(d)) /* the frame of an interrupt */
		return true;
	if (d->step) /* an interrupt has ended the wait of a halted CPU */
		stop_and_tell(d, DEBUGGER_STEP);
	else if (d->watch.count || !vm->bt)
		run_stepper(d);
	else {
		ok = vm->engine->run(vm);
		if (bt_at_breakpoint(vm->bt) && !debugger_stopped(d))
			stop_and_tell(d, DEBUGGER_BREAKPOINT);
	}
	return ok;
}

bool debugger_catches_reset(struct debugger *d)
{
	if (!d->catch_resets)
		return false;
	if (!d->reset_told) {
		d->reset_told = true;
		if (!debugger_stopped(d))
			stop_and_tell(d, DEBUGGER_RESET);
	}
	if (debugger_stopped(d))
		return true;
	d->reset_told = false;
	return false;
}
