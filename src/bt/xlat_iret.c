/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What IRETD (xlat_gate.c) and IRETQ (xlat64_iret.c) of ring 0 have in common, and the ways to the C body that such
 * code has. Fields of struct cpu are named as CPU_OFF() does; where 64-bit code is made, HOST64_DELTA is struct cpu.
 */
#include "xlat64.h"

/* A change of these is left to the C body, ... */
#define IRET_SAME ((uint32_t)(FLAG_NT | FLAG_IOPL | FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID))
/* ... and these if they are set at all. */
#define IRET_CLEAR	((uint32_t)(FLAG_TF | FLAG_NT | FLAG_VM))
#define IRET_CLEAR_USER ((uint32_t)(FLAG_IOPL | FLAG_AC))

uint8_t **xlat_slow_add(struct slow *s)
{
	ASSERT(s->count < ARRAY_LEN(s->at));
	return &s->at[s->count++];
}

void xlat_slow_here(struct xlat *t, const struct slow *s)
{
	for (unsigned i = 0; i < s->count; i++)
		emit_target32_here(&t->e, s->at[i]);
}

static struct host_addr at_cpu(const struct xlat *t, int32_t field)
{
	return context_code64(t->ctx) ? AT_CPU64(field + CPU_BIAS) : AT_CPU(field);
}

void xlat_slow_if_set(struct xlat *t, unsigned reg, uint32_t bits, struct slow *s)
{
	xlat_test_imm(t, reg, bits);
	*xlat_slow_add(s) = emit_jcc(&t->e, CC_NE);
}

void xlat_slow_unless_clear8(struct xlat *t, int32_t field, struct slow *s)
{
	emit_op_mem(&t->e, 1, 0x80, ALU_CMP, at_cpu(t, field));
	emit8(&t->e, 0);
	*xlat_slow_add(s) = emit_jcc(&t->e, CC_NE);
}

void xlat_iret_flags(struct xlat *t, unsigned image, bool user, bool no_rf, struct slow *s)
{
	uint8_t *masked;

	emit_load(&t->e, 4, RCX, at_cpu(t, CPU_OFF(rflags)));
	emit_op_reg(&t->e, 4, 0x31, image, RCX); /* XOR */
	xlat_slow_if_set(t, RCX, IRET_SAME, s);
	xlat_slow_if_set(t, image, IRET_CLEAR | (user ? IRET_CLEAR_USER : 0) | (no_rf ? (uint32_t)FLAG_RF : 0), s);
	xlat_slow_unless_clear8(t, CPU_OFF(nmi_blocked), s);
	xlat_test_imm(t, image, (uint32_t)FLAG_IF);
	masked = emit_jcc8(&t->e, CC_E);
	xlat_slow_unless_clear8(t, CPU_OFF(intr), s);
	emit_target8(&t->e, masked);
}

void xlat_iret_data_segments(struct xlat *t, struct slow *s)
{
	static const uint8_t segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

	_Static_assert(SEG_NULL > SEG_DPL, "one comparison for both");
	for (unsigned i = 0; i < ARRAY_LEN(segs); i++) {
		emit_load(&t->e, 2, RCX, at_cpu(t, SEG_OFF(segs[i], attr)));
		xlat_alu_imm(t, ALU_AND, RCX, SEG_NULL | SEG_DPL);
		xlat_alu_imm(t, ALU_CMP, RCX, SEG_DPL);
		*xlat_slow_add(s) = emit_jcc(&t->e, CC_B);
	}
}

void xlat_take_segment(struct xlat *t, unsigned seg, int32_t from, unsigned temp)
{
	_Static_assert(offsetof(struct ring_selector, seg) == 0 && sizeof(struct segment) == 16, "two halves");
	for (int32_t half = 0; half < 16; half += 8) {
		emit_load(&t->e, 8, temp, at_cpu(t, from + half));
		emit_store(&t->e, 8, temp, at_cpu(t, SEG_OFF(seg, selector) + half));
	}
}
