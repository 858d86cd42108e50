/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/pic.h"

#include "chip_fixture.h"

static struct pic pic;
static struct probe intr;

static void out8(unsigned offset, uint8_t v)
{
	io_write(&pic_io_ops, &pic, offset, 1, v);
}

static uint8_t in8(unsigned offset)
{
	return (uint8_t)io_read(&pic_io_ops, &pic, offset, 1);
}

/* As a PC's BIOS does: vectors 08 and 70, then everything unmasked. */
static void program(uint8_t icw4_master, uint8_t icw4_slave)
{
	static const uint8_t base[2] = {0x08, 0x70}, wiring[2] = {0x04, 0x02};

	for (unsigned c = 0; c < 2; c++) {
		out8(c * 2, 0x11);
		out8(c * 2 + 1, base[c]);
		out8(c * 2 + 1, wiring[c]);
		out8(c * 2 + 1, c ? icw4_slave : icw4_master);
		out8(c * 2 + 1, 0);
	}
}

static void setup(void)
{
	pic_init(&pic, probe_line(&intr));
	program(1, 1);
}

static void up(int n)
{
	pic_set_irq(&pic, n, true);
}

static void down(int n)
{
	pic_set_irq(&pic, n, false);
}

START_TEST(test_edge)
{
	ck_assert(!pic_pending(&pic));
	up(1);
	ck_assert(pic_pending(&pic) && intr.level);
	down(1); /* stays latched */
	ck_assert_uint_eq(pic_ack(&pic), 0x09);
	ck_assert(!intr.level);
	up(1); /* in service: waits */
	ck_assert(!intr.level);
	out8(0, 0x20);
	ck_assert(intr.level);
	ck_assert_uint_eq(pic_ack(&pic), 0x09);
	out8(0, 0x20);
	up(1); /* no new edge */
	ck_assert(!intr.level);
}
END_TEST

START_TEST(test_priority_and_nesting)
{
	up(4);
	up(1);
	ck_assert_uint_eq(pic_ack(&pic), 0x09);
	ck_assert(!intr.level);
	up(0);
	ck_assert_uint_eq(pic_ack(&pic), 0x08);
	out8(0, 0x0b);
	ck_assert_uint_eq(in8(0), 0x03);
	out8(0, 0x0a);
	ck_assert_uint_eq(in8(0), 0x10);
	out8(0, 0x20); /* non-specific: the highest, 0 */
	out8(0, 0x0b);
	ck_assert_uint_eq(in8(0), 0x02);
	out8(0, 0x61); /* specific: 1 */
	ck_assert_uint_eq(pic_ack(&pic), 0x0c);
}
END_TEST

START_TEST(test_cascade)
{
	up(14);
	up(8);
	ck_assert_uint_eq(pic_ack(&pic), 0x70);
	ck_assert(!intr.level);
	out8(2, 0x20); /* slave first: the master still serves input 2 */
	ck_assert(!intr.level);
	out8(0, 0x20);
	ck_assert_uint_eq(pic_ack(&pic), 0x76);
	up(3); /* lower than the cascade */
	ck_assert(!intr.level);
	up(2); /* no such input */
	ck_assert_uint_eq(pic.chip[0].irr & 4, 0);
	/* The slave withdraws its request before the acknowledge: nothing spurious is left behind. */
	out8(2, 0x20);
	out8(0, 0x20);
	pic_ack(&pic);
	out8(0, 0x20);
	up(12);
	ck_assert(intr.level);
	out8(3, 0xff);
	ck_assert(!intr.level);
}
END_TEST

START_TEST(test_slave_aeoi_back_to_back)
{
	program(3, 3);
	up(9);
	up(10);
	ck_assert_uint_eq(pic_ack(&pic), 0x71);
	ck_assert(intr.level);
	ck_assert_uint_eq(pic_ack(&pic), 0x72);
	ck_assert(!intr.level);
}
END_TEST

START_TEST(test_level)
{
	out8(PIC_PORT_ELCR, 0xff); /* 0-2 cannot be levels */
	ck_assert_uint_eq(in8(PIC_PORT_ELCR), 0xf8);
	out8(PIC_PORT_ELCR + 1, 0xff);
	ck_assert_uint_eq(in8(PIC_PORT_ELCR + 1), 0xde);
	up(11);
	ck_assert_uint_eq(pic_ack(&pic), 0x73);
	out8(2, 0x20);
	out8(0, 0x20);
	ck_assert(intr.level); /* still up: again */
	down(11);
	ck_assert(!intr.level);
	ck_assert_uint_eq(pic_ack(&pic), 0x0f); /* spurious, nothing in service */
	out8(0, 0x0b);
	ck_assert_uint_eq(in8(0), 0);
}
END_TEST

START_TEST(test_spurious_slave)
{
	/* Between the two acknowledge cycles nothing can change here; the slave alone is asked. */
	out8(3, 0xff);
	up(10);
	pic.chip[0].irr |= 4;
	ck_assert_uint_eq(pic_ack(&pic), 0x77);
	out8(2, 0x0b);
	ck_assert_uint_eq(in8(2), 0); /* not in service in the slave, but in the master */
	out8(0, 0x0b);
	ck_assert_uint_eq(in8(0), 4);
}
END_TEST

START_TEST(test_mask_and_init)
{
	out8(1, 0x02);
	up(1);
	ck_assert(!intr.level);
	out8(1, 0x00);
	ck_assert(intr.level);
	out8(0, 0x11); /* ICW1 forgets edges, masks and service */
	ck_assert(!intr.level);
	ck_assert_uint_eq(in8(1), 0);
	out8(1, 0x20);
	out8(1, 0x04);
	out8(1, 0x01);
	down(1);
	up(1);
	ck_assert_uint_eq(pic_ack(&pic), 0x21);
}
END_TEST

START_TEST(test_rotation)
{
	up(3);
	ck_assert_uint_eq(pic_ack(&pic), 0x0b);
	out8(0, 0xa0); /* rotate on non-specific EOI: 3 is the lowest now */
	down(3);
	up(3);
	up(4);
	ck_assert_uint_eq(pic_ack(&pic), 0x0c);
	out8(0, 0x20);
	out8(0, 0xc2); /* set priority: 2 lowest, 3 highest */
	down(4);
	up(4);
	up(0);
	ck_assert_uint_eq(pic_ack(&pic), 0x0b);
	out8(0, 0xe3); /* rotate on specific EOI */
	ck_assert_uint_eq(pic_ack(&pic), 0x0c);
	out8(0, 0x40); /* no operation */
	ck_assert_uint_eq(pic.chip[0].lowest, 3);
}
END_TEST

START_TEST(test_rotate_in_aeoi)
{
	program(3, 1);
	out8(0, 0x80);
	up(0);
	up(1);
	ck_assert_uint_eq(pic_ack(&pic), 0x08);
	down(0);
	up(0); /* now the lowest */
	ck_assert_uint_eq(pic_ack(&pic), 0x09);
	ck_assert_uint_eq(pic_ack(&pic), 0x08);
	out8(0, 0x00);
	ck_assert(!pic.chip[0].rotate_aeoi);
}
END_TEST

START_TEST(test_special_mask)
{
	up(1);
	pic_ack(&pic);
	up(5);
	ck_assert(!intr.level);
	out8(1, 0x02);
	out8(0, 0x68); /* special mask mode: masked 1 no longer holds back 5 */
	ck_assert(intr.level);
	ck_assert_uint_eq(pic_ack(&pic), 0x0d);
	out8(0, 0x20); /* ends 5, not the hidden 1 */
	out8(0, 0x0b);
	ck_assert_uint_eq(in8(0), 0x02);
	out8(0, 0x48);
	ck_assert(!pic.chip[0].smm);
}
END_TEST

START_TEST(test_special_fully_nested)
{
	program(0x11, 1);
	up(12);
	ck_assert_uint_eq(pic_ack(&pic), 0x74);
	up(8); /* a higher one of the same slave passes */
	ck_assert(intr.level);
	ck_assert_uint_eq(pic_ack(&pic), 0x70);
}
END_TEST

START_TEST(test_poll)
{
	out8(0, 0x0c);
	ck_assert_uint_eq(in8(0), 0);
	up(6);
	out8(0, 0x0c);
	ck_assert_uint_eq(in8(0), 0x86);
	ck_assert(!intr.level);
	out8(0, 0x0b);
	ck_assert_uint_eq(in8(0), 0x40);
	up(15);
	out8(2, 0x0c);
	ck_assert_uint_eq(in8(2), 0x87);
	ck_assert(!intr.level);
}
END_TEST

START_TEST(test_hostile)
{
	srand(2);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned what = (unsigned)rand() % 4;
		if (what == 0)
			pic_set_irq(&pic, rand() % 20 - 2, rand() & 1);
		else if (what == 1)
			out8((unsigned)rand() % 6, (uint8_t)rand());
		else if (what == 2)
			in8((unsigned)rand() % 6);
		else
			pic_ack(&pic);
		ck_assert(intr.level == pic_pending(&pic));
	}
}
END_TEST

int main(void)
{
	const TTest *list[] = {test_edge,
			       test_priority_and_nesting,
			       test_cascade,
			       test_slave_aeoi_back_to_back,
			       test_level,
			       test_spurious_slave,
			       test_mask_and_init,
			       test_rotation,
			       test_rotate_in_aeoi,
			       test_special_mask,
			       test_special_fully_nested,
			       test_poll,
			       test_hostile};

	return run_tests("pic", list, ARRAY_LEN(list), setup);
}
