/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The display adapter as a PCI device (1234:1111, the identity that SeaBIOS's vgabios-stdvga carries): BAR 0 the frame
 * buffer, BAR 2 the registers, and the video BIOS as expansion ROM.
 */
#ifndef GNOMON_VGA_PCI_H
#define GNOMON_VGA_PCI_H

#include "devices/pci.h"
#include "vga.h"

enum { VGA_ROM_SIZE = 64 << 10 };

struct vga_pci {
	struct pci_dev pci;
	struct vga *vga;
};

/*
 * Makes the PCI side of an initialized vga, which stays the caller's, to be put on a bus with pci_attach(&d->pci, ...).
 * rom: the video BIOS, VGA_ROM_SIZE bytes or more; NULL: none.
 */
void vga_pci_init(struct vga_pci *d, struct vga *vga, struct pm_backing *rom);

/* The PCI registers and the adapter itself. */
void vga_pci_reset(struct vga_pci *d);

#endif
