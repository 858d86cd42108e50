/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "devices/virtio_blk.h"
#include "virtio_fixture.h"

/* clang-format off */
enum {
	SECTORS = 70 * 1024,
	HEADER = 0x100000, STATUS_BYTE = 0x100100, DATA = 0x200000, TABLE_AT = 0x110000,
	T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_ZEROES = 13,
	F_FLUSH = 1 << 9, F_WCE = 1 << 11,
};
/* clang-format on */

static struct virtio_blk blk;
static struct image disk;
static char path[64];
static struct queue *q = &queues[0];

static void setup(void)
{
	static uint8_t chunk[1 << 20];
	char err[256];
	int fd;

	bus_setup();
	strcpy(path, "/tmp/gnomon-test-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	for (uint64_t at = 0; at < SECTORS * 512ull; at += sizeof(chunk)) {
		for (unsigned i = 0; i < sizeof(chunk); i += 512)
			store_le(chunk + i, 8, (at + i) / 512);
		ck_assert_int_eq(pwrite(fd, chunk, sizeof(chunk), (off_t)at), sizeof(chunk));
	}
	close(fd);
	ck_assert_int_eq(image_open(&disk, path, 0, err, sizeof(err)), 0);
	virtio_blk_init(&blk, &pm, &clk, &disk, "GN00001");
	attach(&blk.transport);
}

static void setup_legacy(void)
{
	setup();
	modern = false;
	start(F_FLUSH | F_INDIRECT, 1, 128);
}

static void setup_modern(void)
{
	setup();
	modern = true;
	start(F_FLUSH | F_INDIRECT, 1, 64);
}

static void teardown(void)
{
	image_close(&disk);
	unlink(path);
	bus_teardown();
}

/* A request of header, one buffer and status. Returns the status; 0xee: none came. */
static uint8_t request(unsigned type, uint64_t sector, gpa_t data, uint32_t len)
{
	bool in = type == T_IN || type == T_GET_ID;

	set_mem(HEADER, 8, type);
	set_mem(HEADER + 8, 8, sector);
	set_mem(STATUS_BYTE, 1, 0xee);
	desc(q, 0, HEADER, 16, NEXT, len ? 1 : 2);
	desc(q, 1, data, len, NEXT | (in ? WRITE : 0), 2);
	desc(q, 2, STATUS_BYTE, 1, WRITE, 0);
	publish(q, 0);
	kick(q);
	if (collect(q, NULL) < 0)
		return 0xee;
	return (uint8_t)mem(STATUS_BYTE, 1);
}

static uint64_t on_disk(uint64_t sector)
{
	uint64_t v;
	ck_assert_int_eq(image_read(&disk, sector * 512, &v, 8), 0);
	return v;
}

START_TEST(test_config)
{
	ck_assert_uint_eq(config(0, 4), SECTORS);
	ck_assert_uint_eq(config(4, 4), 0);
	ck_assert_uint_eq(config(12, 4), 126);
	ck_assert_uint_eq(config(16, 2), SECTORS / (16 * 63));
	ck_assert_uint_eq(config(18, 1), 16);
	ck_assert_uint_eq(config(20, 4), 512);
	ck_assert_uint_eq(pci_get16(dev->pci.config + PCI_DEVICE_ID), 0x1001);
	ck_assert_uint_eq(pci_get16(dev->pci.config + PCI_SUBSYS_ID), 2);
	ck_assert_uint_eq(dev->pci.config[PCI_REVISION], 0);
	ck_assert(offered() & F_FLUSH);
	ck_assert_uint_eq(!!(offered() & VIRTIO_F_VERSION_1), modern);
	ck_assert_uint_eq(!!(offered() & VIRTIO_F_ANY_LAYOUT), !modern);
}
END_TEST

START_TEST(test_read)
{
	ck_assert_uint_eq(request(T_IN, 1000, DATA, 64 * 512), 0);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_uint_eq(mem(DATA + i * 512, 8), 1000 + i);
}
END_TEST

START_TEST(test_interrupt)
{
	unsigned line = (4 + (unsigned)pci.slot_addend) % 4;

	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert(pirq[line].level);
	ck_assert_uint_eq(isr(), 1);
	ck_assert(!pirq[line].level);
	ck_assert_uint_eq(isr(), 0);
	set_mem(q->avail, 2, 1); /* the driver polls */
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert(!pirq[line].level);
}
END_TEST

START_TEST(test_large_read_and_write)
{
	uint64_t flushes = disk.flushes;

	ck_assert_uint_eq(request(T_IN, 5, DATA, 4 << 20), 0);
	for (unsigned i = 0; i < (4 << 20) / 512; i += 77)
		ck_assert_uint_eq(mem(DATA + i * 512, 8), 5 + i);
	for (unsigned i = 0; i < 300; i++)
		set_mem(DATA + i * 512, 8, 0x1234500000 + i);
	ck_assert_uint_eq(request(T_OUT, 40000, DATA, 300 * 512), 0);
	for (unsigned i = 0; i < 300; i++)
		ck_assert_uint_eq(on_disk(40000 + i), 0x1234500000 + i);
	ck_assert_uint_eq(on_disk(40300), 40300);
	ck_assert_uint_eq(disk.flushes, flushes); /* the driver can flush */
	ck_assert_uint_eq(request(T_FLUSH, 0, 0, 0), 0);
	ck_assert_uint_eq(disk.flushes, flushes + 1);
}
END_TEST

START_TEST(test_write_through)
{
	uint64_t flushes = disk.flushes;

	start(0, 1, modern ? 64 : 128); /* without FLUSH */
	ck_assert_uint_eq(request(T_OUT, 1, DATA, 512), 0);
	ck_assert_uint_eq(disk.flushes, flushes + 1);
	start(F_FLUSH | F_WCE, 1, modern ? 64 : 128);
	ck_assert_uint_eq(config(32, 1), 1);
	ck_assert_uint_eq(request(T_OUT, 1, DATA, 512), 0);
	ck_assert_uint_eq(disk.flushes, flushes + 1);
	set_config(32, 1, 0);
	ck_assert_uint_eq(config(32, 1), 0);
	ck_assert_uint_eq(disk.flushes, flushes + 2);
	ck_assert_uint_eq(request(T_OUT, 1, DATA, 512), 0);
	ck_assert_uint_eq(disk.flushes, flushes + 3);
}
END_TEST

START_TEST(test_get_id)
{
	char id[21] = "";

	ck_assert_uint_eq(request(T_GET_ID, 0, DATA, 20), 0);
	physmem_read(&pm, DATA, id, 20);
	ck_assert_str_eq(id, "GN00001");
}
END_TEST

START_TEST(test_discard_and_zeroes)
{
	uint32_t flags;

	for (flags = 0; flags < 2; flags++) {
		set_mem(DATA, 8, 100 + flags * 100);
		set_mem(DATA + 8, 4, 16);
		set_mem(DATA + 12, 4, flags);
		ck_assert_uint_eq(request(T_ZEROES, 0, DATA, 16), 0);
		ck_assert_uint_eq(on_disk(99 + flags * 100), 99 + flags * 100);
		ck_assert_uint_eq(on_disk(100 + flags * 100), 0);
		ck_assert_uint_eq(on_disk(115 + flags * 100), 0);
		ck_assert_uint_eq(on_disk(116 + flags * 100), 116 + flags * 100);
	}
	set_mem(DATA + 12, 4, 0);
	ck_assert_uint_eq(request(T_DISCARD, 0, DATA, 16), 0);
	set_mem(DATA + 12, 4, 1);
	ck_assert_uint_eq(request(T_DISCARD, 0, DATA, 16), 2); /* its flag means nothing */
	set_mem(DATA + 12, 4, 0x80000000);
	ck_assert_uint_eq(request(T_ZEROES, 0, DATA, 16), 2);
	set_mem(DATA + 12, 4, 0);
	ck_assert_uint_eq(request(T_ZEROES, 0, DATA, 32), 2); /* one segment at a time */
	set_mem(DATA + 8, 4, UINT32_MAX);
	ck_assert_uint_eq(request(T_ZEROES, 0, DATA, 16), 1);
	set_mem(DATA, 8, UINT64_MAX);
	set_mem(DATA + 8, 4, 2);
	ck_assert_uint_eq(request(T_ZEROES, 0, DATA, 16), 1);
}
END_TEST

START_TEST(test_errors)
{
	ck_assert_uint_eq(request(T_IN, SECTORS - 1, DATA, 512), 0);
	ck_assert_uint_eq(request(T_IN, SECTORS - 1, DATA, 1024), 1);
	ck_assert_uint_eq(request(T_IN, SECTORS, DATA, 512), 1);
	ck_assert_uint_eq(request(T_IN, UINT64_MAX, DATA, 512), 1);
	ck_assert_uint_eq(request(T_IN, 1ull << 55, DATA, 512), 1);
	ck_assert_uint_eq(request(T_IN, 0, DATA, 513), 1);
	ck_assert_uint_eq(request(T_OUT, SECTORS - 1, DATA, 1024), 1);
	ck_assert_uint_eq(on_disk(SECTORS - 1), SECTORS - 1);
	ck_assert_uint_eq(request(T_IN, 0, DATA, UINT32_MAX), 1);
	ck_assert_uint_eq(request(77, 0, DATA, 512), 2);
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0); /* none of that has broken anything */
	disk.readonly = true;
	ck_assert_uint_eq(request(T_OUT, 3, DATA, 512), 1);
	ck_assert_uint_eq(on_disk(3), 3);
}
END_TEST

/* Any layout: header, data and status cut as the driver likes, in a table of its own. */
START_TEST(test_layouts)
{
	set_mem(HEADER, 8, T_IN);
	set_mem(HEADER + 8, 8, 7);
	desc_at(TABLE_AT, 0, HEADER, 3, NEXT, 5);
	desc_at(TABLE_AT, 5, HEADER + 3, 13, NEXT, 1);
	desc_at(TABLE_AT, 1, DATA, 100, NEXT | WRITE, 4);
	desc_at(TABLE_AT, 4, DATA + 100, 0, NEXT | WRITE, 2);
	desc_at(TABLE_AT, 2, DATA + 100, 1024 - 100 + 1, WRITE, 0); /* the status behind the data */
	set_mem(DATA + 1024, 1, 0xee);
	desc(q, 9, TABLE_AT, 6 * 16, INDIRECT, 0);
	publish(q, 9);
	kick(q);
	unsigned head;
	ck_assert_int_eq(collect(q, &head), 1025);
	ck_assert_uint_eq(head, 9);
	ck_assert_uint_eq(mem(DATA, 8), 7);
	ck_assert_uint_eq(mem(DATA + 512, 8), 8);
	ck_assert_uint_eq(mem(DATA + 1024, 1), 0);
}
END_TEST

/* Many requests at once: slices, in order, with time for the guest in between. */
START_TEST(test_slices)
{
	unsigned head, slices = 1;

	set_mem(HEADER, 8, T_IN);
	set_mem(HEADER + 8, 8, 0);
	desc(q, 0, HEADER, 16, NEXT, 1);
	desc(q, 1, DATA, 2 << 20, NEXT | WRITE, 2);
	desc(q, 2, STATUS_BYTE, 1, WRITE, 0);
	for (unsigned i = 0; i < 40; i++)
		publish(q, 0);
	kick(q);
	for (unsigned i = 0; i < 40; i++) {
		while (collect(q, &head) < 0) {
			ck_assert_uint_gt(clock_next(&clk), clock_now(&clk));
			kick(q); /* changes nothing */
			ck_assert_int_eq(collect(q, &head), -1);
			clock_advance(&clk, VIRTIO_SLICE_PAUSE_NS);
			ck_assert_uint_lt(slices++, 40);
		}
	}
	ck_assert_int_eq(collect(q, &head), -1);
	ck_assert_uint_ge(slices, 10);
	/* A reset forgets what is under way. */
	for (unsigned i = 0; i < 40; i++)
		publish(q, 0);
	kick(q);
	set_status(0);
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
}
END_TEST

START_TEST(test_event_index)
{
	unsigned line = (4 + (unsigned)pci.slot_addend) % 4;
	gpa_t used_event, avail_event;

	start(F_FLUSH | F_EVENT, 1, modern ? 64 : 128);
	used_event = q->avail + 4 + 2 * q->size;
	avail_event = q->used + 4 + 8 * q->size;
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert_uint_eq(mem(avail_event, 2), 1); /* kick again for the next */
	ck_assert(pirq[line].level);		   /* used_event was 0 */
	isr();
	set_mem(used_event, 2, 2); /* wake me when the third is there */
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert(!pirq[line].level);
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert(pirq[line].level);
	isr();
	for (unsigned i = 3; i < 70000; i++) { /* across the wrap of the index */
		set_mem(used_event, 2, i & 1 ? i : i - 2);
		ck_assert_uint_eq(request(T_GET_ID, 0, DATA, 20), 0);
		ck_assert_msg(pirq[line].level == (i & 1), "at %u", i);
		isr();
	}
}
END_TEST

START_TEST(test_msix)
{
	unsigned cap = dev->msix.cap, line = (4 + (unsigned)pci.slot_addend) % 4;

	set_mem(TABLE + 16, 8, 0xfee01000);
	set_mem(TABLE + 16 + 8, 4, 0x4077);
	set_mem(TABLE + 16 + 12, 4, 0);
	pci_config_write(&dev->pci, cap + 2, 2, 0x8000);
	if (modern) {
		set_reg(22, 2, 0);
		set_reg(26, 2, 1);
		ck_assert_uint_eq(reg(26, 2), 1);
		set_reg(16, 2, 9); /* no such vector */
		ck_assert_uint_eq(reg(16, 2), 0xffff);
	} else {
		set_port(14, 2, 0);
		set_port(22, 2, 1);
		ck_assert_uint_eq(port(22, 2), 1);
		ck_assert_uint_eq(port(24, 4), SECTORS); /* the configuration has moved */
	}
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert_uint_eq(msi.count, 1);
	ck_assert_uint_eq(msi.address, 0xfee01000);
	ck_assert_uint_eq(msi.data, 0x4077);
	ck_assert(!pirq[line].level);
	/* Masked messages wait. */
	set_mem(TABLE + 16 + 12, 4, 1);
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert_uint_eq(msi.count, 1);
	ck_assert_uint_eq(mem(TABLE + 0x800, 4), 2);
	set_mem(TABLE + 16 + 12, 4, 0);
	ck_assert_uint_eq(msi.count, 2);
	ck_assert_uint_eq(mem(TABLE + 0x800, 4), 0);
	pci_config_write(&dev->pci, cap + 2, 2, 0xc000);
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), 0);
	ck_assert_uint_eq(msi.count, 2);
	pci_config_write(&dev->pci, cap + 2, 2, 0x8000);
	ck_assert_uint_eq(msi.count, 3);
	virtio_blk_reset(&blk);
	ck_assert_uint_eq(pci_get16(dev->pci.config + cap + 2), 1);
}
END_TEST

START_TEST(test_bus_master)
{
	pci_config_write(&dev->pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEM);
	/* Old drivers do not turn it on. */
	ck_assert_uint_eq(request(T_IN, 0, DATA, 512), modern ? 0xee : 0);
}
END_TEST

static TCase *make_case(const char *name, SFun set_up)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up, teardown);
	tcase_add_test(tc, test_config);
	tcase_add_test(tc, test_read);
	tcase_add_test(tc, test_interrupt);
	tcase_add_test(tc, test_large_read_and_write);
	tcase_add_test(tc, test_write_through);
	tcase_add_test(tc, test_get_id);
	tcase_add_test(tc, test_discard_and_zeroes);
	tcase_add_test(tc, test_errors);
	tcase_add_test(tc, test_layouts);
	tcase_add_test(tc, test_slices);
	tcase_add_test(tc, test_event_index);
	tcase_add_test(tc, test_msix);
	tcase_add_test(tc, test_bus_master);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("virtio-blk");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, make_case("legacy", setup_legacy));
	suite_add_tcase(s, make_case("modern", setup_modern));
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
