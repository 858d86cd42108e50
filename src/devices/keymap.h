/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys by the names of QMP's QKeyCode, and their PS/2 scan codes in sets 1, 2 and 3. The table is keymap.def. */
#ifndef GNOMON_KEYMAP_H
#define GNOMON_KEYMAP_H

#include "../base.h"

/* QKEY_: KEY_ is taken by curses and by the kernel's input headers. */
enum key {
	QKEY_NONE, /* "unmapped" */
#define QKEY(id, name, set1, set2, set3, kind) QKEY_##id,
#include "keymap.def"
#undef QKEY
	QKEY_COUNT
};

/* What set 3 sends for a key, as set at reset: bit 0 repeats, bit 1 a break code. */
enum key_kind {
	QKEY_MAKE_ONLY = 0,
	QKEY_TYPEMATIC = 1,
	QKEY_MAKE_BREAK = 2,
	QKEY_TYPEMATIC_BREAK = 3,
};

struct key_info {
	const char *name;
	uint16_t set1, set2; /* 0xe0XX: extended; 0: no code in this set */
	uint8_t set3;
	uint8_t kind;
};

/* key < QKEY_COUNT. */
const struct key_info *key_info(enum key key);

/* By name ("ret", "kp_add"...), QKEY_NONE if there is none such. */
enum key key_from_name(const char *name);

/* By QMP's numeric code: set 1, with bit 7 set for extended keys. QKEY_NONE if there is none such. */
enum key key_from_number(unsigned number);

/* Keys to press together for a character. */
struct key_chord {
	enum key key;
	bool shift, ctrl, alt;
};

/*
 * How to type a Unicode character on a US keyboard; control characters too (\n is ret, \t tab, \b and DEL backspace,
 * ESC esc, others ctrl+letter). False if there is no way.
 */
bool key_from_char(uint32_t ch, struct key_chord *chord);

/* Takes one character off UTF-8 text: its length in bytes, 0 at the end (NUL or len 0). Malformed bytes give U+FFFD,
 * one at a time. */
size_t utf8_next(const char *text, size_t len, uint32_t *ch);

#endif
