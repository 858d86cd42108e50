/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyboard with 101 or more keys. IBM PS/2 Hardware Interface Technical Reference, keyboards. */
#include <string.h>

#include "ps2.h"
#include "trace.h"

enum {
	CMD_LEDS = 0xed,
	CMD_ECHO = 0xee,
	CMD_SET = 0xf0,
	CMD_ALL_TYPEMATIC = 0xf7,
	CMD_ALL_MAKE_BREAK = 0xf8,
	CMD_ALL_MAKE = 0xf9,
	CMD_ALL_TYPEMATIC_BREAK = 0xfa,
	CMD_KEY_TYPEMATIC = 0xfb,
	CMD_KEY_MAKE_BREAK = 0xfc,
	CMD_KEY_MAKE = 0xfd,

	ID_1 = 0xab,
	ID_2 = 0x83,
	PREFIX_EXTENDED = 0xe0,
	PREFIX_BREAK = 0xf0,
	SET1_BREAK = 0x80,
	RATE_DEFAULT = 0x2b, /* 10.9 a second after 500 ms */
	LONGEST = 8,	     /* bytes of the longest sequence: Pause */
};

static bool is_down(const struct ps2_kbd *kbd, enum key key)
{
	return kbd->down[key / 8] & 1u << key % 8;
}

static void set_defaults(struct ps2_kbd *kbd)
{
	kbd->rate = RATE_DEFAULT;
	kbd->pending = 0;
	memset(kbd->kind, QKEY_TYPEMATIC, sizeof(kbd->kind));
	for (unsigned i = 1; i < QKEY_COUNT; i++)
		kbd->kind[key_info((enum key)i)->set3] = key_info((enum key)i)->kind;
	ps2_queue_clear(&kbd->out);
	kbd->overrun = false;
}

static void power_on(struct ps2_kbd *kbd)
{
	set_defaults(kbd);
	kbd->set = 2;
	kbd->leds = 0;
	kbd->scanning = true;
}

void ps2_kbd_reset(struct ps2_kbd *kbd)
{
	power_on(kbd);
	kbd->out = (struct ps2_queue){0};
}

static unsigned put_code(uint8_t *out, const struct ps2_kbd *kbd, uint16_t code, bool down)
{
	unsigned n = 0;

	if (code >> 8)
		out[n++] = PREFIX_EXTENDED;
	if (kbd->set == 1) {
		out[n++] = (uint8_t)code | (down ? 0 : SET1_BREAK);
		return n;
	}
	if (!down)
		out[n++] = PREFIX_BREAK;
	out[n++] = (uint8_t)code;
	return n;
}

static uint16_t code_of(const struct ps2_kbd *kbd, enum key key)
{
	const struct key_info *info = key_info(key);

	return kbd->set == 1 ? info->set1 : kbd->set == 2 ? info->set2 : info->set3;
}

/* Print Screen pretends that a shift key goes with it, and is SysRq with Alt. */
static unsigned put_print(uint8_t *out, const struct ps2_kbd *kbd, bool down)
{
	uint16_t print = code_of(kbd, QKEY_PRINT), shift = 0xe000 | code_of(kbd, QKEY_SHIFT);
	unsigned n;

	if (is_down(kbd, QKEY_ALT) || is_down(kbd, QKEY_ALT_R))
		return put_code(out, kbd, code_of(kbd, QKEY_SYSRQ), down);
	if (is_down(kbd, QKEY_CTRL) || is_down(kbd, QKEY_CTRL_R) || is_down(kbd, QKEY_SHIFT) ||
	    is_down(kbd, QKEY_SHIFT_R))
		return put_code(out, kbd, print, down);
	n = put_code(out, kbd, down ? shift : print, down);
	return n + put_code(out + n, kbd, down ? print : shift, down);
}

/* Pause sends make and break as it goes down; with Ctrl it is Break. */
static unsigned put_pause(uint8_t *out, const struct ps2_kbd *kbd)
{
	static const uint8_t set1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
	static const uint8_t set2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
	const uint8_t *bytes = kbd->set == 1 ? set1 : set2;
	unsigned n = kbd->set == 1 ? sizeof(set1) : sizeof(set2);

	if (is_down(kbd, QKEY_CTRL) || is_down(kbd, QKEY_CTRL_R)) {
		n = put_code(out, kbd, code_of(kbd, QKEY_PAUSE), true);
		return n + put_code(out + n, kbd, code_of(kbd, QKEY_PAUSE), false);
	}
	memcpy(out, bytes, n);
	return n;
}

static unsigned put_key(uint8_t *out, const struct ps2_kbd *kbd, enum key key, bool down, bool repeat)
{
	uint16_t code = code_of(kbd, key);

	if (kbd->set == 3) {
		uint8_t kind = kbd->kind[code & 0xff];
		if (!code || (repeat && !(kind & QKEY_TYPEMATIC)) || (!down && !(kind & QKEY_MAKE_BREAK)))
			return 0;
		return put_code(out, kbd, code, down);
	}
	if (key == QKEY_PAUSE)
		return down && !repeat ? put_pause(out, kbd) : 0;
	if (key == QKEY_PRINT)
		return put_print(out, kbd, down);
	return code ? put_code(out, kbd, code, down) : 0;
}

void ps2_kbd_key(struct ps2_kbd *kbd, enum key key, bool down)
{
	uint8_t bytes[LONGEST];
	uint8_t lost = kbd->set == 1 ? 0xff : 0x00;
	bool was = key > QKEY_NONE && key < QKEY_COUNT && is_down(kbd, key);

	if (key <= QKEY_NONE || key >= QKEY_COUNT || (!down && !was))
		return;
	unsigned n = put_key(bytes, kbd, key, down, down && was);
	kbd->down[key / 8] =
	    (uint8_t)(down ? kbd->down[key / 8] | 1u << key % 8 : kbd->down[key / 8] & ~(1u << key % 8));
	if (!kbd->scanning || !n)
		return;
	/* Room is left for break codes, so that a full queue does not leave keys stuck, and for the overrun code. */
	unsigned reserve = down ? LONGEST * 2 : 1;
	if (kbd->out.count + n + reserve <= PS2_QUEUE) {
		ps2_queue_put(&kbd->out, bytes, n);
		kbd->overrun = false;
	} else if (!kbd->overrun) {
		kbd->overrun = ps2_queue_put(&kbd->out, &lost, 1);
	}
}

/* The argument of the command before. False: it is no argument, but a command. */
static bool take_argument(struct ps2_kbd *kbd, uint8_t v)
{
	uint8_t command = kbd->pending;

	kbd->pending = 0;
	if (!command || v >= CMD_LEDS)
		return false;
	ps2_reply(&kbd->out, PS2_ACK);
	switch (command) {
	case CMD_LEDS:
		kbd->leds = v & 7;
		break;
	case CMD_SET:
		if (!v)
			ps2_reply(&kbd->out, kbd->set);
		else if (v <= 3)
			kbd->set = v;
		break;
	case PS2_RATE:
		kbd->rate = v & 0x7f;
		break;
	default: /* the lists of keys go on until a command comes */
		kbd->pending = command;
		kbd->kind[v] = command == CMD_KEY_TYPEMATIC    ? QKEY_TYPEMATIC
			       : command == CMD_KEY_MAKE_BREAK ? QKEY_MAKE_BREAK
							       : QKEY_MAKE_ONLY;
	}
	return true;
}

static void do_command(struct ps2_kbd *kbd, uint8_t v)
{
	switch (v) {
	case CMD_ECHO:
		ps2_reply(&kbd->out, CMD_ECHO);
		return;
	case PS2_RESEND:
		ps2_reply(&kbd->out, kbd->out.last);
		return;
	case CMD_LEDS:
	case CMD_SET:
	case PS2_RATE:
	case CMD_KEY_TYPEMATIC:
	case CMD_KEY_MAKE_BREAK:
	case CMD_KEY_MAKE:
		kbd->pending = v;
		break;
	case PS2_ENABLE:
		ps2_queue_clear(&kbd->out);
		kbd->scanning = true;
		break;
	case PS2_DISABLE:
		set_defaults(kbd);
		kbd->scanning = false;
		break;
	case PS2_DEFAULTS:
		set_defaults(kbd);
		break;
	case CMD_ALL_TYPEMATIC:
		memset(kbd->kind, QKEY_TYPEMATIC, sizeof(kbd->kind));
		break;
	case CMD_ALL_MAKE_BREAK:
		memset(kbd->kind, QKEY_MAKE_BREAK, sizeof(kbd->kind));
		break;
	case CMD_ALL_MAKE:
		memset(kbd->kind, QKEY_MAKE_ONLY, sizeof(kbd->kind));
		break;
	case CMD_ALL_TYPEMATIC_BREAK:
		memset(kbd->kind, QKEY_TYPEMATIC_BREAK, sizeof(kbd->kind));
		break;
	case PS2_IDENTIFY:
	case PS2_RESET:
		break;
	default:
		trace(dev, "keyboard: unknown command %02x", v);
		ps2_reply(&kbd->out, PS2_RESEND);
		return;
	}
	ps2_reply(&kbd->out, PS2_ACK);
	if (v == PS2_IDENTIFY) {
		ps2_reply(&kbd->out, ID_1);
		ps2_reply(&kbd->out, ID_2);
	} else if (v == PS2_RESET) {
		power_on(kbd);
		ps2_reply(&kbd->out, PS2_TEST_PASSED);
	}
}

void ps2_kbd_write(struct ps2_kbd *kbd, uint8_t byte)
{
	kbd->out.reply_at = kbd->out.reply_count = 0;
	if (!take_argument(kbd, byte))
		do_command(kbd, byte);
}

bool ps2_kbd_pop(struct ps2_kbd *kbd, uint8_t *byte)
{
	/* Nothing but answers while the keyboard is in the middle of a command. */
	return ps2_queue_pop(&kbd->out, !kbd->scanning || kbd->pending, byte);
}
