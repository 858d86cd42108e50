/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio console with one port, VIRTIO 1.1, section 5.3. */
#ifndef GNOMON_DEVICES_VIRTIO_CONSOLE_H
#define GNOMON_DEVICES_VIRTIO_CONSOLE_H

#include "devices/virtio_pci.h"

enum { VIRTIO_CONSOLE_MAX = 64 * 1024 }; /* bytes that a slice writes; longer buffers are dropped beyond it */

struct virtio_console {
	struct virtio virtio;
	struct virtio_pci transport;
	/* Where the guest's output goes; NULL: nowhere. */
	void (*send)(void *arg, const uint8_t *buf, size_t len);
	void *arg;
	/* Input on its way, during virtio_console_receive() only. */
	const uint8_t *input;
	size_t input_len;
};

/* A device to be attached to a bus (d->transport.pci). */
void virtio_console_init(struct virtio_console *d, struct physmem *pm, struct clock *clock,
			 void (*send)(void *arg, const uint8_t *buf, size_t len), void *arg);
void virtio_console_reset(struct virtio_console *d);

/* Input for the guest. Returns how much of it the guest had buffers for. */
size_t virtio_console_receive(struct virtio_console *d, const uint8_t *buf, size_t len);

#endif
