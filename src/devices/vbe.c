/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Bochs VBE extension ("DISPI", version 5: VBE_DISPI_ID5) and the register BAR through which drivers reach it.
 * Linear frame buffer and banked window show the same memory.
 */
#include <string.h>

#include "trace.h"
#include "vga_internal.h"

enum {			 /* the register BAR */
       MMIO_VGA = 0x400, /* 3C0-3DF */
       MMIO_VGA_END = 0x420,
       MMIO_VBE = 0x500,
       MMIO_VBE_END = 0x500 + 2 * 11,
       MMIO_EXT_SIZE = 0x600,
       MMIO_EXT_ORDER = 0x604,
       EXT_LITTLE_ENDIAN = 0x1e1e1e1e,
};

void vga_vbe_reset(struct vga *vga)
{
	vga->vbe_index = 0;
	memset(vga->vbe, 0, sizeof(vga->vbe));
	vga->vbe[VBE_ID] = VBE_ID_LAST;
}

static unsigned bits_of(unsigned bpp)
{
	return bpp == 15 ? 16 : bpp;
}

static uint32_t pitch_of(unsigned virt_width, unsigned bpp)
{
	return bpp == 4 ? (virt_width + 7) / 8 * 4 : virt_width * (bits_of(bpp) / 8);
}

/* Brings the geometry into what video memory holds. Whatever was written, the mode fits afterwards. */
static void fix_up(struct vga *vga)
{
	uint16_t *r = vga->vbe;
	unsigned bpp = r[VBE_BPP];

	if (bpp != 4 && bpp != 8 && bpp != 15 && bpp != 16 && bpp != 24 && bpp != 32)
		r[VBE_BPP] = (uint16_t)(bpp = 8);
	r[VBE_XRES] = (uint16_t)MIN(MAX(r[VBE_XRES], 8), VBE_MAX_XRES);
	r[VBE_YRES] = (uint16_t)MIN(MAX(r[VBE_YRES], 1), VBE_MAX_YRES);
	r[VBE_VIRT_WIDTH] = (uint16_t)MIN(MAX(r[VBE_VIRT_WIDTH], r[VBE_XRES]), VBE_MAX_XRES);

	/* VBE_MAX_XRES pixels of four bytes: at least 262 lines fit. */
	unsigned lines = VGA_VRAM_SIZE / pitch_of(r[VBE_VIRT_WIDTH], bpp);
	r[VBE_YRES] = (uint16_t)MIN(r[VBE_YRES], lines);
	r[VBE_VIRT_HEIGHT] = (uint16_t)MIN(lines, 0xffffu);
	r[VBE_X_OFFSET] = (uint16_t)MIN(r[VBE_X_OFFSET], r[VBE_VIRT_WIDTH] - r[VBE_XRES]);
	r[VBE_Y_OFFSET] = (uint16_t)MIN(r[VBE_Y_OFFSET], r[VBE_VIRT_HEIGHT] - r[VBE_YRES]);
}

/* The VGA registers follow, so that a driver that looks at them finds a linear (or planar) graphics mode. */
static void set_vga_registers(struct vga *vga)
{
	bool planar = vga->vbe[VBE_BPP] == 4;
	unsigned height = vga->vbe[VBE_YRES] - 1u;

	vga->gc[GC_MISC] = (uint8_t)((vga->gc[GC_MISC] & ~GR06_MEMORY_MAP) | 0x4 | GR06_GRAPHICS);
	vga->gc[GC_MODE] &= (uint8_t) ~(GR05_SHIFT_256 | GR05_SHIFT_INTERLEAVE);
	vga->seq[SEQ_CLOCKING] &= (uint8_t)~SR01_HALF_CLOCK;
	vga->seq[SEQ_MAP_MASK] = 0xf;
	vga->crtc[CR_MODE] |= CR17_NO_CGA_BANK | CR17_NO_HGC_BANK;
	vga->crtc[CR_OFFSET] = (uint8_t)(pitch_of(vga->vbe[VBE_VIRT_WIDTH], vga->vbe[VBE_BPP]) >> 3);
	vga->crtc[CR_H_DISP_END] = (uint8_t)((vga->vbe[VBE_XRES] >> 3) - 1);
	vga->crtc[CR_V_DISP_END] = (uint8_t)height;
	vga->crtc[CR_OVERFLOW] =
	    (uint8_t)((vga->crtc[CR_OVERFLOW] & ~0x42) | (height >> 7 & 0x02) | (height >> 3 & 0x40) | 0x10);
	vga->crtc[CR_LINE_COMPARE] = 0xff; /* no split */
	vga->crtc[CR_MAX_SCAN] = (uint8_t)((vga->crtc[CR_MAX_SCAN] & ~0x9f) | 0x40);
	if (planar) {
		vga->seq[SEQ_MEM_MODE] = (uint8_t)((vga->seq[SEQ_MEM_MODE] & ~SR04_CHAIN4) | SR04_SEQUENTIAL);
	} else {
		vga->gc[GC_MODE] |= GR05_SHIFT_256;
		vga->seq[SEQ_MEM_MODE] |= SR04_CHAIN4 | SR04_EXTENDED;
	}
}

static void set_enable(struct vga *vga, uint16_t value)
{
	bool was = vga_vbe_on(vga);

	vga->vbe[VBE_ENABLE] = value & (VBE_ENABLED | VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NO_CLEAR);
	vga->vbe[VBE_BANK] = 0;
	if (!(value & VBE_ENABLED) || was)
		return;
	vga->vbe[VBE_VIRT_WIDTH] = vga->vbe[VBE_XRES];
	vga->vbe[VBE_X_OFFSET] = vga->vbe[VBE_Y_OFFSET] = 0;
	fix_up(vga);
	set_vga_registers(vga);
	if (!(value & VBE_NO_CLEAR)) {
		uint32_t pitch = pitch_of(vga->vbe[VBE_VIRT_WIDTH], vga->vbe[VBE_BPP]);
		memset(vga->vram.host, 0, (size_t)pitch * vga->vbe[VBE_YRES]);
	}
	trace(vga, "VBE mode %ux%ux%u", vga->vbe[VBE_XRES], vga->vbe[VBE_YRES], vga->vbe[VBE_BPP]);
}

uint16_t vga_vbe_read(const struct vga *vga, unsigned index)
{
	if (index > VBE_MEMORY_64K)
		return 0;
	if (vga->vbe[VBE_ENABLE] & VBE_GETCAPS) {
		if (index == VBE_XRES)
			return VBE_MAX_XRES;
		if (index == VBE_YRES)
			return VBE_MAX_YRES;
		if (index == VBE_BPP)
			return 32;
	}
	return index == VBE_MEMORY_64K ? VGA_VRAM_SIZE >> 16 : vga->vbe[index];
}

void vga_vbe_write(struct vga *vga, unsigned index, uint16_t value)
{
	trace(vga, "VBE register %x <- %04x", index, value);
	switch (index) {
	case VBE_ID:
		if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST)
			vga->vbe[VBE_ID] = value;
		return;
	case VBE_XRES:
	case VBE_YRES:
	case VBE_BPP:
	case VBE_VIRT_WIDTH:
	case VBE_X_OFFSET:
	case VBE_Y_OFFSET:
		vga->vbe[index] = value;
		if (vga_vbe_on(vga)) {
			fix_up(vga);
			set_vga_registers(vga);
		}
		break;
	case VBE_ENABLE:
		set_enable(vga, value);
		break;
	case VBE_BANK:
		vga->vbe[VBE_BANK] = value & ((VGA_VRAM_SIZE >> 16) - 1);
		break;
	default:
		return; /* virtual height and memory size follow from the rest */
	}
	vga_window_update(vga);
}

void vga_vbe_decode(const struct vga *vga, struct vga_vbe_mode *out)
{
	const uint16_t *r = vga->vbe;
	unsigned bpp = r[VBE_BPP];

	out->width = r[VBE_XRES];
	out->height = r[VBE_YRES];
	out->bpp = bpp;
	out->pitch = pitch_of(r[VBE_VIRT_WIDTH], bpp);
	out->start = r[VBE_Y_OFFSET] * out->pitch;
	out->start += bpp == 4 ? r[VBE_X_OFFSET] / 8u * 4u : r[VBE_X_OFFSET] * (bits_of(bpp) / 8);
}

static uint64_t vbe_port_read(void *dev, uint64_t offset, unsigned size)
{
	struct vga *vga = dev;

	return offset == 0 ? vga->vbe_index : vga_vbe_read(vga, vga->vbe_index);
}

static void vbe_port_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct vga *vga = dev;

	if (offset == 0)
		vga->vbe_index = (uint16_t)value;
	else if (offset <= 2)
		vga_vbe_write(vga, vga->vbe_index, (uint16_t)value);
}

const struct io_ops vga_vbe_port_ops = {"vbe", vbe_port_read, vbe_port_write, IO_16};

static uint8_t mmio_read_byte(struct vga *vga, uint64_t at)
{
	if (at < sizeof(vga->edid))
		return vga->edid[at];
	if (at >= MMIO_VGA && at < MMIO_VGA_END)
		return (uint8_t)vga_port_read(vga, at - MMIO_VGA + 0x3c0, 1);
	if (at >= MMIO_VBE && at < MMIO_VBE_END)
		return (uint8_t)(vga_vbe_read(vga, (unsigned)(at - MMIO_VBE) / 2) >> (at & 1) * 8);
	if (at >= MMIO_EXT_SIZE && at < MMIO_EXT_ORDER)
		return at == MMIO_EXT_SIZE ? 8 : 0;
	if (at >= MMIO_EXT_ORDER && at < MMIO_EXT_ORDER + 4)
		return (uint8_t)EXT_LITTLE_ENDIAN;
	return at < 0x400 ? 0 : 0xff; /* the rest of the EDID area is empty */
}

static uint64_t mmio_read(void *dev, uint64_t offset, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)mmio_read_byte(dev, offset + i) << (i * 8);
	return v;
}

static void mmio_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct vga *vga = dev;

	for (unsigned i = 0; i < size; i++) {
		uint64_t at = offset + i;
		if (at >= MMIO_VGA && at < MMIO_VGA_END)
			vga_port_write(vga, at - MMIO_VGA + 0x3c0, 1, value >> (i * 8) & 0xff);
		else if (at >= MMIO_VBE && at < MMIO_VBE_END && !(at & 1) && i + 1 < size)
			vga_vbe_write(vga, (unsigned)(at - MMIO_VBE) / 2, (uint16_t)(value >> (i * 8)));
	}
	/* The byte order register is taken as set: we show little-endian only. */
}

const struct io_ops vga_mmio_ops = {"vga-registers", mmio_read, mmio_write, IO_8 | IO_16 | IO_32};
