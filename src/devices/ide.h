/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An IDE channel: task file, control block and two drives (ATA/ATAPI-6, INCITS 361). Disks are in ata.c, CD-ROMs in
 * atapi.c, the PCI function with its bus master in piix_ide.h.
 *
 * Commands are carried out within the access that starts them; INTRQ rises there. Bus-master transfers go on in slices
 * (piix_ide.c).
 */
#ifndef GNOMON_DEVICES_IDE_H
#define GNOMON_DEVICES_IDE_H

#include "devices/image.h"
#include "io.h"

enum {
	IDE_DRIVES = 2,
	IDE_BUFFER = 64 * 1024,
	IDE_PACKET_LEN = 12,
};

enum ide_kind {
	IDE_NONE,
	IDE_DISK,
	IDE_CDROM,
};

enum ide_phase {
	IDE_IDLE,
	IDE_PIO_IN,  /* the host reads buf[pos..end) */
	IDE_PIO_OUT, /* the host fills buf[pos..end) */
	IDE_PACKET,  /* the host writes a command packet */
	IDE_DMA_IN,
	IDE_DMA_OUT,
};

/* A task file register with what it held before the last write (48-bit commands). */
struct ide_reg {
	uint8_t now, before;
};

struct ide_drive {
	enum ide_kind kind;
	unsigned unit;
	struct ide_channel *ch;
	struct image *image; /* ATA: always; CD-ROM: NULL or not present = no disc */
	/* task file */
	struct ide_reg feature, count, lba_low, lba_mid, lba_high;
	uint8_t device, status, error;
	bool intrq;
	/* transfer */
	enum ide_phase phase;
	uint32_t pos, end; /* in buf */
	uint64_t lba;	   /* next block to go between image and buf */
	uint32_t left;	   /* blocks after that */
	uint32_t block;	   /* ATA: sectors in a DRQ block; CD-ROM: bytes in a block */
	bool ext;	   /* ATA: 48-bit addressing */
	bool through;	   /* ATA: the command ends when its data are on the disk */
	/* disks */
	uint8_t heads, sectors; /* current translation */
	uint8_t multiple;	/* sectors in a DRQ block of READ/WRITE MULTIPLE; 0: off */
	uint8_t mwdma, udma;	/* selected mode, as in IDENTIFY words 63 and 88 */
	bool write_cache;
	/* CD-ROMs */
	uint8_t packet[IDE_PACKET_LEN];
	uint8_t sense_key, asc, ascq;
	uint32_t byte_limit; /* of a DRQ block */
	uint32_t chunk_end;  /* end of the DRQ block now in buf */
	bool dma;	     /* the packet's data go by DMA */
	bool locked;	     /* PREVENT MEDIUM REMOVAL */
	bool tray_open;
	bool attention;	     /* medium changed: next command gets UNIT ATTENTION */
	uint8_t media_event; /* for GET EVENT STATUS NOTIFICATION */
	/* The guest has asked to eject the disc, and the tray is open now. May be NULL. */
	void (*ejected)(void *arg);
	void *ejected_arg;
	uint8_t buf[IDE_BUFFER];
};

struct ide_channel {
	struct ide_drive drive[IDE_DRIVES];
	uint8_t selected;
	uint8_t control; /* device control register */
	bool line;	 /* level of irq */
	struct irq_line irq;
	/* Told at every rise of INTRQ, and when a drive becomes ready for DMA. Set by the bus master; may be NULL. */
	void (*intrq_rose)(void *arg);
	void (*dma_ready)(void *arg);
	void *master;
};

/* A channel without drives. irq: ISA IRQ 14 or 15. */
void ide_init(struct ide_channel *ch, struct irq_line irq);
/* The image stays the caller's. A CD-ROM's may be NULL (no disc). */
void ide_attach_disk(struct ide_channel *ch, unsigned unit, struct image *image);
void ide_attach_cdrom(struct ide_channel *ch, unsigned unit, struct image *image);
/* Hardware reset of channel and drives. */
void ide_reset(struct ide_channel *ch);

/* A new disc (or none: NULL) in the closed tray. */
void ide_change_disc(struct ide_drive *d, struct image *image);

/* Command block (8 ports) and control block (1 port, alternate status). */
uint64_t ide_read(void *ch, uint64_t offset, unsigned size);
void ide_write(void *ch, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_block_ops ide_ops;
extern const struct io_ops ide_control_ops;

/*
 * The data port, `count` accesses of `width` bytes (2 or 4) in a row: REP INS and OUTS. Returns how many were done;
 * fewer only when the drive wants no more (what the rest would do: reads of zeros, writes into nothing).
 */
size_t ide_data_read_block(struct ide_channel *ch, void *buf, size_t count, unsigned width);
size_t ide_data_write_block(struct ide_channel *ch, const void *buf, size_t count, unsigned width);

/* --- For the bus master --- */

/* The drive that is in a DMA phase, or NULL. */
struct ide_drive *ide_dma_drive(struct ide_channel *ch);
/* Bytes from the drive at d->buf + d->pos, at least 1, or 0 if the command is over (it has then completed). */
uint32_t ide_dma_in_bytes(struct ide_drive *d);
/* Room for the drive at d->buf + d->pos, at least 1. */
uint32_t ide_dma_out_room(struct ide_drive *d);
/* n bytes of that were taken or filled. May complete the command. */
void ide_dma_advance(struct ide_drive *d, uint32_t n);
/* Ends the command with an error (the bus master cannot go on). */
void ide_dma_abort(struct ide_drive *d);

#endif
