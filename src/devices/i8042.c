/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "i8042.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum {
	STATUS_OBF       = 0x01,
	STATUS_SYS       = 0x04,
	STATUS_COMMAND   = 0x08,
	STATUS_UNLOCKED  = 0x10,
	STATUS_AUX       = 0x20,

	CONFIG_KBD_INT   = 0x01, /* the command byte */
	CONFIG_AUX_INT   = 0x02,
	CONFIG_SYS       = 0x04,
	CONFIG_KBD_OFF   = 0x10,
	CONFIG_AUX_OFF   = 0x20,
	CONFIG_TRANSLATE = 0x40,

	OUTPUT_RESET     = 0x01, /* active low */
	OUTPUT_A20       = 0x02,
	OUTPUT_KBD_OBF   = 0x10,
	OUTPUT_AUX_OBF   = 0x20,
	OUTPUT_IDLE      = 0xcc, /* clock and data lines, unused bits */

	CMD_READ_RAM     = 0x20, /* 20-3f */
	CMD_WRITE_RAM    = 0x60, /* 60-7f */
	CMD_PASSWORD     = 0xa4,
	CMD_AUX_OFF      = 0xa7,
	CMD_AUX_ON       = 0xa8,
	CMD_AUX_TEST     = 0xa9,
	CMD_SELF_TEST    = 0xaa,
	CMD_KBD_TEST     = 0xab,
	CMD_KBD_OFF      = 0xad,
	CMD_KBD_ON       = 0xae,
	CMD_READ_INPUT   = 0xc0,
	CMD_READ_OUTPUT  = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_FAKE_KBD     = 0xd2,
	CMD_FAKE_AUX     = 0xd3,
	CMD_WRITE_AUX    = 0xd4,
	CMD_A20_OFF      = 0xdd,
	CMD_A20_ON       = 0xdf,
	CMD_READ_TEST    = 0xe0,
	CMD_PULSE        = 0xf0, /* f0-ff: pulses the output bits that are 0 */

	INPUT_PORT       = 0xa0, /* keyboard not inhibited, no jumper */
};
/* clang-format on */

/*
 * A device's byte takes about 1 ms on the cable. Some of that is kept, so that a handler which reads port 60h twice
 * gets the same byte twice, as it expects.
 */
#define BYTE_NS (50 * NS_PER_US)

/* Set 2 to set 1, as in the controller's ROM. Codes from 85h on pass unchanged. */
/* clang-format off */
static const uint8_t translation[0x85] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
	0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
	0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
	0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
	0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	0x80, 0x81, 0x82, 0x41, 0x54,
};
/* clang-format on */

static void update_irqs(struct i8042 *dev)
{
	uint8_t config = dev->ram[0];
	bool kbd = dev->full && !dev->from_mouse;
	bool aux = dev->full && dev->from_mouse;

	irq_set(&dev->cfg.kbd_irq, kbd && config & CONFIG_KBD_INT && !(config & CONFIG_KBD_OFF));
	irq_set(&dev->cfg.mouse_irq, aux && config & CONFIG_AUX_INT);
}

static bool pop_kbd(struct i8042 *dev, uint8_t *byte)
{
	while (ps2_kbd_pop(&dev->kbd, byte)) {
		if (!(dev->ram[0] & CONFIG_TRANSLATE))
			return true;
		if (*byte == 0xf0) {
			dev->break_next = true;
			continue;
		}
		if (*byte < sizeof(translation))
			*byte = translation[*byte];
		if (dev->break_next)
			*byte |= 0x80;
		dev->break_next = false;
		return true;
	}
	return false;
}

/* Fills the output buffer, if it is empty, with what comes next. */
static void fill(struct i8042 *dev)
{
	uint8_t config = dev->ram[0];

	if (!dev->full && dev->reply_valid) {
		dev->data = dev->reply;
		dev->from_mouse = dev->reply_mouse;
		dev->reply_valid = false;
		dev->full = true;
	} else if (!dev->full && !timer_armed(&dev->next)) {
		if (!(config & CONFIG_KBD_OFF) && pop_kbd(dev, &dev->data)) {
			dev->from_mouse = false;
			dev->full = true;
		} else if (!(config & CONFIG_AUX_OFF) && ps2_mouse_pop(&dev->mouse, &dev->data)) {
			dev->from_mouse = true;
			dev->full = true;
		}
	}
	update_irqs(dev);
}

static void next_byte(void *arg)
{
	fill(arg);
}

static void answer(struct i8042 *dev, uint8_t byte, bool mouse)
{
	dev->reply = byte;
	dev->reply_mouse = mouse;
	dev->reply_valid = true;
}

void i8042_init(struct i8042 *dev, const struct i8042_config *cfg)
{
	memset(dev, 0, sizeof(*dev));
	dev->cfg = *cfg;
	timer_init(&dev->next, cfg->clock, next_byte, dev);
	i8042_reset(dev);
}

void i8042_reset(struct i8042 *dev)
{
	memset(dev->ram, 0, sizeof(dev->ram));
	dev->ram[0] = CONFIG_KBD_INT | CONFIG_AUX_INT;
	dev->output_port = OUTPUT_IDLE | OUTPUT_RESET | OUTPUT_A20;
	dev->pending = dev->data = dev->reply = 0;
	dev->full = dev->from_mouse = dev->self_tested = dev->break_next = false;
	dev->reply_valid = dev->reply_mouse = false;
	dev->last_command = true;
	timer_cancel(&dev->next);
	ps2_kbd_reset(&dev->kbd);
	ps2_mouse_reset(&dev->mouse);
	update_irqs(dev);
}

void i8042_key(struct i8042 *dev, enum key key, bool down)
{
	ps2_kbd_key(&dev->kbd, key, down);
	fill(dev);
}

bool i8042_can_take_key(const struct i8042 *dev)
{
	return dev->kbd.out.count <= PS2_QUEUE / 2;
}

void i8042_mouse(struct i8042 *dev, int dx, int dy, int dz, unsigned buttons)
{
	ps2_mouse_event(&dev->mouse, dx, dy, dz, buttons);
	fill(dev);
}

unsigned i8042_leds(const struct i8042 *dev)
{
	return dev->kbd.leds;
}

void i8042_note_a20(struct i8042 *dev, bool passed)
{
	dev->output_port = (uint8_t)(passed ? dev->output_port | OUTPUT_A20 : dev->output_port & ~OUTPUT_A20);
}

static void set_output_port(struct i8042 *dev, uint8_t v)
{
	dev->output_port = v & (uint8_t) ~(OUTPUT_KBD_OBF | OUTPUT_AUX_OBF);
	irq_set(&dev->cfg.a20, v & OUTPUT_A20);
	if (!(v & OUTPUT_RESET))
		irq_set(&dev->cfg.reset, true);
}

static void set_config(struct i8042 *dev, uint8_t v)
{
	dev->ram[0] = v;
	dev->self_tested = v & CONFIG_SYS;
	dev->break_next = false;
}

static uint8_t read_output_port(const struct i8042 *dev)
{
	uint8_t v = dev->output_port;

	if (dev->full)
		v |= dev->from_mouse ? OUTPUT_AUX_OBF : OUTPUT_KBD_OBF;
	return v;
}

static void do_command(struct i8042 *dev, uint8_t v)
{
	dev->pending = 0;
	switch (v) {
	case CMD_READ_RAM ... CMD_READ_RAM + 31:
		answer(dev, dev->ram[v & 31], false);
		break;
	case CMD_WRITE_RAM ... CMD_WRITE_RAM + 31:
	case CMD_WRITE_OUTPUT:
	case CMD_FAKE_KBD:
	case CMD_FAKE_AUX:
	case CMD_WRITE_AUX:
		dev->pending = v;
		break;
	case CMD_PASSWORD:
		answer(dev, 0xf1, false); /* none installed */
		break;
	case CMD_AUX_OFF:
		dev->ram[0] |= CONFIG_AUX_OFF;
		break;
	case CMD_AUX_ON:
		dev->ram[0] &= (uint8_t)~CONFIG_AUX_OFF;
		break;
	case CMD_KBD_OFF:
		dev->ram[0] |= CONFIG_KBD_OFF;
		break;
	case CMD_KBD_ON:
		dev->ram[0] &= (uint8_t)~CONFIG_KBD_OFF;
		break;
	case CMD_SELF_TEST:
		dev->self_tested = true;
		dev->ram[0] |= CONFIG_SYS;
		answer(dev, 0x55, false);
		break;
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
	case CMD_READ_TEST:
		answer(dev, 0, false);
		break;
	case CMD_READ_INPUT:
		answer(dev, INPUT_PORT, false);
		break;
	case CMD_READ_OUTPUT:
		answer(dev, read_output_port(dev), false);
		break;
	case CMD_A20_OFF:
		set_output_port(dev, dev->output_port & (uint8_t)~OUTPUT_A20);
		break;
	case CMD_A20_ON:
		set_output_port(dev, dev->output_port | OUTPUT_A20);
		break;
	case CMD_PULSE ... 0xff:
		if (!(v & OUTPUT_RESET))
			irq_set(&dev->cfg.reset, true);
		break;
	default:
		trace(dev, "i8042: unknown command %02x", v);
	}
}

static void write_data(struct i8042 *dev, uint8_t v)
{
	uint8_t command = dev->pending;

	dev->pending = 0;
	switch (command) {
	case CMD_WRITE_RAM:
		set_config(dev, v);
		break;
	case CMD_WRITE_RAM + 1 ... CMD_WRITE_RAM + 31:
		dev->ram[command & 31] = v;
		break;
	case CMD_WRITE_OUTPUT:
		set_output_port(dev, v);
		break;
	case CMD_FAKE_KBD:
		answer(dev, v, false);
		break;
	case CMD_FAKE_AUX:
		answer(dev, v, true);
		break;
	case CMD_WRITE_AUX: /* sending to a device enables it */
		dev->ram[0] &= (uint8_t)~CONFIG_AUX_OFF;
		ps2_mouse_write(&dev->mouse, v);
		break;
	default:
		dev->ram[0] &= (uint8_t)~CONFIG_KBD_OFF;
		dev->break_next = false;
		ps2_kbd_write(&dev->kbd, v);
	}
}

void i8042_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct i8042 *dev = arg;

	dev->last_command = offset == I8042_PORT_COMMAND;
	if (dev->last_command)
		do_command(dev, (uint8_t)value);
	else
		write_data(dev, (uint8_t)value);
	fill(dev);
}

static uint8_t read_data(struct i8042 *dev)
{
	uint8_t v = dev->data;

	if (!dev->full)
		return v;
	dev->full = false;
	update_irqs(dev); /* down, so that the next byte makes an edge */
	timer_arm(&dev->next, clock_now(dev->cfg.clock) + BYTE_NS);
	fill(dev);
	return v;
}

static uint8_t read_status(const struct i8042 *dev)
{
	uint8_t v = STATUS_UNLOCKED;

	if (dev->full)
		v |= STATUS_OBF | (dev->from_mouse ? STATUS_AUX : 0);
	if (dev->self_tested)
		v |= STATUS_SYS;
	if (dev->last_command)
		v |= STATUS_COMMAND;
	return v;
}

uint64_t i8042_read(void *arg, uint64_t offset, unsigned size)
{
	struct i8042 *dev = arg;

	return offset == I8042_PORT_COMMAND ? read_status(dev) : read_data(dev);
}

const struct io_ops i8042_io_ops = {"i8042", i8042_read, i8042_write, IO_8};
