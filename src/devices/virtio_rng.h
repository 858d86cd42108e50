/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio entropy device, VIRTIO 1.1, section 5.4: the host's random numbers. */
#ifndef GNOMON_DEVICES_VIRTIO_RNG_H
#define GNOMON_DEVICES_VIRTIO_RNG_H

#include "devices/virtio_pci.h"

enum { VIRTIO_RNG_MAX = 4096 }; /* bytes a request; buffers may come back partly filled */

struct virtio_rng {
	struct virtio virtio;
	struct virtio_pci transport;
};

/* A device to be attached to a bus (d->transport.pci). */
void virtio_rng_init(struct virtio_rng *d, struct physmem *pm, struct clock *clock);
void virtio_rng_reset(struct virtio_rng *d);

#endif
