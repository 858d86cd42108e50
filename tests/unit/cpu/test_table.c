/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instruction table: its rows are consistent, and encodings find theirs. */
#include "insn_fixture.h"

static const char *const forms[INSN_COUNT] = {
#define INSN(id, mnemonic, form, class, checks, feature, handler) [INSN_##id] = #mnemonic " " #form,
#include "cpu/insn.def"
#undef INSN
};

START_TEST(rows_are_unique)
{
	for (unsigned i = 1; i < INSN_COUNT; i++)
		for (unsigned j = i + 1; j < INSN_COUNT; j++)
			ck_assert_msg(strcmp(forms[i], forms[j]), "%s has two rows", forms[i]);
}
END_TEST

/* A row of form ANY hides the ones of its mnemonic that follow. */
START_TEST(specific_forms_first)
{
	for (unsigned i = 1; i < INSN_COUNT; i++) {
		size_t mnemonic = strcspn(forms[i], " ") + 1;
		if (strcmp(forms[i] + mnemonic, "ANY"))
			continue;
		for (unsigned j = i + 1; j < INSN_COUNT; j++)
			ck_assert_msg(strncmp(forms[i], forms[j], mnemonic), "%s is hidden", forms[j]);
	}
}
END_TEST

START_TEST(classes_have_what_they_need)
{
	for (unsigned i = 1; i < INSN_COUNT; i++) {
		const struct insn_row *row = &insn_rows[i];
		ck_assert_ptr_nonnull(row->name);
		ck_assert_uint_lt(row->feature, FEAT_COUNT);
		if (row->class == CLASS_BRANCH || row->class == CLASS_REWRITE)
			ck_assert_msg(row->handler, "%s", row->name);
		if (row->class == CLASS_IDENT || row->class == CLASS_UNDEF)
			ck_assert_msg(!row->handler, "%s", row->name);
	}
	ck_assert_int_eq(insn_rows[INSN_INVALID].class, CLASS_UNDEF);
}
END_TEST

static const struct {
	uint8_t code_size, len, bytes[8];
	uint16_t id;
} encodings[] = {
    {2, 2, {0xeb, 0x00}, INSN_JMP_REL},
    {4, 2, {0xff, 0xe0}, INSN_JMP_IND},
    {4, 2, {0xff, 0x28}, INSN_JMP_FAR},
    {2, 5, {0xea, 0, 0, 0, 0}, INSN_JMP_FAR},
    {4, 5, {0xe8, 0, 0, 0, 0}, INSN_CALL_REL},
    {4, 2, {0xff, 0x10}, INSN_CALL_IND},
    {4, 2, {0xff, 0x18}, INSN_CALL_FAR},
    {4, 1, {0xc3}, INSN_RET},
    {4, 3, {0xc2, 4, 0}, INSN_RET},
    {4, 1, {0xcb}, INSN_RET_FAR},
    {4, 3, {0xca, 4, 0}, INSN_RET_FAR},
    {4, 1, {0xa5}, INSN_MOVSD_STRING},
    {4, 4, {0xf2, 0x0f, 0x10, 0xc1}, INSN_MOVSD},
    {4, 4, {0xf2, 0x0f, 0x10, 0x00}, INSN_MOVSD},
    {4, 1, {0xa7}, INSN_CMPSD_STRING},
    {4, 5, {0xf2, 0x0f, 0xc2, 0xc1, 0}, INSN_CMPSD},
    {4, 2, {0x8e, 0xd8}, INSN_MOV_TO_SREG},
    {4, 2, {0x8c, 0xd8}, INSN_MOV_FROM_SREG},
    {4, 2, {0x8c, 0x18}, INSN_MOV_FROM_SREG},
    {4, 3, {0x0f, 0x20, 0xc0}, INSN_MOV_CR},
    {4, 3, {0x0f, 0x22, 0xc0}, INSN_MOV_CR},
    {4, 3, {0x0f, 0x23, 0xf8}, INSN_MOV_DR},
    {4, 2, {0x89, 0xd8}, INSN_MOV},
    {4, 5, {0xa1, 0, 0, 0, 0}, INSN_MOV},
    {4, 1, {0x1e}, INSN_PUSH_SREG},
    {4, 2, {0x0f, 0xa0}, INSN_PUSH_SREG},
    {4, 1, {0x50}, INSN_PUSH},
    {4, 2, {0x6a, 1}, INSN_PUSH},
    {4, 1, {0x1f}, INSN_POP_SREG},
    {4, 1, {0x58}, INSN_POP},
    {4, 3, {0x0f, 0xa3, 0x00}, INSN_BT_MEM_REG},
    {4, 3, {0x0f, 0xab, 0x00}, INSN_BTS_MEM_REG},
    {4, 3, {0x0f, 0xab, 0xc0}, INSN_BTS},
    {4, 4, {0x0f, 0xba, 0x28, 1}, INSN_BTS},
    {4, 3, {0x0f, 0xfc, 0xc1}, INSN_PADDB_MMX},
    {4, 4, {0x66, 0x0f, 0xfc, 0xc1}, INSN_PADDB},
    {4, 3, {0x0f, 0x6f, 0xc1}, INSN_MOVQ_MMX},
    {4, 4, {0xf3, 0x0f, 0x7e, 0xc1}, INSN_MOVQ},
    {4, 3, {0x0f, 0xd7, 0xc1}, INSN_PMOVMSKB_MMX},
    {4, 4, {0xf3, 0x0f, 0x1e, 0xfa}, INSN_NOP}, /* ENDBR64 without CET */
    {4, 3, {0x0f, 0x1f, 0x00}, INSN_NOP},
    {4, 2, {0x0f, 0x0b}, INSN_UD2},
    {4, 1, {0x9b}, INSN_FWAIT},
    {4, 2, {0x0f, 0xaa}, INSN_RSM},
    {8, 3, {0x48, 0x63, 0xc1}, INSN_MOVSXD},
    {4, 2, {0x63, 0xc1}, INSN_ARPL},
    {8, 2, {0x0f, 0x05}, INSN_SYSCALL},
    {8, 3, {0x0f, 0x01, 0xf8}, INSN_SWAPGS},
    {2, 1, {0xcf}, INSN_IRET},
    {4, 1, {0xcf}, INSN_IRETD},
    {4, 3, {0x0f, 0x01, 0xc1}, INSN_INVALID}, /* VMCALL */
    {4, 3, {0x0f, 0x01, 0xd8}, INSN_INVALID}, /* VMRUN */
    {8, 6, {0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1}, INSN_VADDPS_EVEX},
    {8, 6, {0x62, 0xf1, 0x78, 0x48, 0x58, 0xc1}, INSN_INVALID}, /* MVEX */
};

START_TEST(encodings_find_their_rows)
{
	struct insn in;

	for (unsigned i = 0; i < ARRAY_LEN(encodings); i++) {
		int err = insn_decode(&in, encodings[i].bytes, encodings[i].len, encodings[i].code_size);
		ck_assert_msg(!err, "encoding %u: %d", i, err);
		ck_assert_msg(in.id == encodings[i].id, "encoding %u: %s, not %s", i, insn_name(&in),
			      insn_rows[encodings[i].id].name);
		ck_assert_uint_eq(in.len, encodings[i].len);
	}
}
END_TEST

/* The handlers take sizes from prefixes and string segments from the decoder: what they rely on. */
START_TEST(string_operands)
{
	struct insn in;

	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0x2e, 0xf3, 0x67, 0xa5}, 4, 2), 0);
	ck_assert(in.repeats);
	ck_assert_uint_eq(in.seg, SEG_CS);
	ck_assert_uint_eq(in.addrsize, 4);
	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0x64, 0xac}, 2, 4), 0);
	ck_assert(!in.repeats);
	ck_assert_uint_eq(in.seg, SEG_FS);
	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0x26, 0xd7}, 2, 4), 0);
	ck_assert_uint_eq(in.seg, SEG_ES);
	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0xf2, 0xa6}, 2, 4), 0);
	ck_assert(in.repeats);
	ck_assert_uint_eq(in.prefixes, PFX_REPNE);
	/* F2 repeats MOVS as well (vol. 2, REP: undefined, but so do processors). */
	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0xf2, 0xa4}, 2, 4), 0);
	ck_assert(in.repeats);
	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0xf2, 0x6c}, 2, 4), 0);
	ck_assert(in.repeats);
	ck_assert_int_eq(insn_decode(&in, (const uint8_t[]){0xf2, 0xac}, 2, 4), 0);
	ck_assert(in.repeats);
}
END_TEST

START_TEST(checks)
{
	enter_real();
	RAISES(EXC_UD, 0x0f, 0x00, 0xd0); /* LLDT AX */
	RAISES(EXC_UD, 0x0f, 0x02, 0xc0); /* LAR */
	cpu.cr0 |= CR0_PE;
	enter_ring(3);
	RAISES(EXC_GP, 0x0f, 0x00, 0xd0);
	RAISES(EXC_GP, 0xf4); /* HLT */
	RAISES(EXC_GP, 0x0f, 0x22, 0xd8);
	RAISES(EXC_GP, 0x0f, 0x32);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("table");
	TCase *tc = insn_case(s, "table");

	tcase_add_test(tc, rows_are_unique);
	tcase_add_test(tc, specific_forms_first);
	tcase_add_test(tc, classes_have_what_they_need);
	tcase_add_test(tc, encodings_find_their_rows);
	tcase_add_test(tc, string_operands);
	tcase_add_test(tc, checks);
	return run_suite(s);
}
