/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keymap.h"

#include <string.h>

static const struct key_info keys[QKEY_COUNT] = {
    [QKEY_NONE] = {.name = "unmapped"},
#define QKEY(id, name_, set1_, set2_, set3_, kind_)                                                                    \
	[QKEY_##id] = {.name = name_, .set1 = set1_, .set2 = set2_, .set3 = set3_, .kind = QKEY_##kind_},
#include "keymap.def"
#undef QKEY
};

const struct key_info *key_info(enum key key)
{
	return &keys[(unsigned)key < QKEY_COUNT ? key : QKEY_NONE];
}

enum key key_from_name(const char *name)
{
	for (unsigned i = 1; i < QKEY_COUNT; i++)
		if (!strcmp(keys[i].name, name))
			return (enum key)i;
	return QKEY_NONE;
}

enum key key_from_number(unsigned number)
{
	unsigned code = number & 0x80 ? 0xe000 | (number & 0x7f) : number;

	for (unsigned i = 1; i < QKEY_COUNT && number && number < 0x100; i++)
		if (keys[i].set1 == code)
			return (enum key)i;
	return QKEY_NONE;
}

/* Keys of the US layout that make printable characters: without and with shift. */
static const struct {
	uint8_t key;
	char plain, shifted;
} us_layout[] = {
    {QKEY_1, '1', '!'},
    {QKEY_2, '2', '@'},
    {QKEY_3, '3', '#'},
    {QKEY_4, '4', '$'},
    {QKEY_5, '5', '%'},
    {QKEY_6, '6', '^'},
    {QKEY_7, '7', '&'},
    {QKEY_8, '8', '*'},
    {QKEY_9, '9', '('},
    {QKEY_0, '0', ')'},
    {QKEY_MINUS, '-', '_'},
    {QKEY_EQUAL, '=', '+'},
    {QKEY_BRACKET_LEFT, '[', '{'},
    {QKEY_BRACKET_RIGHT, ']', '}'},
    {QKEY_SEMICOLON, ';', ':'},
    {QKEY_APOSTROPHE, '\'', '"'},
    {QKEY_GRAVE_ACCENT, '`', '~'},
    {QKEY_BACKSLASH, '\\', '|'},
    {QKEY_COMMA, ',', '<'},
    {QKEY_DOT, '.', '>'},
    {QKEY_SLASH, '/', '?'},
    {QKEY_SPC, ' ', ' '},
};

static enum key letter(uint32_t ch)
{
	char name[2] = {(char)ch, 0};

	return key_from_name(name);
}

static bool printable(uint32_t ch, struct key_chord *chord)
{
	for (unsigned i = 0; i < ARRAY_LEN(us_layout); i++) {
		if (ch != (unsigned char)us_layout[i].plain && ch != (unsigned char)us_layout[i].shifted)
			continue;
		chord->key = (enum key)us_layout[i].key;
		chord->shift = ch != (unsigned char)us_layout[i].plain;
		return true;
	}
	return false;
}

bool key_from_char(uint32_t ch, struct key_chord *chord)
{
	*chord = (struct key_chord){0};
	if (ch >= 'a' && ch <= 'z') {
		chord->key = letter(ch);
	} else if (ch >= 'A' && ch <= 'Z') {
		chord->key = letter(ch - 'A' + 'a');
		chord->shift = true;
	} else if (ch == '\r' || ch == '\n') {
		chord->key = QKEY_RET;
	} else if (ch == '\t') {
		chord->key = QKEY_TAB;
	} else if (ch == '\b' || ch == 0x7f) {
		chord->key = QKEY_BACKSPACE;
	} else if (ch == 0x1b) {
		chord->key = QKEY_ESC;
	} else if (ch >= 1 && ch <= 26) {
		chord->key = letter(ch - 1 + 'a');
		chord->ctrl = true;
	} else if (ch == 0) {
		chord->key = QKEY_SPC;
		chord->ctrl = true;
	} else if (ch < 0x20) { /* 1c-1f: ctrl with \ ] ^ _ */
		printable(ch + 0x40, chord);
		chord->ctrl = true;
	} else {
		return printable(ch, chord);
	}
	return true;
}

size_t utf8_next(const char *text, size_t len, uint32_t *ch)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000}; /* shorter forms exist below */
	uint8_t first = len ? (uint8_t)*text : 0;
	unsigned n = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
	uint32_t v = n == 1 ? first : first & (0x7fu >> n);

	*ch = 0;
	if (!first)
		return 0;
	*ch = 0xfffd;
	if (!n || n > len)
		return 1;
	for (unsigned i = 1; i < n; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 1;
		v = v << 6 | ((uint8_t)text[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 1;
	*ch = v;
	return n;
}
