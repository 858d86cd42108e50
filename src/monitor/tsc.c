/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's TSC. Its frequency is the host's, so that both agree on what a tick is; its value is that of the virtual
 * clock, which follows CLOCK_MONOTONIC. So that translated code need not ask for that, it is kept as a line through the
 * host's own counter, bent every few milliseconds so that it comes back to the clock in SLEW_NS.
 */
#include <cpuid.h>
#include <x86intrin.h>

#include "vm.h"

enum {
	CPUID_TSC = 0x15,
	CPUID_FREQUENCY = 0x16,
	CALIBRATE_NS = 10 * 1000 * 1000,
	DISTRUST_PERCENT = 2,
	CPUID_POWER = 0x80000007,
	INVARIANT_TSC = 1 << 8, /* EDX of CPUID_POWER */
	BEND_NS = 5 * 1000 * 1000,
	SLEW_NS = 100 * 1000 * 1000,
	SLEW_SHIFT = 40,		     /* slopes are told in 2^-40 of one */
	SLEW_LIMIT = 1 << (SLEW_SHIFT - 10), /* a thousandth */
	JUMP_NS = 10 * 1000 * 1000,	     /* the clock is further ahead than this: go there */
};

#define RATIO_ONE (1ull << 63)

/* From CPUID leaf 15h (crystal and ratio) or 16h (base frequency, MHz); 0 if neither tells. */
static uint64_t from_cpuid(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid_count(CPUID_TSC, 0, &a, &b, &c, &d) && a && b && c)
		return muldiv64(c, b, a);
	if (__get_cpuid_count(CPUID_FREQUENCY, 0, &a, &b, &c, &d) && (a & 0xffff))
		return (a & 0xffff) * 1000000ull;
	return 0;
}

/* Since vm_tsc_init(): most of that time has been used to set the VM up. */
static uint64_t measured(const struct vm *vm)
{
	uint64_t ns, ticks;

	do {
		ns = host_now_ns() - vm->tsc_since.ns;
		ticks = __rdtsc() - vm->tsc_since.ticks;
	} while (ns < CALIBRATE_NS);
	return muldiv64(ticks, NS_PER_SEC, ns);
}

static uint64_t host_tsc_hz(const struct vm *vm)
{
	uint64_t told = from_cpuid(), seen = measured(vm);

	/* Leaf 16h rounds, and hypervisors invent: believe what is told only where it agrees with the clock. */
	if (told && (told > seen ? told - seen : seen - told) * 100 < seen * DISTRUST_PERCENT)
		return told;
	return seen ? seen : NS_PER_SEC;
}

static uint64_t ticks(const struct vm *vm, uint64_t ns)
{
	return muldiv64(ns, vm->tsc_hz, NS_PER_SEC);
}

static uint64_t by_clock(const struct vm *vm)
{
	return ticks(vm, clock_now(&vm->clock));
}

static uint64_t on_line(const struct tsc_line *line, uint64_t host)
{
	return line->guest + muldiv64(host + line->minus_host, line->ratio, RATIO_ONE);
}

uint64_t vm_tsc(struct vm *vm)
{
	const struct tsc_line *line = &vm->cpu.tsc_line;

	if (!line->ratio)
		return by_clock(vm);
	return vm->clock.running ? on_line(line, __rdtsc()) : line->guest;
}

bool vm_host_tsc_invariant(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(CPUID_POWER, &a, &b, &c, &d) && (d & INVARIANT_TSC);
}

void vm_tsc_init(struct vm *vm)
{
	vm->tsc_since.ns = host_now_ns();
	vm->tsc_since.ticks = __rdtsc();
	if (vm_host_tsc_invariant() && !vm->cfg->lockstep)
		vm->cpu.tsc_line.ratio = RATIO_ONE;
}

void vm_tsc_run(struct vm *vm, bool run)
{
	struct tsc_line *line = &vm->cpu.tsc_line;
	uint64_t host;

	if (vm->clock.running == run)
		return;
	if (!vm->tsc_hz)
		vm->tsc_hz = host_tsc_hz(vm);
	host = __rdtsc();
	if (!run)
		line->guest = on_line(line, host);
	line->minus_host = 0 - host;
}

void vm_tsc_bend(struct vm *vm)
{
	struct tsc_line *line = &vm->cpu.tsc_line;
	uint64_t host = __rdtsc(), clock;
	int64_t error, slew = (int64_t)ticks(vm, SLEW_NS), bend;

	if (!line->ratio || host + line->minus_host < ticks(vm, BEND_NS))
		return;
	line->guest = on_line(line, host);
	line->minus_host = 0 - host;
	line->ratio = RATIO_ONE;
	clock = by_clock(vm);
	error = (int64_t)(clock - line->guest);
	if (error > (int64_t)ticks(vm, JUMP_NS)) {
		line->guest = clock;
		return;
	}
	bend = (int64_t)((__int128)error * (1ll << SLEW_SHIFT) / slew);
	bend = MAX(-(int64_t)SLEW_LIMIT, MIN(bend, (int64_t)SLEW_LIMIT));
	line->ratio += (uint64_t)(bend * (int64_t)(RATIO_ONE >> SLEW_SHIFT));
}
