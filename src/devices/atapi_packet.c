/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packet commands of a CD-ROM drive: state, sense and reading (SPC-3, MMC-3). What describes drive and disc:
 * atapi_mmc.c. */
#include <string.h>

#include "devices/ide_internal.h"
#include "trace.h"

enum {
	OP_TEST_UNIT_READY = 0x00,
	OP_REQUEST_SENSE = 0x03,
	OP_INQUIRY = 0x12,
	OP_START_STOP = 0x1b,
	OP_PREVENT_REMOVAL = 0x1e,
	OP_READ_CAPACITY = 0x25,
	OP_READ_10 = 0x28,
	OP_SEEK = 0x2b,
	OP_SYNCHRONIZE_CACHE = 0x35,
	OP_GET_CONFIGURATION = 0x46,
	OP_GET_EVENT_STATUS = 0x4a,
	OP_READ_12 = 0xa8,
	OP_READ_CD_MSF = 0xb9,
	OP_SET_SPEED = 0xbb,
	OP_READ_CD = 0xbe,
};

/* READ CD and READ CD MSF: byte 9 says which parts of a sector are wanted; all or the user data are given. */
static void read_cd(struct ide_drive *d, uint32_t lba, uint32_t count)
{
	switch (d->packet[9] & 0xf8) {
	case 0x00:
		atapi_end(d, SENSE_NONE, 0, 0);
		break;
	case 0x10:
		atapi_read(d, lba, count, ATAPI_BLOCK);
		break;
	case 0xf8:
		atapi_read(d, lba, count, ATAPI_RAW_BLOCK);
		break;
	default:
		atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
	}
}

static uint32_t msf_to_lba(const uint8_t *p)
{
	uint32_t frames = (p[0] * 60u + p[1]) * 75u + p[2];
	return frames >= 150 ? frames - 150 : UINT32_MAX;
}

static void read_cd_msf(struct ide_drive *d)
{
	uint32_t from = msf_to_lba(d->packet + 3), to = msf_to_lba(d->packet + 6);

	if (to < from || to == UINT32_MAX)
		atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
	else
		read_cd(d, from, to - from);
}

static void request_sense(struct ide_drive *d)
{
	uint8_t *b = d->buf;
	uint8_t max = d->packet[4];

	if (d->attention && !d->sense_key) {
		d->attention = false;
		d->sense_key = SENSE_UNIT_ATTENTION;
		d->asc = ASC_MEDIUM_CHANGED;
	}
	memset(b, 0, 18);
	b[0] = 0x70;
	b[2] = d->sense_key;
	b[7] = 10; /* bytes that follow */
	b[12] = d->asc;
	b[13] = d->ascq;
	atapi_reply(d, 18, max);
	d->sense_key = d->asc = d->ascq = 0;
}

static void inquiry(struct ide_drive *d)
{
	uint8_t *b = d->buf;

	memset(b, 0, 36);
	b[0] = 0x05; /* CD-ROM */
	b[1] = 0x80; /* removable */
	b[3] = 0x21; /* ATAPI, response format 1 */
	b[4] = 31;
	memcpy(b + 8, "GNOMON  ", 8);
	memcpy(b + 16, "GNOMON CD-ROM   ", 16);
	memcpy(b + 32, "1.0 ", 4);
	atapi_reply(d, 36, get_be16(d->packet + 3));
}

static void start_stop(struct ide_drive *d)
{
	bool start = d->packet[4] & 1, load_eject = d->packet[4] & 2;

	if (load_eject && !start && !d->tray_open) {
		if (d->locked) {
			atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 2);
			return;
		}
		d->tray_open = true;
		d->media_event = 3; /* removal */
		if (d->ejected)
			d->ejected(d->ejected_arg);
	} else if (load_eject && start && d->tray_open) {
		d->tray_open = false;
		if (atapi_disc_present(d)) {
			d->media_event = 2; /* new media */
			d->attention = true;
		}
	}
	atapi_end(d, SENSE_NONE, 0, 0);
}

void ide_change_disc(struct ide_drive *d, struct image *image)
{
	if (d->kind != IDE_CDROM)
		return;
	d->image = image;
	d->tray_open = false;
	d->attention = atapi_disc_present(d);
	d->media_event = d->attention ? 2 : 3;
}

static void read_capacity(struct ide_drive *d)
{
	put_be32(d->buf, atapi_blocks(d) - 1);
	put_be32(d->buf + 4, ATAPI_BLOCK);
	atapi_reply(d, 8, 8);
}

/* Commands that need a disc and move its data. */
static void disc_command(struct ide_drive *d)
{
	const uint8_t *p = d->packet;

	switch (p[0]) {
	case OP_READ_CAPACITY:
		read_capacity(d);
		break;
	case OP_READ_10:
		atapi_read(d, get_be32(p + 2), get_be16(p + 7), ATAPI_BLOCK);
		break;
	case OP_READ_12:
		atapi_read(d, get_be32(p + 2), get_be32(p + 6), ATAPI_BLOCK);
		break;
	case OP_READ_CD:
		read_cd(d, get_be32(p + 2), (uint32_t)p[6] << 16 | get_be16(p + 7));
		break;
	case OP_READ_CD_MSF:
		read_cd_msf(d);
		break;
	case OP_SEEK:
		if (get_be32(p + 2) >= atapi_blocks(d))
			atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
		else
			atapi_end(d, SENSE_NONE, 0, 0);
		break;
	default: /* TEST UNIT READY */
		atapi_end(d, SENSE_NONE, 0, 0);
	}
}

static void any_command(struct ide_drive *d)
{
	switch (d->packet[0]) {
	case OP_REQUEST_SENSE:
		request_sense(d);
		break;
	case OP_INQUIRY:
		inquiry(d);
		break;
	case OP_START_STOP:
		start_stop(d);
		break;
	case OP_PREVENT_REMOVAL:
		d->locked = d->packet[4] & 1;
		atapi_end(d, SENSE_NONE, 0, 0);
		break;
	case OP_SYNCHRONIZE_CACHE:
	case OP_SET_SPEED:
		atapi_end(d, SENSE_NONE, 0, 0);
		break;
	case OP_TEST_UNIT_READY:
	case OP_READ_CAPACITY:
	case OP_READ_10:
	case OP_READ_12:
	case OP_READ_CD:
	case OP_READ_CD_MSF:
	case OP_SEEK:
		if (!atapi_disc_present(d))
			atapi_end(d, SENSE_NOT_READY, ASC_NO_MEDIUM, d->tray_open ? 2 : 1);
		else
			disc_command(d);
		break;
	default:
		if (!atapi_mmc_command(d, d->packet))
			atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
	}
}

void atapi_packet(struct ide_drive *d)
{
	uint8_t op = d->packet[0];

	trace(disk, "cd: packet %02x %02x %02x%02x%02x%02x %02x %02x%02x %02x limit %x%s", op, d->packet[1],
	      d->packet[2], d->packet[3], d->packet[4], d->packet[5], d->packet[6], d->packet[7], d->packet[8],
	      d->packet[9], d->byte_limit, d->dma ? " dma" : "");
	if (d->attention && op != OP_INQUIRY && op != OP_REQUEST_SENSE && op != OP_GET_CONFIGURATION &&
	    op != OP_GET_EVENT_STATUS) {
		d->attention = false;
		atapi_end(d, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0);
		return;
	}
	any_command(d);
}
