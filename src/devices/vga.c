/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vga.h"

#include <string.h>

#include "vga_internal.h"

int vga_init(struct vga *vga, const struct vga_config *cfg)
{
	int err;

	memset(vga, 0, sizeof(*vga));
	vga->clock = cfg->clock;
	vga->window_changed = cfg->window_changed;
	vga->window_arg = cfg->window_arg;
	err = pm_backing_init(&vga->vram, "gnomon-vram", VGA_VRAM_SIZE);
	if (err)
		return err;
	vga_edid_make(vga->edid);
	vga_reset(vga);
	return 0;
}

void vga_destroy(struct vga *vga)
{
	pm_backing_destroy(&vga->vram);
}

void vga_reset(struct vga *vga)
{
	vga->latch = 0;
	vga->misc = 0;
	vga->feature = 0;
	vga->seq_index = vga->gc_index = vga->crtc_index = vga->attr_index = 0;
	memset(vga->seq, 0, sizeof(vga->seq));
	memset(vga->gc, 0, sizeof(vga->gc));
	memset(vga->crtc, 0, sizeof(vga->crtc));
	memset(vga->attr, 0, sizeof(vga->attr));
	vga->attr_data = false;
	vga->dac_mask = 0xff;
	vga->dac_read_index = vga->dac_write_index = vga->dac_component = vga->dac_state = 0;
	memset(vga->dac_latch, 0, sizeof(vga->dac_latch));
	memset(vga->dac, 0, sizeof(vga->dac));
	vga_vbe_reset(vga);
	pm_backing_clear(&vga->vram);
	vga_window_update(vga);
}

int vga_add_ports(struct vga *vga, struct bus *bus)
{
	/* clang-format off */
	static const struct { uint16_t base, len; } ranges[] = {
		{0x3b4, 2}, {0x3ba, 1}, {0x3c0, 16}, {0x3d4, 2}, {0x3da, 1},
	};
	/* clang-format on */
	int err = 0;

	for (unsigned i = 0; i < ARRAY_LEN(ranges) && !err; i++)
		err = bus_add(bus, ranges[i].base, ranges[i].len, &vga_port_ops, vga, ranges[i].base);
	if (!err)
		err = bus_add(bus, 0x1ce, 4, &vga_vbe_port_ops, vga, 0);
	return err;
}
