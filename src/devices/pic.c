/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pic.h"

#include <string.h>

#include "trace.h"

enum {
	CASCADE = 2, /* the master's input that the slave drives */

	ICW1_IC4 = 0x01,
	ICW1_SNGL = 0x02,
	ICW1_LTIM = 0x08,
	ICW1_SELECT = 0x10,
	ICW4_AEOI = 0x02,
	ICW4_SFNM = 0x10,
	OCW2_EOI = 0x20,
	OCW2_SL = 0x40,
	OCW2_R = 0x80,
	OCW3_RIS = 0x01,
	OCW3_RR = 0x02,
	OCW3_P = 0x04,
	OCW3_SELECT = 0x08,
	OCW3_SMM = 0x20,
	OCW3_ESMM = 0x40,
};

static uint8_t level_inputs(const struct pic_chip *c)
{
	return c->ltim ? 0xff : c->elcr;
}

/* How many steps an input is below the one of highest priority; 8 if no bit is set. */
static unsigned first(const struct pic_chip *c, uint8_t bits)
{
	unsigned step = 0;

	while (step < 8 && !(bits & 1u << ((c->lowest + 1 + step) & 7)))
		step++;
	return step;
}

static unsigned input_at(const struct pic_chip *c, unsigned step)
{
	return (c->lowest + 1 + step) & 7;
}

/* The input that INT is asserted for, or -1. */
static int request(const struct pic_chip *c, bool master)
{
	uint8_t serving = c->isr;

	if (c->smm)
		serving &= (uint8_t)~c->imr;
	if (c->sfnm && master) /* further requests of the slave in service are let through */
		serving &= (uint8_t) ~(1u << CASCADE);
	unsigned step = first(c, c->irr & (uint8_t)~c->imr);
	return step < first(c, serving) ? (int)input_at(c, step) : -1;
}

static void set_input(struct pic_chip *c, unsigned n, bool level)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (level_inputs(c) & bit) {
		c->irr = level ? c->irr | bit : c->irr & (uint8_t)~bit;
	} else if (level && !(c->lines & bit)) {
		c->irr |= bit;
	}
	/* An edge stays latched when its line falls (the 8259A would lose it): pulses of any length count, as on QEMU's
	 * board. */
	c->lines = level ? c->lines | bit : c->lines & (uint8_t)~bit;
}

/* Brings the cascade and INTR up to date. */
static void update(struct pic *pic)
{
	struct pic_chip *m = &pic->chip[0];
	bool slave = request(&pic->chip[1], false) >= 0;

	set_input(m, CASCADE, slave);
	if (!slave) /* not so for the cascade: a slave that no longer asks would answer with a spurious interrupt */
		m->irr &= (uint8_t) ~(1u << CASCADE);

	bool out = request(m, true) >= 0;
	if (out != pic->out) {
		pic->out = out;
		irq_set(&pic->intr, out);
	}
}

void pic_init(struct pic *pic, struct irq_line intr)
{
	memset(pic, 0, sizeof(*pic));
	pic->intr = intr;
	pic->chip[0].elcr_mask = 0xf8; /* 0, 1, 2 are edges for good; so are 8 and 13 */
	pic->chip[1].elcr_mask = 0xde;
	pic_reset(pic);
}

void pic_reset(struct pic *pic)
{
	for (unsigned i = 0; i < 2; i++) {
		struct pic_chip *c = &pic->chip[i];
		*c = (struct pic_chip){.lines = c->lines, .elcr_mask = c->elcr_mask, .lowest = 7};
	}
	pic->chip[0].lines &= (uint8_t) ~(1u << CASCADE);
	update(pic);
}

void pic_set_irq(void *dev, int n, bool level)
{
	struct pic *pic = dev;

	if (n < 0 || n > 15 || n == CASCADE)
		return;
	trace(irq, "pic line %d %s", n, level ? "up" : "down");
	set_input(&pic->chip[n >> 3], n & 7, level);
	update(pic);
}

bool pic_pending(const struct pic *pic)
{
	return pic->out;
}

/* Takes an input into service: first INTA cycle, or a poll. */
static void acknowledge(struct pic_chip *c, unsigned n)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (!(level_inputs(c) & bit))
		c->irr &= (uint8_t)~bit;
	if (!c->aeoi)
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = n;
}

/* The slave's INT falls during its acknowledge, even if it rises again at once: the master's input is an edge. */
static void slave_acknowledge(struct pic *pic, unsigned n)
{
	acknowledge(&pic->chip[1], n);
	pic->chip[0].lines &= (uint8_t) ~(1u << CASCADE);
}

bool pic_masked(const struct pic *pic, unsigned n)
{
	if (n >= 8 && (pic->chip[0].imr & 1 << CASCADE))
		return true;
	return pic->chip[n / 8 & 1].imr & 1 << n % 8;
}

uint8_t pic_ack(struct pic *pic)
{
	struct pic_chip *m = &pic->chip[0], *s = &pic->chip[1];
	int n = request(m, true);
	uint8_t vector;

	if (n < 0) {
		vector = m->base + 7;
	} else {
		acknowledge(m, (unsigned)n);
		vector = m->base + (uint8_t)n;
		if (n == CASCADE && !m->single) {
			int k = request(s, false);
			vector = s->base + (k < 0 ? 7 : (uint8_t)k);
			if (k >= 0)
				slave_acknowledge(pic, (unsigned)k);
		}
	}
	update(pic);
	trace(irq, "pic ack vector %02x", vector);
	return vector;
}

static void write_icw1(struct pic_chip *c, uint8_t v)
{
	c->imr = 0;
	c->isr = 0;
	c->smm = c->poll = c->read_isr = false;
	c->aeoi = c->sfnm = c->rotate_aeoi = false;
	c->lowest = 7;
	c->icw4 = v & ICW1_IC4;
	c->single = v & ICW1_SNGL;
	c->ltim = v & ICW1_LTIM;
	c->irr = c->lines & level_inputs(c); /* the edge sense circuit is reset */
	c->init = 2;
}

static void write_icw(struct pic_chip *c, uint8_t v)
{
	switch (c->init) {
	case 2:
		c->base = v & 0xf8;
		c->init = !c->single ? 3 : c->icw4 ? 4 : 0;
		break;
	case 3: /* the wiring is fixed */
		c->init = c->icw4 ? 4 : 0;
		break;
	case 4:
		c->aeoi = v & ICW4_AEOI;
		c->sfnm = v & ICW4_SFNM;
		c->init = 0;
		break;
	}
}

static void write_ocw2(struct pic_chip *c, uint8_t v)
{
	unsigned n = v & 7;

	if (!(v & OCW2_EOI)) {
		if (v & OCW2_SL)
			c->lowest = v & OCW2_R ? n : c->lowest; /* R=1: set priority; R=0: no operation */
		else
			c->rotate_aeoi = v & OCW2_R;
		return;
	}
	if (!(v & OCW2_SL)) {
		/* Non-specific: the highest in service, but not one that special mask mode hides. */
		unsigned step = first(c, c->smm ? c->isr & (uint8_t)~c->imr : c->isr);
		if (step == 8)
			return;
		n = input_at(c, step);
	}
	c->isr &= (uint8_t) ~(1u << n);
	if (v & OCW2_R)
		c->lowest = n;
}

static void write_ocw3(struct pic_chip *c, uint8_t v)
{
	if (v & OCW3_P)
		c->poll = true;
	if (v & OCW3_RR)
		c->read_isr = v & OCW3_RIS;
	if (v & OCW3_ESMM)
		c->smm = v & OCW3_SMM;
}

static void write_elcr(struct pic_chip *c, uint8_t v)
{
	c->elcr = v & c->elcr_mask;
	/* Inputs that are levels now follow their lines; those that became edges keep what they had. */
	c->irr = (c->irr & (uint8_t)~level_inputs(c)) | (c->lines & level_inputs(c));
}

void pic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct pic *pic = dev;
	struct pic_chip *c = &pic->chip[offset >= PIC_PORT_ELCR ? offset & 1 : offset >> 1 & 1];
	uint8_t v = (uint8_t)value;

	if (offset >= PIC_PORT_ELCR)
		write_elcr(c, v);
	else if (offset & 1 && c->init)
		write_icw(c, v);
	else if (offset & 1)
		c->imr = v;
	else if (v & ICW1_SELECT)
		write_icw1(c, v);
	else if (v & OCW3_SELECT)
		write_ocw3(c, v);
	else
		write_ocw2(c, v);
	update(pic);
}

static uint8_t read_poll(struct pic *pic, unsigned chip)
{
	struct pic_chip *c = &pic->chip[chip];
	int n = request(c, chip == 0);

	c->poll = false;
	if (n < 0)
		return 0;
	if (chip)
		slave_acknowledge(pic, (unsigned)n);
	else
		acknowledge(c, (unsigned)n);
	update(pic);
	return 0x80 | (uint8_t)n;
}

uint64_t pic_read(void *dev, uint64_t offset, unsigned size)
{
	struct pic *pic = dev;
	unsigned chip = offset >= PIC_PORT_ELCR ? offset & 1 : offset >> 1 & 1;
	struct pic_chip *c = &pic->chip[chip];

	if (offset >= PIC_PORT_ELCR)
		return c->elcr;
	if (c->poll)
		return read_poll(pic, chip);
	if (offset & 1)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

const struct io_ops pic_io_ops = {"pic", pic_read, pic_write, IO_8};
