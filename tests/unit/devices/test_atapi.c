/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ide_fixture.h"

enum { BLOCKS = 1000 };

static struct image disc;
static char path[64];
static uint8_t reply[65536];

static void setup(void)
{
	char err[256];

	fixture_setup();
	make_file(path, BLOCKS * 2048ull, 2048);
	ck_assert_int_eq(image_open(&disc, path, IMAGE_CDROM, err, sizeof(err)), 0);
	ide_attach_cdrom(&ide.channel[0], 0, &disc);
	fixture_enable_master();
}

static void teardown(void)
{
	image_close(&disc);
	unlink(path);
	physmem_destroy(&pm);
}

static void start_packet(const uint8_t *packet, unsigned limit, bool dma)
{
	out8(0x1f6, 0xa0);
	out8(0x1f1, dma);
	out8(0x1f4, limit);
	out8(0x1f5, limit >> 8);
	out8(0x1f7, 0xa0);
	ck_assert_uint_eq(read_status() & 0x89, 0x08);
	ck_assert_uint_eq(in8(0x1f2), 1); /* command, to the drive */
	give(packet, 12);
}

/* A PIO packet command; returns the bytes received, in reply[]. */
static unsigned packet_in(const uint8_t *packet, unsigned limit)
{
	unsigned got = 0;

	start_packet(packet, limit, false);
	for (;;) {
		ck_assert(irq[0]);
		uint8_t st = read_status();
		ck_assert(!irq[0]);
		if (!(st & 8)) {
			ck_assert_uint_eq(in8(0x1f2), 3);
			return got;
		}
		ck_assert_uint_eq(in8(0x1f2), 2);
		unsigned n = in8(0x1f4) | in8(0x1f5) << 8;
		ck_assert_uint_gt(n, 0);
		ck_assert(n % 2 == 0 || limit == 0xfffe); /* only a reply's end may be odd */
		ck_assert(n <= limit || !limit);
		take(reply + got, n);
		got += n;
	}
}

#define PACKET(...)                                                                                                    \
	(const uint8_t[12])                                                                                            \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

static void ck_sense(unsigned key, unsigned asc)
{
	ck_assert_uint_eq(in8(0x3f6) & 1, key != 0);
	ck_assert_uint_eq(in8(0x1f1) >> 4, key);
	ck_assert_uint_eq(packet_in(PACKET(0x03, 0, 0, 0, 18), 0xfffe), 18);
	ck_assert_uint_eq(reply[2], key);
	ck_assert_uint_eq(reply[12], asc);
}

START_TEST(test_presence)
{
	uint16_t id[256];

	ck_assert_uint_eq(read_status(), 0);
	ck_assert_uint_eq(in8(0x1f4), 0x14);
	ck_assert_uint_eq(in8(0x1f5), 0xeb);
	out8(0x1f4, 0);
	out8(0x1f7, 0xec); /* IDENTIFY DEVICE refuses with the signature */
	ck_assert_uint_eq(read_status() & 1, 1);
	ck_assert_uint_eq(in8(0x1f1), 4);
	ck_assert_uint_eq(in8(0x1f4), 0x14);
	out8(0x1f7, 0xa1);
	ck_assert(irq[0]);
	ck_assert_uint_eq(read_status() & 8, 8);
	take(id, 512);
	ck_assert_uint_eq(id[0], 0x85c0);
	ck_assert(!irq[0]);
	ck_assert_uint_eq(read_status() & 0x88, 0);
	out8(0x1f7, 0x08); /* DEVICE RESET: no interrupt */
	ck_assert(!irq[0]);
	ck_assert_uint_eq(in8(0x1f4), 0x14);
}
END_TEST

START_TEST(test_inquiry_and_capacity)
{
	ck_assert_uint_eq(packet_in(PACKET(0x12, 0, 0, 0, 36), 0xfffe), 36);
	ck_assert_uint_eq(reply[0], 5);
	ck_assert_mem_eq(reply + 16, "GNOMON CD-ROM", 13);
	ck_assert_uint_eq(packet_in(PACKET(0x12, 0, 0, 0, 5), 0xfffe), 5); /* as much as asked for, odd too */
	ck_assert_uint_eq(packet_in(PACKET(0x12, 0, 0, 0, 0), 0xfffe), 0);
	ck_assert_uint_eq(packet_in(PACKET(0x25), 8), 8);
	ck_assert_mem_eq(reply, "\x00\x00\x03\xe7\x00\x00\x08\x00", 8);
	ck_assert_uint_eq(packet_in(PACKET(0), 8), 0);
	ck_sense(0, 0);
	packet_in(PACKET(0xdd), 8);
	ck_sense(5, 0x20);
	ck_sense(0, 0); /* sense is reported once */
}
END_TEST

START_TEST(test_read_pio)
{
	static const unsigned limits[] = {2048, 4096, 512, 0xfffe, 0, 0xffff, 3000, 3};

	for (unsigned l = 0; l < ARRAY_LEN(limits); l++) {
		unsigned limit = limits[l];
		memset(reply, 0, sizeof(reply));
		ck_assert_uint_eq(packet_in(PACKET(0x28, 0, 0, 0, 0, 100, 0, 0, 20), limit), 20 * 2048);
		for (unsigned i = 0; i < 20; i++)
			ck_assert_uint_eq(load_le(reply + i * 2048, 8), 100 + i);
	}
	ck_assert_uint_eq(packet_in(PACKET(0xa8, 0, 0, 0, 3, 0xe7, 0, 0, 0, 1), 2048), 2048);
	ck_assert_uint_eq(load_le(reply, 8), BLOCKS - 1);
	ck_assert_uint_eq(packet_in(PACKET(0x28, 0, 0, 0, 3, 0xe7, 0, 0, 2), 2048), 0); /* one too many */
	ck_sense(5, 0x21);
	packet_in(PACKET(0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 2048);
	ck_sense(5, 0x21);
	ck_assert_uint_eq(packet_in(PACKET(0x28), 2048), 0); /* no blocks: fine */
	ck_sense(0, 0);
}
END_TEST

START_TEST(test_read_cd)
{
	ck_assert_uint_eq(packet_in(PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0xf8), 0xfffe), 2 * 2352);
	ck_assert_uint_eq(reply[0], 0);
	ck_assert_uint_eq(reply[1], 0xff);
	ck_assert_uint_eq(reply[13], 0x02); /* 00:02:07 in BCD, mode 1 */
	ck_assert_uint_eq(reply[14], 0x07);
	ck_assert_uint_eq(reply[15], 1);
	ck_assert_uint_eq(load_le(reply + 16, 8), 7);
	ck_assert_uint_eq(load_le(reply + 2352 + 16, 8), 8);
	ck_assert_uint_eq(packet_in(PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 1, 0x10), 0xfffe), 2048);
	ck_assert_uint_eq(packet_in(PACKET(0xb9, 0, 0, 0, 2, 5, 0, 2, 6, 0x10), 0xfffe), 2048);
	ck_assert_uint_eq(load_le(reply, 8), 5);
	ck_assert_uint_eq(packet_in(PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 1, 0), 0xfffe), 0);
	packet_in(PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 1, 0x40), 0xfffe);
	ck_sense(5, 0x24);
}
END_TEST

START_TEST(test_read_dma)
{
	put_prd(0, 0x10000, 2048, false);
	put_prd(1, 0x20000, 4096, true);
	start_packet(PACKET(0x28, 0, 0, 0, 0, 200, 0, 0, 3), 0, true);
	ck_assert(!irq[0]);
	master_start(true);
	ck_assert(irq[0]);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 4);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(in8(0x1f2), 3);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x10000, 8), 200);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x20000, 8), 201);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x20800, 8), 202);
	out8(BMIBA, 0);
	/* large enough for several fills and slices */
	for (unsigned i = 0; i < 32; i++)
		put_prd(i, 0x100000 + i * 0x10000, 0, i == 31);
	start_packet(PACKET(0xa8, 0, 0, 0, 0, 0, 0, 0, 3, 0xe8), 0, true);
	master_start(true);
	clock_advance(&clk, 10 * NS_PER_MS);
	ck_assert(irq[0]);
	for (unsigned i = 0; i < BLOCKS; i++)
		ck_assert_uint_eq(load_le(pm.ram.host + 0x100000 + i * 2048, 8), i);
	out8(BMIBA, 0);
	/* an error comes without data */
	start_packet(PACKET(0x28, 0, 0xff, 0, 0, 0, 0, 0, 1), 0, true);
	ck_assert(irq[0]);
	ck_sense(5, 0x21);
}
END_TEST

START_TEST(test_toc)
{
	ck_assert_uint_eq(packet_in(PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 255), 0xfffe), 20);
	ck_assert_mem_eq(reply, "\x00\x12\x01\x01\x00\x14\x01\x00\x00\x00\x00\x00\x00\x14\xaa\x00\x00\x00\x03\xe8", 20);
	ck_assert_uint_eq(packet_in(PACKET(0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12), 0xfffe), 12);
	ck_assert_mem_eq(reply + 8, "\x00\x00\x0f\x19", 4); /* 1150 frames */
	ck_assert_uint_eq(packet_in(PACKET(0x43, 0, 1, 0, 0, 0, 0, 0, 255), 0xfffe), 12);
	ck_assert_uint_eq(packet_in(PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 255, 0x40), 0xfffe), 12);
	ck_assert_uint_eq(packet_in(PACKET(0x43, 0, 2, 0, 0, 0, 0, 0, 255), 0xfffe), 48);
	packet_in(PACKET(0x43, 0, 0, 0, 0, 0, 2, 0, 255), 0xfffe);
	ck_sense(5, 0x24);
	packet_in(PACKET(0x43, 0, 9, 0, 0, 0, 0, 0, 255), 0xfffe);
	ck_sense(5, 0x24);
}
END_TEST

START_TEST(test_drive_information)
{
	ck_assert_uint_ge(packet_in(PACKET(0x46, 0, 0, 0, 0, 0, 0, 1, 0), 0xfffe), 8);
	ck_assert_uint_eq(reply[7], 8); /* CD-ROM */
	ck_assert_uint_eq(packet_in(PACKET(0x46, 2, 0, 3, 0, 0, 0, 1, 0), 0xfffe), 16);
	ck_assert_uint_eq(reply[9], 3);
	ck_assert_uint_eq(packet_in(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 0xfffe), 8);
	ck_assert_uint_eq(reply[2], 4);
	ck_assert_uint_eq(reply[5], 2);
	packet_in(PACKET(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), 0xfffe);
	ck_sense(5, 0x24);
	ck_assert_uint_eq(packet_in(PACKET(0x51, 0, 0, 0, 0, 0, 0, 0, 34), 0xfffe), 34);
	ck_assert_uint_eq(packet_in(PACKET(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128), 0xfffe), 28);
	ck_assert_uint_eq(reply[8], 0x2a);
	ck_assert_uint_eq(packet_in(PACKET(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 128), 0xfffe), 36);
	packet_in(PACKET(0x5a, 0, 0x05, 0, 0, 0, 0, 0, 128), 0xfffe);
	ck_sense(5, 0x24);
	ck_assert_uint_eq(packet_in(PACKET(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8), 0xfffe), 8);
	ck_assert_uint_eq(packet_in(PACKET(0x42, 2, 0x40, 1, 0, 0, 0, 0, 4), 0xfffe), 4);
}
END_TEST

static void on_eject(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(test_removal)
{
	bool ejected = false;
	struct ide_drive *d = &ide.channel[0].drive[0];

	d->ejected = on_eject;
	d->ejected_arg = &ejected;
	packet_in(PACKET(0x1e, 0, 0, 0, 1), 0xfffe); /* lock */
	packet_in(PACKET(0x1b, 0, 0, 0, 2), 0xfffe);
	ck_sense(5, 0x53);
	ck_assert(!ejected);
	packet_in(PACKET(0x1e, 0, 0, 0, 0), 0xfffe);
	packet_in(PACKET(0x1b, 0, 0, 0, 2), 0xfffe);
	ck_assert(ejected);
	packet_in(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0xfffe);
	ck_sense(2, 0x3a);
	packet_in(PACKET(0x1b, 0, 0, 0, 3), 0xfffe); /* load */
	packet_in(PACKET(0), 0xfffe);
	ck_sense(6, 0x28); /* once */
	packet_in(PACKET(0), 0xfffe);
	ck_sense(0, 0);
	ide_change_disc(d, NULL);
	packet_in(PACKET(0x25), 0xfffe);
	ck_sense(2, 0x3a);
	packet_in(PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 255), 0xfffe);
	ck_sense(2, 0x3a);
	ide_change_disc(d, &disc);
	ck_assert_uint_eq(packet_in(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 0xfffe), 8);
	ck_assert_uint_eq(reply[4], 2); /* new media */
}
END_TEST

/* The disc goes away in the middle of a transfer. */
START_TEST(test_removal_while_reading)
{
	start_packet(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 4), 2048, false);
	ck_assert_uint_eq(read_status() & 8, 8);
	ide_change_disc(&ide.channel[0].drive[0], NULL);
	take(reply, 2048);
	ck_assert_uint_eq(read_status(), 0x41);
}
END_TEST

START_TEST(test_hostile)
{
	srand(4);
	for (unsigned i = 0; i < 40000; i++) {
		uint8_t packet[12];
		static const uint8_t ops[] = {0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x42, 0x43,
					      0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xb9, 0xbb, 0xbd, 0xbe};
		for (unsigned j = 0; j < 12; j++)
			packet[j] = rand() % 3 ? (uint8_t)rand() : 0;
		if (rand() % 8)
			packet[0] = ops[(unsigned)rand() % sizeof(ops)];
		packet[2] &= rand() % 4 ? 0 : 0xff;
		out8(0x1f6, 0xa0);
		out8(0x1f1, (unsigned)rand() & 1);
		out8(0x1f4, (unsigned)rand());
		out8(0x1f5, (unsigned)rand() & (unsigned)rand());
		out8(0x1f7, 0xa0);
		give(packet, 12);
		for (int n = rand() % 200; n > 0; n--)
			bus_read(&ports, 0x1f0, 1u << rand() % 3);
		if (rand() % 2) {
			put_prd(0, (uint32_t)rand() % (2 * RAM), (unsigned)rand(), rand() & 1);
			put_prd(1, (uint32_t)rand() % (2 * RAM), (unsigned)rand(), true);
			master_start(rand() % 8);
			clock_advance(&clk, 100000);
			out8(BMIBA, 0);
		}
		if (rand() % 16 == 0)
			out8(0x1f7, (unsigned)rand());
	}
	piix_ide_reset(&ide);
	ck_assert_uint_eq(in8(0x1f5), 0xeb);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("atapi");
	TCase *tc = tcase_create("atapi");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_presence);
	tcase_add_test(tc, test_inquiry_and_capacity);
	tcase_add_test(tc, test_read_pio);
	tcase_add_test(tc, test_read_cd);
	tcase_add_test(tc, test_read_dma);
	tcase_add_test(tc, test_toc);
	tcase_add_test(tc, test_drive_information);
	tcase_add_test(tc, test_removal);
	tcase_add_test(tc, test_removal_while_reading);
	tcase_add_test(tc, test_hostile);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
