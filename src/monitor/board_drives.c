/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives: which image goes where, and in which order the BIOS tries them. */
#include "board.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	IDE_PLACES = 4,
	CDROM_PLACE = 2,       /* the second channel's master */
	FIRST_VIRTIO_SLOT = 4, /* of the first disk; on a bus where 3 is the network card's */
	/* Geometries that a BIOS interface of 1024 cylinders can address without translation. */
	CHS_HEADS = 16,
	CHS_SECTORS = 63,
	CHS_CYLINDERS = 1024,
};

/* Where the n-th IDE disk goes (channel * 2 + unit), or -1. The CD-ROM's place is filled last, if it is free. */
static int ide_place(const struct vm_config *vm, unsigned n)
{
	static const int8_t places[IDE_PLACES] = {0, 1, 3, CDROM_PLACE};

	return n < (vm->cdrom ? IDE_PLACES - 1 : IDE_PLACES) ? places[n] : -1;
}

void board_add_virtio(struct board *b, struct virtio_pci *device, unsigned slot)
{
	ASSERT(b->nvirtio < BOARD_MAX_VIRTIO);
	pci_attach(&device->pci, &b->pci, PCI_DEVFN(slot, 0));
	b->virtio[b->nvirtio++] = device;
}

static void add_virtio_disk(struct board *b, unsigned n)
{
	char serial[VIRTIO_BLK_SERIAL + 1];

	snprintf(serial, sizeof(serial), "GN%05u", n + 1);
	virtio_blk_init(&b->virtio_blk[n], b->pm, b->clock, &b->disk[n], serial);
	board_add_virtio(b, &b->virtio_blk[n].transport, FIRST_VIRTIO_SLOT + n);
}

static void add_ide_disk(struct board *b, unsigned n, unsigned place)
{
	bool small = b->disk[n].size / 512 <= (uint64_t)CHS_CYLINDERS * CHS_HEADS * CHS_SECTORS;

	ide_attach_disk(&b->ide.channel[place / 2], place % 2, &b->disk[n]);
	rtc_cmos_set_disk(&b->rtc, place, small ? RTC_DISK_NONE : RTC_DISK_LBA);
}

/* The complaint names the option, too. */
static int open_image(struct image *im, const char *option, const char *path, unsigned flags, char *err, size_t errlen)
{
	char why[500];
	int rc = image_open(im, path, flags, why, sizeof(why));

	if (rc)
		snprintf(err, errlen, "%s %s", option, why);
	return rc;
}

static int add_disks(struct board *b, const struct vm_config *vm, char *err, size_t errlen)
{
	unsigned nide = 0;

	for (unsigned n = 0; n < vm->ndisks; n++) {
		const struct disk_config *d = &vm->disks[n];
		int place = d->virtio ? 0 : ide_place(vm, nide++);
		int rc;
		if (place < 0) {
			snprintf(err, errlen, "--disk: only %u IDE disks are possible%s; more with if=virtio", nide - 1,
				 vm->cdrom ? " beside a CD-ROM" : "");
			return -EINVAL;
		}
		rc = open_image(&b->disk[n], "--disk", d->path, d->snapshot ? IMAGE_SNAPSHOT : 0, err, errlen);
		if (rc)
			return rc;
		if (d->virtio)
			add_virtio_disk(b, n);
		else
			add_ide_disk(b, n, (unsigned)place);
	}
	return 0;
}

int board_add_drives(struct board *b, const struct vm_config *vm, char *err, size_t errlen)
{
	const struct irq_line irq[PIIX_IDE_CHANNELS] = {piix3_isa_irq(&b->piix3, 14), piix3_isa_irq(&b->piix3, 15)};
	int rc = 0;

	ASSERT(piix_ide_init(&b->ide, &b->pci, b->clock, irq) == 0); /* 00:01.1, 1f0-1f7, 3f6, 170-177, 376 */
	ASSERT(fdc_init(&b->fdc, &b->ports, piix3_isa_irq(&b->piix3, 6), &b->dma) == 0); /* 3f0-3f5, 3f7 */
	if (vm->cdrom) {
		rc = open_image(&b->cdrom, "--cdrom", vm->cdrom, IMAGE_CDROM | IMAGE_READONLY, err, errlen);
		if (!rc)
			ide_attach_cdrom(&b->ide.channel[CDROM_PLACE / 2], CDROM_PLACE % 2, &b->cdrom);
	}
	if (!rc)
		rc = add_disks(b, vm, err, errlen);
	if (!rc && vm->floppy) {
		rc = open_image(&b->floppy[0], "--floppy", vm->floppy, IMAGE_FLOPPY, err, errlen);
		if (!rc)
			fdc_attach(&b->fdc, 0, &b->floppy[0]);
	}
	return rc;
}

void board_close_drives(struct board *b)
{
	image_close(&b->cdrom);
	for (unsigned i = 0; i < BOARD_FLOPPIES; i++)
		image_close(&b->floppy[i]);
	for (unsigned i = 0; i < CONFIG_MAX_DISKS; i++)
		image_close(&b->disk[i]);
}

/* --- boot order --- */

struct order {
	char *to;
	size_t left;
};

static void PRINTF_LIKE(2, 3) add_line(struct order *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->to, o->left, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0 && (size_t)n < o->left);
	o->to += n;
	o->left -= (size_t)n;
}

static void order_disks(struct order *o, const struct vm_config *vm)
{
	unsigned nide = 0;

	for (unsigned n = 0; n < vm->ndisks; n++) {
		int place = vm->disks[n].virtio ? -1 : ide_place(vm, nide++);
		if (vm->disks[n].virtio)
			add_line(o, "/pci@i0cf8/scsi@%x/disk@0,0\n", FIRST_VIRTIO_SLOT + n);
		else if (place >= 0)
			add_line(o, "/pci@i0cf8/ide@1,1/drive@%x/disk@%x\n", (unsigned)place / 2, (unsigned)place % 2);
	}
}

void board_boot_order(const struct vm_config *vm, char *to, size_t len)
{
	struct order o = {to, len};

	if (vm->kernel)
		add_line(&o, "%s\n", KERNEL_BOOT_ORDER);
	for (const char *p = vm->boot; *p; p++) {
		if (*p == 'c')
			order_disks(&o, vm);
		else if (*p == 'd' && vm->cdrom)
			add_line(&o, "/pci@i0cf8/ide@1,1/drive@%x/disk@%x\n", CDROM_PLACE / 2, CDROM_PLACE % 2);
		else if (*p == 'a' && vm->floppy)
			add_line(&o, "/pci@i0cf8/isa@1/fdc@03f0/floppy@0\n");
	}
}
