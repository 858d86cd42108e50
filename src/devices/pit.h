/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 8254 programmable interval timer, counted on the virtual clock. Intel 8254 data sheet.
 *
 * Wiring: bus_add 0x40 len 4 with pit_io_ops.
 *
 * Counters are computed from the time, so that only channel 0 needs a timer: one event for each rising edge of OUT.
 * Edges closer than PIT_MIN_EDGE_NS are thinned out, and an event that comes late delivers one edge for all that have
 * passed. Ticks that the guest did not see are delivered later (catchup.h), if the board calls pit_irq0_acked() at each
 * acknowledge of interrupt 0. Ticks thinned out are not made up for.
 */
#ifndef GNOMON_PIT_H
#define GNOMON_PIT_H

#include "../clock.h"
#include "../io.h"
#include "catchup.h"

#define PIT_HZ		1193182ull
#define PIT_MIN_EDGE_NS (50 * NS_PER_US)

struct pit_channel {
	uint32_t count;	     /* reload value in ticks: 1..65536 (BCD: 1..10000) */
	uint32_t next_count; /* modes 2, 3: takes over at the end of the period; 0: none */
	uint64_t start;	     /* tick (since virtual time 0) at which `count` was loaded into the counter */
	uint32_t held;	     /* ticks left when the gate stopped the counter */
	uint16_t latch;	     /* count latched by the latch or read-back command */
	uint8_t status;	     /* status latched by the read-back command */
	uint8_t mode;	     /* 0-5 */
	uint8_t access;	     /* RW bits: 1 low byte, 2 high byte, 3 low then high */
	uint8_t write_low;   /* first byte of a two-byte write */
	uint8_t latched;     /* bytes of `latch` still to be read */
	bool bcd;
	bool gate;
	bool running;	      /* counts; false: waiting for a count, a trigger or the gate */
	bool loaded;	      /* a count was written since the mode */
	bool null_count;      /* status: written, not yet in the counter */
	bool write_high_next; /* two-byte access: which byte comes next */
	bool read_high_next;
	bool status_latched;
};

struct pit {
	struct pit_channel ch[3];
	struct clock *clock;
	struct timer timer;  /* next rising edge of OUT0 */
	struct irq_line irq; /* OUT0 */
	uint64_t edge;	     /* tick of the edge that `timer` waits for */
	struct catchup catchup;
};

void pit_init(struct pit *pit, struct clock *clock, struct irq_line irq);
void pit_reset(struct pit *pit);

/* Level of OUT of a channel (0-2) now. */
bool pit_out(struct pit *pit, unsigned channel);

/* Drives GATE of a channel. Channels 0 and 1 have theirs high for good; port 61h drives channel 2's. */
void pit_set_gate(struct pit *pit, unsigned channel, bool level);

/* Optional: the CPU has acknowledged interrupt 0; or it has just risen, and is masked. */
void pit_irq0_acked(struct pit *pit);
void pit_irq0_unwanted(struct pit *pit);

uint64_t pit_read(void *pit, uint64_t offset, unsigned size);
void pit_write(void *pit, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops pit_io_ops;

#endif
