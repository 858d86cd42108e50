/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb_packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum state { OUTSIDE, INSIDE, SUM_HIGH, SUM_LOW };
enum { CTRL_C = 3, ESCAPE_XOR = 0x20 };

static const char digits[] = "0123456789abcdef";

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* --- in --- */

void gdb_parser_init(struct gdb_parser *p)
{
	p->len = 0;
	p->state = OUTSIDE;
	p->data[0] = 0;
}

static enum gdb_input outside(struct gdb_parser *p, uint8_t byte)
{
	switch (byte) {
	case '$':
		p->len = 0;
		p->sum = 0;
		p->too_long = false;
		p->state = INSIDE;
		return GDB_IN_NOTHING;
	case CTRL_C:
		return GDB_IN_INTERRUPT;
	case '+':
		return GDB_IN_ACK;
	case '-':
		return GDB_IN_NAK;
	default:
		return GDB_IN_NOTHING; /* noise on the line */
	}
}

static enum gdb_input ended(struct gdb_parser *p)
{
	p->state = OUTSIDE;
	p->data[p->len] = 0;
	if (p->too_long)
		return GDB_IN_TOO_LONG;
	return p->sum == p->told ? GDB_IN_PACKET : GDB_IN_DAMAGED;
}

enum gdb_input gdb_parser_feed(struct gdb_parser *p, uint8_t byte)
{
	int d;

	if (p->state == OUTSIDE || byte == '$') /* a $ is escaped in data: the end of the packet before it was lost */
		return outside(p, byte);
	if (p->state == INSIDE && byte != '#') {
		p->sum = (uint8_t)(p->sum + byte);
		if (p->len == GDB_PACKET_MAX)
			p->too_long = true;
		else
			p->data[p->len++] = (char)byte;
		return GDB_IN_NOTHING;
	}
	if (p->state == INSIDE) {
		p->state = SUM_HIGH;
		return GDB_IN_NOTHING;
	}
	d = digit((char)byte);
	if (p->state == SUM_HIGH && d >= 0) {
		p->told = (uint8_t)(d << 4);
		p->state = SUM_LOW;
		return GDB_IN_NOTHING;
	}
	if (d < 0) {
		p->state = OUTSIDE;
		return GDB_IN_DAMAGED;
	}
	p->told |= (uint8_t)d;
	return ended(p);
}

/* --- out --- */

void gdb_begin(struct gdb_packet *p)
{
	p->data[0] = '$';
	p->len = 1;
	p->overflow = false;
}

size_t gdb_room(const struct gdb_packet *p)
{
	return GDB_PACKET_MAX + 1 - p->len;
}

static bool fits(struct gdb_packet *p, size_t len)
{
	if (len <= gdb_room(p))
		return true;
	p->overflow = true;
	return false;
}

void gdb_text(struct gdb_packet *p, const char *text)
{
	size_t len = strlen(text);

	if (!fits(p, len))
		return;
	memcpy(p->data + p->len, text, len);
	p->len += len;
}

void gdb_format(struct gdb_packet *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gdb_text(p, text);
}

void gdb_hex(struct gdb_packet *p, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	if (!fits(p, 2 * len))
		return;
	for (size_t i = 0; i < len; i++) {
		p->data[p->len++] = digits[b[i] >> 4];
		p->data[p->len++] = digits[b[i] & 15];
	}
}

size_t gdb_binary(struct gdb_packet *p, const void *bytes, size_t len)
{
	const char *b = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		bool special = b[i] == '$' || b[i] == '#' || b[i] == '}' || b[i] == '*';
		if (gdb_room(p) < 1u + special)
			break;
		if (special)
			p->data[p->len++] = '}';
		p->data[p->len++] = special ? (char)(b[i] ^ ESCAPE_XOR) : b[i];
	}
	return i;
}

void gdb_end(struct gdb_packet *p)
{
	uint8_t sum = 0;

	for (size_t i = 1; i < p->len; i++)
		sum = (uint8_t)(sum + (uint8_t)p->data[i]);
	p->data[p->len++] = '#';
	p->data[p->len++] = digits[sum >> 4];
	p->data[p->len++] = digits[sum & 15];
}

/* --- in a packet --- */

bool gdb_take(const char **s, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*s, word, len))
		return false;
	*s += len;
	return true;
}

bool gdb_take_number(const char **s, uint64_t *n)
{
	unsigned taken = 0;

	*n = 0;
	for (int d; (d = digit(**s)) >= 0; ++*s, taken++) {
		if (*n >> 60)
			return false;
		*n = *n << 4 | (unsigned)d;
	}
	return taken;
}

bool gdb_take_range(const char **s, uint64_t *at, uint64_t *len)
{
	return gdb_take_number(s, at) && gdb_take(s, ",") && gdb_take_number(s, len);
}

bool gdb_take_hex(const char **s, void *bytes, size_t len)
{
	uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++, *s += 2) {
		int high = digit((*s)[0]), low = high < 0 ? -1 : digit((*s)[1]);
		if (low < 0)
			return false;
		b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

long gdb_unescape(char *data, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i] != '}') {
			data[to++] = data[i];
			continue;
		}
		if (++i == len)
			return -1;
		data[to++] = (char)(data[i] ^ ESCAPE_XOR);
	}
	return (long)to;
}
