/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host bridge: Intel 82441FX (440FX PMC, datasheet 290549), 8086:1237 at 00:00.0. Decides where C0000-FFFFF goes (PAM
 * registers) and opens the SMRAM behind the VGA range.
 *
 * The board maps RAM below A0000 and from 1 MiB on, and what lies on the ISA side (the BIOS at E0000-FFFFF, option
 * ROMs) with PM_PRIO_ROM; the regions here cover it with RAM when the guest enables that. A segment that is write-only
 * (WE without RE) is left to the ISA side, writes included: reads and writes of one address cannot go different ways.
 */
#ifndef GNOMON_DEVICES_I440FX_H
#define GNOMON_DEVICES_I440FX_H

#include "devices/pci.h"

enum { I440FX_PAM_SEGMENTS = 13 }; /* F0000-FFFFF, then 16 KiB each from C0000 */

struct i440fx {
	struct pci_dev pci;
	struct pm_region pam[I440FX_PAM_SEGMENTS];
	struct pm_region smram; /* A0000-BFFFF as RAM, while open */
};

/* Attaches itself to the bus and its regions to the bus's physmem. -EINVAL if there is less than 1 MiB of RAM. */
int i440fx_init(struct i440fx *h, struct pci_bus *bus);
void i440fx_reset(struct i440fx *h);

#endif
