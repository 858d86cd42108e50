/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The table in the ROM; firmware/kernel_boot.asm has the other half. */
struct rom_segment {
	uint32_t key, address, offset, len, zero;
};

struct rom_table {
	char signature[4];
	uint16_t mode, count;
	uint32_t entry, info;
	uint16_t real_segment, real_sp;
	struct rom_segment segment[LOADER_MAX_SEGMENTS];
};

enum { ROM_REAL_MODE, ROM_MULTIBOOT };

enum {
	ROM_PNP_AT = 0x20,
	ROM_PNP_LEN = 0x20,
	ROM_PNP_CHECKSUM = ROM_PNP_AT + 9,
	ROM_TABLE_AT = 0x40,
	ROM_CHECKSUM = 6, /* a byte between the entry point's code and the rest */
};

_Static_assert(sizeof(struct rom_table) == 20 + 20 * LOADER_MAX_SEGMENTS, "as in firmware/kernel_boot.asm");

#define ROM_FILE "genroms/gnomon-kernel.bin"

/* kernel_boot_rom.S */
extern const uint8_t kernel_boot_rom[], kernel_boot_rom_end[];

static size_t rom_len(void)
{
	return (size_t)(kernel_boot_rom_end - kernel_boot_rom);
}

/* What makes the bytes add up to 0. */
static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return (uint8_t)-sum;
}

int kernel_boot_init(struct kernel_boot *k, const struct vm_config *cfg, uint64_t ram_below_4g, char *err,
		     size_t errlen)
{
	int rc;

	k->rom = NULL;
	loader_init(&k->loader, ram_below_4g, err, errlen);
	rc = loader_open(&k->loader, cfg->kernel, cfg->initrd, cfg->append);
	if (!rc)
		rc = loader_plan(&k->loader);
	if (rc)
		kernel_boot_destroy(k);
	else
		loader_let_go(&k->loader);
	return rc;
}

void kernel_boot_destroy(struct kernel_boot *k)
{
	loader_destroy(&k->loader);
	free(k->rom);
	k->rom = NULL;
}

static int offer_items(struct kernel_boot *k, struct fw_cfg *fw, uint16_t keys[LOADER_ITEMS])
{
	for (unsigned i = 0; i < LOADER_ITEMS; i++) {
		const struct loader_blob *item = &k->loader.item[i];
		char name[FW_CFG_NAME_LEN];
		int rc;

		if (!item->data && !item->in_file)
			continue;
		keys[i] = (uint16_t)(FW_CFG_FILE_FIRST + fw->files);
		snprintf(name, sizeof(name), "opt/gnomon/kernel%u", i);
		rc = item->in_file ? fw_cfg_add_from_file(fw, name, item->fd, item->len)
				   : fw_cfg_add_file(fw, name, item->data, item->len);
		if (rc)
			return rc;
	}
	return 0;
}

static void fill_table(const struct loader *l, const uint16_t keys[LOADER_ITEMS], struct rom_table *t)
{
	t->mode = l->kind == LOADER_LINUX ? ROM_REAL_MODE : ROM_MULTIBOOT;
	t->entry = l->entry;
	t->info = l->info;
	t->real_segment = l->real_segment;
	t->real_sp = l->real_sp;
	t->count = (uint16_t)l->nsegments;
	for (unsigned i = 0; i < l->nsegments; i++) {
		const struct loader_segment *s = &l->segment[i];
		t->segment[i] = (struct rom_segment){
		    .key = keys[s->item], .address = s->address, .offset = s->offset, .len = s->len, .zero = s->zero};
	}
}

int kernel_boot_offer(struct kernel_boot *k, struct fw_cfg *fw)
{
	uint16_t keys[LOADER_ITEMS] = {0};
	struct rom_table table;
	int rc = offer_items(k, fw, keys);

	if (rc)
		return rc;
	k->rom = malloc(rom_len());
	if (!k->rom)
		return -ENOMEM;
	memcpy(k->rom, kernel_boot_rom, rom_len());
	memcpy(&table, k->rom + ROM_TABLE_AT, sizeof(table));
	ASSERT(!memcmp(table.signature, "GNKB", 4));
	fill_table(&k->loader, keys, &table);
	memcpy(k->rom + ROM_TABLE_AT, &table, sizeof(table));
	k->rom[ROM_PNP_CHECKSUM] = checksum(k->rom + ROM_PNP_AT, ROM_PNP_LEN);
	k->rom[ROM_CHECKSUM] = checksum(k->rom, rom_len());
	return fw_cfg_add_file(fw, ROM_FILE, k->rom, (uint32_t)rom_len());
}
