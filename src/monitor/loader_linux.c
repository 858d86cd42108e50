/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linux's 16-bit boot protocol: Documentation/arch/x86/boot.rst of the kernel. */
#include "loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
enum { /* offsets in the real-mode header */
	CMD_LINE_MAGIC  = 0x020, /* before 2.02 */
	CMD_LINE_OFFSET = 0x022,
	SETUP_SECTS     = 0x1f1,
	SYSSIZE         = 0x1f4, /* in 16 bytes; 16 bits wide before 2.04 */
	VID_MODE        = 0x1fa,
	BOOT_FLAG       = 0x1fe,
	HEADER          = 0x202,
	VERSION         = 0x206,
	TYPE_OF_LOADER  = 0x210,
	LOADFLAGS       = 0x211,
	SETUP_MOVE_SIZE = 0x212,
	RAMDISK_IMAGE   = 0x218,
	RAMDISK_SIZE    = 0x21c,
	HEAP_END_PTR    = 0x224,
	CMD_LINE_PTR    = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	CMDLINE_SIZE    = 0x238,
	PREF_ADDRESS    = 0x258,
	INIT_SIZE       = 0x260,
	HEADER_END      = 0x268,
};

enum { /* LOADFLAGS */
	LOADED_HIGH  = 0x01,
	CAN_USE_HEAP = 0x80,
};

enum {
	SECTOR                = 512,
	SETUP_SECTS_DEFAULT   = 4,
	LOADER_UNASSIGNED     = 0xff, /* TYPE_OF_LOADER */
	CMD_LINE_MAGIC_VALUE  = 0xa33f,
	CMDLINE_SIZE_OLD      = 255, /* before 2.06, without the 0 */
	INITRD_ADDR_MAX_OLD   = 0x37ffffff, /* before 2.03 */
};

enum { /* where things go */
	HIGH_REAL_BASE = 0x10000, /* set-up code of a bzImage */
	HIGH_CMDLINE   = 0x20000,
	HIGH_HEAP_END  = 0xe000,  /* in the segment of the set-up code: end of heap, top of stack */
	LOW_KERNEL     = 0x10000, /* zImage */
	LOW_REAL_BASE  = 0x90000,
	LOW_HEAP_END   = 0x9800,  /* and the command line */
};
/* clang-format on */

_Static_assert(HIGH_CMDLINE >= HIGH_REAL_BASE + HIGH_HEAP_END, "beside the set-up code");
_Static_assert(LOW_REAL_BASE + LOW_HEAP_END + CMDLINE_SIZE_OLD < LOADER_LOW_END, "fits");

bool loader_linux_is(const struct loader_blob *k)
{
	return k->len >= VERSION && load_le(k->data + BOOT_FLAG, 2) == 0xaa55 && !memcmp(k->data + HEADER, "HdrS", 4);
}

struct linux_image {
	uint8_t *header; /* the first setup_bytes of the info item */
	unsigned version;
	uint32_t setup_bytes;
	bool high;     /* the kernel proper belongs above 1 MiB */
	bool anywhere; /* so does the set-up code belong where we like, the command line too; else at 90000 */
	uint32_t real; /* where the set-up code goes */
	uint16_t heap_end;
};

static bool since(const struct linux_image *x, unsigned version)
{
	return x->version >= version;
}

static const char *command_line(const struct loader *l)
{
	return l->append ? l->append : "";
}

/* What "vga=" asks for, the only argument that is the boot loader's. The last one counts. */
static uint16_t video_mode(const char *append, uint16_t mode)
{
	static const struct {
		const char *name;
		uint16_t mode;
	} names[] = {{"normal", 0xffff}, {"ext", 0xfffe}, {"ask", 0xfffd}};

	for (const char *p = append; (p = strstr(p, "vga=")); p++) {
		const char *value = p + 4;
		size_t len = strcspn(value, " ");
		unsigned long number;
		char *end;

		if (p > append && p[-1] != ' ')
			continue;
		number = strtoul(value, &end, 0);
		if (len && end == value + len && number <= 0xffff)
			mode = (uint16_t)number;
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (strlen(names[i].name) == len && !strncmp(value, names[i].name, len))
				mode = names[i].mode;
	}
	return mode;
}

/* What lies in the kernel item: is it all there? */
static int examine(struct loader *l, struct linux_image *x)
{
	const struct loader_blob *k = &l->item[LOADER_KERNEL];
	unsigned sects;
	uint64_t sys;

	if (k->len < HEADER_END)
		return loader_wrong(l, "is truncated: its header is not complete");
	x->version = (unsigned)load_le(k->data + VERSION, 2);
	if (x->version < 0x200)
		return loader_wrong(l, "boot protocol %u.%02u is older than 2.00", x->version >> 8, x->version & 0xff);
	sects = k->data[SETUP_SECTS];
	x->setup_bytes = ((sects ? sects : SETUP_SECTS_DEFAULT) + 1) * SECTOR;
	x->high = k->data[LOADFLAGS] & LOADED_HIGH;
	x->anywhere = x->high && since(x, 0x202);
	x->real = x->anywhere ? HIGH_REAL_BASE : LOW_REAL_BASE;
	x->heap_end = x->anywhere ? HIGH_HEAP_END : LOW_HEAP_END;
	sys = load_le(k->data + SYSSIZE, since(x, 0x204) ? 4 : 2) * 16;
	/* SYSSIZE is rounded up, some files are not. */
	if (k->len <= x->setup_bytes || sys > k->len - x->setup_bytes + 15)
		return loader_wrong(l, "is truncated: %u bytes of %llu", k->len,
				    (unsigned long long)(x->setup_bytes + sys));
	if (x->setup_bytes > x->heap_end)
		return loader_wrong(l, "its set-up code of %u bytes is too large", x->setup_bytes);
	return 0;
}

static int check_command_line(struct loader *l, const struct linux_image *x)
{
	const uint8_t *header = l->item[LOADER_KERNEL].data;
	uint32_t max = since(x, 0x206) && x->anywhere ? (uint32_t)load_le(header + CMDLINE_SIZE, 4) : CMDLINE_SIZE_OLD;
	size_t len = strlen(command_line(l));

	max = MIN(max, LOADER_LOW_END - HIGH_CMDLINE - 1);
	if (len > max)
		return loader_wrong(
		    l, "the command line (--append) of %zu characters is longer than the kernel's limit of %u", len,
		    max);
	return 0;
}

/* The kernel proper. *end: where the memory ends that it needs until it has its own idea of memory. */
static int add_kernel(struct loader *l, const struct linux_image *x, uint64_t *end)
{
	const struct loader_blob *k = &l->item[LOADER_KERNEL];
	uint32_t len = k->len - x->setup_bytes;
	uint64_t start = x->high ? LOADER_HIGH_BASE : LOW_KERNEL, init_size;
	int rc;

	if (!x->high && len > LOW_REAL_BASE - LOW_KERNEL)
		return loader_wrong(l, "%u bytes are too much for a zImage", len);
	rc = loader_add(l, LOADER_KERNEL, start, x->setup_bytes, len, 0);
	*end = MAX(start + len, LOADER_HIGH_BASE);
	if (rc || !since(x, 0x20a) || !x->high)
		return rc;
	/* It moves itself to PREF_ADDRESS and unpacks itself there. */
	start = MAX(start, load_le(k->data + PREF_ADDRESS, 8));
	init_size = load_le(k->data + INIT_SIZE, 4);
	if (start > l->top || init_size > l->top - start)
		return loader_wrong(l, "does not fit into the guest's memory: it needs %llu MiB (--memory)",
				    (unsigned long long)(start + init_size + LOADER_TOP_RESERVED + MiB - 1) / MiB);
	*end = MAX(*end, start + init_size);
	return 0;
}

/* As high as possible: old kernels unpack themselves to anywhere below. */
static int add_initrd(struct loader *l, const struct linux_image *x, uint64_t kernel_end)
{
	const struct loader_blob *initrd = &l->item[LOADER_MODULE];
	uint64_t limit = since(x, 0x203) ? load_le(x->header + INITRD_ADDR_MAX, 4) : INITRD_ADDR_MAX_OLD;
	uint64_t at;

	if (!l->nmodules)
		return 0;
	limit = MIN(limit + 1, l->top);
	at = limit > initrd->len ? ALIGN_DOWN(limit - initrd->len, PAGE_SIZE) : 0;
	if (at < kernel_end) {
		snprintf(
		    l->err, l->errlen,
		    "initrd '%s': too large: its %u KiB do not fit between the kernel's end at %llu MiB and %llu MiB",
		    initrd->text, initrd->len >> 10, (unsigned long long)((kernel_end + MiB - 1) / MiB),
		    (unsigned long long)(limit / MiB));
		return -EFBIG;
	}
	store_le(x->header + RAMDISK_IMAGE, 4, at);
	store_le(x->header + RAMDISK_SIZE, 4, initrd->len);
	return loader_add(l, LOADER_MODULE, at, 0, initrd->len, 0);
}

/* What a boot loader fills in. The command line follows the set-up code in the info item. */
static int fill_header(struct loader *l, const struct linux_image *x)
{
	uint32_t cmdline = x->anywhere ? HIGH_CMDLINE : x->real + x->heap_end;
	uint32_t len = (uint32_t)strlen(command_line(l)) + 1;
	uint8_t *h = x->header;
	int rc;

	memcpy(h + x->setup_bytes, command_line(l), len);
	h[TYPE_OF_LOADER] = LOADER_UNASSIGNED;
	store_le(h + VID_MODE, 2, video_mode(command_line(l), (uint16_t)load_le(h + VID_MODE, 2)));
	if (since(x, 0x201)) {
		store_le(h + HEAP_END_PTR, 2, x->heap_end - 0x200u);
		h[LOADFLAGS] |= CAN_USE_HEAP;
	}
	if (since(x, 0x202)) {
		store_le(h + CMD_LINE_PTR, 4, cmdline);
	} else {
		store_le(h + CMD_LINE_MAGIC, 2, CMD_LINE_MAGIC_VALUE);
		store_le(h + CMD_LINE_OFFSET, 2, x->heap_end);
		store_le(h + SETUP_MOVE_SIZE, 2, x->heap_end + len);
	}
	l->real_segment = (uint16_t)(x->real >> 4);
	l->real_sp = x->heap_end;
	rc = loader_add(l, LOADER_INFO, x->real, 0, x->setup_bytes, 0);
	return rc ? rc : loader_add(l, LOADER_INFO, cmdline, x->setup_bytes, len, 0);
}

int loader_linux(struct loader *l)
{
	struct linux_image x = {0};
	uint64_t kernel_end = 0;
	int rc = examine(l, &x);

	if (!rc)
		rc = check_command_line(l, &x);
	if (!rc)
		rc = loader_make_item(l, LOADER_INFO, x.setup_bytes + (uint32_t)strlen(command_line(l)) + 1);
	if (rc)
		return rc;
	x.header = l->item[LOADER_INFO].data;
	memcpy(x.header, l->item[LOADER_KERNEL].data, x.setup_bytes);
	rc = add_kernel(l, &x, &kernel_end);
	if (!rc)
		rc = add_initrd(l, &x, kernel_end);
	return rc ? rc : fill_header(l, &x);
}
