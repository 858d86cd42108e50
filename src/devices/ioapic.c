/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ioapic.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum {
	MMIO_SELECT   = 0x00,
	MMIO_WINDOW   = 0x10,
	MMIO_EOI      = 0x40, /* version 20h */

	REG_ID        = 0x00,
	REG_VERSION   = 0x01,
	REG_ARB       = 0x02,
	REG_TABLE     = 0x10, /* two registers an entry */

	ENTRY_LOGICAL = 1u << 11,
	ENTRY_STATUS  = 1u << 12, /* read only, never seen set */
	ENTRY_REMOTE  = 1u << 14, /* remote IRR, read only */
	ENTRY_LEVEL   = 1u << 15,
	ENTRY_MASKED  = 1u << 16,
	ENTRY_LOW     = 0x0001ffff, /* bits in use in the low half */
};
#define ENTRY_WRITABLE (0xff00000000000000ull | (ENTRY_LOW & ~(ENTRY_STATUS | ENTRY_REMOTE)))
/* clang-format on */

/* Delivers what pin n asks for, if its entry lets it. */
static void service(struct ioapic *io, unsigned n)
{
	uint64_t *e = &io->entry[n];
	bool level = *e & ENTRY_LEVEL;
	bool wanted = level ? io->lines >> n & 1 && !(*e & ENTRY_REMOTE) : io->irr >> n & 1;

	if (!wanted || *e & ENTRY_MASKED)
		return;
	struct apic_msg msg = {
	    .dest = (uint32_t)(*e >> 56),
	    .vector = *e & 0xff,
	    .mode = *e >> 8 & 7,
	    .logical = *e & ENTRY_LOGICAL,
	    .level = level,
	};
	/* Only fixed and lowest priority interrupts are ever ended by an EOI. */
	if (level && (msg.mode == APIC_FIXED || msg.mode == APIC_LOWEST))
		*e |= ENTRY_REMOTE;
	io->irr &= ~(1u << n);
	trace(irq, "ioapic pin %u vector %02x dest %02x", n, msg.vector, msg.dest);
	if (io->deliver)
		io->deliver(io->arg, &msg);
}

void ioapic_init(struct ioapic *io, uint8_t version, void (*deliver)(void *arg, const struct apic_msg *msg), void *arg)
{
	memset(io, 0, sizeof(*io));
	io->version = version;
	io->deliver = deliver;
	io->arg = arg;
	ioapic_reset(io);
}

void ioapic_reset(struct ioapic *io)
{
	for (unsigned n = 0; n < IOAPIC_PINS; n++)
		io->entry[n] = ENTRY_MASKED;
	io->irr = 0;
	io->select = io->id = 0;
}

void ioapic_set_irq(void *arg, int n, bool level)
{
	struct ioapic *io = arg;

	if (n < 0 || n >= IOAPIC_PINS)
		return;
	bool rose = level && !(io->lines >> n & 1);
	io->lines = level ? io->lines | 1u << n : io->lines & ~(1u << n);
	/* An edge on a masked pin is lost: that is how the PIC and the APIC can share the lines. */
	if (rose && !(io->entry[n] & (ENTRY_LEVEL | ENTRY_MASKED)))
		io->irr |= 1u << n;
	service(io, (unsigned)n);
}

void ioapic_eoi(void *arg, uint8_t vector)
{
	struct ioapic *io = arg;

	for (unsigned n = 0; n < IOAPIC_PINS; n++) {
		if ((io->entry[n] & 0xff) != vector || !(io->entry[n] & ENTRY_REMOTE))
			continue;
		io->entry[n] &= ~(uint64_t)ENTRY_REMOTE;
		service(io, n);
	}
}

bool ioapic_masked(const struct ioapic *io, unsigned n)
{
	return io->entry[n % IOAPIC_PINS] & ENTRY_MASKED;
}

int ioapic_edge_pin(const struct ioapic *io, uint8_t vector)
{
	for (int n = 0; n < IOAPIC_PINS; n++)
		if ((io->entry[n] & (ENTRY_MASKED | ENTRY_LEVEL | 0xff)) == vector)
			return n;
	return -1;
}

static uint32_t read_register(const struct ioapic *io)
{
	unsigned reg = io->select, n = (reg - REG_TABLE) >> 1;

	switch (reg) {
	case REG_ID:
	case REG_ARB:
		return (uint32_t)io->id << 24;
	case REG_VERSION:
		return io->version | (IOAPIC_PINS - 1) << 16;
	}
	if (reg < REG_TABLE || n >= IOAPIC_PINS)
		return 0;
	return (uint32_t)(reg & 1 ? io->entry[n] >> 32 : io->entry[n]);
}

static void write_entry(struct ioapic *io, unsigned n, uint64_t v)
{
	uint64_t *e = &io->entry[n];

	*e = (v & ENTRY_WRITABLE) | (*e & ENTRY_REMOTE);
	if (!(*e & ENTRY_LEVEL)) /* a way to clear remote IRR that systems rely on where there is no EOI register */
		*e &= ~(uint64_t)ENTRY_REMOTE;
	else
		io->irr &= ~(1u << n);
	service(io, n);
}

static void write_register(struct ioapic *io, uint32_t v)
{
	unsigned reg = io->select, n = (reg - REG_TABLE) >> 1;

	if (reg == REG_ID) {
		io->id = v >> 24 & 15;
		return;
	}
	if (reg < REG_TABLE || n >= IOAPIC_PINS)
		return;
	if (reg & 1)
		write_entry(io, n, (io->entry[n] & UINT32_MAX) | (uint64_t)v << 32);
	else
		write_entry(io, n, (io->entry[n] & ~(uint64_t)UINT32_MAX) | v);
}

uint64_t ioapic_read(void *dev, uint64_t offset, unsigned size)
{
	struct ioapic *io = dev;

	switch (offset & 0xff) { /* decoded incompletely, as on the PIIX */
	case MMIO_SELECT:
		return io->select;
	case MMIO_WINDOW:
		return read_register(io);
	default:
		return 0;
	}
}

void ioapic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct ioapic *io = dev;

	switch (offset & 0xff) {
	case MMIO_SELECT:
		io->select = (uint8_t)value;
		break;
	case MMIO_WINDOW:
		write_register(io, (uint32_t)value);
		break;
	case MMIO_EOI:
		if (io->version >= 0x20)
			ioapic_eoi(io, (uint8_t)value);
		break;
	}
}

const struct io_ops ioapic_io_ops = {"ioapic", ioapic_read, ioapic_write, IO_32};
