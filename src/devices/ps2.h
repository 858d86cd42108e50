/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PS/2 keyboard and mouse, seen from their cable: bytes in, bounded queues of bytes out. Used by the i8042 only. */
#ifndef GNOMON_PS2_H
#define GNOMON_PS2_H

#include "keymap.h"

enum {
	PS2_QUEUE = 64,
	PS2_REPLY = 4, /* the longest answer to a command */

	/* Commands and answers that keyboard and mouse share. */
	PS2_RATE = 0xf3,
	PS2_IDENTIFY = 0xf2,
	PS2_ENABLE = 0xf4,
	PS2_DISABLE = 0xf5,
	PS2_DEFAULTS = 0xf6,
	PS2_RESEND = 0xfe, /* as an answer: say that again */
	PS2_RESET = 0xff,
	PS2_ACK = 0xfa,
	PS2_TEST_PASSED = 0xaa,
};

/* What a device has to say: answers first, then what happened on it. A new command drops the answers to the last. */
struct ps2_queue {
	uint8_t reply[PS2_REPLY];
	uint8_t reply_at, reply_count;
	uint8_t byte[PS2_QUEUE];
	uint8_t head, count;
	uint8_t last; /* byte sent last, for resend */
};

struct ps2_kbd {
	struct ps2_queue out;
	uint8_t set;	 /* scan code set 1-3 */
	uint8_t leds;	 /* bit 0 scroll, 1 num, 2 caps */
	uint8_t rate;	 /* typematic, stored only: repeats come from the host */
	uint8_t pending; /* command that waits for its argument; 0: none */
	bool scanning;
	bool overrun;	   /* keys were lost; said so once */
	uint8_t kind[256]; /* set 3: enum key_kind by scan code */
	uint8_t down[(QKEY_COUNT + 7) / 8];
};

struct ps2_mouse {
	struct ps2_queue out;
	int dx, dy, dz;	 /* not yet reported; clamped */
	uint8_t buttons; /* bit 0 left, 1 right, 2 middle, 3 and 4 the others */
	uint8_t reported_buttons;
	uint8_t pending;
	uint8_t resolution, rate;
	uint8_t knock; /* how far the IntelliMouse sequence of sample rates got */
	uint8_t id;    /* 0 standard, 3 wheel, 4 wheel and five buttons */
	bool scaling21;
	bool remote;
	bool wrap;
	bool enabled;
};

/* Queue helpers, shared by the two devices. */
void ps2_queue_clear(struct ps2_queue *q);
void ps2_reply(struct ps2_queue *q, uint8_t byte);			       /* one more byte of the answer */
bool ps2_queue_put(struct ps2_queue *q, const uint8_t *bytes, unsigned count); /* all or nothing */
bool ps2_queue_pop(struct ps2_queue *q, bool replies_only, uint8_t *byte);

/* Power-on state. Keys that are down stay down. */
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
