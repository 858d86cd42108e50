/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window A0000-BFFFF: placement, addressing modes and the data path of the graphics controller (IBM VGA Technical
 * Reference, section 2: "Programming considerations"). The four bytes of a planar offset are handled as one 32-bit
 * word.
 */
#include <string.h>

#include "vga_internal.h"

/* Each of the low four bits as a byte of ones. */
static const uint32_t plane_bytes[16] = {
    0x00000000, 0x000000ff, 0x0000ff00, 0x0000ffff, 0x00ff0000, 0x00ff00ff, 0x00ffff00, 0x00ffffff,
    0xff000000, 0xff0000ff, 0xff00ff00, 0xff00ffff, 0xffff0000, 0xffff00ff, 0xffffff00, 0xffffffff,
};

/* Where an address of the window leads. */
struct target {
	uint32_t word;	 /* planar offset */
	unsigned plane;	 /* that a read in mode 0 returns */
	unsigned planes; /* bit mask that a write may change */
};

static bool vbe_packed(const struct vga *vga)
{
	return vga_vbe_on(vga) && vga->vbe[VBE_BPP] > 4;
}

/* Offset within the placement that is in force (GR06 bits 2-3), or false if nothing answers there. */
static bool place(const struct vga *vga, uint64_t offset, uint32_t *at)
{
	/* clang-format off */
	static const struct { uint32_t base, len; } placements[4] = {
		{0x00000, 0x20000}, {0x00000, 0x10000}, {0x10000, 0x08000}, {0x18000, 0x08000},
	};
	/* clang-format on */
	unsigned map = (vga->gc[GC_MISC] & GR06_MEMORY_MAP) >> 2;

	if (!(vga->misc & MISC_RAM_ENABLE))
		return false;
	if (offset < placements[map].base || offset - placements[map].base >= placements[map].len)
		return false;
	*at = (uint32_t)offset - placements[map].base;
	return true;
}

static struct target aim(const struct vga *vga, uint32_t at)
{
	struct target t = {.planes = vga->seq[SEQ_MAP_MASK]};
	uint32_t words = VGA_PLANE_LEN;
	uint32_t bank = 0;

	if (vga_vbe_on(vga)) {
		words = VGA_VRAM_SIZE / 4;
		bank = (uint32_t)vga->vbe[VBE_BANK] << 16;
	}
	if (vga->seq[SEQ_MEM_MODE] & SR04_CHAIN4) {
		t.word = (bank + at) >> 2;
		t.plane = at & 3;
		t.planes &= 1u << t.plane;
	} else {
		t.word = bank + (vga->gc[GC_MISC] & GR06_CHAIN_ODD_EVEN ? at >> 1 : at);
		t.plane = vga->gc[GC_READ_MAP];
		if (vga->gc[GC_MODE] & GR05_ODD_EVEN)
			t.plane = (t.plane & 2) | (at & 1);
		if (!(vga->seq[SEQ_MEM_MODE] & SR04_SEQUENTIAL))
			t.planes &= at & 1 ? 0xa : 0x5;
	}
	t.word &= words - 1;
	return t;
}

static uint32_t word_get(const struct vga *vga, uint32_t word)
{
	uint32_t v;

	memcpy(&v, vga->vram.host + (size_t)word * 4, 4);
	return v;
}

/* Logical function (GR03 bits 3-4) of the new data and the latches. */
static uint32_t combine(const struct vga *vga, uint32_t v)
{
	switch (vga->gc[GC_ROTATE] >> 3 & 3) {
	case 1:
		return v & vga->latch;
	case 2:
		return v | vga->latch;
	case 3:
		return v ^ vga->latch;
	default:
		return v;
	}
}

static uint8_t rotated(const struct vga *vga, uint8_t v)
{
	unsigned n = vga->gc[GC_ROTATE] & 7;

	return (uint8_t)(v >> n | v << (8 - n));
}

/* What the graphics controller makes of a byte from the CPU, for all four planes. */
static uint32_t write_data(const struct vga *vga, uint8_t value)
{
	const uint32_t each = 0x01010101;
	uint32_t set = plane_bytes[vga->gc[GC_SET_RESET] & 15];
	uint32_t enabled = plane_bytes[vga->gc[GC_ENABLE_SR] & 15];
	uint32_t mask = vga->gc[GC_BIT_MASK] * each;
	uint32_t v;

	switch (vga->gc[GC_MODE] & GR05_WRITE_MODE) {
	case 0:
		v = rotated(vga, value) * each;
		v = (v & ~enabled) | (set & enabled);
		break;
	case 1:
		return vga->latch;
	case 2:
		v = plane_bytes[value & 15];
		break;
	default:
		v = set;
		mask &= rotated(vga, value) * each;
		break;
	}
	return (combine(vga, v) & mask) | (vga->latch & ~mask);
}

static void write_byte(struct vga *vga, uint64_t offset, uint8_t value)
{
	uint32_t at;

	if (vbe_packed(vga)) {
		if (offset < 0x10000)
			vga->vram.host[((size_t)vga->vbe[VBE_BANK] << 16) + offset] = value;
		return;
	}
	if (!place(vga, offset, &at))
		return;
	struct target t = aim(vga, at);
	uint32_t planes = plane_bytes[t.planes & 15];
	uint32_t v = (word_get(vga, t.word) & ~planes) | (write_data(vga, value) & planes);
	memcpy(vga->vram.host + (size_t)t.word * 4, &v, 4);
}

static uint8_t read_byte(struct vga *vga, uint64_t offset)
{
	uint32_t at;

	if (vbe_packed(vga))
		return offset < 0x10000 ? vga->vram.host[((size_t)vga->vbe[VBE_BANK] << 16) + offset] : 0xff;
	if (!place(vga, offset, &at))
		return 0xff;
	struct target t = aim(vga, at);
	vga->latch = word_get(vga, t.word);
	if (vga->gc[GC_MODE] & GR05_READ_MODE) {
		uint32_t differ = vga->latch ^ plane_bytes[vga->gc[GC_COMPARE] & 15];
		differ &= plane_bytes[vga->gc[GC_DONT_CARE] & 15];
		return (uint8_t) ~(differ | differ >> 8 | differ >> 16 | differ >> 24);
	}
	return (uint8_t)(vga->latch >> (t.plane * 8));
}

uint64_t vga_mem_read(void *dev, uint64_t offset, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)(offset + i < VGA_WINDOW_LEN ? read_byte(dev, offset + i) : 0xff) << (i * 8);
	return v;
}

void vga_mem_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size && offset + i < VGA_WINDOW_LEN; i++)
		write_byte(dev, offset + i, (uint8_t)(value >> (i * 8)));
}

const struct io_ops vga_mem_ops = {"vga-window", vga_mem_read, vga_mem_write, IO_8 | IO_16 | IO_32 | IO_64};

/* Chain-4 with a graphics controller that passes bytes through both ways, and nothing decoded but the 64 KiB at A0000.
 */
static bool transparent(const struct vga *vga)
{
	return (vga->misc & MISC_RAM_ENABLE) && (vga->seq[SEQ_MEM_MODE] & SR04_CHAIN4) &&
	       vga->seq[SEQ_MAP_MASK] == 0xf && (vga->gc[GC_MISC] & GR06_MEMORY_MAP) == 0x4 &&
	       vga->gc[GC_BIT_MASK] == 0xff && !vga->gc[GC_ENABLE_SR] && !vga->gc[GC_ROTATE] &&
	       !(vga->gc[GC_MODE] & (GR05_WRITE_MODE | GR05_READ_MODE));
}

bool vga_direct_window(const struct vga *vga, uint64_t *offset, uint64_t *len)
{
	if (!vbe_packed(vga) && !transparent(vga))
		return false;
	*offset = vga_vbe_on(vga) ? (uint64_t)vga->vbe[VBE_BANK] << 16 : 0;
	*len = 0x10000;
	return true;
}

void vga_window_update(struct vga *vga)
{
	uint64_t offset = 0, len = 0;
	bool direct = vga_direct_window(vga, &offset, &len);

	if (direct == vga->direct && offset == vga->direct_offset && len == vga->direct_len)
		return;
	vga->direct = direct;
	vga->direct_offset = (uint32_t)offset;
	vga->direct_len = (uint32_t)len;
	if (vga->window_changed)
		vga->window_changed(vga->window_arg);
}
