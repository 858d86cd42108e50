/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/pit.h"

#include "chip_fixture.h"
#include "devices/port61.h"
#include "ticks.h"

static struct pit pit;
static struct port61 port61;
static struct probe irq;

static void out8(unsigned port, uint8_t v)
{
	io_write(&pit_io_ops, &pit, port, 1, v);
}

static uint8_t in8(unsigned port)
{
	return (uint8_t)io_read(&pit_io_ops, &pit, port, 1);
}

static uint16_t in16(unsigned port)
{
	uint8_t low = in8(port);
	return (uint16_t)(low | in8(port) << 8);
}

static void program(unsigned ch, unsigned mode, uint16_t count)
{
	out8(3, (uint8_t)(ch << 6 | 0x30 | mode << 1));
	out8(ch, (uint8_t)count);
	out8(ch, (uint8_t)(count >> 8));
}

/* Moves the clock to the given tick, counted from virtual time 0. */
static void to_tick(uint64_t tick)
{
	uint64_t at = muldiv64(tick, NS_PER_SEC, PIT_HZ) + 1;
	clock_advance(&clk, at - clock_now(&clk));
}

static void gate2(bool level)
{
	io_write(&port61_io_ops, &port61, 0, 1, level);
}

static bool out2(void)
{
	return io_read(&port61_io_ops, &port61, 0, 1) & 0x20;
}

static void setup(void)
{
	clock_init(&clk, true);
	pit_init(&pit, &clk, probe_line(&irq));
	port61_init(&port61, &pit);
	irq.edges = 0;
}

START_TEST(test_rate_generator)
{
	program(0, 2, 1000);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_eq(irq.edges, PIT_HZ / 1000);
	/* A new count takes over at the end of the period. */
	out8(0, 0xd0);
	out8(0, 0x07); /* 2000 */
	irq.edges = 0;
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_ge(irq.edges, PIT_HZ / 2000);
	ck_assert_uint_le(irq.edges, PIT_HZ / 2000 + 1);
}
END_TEST

START_TEST(test_square_wave)
{
	program(0, 3, 0); /* 65536: 18.2 a second */
	clock_advance(&clk, 10 * NS_PER_SEC);
	ck_assert_uint_eq(irq.edges, 182);

	setup();
	gate2(true);
	program(2, 3, 5); /* odd: three high, two low */
	bool expected[] = {1, 1, 1, 0, 0, 1, 1, 1, 0, 0};
	for (unsigned t = 0; t < ARRAY_LEN(expected); t++) {
		to_tick(t);
		ck_assert_msg(out2() == expected[t], "tick %u", t);
	}
}
END_TEST

START_TEST(test_terminal_count)
{
	program(0, 0, 100);
	ck_assert(!irq.level);
	to_tick(99);
	ck_assert(!irq.level);
	to_tick(101);
	ck_assert(irq.level);
	ck_assert_uint_eq(irq.edges, 1);
	clock_advance(&clk, NS_PER_SEC); /* once only, and the counter goes on below 0 */
	ck_assert_uint_eq(irq.edges, 1);
	/* The first byte of a new count stops it and OUT falls. */
	out8(0, 10);
	ck_assert(!irq.level);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert(!irq.level);
	out8(0, 0);
	clock_advance(&clk, NS_PER_MS);
	ck_assert_uint_eq(irq.edges, 2);
}
END_TEST

START_TEST(test_gate_pauses_mode_0)
{
	gate2(true);
	program(2, 0, 1000);
	to_tick(400);
	gate2(false);
	to_tick(5000);
	ck_assert(!out2());
	ck_assert_uint_eq(in16(2), 600);
	gate2(true);
	to_tick(5599);
	ck_assert(!out2());
	to_tick(5601);
	ck_assert(out2());
}
END_TEST

START_TEST(test_one_shot)
{
	program(2, 1, 300);
	ck_assert(out2()); /* waits for its trigger */
	to_tick(1000);
	ck_assert(out2());
	gate2(true);
	ck_assert(!out2());
	to_tick(1299);
	ck_assert(!out2());
	to_tick(1301);
	ck_assert(out2());
	gate2(false);
	gate2(true); /* again */
	ck_assert(!out2());
	to_tick(1500);
	gate2(false); /* GATE low does not stop it; a retrigger starts over */
	gate2(true);
	to_tick(1790);
	ck_assert(!out2());
	to_tick(1802);
	ck_assert(out2());
}
END_TEST

START_TEST(test_gate_in_mode_2)
{
	gate2(true);
	program(2, 2, 4);
	to_tick(3);
	ck_assert(!out2());
	gate2(false);
	ck_assert(out2());
	to_tick(101);
	ck_assert(out2());
	gate2(true); /* starts a whole period */
	to_tick(103);
	ck_assert(out2());
	to_tick(104);
	ck_assert(!out2());
	to_tick(105);
	ck_assert(out2());
}
END_TEST

START_TEST(test_strobes)
{
	gate2(true);
	program(2, 4, 10);
	ck_assert(out2());
	to_tick(10);
	ck_assert(!out2());
	to_tick(11);
	ck_assert(out2());
	program(2, 5, 10);
	to_tick(40);
	ck_assert(out2());
	gate2(false);
	gate2(true);
	to_tick(50);
	ck_assert(!out2());
	to_tick(51);
	ck_assert(out2());
	/* Channel 0: an interrupt at the end of the strobe. */
	program(0, 4, 10);
	irq.edges = 0;
	to_tick(100);
	ck_assert_uint_eq(irq.edges, 1);
}
END_TEST

START_TEST(test_latch_and_access)
{
	program(0, 2, 0x1234);
	to_tick(0x34);
	out8(3, 0x00);
	to_tick(0x134);
	out8(3, 0x00); /* a second latch is ignored until the first is read */
	ck_assert_uint_eq(in16(0), 0x1200);
	ck_assert_uint_eq(in16(0), 0x1100); /* live */
	out8(3, 0x14);			    /* low byte only */
	out8(0, 0x80);
	to_tick(0x134 + 0x10);
	ck_assert_uint_eq(in8(0), 0x70);
	out8(3, 0x24); /* high byte only */
	out8(0, 0x80);
	ck_assert_uint_eq(in8(0), 0x80);
	to_tick(0x134 + 0x10 + 0x101);
	ck_assert_uint_eq(in8(0), 0x7e);
}
END_TEST

START_TEST(test_read_back)
{
	gate2(true);
	out8(3, 0xb6);
	out8(3, 0xe8); /* status of channel 2 */
	ck_assert_uint_eq(in8(2), 0x80 | 0x40 | 0x36);
	program(2, 3, 1000);
	to_tick(600);
	out8(3, 0xc8);			 /* both */
	ck_assert_uint_eq(in8(2), 0x36); /* OUT low in the second half, count loaded */
	ck_assert_uint_eq(in16(2), 800);
	program(0, 2, 100);
	out8(3, 0xd2); /* count of channel 0 only */
	ck_assert_uint_eq(in16(0), 100);
}
END_TEST

START_TEST(test_bcd)
{
	gate2(true);
	out8(3, 0xb5); /* mode 2, BCD */
	out8(2, 0x00);
	out8(2, 0x10); /* 1000 */
	to_tick(1);
	ck_assert_uint_eq(in16(2), 0x0999);
	to_tick(999);
	ck_assert(!out2());
	to_tick(1000);
	ck_assert(out2());
	out8(3, 0xb1); /* mode 0, 0 means 10000 */
	out8(2, 0);
	out8(2, 0);
	to_tick(1001);
	ck_assert_uint_eq(in16(2), 0x9999);
}
END_TEST

START_TEST(test_tiny_counts_are_capped)
{
	program(0, 2, 1);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_ge(irq.edges, 15000);
	ck_assert_uint_le(irq.edges, NS_PER_SEC / PIT_MIN_EDGE_NS + 1);
	program(0, 3, 2);
	irq.edges = 0;
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_le(irq.edges, NS_PER_SEC / PIT_MIN_EDGE_NS + 1);
}
END_TEST

/* The host was busy: one event for many periods. */
START_TEST(test_late)
{
	program(0, 2, 1193);
	clk.base += 50 * NS_PER_MS;
	clock_run(&clk);
	ck_assert_uint_eq(irq.edges, 1);
	ck_assert_uint_eq(pit.catchup.owed, 0); /* nobody acknowledges */
	ck_assert_uint_gt(clock_next(&clk), clock_now(&clk));

	pit_irq0_acked(&pit);
	clk.base += 50 * NS_PER_MS;
	clock_run(&clk);
	ck_assert_uint_ge(pit.catchup.owed, 48);
	ck_assert_uint_le(pit.catchup.owed, 50);
	clk.base += 1000 * NS_PER_SEC;
	clock_run(&clk);
	ck_assert_uint_le(pit.catchup.owed, CATCHUP_MAX);
	program(0, 2, 1193);
	ck_assert_uint_eq(pit.catchup.owed, 0);
}
END_TEST

static bool take_tick(void)
{
	static unsigned seen;
	bool pending = irq.edges != seen;

	seen = irq.edges;
	if (pending)
		pit_irq0_acked(&pit);
	return pending;
}

/* A guest that counts ticks keeps time, however unevenly it gets to run. */
START_TEST(test_no_tick_is_lost)
{
	uint64_t took, ticks;
	unsigned taken;

	program(0, 2, 1193);
	pit_irq0_acked(&pit);
	taken = count_ticks(take_tick, 20, &took);
	ticks = muldiv64(took, PIT_HZ, NS_PER_SEC * 1193);
	ck_assert_uint_eq(pit.catchup.owed, 0);
	ck_assert_int_le(llabs((long long)taken - (long long)ticks), 2);
}
END_TEST

/* Ticks of a masked line are not saved up, but one that comes while the handler masks it is not lost. */
START_TEST(test_unwanted)
{
	program(0, 2, 1193);
	pit_irq0_acked(&pit);
	clk.base += 10 * NS_PER_MS;
	clock_run(&clk);
	for (unsigned i = 1; i < CATCHUP_MASKED; i++)
		pit_irq0_unwanted(&pit);
	ck_assert_uint_ge(pit.catchup.owed, 8);
	clock_advance(&clk, NS_PER_MS);
	pit_irq0_unwanted(&pit);
	ck_assert_uint_eq(pit.catchup.owed, 0);
	pit_irq0_acked(&pit);
	clock_advance(&clk, 10 * NS_PER_MS);
	ck_assert_uint_le(irq.edges, 13);
}
END_TEST

START_TEST(test_port61)
{
	unsigned toggles = 0;
	bool last = false;

	for (unsigned i = 0; i < 1000; i++) {
		clock_advance(&clk, 1000);
		bool now = io_read(&port61_io_ops, &port61, 0, 1) & 0x10;
		toggles += now != last;
		last = now;
	}
	ck_assert_uint_ge(toggles, 65); /* every 15 us */
	ck_assert_uint_le(toggles, 67);
	io_write(&port61_io_ops, &port61, 0, 1, 0xff);
	ck_assert_uint_eq(io_read(&port61_io_ops, &port61, 0, 1) & 0xcf, 0x0f);
}
END_TEST

START_TEST(test_hostile)
{
	hammer(&pit_io_ops, &pit, 4, 100000, 20000);
	hammer(&pit_io_ops, &pit, 4, 100000, 0);
	for (unsigned i = 0; i < 20000; i++) {
		gate2(rand() & 1);
		hammer(&pit_io_ops, &pit, 4, 3, 1000);
		pit_irq0_acked(&pit);
	}
	clk.base = UINT64_MAX / 4; /* 146 years later */
	clock_run(&clk);
	hammer(&pit_io_ops, &pit, 4, 10000, 20000);
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_rate_generator,
	    test_square_wave,
	    test_terminal_count,
	    test_gate_pauses_mode_0,
	    test_one_shot,
	    test_gate_in_mode_2,
	    test_strobes,
	    test_latch_and_access,
	    test_read_back,
	    test_bcd,
	    test_tiny_counts_are_capped,
	    test_late,
	    test_no_tick_is_lost,
	    test_unwanted,
	    test_port61,
	    test_hostile,
	};

	return run_tests("pit", list, ARRAY_LEN(list), setup);
}
