/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "terminal.h"

#include <unistd.h>

const char escape_help[] = "Ctrl-A x quits, Ctrl-A Ctrl-A sends a Ctrl-A, Ctrl-A h shows this";

bool terminal_raw(struct terminal *t, int fd)
{
	struct termios raw;

	*t = (struct terminal){.fd = fd};
	if (tcgetattr(fd, &t->saved))
		return false;
	raw = t->saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* a newline of ours must still begin a line; the guest's CR LF comes out the same */
	t->raw = tcsetattr(fd, TCSANOW, &raw) == 0;
	return t->raw;
}

void terminal_restore(struct terminal *t)
{
	if (!t->raw)
		return;
	t->raw = false;
	tcsetattr(t->fd, TCSANOW, &t->saved);
}

enum escape_action escape_feed(struct escape *e, uint8_t *byte)
{
	if (!e->pending) {
		e->pending = *byte == ESCAPE_PREFIX;
		return e->pending ? ESCAPE_NONE : ESCAPE_PASS;
	}
	e->pending = false;
	switch (*byte) {
	case 'x':
	case 'X':
		return ESCAPE_QUIT;
	case 'h':
	case 'H':
	case '?':
		return ESCAPE_HELP;
	case 'a':
	case 'A':
	case ESCAPE_PREFIX:
		*byte = ESCAPE_PREFIX;
		return ESCAPE_PASS;
	default:
		return ESCAPE_NONE;
	}
}
