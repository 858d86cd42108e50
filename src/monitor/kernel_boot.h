/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --kernel: the plan of a loader and our option ROM, put into fw_cfg. The BIOS runs the ROM (fw_cfg file "genroms/...")
 * as its first boot device; the ROM fetches the segments and enters the kernel. That happens anew after each reset.
 */
#ifndef GNOMON_MONITOR_KERNEL_BOOT_H
#define GNOMON_MONITOR_KERNEL_BOOT_H

#include "config.h"
#include "devices/fw_cfg.h"
#include "loader.h"

/* The ROM's line in fw_cfg's "bootorder". */
#define KERNEL_BOOT_ORDER "/rom@genroms/gnomon-kernel.bin"

struct kernel_boot {
	struct loader loader;
	uint8_t *rom;
};

/* Reads and plans what cfg asks for; it does ask for a kernel. 0, or a negative errno and a line in err. */
int kernel_boot_init(struct kernel_boot *k, const struct vm_config *cfg, uint64_t ram_below_4g, char *err,
		     size_t errlen);
void kernel_boot_destroy(struct kernel_boot *k);

/* Adds ROM and items. They are borrowed: k must outlive fw. 0 or what fw_cfg_add_file returns. */
int kernel_boot_offer(struct kernel_boot *k, struct fw_cfg *fw);

#endif
