/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vga_fixture.h"

START_TEST(indexed_registers_keep_only_existing_bits)
{
	out_index(0x3c4, 2, 0xff);
	ck_assert_uint_eq(in_index(0x3c4, 2), 0x0f);
	out_index(0x3ce, 5, 0xff);
	ck_assert_uint_eq(in_index(0x3ce, 5), 0x7b);
	out_index(0x3ce, 15, 0xff); /* does not exist */
	ck_assert_uint_eq(in_index(0x3ce, 15), 0);
	out(0x3c4, 0xff); /* three bits of index */
	ck_assert_uint_eq(in(0x3c4), 7);
}
END_TEST

START_TEST(crtc_answers_where_misc_output_says)
{
	out(0x3c2, 1);
	ck_assert_uint_eq(in(0x3cc), 1);
	out_index(0x3d4, 0x0c, 0x12);
	ck_assert_uint_eq(in_index(0x3d4, 0x0c), 0x12);
	ck_assert_uint_eq(in(0x3b5), 0xff);
	out_index(0x3b4, 0x0c, 0x34); /* not decoded */
	ck_assert_uint_eq(in_index(0x3d4, 0x0c), 0x12);
	out(0x3c2, 0);
	ck_assert_uint_eq(in_index(0x3b4, 0x0c), 0x12);
	ck_assert_uint_eq(in(0x3d5), 0xff);
}
END_TEST

START_TEST(crtc_protection)
{
	out(0x3c2, 1);
	out_index(0x3d4, 0x00, 0x5f);
	out_index(0x3d4, 0x07, 0x00);
	out_index(0x3d4, 0x11, 0x80);
	out_index(0x3d4, 0x00, 0x11);
	out_index(0x3d4, 0x07, 0xff);
	ck_assert_uint_eq(in_index(0x3d4, 0x00), 0x5f);
	ck_assert_uint_eq(in_index(0x3d4, 0x07), 0x10); /* line compare only */
	out_index(0x3d4, 0x09, 0x4f);			/* beyond the protected ones */
	ck_assert_uint_eq(in_index(0x3d4, 0x09), 0x4f);
	out_index(0x3d4, 0xff, 0x55); /* no such register */
	ck_assert_uint_eq(in_index(0x3d4, 0xff), 0);
}
END_TEST

START_TEST(attribute_flip_flop)
{
	out(0x3c2, 1);
	in(0x3da);
	out(0x3c0, 0x03);
	out(0x3c0, 0x2a);
	out(0x3c0, 0x10); /* index again */
	out(0x3c0, 0x0c);
	ck_assert_uint_eq(in(0x3c1), 0x0c);
	out(0x3c0, 0x03);
	ck_assert_uint_eq(in(0x3c1), 0x2a);
	in(0x3da); /* the pending data phase is dropped */
	out(0x3c0, 0x10);
	ck_assert_uint_eq(in(0x3c1), 0x0c);
	in(0x3da);
	ck_assert_uint_eq(in(0x3c0), 0x10);
}
END_TEST

START_TEST(dac_reads_and_writes_count_up)
{
	out(0x3c8, 254);
	ck_assert_uint_eq(in(0x3c7), 0);
	for (unsigned i = 0; i < 9; i++) /* wraps to entry 0 */
		out(0x3c9, 0xc0 + i);
	out(0x3c7, 254);
	ck_assert_uint_eq(in(0x3c7), 3);
	for (unsigned i = 0; i < 9; i++)
		ck_assert_uint_eq(in(0x3c9), i); /* six bits */
	vbe(4, 0x20);
	out(0x3c8, 7);
	out(0x3c9, 0xfe);
	out(0x3c9, 0xdc);
	out(0x3c7, 7);
	ck_assert_uint_eq(in(0x3c9), 0); /* an entry changes only with its third byte */
	out(0x3c8, 7);
	for (unsigned i = 0; i < 3; i++)
		out(0x3c9, 0xf0 + i);
	out(0x3c7, 7);
	ck_assert_uint_eq(in(0x3c9), 0xf0);
}
END_TEST

/* Counts what input status 1 shows over one second of virtual time. */
static void watch(unsigned *frames, unsigned *lines)
{
	unsigned before = in(0x3da);

	*frames = *lines = 0;
	for (unsigned t = 0; t < 1000000; t++) {
		clock_advance(&clk, 1000);
		unsigned now = in(0x3da);
		*frames += (now & ~before & 0x08) != 0;
		*lines += (now & ~before & 0x01) != 0;
		before = now;
	}
}

START_TEST(retrace_follows_the_virtual_clock)
{
	unsigned frames, lines;

	set_mode(&mode_03);
	watch(&frames, &lines);
	ck_assert_uint_ge(frames, 69); /* 70.08 Hz */
	ck_assert_uint_le(frames, 71);
	ck_assert_uint_ge(lines, 400u * 69); /* one blank for each visible line */
	ck_assert_uint_le(lines, 402u * 71);
	set_mode(&mode_12);
	watch(&frames, &lines);
	ck_assert_uint_ge(frames, 59);
	ck_assert_uint_le(frames, 61);
	ck_assert_uint_eq(in(0x3da), in(0x3da)); /* time stands still */
}
END_TEST

START_TEST(retrace_comes_whatever_the_crtc_holds)
{
	unsigned frames, lines;

	out(0x3c2, 1);
	for (unsigned fill = 0; fill < 3; fill++) {
		out_index(0x3d4, 0x11, 0);
		for (unsigned i = 0; i < 25; i++)
			if (i != 0x11)
				out_index(0x3d4, i, (const uint8_t[]){0x00, 0xff, 0x5a}[fill]);
		watch(&frames, &lines);
		ck_assert_uint_ge(frames, 20);
	}
	vbe_mode(1024, 768, 32);
	watch(&frames, &lines);
	ck_assert_uint_ge(frames, 59);
}
END_TEST

START_TEST(ports_are_on_the_bus)
{
	struct bus bus;

	bus_init(&bus);
	ck_assert_int_eq(vga_add_ports(&vga, &bus), 0);
	bus_write(&bus, 0x3c4, 2, 0x0702);
	ck_assert_uint_eq(bus_read(&bus, 0x3c5, 1), 7);
	bus_write(&bus, 0x3c2, 1, 0x67);
	bus_write(&bus, 0x3d4, 2, 0x5a0c);
	ck_assert_uint_eq(bus_read(&bus, 0x3d4, 2), 0x5a0c);
	bus_write(&bus, 0x1ce, 2, 0);
	ck_assert_uint_eq(bus_read(&bus, 0x1cf, 2), 0xb0c5);
	ck_assert_uint_eq(bus_read(&bus, 0x1d0, 2), 0xb0c5);
	ck_assert_uint_eq(bus_read(&bus, 0x3b0, 1), 0xff);
	ck_assert_int_eq(vga_add_ports(&vga, &bus), -EBUSY);
}
END_TEST

START_TEST(reset_gives_the_power_on_state)
{
	set_mode(&mode_13);
	vbe_mode(640, 480, 32);
	vga.vram.host[VGA_VRAM_SIZE - 1] = 1;
	vga_reset(&vga);
	ck_assert_int_eq(vga_mode(&vga, NULL, NULL), VGA_BLANK);
	ck_assert_uint_eq(in(0x3cc), 0);
	ck_assert_uint_eq(vbe_get(4), 0);
	ck_assert_uint_eq(vga.vram.host[VGA_VRAM_SIZE - 1], 0);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, indexed_registers_keep_only_existing_bits);
	tcase_add_test(t, crtc_answers_where_misc_output_says);
	tcase_add_test(t, crtc_protection);
	tcase_add_test(t, attribute_flip_flop);
	tcase_add_test(t, dac_reads_and_writes_count_up);
	tcase_add_test(t, retrace_follows_the_virtual_clock);
	tcase_add_test(t, retrace_comes_whatever_the_crtc_holds);
	tcase_add_test(t, ports_are_on_the_bus);
	tcase_add_test(t, reset_gives_the_power_on_state);
}

int main(void)
{
	return run_suite("vga_regs", add);
}
