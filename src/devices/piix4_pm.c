/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/piix4_pm.h"

#include <string.h>

/* clang-format off */
enum { /* configuration, 7.1 */
	PMBA      = 0x40,
	CNTA      = 0x44,
	DEVACTB   = 0x58,
	DEVRESA3  = 0x5f,
	DEVRESC3  = 0x67,
	PMREGMISC = 0x80,
	SMBBA     = 0x90,
	SMBHSTCFG = 0xd2,
};

enum {
	BASE_IO       = 0x01, /* PMBA, SMBBA bit 0: hardwired */
	PMIOSE        = 0x01,
	SMB_HST_EN    = 0x01,
	APMC_EN_BYTE3 = 0x02, /* DEVACTB bit 25 */
	LPT_EN        = 0x80, /* in DEVRESA3; device activity enables, as on the reference board */
	COM1_EN       = 0x08, /* in DEVRESC3 */
	COM2_EN       = 0x80,
};

enum { /* SMBus host registers, 7.3 */
	SMBHSTSTS  = 0,
	SMBHSTCNT  = 2,
	SMBHSTCMD  = 3,
	SMBHSTADD  = 4,
	SMBHSTDAT0 = 5,
	SMBHSTDAT1 = 6,
};

enum {
	SMB_DEV_ERR   = 0x04,
	SMB_STS_CLEAR = 0x1e, /* write one to clear: FAILED, BUS_ERR, DEV_ERR, INTER */
	SMB_START     = 0x40,
};
/* clang-format on */

static uint64_t smb_read(void *dev, uint64_t offset, unsigned size)
{
	const struct piix4_pm *p = dev;

	switch (offset) {
	case SMBHSTSTS:
		return p->smb_status;
	case SMBHSTCNT:
		return p->smb_control;
	case SMBHSTCMD:
		return p->smb_command;
	case SMBHSTADD:
		return p->smb_address;
	case SMBHSTDAT0:
	case SMBHSTDAT1:
		return p->smb_data[offset - SMBHSTDAT0];
	default:
		return 0;
	}
}

static void smb_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct piix4_pm *p = dev;

	switch (offset) {
	case SMBHSTSTS:
		p->smb_status &= (uint8_t) ~(value & SMB_STS_CLEAR);
		break;
	case SMBHSTCNT:
		p->smb_control = (uint8_t)(value & ~SMB_START);
		if (value & SMB_START) /* nobody acknowledges any address */
			p->smb_status |= SMB_DEV_ERR;
		break;
	case SMBHSTCMD:
		p->smb_command = (uint8_t)value;
		break;
	case SMBHSTADD:
		p->smb_address = (uint8_t)value;
		break;
	case SMBHSTDAT0:
	case SMBHSTDAT1:
		p->smb_data[offset - SMBHSTDAT0] = (uint8_t)value;
		break;
	}
}

static const struct io_ops smb_ops = {
    .name = "piix4-smbus",
    .read = smb_read,
    .write = smb_write,
    .widths = IO_8,
};

void piix4_move_ports(struct bus *bus, uint16_t base, bool enabled, uint32_t len, const struct io_ops *ops, void *dev,
		      bool *mapped, uint16_t *at)
{
	if (*mapped && (!enabled || *at != base)) {
		bus_remove(bus, *at, dev);
		*mapped = false;
	}
	if (!enabled || !base || *mapped)
		return;
	*mapped = bus_add(bus, base, len, ops, dev, 0) == 0;
	*at = base;
}

static void written(struct pci_dev *pci, unsigned reg, unsigned len)
{
	struct piix4_pm *p = container_of(pci, struct piix4_pm, pci);
	const uint8_t *c = pci->config;

	if (reg + len <= PMBA)
		return;
	if (p->map_pm)
		p->map_pm(p->map_arg, pci_get16(c + PMBA) & 0xffc0, c[PMREGMISC] & PMIOSE);
	piix4_move_ports(pci->bus->ports, pci_get16(c + SMBBA) & 0xfff0, c[SMBHSTCFG] & SMB_HST_EN, PIIX4_SMB_PORTS,
			 &smb_ops, p, &p->smb_mapped, &p->smb_base);
}

void piix4_pm_init(struct piix4_pm *p, struct pci_bus *bus, void (*map_pm)(void *arg, uint16_t base, bool enabled),
		   void *arg)
{
	memset(p, 0, sizeof(*p));
	p->map_pm = map_pm;
	p->map_arg = arg;
	pci_dev_init(&p->pci, "piix4-pm", 0x8086, 0x7113, PCI_CLASS(6, 0x80, 0));
	p->pci.config[PCI_REVISION] = 3;
	p->pci.written = written;
	pci_set_pin(&p->pci, 1);
	store_le(p->pci.wmask + PMBA, 2, 0xffc0);
	memset(p->pci.wmask + CNTA, 0xff,
	       DEVACTB + 4 + 0x20 - CNTA); /* counters, device activity, resources: kept only */
	p->pci.wmask[PMREGMISC] = PMIOSE;
	store_le(p->pci.wmask + SMBBA, 2, 0xfff0);
	memset(p->pci.wmask + SMBHSTCFG, 0xff, 4);
	pci_attach(&p->pci, bus, PCI_DEVFN(1, 3));
	piix4_pm_reset(p);
}

void piix4_pm_reset(struct piix4_pm *p)
{
	uint8_t *c = p->pci.config;

	memset(c + 0x40, 0, 0xc0);
	store_le(c + PCI_STATUS, 2, PCI_STATUS_FAST_B2B | PCI_STATUS_DEVSEL_MED);
	c[PMBA] = BASE_IO;
	c[SMBBA] = BASE_IO;
	c[DEVACTB + 3] = APMC_EN_BYTE3;
	c[DEVRESA3] = p->lpt ? LPT_EN : 0;
	c[DEVRESC3] = (uint8_t)((p->com1 ? COM1_EN : 0) | (p->com2 ? COM2_EN : 0));
	p->smb_status = p->smb_control = p->smb_command = p->smb_address = 0;
	memset(p->smb_data, 0, sizeof(p->smb_data));
	pci_dev_reset(&p->pci);
}
