/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATA disks: commands and their data (ATA/ATAPI-6, chapters 8 and 9). */
#include <string.h>

#include "devices/ide_internal.h"
#include "trace.h"

enum { BUFFER_SECTORS = IDE_BUFFER / ATA_SECTOR };

/* How a command moves its data. */
enum {
	XFER_EXT = 1,
	XFER_WRITE = 2,
	XFER_MULTIPLE = 4,
	XFER_DMA = 8,
	XFER_VERIFY = 16, /* no data at all */
	XFER_FUA = 32,	  /* to the disk, not just its cache */
};

void ata_reset(struct ide_drive *d)
{
	ide_signature(d);
	d->left = 0;
}

static uint64_t total_sectors(const struct ide_drive *d)
{
	return d->image->size / ATA_SECTOR;
}

/* Sectors that the command's count register asks for. */
static uint32_t wanted(const struct ide_drive *d)
{
	if (!d->ext)
		return d->count.now ? d->count.now : 256;
	uint32_t n = (uint32_t)d->count.before << 8 | d->count.now;
	return n ? n : 65536;
}

/* The address in the task file as a sector number; false: there is no such sector in the current translation. */
static bool address(const struct ide_drive *d, uint64_t *lba)
{
	uint32_t low = (uint32_t)d->lba_high.now << 16 | (uint32_t)d->lba_mid.now << 8 | d->lba_low.now;

	if (d->ext) {
		uint32_t high = (uint32_t)d->lba_high.before << 16 | (uint32_t)d->lba_mid.before << 8;
		*lba = (uint64_t)(high | d->lba_low.before) << 24 | low;
		return true;
	}
	if (d->device & ATA_LBA) {
		*lba = (uint64_t)(d->device & ATA_HEAD) << 24 | low;
		return true;
	}
	if (!d->lba_low.now || d->lba_low.now > d->sectors || (d->device & ATA_HEAD) >= d->heads)
		return false;
	*lba = ((uint64_t)(low >> 8) * d->heads + (d->device & ATA_HEAD)) * d->sectors + d->lba_low.now - 1;
	return true;
}

/* Shows a sector number in the task file, in the form the command used. */
static void set_address(struct ide_drive *d, uint64_t lba)
{
	uint64_t show = lba;

	if (!d->ext && !(d->device & ATA_LBA)) {
		uint64_t track = lba / d->sectors;
		d->lba_low.now = (uint8_t)(lba % d->sectors + 1);
		d->lba_mid.now = (uint8_t)(track / d->heads);
		d->lba_high.now = (uint8_t)(track / d->heads >> 8);
		d->device = (uint8_t)((d->device & ~ATA_HEAD) | track % d->heads);
		return;
	}
	d->lba_low.now = (uint8_t)show;
	d->lba_mid.now = (uint8_t)(show >> 8);
	d->lba_high.now = (uint8_t)(show >> 16);
	if (d->ext) {
		d->lba_low.before = (uint8_t)(show >> 24);
		d->lba_mid.before = (uint8_t)(show >> 32);
		d->lba_high.before = (uint8_t)(show >> 40);
	} else {
		d->device = (uint8_t)((d->device & ~ATA_HEAD) | (show >> 24 & ATA_HEAD));
	}
}

/* Ends a transfer; `at` is the sector that failed, or the last one. */
static void finish(struct ide_drive *d, uint8_t error, uint64_t at)
{
	set_address(d, at);
	d->count.now = (uint8_t)d->left;
	d->count.before = (uint8_t)(d->left >> 8);
	ide_end(d, error);
}

/* Sectors of the next buffer: a DRQ block for PIO, as much as fits for DMA. */
static uint32_t next_block(const struct ide_drive *d)
{
	return MIN(d->left, d->block);
}

/* Reads the next sectors into buf. On an error the command is over. */
static bool fill(struct ide_drive *d, uint32_t n)
{
	if (image_read(d->image, d->lba * ATA_SECTOR, d->buf, n * ATA_SECTOR)) {
		finish(d, ATA_UNC, d->lba);
		return false;
	}
	d->lba += n;
	d->left -= n;
	return true;
}

static void next_in(struct ide_drive *d)
{
	uint32_t n = next_block(d);
	bool dma = d->phase == IDE_DMA_IN;

	if (!n) {
		if (dma) {
			finish(d, 0, d->lba - 1);
		} else {		/* the last block of a PIO read raises no interrupt (9.5) */
			if (d->block) { /* not IDENTIFY */
				set_address(d, d->lba - 1);
				d->count = (struct ide_reg){0, 0};
			}
			d->phase = IDE_IDLE;
			d->status = ATA_DRDY | ATA_DSC;
		}
		return;
	}
	if (!fill(d, n))
		return;
	ide_pio(d, d->phase, n * ATA_SECTOR);
	if (!dma)
		ide_interrupt(d);
}

static void next_out(struct ide_drive *d)
{
	uint32_t n = d->end / ATA_SECTOR;

	if (image_write(d->image, d->lba * ATA_SECTOR, d->buf, d->end)) {
		finish(d, d->image->readonly ? ATA_ABRT : ATA_IDNF, d->lba);
		return;
	}
	d->lba += n;
	d->left -= n;
	if (!d->left) {
		bool failed = d->through && image_flush(d->image);
		finish(d, failed ? ATA_ABRT : 0, d->lba - 1);
		return;
	}
	ide_pio(d, d->phase, next_block(d) * ATA_SECTOR);
	if (d->phase == IDE_PIO_OUT)
		ide_interrupt(d);
}

void ata_next(struct ide_drive *d)
{
	if (d->phase == IDE_PIO_IN || d->phase == IDE_DMA_IN)
		next_in(d);
	else
		next_out(d);
}

/* Starts READ, WRITE or VERIFY in one of its many forms. */
static void transfer(struct ide_drive *d, unsigned how)
{
	uint64_t lba;

	d->ext = how & XFER_EXT;
	d->through = (how & XFER_FUA) || !d->write_cache;
	d->left = wanted(d);
	d->block = how & XFER_DMA ? BUFFER_SECTORS : how & XFER_MULTIPLE ? d->multiple : 1;
	if (!d->block || ((how & XFER_WRITE) && d->image->readonly)) {
		ide_end(d, ATA_ABRT);
		return;
	}
	if (!address(d, &lba) || lba >= total_sectors(d) || d->left > total_sectors(d) - lba) {
		ide_end(d, ATA_IDNF);
		return;
	}
	d->lba = lba;
	if (how & XFER_VERIFY) {
		lba += d->left;
		d->left = 0;
		finish(d, 0, lba - 1);
		return;
	}
	if (how & XFER_WRITE) {
		uint32_t len = next_block(d) * ATA_SECTOR;
		if (how & XFER_DMA)
			ide_dma(d, IDE_DMA_OUT, len);
		else
			ide_pio(d, IDE_PIO_OUT, len); /* no interrupt before the first block (9.6) */
		return;
	}
	uint32_t n = next_block(d);
	if (!fill(d, n))
		return;
	if (how & XFER_DMA) {
		ide_dma(d, IDE_DMA_IN, n * ATA_SECTOR);
		return;
	}
	ide_pio(d, IDE_PIO_IN, n * ATA_SECTOR);
	ide_interrupt(d);
}

static void set_multiple(struct ide_drive *d)
{
	unsigned n = d->count.now;

	if (n > 16 || (n & (n - 1))) {
		ide_end(d, ATA_ABRT);
		return;
	}
	d->multiple = (uint8_t)n;
	ide_end(d, 0);
}

/* The highest sector number there is. */
static void native_max(struct ide_drive *d, bool ext)
{
	uint64_t last = total_sectors(d) - 1;

	d->ext = ext;
	if (!ext) {
		d->device |= ATA_LBA;
		last = MIN(last, BIT(28) - 2);
	}
	set_address(d, last);
	ide_end(d, 0);
}

static void no_data(struct ide_drive *d, uint8_t command)
{
	switch (command) {
	case CMD_SET_MULTIPLE:
		set_multiple(d);
		break;
	case CMD_INIT_PARAMETERS:
		if (!d->count.now) {
			ide_end(d, ATA_ABRT);
			break;
		}
		d->heads = (uint8_t)((d->device & ATA_HEAD) + 1);
		d->sectors = d->count.now;
		ide_end(d, 0);
		break;
	case CMD_READ_NATIVE:
	case CMD_READ_NATIVE_EXT:
		native_max(d, command == CMD_READ_NATIVE_EXT);
		break;
	case CMD_SET_FEATURES:
		ide_set_features(d);
		break;
	case CMD_CHECK_POWER:
		d->count.now = 0xff; /* active or idle */
		ide_end(d, 0);
		break;
	case CMD_FLUSH:
	case CMD_FLUSH_EXT:
	case CMD_STANDBY_NOW: /* the disk writes its cache before it spins down */
	case CMD_STANDBY:
	case CMD_SLEEP:
	case 0x94: /* the same three's old codes, ATA-3 */
	case 0x96:
	case 0x99:
		ide_end(d, image_flush(d->image) ? ATA_ABRT : 0);
		break;
	case CMD_SEEK:
	case CMD_IDLE_NOW:
	case CMD_IDLE:
	case 0x95: /* these two's */
	case 0x97:
		ide_end(d, 0);
		break;
	case 0x98:
		d->count.now = 0xff;
		ide_end(d, 0);
		break;
	default:
		if ((command & 0xf0) == CMD_RECALIBRATE) {
			ide_end(d, 0);
			break;
		}
		trace(disk, "disk %u: command %02x is not implemented", d->unit, command);
		ide_end(d, ATA_ABRT);
	}
}

void ata_command(struct ide_drive *d, uint8_t command)
{
	/* clang-format off */
	static const struct { uint8_t command, how; } transfers[] = {
		{CMD_READ_SECTORS,       0},
		{CMD_READ_SECTORS_NR,    0},
		{CMD_READ_SECTORS_EXT,   XFER_EXT},
		{CMD_READ_MULTIPLE,      XFER_MULTIPLE},
		{CMD_READ_MULTIPLE_EXT,  XFER_MULTIPLE | XFER_EXT},
		{CMD_READ_DMA,           XFER_DMA},
		{CMD_READ_DMA_NR,        XFER_DMA},
		{CMD_READ_DMA_EXT,       XFER_DMA | XFER_EXT},
		{CMD_WRITE_SECTORS,      XFER_WRITE},
		{CMD_WRITE_SECTORS_NR,   XFER_WRITE},
		{CMD_WRITE_SECTORS_EXT,  XFER_WRITE | XFER_EXT},
		{CMD_WRITE_MULTIPLE,     XFER_WRITE | XFER_MULTIPLE},
		{CMD_WRITE_MULTIPLE_EXT, XFER_WRITE | XFER_MULTIPLE | XFER_EXT},
		{CMD_WRITE_MULT_FUA_EXT, XFER_WRITE | XFER_MULTIPLE | XFER_EXT | XFER_FUA},
		{CMD_WRITE_DMA,          XFER_WRITE | XFER_DMA},
		{CMD_WRITE_DMA_NR,       XFER_WRITE | XFER_DMA},
		{CMD_WRITE_DMA_EXT,      XFER_WRITE | XFER_DMA | XFER_EXT},
		{CMD_WRITE_DMA_FUA_EXT,  XFER_WRITE | XFER_DMA | XFER_EXT | XFER_FUA},
		{CMD_VERIFY,             XFER_VERIFY},
		{CMD_VERIFY_NR,          XFER_VERIFY},
		{CMD_VERIFY_EXT,         XFER_VERIFY | XFER_EXT},
	};
	/* clang-format on */

	for (unsigned i = 0; i < ARRAY_LEN(transfers); i++) {
		if (transfers[i].command == command) {
			transfer(d, transfers[i].how);
			return;
		}
	}
	if (command == CMD_IDENTIFY) {
		ata_identify(d);
		ide_pio(d, IDE_PIO_IN, ATA_SECTOR);
		d->left = 0;
		d->block = 0;
		ide_interrupt(d);
		return;
	}
	no_data(d, command);
}
