/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/rtc.h"

#include <time.h>

#include "chip_fixture.h"
#include "ticks.h"

static struct rtc rtc;
static struct probe irq;

#define EPOCH 1709164798 /* 2024-02-28 23:59:58 UTC, a Wednesday */

static void out(unsigned reg, uint8_t v)
{
	io_write(&rtc_io_ops, &rtc, 0, 1, reg);
	io_write(&rtc_io_ops, &rtc, 1, 1, v);
}

static uint8_t in(unsigned reg)
{
	io_write(&rtc_io_ops, &rtc, 0, 1, reg);
	return (uint8_t)io_read(&rtc_io_ops, &rtc, 1, 1);
}

static void setup(void)
{
	clock_init(&clk, true);
	rtc_init(&rtc, &clk, probe_line(&irq), EPOCH);
}

static void seconds(uint64_t n)
{
	clock_advance(&clk, n * NS_PER_SEC);
}

START_TEST(test_time_of_day)
{
	ck_assert_uint_eq(in(RTC_SECONDS), 0x58);
	ck_assert_uint_eq(in(RTC_MINUTES), 0x59);
	ck_assert_uint_eq(in(RTC_HOURS), 0x23);
	ck_assert_uint_eq(in(RTC_DAY_OF_WEEK), 4);
	ck_assert_uint_eq(in(RTC_DAY_OF_MONTH), 0x28);
	ck_assert_uint_eq(in(RTC_MONTH), 0x02);
	ck_assert_uint_eq(in(RTC_YEAR), 0x24);
	ck_assert_uint_eq(in(RTC_CENTURY), 0x20);
	seconds(2);
	ck_assert_uint_eq(in(RTC_DAY_OF_MONTH), 0x29); /* a leap year */
	ck_assert_uint_eq(in(RTC_HOURS), 0);
	seconds(86400);
	ck_assert_uint_eq(in(RTC_MONTH), 0x03);
	ck_assert_uint_eq(in(RTC_DAY_OF_MONTH), 0x01);
	ck_assert_uint_eq(in(RTC_DAY_OF_WEEK), 6);
}
END_TEST

/* The calendar against the host's, over four centuries. */
START_TEST(test_calendar)
{
	out(RTC_REG_B, 0x06);
	for (unsigned i = 0; i < 4000; i++) {
		time_t t = (time_t)(rtc.epoch + (int64_t)(clock_now(&clk) / NS_PER_SEC));
		struct tm tm;
		gmtime_r(&t, &tm);
		ck_assert_uint_eq(in(RTC_SECONDS), (unsigned)tm.tm_sec);
		ck_assert_uint_eq(in(RTC_HOURS), (unsigned)tm.tm_hour);
		ck_assert_uint_eq(in(RTC_DAY_OF_MONTH), (unsigned)tm.tm_mday);
		ck_assert_uint_eq(in(RTC_MONTH), (unsigned)tm.tm_mon + 1);
		ck_assert_uint_eq(in(RTC_YEAR) + in(RTC_CENTURY)*100u, (unsigned)tm.tm_year + 1900);
		ck_assert_uint_eq(in(RTC_DAY_OF_WEEK), (unsigned)tm.tm_wday + 1);
		seconds(3000017);
	}
}
END_TEST

START_TEST(test_formats)
{
	out(RTC_REG_B, 0x00); /* 12 hours, BCD */
	ck_assert_uint_eq(in(RTC_HOURS), 0x91);
	seconds(2);
	ck_assert_uint_eq(in(RTC_HOURS), 0x12);
	out(RTC_REG_B, 0x04); /* binary */
	ck_assert_uint_eq(in(RTC_HOURS), 12);
	seconds(12 * 3600);
	ck_assert_uint_eq(in(RTC_HOURS), 0x80 | 12);
	out(RTC_REG_B, 0x06);
	ck_assert_uint_eq(in(RTC_HOURS), 12);
	ck_assert_uint_eq(in(RTC_YEAR), 24);
}
END_TEST

START_TEST(test_set_time)
{
	out(RTC_REG_B, 0x82);
	out(RTC_SECONDS, 0x30);
	out(RTC_MINUTES, 0x45);
	out(RTC_HOURS, 0x12);
	out(RTC_DAY_OF_WEEK, 0x02);
	out(RTC_DAY_OF_MONTH, 0x31);
	out(RTC_MONTH, 0x12);
	out(RTC_YEAR, 0x99);
	out(RTC_CENTURY, 0x19);
	seconds(100); /* stands still */
	ck_assert_uint_eq(in(RTC_SECONDS), 0x30);
	ck_assert(!(in(RTC_REG_A)&0x80));
	out(RTC_REG_B, 0x02);
	seconds(1);
	ck_assert_uint_eq(in(RTC_SECONDS), 0x31);
	ck_assert_uint_eq(in(RTC_DAY_OF_WEEK), 2); /* the guest's own opinion */
	seconds(11 * 3600 + 15 * 60);
	ck_assert_uint_eq(in(RTC_YEAR), 0x00);
	ck_assert_uint_eq(in(RTC_CENTURY), 0x20);
	ck_assert_uint_eq(in(RTC_DAY_OF_WEEK), 3);
	out(RTC_MINUTES, 0x10); /* while it runs */
	ck_assert_uint_eq(in(RTC_MINUTES), 0x10);
	/* The divider held in reset stops it too; the first update comes half a second after. */
	out(RTC_REG_A, 0x70);
	uint8_t s = in(RTC_SECONDS);
	seconds(5);
	ck_assert_uint_eq(in(RTC_SECONDS), s);
	out(RTC_REG_A, 0x26);
	clock_advance(&clk, 499 * NS_PER_MS);
	ck_assert_uint_eq(in(RTC_SECONDS), s);
	clock_advance(&clk, 2 * NS_PER_MS);
	ck_assert_uint_ne(in(RTC_SECONDS), s);
}
END_TEST

START_TEST(test_uip)
{
	unsigned set = 0;

	for (unsigned i = 0; i < 10000; i++) { /* one second */
		clock_advance(&clk, 100 * NS_PER_US);
		set += in(RTC_REG_A) >> 7;
	}
	ck_assert_uint_ge(set, 21);
	ck_assert_uint_le(set, 23);
}
END_TEST

START_TEST(test_update_interrupt)
{
	out(RTC_REG_B, 0x12);
	clock_advance(&clk, NS_PER_SEC - 1);
	ck_assert(!irq.level);
	clock_advance(&clk, 1);
	ck_assert(irq.level);
	ck_assert_uint_eq(in(RTC_REG_C)&0xbf, 0x90); /* the periodic flag comes and goes unasked */
	ck_assert(!irq.level);
	ck_assert_uint_eq(in(RTC_REG_C), 0);
	seconds(10); /* unread: one interrupt */
	ck_assert_uint_eq(irq.edges, 2);
	/* Without the interrupt, the flag comes all the same. */
	in(RTC_REG_C);
	out(RTC_REG_B, 0x02);
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
	seconds(1);
	ck_assert_uint_eq(in(RTC_REG_C)&0xbf, 0x10);
}
END_TEST

START_TEST(test_alarm)
{
	out(RTC_HOURS_ALARM, 0x00);
	out(RTC_MINUTES_ALARM, 0x00);
	out(RTC_SECONDS_ALARM, 0x05);
	out(RTC_REG_B, 0x22);
	seconds(6);
	ck_assert(!irq.level);
	seconds(1);
	ck_assert(irq.level);
	ck_assert_uint_eq(in(RTC_REG_C)&0xbf, 0xb0);
	seconds(86399);
	ck_assert(!irq.level);
	seconds(1);
	ck_assert(irq.level);
	in(RTC_REG_C);
	out(RTC_SECONDS_ALARM, 0xff); /* every second of 00:00 */
	irq.edges = 0;
	seconds(2);
	ck_assert_uint_eq(irq.edges, 1);
	in(RTC_REG_C);
	out(RTC_MINUTES_ALARM, 0x75); /* never */
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
	out(RTC_MINUTES_ALARM, 0xc0);
	out(RTC_SECONDS_ALARM, 0x30);
	out(RTC_HOURS_ALARM, 0xc0);
	irq.edges = 0;
	for (unsigned i = 0; i < 3600; i++) {
		seconds(1);
		in(RTC_REG_C);
	}
	ck_assert_uint_eq(irq.edges, 60);
}
END_TEST

START_TEST(test_periodic)
{
	unsigned count = 0;

	out(RTC_REG_A, 0x26); /* 1024 Hz */
	out(RTC_REG_B, 0x42);
	for (unsigned i = 0; i < 10000; i++) {
		clock_advance(&clk, 100 * NS_PER_US);
		count += irq.level;
		if (irq.level)
			ck_assert_uint_eq(in(RTC_REG_C)&0xc0, 0xc0);
	}
	ck_assert_uint_ge(count, 1023);
	ck_assert_uint_le(count, 1024);
	/* Late: one interrupt, and the next in the future. */
	in(RTC_REG_C);
	irq.edges = 0;
	clk.base += NS_PER_SEC;
	clock_run(&clk);
	ck_assert_uint_eq(irq.edges, 1);
	ck_assert_uint_gt(clock_next(&clk), clock_now(&clk));
	/* Polled. */
	out(RTC_REG_B, 0x02);
	in(RTC_REG_C);
	clock_advance(&clk, NS_PER_MS);
	ck_assert_uint_eq(in(RTC_REG_C)&0xc0, 0x40);
	out(RTC_REG_A, 0x20); /* off */
	clock_advance(&clk, 3 * NS_PER_MS);
	ck_assert_uint_eq(in(RTC_REG_C)&0x40, 0);
}
END_TEST

static bool take_tick(void)
{
	bool pending = irq.level;

	if (pending)
		in(RTC_REG_C);
	return pending;
}

/* Windows keeps time by these. */
START_TEST(test_no_tick_is_lost)
{
	uint64_t took;
	unsigned taken;

	out(RTC_REG_A, 0x26); /* 1024 Hz */
	out(RTC_REG_B, 0x42);
	clock_advance(&clk, NS_PER_MS);
	take_tick();
	taken = count_ticks(take_tick, 20, &took);
	ck_assert_uint_eq(rtc.catchup.owed, 0);
	ck_assert_int_le(llabs((long long)taken - (long long)muldiv64(took, 1024, NS_PER_SEC)), 2);
}
END_TEST

START_TEST(test_cmos_setup)
{
	struct rtc_pc_setup setup = {
	    .ram_below_4g = 3 * GiB, .ram_above_4g = 5 * GiB, .boot = "dca", .floppies = 1, .cpus = 4};

	rtc_cmos_setup_pc(&rtc, &setup);
	ck_assert_uint_eq(in(0x15) | in(0x16) << 8, 640);
	ck_assert_uint_eq(in(0x17) | in(0x18) << 8, 0xffff);
	ck_assert_uint_eq(in(0x30) | in(0x31) << 8, 0xffff);
	ck_assert_uint_eq(in(0x34) | in(0x35) << 8, (3 * GiB - 16 * MiB) / (64 * KiB));
	ck_assert_uint_eq(in(0x5b) | in(0x5c) << 8 | in(0x5d) << 16, 5 * GiB / (64 * KiB));
	ck_assert_uint_eq(in(0x3d), 0x23);
	ck_assert_uint_eq(in(0x38), 0x11);
	ck_assert_uint_eq(in(0x10), 0x40);
	ck_assert_uint_eq(in(0x14), 0x07);
	ck_assert_uint_eq(in(0x5f), 3);
	rtc_cmos_set_disk(&rtc, 0, RTC_DISK_LBA);
	rtc_cmos_set_disk(&rtc, 3, RTC_DISK_RECHS);
	ck_assert_uint_eq(in(0x39), 0xc1);

	setup = (struct rtc_pc_setup){.ram_below_4g = 512 * KiB};
	rtc_cmos_setup_pc(&rtc, &setup);
	ck_assert_uint_eq(in(0x15) | in(0x16) << 8, 512);
	ck_assert_uint_eq(in(0x17) | in(0x18) << 8, 0);
	ck_assert_uint_eq(in(0x34) | in(0x35) << 8, 0);

	rtc_cmos_set(&rtc, 0x50, 0xa5);
	rtc_cmos_set(&rtc, 0x1000, 1);
	rtc_cmos_set(&rtc, RTC_SECONDS, 1); /* not by this way */
	ck_assert_uint_eq(in(0x50), 0xa5);
	ck_assert_uint_eq(rtc_cmos_get(&rtc, 0x1000), 0);
	ck_assert_uint_eq(in(RTC_SECONDS), 0x58);
}
END_TEST

START_TEST(test_reset_and_nmi)
{
	out(RTC_REG_B, 0x72);
	seconds(1);
	ck_assert(irq.level);
	rtc_reset(&rtc);
	ck_assert(!irq.level);
	ck_assert_uint_eq(in(RTC_REG_B), 0x02);
	ck_assert_uint_eq(in(RTC_SECONDS), 0x59);
	ck_assert_uint_eq(in(RTC_REG_D), 0x80);
	out(RTC_REG_D, 0);
	ck_assert_uint_eq(in(RTC_REG_D), 0x80);
	io_write(&rtc_io_ops, &rtc, 0, 1, 0x80 | 0x0d);
	ck_assert(rtc_nmi_masked(&rtc));
	ck_assert_uint_eq(io_read(&rtc_io_ops, &rtc, 1, 1), 0x80);
	in(0);
	ck_assert(!rtc_nmi_masked(&rtc));
}
END_TEST

START_TEST(test_hostile)
{
	srand(3);
	for (unsigned i = 0; i < 50000; i++) {
		if (rand() & 1)
			out((unsigned)rand() % (rand() % 4 ? 0x0e : 0x80), (uint8_t)rand());
		else
			in((unsigned)rand() % 0x80);
		clock_advance(&clk, (uint64_t)rand() % (rand() % 100 ? NS_PER_MS : NS_PER_SEC));
	}
	rtc_init(&rtc, &clk, (struct irq_line){0}, INT64_MIN);
	hammer(&rtc_io_ops, &rtc, 2, 1000, NS_PER_SEC);
	rtc_init(&rtc, &clk, (struct irq_line){0}, INT64_MAX);
	hammer(&rtc_io_ops, &rtc, 2, 1000, NS_PER_SEC);
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_time_of_day,	   test_calendar, test_formats,	 test_set_time,	       test_uip,
	    test_update_interrupt, test_alarm,	  test_periodic, test_no_tick_is_lost, test_cmos_setup,
	    test_reset_and_nmi,	   test_hostile,
	};

	return run_tests("rtc", list, ARRAY_LEN(list), setup);
}
