/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the CRT controller makes of its registers: screen geometry, and where the beam is now. */
#include "vga_internal.h"

enum {
	DOT_CLOCK_25 = 25175000, /* Hz */
	DOT_CLOCK_28 = 28322000,
};

void vga_crtc_decode(const struct vga *vga, struct vga_crtc *out)
{
	const uint8_t *r = vga->crtc;
	unsigned overflow = r[CR_OVERFLOW];

	out->h_total = r[CR_H_TOTAL] + 5u;
	out->h_disp = r[CR_H_DISP_END] + 1u;
	out->v_total = (r[CR_V_TOTAL] | (overflow & 0x01) << 8 | (overflow & 0x20) << 4) + 2u;
	out->v_disp = (r[CR_V_DISP_END] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1u;
	out->v_sync_start = r[CR_V_SYNC_START] | (overflow & 0x04) << 6 | (overflow & 0x80) << 2;
	out->v_sync_len = (r[CR_V_SYNC_END] - out->v_sync_start) & 15;
	if (!out->v_sync_len)
		out->v_sync_len = 16;
	out->line_compare = r[CR_LINE_COMPARE] | (overflow & 0x10) << 4 | (r[CR_MAX_SCAN] & 0x40u) << 3;
	out->row_lines = (r[CR_MAX_SCAN] & 0x1fu) + 1;
	out->double_scan = r[CR_MAX_SCAN] & CR09_DOUBLE_SCAN;
	out->start = (unsigned)r[CR_START_HIGH] << 8 | r[CR_START_LOW];
	out->pitch = r[CR_OFFSET] * 2u;
	out->cell_width = vga_graphics(vga) || (vga->seq[SEQ_CLOCKING] & SR01_8DOT) ? 8 : 9;
}

/* The beam, in dots and lines; a frame takes h_total * v_total dots of the dot clock. */
struct beam {
	uint64_t hz;
	unsigned h_total, h_disp; /* dots */
	unsigned v_total, v_disp, v_sync_start, v_sync_len;
};

static void beam_of(const struct vga *vga, struct beam *b)
{
	static const struct beam standard = {DOT_CLOCK_25, 800, 640, 525, 480, 490, 2}; /* 640x480 at 60 Hz */
	struct vga_crtc c;

	*b = standard;
	if (vga_vbe_on(vga))
		return; /* its modes have no timing */
	vga_crtc_decode(vga, &c);
	uint64_t hz = (vga->misc & MISC_CLOCK) == MISC_CLOCK_28 ? DOT_CLOCK_28 : DOT_CLOCK_25;
	if (vga->seq[SEQ_CLOCKING] & SR01_HALF_CLOCK)
		hz /= 2;
	uint64_t frame = (uint64_t)c.h_total * c.cell_width * c.v_total;
	/* A set-up that no monitor would show must not keep a guest waiting for its retrace. */
	if (frame < hz / 200 || frame > hz / 20 || c.v_sync_start + c.v_sync_len > c.v_total)
		return;
	*b = (struct beam){
	    hz, c.h_total * c.cell_width, c.h_disp * c.cell_width, c.v_total, c.v_disp, c.v_sync_start, c.v_sync_len};
}

uint8_t vga_status1(const struct vga *vga)
{
	struct beam b;
	uint8_t v = 0;

	beam_of(vga, &b);
	uint64_t dots = muldiv64(clock_now(vga->clock), b.hz, NS_PER_SEC) % ((uint64_t)b.h_total * b.v_total);
	unsigned line = (unsigned)(dots / b.h_total), dot = (unsigned)(dots % b.h_total);
	if (line >= b.v_disp || dot >= b.h_disp)
		v |= 0x01;
	if (line >= b.v_sync_start && line - b.v_sync_start < b.v_sync_len)
		v |= 0x08;
	return v;
}

static bool blank(const struct vga *vga)
{
	return !(vga->attr_index & AR_INDEX_PAS) || (vga->seq[SEQ_CLOCKING] & SR01_OFF);
}

enum vga_mode vga_mode(const struct vga *vga, unsigned *width, unsigned *height)
{
	unsigned w = 0, h = 0;
	enum vga_mode mode = VGA_BLANK;

	if (vga_vbe_on(vga)) {
		mode = VGA_GRAPHICS;
		w = vga->vbe[VBE_XRES];
		h = vga->vbe[VBE_YRES];
	} else if (!blank(vga)) {
		struct vga_crtc c;
		vga_crtc_decode(vga, &c);
		mode = vga_graphics(vga) ? VGA_GRAPHICS : VGA_TEXT;
		w = c.h_disp * c.cell_width * (vga->seq[SEQ_CLOCKING] & SR01_HALF_CLOCK ? 2 : 1);
		h = c.v_disp;
	}
	if (width)
		*width = w;
	if (height)
		*height = h;
	return mode;
}
