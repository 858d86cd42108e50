// SPDX-License-Identifier: GPL-2.0-or-later
/* Batches of a row, and the best of them: what is slower was disturbed. */
#include "micro.h"

enum { BATCHES = 15, TRANSLATIONS = 6 };
#define BATCH_TICKS 4000000u
#define N_MAX	    (1u << 26)

/* Without the compiler's library, which need not be there for 32-bit code. */
static uint64_t divide(uint64_t n, uint32_t by, uint32_t *rest)
{
	uint32_t high = (uint32_t)(n >> 32), low = (uint32_t)n, quotient = high / by;

	__asm__("divl %2" : "+a"(low), "=d"(*rest) : "r"(by), "1"(high % by));
	return (uint64_t)quotient << 32 | low;
}

void print_number(uint64_t n)
{
	uint32_t digit;

	char digits[21], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do {
		n = divide(n, 10, &digit);
		*--at = (char)('0' + digit);
	} while (n);
	print(at);
}

static void sort(uint64_t *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned j = i; j && v[j - 1] > v[j]; j--) {
			uint64_t t = v[j];

			v[j] = v[j - 1];
			v[j - 1] = t;
		}
}

static void report(const char *name, uint64_t *batches, unsigned n, uint32_t operations)
{
	uint32_t rest;

	sort(batches, n);
	print("MICRO ");
	print(name);
	print(" ");
	print_number(divide(batches[0] * 1000, operations, &rest));
	print(" ");
	print_number(divide(batches[n / 2] * 1000, operations, &rest));
	print(" ");
	print_number(operations);
	print("\n");
}

static uint64_t batch(void (*run)(body *b, uint32_t n), body *b, uint32_t n)
{
	uint64_t from = ticks();

	run(b, n);
	return ticks() - from;
}

void measure(const char *name, void (*run)(body *b, uint32_t n), body *b, uint32_t per)
{
	uint64_t batches[BATCHES];
	uint32_t n = 64;

	while (batch(run, b, n) < BATCH_TICKS && n < N_MAX)
		n *= 2;
	for (unsigned i = 0; i < BATCHES; i++)
		batches[i] = batch(run, b, n);
	report(name, batches, BATCHES, n * per);
}

void measure_translate(void)
{
	uint64_t batches[TRANSLATIONS];

	for (unsigned i = 0; i < TRANSLATIONS; i++) {
		translate_fill(i * 77777 + 1);
		batches[i] = translate_run();
	}
	report("translate", batches, TRANSLATIONS, FUNCTIONS * INSNS);
}
