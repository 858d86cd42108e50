/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiboot 1, and plain ELF files, which are entered in the same way: Multiboot Specification 0.6.96. */
#include "loader.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
enum { /* 3.1: the header in the file */
	SEARCHED       = 8192, /* bytes at the file's beginning */
	MAGIC          = 0x1badb002,
	NEEDS_KNOWN    = 0x0007, /* page-aligned modules, memory information, video mode: done or not insisted on */
	NEEDS          = 0xffff, /* what a boot loader that does not know it must refuse */
	HAS_ADDRESSES  = 0x10000,
	HEADER_LEN     = 12,
	ADDRESSES_LEN  = 32,
};

enum { /* 3.3: flags of the information */
	INFO_MEMORY      = 0x001,
	INFO_CMDLINE     = 0x004,
	INFO_MODULES     = 0x008,
	INFO_ELF_SYMBOLS = 0x020,
	INFO_MMAP        = 0x040,
	INFO_LOADER_NAME = 0x200,
};
/* clang-format on */

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; /* HAS_ADDRESSES */
};

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name, apm_table;
	uint32_t vbe[4], framebuffer[7];
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

_Static_assert(sizeof(struct multiboot_header) == ADDRESSES_LEN, "guest layout");
_Static_assert(sizeof(struct multiboot_info) == 116, "guest layout");
_Static_assert(offsetof(struct multiboot_info, mmap_length) == 44, "firmware/kernel_boot.asm fills it in");

/*
 * The information item: the information, room for the memory map, both filled in by the option ROM; then modules and
 * strings.
 */
enum {
	MMAP_AT = 128,
	MMAP_MAX = 48 * 24, /* bytes; as in firmware/kernel_boot.asm */
	MODULES_AT = MMAP_AT + MMAP_MAX,
	INFO_MAX = 64 << 10,
};

static const char loader_name[] = "Gnomon";

/* --- the header --- */

enum search { NOT_THERE, THERE, CUT, WRONG_CHECKSUM };

/* Looks for a header; *at: where it is, or where something looks like one. */
static enum search find_header(const struct loader_blob *k, struct multiboot_header *h, uint32_t *at)
{
	uint32_t end = MIN(k->len, (uint32_t)SEARCHED);
	enum search result = NOT_THERE;

	for (uint32_t i = 0; i + 4 <= end; i += 4) {
		if (load_le(k->data + i, 4) != MAGIC)
			continue;
		*at = i;
		memset(h, 0, sizeof(*h));
		memcpy(h, k->data + i, MIN(end - i, (uint32_t)sizeof(*h)));
		if (end - i < HEADER_LEN)
			return CUT;
		result = WRONG_CHECKSUM;
		if (h->magic + h->flags + h->checksum == 0)
			return h->flags & HAS_ADDRESSES && end - i < ADDRESSES_LEN ? CUT : THERE;
	}
	return result;
}

bool loader_multiboot_is(const struct loader_blob *kernel)
{
	struct multiboot_header h;
	uint32_t at;

	return find_header(kernel, &h, &at) != NOT_THERE;
}

/* The kernel where the addresses in its header say. */
static int add_by_addresses(struct loader *l, const struct multiboot_header *h, uint32_t at)
{
	uint32_t file_len = l->item[LOADER_KERNEL].len, before = h->header_addr - h->load_addr, len;
	uint32_t bss = 0;
	int rc;

	if (h->load_addr > h->header_addr || before > at)
		return loader_wrong(l, "its Multiboot header's addresses contradict each other");
	len = file_len - (at - before);
	if (h->load_end_addr) {
		if (h->load_end_addr <= h->header_addr)
			return loader_wrong(l, "its Multiboot header's addresses contradict each other");
		len = h->load_end_addr - h->load_addr;
	}
	if (h->bss_end_addr) {
		if (h->bss_end_addr < h->load_addr || h->bss_end_addr - h->load_addr < len)
			return loader_wrong(l, "its Multiboot header's addresses contradict each other");
		bss = h->bss_end_addr - h->load_addr - len;
	}
	if (h->entry_addr < h->load_addr || h->entry_addr - h->load_addr >= len)
		return loader_wrong(l, "its entry point 0x%x is not in what is loaded", h->entry_addr);
	rc = loader_add(l, LOADER_KERNEL, h->load_addr, at - before, len, bss);
	l->entry = h->entry_addr;
	return rc;
}

static int add_kernel(struct loader *l)
{
	struct multiboot_header h;
	uint32_t at;

	switch (find_header(&l->item[LOADER_KERNEL], &h, &at)) {
	case CUT:
		return loader_wrong(l, "its Multiboot header at offset 0x%x is truncated", at);
	case WRONG_CHECKSUM:
		return loader_wrong(l, "the checksum of its Multiboot header at offset 0x%x is wrong", at);
	case NOT_THERE:
		return loader_elf_segments(l);
	default:
		break;
	}
	if (h.flags & NEEDS & ~NEEDS_KNOWN)
		return loader_wrong(l, "its Multiboot header asks for features 0x%x, which are not known",
				    h.flags & NEEDS & ~NEEDS_KNOWN);
	if (h.flags & HAS_ADDRESSES)
		return add_by_addresses(l, &h, at);
	if (l->kind != LOADER_ELF)
		return loader_wrong(l, "is no ELF file, and its Multiboot header holds no addresses");
	return loader_elf_segments(l);
}

/* --- the information --- */

static uint32_t put_string(struct loader *l, uint32_t *at, const char *text)
{
	uint32_t len = (uint32_t)strlen(text) + 1, address = l->info + *at;

	memcpy(l->item[LOADER_INFO].data + *at, text, len);
	*at += len;
	return address;
}

static int add_modules(struct loader *l, struct multiboot_module *to)
{
	for (unsigned i = 0; i < l->nmodules; i++) {
		const struct loader_blob *m = &l->item[LOADER_MODULE + i];
		uint32_t address;

		if (loader_add_behind(l, LOADER_MODULE + i, 0, m->len, PAGE_SIZE, &address)) {
			snprintf(l->err, l->errlen,
				 "initrd '%s': too large: its %u KiB do not fit into the guest's memory", m->text,
				 m->len >> 10);
			return -ENOSPC;
		}
		to[i] = (struct multiboot_module){.start = address, .end = address + m->len};
	}
	return 0;
}

/* First the file's name, as other loaders do: programs look for their arguments behind the first word. */
static int make_info(struct loader *l)
{
	const char *append = l->append ? l->append : "";
	size_t len = MODULES_AT + l->nmodules * sizeof(struct multiboot_module) + sizeof(loader_name) +
		     strlen(l->kernel_path) + 1 + strlen(append) + 1;

	for (unsigned i = 0; i < l->nmodules; i++)
		len += strlen(l->item[LOADER_MODULE + i].text) + 1;
	if (len > INFO_MAX)
		return loader_wrong(l, "the command line (--append) is too long: with all names, %zu bytes of %d", len,
				    INFO_MAX);
	l->info = loader_find_low(l, (uint32_t)len, 16);
	if (!l->info)
		return loader_wrong(l, "leaves no room for Multiboot information below 640 KiB");
	return loader_make_item(l, LOADER_INFO, (uint32_t)len);
}

static int fill_info(struct loader *l)
{
	struct loader_blob *item = &l->item[LOADER_INFO];
	struct multiboot_module module[LOADER_MAX_MODULES] = {{0}};
	struct multiboot_info info = {
	    .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME,
	    .mods_count = l->nmodules,
	    .mods_addr = l->info + MODULES_AT,
	    .mmap_addr = l->info + MMAP_AT,
	};
	uint32_t at = MODULES_AT + l->nmodules * (uint32_t)sizeof(struct multiboot_module);
	int rc = loader_elf_symbols(l, info.syms);

	if (!rc)
		rc = add_modules(l, module);
	if (rc)
		return rc;
	if (info.syms[0])
		info.flags |= INFO_ELF_SYMBOLS;
	for (unsigned i = 0; i < l->nmodules; i++)
		module[i].string = put_string(l, &at, l->item[LOADER_MODULE + i].text);
	info.boot_loader_name = put_string(l, &at, loader_name);
	info.cmdline = put_string(l, &at, l->kernel_path);
	if (l->append && *l->append) {
		item->data[at - 1] = ' ';
		put_string(l, &at, l->append);
	}
	memcpy(item->data, &info, sizeof(info));
	memcpy(item->data + MODULES_AT, module, l->nmodules * sizeof(module[0]));
	return loader_add(l, LOADER_INFO, l->info, 0, item->len, 0);
}

int loader_multiboot(struct loader *l)
{
	int rc = add_kernel(l);

	if (!rc)
		rc = make_info(l);
	return rc ? rc : fill_info(l);
}
