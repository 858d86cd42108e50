/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices of test suites: pc-testdev and debug-exit. */
#include "devices/debug_exit.h"
#include "devices/pc_testdev.h"

#include "chip_fixture.h"

static struct pc_testdev dev;
static struct debug_exit dexit;
static uint32_t levels, written;
static unsigned writes;
static uint64_t flushed;

static void irq(void *arg, unsigned n, bool level)
{
	levels = (uint32_t)((levels & ~BIT(n)) | (level ? BIT(n) : 0));
}

static void flush(void *arg, uint64_t gpa)
{
	flushed = gpa;
}

static void exit_written(void *arg, uint32_t value)
{
	written = value;
	writes++;
}

static void setup(void)
{
	pc_testdev_init(&dev, &(struct pc_testdev_config){.irq = irq, .flush = flush});
	debug_exit_init(&dexit, exit_written, NULL);
	levels = writes = 0;
	flushed = 1;
}

START_TEST(test_one_register_of_two_widths)
{
	io_write(&pc_testdev_data_ops, &dev, 0, 4, 0x11223344);
	ck_assert_uint_eq(io_read(&pc_testdev_data_ops, &dev, 0, 4), 0x11223344);
	ck_assert_uint_eq(io_read(&pc_testdev_bytes_ops, &dev, 0, 4), 0x11223344);
	ck_assert_uint_eq(io_read(&pc_testdev_data_ops, &dev, 1, 1), 0x33);
	io_write(&pc_testdev_bytes_ops, &dev, 1, 2, 0xaabb);
	ck_assert_uint_eq(io_read(&pc_testdev_data_ops, &dev, 0, 4), 0x11aabb44);
	io_write(&pc_testdev_data_ops, &dev, 2, 2, 0xccdd);
	ck_assert_uint_eq(io_read(&pc_testdev_data_ops, &dev, 0, 4), 0xccddbb44);
	/* Beyond the register's end: nothing. */
	io_write(&pc_testdev_data_ops, &dev, 3, 4, 0x99887766);
	ck_assert_uint_eq(io_read(&pc_testdev_data_ops, &dev, 0, 4), 0x66ddbb44);
	ck_assert_uint_eq(io_read(&pc_testdev_data_ops, &dev, 3, 4), 0x66);
}
END_TEST

START_TEST(test_lines)
{
	io_write(&pc_testdev_irq_ops, &dev, 5, 1, 1);
	io_write(&pc_testdev_irq_ops, &dev, 23, 1, 0x80);
	ck_assert_uint_eq(levels, BIT(5) | BIT(23));
	io_write(&pc_testdev_irq_ops, &dev, 5, 1, 0);
	ck_assert_uint_eq(levels, BIT(23));
	pc_testdev_reset(&dev);
	ck_assert_uint_eq(levels, 0);
}
END_TEST

START_TEST(test_memory)
{
	io_write(&pc_testdev_memory_ops, &dev, 0xfff8, 8, 0x1122334455667788);
	ck_assert_uint_eq(io_read(&pc_testdev_memory_ops, &dev, 0xfff8, 8), 0x1122334455667788);
	ck_assert_uint_eq(io_read(&pc_testdev_memory_ops, &dev, 0xfffe, 2), 0x1122);
	ck_assert_uint_eq(io_read(&pc_testdev_memory_ops, &dev, 0, 4), 0);
	io_write(&pc_testdev_memory_ops, &dev, 0xfffd, 4, 0xffffffff); /* the last byte is outside */
	ck_assert_uint_eq(io_read(&pc_testdev_memory_ops, &dev, 0xfff8, 8), 0xffffff4455667788);
}
END_TEST

START_TEST(test_flush_takes_a_page)
{
	io_write(&pc_testdev_flush_ops, &dev, 0, 4, 0x345678);
	ck_assert_uint_eq(flushed, 0x345000);
}
END_TEST

START_TEST(test_debug_exit)
{
	io_write(&debug_exit_io_ops, &dexit, 0, 4, 77 >> 1);
	ck_assert_uint_eq(writes, 1);
	ck_assert_uint_eq(written, 38);
	ck_assert_int_eq(debug_exit_status(0), 1);
	ck_assert_int_eq(debug_exit_status(1), 3);
	ck_assert_int_eq(debug_exit_status(38), 77);
	ck_assert_int_eq(debug_exit_status(0xffffffff), 255);
}
END_TEST

START_TEST(test_random)
{
	hammer(&pc_testdev_data_ops, &dev, PC_TESTDEV_PORTS, 10000, 0);
	hammer(&pc_testdev_bytes_ops, &dev, PC_TESTDEV_PORTS, 10000, 0);
	hammer(&pc_testdev_irq_ops, &dev, PC_TESTDEV_IRQS, 10000, 0);
	hammer(&pc_testdev_memory_ops, &dev, PC_TESTDEV_LEN, 10000, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {test_one_register_of_two_widths, test_lines,	  test_memory,
				test_flush_takes_a_page,	 test_debug_exit, test_random};

	return run_tests("pc-testdev", tests, ARRAY_LEN(tests), setup);
}
