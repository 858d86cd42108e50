/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uart16550.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum {
	REG_DATA = 0, /* RBR, THR; divisor latch low */
	REG_IER  = 1, /* divisor latch high */
	REG_IIR  = 2, /* write: FCR */
	REG_LCR  = 3,
	REG_MCR  = 4,
	REG_LSR  = 5,
	REG_MSR  = 6,
	REG_SCR  = 7,

	IER_RDA      = 0x01,
	IER_THRE     = 0x02,
	IER_RLS      = 0x04,
	IER_MSI      = 0x08,

	IIR_MSI      = 0x00,
	IIR_NONE     = 0x01,
	IIR_THRE     = 0x02,
	IIR_RDA      = 0x04,
	IIR_RLS      = 0x06,
	IIR_TIMEOUT  = 0x0c,
	IIR_FIFO     = 0xc0,

	FCR_ENABLE   = 0x01,
	FCR_CLEAR_RX = 0x02,

	LCR_BITS     = 0x03,
	LCR_STOP     = 0x04,
	LCR_PARITY   = 0x08,
	LCR_DLAB     = 0x80,

	MCR_DTR      = 0x01,
	MCR_RTS      = 0x02,
	MCR_OUT1     = 0x04,
	MCR_OUT2     = 0x08,
	MCR_LOOP     = 0x10,
	MCR_WRITABLE = 0x1f,

	LSR_DR       = 0x01,
	LSR_OE       = 0x02,
	LSR_BI       = 0x10,
	LSR_ERRORS   = 0x1e,
	LSR_EMPTY    = 0x60, /* THRE and TEMT: sending takes no time */

	MSR_DELTAS   = 0x0f,
	MSR_CTS      = 0x10,
	MSR_DSR      = 0x20,
	MSR_RI       = 0x40,
	MSR_DCD      = 0x80,
};
/* clang-format on */

#define UART_CLOCK 115200ull /* bits a second with a divisor of 1 */

static bool fifo_on(const struct uart *u)
{
	return u->fcr & FCR_ENABLE;
}

static unsigned capacity(const struct uart *u)
{
	return fifo_on(u) ? UART_FIFO : 1;
}

/* Bytes in the FIFO that raise the interrupt. */
static unsigned trigger(const struct uart *u)
{
	static const uint8_t levels[4] = {1, 4, 8, 14};

	return fifo_on(u) ? levels[u->fcr >> 6] : 1;
}

static uint8_t lsr(const struct uart *u)
{
	return u->lsr | LSR_EMPTY | (u->rx_count ? LSR_DR : 0);
}

/* The interrupt of highest priority, as IIR shows it. */
static uint8_t cause(const struct uart *u)
{
	if (u->ier & IER_RLS && u->lsr & LSR_ERRORS)
		return IIR_RLS;
	if (u->ier & IER_RDA && u->rx_count >= trigger(u))
		return IIR_RDA;
	if (u->ier & IER_RDA && u->timed_out)
		return IIR_TIMEOUT;
	if (u->ier & IER_THRE && u->thre_irq)
		return IIR_THRE;
	if (u->ier & IER_MSI && u->msr & MSR_DELTAS)
		return IIR_MSI;
	return IIR_NONE;
}

static void update_irq(struct uart *u)
{
	bool level = cause(u) != IIR_NONE;

	if (level != u->out) {
		u->out = level;
		irq_set(&u->cfg.irq, level);
	}
}

/* Four character times after the last byte came or was read, what is in the FIFO is reported, however little. */
static void start_timeout(struct uart *u)
{
	uint64_t bits = 1 + 5 + (u->lcr & LCR_BITS) + !!(u->lcr & LCR_PARITY) + 1 + !!(u->lcr & LCR_STOP);

	u->timed_out = false;
	if (fifo_on(u) && u->rx_count)
		timer_arm(&u->timeout,
			  clock_now(u->cfg.clock) + muldiv64(4 * bits * MAX(u->divisor, 1), NS_PER_SEC, UART_CLOCK));
	else
		timer_cancel(&u->timeout);
}

static void timeout(void *arg)
{
	struct uart *u = arg;

	u->timed_out = u->rx_count > 0;
	update_irq(u);
}

static void put_rx(struct uart *u, uint8_t byte)
{
	if (u->rx_count >= capacity(u)) {
		u->lsr |= LSR_OE;
		if (fifo_on(u))
			return;
		u->rx_count = 0; /* without FIFO the new byte replaces the old one */
	}
	u->rx[(u->rx_head + u->rx_count++) % UART_FIFO] = byte;
	start_timeout(u);
}

static void clear_rx(struct uart *u)
{
	u->rx_head = u->rx_count = 0;
	start_timeout(u);
}

/* Modem inputs as the chip sees them: the outputs, in loopback. */
static uint8_t modem_inputs(const struct uart *u)
{
	uint8_t m = u->mcr;

	if (!(m & MCR_LOOP))
		return u->modem_in;
	return (uint8_t)((m & MCR_RTS ? MSR_CTS : 0) | (m & MCR_DTR ? MSR_DSR : 0) | (m & MCR_OUT1 ? MSR_RI : 0) |
			 (m & MCR_OUT2 ? MSR_DCD : 0));
}

static void update_msr(struct uart *u)
{
	uint8_t old = u->msr & 0xf0, now = modem_inputs(u);
	uint8_t deltas = (uint8_t)((old ^ now) >> 4);

	if (now & MSR_RI) /* only the trailing edge of RI counts */
		deltas &= (uint8_t) ~(MSR_RI >> 4);
	u->msr = now | (u->msr & MSR_DELTAS) | deltas;
}

static void tell_room(struct uart *u)
{
	if (u->cfg.room && uart_can_take(u))
		u->cfg.room(u->cfg.arg);
}

void uart_init(struct uart *uart, const struct uart_config *cfg)
{
	memset(uart, 0, sizeof(*uart));
	uart->cfg = *cfg;
	uart->modem_in = MSR_CTS | MSR_DSR | MSR_DCD;
	timer_init(&uart->timeout, cfg->clock, timeout, uart);
	uart_reset(uart);
}

void uart_reset(struct uart *uart)
{
	uart->rx_head = uart->rx_count = 0;
	uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->lsr = uart->scr = 0;
	uart->msr = uart->modem_in;
	uart->divisor = 12; /* 9600 */
	uart->thre_irq = uart->timed_out = false;
	timer_cancel(&uart->timeout);
	update_irq(uart);
}

unsigned uart_can_take(const struct uart *uart)
{
	unsigned room = capacity(uart);

	return uart->mcr & MCR_LOOP || uart->rx_count >= room ? 0 : room - uart->rx_count;
}

size_t uart_receive(struct uart *uart, const uint8_t *buf, size_t len)
{
	size_t n = MIN(len, (size_t)uart_can_take(uart));

	for (size_t i = 0; i < n; i++)
		put_rx(uart, buf[i]);
	update_irq(uart);
	return n;
}

void uart_break(struct uart *uart)
{
	if (uart->mcr & MCR_LOOP)
		return;
	put_rx(uart, 0);
	uart->lsr |= LSR_BI;
	update_irq(uart);
}

void uart_set_modem(struct uart *uart, uint8_t lines)
{
	uart->modem_in = lines & 0xf0;
	update_msr(uart);
	update_irq(uart);
}

static void write_thr(struct uart *u, uint8_t v)
{
	u->thre_irq = false;
	update_irq(u); /* down, so that the byte's departure makes an edge */
	if (u->mcr & MCR_LOOP)
		put_rx(u, v);
	else if (u->cfg.send)
		u->cfg.send(u->cfg.arg, v);
	u->thre_irq = true;
}

static void write_fcr(struct uart *u, uint8_t v)
{
	bool toggled = (u->fcr ^ v) & FCR_ENABLE;

	u->fcr = v & (IIR_FIFO | FCR_ENABLE);
	if (toggled || v & FCR_CLEAR_RX)
		clear_rx(u);
}

void uart_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct uart *u = dev;
	uint8_t v = (uint8_t)value;
	bool latch = u->lcr & LCR_DLAB;
	unsigned before = uart_can_take(u);

	switch (offset & 7) {
	case REG_DATA:
		if (latch)
			u->divisor = (uint16_t)((u->divisor & 0xff00) | v);
		else
			write_thr(u, v);
		break;
	case REG_IER:
		if (latch) {
			u->divisor = (uint16_t)((u->divisor & 0x00ff) | v << 8);
			break;
		}
		if (v & IER_THRE && !(u->ier & IER_THRE)) /* enabling it while THR is empty, as always, raises it */
			u->thre_irq = true;
		u->ier = v & 0x0f;
		break;
	case REG_IIR:
		write_fcr(u, v);
		break;
	case REG_LCR:
		u->lcr = v;
		break;
	case REG_MCR:
		u->mcr = v & MCR_WRITABLE;
		update_msr(u);
		break;
	case REG_SCR:
		u->scr = v;
		break;
	}
	update_irq(u);
	if (uart_can_take(u) > before)
		tell_room(u);
}

static uint8_t read_rbr(struct uart *u)
{
	uint8_t v = 0;

	if (u->rx_count) {
		v = u->rx[u->rx_head];
		u->rx_head = (u->rx_head + 1) % UART_FIFO;
		u->rx_count--;
	}
	start_timeout(u);
	update_irq(u);
	tell_room(u);
	return v;
}

static uint8_t read_register(struct uart *u, unsigned reg)
{
	bool latch = u->lcr & LCR_DLAB;
	uint8_t v;

	switch (reg) {
	case REG_DATA:
		return latch ? u->divisor & 0xff : read_rbr(u);
	case REG_IER:
		return latch ? u->divisor >> 8 : u->ier;
	case REG_IIR:
		v = cause(u);
		if (v == IIR_THRE)
			u->thre_irq = false;
		return v | (fifo_on(u) ? IIR_FIFO : 0);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		v = lsr(u);
		u->lsr = 0;
		return v;
	case REG_MSR:
		v = u->msr;
		u->msr &= (uint8_t)~MSR_DELTAS;
		return v;
	default:
		return u->scr;
	}
}

uint64_t uart_read(void *dev, uint64_t offset, unsigned size)
{
	struct uart *u = dev;
	uint8_t v = read_register(u, offset & 7);

	update_irq(u);
	return v;
}

const struct io_ops uart_io_ops = {"uart", uart_read, uart_write, IO_8};
