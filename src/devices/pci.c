/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/pci.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum { /* CONFIG_ADDRESS, PCI 2.2 section 3.2.2.3.2 */
	ADDRESS_ENABLE = 1u << 31,
	ADDRESS_BUS    = 0x00ff0000,
	ADDRESS_MASK   = 0x80fffffc,
};

enum {
	BAR_IO        = 1,
	BAR_64        = 4,
	BAR_PREFETCH  = 8,
	ROM_ENABLE    = 1,
	HEADER_MULTI  = 0x80,
	HEADER_LEN    = 0x40,
};
/* clang-format on */

/* The PCI bus lies below RAM and ROM: the host bridge claims those addresses first. */
enum { PRIO_BAR = PM_PRIO_RAM - 10 };

static unsigned bar_reg(unsigned bar)
{
	return bar == PCI_BAR_ROM ? PCI_ROM_BASE : PCI_BAR0 + bar * 4;
}

void pci_dev_init(struct pci_dev *dev, const char *name, uint16_t vendor, uint16_t device, uint32_t class_code)
{
	memset(dev, 0, sizeof(*dev));
	dev->name = name;
	store_le(dev->config + PCI_VENDOR_ID, 2, vendor);
	store_le(dev->config + PCI_DEVICE_ID, 2, device);
	store_le(dev->config + PCI_PROG_IF, 3, class_code);
	store_le(dev->wmask + PCI_COMMAND, 2,
		 PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
		     PCI_COMMAND_INTX_OFF);
	/* SeaBIOS tells by the host bridge's subsystem that it runs on this kind of board (and has fw_cfg). */
	store_le(dev->config + PCI_SUBSYS_VENDOR, 2, 0x1af4);
	store_le(dev->config + PCI_SUBSYS_ID, 2, 0x1100);
	dev->wmask[PCI_CACHE_LINE] = 0xff;
	dev->wmask[PCI_LATENCY] = 0xff;
	dev->wmask[PCI_INT_LINE] = 0xff;
	store_le(dev->w1cmask + PCI_STATUS, 2, 0xf900); /* error bits */
}

static struct pci_bar *bar_init(struct pci_dev *dev, unsigned n, enum pci_bar_kind kind, uint64_t size, uint32_t low)
{
	struct pci_bar *b = &dev->bar[n];
	uint64_t mask = ~(size - 1);

	ASSERT(!dev->bus && n < PCI_BARS && b->kind == PCI_BAR_NONE && !(size & (size - 1)));
	b->kind = kind;
	b->size = size;
	if (n == PCI_BAR_ROM)
		mask |= ROM_ENABLE;
	store_le(dev->wmask + bar_reg(n), 4, (uint32_t)mask);
	store_le(dev->config + bar_reg(n), 4, low);
	if (low & BAR_64 && kind == PCI_BAR_KIND_MEM) {
		ASSERT(n + 1 < PCI_BAR_ROM);
		b->is64 = true;
		store_le(dev->wmask + bar_reg(n + 1), 4, mask >> 32);
	}
	return b;
}

void pci_bar_io(struct pci_dev *dev, unsigned bar, uint32_t size, const struct io_ops *ops, void *arg)
{
	struct pci_bar *b = bar_init(dev, bar, PCI_BAR_KIND_IO, size, BAR_IO);

	ASSERT(size >= 4 && size <= 256);
	b->ops = ops;
	b->dev = arg;
}

static struct pm_region *bar_mem(struct pci_dev *dev, unsigned bar, uint64_t size, unsigned flags)
{
	uint32_t low = (flags & PCI_BAR_64 ? BAR_64 : 0) | (flags & PCI_BAR_PREFETCH ? BAR_PREFETCH : 0);
	struct pci_bar *b = bar_init(dev, bar, PCI_BAR_KIND_MEM, size, low);

	ASSERT(size >= PAGE_SIZE && (b->is64 || size <= 2 * GiB));
	b->region = (struct pm_region){.name = dev->name, .priority = PRIO_BAR, .len = size};
	return &b->region;
}

void pci_bar_mmio(struct pci_dev *dev, unsigned bar, uint64_t size, unsigned flags, const struct io_ops *ops, void *arg)
{
	struct pm_region *r = bar_mem(dev, bar, size, flags);

	r->kind = PM_IO;
	r->ops = ops;
	r->dev = arg;
}

void pci_bar_ram(struct pci_dev *dev, unsigned bar, uint64_t size, unsigned flags, struct pm_backing *backing,
		 uint64_t offset)
{
	struct pm_region *r = bar_mem(dev, bar, size, flags);

	r->kind = PM_RAM;
	r->backing = backing;
	r->offset = offset;
}

void pci_bar_rom(struct pci_dev *dev, uint64_t size, struct pm_backing *backing)
{
	struct pm_region *r = bar_mem(dev, PCI_BAR_ROM, size, 0);

	r->kind = PM_ROM;
	r->backing = backing;
}

unsigned pci_add_capability(struct pci_dev *dev, uint8_t id, unsigned size)
{
	uint8_t *link = &dev->config[PCI_CAP_POINTER];
	unsigned at = MAX(dev->cap_end, (unsigned)HEADER_LEN);

	while (*link)
		link = &dev->config[*link + 1];
	if (at + ALIGN_UP(size, 4) > sizeof(dev->config))
		return 0;
	dev->cap_end = at + ALIGN_UP(size, 4);
	*link = (uint8_t)at;
	memset(dev->config + at, 0, size);
	dev->config[at] = id;
	dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	return at;
}

void pci_set_pin(struct pci_dev *dev, unsigned pin)
{
	ASSERT(pin <= PCI_PIRQS);
	dev->config[PCI_INT_PIN] = (uint8_t)pin;
}

void pci_attach(struct pci_dev *dev, struct pci_bus *bus, uint8_t devfn)
{
	struct pci_dev *fn0;

	ASSERTF(!dev->bus && !bus->devs[devfn], "%s at %02x", dev->name, devfn);
	dev->bus = bus;
	dev->devfn = devfn;
	bus->devs[devfn] = dev;
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (dev->bar[i].kind == PCI_BAR_KIND_MEM)
			physmem_add(bus->pm, &dev->bar[i].region);
	fn0 = bus->devs[devfn & 0xf8];
	for (unsigned fn = 1; fn < 8 && fn0; fn++)
		if (bus->devs[(devfn & 0xf8) | fn])
			fn0->config[PCI_HEADER_TYPE] |= HEADER_MULTI;
}

/* Whether the guest has enabled a BAR, and at which address, whoever else may be there. */
static bool bar_wanted(const struct pci_dev *dev, unsigned n, uint64_t *address)
{
	const struct pci_bar *b = &dev->bar[n];
	uint16_t command = pci_get16(dev->config + PCI_COMMAND);
	uint64_t at = pci_get32(dev->config + bar_reg(n));
	uint64_t limit = b->kind == PCI_BAR_KIND_IO ? 0x10000 : b->is64 ? BIT(PHYSMEM_BITS) : 4 * GiB;

	if (!(command & (b->kind == PCI_BAR_KIND_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEM)))
		return false;
	if (n == PCI_BAR_ROM && !(at & ROM_ENABLE))
		return false;
	if (b->is64)
		at |= (uint64_t)pci_get32(dev->config + bar_reg(n + 1)) << 32;
	at &= ~(b->size - 1);
	/* 0 means unset; a BAR that ends at the top of the space is being sized. */
	if (!at || at >= limit - b->size)
		return false;
	*address = at;
	return true;
}

static void map_port_bar(struct pci_dev *dev, unsigned n)
{
	struct pci_bar *b = &dev->bar[n];
	uint64_t at = 0;
	bool wanted = bar_wanted(dev, n, &at);

	if (b->mapped && (!wanted || at != b->port)) {
		bus_remove(dev->bus->ports, b->port, b->dev);
		b->mapped = false;
	}
	if (!wanted || b->mapped)
		return;
	b->mapped = bus_add(dev->bus->ports, (uint32_t)at, (uint32_t)b->size, b->ops, b->dev, 0) == 0;
	b->port = (uint16_t)at;
	if (!b->mapped)
		trace(dev, "%s: ports of BAR %u collide at %04x", dev->name, n, b->port);
}

/* Brings the decoding of all BARs in line with the registers. */
static void update_bars(struct pci_dev *dev)
{
	bool ports = false;

	for (unsigned n = 0; n < PCI_BARS; n++) {
		struct pci_bar *b = &dev->bar[n];
		uint64_t at;
		if (b->kind == PCI_BAR_KIND_IO) {
			map_port_bar(dev, n);
			ports = true;
		} else if (b->kind == PCI_BAR_KIND_MEM) {
			if (bar_wanted(dev, n, &at))
				physmem_move(dev->bus->pm, &b->region, at, true);
			else
				physmem_enable(dev->bus->pm, &b->region, false);
		}
	}
	if (!ports)
		return;
	/* One that collided before may find its place free now. */
	for (unsigned i = 0; i < ARRAY_LEN(dev->bus->devs); i++)
		for (unsigned n = 0; dev->bus->devs[i] && n < PCI_BARS; n++)
			if (dev->bus->devs[i]->bar[n].kind == PCI_BAR_KIND_IO)
				map_port_bar(dev->bus->devs[i], n);
}

bool pci_bar_address(const struct pci_dev *dev, unsigned bar, uint64_t *address)
{
	const struct pci_bar *b = &dev->bar[bar];

	if (b->kind == PCI_BAR_KIND_IO && b->mapped)
		*address = b->port;
	else if (b->kind == PCI_BAR_KIND_MEM && b->region.enabled)
		*address = b->region.base;
	else
		return false;
	return true;
}

/* Drives the PIRQ line that the device's pin is wired to; lines are shared, so their sources are counted. */
static void update_intx(struct pci_dev *dev)
{
	struct pci_bus *bus = dev->bus;
	unsigned pin = dev->config[PCI_INT_PIN];
	bool level = dev->intx && pin && !(pci_get16(dev->config + PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
	unsigned pirq;

	if (dev->intx)
		dev->config[PCI_STATUS] |= PCI_STATUS_INTX;
	else
		dev->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
	if (!bus || level == dev->intx_driven)
		return;
	dev->intx_driven = level;
	pirq = (pin - 1 + (dev->devfn >> 3) + (unsigned)bus->slot_addend) % PCI_PIRQS;
	if (level) {
		if (bus->pirq_sources[pirq]++ == 0)
			irq_set(&bus->pirq[pirq], true);
	} else {
		if (--bus->pirq_sources[pirq] == 0)
			irq_set(&bus->pirq[pirq], false);
	}
}

void pci_set_intx(struct pci_dev *dev, bool level)
{
	dev->intx = level;
	update_intx(dev);
}

bool pci_may_master(const struct pci_dev *dev)
{
	return dev->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

bool pci_dma_read(struct pci_dev *dev, gpa_t gpa, void *buf, uint64_t len)
{
	if (!pci_may_master(dev)) {
		memset(buf, 0xff, len);
		return false;
	}
	physmem_read(dev->bus->pm, gpa, buf, len);
	return true;
}

bool pci_dma_write(struct pci_dev *dev, gpa_t gpa, const void *buf, uint64_t len)
{
	if (!pci_may_master(dev))
		return false;
	physmem_write(dev->bus->pm, gpa, buf, len);
	return true;
}

void pci_dev_reset(struct pci_dev *dev)
{
	store_le(dev->config + PCI_COMMAND, 2, 0);
	dev->config[PCI_CACHE_LINE] = 0;
	dev->config[PCI_LATENCY] = 0;
	dev->config[PCI_INT_LINE] = 0;
	for (unsigned i = PCI_BAR0; i < PCI_BAR0 + 6 * 4; i++)
		dev->config[i] &= (uint8_t)~dev->wmask[i];
	for (unsigned i = PCI_ROM_BASE; i < PCI_ROM_BASE + 4; i++)
		dev->config[i] &= (uint8_t)~dev->wmask[i];
	pci_set_intx(dev, false);
	if (dev->bus)
		update_bars(dev);
	if (dev->written)
		dev->written(dev, 0, sizeof(dev->config));
}

uint32_t pci_config_read(struct pci_dev *dev, unsigned reg, unsigned size)
{
	uint32_t value;

	if (dev->reading)
		dev->reading(dev, reg, size);
	value = (uint32_t)load_le(dev->config + reg, size);
	trace(dev, "%s: config %02x -> %x (%u)", dev->name, reg, value, size);
	return value;
}

static bool touches(unsigned reg, unsigned size, unsigned low, unsigned len)
{
	return reg < low + len && low < reg + size;
}

void pci_config_write(struct pci_dev *dev, unsigned reg, unsigned size, uint32_t value)
{
	trace(dev, "%s: config %02x <- %x (%u)", dev->name, reg, value, size);
	for (unsigned i = 0; i < size; i++) {
		uint8_t *at = &dev->config[reg + i];
		uint8_t mask = dev->wmask[reg + i];
		uint8_t byte = (uint8_t)(value >> (i * 8));
		*at = (uint8_t)((*at & ~mask) | (byte & mask));
		*at &= (uint8_t) ~(byte & dev->w1cmask[reg + i]);
	}
	if (touches(reg, size, PCI_COMMAND, 2)) {
		update_intx(dev);
		update_bars(dev);
	} else if (touches(reg, size, PCI_BAR0, 6 * 4) || touches(reg, size, PCI_ROM_BASE, 4)) {
		update_bars(dev);
	}
	if (dev->written)
		dev->written(dev, reg, size);
}

/* The device that CONFIG_ADDRESS selects, or NULL. */
static struct pci_dev *selected(const struct pci_bus *bus)
{
	if (!(bus->address & ADDRESS_ENABLE) || (bus->address & ADDRESS_BUS))
		return NULL;
	return bus->devs[bus->address >> 8 & 0xff];
}

static uint64_t host_read(void *arg, uint64_t offset, unsigned size)
{
	struct pci_bus *bus = arg;
	struct pci_dev *dev;

	if (offset == 0 && size == 4)
		return bus->address;
	if (offset == 1 && size == 1 && bus->rcr_ops)
		return bus->rcr_ops->read(bus->rcr_dev, 0, 1);
	dev = selected(bus);
	if (offset < 4 || !dev)
		return size_mask(size);
	return pci_config_read(dev, (bus->address & 0xfc) | (offset & 3), size);
}

static void host_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci_bus *bus = arg;
	struct pci_dev *dev;

	if (offset == 0 && size == 4) {
		bus->address = (uint32_t)value & ADDRESS_MASK;
		return;
	}
	if (offset == 1 && size == 1 && bus->rcr_ops) {
		bus->rcr_ops->write(bus->rcr_dev, 0, 1, value);
		return;
	}
	dev = selected(bus);
	if (offset >= 4 && dev)
		pci_config_write(dev, (bus->address & 0xfc) | (offset & 3), size, (uint32_t)value);
}

static const struct io_ops host_ops = {
    .name = "pci-config",
    .read = host_read,
    .write = host_write,
    .widths = IO_8 | IO_16 | IO_32,
};

int pci_bus_init(struct pci_bus *bus, struct bus *ports, struct physmem *pm)
{
	memset(bus, 0, sizeof(*bus));
	bus->ports = ports;
	bus->pm = pm;
	return bus_add(ports, 0xcf8, 8, &host_ops, bus, 0);
}

void pci_bus_reset(struct pci_bus *bus)
{
	bus->address = 0;
}
