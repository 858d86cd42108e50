/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text screen as characters. */
#include <string.h>

#include "cp437.h"
#include "vga_internal.h"

void vga_text_size(const struct vga *vga, const struct vga_crtc *c, unsigned *cols, unsigned *rows)
{
	unsigned lines = c->row_lines << c->double_scan;

	*cols = MIN(c->h_disp, (unsigned)VGA_TEXT_MAX_COLS);
	*rows = MIN((c->v_disp + lines - 1) / lines, (unsigned)VGA_TEXT_MAX_ROWS);
}

static void find_cursor(const struct vga *vga, const struct vga_crtc *c, struct vga_text_screen *out)
{
	unsigned at = (unsigned)vga->crtc[CR_CURSOR_HIGH] << 8 | vga->crtc[CR_CURSOR_LOW];
	unsigned from = vga->crtc[CR_CURSOR_START] & 0x1f, to = vga->crtc[CR_CURSOR_END] & 0x1f;

	at = (at - c->start) & (VGA_PLANE_LEN - 1);
	out->cursor.y = c->pitch ? at / c->pitch : 0;
	out->cursor.x = c->pitch ? at % c->pitch : at;
	out->cursor.visible = !(vga->crtc[CR_CURSOR_START] & CR0A_CURSOR_OFF) && from <= to && from < c->row_lines &&
			      out->cursor.x < out->cols && out->cursor.y < out->rows;
}

int vga_text_cells(const struct vga *vga, struct vga_text_screen *out)
{
	struct vga_crtc c;

	out->cols = out->rows = 0;
	out->cursor = (struct vga_cursor){0};
	out->mode = vga_mode(vga, &out->width, &out->height);
	out->blink = vga->attr[AR_MODE] & AR10_BLINK;
	for (unsigned i = 0; i < 16; i++)
		out->palette[i] = vga_dac_color(vga, vga_attr_index(vga, i));
	if (out->mode != VGA_TEXT)
		return -EAGAIN;

	vga_crtc_decode(vga, &c);
	vga_text_size(vga, &c, &out->cols, &out->rows);
	find_cursor(vga, &c, out);
	for (unsigned y = 0; y < out->rows; y++) {
		for (unsigned x = 0; x < out->cols; x++) {
			uint32_t at = (c.start + y * c.pitch + x) & (VGA_PLANE_LEN - 1);
			out->cells[y * out->cols + x] =
			    (struct vga_cell){vga->vram.host[at * 4], vga->vram.host[at * 4 + 1]};
		}
	}
	return 0;
}

static bool is_blank(uint8_t ch)
{
	return ch == 0 || ch == ' ' || ch == 0xff;
}

int vga_text_format(const struct vga_text_screen *screen, char *buf, size_t len)
{
	size_t used = 0;

	if (screen->mode != VGA_TEXT)
		return -EAGAIN;
	for (unsigned y = 0; y < screen->rows; y++) {
		const struct vga_cell *line = &screen->cells[(size_t)y * screen->cols];
		unsigned cols = screen->cols;
		while (cols && is_blank(line[cols - 1].ch))
			cols--;
		for (unsigned x = 0; x < cols; x++) {
			char utf8[3];
			unsigned n = cp437_utf8(line[x].ch, utf8);
			if (used + n + 2 > len)
				return -ENOSPC;
			memcpy(buf + used, utf8, n);
			used += n;
		}
		if (used + 2 > len)
			return -ENOSPC;
		buf[used++] = '\n';
	}
	if (used >= len)
		return -ENOSPC;
	buf[used] = '\0';
	return (int)used;
}

int vga_text(const struct vga *vga, char *buf, size_t len, struct vga_cursor *cursor)
{
	struct vga_text_screen screen;
	int err = vga_text_cells(vga, &screen);

	if (err)
		return err;
	if (cursor)
		*cursor = screen.cursor;
	return vga_text_format(&screen, buf, len);
}
