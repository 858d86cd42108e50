/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the terminal shows: cells of the text screen, a coarse picture of a graphics screen, the status line. */
#include "tty_internal.h"

#include <string.h>
#include <wchar.h>

#include "devices/cp437.h"

/* The display's colour numbers have blue in bit 0, terminals red. */
static int ansi_color(unsigned c)
{
	return (int)((c & 8) | (c & 1) << 2 | (c & 2) | (c & 4) >> 2);
}

static void put(int y, int x, wchar_t wc, attr_t attrs, int fg, int bg, bool colored)
{
	wchar_t text[2] = {wc, 0};
	int pair = colored ? alloc_pair(fg, bg) : 0;
	cchar_t cell;

	if (setcchar(&cell, text, attrs, 0, pair > 0 ? (void *)&pair : NULL) == OK)
		mvadd_wch(y, x, &cell);
}

/* Line drawing and blocks for terminals that show ASCII only. */
static wchar_t plain(uint8_t ch)
{
	if (ch >= 0x20 && ch < 0x7f)
		return ch;
	if (ch == 0xb3 || ch == 0xba)
		return '|';
	if (ch == 0xc4 || ch == 0xcd)
		return '-';
	if (ch >= 0xb4 && ch <= 0xda)
		return '+';
	if ((ch >= 0xb0 && ch <= 0xb2) || (ch >= 0xdb && ch <= 0xdf) || ch == 0xfe)
		return '#';
	return ch == 0 || ch == 0xff ? ' ' : '.';
}

static void put_cell(const struct tty_display *d, int y, int x, struct vga_cell c)
{
	wchar_t wc = d->utf8 ? (wchar_t)cp437_unicode[c.ch] : plain(c.ch);
	int fg = ansi_color(c.attr & 15), bg = ansi_color(c.attr >> 4);
	attr_t attrs = A_NORMAL;

	if (d->shown.blink) {
		if (bg & 8)
			attrs |= A_BLINK;
		bg &= 7;
	}
	if (!d->colors) {
		put(y, x, wc, attrs | (fg & 8 ? A_BOLD : 0) | (bg ? A_REVERSE : 0), 0, 0, false);
		return;
	}
	if (d->colors < 16) {
		if (fg & 8)
			attrs |= A_BOLD;
		fg &= 7;
		bg &= 7;
	}
	put(y, x, wc, attrs, fg, bg, true);
}

/* First row or column of the guest's screen that is shown, so that the cursor is among the `room` that fit. */
static unsigned scroll_to(unsigned size, unsigned room, bool cursor, unsigned at)
{
	if (size <= room || !cursor || at < room)
		return 0;
	return at - room + 1;
}

static void draw_text(const struct tty_display *d, unsigned lines, unsigned columns)
{
	const struct vga_text_screen *s = &d->shown;
	unsigned top = scroll_to(s->rows, lines, s->cursor.visible, s->cursor.y);
	unsigned left = scroll_to(s->cols, columns, s->cursor.visible, s->cursor.x);

	for (unsigned y = 0; y < lines && top + y < s->rows; y++)
		for (unsigned x = 0; x < columns && left + x < s->cols; x++)
			put_cell(d, (int)y, (int)x, s->cells[(top + y) * s->cols + left + x]);
	curs_set(s->cursor.visible);
	if (s->cursor.visible)
		move((int)(s->cursor.y - top), (int)(s->cursor.x - left));
}

/* Nearest colour of the 6x6x6 cube and the greys that 256-colour terminals have. */
static int color_256(uint32_t rgb)
{
	static const int level[6] = {0, 95, 135, 175, 215, 255};
	int c[3] = {(int)(rgb >> 16 & 255), (int)(rgb >> 8 & 255), (int)(rgb & 255)};
	int index[3], cube = 0, grey = 0;
	int n = (c[0] + c[1] + c[2]) / 3 - 8;

	n = n < 0 ? 0 : MIN((n + 5) / 10, 23);
	for (unsigned i = 0; i < 3; i++) {
		index[i] = c[i] < 48 ? 0 : c[i] < 115 ? 1 : (c[i] - 35) / 40;
		cube += (c[i] - level[index[i]]) * (c[i] - level[index[i]]);
		grey += (c[i] - (8 + 10 * n)) * (c[i] - (8 + 10 * n));
	}
	return grey < cube ? 232 + n : 16 + 36 * index[0] + 6 * index[1] + index[2];
}

/* Mean colour of the picture's part that falls on point (x, y) of a w x h raster. */
static uint32_t mean(const struct picture *p, unsigned x, unsigned y, unsigned w, unsigned h)
{
	unsigned x0 = (unsigned)((uint64_t)x * p->width / w), x1 = (unsigned)((uint64_t)(x + 1) * p->width / w);
	unsigned y0 = (unsigned)((uint64_t)y * p->height / h), y1 = (unsigned)((uint64_t)(y + 1) * p->height / h);
	uint64_t sum[3] = {0}, n = 0;

	for (unsigned yy = y0; yy < MAX(y1, y0 + 1); yy++) {
		for (unsigned xx = x0; xx < MAX(x1, x0 + 1); xx++, n++) {
			uint32_t v = picture_row(p, yy)[xx];
			for (unsigned i = 0; i < 3; i++)
				sum[i] += v >> (i * 8) & 255;
		}
	}
	return (uint32_t)(sum[2] / n << 16 | sum[1] / n << 8 | sum[0] / n);
}

/* Two points to a cell: the upper half block in the upper one's colour over the lower one's. Cells are about twice as
 * high as wide. */
static void draw_picture(const struct tty_display *d, unsigned lines, unsigned columns)
{
	const struct picture *p = &d->picture;
	uint64_t w = columns, h = w * p->height / p->width;

	if (h > lines * 2) {
		h = lines * 2;
		w = h * p->width / p->height;
	}
	for (unsigned y = 0; y + 1 < h; y += 2) {
		for (unsigned x = 0; x < w; x++) {
			int upper = color_256(mean(p, x, y, (unsigned)w, (unsigned)h));
			int lower = color_256(mean(p, x, y + 1, (unsigned)w, (unsigned)h));
			put((int)y / 2, (int)x, 0x2580, A_NORMAL, upper, lower, true);
		}
	}
}

static void draw_status(const struct tty_display *d, int line, int columns)
{
	const struct vga_text_screen *s = &d->shown;
	char what[48] = "", text[160];

	if (d->known && s->mode == VGA_TEXT)
		snprintf(what, sizeof(what), "text %ux%u", s->cols, s->rows);
	else if (d->known && s->mode == VGA_GRAPHICS)
		snprintf(what, sizeof(what), "graphics %ux%u", s->width, s->height);
	else
		snprintf(what, sizeof(what), "blank screen");
	if (d->help || d->prefix)
		snprintf(text, sizeof(text),
			 " Ctrl-A, then  x: quit  d: Ctrl-Alt-Del  l: redraw  Ctrl-A: Ctrl-A itself  h: help");
	else
		snprintf(text, sizeof(text), " Ctrl-A x: quit | Ctrl-A h: help | Gnomon, %s", what);
	attr_set(A_REVERSE, 0, NULL);
	mvhline(line, 0, ' ', columns);
	mvaddnstr(line, 0, text, columns);
	attr_set(A_NORMAL, 0, NULL);
}

void tty_draw(struct tty_display *d)
{
	int lines, columns, y, x;
	bool hint = d->prefix || d->help || host_now_ns() < d->hint_until;

	getmaxyx(stdscr, lines, columns);
	erase();
	curs_set(0);
	d->overlaid = false;
	if (d->known && d->shown.mode == VGA_TEXT) {
		bool room = lines > (int)d->shown.rows;
		draw_text(d, (unsigned)(room ? (int)d->shown.rows : lines), (unsigned)columns);
		getyx(stdscr, y, x);
		d->overlaid = hint && !room;
		if (room || hint)
			draw_status(d, lines - 1, columns);
		move(y, x);
	} else {
		if (d->known && d->shown.mode == VGA_GRAPHICS && d->picture.width && lines > 1)
			draw_picture(d, (unsigned)lines - 1, (unsigned)columns);
		draw_status(d, lines - 1, columns);
	}
	refresh();
}
