/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set-up, reset and the bus master's side of an IDE channel. */
#include <string.h>

#include "devices/ide_internal.h"

void ide_init(struct ide_channel *ch, struct irq_line irq)
{
	memset(ch, 0, sizeof(*ch));
	ch->irq = irq;
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		ch->drive[i].ch = ch;
		ch->drive[i].unit = i;
	}
}

static void attach(struct ide_channel *ch, unsigned unit, enum ide_kind kind, struct image *image)
{
	ASSERT(unit < IDE_DRIVES);
	ch->drive[unit].kind = kind;
	ch->drive[unit].image = image;
	ide_reset(ch);
}

void ide_attach_disk(struct ide_channel *ch, unsigned unit, struct image *image)
{
	ASSERT(image && image_present(image));
	attach(ch, unit, IDE_DISK, image);
}

void ide_attach_cdrom(struct ide_channel *ch, unsigned unit, struct image *image)
{
	attach(ch, unit, IDE_CDROM, image);
}

void ide_reset(struct ide_channel *ch)
{
	ch->control = 0;
	ch->selected = 0;
	if (ch->line)
		irq_set(&ch->irq, false);
	ch->line = false;
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		struct ide_drive *d = &ch->drive[i];
		d->device = 0;
		d->intrq = false;
		d->feature = (struct ide_reg){0};
		d->mwdma = 0;
		d->udma = 0;
		d->write_cache = true;
		d->locked = false;
		if (d->kind == IDE_DISK) {
			d->multiple = 0;
			d->heads = 16;
			d->sectors = 63;
			ata_reset(d);
		} else if (d->kind == IDE_CDROM) {
			atapi_reset(d);
		}
	}
}

struct ide_drive *ide_dma_drive(struct ide_channel *ch)
{
	struct ide_drive *d = &ch->drive[ch->selected];
	return d->phase == IDE_DMA_IN || d->phase == IDE_DMA_OUT ? d : NULL;
}

static void next(struct ide_drive *d)
{
	if (d->kind == IDE_DISK)
		ata_next(d);
	else
		atapi_next(d);
}

uint32_t ide_dma_in_bytes(struct ide_drive *d)
{
	return d->phase == IDE_DMA_IN ? d->end - d->pos : 0;
}

uint32_t ide_dma_out_room(struct ide_drive *d)
{
	return d->phase == IDE_DMA_OUT ? d->end - d->pos : 0;
}

void ide_dma_advance(struct ide_drive *d, uint32_t n)
{
	ASSERT(n <= d->end - d->pos);
	d->pos += n;
	if (d->pos == d->end)
		next(d);
}

void ide_dma_abort(struct ide_drive *d)
{
	if (d->kind == IDE_CDROM)
		atapi_end(d, SENSE_MEDIUM_ERROR, ASC_UNRECOVERED_READ, 0);
	else
		ide_end(d, ATA_ABRT);
}
