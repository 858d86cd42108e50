/* SPDX-License-Identifier: GPL-2.0-or-later */
/* READ, WRITE, VERIFY and FORMAT of the 82077AA (datasheet 5.1), sector by sector. */
#include <string.h>

#include "devices/floppy_internal.h"
#include "trace.h"

enum {
	OP_MASK = 0x1f,
	OP_READ_TRACK = 0x02,
	OP_WRITE = 0x05,
	OP_WRITE_DELETED = 0x09,
	OP_VERIFY = 0x16,
	SPECIFY_NON_DMA = 0x01,
	SIZE_512 = 2,
	FORMAT_ID = 4, /* bytes a sector that the host gives */
};

/* Sets up the result bytes and ends the command. */
static void finish(struct fdc *fdc, uint8_t st0, uint8_t st1, uint8_t st2)
{
	const struct fdc_transfer *x = &fdc->xfer;

	if (st0 & ST0_ABNORMAL)
		trace(disk, "floppy: st1 %02x st2 %02x at %u/%u/%u", st1, st2, x->c, x->h, x->r);
	fdc->fifo[0] = (uint8_t)(st0 | x->unit | (x->h ? ST0_HEAD : 0));
	fdc->fifo[1] = st1;
	fdc->fifo[2] = st2;
	fdc->fifo[3] = x->c;
	fdc->fifo[4] = x->h;
	fdc->fifo[5] = x->r;
	fdc->fifo[6] = x->n;
	fdc_result(fdc, 7);
	fdc_raise(fdc);
}

uint8_t fdc_media_error(const struct fdc *fdc, const struct fdc_drive *d)
{
	uint8_t rate = fdc->dsr & 3;

	if (!d || !fdc_has_disk(d))
		return ST1_MA;
	/* 250-kbit/s disks turn faster in a 1.2-MB drive, which reads them at 300. */
	if (rate != d->geometry->rate && !(rate == 1 && d->geometry->rate == 2))
		return ST1_MA;
	return 0;
}

/* Where the current sector is in the image; false: it does not exist, and the command has ended. */
static bool locate(struct fdc *fdc, uint64_t *offset)
{
	const struct fdc_transfer *x = &fdc->xfer;
	struct fdc_drive *d = fdc_unit(fdc, x->unit);
	uint8_t st1 = fdc_media_error(fdc, d);
	const struct fdc_geometry *g;

	if (st1) {
		finish(fdc, ST0_ABNORMAL, st1, 0);
		return false;
	}
	g = d->geometry;
	if (x->c != d->cylinder && (fdc->configure[0] & CONFIG_EIS))
		fdc_seek(d, x->c);
	if (x->c != d->cylinder) {
		finish(fdc, ST0_ABNORMAL, ST1_ND, ST2_WC);
		return false;
	}
	if (x->c >= g->cylinders || x->h >= g->heads || !x->r || x->r > g->sectors || x->n != SIZE_512) {
		finish(fdc, ST0_ABNORMAL, ST1_ND, 0);
		return false;
	}
	*offset = (((uint64_t)x->c * g->heads + x->h) * g->sectors + x->r - 1) * FDC_SECTOR;
	return true;
}

/* On to the next sector. true: that was the last one (of the cylinder, with multi-track). */
static bool advance(struct fdc_transfer *x)
{
	if (x->r != x->eot) {
		x->r++;
		return false;
	}
	x->r = 1;
	if (x->multi_track && !x->h) {
		x->h = 1;
		return false;
	}
	if (x->multi_track)
		x->h = 0;
	x->c++;
	return true;
}

/* Moves buf by DMA. false: the channel is programmed for the other direction; the command has ended with an overrun. */
static bool dma_move(struct fdc *fdc, enum dma_direction dir, bool *tc)
{
	*tc = false;
	if (dma_transfer(fdc->dma, FDC_DMA_CHANNEL, dir, fdc->buf, fdc->data_len, tc))
		return true;
	finish(fdc, ST0_ABNORMAL, ST1_OR, 0);
	return false;
}

/* FORMAT: one ID from the host makes one sector. false: the command has ended. */
static bool format_sector(struct fdc *fdc)
{
	struct fdc_transfer *x = &fdc->xfer;
	struct fdc_drive *d = fdc_unit(fdc, x->unit);
	uint64_t offset;

	x->c = fdc->buf[0];
	x->h = fdc->buf[1] & 1;
	x->r = fdc->buf[2];
	if (!locate(fdc, &offset))
		return false;
	memset(fdc->buf, x->fill, sizeof(fdc->buf));
	if (image_write(d->image, offset, fdc->buf, sizeof(fdc->buf))) {
		finish(fdc, ST0_ABNORMAL, ST1_DE, 0);
		return false;
	}
	if (--x->count)
		return true;
	finish(fdc, 0, 0, 0);
	return false;
}

/* Stores the sector in buf. */
static bool store(struct fdc *fdc)
{
	struct fdc_drive *d = fdc_unit(fdc, fdc->xfer.unit);
	uint64_t offset;

	if (fdc->xfer.format)
		return format_sector(fdc);
	if (!locate(fdc, &offset))
		return false;
	if (image_write(d->image, offset, fdc->buf, sizeof(fdc->buf))) {
		finish(fdc, ST0_ABNORMAL, ST1_DE, 0);
		return false;
	}
	return true;
}

/* Loads the sector into buf. */
static bool load(struct fdc *fdc)
{
	struct fdc_drive *d = fdc_unit(fdc, fdc->xfer.unit);
	uint64_t offset;

	if (!locate(fdc, &offset))
		return false;
	if (image_read(d->image, offset, fdc->buf, sizeof(fdc->buf))) {
		finish(fdc, ST0_ABNORMAL, ST1_DE, 0);
		return false;
	}
	return true;
}

/* After a sector went through: false if the command has ended. */
static bool step(struct fdc *fdc, bool tc)
{
	struct fdc_transfer *x = &fdc->xfer;
	bool last = advance(x);

	if (x->counted && --x->count == 0)
		tc = true;
	if (tc)
		finish(fdc, 0, 0, 0);
	else if (last) /* the host wanted more than the cylinder holds, or has no DMA to say stop */
		finish(fdc, ST0_ABNORMAL, ST1_EN, 0);
	return !tc && !last;
}

/* All that DMA will take now. Ends with the command, or waiting for the channel. Bounded: two tracks of at most 255
 * sectors. */
static void run_dma(struct fdc *fdc)
{
	struct fdc_transfer *x = &fdc->xfer;
	bool tc, more = true;

	while (more) {
		if (!dma_enabled(fdc->dma, FDC_DMA_CHANNEL)) {
			fdc->phase = FDC_DMA_WAIT;
			return;
		}
		if (!x->write && !load(fdc))
			return;
		if (x->write)
			memset(fdc->buf, 0, fdc->data_len); /* if DMA ends within the sector */
		if (!dma_move(fdc, x->write ? DMA_READ : DMA_WRITE, &tc))
			return;
		if (x->write && !store(fdc))
			return;
		if (x->format)
			continue;
		more = step(fdc, tc);
	}
}

/* Without DMA the host moves every byte through the FIFO, a sector (or ID) an interrupt. */
static void run_pio(struct fdc *fdc)
{
	fdc->data_pos = 0;
	if (fdc->xfer.write) {
		fdc->phase = FDC_DATA_OUT;
	} else {
		if (!load(fdc))
			return;
		fdc->phase = FDC_DATA_IN;
	}
	fdc_raise(fdc);
}

void fdc_data_done(struct fdc *fdc)
{
	fdc_lower(fdc);
	if (fdc->xfer.write && !store(fdc))
		return;
	if (fdc->xfer.format || step(fdc, false))
		run_pio(fdc);
}

void fdc_dma_ready(void *dev)
{
	struct fdc *fdc = dev;

	if (fdc->phase == FDC_DMA_WAIT)
		run_dma(fdc);
}

static void run_verify(struct fdc *fdc)
{
	uint64_t offset;

	while (locate(fdc, &offset) && step(fdc, false))
		;
}

/* What READ, WRITE and FORMAT begin with. false: the command has ended. */
static bool begin(struct fdc *fdc, uint16_t data_len)
{
	struct fdc_transfer *x = &fdc->xfer;
	const struct fdc_drive *d = fdc_unit(fdc, x->unit);

	x->dma = !(fdc->specify[1] & SPECIFY_NON_DMA) && (fdc->dor & DOR_GATE);
	fdc->data_len = data_len;
	if (x->write && d && fdc_has_disk(d) && d->image->readonly) {
		finish(fdc, ST0_ABNORMAL, ST1_NW, 0);
		return false;
	}
	return true;
}

void fdc_start_transfer(struct fdc *fdc)
{
	const uint8_t *f = fdc->fifo;
	uint8_t op = f[0] & OP_MASK;

	fdc->xfer = (struct fdc_transfer){
	    .unit = f[1] & ST0_UNIT,
	    .c = f[2],
	    .h = f[3] & 1,
	    .r = f[4],
	    .n = f[5],
	    .eot = f[6],
	    .multi_track = f[0] & CMD_MT && op != OP_READ_TRACK,
	    .write = op == OP_WRITE || op == OP_WRITE_DELETED,
	    .verify = op == OP_VERIFY,
	    .count = f[8],
	    .counted = op == OP_VERIFY && (f[1] & CMD_EC) && f[8],
	};
	if (op == OP_READ_TRACK)
		fdc->xfer.r = 1;
	if (!begin(fdc, FDC_SECTOR))
		return;
	if (fdc->xfer.verify)
		run_verify(fdc);
	else if (fdc->xfer.dma)
		run_dma(fdc);
	else
		run_pio(fdc);
}

void fdc_start_format(struct fdc *fdc)
{
	const uint8_t *f = fdc->fifo;

	fdc->xfer = (struct fdc_transfer){
	    .unit = f[1] & ST0_UNIT,
	    .h = f[1] & ST0_HEAD ? 1 : 0,
	    .n = f[2],
	    .count = f[3],
	    .fill = f[5],
	    .write = true,
	    .format = true,
	};
	if (!begin(fdc, FORMAT_ID))
		return;
	if (!fdc->xfer.count)
		finish(fdc, 0, 0, 0);
	else if (fdc->xfer.dma)
		run_dma(fdc);
	else
		run_pio(fdc);
}
