/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/acpi_hotplug.h"
#include "devices/i440fx.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"

enum { RAM = 2 * 1024 * 1024 };

struct card {
	struct pci_dev pci;
	struct pm_backing vram, rom;
	uint64_t last_offset, last_value;
	unsigned accesses;
};

static struct physmem pm;
static struct bus ports;
static struct pci_bus pci;
static struct i440fx host;
static struct piix3 isa;
static struct piix4_pm power;
static struct card card, other, neighbour;
static bool irq[ISA_IRQS];
static unsigned edges[ISA_IRQS];
static unsigned resets;
static uint16_t pm_base;
static bool pm_enabled;
static struct pm_region low_ram, high_ram, bios_region;
static struct pm_backing bios;

static void set_irq(void *to, int n, bool level)
{
	edges[n] += level && !irq[n];
	irq[n] = level;
}

static void on_reset(void *arg)
{
	resets++;
}

static void map_pm(void *arg, uint16_t base, bool enabled)
{
	pm_base = base;
	pm_enabled = enabled;
}

static uint64_t card_read(void *dev, uint64_t offset, unsigned size)
{
	struct card *c = dev;
	c->accesses++;
	return 0x5a5a5a5a00000000 | offset;
}

static void card_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct card *c = dev;
	c->accesses++;
	c->last_offset = offset;
	c->last_value = value;
}

static const struct io_ops card_ops = {.name = "card", .read = card_read, .write = card_write, .widths = IO_8 | IO_32};

static void make_card(struct card *c, unsigned slot)
{
	memset(c, 0, sizeof(*c));
	ck_assert_int_eq(pm_backing_init(&c->vram, "vram", 64 * KiB), 0);
	ck_assert_int_eq(pm_backing_init(&c->rom, "rom", 32 * KiB), 0);
	memcpy(c->rom.host, "\x55\xaa", 2);
	pci_dev_init(&c->pci, "card", 0x1234, 0x5678, PCI_CLASS(2, 0, 0));
	pci_bar_mmio(&c->pci, 0, 4 * KiB, 0, &card_ops, c);
	pci_bar_io(&c->pci, 1, 32, &card_ops, c);
	pci_bar_ram(&c->pci, 2, 64 * KiB, PCI_BAR_PREFETCH | PCI_BAR_64, &c->vram, 0);
	pci_bar_rom(&c->pci, 32 * KiB, &c->rom);
	pci_set_pin(&c->pci, 1);
	pci_attach(&c->pci, &pci, PCI_DEVFN(slot, 0));
	pci_dev_reset(&c->pci);
}

static void setup(void)
{
	memset(irq, 0, sizeof(irq));
	memset(edges, 0, sizeof(edges));
	resets = 0;
	ck_assert_int_eq(physmem_init(&pm, RAM), 0);
	bus_init(&ports);
	ck_assert_int_eq(pci_bus_init(&pci, &ports, &pm), 0);
	low_ram =
	    (struct pm_region){.name = "low", .kind = PM_RAM, .len = 640 * KiB, .enabled = true, .backing = &pm.ram};
	high_ram = (struct pm_region){.name = "high",
				      .kind = PM_RAM,
				      .base = MiB,
				      .len = RAM - MiB,
				      .enabled = true,
				      .backing = &pm.ram,
				      .offset = MiB};
	ck_assert_int_eq(pm_backing_init(&bios, "bios", 128 * KiB), 0);
	memset(bios.host, 0xb1, bios.size);
	bios_region = (struct pm_region){.name = "bios",
					 .kind = PM_ROM,
					 .base = 0xe0000,
					 .len = 128 * KiB,
					 .priority = PM_PRIO_ROM,
					 .enabled = true,
					 .backing = &bios};
	physmem_add(&pm, &low_ram);
	physmem_add(&pm, &high_ram);
	physmem_add(&pm, &bios_region);
	ck_assert_int_eq(i440fx_init(&host, &pci), 0);
	piix3_init(&isa, &pci, on_reset, NULL);
	piix4_pm_init(&power, &pci, map_pm, NULL);
	for (int i = 0; i < ISA_IRQS; i++)
		isa.out[i] = (struct irq_line){set_irq, NULL, i};
	make_card(&card, 3);
	make_card(&other, 4);
}

static void teardown(void)
{
	pm_backing_destroy(&card.vram);
	pm_backing_destroy(&card.rom);
	pm_backing_destroy(&other.vram);
	pm_backing_destroy(&other.rom);
	pm_backing_destroy(&bios);
	physmem_destroy(&pm);
}

static void address(unsigned slot, unsigned fn, unsigned reg)
{
	bus_write(&ports, 0xcf8, 4, 0x80000000u | slot << 11 | fn << 8 | (reg & 0xfc));
}

static uint32_t cfg_read(unsigned slot, unsigned fn, unsigned reg, unsigned size)
{
	address(slot, fn, reg);
	return bus_read(&ports, (uint16_t)(0xcfc + (reg & 3)), size);
}

static void cfg_write(unsigned slot, unsigned fn, unsigned reg, unsigned size, uint32_t value)
{
	address(slot, fn, reg);
	bus_write(&ports, (uint16_t)(0xcfc + (reg & 3)), size, value);
}

static uint8_t peek(gpa_t gpa)
{
	uint8_t b;
	physmem_read(&pm, gpa, &b, 1);
	return b;
}

static void poke(gpa_t gpa, uint8_t b)
{
	physmem_write(&pm, gpa, &b, 1);
}

START_TEST(test_config_mechanism)
{
	ck_assert_uint_eq(cfg_read(0, 0, 0, 4), 0x12378086);
	ck_assert_uint_eq(cfg_read(1, 0, 0, 4), 0x70008086);
	ck_assert_uint_eq(cfg_read(1, 3, 0, 4), 0x71138086);
	ck_assert_uint_eq(cfg_read(1, 0, PCI_HEADER_TYPE, 1), 0x80);
	ck_assert_uint_eq(cfg_read(0, 0, PCI_HEADER_TYPE, 1), 0);
	ck_assert_uint_eq(cfg_read(3, 0, 2, 2), 0x5678);
	ck_assert_uint_eq(cfg_read(0, 0, PCI_SUBSYS_VENDOR, 4), 0x11001af4);
	ck_assert_uint_eq(cfg_read(9, 0, 0, 4), 0xffffffff);
	bus_write(&ports, 0xcf8, 4, 0x80010000); /* bus 1 */
	ck_assert_uint_eq(bus_read(&ports, 0xcfc, 4), 0xffffffff);
	bus_write(&ports, 0xcf8, 4, 0x00000000); /* not enabled */
	ck_assert_uint_eq(bus_read(&ports, 0xcfc, 4), 0xffffffff);
	bus_write(&ports, 0xcf8, 1, 0x12); /* narrow writes do not reach the register */
	ck_assert_uint_eq(bus_read(&ports, 0xcf8, 4), 0);
	cfg_write(3, 0, 0, 4, 0xdeadbeef); /* IDs are read-only */
	ck_assert_uint_eq(cfg_read(3, 0, 0, 4), 0x56781234);
}
END_TEST

START_TEST(test_bar_sizing)
{
	uint64_t at;

	cfg_write(3, 0, PCI_COMMAND, 2, 3);
	cfg_write(3, 0, PCI_BAR0, 4, 0xffffffff);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_BAR0, 4), 0xfffff000);
	ck_assert(!pci_bar_address(&card.pci, 0, &at)); /* being sized: not decoded */
	cfg_write(3, 0, PCI_BAR0 + 4, 4, 0xffffffff);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_BAR0 + 4, 4), 0xffffffe1);
	cfg_write(3, 0, PCI_BAR0 + 8, 4, 0xffffffff);
	cfg_write(3, 0, PCI_BAR0 + 12, 4, 0xffffffff);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_BAR0 + 8, 4), 0xffff000c);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_BAR0 + 12, 4), 0xffffffff);
	ck_assert(!pci_bar_address(&card.pci, 2, &at));
	cfg_write(3, 0, PCI_ROM_BASE, 4, 0xfffffffe);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_ROM_BASE, 4), 0xffff8000);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_BAR0 + 16, 4), 0);
	cfg_write(3, 0, PCI_BAR0 + 16, 4, 0xffffffff);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_BAR0 + 16, 4), 0); /* no such BAR */
}
END_TEST

START_TEST(test_bar_decoding)
{
	cfg_write(3, 0, PCI_BAR0, 4, 0xe0000000);
	cfg_write(3, 0, PCI_BAR0 + 4, 4, 0xc000);
	cfg_write(3, 0, PCI_BAR0 + 8, 4, 0xe1000000);
	ck_assert_uint_eq(peek(0xe0000000), 0xff);
	ck_assert_uint_eq(bus_read(&ports, 0xc004, 1), 0xff);
	cfg_write(3, 0, PCI_COMMAND, 2, PCI_COMMAND_MEM);
	ck_assert_uint_eq(peek(0xe0000010), 0x10);
	ck_assert_uint_eq(bus_read(&ports, 0xc004, 1), 0xff);
	poke(0xe1000123, 0x77);
	ck_assert_uint_eq(card.vram.host[0x123], 0x77);
	cfg_write(3, 0, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_IO);
	ck_assert_uint_eq(bus_read(&ports, 0xc004, 1), 4);
	bus_write(&ports, 0xc01c, 4, 0x12345678);
	ck_assert_uint_eq(card.last_offset, 0x1c);
	ck_assert_uint_eq(card.last_value, 0x12345678);
	/* above 4 GiB */
	cfg_write(3, 0, PCI_BAR0 + 12, 4, 1);
	ck_assert_uint_eq(peek(0xe1000123), 0xff);
	ck_assert_uint_eq(peek(0x1e1000123), 0x77);
	/* ROM */
	cfg_write(3, 0, PCI_ROM_BASE, 4, 0xe2000000);
	ck_assert_uint_eq(peek(0xe2000000), 0xff);
	cfg_write(3, 0, PCI_ROM_BASE, 4, 0xe2000001);
	ck_assert_uint_eq(peek(0xe2000000), 0x55);
	poke(0xe2000000, 0);
	ck_assert_uint_eq(peek(0xe2000000), 0x55);
	pci_dev_reset(&card.pci);
	ck_assert_uint_eq(peek(0xe2000000), 0xff);
	ck_assert_uint_eq(peek(0xe0000010), 0xff);
	ck_assert_uint_eq(bus_read(&ports, 0xc004, 1), 0xff);
}
END_TEST

START_TEST(test_bar_over_ram_and_fixed_ports)
{
	uint64_t at;

	poke(0x100010, 0x33);
	cfg_write(3, 0, PCI_COMMAND, 2, 3);
	cfg_write(3, 0, PCI_BAR0, 4, 0x100000);
	ck_assert_uint_eq(peek(0x100010), 0x33); /* RAM wins */
	cfg_write(3, 0, PCI_BAR0, 4, 0xe0000);
	ck_assert_uint_eq(peek(0xe0010), 0xb1); /* the BIOS too */
	cfg_write(3, 0, PCI_BAR0, 4, 0);	/* address 0 is "unset" */
	ck_assert(!pci_bar_address(&card.pci, 0, &at));
	/* a port BAR over the configuration registers does not come up, and leaves them working */
	cfg_write(3, 0, PCI_BAR0 + 4, 4, 0xce0);
	ck_assert(!pci_bar_address(&card.pci, 1, &at));
	ck_assert_uint_eq(cfg_read(0, 0, 0, 4), 0x12378086);
	cfg_write(3, 0, PCI_BAR0 + 4, 4, 0xfffe0);
	ck_assert(!pci_bar_address(&card.pci, 1, &at));
}
END_TEST

START_TEST(test_port_bars_that_collide)
{
	uint64_t at;

	cfg_write(3, 0, PCI_BAR0 + 4, 4, 0xc000);
	cfg_write(4, 0, PCI_BAR0 + 4, 4, 0xc000);
	cfg_write(3, 0, PCI_COMMAND, 2, 1);
	cfg_write(4, 0, PCI_COMMAND, 2, 1);
	ck_assert(pci_bar_address(&card.pci, 1, &at));
	ck_assert(!pci_bar_address(&other.pci, 1, &at));
	cfg_write(3, 0, PCI_BAR0 + 4, 4, 0xd000); /* the place becomes free: the other takes it */
	ck_assert(pci_bar_address(&card.pci, 1, &at) && at == 0xd000);
	ck_assert(pci_bar_address(&other.pci, 1, &at) && at == 0xc000);
	bus_write(&ports, 0xc000, 1, 1);
	ck_assert_uint_eq(other.last_value, 1);
	ck_assert_uint_eq(card.last_value, 0);
}
END_TEST

START_TEST(test_interrupts)
{
	/* slot 3 INTA is PIRQ (0 + 3 - 1) = C, slot 4's D */
	cfg_write(1, 0, 0x62, 1, 10);
	cfg_write(1, 0, 0x63, 1, 10); /* both to IRQ 10 */
	pci_set_intx(&card.pci, true);
	ck_assert(irq[10]);
	ck_assert_uint_eq(cfg_read(3, 0, PCI_STATUS, 2) & PCI_STATUS_INTX, PCI_STATUS_INTX);
	pci_set_intx(&other.pci, true);
	pci_set_intx(&card.pci, false);
	ck_assert(irq[10]); /* the other still drives it */
	ck_assert_uint_eq(edges[10], 1);
	cfg_write(4, 0, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
	ck_assert(!irq[10]);
	cfg_write(4, 0, PCI_COMMAND, 2, 0);
	ck_assert(irq[10]);
	cfg_write(1, 0, 0x63, 1, 11); /* rerouted while up */
	ck_assert(!irq[10] && irq[11]);
	cfg_write(1, 0, 0x63, 1, 0x80);
	ck_assert(!irq[11]);
	cfg_write(1, 0, 0x63, 1, 2); /* reserved route: nowhere */
	for (unsigned i = 0; i < ISA_IRQS; i++)
		ck_assert(!irq[i]);
	/* slot 7 shares PIRQC with slot 3 */
	make_card(&neighbour, 7);
	pci_set_intx(&card.pci, true);
	pci_set_intx(&neighbour.pci, true);
	ck_assert(irq[10]);
	pci_set_intx(&card.pci, false);
	ck_assert(irq[10]);
	pci_set_intx(&neighbour.pci, false);
	ck_assert(!irq[10]);
	pm_backing_destroy(&neighbour.vram);
	pm_backing_destroy(&neighbour.rom);
	/* an ISA device shares the line */
	struct irq_line line = piix3_isa_irq(&isa, 11);
	cfg_write(1, 0, 0x63, 1, 11);
	irq_set(&line, true);
	pci_set_intx(&other.pci, false);
	ck_assert(irq[11]);
	irq_set(&line, false);
	ck_assert(!irq[11]);
}
END_TEST

START_TEST(test_pam)
{
	ck_assert_uint_eq(peek(0xf0000), 0xb1);
	ck_assert_uint_eq(peek(0xc0000), 0xff);
	cfg_write(0, 0, 0x59, 1, 0x30);
	poke(0xf0000, 1);
	poke(0xfffff, 2);
	ck_assert_uint_eq(peek(0xf0000), 1);
	ck_assert_uint_eq(pm.ram.host[0xf0000], 1);
	ck_assert_uint_eq(peek(0xe0000), 0xb1);
	cfg_write(0, 0, 0x59, 1, 0x10); /* read-only RAM */
	poke(0xf0000, 9);
	ck_assert_uint_eq(peek(0xf0000), 1);
	cfg_write(0, 0, 0x5a, 1, 0x03); /* C0000-C3FFF only */
	poke(0xc0000, 3);
	poke(0xc4000, 4);
	ck_assert_uint_eq(peek(0xc0000), 3);
	ck_assert_uint_eq(peek(0xc4000), 0xff);
	cfg_write(0, 0, 0x5a, 1, 0x30);
	ck_assert_uint_eq(peek(0xc0000), 0xff);
	poke(0xc4000, 4);
	ck_assert_uint_eq(peek(0xc4000), 4);
	cfg_write(0, 0, 0x5f, 1, 0x33);
	poke(0xec000, 5);
	ck_assert_uint_eq(pm.ram.host[0xec000], 5);
	i440fx_reset(&host);
	ck_assert_uint_eq(peek(0xf0000), 0xb1);
	ck_assert_uint_eq(cfg_read(0, 0, 0x5c, 4), 0);
}
END_TEST

START_TEST(test_smram)
{
	ck_assert_uint_eq(cfg_read(0, 0, 0x72, 1), 2);
	poke(0xa0000, 1);
	ck_assert_uint_eq(pm.ram.host[0xa0000], 0);
	cfg_write(0, 0, 0x72, 1, 0x4a);
	poke(0xa0000, 1);
	ck_assert_uint_eq(pm.ram.host[0xa0000], 1);
	cfg_write(0, 0, 0x72, 1, 0x5a); /* lock: closes, for good */
	ck_assert_uint_eq(cfg_read(0, 0, 0x72, 1), 0x1a);
	cfg_write(0, 0, 0x72, 1, 0x4a);
	ck_assert_uint_eq(cfg_read(0, 0, 0x72, 1), 0x1a);
	poke(0xa0000, 7);
	ck_assert_uint_eq(pm.ram.host[0xa0000], 1);
	i440fx_reset(&host);
	cfg_write(0, 0, 0x72, 1, 0x4a);
	ck_assert_uint_eq(peek(0xa0000), 1);
}
END_TEST

START_TEST(test_reset_control)
{
	bus_write(&ports, 0xcf9, 1, 2);
	ck_assert_uint_eq(resets, 0);
	ck_assert_uint_eq(bus_read(&ports, 0xcf9, 1), 2);
	bus_write(&ports, 0xcf9, 1, 6);
	ck_assert_uint_eq(resets, 1);
}
END_TEST

START_TEST(test_power_function)
{
	ck_assert(!pm_enabled);
	ck_assert_uint_eq(cfg_read(1, 3, 0x58, 4) & BIT(25), BIT(25)); /* APMC_EN: no SMM to set up */
	cfg_write(1, 3, 0x40, 4, 0x601);
	cfg_write(1, 3, 0x80, 1, 1);
	ck_assert(pm_enabled);
	ck_assert_uint_eq(pm_base, 0x600);
	ck_assert_uint_eq(cfg_read(1, 3, 0x40, 4), 0x601);
	cfg_write(1, 3, 0x90, 4, 0x701);
	ck_assert_uint_eq(bus_read(&ports, 0x700, 1), 0xff);
	cfg_write(1, 3, 0xd2, 1, 9);
	ck_assert_uint_eq(bus_read(&ports, 0x700, 1), 0);
	bus_write(&ports, 0x702, 1, 0x48);		  /* start */
	ck_assert_uint_eq(bus_read(&ports, 0x700, 1), 4); /* nobody there, and not busy */
	bus_write(&ports, 0x700, 1, 4);
	ck_assert_uint_eq(bus_read(&ports, 0x700, 1), 0);
	cfg_write(1, 3, 0x90, 4, 0xcf1); /* over the configuration ports */
	ck_assert_uint_eq(cfg_read(0, 0, 0, 4), 0x12378086);
	power.com1 = true;
	power.lpt = true;
	piix4_pm_reset(&power);
	ck_assert(!pm_enabled);
	ck_assert_uint_eq(cfg_read(1, 3, 0x67, 1), 0x08);
	ck_assert_uint_eq(cfg_read(1, 3, 0x5f, 1), 0x80);
}
END_TEST

START_TEST(test_hotplug_ports)
{
	struct acpi_hotplug h;

	ck_assert_int_eq(acpi_hotplug_init(&h, &ports, 9), 0);
	ck_assert_uint_eq(bus_read(&ports, 0xae00, 4), 0);
	ck_assert_uint_eq(bus_read(&ports, 0xae0c, 4), 0); /* no slot is removable */
	ck_assert_uint_eq(bus_read(&ports, 0xaf00, 4), 0x1ff);
	bus_write(&ports, 0xae08, 4, 0xffffffff);
	ck_assert_uint_eq(bus_read(&ports, 0xaf1c, 4), 0);
}
END_TEST

/* A guest that writes anything anywhere in configuration space. */
START_TEST(test_hostile_config)
{
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		static const uint8_t slots[][2] = {{0, 0}, {1, 0}, {1, 3}, {3, 0}, {4, 0}};
		unsigned s = (unsigned)rand() % ARRAY_LEN(slots);
		unsigned size = 1u << rand() % 3;
		unsigned reg = (unsigned)rand() % 256 & ~(size - 1);
		uint32_t value = (uint32_t)rand() << 1 ^ (uint32_t)rand();
		if (rand() % 4 == 0)
			value = (uint32_t[]){0, 0xffffffff, 0xfffff000, 0xa0000, 0xcf8, 0x80000000}[rand() % 6];
		cfg_write(slots[s][0], slots[s][1], reg, size, value);
		if (rand() % 8 == 0)
			cfg_write(slots[s][0], slots[s][1], PCI_COMMAND, 2, 3);
		peek(value);
		bus_read(&ports, (uint16_t)value, 4);
		if (rand() % 64 == 0)
			pci_set_intx(&card.pci, rand() & 1);
	}
	ck_assert_uint_eq(cfg_read(0, 0, 0, 4), 0x12378086);
	pci_dev_reset(&card.pci);
	pci_dev_reset(&other.pci);
	for (unsigned i = 0; i < PCI_PIRQS; i++)
		ck_assert_uint_eq(pci.pirq_sources[i], 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pci");
	TCase *tc = tcase_create("pci");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_config_mechanism);
	tcase_add_test(tc, test_bar_sizing);
	tcase_add_test(tc, test_bar_decoding);
	tcase_add_test(tc, test_bar_over_ram_and_fixed_ports);
	tcase_add_test(tc, test_port_bars_that_collide);
	tcase_add_test(tc, test_interrupts);
	tcase_add_test(tc, test_pam);
	tcase_add_test(tc, test_smram);
	tcase_add_test(tc, test_reset_control);
	tcase_add_test(tc, test_power_function);
	tcase_add_test(tc, test_hotplug_ports);
	tcase_add_test(tc, test_hostile_config);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
