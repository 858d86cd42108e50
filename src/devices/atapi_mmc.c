/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a CD-ROM drive tells of itself and of its disc: one data track (MMC-3, T10/1363-D). */
#include <string.h>

#include "devices/ide_internal.h"

enum {
	OP_READ_SUBCHANNEL = 0x42,
	OP_READ_TOC = 0x43,
	OP_GET_CONFIGURATION = 0x46,
	OP_GET_EVENT_STATUS = 0x4a,
	OP_READ_DISC_INFO = 0x51,
	OP_MODE_SENSE = 0x5a,
	OP_MECHANISM_STATUS = 0xbd,
};

enum {
	LEAD_OUT = 0xaa,
	DATA_TRACK = 0x14, /* ADR 1, control 4 */
	CD_MAX_BLOCKS = 80 * 60 * 75,
	PROFILE_CD_ROM = 0x08,
	PROFILE_DVD_ROM = 0x10,
};

static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
	if (!msf) {
		put_be32(p, lba);
		return;
	}
	lba += 150;
	p[0] = 0;
	p[1] = (uint8_t)(lba / 75 / 60);
	p[2] = (uint8_t)(lba / 75 % 60);
	p[3] = (uint8_t)(lba % 75);
}

static uint8_t *track(uint8_t *p, uint8_t number, uint32_t lba, bool msf)
{
	p[0] = 0;
	p[1] = DATA_TRACK;
	p[2] = number;
	p[3] = 0;
	put_address(p + 4, lba, msf);
	return p + 8;
}

/* Format 2: every Q sub-channel entry of the lead-in. */
static uint8_t *raw_toc(uint8_t *p, uint32_t blocks)
{
	static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 1};

	for (unsigned i = 0; i < sizeof(points); i++, p += 11) {
		memset(p, 0, 11);
		p[0] = 1; /* session */
		p[1] = DATA_TRACK;
		p[3] = points[i];
		if (points[i] == 0xa0 || points[i] == 0xa1)
			p[8] = 1; /* first and last track */
		else
			put_address(p + 7, points[i] == 1 ? 0 : blocks, true);
	}
	return p;
}

static void read_toc(struct ide_drive *d, const uint8_t *packet)
{
	uint8_t *b = d->buf, *end = b + 4;
	bool msf = packet[1] & 2;
	unsigned format = packet[2] & 0x0f ? packet[2] & 0x0f : packet[9] >> 6;
	uint8_t first = packet[6];
	bool bad = false;

	switch (format) {
	case 0:
		bad = first > 1 && first != LEAD_OUT;
		if (first <= 1)
			end = track(end, 1, 0, msf);
		end = track(end, LEAD_OUT, atapi_blocks(d), msf);
		break;
	case 1: /* sessions */
		end = track(end, 1, 0, msf);
		break;
	case 2:
		end = raw_toc(end, atapi_blocks(d));
		break;
	default:
		bad = true;
	}
	if (bad) {
		atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
		return;
	}
	put_be16(b, (uint32_t)(end - b) - 2);
	b[2] = b[3] = 1;
	atapi_reply(d, (uint32_t)(end - b), get_be16(packet + 7));
}

static uint16_t profile(const struct ide_drive *d)
{
	if (!atapi_disc_present(d))
		return 0;
	return atapi_blocks(d) > CD_MAX_BLOCKS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

static void get_configuration(struct ide_drive *d, const uint8_t *packet)
{
	uint16_t now = profile(d);
	uint8_t is_dvd = now == PROFILE_DVD_ROM, is_cd = now == PROFILE_CD_ROM;
	/* Feature code, version and flags (bit 0: current), length of what follows. */
	const uint8_t features[][12] = {
	    {0, 0x00, 0x03, 8, 0, PROFILE_DVD_ROM, is_dvd, 0, 0, PROFILE_CD_ROM, is_cd, 0},
	    {0, 0x01, 0x07, 4, 0, 0, 0, 2},    /* core: ATAPI */
	    {0, 0x03, 0x03, 4, 0x29, 0, 0, 0}, /* removable medium: tray, eject, lock */
	    {0, 0x1e, is_cd, 4, 0, 0, 0, 0},   /* CD read */
	    {0, 0x1f, is_dvd, 0},	       /* DVD read */
	};
	uint8_t *b = d->buf, *p = b + 8;
	unsigned wanted = packet[1] & 3, from = get_be16(packet + 2);

	for (unsigned i = 0; i < ARRAY_LEN(features); i++) {
		const uint8_t *f = features[i];
		unsigned code = get_be16(f);
		if (code < from || (wanted == 2 && code != from) || (wanted == 1 && !(f[2] & 1)))
			continue;
		memcpy(p, f, 4u + f[3]);
		p += 4 + f[3];
	}
	memset(b, 0, 8);
	put_be32(b, (uint32_t)(p - b) - 4);
	put_be16(b + 6, now);
	atapi_reply(d, (uint32_t)(p - b), get_be16(packet + 7));
}

static void get_event_status(struct ide_drive *d, const uint8_t *packet)
{
	enum { CLASS_MEDIA = 4, NO_EVENT_AVAILABLE = 0x80 };
	uint8_t *b = d->buf;
	bool media = packet[4] & BIT(CLASS_MEDIA);

	if (!(packet[1] & 1)) { /* waiting for an event is not supported */
		atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
		return;
	}
	memset(b, 0, 8);
	b[3] = BIT(CLASS_MEDIA);
	if (media) {
		b[1] = 6;
		b[2] = CLASS_MEDIA;
		b[4] = d->media_event;
		b[5] = (uint8_t)((atapi_disc_present(d) ? 2 : 0) | (d->tray_open ? 1 : 0));
		d->media_event = 0;
	} else {
		b[1] = 2;
		b[2] = NO_EVENT_AVAILABLE;
	}
	atapi_reply(d, media ? 8 : 4, get_be16(packet + 7));
}

static void read_disc_info(struct ide_drive *d, const uint8_t *packet)
{
	uint8_t *b = d->buf;

	memset(b, 0, 34);
	b[1] = 32;
	b[2] = 0x0e; /* last session complete, disc complete */
	b[3] = b[4] = b[5] = b[6] = 1;
	b[7] = 0x20; /* unrestricted use */
	atapi_reply(d, 34, get_be16(packet + 7));
}

static uint8_t *error_page(uint8_t *p)
{
	memset(p, 0, 8);
	p[0] = 0x01;
	p[1] = 6;
	p[3] = 5; /* retries */
	return p + 8;
}

static uint8_t *capabilities_page(const struct ide_drive *d, uint8_t *p)
{
	memset(p, 0, 20);
	p[0] = 0x2a;
	p[1] = 18;
	p[2] = 0x3b; /* reads CD-R, CD-RW, DVD */
	p[4] = 0x71; /* multi-session, mode 2; audio play, by which some hosts tell a CD drive */
	p[5] = 0x60;
	p[6] = (uint8_t)(0x29 | (d->locked ? 2 : 0)); /* tray, eject, lock */
	put_be16(p + 8, 706 * 4);		      /* KB/s: sixteenfold */
	put_be16(p + 10, 2);
	put_be16(p + 12, 512); /* buffer, KB */
	put_be16(p + 14, 706 * 4);
	return p + 20;
}

static void mode_sense(struct ide_drive *d, const uint8_t *packet)
{
	uint8_t *b = d->buf, *p = b + 8;
	unsigned page = packet[2] & 0x3f;

	if (packet[2] >> 6 == 3) {
		atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_SAVING_UNSUPPORTED, 0);
		return;
	}
	if (page == 0x01 || page == 0x3f)
		p = error_page(p);
	if (page == 0x2a || page == 0x3f)
		p = capabilities_page(d, p);
	if (p == b + 8) {
		atapi_end(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
		return;
	}
	memset(b, 0, 8);
	put_be16(b, (uint32_t)(p - b) - 2);
	b[2] = atapi_disc_present(d) ? 0x01 : 0x70; /* 120 mm data disc; none */
	atapi_reply(d, (uint32_t)(p - b), get_be16(packet + 7));
}

static void mechanism_status(struct ide_drive *d, const uint8_t *packet)
{
	memset(d->buf, 0, 8);
	d->buf[1] = d->tray_open ? 0x10 : 0;
	atapi_reply(d, 8, get_be16(packet + 8));
}

static void read_subchannel(struct ide_drive *d, const uint8_t *packet)
{
	memset(d->buf, 0, 4);
	d->buf[1] = 0x15; /* no audio status */
	atapi_reply(d, 4, get_be16(packet + 7));
}

bool atapi_mmc_command(struct ide_drive *d, const uint8_t *packet)
{
	/* clang-format off */
	static const struct {
		uint8_t op;
		bool needs_disc;
		void (*run)(struct ide_drive *d, const uint8_t *packet);
	} commands[] = {
		{OP_READ_SUBCHANNEL,   true,  read_subchannel},
		{OP_READ_TOC,          true,  read_toc},
		{OP_GET_CONFIGURATION, false, get_configuration},
		{OP_GET_EVENT_STATUS,  false, get_event_status},
		{OP_READ_DISC_INFO,    true,  read_disc_info},
		{OP_MODE_SENSE,        false, mode_sense},
		{OP_MECHANISM_STATUS,  false, mechanism_status},
	};
	/* clang-format on */

	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		if (commands[i].op != packet[0])
			continue;
		if (commands[i].needs_disc && !atapi_disc_present(d))
			atapi_end(d, SENSE_NOT_READY, ASC_NO_MEDIUM, d->tray_open ? 2 : 1);
		else
			commands[i].run(d, packet);
		return true;
	}
	return false;
}
