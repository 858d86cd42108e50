/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/i8042.h"

#include "chip_fixture.h"
#include "devices/port92.h"

static struct i8042 kbc;
static struct probe irq1, irq12, a20, reset;

static void out8(unsigned port, uint8_t v)
{
	io_write(&i8042_io_ops, &kbc, port, 1, v);
}

static uint8_t status(void)
{
	return (uint8_t)io_read(&i8042_io_ops, &kbc, I8042_PORT_COMMAND, 1);
}

static void command(uint8_t v)
{
	out8(I8042_PORT_COMMAND, v);
}

static void data(uint8_t v)
{
	out8(I8042_PORT_DATA, v);
}

/* The next byte, or -1 if none comes within a millisecond. */
static int get(void)
{
	for (unsigned i = 0; i < 20 && !(status() & 1); i++)
		clock_advance(&clk, 50 * NS_PER_US);
	return status() & 1 ? (int)io_read(&i8042_io_ops, &kbc, I8042_PORT_DATA, 1) : -1;
}

static void expect(unsigned count, const int *bytes, int line)
{
	for (unsigned i = 0; i < count; i++) {
		int v = get();
		ck_assert_msg(v == bytes[i], "line %d, byte %u: %x, expected %x", line, i, v, bytes[i]);
	}
	ck_assert_msg(get() == -1, "line %d: more bytes than expected", line);
}

#define EXPECT(...) expect(sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__}, __LINE__)

static void key(const char *name, bool down)
{
	i8042_key(&kbc, key_from_name(name), down);
}

static void config(uint8_t v)
{
	command(0x60);
	data(v);
}

static void setup(void)
{
	struct i8042_config cfg = {
	    .clock = &clk,
	    .kbd_irq = probe_line(&irq1),
	    .mouse_irq = probe_line(&irq12),
	    .a20 = probe_line(&a20),
	    .reset = probe_line(&reset),
	};

	clock_init(&clk, true);
	i8042_init(&kbc, &cfg);
	config(0x43); /* translated, both interrupts */
}

START_TEST(test_controller)
{
	command(0xaa);
	EXPECT(0x55);
	ck_assert(status() & 0x04);
	command(0xab);
	EXPECT(0x00);
	command(0xa9);
	EXPECT(0x00);
	command(0x20);
	EXPECT(0x47);
	command(0x65);
	ck_assert(status() & 0x08);
	data(0x5a);
	ck_assert(!(status() & 0x08));
	command(0x25);
	EXPECT(0x5a);
	command(0xd2);
	data(0x77);
	ck_assert(irq1.level && !(status() & 0x20));
	EXPECT(0x77);
	command(0xd3);
	data(0x88);
	ck_assert(irq12.level && status() & 0x20);
	EXPECT(0x88);
}
END_TEST

START_TEST(test_a20_and_reset)
{
	command(0xd1);
	data(0xdd);
	ck_assert(!a20.level);
	command(0xd0);
	EXPECT(0xcd);
	command(0xd1);
	data(0xdf);
	ck_assert(a20.level);
	command(0xdd);
	ck_assert(!a20.level);
	command(0xdf);
	ck_assert(a20.level);
	i8042_note_a20(&kbc, false);
	command(0xd0);
	EXPECT(0xcd);
	command(0xff); /* pulses nothing */
	ck_assert(!reset.level);
	command(0xfe);
	ck_assert(reset.level);
	reset = (struct probe){0};
	command(0xd1);
	data(0xde);
	ck_assert(reset.level);
}
END_TEST

START_TEST(test_port92)
{
	struct port92 dev;

	port92_init(&dev, probe_line(&a20), probe_line(&reset));
	ck_assert_uint_eq(io_read(&port92_io_ops, &dev, 0, 1), 2);
	io_write(&port92_io_ops, &dev, 0, 1, 2);
	ck_assert(a20.level && !reset.level);
	io_write(&port92_io_ops, &dev, 0, 1, 0);
	ck_assert(!a20.level);
	port92_note_a20(&dev, true);
	ck_assert_uint_eq(io_read(&port92_io_ops, &dev, 0, 1), 2);
	io_write(&port92_io_ops, &dev, 0, 1, 1);
	ck_assert(reset.level);
}
END_TEST

START_TEST(test_keys_translated)
{
	key("a", true);
	ck_assert(irq1.level);
	key("a", false);
	EXPECT(0x1e, 0x9e);
	ck_assert(!irq1.level);
	ck_assert_uint_eq(irq1.edges, 2); /* one a byte */
	key("up", true);
	key("up", false);
	EXPECT(0xe0, 0x48, 0xe0, 0xc8);
	key("f7", true); /* 83 in set 2 */
	key("f7", true); /* repeats */
	key("f7", false);
	key("f7", false); /* was up */
	EXPECT(0x41, 0x41, 0xc1);
	key("pause", true);
	key("pause", false);
	EXPECT(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
	key("print", true);
	key("print", false);
	EXPECT(0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa);
	key("alt", true);
	key("print", true);
	key("print", false);
	key("alt", false);
	EXPECT(0x38, 0x54, 0xd4, 0xb8);
	key("ctrl", true);
	key("pause", true);
	key("pause", false);
	key("ctrl", false);
	EXPECT(0x1d, 0xe0, 0x46, 0xe0, 0xc6, 0x9d);
}
END_TEST

/* Set 2 through the controller's translation is set 1, for every key. */
START_TEST(test_translation_of_all_keys)
{
	for (unsigned k = 1; k < QKEY_COUNT; k++) {
		uint16_t code = key_info(k)->set1;
		if (k == QKEY_PAUSE || k == QKEY_PRINT)
			continue;
		i8042_key(&kbc, k, true);
		i8042_key(&kbc, k, false);
		for (unsigned up = 0; up < 2; up++) {
			if (code >> 8)
				ck_assert_int_eq(get(), 0xe0);
			ck_assert_msg(get() == (int)((code & 0xff) | up << 7), "%s", key_info(k)->name);
		}
	}
	ck_assert_int_eq(get(), -1);
}
END_TEST

START_TEST(test_sets)
{
	config(0x03);
	key("f1", true);
	key("f1", false);
	EXPECT(0x05, 0xf0, 0x05);
	data(0xf0);
	data(0x01);
	EXPECT(0xfa, 0xfa);
	key("delete", true);
	key("delete", false);
	EXPECT(0xe0, 0x53, 0xe0, 0xd3);
	data(0xf0);
	EXPECT(0xfa);
	data(0x03);
	EXPECT(0xfa);
	data(0xf0);
	EXPECT(0xfa);
	data(0x00);
	EXPECT(0xfa, 0x03);
	key("a", true);
	key("a", true);
	key("a", false);
	EXPECT(0x1c, 0x1c); /* typematic, no break code */
	key("shift", true);
	key("shift", true);
	key("shift", false);
	EXPECT(0x12, 0xf0, 0x12);
	data(0xfc); /* make/break: 'a' */
	EXPECT(0xfa);
	data(0x1c);
	EXPECT(0xfa);
	data(0xf4);
	EXPECT(0xfa);
	key("a", true);
	key("a", false);
	EXPECT(0x1c, 0xf0, 0x1c);
	key("mail", true); /* no code in set 3 */
	EXPECT(-1);
}
END_TEST

START_TEST(test_keyboard_commands)
{
	data(0xff);
	EXPECT(0xfa, 0xaa);
	data(0xf2);
	EXPECT(0xfa, 0xab, 0x41); /* 83 translated */
	data(0xee);
	EXPECT(0xee);
	data(0xfe);
	EXPECT(0xee);
	data(0xed);
	EXPECT(0xfa);
	data(0x05);
	EXPECT(0xfa);
	ck_assert_uint_eq(i8042_leds(&kbc), 5);
	data(0xed);
	EXPECT(0xfa);
	data(0xf4); /* a command instead of the argument */
	EXPECT(0xfa);
	ck_assert_uint_eq(i8042_leds(&kbc), 5);
	data(0xf5);
	EXPECT(0xfa);
	key("a", true);
	key("a", false);
	EXPECT(-1);
	data(0xf4);
	EXPECT(0xfa);
	data(0xf3);
	EXPECT(0xfa);
	data(0x20);
	EXPECT(0xfa);
	data(0xef);
	EXPECT(0xfe);
}
END_TEST

START_TEST(test_disable)
{
	command(0xad);
	key("a", true);
	EXPECT(-1);
	command(0xae);
	EXPECT(0x1e);
	config(0x42); /* no interrupt */
	key("b", true);
	ck_assert(status() & 1);
	ck_assert(!irq1.level);
}
END_TEST

/* Old handlers read the port twice. */
START_TEST(test_byte_stays_readable)
{
	key("a", true);
	key("a", false);
	ck_assert_uint_eq(io_read(&i8042_io_ops, &kbc, 0, 1), 0x1e);
	ck_assert_uint_eq(io_read(&i8042_io_ops, &kbc, 0, 1), 0x1e);
	EXPECT(0x9e);
}
END_TEST

START_TEST(test_overrun)
{
	unsigned n = 0;
	int last = -1;

	for (unsigned i = 0; i < 1000; i++) {
		key("x", true);
		key("x", false);
	}
	ck_assert(!i8042_can_take_key(&kbc));
	for (int v = get(); v >= 0; v = get(), n++)
		last = v;
	ck_assert_uint_le(n, PS2_QUEUE);
	ck_assert_uint_gt(n, 16);
	ck_assert_int_eq(last, 0xff); /* overrun, translated */
	ck_assert(i8042_can_take_key(&kbc));
	key("x", true);
	EXPECT(0x2d);
}
END_TEST

static void mouse(uint8_t v)
{
	command(0xd4);
	data(v);
}

START_TEST(test_mouse)
{
	mouse(0xff);
	ck_assert(irq12.level);
	EXPECT(0xfa, 0xaa, 0x00);
	mouse(0xf2);
	EXPECT(0xfa, 0x00);
	i8042_mouse(&kbc, 5, 5, 0, 1);
	EXPECT(-1); /* not enabled */
	mouse(0xf4);
	EXPECT(0xfa);
	i8042_mouse(&kbc, 5, -3, 0, 0);
	EXPECT(0x08, 5, 3);
	i8042_mouse(&kbc, -1, 2, 1, 3);
	EXPECT(0x08 | 0x30 | 3, 0xff, 0xfe);
	i8042_mouse(&kbc, 300, 0, 0, 0); /* more than a packet holds */
	EXPECT(0x08, 255, 0, 0x08, 45, 0);
	i8042_mouse(&kbc, 0, 0, 0, 1); /* a click that the guest is slow to see */
	i8042_mouse(&kbc, 0, 0, 0, 0);
	EXPECT(0x09, 0, 0, 0x08, 0, 0);
	mouse(0xe9);
	EXPECT(0xfa, 0x20, 2, 100);
	mouse(0xe7);
	EXPECT(0xfa);
	i8042_mouse(&kbc, 3, 10, 0, 0);
	EXPECT(0x28, 3, 0xec);
}
END_TEST

static void set_rates(const uint8_t *rates)
{
	for (unsigned i = 0; i < 3; i++) {
		mouse(0xf3);
		ck_assert_int_eq(get(), 0xfa);
		mouse(rates[i]);
		ck_assert_int_eq(get(), 0xfa);
	}
}

START_TEST(test_wheel)
{
	set_rates((uint8_t[]){200, 100, 80});
	mouse(0xf2);
	EXPECT(0xfa, 3);
	mouse(0xf4);
	EXPECT(0xfa);
	i8042_mouse(&kbc, 0, 0, -1, 0);
	EXPECT(0x08, 0, 0, 0xff);
	set_rates((uint8_t[]){200, 200, 80});
	mouse(0xf2);
	EXPECT(0xfa, 4);
	i8042_mouse(&kbc, 1, 0, -20, 0x18);
	EXPECT(0x08, 1, 0, 0x38, 0x08, 0, 0, 0x38, 0x08, 0, 0, 0x3c);
	mouse(0xff);
	EXPECT(0xfa, 0xaa, 0);
	mouse(0xf2);
	EXPECT(0xfa, 0);
}
END_TEST

START_TEST(test_mouse_modes)
{
	mouse(0xf0); /* remote */
	EXPECT(0xfa);
	i8042_mouse(&kbc, 7, 0, 0, 4);
	EXPECT(-1);
	mouse(0xeb);
	EXPECT(0xfa, 0x0c, 7, 0);
	mouse(0xee); /* wrap */
	EXPECT(0xfa);
	mouse(0x12);
	EXPECT(0x12);
	mouse(0xf4);
	EXPECT(0xf4);
	mouse(0xec);
	EXPECT(0xfa);
	mouse(0xe8);
	EXPECT(0xfa);
	mouse(0x03);
	EXPECT(0xfa);
	mouse(0x55);
	EXPECT(0xfe);
	command(0xa7);
	mouse(0xe9); /* sending enables the line again */
	EXPECT(0xfa, 0x41 + 1, 3, 100);
}
END_TEST

START_TEST(test_names_and_numbers)
{
	ck_assert_int_eq(key_from_name("ret"), QKEY_RET);
	ck_assert_int_eq(key_from_name("kp_add"), QKEY_KP_ADD);
	ck_assert_int_eq(key_from_name("0"), QKEY_0);
	ck_assert_int_eq(key_from_name("Ret"), QKEY_NONE);
	ck_assert_int_eq(key_from_name(""), QKEY_NONE);
	ck_assert_int_eq(key_from_number(0x1c), QKEY_RET);
	ck_assert_int_eq(key_from_number(0xc8), QKEY_UP);
	ck_assert_int_eq(key_from_number(0), QKEY_NONE);
	ck_assert_int_eq(key_from_number(0x11c), QKEY_NONE);
	ck_assert_str_eq(key_info(QKEY_COUNT)->name, "unmapped");
	for (unsigned i = 1; i < QKEY_COUNT; i++)
		ck_assert_uint_eq(key_from_name(key_info(i)->name), i);
	i8042_key(&kbc, QKEY_COUNT, true);
	i8042_key(&kbc, (enum key) - 5, true);
	EXPECT(-1);
}
END_TEST

START_TEST(test_characters)
{
	static const char shifted[] = "~!@#$%^&*()_+{}|:\"<>?ABCXYZ", plain[] = "`1234567890-=[]\\;',./abcxyz ";
	struct key_chord c;
	uint32_t ch;

	for (const char *p = shifted; *p; p++)
		ck_assert(key_from_char((unsigned char)*p, &c) && c.shift && c.key);
	for (const char *p = plain; *p; p++)
		ck_assert(key_from_char((unsigned char)*p, &c) && !c.shift && c.key);
	for (uint32_t i = 0; i < 0x80; i++)
		ck_assert_msg(key_from_char(i, &c) && c.key, "%u", i);
	ck_assert(key_from_char(3, &c) && c.ctrl && c.key == QKEY_C);
	ck_assert(key_from_char('\n', &c) && c.key == QKEY_RET && !c.ctrl);
	ck_assert(!key_from_char(0xe9, &c));
	ck_assert(!key_from_char(0xfffd, &c));

	ck_assert_uint_eq(utf8_next("", 0, &ch), 0);
	ck_assert_uint_eq(utf8_next("A", 1, &ch), 1);
	ck_assert_uint_eq(ch, 'A');
	ck_assert_uint_eq(utf8_next("\xe2\x82\xac", 3, &ch), 3);
	ck_assert_uint_eq(ch, 0x20ac);
	ck_assert_uint_eq(utf8_next("\xe2\x82\xac", 2, &ch), 1);
	ck_assert_uint_eq(ch, 0xfffd);
	ck_assert_uint_eq(utf8_next("\xc0\x80", 2, &ch), 1); /* overlong */
	ck_assert_uint_eq(ch, 0xfffd);
	ck_assert_uint_eq(utf8_next("\xf0\x9f\x98\x80", 4, &ch), 4);
	ck_assert_uint_eq(ch, 0x1f600);
	ck_assert_uint_eq(utf8_next("\xff", 1, &ch), 1);
}
END_TEST

START_TEST(test_hostile)
{
	srand(4);
	for (unsigned i = 0; i < 300000; i++) {
		switch (rand() % 6) {
		case 0:
			i8042_key(&kbc, (enum key)(rand() % (QKEY_COUNT + 2)), rand() & 1);
			break;
		case 1:
			i8042_mouse(&kbc, rand() - RAND_MAX / 2, rand() - RAND_MAX / 2, rand() - RAND_MAX / 2,
				    (unsigned)rand());
			break;
		case 2:
			get();
			break;
		case 3:
			mouse((uint8_t)rand());
			break;
		default:
			out8(rand() & 1 ? I8042_PORT_COMMAND : I8042_PORT_DATA, (uint8_t)rand());
		}
	}
	ck_assert_uint_le(kbc.kbd.out.count, PS2_QUEUE);
	ck_assert_uint_le(kbc.mouse.out.count, PS2_QUEUE);
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_controller,
	    test_a20_and_reset,
	    test_port92,
	    test_keys_translated,
	    test_translation_of_all_keys,
	    test_sets,
	    test_keyboard_commands,
	    test_disable,
	    test_byte_stays_readable,
	    test_overrun,
	    test_mouse,
	    test_wheel,
	    test_mouse_modes,
	    test_names_and_numbers,
	    test_characters,
	    test_hostile,
	};

	return run_tests("i8042", list, ARRAY_LEN(list), setup);
}
