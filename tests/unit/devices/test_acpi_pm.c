/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/acpi_pm.h"

#include "chip_fixture.h"

static struct acpi_pm pm;
static struct probe sci, smi;
static unsigned offs, suspends, wakes;

static void power_off(void *arg)
{
	offs++;
}

static void suspend(void *arg)
{
	suspends++;
}

static void wake(void *arg)
{
	wakes++;
}

static void out16(unsigned reg, uint16_t v)
{
	io_write(&acpi_pm_io_ops, &pm, reg, 2, v);
}

static uint16_t in16(unsigned reg)
{
	return (uint16_t)io_read(&acpi_pm_io_ops, &pm, reg, 2);
}

static void smi_command(uint8_t v)
{
	io_write(&acpi_smi_io_ops, &pm, 0, 1, v);
}

static void setup(void)
{
	struct acpi_pm_config cfg = {
	    .clock = &clk,
	    .sci = probe_line(&sci),
	    .smi = probe_line(&smi),
	    .power_off = power_off,
	    .suspend = suspend,
	    .wake = wake,
	};

	clock_init(&clk, true);
	acpi_pm_init(&pm, &cfg);
	offs = suspends = wakes = 0;
}

START_TEST(test_timer)
{
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_eq(io_read(&acpi_pm_io_ops, &pm, 8, 4), ACPI_PM_TIMER_HZ);
	ck_assert_uint_eq(in16(8) | in16(10) << 16, ACPI_PM_TIMER_HZ);
	clock_advance(&clk, 4 * NS_PER_SEC); /* 24 bits: wraps after 4.69 s */
	ck_assert_uint_eq(acpi_pm_timer(&pm), 5 * ACPI_PM_TIMER_HZ - (1u << 24));
}
END_TEST

START_TEST(test_timer_overflow)
{
	smi_command(ACPI_SMI_ENABLE);
	out16(2, 1);
	clock_advance(&clk, 2343 * NS_PER_MS);
	ck_assert(!sci.level);
	clock_advance(&clk, NS_PER_MS); /* bit 23 changes after 2.3435 s */
	ck_assert(sci.level);
	ck_assert_uint_eq(in16(0), 1);
	out16(0, 1);
	ck_assert(!sci.level);
	clock_advance(&clk, 2344 * NS_PER_MS);
	ck_assert(sci.level);
	out16(2, 0);
	ck_assert(!sci.level);
	out16(0, 1);
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
	clock_advance(&clk, 3 * NS_PER_SEC);
	ck_assert_uint_eq(in16(0), 1); /* the flag comes without its interrupt too */
}
END_TEST

START_TEST(test_sci_and_power_button)
{
	acpi_pm_power_button(&pm);
	out16(2, 0x0100);
	ck_assert(!sci.level); /* SCI_EN is off */
	out16(4, 1);
	ck_assert_uint_eq(in16(4), 1);
	ck_assert(sci.level);
	out16(4, 0);
	ck_assert(!sci.level);
	smi_command(ACPI_SMI_ENABLE);
	ck_assert_uint_eq(in16(4), 1);
	ck_assert(sci.level);
	out16(0, 0x0100);
	ck_assert(!sci.level);
	acpi_pm_power_button(&pm);
	ck_assert(sci.level);
	smi_command(ACPI_SMI_DISABLE);
	ck_assert(!sci.level);
	ck_assert_uint_eq(io_read(&acpi_smi_io_ops, &pm, 0, 1), ACPI_SMI_DISABLE);
	io_write(&acpi_smi_io_ops, &pm, 1, 1, 0x42);
	ck_assert_uint_eq(io_read(&acpi_smi_io_ops, &pm, 1, 1), 0x42);
	ck_assert(!smi.level);
	pm.smi_on_apmc = true;
	smi_command(0x10);
	ck_assert(smi.level);
}
END_TEST

START_TEST(test_sleep)
{
	out16(4, 0x0000);
	ck_assert_uint_eq(offs, 0);
	out16(4, 0x2000); /* S5 */
	ck_assert_uint_eq(offs, 1);
	ck_assert_uint_eq(in16(4), 0); /* SLP_EN reads 0 */
	out16(4, 0x2400);
	ck_assert_uint_eq(suspends, 1);
	ck_assert_uint_eq(wakes, 0);
	acpi_pm_power_button(&pm);
	ck_assert_uint_eq(wakes, 1);
	acpi_pm_wake(&pm);
	ck_assert_uint_eq(in16(0), 0x8100);
	ck_assert_uint_eq(in16(4), 0);
	acpi_pm_power_button(&pm);
	ck_assert_uint_eq(wakes, 1);		    /* awake by now */
	io_write(&acpi_pm_io_ops, &pm, 5, 1, 0x28); /* S4, by bytes */
	ck_assert_uint_eq(offs, 2);
	out16(4, 0x3c00); /* nothing */
	ck_assert_uint_eq(offs + suspends, 3);
	io_write(&acpi_pm_io_ops, &pm, 4, 4, 0x2000);
	ck_assert_uint_eq(offs, 3);
}
END_TEST

/* Only what is enabled wakes, also if it is pending as the machine falls asleep. */
START_TEST(test_wake)
{
	out16(4, 0x2400);
	acpi_pm_rtc_alarm(&pm);
	acpi_pm_gpe(&pm, 3);
	ck_assert_uint_eq(wakes, 0);
	acpi_pm_wake(&pm);
	ck_assert_uint_eq(in16(0), 0x8400);
	out16(2, 0x0400); /* RTC_EN */
	ck_assert_uint_eq(wakes, 0);
	out16(4, 0x2400);
	ck_assert_uint_eq(wakes, 1);
	acpi_pm_wake(&pm);
	out16(0, 0xffff);
	out16(2, 0x0401); /* the PM timer's carry is none of the causes */
	out16(4, 0x2400);
	clock_advance(&clk, 10 * NS_PER_SEC);
	ck_assert_uint_eq(in16(0) & 1, 1);
	ck_assert_uint_eq(wakes, 1);
	acpi_pm_rtc_alarm(&pm);
	ck_assert_uint_eq(wakes, 2);
}
END_TEST

/* The guest finds the machine in ACPI mode, as it left it, with no event enabled. */
START_TEST(test_mode_after_wake)
{
	smi_command(ACPI_SMI_ENABLE);
	out16(2, 0x0100);
	out16(4, 0x2401);
	acpi_pm_power_button(&pm);
	ck_assert(wakes);
	acpi_pm_wake(&pm);
	ck_assert_uint_eq(in16(4), 1);
	ck_assert_uint_eq(in16(2), 0);
	ck_assert_uint_eq(in16(0), 0x8100);
	ck_assert(!sci.level);
	out16(2, 0x0100);
	ck_assert(sci.level);
	out16(4, 0x2400); /* not left in ACPI mode */
	acpi_pm_wake(&pm);
	ck_assert_uint_eq(in16(4), 0);
}
END_TEST

START_TEST(test_gpe)
{
	smi_command(ACPI_SMI_ENABLE);
	acpi_pm_gpe(&pm, 9);
	ck_assert(!sci.level);
	io_write(&acpi_gpe_io_ops, &pm, 3, 1, 0x02);
	ck_assert(sci.level);
	ck_assert_uint_eq(io_read(&acpi_gpe_io_ops, &pm, 0, 4), 0x02000200);
	io_write(&acpi_gpe_io_ops, &pm, 1, 1, 0x02);
	ck_assert(!sci.level);
	acpi_pm_gpe(&pm, 9);
	acpi_pm_reset(&pm);
	ck_assert(!sci.level);
	ck_assert_uint_eq(io_read(&acpi_gpe_io_ops, &pm, 0, 4), 0);
}
END_TEST

START_TEST(test_hostile)
{
	hammer(&acpi_pm_io_ops, &pm, ACPI_PM_LEN, 50000, 10 * NS_PER_MS);
	hammer(&acpi_gpe_io_ops, &pm, ACPI_GPE_LEN, 10000, 0);
	for (unsigned i = 0; i < 50000; i++) {
		io_write(&acpi_pm_io_ops, &pm, (unsigned)rand() % 80, 4, (unsigned)rand());
		io_read(&acpi_pm_io_ops, &pm, (unsigned)rand() % 80, 4);
		smi_command((uint8_t)rand());
		acpi_pm_gpe(&pm, (unsigned)rand());
	}
	clk.base += 1000000 * NS_PER_SEC;
	clock_run(&clk);
	ck_assert(clock_next(&clk) > clock_now(&clk));
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_timer, test_timer_overflow, test_sci_and_power_button, test_sleep, test_wake, test_mode_after_wake,
	    test_gpe,	test_hostile,
	};

	return run_tests("acpi_pm", list, ARRAY_LEN(list), setup);
}
