/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/fw_cfg.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace.h"

/* clang-format off */
enum {
	PORT_SELECTOR = 0x510, /* and data at 511 */
	PORT_DMA      = 0x514,
};

enum {
	KEY_MASK = 0x3fff,
	KEY_ARCH = 0x8000,
};

enum { /* FW_CFG_ID */
	ID_PORTS = 1,
	ID_DMA   = 2,
};

enum { /* control word of a DMA access; the key is in bits 31:16 */
	DMA_ERROR  = 0x01,
	DMA_READ   = 0x02,
	DMA_SKIP   = 0x04,
	DMA_SELECT = 0x08,
	DMA_WRITE  = 0x10,
};
/* clang-format on */

/* The access descriptor in guest memory: big-endian. */
struct dma_access {
	uint32_t control;
	uint32_t length;
	uint64_t address;
};

_Static_assert(sizeof(struct dma_access) == 16, "guest layout");

static struct fw_cfg_item *item_of(struct fw_cfg *fw, uint16_t key)
{
	unsigned n = key & KEY_MASK;

	if (key & KEY_ARCH)
		return n < FW_CFG_MAX_ARCH ? &fw->arch[n] : NULL;
	if (n < FW_CFG_FILE_FIRST)
		return &fw->fixed[n];
	return n - FW_CFG_FILE_FIRST < fw->files ? &fw->file[n - FW_CFG_FILE_FIRST] : NULL;
}

static void select_key(struct fw_cfg *fw, uint16_t key)
{
	trace(fwcfg, "select %04x", key);
	fw->key = key;
	fw->at = 0;
}

/* Bytes of the selected item that are still ahead; *item may become NULL. */
static uint32_t left_of(struct fw_cfg *fw, struct fw_cfg_item **item)
{
	*item = item_of(fw, fw->key);
	return *item && ((*item)->data || (*item)->in_file) && fw->at < (*item)->len ? (*item)->len - fw->at : 0;
}

/* Copies n bytes of the item from `at` on. False: its file does not have them any more. */
static bool copy_item(const struct fw_cfg_item *item, uint32_t at, uint8_t *to, size_t n)
{
	if (!item->in_file) {
		memcpy(to, item->data + at, n);
		return true;
	}
	while (n) {
		ssize_t got = pread(item->fd, to, n, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			memset(to, 0, n);
			return false;
		}
		to += got;
		at += (uint32_t)got;
		n -= (size_t)got;
	}
	return true;
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned size)
{
	struct fw_cfg *fw = dev;
	struct fw_cfg_item *item;
	uint8_t byte;

	if (offset != 1 || size != 1 || !left_of(fw, &item))
		return 0;
	copy_item(item, fw->at++, &byte, 1);
	return byte;
}

/* REP INSB from the data port. */
static size_t port_read_block(void *dev, uint64_t offset, unsigned size, void *buf, size_t count)
{
	struct fw_cfg *fw = dev;
	struct fw_cfg_item *item;
	uint32_t n;

	if (offset != 1 || size != 1)
		return 0;
	n = (uint32_t)MIN(count, left_of(fw, &item));
	if (n)
		copy_item(item, fw->at, buf, n);
	fw->at += n;
	return n;
}

static void port_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	if (offset == 0 && size == 2)
		select_key(dev, (uint16_t)value);
}

/* The next n bytes of the item, to guest memory. False: as copy_item(). */
static bool dma_read_item(struct fw_cfg *fw, const struct fw_cfg_item *item, gpa_t to, uint32_t n)
{
	uint8_t buf[16 * KiB];
	bool there = true;

	for (uint32_t part; n; n -= part, to += part, fw->at += part) {
		part = MIN(n, (uint32_t)sizeof(buf));
		there &= copy_item(item, fw->at, buf, part);
		physmem_write(fw->pm, to, buf, part);
	}
	return there;
}

/* Zeros for what a guest reads behind an item's end. */
static void dma_pad(struct fw_cfg *fw, gpa_t to, uint32_t len)
{
	static const uint8_t zeros[4096];

	for (uint32_t n; len; len -= n, to += n) {
		n = MIN(len, (uint32_t)sizeof(zeros));
		physmem_write(fw->pm, to, zeros, n);
	}
}

/* Carries out one access; returns the new control word: 0 or DMA_ERROR. */
static uint32_t dma_run(struct fw_cfg *fw, uint32_t control, uint32_t length, uint64_t address)
{
	struct fw_cfg_item *item;
	uint32_t left, n;
	bool there;

	if (control & DMA_SELECT)
		select_key(fw, (uint16_t)(control >> 16));
	left = left_of(fw, &item);
	n = MIN(length, left);
	if (control & DMA_READ) {
		there = dma_read_item(fw, item, address, n);
		dma_pad(fw, address + n, MIN(length - n, (uint32_t)FW_CFG_DMA_PAD));
		return !there || length - n > FW_CFG_DMA_PAD ? DMA_ERROR : 0;
	}
	if (control & DMA_WRITE) {
		if (n < length || !item || !item->writable)
			return DMA_ERROR;
		physmem_read(fw->pm, address, item->writable + fw->at, n);
		fw->at += n;
		return 0;
	}
	if (control & DMA_SKIP)
		fw->at += n;
	return 0;
}

static void dma_start(struct fw_cfg *fw, uint64_t at)
{
	struct dma_access a;
	uint32_t control;

	physmem_read(fw->pm, at, &a, sizeof(a));
	trace(fwcfg, "dma control %x length %x address %llx", be32toh(a.control), be32toh(a.length),
	      (unsigned long long)be64toh(a.address));
	control = htobe32(dma_run(fw, be32toh(a.control), be32toh(a.length), be64toh(a.address)));
	physmem_write(fw->pm, at + offsetof(struct dma_access, control), &control, sizeof(control));
}

static uint64_t dma_read(void *dev, uint64_t offset, unsigned size)
{
	static const uint8_t signature[8] = "QEMU CFG";
	return load_le(signature + (offset & 7), size);
}

static void dma_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct fw_cfg *fw = dev;
	uint32_t half = be32toh((uint32_t)value);

	if (size != 4)
		return;
	if (offset == 0) {
		fw->dma_address = (uint64_t)half << 32;
	} else if (offset == 4) {
		uint64_t at = fw->dma_address | half;
		fw->dma_address = 0;
		dma_start(fw, at);
	}
}

static const struct io_block_ops port_ops = {
    .ops = {.name = "fw_cfg", .read = port_read, .write = port_write, .widths = IO_8 | IO_16 | IO_BLOCK},
    .read = port_read_block,
};

static const struct io_ops dma_ops = {
    .name = "fw_cfg-dma",
    .read = dma_read,
    .write = dma_write,
    .widths = IO_8 | IO_16 | IO_32,
};

void fw_cfg_init(struct fw_cfg *fw, struct physmem *pm)
{
	memset(fw, 0, sizeof(*fw));
	fw->pm = pm;
	fw_cfg_add_bytes(fw, FW_CFG_SIGNATURE, "QEMU", 4);
	fw_cfg_add_u32(fw, FW_CFG_ID, ID_PORTS | ID_DMA);
	fw_cfg_add_bytes(fw, FW_CFG_FILE_DIR, fw->dir, 4);
}

void fw_cfg_destroy(struct fw_cfg *fw)
{
	while (fw->ncopies)
		free(fw->copies[--fw->ncopies]);
}

void fw_cfg_reset(struct fw_cfg *fw)
{
	fw->key = 0;
	fw->at = 0;
	fw->dma_address = 0;
}

int fw_cfg_attach(struct fw_cfg *fw, struct bus *bus)
{
	int err = bus_add(bus, PORT_SELECTOR, 2, &port_ops.ops, fw, 0);
	return err ? err : bus_add(bus, PORT_DMA, 8, &dma_ops, fw, 0);
}

void fw_cfg_add_bytes(struct fw_cfg *fw, uint16_t key, const void *data, uint32_t len)
{
	struct fw_cfg_item *item = item_of(fw, key);

	ASSERT(item && !(item->data && key != FW_CFG_FILE_DIR));
	item->data = data;
	item->len = len;
}

static void add_number(struct fw_cfg *fw, uint16_t key, unsigned len, uint64_t value)
{
	struct fw_cfg_item *item = item_of(fw, key);

	ASSERT(item);
	store_le(item->value, len, value);
	fw_cfg_add_bytes(fw, key, item->value, len);
}

void fw_cfg_add_u16(struct fw_cfg *fw, uint16_t key, uint16_t value)
{
	add_number(fw, key, 2, value);
}

void fw_cfg_add_u32(struct fw_cfg *fw, uint16_t key, uint32_t value)
{
	add_number(fw, key, 4, value);
}

void fw_cfg_add_u64(struct fw_cfg *fw, uint16_t key, uint64_t value)
{
	add_number(fw, key, 8, value);
}

static int add_file(struct fw_cfg *fw, const char *name, const struct fw_cfg_item *item)
{
	uint8_t *entry = fw->dir + 4 + fw->files * FW_CFG_DIR_ENTRY; /* size, key, reserved, name: big-endian */
	uint32_t size = htobe32(item->len), count;
	uint16_t key = htobe16((uint16_t)(FW_CFG_FILE_FIRST + fw->files));

	if (strlen(name) >= FW_CFG_NAME_LEN)
		return -ENAMETOOLONG;
	if (fw->files == FW_CFG_MAX_FILES)
		return -ENOSPC;
	for (unsigned i = 0; i < fw->files; i++)
		if (!strcmp((const char *)fw->dir + 4 + i * FW_CFG_DIR_ENTRY + 8, name))
			return -EEXIST;
	memcpy(entry, &size, 4);
	memcpy(entry + 4, &key, 2);
	strcpy((char *)entry + 8, name);
	fw->file[fw->files++] = *item;
	count = htobe32(fw->files);
	memcpy(fw->dir, &count, 4);
	fw_cfg_add_bytes(fw, FW_CFG_FILE_DIR, fw->dir, 4 + fw->files * FW_CFG_DIR_ENTRY);
	return 0;
}

int fw_cfg_add_file(struct fw_cfg *fw, const char *name, const void *data, uint32_t len)
{
	return add_file(fw, name, &(struct fw_cfg_item){.data = data, .len = len});
}

int fw_cfg_add_file_rw(struct fw_cfg *fw, const char *name, void *data, uint32_t len)
{
	return add_file(fw, name, &(struct fw_cfg_item){.data = data, .len = len, .writable = data});
}

int fw_cfg_add_copy(struct fw_cfg *fw, const char *name, const void *data, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	err = fw_cfg_add_file(fw, name, copy, len);
	if (err)
		free(copy);
	else
		fw->copies[fw->ncopies++] = copy;
	return err;
}

int fw_cfg_add_from_file(struct fw_cfg *fw, const char *name, int fd, uint32_t len)
{
	return add_file(fw, name, &(struct fw_cfg_item){.in_file = true, .fd = fd, .len = len});
}
