/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VGA's screen in the user's terminal, and its keys to the guest. Runs in the I/O thread and never touches VM
 * state: it asks for snapshots and hands over keys through its ops. It does no polling of its own: call
 * tty_display_input() when tty_display_fd() is readable and tty_display_tick() every TTY_DISPLAY_TICK_MS or so.
 */
#ifndef GNOMON_TTY_DISPLAY_H
#define GNOMON_TTY_DISPLAY_H

#include "devices/picture.h"
#include "devices/vga.h"

enum { TTY_DISPLAY_TICK_MS = 33 };

struct tty_display_ops {
	void *arg;
	/* As vga_text_cells: 0 with text, -EAGAIN with mode and size of a graphics (or blank) screen; other errors: no
	 * news, try again. */
	int (*snapshot)(void *arg, struct vga_text_screen *out);
	/* As vga_render: for a coarse picture of graphics modes; asked for a few times a second. NULL: only their size
	 * is told. */
	int (*picture)(void *arg, struct picture *out);
	/* One key goes down or up; qcode: QMP's QKeyCode name. */
	void (*key)(void *arg, const char *qcode, bool down);
	/* The user wants to leave (Ctrl-A x). May be called again before it happens. */
	void (*quit)(void *arg);
};

struct tty_display;

/*
 * Takes over the terminal that in_fd and out_fd are (raw mode, alternate screen). *out is freed by
 * tty_display_destroy(). 0; -ENOTTY if either is not a terminal; -ENOTSUP if $TERM is not known or too simple; -ENOMEM.
 * One at a time in a process, which has one terminal (-EBUSY).
 */
int tty_display_create(struct tty_display **out, const struct tty_display_ops *ops, int in_fd, int out_fd);

/* Gives the terminal back as it was. NULL is allowed. */
void tty_display_destroy(struct tty_display *d);

/*
 * Gives the terminal back from wherever we are, for fatal signals and panics: async-signal-safe, idempotent, harmless
 * when there is no display. To be followed by the end of the process.
 */
void tty_display_emergency_restore(void);

/* The descriptor to wait on for keys. */
int tty_display_fd(const struct tty_display *d);

/* Reads what was typed. 0, or -EIO when the terminal is gone: then stop polling it. */
int tty_display_input(struct tty_display *d);

/* Looks at the screen and shows what has changed; sends keys that wait. */
void tty_display_tick(struct tty_display *d);

#endif
