/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATAPI CD-ROM drives: the packet protocol and reading (ATA/ATAPI-6 9.8, SFF-8020i, MMC-3). What describes drive and
 * disc: atapi_mmc.c. */
#include <stdio.h>
#include <string.h>

#include "devices/ide_internal.h"
#include "trace.h"

enum {
	BLOCK = ATAPI_BLOCK,
	RAW_BLOCK = ATAPI_RAW_BLOCK,
	RAW_HEADER = 16,
};

bool atapi_disc_present(const struct ide_drive *d)
{
	return d->image && image_present(d->image) && !d->tray_open;
}

uint32_t atapi_blocks(const struct ide_drive *d)
{
	return (uint32_t)MIN((d->image->size + BLOCK - 1) / BLOCK, (uint64_t)UINT32_MAX);
}

void atapi_reset(struct ide_drive *d)
{
	ide_signature(d);
	d->left = 0;
	d->sense_key = d->asc = d->ascq = 0;
}

void atapi_end(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
	d->phase = IDE_IDLE;
	d->left = 0;
	d->sense_key = key;
	d->asc = asc;
	d->ascq = ascq;
	d->error = key ? (uint8_t)(key << 4 | ATA_ABRT) : 0;
	d->status = ATA_DRDY | (key ? ATA_ERR : ATA_DSC);
	d->count.now = ATAPI_IO | ATAPI_COD;
	if (key)
		trace(disk, "cd: packet %02x: sense %x/%02x/%02x", d->packet[0], key, asc, ascq);
	ide_interrupt(d);
}

/* Offers the next DRQ block of what is in buf: at most what the host said it takes. */
static void offer(struct ide_drive *d)
{
	uint32_t n = MIN(d->end - d->pos, d->byte_limit);

	d->chunk_end = d->end; /* remembered while `end` marks the block */
	d->end = d->pos + n;
	d->phase = IDE_PIO_IN;
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	d->lba_mid.now = (uint8_t)n;
	d->lba_high.now = (uint8_t)(n >> 8);
	d->count.now = ATAPI_IO;
	ide_interrupt(d);
}

/* Hands over buf[0..len), by DMA or PIO. */
static void send(struct ide_drive *d, uint32_t len)
{
	d->pos = 0;
	d->end = len;
	if (d->dma) {
		d->count.now = ATAPI_IO;
		ide_dma(d, IDE_DMA_IN, len);
	} else {
		offer(d);
	}
}

void atapi_reply(struct ide_drive *d, uint32_t len, uint32_t max)
{
	d->left = 0;
	len = MIN(len, max);
	if (len)
		send(d, len);
	else
		atapi_end(d, SENSE_NONE, 0, 0);
}

static uint8_t bcd(uint32_t n)
{
	return (uint8_t)((n / 10 % 10) << 4 | n % 10);
}

/* Surrounds a block of user data at p + RAW_HEADER with sync pattern and header; EDC and ECC stay zero. */
static void raw_frame(uint8_t *p, uint32_t lba)
{
	uint32_t msf = lba + 150; /* two seconds of lead-in */

	memset(p, 0xff, 12);
	p[0] = p[11] = 0;
	p[12] = bcd(msf / 75 / 60);
	p[13] = bcd(msf / 75 % 60);
	p[14] = bcd(msf % 75);
	p[15] = 1; /* mode 1 */
	memset(p + RAW_HEADER + BLOCK, 0, RAW_BLOCK - RAW_HEADER - BLOCK);
}

/* Reads as many of the blocks that are left as suit the buffer and the host's limit, into buf. */
static bool fill(struct ide_drive *d, uint32_t *len)
{
	uint32_t fit = IDE_BUFFER / d->block;
	uint32_t n;
	bool bad = !atapi_disc_present(d);

	if (!d->dma)
		fit = MAX(1u, MIN(fit, d->byte_limit / d->block));
	n = MIN(d->left, fit);
	if (!bad && d->block == BLOCK)
		bad = image_read(d->image, d->lba * BLOCK, d->buf, (size_t)n * BLOCK);
	for (uint32_t i = 0; !bad && d->block == RAW_BLOCK && i < n; i++) {
		uint8_t *p = d->buf + i * RAW_BLOCK;
		raw_frame(p, (uint32_t)d->lba + i);
		bad = image_read(d->image, (d->lba + i) * BLOCK, p + RAW_HEADER, BLOCK);
	}
	if (bad) {
		atapi_end(d, SENSE_MEDIUM_ERROR, ASC_UNRECOVERED_READ, 0);
		return false;
	}
	d->lba += n;
	d->left -= n;
	*len = n * d->block;
	return true;
}

void atapi_next(struct ide_drive *d)
{
	uint32_t len;

	if (d->phase == IDE_PACKET) {
		memcpy(d->packet, d->buf, sizeof(d->packet));
		atapi_packet(d);
		return;
	}
	if (!d->byte_limit) { /* IDENTIFY data: no packet command to end */
		d->phase = IDE_IDLE;
		d->status = ATA_DRDY | ATA_DSC;
		return;
	}
	if (d->phase == IDE_PIO_IN && d->end < d->chunk_end) {
		d->end = d->chunk_end;
		offer(d);
		return;
	}
	if (!d->left) {
		atapi_end(d, SENSE_NONE, 0, 0);
		return;
	}
	if (!fill(d, &len))
		return;
	if (d->dma)
		ide_pio(d, IDE_DMA_IN, len);
	else
		send(d, len);
}

void atapi_read(struct ide_drive *d, uint32_t lba, uint32_t count, uint32_t block)
{
	uint32_t total = atapi_blocks(d), len;

	if (lba > total || count > total - lba) {
		atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
		return;
	}
	if (!count) {
		atapi_end(d, SENSE_NONE, 0, 0);
		return;
	}
	d->lba = lba;
	d->left = count;
	d->block = block;
	if (fill(d, &len))
		send(d, len);
}

static void identify(struct ide_drive *d)
{
	uint8_t *id = d->buf;
	char serial[21];

	memset(id, 0, ATA_SECTOR);
	store_le(id, 2, 0x85c0); /* packet device, CD-ROM, removable, DRQ within 50 us, 12-byte packets */
	snprintf(serial, sizeof(serial), "GNCD%04u", d->unit + 1);
	ide_identify_text(id, 10, 10, serial);
	ide_identify_text(id, 23, 4, "1.0");
	ide_identify_text(id, 27, 20, "GNOMON CD-ROM");
	store_le(id + 48 * 2, 2, 1);
	store_le(id + 49 * 2, 2, 0x0f00);
	store_le(id + 51 * 2, 2, 0x0200);
	store_le(id + 52 * 2, 2, 0x0200);
	store_le(id + 53 * 2, 2, 7);
	store_le(id + 63 * 2, 2, (unsigned)d->mwdma << 8 | 0x07);
	store_le(id + 64 * 2, 2, 3);
	for (unsigned i = 65; i <= 68; i++)
		store_le(id + i * 2, 2, 120);
	store_le(id + 80 * 2, 2, 0x0070);
	store_le(id + 82 * 2, 2, 0x4210); /* NOP, DEVICE RESET, PACKET */
	store_le(id + 83 * 2, 2, 0x4000);
	store_le(id + 84 * 2, 2, 0x4000);
	store_le(id + 85 * 2, 2, 0x4210);
	store_le(id + 87 * 2, 2, 0x4000);
	store_le(id + 88 * 2, 2, (unsigned)d->udma << 8 | 0x3f);
	d->byte_limit = 0;
	ide_pio(d, IDE_PIO_IN, ATA_SECTOR);
	ide_interrupt(d);
}

static void start_packet(struct ide_drive *d)
{
	uint32_t limit = (uint32_t)d->lba_high.now << 8 | d->lba_mid.now;

	d->dma = d->feature.now & 1;
	if (d->feature.now & ~5) { /* overlap is not supported; bit 2 is the direction of DMA */
		ide_end(d, ATA_ABRT);
		return;
	}
	/* Even, so that only the last block may be odd; 0 and ffff mean the most (SFF-8020i 5.1). */
	if (!limit || limit == 0xffff)
		limit = 0xfffe;
	d->byte_limit = MAX(2u, limit & ~1u);
	d->left = 0;
	ide_pio(d, IDE_PACKET, IDE_PACKET_LEN);
	d->count.now = ATAPI_COD;
}

void atapi_command(struct ide_drive *d, uint8_t command)
{
	switch (command) {
	case CMD_PACKET:
		start_packet(d);
		break;
	case CMD_IDENTIFY_PACKET:
		identify(d);
		break;
	case CMD_DEVICE_RESET:
		atapi_reset(d);
		break;
	case CMD_IDENTIFY: /* refuses, and shows what it is */
	case CMD_READ_SECTORS:
		ide_signature(d);
		ide_end(d, ATA_ABRT);
		break;
	case CMD_SET_FEATURES:
		ide_set_features(d);
		break;
	case CMD_CHECK_POWER:
		d->count.now = 0xff;
		ide_end(d, 0);
		break;
	case CMD_STANDBY_NOW:
	case CMD_IDLE_NOW:
	case CMD_SLEEP:
	case CMD_FLUSH:
		ide_end(d, 0);
		break;
	default:
		ide_end(d, ATA_ABRT);
	}
}
