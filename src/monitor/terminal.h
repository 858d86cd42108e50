/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's terminal: raw mode and back, and the keys that are for the monitor. */
#ifndef GNOMON_MONITOR_TERMINAL_H
#define GNOMON_MONITOR_TERMINAL_H

#include "base.h"

#include <termios.h>

struct terminal {
	int fd;
	bool raw;
	struct termios saved;
};

/* Raw mode: every byte is the guest's. False, and nothing is changed, if fd is no terminal. */
bool terminal_raw(struct terminal *t, int fd);

/* Back to what it was; nothing if it is not raw. May be called from a panic hook. */
void terminal_restore(struct terminal *t);

/* After Ctrl-A comes a letter for the monitor. */
enum {
	ESCAPE_PREFIX = 0x01,
};

enum escape_action {
	ESCAPE_PASS, /* the byte is the guest's */
	ESCAPE_NONE, /* it has been used up */
	ESCAPE_HELP,
	ESCAPE_QUIT,
};

struct escape {
	bool pending;
};

/* Takes the next byte. Ctrl-A twice (or Ctrl-A a) passes a Ctrl-A, which it puts into *byte. */
enum escape_action escape_feed(struct escape *e, uint8_t *byte);

/* One line that tells the user of the keys, without a newline. */
extern const char escape_help[];

#endif
