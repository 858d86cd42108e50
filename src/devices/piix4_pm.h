/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management function of the PIIX4 (datasheet 290562, chapter 7), 8086:7113 at 00:01.3: where the ACPI block's
 * ports lie, and an SMBus host controller with nothing behind it.
 *
 * There is no system management mode: APMC_EN reads as set after reset, which tells SeaBIOS that SMM was dealt with.
 */
#ifndef GNOMON_DEVICES_PIIX4_PM_H
#define GNOMON_DEVICES_PIIX4_PM_H

#include "devices/pci.h"

enum {
	PIIX4_PM_PORTS = 64,
	PIIX4_SMB_PORTS = 16,
};

struct piix4_pm {
	struct pci_dev pci;
	/* Told when PMBASE or its enable bit may have changed: the ACPI block has PIIX4_PM_PORTS ports at base, or
	 * none. */
	void (*map_pm)(void *arg, uint16_t base, bool enabled);
	void *map_arg;
	bool com1, com2, lpt; /* shown in DEVRESA-DEVRESG, where SeaBIOS's DSDT looks for them; set before reset */
	bool smb_mapped;
	uint16_t smb_base;
	uint8_t smb_status, smb_control, smb_command, smb_address, smb_data[2];
};

/* Attaches itself at 00:01.3. */
void piix4_pm_init(struct piix4_pm *p, struct pci_bus *bus, void (*map_pm)(void *arg, uint16_t base, bool enabled),
		   void *arg);
void piix4_pm_reset(struct piix4_pm *p);

/*
 * For map_pm: moves a range of ports that a guest places. *mapped and *at are the caller's record of where it is now. A
 * collision leaves it unmapped.
 */
void piix4_move_ports(struct bus *bus, uint16_t base, bool enabled, uint32_t len, const struct io_ops *ops, void *dev,
		      bool *mapped, uint16_t *at);

#endif
