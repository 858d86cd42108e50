/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: a PC with the 440FX host bridge and the PIIX south bridge, as SeaBIOS knows it from QEMU's "pc". board.c
 * reads like its memory and port map.
 */
#ifndef GNOMON_MONITOR_BOARD_H
#define GNOMON_MONITOR_BOARD_H

#include "config.h"
#include "devices/acpi_pm.h"
#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/dma8237.h"
#include "devices/floppy.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/parallel.h"
#include "devices/pc_testdev.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/piix_ide.h"
#include "devices/pit.h"
#include "devices/port61.h"
#include "devices/port92.h"
#include "devices/rtc.h"
#include "devices/uart16550.h"
#include "devices/vga.h"
#include "devices/vga_pci.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_rng.h"
#include "kernel_boot.h"

/* SeaBIOS, from the package seabios. */
#define BOARD_BIOS_DEFAULT "/usr/share/seabios/bios-256k.bin"

/* The host's end of a character device. Members may be NULL. */
struct board_chardev {
	void (*send)(void *arg, uint8_t byte);
	void (*write)(void *arg, const uint8_t *buf, size_t len); /* as send; for devices with blocks of output */
	void (*room)(void *arg);				  /* the device can take more input */
	void *arg;
};

/* What the board does to the CPU and asks of it; `arg` is the first argument of all. */
struct board_cpu {
	void *arg;
	void (*intr)(void *arg, bool level);
	void (*nmi)(void *arg);
	void (*init)(void *arg); /* INIT to the CPU, by message */
	void (*a20)(void *arg, bool passed);
	void (*reset)(void *arg); /* the machine shall be reset, after this instruction */
	void (*power_off)(void *arg);
	void (*suspend)(void *arg); /* S3, after this instruction */
	void (*wake)(void *arg);    /* it ends; more than once for one suspend, perhaps */
	uint64_t (*tsc_now)(void *arg);
	uint64_t (*tsc_to_ns)(void *arg, uint64_t tsc);
	void (*debug_exit)(void *arg, uint32_t value);
	bool x2apic, tsc_deadline; /* CPUID shows them */
};

struct board_config {
	const struct vm_config *vm;
	struct physmem *pm; /* with its RAM */
	struct clock *clock;
	struct board_cpu cpu;
	struct board_chardev serial[CONFIG_MAX_SERIALS];
	struct board_chardev debugcon[CONFIG_MAX_DEBUGCONS];
	struct board_chardev console;
};

enum {
	BOARD_FLOPPIES = FDC_DRIVES,
	BOARD_MAX_VIRTIO = CONFIG_MAX_DISKS + 2,
	BOARD_BOOT_ORDER = 512, /* bytes at most */
};

struct board {
	struct physmem *pm;
	struct clock *clock;
	struct board_cpu cpu;

	/* memory */
	struct pm_backing bios, vga_rom;
	struct pm_region ram_low, ram_high, ram_above_4g, bios_top, bios_isa;
	struct pm_region vga_window, vga_direct, ioapic_window, lapic_window, hpet_window, testdev_window;

	/* buses */
	struct bus ports;
	struct pci_bus pci;
	struct apic_bus apics;

	/* chipset */
	struct i440fx i440fx;
	struct piix3 piix3;
	struct piix4_pm piix4_pm;
	struct acpi_pm acpi;
	bool acpi_mapped;
	uint16_t acpi_base;
	struct pic pic;
	struct lapic lapic;
	struct ioapic ioapic;
	struct pit pit;
	struct hpet hpet;
	uint16_t timer_lines, hpet_lines; /* interrupts 0 and 8: what PIT and RTC drive, and what the HPET does */
	struct port61 port61;
	struct port92 port92;
	struct rtc rtc;
	struct dma8237 dma;
	struct i8042 i8042;
	struct fw_cfg fw_cfg;
	struct kernel_boot kernel;

	/* peripherals */
	struct uart uart[CONFIG_MAX_SERIALS];
	unsigned nuarts;
	uint8_t uart_levels; /* bit n: port n drives its interrupt, which two share */
	struct debugcon debugcon[CONFIG_MAX_DEBUGCONS];
	struct debug_exit debug_exit;
	struct pc_testdev testdev;
	uint16_t isa_lines; /* what the bridge drives; pc-testdev's lines are or-ed to them */
	struct parallel parallel;
	struct vga vga;
	struct vga_pci vga_pci;
	struct piix_ide ide;
	struct fdc fdc;
	struct virtio_blk virtio_blk[CONFIG_MAX_DISKS]; /* by number of the disk */
	struct virtio_rng virtio_rng;
	struct virtio_console virtio_console;
	struct virtio_pci *virtio[BOARD_MAX_VIRTIO]; /* those that are there */
	unsigned nvirtio;
	struct image cdrom, floppy[BOARD_FLOPPIES], disk[CONFIG_MAX_DISKS];
};

/*
 * Builds the machine in its power-on state. Opens the images and the firmware. 0, or a negative errno with one line in
 * err; then nothing is left to destroy. The board must not move afterwards.
 */
int board_init(struct board *b, const struct board_config *cfg, char *err, size_t errlen);
void board_destroy(struct board *b);

/* RESET# to every device. The CPU is reset by the caller. */
void board_reset(struct board *b);

/* The end of S3: RESET# to every device but what keeps its power, and a note to the BIOS. The CPU is reset by the
 * caller. */
void board_wake(struct board *b);

/* The interrupt acknowledge cycle of the CPU (cpu_ops.intr_ack): the vector, or -1. */
int board_intr_ack(struct board *b);

/* MSRs of the local APIC (cpu_ops). False: #GP. */
bool board_apic_msr_read(struct board *b, uint32_t index, uint64_t *value);
bool board_apic_msr_write(struct board *b, uint32_t index, uint64_t value);
void board_cr8_write(struct board *b, uint64_t value);

/* FERR# of the CPU: interrupt 13. */
void board_ferr(struct board *b, bool level);

/*
 * Reads a ROM image, a multiple of `granule` and at most `max` bytes, into a new backing of `size` bytes or, if that is
 * 0, of the file's size. 0, or a negative errno and a line in err.
 */
int board_load_rom(struct pm_backing *rom, const char *path, const char *what, uint64_t size, uint64_t max,
		   uint64_t granule, char *err, size_t errlen);

/* Internal to board*.c: interrupts. */
void board_init_interrupts(struct board *b);
void board_reset_interrupts(struct board *b);
void board_update_intr(struct board *b);
/* The line for the PIT's (0) or the RTC's (8) interrupt, which the HPET may take over. */
struct irq_line board_timer_line(struct board *b, unsigned irq);
void board_init_hpet(struct board *b);
/* Internal to board*.c: debug-exit and pc-testdev, as configured. 0, or a negative errno and a line in err. */
int board_add_test_devices(struct board *b, const struct vm_config *vm, char *err, size_t errlen);
/* Line n (0-23) as pc-testdev drives it. */
void board_test_line(void *board, unsigned n, bool level);

/* Internal to board*.c: drives. 0, or a negative errno and a line in err; closing is for either case. */
int board_add_drives(struct board *b, const struct vm_config *vm, char *err, size_t errlen);
void board_close_drives(struct board *b);
/* The devices to boot from, as fw_cfg's "bootorder" names them, by vm->boot and the order of the disks. */
void board_boot_order(const struct vm_config *vm, char *to, size_t len);
/* Puts a virtio device on the bus, and on the list of those to be reset. */
void board_add_virtio(struct board *b, struct virtio_pci *device, unsigned slot);

#endif
