/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ide_fixture.h"

enum { SECTORS = 70 * 1024 };

static struct image disk;
static char path[64];

static void setup(void)
{
	char err[256];

	fixture_setup();
	make_file(path, SECTORS * 512ull, 512);
	ck_assert_int_eq(image_open(&disk, path, 0, err, sizeof(err)), 0);
	ide_attach_disk(&ide.channel[0], 0, &disk);
	fixture_enable_master();
}

static void teardown(void)
{
	image_close(&disk);
	unlink(path);
	physmem_destroy(&pm);
}

static void command28(unsigned code, uint32_t lba, unsigned count)
{
	out8(0x1f6, 0xe0 | lba >> 24);
	out8(0x1f2, count);
	out8(0x1f3, lba);
	out8(0x1f4, lba >> 8);
	out8(0x1f5, lba >> 16);
	out8(0x1f7, code);
}

static void command48(unsigned code, uint64_t lba, unsigned count)
{
	out8(0x1f6, 0xe0);
	for (int i = 1; i >= 0; i--) {
		out8(0x1f2, count >> (i * 8));
		out8(0x1f3, (unsigned)(lba >> (i * 24)));
		out8(0x1f4, (unsigned)(lba >> (i * 24 + 8)));
		out8(0x1f5, (unsigned)(lba >> (i * 24 + 16)));
	}
	out8(0x1f7, code);
}

static uint64_t on_disk(uint64_t sector)
{
	uint64_t v;
	ck_assert_int_eq(image_read(&disk, sector * 512, &v, 8), 0);
	return v;
}

START_TEST(test_presence)
{
	uint16_t id[256];
	char model[41] = "";

	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(in8(0x1f2), 1);
	ck_assert_uint_eq(in8(0x1f4), 0);
	out8(0x1f6, 0xb0); /* no drive 1 */
	ck_assert_uint_eq(read_status(), 0);
	out8(0x1f2, 0x55);
	ck_assert_uint_eq(in8(0x1f2), 0);
	out8(0x1f7, 0xec);
	ck_assert(!irq[0]);
	ck_assert_uint_eq(in8(0x177), 0); /* no drives on the other channel */
	out8(0x1f6, 0xa0);
	out8(0x1f7, 0xec);
	ck_assert(irq[0]);
	ck_assert_uint_eq(in8(0x3f6), 0x58); /* alternate status keeps the interrupt */
	ck_assert(irq[0]);
	ck_assert_uint_eq(read_status(), 0x58);
	ck_assert(!irq[0]);
	take(id, 512);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(id[0], 0x40);
	ck_assert_uint_eq(id[60] | (uint32_t)id[61] << 16, SECTORS);
	ck_assert_uint_eq(id[100] | (uint32_t)id[101] << 16, SECTORS);
	ck_assert_uint_eq(id[3], 16);
	ck_assert_uint_eq(id[1], SECTORS / 16 / 63);
	for (unsigned i = 0; i < 40; i++)
		model[i] = (char)(id[27 + i / 2] >> (i & 1 ? 0 : 8));
	ck_assert_mem_eq(model, "GNOMON HARDDISK ", 16);
	ck_assert_uint_eq(irqs[0], 1);
}
END_TEST

START_TEST(test_pio_read)
{
	uint8_t buf[512];

	command28(0x20, 1000, 3);
	for (uint64_t i = 0; i < 3; i++) {
		ck_assert(irq[0]);
		ck_assert_uint_eq(read_status(), 0x58);
		take(buf, 512);
		ck_assert_uint_eq(load_le(buf, 8), 1000 + i);
	}
	ck_assert(!irq[0]); /* none after the last block */
	ck_assert_uint_eq(irqs[0], 3);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(in8(0x1f2), 0);
	ck_assert_uint_eq(in8(0x1f3) | in8(0x1f4) << 8, 1002);
	/* CHS 1/2/3 with 16 heads and 63 sectors */
	out8(0x1f6, 0xa2);
	out8(0x1f2, 1);
	out8(0x1f3, 3);
	out8(0x1f4, 1);
	out8(0x1f5, 0);
	out8(0x1f7, 0x20);
	take(buf, 512);
	ck_assert_uint_eq(load_le(buf, 8), (16 + 2) * 63 + 2);
	/* 32-bit accesses; count 0 is 256 */
	command28(0x20, 5, 0);
	for (uint64_t i = 0; i < 256; i++) {
		ck_assert_uint_eq(read_status(), 0x58);
		ck_assert_uint_eq(bus_read(&ports, 0x1f0, 4), 5 + i);
		for (unsigned j = 0; j < 127; j++)
			bus_read(&ports, 0x1f0, 4);
	}
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(bus_read(&ports, 0x1f0, 2), 0);
}
END_TEST

START_TEST(test_block_read)
{
	static uint8_t buf[4 * 512 + 64];
	const struct io_block_ops *b = &ide_ops;

	out8(0x1f6, 0xe0);
	out8(0x1f2, 4);
	out8(0x1f7, 0xc6); /* SET MULTIPLE */
	ck_assert_uint_eq(read_status(), 0x50);
	command28(0xc4, 77, 4);
	ck_assert_uint_eq(irqs[0], 2);
	ck_assert_uint_eq(b->read(&ide.channel[0], 0, 2, buf, sizeof(buf) / 2), 1024); /* as much as there is */
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(load_le(buf + i * 512, 8), 77 + i);
	ck_assert_uint_eq(read_status(), 0x50);
	command28(0xc5, 77, 4);
	store_le(buf, 8, 0xabcdef);
	ck_assert_uint_eq(b->write(&ide.channel[0], 0, 4, buf, 600), 512);
	ck_assert_uint_eq(on_disk(77), 0xabcdef);
	ck_assert_uint_eq(on_disk(80), 80);
	/* neither is taken at other ports */
	ck_assert_uint_eq(b->read(&ide.channel[0], 7, 1, buf, 10), 0);
	out8(0x1f2, 3);
	out8(0x1f7, 0xc6); /* not a power of two */
	ck_assert_uint_eq(read_status(), 0x51);
	ck_assert_uint_eq(in8(0x1f1), 4);
}
END_TEST

START_TEST(test_pio_write)
{
	uint8_t buf[512] = {0};

	command48(0x34, 3000, 2);
	ck_assert(!irq[0]); /* the first block is taken at once */
	ck_assert_uint_eq(read_status(), 0x58);
	store_le(buf, 8, 111);
	give(buf, 512);
	ck_assert(irq[0]);
	ck_assert_uint_eq(read_status(), 0x58);
	store_le(buf, 8, 222);
	give(buf, 512);
	ck_assert(irq[0]);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(on_disk(3000), 111);
	ck_assert_uint_eq(on_disk(3001), 222);
	ck_assert_uint_eq(on_disk(3002), 3002);
	out8(0x3f6, 0x80); /* HOB shows the high bytes */
	ck_assert_uint_eq(in8(0x1f3), 0);
	out8(0x3f6, 0);
	ck_assert_uint_eq(in8(0x1f3) | in8(0x1f4) << 8, 3001);
	out8(0x1f7, 0xe7);
	ck_assert_uint_eq(read_status(), 0x50);
}
END_TEST

/* When data must be on the host's disk: after a flush, forced unit access, and any write without the cache. */
START_TEST(test_flush)
{
	static const uint8_t data[512];
	uint64_t before = disk.flushes;

	command28(0x30, 1, 1);
	give(data, 512);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(disk.flushes, before);
	out8(0x1f7, 0xe7);
	ck_assert_uint_eq(disk.flushes, before + 1);
	out8(0x1f7, 0xea);
	ck_assert_uint_eq(disk.flushes, before + 2);
	out8(0x1f7, 0xe0); /* STANDBY IMMEDIATE */
	ck_assert_uint_eq(disk.flushes, before + 3);

	put_prd(0, 0x10000, 512, true);
	command48(0x3d, 2, 1); /* WRITE DMA FUA EXT */
	master_start(false);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(disk.flushes, before + 4);

	out8(0x1f1, 0x82); /* write cache off */
	out8(0x1f7, 0xef);
	command28(0x30, 1, 2);
	give(data, 512);
	ck_assert_uint_eq(disk.flushes, before + 4); /* once for the command, at its end */
	give(data, 512);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(disk.flushes, before + 5);
}
END_TEST

START_TEST(test_errors)
{
	command28(0x20, SECTORS, 1);
	ck_assert_uint_eq(read_status(), 0x51);
	ck_assert_uint_eq(in8(0x1f1), 0x10);
	command28(0x20, SECTORS - 1, 2);
	ck_assert_uint_eq(read_status(), 0x51);
	command48(0x24, 0xffffffffffff, 0);
	ck_assert_uint_eq(read_status(), 0x51);
	command28(0xc4, 0, 1); /* READ MULTIPLE without SET MULTIPLE */
	ck_assert_uint_eq(in8(0x1f1), 4);
	out8(0x1f7, 0xff);
	ck_assert_uint_eq(read_status(), 0x51);
	ck_assert_uint_eq(in8(0x1f1), 4);
	out8(0x1f6, 0xa0); /* CHS sector 0 */
	out8(0x1f3, 0);
	out8(0x1f7, 0x20);
	ck_assert_uint_eq(in8(0x1f1), 0x10);
	out8(0x1f7, 0xa1); /* IDENTIFY PACKET is for others */
	ck_assert_uint_eq(in8(0x1f1), 4);
	disk.readonly = true;
	command28(0x30, 0, 1);
	ck_assert_uint_eq(read_status(), 0x51);
	ck_assert_uint_eq(on_disk(0), 0);
}
END_TEST

START_TEST(test_misc_commands)
{
	out8(0x1f6, 0xe0);
	out8(0x1f7, 0xe5);
	ck_assert_uint_eq(in8(0x1f2), 0xff);
	out8(0x1f6, 0xa7); /* 8 heads, 32 sectors */
	out8(0x1f2, 32);
	out8(0x1f7, 0x91);
	ck_assert_uint_eq(read_status(), 0x50);
	out8(0x1f6, 0xa1);
	out8(0x1f2, 1);
	out8(0x1f3, 1);
	out8(0x1f4, 2);
	out8(0x1f5, 0);
	out8(0x1f7, 0x20);
	uint8_t buf[512];
	take(buf, 512);
	ck_assert_uint_eq(load_le(buf, 8), (2 * 8 + 1) * 32);
	out8(0x1f1, 3);
	out8(0x1f2, 0x45); /* UDMA 5 */
	out8(0x1f7, 0xef);
	ck_assert_uint_eq(read_status(), 0x50);
	out8(0x1f7, 0xec);
	take(buf, 512);
	ck_assert_uint_eq(load_le(buf + 88 * 2, 2), 0x203f);
	command48(0x27, 0, 0);
	ck_assert_uint_eq((in8(0x1f3) | in8(0x1f4) << 8 | in8(0x1f5) << 16), SECTORS - 1);
	command28(0x40, 10, 5);
	ck_assert_uint_eq(read_status(), 0x50);
}
END_TEST

START_TEST(test_reset)
{
	command28(0x20, 0, 1);
	out8(0x3f6, 4);
	ck_assert_uint_eq(read_status(), 0x80);
	ck_assert(!irq[0]);
	out8(0x3f6, 0);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(in8(0x1f1), 1);
	ck_assert_uint_eq(in8(0x1f3), 1);
	out8(0x1f7, 0x90);
	ck_assert(irq[0]);
	ck_assert_uint_eq(in8(0x1f1), 1);
	/* nIEN disconnects the line but the state is kept */
	ck_assert_uint_eq(read_status(), 0x50);
	out8(0x3f6, 2);
	command28(0x20, 0, 1);
	ck_assert(!irq[0]);
	out8(0x3f6, 0);
	ck_assert(irq[0]);
	piix_ide_reset(&ide);
	ck_assert(!irq[0]);
}
END_TEST

/* The end of S3: a reset, but drivers still find the channels in use. */
START_TEST(test_wake)
{
	enum { IDETIM = 0x40 };

	pci_config_write(&ide.pci, IDETIM, 4, 0x80008000);
	fixture_enable_master();
	bus_write(&ports, BMIBA + 4, 4, 0x1000);
	piix_ide_wake(&ide);
	ck_assert_uint_eq(pci_config_read(&ide.pci, IDETIM, 4), 0x80008000);
	ck_assert_uint_eq(pci_config_read(&ide.pci, PCI_COMMAND, 2), 0);
	ck_assert_uint_eq(read_status(), 0x50);
	fixture_enable_master();
	ck_assert_uint_eq(bus_read(&ports, BMIBA + 4, 4), 0);
	piix_ide_reset(&ide);
	ck_assert_uint_eq(pci_config_read(&ide.pci, IDETIM, 4), 0);
}
END_TEST

START_TEST(test_dma)
{
	put_prd(0, 0x10000, 1024, false);
	put_prd(1, 0x20002, 512, false);
	put_prd(2, 0x30000, 512, true);
	command28(0xc8, 500, 4);
	ck_assert_uint_eq(in8(0x3f6), 0x58);
	ck_assert(!irq[0]);
	master_start(true);
	ck_assert(irq[0]);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 4); /* interrupt, not active, no error */
	ck_assert_uint_eq(read_status(), 0x50);
	out8(BMIBA, 0);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x10000, 8), 500);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x10200, 8), 501);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x20002, 8), 502);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x30000, 8), 503);
	/* out; the master may be started before the command */
	store_le(pm.ram.host + 0x10000, 8, 0x1111);
	store_le(pm.ram.host + 0x30000, 8, 0x4444);
	master_start(false);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 1);
	command48(0x35, 600, 4);
	ck_assert(irq[0]);
	ck_assert_uint_eq(read_status(), 0x50);
	ck_assert_uint_eq(on_disk(600), 0x1111);
	ck_assert_uint_eq(on_disk(602), 502);
	ck_assert_uint_eq(on_disk(603), 0x4444);
	out8(BMIBA + 2, 4);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 0);
}
END_TEST

START_TEST(test_dma_table_ends)
{
	/* too short: the drive waits */
	put_prd(0, 0x10000, 512, true);
	command28(0xc8, 10, 2);
	master_start(true);
	ck_assert(!irq[0]);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 0);
	ck_assert_uint_eq(in8(0x3f6), 0x58);
	out8(BMIBA, 0);
	out8(0x3f6, 4);
	out8(0x3f6, 0);
	/* too long: done, and still active */
	put_prd(0, 0x10000, 0, true); /* 64 KiB */
	command28(0xc8, 10, 2);
	master_start(true);
	ck_assert(irq[0]);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 5);
	out8(BMIBA, 0);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 4);
	/* the wrong direction */
	command28(0xc8, 10, 2);
	master_start(false);
	ck_assert_uint_eq(in8(BMIBA + 2) & 3, 2);
	ck_assert_uint_eq(read_status(), 0x51);
	/* mastering switched off */
	out8(BMIBA, 0);
	pci_config_write(&ide.pci, PCI_COMMAND, 2, PCI_COMMAND_IO);
	command28(0xc8, 10, 2);
	master_start(true);
	ck_assert_uint_eq(in8(BMIBA + 2) & 3, 2);
}
END_TEST

START_TEST(test_dma_in_slices)
{
	/* 32 MiB: goes on from the timer, a slice at a time */
	for (unsigned i = 0; i < 512; i++)
		put_prd(i, 0x100000, 0, i == 511);
	command48(0x25, 0, 0);
	master_start(true);
	ck_assert(!irq[0]);
	ck_assert_uint_eq(in8(BMIBA + 2) & 7, 1);
	clock_advance(&clk, 10 * NS_PER_MS);
	ck_assert(irq[0]);
	ck_assert_uint_eq(load_le(pm.ram.host + 0x100000, 8), 65536 - 128);
	/* stopped half-way by the guest */
	out8(BMIBA, 0);
	command48(0x25, 0, 0);
	master_start(true);
	out8(BMIBA, 0);
	clock_advance(&clk, 10 * NS_PER_MS);
	ck_assert_uint_eq(in8(BMIBA + 2) & 1, 0);
	ck_assert_uint_eq(in8(0x3f6), 0x58);
	piix_ide_reset(&ide);
	ck_assert_uint_eq(read_status(), 0x50);
}
END_TEST

/* Any bytes at any of the ports, with PRD tables of garbage. */
START_TEST(test_hostile)
{
	srand(3);
	for (unsigned i = 0; i < 6000; i++) {
		static const uint16_t base[] = {0x1f0, 0x1f0, 0x1f0, 0x3f0, 0xc000};
		uint16_t port = (uint16_t)(base[rand() % 5] + rand() % 8);
		unsigned size = 1u << rand() % 3;
		uint32_t value = (uint32_t)rand();
		if (port == 0x1f7 && rand() % 2)
			value = (uint8_t[]){0x20, 0xc8, 0xca, 0x25, 0x35, 0xec, 0x30, 0xc5}[rand() % 8];
		if (port == 0x1f6)
			value |= 0x40;
		if (rand() % 3 == 0)
			bus_read(&ports, port, size);
		else
			bus_write(&ports, port, size, value);
		if (rand() % 32 == 0) {
			uint32_t prd[2] = {(uint32_t)rand() % (2 * RAM), (uint32_t)rand() | (uint32_t)rand() << 31};
			physmem_write(&pm, PRDT + (unsigned)rand() % 8 * 8, prd, 8);
			bus_write(&ports, BMIBA + 4, 4, PRDT);
		}
		clock_advance(&clk, 1000);
	}
	piix_ide_reset(&ide);
	fixture_enable_master();
	ck_assert_uint_eq(read_status(), 0x50);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ata");
	TCase *tc = tcase_create("ata");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_presence);
	tcase_add_test(tc, test_pio_read);
	tcase_add_test(tc, test_block_read);
	tcase_add_test(tc, test_pio_write);
	tcase_add_test(tc, test_flush);
	tcase_add_test(tc, test_errors);
	tcase_add_test(tc, test_misc_commands);
	tcase_add_test(tc, test_reset);
	tcase_add_test(tc, test_wake);
	tcase_add_test(tc, test_dma);
	tcase_add_test(tc, test_dma_table_ends);
	tcase_add_test(tc, test_dma_in_slices);
	tcase_add_test(tc, test_hostile);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
