/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The display adapter: IBM VGA registers and memory (IBM "VGA Technical Reference" 1987; FreeVGA names the registers
 * the same way) and the Bochs VBE extension, as the standard VGA of the PC board that SeaBIOS's vgabios-stdvga expects.
 *
 * Video memory is one backing, so that the linear frame buffer is plain memory to guests. Its layout: plane p of planar
 * offset n is byte 4n + p; chain-4 and packed pixel modes see it linear.
 */
#ifndef GNOMON_VGA_H
#define GNOMON_VGA_H

#include "bus.h"
#include "clock.h"
#include "io.h"
#include "physmem.h"
#include "picture.h"

enum {
	VGA_VRAM_SIZE = 16 << 20,
	VGA_WINDOW_BASE = 0xa0000, /* the legacy window: A0000-BFFFF */
	VGA_WINDOW_LEN = 0x20000,
	VGA_TEXT_MAX_COLS = 160,
	VGA_TEXT_MAX_ROWS = 100,
};

struct vga_config {
	struct clock *clock; /* retrace, blinking */
	/* Told when what vga_direct_window() says has changed; may be NULL. */
	void (*window_changed)(void *arg);
	void *window_arg;
};

/* State is plain: registers as written, decoded when used. */
struct vga {
	struct clock *clock;
	void (*window_changed)(void *arg);
	void *window_arg;

	struct pm_backing vram;
	uint32_t latch; /* one byte for each plane */

	uint8_t misc, feature;
	uint8_t seq_index, seq[8];
	uint8_t gc_index, gc[16];
	uint8_t crtc_index, crtc[32];
	uint8_t attr_index, attr[32];
	bool attr_data; /* flip-flop: the next write to 3C0 is data */

	uint8_t dac_mask, dac_read_index, dac_write_index, dac_component, dac_state;
	uint8_t dac_latch[3];
	uint8_t dac[256][3]; /* 6 or 8 bits a component, as written */

	uint16_t vbe_index, vbe[16];
	uint8_t edid[128];

	bool direct; /* what vga_direct_window said last */
	uint32_t direct_offset, direct_len;
};

/* Makes video memory and resets. 0 or a negative errno. */
int vga_init(struct vga *vga, const struct vga_config *cfg);
void vga_destroy(struct vga *vga);
/* Power-on state; video memory is cleared. */
void vga_reset(struct vga *vga);

/* Registers by port number: offsets are 3B0..3DF (the whole port), byte wide. Ports that do not answer read as ones. */
uint64_t vga_port_read(void *vga, uint64_t port, unsigned size);
void vga_port_write(void *vga, uint64_t port, unsigned size, uint64_t value);
extern const struct io_ops vga_port_ops;

/* Bochs VBE at ports 1CE (index) and 1CF/1D0 (data): offsets 0 and 1 or 2, 16 bits wide. */
extern const struct io_ops vga_vbe_port_ops;

/* Registers all the ports above. 0 or an error of bus_add. */
int vga_add_ports(struct vga *vga, struct bus *bus);

/* The window A0000-BFFFF; offsets from VGA_WINDOW_BASE. For a PM_IO region of VGA_WINDOW_LEN bytes with priority
 * PM_PRIO_VGA. */
uint64_t vga_mem_read(void *vga, uint64_t offset, unsigned size);
void vga_mem_write(void *vga, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops vga_mem_ops;

/*
 * The 4-KiB register BAR: EDID at 0, ports 3C0-3DF at 400, VBE registers (16 bits) at 500, byte order at 600.
 */
extern const struct io_ops vga_mmio_ops;

/*
 * Whether the window is now a linear view of video memory (chain-4 with all planes, VBE banked): guest address
 * VGA_WINDOW_BASE + i is then byte *offset + i of vga->vram, for i < *len, readable and writable without calling us,
 * and nothing else in A0000-BFFFF answers. offset and len are page aligned.
 */
bool vga_direct_window(const struct vga *vga, uint64_t *offset, uint64_t *len);

enum vga_mode {
	VGA_BLANK, /* screen off, or no mode set yet */
	VGA_TEXT,
	VGA_GRAPHICS,
};

struct vga_cell {
	uint8_t ch;   /* code page 437 */
	uint8_t attr; /* foreground 0-3, background 4-6, blink or bright background 7 */
};

struct vga_cursor {
	bool visible; /* enabled and on the screen; blinking is not told */
	unsigned x, y;
};

/* The text screen. Large (about 32 KiB): keep it out of small stacks. */
struct vga_text_screen {
	enum vga_mode mode;
	unsigned width, height; /* pixels; 0 when blank */
	unsigned cols, rows;	/* VGA_TEXT only, else 0 */
	struct vga_cursor cursor;
	bool blink;	      /* attribute bit 7 blinks (else: bright background) */
	uint32_t palette[16]; /* 0x00RRGGBB of the attribute colours */
	struct vga_cell cells[VGA_TEXT_MAX_COLS * VGA_TEXT_MAX_ROWS]; /* row * cols + col */
};

/* What the screen is now, with its size in pixels. Both sizes may be NULL. */
enum vga_mode vga_mode(const struct vga *vga, unsigned *width, unsigned *height);

/* The characters on the screen. 0 (VGA_TEXT), or -EAGAIN in a graphics mode or when blank (mode, width and height are
 * filled then too). */
int vga_text_cells(const struct vga *vga, struct vga_text_screen *out);

/*
 * The text screen as UTF-8: a line a row, each ended by '\n', trailing blanks trimmed; terminated by '\0'. Returns the
 * length in bytes (without the terminator), -EAGAIN in a graphics mode or when blank, -ENOSPC if len is too small
 * (VGA_TEXT_BYTES always suffices). cursor may be NULL.
 */
#define VGA_TEXT_BYTES ((VGA_TEXT_MAX_COLS * 3 + 1) * VGA_TEXT_MAX_ROWS + 1)
int vga_text(const struct vga *vga, char *buf, size_t len, struct vga_cursor *cursor);

/* The same from cells taken earlier. */
int vga_text_format(const struct vga_text_screen *screen, char *buf, size_t len);

/*
 * Draws the current screen (black 720x400 when blank). Copes with any register contents; never reads outside video
 * memory. 0 or an error of picture_resize.
 */
int vga_render(const struct vga *vga, struct picture *out);

#endif
