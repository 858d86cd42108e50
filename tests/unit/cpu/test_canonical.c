/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical addresses, against a definition of their own: ranges of numbers instead of sign extension. */
#include "cpu/sys.h"
#include "cpu_fixture.h"

enum { ROUNDS = 20000 };

static bool reference(uint64_t a, unsigned bits)
{
	return a < BIT(bits - 1) || a >= 0 - BIT(bits - 1);
}

static uint64_t state = 1;

static uint64_t next_random(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 32 | state << 32;
}

/* Most of them near a place where something changes. */
static uint64_t interesting(void)
{
	static const uint64_t places[] = {0,
					  BIT(31),
					  BIT(32),
					  BIT(47),
					  BIT(48),
					  BIT(56),
					  BIT(57),
					  BIT(63),
					  0 - BIT(47),
					  0 - BIT(56),
					  0 - BIT(32),
					  0xffff7fffffffffffull,
					  0xfeffffffffffffffull};
	uint64_t r = next_random();

	if (r % 8 == 0)
		return next_random();
	return places[r % ARRAY_LEN(places)] + (next_random() % 129) - 64;
}

static void random_mode(unsigned *used, unsigned *there)
{
	bool la57 = next_random() & 1, on = la57 && (next_random() & 1);

	cpu.features = cpu.features ? cpu.features : BIT(FEAT_BASE);
	cpu.features = la57 ? cpu.features | BIT(FEAT_LA57) : cpu.features & ~BIT(FEAT_LA57);
	cpu.cr4 = on ? cpu.cr4 | CR4_LA57 : cpu.cr4 & ~CR4_LA57;
	*used = on ? 57 : 48;
	*there = la57 ? 57 : 48;
}

START_TEST(widths)
{
	unsigned used, there;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t a = interesting();
		random_mode(&used, &there);
		ck_assert_msg(cpu_canonical(&cpu, a) == reference(a, used), "%llx", (unsigned long long)a);
		ck_assert_msg(cpu_base_canonical(&cpu, a) == reference(a, there), "%llx", (unsigned long long)a);
	}
}
END_TEST

/* Operands of 64-bit code: each of their bytes counts; FS and GS with their base, the others without. */
START_TEST(operands)
{
	static const uint8_t lengths[] = {1, 2, 4, 8, 10, 16, 32, 64};
	unsigned used, there;

	force_segment(SEG_CS, CODE64);
	cpu.efer |= EFER_LME | EFER_LMA;
	cpu.seg[SEG_DS].base = 0x123456; /* of no meaning */
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned seg = (unsigned)(next_random() % SEG_COUNT), len = lengths[next_random() % ARRAY_LEN(lengths)];
		uint64_t offset = interesting(), base = seg >= SEG_FS ? interesting() : 0, first = offset + base;
		bool all = true, ok;
		gva_t gva = 0;

		random_mode(&used, &there);
		if (seg >= SEG_FS)
			cpu.seg[seg].base = base;
		for (unsigned n = 0; n < len; n++)
			all &= reference(first + n, used);
		ok = cpu_seg_linear(&cpu, seg, offset, len, ACC_READ, &gva, &fault);
		ck_assert_msg(ok == all, "%u bytes at %llx", len, (unsigned long long)first);
		if (ok) {
			ck_assert_uint_eq(gva, first);
		} else {
			ck_assert_uint_eq(fault.vector, seg == SEG_SS ? EXC_SS : EXC_GP);
			ck_assert(fault.has_error && fault.error == 0);
		}
	}
}
END_TEST

/* What comes to the walker unchecked is #GP(0) there, and never another page. */
START_TEST(walker)
{
	unsigned used, there;

	cpu.cr3 = TABLES_PAGES; /* zeros: nothing is present */
	cpu.cr4 |= CR4_PAE;
	cpu.efer |= EFER_LME | EFER_LMA;
	cpu.cr0 |= CR0_PG;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t a = interesting();
		struct translation t;

		random_mode(&used, &there);
		ck_assert(!cpu_walk(&cpu, a, ACC_READ, false, true, &t, &fault));
		ck_assert_uint_eq(fault.vector, reference(a, used) ? EXC_PF : EXC_GP);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("canonical");
	TCase *t = tcase_create("canonical");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, widths);
	tcase_add_test(t, operands);
	tcase_add_test(t, walker);
	suite_add_tcase(s, t);
	return run_suite(s);
}
