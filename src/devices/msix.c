/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/msix.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum {
	CAP_ID        = 0x11,
	CAP_LEN       = 12,
	CAP_CONTROL   = 2,
	CAP_TABLE     = 4,
	CAP_PBA       = 8,

	CONTROL_MASK  = 1u << 14, /* all vectors */
	CONTROL_ENABLE = 1u << 15,
	ENTRY_MASKED  = 1,

	ENTRY_LEN     = 16,
	PBA_OFFSET    = 0x800, /* in the BAR */
};
/* clang-format on */

static uint16_t control(const struct msix *m)
{
	return pci_get16(m->pci->config + m->cap + CAP_CONTROL);
}

bool msix_enabled(const struct msix *m)
{
	return control(m) & CONTROL_ENABLE;
}

/* Sends what is pending and no longer masked. */
static void send_pending(struct msix *m)
{
	struct pci_bus *bus = m->pci->bus;

	if (!(control(m) & CONTROL_ENABLE) || (control(m) & CONTROL_MASK) || !bus)
		return;
	for (unsigned n = 0; n < m->vectors && m->pending; n++) {
		if (!(m->pending & BIT(n)) || (m->table[n].control & ENTRY_MASKED))
			continue;
		m->pending &= ~(uint32_t)BIT(n);
		trace(irq, "%s: message %x to %llx", m->pci->name, m->table[n].data,
		      (unsigned long long)m->table[n].address);
		if (bus->msi && pci_may_master(m->pci))
			bus->msi(bus->msi_arg, m->table[n].address, m->table[n].data);
	}
}

void msix_notify(struct msix *m, unsigned vector)
{
	if (vector >= m->vectors)
		return;
	m->pending |= (uint32_t)BIT(vector);
	send_pending(m);
}

void msix_written(struct msix *m, unsigned reg, unsigned len)
{
	if (reg < m->cap + CAP_LEN && reg + len > m->cap)
		send_pending(m);
}

static uint64_t table_read(void *dev, uint64_t offset, unsigned size)
{
	struct msix *m = dev;
	unsigned n = (unsigned)(offset / ENTRY_LEN);

	if (offset == PBA_OFFSET)
		return m->pending;
	if (n >= m->vectors)
		return 0;
	return load_le((uint8_t *)&m->table[n] + offset % ENTRY_LEN, 4);
}

static void table_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct msix *m = dev;
	unsigned n = (unsigned)(offset / ENTRY_LEN);

	if (n >= m->vectors)
		return;
	store_le((uint8_t *)&m->table[n] + offset % ENTRY_LEN, 4, value);
	send_pending(m);
}

static const struct io_ops table_ops = {"msix", table_read, table_write, IO_32};

_Static_assert(sizeof(((struct msix *)0)->table[0]) == ENTRY_LEN, "guest layout");

void msix_init(struct msix *m, struct pci_dev *pci, unsigned bar, unsigned vectors)
{
	ASSERT(vectors && vectors <= MSIX_MAX);
	memset(m, 0, sizeof(*m));
	m->pci = pci;
	m->vectors = vectors;
	m->cap = pci_add_capability(pci, CAP_ID, CAP_LEN);
	ASSERT(m->cap);
	store_le(pci->config + m->cap + CAP_CONTROL, 2, vectors - 1);
	store_le(pci->wmask + m->cap + CAP_CONTROL, 2, CONTROL_ENABLE | CONTROL_MASK);
	store_le(pci->config + m->cap + CAP_TABLE, 4, bar);
	store_le(pci->config + m->cap + CAP_PBA, 4, PBA_OFFSET | bar);
	pci_bar_mmio(pci, bar, PAGE_SIZE, 0, &table_ops, m);
	msix_reset(m);
}

void msix_reset(struct msix *m)
{
	store_le(m->pci->config + m->cap + CAP_CONTROL, 2, m->vectors - 1);
	memset(m->table, 0, sizeof(m->table));
	for (unsigned n = 0; n < m->vectors; n++)
		m->table[n].control = ENTRY_MASKED;
	m->pending = 0;
}
