/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frequency that the guest's TSC shows: the host's, so that both agree on what a tick is. */
#include <cpuid.h>
#include <x86intrin.h>

#include "vm.h"

enum {
	CPUID_TSC = 0x15,
	CPUID_FREQUENCY = 0x16,
	CALIBRATE_NS = 10 * 1000 * 1000,
	DISTRUST_PERCENT = 2,
};

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

static uint64_t measured(void)
{
	uint64_t t0 = host_now_ns(), c0 = __rdtsc(), t1, c1;

	do {
		t1 = host_now_ns();
		c1 = __rdtsc();
	} while (t1 - t0 < CALIBRATE_NS);
	return muldiv64(c1 - c0, NS_PER_SEC, t1 - t0);
}

uint64_t vm_host_tsc_hz(void)
{
	uint64_t told = from_cpuid(), seen = measured();

	/* Leaf 16h rounds, and hypervisors invent: believe what is told only where it agrees with the clock. */
	if (told && (told > seen ? told - seen : seen - told) * 100 < seen * DISTRUST_PERCENT)
		return told;
	return seen ? seen : NS_PER_SEC;
}
