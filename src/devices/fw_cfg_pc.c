/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The items by which SeaBIOS learns of the machine. */
#include <string.h>

#include "devices/fw_cfg.h"

enum { E820_RAM = 1 };

struct e820_entry {
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));

_Static_assert(sizeof(struct e820_entry) == 20, "guest layout");

int fw_cfg_add_pc(struct fw_cfg *fw, const struct fw_cfg_pc *pc)
{
	struct e820_entry e820[2] = {
	    {0, pc->ram_below_4g, E820_RAM},
	    {4 * GiB, pc->ram_above_4g, E820_RAM},
	};
	/* By sleep state: bit 7 = supported, bits 6:0 = SLP_TYP on the PIIX4. */
	static const uint8_t sleep[6] = {0x80, 0, 0, 0x81, 0x82, 0x80};
	int err;

	fw_cfg_add_u64(fw, FW_CFG_RAM_SIZE, pc->ram_below_4g + pc->ram_above_4g);
	fw_cfg_add_u16(fw, FW_CFG_NOGRAPHIC, 0);
	fw_cfg_add_u16(fw, FW_CFG_NB_CPUS, pc->cpus);
	fw_cfg_add_u16(fw, FW_CFG_MAX_CPUS, pc->cpus);
	fw_cfg_add_u16(fw, FW_CFG_BOOT_MENU, pc->boot_menu);
	fw_cfg_add_u32(fw, FW_CFG_IRQ0, 1);
	err = fw_cfg_add_copy(fw, "etc/e820", e820, (pc->ram_above_4g ? 2 : 1) * sizeof(e820[0]));
	if (!err && pc->bootorder)
		err = fw_cfg_add_copy(fw, "bootorder", pc->bootorder, (uint32_t)strlen(pc->bootorder) + 1);
	if (!err && pc->boot_menu)
		err = fw_cfg_add_copy(fw, "etc/boot-menu-wait", &pc->menu_wait_ms, 4);
	if (!err)
		err = fw_cfg_add_file(fw, "etc/system-states", sleep, sizeof(sleep));
	return err;
}
