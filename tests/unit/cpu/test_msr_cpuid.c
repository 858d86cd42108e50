/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSRs, CPUID, the time-stamp counter. */
#include "insn_fixture.h"

static uint64_t read_msr(uint32_t index)
{
	cpu.gpr[RCX] = index;
	OK(0x0f, 0x32);
	return cpu.gpr[RDX] << 32 | cpu.gpr[RAX];
}

static bool write_msr(uint32_t index, uint64_t value)
{
	cpu.gpr[RCX] = index;
	cpu.gpr[RAX] = (uint32_t)value;
	cpu.gpr[RDX] = value >> 32;
	return RUN(0x0f, 0x30);
}

#define WRITES(index, value) ck_assert(write_msr(index, value) && read_msr(index) == (value))
#define REFUSES(index, value)                                                                                          \
	do {                                                                                                           \
		uint64_t was = read_msr(index);                                                                        \
		ck_assert(!write_msr(index, value));                                                                   \
		ck_assert(fault.vector == EXC_GP && fault.has_error && fault.error == 0);                              \
		ck_assert_uint_eq(read_msr(index), was);                                                               \
	} while (0)

START_TEST(known_and_unknown)
{
	WRITES(MSR_SYSENTER_CS, 0x1234);
	REFUSES(MSR_SYSENTER_CS, BIT(32));
	WRITES(MSR_SYSENTER_EIP, 0xc0001000);
	REFUSES(MSR_SYSENTER_EIP, 0x0000800000000000);
	ck_assert_uint_eq(read_msr(MSR_MTRRCAP), 0x508);
	REFUSES(MSR_MTRRCAP, 0x508);
	ck_assert(write_msr(MSR_BIOS_SIGN_ID, 5)); /* ignored */
	ck_assert_uint_eq(read_msr(MSR_BIOS_SIGN_ID), 0x100000000);
	ck_assert_uint_eq(read_msr(0xc0010015), BIT(24)); /* or Linux finds fault with the TSC of an AMD processor */
	/* The counters that every AMD processor has can be cleared, and do not count. */
	for (uint32_t n = 0xc0010000; n < 0xc0010008; n++) {
		ck_assert(write_msr(n, 0x530076));
		ck_assert_uint_eq(read_msr(n), 0);
	}
	cpu.gpr[RCX] = 0x12345678;
	RAISES(EXC_GP, 0x0f, 0x32);
	RAISES(EXC_GP, 0x0f, 0x30);
	if (!cpu_has(&cpu, FEAT_LM)) {
		cpu.gpr[RCX] = MSR_LSTAR;
		RAISES(EXC_GP, 0x0f, 0x32);
	}
}
END_TEST

START_TEST(memory_types)
{
	WRITES(MSR_PAT, 0x0007010600070106);
	REFUSES(MSR_PAT, 0x0007040600070402);
	WRITES(MSR_MTRR_DEF_TYPE, 0xc06);
	REFUSES(MSR_MTRR_DEF_TYPE, 0x402);
	REFUSES(MSR_MTRR_DEF_TYPE, 0x1000);
	WRITES(MSR_MTRR_FIX64K, 0x0606060606060606);
	WRITES(0x259, 0x0000050401000000);
	REFUSES(0x26f, 0x07);
	WRITES(0x26f, 0x06);
	WRITES(0x200, 0xc0000000);
	WRITES(0x201, 0xffc0000800);
	REFUSES(0x201, BIT(PHYSMEM_BITS) | 0x800);
	REFUSES(0x20e, 2);
	/* Each has a place of its own. */
	ck_assert_uint_eq(read_msr(0x26e), 0);
	ck_assert_uint_eq(read_msr(MSR_MTRR_FIX64K), 0x0606060606060606);
	ck_assert_uint_eq(read_msr(0x20f), 0);
}
END_TEST

START_TEST(efer)
{
	WRITES(MSR_EFER, EFER_NXE);
	ck_assert_uint_eq(mmu_events[MMU_EFER], 1);
	WRITES(MSR_EFER, EFER_SCE); /* with or without a mode for SYSCALL */
	REFUSES(MSR_EFER, BIT(1));
	if (!cpu_has(&cpu, FEAT_LM))
		REFUSES(MSR_EFER, EFER_LME);
	cpu.features |= BIT(FEAT_LM);
	cpu.cr0 |= CR0_PG;
	REFUSES(MSR_EFER, EFER_LME);
	cpu.cr0 &= ~CR0_PG;
	ck_assert(write_msr(MSR_EFER, EFER_LME | EFER_LMA)); /* LMA is read-only */
	ck_assert_uint_eq(cpu.efer, EFER_LME);
}
END_TEST

START_TEST(apic_registers)
{
	ck_assert_uint_eq(read_msr(MSR_APIC_BASE), 0xfee00900);
	ck_assert(write_msr(MSR_APIC_BASE, 0));
	cpu.gpr[RCX] = 0x808;
	RAISES(EXC_GP, 0x0f, 0x32); /* the APIC says no */
	RAISES(EXC_GP, 0x0f, 0x30);
}
END_TEST

START_TEST(time_stamps)
{
	tsc_now = 1000;
	ck_assert_uint_eq(read_msr(MSR_TSC), 1000);
	ck_assert(write_msr(MSR_TSC_ADJUST, 500));
	ck_assert_uint_eq(read_msr(MSR_TSC), 1500);
	ck_assert(write_msr(MSR_TSC, 0x100000000));
	ck_assert_uint_eq(read_msr(MSR_TSC_ADJUST), 0x100000000 - 1000);
	tsc_now = 1007;
	cpu.gpr[RAX] = cpu.gpr[RDX] = ~0ull;
	OK(0x0f, 0x31);
	ck_assert_uint_eq(cpu.gpr[RAX], 7);
	ck_assert_uint_eq(cpu.gpr[RDX], 1);
	ck_assert(write_msr(MSR_TSC_ADJUST, 0));
	ck_assert_uint_eq(cpu_tsc(&cpu), 1007);
	cpu.cr4 |= CR4_TSD;
	OK(0x0f, 0x31);
	enter_ring(3);
	RAISES(EXC_GP, 0x0f, 0x31);
	RAISES(EXC_GP, 0x0f, 0x33); /* RDPMC */
	cpu.cr4 &= ~CR4_TSD;
	OK(0x0f, 0x31);
	if (cpu_has(&cpu, FEAT_RDTSCP)) {
		cpu.tsc_aux = 0x42;
		OK(0x0f, 0x01, 0xf9);
		ck_assert_uint_eq(cpu.gpr[RCX], 0x42);
	}
}
END_TEST

START_TEST(cpuid)
{
	struct cpuid_result r = cpu_cpuid(&cpu, 0, 0);

	ck_assert_uint_eq(r.eax, 0xd);
	r = cpu_cpuid(&cpu, 1, 0);
	ck_assert_uint_eq(r.ebx >> 16, 1);	 /* one processor, APIC ID 0 */
	ck_assert(r.ecx & BIT(31));		 /* a hypervisor */
	ck_assert(!(r.ecx & (BIT(3) | BIT(5)))); /* MONITOR, VMX */
	ck_assert(!(r.edx & BIT(28)));		 /* HTT */
	ck_assert(!(r.ecx & BIT(27)));
	ck_assert(r.edx & BIT(9));
	ck_assert_uint_eq(!!(r.ecx & BIT(26)), cpu_has(&cpu, FEAT_XSAVE));
	ck_assert_uint_eq(!!(r.edx & BIT(26)), cpu_has(&cpu, FEAT_SSE2));
	r = cpu_cpuid(&cpu, 0x40000000, 0);
	ck_assert(!memcmp(&r.ebx, "Gnom", 4) && !memcmp(&r.ecx, "onVM", 4) && !memcmp(&r.edx, "M\0\0\0", 4));
	r = cpu_cpuid(&cpu, 0x80000000, 0);
	ck_assert(r.eax == 0x80000008 || r.eax == 0x80000021); /* Intel, AMD */
	r = cpu_cpuid(&cpu, 0x80000008, 0);
	ck_assert_uint_eq(r.eax & 0xff, PHYSMEM_BITS);
	ck_assert(!(r.ebx & ~BIT(2))); /* XSAVEERPTR */
	r = cpu_cpuid(&cpu, 7, 0);
	ck_assert(r.ebx & BIT(13)); /* FCS and FDS are zero */
	r = cpu_cpuid(&cpu, 0x12345678, 0);
	ck_assert(!(r.eax | r.ebx | r.ecx | r.edx));
	cpu.gpr[RAX] = 0x40000000;
	cpu.gpr[RCX] = ~0ull;
	OK(0x0f, 0xa2);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x40000000);
	ck_assert_uint_eq(cpu.gpr[RCX] >> 32, 0);
}
END_TEST

START_TEST(cpuid_vendor)
{
	struct cpuid_result r;

	cpu.vendor = "GenuineIntel";
	r = cpu_cpuid(&cpu, 0, 0);
	ck_assert(!memcmp(&r.ebx, "Genu", 4) && !memcmp(&r.edx, "ineI", 4) && !memcmp(&r.ecx, "ntel", 4));
	r = cpu_cpuid(&cpu, 0x80000000, 0);
	ck_assert_uint_eq(r.eax, 0x80000008);
	ck_assert(!(r.ebx | r.ecx | r.edx));
	r = cpu_cpuid(&cpu, 0x80000001, 0);
	ck_assert(!(r.edx & 1)); /* FPU, which AMD repeats there */
	cpu.vendor = "AuthenticAMD";
	r = cpu_cpuid(&cpu, 0, 0);
	ck_assert(!memcmp(&r.ebx, "Auth", 4) && !memcmp(&r.edx, "enti", 4) && !memcmp(&r.ecx, "cAMD", 4));
	r = cpu_cpuid(&cpu, 0x80000000, 0);
	ck_assert(!memcmp(&r.ebx, "Auth", 4) && !memcmp(&r.edx, "enti", 4) && !memcmp(&r.ecx, "cAMD", 4));
	r = cpu_cpuid(&cpu, 0x80000001, 0);
	ck_assert(r.edx & 1);
	cpu.vendor = NULL;
}
END_TEST

/* What the user hides is gone with all that needs it; what costs speed is shown one by one. */
START_TEST(cpuid_choice)
{
	ck_assert_uint_eq(feature_find("avx2", 4), CPUID_avx2);
	ck_assert_uint_eq(feature_find("avx2", 3), CPUID_avx);
	ck_assert_uint_eq(feature_find("", 0), CPUID_none);
	ck_assert(feature_shown(&cpu, CPUID_sse4_2) && !feature_shown(&cpu, CPUID_smap));
	feature_choose(&cpu.chosen, CPUID_ssse3, false);
	feature_choose(&cpu.chosen, CPUID_xsave, false);
	feature_choose(&cpu.chosen, CPUID_smap, true);
	cpu.features = 0;
	ck_assert(!(cpu_cpuid(&cpu, 1, 0).ecx & (BIT(9) | BIT(19) | BIT(20) | BIT(26) | BIT(28))));
	ck_assert(cpu_cpuid(&cpu, 1, 0).ecx & BIT(0)); /* SSE3 */
	ck_assert(!(cpu_cpuid(&cpu, 7, 0).ebx & BIT(5)));
	ck_assert(cpu_cpuid(&cpu, 7, 0).ebx & BIT(20));
	ck_assert_uint_eq(cpu_cpuid(&cpu, 0xd, 0).eax, 0);
	ck_assert_uint_eq(cpu_cpuid(&cpu, 0xd, 1).eax, 0);
	cpu.cr4 |= CR4_OSXSAVE;
	RAISES(EXC_UD, 0x0f, 0xae, 0x23); /* XSAVE */
	ck_assert(cpu_has(&cpu, FEAT_SMAP) && !cpu_has(&cpu, FEAT_XSAVEC) && !cpu_has(&cpu, FEAT_AVX2));
	ck_assert_uint_eq(feature_refused(&cpu), CPUID_none);
	feature_choose(&cpu.chosen, CPUID_xsavec, true);
	ck_assert_uint_eq(feature_refused(&cpu), CPUID_xsavec);
	feature_choose(&cpu.chosen, CPUID_xsave, true);
	ck_assert_uint_eq(feature_refused(&cpu), CPUID_none);
	feature_choose(&cpu.chosen, CPUID_la57, true); /* without 64-bit mode */
	ck_assert_uint_eq(feature_refused(&cpu), CPUID_la57);
	cpu.chosen = (struct feature_choice){0};
	cpu.features = 0;
}
END_TEST

/* No guest-chosen leaf or subleaf may show what has no row. */
/* Intel's processors do not meet a breakpoint on the instruction behind a load of SS, AMD's do. */
START_TEST(breakpoint_behind_mov_ss)
{
	static const char *const vendors[] = {"GenuineIntel", "AuthenticAMD"};

	OK(0x0f, 0xa2); /* CPUID */
	for (unsigned amd = 0; amd < 2; amd++) {
		cpu.vendor = vendors[amd];
		ck_assert_uint_eq(cpu_is_amd(&cpu), amd);
		cpu.dr[0] = cpu_linear_pc(&cpu);
		cpu.dr[6] = DR6_FIXED;
		cpu.dr[7] = DR7_FIXED | DR7_L(0);
		cpu.shadow = SHADOW_MOV_SS;
		ck_assert_int_eq(cpu_step_insn(&cpu, &insn_now), amd ? STEP_EXCEPTION : STEP_DONE);
		ck_assert_uint_eq(cpu.dr[6] & DR6_B(0), amd ? DR6_B(0) : 0);
	}
	cpu.vendor = NULL;
}
END_TEST

START_TEST(cpuid_shows_no_more_than_the_table)
{
	struct cpuid_result r;

	for (uint32_t sub = 0; sub < 8; sub++) {
		r = cpu_cpuid(&cpu, 7, sub);
		ck_assert(!(r.ebx & (BIT(2) | BIT(4) | BIT(11)))); /* SGX, HLE, RTM */
		/* There is a subleaf 1 if AVX512_BF16, which is in it, is shown. */
		ck_assert_uint_eq(r.eax & ~(sub == 0 ? 1u : sub == 1 ? (unsigned)BIT(5) : 0), 0);
		ck_assert(sub || !(r.ebx & BIT(16)) == !cpu_has(&cpu, FEAT_AVX512F));
	}
	r = cpu_cpuid(&cpu, 0x80000001, 0);
	ck_assert(!(r.ecx & BIT(2))); /* SVM */
	ck_assert_uint_eq(!!(r.edx & BIT(29)), cpu_has(&cpu, FEAT_LM));
	r = cpu_cpuid(&cpu, 4, 0);
	ck_assert_uint_eq(r.eax >> 14, 0); /* one core, one thread */
	r = cpu_cpuid(&cpu, 0xb, 1);
	ck_assert_uint_eq(r.ebx, 1);
	ck_assert_uint_eq(r.ecx, 0x201);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("msr, cpuid");
	TCase *tc = insn_case(s, "msr, cpuid");

	tcase_add_test(tc, known_and_unknown);
	tcase_add_test(tc, memory_types);
	tcase_add_test(tc, efer);
	tcase_add_test(tc, breakpoint_behind_mov_ss);
	tcase_add_test(tc, apic_registers);
	tcase_add_test(tc, time_stamps);
	tcase_add_test(tc, cpuid);
	tcase_add_test(tc, cpuid_vendor);
	tcase_add_test(tc, cpuid_choice);
	tcase_add_test(tc, cpuid_shows_no_more_than_the_table);
	return run_suite(s);
}
