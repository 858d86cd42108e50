/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels for --kernel: what goes where in guest memory, and how the kernel is entered. Nothing is copied here: the
 * result is a list of segments, pieces of items, that the option ROM fetches through fw_cfg once the BIOS is done
 * (kernel_boot.h).
 *
 *	loader_linux.c      bzImage and zImage (Linux Documentation/arch/x86/boot.rst, "the boot protocol"), 16-bit
 *entry loader_multiboot.c  Multiboot 1 (Multiboot Specification 0.6.96) loader_elf.c        ELF: segments and symbols
 *
 * Files are the user's, not the guest's, but may be garbage: nothing in them may lead outside of them, of guest memory,
 * or to a panic.
 */
#ifndef GNOMON_MONITOR_LOADER_H
#define GNOMON_MONITOR_LOADER_H

#include "base.h"

/* Where kernels may lie. Below are the BIOS's data and the stack of the option ROM. */
#define LOADER_LOW_FIRST 0x8000u
#define LOADER_LOW_END	 0x9f000u /* the EBDA begins behind it */
#define LOADER_HIGH_BASE 0x100000u
/* At the end of memory (below 4 GiB) the BIOS keeps tables. SeaBIOS: BUILD_MAX_HIGHTABLE. */
#define LOADER_TOP_RESERVED (256 * KiB)
/* What of a Linux kernel is looked at: its set-up code, whose length in sectors takes a byte. */
#define LINUX_SETUP_MAX (256 * 512u)

enum {
	LOADER_MAX_SEGMENTS = 64, /* as in firmware/kernel_boot.asm */
	LOADER_MAX_MODULES = 16,
};

enum loader_item {
	LOADER_KERNEL,
	LOADER_INFO,	/* what the kernel is told: set-up code and command line, or Multiboot information */
	LOADER_SYMBOLS, /* section headers */
	LOADER_MODULE,	/* and following: initrd, modules */
	LOADER_ITEMS = LOADER_MODULE + LOADER_MAX_MODULES,
};

struct loader_blob {
	uint8_t *data; /* from malloc; NULL of modules, and after loader_let_go() */
	uint32_t len;
	bool in_file; /* it is what `fd` has, to the end */
	int fd;
	char *text; /* modules: the argument, "file args"; from malloc */
};

/* `len` bytes of an item from `offset`, then `zero` bytes of zeros, at a physical address. */
struct loader_segment {
	uint32_t item; /* enum loader_item */
	uint32_t address, offset, len, zero;
};

enum loader_kind {
	LOADER_UNKNOWN,
	LOADER_LINUX,
	LOADER_ELF,	  /* with a Multiboot header or without; entered in the same way */
	LOADER_MULTIBOOT, /* a file of another format with a Multiboot header, which holds its addresses */
};

struct loader {
	const char *kernel_path, *append; /* borrowed; append may be NULL */
	uint32_t top;			  /* where memory for kernels ends */
	struct loader_blob item[LOADER_ITEMS];
	unsigned nmodules;

	/* The plan. */
	enum loader_kind kind;
	struct loader_segment segment[LOADER_MAX_SEGMENTS];
	unsigned nsegments;
	uint32_t high_end;     /* end of what lies above 1 MiB so far */
	uint32_t entry;	       /* Multiboot: EIP */
	uint32_t info;	       /* Multiboot: address of the information */
	uint16_t real_segment; /* Linux */
	uint16_t real_sp;

	char *err;
	size_t errlen;
};

/* ram_below_4g: bytes of guest memory from 0. Complaints, one line each, go to err. */
void loader_init(struct loader *l, uint64_t ram_below_4g, char *err, size_t errlen);
void loader_destroy(struct loader *l);

/*
 * Reads the kernel and what --initrd names (a file; for other kernels than Linux "file args,file args"; a comma in a
 * name is doubled). Strings are borrowed, initrd and append may be NULL. 0 or a negative errno.
 */
int loader_open(struct loader *l, const char *kernel, const char *initrd, const char *append);

/* Makes the plan from what is in memory. 0 or a negative errno. */
int loader_plan(struct loader *l);

/* Frees what can be read from files again. After the plan was made. */
void loader_let_go(struct loader *l);

/* --- for the loaders --- */

/* "kernel '...': <fmt>" into err; returns -EINVAL. */
int loader_wrong(struct loader *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What the kernel's first bytes say. Files that look like one of them, but are not in order, are of that kind. */
enum loader_kind loader_kind_of(const struct loader_blob *kernel);

/* Adds a segment, after checking it against memory and its item's length. */
int loader_add(struct loader *l, enum loader_item item, uint64_t address, uint64_t offset, uint64_t len, uint64_t zero);

/* Adds all of an item behind what lies above 1 MiB. align: a power of two. -ENOSPC, without a line in err. */
int loader_add_behind(struct loader *l, enum loader_item item, uint32_t offset, uint32_t len, uint32_t align,
		      uint32_t *address);

/* Lowest place for len bytes below 640 KiB beside the segments; 0: none. align: a power of two. */
uint32_t loader_find_low(const struct loader *l, uint32_t len, uint32_t align);

/* Gives an item that is made, not read, its memory (zeros). 0 or -ENOMEM. */
int loader_make_item(struct loader *l, enum loader_item item, uint32_t len);

bool loader_linux_is(const struct loader_blob *kernel);
int loader_linux(struct loader *l);
bool loader_multiboot_is(const struct loader_blob *kernel);
int loader_multiboot(struct loader *l);

bool loader_elf_is(const struct loader_blob *kernel);
/* The loadable segments and the entry point of an ELF file. */
int loader_elf_segments(struct loader *l);
/* The section headers as Multiboot wants them: num, size, addr, shndx. All 0 if there are none. */
int loader_elf_symbols(struct loader *l, uint32_t info[4]);

#endif
