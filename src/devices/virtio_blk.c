/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/virtio_blk.h"

#include <stdio.h>
#include <string.h>

#include "trace.h"

/* clang-format off */
#define F_SEG_MAX      BIT(2)
#define F_GEOMETRY     BIT(4)
#define F_RO           BIT(5)
#define F_BLK_SIZE     BIT(6)
#define F_FLUSH        BIT(9)
#define F_CONFIG_WCE   BIT(11)
#define F_DISCARD      BIT(13)
#define F_WRITE_ZEROES BIT(14)

enum { /* device configuration, 5.2.4 */
	CONFIG_CAPACITY     = 0, /* sectors */
	CONFIG_SEG_MAX      = 12,
	CONFIG_CYLINDERS    = 16,
	CONFIG_HEADS        = 18,
	CONFIG_SECTORS      = 19,
	CONFIG_BLK_SIZE     = 20,
	CONFIG_WRITEBACK    = 32,
	CONFIG_MAX_DISCARD_SECTORS = 36,
	CONFIG_MAX_DISCARD_SEG = 40,
	CONFIG_DISCARD_ALIGNMENT = 44,
	CONFIG_MAX_ZEROES_SECTORS = 48,
	CONFIG_MAX_ZEROES_SEG = 52,
	CONFIG_ZEROES_MAY_UNMAP = 56,
};

enum { /* requests, 5.2.6 */
	T_IN           = 0,
	T_OUT          = 1,
	T_FLUSH        = 4,
	T_GET_ID       = 8,
	T_DISCARD      = 11,
	T_WRITE_ZEROES = 13,

	S_OK           = 0,
	S_IOERR        = 1,
	S_UNSUPP       = 2,

	SEGMENT_UNMAP  = 1, /* flag of DISCARD and WRITE ZEROES */
};
/* clang-format on */

enum {
	SECTOR = 512,
	NATIVE_HEADS = 16,
	NATIVE_SECTORS = 63,
	MAX_CYLINDERS = 65535,
	DISCARD_ALIGNMENT = 4096 / SECTOR,
};

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct segment { /* of DISCARD and WRITE ZEROES */
	uint64_t sector;
	uint32_t sectors, flags;
};

_Static_assert(sizeof(struct header) == 16 && sizeof(struct segment) == 16, "guest layout");

static struct virtio_blk *of(struct virtio *v)
{
	return container_of(v, struct virtio_blk, virtio);
}

/* Whether written data may wait for a flush (5.2.5, 5.2.6.2). */
static bool writes_back(const struct virtio_blk *d)
{
	if (virtio_has(&d->virtio, F_CONFIG_WCE))
		return d->virtio.config[CONFIG_WRITEBACK];
	return virtio_has(&d->virtio, F_FLUSH);
}

static unsigned status_of(int err)
{
	return err ? S_IOERR : S_OK;
}

static bool in_range(const struct virtio_blk *d, uint64_t sector, uint64_t len)
{
	return sector <= d->image->size / SECTOR && len <= d->image->size - sector * SECTOR && len % SECTOR == 0 &&
	       len <= VIRTIO_BLK_MAX_BYTES;
}

/* All but the last byte of the in buffers, which is the status. */
static unsigned read_sectors(struct virtio_blk *d, struct virtio_chain *c, uint64_t sector)
{
	uint64_t len = c->in_len - 1, at = sector * SECTOR;
	int err = 0;

	if (!in_range(d, sector, len))
		return S_IOERR;
	while (len && !err) {
		size_t n = (size_t)MIN(len, sizeof(d->buf));
		err = image_read(d->image, at, d->buf, n);
		virtio_put(&d->virtio, c, d->buf, n);
		at += n;
		len -= n;
	}
	return status_of(err);
}

static unsigned after_write(struct virtio_blk *d, int err)
{
	if (!err && !writes_back(d))
		err = image_flush(d->image);
	return status_of(err);
}

static unsigned write_sectors(struct virtio_blk *d, struct virtio_chain *c, uint64_t sector)
{
	uint64_t len = c->out_len, at = sector * SECTOR;
	int err = 0;

	if (d->image->readonly || !in_range(d, sector, len))
		return S_IOERR;
	while (len && !err) {
		size_t n = (size_t)MIN(len, sizeof(d->buf));
		virtio_take(&d->virtio, c, d->buf, n);
		err = image_write(d->image, at, d->buf, n);
		at += n;
		len -= n;
	}
	return after_write(d, err);
}

static unsigned get_id(struct virtio_blk *d, struct virtio_chain *c)
{
	char id[VIRTIO_BLK_SERIAL];

	memset(id, 0, sizeof(id));
	memcpy(id, d->serial, strnlen(d->serial, sizeof(id)));
	virtio_put(&d->virtio, c, id, (size_t)MIN(c->in_len - 1, sizeof(id)));
	return S_OK;
}

/* DISCARD and WRITE ZEROES, of one segment as the configuration says. */
static unsigned clear_sectors(struct virtio_blk *d, struct virtio_chain *c, bool zeroes)
{
	struct segment s;
	uint64_t len;
	int err;

	if (c->out_len != sizeof(s))
		return S_UNSUPP;
	virtio_take(&d->virtio, c, &s, sizeof(s));
	len = (uint64_t)s.sectors * SECTOR;
	if (s.flags & (zeroes ? ~(uint32_t)SEGMENT_UNMAP : UINT32_MAX))
		return S_UNSUPP;
	if (d->image->readonly || len > VIRTIO_BLK_MAX_ZERO || !in_range(d, s.sector, len))
		return S_IOERR;
	if (zeroes)
		err = image_zero(d->image, s.sector * SECTOR, len, s.flags & SEGMENT_UNMAP);
	else
		err = image_discard(d->image, s.sector * SECTOR, len);
	return after_write(d, err);
}

static unsigned carry_out(struct virtio_blk *d, struct virtio_chain *c, const struct header *h)
{
	trace(disk, "virtio-blk: request %u sector %llu, %llu bytes out, %llu in", h->type,
	      (unsigned long long)h->sector, (unsigned long long)c->out_len, (unsigned long long)c->in_len);
	switch (h->type) {
	case T_IN:
		return read_sectors(d, c, h->sector);
	case T_OUT:
		return write_sectors(d, c, h->sector);
	case T_FLUSH:
		return status_of(image_flush(d->image));
	case T_GET_ID:
		return get_id(d, c);
	case T_DISCARD:
	case T_WRITE_ZEROES:
		return clear_sectors(d, c, h->type == T_WRITE_ZEROES);
	default:
		return S_UNSUPP;
	}
}

static bool serve(struct virtio *v, unsigned queue, struct virtio_chain *c, uint32_t *written)
{
	struct virtio_blk *d = of(v);
	uint64_t in_len = c->in_len;
	struct header h;
	uint8_t status;

	if (!in_len || virtio_take(v, c, &h, sizeof(h)) != sizeof(h)) {
		virtio_fail(v, "request without header or status");
		return false;
	}
	status = (uint8_t)carry_out(d, c, &h);
	/* The status is the very last byte, however much came before it. */
	virtio_put(v, c, NULL, c->in_len - 1);
	virtio_put(v, c, &status, 1);
	*written = (uint32_t)MIN(in_len, (uint64_t)UINT32_MAX);
	return true;
}

static void config_written(struct virtio *v, unsigned offset, unsigned size, uint32_t value)
{
	struct virtio_blk *d = of(v);

	if (offset != CONFIG_WRITEBACK || size != 1 || !virtio_has(v, F_CONFIG_WCE))
		return;
	v->config[CONFIG_WRITEBACK] = value & 1;
	if (!v->config[CONFIG_WRITEBACK])
		image_flush(d->image);
}

static void reset(struct virtio *v)
{
	v->config[CONFIG_WRITEBACK] = 1;
}

static const struct virtio_ops ops = {
    .name = "virtio-blk",
    .id = VIRTIO_ID_BLOCK,
    .queues = 1,
    .serve = serve,
    .config_written = config_written,
    .reset = reset,
};

static void describe(struct virtio_blk *d)
{
	uint8_t *c = d->virtio.config;
	uint64_t sectors = d->image->size / SECTOR;

	store_le(c + CONFIG_CAPACITY, 8, sectors);
	store_le(c + CONFIG_SEG_MAX, 4, VIRTIO_MAX_SEGS - 2); /* header and status */
	store_le(c + CONFIG_CYLINDERS, 2, MIN(sectors / (NATIVE_HEADS * NATIVE_SECTORS), (uint64_t)MAX_CYLINDERS));
	c[CONFIG_HEADS] = NATIVE_HEADS;
	c[CONFIG_SECTORS] = NATIVE_SECTORS;
	store_le(c + CONFIG_BLK_SIZE, 4, SECTOR);
	store_le(c + CONFIG_MAX_DISCARD_SECTORS, 4, VIRTIO_BLK_MAX_ZERO / SECTOR);
	store_le(c + CONFIG_MAX_DISCARD_SEG, 4, 1);
	store_le(c + CONFIG_DISCARD_ALIGNMENT, 4, DISCARD_ALIGNMENT);
	store_le(c + CONFIG_MAX_ZEROES_SECTORS, 4, VIRTIO_BLK_MAX_ZERO / SECTOR);
	store_le(c + CONFIG_MAX_ZEROES_SEG, 4, 1);
	c[CONFIG_ZEROES_MAY_UNMAP] = 1;
}

void virtio_blk_init(struct virtio_blk *d, struct physmem *pm, struct clock *clock, struct image *image,
		     const char *serial)
{
	uint64_t features = F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_FLUSH | F_CONFIG_WCE;

	ASSERT(image_present(image));
	d->image = image;
	snprintf(d->serial, sizeof(d->serial), "%s", serial);
	features |= image->readonly ? F_RO : F_DISCARD | F_WRITE_ZEROES;
	virtio_init(&d->virtio, &ops, pm, clock, features);
	describe(d);
	virtio_pci_init(&d->transport, &d->virtio);
}

void virtio_blk_reset(struct virtio_blk *d)
{
	virtio_pci_reset(&d->transport);
}
