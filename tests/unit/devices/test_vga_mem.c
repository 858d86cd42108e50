/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vga_fixture.h"

/* The four planes at a planar offset, plane 0 in the low byte. */
static uint32_t planes(unsigned offset)
{
	return (uint32_t)load_le(vga.vram.host + offset * 4, 4);
}

START_TEST(window_placements)
{
	static const struct {
		unsigned map, first, last;
	} cases[] = {{0, 0xa0000, 0xbffff}, {1, 0xa0000, 0xaffff}, {2, 0xb0000, 0xb7fff}, {3, 0xb8000, 0xbffff}};

	for (unsigned i = 0; i < 4; i++) {
		set_mode(&mode_12);
		out_index(0x3ce, 6, 1 | cases[i].map << 2);
		poke(cases[i].first, 0x11 + i);
		ck_assert_uint_eq(planes(0), 0x01010101u * (0x11 + i));
		ck_assert_uint_eq(peek(cases[i].last), 0);
		if (cases[i].first > 0xa0000) {
			poke(cases[i].first - 1, 0x77);
			ck_assert_uint_eq(peek(cases[i].first - 1), 0xff);
		}
		if (cases[i].last < 0xbffff)
			ck_assert_uint_eq(peek(cases[i].last + 1), 0xff);
		ck_assert_uint_eq(planes((cases[i].last - cases[i].first) & 0xffff), 0);
	}
	out(0x3c2, 0xe1); /* memory access off */
	ck_assert_uint_eq(peek(0xb8000), 0xff);
}
END_TEST

START_TEST(write_mode_0)
{
	set_mode(&mode_12);
	out_index(0x3c4, 2, 0x5); /* map mask */
	poke(0xa0010, 0x81);
	ck_assert_uint_eq(planes(0x10), 0x00810081);
	out_index(0x3c4, 2, 0xf);
	out_index(0x3ce, 3, 0x03); /* rotate right by 3 */
	poke(0xa0011, 0x81);
	ck_assert_uint_eq(planes(0x11), 0x30303030);
	out_index(0x3ce, 3, 0);
	out_index(0x3ce, 0, 0x2); /* set/reset: planes 1 and 0 from it */
	out_index(0x3ce, 1, 0x3);
	poke(0xa0012, 0x5a);
	ck_assert_uint_eq(planes(0x12), 0x5a5aff00);
}
END_TEST

START_TEST(bit_mask_and_latches)
{
	set_mode(&mode_12);
	poke(0xa0000, 0xf0);
	peek(0xa0000);
	out_index(0x3ce, 8, 0x18);
	poke(0xa0000, 0x0f);
	ck_assert_uint_eq(planes(0), 0xe8e8e8e8); /* 11110000 with bits 3 and 4 from 00001111 */
}
END_TEST

START_TEST(logical_functions)
{
	static const uint8_t expected[4] = {0x3c, 0x30, 0xfc, 0xcc}; /* of 3c and the latch f0 */

	for (unsigned f = 0; f < 4; f++) {
		set_mode(&mode_12);
		poke(0xa0000, 0xf0);
		peek(0xa0000);
		out_index(0x3ce, 3, f << 3);
		poke(0xa0001, 0x3c);
		ck_assert_uint_eq(planes(1), 0x01010101u * expected[f]);
	}
}
END_TEST

START_TEST(write_modes_1_2_3)
{
	set_mode(&mode_12);
	for (unsigned p = 0; p < 4; p++) {
		out_index(0x3c4, 2, 1u << p);
		poke(0xa0000, 0x10 + p);
	}
	out_index(0x3c4, 2, 0xf);
	peek(0xa0000);
	out_index(0x3ce, 5, 1); /* copies the latches, whatever is written */
	poke(0xa0100, 0xff);
	ck_assert_uint_eq(planes(0x100), 0x13121110);

	out_index(0x3ce, 5, 2); /* a colour in the pixels of the bit mask */
	out_index(0x3ce, 8, 0x0f);
	poke(0xa0101, 0x0a);
	ck_assert_uint_eq(planes(0x101), 0x1f101f10);

	out_index(0x3ce, 5, 3); /* set/reset in the pixels of data and bit mask */
	out_index(0x3ce, 0, 0x1);
	poke(0xa0102, 0x3c);
	ck_assert_uint_eq(planes(0x102), 0x1312111c & ~0x0c0c0c00u);
}
END_TEST

START_TEST(read_modes)
{
	set_mode(&mode_12);
	for (unsigned p = 0; p < 4; p++) {
		out_index(0x3c4, 2, 1u << p);
		poke(0xa0020, 0xf0 >> p);
	}
	for (unsigned p = 0; p < 4; p++) {
		out_index(0x3ce, 4, p);
		ck_assert_uint_eq(peek(0xa0020), 0xf0u >> p);
	}
	out_index(0x3ce, 5, 8);
	out_index(0x3ce, 2, 0xf); /* which pixels are of colour 15: bit 4 of f0, 78, 3c, 1e */
	ck_assert_uint_eq(peek(0xa0020), 0x10);
	out_index(0x3ce, 2, 0x3);
	out_index(0x3ce, 7, 0x3); /* planes 0 and 1 only */
	ck_assert_uint_eq(peek(0xa0020), 0x70);
	out_index(0x3ce, 7, 0x0);
	ck_assert_uint_eq(peek(0xa0020), 0xff);
}
END_TEST

START_TEST(odd_even_text)
{
	set_mode(&mode_03);
	io_write(&vga_mem_ops, &vga, 0x18000 + 2 * 1000, 4, 0x1e421f41);
	ck_assert_uint_eq(planes(1000), 0x1f41);
	ck_assert_uint_eq(planes(1001), 0x1e42);
	ck_assert_uint_eq(io_read(&vga_mem_ops, &vga, 0x18000 + 2 * 1000, 4), 0x1e421f41);
}
END_TEST

START_TEST(font_beside_text)
{
	static const uint8_t rows[4] = {1, 2, 3, 4};

	set_mode(&mode_03);
	put_text(0, 0, 7, "AB");
	load_glyph(0, 0, rows, 4);
	ck_assert_uint_eq(planes(0), 0x010741);
	ck_assert_uint_eq(planes(1), 0x020742);
	ck_assert_uint_eq(planes(3), 0x040000);
}
END_TEST

START_TEST(chain_4_is_linear)
{
	set_mode(&mode_13);
	for (unsigned i = 0; i < 8; i++)
		poke(0xa0000 + 320 + i, 0x40 + i);
	ck_assert_mem_eq(vga.vram.host + 320, "@ABCDEFG", 8);
	ck_assert_uint_eq(io_read(&vga_mem_ops, &vga, 320, 8), 0x4746454443424140);
	out_index(0x3c4, 2, 0x1); /* every fourth pixel only */
	io_write(&vga_mem_ops, &vga, 320, 4, 0xffffffff);
	ck_assert_uint_eq(load_le(vga.vram.host + 320, 4), 0x434241ff);
	/* Unchained, the same memory is four planes (mode X). */
	out_index(0x3c4, 4, 0x06);
	out_index(0x3ce, 4, 2);
	ck_assert_uint_eq(peek(0xa0000 + 80), 0x42);
}
END_TEST

static unsigned changes;

static void changed(void *arg)
{
	changes++;
}

START_TEST(direct_window)
{
	uint64_t offset, len;

	vga.window_changed = changed;
	set_mode(&mode_03);
	ck_assert(!vga_direct_window(&vga, &offset, &len));
	set_mode(&mode_13);
	ck_assert(vga_direct_window(&vga, &offset, &len));
	ck_assert_uint_eq(offset, 0);
	ck_assert_uint_eq(len, 0x10000);
	/* What would make direct accesses differ from ours ends it. */
	static const struct {
		unsigned port, index, value;
	} ends[] = {{0x3c4, 2, 7}, {0x3c4, 4, 6}, {0x3ce, 8, 0xfe}, {0x3ce, 5, 0x41}, {0x3ce, 5, 0x48},
		    {0x3ce, 1, 1}, {0x3ce, 3, 8}, {0x3ce, 6, 1},    {0x3ce, 6, 9}};
	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		set_mode(&mode_13);
		changes = 0;
		out_index(ends[i].port, ends[i].index, ends[i].value);
		ck_assert_msg(!vga_direct_window(&vga, &offset, &len), "case %u", i);
		ck_assert_uint_eq(changes, 1);
	}
	vbe_mode(800, 600, 32);
	ck_assert(vga_direct_window(&vga, &offset, &len));
	changes = 0;
	vbe(5, 3);
	ck_assert_uint_eq(changes, 1);
	ck_assert(vga_direct_window(&vga, &offset, &len));
	ck_assert_uint_eq(offset, 0x30000);
	vbe(5, 3);
	ck_assert_uint_eq(changes, 1);
	vbe_mode(800, 600, 4);
	ck_assert(!vga_direct_window(&vga, &offset, &len));
}
END_TEST

START_TEST(random_accesses_stay_inside)
{
	unsigned seed = 1;

	for (unsigned n = 0; n < 200000; n++) {
		seed = seed * 1103515245 + 12345;
		unsigned r = seed >> 8;
		static const uint16_t ports[] = {0x3c2, 0x3c4, 0x3c5, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3c0};
		if (n % 3 == 0)
			out(ports[r % 8], r >> 3);
		else if (n % 97 == 0)
			vbe(r % 11, r >> 4);
		else if (n & 1)
			io_write(&vga_mem_ops, &vga, r % VGA_WINDOW_LEN, 8, ~0ull);
		else
			io_read(&vga_mem_ops, &vga, r % VGA_WINDOW_LEN, 8);
	}
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, window_placements);
	tcase_add_test(t, write_mode_0);
	tcase_add_test(t, bit_mask_and_latches);
	tcase_add_test(t, logical_functions);
	tcase_add_test(t, write_modes_1_2_3);
	tcase_add_test(t, read_modes);
	tcase_add_test(t, odd_even_text);
	tcase_add_test(t, font_beside_text);
	tcase_add_test(t, chain_4_is_linear);
	tcase_add_test(t, direct_window);
	tcase_add_test(t, random_accesses_stay_inside);
}

int main(void)
{
	return run_suite("vga_mem", add);
}
