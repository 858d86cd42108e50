/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what the terminal sends to keys of a PC. */
#include "tty_internal.h"

#include <string.h>

static bool named(const char *qcode, bool shift, bool ctrl, bool alt, struct key_chord *out)
{
	*out = (struct key_chord){key_from_name(qcode), shift, ctrl, alt};
	return out->key != QKEY_NONE;
}

static bool function_key(unsigned n, bool alt, struct key_chord *out)
{
	/* Terminals number F1 with Shift as F13, with Ctrl as F25, Ctrl-Shift as F37, Alt as F49. */
	static const struct {
		bool shift, ctrl, alt;
	} banks[] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 1, 0}, {0, 0, 1}};
	unsigned bank = (n - 1) / 12;
	char name[8];

	if (n < 1 || bank >= ARRAY_LEN(banks))
		return false;
	snprintf(name, sizeof(name), "f%u", (n - 1) % 12 + 1);
	return named(name, banks[bank].shift, banks[bank].ctrl, banks[bank].alt || alt, out);
}

/* Cursor keys with modifiers have no code of their own, but a terminfo name: kUP5 is Ctrl-Up (xterm's numbering: 1 +
 * bits). */
static bool extended_key(int code, struct key_chord *out)
{
	/* clang-format off */
	static const struct { const char *terminfo, *qcode; } keys[] = {
		{"kUP", "up"}, {"kDN", "down"}, {"kLFT", "left"}, {"kRIT", "right"}, {"kHOM", "home"}, {"kEND", "end"},
		{"kIC", "insert"}, {"kDC", "delete"}, {"kPRV", "pgup"}, {"kNXT", "pgdn"},
	};
	/* clang-format on */
	const char *name = keyname(code);

	for (unsigned i = 0; name && i < ARRAY_LEN(keys); i++) {
		size_t n = strlen(keys[i].terminfo);
		if (strncmp(name, keys[i].terminfo, n))
			continue;
		unsigned bits = name[n] >= '2' && name[n] <= '8' ? (unsigned)(name[n] - '1') : 0;
		return named(keys[i].qcode, bits & 1, bits & 4, bits & 2, out);
	}
	return false;
}

static bool special_key(int code, bool alt, struct key_chord *out)
{
	/* clang-format off */
	static const struct { int code; const char *qcode; bool shift; } keys[] = {
		{KEY_UP, "up", 0}, {KEY_DOWN, "down", 0}, {KEY_LEFT, "left", 0}, {KEY_RIGHT, "right", 0},
		{KEY_HOME, "home", 0}, {KEY_END, "end", 0}, {KEY_PPAGE, "pgup", 0}, {KEY_NPAGE, "pgdn", 0},
		{KEY_IC, "insert", 0}, {KEY_DC, "delete", 0}, {KEY_BACKSPACE, "backspace", 0}, {KEY_ENTER, "ret", 0},
		{KEY_BTAB, "tab", 1}, {KEY_SR, "up", 1}, {KEY_SF, "down", 1}, {KEY_SLEFT, "left", 1},
		{KEY_SRIGHT, "right", 1}, {KEY_SHOME, "home", 1}, {KEY_SEND, "end", 1}, {KEY_SPREVIOUS, "pgup", 1},
		{KEY_SNEXT, "pgdn", 1}, {KEY_SIC, "insert", 1}, {KEY_SDC, "delete", 1},
		{KEY_A1, "home", 0}, {KEY_A3, "pgup", 0}, {KEY_C1, "end", 0}, {KEY_C3, "pgdn", 0},
	};
	/* clang-format on */

	if (code > KEY_F0 && code <= KEY_F0 + 63)
		return function_key((unsigned)(code - KEY_F0), alt, out);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].code == code)
			return named(keys[i].qcode, keys[i].shift, false, alt, out);
	return extended_key(code, out);
}

bool tty_key_decode(int result, wint_t ch, bool alt, struct key_chord *out)
{
	if (result == KEY_CODE_YES)
		return special_key((int)ch, alt, out);
	if (ch == 0) /* Ctrl-Space and Ctrl-@ */
		return named("spc", false, true, alt, out);
	if (!key_from_char(ch == '\r' ? '\n' : (uint32_t)ch, out))
		return false;
	out->alt |= alt;
	return true;
}

void tty_key_send(const struct tty_display_ops *ops, const struct key_chord *chord)
{
	const char *key = key_info(chord->key)->name;
	const char *modifiers[3];
	unsigned n = 0;

	if (chord->ctrl)
		modifiers[n++] = "ctrl";
	if (chord->alt)
		modifiers[n++] = "alt";
	if (chord->shift)
		modifiers[n++] = "shift";
	for (unsigned i = 0; i < n; i++)
		ops->key(ops->arg, modifiers[i], true);
	ops->key(ops->arg, key, true);
	ops->key(ops->arg, key, false);
	while (n)
		ops->key(ops->arg, modifiers[--n], false);
}
