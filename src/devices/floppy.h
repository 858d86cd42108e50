/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floppy disk controller: Intel 82077AA (datasheet 290166) in AT mode, with up to two drives. Ports 3f0-3f5 and 3f7,
 * ISA IRQ 6, DMA channel 2.
 *
 * Seeks and transfers take no time; interrupts rise within the access that completes a command. Scan commands are not
 * implemented.
 */
#ifndef GNOMON_DEVICES_FLOPPY_H
#define GNOMON_DEVICES_FLOPPY_H

#include "devices/bus.h"
#include "devices/dma8237.h"
#include "devices/image.h"

enum {
	FDC_DRIVES = 2,
	FDC_UNITS = 4, /* that the controller can address */
	FDC_FIFO = 16,
	FDC_SECTOR = 512,
	FDC_DMA_CHANNEL = 2,
};

/* What CMOS register 10h calls a drive. */
enum fdc_drive_type {
	FDC_TYPE_NONE = 0,
	FDC_TYPE_360K = 1,
	FDC_TYPE_1200K = 2,
	FDC_TYPE_720K = 3,
	FDC_TYPE_1440K = 4,
	FDC_TYPE_2880K = 5,
};

struct fdc_geometry {
	uint32_t size; /* bytes */
	uint8_t cylinders, heads, sectors;
	uint8_t rate; /* as in DSR and CCR: 0 500, 1 300, 2 250, 3 1000 kbit/s */
	enum fdc_drive_type type;
};

struct fdc_drive {
	enum fdc_drive_type type;
	struct image *image;		     /* NULL, or not present: no disk */
	const struct fdc_geometry *geometry; /* of the disk */
	uint8_t cylinder;		     /* where the heads are */
	bool changed;			     /* the disk change line */
};

enum fdc_phase {
	FDC_COMMAND,
	FDC_DATA_IN, /* the host reads buf, without DMA */
	FDC_DATA_OUT,
	FDC_DMA_WAIT, /* for the guest to unmask the DMA channel */
	FDC_RESULT,
};

/* A transfer of sectors, as its command gave it. */
struct fdc_transfer {
	uint8_t unit, c, h, r, n, eot;
	bool multi_track, write, format, verify, dma;
	uint8_t fill;  /* FORMAT: data byte */
	uint8_t count; /* FORMAT: sectors left; VERIFY with EC: likewise */
	bool counted;
};

struct fdc {
	struct irq_line irq;
	struct dma8237 *dma;
	struct fdc_drive drive[FDC_DRIVES];
	/* registers */
	uint8_t dor, tdr, dsr;
	/* command and result */
	enum fdc_phase phase;
	uint8_t fifo[FDC_FIFO];
	uint8_t pos, len;
	/* interrupts */
	bool intr;	       /* INT pin, before the gate in DOR */
	uint8_t sense_pending; /* units that SENSE INTERRUPT STATUS will report */
	uint8_t sense_st0[FDC_UNITS];
	/* parameters */
	uint8_t specify[2], configure[2], perpendicular;
	bool lock;
	/* data */
	struct fdc_transfer xfer;
	uint8_t buf[FDC_SECTOR];
	uint16_t data_pos, data_len;
};

/* No drives. irq: ISA IRQ 6. The controller uses DMA channel 2. 0 or bus_add's error. */
int fdc_init(struct fdc *fdc, struct bus *bus, struct irq_line irq, struct dma8237 *dma);
void fdc_reset(struct fdc *fdc);

/*
 * A drive that takes `image` (the caller's; opened with IMAGE_FLOPPY): its type follows from the image's size, 1.44 MB
 * without an image or with an odd size. What an odd image lacks of its geometry reads as zeros.
 */
void fdc_attach(struct fdc *fdc, unsigned unit, struct image *image);
/* Another disk (NULL: none) in a drive that is attached. */
void fdc_change_disk(struct fdc *fdc, unsigned unit, struct image *image);

/* CMOS register 10h: types of both drives. */
uint8_t fdc_cmos_types(const struct fdc *fdc);

uint64_t fdc_read(void *fdc, uint64_t offset, unsigned size);
void fdc_write(void *fdc, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops fdc_ops;

#endif
