/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the two interfaces of virtio over PCI. */
#ifndef GNOMON_DEVICES_VIRTIO_PCI_INTERNAL_H
#define GNOMON_DEVICES_VIRTIO_PCI_INTERNAL_H

#include "devices/virtio_pci.h"

enum { /* interrupt status, 4.1.4.5 */
       VIRTIO_ISR_QUEUE = 1,
       VIRTIO_ISR_CONFIG = 2,

       VIRTIO_LEGACY_LEN = 128,
};

extern const struct io_ops virtio_pci_legacy_ops;

/* Reads the interrupt status, which clears it and the line. */
uint8_t virtio_pci_take_isr(struct virtio_pci *p);
/* The selected queue, or NULL. */
struct virtq *virtio_pci_queue(struct virtio_pci *p);
/* A vector that the driver wants, or VIRTIO_NO_VECTOR if it does not exist. */
uint16_t virtio_pci_vector(const struct virtio_pci *p, uint64_t wanted);
void virtio_pci_set_status(struct virtio_pci *p, uint8_t status);

#endif
