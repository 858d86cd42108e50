/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio over PCI: VIRTIO 1.1, section 4.1. Transitional devices: the registers of the legacy interface in I/O space
 * (BAR 0), those of version 1 in memory (BAR 4) under vendor capabilities, MSI-X (BAR 1) or INTA.
 *
 *	virtio_init(&d->virtio, &ops, pm, clock, features);
 *	virtio_pci_init(&d->transport, &d->virtio);
 *	pci_attach(&d->transport.pci, bus, PCI_DEVFN(4, 0));
 */
#ifndef GNOMON_DEVICES_VIRTIO_PCI_H
#define GNOMON_DEVICES_VIRTIO_PCI_H

#include "devices/msix.h"
#include "devices/pci.h"
#include "devices/virtio.h"

struct virtio_pci {
	struct pci_dev pci;
	struct msix msix;
	struct virtio *virtio;
	unsigned window_cap;   /* offset of the capability that gives access to BARs through configuration space */
	uint32_t feature_half; /* device_feature_select */
	uint32_t guest_half;   /* driver_feature_select */
	uint16_t queue;	       /* queue_select */
	uint16_t config_vector;
	uint8_t isr;
};

/* A device that is not yet on the bus. The virtio device must have been initialized; it is reset. */
void virtio_pci_init(struct virtio_pci *p, struct virtio *v);
void virtio_pci_reset(struct virtio_pci *p);

#endif
