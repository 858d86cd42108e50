/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI-to-ISA bridge: Intel 82371SB (PIIX3, datasheet 290550), 8086:7000 at 00:01.0. Routes PCI interrupts to ISA lines
 * and holds the reset control register (cf9). The IDE function is in piix_ide.h, power management in piix4_pm.h.
 *
 * Every ISA interrupt line of the board passes through here, so that ISA devices and PIRQs which share a line are
 * or-ed: the board gives each ISA device piix3_isa_irq(p, n) as its line and takes p->out[n] to PIC and I/O APIC.
 */
#ifndef GNOMON_DEVICES_PIIX3_H
#define GNOMON_DEVICES_PIIX3_H

#include "devices/pci.h"

enum { ISA_IRQS = 16 };

struct piix3 {
	struct pci_dev pci;
	struct irq_line out[ISA_IRQS]; /* set by the board before the first interrupt */
	uint16_t isa_level;	       /* lines driven by ISA devices */
	uint8_t pirq_level;	       /* PIRQA = bit 0 ... */
	uint16_t out_level;	       /* what `out` was told */
	uint8_t rcr;		       /* reset control register */
	void (*reset)(void *arg);      /* the guest wants the machine reset; must not reset devices within the call */
	void *reset_arg;
};

/* Attaches itself at 00:01.0 and takes the bus's PIRQ lines and cf9. */
void piix3_init(struct piix3 *p, struct pci_bus *bus, void (*reset)(void *arg), void *arg);

/* Routes and registers as at power-on. ISA devices' levels are kept: they reset themselves. */
void piix3_reset(struct piix3 *p);

/* The input for an ISA device on IRQ n (0..15). One device a line. */
struct irq_line piix3_isa_irq(struct piix3 *p, unsigned n);

#endif
