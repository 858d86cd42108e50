/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/piix3.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum { /* PIIX3, section 2.1 */
	IORT    = 0x4c, /* ISA I/O recovery timer */
	XBCS    = 0x4e,
	PIRQRCA = 0x60, /* .. 63: PIRQ route control */
	TOM     = 0x69, /* top of memory */
	MSTAT   = 0x6a,
	MBIRQ0  = 0x70,
	MBDMA0  = 0x76,
	MBDMA1  = 0x77,
	APICBASE = 0x80,
	SMICNTL = 0xa0,
	SMIEN   = 0xa2,
	SMIREQ  = 0xaa,
};

enum {
	ROUTE_OFF  = 0x80,
	ROUTE_IRQ  = 0x0f,
	ROUTABLE   = 0xdef8, /* 3-7, 9-12, 14, 15 (PIRQRC, 2.1.7): the others are reserved */
	RCR_HARD   = 0x02,
	RCR_RESET  = 0x04,
};
/* clang-format on */

/* Recomputes the 16 lines from their sources and tells those that changed. */
static void update_lines(struct piix3 *p)
{
	uint16_t level = p->isa_level;
	uint16_t changed;

	for (unsigned i = 0; i < PCI_PIRQS; i++) {
		uint8_t route = p->pci.config[PIRQRCA + i];
		if ((p->pirq_level & BIT(i)) && !(route & ROUTE_OFF) && (ROUTABLE & BIT(route & ROUTE_IRQ)))
			level |= (uint16_t)BIT(route & ROUTE_IRQ);
	}
	changed = level ^ p->out_level;
	p->out_level = level;
	for (unsigned n = 0; n < ISA_IRQS; n++)
		if (changed & BIT(n))
			irq_set(&p->out[n], level & BIT(n));
}

static void set_isa(void *to, int n, bool level)
{
	struct piix3 *p = to;

	p->isa_level = (uint16_t)((p->isa_level & ~BIT(n)) | (level ? BIT(n) : 0));
	update_lines(p);
}

static void set_pirq(void *to, int n, bool level)
{
	struct piix3 *p = to;

	trace(irq, "pirq%c %s", 'A' + n, level ? "up" : "down");
	p->pirq_level = (uint8_t)((p->pirq_level & ~BIT(n)) | (level ? BIT(n) : 0));
	update_lines(p);
}

static void written(struct pci_dev *pci, unsigned reg, unsigned len)
{
	if (reg < PIRQRCA + PCI_PIRQS && reg + len > PIRQRCA)
		update_lines(container_of(pci, struct piix3, pci));
}

static uint64_t rcr_read(void *dev, uint64_t offset, unsigned size)
{
	struct piix3 *p = dev;
	return p->rcr;
}

static void rcr_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct piix3 *p = dev;

	p->rcr = value & RCR_HARD;
	if ((value & RCR_RESET) && p->reset)
		p->reset(p->reset_arg);
}

static const struct io_ops rcr_ops = {
    .name = "piix3-rcr",
    .read = rcr_read,
    .write = rcr_write,
    .widths = IO_8,
};

struct irq_line piix3_isa_irq(struct piix3 *p, unsigned n)
{
	ASSERT(n < ISA_IRQS);
	return (struct irq_line){set_isa, p, (int)n};
}

void piix3_init(struct piix3 *p, struct pci_bus *bus, void (*reset)(void *arg), void *arg)
{
	memset(p, 0, sizeof(*p));
	p->reset = reset;
	p->reset_arg = arg;
	pci_dev_init(&p->pci, "piix3", 0x8086, 0x7000, PCI_CLASS(6, 1, 0));
	p->pci.written = written;
	p->pci.wmask[IORT] = 0xff;
	p->pci.wmask[XBCS] = 0xff;
	p->pci.wmask[XBCS + 1] = 0x01;
	memset(p->pci.wmask + PIRQRCA, ROUTE_OFF | ROUTE_IRQ, PCI_PIRQS);
	p->pci.wmask[TOM] = 0xfe;
	memset(p->pci.wmask + MBIRQ0, 0xef, 2);
	memset(p->pci.wmask + MBDMA0, 0x8f, 2);
	p->pci.wmask[APICBASE] = 0x7f;
	memset(p->pci.wmask + SMICNTL, 0xff, SMIREQ - SMICNTL);
	for (int i = 0; i < PCI_PIRQS; i++)
		bus->pirq[i] = (struct irq_line){set_pirq, p, i};
	bus->rcr_ops = &rcr_ops;
	bus->rcr_dev = p;
	pci_attach(&p->pci, bus, PCI_DEVFN(1, 0));
	piix3_reset(p);
}

void piix3_reset(struct piix3 *p)
{
	uint8_t *c = p->pci.config;

	memset(c + 0x40, 0, 0xc0);
	store_le(c + PCI_STATUS, 2, PCI_STATUS_DEVSEL_MED);
	c[IORT] = 0x4d;
	c[XBCS] = 0x03;
	memset(c + PIRQRCA, ROUTE_OFF, PCI_PIRQS);
	c[TOM] = 0x02;
	c[MBIRQ0] = 0x80;
	c[MBDMA0] = 0x0c;
	c[MBDMA1] = 0x0c;
	c[SMICNTL] = 0x08;
	p->rcr = 0;
	pci_dev_reset(&p->pci);
	/* ISA bridges decode and master always (PCICMD, 2.1.3: bits 2:0 are hardwired to 1). */
	c[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER;
	p->pci.wmask[PCI_COMMAND] = 0;
}
