/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The version 1 interface and what both share; the legacy one is in virtio_pci_legacy.c. */
#include "devices/virtio_pci.h"

#include <string.h>

#include "devices/virtio_pci_internal.h"

/* clang-format off */
enum { /* virtio_pci_cap, 4.1.4 */
	CAP_VENDOR     = 0x09,
	CAP_CFG_LEN    = 2,
	CAP_CFG_TYPE   = 3,
	CAP_BAR        = 4,
	CAP_OFFSET     = 8,
	CAP_LENGTH     = 12,
	CAP_EXTRA      = 16, /* notify_off_multiplier, pci_cfg_data */
	CAP_SIZE       = 16,

	TYPE_COMMON    = 1,
	TYPE_NOTIFY    = 2,
	TYPE_ISR       = 3,
	TYPE_DEVICE    = 4,
	TYPE_WINDOW    = 5,
};

enum { /* within BAR_MODERN */
	BAR_LEGACY     = 0,
	BAR_MSIX       = 1,
	BAR_MODERN     = 4,
	MODERN_COMMON  = 0x0000,
	MODERN_ISR     = 0x1000,
	MODERN_DEVICE  = 0x2000,
	MODERN_NOTIFY  = 0x3000,
	MODERN_LEN     = 0x4000,
	NOTIFY_STRIDE  = 4,
};

enum { /* virtio_pci_common_cfg, 4.1.4.3 */
	DEVICE_FEATURE_SELECT = 0,
	DEVICE_FEATURE = 4,
	DRIVER_FEATURE_SELECT = 8,
	DRIVER_FEATURE = 12,
	MSIX_CONFIG    = 16,
	NUM_QUEUES     = 18,
	DEVICE_STATUS  = 20,
	CONFIG_GENERATION = 21,
	QUEUE_SELECT   = 22,
	QUEUE_SIZE     = 24,
	QUEUE_VECTOR   = 26,
	QUEUE_ENABLE   = 28,
	QUEUE_NOTIFY_OFF = 30,
	QUEUE_DESC     = 32,
	QUEUE_AVAIL    = 40,
	QUEUE_USED     = 48,
	COMMON_LEN     = 56,
};
/* clang-format on */

/* --- interrupts --- */

static void raise_isr(struct virtio_pci *p, uint8_t bit, uint16_t vector)
{
	if (msix_enabled(&p->msix)) {
		msix_notify(&p->msix, vector);
		return;
	}
	p->isr |= bit;
	pci_set_intx(&p->pci, true);
}

static void queue_interrupt(void *arg, unsigned queue)
{
	struct virtio_pci *p = arg;
	raise_isr(p, VIRTIO_ISR_QUEUE, p->virtio->vq[queue].vector);
}

static void config_interrupt(void *arg)
{
	struct virtio_pci *p = arg;
	raise_isr(p, VIRTIO_ISR_CONFIG, p->config_vector);
}

uint8_t virtio_pci_take_isr(struct virtio_pci *p)
{
	uint8_t isr = p->isr;

	p->isr = 0;
	pci_set_intx(&p->pci, false);
	return isr;
}

uint16_t virtio_pci_vector(const struct virtio_pci *p, uint64_t wanted)
{
	return wanted < p->msix.vectors ? (uint16_t)wanted : VIRTIO_NO_VECTOR;
}

/* Old drivers of the legacy interface forget to make the device a bus master. */
static bool may_dma(void *arg)
{
	const struct virtio_pci *p = arg;
	return pci_may_master(&p->pci) || !virtio_has(p->virtio, VIRTIO_F_VERSION_1);
}

struct virtq *virtio_pci_queue(struct virtio_pci *p)
{
	return p->queue < p->virtio->ops->queues ? &p->virtio->vq[p->queue] : NULL;
}

void virtio_pci_set_status(struct virtio_pci *p, uint8_t status)
{
	virtio_set_status(p->virtio, status);
	if (status)
		return;
	p->queue = 0;
	p->config_vector = VIRTIO_NO_VECTOR;
	virtio_pci_take_isr(p);
}

/* --- common configuration --- */

static uint32_t device_features(const struct virtio_pci *p)
{
	/* The legacy layout rules are none of this interface's business (6.3). */
	uint64_t offered = p->virtio->offered & ~VIRTIO_F_ANY_LAYOUT;

	return p->feature_half > 1 ? 0 : (uint32_t)(offered >> p->feature_half * 32);
}

static uint32_t driver_features(const struct virtio_pci *p)
{
	return p->guest_half > 1 ? 0 : (uint32_t)(p->virtio->features >> p->guest_half * 32);
}

/* All registers as they are, so that any part of them can be read. */
static void show_common(struct virtio_pci *p, uint8_t *r)
{
	const struct virtq *q = virtio_pci_queue(p);

	memset(r, 0, COMMON_LEN);
	store_le(r + DEVICE_FEATURE_SELECT, 4, p->feature_half);
	store_le(r + DEVICE_FEATURE, 4, device_features(p));
	store_le(r + DRIVER_FEATURE_SELECT, 4, p->guest_half);
	store_le(r + DRIVER_FEATURE, 4, driver_features(p));
	store_le(r + MSIX_CONFIG, 2, p->config_vector);
	store_le(r + NUM_QUEUES, 2, p->virtio->ops->queues);
	r[DEVICE_STATUS] = p->virtio->status;
	store_le(r + QUEUE_SELECT, 2, p->queue);
	if (!q)
		return;
	store_le(r + QUEUE_SIZE, 2, q->size);
	store_le(r + QUEUE_VECTOR, 2, q->vector);
	store_le(r + QUEUE_ENABLE, 2, q->ready);
	store_le(r + QUEUE_NOTIFY_OFF, 2, p->queue);
	store_le(r + QUEUE_DESC, 8, q->desc);
	store_le(r + QUEUE_AVAIL, 8, q->avail);
	store_le(r + QUEUE_USED, 8, q->used);
}

static void write_address(gpa_t *address, unsigned shift, unsigned size, uint64_t value)
{
	uint64_t mask = size_mask(size) << shift;
	*address = (*address & ~mask) | (value << shift & mask);
}

/* Registers of the selected queue. A queue in use keeps its place and size (4.1.4.3.2). */
static void write_queue(struct virtio_pci *p, unsigned offset, unsigned size, uint64_t value)
{
	struct virtq *q = virtio_pci_queue(p);

	if (!q)
		return;
	if (offset == QUEUE_VECTOR)
		q->vector = virtio_pci_vector(p, value);
	if (q->ready)
		return;
	switch (offset & ~7u) {
	case QUEUE_SIZE:
		if (offset == QUEUE_SIZE && value && value <= VIRTIO_QUEUE_SIZE && !(value & (value - 1)))
			q->size = (uint16_t)value;
		else if (offset == QUEUE_ENABLE && value == 1)
			q->ready = true;
		break;
	case QUEUE_DESC:
		write_address(&q->desc, (offset & 7) * 8, size, value);
		break;
	case QUEUE_AVAIL:
		write_address(&q->avail, (offset & 7) * 8, size, value);
		break;
	case QUEUE_USED:
		write_address(&q->used, (offset & 7) * 8, size, value);
		break;
	}
}

static void write_common(struct virtio_pci *p, unsigned offset, unsigned size, uint64_t value)
{
	switch (offset) {
	case DEVICE_FEATURE_SELECT:
		p->feature_half = (uint32_t)value;
		break;
	case DRIVER_FEATURE_SELECT:
		p->guest_half = (uint32_t)value;
		break;
	case DRIVER_FEATURE:
		virtio_set_features(p->virtio, p->guest_half, (uint32_t)value & (uint32_t)~VIRTIO_F_ANY_LAYOUT);
		break;
	case MSIX_CONFIG:
		p->config_vector = virtio_pci_vector(p, value);
		break;
	case DEVICE_STATUS:
		virtio_pci_set_status(p, (uint8_t)value);
		break;
	case QUEUE_SELECT:
		p->queue = (uint16_t)value;
		break;
	default:
		if (offset >= QUEUE_SIZE)
			write_queue(p, offset, size, value);
	}
}

/* --- the memory BAR --- */

static uint64_t modern_read(void *dev, uint64_t offset, unsigned size)
{
	struct virtio_pci *p = dev;
	uint8_t common[COMMON_LEN];

	if (p->virtio->busy) /* its own DMA */
		return size_mask(size);
	if (offset + size <= COMMON_LEN) {
		show_common(p, common);
		return load_le(common + offset, size);
	}
	if (offset == MODERN_ISR)
		return virtio_pci_take_isr(p);
	if (offset >= MODERN_DEVICE && offset < MODERN_NOTIFY)
		return virtio_config_read(p->virtio, offset - MODERN_DEVICE, size);
	return 0;
}

static void modern_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_pci *p = dev;

	if (p->virtio->busy)
		return;
	if (offset + size <= COMMON_LEN)
		write_common(p, (unsigned)offset, size, value);
	else if (offset >= MODERN_NOTIFY)
		virtio_kick(p->virtio, (unsigned)(offset - MODERN_NOTIFY) / NOTIFY_STRIDE);
	else if (offset >= MODERN_DEVICE)
		virtio_config_write(p->virtio, offset - MODERN_DEVICE, size, value);
}

static const struct io_ops modern_ops = {"virtio", modern_read, modern_write, IO_8 | IO_16 | IO_32};

/* --- BAR access through configuration space, 4.1.4.8 --- */

/* The access that the capability describes now; false if it describes none. */
static bool window(const struct virtio_pci *p, uint32_t *offset, uint32_t *size)
{
	const uint8_t *cap = p->pci.config + p->window_cap;

	*offset = pci_get32(cap + CAP_OFFSET);
	*size = pci_get32(cap + CAP_LENGTH);
	return cap[CAP_BAR] == BAR_MODERN && (*size == 1 || *size == 2 || *size == 4) && *offset < MODERN_LEN &&
	       !(*offset & (*size - 1));
}

static bool touches_window_data(const struct virtio_pci *p, unsigned reg, unsigned len)
{
	unsigned data = p->window_cap + CAP_EXTRA;
	return reg < data + 4 && reg + len > data;
}

static void reading(struct pci_dev *pci, unsigned reg, unsigned len)
{
	struct virtio_pci *p = container_of(pci, struct virtio_pci, pci);
	uint32_t offset, size;

	if (touches_window_data(p, reg, len) && window(p, &offset, &size))
		store_le(pci->config + p->window_cap + CAP_EXTRA, 4, modern_read(p, offset, size));
}

static void written(struct pci_dev *pci, unsigned reg, unsigned len)
{
	struct virtio_pci *p = container_of(pci, struct virtio_pci, pci);
	uint32_t offset, size;

	msix_written(&p->msix, reg, len);
	if (len <= 4 && touches_window_data(p, reg, len) && window(p, &offset, &size))
		modern_write(p, offset, size, load_le(pci->config + p->window_cap + CAP_EXTRA, size));
}

/* --- set-up --- */

static unsigned add_capability(struct virtio_pci *p, unsigned type, uint32_t offset, uint32_t len, unsigned extra)
{
	unsigned at = pci_add_capability(&p->pci, CAP_VENDOR, CAP_SIZE + extra);
	uint8_t *cap = p->pci.config + at;

	ASSERT(at);
	cap[CAP_CFG_LEN] = (uint8_t)(CAP_SIZE + extra);
	cap[CAP_CFG_TYPE] = (uint8_t)type;
	cap[CAP_BAR] = type == TYPE_WINDOW ? 0 : BAR_MODERN;
	store_le(cap + CAP_OFFSET, 4, offset);
	store_le(cap + CAP_LENGTH, 4, len);
	return at;
}

static void add_capabilities(struct virtio_pci *p)
{
	unsigned notify;
	uint8_t *mask;

	msix_init(&p->msix, &p->pci, BAR_MSIX, p->virtio->ops->queues + 1);
	add_capability(p, TYPE_COMMON, MODERN_COMMON, COMMON_LEN, 0);
	add_capability(p, TYPE_ISR, MODERN_ISR, 1, 0);
	add_capability(p, TYPE_DEVICE, MODERN_DEVICE, VIRTIO_CONFIG_LEN, 0);
	notify = add_capability(p, TYPE_NOTIFY, MODERN_NOTIFY, VIRTIO_MAX_QUEUES * NOTIFY_STRIDE, 4);
	store_le(p->pci.config + notify + CAP_EXTRA, 4, NOTIFY_STRIDE);
	p->window_cap = add_capability(p, TYPE_WINDOW, 0, 0, 4);
	mask = p->pci.wmask + p->window_cap;
	mask[CAP_BAR] = 0xff;
	memset(mask + CAP_OFFSET, 0xff, 4 + 4 + 4);
}

/* By virtio device type: PCI device ID of the transitional device and class, 4.1.2. */
static const struct {
	uint16_t id, device;
	uint32_t class_code;
} identities[] = {
    {VIRTIO_ID_NET, 0x1000, PCI_CLASS(2, 0, 0)},
    {VIRTIO_ID_BLOCK, 0x1001, PCI_CLASS(1, 0, 0)},
    {VIRTIO_ID_CONSOLE, 0x1003, PCI_CLASS(7, 0x80, 0)},
    {VIRTIO_ID_RNG, 0x1005, PCI_CLASS(0, 0xff, 0)},
};

void virtio_pci_init(struct virtio_pci *p, struct virtio *v)
{
	unsigned i = 0;

	memset(p, 0, sizeof(*p));
	while (identities[i].id != v->ops->id)
		ASSERT(++i < ARRAY_LEN(identities));
	p->virtio = v;
	v->transport = (struct virtio_transport){p, may_dma, queue_interrupt, config_interrupt};
	pci_dev_init(&p->pci, v->ops->name, 0x1af4, identities[i].device, identities[i].class_code);
	store_le(p->pci.config + PCI_SUBSYS_ID, 2, v->ops->id);
	pci_set_pin(&p->pci, 1);
	pci_bar_io(&p->pci, BAR_LEGACY, VIRTIO_LEGACY_LEN, &virtio_pci_legacy_ops, p);
	pci_bar_mmio(&p->pci, BAR_MODERN, MODERN_LEN, 0, &modern_ops, p);
	add_capabilities(p);
	p->pci.reading = reading;
	p->pci.written = written;
	virtio_pci_reset(p);
}

void virtio_pci_reset(struct virtio_pci *p)
{
	uint8_t *window_cap = p->pci.config + p->window_cap;

	p->feature_half = p->guest_half = 0;
	window_cap[CAP_BAR] = 0;
	memset(window_cap + CAP_OFFSET, 0, 4 + 4 + 4);
	virtio_pci_set_status(p, 0);
	msix_reset(&p->msix);
	pci_dev_reset(&p->pci);
}
