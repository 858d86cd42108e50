/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The framing of GDB's remote serial protocol (GDB manual, appendix E): packets between $ and #, checksums, escapes,
 * numbers in hexadecimal. Nothing here knows of a VM.
 */
#ifndef GNOMON_MONITOR_GDB_PACKET_H
#define GNOMON_MONITOR_GDB_PACKET_H

#include "base.h"

enum { GDB_PACKET_MAX = 16384 }; /* bytes between $ and #, either way */

/* What a byte has completed. */
enum gdb_input {
	GDB_IN_NOTHING,
	GDB_IN_PACKET,	  /* in `data`, a terminating 0 behind it */
	GDB_IN_DAMAGED,	  /* wrong checksum */
	GDB_IN_TOO_LONG,  /* was not kept */
	GDB_IN_INTERRUPT, /* Ctrl-C outside of a packet */
	GDB_IN_ACK,
	GDB_IN_NAK,
};

struct gdb_parser {
	char data[GDB_PACKET_MAX + 1];
	size_t len;
	uint8_t state; /* private */
	uint8_t sum, told;
	bool too_long;
};

void gdb_parser_init(struct gdb_parser *p);
enum gdb_input gdb_parser_feed(struct gdb_parser *p, uint8_t byte);

/* A packet being made: "$", data, "#" and checksum. */
struct gdb_packet {
	char data[GDB_PACKET_MAX + 4];
	size_t len;
	bool overflow; /* something did not fit, and was left out as a whole */
};

void gdb_begin(struct gdb_packet *p);
void gdb_text(struct gdb_packet *p, const char *text);
void PRINTF_LIKE(2, 3) gdb_format(struct gdb_packet *p, const char *fmt, ...);
/* Bytes as hexadecimal digits, in their order in memory. */
void gdb_hex(struct gdb_packet *p, const void *bytes, size_t len);
/* As much of the binary data as fits, escaped; how many bytes. */
size_t gdb_binary(struct gdb_packet *p, const void *bytes, size_t len);
void gdb_end(struct gdb_packet *p);
/* Room in digits. */
size_t gdb_room(const struct gdb_packet *p);

/* Parsing of what is in a packet: each moves *s behind what it took. False: it is not there (or out of range). */
bool gdb_take(const char **s, const char *word);
bool gdb_take_number(const char **s, uint64_t *n);
/* address,length */
bool gdb_take_range(const char **s, uint64_t *at, uint64_t *len);
/* Exactly len bytes in hexadecimal digits. */
bool gdb_take_hex(const char **s, void *bytes, size_t len);
/* Removes the escapes of binary data in place; its new length, or -1: it ends within one. */
long gdb_unescape(char *data, size_t len);

#endif
