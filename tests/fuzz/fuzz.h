/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers share: random numbers by seed, and a driver that runs cases in a child process, so that a crash or a
 * hang of one of them is reported with its seed and does not end the rest.
 */
#ifndef GNOMON_TESTS_FUZZ_H
#define GNOMON_TESTS_FUZZ_H

#include "base.h"

struct rng {
	uint64_t state;
};

/* Every seed starts a stream of its own (splitmix64: any state will do). */
static inline struct rng rng_seeded(uint64_t seed)
{
	return (struct rng){seed * 0x9e3779b97f4a7c15ull + 0x1234567};
}

static inline uint64_t rng_u64(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline uint32_t rng_u32(struct rng *r)
{
	return (uint32_t)(rng_u64(r) >> 32);
}

/* 0 .. n - 1 */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((uint64_t)rng_u32(r) * n) >> 32);
}

static inline bool rng_percent(struct rng *r, unsigned percent)
{
	return rng_below(r, 100) < percent;
}

static inline void rng_bytes(struct rng *r, void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)rng_u32(r);
}

#define RNG_PICK(r, array) ((array)[rng_below(r, ARRAY_LEN(array))])

/* Exit status of a case for which something is not installed: the program's, too. */
enum { FUZZ_SKIPPED = 77 };

struct fuzzer {
	const char *name;
	/* What --engine may be, NULL-terminated; the first is the default. NULL: no such option. */
	const char *const *variants;
	/* One case. False: it found something, and said what on stderr. */
	bool (*run)(uint64_t seed, const char *variant);
	unsigned case_seconds; /* a case that takes longer hangs */
};

/*
 * Options: --seed N (one case, in this process), --first N, --count N, --seconds N (whichever ends first), --engine
 * VARIANT (default: all of them). Returns the exit status: 0, 1 something was found, 2 usage.
 */
int fuzz_main(int argc, char **argv, const struct fuzzer *f);

#endif
