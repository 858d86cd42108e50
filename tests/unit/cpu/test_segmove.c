/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves of segment and table registers, LAR, LSL, VERR, VERW, ARPL. */
#include "insn_fixture.h"

START_TEST(mov_sreg)
{
	cpu.gpr[RAX] = ~0ull;
	OK(0x8c, 0xd8); /* MOV EAX, DS */
	ck_assert_uint_eq(cpu.gpr[RAX], DATA0);
	cpu.gpr[RAX] = ~0ull;
	OK(0x66, 0x8c, 0xd8);
	ck_assert_uint_eq(cpu.gpr[RAX], ~0xffffull | DATA0);
	poke(0x300, 4, ~0u);
	cpu.gpr[RBX] = 0x300;
	OK(0x8c, 0x1b); /* to memory: 16 bits */
	ck_assert_uint_eq(peek(0x300, 4), 0xffff0000 | DATA0);
	cpu.gpr[RAX] = 0xabcd0000 | DATA16;
	OK(0x8e, 0xc0);
	ck_assert_uint_eq(cpu.seg[SEG_ES].selector, DATA16);
	ck_assert_uint_eq(cpu.shadow, SHADOW_NONE);
	cpu.gpr[RAX] = DATA0;
	OK(0x8e, 0xd0);
	ck_assert_uint_eq(cpu.shadow, SHADOW_MOV_SS);
	cpu.shadow = SHADOW_NONE;
	cpu.gpr[RAX] = 0;
	FAULTS(RUN(0x8e, 0xd0), EXC_GP, 0);
	cpu.gpr[RAX] = DATA_ABSENT;
	cpu.next_rip = cpu.rip + 2;
	FAULTS(RUN(0x8e, 0xd8), EXC_NP, DATA_ABSENT);
}
END_TEST

START_TEST(mov_to_cs_is_undefined)
{
	struct insn in;

	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0x8e, 0xc8}, 2, 4), -EINVAL);
	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0x8e, 0xf0}, 2, 4), -EINVAL);
}
END_TEST

START_TEST(load_far)
{
	poke(0x300, 4, 0x12345678);
	poke(0x304, 2, DATA16);
	cpu.gpr[RBX] = 0x300;
	OK(0xc4, 0x0b);
	ck_assert_uint_eq(cpu.gpr[RCX], 0x12345678);
	ck_assert_uint_eq(cpu.seg[SEG_ES].selector, DATA16);
	OK(0x0f, 0xb4, 0x0b);
	ck_assert_uint_eq(cpu.seg[SEG_FS].selector, DATA16);
	OK(0x0f, 0xb5, 0x0b);
	ck_assert_uint_eq(cpu.seg[SEG_GS].selector, DATA16);
	OK(0x0f, 0xb2, 0x0b);
	ck_assert_uint_eq(cpu.seg[SEG_SS].selector, DATA16);
	ck_assert_uint_eq(cpu.shadow, SHADOW_NONE);
	poke(0x302, 2, DATA0);
	cpu.gpr[RCX] = ~0u;
	OK(0x66, 0xc5, 0x0b); /* LDS CX */
	ck_assert_uint_eq(cpu.gpr[RCX], 0xffff5678);
	ck_assert_uint_eq(cpu.seg[SEG_DS].selector, DATA0);
	/* A bad selector changes neither register. */
	poke(0x304, 2, DATA_ABSENT);
	cpu.next_rip = cpu.rip + 2;
	FAULTS(RUN(0xc4, 0x0b), EXC_NP, DATA_ABSENT);
}
END_TEST

START_TEST(tables)
{
	poke(0x300, 2, 0x1fff);
	poke(0x302, 4, 0x89abcdef);
	cpu.gpr[RBX] = 0x300;
	OK(0x0f, 0x01, 0x1b); /* LIDT */
	ck_assert_uint_eq(cpu.idtr.base, 0x89abcdef);
	ck_assert_uint_eq(cpu.idtr.limit, 0x1fff);
	OK(0x66, 0x0f, 0x01, 0x13); /* LGDT with 24 bits of base */
	ck_assert_uint_eq(cpu.gdtr.base, 0xabcdef);
	cpu.gdtr.base = 0x89abcdef;
	poke(0x310, 8, ~0ull);
	cpu.gpr[RBX] = 0x310;
	OK(0x66, 0x0f, 0x01, 0x03); /* SGDT stores all of it */
	ck_assert_uint_eq(peek(0x310, 8), 0xffff89abcdef1fff);
	enter_ring(3);
	cpu.gdtr.base = GDT;
	OK(0x0f, 0x01, 0x0b); /* SIDT is for everybody */
	RAISES(EXC_GP, 0x0f, 0x01, 0x13);
	cpu.cr4 |= CR4_UMIP;
	RAISES(EXC_GP, 0x0f, 0x01, 0x0b);
	RAISES(EXC_GP, 0x0f, 0x00, 0xc8); /* STR */
}
END_TEST

START_TEST(tables_in_64_bit_code)
{
	enter_long(0);
	poke(0x300, 2, 0xff);
	poke(0x302, 8, 0xffff888800001000);
	cpu.gpr[RBX] = 0x300;
	OK(0x66, 0x0f, 0x01, 0x13);
	ck_assert_uint_eq(cpu.gdtr.base, 0xffff888800001000);
	poke(0x302, 8, 0x0000888800001000);
	cpu.next_rip = cpu.rip + 3;
	RAISES(EXC_GP, 0x0f, 0x01, 0x13);
}
END_TEST

START_TEST(ldtr_and_tr)
{
	cpu.gpr[RAX] = ~0u;
	OK(0x0f, 0x00, 0xc0); /* SLDT EAX */
	ck_assert_uint_eq(cpu.gpr[RAX], SEL_LDT);
	OK(0x0f, 0x00, 0xc8);
	ck_assert_uint_eq(cpu.gpr[RAX], SEL_TSS_A);
	cpu.gpr[RAX] = 0;
	OK(0x0f, 0x00, 0xd0); /* LLDT 0 */
	ck_assert_uint_eq(cpu.ldtr.selector, 0);
	cpu.gpr[RAX] = SEL_TSS_B;
	OK(0x0f, 0x00, 0xd8);
	ck_assert_uint_eq(cpu.tr.base, TSS_B);
	ck_assert_uint_eq((get_descriptor(SEL_TSS_B) >> 40) & 0xf, SYS_TSS32_BUSY);
	FAULTS(RUN(0x0f, 0x00, 0xd8), EXC_GP, SEL_TSS_B);
}
END_TEST

static bool lar(uint16_t selector, uint64_t *rights)
{
	cpu.gpr[RAX] = 0xdeadbeef;
	cpu.gpr[RCX] = selector;
	OK(0x0f, 0x02, 0xc1);
	*rights = cpu.gpr[RAX];
	return flag(FLAG_ZF);
}

START_TEST(access_rights)
{
	uint64_t rights;

	ck_assert(lar(CODE3, &rights));
	ck_assert_uint_eq(rights, get_descriptor(CODE3) >> 32 & 0xffff00);
	ck_assert(lar(GATE32, &rights));
	ck_assert(lar(TASK_GATE, &rights));
	ck_assert(lar(DATA_ABSENT, &rights));
	ck_assert(!lar(0, &rights));
	ck_assert(!lar(3, &rights));
	ck_assert_uint_eq(rights, 0xdeadbeef);
	ck_assert(!lar(GDT_BYTES, &rights)); /* beyond the limit */
	ck_assert(!lar(SCRATCH, &rights));   /* type 0 */
	set_descriptor(SCRATCH, gate(CODE0, 0, SEG_P | SYS_INT32, 0));
	ck_assert(!lar(SCRATCH, &rights));
	ck_assert(!lar(DATA0 | 1, &rights)); /* RPL too weak */
	enter_ring(3);
	ck_assert(!lar(DATA0, &rights));
	ck_assert(lar(CONFORMING, &rights));
	ck_assert(lar(DATA3, &rights));
	cpu.gpr[RAX] = ~0ull;
	cpu.gpr[RCX] = DATA3;
	OK(0x66, 0x0f, 0x02, 0xc1);
	ck_assert_uint_eq(cpu.gpr[RAX], ~0xffffull | (get_descriptor(DATA3) >> 32 & 0xff00));
}
END_TEST

START_TEST(segment_limits)
{
	cpu.gpr[RCX] = CODE0;
	OK(0x0f, 0x03, 0xc1);
	ck_assert(flag(FLAG_ZF));
	ck_assert_uint_eq(cpu.gpr[RAX], 0xffffffff);
	cpu.gpr[RCX] = SEL_TSS_A;
	OK(0x0f, 0x03, 0xc1);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x88);
	cpu.gpr[RCX] = GATE32; /* a gate has no limit */
	OK(0x0f, 0x03, 0xc1);
	ck_assert(!flag(FLAG_ZF));
	ck_assert_uint_eq(cpu.gpr[RAX], 0x88);
}
END_TEST

static bool verify(uint8_t modrm, uint16_t selector)
{
	cpu.gpr[RAX] = selector;
	OK(0x0f, 0x00, modrm);
	return flag(FLAG_ZF);
}

START_TEST(verification)
{
	enum { VERR = 0xe0, VERW = 0xe8 };

	ck_assert(verify(VERR, DATA0) && verify(VERW, DATA0));
	ck_assert(verify(VERR, DATA_RO) && !verify(VERW, DATA_RO));
	ck_assert(verify(VERR, CODE0) && !verify(VERW, CODE0));
	ck_assert(!verify(VERR, CODE_XONLY) && !verify(VERR, SEL_TSS_A) && !verify(VERR, 0) && !verify(VERW, GATE32));
	enter_ring(3);
	ck_assert(!verify(VERR, DATA0) && verify(VERR, DATA3) && verify(VERW, DATA3) && verify(VERR, CONFORMING));
}
END_TEST

START_TEST(arpl)
{
	cpu.gpr[RAX] = 0xffff0010;
	cpu.gpr[RCX] = 0x0003;
	OK(0x63, 0xc8); /* ARPL AX, CX */
	ck_assert(flag(FLAG_ZF));
	ck_assert_uint_eq(cpu.gpr[RAX], 0xffff0013);
	OK(0x63, 0xc8);
	ck_assert(!flag(FLAG_ZF));
	enter_v86(3);
	RAISES(EXC_UD, 0x63, 0xc8);
}
END_TEST

/* A page fault in the descriptor table is no answer. */
START_TEST(queries_fault_on_tables)
{
	enter_long(0);
	cpu.gdtr.base = 0x40000000; /* not mapped */
	cpu.gpr[RCX] = DATA0;
	RAISES(EXC_PF, 0x0f, 0x02, 0xc1);
	RAISES(EXC_PF, 0x0f, 0x00, 0xe1);
}
END_TEST

START_TEST(bases_in_64_bit_code)
{
	enter_long(0);
	cpu.seg[SEG_GS].base = 0x1111;
	cpu.kernel_gs_base = 0xffff888800000000;
	OK(0x0f, 0x01, 0xf8);
	ck_assert_uint_eq(cpu.seg[SEG_GS].base, 0xffff888800000000);
	ck_assert_uint_eq(cpu.kernel_gs_base, 0x1111);
	enter_ring(3);
	force_segment(SEG_CS, CODE64_3);
	RAISES(EXC_GP, 0x0f, 0x01, 0xf8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segmove");
	TCase *tc = insn_case(s, "segmove");

	tcase_add_test(tc, mov_sreg);
	tcase_add_test(tc, mov_to_cs_is_undefined);
	tcase_add_test(tc, load_far);
	tcase_add_test(tc, tables);
	tcase_add_test(tc, tables_in_64_bit_code);
	tcase_add_test(tc, ldtr_and_tr);
	tcase_add_test(tc, access_rights);
	tcase_add_test(tc, segment_limits);
	tcase_add_test(tc, verification);
	tcase_add_test(tc, arpl);
	tcase_add_test(tc, queries_fault_on_tables);
	tcase_add_test(tc, bases_in_64_bit_code);
	return run_suite(s);
}
