/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chip_fixture.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "ticks.h"

static struct lapic cpu[2];
static struct apic_bus bus;
static struct ioapic io;
static struct probe intr[2];
static unsigned nmis[2], inits[2], sipis[2];
static uint8_t sipi_vector;

static unsigned index_of(void *arg)
{
	return (unsigned)((struct lapic *)arg - cpu);
}

static void nmi(void *arg)
{
	nmis[index_of(arg)]++;
}

static void init(void *arg)
{
	inits[index_of(arg)]++;
	lapic_init_reset(arg);
}

static void sipi(void *arg, uint8_t vector)
{
	sipis[index_of(arg)]++;
	sipi_vector = vector;
}

static uint64_t tsc_to_ns(void *arg, uint64_t tsc)
{
	return tsc / 2;
}

static void write_reg(unsigned c, unsigned offset, uint32_t v)
{
	io_write(&lapic_io_ops, &cpu[c], offset, 4, v);
}

static uint32_t read_reg(unsigned c, unsigned offset)
{
	return (uint32_t)io_read(&lapic_io_ops, &cpu[c], offset, 4);
}

static void io_reg(uint8_t reg, uint32_t v)
{
	io_write(&ioapic_io_ops, &io, 0x00, 4, reg);
	io_write(&ioapic_io_ops, &io, 0x10, 4, v);
}

static uint32_t io_get(uint8_t reg)
{
	io_write(&ioapic_io_ops, &io, 0x00, 4, reg);
	return (uint32_t)io_read(&ioapic_io_ops, &io, 0x10, 4);
}

static void route(unsigned pin, uint32_t low, uint8_t dest)
{
	io_reg((uint8_t)(0x11 + pin * 2), (uint32_t)dest << 24);
	io_reg((uint8_t)(0x10 + pin * 2), low);
}

static void setup(void)
{
	clock_init(&clk, true);
	apic_bus_init(&bus);
	for (unsigned i = 0; i < 2; i++) {
		struct lapic_config cfg = {
		    .clock = &clk,
		    .id = i,
		    .bsp = i == 0,
		    .x2apic = true,
		    .tsc_deadline = true,
		    .intr = probe_line(&intr[i]),
		    .arg = &cpu[i],
		    .nmi = nmi,
		    .init = init,
		    .sipi = sipi,
		    .ipi = apic_bus_deliver,
		    .ipi_arg = &bus,
		    .eoi = ioapic_eoi,
		    .eoi_arg = &io,
		    .tsc_to_ns = tsc_to_ns,
		};
		lapic_init(&cpu[i], &cfg);
		apic_bus_add(&bus, &cpu[i]);
		nmis[i] = inits[i] = sipis[i] = 0;
	}
	ioapic_init(&io, 0x20, apic_bus_deliver, &bus);
}

static void enable(void)
{
	for (unsigned i = 0; i < 2; i++)
		write_reg(i, 0xf0, 0x1ff);
}

static void fixed(unsigned c, uint8_t vector)
{
	struct apic_msg msg = {.dest = c, .vector = vector};
	apic_bus_deliver(&bus, &msg);
}

START_TEST(test_reset_state)
{
	ck_assert_uint_eq(lapic_base_msr_read(&cpu[0]), 0xfee00900);
	ck_assert_uint_eq(lapic_base_msr_read(&cpu[1]), 0xfee00800);
	ck_assert_uint_eq(read_reg(1, 0x20), 1u << 24);
	ck_assert_uint_eq(read_reg(0, 0x30), 0x50014);
	ck_assert_uint_eq(read_reg(0, 0xf0), 0xff);
	ck_assert_uint_eq(read_reg(0, 0xe0), 0xffffffff);
	ck_assert_uint_eq(read_reg(0, 0x320), 0x10000);
	ck_assert(lapic_accepts_extint(&cpu[0]));
	ck_assert(!lapic_accepts_extint(&cpu[1]));
	fixed(0, 0x40); /* software disabled */
	ck_assert(!lapic_pending(&cpu[0]));
	write_reg(0, 0x320, 0x40); /* masks cannot be cleared */
	ck_assert_uint_eq(read_reg(0, 0x320), 0x10040);
	enable();
	write_reg(0, 0x350, 0x10700);
	ck_assert(!lapic_accepts_extint(&cpu[0]));
	write_reg(0, 0x350, 0x700);
	ck_assert(lapic_accepts_extint(&cpu[0]));
	write_reg(0, 0xf0, 0xff);
	ck_assert(!lapic_accepts_extint(&cpu[0]));
	ck_assert(lapic_base_msr_write(&cpu[0], 0xfee00100));
	ck_assert(lapic_accepts_extint(&cpu[0]) && !lapic_mmio_enabled(&cpu[0]));
	ck_assert_uint_eq(read_reg(0, 0x30), 0xffffffff);
}
END_TEST

START_TEST(test_priorities)
{
	enable();
	fixed(0, 0x51);
	fixed(0, 0x58);
	fixed(0, 0x71);
	ck_assert(intr[0].level && !intr[1].level);
	ck_assert_uint_eq(read_reg(0, 0x220), 1u << 17 | 1u << 24 | 0); /* 40-5f */
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x71);
	ck_assert(!intr[0].level);
	ck_assert_uint_eq(read_reg(0, 0xa0), 0x70);
	fixed(0, 0x7f); /* same class: waits */
	ck_assert(!intr[0].level);
	fixed(0, 0x81);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x81);
	write_reg(0, 0xb0, 0);
	write_reg(0, 0xb0, 0);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x7f);
	write_reg(0, 0xb0, 0);
	write_reg(0, 0x80, 0x55);
	ck_assert(!intr[0].level);
	ck_assert_uint_eq(read_reg(0, 0xa0), 0x55);
	ck_assert_uint_eq(lapic_cr8_read(&cpu[0]), 5);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0xff); /* spurious */
	lapic_cr8_write(&cpu[0], 4);
	ck_assert(intr[0].level);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x58);
	write_reg(0, 0xb0, 0);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x51);
	write_reg(0, 0xb0, 0);
	write_reg(0, 0xb0, 0); /* nothing in service */
}
END_TEST

START_TEST(test_timer_modes)
{
	enable();
	write_reg(0, 0x3e0, 0xb); /* by 1 */
	write_reg(0, 0x320, 0x40);
	write_reg(0, 0x380, 1000000);
	clock_advance(&clk, 400000);
	ck_assert_uint_eq(read_reg(0, 0x390), 600000);
	write_reg(0, 0x3e0, 0x0); /* by 2: the rest takes twice as long */
	clock_advance(&clk, 1100000);
	ck_assert_uint_eq(read_reg(0, 0x390), 50000);
	ck_assert(!intr[0].level);
	clock_advance(&clk, 100000);
	ck_assert_uint_eq(read_reg(0, 0x390), 0);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x40);
	write_reg(0, 0xb0, 0);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert(!intr[0].level);
	write_reg(0, 0x320, 0x20040); /* periodic: a count that has ended stays so */
	ck_assert_uint_eq(read_reg(0, 0x390), 0);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert_uint_eq(read_reg(0, 0x390), 0);
	ck_assert(!intr[0].level);
	write_reg(0, 0x320, 0x40);
	write_reg(0, 0x380, 1000000); /* one-shot, periodic before it has ended: goes on */
	clock_advance(&clk, 1500000);
	write_reg(0, 0x320, 0x20040);
	ck_assert_uint_eq(read_reg(0, 0x390), 250000);
	clock_advance(&clk, 600000);
	ck_assert_uint_eq(read_reg(0, 0x390), 950000);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x40);
	write_reg(0, 0xb0, 0);

	write_reg(0, 0x3e0, 0xb);
	write_reg(0, 0x320, 0x20040); /* periodic */
	write_reg(0, 0x380, 1000000);
	intr[0].edges = 0;
	for (unsigned i = 0; i < 100000; i++) {
		clock_advance(&clk, 10000);
		if (lapic_pending(&cpu[0])) {
			lapic_ack(&cpu[0]);
			write_reg(0, 0xb0, 0);
		}
	}
	ck_assert_uint_eq(intr[0].edges, 1000);
	write_reg(0, 0x320, 0x30040); /* masked, counting on */
	clock_advance(&clk, 250000);
	ck_assert_uint_eq(read_reg(0, 0x390), 750000);
	clock_advance(&clk, NS_PER_SEC);
	ck_assert(!intr[0].level);
	write_reg(0, 0x380, 0);
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
}
END_TEST

static bool take_tick(void)
{
	bool pending = lapic_pending(&cpu[0]);

	if (pending) {
		lapic_ack(&cpu[0]);
		write_reg(0, 0xb0, 0);
	}
	return pending;
}

START_TEST(test_no_tick_is_lost)
{
	uint64_t took;
	unsigned taken;

	enable();
	write_reg(0, 0x3e0, 0xb);
	write_reg(0, 0x320, 0x20040);
	write_reg(0, 0x380, 1000000); /* 1 kHz */
	clock_advance(&clk, 2 * NS_PER_MS);
	take_tick();
	taken = count_ticks(take_tick, 20, &took);
	ck_assert_uint_eq(cpu[0].catchup.owed, 0);
	ck_assert_int_le(llabs((long long)taken - (long long)(took / NS_PER_MS)), 2);
}
END_TEST

START_TEST(test_timer_is_capped)
{
	unsigned fired = 0;

	enable();
	write_reg(0, 0x3e0, 0xb);
	write_reg(0, 0x320, 0x20040);
	write_reg(0, 0x380, 1);
	for (unsigned i = 0; i < 1000; i++) {
		clock_advance(&clk, 1000);
		fired += lapic_pending(&cpu[0]);
		lapic_ack(&cpu[0]);
		write_reg(0, 0xb0, 0);
	}
	ck_assert_uint_ge(fired, 19);
	ck_assert_uint_le(fired, 22);
	clk.base += 1000 * NS_PER_SEC;
	clock_run(&clk);
	ck_assert_uint_gt(clock_next(&clk), clock_now(&clk));
}
END_TEST

START_TEST(test_tsc_deadline)
{
	enable();
	lapic_tsc_deadline_write(&cpu[0], 1000); /* not in that mode */
	ck_assert_uint_eq(lapic_tsc_deadline_read(&cpu[0]), 0);
	write_reg(0, 0x320, 0x40040);
	write_reg(0, 0x380, 1000); /* ignored */
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
	lapic_tsc_deadline_write(&cpu[0], 20000);
	ck_assert_uint_eq(lapic_tsc_deadline_read(&cpu[0]), 20000);
	clock_advance(&clk, 9999);
	ck_assert(!intr[0].level);
	clock_advance(&clk, 1);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x40);
	ck_assert_uint_eq(lapic_tsc_deadline_read(&cpu[0]), 0);
	write_reg(0, 0xb0, 0);
	lapic_tsc_deadline_write(&cpu[0], 5); /* past: at once */
	ck_assert(intr[0].level);
	lapic_ack(&cpu[0]);
	lapic_tsc_deadline_write(&cpu[0], 1000000);
	lapic_tsc_deadline_write(&cpu[0], 0);
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
	lapic_tsc_deadline_write(&cpu[0], 1000000);
	write_reg(0, 0x320, 0x40); /* leaving the mode disarms */
	ck_assert_uint_eq(clock_next(&clk), CLOCK_NEVER);
}
END_TEST

START_TEST(test_ipis)
{
	enable();
	write_reg(0, 0x310, 1u << 24);
	write_reg(0, 0x300, 0x4045);
	ck_assert(!intr[0].level && intr[1].level);
	ck_assert_uint_eq(lapic_ack(&cpu[1]), 0x45);
	write_reg(0, 0x300, 0x44046); /* self */
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x46);
	write_reg(0, 0x300, 0x84061); /* all */
	ck_assert(intr[0].level && intr[1].level);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x61);
	ck_assert_uint_eq(lapic_ack(&cpu[1]), 0x61);
	write_reg(0, 0x300, 0xc4071); /* all but self */
	ck_assert(!intr[0].level && intr[1].level);
	write_reg(0, 0x300, 0xc4500); /* INIT, then SIPI */
	ck_assert_uint_eq(inits[0], 0);
	ck_assert_uint_eq(inits[1], 1);
	ck_assert(!intr[1].level);
	write_reg(0, 0x300, 0xc8500); /* de-assert */
	ck_assert_uint_eq(inits[1], 1);
	write_reg(0, 0x300, 0xc4699);
	ck_assert_uint_eq(sipis[1], 1);
	ck_assert_uint_eq(sipi_vector, 0x99);
	write_reg(0, 0x300, 0xc4400);
	ck_assert_uint_eq(nmis[1], 1);
	ck_assert_uint_eq(nmis[0], 0);
}
END_TEST

START_TEST(test_logical)
{
	struct apic_msg msg = {.logical = true, .vector = 0x50};

	enable();
	write_reg(0, 0xd0, 0x01ffffff);
	write_reg(1, 0xd0, 0x02000000);
	ck_assert_uint_eq(read_reg(0, 0xd0), 0x01000000);
	msg.dest = 2;
	apic_bus_deliver(&bus, &msg);
	ck_assert(!intr[0].level && intr[1].level);
	lapic_ack(&cpu[1]);
	msg = (struct apic_msg){.logical = true, .vector = 0x60, .dest = 3, .mode = APIC_LOWEST};
	apic_bus_deliver(&bus, &msg); /* CPU 1 serves 50: CPU 0 is the lower one */
	ck_assert(intr[0].level && !intr[1].level);
	write_reg(0, 0xe0, 0x0fffffff); /* cluster model */
	write_reg(0, 0xd0, 0x21000000);
	msg = (struct apic_msg){.logical = true, .dest = 0x21};
	ck_assert(lapic_matches(&cpu[0], &msg));
	msg.dest = 0x22;
	ck_assert(!lapic_matches(&cpu[0], &msg));
	msg.dest = 0x31;
	ck_assert(!lapic_matches(&cpu[0], &msg));
	msg.dest = 0xf1;
	ck_assert(lapic_matches(&cpu[0], &msg));
	apic_bus_msi(&bus, 0xfee01000, 0x00a1);
	ck_assert_uint_eq(lapic_ack(&cpu[1]), 0xa1);
	apic_bus_msi(&bus, 0xfeeff000, 0x00b1);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0xb1);
	ck_assert_uint_eq(lapic_ack(&cpu[1]), 0xb1);
}
END_TEST

START_TEST(test_errors)
{
	enable();
	write_reg(0, 0x370, 0xfe);
	fixed(0, 5);
	ck_assert_uint_eq(read_reg(0, 0x280), 0);
	write_reg(0, 0x280, 0);
	ck_assert_uint_eq(read_reg(0, 0x280), 0x40);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0xfe);
	write_reg(0, 0x300, 0x4003);
	write_reg(0, 0x3d0, 1);
	read_reg(0, 0x10);
	write_reg(0, 0x280, 0);
	ck_assert_uint_eq(read_reg(0, 0x280), 0xa0);
	write_reg(0, 0x280, 0);
	ck_assert_uint_eq(read_reg(0, 0x280), 0);
	write_reg(0, 0x370, 0x05); /* the error entry itself is illegal */
	fixed(0, 5);
	write_reg(0, 0x320, 0x03);
	write_reg(0, 0x3e0, 0xb);
	write_reg(0, 0x380, 1);
	clock_advance(&clk, 100);
	ck_assert(read_reg(0, 0x200) == 0);
}
END_TEST

START_TEST(test_lint)
{
	enable();
	write_reg(0, 0x360, 0x400);
	lapic_set_lint(&cpu[0], 1, true);
	lapic_set_lint(&cpu[0], 1, true);
	ck_assert_uint_eq(nmis[0], 1);
	write_reg(0, 0x350, 0x8041); /* level */
	lapic_set_lint(&cpu[0], 0, true);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x41);
	write_reg(0, 0xb0, 0);
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x41);
	lapic_set_lint(&cpu[0], 0, false);
	write_reg(0, 0xb0, 0);
	ck_assert(!intr[0].level);
}
END_TEST

START_TEST(test_x2apic)
{
	uint64_t v;

	ck_assert(!lapic_msr_read(&cpu[1], 0x802, &v));
	ck_assert(!lapic_base_msr_write(&cpu[1], 0xfee00400)); /* EXTD without EN */
	ck_assert(!lapic_base_msr_write(&cpu[1], 0xfee00801));
	ck_assert(!lapic_base_msr_write(&cpu[1], 0xfee00800 | 1ull << 40));
	ck_assert(lapic_base_msr_write(&cpu[1], 0xfee00c00));
	ck_assert(!lapic_mmio_enabled(&cpu[1]));
	ck_assert(!lapic_base_msr_write(&cpu[1], 0xfee00800)); /* not back to xAPIC */
	ck_assert(lapic_msr_read(&cpu[1], 0x802, &v) && v == 1);
	ck_assert(lapic_msr_read(&cpu[1], 0x80d, &v) && v == 2);
	ck_assert(lapic_msr_write(&cpu[1], 0x80f, 0x1ff));
	ck_assert(!lapic_msr_write(&cpu[1], 0x80f, 0x11ff));
	ck_assert(!lapic_msr_write(&cpu[1], 0x80b, 1));
	ck_assert(!lapic_msr_write(&cpu[1], 0x828, 1));
	ck_assert(!lapic_msr_write(&cpu[1], 0x802, 0));
	ck_assert(!lapic_msr_write(&cpu[1], 0x80e, 0));
	ck_assert(!lapic_msr_write(&cpu[1], 0x810, 0));
	ck_assert(!lapic_msr_write(&cpu[1], 0x831, 0));
	ck_assert(!lapic_msr_read(&cpu[1], 0x80b, &v));
	ck_assert(!lapic_msr_read(&cpu[1], 0x83f, &v));
	ck_assert(!lapic_msr_read(&cpu[1], 0x8ff, &v));
	ck_assert(!lapic_msr_read(&cpu[1], 0x900, &v));
	ck_assert(lapic_msr_write(&cpu[1], 0x83f, 0x55));
	ck_assert_uint_eq(lapic_ack(&cpu[1]), 0x55);
	ck_assert(lapic_msr_read(&cpu[1], 0x812, &v) && v == 1u << 21);
	ck_assert(lapic_msr_write(&cpu[1], 0x80b, 0));
	ck_assert(lapic_msr_write(&cpu[1], 0x830, 0x4066 | 1ull << 32));
	ck_assert_uint_eq(lapic_ack(&cpu[1]), 0x66);
	ck_assert(lapic_msr_write(&cpu[1], 0x830, 0x84071)); /* all, the xAPIC too */
	ck_assert(intr[1].level);
	ck_assert(lapic_base_msr_write(&cpu[1], 0)); /* off: its state is lost */
	ck_assert(!lapic_base_msr_write(&cpu[1], 0xfee00c00));
	ck_assert(lapic_base_msr_write(&cpu[1], 0xfed00800));
	ck_assert_uint_eq(lapic_base(&cpu[1]), 0xfed00000);
	ck_assert_uint_eq(read_reg(1, 0xf0), 0xff);
}
END_TEST

START_TEST(test_ioapic_edge)
{
	enable();
	ck_assert_uint_eq(io_get(1), 0x170020);
	io_reg(0, 0x0f000000);
	ck_assert_uint_eq(io_get(0), 0x0f000000);
	ck_assert_uint_eq(io_get(0x10), 0x10000);
	ioapic_set_irq(&io, 1, true); /* masked: lost */
	route(1, 0x31, 1);
	ck_assert(!intr[1].level);
	ioapic_set_irq(&io, 1, false);
	ioapic_set_irq(&io, 1, true);
	ck_assert_uint_eq(lapic_ack(&cpu[1]), 0x31);
	ioapic_set_irq(&io, 1, true);
	write_reg(1, 0xb0, 0);
	ck_assert(!intr[1].level);
	ck_assert_uint_eq(io_get(0x12), 0x31);
	io_reg(0x40, 0xff); /* beyond the table */
	ck_assert_uint_eq(io_get(0x40), 0);
}
END_TEST

START_TEST(test_ioapic_level)
{
	enable();
	route(10, 0x8041, 0);
	ioapic_set_irq(&io, 10, true);
	ck_assert_uint_eq(io_get(0x24), 0xc041); /* remote IRR */
	ck_assert_uint_eq(lapic_ack(&cpu[0]), 0x41);
	ck_assert_uint_eq(read_reg(0, 0x1a0), 2); /* TMR */
	write_reg(0, 0xb0, 0);
	ck_assert(intr[0].level); /* the line is still up */
	lapic_ack(&cpu[0]);
	ioapic_set_irq(&io, 10, false);
	write_reg(0, 0xb0, 0);
	ck_assert(!intr[0].level);
	ck_assert_uint_eq(io_get(0x24), 0x8041);
	/* Two pins that share a vector; one of them masked when the EOI comes. */
	route(11, 0x8041, 0);
	ioapic_set_irq(&io, 10, true);
	ioapic_set_irq(&io, 11, true);
	lapic_ack(&cpu[0]);
	route(11, 0x18041, 0);
	ioapic_set_irq(&io, 10, false);
	write_reg(0, 0xb0, 0);
	ck_assert(!intr[0].level);
	route(11, 0x8041, 0); /* unmasked with the line up */
	ck_assert(intr[0].level);
	lapic_ack(&cpu[0]);
	ioapic_set_irq(&io, 11, false);
	/* The EOI register, and the trick for those that have none. */
	io_write(&ioapic_io_ops, &io, 0x40, 4, 0x41);
	ck_assert_uint_eq(io_get(0x26), 0x8041);
	ioapic_set_irq(&io, 11, true);
	ck_assert_uint_eq(io_get(0x26), 0xc041);
	io_reg(0x26, 0x10041);
	ck_assert_uint_eq(io_get(0x26), 0x10041);
}
END_TEST

START_TEST(test_hostile)
{
	uint64_t v;

	srand(5);
	for (unsigned i = 0; i < 300000; i++) {
		unsigned c = rand() & 1;
		switch (rand() % 8) {
		case 0:
			io_reg((uint8_t)(rand() % 0x48), (uint32_t)rand() * 3);
			break;
		case 1:
			ioapic_set_irq(&io, rand() % 26 - 1, rand() & 1);
			break;
		case 2:
			write_reg(c, ((unsigned)rand() % 0x48) * 16, (uint32_t)rand() * 3);
			break;
		case 3:
			write_reg(c, 0xf0, 0x1ff);
			read_reg(c, ((unsigned)rand() % 0x400));
			break;
		case 4:
			lapic_ack(&cpu[c]);
			write_reg(c, 0xb0, 0);
			break;
		case 5:
			lapic_msr_write(&cpu[c], 0x800 + (unsigned)rand() % 0x50, (uint32_t)rand());
			lapic_msr_read(&cpu[c], 0x800 + (unsigned)rand() % 0x50, &v);
			break;
		case 6:
			clock_advance(&clk, (uint64_t)rand() % NS_PER_MS);
			lapic_tsc_deadline_write(&cpu[c], (uint64_t)rand() << (rand() & 31));
			break;
		default:
			if (rand() % 50 == 0)
				lapic_base_msr_write(&cpu[c], 0xfee00000 | ((unsigned)rand() & 3) << 10);
			apic_bus_msi(&bus, (uint32_t)rand() * 2, (uint32_t)rand());
		}
		ck_assert(intr[c].level == lapic_pending(&cpu[c]));
	}
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_reset_state,  test_priorities,	 test_timer_modes,  test_timer_is_capped, test_no_tick_is_lost,
	    test_tsc_deadline, test_ipis,	 test_logical,	    test_errors,	  test_lint,
	    test_x2apic,       test_ioapic_edge, test_ioapic_level, test_hostile,
	};

	return run_tests("apic", list, ARRAY_LEN(list), setup);
}
