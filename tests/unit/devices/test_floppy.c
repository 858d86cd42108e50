/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/floppy.h"

enum { RAM = 2 * 1024 * 1024, BUFFER = 0x20000 };

static struct physmem pm;
static struct bus ports;
static struct dma8237 dma;
static struct fdc fdc;
static struct image disk;
static struct pm_region ram;
static char path[64];
static bool irq;
static unsigned irqs;
static uint8_t result[16];

static void set_irq(void *to, int n, bool level)
{
	irqs += level && !irq;
	irq = level;
}

static void out(unsigned port, unsigned value)
{
	bus_write(&ports, (uint16_t)port, 1, value);
}

static uint8_t in(unsigned port)
{
	return (uint8_t)bus_read(&ports, (uint16_t)port, 1);
}

static void open_disk(unsigned size, unsigned flags)
{
	char err[256];
	int fd;

	strcpy(path, "/tmp/gnomon-test-XXXXXX");
	fd = mkstemp(path);
	for (uint32_t i = 0; i < size / 512; i++) {
		uint8_t sector[512] = {0};
		store_le(sector, 4, i);
		ck_assert_int_eq(write(fd, sector, 512), 512);
	}
	close(fd);
	ck_assert_msg(image_open(&disk, path, IMAGE_FLOPPY | flags, err, sizeof(err)) == 0, "%s", err);
	fdc_attach(&fdc, 0, &disk);
}

static void setup(void)
{
	irq = false;
	irqs = 0;
	path[0] = 0;
	disk = (struct image){.fd = -1, .overlay_fd = -1};
	ck_assert_int_eq(physmem_init(&pm, RAM), 0);
	ram = (struct pm_region){.name = "ram", .kind = PM_RAM, .len = RAM, .enabled = true, .backing = &pm.ram};
	physmem_add(&pm, &ram);
	bus_init(&ports);
	dma_init(&dma, &pm);
	ck_assert_int_eq(bus_add(&ports, 0x00, 0x10, &dma_io_ops, &dma, DMA_PORT_LOW), 0);
	ck_assert_int_eq(bus_add(&ports, 0x80, 0x10, &dma_io_ops, &dma, DMA_PORT_PAGE), 0);
	ck_assert_int_eq(fdc_init(&fdc, &ports, (struct irq_line){set_irq, NULL, 6}, &dma), 0);
}

static void teardown(void)
{
	image_close(&disk);
	if (path[0])
		unlink(path);
	physmem_destroy(&pm);
}

static void command(const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		ck_assert_uint_eq(in(0x3f4) & 0xc0, 0x80);
		out(0x3f5, bytes[i]);
	}
}

#define COMMAND(...) command((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Reads the result; returns its length. */
static unsigned take_result(void)
{
	unsigned n = 0;

	memset(result, 0xee, sizeof(result));
	while ((in(0x3f4) & 0xd0) == 0xd0) {
		ck_assert_uint_lt(n, sizeof(result));
		result[n++] = in(0x3f5);
	}
	return n;
}

/* Out of reset with the motor of unit 0 on, interrupts acknowledged, at 500 kbit/s. */
static void start(void)
{
	out(0x3f2, 0x00);
	out(0x3f2, 0x1c);
	ck_assert(irq);
	for (unsigned i = 0; i < 4; i++) {
		COMMAND(0x08);
		ck_assert_uint_eq(take_result(), 2);
		ck_assert_uint_eq(result[0], 0xc0 | i);
	}
	ck_assert(!irq);
	out(0x3f7, 0);
	COMMAND(0x03, 0xaf, 0x02);
	ck_assert_uint_eq(take_result(), 0);
}

static void set_dma(bool to_memory, unsigned len)
{
	out(0x0a, 6);
	out(0x0c, 0);
	out(0x0b, to_memory ? 0x46 : 0x4a);
	out(0x04, BUFFER & 0xff);
	out(0x04, BUFFER >> 8 & 0xff);
	out(0x81, BUFFER >> 16);
	out(0x05, (len - 1) & 0xff);
	out(0x05, (len - 1) >> 8);
	out(0x0a, 2);
}

static void seek(unsigned cylinder)
{
	COMMAND(0x0f, 0, (uint8_t)cylinder);
	ck_assert(irq);
	COMMAND(0x08);
	ck_assert_uint_eq(take_result(), 2);
	ck_assert_uint_eq(result[0], 0x20);
	ck_assert_uint_eq(result[1], cylinder);
	ck_assert(!irq);
}

static uint32_t sector_at(unsigned n)
{
	return (uint32_t)load_le(pm.ram.host + BUFFER + n * 512, 4);
}

START_TEST(test_controller)
{
	ck_assert_uint_eq(in(0x3f4), 0); /* held in reset */
	start();
	ck_assert_uint_eq(in(0x3f4), 0x80);
	COMMAND(0x10);
	ck_assert_uint_eq(take_result(), 1);
	ck_assert_uint_eq(result[0], 0x90);
	COMMAND(0x08); /* nothing to report */
	ck_assert_uint_eq(take_result(), 1);
	ck_assert_uint_eq(result[0], 0x80);
	COMMAND(0x1f); /* no such command */
	ck_assert_uint_eq(take_result(), 1);
	ck_assert_uint_eq(result[0], 0x80);
	COMMAND(0x13, 0, 0x57, 3);
	COMMAND(0x94);
	ck_assert_uint_eq(take_result(), 1);
	ck_assert_uint_eq(result[0], 0x10);
	COMMAND(0x0e);
	ck_assert_uint_eq(take_result(), 10);
	ck_assert_uint_eq(result[4], 0xaf);
	ck_assert_uint_eq(result[7], 0x80);
	ck_assert_uint_eq(result[8], 0x57);
	out(0x3f4, 0x80); /* software reset: locked parameters survive; polling is off */
	COMMAND(0x0e);
	take_result();
	ck_assert_uint_eq(result[8], 0x57);
	ck_assert_uint_eq(in(0x3f7), 0x00 | 0); /* no drive: no change line */
	COMMAND(0x07, 0);			/* no drive either */
	COMMAND(0x08);
	take_result();
	ck_assert_uint_eq(result[0], 0x70);
}
END_TEST

START_TEST(test_geometries)
{
	static const struct {
		unsigned size, type, cmos;
	} cases[] = {
	    {1440 * 1024, FDC_TYPE_1440K, 0x40}, {1296384, FDC_TYPE_1440K, 0x40},
	    {2880 * 1024, FDC_TYPE_2880K, 0x50}, {1200 * 1024, FDC_TYPE_1200K, 0x20},
	    {720 * 1024, FDC_TYPE_720K, 0x30},	 {360 * 1024, FDC_TYPE_360K, 0x10},
	    {512, FDC_TYPE_1440K, 0x40},	 {2000 * 1024, FDC_TYPE_2880K, 0x50},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		open_disk(cases[i].size, 0);
		ck_assert_uint_eq(fdc.drive[0].type, cases[i].type);
		ck_assert_uint_eq(fdc_cmos_types(&fdc), cases[i].cmos);
		image_close(&disk);
		unlink(path);
	}
	path[0] = 0;
	fdc_attach(&fdc, 1, NULL);
	ck_assert_uint_eq(fdc_cmos_types(&fdc) & 15, 4);
}
END_TEST

START_TEST(test_read_dma)
{
	open_disk(1440 * 1024, 0);
	start();
	seek(3);
	set_dma(true, 2 * 512);
	COMMAND(0xe6, 0x04, 3, 1, 5, 2, 18, 27, 0xff);
	ck_assert(irq);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert(!irq);
	ck_assert_mem_eq(result, "\x04\x00\x00\x03\x01\x07\x02", 7);
	ck_assert_uint_eq(sector_at(0), (3 * 2 + 1) * 18 + 4);
	ck_assert_uint_eq(sector_at(1), (3 * 2 + 1) * 18 + 5);
	/* multi-track: a whole cylinder */
	set_dma(true, 36 * 512);
	COMMAND(0xe6, 0x00, 3, 0, 1, 2, 18, 27, 0xff);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert_mem_eq(result, "\x00\x00\x00\x04\x00\x01\x02", 7);
	for (unsigned i = 0; i < 36; i++)
		ck_assert_uint_eq(sector_at(i), 3 * 36 + i);
	/* without multi-track it ends with the track */
	set_dma(true, 36 * 512);
	COMMAND(0x46, 0x00, 3, 0, 17, 2, 18, 27, 0xff);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert_uint_eq(result[0], 0x40);
	ck_assert_uint_eq(result[1], 0x80);
	ck_assert_uint_eq(sector_at(1), 3 * 36 + 17);
	/* the DMA channel is unmasked after the command */
	set_dma(true, 512);
	out(0x0a, 6);
	COMMAND(0x46, 0x00, 3, 0, 9, 2, 18, 27, 0xff);
	ck_assert_uint_eq(in(0x3f4), 0x10);
	ck_assert(!irq);
	out(0x0a, 2);
	ck_assert(irq);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert_uint_eq(sector_at(0), 3 * 36 + 8);
}
END_TEST

START_TEST(test_write_and_format)
{
	uint8_t buf[512];

	open_disk(1440 * 1024, 0);
	start();
	seek(0);
	set_dma(false, 512);
	memset(pm.ram.host + BUFFER, 0x77, 512);
	COMMAND(0xc5, 0x00, 0, 0, 2, 2, 18, 27, 0xff);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert_uint_eq(result[0], 0);
	image_read(&disk, 512, buf, 512);
	ck_assert_uint_eq(buf[0], 0x77);
	ck_assert_uint_eq(buf[511], 0x77);
	/* programmed in the wrong direction: nothing is written */
	set_dma(true, 512);
	COMMAND(0xc5, 0x00, 0, 0, 3, 2, 18, 27, 0xff);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert_uint_eq(result[0], 0x40);
	image_read(&disk, 1024, buf, 4);
	ck_assert_uint_eq(load_le(buf, 4), 2);
	/* format track 0 head 1 */
	for (unsigned i = 0; i < 18; i++)
		memcpy(pm.ram.host + BUFFER + i * 4, (uint8_t[]){0, 1, (uint8_t)(i + 1), 2}, 4);
	set_dma(false, 72);
	COMMAND(0x4d, 0x04, 2, 18, 84, 0xf6);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert_uint_eq(result[0], 4);
	image_read(&disk, 18 * 512, buf, 512);
	ck_assert_uint_eq(buf[100], 0xf6);
	image_read(&disk, 36 * 512, buf, 4);
	ck_assert_uint_eq(load_le(buf, 4), 36);
	/* write protect */
	disk.readonly = true;
	set_dma(false, 512);
	COMMAND(0xc5, 0x00, 0, 0, 2, 2, 18, 27, 0xff);
	take_result();
	ck_assert_uint_eq(result[1], 2);
	COMMAND(0x04, 0);
	take_result();
	ck_assert_uint_eq(result[0], 0x78);
}
END_TEST

START_TEST(test_pio)
{
	uint8_t buf[512];

	open_disk(1440 * 1024, 0);
	start();
	COMMAND(0x03, 0xaf, 0x03); /* no DMA */
	COMMAND(0x46, 0x00, 0, 0, 18, 2, 18, 27, 0xff);
	ck_assert(irq);
	ck_assert_uint_eq(in(0x3f4), 0xf0);
	for (unsigned i = 0; i < 512; i++)
		buf[i] = in(0x3f5);
	ck_assert_uint_eq(load_le(buf, 4), 17);
	ck_assert_uint_eq(take_result(), 7); /* no terminal count: it ran into the end */
	ck_assert_uint_eq(result[1], 0x80);
	COMMAND(0x45, 0x00, 0, 0, 1, 2, 1, 27, 0xff);
	ck_assert_uint_eq(in(0x3f4), 0xb0);
	for (unsigned i = 0; i < 512; i++)
		out(0x3f5, i);
	ck_assert_uint_eq(take_result(), 7);
	image_read(&disk, 0, buf, 512);
	ck_assert_uint_eq(buf[3], 3);
}
END_TEST

START_TEST(test_odd_image)
{
	open_disk(1296384, IMAGE_READONLY); /* Debian's GRUB floppy */
	start();
	seek(79);
	memset(pm.ram.host + BUFFER, 1, 1024);
	set_dma(true, 1024);
	COMMAND(0xe6, 0x04, 79, 1, 17, 2, 18, 27, 0xff);
	take_result();
	ck_assert_uint_eq(result[0] & 0xc0, 0);
	ck_assert_uint_eq(sector_at(1), 0);
	seek(70);
	set_dma(true, 512);
	COMMAND(0xe6, 0x00, 70, 0, 12, 2, 18, 27, 0xff); /* the last sector there is: 2531 */
	take_result();
	ck_assert_uint_eq(sector_at(0), 70 * 36 + 11);
}
END_TEST

START_TEST(test_media_errors)
{
	start();
	fdc_attach(&fdc, 0, NULL);
	ck_assert_uint_eq(in(0x3f7), 0x80);
	COMMAND(0x4a, 0);
	ck_assert_uint_eq(take_result(), 7);
	ck_assert_uint_eq(result[0], 0x40);
	ck_assert_uint_eq(result[1], 1);
	open_disk(1440 * 1024, 0);
	ck_assert_uint_eq(in(0x3f7), 0x80); /* changed, until the heads step */
	seek(1);
	ck_assert_uint_eq(in(0x3f7), 0);
	COMMAND(0x4a, 4);
	take_result();
	ck_assert_mem_eq(result, "\x04\x00\x00\x01\x01\x01\x02", 7);
	out(0x3f7, 2); /* the wrong data rate */
	COMMAND(0x4a, 0);
	take_result();
	ck_assert_uint_eq(result[1], 1);
	out(0x3f7, 0);
	set_dma(true, 512);
	COMMAND(0x46, 0x00, 2, 0, 1, 2, 18, 27, 0xff); /* the heads are elsewhere */
	take_result();
	ck_assert_uint_eq(result[0] & 0xc0, 0x40);
	ck_assert_uint_eq(result[2], 0x10);
	COMMAND(0x13, 0, 0x40, 0); /* implied seeks */
	COMMAND(0x46, 0x00, 2, 0, 1, 2, 18, 27, 0xff);
	take_result();
	ck_assert_uint_eq(result[0], 0);
	set_dma(true, 512);
	COMMAND(0x46, 0x00, 2, 0, 19, 2, 20, 27, 0xff); /* no sector 19 */
	take_result();
	ck_assert_uint_eq(result[1], 4);
	fdc_change_disk(&fdc, 0, &disk);
	ck_assert_uint_eq(in(0x3f7), 0x80);
}
END_TEST

START_TEST(test_hostile)
{
	open_disk(1440 * 1024, IMAGE_SNAPSHOT);
	srand(6);
	for (unsigned i = 0; i < 300000; i++) {
		static const uint8_t ops[] = {0xe6, 0x46, 0xc5, 0x45, 0x4d, 0x4a, 0x0f, 0x07, 0x08, 0x03,
					      0x04, 0x0e, 0x13, 0x16, 0x42, 0x8f, 0xcf, 0x94, 0x12};
		unsigned port = 0x3f0 + (unsigned)rand() % 8;
		unsigned value = (unsigned)rand() & 0xff;
		if (rand() % 2)
			port = 0x3f5;
		if (port == 0x3f5 && !fdc.pos && rand() % 4)
			value = ops[(unsigned)rand() % sizeof(ops)];
		if (port == 0x3f2 && rand() % 8)
			value |= 0x1c;
		if (rand() % 64 == 0)
			set_dma(rand() & 1, (unsigned)rand() % 65536 + 1);
		if (rand() % 4)
			out(port, value & (rand() % 2 ? 0xff : 3));
		else
			in(port);
	}
	fdc_reset(&fdc);
	start();
	ck_assert_uint_eq(in(0x3f4), 0x80);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("floppy");
	TCase *tc = tcase_create("floppy");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_controller);
	tcase_add_test(tc, test_geometries);
	tcase_add_test(tc, test_read_dma);
	tcase_add_test(tc, test_write_and_format);
	tcase_add_test(tc, test_pio);
	tcase_add_test(tc, test_odd_image);
	tcase_add_test(tc, test_media_errors);
	tcase_add_test(tc, test_hostile);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
