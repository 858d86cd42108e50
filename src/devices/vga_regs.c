/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The register file at 3B0-3DF: sequencer, CRTC, graphics and attribute controllers, DAC. */
#include "trace.h"
#include "vga_internal.h"

/* Bits that exist; the others read as 0. */
static const uint8_t seq_mask[8] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gc_mask[16] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t attr_mask[32] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
};

enum { /* what the DAC state register tells */
       DAC_WRITING = 0,
       DAC_READING = 3,
};

static void attr_write(struct vga *vga, uint8_t v)
{
	unsigned index = vga->attr_index & 0x1f;

	/* IBM's palette takes no writes while it is shown (index bit 5); the clones and emulators that software knows
	 * do. */
	if (vga->attr_data)
		vga->attr[index] = v & attr_mask[index];
	else
		vga->attr_index = v & 0x3f;
	vga->attr_data = !vga->attr_data;
}

static void crtc_write(struct vga *vga, uint8_t v)
{
	unsigned index = vga->crtc_index;

	if (index > CR_LAST)
		return;
	if (index <= CR_OVERFLOW && (vga->crtc[CR_V_SYNC_END] & CR11_PROTECT)) {
		if (index == CR_OVERFLOW) /* bit 8 of line compare escapes the protection */
			vga->crtc[index] = (uint8_t)((vga->crtc[index] & ~0x10) | (v & 0x10));
		return;
	}
	vga->crtc[index] = v;
}

static void dac_write(struct vga *vga, uint8_t v)
{
	vga->dac_latch[vga->dac_component] = vga->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? v : v & 0x3f;
	if (++vga->dac_component < 3)
		return;
	for (unsigned i = 0; i < 3; i++)
		vga->dac[vga->dac_write_index][i] = vga->dac_latch[i];
	vga->dac_component = 0;
	vga->dac_write_index++;
}

static uint8_t dac_read(struct vga *vga)
{
	uint8_t v = vga->dac[vga->dac_read_index][vga->dac_component];

	if (++vga->dac_component == 3) {
		vga->dac_component = 0;
		vga->dac_read_index++;
	}
	return v;
}

/* 3Bx answers in monochrome, 3Dx in colour set-ups (miscellaneous output bit 0). */
static bool decoded(const struct vga *vga, unsigned port)
{
	if (port >= 0x3b0 && port <= 0x3bf)
		return !(vga->misc & MISC_COLOR);
	if (port >= 0x3d0 && port <= 0x3df)
		return vga->misc & MISC_COLOR;
	return true;
}

uint64_t vga_port_read(void *dev, uint64_t offset, unsigned size)
{
	struct vga *vga = dev;
	unsigned port = (unsigned)offset;

	if (!decoded(vga, port))
		return 0xff;
	switch (port) {
	case 0x3c0:
		return vga->attr_data ? 0 : vga->attr_index;
	case 0x3c1:
		return vga->attr[vga->attr_index & 0x1f];
	case 0x3c2:
		return 0x10; /* input status 0: a monitor is sensed, no interrupt */
	case 0x3c4:
		return vga->seq_index;
	case 0x3c5:
		return vga->seq[vga->seq_index];
	case 0x3c6:
		return vga->dac_mask;
	case 0x3c7:
		return vga->dac_state;
	case 0x3c8:
		return vga->dac_write_index;
	case 0x3c9:
		return dac_read(vga);
	case 0x3ca:
		return vga->feature;
	case 0x3cc:
		return vga->misc;
	case 0x3ce:
		return vga->gc_index;
	case 0x3cf:
		return vga->gc[vga->gc_index];
	case 0x3b4:
	case 0x3d4:
		return vga->crtc_index;
	case 0x3b5:
	case 0x3d5:
		return vga->crtc_index <= CR_LAST ? vga->crtc[vga->crtc_index] : 0;
	case 0x3ba:
	case 0x3da:
		vga->attr_data = false;
		return vga_status1(vga);
	default:
		return 0xff;
	}
}

void vga_port_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct vga *vga = dev;
	unsigned port = (unsigned)offset;
	uint8_t v = (uint8_t)value;

	if (!decoded(vga, port))
		return;
	trace(vga, "port %03x <- %02x", port, v);
	switch (port) {
	case 0x3c0:
		attr_write(vga, v);
		return;
	case 0x3c2:
		vga->misc = v;
		break;
	case 0x3c4:
		vga->seq_index = v & 7;
		return;
	case 0x3c5:
		vga->seq[vga->seq_index] = v & seq_mask[vga->seq_index];
		break;
	case 0x3c6:
		vga->dac_mask = v;
		return;
	case 0x3c7:
		vga->dac_read_index = v;
		vga->dac_component = 0;
		vga->dac_state = DAC_READING;
		return;
	case 0x3c8:
		vga->dac_write_index = v;
		vga->dac_component = 0;
		vga->dac_state = DAC_WRITING;
		return;
	case 0x3c9:
		dac_write(vga, v);
		return;
	case 0x3ce:
		vga->gc_index = v & 15;
		return;
	case 0x3cf:
		vga->gc[vga->gc_index] = v & gc_mask[vga->gc_index];
		break;
	case 0x3b4:
	case 0x3d4:
		vga->crtc_index = v;
		return;
	case 0x3b5:
	case 0x3d5:
		crtc_write(vga, v);
		return;
	case 0x3ba:
	case 0x3da:
		vga->feature = v;
		return;
	default:
		return;
	}
	vga_window_update(vga);
}

const struct io_ops vga_port_ops = {"vga", vga_port_read, vga_port_write, IO_8};
