/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dma8237.h"

#include <string.h>

#include "trace.h"

enum {
	REG_COMMAND = 8, /* read: status */
	REG_REQUEST = 9,
	REG_MASK = 10, /* one channel */
	REG_MODE = 11,
	REG_CLEAR_POINTER = 12,
	REG_MASTER_CLEAR = 13, /* read: temporary register */
	REG_CLEAR_MASK = 14,
	REG_MASK_ALL = 15,

	COMMAND_DISABLE = 0x04,
	SELECT_SET = 0x04, /* mask and request registers: set or clear the bit of channel 0-3 */
	MODE_AUTOINIT = 0x10,
	MODE_DECREMENT = 0x20,
	MODE_CASCADE = 0xc0, /* both bits */
};

/* Page register (port - 80h) of each channel; 4 is the refresh page. */
static const uint8_t page_index[8] = {7, 3, 1, 2, 15, 11, 9, 10};

static struct dma_channel *channel_of(struct dma8237 *dma, unsigned n)
{
	return &dma->chip[n >> 2 & 1].ch[n & 3];
}

/* Bytes in one count of the channel, as a shift. */
static unsigned width(unsigned n)
{
	return n >= 4;
}

static void clear_chip(struct dma_chip *c)
{
	c->mask = 0x0f;
	c->command = c->status = c->request = c->temp = 0;
	c->high_byte = false;
}

void dma_init(struct dma8237 *dma, struct physmem *pm)
{
	memset(dma, 0, sizeof(*dma));
	dma->pm = pm;
	dma_reset(dma);
}

void dma_reset(struct dma8237 *dma)
{
	for (unsigned i = 0; i < 2; i++) {
		struct dma_chip *c = &dma->chip[i];
		clear_chip(c);
		c->dreq = 0;
		for (unsigned k = 0; k < 4; k++) {
			struct dma_channel *ch = &c->ch[k];
			*ch = (struct dma_channel){.ready = ch->ready, .ready_arg = ch->ready_arg};
		}
	}
	memset(dma->page, 0, sizeof(dma->page));
}

void dma_on_ready(struct dma8237 *dma, unsigned channel, void (*ready)(void *arg), void *arg)
{
	struct dma_channel *ch = channel_of(dma, channel);

	ch->ready = ready;
	ch->ready_arg = arg;
}

void dma_set_dreq(struct dma8237 *dma, unsigned channel, bool level)
{
	struct dma_chip *c = &dma->chip[channel >> 2 & 1];
	uint8_t bit = (uint8_t)(1u << (channel & 3));

	c->dreq = level ? c->dreq | bit : c->dreq & (uint8_t)~bit;
}

bool dma_enabled(const struct dma8237 *dma, unsigned channel)
{
	const struct dma_chip *c = &dma->chip[channel >> 2 & 1];

	return !(c->mask & 1u << (channel & 3)) && !(c->command & COMMAND_DISABLE) &&
	       (c->ch[channel & 3].mode & MODE_CASCADE) != MODE_CASCADE;
}

enum dma_direction dma_direction(const struct dma8237 *dma, unsigned channel)
{
	return dma->chip[channel >> 2 & 1].ch[channel & 3].mode >> 2 & 3;
}

uint32_t dma_remaining(const struct dma8237 *dma, unsigned channel)
{
	return (dma->chip[channel >> 2 & 1].ch[channel & 3].count + 1u) << width(channel);
}

/* Physical address of the channel's current unit: the page does not take part in the count. */
static gpa_t address(const struct dma8237 *dma, unsigned n)
{
	const struct dma_channel *ch = &dma->chip[n >> 2 & 1].ch[n & 3];
	gpa_t page = dma->page[page_index[n & 7]];

	if (width(n))
		return (page & 0xfe) << 16 | (gpa_t)ch->addr << 1;
	return page << 16 | ch->addr;
}

/* Moves one piece that needs no wrapping: how many units. */
static uint32_t move_piece(struct dma8237 *dma, unsigned n, enum dma_direction way, uint8_t *buf, uint32_t units)
{
	struct dma_channel *ch = channel_of(dma, n);
	bool down = ch->mode & MODE_DECREMENT;
	uint32_t piece = MIN(units, ch->count + 1u);

	piece = down ? 1 : MIN(piece, 0x10000u - ch->addr);
	if (way == DMA_WRITE)
		physmem_write(dma->pm, address(dma, n), buf, (uint64_t)piece << width(n));
	else if (way == DMA_READ)
		physmem_read(dma->pm, address(dma, n), buf, (uint64_t)piece << width(n));
	ch->addr = (uint16_t)(down ? ch->addr - 1u : ch->addr + piece);
	ch->count = (uint16_t)(ch->count - piece);
	return piece;
}

static void terminal_count(struct dma8237 *dma, unsigned n)
{
	struct dma_channel *ch = channel_of(dma, n);
	struct dma_chip *c = &dma->chip[n >> 2 & 1];
	uint8_t bit = (uint8_t)(1u << (n & 3));

	c->status |= bit;
	c->request &= (uint8_t)~bit;
	if (ch->mode & MODE_AUTOINIT) {
		ch->addr = ch->base_addr;
		ch->count = ch->base_count;
	} else {
		c->mask |= bit;
	}
}

size_t dma_transfer(struct dma8237 *dma, unsigned channel, enum dma_direction dir, void *buf, size_t len, bool *tc)
{
	struct dma_channel *ch = channel_of(dma, channel);
	enum dma_direction way = dma_direction(dma, channel);
	uint32_t todo = (uint32_t)(MIN(len, (size_t)dma_remaining(dma, channel)) >> width(channel));
	uint32_t done = 0;

	if (tc)
		*tc = false;
	if (!dma_enabled(dma, channel) || (way != DMA_VERIFY && way != dir) || !todo)
		return 0;
	bool end = todo == ch->count + 1u;
	while (done < todo)
		done += move_piece(dma, channel, way, (uint8_t *)buf + ((size_t)done << width(channel)), todo - done);
	if (end)
		terminal_count(dma, channel);
	if (tc)
		*tc = end;
	return (size_t)done << width(channel);
}

uint8_t dma_post_code(const struct dma8237 *dma)
{
	return dma->page[0];
}

static void write_half(uint16_t *base, uint16_t *current, bool high, uint8_t v)
{
	*base = (uint16_t)(high ? (*base & 0x00ff) | v << 8 : (*base & 0xff00) | v);
	*current = *base;
}

static void set_mask(struct dma_chip *c, uint8_t mask)
{
	uint8_t opened = c->mask & (uint8_t)~mask;

	c->mask = mask & 0x0f;
	for (unsigned k = 0; k < 4; k++)
		if (opened & 1u << k && c->ch[k].ready)
			c->ch[k].ready(c->ch[k].ready_arg);
}

static void write_chip(struct dma_chip *c, unsigned reg, uint8_t v)
{
	uint8_t bit = (uint8_t)(1u << (v & 3));

	switch (reg) {
	case REG_COMMAND:
		c->command = v;
		break;
	case REG_REQUEST:
		c->request = v & SELECT_SET ? c->request | bit : c->request & (uint8_t)~bit;
		break;
	case REG_MASK:
		set_mask(c, v & SELECT_SET ? c->mask | bit : c->mask & (uint8_t)~bit);
		break;
	case REG_MODE:
		c->ch[v & 3].mode = v;
		break;
	case REG_CLEAR_POINTER:
		c->high_byte = false;
		break;
	case REG_MASTER_CLEAR:
		clear_chip(c);
		break;
	case REG_CLEAR_MASK:
		set_mask(c, 0);
		break;
	case REG_MASK_ALL:
		set_mask(c, v);
		break;
	default:
		if (reg & 1)
			write_half(&c->ch[reg >> 1].base_count, &c->ch[reg >> 1].count, c->high_byte, v);
		else
			write_half(&c->ch[reg >> 1].base_addr, &c->ch[reg >> 1].addr, c->high_byte, v);
		c->high_byte = !c->high_byte;
	}
}

static uint8_t read_chip(struct dma_chip *c, unsigned reg)
{
	uint16_t pair;
	uint8_t v;

	switch (reg) {
	case REG_COMMAND:
		v = c->status | (uint8_t)((c->dreq | c->request) << 4);
		c->status = 0;
		return v;
	case REG_MASTER_CLEAR:
		return c->temp;
	case REG_MASK_ALL:
		return c->mask | 0xf0;
	case REG_REQUEST:
	case REG_MASK:
	case REG_MODE:
	case REG_CLEAR_POINTER:
	case REG_CLEAR_MASK:
		return 0xff; /* write only */
	default:
		pair = reg & 1 ? c->ch[reg >> 1].count : c->ch[reg >> 1].addr;
		v = (uint8_t)(c->high_byte ? pair >> 8 : pair);
		c->high_byte = !c->high_byte;
		return v;
	}
}

void dma_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct dma8237 *dma = dev;
	uint8_t v = (uint8_t)value;

	if (offset >= DMA_PORT_HIGH)
		write_chip(&dma->chip[1], offset >> 1 & 15, v);
	else if (offset >= DMA_PORT_PAGE)
		dma->page[offset & 15] = v;
	else
		write_chip(&dma->chip[0], offset & 15, v);
}

uint64_t dma_read(void *dev, uint64_t offset, unsigned size)
{
	struct dma8237 *dma = dev;

	if (offset >= DMA_PORT_HIGH)
		return read_chip(&dma->chip[1], offset >> 1 & 15);
	if (offset >= DMA_PORT_PAGE)
		return dma->page[offset & 15];
	return read_chip(&dma->chip[0], offset & 15);
}

const struct io_ops dma_io_ops = {"dma", dma_read, dma_write, IO_8};
