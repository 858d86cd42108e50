/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 8042 keyboard controller with a PS/2 keyboard and a PS/2 mouse. IBM PS/2 Hardware Interface Technical Reference:
 * keyboard and auxiliary device controller; keyboards (101- and 102-key); mouse. IntelliMouse extension: Microsoft's
 * wheel protocol (ID 3).
 *
 * Wiring: bus_add 0x60 len 1 at I8042_PORT_DATA, 0x64 len 1 at I8042_PORT_COMMAND with i8042_io_ops.
 */
#ifndef GNOMON_I8042_H
#define GNOMON_I8042_H

#include "../clock.h"
#include "../io.h"
#include "keymap.h"
#include "ps2.h"

enum {
	I8042_PORT_DATA = 0,
	I8042_PORT_COMMAND = 4,
};

struct i8042_config {
	struct clock *clock;
	struct irq_line kbd_irq;   /* 1 */
	struct irq_line mouse_irq; /* 12 */
	struct irq_line a20;	   /* level: A20 is passed */
	struct irq_line reset;	   /* raised: reset the machine */
};

struct i8042 {
	struct i8042_config cfg;
	struct ps2_kbd kbd;
	struct ps2_mouse mouse;
	struct timer next;   /* the devices may send their next byte */
	uint8_t ram[32];     /* [0]: the command byte */
	uint8_t output_port; /* as last written: bits 0 and 1 (reset, A20) and the unused ones */
	uint8_t pending;     /* command whose data byte comes next through port 60h; 0: none */
	uint8_t data;	     /* output buffer */
	bool full;	     /* OBF */
	bool from_mouse;     /* AUXB: `data` came from the mouse */
	bool self_tested;    /* status SYS */
	bool last_command;   /* status bit 3: the last write went to port 64h */
	bool break_next;     /* translation: an F0 prefix was taken */
	bool reply_valid;    /* the controller's own answer waits for the output buffer */
	bool reply_mouse;
	uint8_t reply;
};

void i8042_init(struct i8042 *dev, const struct i8042_config *cfg);
void i8042_reset(struct i8042 *dev);

/* A key goes down (again while down: typematic repeat) or up. Dropped while the keyboard's queue is full (as a real one
 * does). */
void i8042_key(struct i8042 *dev, enum key key, bool down);

/* Room for at least one more key press in the keyboard's queue: for scripted typing. */
bool i8042_can_take_key(const struct i8042 *dev);

/* The mouse moved: dx to the right, dy *downwards* (screen), dz wheel towards the user. buttons: bit 0 left, 1 right, 2
 * middle. */
void i8042_mouse(struct i8042 *dev, int dx, int dy, int dz, unsigned buttons);

/* Bit 0 scroll, 1 num, 2 caps lock. */
unsigned i8042_leds(const struct i8042 *dev);

/* For a board whose A20 has other drivers: what the output port reads back. */
void i8042_note_a20(struct i8042 *dev, bool passed);

uint64_t i8042_read(void *dev, uint64_t offset, unsigned size);
void i8042_write(void *dev, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops i8042_io_ops;

#endif
