/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IDE function of the PIIX3 (datasheet 290550, sections 2.3 and 2.6), 8086:7010 at 00:01.1: two channels at the
 * compatible ports and interrupts, and a bus master for each (BAR 4).
 *
 * A transfer moves at most a slice at a time; the rest goes on from a timer, so that no port access takes long. A PRD
 * table longer than the 64 KiB it may occupy ends there.
 */
#ifndef GNOMON_DEVICES_PIIX_IDE_H
#define GNOMON_DEVICES_PIIX_IDE_H

#include "clock.h"
#include "devices/ide.h"
#include "devices/pci.h"

enum { PIIX_IDE_CHANNELS = 2 };

struct bus_master {
	struct piix_ide *owner;
	struct ide_channel *channel;
	struct timer more; /* the next slice */
	uint8_t command, status;
	uint32_t table;		/* BMIDTP */
	uint32_t next;		/* address of the next descriptor */
	uint32_t fetched;	/* descriptors since the start */
	uint32_t address, left; /* of the region now in use */
	bool last;		/* it is the table's last */
};

struct piix_ide {
	struct pci_dev pci;
	struct ide_channel channel[PIIX_IDE_CHANNELS];
	struct bus_master master[PIIX_IDE_CHANNELS];
};

/*
 * Attaches itself at 00:01.1 and adds ports 1f0-1f7, 3f6, 170-177, 376 to the bus's port space. Drives are attached to
 * p->channel[] by ide_attach_disk and ide_attach_cdrom. irq: lines for ISA IRQ 14 and 15. 0 or bus_add's error.
 */
int piix_ide_init(struct piix_ide *p, struct pci_bus *bus, struct clock *clock,
		  const struct irq_line irq[PIIX_IDE_CHANNELS]);
void piix_ide_reset(struct piix_ide *p);
/* At the end of S3: a reset that keeps the timing registers, and with them that the channels are in use, without which
 * drivers leave them alone. Firmware sets this up again, but SeaBIOS does so at a boot only. */
void piix_ide_wake(struct piix_ide *p);

#endif
