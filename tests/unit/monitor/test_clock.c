/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual clock that counts: time by a counter, as under lockstep. */
#include "../run_suite.h"
#include "clock.h"

enum { NS = 10 };

static struct clock clk;
static uint64_t counter;
static unsigned fired;

static void fire(void *arg)
{
	fired++;
}

static void begin(struct timer *t)
{
	counter = 1000;
	fired = 0;
	clock_init(&clk, false);
	clock_count(&clk, &counter, NS);
	timer_init(t, &clk, fire, NULL);
}

START_TEST(passes_by_the_counter)
{
	struct timer t;

	begin(&t);
	ck_assert_uint_eq(clock_now(&clk), 0);
	counter += 5; /* not running yet */
	ck_assert_uint_eq(clock_now(&clk), 0);
	clock_start(&clk);
	counter += 7;
	ck_assert_uint_eq(clock_now(&clk), 7 * NS);
	clock_skip(&clk, 3);
	ck_assert_uint_eq(clock_now(&clk), 7 * NS + 3);
	clock_stop(&clk);
	counter += 100;
	ck_assert_uint_eq(clock_now(&clk), 7 * NS + 3);
	clock_start(&clk);
	counter++;
	ck_assert_uint_eq(clock_now(&clk), 8 * NS + 3);
}
END_TEST

START_TEST(says_when_a_deadline_comes)
{
	struct timer t;

	begin(&t);
	clock_start(&clk);
	ck_assert_uint_eq(clock_next_count(&clk), UINT64_MAX);
	timer_arm(&t, 41); /* between two counts: at the later one */
	ck_assert_uint_eq(clock_next_count(&clk), 1005);
	timer_arm(&t, 40);
	ck_assert_uint_eq(clock_next_count(&clk), 1004);
	counter = 1003;
	clock_run(&clk);
	ck_assert_uint_eq(fired, 0);
	counter = clock_next_count(&clk);
	clock_run(&clk);
	ck_assert_uint_eq(fired, 1);
	timer_arm(&t, 1); /* has passed */
	ck_assert_uint_eq(clock_next_count(&clk), counter);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clock");
	TCase *c = tcase_create("counting");

	tcase_add_test(c, passes_by_the_counter);
	tcase_add_test(c, says_when_a_deadline_comes);
	suite_add_tcase(s, c);
	return run_suite(s);
}
