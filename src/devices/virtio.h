/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What virtio devices share, whatever the transport: features, status, split virtqueues. OASIS Virtual I/O Device
 * (VIRTIO) Version 1.1, chapters 2 and 3; with the legacy interface of 0.9.5.
 *
 * Vocabulary: the *driver* is the guest's. A *chain* is a request: buffers that the device reads (`out`), then buffers
 * that it writes (`in`), of any number and length.
 *
 * A device is a `struct virtio_ops`. Its serve() is called with one chain after the other and completes each before it
 * returns; work is done in slices (VIRTIO_SLICE_*), so that no access of the guest's takes long. A driver that breaks
 * the rules (rings that loop, indexes out of range, ...) finds DEVICE_NEEDS_RESET set and its queues dead until it
 * resets the device. Buffers may lie anywhere: what is not memory takes no writes and reads as ones.
 */
#ifndef GNOMON_DEVICES_VIRTIO_H
#define GNOMON_DEVICES_VIRTIO_H

#include "clock.h"
#include "physmem.h"

enum {
	VIRTIO_MAX_QUEUES = 4,
	VIRTIO_QUEUE_SIZE = 128, /* at most, and with the legacy interface */
	VIRTIO_MAX_SEGS = VIRTIO_QUEUE_SIZE,
	VIRTIO_CONFIG_LEN = 64,
	VIRTIO_NO_VECTOR = 0xffff,
};

enum { /* device types, chapter 5 */
       VIRTIO_ID_NET = 1,
       VIRTIO_ID_BLOCK = 2,
       VIRTIO_ID_CONSOLE = 3,
       VIRTIO_ID_RNG = 4,
};

/* clang-format off */
enum { /* device status, 2.1 */
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER      = 2,
	VIRTIO_DRIVER_OK   = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED      = 128,
};
/* clang-format on */

/* Feature bits that belong to no device type, chapter 6. */
#define VIRTIO_F_ANY_LAYOUT    BIT(27)
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX     BIT(29)
#define VIRTIO_F_VERSION_1     BIT(32)

struct virtio_seg {
	gpa_t gpa;
	uint32_t len;
};

/* A request, and how far the device has come in its buffers. */
struct virtio_chain {
	uint16_t head;
	unsigned nout, nsegs;	    /* seg[0..nout) are out, seg[nout..nsegs) in */
	uint64_t out_len, in_len;   /* bytes left of each */
	unsigned out_seg, in_seg;   /* where the next byte is */
	uint32_t out_done, in_done; /* bytes of that buffer that are behind */
	struct virtio_seg seg[VIRTIO_MAX_SEGS];
};

struct virtq {
	uint16_t size; /* of the ring; at most the device's */
	bool ready;
	gpa_t desc, avail, used;
	uint16_t last_avail; /* index of the next chain to take */
	uint16_t used_idx;   /* of the next one to give back */
	uint16_t vector;     /* MSI-X; transport's */
};

struct virtio;

struct virtio_ops {
	const char *name;
	uint16_t id; /* VIRTIO_ID_* */
	unsigned queues;
	/*
	 * Carries out a request. True: it is done, *written bytes went into its in buffers. False: not now; the
	 * same chain is offered again at the next kick or virtio_serve().
	 */
	bool (*serve)(struct virtio *v, unsigned queue, struct virtio_chain *c, uint32_t *written);
	/* The driver wrote the device's configuration: value has been checked against nothing. May be NULL. */
	void (*config_written)(struct virtio *v, unsigned offset, unsigned size, uint32_t value);
	void (*reset)(struct virtio *v); /* may be NULL */
};

/* The transport's side. arg is the first argument. */
struct virtio_transport {
	void *arg;
	bool (*may_dma)(void *arg);
	void (*queue_interrupt)(void *arg, unsigned queue);
	void (*config_interrupt)(void *arg);
};

/* Embedded in its device. */
struct virtio {
	const struct virtio_ops *ops;
	struct virtio_transport transport;
	struct physmem *pm;
	struct timer more;	    /* the next slice */
	uint32_t pending;	    /* queues that it goes on with */
	uint64_t offered, features; /* by the device; agreed upon */
	uint8_t status;
	bool busy; /* within serve(): its own registers do not answer its own DMA */
	struct virtq vq[VIRTIO_MAX_QUEUES];
	uint8_t config[VIRTIO_CONFIG_LEN]; /* device configuration, little-endian */
	struct virtio_chain chain;	   /* scratch */
};

enum {
	VIRTIO_SLICE_CHAINS = 64,
	VIRTIO_SLICE_BYTES = 4 << 20,
	VIRTIO_SLICE_ROUNDS = 4,
	VIRTIO_SLICE_PAUSE_NS = 10000, /* the guest runs in between */
};

/* features: of the device type; those above are added. The transport is set by its own init. */
void virtio_init(struct virtio *v, const struct virtio_ops *ops, struct physmem *pm, struct clock *clock,
		 uint64_t features);
void virtio_reset(struct virtio *v);

static inline bool virtio_has(const struct virtio *v, uint64_t feature)
{
	return v->features & feature;
}

/* --- for devices --- */

/* Takes bytes from the out buffers, or puts bytes into the in buffers, where the last call left off. Returns how many.
 * buf NULL: skips. */
size_t virtio_take(struct virtio *v, struct virtio_chain *c, void *buf, size_t len);
size_t virtio_put(struct virtio *v, struct virtio_chain *c, const void *buf, size_t len);

/* Offers the next chains of a queue to serve(), as a kick does: something has become possible. */
void virtio_serve(struct virtio *v, unsigned queue);

/* The driver has broken the rules: nothing more happens until it resets the device. */
void virtio_fail(struct virtio *v, const char *why);

/* --- for transports --- */

/* Status register. 0 resets. */
void virtio_set_status(struct virtio *v, uint8_t status);
/* What the driver accepts: 32 bits at a time (half 0, 1). Ignored once agreed. */
void virtio_set_features(struct virtio *v, unsigned half, uint32_t value);
/* The driver has put something into a queue. */
void virtio_kick(struct virtio *v, unsigned queue);
/* Ring addresses of the legacy layout, 2.6.2: page frame number of 4096 bytes, 0: none. */
void virtio_set_legacy_queue(struct virtio *v, unsigned queue, uint32_t pfn);
uint64_t virtio_config_read(const struct virtio *v, uint64_t offset, unsigned size);
void virtio_config_write(struct virtio *v, uint64_t offset, unsigned size, uint64_t value);

#endif
