// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows about floating point. */
#include <xmmintrin.h>

#include "bench.h"

#define STEPS 1000

static volatile double double_sink;
static volatile float start = 0.5f; /* unknown to the compiler, or it computes the result itself */

static void do_x87(uint64_t count, void *arg)
{
	long double x = start, factor = 0.999999L, add = 0.000001L;

	for (count *= STEPS; count; count--)
		x = x * factor + add;
	double_sink = (double)x;
}

void row_x87(void)
{
	measure(do_x87, NULL, STEPS);
}

static __attribute__((target("sse2"))) void do_sse(uint64_t count, void *arg)
{
	__m128 x = _mm_set_ss(start), factor = _mm_set_ss(0.999999f), add = _mm_set_ss(0.000001f);

	for (count *= STEPS; count; count--)
		x = _mm_add_ss(_mm_mul_ss(x, factor), add);
	double_sink = _mm_cvtss_f32(x);
}

void row_sse(void)
{
	measure(do_sse, NULL, STEPS);
}

static __attribute__((target("sse2"))) void do_sse4x(uint64_t count, void *arg)
{
	__m128 x = _mm_set1_ps(start), factor = _mm_set1_ps(0.999999f), add = _mm_set1_ps(0.000001f);

	for (count *= STEPS; count; count--)
		x = _mm_add_ps(_mm_mul_ps(x, factor), add);
	double_sink = _mm_cvtss_f32(x);
}

void row_sse4x(void)
{
	measure(do_sse4x, NULL, STEPS);
}
