/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/i440fx.h"

#include <string.h>

/* clang-format off */
enum { /* 440FX PMC, section 3.2 */
	PMCCFG = 0x50,
	PAM0   = 0x59, /* bits 7:4 F0000-FFFFF */
	PAM1   = 0x5a, /* ... PAM6 = 5f: two 16-KiB segments each, from C0000 */
	PAM6   = 0x5f,
	DRB0   = 0x60, /* DRAM row boundaries, 8 of them */
	SMRAM  = 0x72,
};

enum {
	PAM_RE   = 1,
	PAM_WE   = 2,
	PAM_MASK = 0x33,
};

enum { /* SMRAM, 3.2.18 */
	SMRAM_BASE   = 0x02, /* bits 2:0, hardwired: A0000 */
	SMRAM_ENABLE = 0x08, /* G_SMRAME */
	SMRAM_LOCK   = 0x10, /* D_LCK */
	SMRAM_CLOSED = 0x20, /* D_CLS */
	SMRAM_OPEN   = 0x40, /* D_OPEN */
};
/* clang-format on */

/* The two attribute bits of a segment. */
static unsigned pam_bits(const struct i440fx *h, unsigned segment)
{
	unsigned nibble = segment + 1; /* the first segment's bits are the high nibble of PAM0 */
	return h->pci.config[PAM0 + nibble / 2] >> (nibble & 1) * 4 & (PAM_RE | PAM_WE);
}

static void update_pam(struct i440fx *h)
{
	for (unsigned i = 0; i < I440FX_PAM_SEGMENTS; i++) {
		unsigned bits = pam_bits(h, i);
		physmem_set_kind(h->pci.bus->pm, &h->pam[i], bits & PAM_WE ? PM_RAM : PM_ROM, bits & PAM_RE);
	}
}

static void update_smram(struct i440fx *h)
{
	uint8_t *smram = &h->pci.config[SMRAM];

	if (*smram & SMRAM_LOCK) {
		*smram &= (uint8_t)~SMRAM_OPEN;
		h->pci.wmask[SMRAM] = 0;
	}
	physmem_enable(h->pci.bus->pm, &h->smram, (*smram & SMRAM_ENABLE) && (*smram & SMRAM_OPEN));
}

static void written(struct pci_dev *pci, unsigned reg, unsigned len)
{
	struct i440fx *h = container_of(pci, struct i440fx, pci);

	if (reg <= PAM6 && reg + len > PAM0)
		update_pam(h);
	if (reg <= SMRAM && reg + len > SMRAM)
		update_smram(h);
}

int i440fx_init(struct i440fx *h, struct pci_bus *bus)
{
	struct pm_backing *ram = &bus->pm->ram;

	if (ram->size < MiB)
		return -EINVAL;
	memset(h, 0, sizeof(*h));
	pci_dev_init(&h->pci, "i440fx", 0x8086, 0x1237, PCI_CLASS(6, 0, 0));
	h->pci.config[PCI_REVISION] = 2;
	h->pci.written = written;
	memset(h->pci.wmask + PMCCFG, 0xff, PAM0 - PMCCFG);
	memset(h->pci.wmask + PAM0, PAM_MASK, PAM6 + 1 - PAM0);
	h->pci.wmask[PAM0] = PAM_MASK & 0xf0;
	memset(h->pci.wmask + DRB0, 0xff, 8);
	for (unsigned i = 0; i < I440FX_PAM_SEGMENTS; i++) {
		gpa_t base = i ? 0xc0000 + (i - 1) * 16 * KiB : 0xf0000;
		h->pam[i] = (struct pm_region){.name = "pam",
					       .kind = PM_ROM,
					       .base = base,
					       .len = i ? 16 * KiB : 64 * KiB,
					       .priority = PM_PRIO_PAM,
					       .backing = ram,
					       .offset = base};
		physmem_add(bus->pm, &h->pam[i]);
	}
	h->smram = (struct pm_region){.name = "smram",
				      .kind = PM_RAM,
				      .base = 0xa0000,
				      .len = 128 * KiB,
				      .priority = PM_PRIO_PAM,
				      .backing = ram,
				      .offset = 0xa0000};
	physmem_add(bus->pm, &h->smram);
	bus->slot_addend = -1; /* slot 1's INTA is wired to PIRQA, as on this board's reference */
	pci_attach(&h->pci, bus, PCI_DEVFN(0, 0));
	i440fx_reset(h);
	return 0;
}

void i440fx_reset(struct i440fx *h)
{
	uint8_t *c = h->pci.config;

	store_le(c + PCI_STATUS, 2, PCI_STATUS_FAST_B2B | PCI_STATUS_DEVSEL_MED);
	memset(c + PAM0, 0, PAM6 + 1 - PAM0);
	c[SMRAM] = SMRAM_BASE;
	h->pci.wmask[SMRAM] = SMRAM_ENABLE | SMRAM_LOCK | SMRAM_CLOSED | SMRAM_OPEN;
	pci_dev_reset(&h->pci); /* tells `written` of all registers */
}
