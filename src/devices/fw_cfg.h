/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: items that the firmware reads by key, a directory of named ones, and DMA (QEMU docs/specs/fw_cfg.rst). Ports
 * 510 (selector, 16 bits), 511 (data, bytes), 514-51b (DMA address, big-endian).
 *
 * Items are added before the guest runs. A DMA transfer moves at most what is left of its item, plus FW_CFG_DMA_PAD
 * bytes of zeros behind the end; more sets the error bit, so that no access takes longer than the largest item
 * warrants.
 */
#ifndef GNOMON_DEVICES_FW_CFG_H
#define GNOMON_DEVICES_FW_CFG_H

#include "devices/bus.h"
#include "physmem.h"

/* clang-format off */
enum { /* keys */
	FW_CFG_SIGNATURE  = 0x00,
	FW_CFG_ID         = 0x01,
	FW_CFG_UUID       = 0x02,
	FW_CFG_RAM_SIZE   = 0x03,
	FW_CFG_NOGRAPHIC  = 0x04,
	FW_CFG_NB_CPUS    = 0x05,
	FW_CFG_NUMA       = 0x0d,
	FW_CFG_BOOT_MENU  = 0x0e,
	FW_CFG_MAX_CPUS   = 0x0f,
	FW_CFG_FILE_DIR   = 0x19,
	FW_CFG_FILE_FIRST = 0x20,
	FW_CFG_ARCH       = 0x8000, /* ACPI tables, SMBIOS entries, IRQ0 override, e820 */
	FW_CFG_IRQ0       = 0x8002, /* u32: ISA IRQ 0 goes to I/O APIC pin 2 */
};
/* clang-format on */

enum {
	FW_CFG_MAX_FILES = 40,
	FW_CFG_MAX_ARCH = 4,
	FW_CFG_NAME_LEN = 56, /* with the 0 */
	FW_CFG_DIR_ENTRY = 64,
	FW_CFG_DMA_PAD = 1 << 20,
};

struct fw_cfg_item {
	const uint8_t *data; /* NULL: no such item, or one that is in a file */
	bool in_file;	     /* the first bytes of `fd`, which are read when the guest wants them */
	int fd;
	uint32_t len;
	uint8_t *writable; /* data, if the guest may write it (by DMA), else NULL */
	uint8_t value[8];  /* storage of small numbers */
};

struct fw_cfg {
	struct physmem *pm;
	struct fw_cfg_item fixed[FW_CFG_FILE_FIRST];
	struct fw_cfg_item file[FW_CFG_MAX_FILES];
	struct fw_cfg_item arch[FW_CFG_MAX_ARCH];
	unsigned files;
	uint8_t dir[4 + FW_CFG_MAX_FILES * FW_CFG_DIR_ENTRY]; /* what FW_CFG_FILE_DIR shows */
	void *copies[FW_CFG_MAX_FILES];			      /* made by fw_cfg_add_copy */
	unsigned ncopies;
	/* state */
	uint16_t key;
	uint32_t at; /* offset of the next byte */
	uint64_t dma_address;
};

/* Signature, ID and an empty directory. `pm` is where DMA goes. */
void fw_cfg_init(struct fw_cfg *fw, struct physmem *pm);
/* Frees the copies. */
void fw_cfg_destroy(struct fw_cfg *fw);
/* Selector and DMA address; items stay (what a guest wrote into them too). */
void fw_cfg_reset(struct fw_cfg *fw);
/* Adds the ports. 0 or bus_add's error. */
int fw_cfg_attach(struct fw_cfg *fw, struct bus *bus);

/* Items by key (below FW_CFG_FILE_FIRST, or FW_CFG_ARCH ..). Numbers are little-endian, kept inside. Bytes are
 * borrowed. */
void fw_cfg_add_bytes(struct fw_cfg *fw, uint16_t key, const void *data, uint32_t len);
void fw_cfg_add_u16(struct fw_cfg *fw, uint16_t key, uint16_t value);
void fw_cfg_add_u32(struct fw_cfg *fw, uint16_t key, uint32_t value);
void fw_cfg_add_u64(struct fw_cfg *fw, uint16_t key, uint64_t value);

/*
 * Named files. The data of add_file and add_file_rw is borrowed: it must outlive fw; a guest may write to the latter.
 * add_copy makes its own. add_from_file: the first `len` bytes of a regular file, whose descriptor is borrowed; nothing
 * of it is kept in memory, and what the file does not have any more reads as zeros, by DMA with an error. 0, -ENOSPC
 * (directory full), -EEXIST, -ENAMETOOLONG, -ENOMEM.
 */
int fw_cfg_add_file(struct fw_cfg *fw, const char *name, const void *data, uint32_t len);
int fw_cfg_add_file_rw(struct fw_cfg *fw, const char *name, void *data, uint32_t len);
int fw_cfg_add_copy(struct fw_cfg *fw, const char *name, const void *data, uint32_t len);
int fw_cfg_add_from_file(struct fw_cfg *fw, const char *name, int fd, uint32_t len);

/* What SeaBIOS 1.16 wants to know of a PC. */
struct fw_cfg_pc {
	uint64_t ram_below_4g, ram_above_4g; /* bytes, from 0 and from 4 GiB */
	uint16_t cpus;
	/*
	 * Boot devices as Open Firmware paths, one a line, best first; NULL: the BIOS's own order. On this board:
	 * "/pci@i0cf8/ide@1,1/drive@C/disk@U" (channel, unit), "/pci@i0cf8/isa@1/fdc@03f0/floppy@N".
	 */
	const char *bootorder;
	bool boot_menu; /* offer the menu on Esc for menu_wait_ms */
	uint32_t menu_wait_ms;
};

/* Adds e820, CPU counts, boot order and menu, sleep states. 0 or what fw_cfg_add_file returns. */
int fw_cfg_add_pc(struct fw_cfg *fw, const struct fw_cfg_pc *pc);

#endif
