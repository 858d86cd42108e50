/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mouse: IBM PS/2 Hardware Interface Technical Reference, mouse; with Microsoft's wheel (ID 3) and five-button (ID 4)
 * protocols. */
#include <string.h>

#include "ps2.h"
#include "trace.h"

enum {
	CMD_SCALING_11 = 0xe6,
	CMD_SCALING_21 = 0xe7,
	CMD_RESOLUTION = 0xe8,
	CMD_STATUS = 0xe9,
	CMD_STREAM = 0xea,
	CMD_READ = 0xeb,
	CMD_WRAP_OFF = 0xec,
	CMD_WRAP = 0xee,
	CMD_REMOTE = 0xf0,

	STATUS_REMOTE = 0x40,
	STATUS_ENABLED = 0x20,
	STATUS_SCALING = 0x10,
	PACKET_ALWAYS = 0x08,
	PACKET_X_SIGN = 0x10,
	PACKET_Y_SIGN = 0x20,

	MOST = 4096, /* movement that may pile up unreported */
};

static void set_defaults(struct ps2_mouse *m)
{
	m->resolution = 2; /* 4 counts a mm */
	m->rate = 100;
	m->scaling21 = m->remote = m->wrap = m->enabled = false;
	m->dx = m->dy = m->dz = 0;
	m->pending = m->knock = 0;
	ps2_queue_clear(&m->out);
}

void ps2_mouse_reset(struct ps2_mouse *mouse)
{
	uint8_t buttons = mouse->buttons;

	memset(mouse, 0, sizeof(*mouse));
	mouse->buttons = mouse->reported_buttons = buttons;
	set_defaults(mouse);
}

static int clamp(int v, int least, int most)
{
	return MAX(least, MIN(most, v));
}

/* 2:1 scaling of stream mode. */
static int scale(int v)
{
	static const uint8_t small[6] = {0, 1, 1, 3, 6, 9};
	int a = v < 0 ? -v : v;

	a = a < 6 ? small[a] : a * 2;
	return v < 0 ? -a : a;
}

static bool changed(const struct ps2_mouse *m)
{
	return m->dx || m->dy || (m->id && m->dz) || m->buttons != m->reported_buttons;
}

/* Takes a packet's worth off the movement: its length. */
static unsigned make_packet(struct ps2_mouse *m, bool scaled, uint8_t packet[4])
{
	int limit = scaled && m->scaling21 ? 127 : 255;
	int dx = clamp(m->dx, -limit, limit), dy = clamp(m->dy, -limit, limit);
	int dz = m->id == 4 ? clamp(m->dz, -8, 7) : clamp(m->dz, -127, 127);

	m->dx -= dx;
	m->dy -= dy;
	m->dz -= dz;
	m->reported_buttons = m->buttons;
	if (scaled && m->scaling21) {
		dx = scale(dx);
		dy = scale(dy);
	}
	packet[0] = PACKET_ALWAYS | (m->buttons & 7) | (dx < 0 ? PACKET_X_SIGN : 0) | (dy < 0 ? PACKET_Y_SIGN : 0);
	packet[1] = (uint8_t)dx;
	packet[2] = (uint8_t)dy;
	packet[3] = (uint8_t)(m->id == 4 ? (dz & 0x0f) | (m->buttons & 0x18) << 1 : dz);
	return m->id ? 4 : 3;
}

void ps2_mouse_event(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons)
{
	uint8_t packet[4];

	if (!m->enabled && !m->remote) {
		m->buttons = m->reported_buttons = buttons & 0x1f;
		return;
	}
	m->dx = clamp(m->dx + clamp(dx, -MOST, MOST), -MOST, MOST);
	m->dy = clamp(m->dy - clamp(dy, -MOST, MOST), -MOST, MOST);
	m->dz = clamp(m->dz + clamp(dz, -MOST, MOST), -MOST, MOST);
	m->buttons = buttons & 0x1f;
	/* Movement waits until the guest reads (and adds up meanwhile); clicks must not be lost. */
	if (m->enabled && !m->remote && m->buttons != m->reported_buttons && m->out.count + 4 <= PS2_QUEUE)
		ps2_queue_put(&m->out, packet, make_packet(m, true, packet));
}

static void reply_packet(struct ps2_mouse *m)
{
	uint8_t packet[4];
	unsigned n = make_packet(m, false, packet);

	/* An acknowledge and four bytes do not fit an answer: the packet goes to the queue, which is empty in remote
	 * mode. */
	ps2_queue_clear(&m->out);
	ps2_queue_put(&m->out, packet, n);
}

/* Sample rates 200, 100, 80 make it a wheel mouse; 200, 200, 80 one with five buttons. */
static void set_rate(struct ps2_mouse *m, uint8_t rate)
{
	m->rate = rate;
	if (rate == 200)
		m->knock = m->knock == 1 ? 3 : 1;
	else if (rate == 100 && m->knock == 1)
		m->knock = 2;
	else if (rate == 80 && m->knock == 2)
		m->id = 3, m->knock = 0;
	else if (rate == 80 && m->knock == 3)
		m->id = 4, m->knock = 0;
	else
		m->knock = 0;
}

static void reply_status(struct ps2_mouse *m)
{
	uint8_t b = m->buttons;

	ps2_reply(&m->out, (m->remote ? STATUS_REMOTE : 0) | (m->enabled ? STATUS_ENABLED : 0) |
			       (m->scaling21 ? STATUS_SCALING : 0) | (b & 1) << 2 | (b & 4) >> 1 | (b & 2) >> 1);
	ps2_reply(&m->out, m->resolution);
	ps2_reply(&m->out, m->rate);
}

static void do_command(struct ps2_mouse *m, uint8_t v)
{
	if (v == PS2_RESEND) {
		ps2_reply(&m->out, m->out.last);
		return;
	}
	ps2_reply(&m->out, PS2_ACK);
	switch (v) {
	case CMD_SCALING_11:
	case CMD_SCALING_21:
		m->scaling21 = v == CMD_SCALING_21;
		break;
	case CMD_RESOLUTION:
	case PS2_RATE:
		m->pending = v;
		break;
	case CMD_STATUS:
		reply_status(m);
		break;
	case CMD_STREAM:
	case CMD_REMOTE:
		m->remote = v == CMD_REMOTE;
		ps2_queue_clear(&m->out);
		break;
	case CMD_READ:
		reply_packet(m);
		break;
	case CMD_WRAP:
	case CMD_WRAP_OFF:
		m->wrap = v == CMD_WRAP;
		ps2_queue_clear(&m->out);
		break;
	case PS2_IDENTIFY:
		ps2_reply(&m->out, m->id);
		break;
	case PS2_ENABLE:
	case PS2_DISABLE:
		m->enabled = v == PS2_ENABLE;
		m->dx = m->dy = m->dz = 0;
		m->reported_buttons = m->buttons;
		ps2_queue_clear(&m->out);
		break;
	case PS2_DEFAULTS:
		set_defaults(m);
		break;
	case PS2_RESET:
		set_defaults(m);
		m->id = 0;
		ps2_reply(&m->out, PS2_TEST_PASSED);
		ps2_reply(&m->out, 0);
		break;
	default:
		trace(dev, "mouse: unknown command %02x", v);
		m->out.reply_count = 0;
		ps2_reply(&m->out, PS2_RESEND);
	}
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t v)
{
	uint8_t command = m->pending;

	m->out.reply_at = m->out.reply_count = 0;
	m->pending = 0;
	if (m->wrap && v != CMD_WRAP_OFF && v != PS2_RESET) {
		ps2_reply(&m->out, v);
	} else if (command && v < CMD_SCALING_11) {
		ps2_reply(&m->out, PS2_ACK);
		if (command == CMD_RESOLUTION)
			m->resolution = v & 3;
		else
			set_rate(m, v);
	} else {
		do_command(m, v);
	}
}

bool ps2_mouse_pop(struct ps2_mouse *m, uint8_t *byte)
{
	uint8_t packet[4];

	if (m->enabled && !m->remote && !m->wrap && !m->out.count && changed(m))
		ps2_queue_put(&m->out, packet, make_packet(m, true, packet));
	return ps2_queue_pop(&m->out, m->pending, byte);
}
