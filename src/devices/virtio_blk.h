/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio block device over a disk image: VIRTIO 1.1, section 5.2. Requests are carried out as they come, one after the
 * other; one of more than VIRTIO_BLK_MAX_BYTES fails.
 *
 * A flush returns when the data are on the host's disk. Drivers that cannot flush (or that turn the write cache off)
 * have that after every write.
 */
#ifndef GNOMON_DEVICES_VIRTIO_BLK_H
#define GNOMON_DEVICES_VIRTIO_BLK_H

#include "devices/image.h"
#include "devices/virtio_pci.h"

enum {
	VIRTIO_BLK_BUFFER = 64 * 1024,
	VIRTIO_BLK_MAX_BYTES = 32 << 20,
	VIRTIO_BLK_MAX_ZERO = 32 << 20, /* bytes of one DISCARD or WRITE ZEROES */
	VIRTIO_BLK_SERIAL = 20,
};

struct virtio_blk {
	struct virtio virtio;
	struct virtio_pci transport;
	struct image *image;
	char serial[VIRTIO_BLK_SERIAL + 1];
	uint8_t buf[VIRTIO_BLK_BUFFER];
};

/*
 * A device to be attached to a bus (d->transport.pci). The image must be open, and stays the caller's. serial: what
 * GET_ID returns, cut after 20 characters.
 */
void virtio_blk_init(struct virtio_blk *d, struct physmem *pm, struct clock *clock, struct image *image,
		     const char *serial);
void virtio_blk_reset(struct virtio_blk *d);

#endif
