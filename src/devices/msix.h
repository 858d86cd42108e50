/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X capability of a PCI device: PCI Local Bus Specification 3.0, section 6.8.2. Table and pending bits lie in a
 * memory BAR of their own.
 */
#ifndef GNOMON_DEVICES_MSIX_H
#define GNOMON_DEVICES_MSIX_H

#include "devices/pci.h"

enum { MSIX_MAX = 32 };

struct msix {
	struct pci_dev *pci;
	unsigned vectors;
	unsigned cap; /* offset of the capability */
	struct {
		uint64_t address;
		uint32_t data, control;
	} table[MSIX_MAX];
	uint32_t pending;
};

/* Before pci_attach: adds the capability and a BAR of a page. vectors: 1..MSIX_MAX. */
void msix_init(struct msix *m, struct pci_dev *pci, unsigned bar, unsigned vectors);
void msix_reset(struct msix *m);

/* The guest has turned it on: the device must not use INTx. */
bool msix_enabled(const struct msix *m);

/* Sends the message of a vector, or remembers it while masked. Vectors that do not exist are ignored. */
void msix_notify(struct msix *m, unsigned vector);

/* To be called from the device's pci.written. */
void msix_written(struct msix *m, unsigned reg, unsigned len);

#endif
