/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal display on a pseudo-terminal: what it writes there, and what becomes of what is typed there. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "monitor/tty_display.h"

static int master, slave;
static struct tty_display *display;
static struct vga_text_screen screen;
static char keys[4096];
static unsigned quits;
static char output[1 << 18];

static int snapshot(void *arg, struct vga_text_screen *out)
{
	*out = screen;
	return screen.mode == VGA_TEXT ? 0 : -EAGAIN;
}

static int picture(void *arg, struct picture *out)
{
	ck_assert_int_eq(picture_resize(out, 64, 48), 0);
	for (unsigned i = 0; i < 64 * 48; i++)
		out->pixels[i] = 0xff0000;
	return 0;
}

static void key(void *arg, const char *qcode, bool down)
{
	size_t n = strlen(keys);

	snprintf(keys + n, sizeof(keys) - n, "%c%s ", down ? '+' : '-', qcode);
}

static void quit(void *arg)
{
	quits++;
}

static void window_size(unsigned rows, unsigned cols)
{
	struct winsize ws = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

	ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &ws), 0);
}

static void start(void)
{
	static const struct tty_display_ops ops = {NULL, snapshot, picture, key, quit};

	ck_assert_int_eq(tty_display_create(&display, &ops, slave, slave), 0);
}

static void setup(void)
{
	setenv("TERM", "xterm-256color", 1);
	unsetenv("LINES");
	unsetenv("COLUMNS");
	master = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(slave, 0);
	window_size(30, 100);
	memset(&screen, 0, sizeof(screen));
	screen.mode = VGA_TEXT;
	screen.cols = 80;
	screen.rows = 25;
	for (unsigned i = 0; i < 80 * 25; i++)
		screen.cells[i] = (struct vga_cell){' ', 7};
	keys[0] = '\0';
	quits = 0;
}

static void teardown(void)
{
	tty_display_destroy(display);
	display = NULL;
	close(slave);
	close(master);
}

static void put_text(unsigned x, unsigned y, const char *text)
{
	for (; *text; text++)
		screen.cells[y * 80 + x++].ch = (uint8_t)*text;
}

/* What has been written to the terminal since the last call. */
static const char *written(void)
{
	struct pollfd p = {.fd = master, .events = POLLIN};
	size_t n = 0;

	while (n < sizeof(output) - 1 && poll(&p, 1, 20) > 0) {
		ssize_t got = read(master, output + n, sizeof(output) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	output[n] = '\0';
	return output;
}

static bool shows(const char *text)
{
	return strstr(output, text);
}

/* Types, lets the display read, and gives its ticks time to send all. */
static const char *type(const char *bytes)
{
	keys[0] = '\0';
	ck_assert_int_eq(write(master, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	usleep(10000);
	ck_assert_int_eq(tty_display_input(display), 0);
	for (unsigned i = 0; i < 20; i++)
		tty_display_tick(display);
	return keys;
}

START_TEST(text_appears_and_only_changes_are_written)
{
	start();
	put_text(3, 2, "Hello, guest");
	put_text(0, 4, "\xc9\xcd\xbb");
	tty_display_tick(display);
	written();
	ck_assert(shows("Hello, guest"));
	ck_assert(shows("╔═╗"));
	ck_assert(shows("Ctrl-A x: quit")); /* 30 lines: the status line has room */
	tty_display_tick(display);
	ck_assert_uint_eq(strlen(written()), 0);
	put_text(3, 3, "More");
	tty_display_tick(display);
	written();
	ck_assert(shows("More"));
	ck_assert(!shows("Hello"));
}
END_TEST

START_TEST(typed_keys)
{
	start();
	ck_assert_str_eq(type("a"), "+a -a ");
	ck_assert_str_eq(type("A"), "+shift +a -a -shift ");
	ck_assert_str_eq(type("\r"), "+ret -ret ");
	ck_assert_str_eq(type("\x7f"), "+backspace -backspace ");
	ck_assert_str_eq(type("\t"), "+tab -tab ");
	ck_assert_str_eq(type("\x03"), "+ctrl +c -c -ctrl ");
	ck_assert_str_eq(type("\x1b"), "+esc -esc ");
	ck_assert_str_eq(type("\x1bx"), "+alt +x -x -alt ");
	ck_assert_str_eq(type("\x1bOA"), "+up -up ");
	ck_assert_str_eq(type("\x1bOD"), "+left -left ");
	ck_assert_str_eq(type("\x1b[1;5A"), "+ctrl +up -up -ctrl ");
	ck_assert_str_eq(type("\x1b[1;2C"), "+shift +right -right -shift ");
	ck_assert_str_eq(type("\x1bOP"), "+f1 -f1 ");
	ck_assert_str_eq(type("\x1b[24~"), "+f12 -f12 ");
	ck_assert_str_eq(type("\x1b[3~"), "+delete -delete ");
	ck_assert_str_eq(type("\x1b[Z"), "+shift +tab -tab -shift ");
	ck_assert_str_eq(type("ls\r"), "+l -l +s -s +ret -ret ");
	ck_assert_str_eq(type("\xe2\x82\xac"), ""); /* no such key */
	ck_assert_str_eq(type("\xff"), "");
}
END_TEST

START_TEST(pasted_text_is_typed_at_the_pace_of_ticks)
{
	start();
	keys[0] = '\0';
	ck_assert_int_eq(write(master, "abcd", 4), 4);
	usleep(10000);
	tty_display_input(display);
	ck_assert_str_eq(keys, "+a -a ");
	tty_display_tick(display);
	ck_assert_str_eq(keys, "+a -a +b -b ");
	tty_display_tick(display);
	tty_display_tick(display);
	ck_assert_str_eq(keys, "+a -a +b -b +c -c +d -d ");
}
END_TEST

START_TEST(ctrl_a_commands)
{
	start();
	ck_assert_str_eq(type("\x01\x01"), "+ctrl +a -a -ctrl ");
	ck_assert_str_eq(type("\x01"
			      "d"),
			 "+ctrl +alt +delete -delete -alt -ctrl ");
	written();
	ck_assert_str_eq(type("\x01h"), "");
	written();
	ck_assert(shows("Ctrl-Alt-Del"));
	ck_assert_str_eq(type("z"), "+z -z "); /* ends the help */
	written();
	ck_assert(!shows("Ctrl-Alt-Del"));
	ck_assert_str_eq(type("\x01l"), "");
	written();
	ck_assert(shows("Ctrl-A x: quit"));
	ck_assert_uint_eq(quits, 0);
	ck_assert_str_eq(type("\x01x"), "");
	ck_assert_uint_eq(quits, 1);
}
END_TEST

START_TEST(small_terminals_follow_the_cursor)
{
	window_size(10, 40);
	start();
	put_text(0, 0, "top line");
	put_text(70, 24, "corner");
	tty_display_tick(display);
	written();
	ck_assert(shows("top line"));
	ck_assert(!shows("corner"));
	screen.cursor = (struct vga_cursor){true, 76, 24};
	tty_display_tick(display);
	tty_display_input(display);
	written();
	ck_assert(!shows("top line"));
	/* The hint lies over the last row at first; more rows show it. */
	window_size(12, 40);
	screen.cursor.y = 23;
	screen.rows = 25;
	tty_display_tick(display);
	window_size(40, 120);
	tty_display_tick(display);
	written();
	ck_assert(shows("top line"));
	ck_assert(shows("corner"));
	window_size(1, 1);
	tty_display_tick(display);
	written();
}
END_TEST

START_TEST(graphics)
{
	start();
	screen.mode = VGA_GRAPHICS;
	screen.cols = screen.rows = 0;
	screen.width = 1024;
	screen.height = 768;
	tty_display_tick(display);
	written();
	ck_assert(shows("graphics 1024x768"));
	ck_assert(shows("▀"));
	screen.mode = VGA_BLANK;
	tty_display_tick(display);
	written();
	ck_assert(shows("blank"));
}
END_TEST

START_TEST(terminal_is_given_back)
{
	struct termios before, during, after;

	tcgetattr(slave, &before);
	start();
	tcgetattr(slave, &during);
	ck_assert(!(during.c_lflag & (ICANON | ISIG | ECHO)));
	tty_display_tick(display);
	written();
	if (_i) {
		tty_display_emergency_restore();
		tty_display_emergency_restore(); /* at most once */
	} else {
		tty_display_destroy(display);
		display = NULL;
	}
	tcgetattr(slave, &after);
	ck_assert_uint_eq(after.c_lflag, before.c_lflag);
	ck_assert_uint_eq(after.c_iflag, before.c_iflag);
	ck_assert_uint_eq(after.c_oflag, before.c_oflag);
	written();
	ck_assert(shows("\x1b[?1049l"));
	ck_assert(shows("\x1b[?25h") || shows("\x1b[?12l"));
}
END_TEST

START_TEST(errors)
{
	static const struct tty_display_ops ops = {NULL, snapshot, NULL, key, quit};
	struct tty_display *other = NULL;
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(tty_display_create(&display, &ops, pipes[0], slave), -ENOTTY);
	ck_assert_int_eq(tty_display_create(&display, &ops, slave, pipes[1]), -ENOTTY);
	close(pipes[0]);
	close(pipes[1]);
	setenv("TERM", "no-such-terminal", 1);
	ck_assert_int_eq(tty_display_create(&display, &ops, slave, slave), -ENOTSUP);
	setenv("TERM", "vt100", 1); /* no colours */
	ck_assert_int_eq(tty_display_create(&display, &ops, slave, slave), 0);
	ck_assert_int_eq(tty_display_create(&other, &ops, slave, slave), -EBUSY);
	put_text(0, 0, "plain");
	tty_display_tick(display);
	written();
	ck_assert(shows("plain"));
	close(master); /* the terminal goes away */
	ck_assert_int_eq(tty_display_input(display), -EIO);
	tty_display_tick(display);
	master = open("/dev/null", O_RDONLY);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tty_display");
	TCase *t = tcase_create("tty_display");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, text_appears_and_only_changes_are_written);
	tcase_add_test(t, typed_keys);
	tcase_add_test(t, pasted_text_is_typed_at_the_pace_of_ticks);
	tcase_add_test(t, ctrl_a_commands);
	tcase_add_test(t, small_terminals_follow_the_cursor);
	tcase_add_test(t, graphics);
	tcase_add_loop_test(t, terminal_is_given_back, 0, 2);
	tcase_add_test(t, errors);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
