/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/ide.h"

#include <string.h>

#include "devices/ide_internal.h"
#include "trace.h"

/* clang-format off */
enum { /* command block */
	REG_DATA, REG_ERROR, REG_COUNT, REG_LBA_LOW, REG_LBA_MID, REG_LBA_HIGH, REG_DEVICE, REG_STATUS,
	REG_FEATURE = REG_ERROR,
	REG_COMMAND = REG_STATUS,
};
/* clang-format on */

static struct ide_drive *current(struct ide_channel *ch)
{
	return &ch->drive[ch->selected];
}

/* Drives the interrupt line: INTRQ of the selected drive, unless nIEN disconnects it. */
static void update_line(struct ide_channel *ch)
{
	bool level = current(ch)->intrq && !(ch->control & ATA_NIEN);

	if (level == ch->line)
		return;
	ch->line = level;
	if (level && ch->intrq_rose)
		ch->intrq_rose(ch->master);
	irq_set(&ch->irq, level);
}

static void clear_interrupt(struct ide_drive *d)
{
	d->intrq = false;
	update_line(d->ch);
}

void ide_interrupt(struct ide_drive *d)
{
	d->intrq = true;
	update_line(d->ch);
}

void ide_end(struct ide_drive *d, uint8_t error)
{
	d->phase = IDE_IDLE;
	d->error = error;
	d->status = ATA_DRDY | ATA_DSC | (error ? ATA_ERR : 0);
	if (error)
		trace(disk, "drive %u: error %02x", d->unit, error);
	ide_interrupt(d);
}

void ide_pio(struct ide_drive *d, enum ide_phase phase, uint32_t len)
{
	d->phase = phase;
	d->pos = 0;
	d->end = len;
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
}

void ide_dma(struct ide_drive *d, enum ide_phase phase, uint32_t len)
{
	ide_pio(d, phase, len);
	if (d->ch->dma_ready)
		d->ch->dma_ready(d->ch->master);
}

void ide_signature(struct ide_drive *d)
{
	bool packet = d->kind == IDE_CDROM;

	d->phase = IDE_IDLE;
	d->count = d->lba_low = (struct ide_reg){1, 0};
	d->lba_mid = (struct ide_reg){packet ? 0x14 : 0, 0};
	d->lba_high = (struct ide_reg){packet ? 0xeb : 0, 0};
	d->device &= ATA_DEV;
	d->error = ATA_DIAGNOSTIC_OK;
	d->status = packet ? 0 : ATA_DRDY | ATA_DSC;
}

void ide_identify_text(uint8_t *identify, unsigned word, unsigned words, const char *text)
{
	size_t len = strlen(text);

	for (unsigned i = 0; i < words * 2; i++)
		identify[word * 2 + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
}

void ide_set_features(struct ide_drive *d)
{
	uint8_t mode = d->count.now & 7;

	switch (d->feature.now) {
	case 0x03: /* transfer mode: count bits 7:3 say which kind */
		switch (d->count.now >> 3) {
		case 0: /* PIO default */
		case 1: /* PIO flow control */
			break;
		case 4:
			d->mwdma = (uint8_t)BIT(mode);
			d->udma = 0;
			break;
		case 8:
			d->udma = (uint8_t)BIT(mode);
			d->mwdma = 0;
			break;
		default:
			ide_end(d, ATA_ABRT);
			return;
		}
		break;
	case 0x02:
	case 0x82:
		d->write_cache = d->feature.now == 0x02;
		break;
	case 0x05: /* power management, acoustics, look-ahead, defaults: accepted, without effect */
	case 0x42:
	case 0x55:
	case 0x66:
	case 0x67:
	case 0x85:
	case 0xaa:
	case 0xc2:
	case 0xcc:
		break;
	default:
		ide_end(d, ATA_ABRT);
		return;
	}
	ide_end(d, 0);
}

/* EXECUTE DEVICE DIAGNOSTIC concerns both drives whichever is selected; drive 0 reports. */
static void diagnose(struct ide_channel *ch)
{
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		ide_signature(&ch->drive[i]);
		ch->drive[i].device = 0;
	}
	ch->selected = 0;
	ide_interrupt(&ch->drive[0]);
}

static void command(struct ide_channel *ch, uint8_t code)
{
	struct ide_drive *d = current(ch);

	if (code == CMD_DIAGNOSTIC && (ch->drive[0].kind || ch->drive[1].kind)) {
		diagnose(ch);
		return;
	}
	if (d->kind == IDE_NONE)
		return;
	trace(disk, "drive %u: command %02x count %02x lba %02x%02x%02x device %02x", d->unit, code, d->count.now,
	      d->lba_high.now, d->lba_mid.now, d->lba_low.now, d->device);
	clear_interrupt(d);
	d->error = 0;
	d->phase = IDE_IDLE;
	if (d->kind == IDE_DISK)
		ata_command(d, code);
	else
		atapi_command(d, code);
}

/* A buffer was emptied or filled: what comes next is the drive's business. */
static void buffer_done(struct ide_drive *d)
{
	if (d->kind == IDE_DISK)
		ata_next(d);
	else
		atapi_next(d);
}

size_t ide_data_read_block(struct ide_channel *ch, void *buf, size_t count, unsigned width)
{
	struct ide_drive *d = current(ch);
	uint8_t *to = buf;
	size_t done = 0;

	while (done < count && d->phase == IDE_PIO_IN && d->pos < d->end) {
		uint32_t have = d->end - d->pos;
		uint32_t n = (uint32_t)MIN((count - done) * width, have / width * width);
		if (!n) { /* a last element that is wider than what is left */
			memset(to, 0, width);
			memcpy(to, d->buf + d->pos, have);
			n = width;
			d->pos = d->end;
		} else {
			memcpy(to, d->buf + d->pos, n);
			d->pos += n;
		}
		to += n;
		done += n / width;
		if (d->pos == d->end)
			buffer_done(d);
	}
	return done;
}

size_t ide_data_write_block(struct ide_channel *ch, const void *buf, size_t count, unsigned width)
{
	struct ide_drive *d = current(ch);
	const uint8_t *from = buf;
	size_t done = 0;

	while (done < count && (d->phase == IDE_PIO_OUT || d->phase == IDE_PACKET) && d->pos < d->end) {
		uint32_t room = d->end - d->pos;
		uint32_t n = (uint32_t)MIN((count - done) * width, ALIGN_UP(room, width));
		memcpy(d->buf + d->pos, from, MIN(n, room));
		d->pos += MIN(n, room);
		from += n;
		done += n / width;
		if (d->pos == d->end)
			buffer_done(d);
	}
	return done;
}

static uint8_t status(struct ide_channel *ch)
{
	struct ide_drive *d = current(ch);

	if (d->kind == IDE_NONE)
		return 0;
	return ch->control & ATA_SRST ? ATA_BSY : d->status;
}

static uint8_t read_reg(struct ide_channel *ch, unsigned reg)
{
	struct ide_drive *d = current(ch);
	const struct ide_reg *r;

	if (d->kind == IDE_NONE)
		return 0; /* nobody drives the bus; pulled down, so that nothing looks busy */
	switch (reg) {
	case REG_ERROR:
		return d->error;
	case REG_COUNT:
		r = &d->count;
		break;
	case REG_LBA_LOW:
		r = &d->lba_low;
		break;
	case REG_LBA_MID:
		r = &d->lba_mid;
		break;
	case REG_LBA_HIGH:
		r = &d->lba_high;
		break;
	case REG_DEVICE:
		return d->device | ATA_DEVICE_ONES;
	default: {
		uint8_t value = status(ch);
		clear_interrupt(d);
		return value;
	}
	}
	return ch->control & ATA_HOB ? r->before : r->now;
}

uint64_t ide_read(void *dev, uint64_t offset, unsigned size)
{
	struct ide_channel *ch = dev;
	uint64_t value = 0;

	if (offset == REG_DATA) {
		ide_data_read_block(ch, &value, 1, size);
		return value;
	}
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)read_reg(ch, (unsigned)(offset + i) & 7) << (i * 8);
	return value;
}

static void set_reg(struct ide_reg *r, uint8_t value)
{
	*r = (struct ide_reg){.now = value, .before = r->now};
}

/* Both drives latch the task file. */
static void write_reg(struct ide_channel *ch, unsigned reg, uint8_t value)
{
	ch->control &= (uint8_t)~ATA_HOB;
	if (reg == REG_COMMAND) {
		if (!(ch->control & ATA_SRST))
			command(ch, value);
		return;
	}
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		struct ide_drive *d = &ch->drive[i];
		switch (reg) {
		case REG_FEATURE:
			set_reg(&d->feature, value);
			break;
		case REG_COUNT:
			set_reg(&d->count, value);
			break;
		case REG_LBA_LOW:
			set_reg(&d->lba_low, value);
			break;
		case REG_LBA_MID:
			set_reg(&d->lba_mid, value);
			break;
		case REG_LBA_HIGH:
			set_reg(&d->lba_high, value);
			break;
		case REG_DEVICE:
			d->device = value;
			break;
		}
	}
	if (reg == REG_DEVICE) {
		ch->selected = value & ATA_DEV ? 1 : 0;
		update_line(ch);
	}
}

void ide_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct ide_channel *ch = dev;

	if (offset == REG_DATA) {
		ide_data_write_block(ch, &value, 1, size);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		write_reg(ch, (unsigned)(offset + i) & 7, (uint8_t)(value >> (i * 8)));
}

/* Alternate status does not acknowledge the interrupt. */
static uint64_t control_read(void *dev, uint64_t offset, unsigned size)
{
	return status(dev);
}

static void control_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct ide_channel *ch = dev;
	uint8_t old = ch->control;

	ch->control = (uint8_t)value & (ATA_NIEN | ATA_SRST | ATA_HOB);
	if ((ch->control & ATA_SRST) && !(old & ATA_SRST)) {
		trace(disk, "software reset");
		for (unsigned i = 0; i < IDE_DRIVES; i++) {
			struct ide_drive *d = &ch->drive[i];
			d->device = 0;
			d->intrq = false;
			if (d->kind == IDE_DISK)
				ata_reset(d);
			else if (d->kind == IDE_CDROM)
				atapi_reset(d);
		}
		ch->selected = 0;
	}
	update_line(ch);
}

static size_t read_block(void *dev, uint64_t offset, unsigned size, void *buf, size_t count)
{
	return offset == REG_DATA ? ide_data_read_block(dev, buf, count, size) : 0;
}

static size_t write_block(void *dev, uint64_t offset, unsigned size, const void *buf, size_t count)
{
	return offset == REG_DATA ? ide_data_write_block(dev, buf, count, size) : 0;
}

const struct io_block_ops ide_ops = {
    .ops = {.name = "ide", .read = ide_read, .write = ide_write, .widths = IO_8 | IO_16 | IO_32 | IO_BLOCK},
    .read = read_block,
    .write = write_block,
};

const struct io_ops ide_control_ops = {
    .name = "ide-control",
    .read = control_read,
    .write = control_write,
    .widths = IO_8,
};
