/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "tty_internal.h"

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

enum {
	CTRL_A = 1,
	ESCAPE = 27,
	HINT_SECONDS = 5,
	ESC_DELAY_MS = 25, /* how long what follows ESC may take to make it a function key */
	PICTURE_PERIOD_MS = 200,
};

/*
 * The terminal is the process's, and a signal handler has no argument: the one exception to "no mutable globals".
 * Written before `active` is set and after it is cleared.
 */
static struct {
	volatile sig_atomic_t active;
	int in_fd, out_fd;
	struct termios termios;
	char sequence[256]; /* leaves the alternate screen, shows the cursor ... */
	size_t len;
} terminal;

/* Appends a terminfo string, without the delays ($<5>) that only tputs understands. */
static void append_capability(const char *name)
{
	const char *s = tigetstr(name);

	if (!s || s == (char *)-1)
		return;
	while (*s && terminal.len < sizeof(terminal.sequence)) {
		const char *end = s[0] == '$' && s[1] == '<' ? strchr(s, '>') : NULL;
		if (end)
			s = end + 1;
		else
			terminal.sequence[terminal.len++] = *s++;
	}
}

void tty_display_emergency_restore(void)
{
	if (!terminal.active)
		return;
	terminal.active = 0;
	for (size_t done = 0; done < terminal.len;) {
		ssize_t n = write(terminal.out_fd, terminal.sequence + done, terminal.len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	tcsetattr(terminal.in_fd, TCSANOW, &terminal.termios);
}

/* Whether terminfo has $TERM. newterm() would say so too, but leak. */
static bool terminal_known(int fd)
{
	int err;

	if (setupterm(NULL, fd, &err) != OK)
		return false;
	del_curterm(cur_term);
	return true;
}

/* curses installs handlers that end the process or run on whichever thread; we want none of them. */
static SCREEN *new_screen(FILE *out, FILE *in)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
	struct sigaction saved[ARRAY_LEN(signals)];
	SCREEN *screen;

	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], NULL, &saved[i]);
	screen = newterm(NULL, out, in);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &saved[i], NULL);
	return screen;
}

static void set_locale(struct tty_display *d)
{
	setlocale(LC_CTYPE, "");
	/* Containers often have no locale set, but terminals that show UTF-8. */
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
	d->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static void set_modes(struct tty_display *d)
{
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESC_DELAY_MS);
	if (has_colors() && start_color() == OK && COLOR_PAIRS >= 64)
		d->colors = COLORS >= 256 ? 256 : COLORS >= 16 ? 16 : COLORS >= 8 ? 8 : 0;
}

int tty_display_create(struct tty_display **out, const struct tty_display_ops *ops, int in_fd, int out_fd)
{
	struct tty_display *d;
	int err = -ENOMEM;

	if (terminal.active)
		return -EBUSY;
	if (!isatty(in_fd) || !isatty(out_fd) || tcgetattr(in_fd, &terminal.termios) < 0)
		return -ENOTTY;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->ops = *ops;
	d->in_fd = dup(in_fd);
	d->out_fd = dup(out_fd);
	d->in = d->in_fd >= 0 ? fdopen(d->in_fd, "r") : NULL;
	d->out = d->out_fd >= 0 ? fdopen(d->out_fd, "w") : NULL;
	if (!d->in || !d->out)
		goto out;
	set_locale(d);
	d->screen = terminal_known(d->out_fd) ? new_screen(d->out, d->in) : NULL;
	if (!d->screen) {
		err = -ENOTSUP;
		goto out;
	}
	terminal.in_fd = d->in_fd;
	terminal.out_fd = d->out_fd;
	terminal.len = 0;
	append_capability("sgr0");
	append_capability("cnorm");
	append_capability("rmkx");
	append_capability("rmcup");
	terminal.active = 1;
	set_modes(d);
	d->hint_until = host_now_ns() + HINT_SECONDS * NS_PER_SEC;
	d->redraw = true;
	*out = d;
	return 0;
out:
	tty_display_destroy(d);
	return err;
}

void tty_display_destroy(struct tty_display *d)
{
	if (!d)
		return;
	if (d->screen) {
		endwin();
		tty_display_emergency_restore();
		delscreen(d->screen);
	}
	if (d->in)
		fclose(d->in);
	else if (d->in_fd >= 0)
		close(d->in_fd);
	if (d->out)
		fclose(d->out);
	else if (d->out_fd >= 0)
		close(d->out_fd);
	picture_free(&d->picture);
	free(d);
}

int tty_display_fd(const struct tty_display *d)
{
	return d->in_fd;
}

/* Sends now if nothing waits, else in turn: a keyboard holds a few keys only, so pasted text is typed at the pace of
 * the ticks. */
static void queue_key(struct tty_display *d, const struct key_chord *chord)
{
	if (!d->queued && !d->sent) {
		d->sent = true;
		tty_key_send(&d->ops, chord);
	} else if (d->queued < TTY_QUEUE) {
		d->queue[(d->head + d->queued++) % TTY_QUEUE] = *chord;
	}
}

static void send_queued(struct tty_display *d)
{
	d->sent = false;
	if (!d->queued)
		return;
	tty_key_send(&d->ops, &d->queue[d->head]);
	d->head = (d->head + 1) % TTY_QUEUE;
	d->queued--;
	d->sent = true;
}

/* The key after Ctrl-A. */
static void command(struct tty_display *d, int result, wint_t ch)
{
	struct key_chord chord;

	d->prefix = false;
	d->redraw = true;
	if (result == KEY_CODE_YES)
		ch = '?';
	switch (ch) {
	case 'x':
	case 'X':
		d->ops.quit(d->ops.arg);
		break;
	case 'd':
	case 'D':
		chord = (struct key_chord){key_from_name("delete"), .ctrl = true, .alt = true};
		queue_key(d, &chord);
		break;
	case CTRL_A:
		chord = (struct key_chord){key_from_name("a"), .ctrl = true};
		queue_key(d, &chord);
		break;
	case 'l':
	case 'L':
		clearok(curscr, TRUE);
		break;
	case ESCAPE:
		break;
	default:
		d->help = true;
		break;
	}
}

/* POLLHUP, or readable with nothing to read: nobody is there any more. */
static bool gone(const struct tty_display *d)
{
	struct pollfd p = {.fd = d->in_fd, .events = POLLIN};
	int waiting = 0;

	if (poll(&p, 1, 0) <= 0)
		return false;
	if (!(p.revents & POLLIN))
		return p.revents & (POLLHUP | POLLERR | POLLNVAL);
	return ioctl(d->in_fd, FIONREAD, &waiting) < 0 || !waiting;
}

int tty_display_input(struct tty_display *d)
{
	bool alt = false;
	wint_t ch;
	int result;

	if (gone(d))
		return -EIO;
	while ((result = wget_wch(stdscr, &ch)) != ERR) {
		struct key_chord chord;
		if (d->help)
			d->redraw = true;
		d->help = false;
		if (d->prefix) {
			command(d, result, ch);
		} else if (result == OK && ch == CTRL_A) {
			d->prefix = d->redraw = true;
		} else if (result == OK && ch == ESCAPE && !alt) {
			alt = true; /* together with the next, if that is here already */
			continue;
		} else if (tty_key_decode(result, ch, alt, &chord)) {
			queue_key(d, &chord);
		}
		alt = false;
	}
	if (alt) {
		struct key_chord chord = {.key = key_from_name("esc")};
		queue_key(d, &chord);
	}
	return 0;
}

static bool same_screen(const struct vga_text_screen *a, const struct vga_text_screen *b)
{
	return a->mode == b->mode && a->width == b->width && a->height == b->height && a->cols == b->cols &&
	       a->rows == b->rows && a->blink == b->blink && a->cursor.visible == b->cursor.visible &&
	       a->cursor.x == b->cursor.x && a->cursor.y == b->cursor.y &&
	       !memcmp(a->cells, b->cells, (size_t)a->cols * a->rows * sizeof(a->cells[0]));
}

static void take_snapshot(struct tty_display *d)
{
	int err = d->ops.snapshot(d->ops.arg, &d->next);

	if (err && err != -EAGAIN)
		return;
	if (d->known && same_screen(&d->shown, &d->next))
		return;
	d->shown = d->next;
	d->known = d->redraw = true;
}

static void take_picture(struct tty_display *d, uint64_t now)
{
	if (!d->known || d->shown.mode != VGA_GRAPHICS || !d->ops.picture || d->colors < 256 || !d->utf8) {
		picture_free(&d->picture);
		return;
	}
	if (now < d->picture_at)
		return;
	d->picture_at = now + PICTURE_PERIOD_MS * NS_PER_MS;
	if (!d->ops.picture(d->ops.arg, &d->picture))
		d->redraw = true;
}

/* The terminal's size, asked for rather than signalled. */
static void follow_size(struct tty_display *d)
{
	struct winsize ws;

	if (ioctl(d->out_fd, TIOCGWINSZ, &ws) < 0 || !ws.ws_row || !ws.ws_col)
		return;
	if (ws.ws_row == LINES && ws.ws_col == COLS)
		return;
	resize_term(ws.ws_row, ws.ws_col);
	clearok(curscr, TRUE);
	d->redraw = true;
}

void tty_display_tick(struct tty_display *d)
{
	uint64_t now = host_now_ns();

	send_queued(d);
	follow_size(d);
	take_snapshot(d);
	take_picture(d, now);
	if (d->overlaid && !d->help && !d->prefix && now >= d->hint_until)
		d->redraw = true; /* give the row back */
	if (!d->redraw)
		return;
	d->redraw = false;
	tty_draw(d);
}
