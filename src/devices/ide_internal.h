/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What channel, disks and CD-ROMs share. */
#ifndef GNOMON_DEVICES_IDE_INTERNAL_H
#define GNOMON_DEVICES_IDE_INTERNAL_H

#include "devices/ide.h"

/* clang-format off */
enum { /* status */
	ATA_ERR  = 0x01, /* CHK for packet commands */
	ATA_DRQ  = 0x08,
	ATA_DSC  = 0x10,
	ATA_DF   = 0x20,
	ATA_DRDY = 0x40,
	ATA_BSY  = 0x80,
};

enum { /* error */
	ATA_ABRT = 0x04,
	ATA_IDNF = 0x10,
	ATA_UNC  = 0x40,
	ATA_DIAGNOSTIC_OK = 0x01,
};

enum { /* device */
	ATA_HEAD = 0x0f,
	ATA_DEV  = 0x10,
	ATA_LBA  = 0x40,
	ATA_DEVICE_ONES = 0xa0,
};

enum { /* device control */
	ATA_NIEN = 0x02,
	ATA_SRST = 0x04,
	ATA_HOB  = 0x80,
};

enum { /* interrupt reason (sector count of packet commands) */
	ATAPI_COD = 0x01,
	ATAPI_IO  = 0x02,
};

enum { /* commands, ATA/ATAPI-6 table 12 */
	CMD_NOP                = 0x00,
	CMD_DEVICE_RESET       = 0x08,
	CMD_RECALIBRATE        = 0x10, /* .. 1f, ATA-3 */
	CMD_READ_SECTORS       = 0x20,
	CMD_READ_SECTORS_NR    = 0x21, /* without retries, ATA-3 */
	CMD_READ_SECTORS_EXT   = 0x24,
	CMD_READ_DMA_EXT       = 0x25,
	CMD_READ_NATIVE_EXT    = 0x27,
	CMD_READ_MULTIPLE_EXT  = 0x29,
	CMD_WRITE_SECTORS      = 0x30,
	CMD_WRITE_SECTORS_NR   = 0x31,
	CMD_WRITE_SECTORS_EXT  = 0x34,
	CMD_WRITE_DMA_EXT      = 0x35,
	CMD_WRITE_MULTIPLE_EXT = 0x39,
	CMD_WRITE_DMA_FUA_EXT  = 0x3d,
	CMD_VERIFY             = 0x40,
	CMD_VERIFY_NR          = 0x41,
	CMD_VERIFY_EXT         = 0x42,
	CMD_SEEK               = 0x70,
	CMD_DIAGNOSTIC         = 0x90,
	CMD_INIT_PARAMETERS    = 0x91,
	CMD_PACKET             = 0xa0,
	CMD_IDENTIFY_PACKET    = 0xa1,
	CMD_READ_MULTIPLE      = 0xc4,
	CMD_WRITE_MULTIPLE     = 0xc5,
	CMD_SET_MULTIPLE       = 0xc6,
	CMD_READ_DMA           = 0xc8,
	CMD_READ_DMA_NR        = 0xc9,
	CMD_WRITE_DMA          = 0xca,
	CMD_WRITE_DMA_NR       = 0xcb,
	CMD_WRITE_MULT_FUA_EXT = 0xce,
	CMD_STANDBY_NOW        = 0xe0,
	CMD_IDLE_NOW           = 0xe1,
	CMD_STANDBY            = 0xe2,
	CMD_IDLE               = 0xe3,
	CMD_CHECK_POWER        = 0xe5,
	CMD_SLEEP              = 0xe6,
	CMD_FLUSH              = 0xe7,
	CMD_FLUSH_EXT          = 0xea,
	CMD_IDENTIFY           = 0xec,
	CMD_SET_FEATURES       = 0xef,
	CMD_READ_NATIVE        = 0xf8,
};
/* clang-format on */

enum {
	ATA_SECTOR = 512,
	ATAPI_BLOCK = 2048,
	ATAPI_RAW_BLOCK = 2352, /* 12 sync, 4 header, 2048 data, 288 EDC and ECC */
};

/* --- ide.c --- */

/* Raises INTRQ of the drive. */
void ide_interrupt(struct ide_drive *d);
/* A command ends: task file status and error (0: none), INTRQ. */
void ide_end(struct ide_drive *d, uint8_t error);
/* buf[0..len) is ready for the host to read, or waits to be filled. */
void ide_pio(struct ide_drive *d, enum ide_phase phase, uint32_t len);
/* The drive waits for the bus master with len bytes of buf ready (in) or wanted (out). */
void ide_dma(struct ide_drive *d, enum ide_phase phase, uint32_t len);
/* Reset values of the task file: the signature that tells disks from packet devices. */
void ide_signature(struct ide_drive *d);
/* Copies text into IDENTIFY words: two characters a word, swapped, padded with blanks. */
void ide_identify_text(uint8_t *identify, unsigned word, unsigned words, const char *text);
/* SET FEATURES, for both kinds. */
void ide_set_features(struct ide_drive *d);

/* --- ata.c --- */
void ata_reset(struct ide_drive *d);
void ata_command(struct ide_drive *d, uint8_t command);
/* A PIO or DMA buffer was emptied or filled. */
void ata_next(struct ide_drive *d);

/* --- ata_identify.c --- */
void ata_identify(struct ide_drive *d);

/* --- atapi.c --- */
void atapi_reset(struct ide_drive *d);
void atapi_command(struct ide_drive *d, uint8_t command);
void atapi_next(struct ide_drive *d);
bool atapi_disc_present(const struct ide_drive *d);
uint32_t atapi_blocks(const struct ide_drive *d); /* of 2048 bytes */
/* Ends the packet command. key 0: success. */
void atapi_end(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq);
/* Sends `len` bytes of buf, at most `max` of them. */
void atapi_reply(struct ide_drive *d, uint32_t len, uint32_t max);

/* Reads blocks of the disc and sends them; block: ATAPI_BLOCK or ATAPI_RAW_BLOCK. */
void atapi_read(struct ide_drive *d, uint32_t lba, uint32_t count, uint32_t block);

/* --- atapi_packet.c: carries out d->packet --- */
void atapi_packet(struct ide_drive *d);

/* --- atapi_mmc.c: commands that describe drive and disc; each ends or replies. false: not one of them --- */
bool atapi_mmc_command(struct ide_drive *d, const uint8_t *packet);

/* clang-format off */
enum { /* sense keys and additional sense codes, SPC-3 and MMC-3 annex A */
	SENSE_NONE            = 0,
	SENSE_NOT_READY       = 2,
	SENSE_MEDIUM_ERROR    = 3,
	SENSE_ILLEGAL_REQUEST = 5,
	SENSE_UNIT_ATTENTION  = 6,
	ASC_UNRECOVERED_READ  = 0x11,
	ASC_INVALID_OPCODE    = 0x20,
	ASC_LBA_OUT_OF_RANGE  = 0x21,
	ASC_INVALID_FIELD     = 0x24,
	ASC_MEDIUM_CHANGED    = 0x28,
	ASC_SAVING_UNSUPPORTED = 0x39,
	ASC_NO_MEDIUM         = 0x3a,
	ASC_REMOVAL_PREVENTED = 0x53,
	ASC_ILLEGAL_MODE      = 0x64,
};
/* clang-format on */

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static inline void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v);
}

#endif
