/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PS/2 keyboard and mouse, seen from their cable: bytes in, a bounded queue of bytes out. Used by the i8042 only. */
#ifndef GNOMON_PS2_H
#define GNOMON_PS2_H

#include "keymap.h"

enum { PS2_QUEUE = 64 };

struct ps2_queue {
	uint8_t byte[PS2_QUEUE];
	uint8_t head, count;
	uint8_t
	    replies; /* bytes at the head that answer a command; they go out even while scanning or reporting is off */
};

struct ps2_kbd {
	struct ps2_queue out;
	uint8_t set;	 /* scan code set 1-3 */
	uint8_t leds;	 /* bit 0 scroll, 1 num, 2 caps */
	uint8_t rate;	 /* typematic, stored only */
	uint8_t pending; /* command that waits for its argument; 0: none */
	uint8_t last;	 /* byte sent last, for resend */
	bool scanning;
	bool overrun;	   /* keys were lost */
	uint8_t kind[256]; /* set 3: enum key_kind by scan code */
	uint8_t down[(QKEY_COUNT + 7) / 8];
};

struct ps2_mouse {
	struct ps2_queue out;
	int dx, dy, dz; /* not yet reported; clamped */
	uint8_t buttons;
	uint8_t reported_buttons;
	uint8_t pending;
	uint8_t last;
	uint8_t resolution, rate;
	uint8_t knock; /* how far the IntelliMouse sequence of sample rates got */
	uint8_t id;    /* 0 standard, 3 wheel, 4 wheel and five buttons */
	bool scaling21;
	bool remote;
	bool wrap;
	bool enabled;
};

void ps2_kbd_reset(struct ps2_kbd *kbd);
void ps2_kbd_write(struct ps2_kbd *kbd, uint8_t byte);
void ps2_kbd_key(struct ps2_kbd *kbd, enum key key, bool down);

void ps2_mouse_reset(struct ps2_mouse *mouse);
void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t byte);
/* dy counts downwards. */
void ps2_mouse_event(struct ps2_mouse *mouse, int dx, int dy, int dz, unsigned buttons);

/* Takes the next byte that the device would send: false if there is none. */
bool ps2_kbd_pop(struct ps2_kbd *kbd, uint8_t *byte);
bool ps2_mouse_pop(struct ps2_mouse *mouse, uint8_t *byte);

#endif
