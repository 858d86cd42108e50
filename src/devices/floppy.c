/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/floppy.h"

#include <string.h>

#include "devices/floppy_internal.h"
#include "trace.h"

enum { /* offsets from 3f0 */
       REG_SRA,
       REG_SRB,
       REG_DOR,
       REG_TDR,
       REG_MSR, /* write: data rate select */
       REG_FIFO,
       REG_DIR = 7, /* write: configuration control */
};

enum {
	DSR_RESET = 0x80,
	RATE_MASK = 0x03,
	DIR_CHANGED = 0x80,
};

/* clang-format off */
static const struct fdc_geometry geometries[] = {
	/* bytes     cyl heads sect rate */
	{2880 * 1024, 80, 2, 36, 3, FDC_TYPE_2880K},
	{1722 * 1024, 82, 2, 21, 0, FDC_TYPE_1440K}, /* 82 * 2 * 21 sectors */
	{1680 * 1024, 80, 2, 21, 0, FDC_TYPE_1440K},
	{1440 * 1024, 80, 2, 18, 0, FDC_TYPE_1440K},
	{1200 * 1024, 80, 2, 15, 0, FDC_TYPE_1200K},
	{ 720 * 1024, 80, 2,  9, 2, FDC_TYPE_720K},
	{ 360 * 1024, 40, 2,  9, 2, FDC_TYPE_360K},
	{ 320 * 1024, 40, 2,  8, 2, FDC_TYPE_360K},
	{ 180 * 1024, 40, 1,  9, 2, FDC_TYPE_360K},
	{ 160 * 1024, 40, 1,  8, 2, FDC_TYPE_360K},
};
/* clang-format on */

static const struct fdc_geometry *geometry_of(const struct image *image)
{
	const struct fdc_geometry *usual = NULL, *largest = &geometries[0];

	for (unsigned i = 0; i < ARRAY_LEN(geometries); i++) {
		if (geometries[i].size == image->size)
			return &geometries[i];
		if (geometries[i].size == 1440 * 1024)
			usual = &geometries[i];
	}
	return image->size <= usual->size ? usual : largest;
}

bool fdc_has_disk(const struct fdc_drive *d)
{
	return d->image && image_present(d->image);
}

struct fdc_drive *fdc_unit(struct fdc *fdc, unsigned unit)
{
	return unit < FDC_DRIVES && fdc->drive[unit].type != FDC_TYPE_NONE ? &fdc->drive[unit] : NULL;
}

void fdc_seek(struct fdc_drive *d, unsigned cylinder)
{
	if (cylinder != d->cylinder && fdc_has_disk(d))
		d->changed = false;
	d->cylinder = (uint8_t)cylinder;
}

static void update_irq(struct fdc *fdc)
{
	irq_set(&fdc->irq, fdc->intr && (fdc->dor & DOR_GATE));
}

void fdc_raise(struct fdc *fdc)
{
	fdc->intr = true;
	update_irq(fdc);
}

void fdc_lower(struct fdc *fdc)
{
	fdc->intr = false;
	update_irq(fdc);
}

void fdc_result(struct fdc *fdc, unsigned len)
{
	fdc->phase = len ? FDC_RESULT : FDC_COMMAND;
	fdc->pos = 0;
	fdc->len = (uint8_t)len;
}

/* What DOR and DSR resets have in common. */
static void soft_reset(struct fdc *fdc)
{
	fdc_result(fdc, 0);
	fdc->sense_pending = 0;
	fdc_lower(fdc);
	if (!fdc->lock)
		fdc_default_parameters(fdc);
}

/* Out of reset: the controller polls its drives, and each one's ready line has "changed" (82077AA 4.1.2, 5.2.4). */
static void leave_reset(struct fdc *fdc)
{
	if (fdc->configure[0] & CONFIG_POLL)
		return;
	for (unsigned i = 0; i < FDC_UNITS; i++)
		fdc->sense_st0[i] = (uint8_t)(ST0_POLLED | i);
	fdc->sense_pending = BIT(FDC_UNITS) - 1;
	fdc_raise(fdc);
}

static void write_dor(struct fdc *fdc, uint8_t value)
{
	uint8_t old = fdc->dor;

	fdc->dor = value;
	if ((old & DOR_RESET) && !(value & DOR_RESET))
		soft_reset(fdc);
	else if (!(old & DOR_RESET) && (value & DOR_RESET))
		leave_reset(fdc);
	update_irq(fdc);
}

static uint8_t read_msr(const struct fdc *fdc)
{
	if (!(fdc->dor & DOR_RESET))
		return 0;
	switch (fdc->phase) {
	case FDC_DATA_IN:
		return MSR_RQM | MSR_DIO | MSR_NDMA | MSR_BUSY;
	case FDC_DATA_OUT:
		return MSR_RQM | MSR_NDMA | MSR_BUSY;
	case FDC_DMA_WAIT:
		return MSR_BUSY;
	case FDC_RESULT:
		return MSR_RQM | MSR_DIO | MSR_BUSY;
	default:
		return MSR_RQM | (fdc->pos ? MSR_BUSY : 0);
	}
}

static uint8_t read_fifo(struct fdc *fdc)
{
	uint8_t value;

	if (fdc->phase == FDC_DATA_IN) {
		value = fdc->buf[fdc->data_pos++];
		if (fdc->data_pos == fdc->data_len)
			fdc_data_done(fdc);
		return value;
	}
	if (fdc->phase != FDC_RESULT)
		return 0;
	fdc_lower(fdc);
	value = fdc->fifo[fdc->pos++];
	if (fdc->pos == fdc->len)
		fdc_result(fdc, 0);
	return value;
}

static void write_fifo(struct fdc *fdc, uint8_t value)
{
	if (fdc->phase == FDC_DATA_OUT) {
		fdc->buf[fdc->data_pos++] = value;
		if (fdc->data_pos == fdc->data_len)
			fdc_data_done(fdc);
		return;
	}
	if (fdc->phase != FDC_COMMAND || !(fdc->dor & DOR_RESET))
		return;
	if (!fdc->pos) {
		fdc->len = (uint8_t)fdc_command_len(value);
		if (!fdc->len) {
			trace(disk, "floppy: command %02x is not implemented", value);
			fdc->fifo[0] = ST0_INVALID;
			fdc_result(fdc, 1);
			return;
		}
	}
	fdc->fifo[fdc->pos++] = value;
	if (fdc->pos < fdc->len)
		return;
	trace(disk, "floppy: command %02x %02x %02x %02x %02x", fdc->fifo[0], fdc->fifo[1], fdc->fifo[2], fdc->fifo[3],
	      fdc->fifo[4]);
	fdc->pos = 0;
	fdc_execute(fdc);
}

static uint8_t read_dir(struct fdc *fdc)
{
	unsigned unit = fdc->dor & DOR_DRIVE;
	const struct fdc_drive *d = fdc_unit(fdc, unit);
	bool motor = fdc->dor & DOR_MOTOR << unit;

	return d && motor && (d->changed || !fdc_has_disk(d)) ? DIR_CHANGED : 0;
}

uint64_t fdc_read(void *dev, uint64_t offset, unsigned size)
{
	struct fdc *fdc = dev;

	switch (offset) {
	case REG_SRA:
		return fdc->intr ? 0x80 : 0;
	case REG_SRB:
		return 0xc0;
	case REG_DOR:
		return fdc->dor;
	case REG_TDR:
		return fdc->tdr;
	case REG_MSR:
		return read_msr(fdc);
	case REG_FIFO:
		return read_fifo(fdc);
	case REG_DIR:
		return read_dir(fdc);
	default:
		return 0xff;
	}
}

void fdc_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct fdc *fdc = dev;

	switch (offset) {
	case REG_DOR:
		write_dor(fdc, (uint8_t)value);
		break;
	case REG_TDR:
		fdc->tdr = value & 3;
		break;
	case REG_MSR:
		fdc->dsr = (uint8_t)value & (uint8_t)~DSR_RESET;
		if ((value & DSR_RESET) && (fdc->dor & DOR_RESET)) {
			soft_reset(fdc);
			leave_reset(fdc);
		}
		break;
	case REG_FIFO:
		write_fifo(fdc, (uint8_t)value);
		break;
	case REG_DIR:
		fdc->dsr = (uint8_t)((fdc->dsr & ~RATE_MASK) | (value & RATE_MASK));
		break;
	}
}

const struct io_ops fdc_ops = {
    .name = "floppy",
    .read = fdc_read,
    .write = fdc_write,
    .widths = IO_8,
};

int fdc_init(struct fdc *fdc, struct bus *bus, struct irq_line irq, struct dma8237 *dma)
{
	int err;

	memset(fdc, 0, sizeof(*fdc));
	fdc->irq = irq;
	fdc->dma = dma;
	dma_on_ready(dma, FDC_DMA_CHANNEL, fdc_dma_ready, fdc);
	fdc_reset(fdc);
	err = bus_add(bus, 0x3f0, 6, &fdc_ops, fdc, 0); /* 3f6 is the IDE channel's */
	return err ? err : bus_add(bus, 0x3f7, 1, &fdc_ops, fdc, REG_DIR);
}

void fdc_reset(struct fdc *fdc)
{
	fdc->dor = 0;
	fdc->tdr = 0;
	fdc->dsr = 2;
	fdc->lock = false;
	soft_reset(fdc);
	for (unsigned i = 0; i < FDC_DRIVES; i++) {
		fdc->drive[i].cylinder = 0;
		fdc->drive[i].changed = true;
	}
}

void fdc_attach(struct fdc *fdc, unsigned unit, struct image *image)
{
	ASSERT(unit < FDC_DRIVES);
	fdc_change_disk(fdc, unit, image);
	fdc->drive[unit].type = fdc_has_disk(&fdc->drive[unit]) ? fdc->drive[unit].geometry->type : FDC_TYPE_1440K;
}

void fdc_change_disk(struct fdc *fdc, unsigned unit, struct image *image)
{
	struct fdc_drive *d = &fdc->drive[unit];

	d->image = image;
	d->geometry = fdc_has_disk(d) ? geometry_of(image) : NULL;
	d->changed = true;
}

uint8_t fdc_cmos_types(const struct fdc *fdc)
{
	return (uint8_t)(fdc->drive[0].type << 4 | fdc->drive[1].type);
}
