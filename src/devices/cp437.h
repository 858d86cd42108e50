/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code page 437, the character set of the PC's display: what a cell of the text screen shows. */
#ifndef GNOMON_CP437_H
#define GNOMON_CP437_H

#include "base.h"

/* Unicode of each character as displayed (graphic forms below 0x20; 0 and 0xff are blanks: U+0020). */
extern const uint16_t cp437_unicode[256];

/* Writes the character as UTF-8 (1 to 3 bytes, no terminator); returns the number of bytes. */
unsigned cp437_utf8(uint8_t c, char out[3]);

#endif
