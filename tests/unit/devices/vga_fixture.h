/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VGA under a manual clock, and the register values of the BIOS's modes (IBM VGA Technical Reference, mode tables).
 */
#ifndef GNOMON_TEST_VGA_FIXTURE_H
#define GNOMON_TEST_VGA_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vga.h"

/* clang-format off */
struct vga_mode_regs { uint8_t misc, seq[5], crtc[25], gc[9], attr[21]; };

static const struct vga_mode_regs mode_03 __attribute__((unused)) = {
	0x67, {0x03, 0x00, 0x03, 0x00, 0x02},
	{0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
	{0, 0, 0, 0, 0, 0x10, 0x0e, 0x00, 0xff},
	{0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0, 0x0f, 0x08, 0},
};
static const struct vga_mode_regs mode_04 __attribute__((unused)) = {
	0x63, {0x03, 0x09, 0x03, 0x00, 0x02},
	{0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
	{0, 0, 0, 0, 0, 0x30, 0x0f, 0x00, 0xff},
	{0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x03, 0, 0},
};
static const struct vga_mode_regs mode_06 __attribute__((unused)) = {
	0x63, {0x03, 0x01, 0x01, 0x00, 0x06},
	{0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xc2, 0xff},
	{0, 0, 0, 0, 0, 0x00, 0x0d, 0x00, 0xff},
	{0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x01, 0, 0x01, 0, 0},
};
static const struct vga_mode_regs mode_12 __attribute__((unused)) = {
	0xe3, {0x03, 0x01, 0x0f, 0x00, 0x06},
	{0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
	{0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff},
	{0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0, 0x0f, 0, 0},
};
static const struct vga_mode_regs mode_13 __attribute__((unused)) = {
	0x63, {0x03, 0x01, 0x0f, 0x00, 0x0e},
	{0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
	{0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff},
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0, 0x0f, 0, 0},
};
/* clang-format on */

static struct clock clk;
static struct vga vga;

static inline void out(unsigned port, unsigned value)
{
	io_write(&vga_port_ops, &vga, port, 1, value);
}

static inline unsigned in(unsigned port)
{
	return (unsigned)io_read(&vga_port_ops, &vga, port, 1);
}

/* An indexed register: index and data as one 16-bit access, as drivers do. */
static inline void out_index(unsigned port, unsigned index, unsigned value)
{
	io_write(&vga_port_ops, &vga, port, 2, index | value << 8);
}

static inline unsigned in_index(unsigned port, unsigned index)
{
	out(port, index);
	return in(port + 1);
}

static inline void vbe(unsigned index, unsigned value)
{
	io_write(&vga_vbe_port_ops, &vga, 0, 2, index);
	io_write(&vga_vbe_port_ops, &vga, 1, 2, value);
}

static inline unsigned vbe_get(unsigned index)
{
	io_write(&vga_vbe_port_ops, &vga, 0, 2, index);
	return (unsigned)io_read(&vga_vbe_port_ops, &vga, 1, 2);
}

static inline void vbe_mode(unsigned width, unsigned height, unsigned bpp)
{
	vbe(4, 0);
	vbe(1, width);
	vbe(2, height);
	vbe(3, bpp);
	vbe(4, 0x41);
}

/* A byte of the window, by physical address. */
static inline void poke(unsigned address, unsigned value)
{
	io_write(&vga_mem_ops, &vga, address - VGA_WINDOW_BASE, 1, value);
}

static inline unsigned peek(unsigned address)
{
	return (unsigned)io_read(&vga_mem_ops, &vga, address - VGA_WINDOW_BASE, 1);
}

static inline void set_mode(const struct vga_mode_regs *m)
{
	out(0x3c2, m->misc);
	for (unsigned i = 0; i < 5; i++)
		out_index(0x3c4, i, m->seq[i]);
	out_index(0x3d4, 0x11, 0); /* lift the protection of 0-7 */
	for (unsigned i = 0; i < 25; i++)
		out_index(0x3d4, i, m->crtc[i]);
	for (unsigned i = 0; i < 9; i++)
		out_index(0x3ce, i, m->gc[i]);
	in(0x3da);
	for (unsigned i = 0; i < 21; i++) {
		out(0x3c0, i);
		out(0x3c0, m->attr[i]);
	}
	out(0x3c0, 0x20);
	/* The 64 EGA colours: rgbRGB, a third and two thirds. */
	out(0x3c6, 0xff);
	out(0x3c8, 0);
	for (unsigned i = 0; i < 64; i++)
		for (unsigned c = 0; c < 3; c++)
			out(0x3c9, (i >> (2 - c) & 1) * 42 + (i >> (5 - c) & 1) * 21);
}

/* Loads one character's glyph into plane 2, as a BIOS does: sequential, plane 2 only, at A0000. */
static inline void load_glyph(unsigned font, unsigned ch, const uint8_t *rows, unsigned n)
{
	out_index(0x3c4, 2, 4);
	out_index(0x3c4, 4, 7);
	out_index(0x3ce, 5, 0);
	out_index(0x3ce, 6, 4);
	for (unsigned i = 0; i < n; i++)
		poke(0xa0000 + font * 0x2000 + ch * 32 + i, rows[i]);
	out_index(0x3c4, 2, 3);
	out_index(0x3c4, 4, 2);
	out_index(0x3ce, 5, 0x10);
	out_index(0x3ce, 6, 0x0e);
}

static inline void put_text(unsigned x, unsigned y, unsigned attr, const char *text)
{
	for (unsigned at = 0xb8000 + (y * 80 + x) * 2; *text; text++, at += 2)
		io_write(&vga_mem_ops, &vga, at - VGA_WINDOW_BASE, 2, (uint8_t)*text | attr << 8);
}

static inline void setup(void)
{
	struct vga_config cfg = {.clock = &clk};

	clock_init(&clk, true);
	ck_assert_int_eq(vga_init(&vga, &cfg), 0);
}

static inline void teardown(void)
{
	vga_destroy(&vga);
}

static inline int run_suite(const char *name, void (*add)(TCase *))
{
	Suite *s = suite_create(name);
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	add(t);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
