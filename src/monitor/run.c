/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vCPU thread: runs guest code, and between instructions timers, requests and resets.
 *
 * Nothing polls. Who wants the thread's attention sends it HOSTSIG_KICK, whose handler sets vm->stop; so does a host
 * timer that is set to the next deadline of the virtual clock.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bt/bt.h"
#include "cpu/event.h"
#include "debugger.h"
#include "hostsig.h"
#include "options.h"
#include "phase.h"
#include "profiler.h"
#include "trace.h"
#include "vm.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Asked last: an engine's own client may act on the signal first, and leaves it to this one too. */
static bool on_kick(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	struct vm *vm = arg;

	if (signo == HOSTSIG_KICK)
		vm->stop = 1;
	return false;
}

/* Sets the host timer to a virtual deadline, unless it will fire no later anyway. */
static void arm_kick(struct vm *vm, uint64_t deadline)
{
	uint64_t host;
	struct itimerspec its = {0};

	if (deadline >= vm->kick_at || !vm->clock.running || vm->clock.counter)
		return;
	/* Never 0, which would disarm it. */
	host = vm->clock.host_base + (deadline > vm->clock.base ? deadline - vm->clock.base : 0);
	its.it_value.tv_sec = (time_t)(host / NS_PER_SEC);
	its.it_value.tv_nsec = (long)(host % NS_PER_SEC);
	if (timer_settime(vm->kick_timer, TIMER_ABSTIME, &its, NULL) == 0)
		vm->kick_at = deadline;
}

/* The clock's earliest deadline has changed, while guest code runs (a device access): make sure that it ends in time.
 */
static void rearm(void *arg, uint64_t deadline)
{
	struct vm *vm = arg;

	if (vm->in_engine && vm->clock.counter)
		vm->stop = 1; /* the engine has been told of the deadline before */
	else if (vm->in_engine)
		arm_kick(vm, deadline);
}

static int start(struct vm *vm)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = HOSTSIG_KICK};
	sigset_t kick;
	int rc = hostsig_thread_init();

	if (rc)
		return rc;
	ev.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &ev, &vm->kick_timer) < 0)
		return -errno;
	vm->has_kick_timer = true;
	vm->kick_at = CLOCK_NEVER;
	sigemptyset(&kick);
	sigaddset(&kick, HOSTSIG_KICK);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	prctl(PR_SET_TIMERSLACK, 1000ul, 0, 0, 0); /* ns: timers of the guest are finer than the default 50 us */
	hostsig_add(on_kick, vm);
	exec_attach(vm->exec);
	panic_set_hook(vm_dump, vm);
	rc = vm->engine->create(vm);
	if (rc)
		return rc;
	pthread_mutex_lock(&vm->lock);
	vm->thread = pthread_self();
	vm->running = true;
	pthread_mutex_unlock(&vm->lock);
	vm->clock.rearm = rearm;
	vm->clock.rearm_arg = vm;
	return vm->profiler ? profiler_attach(vm->profiler) : 0;
}

static void finish(struct vm *vm)
{
	vm_close_requests(vm);
	clock_stop(&vm->clock);
	vm->clock.rearm = NULL;
	if (vm->running) {
		vm_collect_stats(vm);
		if (vm->cfg->stats)
			vm_count_memory(vm, &vm->memory);
		if (vm->profiler)
			profiler_detach(vm->profiler);
		vm->engine->destroy(vm);
	}
	pthread_mutex_lock(&vm->lock);
	vm->running = false; /* nobody sends the thread a signal from here on */
	pthread_mutex_unlock(&vm->lock);
	if (vm->has_kick_timer) {
		timer_delete(vm->kick_timer);
		vm->has_kick_timer = false;
		exec_detach(vm->exec);
		hostsig_remove(on_kick, vm);
	}
	hostsig_thread_fini();
	panic_set_hook(NULL, NULL);
}

/*
 * Sleeps until a kick or for ns at most (CLOCK_NEVER: no limit). A kick that came before is not lost: it has set
 * vm->stop, or waits. The signal is taken as a value, not by its handler, which would cost as much as the guest's tick.
 */
static void sleep_for(struct vm *vm, uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_SEC), .tv_nsec = (long)(ns % NS_PER_SEC)};
	sigset_t kick, signals, old;

	phase_set(&vm->stats, PHASE_SLEEP);
	sigemptyset(&kick);
	sigaddset(&kick, HOSTSIG_KICK);
	signals = kick;
	sigaddset(&signals, HOSTSIG_PROFILE);
	pthread_sigmask(SIG_BLOCK, &signals, &old);
	if (vm->profiler)
		profiler_sleeps(vm->profiler);
	if (!vm->stop)
		sigtimedwait(&kick, NULL, ns == CLOCK_NEVER ? NULL : &ts);
	if (vm->profiler)
		profiler_wakes(vm->profiler);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	phase_set(&vm->stats, PHASE_LOOP);
}

static void sleep_until_event(struct vm *vm)
{
	uint64_t next = clock_next(&vm->clock), now = clock_now(&vm->clock);

	if (vm->cpu.activity <= CPU_MWAIT && !vm->asleep)
		vm->stats.halts++;
	vm->asleep = true;
	if (vm->clock.counter && next != CLOCK_NEVER) {
		uint64_t began = host_now_ns(), slept;
		sleep_for(vm, next > now ? next - now : 0);
		slept = host_now_ns() - began;
		clock_skip(&vm->clock, MIN(slept, next > now ? next - now : 0));
	} else if (vm->kick_at > now && vm->kick_at <= next)
		sleep_for(vm, CLOCK_NEVER); /* the host timer is set already */
	else
		sleep_for(vm, next > now ? next - now : 0);
}

static void take_signals(struct vm *vm)
{
	if (vm->reset_pending || vm->wake_pending) {
		if (!vm->debugger || vm->wake_pending || !debugger_catches_reset(vm->debugger))
			vm_reset(vm);
	} else if (vm->init_pending) {
		vm->init_pending = false;
		cpu_reset(&vm->cpu, true);
		lapic_init_reset(&vm->board.lapic);
		board_update_intr(&vm->board);
	}
}

static bool run_engine(struct vm *vm)
{
	bool ok;

	vm->asleep = false;
	vm_tsc_bend(vm);
	arm_kick(vm, clock_next(&vm->clock));
	vm->in_engine = true;
	phase_set(&vm->stats, PHASE_DISPATCH);
	ok = vm->debugger ? debugger_run(vm->debugger) : vm->engine->run(vm);
	phase_set(&vm->stats, PHASE_LOOP);
	vm->in_engine = false;
	return ok;
}

static bool exiting(struct vm *vm)
{
	bool e;

	pthread_mutex_lock(&vm->lock);
	e = vm->exiting;
	pthread_mutex_unlock(&vm->lock);
	return e;
}

/* Due timers fire; a host timer that was set for a time that has passed is no longer set. */
static void run_clock(struct vm *vm)
{
	if (vm->kick_at <= clock_now(&vm->clock))
		vm->kick_at = CLOCK_NEVER;
	phase_set(&vm->stats, PHASE_TIMER);
	clock_run(&vm->clock);
	phase_set(&vm->stats, PHASE_LOOP);
}

static void loop(struct vm *vm)
{
	while (true) {
		/* In this order: what comes after is noticed by the next round. */
		vm->stop = 0;
		vm_run_requests(vm);
		if (exiting(vm))
			return;
		take_signals(vm);
		if (vm->paused) {
			sleep_for(vm, CLOCK_NEVER);
			continue;
		}
		run_clock(vm);
		if (vm->suspended) {
			if (!vm->wake_pending)
				sleep_until_event(vm);
			continue;
		}
		if (vm->debugger && debugger_step(vm->debugger))
			continue;
		phase_set(&vm->stats, PHASE_EVENT);
		cpu_take_event(&vm->cpu);
		phase_set(&vm->stats, PHASE_LOOP);
		if (vm->cpu.activity != CPU_RUNNING) {
			if (!vm->reset_pending && !cpu_event_ready(&vm->cpu) &&
			    !(vm->cpu.activity == CPU_MWAIT && vm->cpu.intr))
				sleep_until_event(vm);
			if (vm->cpu.activity == CPU_MWAIT)
				vm->cpu.activity = CPU_RUNNING;
			continue;
		}
		if (!run_engine(vm))
			vm_exit_for(vm, (struct vm_end){.reason = VM_END_DIFFERENCE}, EXIT_FAILED);
	}
}

void vm_run_error(int rc, char *err, size_t errlen)
{
	if (rc == -ENOTSUP && bt_host_lacks())
		snprintf(err, errlen,
			 "the translator needs a processor with %s (2013 and later); --engine step works without, many "
			 "times "
			 "slower",
			 bt_host_lacks());
	else
		snprintf(err, errlen, "cannot start the VM: %s (gnomon doctor)", strerror(-rc));
}

int vm_run(struct vm *vm)
{
	int rc = start(vm);

	if (!rc) {
		vm_pause(vm, 0, false); /* starts the clock, if nobody wants it paused */
		loop(vm);
		rc = vm->exit_status;
	}
	finish(vm);
	return rc;
}
