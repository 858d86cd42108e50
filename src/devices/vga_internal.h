/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register names of the VGA (IBM VGA Technical Reference, section 2) and what its parts share. Not for other modules.
 */
#ifndef GNOMON_VGA_INTERNAL_H
#define GNOMON_VGA_INTERNAL_H

#include "vga.h"

/* clang-format off */
enum { /* miscellaneous output, 3C2 */
	MISC_COLOR      = 0x01, /* CRTC and status at 3Dx, not 3Bx */
	MISC_RAM_ENABLE = 0x02,
	MISC_CLOCK      = 0x0c,
	MISC_CLOCK_28   = 0x04,
	MISC_PAGE       = 0x20, /* odd/even page select */
};

enum { /* sequencer, 3C4 */
	SEQ_RESET       = 0x00,
	SEQ_CLOCKING    = 0x01,
	SEQ_MAP_MASK    = 0x02,
	SEQ_CHAR_MAP    = 0x03,
	SEQ_MEM_MODE    = 0x04,

	SR01_8DOT       = 0x01,
	SR01_HALF_CLOCK = 0x08,
	SR01_OFF        = 0x20,
	SR04_EXTENDED   = 0x02,
	SR04_SEQUENTIAL = 0x04, /* not odd/even */
	SR04_CHAIN4     = 0x08,
};

enum { /* graphics controller, 3CE */
	GC_SET_RESET    = 0x00,
	GC_ENABLE_SR    = 0x01,
	GC_COMPARE      = 0x02,
	GC_ROTATE       = 0x03,
	GC_READ_MAP     = 0x04,
	GC_MODE         = 0x05,
	GC_MISC         = 0x06,
	GC_DONT_CARE    = 0x07,
	GC_BIT_MASK     = 0x08,

	GR05_WRITE_MODE = 0x03,
	GR05_READ_MODE  = 0x08,
	GR05_ODD_EVEN   = 0x10,
	GR05_SHIFT_INTERLEAVE = 0x20, /* CGA 2 bits a pixel */
	GR05_SHIFT_256  = 0x40,
	GR06_GRAPHICS   = 0x01,
	GR06_CHAIN_ODD_EVEN = 0x02,
	GR06_MEMORY_MAP = 0x0c,
};

enum { /* CRT controller, 3D4 */
	CR_H_TOTAL       = 0x00,
	CR_H_DISP_END    = 0x01,
	CR_H_BLANK_START = 0x02,
	CR_H_SYNC_START  = 0x04,
	CR_V_TOTAL       = 0x06,
	CR_OVERFLOW      = 0x07,
	CR_PRESET_ROW    = 0x08,
	CR_MAX_SCAN      = 0x09,
	CR_CURSOR_START  = 0x0a,
	CR_CURSOR_END    = 0x0b,
	CR_START_HIGH    = 0x0c,
	CR_START_LOW     = 0x0d,
	CR_CURSOR_HIGH   = 0x0e,
	CR_CURSOR_LOW    = 0x0f,
	CR_V_SYNC_START  = 0x10,
	CR_V_SYNC_END    = 0x11,
	CR_V_DISP_END    = 0x12,
	CR_OFFSET        = 0x13,
	CR_UNDERLINE     = 0x14,
	CR_V_BLANK_START = 0x15,
	CR_MODE          = 0x17,
	CR_LINE_COMPARE  = 0x18,
	CR_LAST          = 0x18,

	CR0A_CURSOR_OFF  = 0x20,
	CR09_DOUBLE_SCAN = 0x80,
	CR11_PROTECT     = 0x80, /* of CR00-CR07 */
	CR17_NO_CGA_BANK = 0x01, /* address bit 13 is not row scan bit 0 */
	CR17_NO_HGC_BANK = 0x02, /* address bit 14 is not row scan bit 1 */
	CR17_BYTE        = 0x40,
	CR17_SYNC_ENABLE = 0x80,
};

enum { /* attribute controller, 3C0 */
	AR_PALETTE      = 0x00, /* 16 of them */
	AR_MODE         = 0x10,
	AR_OVERSCAN     = 0x11,
	AR_PLANE_ENABLE = 0x12,
	AR_PEL_PAN      = 0x13,
	AR_COLOR_SELECT = 0x14,

	AR_INDEX_PAS    = 0x20, /* palette address source: the screen is on */
	AR10_GRAPHICS   = 0x01,
	AR10_MONO       = 0x02,
	AR10_LINE_GRAPHICS = 0x04, /* ninth column of C0-DF repeats the eighth */
	AR10_BLINK      = 0x08,
	AR10_PAN_TOP_ONLY = 0x20, /* panning ends at line compare */
	AR10_PEL_WIDTH  = 0x40, /* 256 colours */
	AR10_P54_SELECT = 0x80,
};

enum { /* Bochs VBE */
	VBE_ID          = 0x0,
	VBE_XRES        = 0x1,
	VBE_YRES        = 0x2,
	VBE_BPP         = 0x3,
	VBE_ENABLE      = 0x4,
	VBE_BANK        = 0x5,
	VBE_VIRT_WIDTH  = 0x6,
	VBE_VIRT_HEIGHT = 0x7,
	VBE_X_OFFSET    = 0x8,
	VBE_Y_OFFSET    = 0x9,
	VBE_MEMORY_64K  = 0xa,

	VBE_ID_FIRST    = 0xb0c0,
	VBE_ID_LAST     = 0xb0c5,
	VBE_ENABLED     = 0x01,
	VBE_GETCAPS     = 0x02,
	VBE_8BIT_DAC    = 0x20,
	VBE_LFB         = 0x40,
	VBE_NO_CLEAR    = 0x80,

	VBE_MAX_XRES    = 16000,
	VBE_MAX_YRES    = 12000,
};
/* clang-format on */

enum {
	VGA_PLANE_LEN = 0x10000, /* bytes of a plane that VGA modes reach */
	VGA_MEM_LEN = 0x40000,	 /* all four: where VGA modes wrap */
	VGA_FONT_PLANE = 2,
};

static inline bool vga_vbe_on(const struct vga *vga)
{
	return vga->vbe[VBE_ENABLE] & VBE_ENABLED;
}

static inline bool vga_graphics(const struct vga *vga)
{
	return vga->gc[GC_MISC] & GR06_GRAPHICS;
}

/* Geometry of a VGA (not VBE) screen as the CRTC makes it, in character clocks and scan lines. */
struct vga_crtc {
	unsigned h_total, h_disp;	   /* character clocks */
	unsigned v_total, v_disp;	   /* scan lines */
	unsigned v_sync_start, v_sync_len; /* scan lines */
	unsigned line_compare;
	unsigned row_lines;  /* scan lines of a character row or pixel row: 1..32 */
	bool double_scan;    /* each of them twice */
	unsigned start;	     /* planar offset of the first character or byte */
	unsigned pitch;	     /* planar offsets a row */
	unsigned cell_width; /* dots a character clock: 8 or 9 */
};

void vga_crtc_decode(const struct vga *vga, struct vga_crtc *out);

/* Input status register 1 but for the flip-flop: display enable and vertical retrace at the current virtual time. */
uint8_t vga_status1(const struct vga *vga);

/* Calls window_changed if the direct window is another now. After every register write that may matter. */
void vga_window_update(struct vga *vga);

/* VBE register file. */
uint16_t vga_vbe_read(const struct vga *vga, unsigned index);
void vga_vbe_write(struct vga *vga, unsigned index, uint16_t value);
void vga_vbe_reset(struct vga *vga);

/* Geometry of a VBE mode, bounded so that height lines of pitch bytes from start lie in video memory. */
struct vga_vbe_mode {
	unsigned width, height, bpp;
	uint64_t pitch; /* bytes a line */
	uint64_t start; /* byte of the first pixel; at 4 bpp, of the 32-bit word with the first eight */
};

void vga_vbe_decode(const struct vga *vga, struct vga_vbe_mode *out);

/* Colours: DAC entry and attribute (0..15) as 0x00RRGGBB. */
uint32_t vga_dac_color(const struct vga *vga, uint8_t index);
uint8_t vga_attr_index(const struct vga *vga, unsigned attr);

/* Columns and rows of the text screen, bounded. */
void vga_text_size(const struct vga *vga, const struct vga_crtc *c, unsigned *cols, unsigned *rows);

/* The default EDID of the monitor that we pretend to have. */
void vga_edid_make(uint8_t edid[128]);

#endif
