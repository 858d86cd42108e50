/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The legacy interface: VIRTIO 1.1, section 4.1.4.9. */
#include "devices/virtio_pci_internal.h"

/* clang-format off */
enum {
	HOST_FEATURES  = 0,
	GUEST_FEATURES = 4,
	QUEUE_PFN      = 8,
	QUEUE_SIZE     = 12,
	QUEUE_SELECT   = 14,
	QUEUE_NOTIFY   = 16,
	STATUS         = 18,
	ISR            = 19,
	CONFIG         = 20, /* of the device; behind the next two while MSI-X is enabled */
	MSIX_CONFIG    = 20,
	MSIX_QUEUE     = 22,
	MSIX_DEVICE    = 24,
};
/* clang-format on */

static unsigned config_offset(const struct virtio_pci *p)
{
	return msix_enabled(&p->msix) ? MSIX_DEVICE : CONFIG;
}

static uint64_t read_register(struct virtio_pci *p, unsigned offset)
{
	const struct virtq *q = virtio_pci_queue(p);

	switch (offset) {
	case HOST_FEATURES:
		return (uint32_t)p->virtio->offered;
	case GUEST_FEATURES:
		return (uint32_t)p->virtio->features;
	case QUEUE_PFN:
		return q && q->ready ? q->desc >> PAGE_SHIFT : 0;
	case QUEUE_SIZE:
		return q ? VIRTIO_QUEUE_SIZE : 0;
	case QUEUE_SELECT:
		return p->queue;
	case STATUS:
		return p->virtio->status;
	case ISR:
		return virtio_pci_take_isr(p);
	case MSIX_CONFIG:
		return p->config_vector;
	case MSIX_QUEUE:
		return q ? q->vector : VIRTIO_NO_VECTOR;
	default:
		return 0;
	}
}

static uint64_t legacy_read(void *dev, uint64_t offset, unsigned size)
{
	struct virtio_pci *p = dev;

	if (offset >= config_offset(p))
		return virtio_config_read(p->virtio, offset - config_offset(p), size);
	return read_register(p, (unsigned)offset);
}

static void legacy_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_pci *p = dev;
	struct virtq *q = virtio_pci_queue(p);

	if (offset >= config_offset(p)) {
		virtio_config_write(p->virtio, offset - config_offset(p), size, value);
		return;
	}
	switch (offset) {
	case GUEST_FEATURES:
		virtio_set_features(p->virtio, 0, (uint32_t)value);
		break;
	case QUEUE_PFN:
		virtio_set_legacy_queue(p->virtio, p->queue, (uint32_t)value);
		break;
	case QUEUE_SELECT:
		p->queue = (uint16_t)value;
		break;
	case QUEUE_NOTIFY:
		virtio_kick(p->virtio, (unsigned)value);
		break;
	case STATUS:
		virtio_pci_set_status(p, (uint8_t)value);
		break;
	case MSIX_CONFIG:
		p->config_vector = virtio_pci_vector(p, value);
		break;
	case MSIX_QUEUE:
		if (q)
			q->vector = virtio_pci_vector(p, value);
		break;
	}
}

const struct io_ops virtio_pci_legacy_ops = {"virtio-legacy", legacy_read, legacy_write, IO_8 | IO_16 | IO_32};
