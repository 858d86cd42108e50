/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random descriptor tables, stacks and modes: whatever a guest sets up, a transfer either works or faults without a
 * trace, and the modes stay consistent.
 */
#include "cpu_fixture.h"

enum { ROUNDS = 60000 };

static uint64_t seed;

/* xorshift64*: the same sequence every time. */
static uint64_t rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
	return (unsigned)(rnd() >> 33) % n;
}

static uint16_t some_selector(void)
{
	return (uint16_t)(below(8) ? below(GDT_BYTES / 8 + 1) * 8 + (below(2) ? below(4) : 0) + (below(8) ? 0 : SEL_TI)
				   : rnd());
}

/* A descriptor that is mostly sane: bases in memory, gates that lead somewhere. */
static uint64_t some_descriptor(void)
{
	unsigned attr = (unsigned)rnd() & 0xf01f;
	attr |= (below(8) ? SEG_P : 0) | dpl(below(2) ? 0 : below(4));
	if (!(attr & SEG_S) && below(2))
		return gate(some_selector(), (uint32_t)rnd() & 0x3fff, attr, below(32));
	return descriptor((uint32_t)rnd() & 0x7fff0, below(2) ? 0xfffff : (uint32_t)rnd() & 0xfffff, attr);
}

static void randomize(void)
{
	for (unsigned i = 0; i < 8; i++)
		poke(GDT + below(GDT_BYTES / 8) * 8, 8, some_descriptor());
	poke(LDT + below(4) * 8, 8, some_descriptor());
	poke(IDT + below(64) * 8, 8,
	     below(8) ? gate(some_selector(), (uint32_t)rnd() & 0xffff, (unsigned)rnd() & 0xff, 0) : rnd());
	for (unsigned i = 0; i < 4; i++)
		poke(TSS_A + below(0x1a) * 4, 4, below(2) ? some_selector() : rnd());
	for (unsigned i = 0; i < 4; i++)
		poke(TSS_B + below(0x1a) * 4, 4, below(2) ? some_selector() : rnd());
}

static void some_stack(void)
{
	unsigned size = 2u << below(3);

	cpu.gpr[RSP] = below(4) ? 0xa000 + below(0x100) : rnd();
	if (!cpu_long(&cpu))
		cpu.gpr[RSP] &= 0xffffffff;
	for (unsigned i = 0; i < 10; i++)
		poke((cpu.seg[SEG_SS].base + (uint32_t)cpu.gpr[RSP] + i * size) & (RAM_BYTES - 1) & ~7ull, size,
		     below(4) ? some_selector() : rnd());
}

static void some_mode(void)
{
	cpu.cr0 = (cpu.cr0 & CR0_ET) | CR0_PE | (below(2) ? CR0_AM : 0);
	cpu.cr4 = below(2) ? CR4_VME : 0;
	cpu.efer = 0;
	cpu.rflags = (rnd() & FLAGS_ALL & ~(FLAG_VM | (below(4) ? FLAG_NT : 0))) | FLAG_1;
	cpu.idtr.limit = 0x7ff;
	cpu.tr = (struct segment){.selector = SEL_TSS_A,
				  .attr = SEG_P | (below(2) ? SYS_TSS32_BUSY : SYS_TSS16_BUSY),
				  .limit = below(8) ? 0x88 : below(0x70),
				  .base = TSS_A};
	fill_gdt();
	switch (below(5)) {
	case 0:
		enter_real();
		break;
	case 1:
		enter_v86(below(4));
		break;
	case 2:
		enter_long(below(2) * 3);
		break;
	default:
		enter_ring(below(2) * 3);
		break;
	}
	cpu.rip = rnd() & 0xfff;
	cpu.next_rip = cpu.rip + 2;
	cpu.activity = CPU_RUNNING;
	cpu.nmi_blocked = false;
	cpu.pending_db = 0;
}

static bool some_transfer(struct x86_fault *f)
{
	unsigned opsize = 2u << below(cpu_code64(&cpu) ? 3 : 2);
	uint16_t error = (uint16_t)rnd();

	switch (below(8)) {
	case 0:
		return cpu_far_jump(&cpu, some_selector(), rnd() & 0xffff, opsize, f);
	case 1:
		return cpu_far_call(&cpu, some_selector(), rnd() & 0xffff, opsize, f);
	case 2:
		return cpu_far_return(&cpu, opsize, below(2) * below(0x10000), f);
	case 3:
		return cpu_iret(&cpu, opsize, f);
	case 4: {
		static const uint8_t segs[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
		return cpu_load_segment(&cpu, segs[below(5)], some_selector(), f);
	}
	case 5:
		return below(2) ? cpu_load_ldtr(&cpu, some_selector(), f) : cpu_load_tr(&cpu, some_selector(), f);
	case 6:
		return cpu_deliver(&cpu, below(64), below(2) ? EVENT_SOFTWARE : EVENT_EXTERNAL, NULL, f);
	default:
		return cpu_deliver(&cpu, below(64), EVENT_EXCEPTION, &error, f);
	}
}

static void check_consistent(void)
{
	const struct segment *cs = &cpu.seg[SEG_CS];

	ck_assert_uint_le(cpu.cpl, 3);
	ck_assert(cpu.rflags & FLAG_1);
	ck_assert_uint_eq(cpu.rflags & ~(FLAGS_ALL | FLAG_1), 0);
	if (!cpu_protected(&cpu))
		ck_assert_uint_eq(cpu.cpl, 0);
	else if (cpu_v86(&cpu))
		ck_assert_uint_eq(cpu.cpl, 3);
	else
		ck_assert_uint_eq(cs->selector & SEL_RPL, cpu.cpl);
	if (!cpu_long(&cpu))
		ck_assert_uint_eq(cpu.gpr[RSP] >> 32, 0);
}

START_TEST(random_transfers)
{
	unsigned worked = 0, faulted = 0;

	seed = 0x9e3779b97f4a7c15ull;
	for (unsigned i = 0; i < ROUNDS; i++) {
		some_mode();
		randomize();
		some_stack();
		memcpy(&before, &cpu, sizeof(cpu));
		bool ok = some_transfer(&fault);
		ok ? worked++ : faulted++;
		/* After the commit of a task switch a fault belongs to the new task. */
		if (!ok && cpu.tr.selector == before.tr.selector && !(cpu.cr0 & CR0_TS)) {
			check_unchanged("random transfer");
			cpu_deliver_fault(&cpu, &fault);
		}
		check_consistent();
	}
	/* Neither kind is rare, or the generator is no good. */
	ck_assert_uint_gt(worked, ROUNDS / 8);
	ck_assert_uint_gt(faulted, ROUNDS / 8);
	ck_assert_uint_gt(triple_faults, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("random transfers");
	TCase *t = tcase_create("random transfers");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, random_transfers);
	suite_add_tcase(s, t);
	return run_suite(s);
}
