/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vga_pci.h"

enum { /* what the video BIOS and drivers look for */
       VGA_PCI_VENDOR = 0x1234,
       VGA_PCI_DEVICE = 0x1111,
       VGA_PCI_REVISION = 2, /* has the register BAR */
       VGA_PCI_SUBSYS_VENDOR = 0x1af4,
       VGA_PCI_SUBSYS_ID = 0x1100,
       VGA_BAR_FRAME_BUFFER = 0,
       VGA_BAR_REGISTERS = 2,
};

void vga_pci_init(struct vga_pci *d, struct vga *vga, struct pm_backing *rom)
{
	d->vga = vga;
	pci_dev_init(&d->pci, "vga", VGA_PCI_VENDOR, VGA_PCI_DEVICE, PCI_CLASS(3, 0, 0));
	d->pci.config[PCI_REVISION] = VGA_PCI_REVISION;
	store_le(&d->pci.config[PCI_SUBSYS_VENDOR], 2, VGA_PCI_SUBSYS_VENDOR);
	store_le(&d->pci.config[PCI_SUBSYS_ID], 2, VGA_PCI_SUBSYS_ID);
	pci_bar_ram(&d->pci, VGA_BAR_FRAME_BUFFER, VGA_VRAM_SIZE, PCI_BAR_PREFETCH, &vga->vram, 0);
	pci_bar_mmio(&d->pci, VGA_BAR_REGISTERS, PAGE_SIZE, 0, &vga_mmio_ops, vga);
	if (rom)
		pci_bar_rom(&d->pci, VGA_ROM_SIZE, rom);
}

void vga_pci_reset(struct vga_pci *d)
{
	pci_dev_reset(&d->pci);
	vga_reset(d->vga);
}
