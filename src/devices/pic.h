/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two cascaded 8259A interrupt controllers and their edge/level control registers (ELCR). Intel 8259A data sheet;
 * PIIX4 4.2.
 *
 * Wiring: bus_add 0x20 len 2 at PIC_PORT_MASTER, 0xa0 len 2 at PIC_PORT_SLAVE, 0x4d0 len 2 at PIC_PORT_ELCR, all with
 * pic_io_ops.
 */
#ifndef GNOMON_PIC_H
#define GNOMON_PIC_H

#include "../io.h"

/* Device offsets of the three port ranges. */
enum {
	PIC_PORT_MASTER = 0,
	PIC_PORT_SLAVE = 2,
	PIC_PORT_ELCR = 4,
};

struct pic_chip {
	uint8_t lines;	   /* input levels now */
	uint8_t irr;	   /* requests (edge: latched; level: follows the line) */
	uint8_t isr;	   /* in service */
	uint8_t imr;	   /* masked */
	uint8_t elcr;	   /* 1: level triggered */
	uint8_t elcr_mask; /* bits of elcr that can be set */
	uint8_t base;	   /* ICW2: vector of input 0 */
	uint8_t lowest;	   /* input of lowest priority (rotation) */
	uint8_t init;	   /* next initialization word expected: 2..4; 0: operating */
	bool icw4;	   /* ICW1.IC4: an ICW4 follows */
	bool single;	   /* ICW1.SNGL: no ICW3 */
	bool ltim;	   /* ICW1.LTIM: all inputs level triggered */
	bool aeoi;	   /* ICW4.AEOI */
	bool rotate_aeoi;  /* rotate in automatic EOI mode */
	bool sfnm;	   /* ICW4.SFNM: special fully nested mode */
	bool smm;	   /* OCW3: special mask mode */
	bool poll;	   /* OCW3.P: the next read is a poll */
	bool read_isr;	   /* OCW3.RIS: command port reads ISR, else IRR */
};

struct pic {
	struct pic_chip chip[2]; /* master, slave (on input 2) */
	struct irq_line intr;	 /* to the CPU (and to the local APIC's LINT0) */
	bool out;		 /* level of intr */
};

/* intr follows the master's INT output. */
void pic_init(struct pic *pic, struct irq_line intr);

/* Power-on state: no vector bases, nothing masked or requested; input levels are kept. */
void pic_reset(struct pic *pic);

/* Drives input n (0-15; 2 is the cascade and is ignored). Takes a struct pic as `pic`, so that it fits irq_line.set. */
void pic_set_irq(void *pic, int n, bool level);

/* INT of the master is active. */
bool pic_pending(const struct pic *pic);

/* Input n, or for 8-15 the cascade, is masked. */
bool pic_masked(const struct pic *pic, unsigned n);

/* The interrupt acknowledge cycle: the vector, a spurious 7 or 15 if the request has gone. */
uint8_t pic_ack(struct pic *pic);

uint64_t pic_read(void *pic, uint64_t offset, unsigned size);
void pic_write(void *pic, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops pic_io_ops;

#endif
