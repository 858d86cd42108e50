/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the terminal display share. The only header that brings in curses. */
#ifndef GNOMON_TTY_INTERNAL_H
#define GNOMON_TTY_INTERNAL_H

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <ncurses.h>
#include <stdio.h>
#include <termios.h>

#include "devices/keymap.h"
#include "tty_display.h"

enum { TTY_QUEUE = 4096 }; /* characters of pasted text that may wait */

struct tty_display {
	struct tty_display_ops ops;
	int in_fd, out_fd;
	FILE *in, *out;
	SCREEN *screen;
	bool utf8;	 /* else line drawing is shown in ASCII */
	unsigned colors; /* 0 (monochrome), 8, 16 or 256 */

	struct key_chord queue[TTY_QUEUE]; /* keys that wait to be sent, oldest at `head` */
	unsigned head, queued;
	bool sent;   /* something was sent since the last tick */
	bool prefix; /* Ctrl-A was typed */

	uint64_t hint_until; /* the status line is shown over the guest's screen until then (host ns) */
	bool help;	     /* the status line tells the keys */
	bool redraw;	     /* whatever the snapshot says */
	bool overlaid;	     /* the last drawing had the status line on a guest's row */

	bool known; /* `shown` holds a snapshot */
	struct vga_text_screen shown, next;
	uint64_t picture_at; /* when to ask for the next picture (host ns) */
	struct picture picture;
};

/*
 * What wget_wch returned (its result and the character), as keys of the guest. False for what has no key. alt: ESC came
 * just before it.
 */
bool tty_key_decode(int result, wint_t ch, bool alt, struct key_chord *out);

/* Presses and releases a chord. */
void tty_key_send(const struct tty_display_ops *ops, const struct key_chord *chord);

/* Draws d->shown (and d->picture, if it has a size) and the status line into the curses screen. */
void tty_draw(struct tty_display *d);

#endif
