/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/uart16550.h"

#include "chip_fixture.h"
#include "devices/debugcon.h"
#include "devices/parallel.h"

static struct uart uart;
static struct probe irq;
static char sent[256];
static unsigned nsent, rooms;

static void send(void *arg, uint8_t byte)
{
	if (nsent < sizeof(sent))
		sent[nsent++] = (char)byte;
}

static void room(void *arg)
{
	rooms++;
}

static void out8(unsigned reg, uint8_t v)
{
	io_write(&uart_io_ops, &uart, reg, 1, v);
}

static uint8_t in8(unsigned reg)
{
	return (uint8_t)io_read(&uart_io_ops, &uart, reg, 1);
}

static void feed(const char *text)
{
	ck_assert_uint_eq(uart_receive(&uart, (const uint8_t *)text, strlen(text)), strlen(text));
}

static void setup(void)
{
	struct uart_config cfg = {.clock = &clk, .irq = probe_line(&irq), .send = send, .room = room};

	clock_init(&clk, true);
	uart_init(&uart, &cfg);
	nsent = rooms = 0;
}

START_TEST(test_registers)
{
	ck_assert_uint_eq(in8(5), 0x60);
	ck_assert_uint_eq(in8(2), 0x01);
	ck_assert_uint_eq(in8(6), 0xb0);
	out8(7, 0xa5);
	ck_assert_uint_eq(in8(7), 0xa5);
	out8(3, 0x83);
	out8(0, 0x01);
	out8(1, 0x02);
	ck_assert_uint_eq(in8(0), 0x01);
	ck_assert_uint_eq(in8(1), 0x02);
	out8(3, 0x03);
	ck_assert_uint_eq(uart.divisor, 0x201);
	out8(1, 0xff);
	ck_assert_uint_eq(in8(1), 0x0f);
	out8(2, 0x01);
	ck_assert_uint_eq(in8(2) & 0xc0, 0xc0);
}
END_TEST

START_TEST(test_send)
{
	out8(1, 0x02); /* THRE interrupt: at once, as THR is empty */
	ck_assert(irq.level);
	ck_assert_uint_eq(in8(2), 0x02);
	ck_assert(!irq.level);
	out8(0, 'h');
	ck_assert(irq.level);
	out8(0, 'i');
	ck_assert_uint_eq(in8(2), 0x02);
	ck_assert_uint_eq(in8(2), 0x01);
	ck_assert_uint_eq(nsent, 2);
	ck_assert_mem_eq(sent, "hi", 2);
	ck_assert_uint_eq(in8(5), 0x60);
}
END_TEST

START_TEST(test_receive_without_fifo)
{
	out8(1, 0x01);
	ck_assert_uint_eq(uart_can_take(&uart), 1);
	ck_assert_uint_eq(uart_receive(&uart, (const uint8_t *)"abc", 3), 1);
	ck_assert(irq.level);
	ck_assert_uint_eq(in8(2), 0x04);
	ck_assert_uint_eq(in8(5), 0x61);
	ck_assert_uint_eq(in8(0), 'a');
	ck_assert_uint_eq(rooms, 1);
	ck_assert(!irq.level);
	ck_assert_uint_eq(in8(0), 0);
}
END_TEST

START_TEST(test_fifo_trigger_and_timeout)
{
	out8(3, 0x03);
	out8(1, 0x01);
	out8(2, 0x81); /* 8 bytes */
	feed("1234567");
	ck_assert(!irq.level);
	clock_advance(&clk, 4 * NS_PER_MS); /* 9600: four characters take 4.17 ms */
	ck_assert(!irq.level);
	clock_advance(&clk, NS_PER_MS);
	ck_assert(irq.level);
	ck_assert_uint_eq(in8(2), 0xcc);
	ck_assert_uint_eq(in8(0), '1');
	ck_assert(!irq.level);
	feed("89");
	ck_assert_uint_eq(in8(2), 0xc4);
	ck_assert_uint_eq(uart_can_take(&uart), 8);
	ck_assert_uint_eq(uart_receive(&uart, (const uint8_t *)"abcdefghijkl", 12), 8);
	ck_assert_uint_eq(uart_can_take(&uart), 0);
	for (const char *c = "23456789abcdefgh"; *c; c++)
		ck_assert_uint_eq(in8(0), (uint8_t)*c);
	ck_assert_uint_eq(in8(5) & 1, 0);
	feed("xy");
	rooms = 0;
	out8(2, 0x83); /* clear */
	ck_assert_uint_eq(in8(5) & 1, 0);
	ck_assert_uint_eq(rooms, 1);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert(!irq.level);
}
END_TEST

START_TEST(test_loopback)
{
	out8(2, 0x01);
	out8(4, 0x1f);
	ck_assert_uint_eq(in8(6),
			  0xf0); /* DTR, RTS, OUT1, OUT2; nothing differs but RI, whose leading edge does not count */
	out8(4, 0x10);
	ck_assert_uint_eq(in8(6), 0x0f);
	ck_assert_uint_eq(in8(6), 0x00);
	out8(0, 'x');
	ck_assert_uint_eq(nsent, 0);
	ck_assert_uint_eq(in8(0), 'x');
	ck_assert_uint_eq(uart_receive(&uart, (const uint8_t *)"a", 1), 0);
	for (unsigned i = 0; i < 17; i++)
		out8(0, (uint8_t)i);
	ck_assert_uint_eq(in8(5) & 0x02, 0x02); /* overrun, once */
	ck_assert_uint_eq(in8(5) & 0x02, 0);
	rooms = 0;
	in8(0);
	ck_assert_uint_eq(rooms, 0); /* no room in loopback */
	out8(4, 0);
	ck_assert_uint_eq(rooms, 1);
}
END_TEST

START_TEST(test_line_and_modem_status)
{
	out8(1, 0x0c);
	uart_break(&uart);
	ck_assert_uint_eq(in8(2), 0x06);
	ck_assert_uint_eq(in8(5), 0x71);
	ck_assert(!irq.level);
	uart_set_modem(&uart, 0x30); /* the carrier goes */
	ck_assert(irq.level);
	ck_assert_uint_eq(in8(2), 0x00);
	ck_assert_uint_eq(in8(6), 0x38);
	ck_assert(!irq.level);
	uart_reset(&uart);
	ck_assert_uint_eq(in8(5), 0x60);
}
END_TEST

START_TEST(test_hostile)
{
	hammer(&uart_io_ops, &uart, 8, 50000, NS_PER_MS);
	for (unsigned i = 0; i < 50000; i++) {
		hammer(&uart_io_ops, &uart, 8, 2, 0);
		uart_receive(&uart, (const uint8_t *)"0123456789abcdef0123", (size_t)rand() % 20);
		ck_assert_uint_le(uart.rx_count, UART_FIFO);
		if (rand() % 8 == 0)
			uart_break(&uart);
	}
}
END_TEST

START_TEST(test_debugcon)
{
	struct debugcon dev;

	debugcon_init(&dev, send, NULL);
	io_write(&debugcon_io_ops, &dev, 0, 1, 'D');
	io_write(&debugcon_io_ops, &dev, 0, 2, 'a' | 'b' << 8);
	ck_assert_uint_eq(nsent, 3);
	ck_assert_mem_eq(sent, "Dab", 3);
	ck_assert_uint_eq(io_read(&debugcon_io_ops, &dev, 0, 1), 0xe9);
	debugcon_init(&dev, NULL, NULL);
	io_write(&debugcon_io_ops, &dev, 0, 1, 'x');
}
END_TEST

START_TEST(test_parallel)
{
	struct parallel dev;

	parallel_init(&dev, probe_line(&irq), send, NULL);
	ck_assert_uint_eq(io_read(&parallel_io_ops, &dev, 1, 1), 0xdf);
	io_write(&parallel_io_ops, &dev, 0, 1, 'P');
	ck_assert_uint_eq(nsent, 0);
	io_write(&parallel_io_ops, &dev, 2, 1, 0x1d);
	io_write(&parallel_io_ops, &dev, 2, 1, 0x1c);
	ck_assert_uint_eq(nsent, 1);
	ck_assert(irq.level);
	ck_assert_uint_eq(io_read(&parallel_io_ops, &dev, 1, 1), 0x9f);
	ck_assert_uint_eq(io_read(&parallel_io_ops, &dev, 1, 1), 0xdf);
	ck_assert(!irq.level);
	ck_assert_uint_eq(io_read(&parallel_io_ops, &dev, 0, 1), 'P');
	ck_assert_uint_eq(io_read(&parallel_io_ops, &dev, 2, 1), 0xdc);
	hammer(&parallel_io_ops, &dev, 4, 10000, 0);
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_registers,
	    test_send,
	    test_receive_without_fifo,
	    test_fifo_trigger_and_timeout,
	    test_loopback,
	    test_line_and_modem_status,
	    test_hostile,
	    test_debugcon,
	    test_parallel,
	};

	return run_tests("uart", list, ARRAY_LEN(list), setup);
}
