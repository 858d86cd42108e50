/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <check.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/fw_cfg.h"

enum { RAM = 4 * 1024 * 1024, DESC = 0x1000 };

static struct physmem pm;
static struct bus ports;
static struct fw_cfg fw;
static struct pm_region ram;
static const char big[5000] = "big file";
static uint8_t scratch[16];

static void setup(void)
{
	ck_assert_int_eq(physmem_init(&pm, RAM), 0);
	ram = (struct pm_region){.name = "ram", .kind = PM_RAM, .len = RAM, .enabled = true, .backing = &pm.ram};
	physmem_add(&pm, &ram);
	bus_init(&ports);
	fw_cfg_init(&fw, &pm);
	ck_assert_int_eq(fw_cfg_attach(&fw, &ports), 0);
	ck_assert_int_eq(fw_cfg_add_file(&fw, "etc/big", big, sizeof(big)), 0);
	memset(scratch, 0, sizeof(scratch));
	ck_assert_int_eq(fw_cfg_add_file_rw(&fw, "etc/scratch", scratch, sizeof(scratch)), 0);
}

static void teardown(void)
{
	fw_cfg_destroy(&fw);
	physmem_destroy(&pm);
}

static void select_key(uint16_t key)
{
	bus_write(&ports, 0x510, 2, key);
}

static void take(void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)bus_read(&ports, 0x511, 1);
}

/* Key of a file by the directory, as a BIOS finds it; 0: none. */
static uint16_t find(const char *name, uint32_t *size)
{
	uint32_t count;
	uint8_t entry[64];

	select_key(FW_CFG_FILE_DIR);
	take(&count, 4);
	for (uint32_t i = 0; i < be32toh(count); i++) {
		take(entry, sizeof(entry));
		if (!strcmp((char *)entry + 8, name)) {
			uint32_t be;
			memcpy(&be, entry, 4);
			*size = be32toh(be);
			return (uint16_t)(entry[4] << 8 | entry[5]);
		}
	}
	return 0;
}

/* One DMA access; returns the control word afterwards. */
static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
	uint32_t d[4] = {htobe32(control), htobe32(length), htobe32((uint32_t)(address >> 32)),
			 htobe32((uint32_t)address)};

	physmem_write(&pm, DESC, d, sizeof(d));
	bus_write(&ports, 0x514, 4, 0);
	bus_write(&ports, 0x518, 4, htobe32(DESC));
	physmem_read(&pm, DESC, d, 4);
	return be32toh(d[0]);
}

START_TEST(test_ports)
{
	char sig[5] = "";
	uint32_t id;

	select_key(FW_CFG_SIGNATURE);
	take(sig, 4);
	ck_assert_str_eq(sig, "QEMU");
	ck_assert_uint_eq(bus_read(&ports, 0x511, 1), 0); /* behind the end */
	select_key(FW_CFG_ID);
	take(&id, 4);
	ck_assert_uint_eq(id, 3);
	ck_assert_uint_eq(bus_read(&ports, 0x514, 4), 0x554d4551); /* "QEMU" */
	select_key(0x3ffe);
	ck_assert_uint_eq(bus_read(&ports, 0x511, 1), 0);
	select_key(0x8003);
	ck_assert_uint_eq(bus_read(&ports, 0x511, 1), 0);
}
END_TEST

START_TEST(test_directory)
{
	uint32_t size;
	uint8_t first[8];
	uint16_t key = find("etc/big", &size);

	ck_assert_uint_ge(key, FW_CFG_FILE_FIRST);
	ck_assert_uint_eq(size, sizeof(big));
	select_key(key);
	take(first, 8);
	ck_assert_mem_eq(first, "big file", 8);
	ck_assert_uint_eq(find("nothing", &size), 0);
	ck_assert_int_eq(fw_cfg_add_file(&fw, "etc/big", big, 1), -EEXIST);
	ck_assert_int_eq(fw_cfg_add_file(&fw, "0123456789012345678901234567890123456789012345678901234567890", big, 1),
			 -ENAMETOOLONG);
	int err = 0;
	for (unsigned i = 0; !err; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%u", i);
		err = fw_cfg_add_copy(&fw, name, &i, sizeof(i));
	}
	ck_assert_int_eq(err, -ENOSPC);
	key = find("f7", &size);
	select_key(key);
	take(first, 4);
	ck_assert_uint_eq(first[0], 7);
}
END_TEST

START_TEST(test_block_read)
{
	uint32_t size;
	char buf[6000];
	const struct bus_range *r = &ports.ranges[0];

	ck_assert_uint_eq(r->base, 0x510);
	select_key(find("etc/big", &size));
	ck_assert_uint_eq(io_block_ops(r->ops)->read(r->dev, 1, 1, buf, sizeof(buf)), sizeof(big));
	ck_assert_mem_eq(buf, big, sizeof(big));
}
END_TEST

START_TEST(test_dma_read)
{
	uint32_t size;
	uint32_t key = find("etc/big", &size);

	memset(pm.ram.host + 0x2000, 0xee, 0x4000);
	ck_assert_uint_eq(dma(key << 16 | 8 | 2, sizeof(big), 0x2000), 0);
	ck_assert_mem_eq(pm.ram.host + 0x2000, big, sizeof(big));
	ck_assert_uint_eq(pm.ram.host[0x2000 + sizeof(big)], 0xee);
	/* in pieces, with a skip */
	ck_assert_uint_eq(dma(key << 16 | 8 | 4, 4, 0), 0);
	ck_assert_uint_eq(dma(2, 4, 0x8000), 0);
	ck_assert_mem_eq(pm.ram.host + 0x8000, "file", 4);
	/* behind the end: zeros */
	ck_assert_uint_eq(dma(key << 16 | 8 | 2, sizeof(big) + 16, 0x2000), 0);
	ck_assert_uint_eq(pm.ram.host[0x2000 + sizeof(big) + 15], 0);
	ck_assert_uint_eq(pm.ram.host[0x2000 + sizeof(big) + 16], 0xee);
	/* 4 GiB behind the end is refused after FW_CFG_DMA_PAD */
	memset(pm.ram.host + 0x2000, 0xee, RAM - 0x2000);
	ck_assert_uint_eq(dma(key << 16 | 8 | 2, 0xffffffff, 0x2000), 1);
	ck_assert_uint_eq(pm.ram.host[0x2000 + sizeof(big) + FW_CFG_DMA_PAD - 1], 0);
	ck_assert_uint_eq(pm.ram.host[0x2000 + sizeof(big) + FW_CFG_DMA_PAD], 0xee);
	/* outside memory, and around the end of the address space */
	ck_assert_uint_eq(dma(key << 16 | 8 | 2, 64, 0xfff0000000), 0);
	ck_assert_uint_eq(dma(key << 16 | 8 | 2, 64, ~0ull - 3), 0);
	/* no such item reads as zeros */
	pm.ram.host[0x9000] = 1;
	ck_assert_uint_eq(dma(0x3fffu << 16 | 8 | 2, 4, 0x9000), 0);
	ck_assert_uint_eq(pm.ram.host[0x9000], 0);
}
END_TEST

START_TEST(test_from_file)
{
	enum { LEN = 100000, SHORT = 50000 };
	static uint8_t data[LEN], buf[LEN];
	int fd = memfd_create("item", MFD_CLOEXEC);
	uint32_t size, key;

	for (unsigned i = 0; i < LEN; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	ck_assert_int_eq(write(fd, data, LEN), LEN);
	ck_assert_int_eq(fw_cfg_add_from_file(&fw, "opt/file", fd, LEN), 0);
	key = find("opt/file", &size);
	ck_assert_uint_eq(size, LEN);
	for (unsigned twice = 0; twice < 2; twice++) {
		memset(pm.ram.host + 0x10000, 0xee, LEN + 1);
		ck_assert_uint_eq(dma(key << 16 | 8 | 2, LEN, 0x10000), 0);
		ck_assert_mem_eq(pm.ram.host + 0x10000, data, LEN);
		ck_assert_uint_eq(pm.ram.host[0x10000 + LEN], 0xee);
	}
	select_key((uint16_t)key);
	take(buf, 8);
	ck_assert_uint_eq(io_block_ops(ports.ranges[0].ops)->read(ports.ranges[0].dev, 1, 1, buf + 8, LEN), LEN - 8);
	ck_assert_mem_eq(buf, data, LEN);
	/* What is cut off meanwhile is zeros, and an error. */
	ck_assert_int_eq(ftruncate(fd, SHORT), 0);
	ck_assert_uint_eq(dma(key << 16 | 8 | 2, LEN, 0x10000), 1);
	ck_assert_mem_eq(pm.ram.host + 0x10000, data, SHORT);
	for (unsigned i = SHORT; i < LEN; i++)
		ck_assert_uint_eq(pm.ram.host[0x10000 + i], 0);
	close(fd);
}
END_TEST

START_TEST(test_dma_write)
{
	uint32_t size;
	uint32_t key = find("etc/scratch", &size);

	memcpy(pm.ram.host + 0x2000, "0123456789abcdef", 16);
	ck_assert_uint_eq(dma(key << 16 | 8 | 16, 16, 0x2000), 0);
	ck_assert_mem_eq(scratch, "0123456789abcdef", 16);
	ck_assert_uint_eq(dma(key << 16 | 8 | 16, 17, 0x2000), 1);
	key = find("etc/big", &size);
	ck_assert_uint_eq(dma(key << 16 | 8 | 16, 4, 0x2000), 1); /* read-only */
	ck_assert_uint_eq(dma(0x3fffu << 16 | 8 | 16, 0, 0x2000), 1);
}
END_TEST

START_TEST(test_pc_items)
{
	struct fw_cfg_pc pc = {.ram_below_4g = 256 * MiB,
			       .cpus = 1,
			       .bootorder = "/pci@i0cf8/ide@1,1/drive@1/disk@0\n",
			       .boot_menu = true,
			       .menu_wait_ms = 1500};
	uint8_t entry[20];
	uint16_t n;
	uint32_t size;

	ck_assert_int_eq(fw_cfg_add_pc(&fw, &pc), 0);
	select_key(FW_CFG_NB_CPUS);
	take(&n, 2);
	ck_assert_uint_eq(n, 1);
	select_key(find("etc/e820", &size));
	ck_assert_uint_eq(size, 20);
	take(entry, 20);
	ck_assert_uint_eq(load_le(entry + 8, 8), 256 * MiB);
	ck_assert_uint_eq(load_le(entry + 16, 4), 1);
	ck_assert_uint_ne(find("bootorder", &size), 0);
	ck_assert_uint_eq(size, strlen(pc.bootorder) + 1);
	ck_assert_uint_ne(find("etc/system-states", &size), 0);
	ck_assert_uint_eq(size, 6);
}
END_TEST

START_TEST(test_hostile)
{
	srand(2);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned port = 0x510 + (unsigned)rand() % 12;
		unsigned size = 1u << rand() % 3;
		if (rand() & 1)
			bus_write(&ports, (uint16_t)port, size, (uint32_t)rand() << 1);
		else
			bus_read(&ports, (uint16_t)port, size);
		if (rand() % 16 == 0)
			dma((uint32_t)rand(), (uint32_t)rand() % 65536, (uint64_t)(unsigned)rand() % (2 * RAM));
	}
	char sig[4];
	select_key(0);
	take(sig, 4);
	ck_assert_mem_eq(sig, "QEMU", 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fw_cfg");
	TCase *tc = tcase_create("fw_cfg");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_ports);
	tcase_add_test(tc, test_directory);
	tcase_add_test(tc, test_block_read);
	tcase_add_test(tc, test_dma_read);
	tcase_add_test(tc, test_from_file);
	tcase_add_test(tc, test_dma_write);
	tcase_add_test(tc, test_pc_items);
	tcase_add_test(tc, test_hostile);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
