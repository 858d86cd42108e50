/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/virtio_rng.h"

#include <sys/random.h>

static bool serve(struct virtio *v, unsigned queue, struct virtio_chain *c, uint32_t *written)
{
	uint8_t buf[256];
	uint64_t left = MIN(c->in_len, (uint64_t)VIRTIO_RNG_MAX);

	while (left) {
		/* Never waits: what little is missing early in the host's life is not given. */
		ssize_t n = getrandom(buf, (size_t)MIN(left, sizeof(buf)), GRND_NONBLOCK);
		if (n <= 0)
			break;
		*written += (uint32_t)virtio_put(v, c, buf, (size_t)n);
		left -= (uint64_t)n;
	}
	return true;
}

static const struct virtio_ops ops = {
    .name = "virtio-rng",
    .id = VIRTIO_ID_RNG,
    .queues = 1,
    .serve = serve,
};

void virtio_rng_init(struct virtio_rng *d, struct physmem *pm, struct clock *clock)
{
	virtio_init(&d->virtio, &ops, pm, clock, 0);
	virtio_pci_init(&d->transport, &d->virtio);
}

void virtio_rng_reset(struct virtio_rng *d)
{
	virtio_pci_reset(&d->transport);
}
