/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest physical memory: RAM in a memfd, ROMs, device windows, holes, and what lies over what.
 *
 * Regions are registered once and enabled, moved and disabled at run time (PAM registers, PCI BARs). The region of the
 * highest priority wins; the result is the `pmap`: a sorted list of spans without overlaps, looked up by address.
 */
#ifndef GNOMON_PHYSMEM_H
#define GNOMON_PHYSMEM_H

#include "base.h"
#include "io.h"

#define PHYSMEM_BITS 40 /* width of a guest physical address */

enum pm_kind {
	PM_HOLE, /* nothing answers: reads ones, drops writes */
	PM_RAM,	 /* backed by memory, readable and writable */
	PM_ROM,	 /* backed by memory; writes are dropped */
	PM_IO,	 /* calls io_ops */
};

/* A piece of host memory in a memfd, so that windows can map it again elsewhere. */
struct pm_backing {
	int fd;	       /* -1: none */
	uint64_t size; /* bytes, a multiple of the page size */
	uint8_t *host; /* the monitor's own read-write mapping of all of it */
};

/* A candidate for a stretch of physical addresses. Embedded in its owner; all fields are the owner's until added. */
struct pm_region {
	const char *name;
	enum pm_kind kind;
	gpa_t base;   /* page aligned */
	uint64_t len; /* bytes, page aligned, not 0 */
	int priority; /* higher wins; PM_PRIO_* */
	bool enabled;
	struct pm_backing *backing; /* PM_RAM, PM_ROM */
	uint64_t offset;	    /* of `base` in the backing */
	const struct io_ops *ops;   /* PM_IO; offsets count from `base` */
	void *dev;
};

enum {
	PM_PRIO_RAM = 0,
	PM_PRIO_ROM = 10,
	PM_PRIO_PCI = 20, /* BARs, below the chipset's own decoding */
	PM_PRIO_VGA = 30,
	PM_PRIO_PAM = 40,
	PM_PRIO_CHIP = 50, /* local and I/O APIC, HPET */
};

/* One stretch of the flattened map. */
struct pm_span {
	gpa_t base;
	uint64_t len;
	const struct pm_region *region; /* NULL: hole */
};

enum {
	PM_MAX_REGIONS = 96,
	PM_MAX_SPANS = 2 * PM_MAX_REGIONS + 1,
	PM_MAX_LISTENERS = 4,
};

/* Told of changes that concern those who cache mappings. Any member may be NULL. */
struct pm_listener {
	/* The pmap changed within [base, base + len), where there is memory or was. Called after the change. */
	void (*map_changed)(void *arg, gpa_t base, uint64_t len);
	/* A traced page of RAM is about to be overwritten with data (by DMA or through physmem_write); len stays within
	 * the page. */
	void (*traced_write)(void *arg, gpa_t gpa, const uint8_t *data, unsigned len);
	void *arg;
};

struct physmem {
	struct pm_backing ram;
	struct pm_region *regions[PM_MAX_REGIONS];
	unsigned nregions;
	struct pm_span spans[PM_MAX_SPANS];
	unsigned nspans, widest; /* the widest of RAM: what is asked for nearly always */
	struct pm_listener listeners[PM_MAX_LISTENERS];
	unsigned nlisteners;
	bool in_pieces; /* RAM is made by PM_PIECE: see physmem_make() */
	bool large;	/* and all pieces of a page of 2 MiB at once; other memory is in such pages, too: large.h */
	uint64_t *made; /* those that have been: a bit for each */
	uint64_t *made_here; /* and those that the monitor's own mapping shows */
	uint8_t *traced;     /* one byte for each page of RAM backing: who traces it (bit set), 0 = nobody */
	uint64_t a20_mask;   /* applied by the CPU (not by DMA) to physical addresses: ~0 or ~1 MiB */
	uint64_t generation; /* counts changes of the map and of A20: what was looked up before may be wrong */
};

/*
 * Makes the memory and an empty map. ram_bytes: page aligned. 0 or a negative errno (ENOMEM ...). RAM is not mapped
 * anywhere until the board adds regions over pm->ram.
 */
int physmem_init(struct physmem *pm, uint64_t ram_bytes);
void physmem_destroy(struct physmem *pm);

/* Memory for a ROM or a frame buffer; size in bytes is rounded up to pages. 0 or a negative errno. */
int pm_backing_init(struct pm_backing *b, const char *name, uint64_t size);
void pm_backing_destroy(struct pm_backing *b);
/* Fills it with zeros, which take no memory. Mappings of it show them too. */
void pm_backing_clear(struct pm_backing *b);

/*
 * RAM takes no memory until it is touched, and then a page at a time, by the host's page fault. Who is about to write
 * to it, or to let the guest do so, has the host make all of the piece around that offset of the backing in one call,
 * and map it in another place than the guest's by touching that: half as much work as the faults. What is there stays.
 * No effect unless pm->in_pieces.
 */
#define PM_PIECE ((uint64_t)(256 * KiB))
void physmem_make(struct physmem *pm, uint64_t offset);
bool physmem_is_made(const struct physmem *pm, uint64_t offset);
/* Has the host show what a mapping shows of the piece around an offset that is made, within [at, at + len). offset: of
 * `at`; here: into the mapping. */
void physmem_touch(const struct physmem *pm, const uint8_t *at, uint64_t len, uint64_t offset, uint64_t here);
/* As physmem_make(), for a write by the monitor to an address of its own; no effect if that is not RAM. */
void physmem_make_here(struct physmem *pm, const uint8_t *host);

/* Adds a region. It stays the caller's and must outlive the physmem. */
void physmem_add(struct physmem *pm, struct pm_region *r);

/* Changes of a region that is added. The map is made anew only where something differs. */
void physmem_enable(struct physmem *pm, struct pm_region *r, bool enabled);
void physmem_move(struct physmem *pm, struct pm_region *r, gpa_t base, bool enabled);
void physmem_set_kind(struct physmem *pm, struct pm_region *r, enum pm_kind kind, bool enabled);
void physmem_set_len(struct physmem *pm, struct pm_region *r, uint64_t len);

void physmem_listen(struct physmem *pm, struct pm_listener listener);
/* Ends what a listener with that `arg` is told. Not while one is being told. */
void physmem_unlisten(struct physmem *pm, const void *arg);

/* The span that holds gpa: never fails (a hole is a span without region). */
const struct pm_span *physmem_span(const struct physmem *pm, gpa_t gpa);

/*
 * Any access to physical memory, by device DMA or by the CPU: RAM, ROM, devices and holes, across span and page
 * borders. Writes to traced RAM call traced_write first. Accesses to a device are made in pieces of up to 8 bytes.
 */
void physmem_read(struct physmem *pm, gpa_t gpa, void *buf, uint64_t len);
void physmem_write(struct physmem *pm, gpa_t gpa, const void *buf, uint64_t len);

/*
 * The monitor's own address of the memory behind gpa, if it is RAM or ROM, else NULL. *len_out (may be NULL): bytes
 * that follow contiguously. Do not write through it to pages that may be traced; use physmem_write.
 */
uint8_t *physmem_host(const struct physmem *pm, gpa_t gpa, uint64_t *len_out);

/* Offset in the RAM backing of the byte at gpa (seen as RAM or as ROM); false if it is not RAM. */
bool physmem_ram_offset(const struct physmem *pm, gpa_t gpa, uint64_t *offset);

/*
 * Tracing of a page of RAM: `who` is a bit. Keyed by the backing page, so that every physical alias of it is covered.
 * Pages that are not RAM cannot be traced (returns false).
 */
bool physmem_trace(struct physmem *pm, gpa_t gpa, uint8_t who);
void physmem_untrace(struct physmem *pm, gpa_t gpa, uint8_t who);
uint8_t physmem_traced(const struct physmem *pm, gpa_t gpa);

void physmem_set_a20(struct physmem *pm, bool enabled);

/* Has those who cache mappings of [base, base + len) drop them; the map itself stays. */
void physmem_forget(struct physmem *pm, gpa_t base, uint64_t len);

#endif
