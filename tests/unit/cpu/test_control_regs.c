/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CR0, CR3, CR4, LMSW, CLTS, INVLPG, debug registers, SYSENTER and SYSEXIT. */
#include "insn_fixture.h"

#define WRITE_FAULTS(call)                                                                                             \
	do {                                                                                                           \
		memset(mmu_events, 0, sizeof(mmu_events));                                                             \
		FAULTS(call, EXC_GP, 0);                                                                               \
		for (unsigned i = 0; i <= MMU_A20; i++)                                                                \
			ck_assert_uint_eq(mmu_events[i], 0);                                                           \
	} while (0)

START_TEST(cr0)
{
	WRITE_FAULTS(cpu_write_cr0(&cpu, CR0_PG, &fault));
	WRITE_FAULTS(cpu_write_cr0(&cpu, CR0_PE | CR0_NW, &fault));
	WRITE_FAULTS(cpu_write_cr0(&cpu, CR0_PE | BIT(32), &fault));
	WORKS(cpu_write_cr0(&cpu, CR0_PE | BIT(15) | BIT(28),
			    &fault)); /* reserved bits below 32 are dropped, ET is fixed */
	ck_assert_uint_eq(cpu.cr0, CR0_PE | CR0_ET);
	mmu_events[MMU_CR0] = 0;
	WORKS(cpu_write_cr0(&cpu, CR0_PE | CR0_TS | CR0_EM | CR0_NE, &fault));
	ck_assert_uint_eq(mmu_events[MMU_CR0], 0);
	WORKS(cpu_write_cr0(&cpu, CR0_PE | CR0_PG, &fault));
	ck_assert_uint_eq(mmu_events[MMU_CR0], 1);
	WORKS(cpu_write_cr0(&cpu, CR0_PE | CR0_PG | CR0_WP, &fault));
	WORKS(cpu_write_cr0(&cpu, 0, &fault));
	ck_assert_uint_eq(mmu_events[MMU_CR0], 3);
}
END_TEST

START_TEST(pae)
{
	enum { PDPT = 0x8020 };

	WORKS(cpu_write_cr4(&cpu, CR4_PAE, &fault));
	WORKS(cpu_write_cr3(&cpu, PDPT, &fault)); /* paging is off: nothing is read */
	poke(PDPT, 8, 0x9000 | PTE_P | BIT(1));	  /* a reserved bit */
	WRITE_FAULTS(cpu_write_cr0(&cpu, cpu.cr0 | CR0_PG, &fault));
	poke(PDPT, 8, 0x9000 | PTE_P);
	WORKS(cpu_write_cr0(&cpu, cpu.cr0 | CR0_PG, &fault));
	ck_assert_uint_eq(cpu.pdpte[0], 0x9000 | PTE_P);
	poke(PDPT, 8, 0xa000 | PTE_P);
	ck_assert_uint_eq(cpu.pdpte[0], 0x9000 | PTE_P); /* kept until the next load */
	mmu_events[MMU_CR3] = 0;
	WORKS(cpu_write_cr3(&cpu, PDPT, &fault));
	ck_assert_uint_eq(cpu.pdpte[0], 0xa000 | PTE_P);
	ck_assert_uint_eq(mmu_events[MMU_CR3], 1);
	poke(PDPT + 8, 8, PTE_P | BIT(63));
	WRITE_FAULTS(cpu_write_cr3(&cpu, PDPT, &fault));
	WRITE_FAULTS(cpu_write_cr4(&cpu, CR4_PAE | CR4_PGE, &fault));
	WORKS(cpu_write_cr4(&cpu, CR4_PAE | CR4_DE, &fault));
}
END_TEST

START_TEST(cr4)
{
	WRITE_FAULTS(cpu_write_cr4(&cpu, BIT(31), &fault));
	WRITE_FAULTS(cpu_write_cr4(&cpu, BIT(13), &fault)); /* VMXE */
	if (!cpu_has(&cpu, FEAT_XSAVE))
		WRITE_FAULTS(cpu_write_cr4(&cpu, CR4_OSXSAVE, &fault));
	if (!cpu_has(&cpu, FEAT_SMEP))
		WRITE_FAULTS(cpu_write_cr4(&cpu, CR4_SMEP, &fault));
	WORKS(
	    cpu_write_cr4(&cpu, CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT, &fault));
	ck_assert_uint_eq(mmu_events[MMU_CR4], 0);
	WORKS(cpu_write_cr4(&cpu, CR4_PSE | CR4_PGE, &fault));
	ck_assert_uint_eq(mmu_events[MMU_CR4], 1);
}
END_TEST

START_TEST(long_mode_transitions)
{
	cpu.efer = EFER_LME;
	WRITE_FAULTS(cpu_write_cr0(&cpu, cpu.cr0 | CR0_PG, &fault)); /* without PAE */
	cpu.cr4 = CR4_PAE;
	force_segment(SEG_CS, CODE64);
	WRITE_FAULTS(cpu_write_cr0(&cpu, cpu.cr0 | CR0_PG, &fault)); /* CS.L */
	force_segment(SEG_CS, CODE0);
	WORKS(cpu_write_cr0(&cpu, cpu.cr0 | CR0_PG, &fault));
	ck_assert(cpu_long(&cpu));
	WRITE_FAULTS(cpu_write_cr4(&cpu, 0, &fault)); /* PAE has to stay */
	WRITE_FAULTS(cpu_write_cr3(&cpu, BIT(PHYSMEM_BITS), &fault));
	force_segment(SEG_CS, CODE64);
	WRITE_FAULTS(cpu_write_cr0(&cpu, cpu.cr0 & ~CR0_PG, &fault)); /* in 64-bit code */
	force_segment(SEG_CS, CODE0);
	WORKS(cpu_write_cr0(&cpu, cpu.cr0 & ~CR0_PG, &fault));
	ck_assert(!cpu_long(&cpu));
}
END_TEST

START_TEST(mov_cr)
{
	cpu.gpr[RAX] = ~0ull;
	OK(0x0f, 0x20, 0xc0);
	ck_assert_uint_eq(cpu.gpr[RAX], cpu.cr0);
	cpu.gpr[RBX] = 0x12345678;
	OK(0x0f, 0x22, 0xd3);
	ck_assert_uint_eq(cpu.cr2, 0x12345678);
	OK(0x0f, 0x22, 0xdb);
	OK(0x0f, 0x20, 0xd9);
	ck_assert_uint_eq(cpu.gpr[RCX], 0x12345678);
	enter_long(0);
	cpu.gpr[RAX] = 9;
	OK(0x44, 0x0f, 0x22, 0xc0); /* CR8 */
	ck_assert_uint_eq(cr8_value, 9);
	cpu.gpr[RAX] = 16;
	RAISES(EXC_GP, 0x44, 0x0f, 0x22, 0xc0);
	OK(0x44, 0x0f, 0x20, 0xc3);
	ck_assert_uint_eq(cpu.gpr[RBX], 9);
}
END_TEST

START_TEST(machine_status_word)
{
	enter_real();
	cpu.gpr[RAX] = CR0_PE | CR0_TS | CR0_NE | 0xff00;
	OK(0x0f, 0x01, 0xf0); /* LMSW AX: the low four bits */
	ck_assert_uint_eq(cpu.cr0, CR0_PE | CR0_TS | CR0_ET | CR0_CD | CR0_NW);
	cpu.gpr[RAX] = 0;
	OK(0x0f, 0x01, 0xf0); /* PE stays */
	ck_assert_uint_eq(cpu.cr0, CR0_PE | CR0_ET | CR0_CD | CR0_NW);
	enter_ring(0);
	cpu.cr0 |= CR0_TS;
	OK(0x0f, 0x06);
	ck_assert(!(cpu.cr0 & CR0_TS));
	OK(0x0f, 0x01, 0xe3); /* SMSW EBX */
	ck_assert_uint_eq(cpu.gpr[RBX], cpu.cr0);
	poke(0x300, 4, 0);
	OK(0x0f, 0x01, 0x25, 0x00, 0x03, 0x00, 0x00); /* to memory: 16 bits */
	ck_assert_uint_eq(peek(0x300, 4), cpu.cr0 & 0xffff);
}
END_TEST

START_TEST(invlpg)
{
	force_segment(SEG_DS, DATA16);
	cpu.seg[SEG_DS].base = 0x1000;
	cpu.gpr[RAX] = 0x500000; /* beyond the limit: not checked */
	OK(0x0f, 0x01, 0x38);
	ck_assert_uint_eq(mmu_events[MMU_INVLPG], 1);
	ck_assert_uint_eq(mmu_address, 0x501000);
	enter_long(0);
	cpu.gpr[RAX] = 0x800000000000;
	OK(0x0f, 0x01, 0x38);
	ck_assert_uint_eq(mmu_events[MMU_INVLPG], 1);
}
END_TEST

START_TEST(debug_registers)
{
	cpu.gpr[RAX] = 0xffffffff;
	OK(0x0f, 0x23, 0xf8); /* DR7 */
	ck_assert_uint_eq(cpu.dr[7], 0xffff27ff);
	cpu.dr[7] = DR7_FIXED;
	OK(0x0f, 0x23, 0xf0);
	ck_assert_uint_eq(cpu.dr[6], 0xffffefff);
	cpu.gpr[RAX] = 0;
	OK(0x0f, 0x23, 0xe0); /* DR4 is DR6 */
	ck_assert_uint_eq(cpu.dr[6], DR6_FIXED);
	OK(0x0f, 0x21, 0xe9); /* DR5 is DR7 */
	ck_assert_uint_eq(cpu.gpr[RCX], DR7_FIXED);
	cpu.cr4 |= CR4_DE;
	RAISES(EXC_UD, 0x0f, 0x21, 0xe9);
	cpu.dr[7] |= DR7_GD;
	RAISES(EXC_DB, 0x0f, 0x21, 0xc1);
	ck_assert_uint_eq(fault.address, DR6_BD);
	cpu.dr[7] = DR7_FIXED;
	cpu.gpr[RAX] = 0x12345;
	OK(0x0f, 0x23, 0xd8);
	ck_assert_uint_eq(cpu.dr[3], 0x12345);
	WRITE_FAULTS(cpu_write_dr(&cpu, 7, BIT(32), &fault));
}
END_TEST

/* DR7 with breakpoint 1 enabled: its type and its length as encoded. */
static uint64_t breakpoint_1(unsigned rw, unsigned length)
{
	return DR7_FIXED | DR7_G(1) | (uint64_t)rw << 20 | (uint64_t)length << 22;
}

static uint64_t matched(gva_t gva, unsigned len, bool write)
{
	cpu.pending_db = 0;
	cpu_match_data_breakpoints(&cpu, gva, len, write);
	return cpu.pending_db;
}

START_TEST(data_breakpoints)
{
	enum { ONE, TWO, EIGHT, FOUR };

	cpu.dr[1] = 0x5004;
	cpu.dr[7] = breakpoint_1(DR7_RW_WRITE, FOUR);
	ck_assert_uint_eq(matched(0x5000, 4, true), 0);
	ck_assert_uint_eq(matched(0x5000, 5, true), DR6_B(1));
	ck_assert_uint_eq(matched(0x5007, 1, true), DR6_B(1));
	ck_assert_uint_eq(matched(0x5008, 1, true), 0);
	ck_assert_uint_eq(matched(0x5004, 4, false), 0);
	cpu.dr[7] = breakpoint_1(DR7_RW_DATA, EIGHT); /* the length's low address bits count as 0 */
	ck_assert_uint_eq(matched(0x5000, 1, false), DR6_B(1));
	ck_assert_uint_eq(matched(0x5007, 1, true), DR6_B(1));
	ck_assert_uint_eq(matched(0x4fff, 1, true), 0);
	cpu.dr[7] = breakpoint_1(DR7_RW_DATA, ONE) & ~DR7_G(1);
	ck_assert_uint_eq(matched(0x5004, 1, true), 0);
	cpu.dr[7] = breakpoint_1(DR7_RW_EXEC, ONE);
	ck_assert_uint_eq(matched(0x5004, 1, true), 0);
	/* Through an access; the second half of one that crosses a page too. */
	uint64_t v;
	cpu.dr[1] = 0x7000;
	cpu.dr[7] = breakpoint_1(DR7_RW_DATA, TWO);
	cpu.pending_db = 0;
	WORKS(cpu_read_linear(&cpu, 0x6ffe, &v, 4, ACC_READ, &fault));
	ck_assert_uint_eq(cpu.pending_db, DR6_B(1));
}
END_TEST

START_TEST(io_breakpoints)
{
	cpu.dr[1] = 0x3f8;
	cpu.dr[7] = breakpoint_1(DR7_RW_IO, 1);
	cpu.gpr[RDX] = 0x3f9;
	OK(0xec); /* in al, dx: CR4.DE is off */
	ck_assert_uint_eq(cpu.pending_db, 0);
	cpu.cr4 |= CR4_DE;
	OK(0xec);
	ck_assert_uint_eq(cpu.pending_db, DR6_B(1));
	cpu.pending_db = 0;
	cpu.gpr[RDX] = 0x3fa;
	OK(0xee); /* out dx, al */
	ck_assert_uint_eq(cpu.pending_db, 0);
	ck_assert_uint_eq(matched(0x3f8, 1, true), 0);
}
END_TEST

START_TEST(fast_system_calls)
{
	RAISES(EXC_GP, 0x0f, 0x34); /* SYSENTER_CS is 0 */
	cpu.sysenter_cs = CODE0 | 3;
	cpu.sysenter_esp = STACK0;
	cpu.sysenter_eip = HANDLER;
	enter_ring(3);
	RAISES(EXC_GP, 0x0f, 0x35);
	cpu.rflags = FLAG_1 | FLAG_IF | FLAG_CF;
	OK(0x0f, 0x34);
	ck_assert_uint_eq(cpu.cpl, 0);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE0);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, CODE0 + 8);
	ck_assert_uint_eq(cpu.next_rip, HANDLER);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK0);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_CF);
	ck_assert_uint_eq(cpu_code_size(&cpu), 4);
	ck_assert_uint_eq(cpu_stack_size(&cpu), 4);
	cpu.gpr[RDX] = 0x4000;
	cpu.gpr[RCX] = STACK3;
	OK(0x0f, 0x35);
	ck_assert_uint_eq(cpu.cpl, 3);
	ck_assert_uint_eq(cpu.seg[SEG_CS].selector, CODE0 + 16 + 3);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, CODE0 + 24 + 3);
	ck_assert_uint_eq(cpu.next_rip, 0x4000);
	ck_assert_uint_eq(cpu.gpr[RSP], STACK3);
	ck_assert_uint_eq(cpu.seg[SEG_CS].limit, 0xffffffff);
	enter_real();
	RAISES(EXC_GP, 0x0f, 0x34);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control registers");
	TCase *tc = insn_case(s, "control registers");

	tcase_add_test(tc, cr0);
	tcase_add_test(tc, pae);
	tcase_add_test(tc, cr4);
	tcase_add_test(tc, long_mode_transitions);
	tcase_add_test(tc, mov_cr);
	tcase_add_test(tc, machine_status_word);
	tcase_add_test(tc, invlpg);
	tcase_add_test(tc, debug_registers);
	tcase_add_test(tc, data_breakpoints);
	tcase_add_test(tc, io_breakpoints);
	tcase_add_test(tc, fast_system_calls);
	return run_suite(s);
}
