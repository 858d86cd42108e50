/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of the 82077AA that move no data (datasheet section 5). */
#include <string.h>

#include "devices/floppy_internal.h"

enum {
	VERSION_82077 = 0x90,
	PART_ID = 0x41, /* 82078-compatible, as drivers expect of "enhanced" controllers */
	FIFO_THRESHOLD = 0x0f,
};

void fdc_default_parameters(struct fdc *fdc)
{
	fdc->configure[0] = CONFIG_EFIFO;
	fdc->configure[1] = 0;
	fdc->perpendicular = 0;
}

static void seek_done(struct fdc *fdc, unsigned unit, unsigned st0)
{
	fdc->sense_st0[unit] = (uint8_t)(st0 | unit);
	fdc->sense_pending |= (uint8_t)BIT(unit);
	fdc_result(fdc, 0);
	fdc_raise(fdc);
}

static void seek_to(struct fdc *fdc, unsigned unit, int cylinder, unsigned head)
{
	struct fdc_drive *d = fdc_unit(fdc, unit);

	if (!d) { /* no track 0 signal ever comes */
		seek_done(fdc, unit, ST0_SEEK | ST0_ABNORMAL | ST0_EC);
		return;
	}
	fdc_seek(d, (unsigned)MAX(0, MIN(cylinder, 255)));
	seek_done(fdc, unit, ST0_SEEK | (head ? ST0_HEAD : 0));
}

static void recalibrate(struct fdc *fdc)
{
	seek_to(fdc, fdc->fifo[1] & ST0_UNIT, 0, 0);
}

static void seek(struct fdc *fdc)
{
	seek_to(fdc, fdc->fifo[1] & ST0_UNIT, fdc->fifo[2], fdc->fifo[1] & ST0_HEAD);
}

static void relative_seek(struct fdc *fdc)
{
	unsigned unit = fdc->fifo[1] & ST0_UNIT;
	struct fdc_drive *d = fdc_unit(fdc, unit);
	int by = fdc->fifo[0] & 0x40 ? fdc->fifo[2] : -fdc->fifo[2];

	seek_to(fdc, unit, (d ? d->cylinder : 0) + by, fdc->fifo[1] & ST0_HEAD);
}

static void sense_interrupt(struct fdc *fdc)
{
	if (!fdc->sense_pending) {
		fdc->fifo[0] = ST0_INVALID;
		fdc_result(fdc, 1);
		return;
	}
	unsigned unit = (unsigned)__builtin_ctz(fdc->sense_pending);
	struct fdc_drive *d = fdc_unit(fdc, unit);
	fdc->sense_pending &= (uint8_t)~BIT(unit);
	fdc->fifo[0] = fdc->sense_st0[unit];
	fdc->fifo[1] = d ? d->cylinder : 0;
	fdc_lower(fdc);
	fdc_result(fdc, 2);
}

static void sense_drive(struct fdc *fdc)
{
	uint8_t which = fdc->fifo[1] & (ST0_UNIT | ST0_HEAD);
	const struct fdc_drive *d = fdc_unit(fdc, which & ST0_UNIT);
	uint8_t st3 = which | ST3_READY | ST3_TWO_SIDED;

	if (d && !d->cylinder)
		st3 |= ST3_TRACK0;
	if (d && fdc_has_disk(d) && d->image->readonly)
		st3 |= ST3_PROTECTED;
	fdc->fifo[0] = st3;
	fdc_result(fdc, 1);
}

static void specify(struct fdc *fdc)
{
	memcpy(fdc->specify, fdc->fifo + 1, 2);
	fdc_result(fdc, 0);
}

static void configure(struct fdc *fdc)
{
	memcpy(fdc->configure, fdc->fifo + 2, 2);
	fdc_result(fdc, 0);
}

static void perpendicular(struct fdc *fdc)
{
	if (fdc->fifo[1] & 0x80) /* OW: the drives' bits count */
		fdc->perpendicular = fdc->fifo[1] & 0x3f;
	else
		fdc->perpendicular = (uint8_t)((fdc->perpendicular & 0x3c) | (fdc->fifo[1] & 3));
	fdc_result(fdc, 0);
}

static void one_byte(struct fdc *fdc, uint8_t value)
{
	fdc->fifo[0] = value;
	fdc_result(fdc, 1);
}

static void version(struct fdc *fdc)
{
	one_byte(fdc, VERSION_82077);
}

static void part_id(struct fdc *fdc)
{
	one_byte(fdc, PART_ID);
}

static void lock(struct fdc *fdc)
{
	fdc->lock = fdc->fifo[0] & 0x80;
	one_byte(fdc, fdc->lock ? 0x10 : 0);
}

static void powerdown(struct fdc *fdc)
{
	one_byte(fdc, fdc->fifo[1]);
}

static void dumpreg(struct fdc *fdc)
{
	for (unsigned i = 0; i < FDC_UNITS; i++)
		fdc->fifo[i] = i < FDC_DRIVES ? fdc->drive[i].cylinder : 0;
	memcpy(fdc->fifo + 4, fdc->specify, 2);
	fdc->fifo[6] = fdc->xfer.eot;
	fdc->fifo[7] = (uint8_t)((fdc->lock ? 0x80 : 0) | fdc->perpendicular);
	memcpy(fdc->fifo + 8, fdc->configure, 2);
	fdc_result(fdc, 10);
}

static void read_id(struct fdc *fdc)
{
	unsigned which = fdc->fifo[1] & (ST0_UNIT | ST0_HEAD);
	struct fdc_drive *d = fdc_unit(fdc, which & ST0_UNIT);
	uint8_t st1 = fdc_media_error(fdc, d);

	if (!st1 && (which & ST0_HEAD) && d->geometry->heads == 1)
		st1 = ST1_MA;
	if (!st1 && d->cylinder >= d->geometry->cylinders)
		st1 = ST1_MA;
	fdc->fifo[0] = (uint8_t)(which | (st1 ? ST0_ABNORMAL : 0));
	fdc->fifo[1] = st1;
	fdc->fifo[2] = 0;
	fdc->fifo[3] = d ? d->cylinder : 0;
	fdc->fifo[4] = which & ST0_HEAD ? 1 : 0;
	fdc->fifo[5] = 1;
	fdc->fifo[6] = 2;
	fdc_result(fdc, 7);
	fdc_raise(fdc);
}

struct command {
	uint8_t code, mask; /* opcode & mask == code */
	uint8_t len;	    /* bytes, the opcode included */
	void (*run)(struct fdc *fdc);
};

static const struct command *find(uint8_t opcode)
{
	/* clang-format off */
	static const struct command commands[] = {
		{0x06, 0x1f, 9, fdc_start_transfer}, /* READ DATA */
		{0x0c, 0x1f, 9, fdc_start_transfer}, /* READ DELETED DATA */
		{0x05, 0x3f, 9, fdc_start_transfer}, /* WRITE DATA */
		{0x09, 0x3f, 9, fdc_start_transfer}, /* WRITE DELETED DATA */
		{0x02, 0xbf, 9, fdc_start_transfer}, /* READ TRACK */
		{0x16, 0x1f, 9, fdc_start_transfer}, /* VERIFY */
		{0x0d, 0xbf, 6, fdc_start_format},   /* FORMAT TRACK */
		{0x0a, 0xbf, 2, read_id},
		{0x07, 0xff, 2, recalibrate},
		{0x08, 0xff, 1, sense_interrupt},
		{0x03, 0xff, 3, specify},
		{0x04, 0xff, 2, sense_drive},
		{0x0f, 0xff, 3, seek},
		{0x8f, 0xbf, 3, relative_seek},
		{0x0e, 0xff, 1, dumpreg},
		{0x10, 0xff, 1, version},
		{0x12, 0xff, 2, perpendicular},
		{0x13, 0xff, 4, configure},
		{0x14, 0x7f, 1, lock},
		{0x17, 0xff, 2, powerdown},
		{0x18, 0xff, 1, part_id},
	};
	/* clang-format on */

	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		if ((opcode & commands[i].mask) == commands[i].code)
			return &commands[i];
	return NULL;
}

unsigned fdc_command_len(uint8_t opcode)
{
	const struct command *c = find(opcode);
	return c ? c->len : 0;
}

void fdc_execute(struct fdc *fdc)
{
	find(fdc->fifo[0])->run(fdc);
}
