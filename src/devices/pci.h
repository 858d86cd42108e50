/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI: configuration mechanism #1, devices on bus 0, base address registers, INTx routing (PCI Local Bus
 *Specification 2.2, chapter 6).
 *
 * How a device uses this: embed a `struct pci_dev`, then
 *
 *	pci_dev_init(&d->pci, "name", 0x8086, 0x100e, PCI_CLASS(2, 0, 0));
 *	pci_bar_mmio(&d->pci, 0, 128 * KiB, 0, &ops, d);         registers in memory
 *	pci_bar_ram(&d->pci, 1, 16 * MiB, PCI_BAR_PREFETCH, &d->vram, 0);    a frame buffer: plain memory of a
 *pm_backing pci_bar_io(&d->pci, 2, 64, &io_ops, d);                      registers in I/O space pci_bar_rom(&d->pci, 64
 ** KiB, &d->rom);                     the expansion ROM d->pci.config[...] / d->pci.wmask[...] any further registers
 *	pci_attach(&d->pci, bus, PCI_DEVFN(2, 0));
 *
 * and pci_dev_reset() from its own reset. The region of a memory BAR is `pci.bar[n].region`: where it lies while
 *`region.enabled`. BARs lie *below* everything that the chipset decodes itself (RAM, ROM, VGA, APICs): a guest that
 *puts one over RAM sees RAM. Port BARs that collide with another range, and BARs at 0 or at the end of the space (being
 *sized), are not decoded until moved.
 */
#ifndef GNOMON_DEVICES_PCI_H
#define GNOMON_DEVICES_PCI_H

#include "devices/bus.h"
#include "io.h"
#include "physmem.h"

/* clang-format off */
enum { /* configuration space, type 0 header */
	PCI_VENDOR_ID    = 0x00,
	PCI_DEVICE_ID    = 0x02,
	PCI_COMMAND      = 0x04,
	PCI_STATUS       = 0x06,
	PCI_REVISION     = 0x08,
	PCI_PROG_IF      = 0x09,
	PCI_SUBCLASS     = 0x0a,
	PCI_BASE_CLASS   = 0x0b,
	PCI_CACHE_LINE   = 0x0c,
	PCI_LATENCY      = 0x0d,
	PCI_HEADER_TYPE  = 0x0e,
	PCI_BAR0         = 0x10,
	PCI_SUBSYS_VENDOR = 0x2c,
	PCI_SUBSYS_ID    = 0x2e,
	PCI_ROM_BASE     = 0x30,
	PCI_CAP_POINTER  = 0x34,
	PCI_INT_LINE     = 0x3c,
	PCI_INT_PIN      = 0x3d,
};

enum { /* PCI_COMMAND */
	PCI_COMMAND_IO       = 0x0001,
	PCI_COMMAND_MEM      = 0x0002,
	PCI_COMMAND_MASTER   = 0x0004,
	PCI_COMMAND_PARITY   = 0x0040,
	PCI_COMMAND_SERR     = 0x0100,
	PCI_COMMAND_INTX_OFF = 0x0400,
};

enum { /* PCI_STATUS */
	PCI_STATUS_INTX       = 0x0008,
	PCI_STATUS_CAP_LIST   = 0x0010,
	PCI_STATUS_FAST_B2B   = 0x0080,
	PCI_STATUS_DEVSEL_MED = 0x0200,
};
/* clang-format on */

enum {
	PCI_BARS = 7,	 /* six and the expansion ROM */
	PCI_BAR_ROM = 6, /* index of the expansion ROM */
	PCI_PIRQS = 4,
};

enum pci_bar_flags {
	PCI_BAR_PREFETCH = 1,
	PCI_BAR_64 = 2, /* occupies the next BAR too */
};

#define PCI_DEVFN(slot, fn)	      ((uint8_t)((slot) << 3 | (fn)))
#define PCI_CLASS(base, sub, prog_if) ((uint32_t)(base) << 16 | (sub) << 8 | (prog_if))

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_KIND_IO,
	PCI_BAR_KIND_MEM,
};

struct pci_bar {
	enum pci_bar_kind kind;
	bool is64;
	bool mapped;		  /* ports: registered in the bus now */
	uint16_t port;		  /* where, while mapped */
	uint64_t size;		  /* bytes, a power of two */
	struct pm_region region;  /* memory */
	const struct io_ops *ops; /* ports */
	void *dev;
};

struct pci_bus;

struct pci_dev {
	const char *name;
	struct pci_bus *bus; /* NULL until attached */
	uint8_t devfn;
	bool intx;	  /* level that the device drives */
	unsigned cap_end; /* end of the last capability; 0: none */
	bool intx_driven; /* what has reached the bus: intx unless disabled in the command register */
	uint8_t config[256];
	uint8_t wmask[256];   /* bits that a guest's write changes */
	uint8_t w1cmask[256]; /* bits that a guest clears by writing 1 */
	struct pci_bar bar[PCI_BARS];
	/* Called after a guest's write to config[reg .. reg + len - 1] took effect, and at reset with (0, 256). May be
	 * NULL. */
	void (*written)(struct pci_dev *pci, unsigned reg, unsigned len);
	/* Called before a guest's read, to refresh config[]. May be NULL. */
	void (*reading)(struct pci_dev *pci, unsigned reg, unsigned len);
};

/* The bus and the registers CONFIG_ADDRESS and CONFIG_DATA (cf8-cff). */
struct pci_bus {
	struct bus *ports;
	struct physmem *pm;
	uint32_t address;		  /* CONFIG_ADDRESS */
	struct pci_dev *devs[256];	  /* by devfn */
	struct irq_line pirq[PCI_PIRQS];  /* to the interrupt router */
	uint16_t pirq_sources[PCI_PIRQS]; /* how many devices drive each */
	int slot_addend;		  /* PIRQ = (pin + slot + slot_addend) mod 4 with INTA = 0 */
	/* Byte accesses to cf9 (the reset control register of the south bridge, PIIX3 2.5.3.9). NULL: none. */
	const struct io_ops *rcr_ops;
	void *rcr_dev;
	/* Message signalled interrupts, to the local APICs. NULL: nobody takes them. */
	void (*msi)(void *arg, uint64_t address, uint32_t data);
	void *msi_arg;
};

/* An empty bus, with its two registers in `ports` at cf8-cff. Both must outlive it. 0 or bus_add's error. */
int pci_bus_init(struct pci_bus *bus, struct bus *ports, struct physmem *pm);
void pci_bus_reset(struct pci_bus *bus);

/* A device without BARs; class_code by PCI_CLASS. Subsystem 1af4:1100; header type 0 (or in 0x80 for the function 0 of
 * several). */
void pci_dev_init(struct pci_dev *dev, const char *name, uint16_t vendor, uint16_t device, uint32_t class_code);

/* Before pci_attach. size: a power of two; ports: 4..256 bytes, memory: at least a page (PCI_BAR_64: up to 2^38). */
void pci_bar_io(struct pci_dev *dev, unsigned bar, uint32_t size, const struct io_ops *ops, void *arg);
void pci_bar_mmio(struct pci_dev *dev, unsigned bar, uint64_t size, unsigned flags, const struct io_ops *ops,
		  void *arg);
/* Memory [offset, offset + size) of `backing`, which stays the caller's. */
void pci_bar_ram(struct pci_dev *dev, unsigned bar, uint64_t size, unsigned flags, struct pm_backing *backing,
		 uint64_t offset);
/* backing->size must be at least size. */
void pci_bar_rom(struct pci_dev *dev, uint64_t size, struct pm_backing *backing);

/* Adds a capability of `size` bytes (zeros, read-only) to the list and returns its offset; 0 if there is no room. */
unsigned pci_add_capability(struct pci_dev *dev, uint8_t id, unsigned size);

/* INTA (1) .. INTD (4), 0 none. */
void pci_set_pin(struct pci_dev *dev, unsigned pin);

/* Puts the device on the bus; the slot must be free. It must outlive the bus. Functions other than 0 make function 0
 * multi-function. */
void pci_attach(struct pci_dev *dev, struct pci_bus *bus, uint8_t devfn);

/* Command, BARs, interrupt line to 0; interrupt pin released. Other registers are the device's to reset. */
void pci_dev_reset(struct pci_dev *dev);

/* The level of the device's interrupt pin. */
void pci_set_intx(struct pci_dev *dev, bool level);

/* Whether the device may read and write memory. */
bool pci_may_master(const struct pci_dev *dev);

/* Where a BAR is decoded now: true and the address, or false. */
bool pci_bar_address(const struct pci_dev *dev, unsigned bar, uint64_t *address);

/* Guest accesses to configuration space, as by the host bridge. size: 1, 2, 4, within one dword. */
uint32_t pci_config_read(struct pci_dev *dev, unsigned reg, unsigned size);
void pci_config_write(struct pci_dev *dev, unsigned reg, unsigned size, uint32_t value);

/* DMA by the device: nothing (reads give ones) unless bus mastering is enabled. Returns whether it was. */
bool pci_dma_read(struct pci_dev *dev, gpa_t gpa, void *buf, uint64_t len);
bool pci_dma_write(struct pci_dev *dev, gpa_t gpa, const void *buf, uint64_t len);

/* Little-endian registers of config space. */
static inline uint16_t pci_get16(const uint8_t *at)
{
	return (uint16_t)load_le(at, 2);
}

static inline uint32_t pci_get32(const uint8_t *at)
{
	return (uint32_t)load_le(at, 4);
}

#endif
