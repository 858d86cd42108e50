/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random instructions that have a handler, in random states of every mode: none may end the process, and one that
 * faults leaves the registers alone (repeated string instructions: but for what they have done).
 */
#include "insn_fixture.h"

enum { ROUNDS = 300000 };

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Often small, often near a limit. */
static uint64_t random_value(void)
{
	uint64_t v = random64();

	switch (v >> 60) {
	case 0 ... 5:
		return v & 0xfffff;
	case 6 ... 9:
		return v & 0xffff;
	case 10:
		return 0x10000 - (v & 31);
	case 11:
		return (uint32_t) - (v & 31);
	default:
		return v;
	}
}

static void random_state(void)
{
	static const uint8_t code[] = {CODE0, CODE3, CODE16, CONFORMING, CODE_SHORT};

	cpu.cr0 = CR0_ET | CR0_PE;
	cpu.cr3 = cpu.efer = 0;
	cpu.cr4 =
	    random64() & (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_OSFXSR | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE);
	cpu.xcr0 = random64() & 1 ? XCR0_X87 | XCR0_SSE | XCR0_AVX : XCR0_X87;
	cpu.xcr0 |= (cpu.xcr0 & XCR0_AVX) && (random64() & 1) ? XCR0_AVX512 : 0;
	cpu.idtr = (struct dtable){.base = IDT, .limit = 0x7ff};
	cpu.gdtr = (struct dtable){.base = GDT, .limit = GDT_BYTES - 1};
	cpu.dr[7] = DR7_FIXED;
	cpu.activity = CPU_RUNNING;
	cpu.features = (__uint128_t)random64() << 64 | random64() | BIT(FEAT_BASE);
	cpu.rflags = FLAG_1 | (random64() & FLAGS_ALL & ~(FLAG_VM | FLAG_NT));
	fill_gdt();
	switch (random64() % 5) {
	case 0:
		enter_real();
		break;
	case 1:
		enter_v86(random64() & 3);
		break;
	case 2:
		enter_long(random64() & 1 ? 3 : 0);
		break;
	default:
		enter_ring(random64() & 1 ? 3 : 0);
		if (cpu.cpl == 0)
			force_segment(SEG_CS, code[random64() % 5] & (uint16_t)~3);
	}
	for (unsigned i = 0; i < GPR_COUNT; i++)
		cpu.gpr[i] = cpu_code64(&cpu) ? random_value() : (uint32_t)random_value();
	if (cpu.gpr[RCX] > 0x8000 && random64() & 1)
		cpu.gpr[RCX] &= 0xff;
	cpu.rip = random64() & 0xfff;
}

static unsigned random_instruction(uint8_t *bytes)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x26, 0x36, 0x64};
	static const uint8_t vex[] = {0x2c, 0x2d, 0x2e, 0x2f, 0x8c, 0x8e, 0x90, 0x91, 0x92, 0x93};
	unsigned n = 0;

	while (random64() % 3 == 0 && n < 4)
		bytes[n++] = prefixes[random64() % sizeof(prefixes)];
	if (random64() % 3 == 0) {
		bytes[n++] = 0x0f;
	} else if (random64() % 6 == 0) { /* VEX.66.0F38 with W, vvvv, L as they come; or 0F, where VZEROALL is */
		bool zero = random64() % 8 == 0;
		bytes[n++] = 0xc4;
		bytes[n++] = zero ? 0xe1 : 0xe2;
		bytes[n++] = (uint8_t)(zero ? 0x78 | (random64() & 4) : (random64() & 0xfc) | 1);
		bytes[n++] = zero ? 0x77 : vex[random64() % sizeof(vex)];
	} else if (random64() % 6 == 0) { /* EVEX.66.0F38: gathers and scatters */
		bytes[n++] = 0x62;
		bytes[n++] = 0xf2;
		bytes[n++] = (uint8_t)(0x7d | (random64() & 0x80));
		bytes[n++] = (uint8_t)(8 | random64() % 3 << 5 | (1 + random64() % 7));
		bytes[n++] = (uint8_t)(0x90 + (random64() & 3) + random64() % 2 * 0x10);
		bytes[n++] = (uint8_t)((random64() & 0xb8) | 4);
	}
	while (n < INSN_MAX_BYTES)
		bytes[n++] = (uint8_t)random64();
	return n;
}

START_TEST(random_instructions)
{
	uint8_t bytes[INSN_MAX_BYTES];
	unsigned executed = 0, faulted = 0;
	uint8_t seen[INSN_COUNT] = {0};
	unsigned rows = 0, wanted = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct insn in;
		unsigned n = random_instruction(bytes);
		random_state();
		if (insn_decode(&in, bytes, n, cpu_code_size(&cpu)) || !insn_rows[in.id].handler)
			continue;
		memcpy(&before, &cpu, sizeof(cpu));
		cpu.next_rip = cpu.rip + in.len;
		memset(&fault, 0xee, sizeof(fault));
		if (cpu_insn_checks(&cpu, &in, &fault) && insn_rows[in.id].handler(&cpu, &in, &fault)) {
			executed++;
			seen[in.id] = 1;
			ck_assert_uint_le(cpu.cpl, 3);
			if (!cpu_code64(&cpu))
				ck_assert_msg(!(cpu.next_rip >> 32) || cpu.next_rip == cpu.rip + in.len, "%s",
					      insn_name(&in));
			continue;
		}
		faulted++;
		ck_assert_msg(fault.vector < 32, "%s: vector %u", insn_name(&in), fault.vector);
		ck_assert_uint_eq(cpu.rip, before.rip);
		if (in.repeats || in.vsib) /* a gather: what it has gathered */
			continue;
		/* A faulting IRET ends the blocking of NMIs, a task switch may have committed. */
		if (in.id == INSN_IRET || in.id == INSN_IRETD || in.id == INSN_IRETQ)
			cpu.nmi_blocked = before.nmi_blocked;
		cpu.next_rip = before.next_rip;
		check_unchanged(insn_name(&in));
	}
	for (unsigned i = 1; i < INSN_COUNT; i++) {
		wanted += insn_rows[i].handler != NULL;
		rows += seen[i];
	}
	ck_assert_uint_gt(executed, 10000);
	ck_assert_uint_gt(faulted, 10000);
	ck_assert_msg(rows > wanted * 8 / 10, "%u of %u handlers have been run", rows, wanted);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("random");
	TCase *tc = insn_case(s, "random");

	tcase_add_test(tc, random_instructions);
	return run_suite(s);
}
