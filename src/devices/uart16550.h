/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A serial port. National Semiconductor PC16550D data sheet.
 *
 * Wiring: bus_add 0x3f8 / 0x2f8 / 0x3e8 / 0x2e8 len 8 with uart_io_ops; interrupts 4, 3, 4, 3.
 *
 * Sending takes no time: a byte goes to `send` as it is written. Receiving is flow controlled by whoever feeds the
 * port.
 */
#ifndef GNOMON_UART16550_H
#define GNOMON_UART16550_H

#include "../clock.h"
#include "../io.h"

enum { UART_FIFO = 16 };

struct uart_config {
	struct clock *clock;
	struct irq_line irq;
	void (*send)(void *arg, uint8_t byte); /* NULL: dropped */
	void (*room)(void *arg);	       /* uart_can_take() has become larger; may be NULL */
	void *arg;
};

struct uart {
	struct uart_config cfg;
	struct timer timeout; /* character timeout of the receive FIFO */
	uint8_t rx[UART_FIFO];
	uint8_t rx_head, rx_count;
	uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
	uint8_t modem_in; /* CTS, DSR, RI, DCD as driven from outside, in MSR's bits 4-7 */
	uint16_t divisor;
	bool thre_irq;	/* THRE interrupt pending */
	bool timed_out; /* character timeout pending */
	bool out;	/* level of the interrupt line */
};

void uart_init(struct uart *uart, const struct uart_config *cfg);
void uart_reset(struct uart *uart);

/* Bytes that uart_receive would take now. 0 in loopback. */
unsigned uart_can_take(const struct uart *uart);

/* Gives received bytes to the port: how many it took. */
size_t uart_receive(struct uart *uart, const uint8_t *buf, size_t len);

/* A break condition was received. */
void uart_break(struct uart *uart);

/* Modem status inputs, in MSR's bits 4-7 (CTS, DSR, RI, DCD). After init: CTS, DSR and DCD. */
void uart_set_modem(struct uart *uart, uint8_t lines);

uint64_t uart_read(void *uart, uint64_t offset, unsigned size);
void uart_write(void *uart, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops uart_io_ops;

#endif
