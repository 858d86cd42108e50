/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The adapter on a PCI bus, as a BIOS sets it up. */
#include "vga_fixture.h"

#include "devices/vga_pci.h"

static struct physmem pm;
static struct bus ports;
static struct pci_bus pci;
static struct vga_pci dev;
static struct pm_backing rom;

static void config_write(unsigned reg, uint32_t value)
{
	bus_write(&ports, 0xcf8, 4, 0x80000000u | 2 << 11 | reg);
	bus_write(&ports, 0xcfc, 4, value);
}

static uint32_t config_read(unsigned reg)
{
	bus_write(&ports, 0xcf8, 4, 0x80000000u | 2 << 11 | reg);
	return bus_read(&ports, 0xcfc, 4);
}

START_TEST(on_the_bus)
{
	uint32_t v;

	ck_assert_int_eq(physmem_init(&pm, 1 * MiB), 0);
	ck_assert_int_eq(pm_backing_init(&rom, "rom", VGA_ROM_SIZE), 0);
	memcpy(rom.host, "\x55\xaa", 2);
	bus_init(&ports);
	ck_assert_int_eq(pci_bus_init(&pci, &ports, &pm), 0);
	vga_pci_init(&dev, &vga, &rom);
	pci_attach(&dev.pci, &pci, PCI_DEVFN(2, 0));
	vga_pci_reset(&dev);

	ck_assert_uint_eq(config_read(PCI_VENDOR_ID), 0x11111234);
	ck_assert_uint_eq(config_read(PCI_REVISION) >> 8, 0x030000);
	ck_assert_uint_eq(config_read(PCI_SUBSYS_VENDOR), 0x11001af4);
	config_write(PCI_BAR0, ~0u);
	ck_assert_uint_eq(config_read(PCI_BAR0), 0xff000008); /* 16 MiB, prefetchable */
	config_write(PCI_BAR0 + 8, ~0u);
	ck_assert_uint_eq(config_read(PCI_BAR0 + 8), 0xfffff000);
	config_write(PCI_ROM_BASE, ~1u);
	ck_assert_uint_eq(config_read(PCI_ROM_BASE), 0xffff0000);

	config_write(PCI_BAR0, 0xfd000000);
	config_write(PCI_BAR0 + 8, 0xfebf0000);
	config_write(PCI_ROM_BASE, 0xfeb00001);
	config_write(PCI_COMMAND, PCI_COMMAND_MEM);
	v = 0xaabbccdd;
	physmem_write(&pm, 0xfd000000 + VGA_VRAM_SIZE - 4, &v, 4);
	ck_assert_uint_eq(load_le(vga.vram.host + VGA_VRAM_SIZE - 4, 4), 0xaabbccdd);
	physmem_read(&pm, 0xfebf0500, &v, 2);
	ck_assert_uint_eq(v & 0xffff, 0xb0c5);
	v = 0x0702;
	physmem_write(&pm, 0xfebf0404, &v, 2);
	ck_assert_uint_eq(in_index(0x3c4, 2), 7);
	physmem_read(&pm, 0xfeb00000, &v, 2);
	ck_assert_uint_eq(v & 0xffff, 0xaa55);

	vga_pci_reset(&dev);
	physmem_read(&pm, 0xfd000000, &v, 4);
	ck_assert_uint_eq(v, 0xffffffff);
	pm_backing_destroy(&rom);
	physmem_destroy(&pm);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, on_the_bus);
}

int main(void)
{
	return run_suite("vga_pci", add);
}
