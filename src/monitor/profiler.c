/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples. A host timer sends HOSTSIG_PROFILE to the vCPU thread; its handler notes where the thread is, and how much
 * CPU time it has used since the last time: that is what a sample weighs, so that a thread that waited for a processor
 * is not taken for one that worked. The handler changes nothing, takes no lock and allocates nothing.
 */
#define _GNU_SOURCE
#include "profiler_internal.h"

#include "bt/bt.h"
#include "hostsig.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The next free entry of the ring, or NULL. */
static struct ring_entry *free_entry(struct profiler *p)
{
	unsigned head = atomic_load_explicit(&p->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&p->tail, memory_order_acquire) == PROFILE_RING) {
		p->lost++;
		return NULL;
	}
	return &p->ring[head % PROFILE_RING];
}

/* What interrupted code of the guest was doing; the phase. */
static uint8_t look(struct profiler *p, const ucontext_t *uc, uint32_t ns, struct profile_sample *s, uint64_t *rbp,
		    uint64_t *rsp)
{
	struct vm *vm = p->vm;
	const struct cpu *cpu = &vm->cpu;
	uint8_t phase = vm->stats.phase;
	struct bt_sample in;

	s->flags = (uint8_t)(SAMPLE_HAS_PC | (cpu->cpl == 3 ? SAMPLE_USER : 0) | (cpu_paging(cpu) ? SAMPLE_PAGED : 0));
	s->pc = cpu_linear_pc(cpu);
	*rbp = cpu->gpr[RBP];
	*rsp = cpu->gpr[RSP];
	switch (vm->bt && uc ? bt_sample(vm->bt, uc, ns, &in) : BT_ELSEWHERE) {
	case BT_IN_CACHE:
		s->pc = in.pc;
		s->block = in.block;
		s->flags = (uint8_t)((s->flags & SAMPLE_PAGED) | SAMPLE_HAS_PC | SAMPLE_IN_BLOCK |
				     (in.user ? SAMPLE_USER : 0));
		*rbp = in.rbp;
		*rsp = in.rsp;
		return in.user ? PHASE_USER : PHASE_KERNEL;
	case BT_FAULTING: /* the host has just told us */
		s->flags &= (uint8_t)~SAMPLE_HAS_PC;
		return PHASE_FAULT;
	case BT_ON_THE_WAY: /* registers are partly here, partly there */
		s->flags &= (uint8_t)~SAMPLE_HAS_PC;
		return PHASE_DISPATCH;
	default:
		return phase;
	}
}

static void sample(struct profiler *p, const ucontext_t *uc)
{
	struct vm *vm = p->vm;
	uint64_t cpu_ns = thread_cpu_ns(), ns = cpu_ns - p->last_cpu;
	struct profile_sample s = {.time = host_now_ns() - p->start, .cr3 = vm->cpu.cr3};
	struct ring_entry *e;
	uint64_t rbp, rsp;

	p->last_cpu = cpu_ns;
	s.ns = (uint32_t)MIN(ns, UINT32_MAX);
	s.phase = look(p, uc, s.ns, &s, &rbp, &rsp);
	p->phase_ns[s.phase] += ns;
	p->phase_samples[s.phase]++;
	if (s.phase == PHASE_CALLOUT || (s.phase == PHASE_DEVICE && vm->in_engine)) {
		s.insn = vm->stats.phase_insn;
		p->insn_ns[s.insn] += ns;
	}
	e = free_entry(p);
	if (!e)
		return;
	if ((s.flags & SAMPLE_HAS_PC) && !(s.flags & SAMPLE_USER))
		s.depth = (uint8_t)profile_orc_stack(p, s.pc, rbp, rsp, e->stack, PROFILE_MAX_STACK);
	if ((s.flags & SAMPLE_HAS_PC) && !s.depth)
		s.depth = (uint8_t)profile_stack(vm, rbp, rsp, e->stack, PROFILE_MAX_STACK);
	e->head = s;
	atomic_fetch_add_explicit(&p->head, 1, memory_order_release);
}

static void on_timer(void *arg, const ucontext_t *uc)
{
	struct profiler *p = arg;

	/* What came while asleep: profiler_wakes() has dealt with that time. */
	if (p->vm->stats.phase != PHASE_SLEEP)
		sample(p, uc);
}

/* --- life on the vCPU thread --- */

static void unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, HOSTSIG_PROFILE);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Signals are to take a hundredth of the time at most: more than a period if the host takes long for one. */
static long period_ns(void)
{
	enum { TRIES = 8, SHARE = 100 };
	uint64_t least = UINT64_MAX, periods;

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t before = host_now_ns();
		raise(HOSTSIG_PROFILE);
		least = MIN(least, host_now_ns() - before);
	}
	periods = (least * SHARE + PROFILE_PERIOD_NS - 1) / PROFILE_PERIOD_NS;
	return PROFILE_PERIOD_NS * (long)MIN(MAX(periods, 1u), (uint64_t)PROFILE_MAX_PERIODS);
}

int profiler_attach(struct profiler *p)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = HOSTSIG_PROFILE};
	struct itimerspec its = {0};

	unblock();
	p->period_ns = period_ns();
	its.it_value.tv_nsec = its.it_interval.tv_nsec = p->period_ns;
	ev.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &ev, &p->timer) < 0)
		return -errno;
	p->has_timer = true;
	p->attached_at = host_now_ns();
	p->last_cpu = thread_cpu_ns();
	p->attached = true;
	profile_files_main(p, false);
	hostsig_set_profile(on_timer, p);
	timer_settime(p->timer, 0, &its, NULL);
	return 0;
}

void profiler_detach(struct profiler *p)
{
	if (p->has_timer)
		timer_delete(p->timer);
	p->has_timer = false;
	hostsig_set_profile(NULL, NULL);
	if (!p->attached)
		return;
	sample(p, NULL); /* the rest */
	pthread_mutex_lock(&p->lock);
	p->ended_at = host_now_ns();
	pthread_mutex_unlock(&p->lock);
	profiler_save_blocks(p);
	if (p->vm->cfg->perf_map)
		profile_names_perf_map(p);
}

void profiler_sleeps(struct profiler *p)
{
	p->slept_cpu = thread_cpu_ns();
	__atomic_store_n(&p->slept_at, host_now_ns(), __ATOMIC_RELAXED);
}

void profiler_wakes(struct profiler *p)
{
	uint64_t cpu = thread_cpu_ns() - p->slept_cpu, all = host_now_ns() - p->slept_at;

	/* What sleeping costs is the thread's, and none of what the next sample finds. */
	p->last_cpu += cpu;
	p->phase_ns[PHASE_SLEEP] += cpu;
	__atomic_store_n(&p->idle_ns, p->idle_ns + all - MIN(cpu, all), __ATOMIC_RELAXED);
	__atomic_store_n(&p->slept_at, 0, __ATOMIC_RELAXED);
}

/* --- life in the session --- */

/* Every 100 ms, on the I/O thread. */
static void tick(void *arg)
{
	struct profiler *p = arg;

	profile_files_drain(p);
	profile_files_snapshot(p);
	profile_orc_look(p);
	iothread_alarm(p->io, &p->alarm, PROFILE_SNAPSHOT_MS * NS_PER_MS);
}

static void destroy(struct profiler *p)
{
	p->vm->profiler = NULL;
	pthread_mutex_destroy(&p->lock);
	free(p->ring);
	free(p->shown);
	free(p);
}

int profiler_open(struct profiler **out, struct vm *vm, struct iothread *io, char *err, size_t errlen)
{
	struct profiler *p = calloc(1, sizeof(*p));
	int rc;

	*out = NULL;
	if (!p)
		goto no_memory;
	pthread_mutex_init(&p->lock, NULL);
	p->vm = vm;
	p->io = io;
	p->folder = vm->cfg->profile;
	p->start = host_now_ns();
	p->ring = calloc(PROFILE_RING, sizeof(*p->ring));
	p->shown = calloc(stat_count, sizeof(*p->shown));
	if (!p->ring || !p->shown) {
		destroy(p);
		goto no_memory;
	}
	rc = profile_files_open(p, err, errlen);
	if (rc) {
		destroy(p);
		return rc;
	}
	p->alarm = (struct io_alarm){.fire = tick, .arg = p};
	iothread_alarm(io, &p->alarm, PROFILE_SNAPSHOT_MS * NS_PER_MS);
	vm->profiler = *out = p;
	return 0;
no_memory:
	snprintf(err, errlen, "--profile: out of memory");
	return -ENOMEM;
}

int profiler_close(struct profiler *p)
{
	int rc;

	if (!p)
		return 0;
	iothread_cancel(p->io, &p->alarm);
	rc = profile_files_close(p);
	destroy(p);
	return rc;
}
