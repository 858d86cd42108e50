/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/hpet.h"

#include "ticks.h"

static struct hpet hpet;
static bool level[32];
static unsigned edges[32];
static bool legacy;

/* clang-format off */
enum {
	CAPABILITIES = 0x000, CONFIG = 0x010, STATUS = 0x020, COUNTER = 0x0f0,
	T0_CONFIG = 0x100, T0_COMPARATOR = 0x108, T1_CONFIG = 0x120, T1_COMPARATOR = 0x128, T2_CONFIG = 0x140,
	T2_COMPARATOR = 0x148,
	ENABLE = 1, LEGACY = 2,
	LEVEL = 2, INT_ENABLE = 4, PERIODIC = 8, VAL_SET = 0x40, MODE32 = 0x100, ROUTE_20 = 20 << 9, ROUTE_21 = 21 << 9,
};
/* clang-format on */

static void line(void *arg, unsigned n, bool up)
{
	ck_assert_uint_lt(n, 32);
	edges[n] += up && !level[n];
	level[n] = up;
}

static void set_legacy(void *arg, bool on)
{
	legacy = on;
}

static void write32(unsigned offset, uint32_t v)
{
	io_write(&hpet_io_ops, &hpet, offset, 4, v);
}

static void write64(unsigned offset, uint64_t v)
{
	io_write(&hpet_io_ops, &hpet, offset, 8, v);
}

static uint32_t read32(unsigned offset)
{
	return (uint32_t)io_read(&hpet_io_ops, &hpet, offset, 4);
}

static uint64_t read64(unsigned offset)
{
	return io_read(&hpet_io_ops, &hpet, offset, 8);
}

static void setup(void)
{
	clock_init(&clk, true);
	memset(level, 0, sizeof(level));
	memset(edges, 0, sizeof(edges));
	legacy = false;
	hpet_init(&hpet, &(struct hpet_config){.clock = &clk, .irq = line, .legacy = set_legacy});
}

/* What SeaBIOS and its AML look at: a vendor, and a period of 100 ns at most. */
START_TEST(test_found)
{
	ck_assert_uint_eq(read32(CAPABILITIES) >> 16, 0x8086);
	ck_assert_uint_eq(read32(CAPABILITIES + 4), 10000000);
	ck_assert_uint_eq(read32(CAPABILITIES) >> 8 & 0x1f, 2); /* the last comparator */
	ck_assert_uint_eq(read32(CAPABILITIES) & 0xa000, 0xa000);
	ck_assert_uint_eq(read32(T0_CONFIG), 0x30);
	ck_assert_uint_eq(read32(T0_CONFIG + 4), HPET_ROUTES);
}
END_TEST

START_TEST(test_counter)
{
	clock_advance(&clk, NS_PER_MS);
	ck_assert_uint_eq(read64(COUNTER), 0);
	write32(CONFIG, ENABLE);
	clock_advance(&clk, NS_PER_MS);
	ck_assert_uint_eq(read64(COUNTER), 100000);
	write32(CONFIG, 0);
	clock_advance(&clk, NS_PER_MS);
	ck_assert_uint_eq(read64(COUNTER), 100000);
	write32(COUNTER, 0xfffffff0);
	write32(COUNTER + 4, 7);
	write32(CONFIG, ENABLE);
	clock_advance(&clk, 320);
	ck_assert_uint_eq(read64(COUNTER), 0x800000010);
	ck_assert_uint_eq(read32(COUNTER + 4), 8);
}
END_TEST

START_TEST(test_one_shot)
{
	write32(T2_CONFIG, INT_ENABLE | ROUTE_20);
	write64(T2_COMPARATOR, 1000);
	write32(CONFIG, ENABLE);
	clock_advance(&clk, 9999);
	ck_assert_uint_eq(edges[20], 0);
	clock_advance(&clk, 1);
	ck_assert_uint_eq(edges[20], 1);
	ck_assert_uint_eq(read32(STATUS), 0); /* edges leave no status */
	clock_advance(&clk, 100 * NS_PER_SEC);
	ck_assert_uint_eq(edges[20], 1);
	/* Written just behind the counter: it would have matched, had the guest been faster. */
	write64(T2_COMPARATOR, read64(COUNTER) - 100);
	clock_advance(&clk, 10);
	ck_assert_uint_eq(edges[20], 2);
	/* Long past: in 5,800 years. */
	write64(T2_COMPARATOR, 5);
	clock_advance(&clk, 1000 * NS_PER_SEC);
	ck_assert_uint_eq(edges[20], 2);
	/* Stopped and masked comparators are silent. */
	write64(T2_COMPARATOR, read64(COUNTER) + 100);
	write32(CONFIG, 0);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_eq(edges[20], 2);
	write32(T2_CONFIG, ROUTE_20);
	write32(CONFIG, ENABLE);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_eq(edges[20], 2);
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
}
END_TEST

START_TEST(test_32_bits_wrap)
{
	write64(COUNTER, 0x5fffffff0);
	write32(T0_CONFIG, INT_ENABLE | ROUTE_20 | MODE32);
	write32(T0_COMPARATOR, 0x10);
	write32(CONFIG, ENABLE);
	clock_advance(&clk, 319);
	ck_assert_uint_eq(edges[20], 0);
	clock_advance(&clk, 1);
	ck_assert_uint_eq(edges[20], 1);
	clock_advance(&clk, (1ull << 32) * 10 - 1);
	ck_assert_uint_eq(edges[20], 1);
	clock_advance(&clk, 1);
	ck_assert_uint_eq(edges[20], 2);
}
END_TEST

/* As Linux sets it up: first match and period by two writes. */
START_TEST(test_periodic)
{
	write32(T0_CONFIG, INT_ENABLE | PERIODIC | VAL_SET | MODE32);
	write32(T0_COMPARATOR, 50000);
	write32(T0_COMPARATOR, 100000);
	write32(CONFIG, ENABLE | LEGACY);
	ck_assert(legacy);
	clock_advance(&clk, 499 * NS_PER_US);
	ck_assert_uint_eq(edges[0], 0);
	clock_advance(&clk, 1 * NS_PER_US);
	ck_assert_uint_eq(edges[0], 1);
	clock_advance(&clk, 10 * NS_PER_MS);
	ck_assert_uint_eq(edges[0], 11);
	ck_assert_uint_eq(read32(T0_COMPARATOR), 50000 + 11 * 100000);
	/* One write with VAL_SET does both. */
	write32(CONFIG, 0);
	ck_assert(!legacy);
	ck_assert(!level[0]);
	write64(COUNTER, 0);
	write32(T0_CONFIG, INT_ENABLE | PERIODIC | VAL_SET);
	write64(T0_COMPARATOR, 200000);
	write32(CONFIG, ENABLE | LEGACY);
	edges[0] = 0;
	clock_advance(&clk, 20 * NS_PER_MS);
	ck_assert_uint_eq(edges[0], 10);
	/* A new period counts from the next match on. */
	write64(T0_COMPARATOR, 100000);
	clock_advance(&clk, 10 * NS_PER_MS);
	ck_assert_uint_eq(edges[0], 19);
}
END_TEST

START_TEST(test_level)
{
	write32(T0_CONFIG, INT_ENABLE | LEVEL | ROUTE_20);
	write32(T1_CONFIG, INT_ENABLE | LEVEL | ROUTE_20);
	write64(T0_COMPARATOR, 100);
	write64(T1_COMPARATOR, 200);
	write32(CONFIG, ENABLE);
	clock_advance(&clk, 5000);
	ck_assert_uint_eq(read32(STATUS), 3);
	ck_assert(level[20]);
	write32(STATUS, 1);
	ck_assert(level[20]); /* the other's */
	write32(STATUS, 2);
	ck_assert(!level[20]);
	ck_assert_uint_eq(read32(STATUS), 0);
	/* Another route takes the level along. */
	write64(T0_COMPARATOR, read64(COUNTER) + 10);
	clock_advance(&clk, 100);
	ck_assert(level[20]);
	write32(T0_CONFIG, INT_ENABLE | LEVEL | ROUTE_21);
	ck_assert(!level[20]);
	ck_assert(level[21]);
	write32(T0_CONFIG, LEVEL | ROUTE_21);
	ck_assert(!level[21]);
}
END_TEST

START_TEST(test_legacy_routes)
{
	write32(T0_CONFIG, INT_ENABLE | ROUTE_20);
	write32(T1_CONFIG, INT_ENABLE | ROUTE_20);
	write64(T0_COMPARATOR, 1000);
	write64(T1_COMPARATOR, 2000);
	write32(CONFIG, ENABLE | LEGACY);
	clock_advance(&clk, 30000);
	ck_assert_uint_eq(edges[0], 1);
	ck_assert_uint_eq(edges[8], 1);
	ck_assert_uint_eq(edges[20], 0);
	/* Routes that nobody offered: no interrupt. */
	write32(T2_CONFIG, INT_ENABLE | 3 << 9);
	write64(T2_COMPARATOR, read64(COUNTER) + 10);
	clock_advance(&clk, 30000);
	ck_assert_uint_eq(edges[3], 0);
	hpet_reset(&hpet);
	ck_assert(!level[0] && !level[8] && !legacy);
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
}
END_TEST

static bool take_tick(void)
{
	static unsigned seen;
	bool pending = edges[0] != seen;

	seen = edges[0];
	if (pending)
		hpet_acked(&hpet, 0);
	return pending;
}

START_TEST(test_no_tick_is_lost)
{
	uint64_t took;
	unsigned taken;

	write32(T0_CONFIG, INT_ENABLE | PERIODIC | VAL_SET | MODE32);
	write32(T0_COMPARATOR, 100000);
	write32(CONFIG, ENABLE | LEGACY);
	clock_advance(&clk, NS_PER_MS);
	take_tick();
	taken = count_ticks(take_tick, 20, &took);
	ck_assert_uint_eq(hpet.timer[0].catchup.owed, 0);
	ck_assert_int_le(llabs((long long)taken - (long long)(took / NS_PER_MS)), 2);
}
END_TEST

START_TEST(test_tiny_periods_are_capped)
{
	write32(T0_CONFIG, INT_ENABLE | PERIODIC | VAL_SET | MODE32);
	write32(T0_COMPARATOR, 1);
	write32(CONFIG, ENABLE | LEGACY);
	for (unsigned i = 0; i < 1000; i++) {
		clock_advance(&clk, NS_PER_US);
		take_tick();
	}
	ck_assert_uint_le(edges[0], 22);
	ck_assert_uint_ge(edges[0], 18);
	write32(T0_COMPARATOR, 0);
	clock_advance(&clk, NS_PER_SEC);
}
END_TEST

START_TEST(test_hostile)
{
	static const unsigned sizes[] = {1, 2, 4, 8};

	srand(3);
	for (unsigned i = 0; i < 300000; i++) {
		unsigned size = sizes[rand() % 4], at = (unsigned)rand() % 0x180;
		uint64_t v = (uint64_t)rand() << 40 ^ (uint64_t)rand() << (rand() % 32);
		if (rand() % 4)
			at = (unsigned[]){CONFIG,	 STATUS,    COUNTER,	   T0_CONFIG,
					  T0_COMPARATOR, T1_CONFIG, T1_COMPARATOR, T2_CONFIG}[rand() % 8];
		if (rand() % 3)
			io_write(&hpet_io_ops, &hpet, at, size, rand() % 2 ? v : v & 0x1ff);
		else
			io_read(&hpet_io_ops, &hpet, at, size);
		if (rand() % 8 == 0)
			hpet_acked(&hpet, rand() % 2 ? 0 : (unsigned)rand() % 32);
		if (rand() % 64 == 0)
			hpet_unwanted(&hpet, rand() % 2 ? 0 : 8);
		clock_advance(&clk, (uint64_t)rand() % (rand() % 100 ? 3000 : NS_PER_SEC / 50));
	}
	hpet_reset(&hpet);
	ck_assert_uint_eq(read64(COUNTER), 0);
	for (unsigned i = 0; i < 32; i++)
		ck_assert(!level[i]);
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_found,		test_counter,	      test_one_shot,
	    test_32_bits_wrap,	test_periodic,	      test_level,
	    test_legacy_routes, test_no_tick_is_lost, test_tiny_periods_are_capped,
	    test_hostile,
	};

	return run_tests("hpet", list, ARRAY_LEN(list), setup);
}
