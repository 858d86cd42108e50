/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/piix_ide.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum { /* configuration, 2.3 */
	IDETIM = 0x40, /* 40-41 primary, 42-43 secondary */
	SIDETIM = 0x44,
};

enum { /* bus master registers of a channel, 2.6 */
	BMICOM = 0,
	BMISTA = 2,
	BMIDTP = 4,
	BM_LEN = 8,
};

enum {
	COM_START  = 0x01,
	COM_TO_MEMORY = 0x08,
	STA_ACTIVE = 0x01,
	STA_ERROR  = 0x02,
	STA_INTR   = 0x04,
	STA_CAPABLE = 0x60,
};
/* clang-format on */

enum {
	SLICE = 1 << 20, /* bytes moved in one go */
	PRD_LEN = 8,
	PRD_MAX = 0x10000 / PRD_LEN,
	PRD_LAST = 1u << 31,
	SLICE_PRDS = 1024,	/* descriptors looked at in one go */
	SLICE_PAUSE_NS = 10000, /* the guest runs in between */
};

static void stop(struct bus_master *bm, uint8_t error)
{
	bm->status &= (uint8_t)~STA_ACTIVE;
	bm->status |= error;
	timer_cancel(&bm->more);
}

/* Loads the next descriptor. false: the table is over. */
static bool next_prd(struct bus_master *bm)
{
	struct {
		uint32_t address, count;
	} prd;

	if (bm->last || bm->fetched == PRD_MAX)
		return false;
	if (!pci_dma_read(&bm->owner->pci, bm->next, &prd, sizeof(prd)))
		return false;
	bm->next += PRD_LEN;
	bm->fetched++;
	bm->address = prd.address & ~1u;
	bm->left = prd.count & 0xfffe ? prd.count & 0xfffe : 0x10000;
	bm->last = prd.count & PRD_LAST;
	return true;
}

/* Moves up to `budget` bytes between drive and the current region; returns how many. */
static uint32_t move(struct bus_master *bm, struct ide_drive *d, uint32_t budget)
{
	struct pci_dev *pci = &bm->owner->pci;
	bool in = d->phase == IDE_DMA_IN;
	uint32_t n = in ? ide_dma_in_bytes(d) : ide_dma_out_room(d);

	n = MIN(MIN(n, bm->left), budget);
	if (in)
		pci_dma_write(pci, bm->address, d->buf + d->pos, n);
	else
		pci_dma_read(pci, bm->address, d->buf + d->pos, n);
	bm->address += n;
	bm->left -= n;
	/* Regions that end exactly with the command leave the master inactive; longer ones leave it active (2.6.2). */
	if (bm->last && !bm->left)
		bm->status &= (uint8_t)~STA_ACTIVE;
	ide_dma_advance(d, n);
	return n;
}

/* One slice of the transfer, if both sides are ready. */
static void run(void *arg)
{
	struct bus_master *bm = arg;
	struct ide_drive *d;
	uint32_t budget = SLICE, prds = SLICE_PRDS;

	if (!(bm->command & COM_START))
		return;
	while ((d = ide_dma_drive(bm->channel))) {
		if ((d->phase == IDE_DMA_IN) != !!(bm->command & COM_TO_MEMORY) || !pci_may_master(&bm->owner->pci)) {
			stop(bm, STA_ERROR);
			ide_dma_abort(d);
			return;
		}
		if (!budget || !prds) {
			timer_arm(&bm->more, clock_now(bm->more.clock) + SLICE_PAUSE_NS);
			return;
		}
		if (!bm->left) {
			prds--;
			if (!next_prd(bm)) { /* the drive has more than the table: it waits, the host must reset it */
				stop(bm, 0);
				return;
			}
		}
		budget -= move(bm, d, budget);
	}
}

static void start(struct bus_master *bm)
{
	trace(disk, "bus master: start, table %08x, %s memory", bm->table, bm->command & COM_TO_MEMORY ? "to" : "from");
	bm->status |= STA_ACTIVE;
	bm->next = bm->table;
	bm->fetched = 0;
	bm->left = 0;
	bm->last = false;
	run(bm);
}

/* A drive is ready: the host may have started the master before or after the command. */
static void dma_ready(void *arg)
{
	run(arg);
}

static void intrq_rose(void *arg)
{
	struct bus_master *bm = arg;
	bm->status |= STA_INTR;
}

static uint64_t bm_read(void *dev, uint64_t offset, unsigned size)
{
	struct piix_ide *p = dev;
	const struct bus_master *bm = &p->master[offset / BM_LEN & 1];
	unsigned reg = offset % BM_LEN;

	switch (reg) {
	case BMICOM:
		return bm->command;
	case BMISTA:
		return bm->status;
	case BMIDTP:
	case BMIDTP + 1:
	case BMIDTP + 2:
	case BMIDTP + 3:
		return bm->table >> (reg - BMIDTP) * 8 & 0xff;
	default:
		return 0;
	}
}

static void write_command(struct bus_master *bm, uint8_t value)
{
	uint8_t old = bm->command;

	bm->command = value & (COM_START | COM_TO_MEMORY);
	if ((value & COM_START) && !(old & COM_START))
		start(bm);
	else if (!(value & COM_START) && (old & COM_START))
		stop(bm, 0);
}

static void bm_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct piix_ide *p = dev;
	struct bus_master *bm = &p->master[offset / BM_LEN & 1];
	unsigned reg = offset % BM_LEN;

	switch (reg) {
	case BMICOM:
		write_command(bm, (uint8_t)value);
		break;
	case BMISTA:
		bm->status &= (uint8_t) ~(value & (STA_ERROR | STA_INTR));
		bm->status = (uint8_t)((bm->status & ~STA_CAPABLE) | (value & STA_CAPABLE));
		break;
	case BMIDTP:
	case BMIDTP + 1:
	case BMIDTP + 2:
	case BMIDTP + 3: {
		unsigned shift = (reg - BMIDTP) * 8;
		bm->table = (bm->table & ~(0xffu << shift)) | (uint32_t)value << shift;
		bm->table &= ~3u;
		break;
	}
	}
}

static const struct io_ops bm_ops = {
    .name = "piix-ide-bus-master",
    .read = bm_read,
    .write = bm_write,
    .widths = IO_8,
};

int piix_ide_init(struct piix_ide *p, struct pci_bus *bus, struct clock *clock,
		  const struct irq_line irq[PIIX_IDE_CHANNELS])
{
	static const uint16_t command_port[] = {0x1f0, 0x170};
	static const uint16_t control_port[] = {0x3f6, 0x376};
	int err = 0;

	memset(&p->pci, 0, sizeof(p->pci));
	memset(p->master, 0, sizeof(p->master));
	pci_dev_init(&p->pci, "piix3-ide", 0x8086, 0x7010, PCI_CLASS(1, 1, 0x80));
	pci_bar_io(&p->pci, 4, 2 * BM_LEN, &bm_ops, p);
	memset(p->pci.wmask + IDETIM, 0xff, SIDETIM + 1 - IDETIM);
	for (unsigned i = 0; !err && i < PIIX_IDE_CHANNELS; i++) {
		struct ide_channel *ch = &p->channel[i];
		struct bus_master *bm = &p->master[i];
		bm->owner = p;
		bm->channel = ch;
		timer_init(&bm->more, clock, run, bm);
		ide_init(ch, irq[i]);
		ch->master = bm;
		ch->dma_ready = dma_ready;
		ch->intrq_rose = intrq_rose;
		err = bus_add(bus->ports, command_port[i], 8, &ide_ops.ops, ch, 0);
		if (!err)
			err = bus_add(bus->ports, control_port[i], 1, &ide_control_ops, ch, 0);
	}
	if (err)
		return err;
	pci_attach(&p->pci, bus, PCI_DEVFN(1, 1));
	piix_ide_reset(p);
	return 0;
}

void piix_ide_reset(struct piix_ide *p)
{
	for (unsigned i = 0; i < PIIX_IDE_CHANNELS; i++) {
		struct bus_master *bm = &p->master[i];
		ide_reset(&p->channel[i]);
		timer_cancel(&bm->more);
		bm->command = 0;
		bm->status = 0;
		bm->table = 0;
	}
	store_le(p->pci.config + PCI_STATUS, 2, PCI_STATUS_FAST_B2B | PCI_STATUS_DEVSEL_MED);
	memset(p->pci.config + IDETIM, 0, SIDETIM + 1 - IDETIM);
	pci_dev_reset(&p->pci);
}

void piix_ide_wake(struct piix_ide *p)
{
	uint8_t timing[SIDETIM + 1 - IDETIM];

	memcpy(timing, p->pci.config + IDETIM, sizeof(timing));
	piix_ide_reset(p);
	memcpy(p->pci.config + IDETIM, timing, sizeof(timing));
}
