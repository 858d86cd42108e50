/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vga_fixture.h"

#include "devices/cp437.h"

static struct picture pic;

static uint32_t pixel(unsigned x, unsigned y)
{
	ck_assert_uint_lt(x, pic.width);
	ck_assert_uint_lt(y, pic.height);
	return picture_row(&pic, y)[x];
}

static void render(unsigned width, unsigned height)
{
	ck_assert_int_eq(vga_render(&vga, &pic), 0);
	ck_assert_uint_eq(pic.width, width);
	ck_assert_uint_eq(pic.height, height);
}

/* A colour of the 64-entry palette that set_mode loads. */
static uint32_t ega(unsigned i)
{
	uint32_t rgb = 0;

	for (unsigned c = 0; c < 3; c++)
		rgb = rgb << 8 | ((i >> (2 - c) & 1) * 0xaa + (i >> (5 - c) & 1) * 0x55);
	return rgb;
}

static void cursor_at(unsigned at)
{
	out_index(0x3d4, 0x0e, at >> 8);
	out_index(0x3d4, 0x0f, at & 0xff);
}

/* One line of a cell, as a string of '#' (foreground) and '.' (background). */
static const char *scan(unsigned x, unsigned y, unsigned n, uint32_t fg, uint32_t bg)
{
	static char line[40];

	for (unsigned i = 0; i < n; i++) {
		uint32_t p = pixel(x + i, y);
		line[i] = p == fg ? '#' : p == bg ? '.' : '?';
	}
	line[n] = '\0';
	return line;
}

START_TEST(blank_until_a_mode_is_set)
{
	struct vga_text_screen s;
	char text[10];

	render(720, 400);
	ck_assert_uint_eq(pixel(719, 399), 0);
	ck_assert_int_eq(vga_text_cells(&vga, &s), -EAGAIN);
	ck_assert_int_eq(s.mode, VGA_BLANK);
	ck_assert_int_eq(vga_text(&vga, text, sizeof(text), NULL), -EAGAIN);
}
END_TEST

START_TEST(text_glyphs_and_colours)
{
	static const uint8_t glyph[16] = {0x81, 0x01, [15] = 0xff};

	set_mode(&mode_03);
	load_glyph(0, 'A', glyph, 16);
	load_glyph(0, 0xc4, glyph, 16);
	put_text(1, 2, 0x1e, "A\xc4");
	cursor_at(0xffff);
	render(720, 400);
	ck_assert_str_eq(scan(9, 32, 18, 0xffff55, 0x0000aa), "#......#.#......##");
	ck_assert_str_eq(scan(9, 33, 18, 0xffff55, 0x0000aa), ".......#........##");
	ck_assert_str_eq(scan(9, 47, 18, 0xffff55, 0x0000aa), "########.#########");
	ck_assert_uint_eq(pixel(8, 32), 0);
	ck_assert_uint_eq(pixel(27, 32), 0);
	out_index(0x3c4, 1, 1); /* 8 dots */
	in(0x3da);
	out(0x3c0, 0x33);
	out(0x3c0, 0);
	render(640, 400);
	ck_assert_str_eq(scan(8, 32, 16, 0xffff55, 0x0000aa), "#......##......#");
}
END_TEST

START_TEST(text_cursor_underline_blink)
{
	set_mode(&mode_03);
	put_text(0, 0, 0x07, "  ");
	put_text(2, 0, 0x9f, " ");
	put_text(3, 0, 0x01, " ");
	cursor_at(1);
	out_index(0x3d4, 0x14, 12); /* underline attribute 1 at line 12 */
	render(720, 400);
	ck_assert_str_eq(scan(0, 13, 18, 0xaaaaaa, 0), ".........#########");
	ck_assert_str_eq(scan(0, 12, 18, 0xaaaaaa, 0), "..................");
	ck_assert_str_eq(scan(27, 12, 9, 0x0000aa, 0), "#########");
	ck_assert_uint_eq(pixel(18, 0), 0x0000aa); /* bit 7 is not part of the background */
	in(0x3da);
	out(0x3c0, 0x30);
	out(0x3c0, 0x04);
	render(720, 400);
	ck_assert_uint_eq(pixel(18, 0), 0x5555ff); /* now it is */
	clock_advance(&clk, 140 * NS_PER_MS);	   /* the cursor's dark half */
	render(720, 400);
	ck_assert_uint_eq(pixel(9, 13), 0);
	clock_advance(&clk, 140 * NS_PER_MS);
	render(720, 400);
	ck_assert_uint_eq(pixel(9, 13), 0xaaaaaa);
	out_index(0x3d4, 0x0a, 0x2d); /* off */
	render(720, 400);
	ck_assert_uint_eq(pixel(9, 13), 0);
}
END_TEST

START_TEST(blinking_text)
{
	static const uint8_t full[16] = {0xff, 0xff};

	set_mode(&mode_03);
	load_glyph(0, 'A', full, 16);
	put_text(5, 0, 0x87, "A");
	render(720, 400);
	ck_assert_uint_eq(pixel(45, 0), 0xaaaaaa);
	clock_advance(&clk, 270 * NS_PER_MS);
	render(720, 400);
	ck_assert_uint_eq(pixel(45, 0), 0);
}
END_TEST

START_TEST(second_font_by_attribute)
{
	static const uint8_t one[1] = {0xf0}, two[1] = {0x0f};

	set_mode(&mode_03);
	load_glyph(0, 'A', one, 1);
	load_glyph(4, 'A', two, 1); /* map select 2: at 32 KiB */
	out_index(0x3c4, 3, 0x08);  /* map A (attribute bit 3) = 2, B = 0 */
	put_text(0, 1, 0x07, "A");
	put_text(1, 1, 0x0f, "A");
	render(720, 400);
	ck_assert_str_eq(scan(0, 16, 9, 0xaaaaaa, 0), "####.....");
	ck_assert_str_eq(scan(9, 16, 9, 0xffffff, 0), "....####.");
}
END_TEST

START_TEST(text_as_utf8)
{
	static char text[VGA_TEXT_BYTES];
	static struct vga_text_screen s;
	struct vga_cursor cursor;

	set_mode(&mode_03);
	put_text(0, 0, 7, "Hello  ");
	put_text(3, 1, 7, "\xc9\xcd\xbb\x01 ");
	put_text(79, 24, 0x4f, "x");
	cursor_at(80 * 24 + 79);
	int len = vga_text(&vga, text, sizeof(text), &cursor);
	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(strncmp(text, "Hello\n   ╔═╗☺\n\n\n", strlen("Hello\n   ╔═╗☺\n\n\n")), 0);
	ck_assert_str_eq(text + len - 3, " x\n");
	ck_assert(cursor.visible);
	ck_assert_uint_eq(cursor.x, 79);
	ck_assert_uint_eq(cursor.y, 24);
	ck_assert_int_eq(vga_text(&vga, text, (size_t)len, NULL), -ENOSPC);
	ck_assert_int_eq(vga_text(&vga, text, (size_t)len + 1, NULL), len);
	ck_assert_int_eq(vga_text(&vga, text, 0, NULL), -ENOSPC);

	ck_assert_int_eq(vga_text_cells(&vga, &s), 0);
	ck_assert_uint_eq(s.cols, 80);
	ck_assert_uint_eq(s.rows, 25);
	ck_assert_uint_eq(s.cells[24 * 80 + 79].attr, 0x4f);
	ck_assert_uint_eq(s.palette[4], 0xaa0000);
	ck_assert(s.blink);

	out_index(0x3d4, 0x0d, 80); /* scrolled down by a row */
	vga_text(&vga, text, sizeof(text), &cursor);
	ck_assert_int_eq(strncmp(text, "   ╔═╗☺\n", strlen("   ╔═╗☺\n")), 0);
	ck_assert_uint_eq(cursor.y, 23);
	set_mode(&mode_12);
	ck_assert_int_eq(vga_text(&vga, text, sizeof(text), NULL), -EAGAIN);
}
END_TEST

START_TEST(planar_16_colours)
{
	set_mode(&mode_12);
	out_index(0x3ce, 5, 2);
	out_index(0x3ce, 8, 0x40);
	poke(0xa0000 + 479 * 80 + 79, 0x0c);
	render(640, 480);
	ck_assert_uint_eq(pixel(633, 479), 0xff5555);
	ck_assert_uint_eq(pixel(632, 479), 0);
	in(0x3da);
	out(0x3c0, 0x32); /* plane 3 is not shown */
	out(0x3c0, 0x07);
	render(640, 480);
	ck_assert_uint_eq(pixel(633, 479), 0xaa0000);
	out_index(0x3d4, 0x0c, 0x95); /* start at the last byte shown */
	out_index(0x3d4, 0x0d, 0xff);
	render(640, 480);
	ck_assert_uint_eq(pixel(1, 0), 0xaa0000);
	in(0x3da);
	out(0x3c0, 0x33); /* panned by one */
	out(0x3c0, 0x01);
	render(640, 480);
	ck_assert_uint_eq(pixel(0, 0), 0xaa0000);
}
END_TEST

START_TEST(split_screen)
{
	set_mode(&mode_12);
	out_index(0x3ce, 5, 2);
	poke(0xa0000, 0x0f);	      /* the first byte of memory: shown below the split */
	out_index(0x3d4, 0x0d, 80);   /* the screen starts at the second line */
	out_index(0x3d4, 0x18, 0x63); /* line compare 99 */
	out_index(0x3d4, 0x07, 0x2e);
	out_index(0x3d4, 0x09, 0x00);
	render(640, 480);
	ck_assert_uint_eq(pixel(0, 0), 0);
	ck_assert_uint_eq(pixel(0, 99), 0);
	ck_assert_uint_eq(pixel(0, 100), 0xffffff);
	ck_assert_uint_eq(pixel(0, 101), 0);
}
END_TEST

START_TEST(mode_13h_and_mode_x)
{
	set_mode(&mode_13);
	out(0x3c8, 200);
	out(0x3c9, 63);
	out(0x3c9, 0);
	out(0x3c9, 32);
	poke(0xa0000 + 199 * 320 + 319, 200);
	render(640, 400);
	for (unsigned y = 398; y < 400; y++)
		for (unsigned x = 638; x < 640; x++)
			ck_assert_uint_eq(pixel(x, y), 0xff0082);
	ck_assert_uint_eq(pixel(637, 399), 0);
	out(0x3c6, 0x0f); /* pixel mask: entry 200 & 15 */
	render(640, 400);
	ck_assert_uint_eq(pixel(639, 399), ega(8));
	out(0x3c6, 0xff);

	out_index(0x3c4, 4, 0x06); /* mode X: 320x240, unchained */
	out_index(0x3c4, 2, 0x02);
	out_index(0x3d4, 0x14, 0x00);
	out_index(0x3d4, 0x17, 0xe3);
	out(0x3c2, 0xe3);
	out_index(0x3d4, 0x11, 0x2c);
	out_index(0x3d4, 0x06, 0x0d);
	out_index(0x3d4, 0x07, 0x3e);
	out_index(0x3d4, 0x10, 0xea);
	out_index(0x3d4, 0x12, 0xdf);
	poke(0xa0000 + 239 * 80, 200); /* pixel 1 of the last line */
	render(640, 480);
	ck_assert_uint_eq(pixel(2, 478), 0xff0082);
	ck_assert_uint_eq(pixel(3, 479), 0xff0082);
	ck_assert_uint_eq(pixel(4, 479), 0);
}
END_TEST

START_TEST(cga_modes)
{
	set_mode(&mode_04);
	poke(0xb8000 + 79, 0x01);	   /* line 0, last pixel: colour 1 */
	poke(0xb8000 + 0x2000 + 80, 0x80); /* line 3, first pixel: colour 2 */
	render(640, 400);
	uint32_t one = ega(0x13), two = ega(0x15);
	ck_assert_uint_eq(pixel(639, 0), one);
	ck_assert_uint_eq(pixel(638, 1), one);
	ck_assert_uint_eq(pixel(637, 0), 0);
	ck_assert_uint_eq(pixel(0, 6), two);
	ck_assert_uint_eq(pixel(1, 7), two);
	ck_assert_uint_eq(pixel(2, 7), 0);
	ck_assert_uint_eq(pixel(0, 5), 0);
	set_mode(&mode_06);
	memset(vga.vram.host, 0, 1 << 18);
	poke(0xb8000 + 0x2000 + 79, 0x01); /* line 1, last pixel */
	render(640, 400);
	ck_assert_uint_eq(pixel(639, 2), ega(0x17));
	ck_assert_uint_eq(pixel(639, 3), ega(0x17));
	ck_assert_uint_eq(pixel(639, 1), 0);
	ck_assert_uint_eq(pixel(638, 3), 0);
}
END_TEST

START_TEST(any_registers_render)
{
	static char text[VGA_TEXT_BYTES];
	unsigned seed = 7;

	memset(vga.vram.host, 0xff, VGA_VRAM_SIZE);
	for (unsigned round = 0; round < 120; round++) {
		for (unsigned n = 0; n < 200; n++) {
			seed = seed * 1103515245 + 12345;
			vga.crtc[n % 32] = (uint8_t)(seed >> 9);
			vga.gc[n % 16] = (uint8_t)(seed >> 11);
			vga.seq[n % 8] = (uint8_t)(seed >> 13) & 0x3f;
			vga.attr[n % 32] = (uint8_t)(seed >> 15);
		}
		if (round & 1)
			memset(vga.crtc, round & 2 ? 0xff : 0, sizeof(vga.crtc));
		vga.attr_index = 0x20;
		vga.seq[1] &= 0xdf;
		ck_assert_int_eq(vga_render(&vga, &pic), 0);
		int len = vga_text(&vga, text, sizeof(text), NULL);
		ck_assert(len == -EAGAIN || len >= 0);
	}
}
END_TEST

START_TEST(every_character_is_utf8)
{
	for (unsigned c = 0; c < 256; c++) {
		char s[3];
		unsigned n = cp437_utf8((uint8_t)c, s);
		ck_assert_uint_ge(n, 1);
		ck_assert_uint_le(n, 3);
		ck_assert_int_eq((s[0] & 0x80) != 0, n > 1);
		ck_assert_uint_ge(cp437_unicode[c], 0x20);
	}
	ck_assert_uint_eq(cp437_unicode[0xdb], 0x2588);
	ck_assert_uint_eq(cp437_unicode[0x1b], 0x2190);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, blank_until_a_mode_is_set);
	tcase_add_test(t, text_glyphs_and_colours);
	tcase_add_test(t, text_cursor_underline_blink);
	tcase_add_test(t, blinking_text);
	tcase_add_test(t, second_font_by_attribute);
	tcase_add_test(t, text_as_utf8);
	tcase_add_test(t, planar_16_colours);
	tcase_add_test(t, split_screen);
	tcase_add_test(t, mode_13h_and_mode_x);
	tcase_add_test(t, cga_modes);
	tcase_add_test(t, any_registers_render);
	tcase_add_test(t, every_character_is_utf8);
}

int main(void)
{
	return run_suite("vga_render", add);
}
