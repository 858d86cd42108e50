/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_DEVICES_FLOPPY_INTERNAL_H
#define GNOMON_DEVICES_FLOPPY_INTERNAL_H

#include "devices/floppy.h"

/* clang-format off */
enum { /* digital output register, 82077AA 2.1.3 */
	DOR_DRIVE  = 0x03,
	DOR_RESET  = 0x04, /* 0: held in reset */
	DOR_GATE   = 0x08, /* INT and DRQ reach the bus */
	DOR_MOTOR  = 0x10, /* unit 0; shifted for the others */
};

enum { /* main status register, 2.1.5 */
	MSR_BUSY = 0x10,
	MSR_NDMA = 0x20,
	MSR_DIO  = 0x40,
	MSR_RQM  = 0x80,
};

enum { /* status registers 0-3, section 6 */
	ST0_UNIT  = 0x03,
	ST0_HEAD  = 0x04,
	ST0_EC    = 0x10,
	ST0_SEEK  = 0x20,
	ST0_ABNORMAL = 0x40,
	ST0_INVALID  = 0x80,
	ST0_POLLED   = 0xc0,
	ST1_MA = 0x01, /* missing address mark */
	ST1_NW = 0x02, /* not writable */
	ST1_ND = 0x04, /* no data: sector not found */
	ST1_OR = 0x10, /* overrun: DMA did not come */
	ST1_DE = 0x20,
	ST1_EN = 0x80, /* end of cylinder */
	ST2_WC = 0x10, /* wrong cylinder */
	ST3_TWO_SIDED = 0x08,
	ST3_TRACK0    = 0x10,
	ST3_READY     = 0x20,
	ST3_PROTECTED = 0x40,
};

enum { /* CONFIGURE, 5.2.7: second byte */
	CONFIG_EIS  = 0x40, /* implied seeks */
	CONFIG_EFIFO = 0x20, /* FIFO disabled */
	CONFIG_POLL = 0x10, /* polling disabled */
};

enum { /* bits of command bytes */
	CMD_MT = 0x80,
	CMD_EC = 0x80, /* VERIFY, second byte */
};
/* clang-format on */

/* --- floppy.c --- */
void fdc_raise(struct fdc *fdc);
void fdc_lower(struct fdc *fdc);
/* len bytes of fifo are the command's result; 0: back to the command phase. */
void fdc_result(struct fdc *fdc, unsigned len);
/* The drive of a unit number, or NULL. */
struct fdc_drive *fdc_unit(struct fdc *fdc, unsigned unit);
bool fdc_has_disk(const struct fdc_drive *d);
/* Steps to a cylinder; that clears the disk change line if there is a disk. */
void fdc_seek(struct fdc_drive *d, unsigned cylinder);

/* --- floppy_command.c --- */
/* How many bytes a command has, opcode included; 0: no such command. */
unsigned fdc_command_len(uint8_t opcode);
void fdc_execute(struct fdc *fdc);
void fdc_default_parameters(struct fdc *fdc);

/* --- floppy_transfer.c --- */
void fdc_start_transfer(struct fdc *fdc);
void fdc_start_format(struct fdc *fdc);
/* READ ID checks for a disk that the current data rate can read. ST1, 0 if all is well. */
uint8_t fdc_media_error(const struct fdc *fdc, const struct fdc_drive *d);
/* The host has emptied or filled buf. */
void fdc_data_done(struct fdc *fdc);
/* The guest has unmasked the DMA channel. */
void fdc_dma_ready(void *fdc);

#endif
