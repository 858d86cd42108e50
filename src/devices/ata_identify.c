/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IDENTIFY DEVICE data of a disk (ATA/ATAPI-6, 8.15). */
#include <stdio.h>
#include <string.h>

#include "devices/ide_internal.h"

enum {
	NATIVE_HEADS = 16,
	NATIVE_SECTORS = 63,
	MAX_CYLINDERS = 16383,
	MAX_MULTIPLE = 16,
};

static void word(uint8_t *id, unsigned n, uint64_t value)
{
	store_le(id + n * 2, 2, value);
}

static void geometry(const struct ide_drive *d, uint8_t *id)
{
	uint64_t total = d->image->size / ATA_SECTOR;
	uint32_t per_cylinder = (uint32_t)d->heads * d->sectors;
	uint64_t cylinders = MIN(total / per_cylinder, (uint64_t)65535);

	word(id, 1, MIN(total / (NATIVE_HEADS * NATIVE_SECTORS), (uint64_t)MAX_CYLINDERS));
	word(id, 3, NATIVE_HEADS);
	word(id, 6, NATIVE_SECTORS);
	word(id, 53, 7); /* words 54-58, 64-70 and 88 are valid */
	word(id, 54, cylinders);
	word(id, 55, d->heads);
	word(id, 56, d->sectors);
	store_le(id + 57 * 2, 4, cylinders * per_cylinder);
	store_le(id + 60 * 2, 4, MIN(total, BIT(28) - 1));
	store_le(id + 100 * 2, 8, total);
}

void ata_identify(struct ide_drive *d)
{
	uint8_t *id = d->buf;
	char serial[21];

	memset(id, 0, ATA_SECTOR);
	word(id, 0, 0x0040); /* fixed disk */
	snprintf(serial, sizeof(serial), "GN%05u", d->unit + 1);
	ide_identify_text(id, 10, 10, serial);
	ide_identify_text(id, 23, 4, "1.0");
	ide_identify_text(id, 27, 20, "GNOMON HARDDISK");
	geometry(d, id);
	word(id, 47, 0x8000 | MAX_MULTIPLE);
	word(id, 48, 1);      /* data port takes doublewords */
	word(id, 49, 0x0f00); /* DMA, LBA, IORDY */
	word(id, 50, 0x4000);
	word(id, 51, 0x0200);
	word(id, 52, 0x0200);
	word(id, 59, d->multiple ? 0x0100u | d->multiple : 0);
	word(id, 63, (unsigned)d->mwdma << 8 | 0x07);
	word(id, 64, 0x0003); /* PIO modes 3 and 4 */
	for (unsigned i = 65; i <= 68; i++)
		word(id, i, 120); /* ns a cycle */
	word(id, 80, 0x0070);	  /* ATA/ATAPI-4 to -6 */
	word(id, 82, 0x4028);	  /* NOP, write cache, power management */
	word(id, 83, 0x7400);	  /* FLUSH CACHE (EXT), 48-bit addresses */
	word(id, 84, 0x4000);
	word(id, 85, 0x4008 | (d->write_cache ? 0x20 : 0));
	word(id, 86, 0x3400);
	word(id, 87, 0x4000);
	word(id, 88, (unsigned)d->udma << 8 | 0x3f);
	word(id, 93, d->unit ? 0x6000 | 0x0b00 : 0x6000 | 0x000b); /* 80-wire cable, passed diagnostics */
}
