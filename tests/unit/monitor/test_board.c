/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The board: where everything lies, and how interrupts find the CPU. */
#include "monitor/board.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, PAM0 = 0x59, PAM1 = 0x5a };

static struct physmem pm;
static struct clock clk;
static struct board *board;
static struct vm_config cfg;
static bool intr, a20;
static unsigned resets, offs, exits;
static char dir[64], bios[96];

static void set_intr(void *arg, bool level)
{
	intr = level;
}

static void set_a20(void *arg, bool passed)
{
	a20 = passed;
}

static void count_reset(void *arg)
{
	resets++;
}

static void count_off(void *arg)
{
	offs++;
}

static void count_exit(void *arg, uint32_t value)
{
	exits += value;
}

static void nothing(void *arg)
{
}

static uint64_t tsc_now(void *arg)
{
	return clock_now(&clk);
}

static uint64_t tsc_to_ns(void *arg, uint64_t tsc)
{
	return tsc;
}

static void write_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "w");

	for (size_t i = 0; i < size; i++)
		putc((int)(i >> 10 & 0xff), f); /* a byte for each KiB */
	fclose(f);
}

static int try_board(uint64_t memory, char *err, size_t errlen)
{
	struct board_config bc = {
	    .vm = &cfg,
	    .pm = &pm,
	    .clock = &clk,
	    .cpu = {NULL, set_intr, nothing, nothing, set_a20, count_reset, count_off, nothing, nothing, tsc_now,
		    tsc_to_ns, count_exit, true, true},
	};

	cfg.memory = memory;
	cfg.bios = bios;
	clock_init(&clk, true);
	ck_assert_int_eq(physmem_init(&pm, memory), 0);
	board = malloc(sizeof(*board));
	return board_init(board, &bc, err, errlen);
}

static void build(uint64_t memory)
{
	char err[512];

	ck_assert_msg(try_board(memory, err, sizeof(err)) == 0, "%s", err);
}

static void setup(void)
{
	strcpy(dir, "/tmp/gnomon-board-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(bios, sizeof(bios), "%s/bios", dir);
	write_file(bios, 256 * KiB);
	config_init(&cfg);
	resets = offs = exits = 0;
	intr = false;
}

static void teardown(void)
{
	if (board)
		board_destroy(board);
	free(board);
	board = NULL;
	physmem_destroy(&pm);
	unlink(bios);
	rmdir(dir);
}

static void expect(gpa_t gpa, const char *name, enum pm_kind kind)
{
	const struct pm_region *r = physmem_span(&pm, gpa)->region;

	if (!name) {
		ck_assert_msg(!r, "%llx is %s", (unsigned long long)gpa, r ? r->name : "");
		return;
	}
	ck_assert_msg(r && !strcmp(r->name, name), "%llx is %s, not %s", (unsigned long long)gpa,
		      r ? r->name : "a hole", name);
	ck_assert_int_eq(r->kind, kind);
}

static void config_write(unsigned devfn, unsigned reg, unsigned size, uint32_t value)
{
	bus_write(&board->ports, CONFIG_ADDRESS, 4, 0x80000000u | devfn << 8 | (reg & ~3u));
	bus_write(&board->ports, (uint16_t)(CONFIG_DATA + (reg & 3)), size, value);
}

static uint32_t config_read(unsigned devfn, unsigned reg, unsigned size)
{
	bus_write(&board->ports, CONFIG_ADDRESS, 4, 0x80000000u | devfn << 8 | (reg & ~3u));
	return bus_read(&board->ports, (uint16_t)(CONFIG_DATA + (reg & 3)), size);
}

START_TEST(the_memory_map)
{
	build(5 * GiB);
	expect(0, "ram-low", PM_RAM);
	expect(0x9ffff, "ram-low", PM_RAM);
	expect(0xa0000, "vga", PM_IO);
	expect(0xbffff, "vga", PM_IO);
	expect(0xc0000, NULL, PM_HOLE);
	expect(0xdffff, NULL, PM_HOLE);
	expect(0xe0000, "bios-isa", PM_ROM);
	expect(0xfffff, "bios-isa", PM_ROM);
	expect(0x100000, "ram", PM_RAM);
	expect(3 * GiB - 1, "ram", PM_RAM);
	expect(3 * GiB, NULL, PM_HOLE);
	expect(0xfec00000, "ioapic", PM_IO);
	expect(0xfee00000, "lapic", PM_IO);
	expect(0xfee01000, NULL, PM_HOLE);
	expect(4 * GiB - 256 * KiB, "bios", PM_ROM);
	expect(4 * GiB - 1, "bios", PM_ROM);
	expect(4 * GiB, "ram-above-4g", PM_RAM);
	expect(6 * GiB - 1, "ram-above-4g", PM_RAM);
	expect(6 * GiB, NULL, PM_HOLE);
	/* No byte of RAM shows twice. */
	ck_assert_ptr_eq(physmem_host(&pm, 4 * GiB, NULL), pm.ram.host + 3 * GiB);
}
END_TEST

START_TEST(little_memory)
{
	build(1 * MiB);
	expect(0x9ffff, "ram-low", PM_RAM);
	expect(0x100000, NULL, PM_HOLE);
}
END_TEST

START_TEST(bios_images_of_three_sizes)
{
	static const unsigned sizes[] = {64, 128, 256};
	unsigned kib = sizes[_i];
	uint8_t top, isa;

	write_file(bios, kib * KiB);
	build(2 * MiB);
	physmem_read(&pm, 4 * GiB - kib * KiB, &top, 1);
	ck_assert_uint_eq(top, 0);
	physmem_read(&pm, 4 * GiB - KiB, &top, 1);
	physmem_read(&pm, MiB - KiB, &isa, 1);
	ck_assert_uint_eq(top, kib - 1);
	ck_assert_uint_eq(isa, kib - 1);
	if (kib == 64)
		expect(0xeffff, NULL, PM_HOLE);
	else
		expect(0xe0000, "bios-isa", PM_ROM);
}
END_TEST

START_TEST(bad_bios_images)
{
	static const struct {
		size_t size;
		const char *says;
	} cases[] = {
	    {0, "0 bytes"}, {1000, "1000 bytes"}, {65535, "65535"}, {192 * KiB, "192 KiB"}, {512 * KiB, "524288"}};
	char err[512];

	write_file(bios, cases[_i].size);
	ck_assert_int_lt(try_board(2 * MiB, err, sizeof(err)), 0);
	ck_assert_msg(strstr(err, cases[_i].says) && strstr(err, bios), "%s", err);
	free(board);
	board = NULL;
}
END_TEST

START_TEST(a_bios_that_is_no_file)
{
	char err[512];

	unlink(bios);
	if (_i)
		mkdir(bios, 0700);
	ck_assert_int_eq(try_board(2 * MiB, err, sizeof(err)), _i ? -EISDIR : -ENOENT);
	ck_assert_msg(strstr(err, bios), "%s", err);
	rmdir(bios);
	free(board);
	board = NULL;
}
END_TEST

START_TEST(shadow_ram_covers_the_bios)
{
	uint8_t byte = 0x5a;

	build(2 * MiB);
	config_write(0, PAM0, 1, 0x30); /* F0000: read and write */
	expect(0xf0000, "pam", PM_RAM);
	expect(0xe0000, "bios-isa", PM_ROM);
	physmem_write(&pm, 0xf0000, &byte, 1);
	config_write(0, PAM0, 1, 0x10); /* read only */
	expect(0xf0000, "pam", PM_ROM);
	byte = 0;
	physmem_read(&pm, 0xf0000, &byte, 1);
	ck_assert_uint_eq(byte, 0x5a);
	config_write(0, PAM1, 1, 0x03); /* C0000-C3FFF */
	expect(0xc0000, "pam", PM_RAM);
	expect(0xc4000, NULL, PM_HOLE);
	board_reset(board);
	expect(0xf0000, "bios-isa", PM_ROM);
	expect(0xc0000, NULL, PM_HOLE);
}
END_TEST

START_TEST(the_pci_devices)
{
	static const struct {
		unsigned devfn;
		uint32_t id;
	} there[] = {{PCI_DEVFN(0, 0), 0x12378086}, {PCI_DEVFN(1, 0), 0x70008086}, {PCI_DEVFN(1, 1), 0x70108086},
		     {PCI_DEVFN(1, 3), 0x71138086}, {PCI_DEVFN(2, 0), 0x11111234}, {PCI_DEVFN(13, 0), 0x10051af4}};
	unsigned found = 0;

	build(2 * MiB);
	for (unsigned i = 0; i < ARRAY_LEN(there); i++)
		ck_assert_uint_eq(config_read(there[i].devfn, 0, 4), there[i].id);
	for (unsigned devfn = 0; devfn < 256; devfn++)
		found += config_read(devfn, 0, 4) != 0xffffffff;
	ck_assert_uint_eq(found, ARRAY_LEN(there));
}
END_TEST

START_TEST(the_video_bios_is_in_its_rom)
{
	uint8_t magic[2];

	build(2 * MiB);
	config_write(PCI_DEVFN(2, 0), PCI_ROM_BASE, 4, 0xe0000001);
	config_write(PCI_DEVFN(2, 0), PCI_COMMAND, 2, PCI_COMMAND_MEM);
	physmem_read(&pm, 0xe0000000, magic, 2);
	ck_assert_uint_eq(magic[0], 0x55);
	ck_assert_uint_eq(magic[1], 0xaa);
}
END_TEST

static void program_pics(uint8_t master_mask, uint8_t slave_mask)
{
	static const uint16_t port[2] = {0x20, 0xa0};
	static const uint8_t base[2] = {0x08, 0x70}, cascade[2] = {4, 2};
	uint8_t mask[2] = {master_mask, slave_mask};

	for (unsigned i = 0; i < 2; i++) {
		bus_write(&board->ports, port[i], 1, 0x11);
		bus_write(&board->ports, port[i] + 1, 1, base[i]);
		bus_write(&board->ports, port[i] + 1, 1, cascade[i]);
		bus_write(&board->ports, port[i] + 1, 1, 1);
		bus_write(&board->ports, port[i] + 1, 1, mask[i]);
	}
}

START_TEST(isa_interrupts_through_the_pics)
{
	build(2 * MiB);
	program_pics(0xf8, 0xdf);
	ck_assert(!intr);
	ck_assert_int_eq(board_intr_ack(board), -1);
	board_ferr(board, true);
	ck_assert(intr);
	ck_assert_int_eq(board_intr_ack(board), 0x75);
	ck_assert(!intr);
	bus_write(&board->ports, 0xf0, 1, 0);
	/* One that has gone before its acknowledge is spurious. */
	bus_write(&board->ports, 0xa0, 1, 0x20);
	bus_write(&board->ports, 0x20, 1, 0x20);
	i8042_key(&board->i8042, QKEY_A, true);
	bus_write(&board->ports, 0x64, 1, 0x60);
	bus_write(&board->ports, 0x60, 1, 0x45); /* keyboard interrupt and translation on */
	i8042_key(&board->i8042, QKEY_B, true);
	clock_advance(&clk, 10 * NS_PER_MS);
	ck_assert(intr);
	ck_assert_int_eq(board_intr_ack(board), 0x09);
}
END_TEST

START_TEST(timer_interrupts_through_the_io_apic)
{
	uint64_t redirection = 0x41; /* fixed, edge, to APIC 0 */

	build(2 * MiB);
	/* Software-enable the local APIC. The 8259s are not programmed: they ask for nothing. */
	io_write(board->lapic_window.ops, board->lapic_window.dev, 0xf0, 4, 0x1ff);
	io_write(&ioapic_io_ops, &board->ioapic, 0, 4, 0x10 + 2 * 2);
	io_write(&ioapic_io_ops, &board->ioapic, 0x10, 4, redirection);
	bus_write(&board->ports, 0x43, 1, 0x34);
	bus_write(&board->ports, 0x40, 1, 0x00);
	bus_write(&board->ports, 0x40, 1, 0x10);
	clock_advance(&clk, 100 * NS_PER_MS);
	ck_assert(intr);
	ck_assert_int_eq(board_intr_ack(board), 0x41);
}
END_TEST

/* LINT0 as ExtINT lets the 8259s through, masked it does not: at once. */
START_TEST(lint0_passes_the_pics)
{
	build(2 * MiB);
	io_write(board->lapic_window.ops, board->lapic_window.dev, 0xf0, 4, 0x1ff);
	io_write(board->lapic_window.ops, board->lapic_window.dev, 0x350, 4, 0x10700);
	program_pics(0xfb, 0xdf);
	board_ferr(board, true);
	ck_assert(!intr);
	io_write(board->lapic_window.ops, board->lapic_window.dev, 0x350, 4, 0x700);
	ck_assert(intr);
	io_write(board->lapic_window.ops, board->lapic_window.dev, 0x350, 4, 0x10700);
	ck_assert(!intr);
	io_write(board->lapic_window.ops, board->lapic_window.dev, 0x350, 4, 0x700);
	ck_assert_int_eq(board_intr_ack(board), 0x75);
}
END_TEST

START_TEST(the_local_apic_moves)
{
	uint64_t value;

	build(2 * MiB);
	ck_assert(board_apic_msr_read(board, 0x1b, &value));
	ck_assert_uint_eq(value, 0xfee00900);
	ck_assert(board_apic_msr_write(board, 0x1b, 0xfef00900));
	expect(0xfef00000, "lapic", PM_IO);
	expect(0xfee00000, NULL, PM_HOLE);
	ck_assert(board_apic_msr_write(board, 0x1b, 0xfef00100)); /* disabled */
	expect(0xfef00000, NULL, PM_HOLE);
	ck_assert(!board_apic_msr_write(board, 0x1b, 1)); /* reserved bit */
	board_reset(board);
	expect(0xfee00000, "lapic", PM_IO);
}
END_TEST

START_TEST(a20_has_two_drivers)
{
	build(2 * MiB);
	board_reset(board);
	ck_assert(a20);
	bus_write(&board->ports, 0x92, 1, 0);
	ck_assert(!a20);
	bus_write(&board->ports, 0x64, 1, 0xd1);
	bus_write(&board->ports, 0x60, 1, 0xdf);
	ck_assert(a20);
	ck_assert_uint_eq(bus_read(&board->ports, 0x92, 1) & 2, 2); /* both read back what holds */
	bus_write(&board->ports, 0x92, 1, 0);
	board_reset(board);
	ck_assert(a20);
}
END_TEST

START_TEST(resets_and_power)
{
	build(2 * MiB);
	bus_write(&board->ports, 0x92, 1, 3);
	ck_assert_uint_eq(resets, 1);
	bus_write(&board->ports, 0xcf9, 1, 6);
	ck_assert_uint_eq(resets, 2);
	bus_write(&board->ports, 0x64, 1, 0xfe);
	ck_assert_uint_eq(resets, 3);
	/* ACPI: PMBASE at B000, then S5 in PM1_CNT. */
	config_write(PCI_DEVFN(1, 3), 0x40, 4, 0xb001);
	config_write(PCI_DEVFN(1, 3), 0x80, 1, 1);
	bus_write(&board->ports, 0xb004, 2, 0x2000);
	ck_assert_uint_eq(offs, 1);
}
END_TEST

START_TEST(ports_that_collide)
{
	char err[512];

	cfg.ndebugcons = 1;
	cfg.debugcons[0].port = 0x60;
	ck_assert_int_eq(try_board(2 * MiB, err, sizeof(err)), -EBUSY);
	ck_assert_msg(strstr(err, "0x60"), "%s", err);
	free(board);
	board = NULL;
}
END_TEST

/* Port 80h is the BIOS's to report progress, as soon as somebody listens, and a page register otherwise. */
START_TEST(post_codes)
{
	build(2 * MiB);
	bus_write(&board->ports, 0x80, 1, 0x12);
	ck_assert_uint_eq(bus_read(&board->ports, 0x80, 1), 0x12);
	board_destroy(board);
	free(board);
	physmem_destroy(&pm);
	cfg.ndebugcons = 1;
	cfg.debugcons[0].port = 0x80;
	build(2 * MiB);
	bus_write(&board->ports, 0x80, 1, 0x12);
	ck_assert_uint_eq(bus_read(&board->ports, 0x80, 1), 0xe9);
	bus_write(&board->ports, 0x81, 1, 0x34);
	ck_assert_uint_eq(bus_read(&board->ports, 0x81, 1), 0x34);
}
END_TEST

/* Two serial ports on one line: it falls when both have let go. */
START_TEST(shared_interrupt_of_serial_ports)
{
	cfg.nserials = 3;
	build(2 * MiB);
	program_pics(0xef, 0xff);
	bus_write(&board->ports, 0x3f9, 1, 2); /* THR empty, on ports 1 and 3 */
	bus_write(&board->ports, 0x3fc, 1, 8);
	bus_write(&board->ports, 0x3e9, 1, 2);
	bus_write(&board->ports, 0x3ec, 1, 8);
	ck_assert(intr);
	bus_write(&board->ports, 0x3f9, 1, 0);
	ck_assert(board->piix3.out_level & 0x10);
	bus_write(&board->ports, 0x3e9, 1, 0);
	ck_assert(!(board->piix3.out_level & 0x10));
}
END_TEST

START_TEST(devices_of_test_suites)
{
	char err[512];

	build(2 * MiB);
	expect(0xff000000, NULL, 0);
	ck_assert_uint_eq(bus_read(&board->ports, 0xe0, 4), 0xffffffff);
	board_destroy(board);
	free(board);
	physmem_destroy(&pm);
	cfg.pc_testdev = cfg.has_debug_exit = true;
	cfg.debug_exit = 0xf4;
	build(2 * MiB);
	expect(0xff00ffff, "pc-testdev", PM_IO);
	bus_write(&board->ports, 0xe8, 4, 0x12345678);
	ck_assert_uint_eq(bus_read(&board->ports, 0xe2, 2), 0x1234);
	bus_write(&board->ports, 0xf4, 4, 5);
	ck_assert_uint_eq(exits, 5);
	bus_write(&board->ports, 0xe4, 4, 0x1000);
	board_destroy(board);
	free(board);
	physmem_destroy(&pm);
	cfg.debug_exit = 0x5e; /* reaches the keyboard controller */
	ck_assert_int_eq(try_board(2 * MiB, err, sizeof(err)), -EBUSY);
	ck_assert_msg(strstr(err, "0x5e-0x61"), "%s", err);
	free(board);
	board = NULL;
}
END_TEST

/* A line that the test device holds up stays up whatever the ISA device does, and comes down with a reset. */
START_TEST(lines_of_the_test_device)
{
	cfg.pc_testdev = true;
	cfg.nserials = 1;
	build(2 * MiB);
	program_pics(0xef, 0xff);
	bus_write(&board->ports, 0x2004, 1, 1);
	ck_assert(intr);
	bus_write(&board->ports, 0x3f9, 1, 2); /* THR empty */
	bus_write(&board->ports, 0x3fc, 1, 8);
	bus_write(&board->ports, 0x2004, 1, 0);
	ck_assert(board->ioapic.lines & BIT(4));
	bus_write(&board->ports, 0x3f9, 1, 0);
	ck_assert(!(board->ioapic.lines & BIT(4)));
	bus_write(&board->ports, 0x2003, 1, 1);
	bus_write(&board->ports, 0x2017, 1, 1);
	ck_assert_uint_eq(board->ioapic.lines & (BIT(3) | BIT(23)), BIT(3) | BIT(23));
	board_reset(board);
	ck_assert_uint_eq(board->ioapic.lines & (BIT(3) | BIT(23)), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("board");
	TCase *tc = tcase_create("board");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_memory_map);
	tcase_add_test(tc, little_memory);
	tcase_add_loop_test(tc, bios_images_of_three_sizes, 0, 3);
	tcase_add_loop_test(tc, bad_bios_images, 0, 5);
	tcase_add_loop_test(tc, a_bios_that_is_no_file, 0, 2);
	tcase_add_test(tc, shadow_ram_covers_the_bios);
	tcase_add_test(tc, the_pci_devices);
	tcase_add_test(tc, the_video_bios_is_in_its_rom);
	tcase_add_test(tc, isa_interrupts_through_the_pics);
	tcase_add_test(tc, timer_interrupts_through_the_io_apic);
	tcase_add_test(tc, lint0_passes_the_pics);
	tcase_add_test(tc, the_local_apic_moves);
	tcase_add_test(tc, a20_has_two_drivers);
	tcase_add_test(tc, resets_and_power);
	tcase_add_test(tc, ports_that_collide);
	tcase_add_test(tc, post_codes);
	tcase_add_test(tc, shared_interrupt_of_serial_ports);
	tcase_add_test(tc, devices_of_test_suites);
	tcase_add_test(tc, lines_of_the_test_device);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
