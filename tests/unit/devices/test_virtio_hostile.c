/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drivers that break the rules, by accident or to break out; entropy and console devices. */
#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_rng.h"
#include "virtio_fixture.h"

#include <unistd.h>

enum { NEEDS_RESET = 64, DATA = 0x200000, STATUS_BYTE = 0x300000, TABLE_AT = 0x110000 };

static struct virtio_rng rng;
static struct virtio_console console;
static struct virtio_blk blk;
static struct image disk;
static struct queue *q = &queues[0], *out = &queues[1];
static char sent[256 * 1024];
static size_t nsent;

static void send(void *arg, const uint8_t *buf, size_t len)
{
	ck_assert_uint_le(nsent + len, sizeof(sent));
	memcpy(sent + nsent, buf, len);
	nsent += len;
}

static void setup(void)
{
	bus_setup();
	modern = true;
	nsent = 0;
}

static void with_rng(uint64_t features)
{
	virtio_rng_init(&rng, &pm, &clk);
	attach(&rng.transport);
	start(features, 1, modern ? 64 : 128);
}

static void with_console(void)
{
	virtio_console_init(&console, &pm, &clk, send, NULL);
	attach(&console.transport);
	start(0, 2, modern ? 64 : 128);
}

static void with_blk(void)
{
	char path[] = "/tmp/gnomon-test-XXXXXX", err[256];
	int fd = mkstemp(path);

	ck_assert_int_eq(ftruncate(fd, MiB), 0);
	close(fd);
	ck_assert_int_eq(image_open(&disk, path, 0, err, sizeof(err)), 0);
	unlink(path);
	virtio_blk_init(&blk, &pm, &clk, &disk, "hostile");
	attach(&blk.transport);
	start(F_INDIRECT, 1, 64);
}

/* The device has given up, tells so, and works again after a reset. */
static void expect_broken(void)
{
	unsigned line = (4 + (unsigned)pci.slot_addend) % 4;

	ck_assert_msg(status() & NEEDS_RESET, "the device has not noticed");
	if (modern) {
		ck_assert(pirq[line].level);
		ck_assert(isr() & 2);
	}
	ck_assert_int_eq(collect(q, NULL), -1);
	start(F_INDIRECT, 1, modern ? 64 : 128);
	ck_assert(!(status() & NEEDS_RESET));
	desc(q, 0, DATA, 16, WRITE, 0);
	publish(q, 0);
	kick(q);
	ck_assert_int_eq(collect(q, NULL), 16);
	start(F_INDIRECT, 1, modern ? 64 : 128);
}

static void broken_rings(void)
{
	with_rng(F_INDIRECT);

	desc(q, 0, DATA, 16, WRITE | NEXT, 0); /* a loop of one */
	publish(q, 0);
	kick(q);
	expect_broken();

	for (unsigned i = 0; i < q->size; i++) /* a loop of all */
		desc(q, i, DATA, 16, WRITE | NEXT, (i + 1) % q->size);
	publish(q, 3);
	kick(q);
	expect_broken();

	publish(q, q->size); /* heads and links out of range */
	kick(q);
	expect_broken();
	publish(q, 0xffff);
	kick(q);
	expect_broken();
	desc(q, 0, DATA, 16, WRITE | NEXT, q->size);
	publish(q, 0);
	kick(q);
	expect_broken();

	desc(q, 0, DATA, 16, WRITE | NEXT, 1); /* read behind write */
	desc(q, 1, DATA, 16, 0, 0);
	publish(q, 0);
	kick(q);
	expect_broken();
	desc(q, 0, DATA, 0, WRITE | NEXT, 1); /* even of no length */
	desc(q, 1, DATA, 0, 0, 0);
	publish(q, 0);
	kick(q);
	expect_broken();

	q->avail_idx = (uint16_t)q->size; /* more than fit */
	publish(q, 0);
	kick(q);
	expect_broken();
}

START_TEST(test_broken_rings)
{
	broken_rings();
}
END_TEST

START_TEST(test_broken_rings_legacy)
{
	modern = false;
	broken_rings();
}
END_TEST

START_TEST(test_broken_tables)
{
	static const uint32_t lengths[] = {0, 1, 15, 17, 16 * (VIRTIO_MAX_SEGS + 1), 0xfffffff0, UINT32_MAX};

	with_rng(F_INDIRECT);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		desc(q, 0, TABLE_AT, lengths[i], INDIRECT, 0);
		publish(q, 0);
		kick(q);
		expect_broken();
	}
	desc_at(TABLE_AT, 0, TABLE_AT, 16, INDIRECT, 0); /* a table in a table */
	desc(q, 0, TABLE_AT, 16, INDIRECT, 0);
	publish(q, 0);
	kick(q);
	expect_broken();
	desc(q, 0, DATA, 16, WRITE | NEXT, 1); /* one within a chain */
	desc(q, 1, TABLE_AT, 16, INDIRECT, 0);
	publish(q, 0);
	kick(q);
	expect_broken();
	desc(q, 0, TABLE_AT, 16, INDIRECT | NEXT, 1);
	publish(q, 0);
	kick(q);
	expect_broken();
	for (unsigned i = 0; i < 4; i++) /* loops inside */
		desc_at(TABLE_AT, i, DATA, 1, WRITE | NEXT, (i + 1) % 4);
	desc(q, 0, TABLE_AT, 64, INDIRECT, 0);
	publish(q, 0);
	kick(q);
	expect_broken();
	desc_at(TABLE_AT, 1, DATA, 1, WRITE | NEXT, 4);
	publish(q, 0);
	kick(q);
	start(0, 1, 64);
	desc(q, 0, TABLE_AT, 64, INDIRECT, 0); /* without the feature */
	publish(q, 0);
	kick(q);
	expect_broken();
}
END_TEST

/* Addresses where there is no memory: nothing is written, nothing breaks. */
START_TEST(test_addresses)
{
	static const uint64_t bad[] = {RAM_SIZE, RAM_SIZE - 8, 0xfee00000, 1ull << 40, UINT64_MAX - 7, 1ull << 63};

	with_rng(0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		desc(q, 0, bad[i], 16, WRITE, 0);
		publish(q, 0);
		kick(q);
		ck_assert_int_eq(collect(q, NULL), 16);
	}
	desc(q, 0, DATA, UINT32_MAX, WRITE, 0);
	publish(q, 0);
	kick(q);
	ck_assert_int_eq(collect(q, NULL), VIRTIO_RNG_MAX);
	ck_assert_uint_ne(mem(DATA, 8) | mem(DATA + 8, 8), 0);
}
END_TEST

/* Rings where there is no memory, at every address that has something special. */
START_TEST(test_rings_elsewhere)
{
	static const uint64_t places[] = {0, RAM_SIZE, RAM_SIZE - 64, REGISTERS, TABLE, 1ull << 40, UINT64_MAX - 3};

	with_rng(F_EVENT);
	for (unsigned i = 0; i < ARRAY_LEN(places) * ARRAY_LEN(places) * ARRAY_LEN(places); i++) {
		set_status(0);
		set_status(3);
		set_reg(8, 4, 0);
		set_reg(12, 4, F_EVENT);
		set_reg(8, 4, 1);
		set_reg(12, 4, 1);
		set_status(11);
		set_reg(22, 2, 0);
		set_reg(32, 8, places[i % 7]);
		set_reg(40, 8, places[i / 7 % 7]);
		set_reg(48, 8, places[i / 49]);
		set_reg(28, 2, 1);
		set_status(15);
		kick(q);
		clock_advance(&clk, NS_PER_MS);
		kick(q);
	}
	start(0, 1, 64);
	desc(q, 0, DATA, 16, WRITE, 0);
	publish(q, 0);
	kick(q);
	ck_assert_int_eq(collect(q, NULL), 16);
}
END_TEST

/* The device is made to write its own registers: they do not answer. */
START_TEST(test_own_registers)
{
	with_blk();
	static const uint32_t in[4] = {0, 0, 0, 0};
	uint64_t sector[64] = {0};

	/* Sector 0: zeros, which would be a reset at the status register; and a kick at the notify registers. */
	ck_assert_int_eq(image_write(&disk, 0, sector, sizeof(sector)), 0);
	physmem_write(&pm, TABLE_AT, in, 16);
	static const unsigned places[] = {0, 0x1000, 0x2000, 0x3000, 0x3e00};
	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		desc(q, 0, TABLE_AT, 16, NEXT, 1);
		desc(q, 1, REGISTERS + places[i], 512, WRITE | NEXT, 2);
		desc(q, 2, STATUS_BYTE, 1, WRITE, 0);
		set_mem(STATUS_BYTE, 1, 0xee);
		publish(q, 0);
		kick(q);
		ck_assert_int_eq(collect(q, NULL), 513);
		ck_assert_uint_eq(mem(STATUS_BYTE, 1), 0);
		ck_assert_uint_eq(status(), 15);
	}
	/* And to read them: ones. */
	set_mem(TABLE_AT, 4, 1);
	desc(q, 1, REGISTERS, 512, NEXT, 2);
	publish(q, 0);
	kick(q);
	ck_assert_int_eq(collect(q, NULL), 1);
	ck_assert_int_eq(image_read(&disk, 0, sector, 8), 0);
	ck_assert_uint_eq(sector[0], UINT64_MAX);
	image_close(&disk);
}
END_TEST

/* Data that go into the available ring feed the device for ever; but in slices. */
START_TEST(test_feeds_itself)
{
	uint16_t avail[256];
	uint32_t header[4] = {0};

	with_blk();
	/* Each sector holds an available ring that is ahead by one more. */
	for (unsigned s = 0; s < 256; s++) {
		memset(avail, 0, sizeof(avail));
		avail[1] = (uint16_t)(s + 2);
		ck_assert_int_eq(image_write(&disk, s * 512, avail, 512), 0);
	}
	/* One request reads them one after the other; many requests read the last one again and again. */
	physmem_write(&pm, TABLE_AT, header, 16);
	desc(q, 0, TABLE_AT, 16, NEXT, 1);
	desc(q, 1, q->avail, 512, WRITE | NEXT, 2);
	desc(q, 2, STATUS_BYTE, 1, WRITE, 0);
	publish(q, 0);
	kick(q);
	for (unsigned i = 0; i < 1000; i++) {
		set_mem(TABLE_AT + 8, 8, i % 256);
		clock_advance(&clk, VIRTIO_SLICE_PAUSE_NS);
		kick(q);
	}
	image_close(&disk);
	ck_assert(1); /* it came back */
}
END_TEST

START_TEST(test_blk_requests)
{
	with_blk();
	desc(q, 0, TABLE_AT, 15, NEXT, 1); /* no whole header */
	desc(q, 1, STATUS_BYTE, 1, WRITE, 0);
	publish(q, 0);
	kick(q);
	ck_assert(status() & NEEDS_RESET);
	start(0, 1, 64);
	desc(q, 0, TABLE_AT, 16, 0, 0); /* no status */
	publish(q, 0);
	kick(q);
	ck_assert(status() & NEEDS_RESET);
	start(0, 1, 64);
	for (unsigned i = 1; i < 63; i++) /* 62 times 4 GiB */
		desc(q, i, DATA, UINT32_MAX, WRITE | NEXT, i + 1);
	desc(q, 63, STATUS_BYTE, 1, WRITE, 0);
	desc(q, 0, TABLE_AT, 16, NEXT, 1);
	set_mem(TABLE_AT, 8, 0);
	set_mem(STATUS_BYTE, 1, 0xee);
	publish(q, 0);
	kick(q);
	ck_assert_int_eq(collect(q, NULL), UINT32_MAX);
	ck_assert_uint_eq(mem(STATUS_BYTE, 1), 1);
	image_close(&disk);
}
END_TEST

/* Version 1 features are settled before use, and FEATURES_OK is refused without VERSION_1. */
START_TEST(test_negotiation)
{
	with_rng(0);
	set_status(0);
	set_status(3);
	set_reg(8, 4, 0);
	set_reg(12, 4, UINT32_MAX);
	set_status(11);
	ck_assert_uint_eq(status(), 3);
	set_reg(8, 4, 1);
	set_reg(12, 4, UINT32_MAX);
	set_status(11);
	ck_assert_uint_eq(status(), 11);
	ck_assert_uint_eq(rng.virtio.features, F_INDIRECT | F_EVENT | VIRTIO_F_VERSION_1);
	set_reg(12, 4, 0);
	ck_assert_uint_eq(rng.virtio.features, F_INDIRECT | F_EVENT | VIRTIO_F_VERSION_1);
	/* Queues that are not there, sizes that are none. */
	set_reg(22, 2, 1);
	ck_assert_uint_eq(reg(24, 2), 0);
	set_reg(28, 2, 1);
	set_reg(22, 2, 0);
	set_reg(24, 2, 48);
	ck_assert_uint_eq(reg(24, 2), VIRTIO_QUEUE_SIZE);
	set_reg(24, 2, 256);
	ck_assert_uint_eq(reg(24, 2), VIRTIO_QUEUE_SIZE);
	set_reg(24, 2, 0);
	ck_assert_uint_eq(reg(24, 2), VIRTIO_QUEUE_SIZE);
	set_reg(0x3000 + 400, 2, 100);
	set_reg(0x3ffc, 4, UINT32_MAX);
}
END_TEST

/* Configuration space reaches the registers too, for BIOSes that cannot map memory. */
START_TEST(test_window)
{
	unsigned cap;

	with_rng(0);
	cap = rng.transport.window_cap;
	pci_config_write(&dev->pci, cap + 4, 1, 4);
	pci_config_write(&dev->pci, cap + 8, 4, 20);
	pci_config_write(&dev->pci, cap + 12, 4, 1);
	ck_assert_uint_eq(pci_config_read(&dev->pci, cap + 16, 1), 15);
	pci_config_write(&dev->pci, cap + 16, 1, 0);
	ck_assert_uint_eq(status(), 0);
	pci_config_write(&dev->pci, cap + 8, 4, 18);
	pci_config_write(&dev->pci, cap + 12, 4, 2);
	ck_assert_uint_eq(pci_config_read(&dev->pci, cap + 16, 2), 1);
	for (unsigned i = 0; i < 64; i++) { /* windows that lead nowhere */
		pci_config_write(&dev->pci, cap + 4, 1, i % 8);
		pci_config_write(&dev->pci, cap + 8, 4, i % 2 ? UINT32_MAX - i : 0x3ffd + i);
		pci_config_write(&dev->pci, cap + 12, 4, i % 3 ? i : UINT32_MAX);
		pci_config_read(&dev->pci, cap + 16, 4);
		pci_config_write(&dev->pci, cap + 16, 4, UINT32_MAX);
	}
}
END_TEST

START_TEST(test_rng)
{
	modern = false;
	with_rng(0);
	ck_assert_uint_eq(pci_get16(dev->pci.config + PCI_DEVICE_ID), 0x1005);
	desc(q, 0, DATA, 64, WRITE, 0);
	publish(q, 0);
	kick(q);
	ck_assert_int_eq(collect(q, NULL), 64);
	for (unsigned i = 0; i < 64; i += 8)
		ck_assert_uint_ne(mem(DATA + i, 8), mem(DATA + (i + 8) % 64, 8));
	ck_assert_uint_eq(mem(DATA + 64, 8), 0);
}
END_TEST

START_TEST(test_console)
{
	static const uint8_t input[] = "abcdefgh";

	with_console();
	ck_assert_uint_eq(pci_get16(dev->pci.config + PCI_DEVICE_ID), 0x1003);
	ck_assert_uint_eq(virtio_console_receive(&console, input, 8), 0); /* no buffers yet */
	physmem_write(&pm, DATA, "Hello, world", 12);
	desc(out, 0, DATA, 7, NEXT, 1);
	desc(out, 1, DATA + 7, 5, 0, 0);
	publish(out, 0);
	kick(out);
	ck_assert_int_eq(collect(out, NULL), 0);
	ck_assert_uint_eq(nsent, 12);
	ck_assert_mem_eq(sent, "Hello, world", 12);

	desc(q, 0, DATA + 0x1000, 3, WRITE, 0);
	publish(q, 0);
	kick(q);
	ck_assert_int_eq(collect(q, NULL), -1); /* waits for input */
	ck_assert_uint_eq(virtio_console_receive(&console, input, 8), 3);
	ck_assert_int_eq(collect(q, NULL), 3);
	ck_assert_uint_eq(mem(DATA + 0x1000, 4), 0x636261);
	desc(q, 1, DATA + 0x2000, 100, WRITE, 0);
	publish(q, 1);
	publish(q, 0);
	ck_assert_uint_eq(virtio_console_receive(&console, input, 8), 8);
	ck_assert_int_eq(collect(q, NULL), 8);
	ck_assert_int_eq(collect(q, NULL), -1);
	ck_assert_uint_eq(virtio_console_receive(&console, input, 2), 2);
	ck_assert_int_eq(collect(q, NULL), 2);

	set_config(8, 4, 'X'); /* the emergency exit */
	ck_assert_uint_eq(nsent, 13);
	ck_assert_int_eq(sent[12], 'X');
	desc(out, 0, 0, UINT32_MAX, 0, 0);
	publish(out, 0);
	kick(out);
	ck_assert_int_eq(collect(out, NULL), 0);
	ck_assert_uint_eq(nsent, 13 + VIRTIO_CONSOLE_MAX);
	/* Input buffers of no length take nothing, and end. */
	for (unsigned i = 0; i < 5; i++) {
		desc(q, 2, DATA, 0, WRITE, 0);
		publish(q, 2);
	}
	ck_assert_uint_eq(virtio_console_receive(&console, input, 2), 0);
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_broken_rings,
	    test_broken_rings_legacy,
	    test_broken_tables,
	    test_addresses,
	    test_rings_elsewhere,
	    test_own_registers,
	    test_feeds_itself,
	    test_blk_requests,
	    test_negotiation,
	    test_window,
	    test_rng,
	    test_console,
	};
	Suite *s = suite_create("virtio");
	TCase *tc = tcase_create("virtio");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, bus_teardown);
	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		tcase_add_test(tc, list[i]);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
