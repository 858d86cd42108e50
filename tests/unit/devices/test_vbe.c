/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vga_fixture.h"

static struct picture pic;

static uint32_t pixel(unsigned x, unsigned y)
{
	ck_assert_uint_lt(x, pic.width);
	ck_assert_uint_lt(y, pic.height);
	return picture_row(&pic, y)[x];
}

START_TEST(identity_and_capabilities)
{
	ck_assert_uint_eq(vbe_get(0), 0xb0c5);
	vbe(0, 0xb0c4); /* drivers write the version that they want */
	ck_assert_uint_eq(vbe_get(0), 0xb0c4);
	vbe(0, 0x1234);
	ck_assert_uint_eq(vbe_get(0), 0xb0c4);
	ck_assert_uint_eq(vbe_get(10), 256); /* units of 64 KiB */
	vbe(1, 800);
	vbe(4, 0x02);
	ck_assert_uint_eq(vbe_get(1), 16000);
	ck_assert_uint_eq(vbe_get(2), 12000);
	ck_assert_uint_eq(vbe_get(3), 32);
	vbe(4, 0);
	ck_assert_uint_eq(vbe_get(1), 800);
	ck_assert_uint_eq(vbe_get(11), 0);
	ck_assert_uint_eq(vbe_get(0xffff), 0);
}
END_TEST

START_TEST(enabling_sets_up_and_clears)
{
	vga.vram.host[0] = 0x55;
	vga.vram.host[640 * 480 * 4 - 1] = 0x55;
	vga.vram.host[640 * 480 * 4] = 0x55; /* not on the screen */
	vbe_mode(640, 480, 32);
	ck_assert_uint_eq(vga.vram.host[0], 0);
	ck_assert_uint_eq(vga.vram.host[640 * 480 * 4 - 1], 0);
	ck_assert_uint_eq(vga.vram.host[640 * 480 * 4], 0x55);
	ck_assert_uint_eq(vbe_get(6), 640);
	ck_assert_uint_eq(vbe_get(7), 16 * 1024 * 1024 / 2560);
	vga.vram.host[0] = 0x55;
	vbe(4, 0);
	vbe(4, 0xc1); /* do not clear */
	ck_assert_uint_eq(vga.vram.host[0], 0x55);
	ck_assert_int_eq(vga_mode(&vga, NULL, NULL), VGA_GRAPHICS);
	ck_assert_uint_eq(in_index(0x3ce, 6) & 1, 1); /* the VGA registers agree */
	vbe(4, 0);
	ck_assert_int_eq(vga_mode(&vga, NULL, NULL), VGA_BLANK);
}
END_TEST

START_TEST(depths)
{
	static const struct {
		unsigned bpp, bytes;
		uint32_t value, rgb;
	} cases[] = {
	    {8, 1, 0x07, 0xff0082},	 {15, 2, 0x7c1f, 0xff00ff},	{16, 2, 0x07e0, 0x00ff00},
	    {24, 3, 0x123456, 0x123456}, {32, 4, 0xff654321, 0x654321},
	};

	out(0x3c8, 7);
	out(0x3c9, 63);
	out(0x3c9, 0);
	out(0x3c9, 32);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		vbe_mode(320, 200, cases[i].bpp);
		store_le(vga.vram.host + (199 * 320 + 319) * cases[i].bytes, cases[i].bytes, cases[i].value);
		ck_assert_int_eq(vga_render(&vga, &pic), 0);
		ck_assert_uint_eq(pic.width, 320);
		ck_assert_uint_eq(pic.height, 200);
		ck_assert_uint_eq(pixel(319, 199), cases[i].rgb);
		ck_assert_uint_eq(pixel(318, 199), 0);
	}
}
END_TEST

START_TEST(sixteen_colours_planar)
{
	set_mode(&mode_12);
	vbe_mode(800, 600, 4);
	poke(0xa0000 + 100, 0x40); /* line 1, pixel 1, all planes */
	ck_assert_int_eq(vga_render(&vga, &pic), 0);
	ck_assert_uint_eq(pixel(1, 1), 0xffffff);
	ck_assert_uint_eq(pixel(0, 1), 0);
	vbe(8, 1); /* x offset within a byte needs a wider virtual screen */
	ck_assert_uint_eq(vbe_get(8), 0);
	vbe(6, 1600);
	vbe(8, 201);
	poke(0xa0000 + 225, 0x40);
	ck_assert_int_eq(vga_render(&vga, &pic), 0);
	ck_assert_uint_eq(pixel(0, 1), 0xffffff);
}
END_TEST

START_TEST(panning_and_pitch)
{
	vbe_mode(640, 480, 32);
	vbe(6, 1000);
	ck_assert_uint_eq(vbe_get(7), 16 * 1024 * 1024 / 4000);
	vbe(8, 300);
	vbe(9, 500);
	store_le(vga.vram.host + (500 * 1000 + 300) * 4, 4, 0xabcdef);
	ck_assert_int_eq(vga_render(&vga, &pic), 0);
	ck_assert_uint_eq(pixel(0, 0), 0xabcdef);
	vbe(8, 0xffff); /* clamped to what exists */
	vbe(9, 0xffff);
	ck_assert_uint_eq(vbe_get(8), 360);
	ck_assert_uint_eq(vbe_get(9), 4194 - 480);
	ck_assert_int_eq(vga_render(&vga, &pic), 0);
}
END_TEST

START_TEST(banks)
{
	vbe_mode(1024, 768, 32);
	vbe(5, 2);
	poke(0xa0004, 0x99);
	ck_assert_uint_eq(vga.vram.host[0x20004], 0x99);
	ck_assert_uint_eq(peek(0xa0004), 0x99);
	ck_assert_uint_eq(peek(0xb0004), 0xff);
	vbe(5, 0xffff);
	ck_assert_uint_eq(vbe_get(5), 255);
	poke(0xaffff, 0x98);
	ck_assert_uint_eq(vga.vram.host[VGA_VRAM_SIZE - 1], 0x98);
}
END_TEST

START_TEST(register_bar)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 128; i++)
		sum += (uint8_t)io_read(&vga_mmio_ops, &vga, i, 1);
	ck_assert_uint_eq(sum, 0);
	ck_assert_uint_eq(io_read(&vga_mmio_ops, &vga, 0, 4), 0xffffff00);
	io_write(&vga_mmio_ops, &vga, 0x404, 2, 0x0702); /* 3C4, 3C5 */
	ck_assert_uint_eq(in_index(0x3c4, 2), 7);
	io_write(&vga_mmio_ops, &vga, 0x502, 2, 1280);
	ck_assert_uint_eq(vbe_get(1), 1280);
	ck_assert_uint_eq(io_read(&vga_mmio_ops, &vga, 0x500, 4), 1280u << 16 | 0xb0c5);
	ck_assert_uint_eq(io_read(&vga_mmio_ops, &vga, 0x503, 1), 1280 >> 8);
	ck_assert_uint_eq(io_read(&vga_mmio_ops, &vga, 0x600, 4), 8);
	ck_assert_uint_eq(io_read(&vga_mmio_ops, &vga, 0x604, 4), 0x1e1e1e1e);
	ck_assert_uint_eq(io_read(&vga_mmio_ops, &vga, 0xffc, 4), 0xffffffff);
	io_write(&vga_mmio_ops, &vga, 0xffc, 4, 0);
}
END_TEST

START_TEST(hostile_geometry)
{
	static const uint16_t values[] = {0, 1, 7, 8, 9, 15, 16, 24, 32, 33, 4095, 12000, 16000, 16001, 32768, 65535};
	unsigned seed = 3;

	memset(vga.vram.host, 0xff, VGA_VRAM_SIZE);
	for (unsigned n = 0; n < 60000; n++) {
		seed = seed * 1103515245 + 12345;
		unsigned r = seed >> 8, index = 1 + r % 9;
		unsigned value = values[r / 16 % ARRAY_LEN(values)];
		vbe(index, index == 4 ? value | 0x80 : value);
		unsigned width, height;
		if (vga_mode(&vga, &width, &height) != VGA_GRAPHICS)
			continue;
		ck_assert_uint_le(width * (uint64_t)height * (vbe_get(3) == 4 ? 1 : 2) / 2, VGA_VRAM_SIZE);
		if (n % 1000 == 0)
			ck_assert_int_eq(vga_render(&vga, &pic), 0);
	}
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, identity_and_capabilities);
	tcase_add_test(t, enabling_sets_up_and_clears);
	tcase_add_test(t, depths);
	tcase_add_test(t, sixteen_colours_planar);
	tcase_add_test(t, panning_and_pitch);
	tcase_add_test(t, banks);
	tcase_add_test(t, register_bar);
	tcase_add_test(t, hostile_geometry);
}

int main(void)
{
	return run_suite("vbe", add);
}
