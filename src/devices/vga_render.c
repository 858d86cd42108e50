/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The screen as a picture. VGA modes are drawn as the hardware does: scan line by scan line, each first as dots (an
 * attribute or DAC index), then as colours. All addresses are masked to video memory, so that any register contents are
 * safe.
 */
#include <string.h>

#include "vga_internal.h"

enum {
	MAX_DOTS = 256 * 9 + 32, /* CR01 is eight bits wide; room for panning */
	BLANK_WIDTH = 720,
	BLANK_HEIGHT = 400,
	BLINK_NS = 266900000, /* 16 frames at 60 Hz: half a period of blinking text */
};

/* Everything about the frame that does not change from line to line. */
struct frame {
	const struct vga *vga;
	struct vga_crtc c;
	bool shift_256;	     /* dots are DAC indices, two clocks wide */
	bool half_clock;     /* each dot is two pixels wide */
	unsigned plane_mask; /* of attribute indices */
	uint32_t font[2];    /* planar offset of the fonts for attribute bit 3 clear, set */
	uint32_t cursor;     /* planar offset of the cell; ~0: off */
	bool blink_off;	     /* blinking characters are in their dark half */
	uint32_t color[256]; /* 0x00RRGGBB by dot */
};

uint32_t vga_dac_color(const struct vga *vga, uint8_t index)
{
	const uint8_t *c = vga->dac[index];
	uint32_t rgb = 0;

	for (unsigned i = 0; i < 3; i++) {
		uint8_t v = vga->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? c[i] : (uint8_t)(c[i] << 2 | (c[i] & 0x3f) >> 4);
		rgb = rgb << 8 | v;
	}
	return rgb;
}

uint8_t vga_attr_index(const struct vga *vga, unsigned attr)
{
	uint8_t v = vga->attr[attr & 15] & 0x3f;
	uint8_t select = vga->attr[AR_COLOR_SELECT];

	if (vga->attr[AR_MODE] & AR10_P54_SELECT)
		v = (uint8_t)((v & 0x0f) | (select & 0x03) << 4);
	return (uint8_t)(v | (select & 0x0c) << 4) & vga->dac_mask;
}

static uint32_t word_at(const struct vga *vga, uint32_t word, uint32_t words)
{
	uint32_t v;

	memcpy(&v, vga->vram.host + (size_t)(word & (words - 1)) * 4, 4);
	return v;
}

/* Eight dots of four planes, most significant bit first. */
static void planar_dots(uint32_t v, unsigned mask, uint8_t *dot)
{
	for (unsigned i = 0; i < 8; i++, v <<= 1)
		dot[i] = (uint8_t)((v >> 7 & 1) | (v >> 14 & 2) | (v >> 21 & 4) | (v >> 28 & 8)) & mask;
}

/* CGA: two bits a dot, four dots from planes 0 (and 2 above it), four from planes 1 (and 3). */
static void cga_dots(uint32_t v, unsigned mask, uint8_t *dot)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned shift = 6 - 2 * (i & 3);
		uint32_t half = i < 4 ? v : v >> 8;
		dot[i] = (uint8_t)((half >> shift & 3) | (half >> (16 + shift) & 3) << 2) & mask;
	}
}

/* One character clock of a graphics line. */
static void graphics_cell(const struct frame *f, uint32_t word, uint8_t *dot)
{
	uint32_t v = word_at(f->vga, word, VGA_PLANE_LEN);

	if (f->shift_256)
		for (unsigned i = 0; i < 8; i++)
			dot[i] = (uint8_t)(v >> (i / 2 * 8));
	else if (f->vga->gc[GC_MODE] & GR05_SHIFT_INTERLEAVE)
		cga_dots(v, f->plane_mask, dot);
	else
		planar_dots(v, f->plane_mask, dot);
}

/* The CRTC's address bits that the row scan counter replaces, for CGA's and Hercules' banks. */
static uint32_t banked(const struct vga *vga, uint32_t word, unsigned scan)
{
	unsigned bit = vga->crtc[CR_MODE] & CR17_BYTE ? 13 : 12;

	if (!(vga->crtc[CR_MODE] & CR17_NO_CGA_BANK))
		word = (word & ~(1u << bit)) | (scan & 1) << bit;
	if (!(vga->crtc[CR_MODE] & CR17_NO_HGC_BANK))
		word = (word & ~(2u << bit)) | (scan >> 1 & 1) << (bit + 1);
	return word;
}

static void text_cell(const struct frame *f, uint32_t word, unsigned scan, uint8_t *dot)
{
	const struct vga *vga = f->vga;
	uint32_t v = word_at(vga, word, VGA_PLANE_LEN);
	uint8_t ch = (uint8_t)v, attr = (uint8_t)(v >> 8);
	uint8_t fg = attr & 15, bg = attr >> 4;
	uint8_t bits =
	    (uint8_t)(word_at(vga, f->font[attr >> 3 & 1] + ch * 32u + scan, VGA_PLANE_LEN) >> VGA_FONT_PLANE * 8);
	bool ninth = (vga->attr[AR_MODE] & AR10_LINE_GRAPHICS) && ch >= 0xc0 && ch <= 0xdf && (bits & 1);

	if (vga->attr[AR_MODE] & AR10_BLINK) {
		bg &= 7;
		if ((attr & 0x80) && f->blink_off)
			fg = bg;
	}
	if ((attr & 7) == 1 && scan == (vga->crtc[CR_UNDERLINE] & 0x1fu)) {
		bits = 0xff;
		ninth = true;
	}
	if ((word & (VGA_PLANE_LEN - 1)) == f->cursor && scan >= (vga->crtc[CR_CURSOR_START] & 0x1fu) &&
	    scan <= (vga->crtc[CR_CURSOR_END] & 0x1fu)) {
		bits = 0xff;
		ninth = true;
	}
	for (unsigned i = 0; i < 8; i++)
		dot[i] = (bits << i & 0x80 ? fg : bg) & f->plane_mask;
	if (f->c.cell_width == 9)
		dot[8] = (ninth ? fg : bg) & f->plane_mask;
}

/* Dots by which the line is shifted left (AR13), and its effect in each mode. */
static unsigned panning(const struct frame *f, bool split)
{
	unsigned pan = f->vga->attr[AR_PEL_PAN];

	if (split && (f->vga->attr[AR_MODE] & AR10_PAN_TOP_ONLY))
		return 0;
	if (f->c.cell_width == 9)
		return pan >= 8 ? 0 : pan + 1;
	return pan & (f->shift_256 ? 6 : 7);
}

/* Scan line y as dots; returns where the visible ones begin. */
static const uint8_t *draw_line(const struct frame *f, unsigned y, uint8_t *dots)
{
	const struct vga *vga = f->vga;
	const struct vga_crtc *c = &f->c;
	bool split = y > c->line_compare;
	unsigned line = split ? y - c->line_compare - 1 : y;
	unsigned preset = split ? 0 : vga->crtc[CR_PRESET_ROW] & 0x1fu;
	unsigned byte_pan = split ? 0 : vga->crtc[CR_PRESET_ROW] >> 5 & 3u;

	line = (line >> c->double_scan) + preset % c->row_lines;
	unsigned row = line / c->row_lines, scan = line % c->row_lines;
	uint32_t word = (split ? 0 : c->start + byte_pan) + row * c->pitch;
	uint8_t *dot = dots;

	for (unsigned x = 0; x <= c->h_disp; x++, word++, dot += c->cell_width) {
		if (vga_graphics(vga))
			graphics_cell(f, banked(vga, word, scan), dot);
		else
			text_cell(f, word, scan, dot);
	}
	return dots + panning(f, split);
}

static void set_fonts(struct frame *f)
{
	unsigned v = f->vga->seq[SEQ_CHAR_MAP];

	/* 8 KiB each; the bits of the two selections are scattered (SR03). */
	f->font[0] = ((v & 0x03) << 1 | (v >> 4 & 1)) * 0x2000u;
	f->font[1] = ((v >> 2 & 0x03) << 1 | (v >> 5 & 1)) * 0x2000u;
}

static void set_frame(struct frame *f, const struct vga *vga)
{
	uint64_t halves = clock_now(vga->clock) / (BLINK_NS / 2);

	f->vga = vga;
	vga_crtc_decode(vga, &f->c);
	f->shift_256 = vga_graphics(vga) && (vga->gc[GC_MODE] & GR05_SHIFT_256);
	f->half_clock = vga->seq[SEQ_CLOCKING] & SR01_HALF_CLOCK;
	f->plane_mask = vga->attr[AR_PLANE_ENABLE] & 15;
	set_fonts(f);
	f->blink_off = halves >> 1 & 1; /* the cursor blinks twice as fast as text */
	f->cursor = (uint32_t)vga->crtc[CR_CURSOR_HIGH] << 8 | vga->crtc[CR_CURSOR_LOW];
	if ((vga->crtc[CR_CURSOR_START] & CR0A_CURSOR_OFF) || (halves & 1))
		f->cursor = ~0u;
	for (unsigned i = 0; i < 256; i++)
		f->color[i] = vga_dac_color(vga, f->shift_256 ? (uint8_t)i & vga->dac_mask : vga_attr_index(vga, i));
}

static void render_vga(const struct frame *f, struct picture *out)
{
	uint8_t dots[MAX_DOTS] = {0};

	for (unsigned y = 0; y < out->height; y++) {
		const uint8_t *dot = draw_line(f, y, dots);
		uint32_t *pixel = picture_row(out, y);
		for (unsigned x = 0; x < out->width; x++)
			pixel[x] = f->color[dot[x >> f->half_clock]];
	}
}

static uint32_t rgb16(unsigned v)
{
	unsigned r = v >> 11 & 31, g = v >> 5 & 63, b = v & 31;

	return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static uint32_t rgb15(unsigned v)
{
	unsigned r = v >> 10 & 31, g = v >> 5 & 31, b = v & 31;

	return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

/* A line of packed pixels; line points at pitch bytes in video memory. */
static void packed_line(const struct vga *vga, unsigned bpp, const uint8_t *line, uint32_t *pixel, unsigned width)
{
	for (unsigned x = 0; x < width; x++) {
		switch (bpp) {
		case 8:
			pixel[x] = vga_dac_color(vga, line[x] & vga->dac_mask);
			break;
		case 15:
			pixel[x] = rgb15((unsigned)load_le(line + x * 2, 2));
			break;
		case 16:
			pixel[x] = rgb16((unsigned)load_le(line + x * 2, 2));
			break;
		case 24:
			pixel[x] = (uint32_t)load_le(line + x * 3, 3);
			break;
		default:
			pixel[x] = (uint32_t)load_le(line + x * 4, 4) & 0xffffff;
			break;
		}
	}
}

static void planar_line(const struct vga *vga, uint32_t word, unsigned skip, uint32_t *pixel, unsigned width)
{
	uint8_t dot[8];

	for (unsigned x = 0; x < width; x++) {
		unsigned i = (x + skip) & 7;
		if (x == 0 || i == 0)
			planar_dots(word_at(vga, word++, VGA_VRAM_SIZE / 4), 15, dot);
		pixel[x] = vga_dac_color(vga, vga_attr_index(vga, dot[i]));
	}
}

static int render_vbe(const struct vga *vga, struct picture *out)
{
	struct vga_vbe_mode m;
	int err;

	vga_vbe_decode(vga, &m);
	err = picture_resize(out, m.width, m.height);
	if (err)
		return err;
	for (unsigned y = 0; y < m.height; y++) {
		uint64_t at = m.start + y * m.pitch;
		uint32_t *pixel = picture_row(out, y);
		if (m.bpp == 4)
			planar_line(vga, (uint32_t)(at / 4), vga->vbe[VBE_X_OFFSET] & 7, pixel, m.width);
		else if (at + (uint64_t)m.width * ((m.bpp + 7) / 8) <= VGA_VRAM_SIZE)
			packed_line(vga, m.bpp, vga->vram.host + at, pixel, m.width);
		else
			memset(pixel, 0, m.width * sizeof(*pixel));
	}
	return 0;
}

int vga_render(const struct vga *vga, struct picture *out)
{
	struct frame f;
	unsigned width, height;
	enum vga_mode mode = vga_mode(vga, &width, &height);
	int err;

	if (vga_vbe_on(vga))
		return render_vbe(vga, out);
	if (mode == VGA_BLANK) {
		width = BLANK_WIDTH;
		height = BLANK_HEIGHT;
	}
	err = picture_resize(out, width, height);
	if (err)
		return err;
	if (mode == VGA_BLANK) {
		memset(out->pixels, 0, (size_t)width * height * sizeof(*out->pixels));
		return 0;
	}
	set_frame(&f, vga);
	render_vga(&f, out);
	return 0;
}
