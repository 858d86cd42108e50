/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUSHF, POPF, CLI, STI on their common paths: they raise nothing, and nothing changes that the context depends on.
 * Arithmetic flags and DF are the host's; the others are in struct cpu, whose copies of the former are stale meanwhile.
 */
#include "xlat.h"

/* A POPF that changes any of these is left to the C body. */
#define FLAGS_SLOW ((uint32_t)(FLAG_TF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID))

/* IF can be changed. */
static bool allowed(const struct xlat *t)
{
	return !(t->ctx->key.flags & CTX_PROTECTED) ||
	       ((t->ctx->key.flags & CTX_IOPL) && !(t->ctx->key.flags & CTX_V86));
}

void xlat_mask(struct xlat *t, unsigned reg, uint32_t bits, unsigned temp)
{
	emit_mov_imm(&t->e, temp, bits);
	emit_pext32(&t->e, reg, reg, temp);
	emit_pdep32(&t->e, reg, reg, temp);
}

void xlat_flags_image(struct xlat *t, unsigned to, unsigned other, unsigned temp)
{
	emit_pushf(&t->e);
	emit_pop(&t->e, to);
	xlat_mask(t, to, FLAGS_LIVE | (uint32_t)FLAG_1, temp);
	emit_load(&t->e, 4, other, AT_CPU(CPU_OFF(rflags)));
	xlat_mask(t, other, (uint32_t)(FLAGS_ALL & ~(FLAG_VM | FLAG_RF)) & ~FLAGS_LIVE, temp);
	emit_lea(&t->e, 4, to, (struct host_addr){(uint8_t)to, (uint8_t)other, 1, 0, false, false});
}

static bool pushf(struct xlat *t)
{
	unsigned size = t->in->opsize;

	if ((t->ctx->key.flags & CTX_V86) || !xlat_segment_usable(t, SEG_SS, true))
		return false;
	xlat_flags_image(t, HOST_T3, HOST_T1, HOST_T2);
	emit_store(&t->e, size, HOST_T3, xlat_stack(t, -(int32_t)size, size));
	xlat_stack_move(t, -(int32_t)size);
	return true;
}

void xlat_alu_imm(struct xlat *t, unsigned n, unsigned reg, uint32_t imm)
{
	emit_op_reg(&t->e, 4, 0x81, n, reg);
	emit32(&t->e, imm);
}

void xlat_test_imm(struct xlat *t, unsigned reg, uint32_t imm)
{
	emit_op_reg(&t->e, 4, 0xf7, 0, reg);
	emit32(&t->e, imm);
}

void xlat_take_flags(struct xlat *t, unsigned reg)
{
	xlat_alu_imm(t, ALU_AND, reg, FLAGS_LIVE);
	xlat_alu_imm(t, ALU_OR, reg,
		     (uint32_t)(FLAG_1 | FLAG_IF)); /* the host's own IF: POPF in user mode ignores it */
	emit_push(&t->e, reg);
	emit_popf(&t->e);
}

/* Flags are dead from the load on: POPF, or its C body, replaces them all. Where IF cannot be changed, what is popped
 * for it does not matter. */
static bool popf(struct xlat *t)
{
	bool may_change = allowed(t);
	unsigned size = t->in->opsize;
	uint8_t *slow[2], *same = NULL, *off, *done;
	uint32_t watched = size == 2 ? FLAGS_SLOW & 0xffff : FLAGS_SLOW;

	if ((t->ctx->key.flags & CTX_V86) || !xlat_segment_usable(t, SEG_SS, false))
		return false;
	emit_load(&t->e, size, HOST_T3, xlat_stack(t, 0, size));
	emit_load(&t->e, 4, HOST_T1, AT_CPU(CPU_OFF(rflags)));
	emit_op_reg(&t->e, 4, 0x31, HOST_T3, HOST_T1); /* xor: what changes */
	xlat_test_imm(t, HOST_T1, watched);
	slow[0] = emit_jcc8(&t->e, CC_NE);
	if (may_change) {
		xlat_test_imm(t, HOST_T1, (uint32_t)FLAG_IF);
		same = emit_jcc8(&t->e, CC_E);
		xlat_test_imm(t, HOST_T3, (uint32_t)FLAG_IF);
		off = emit_jcc8(&t->e, CC_E);
		emit_op_mem(&t->e, 1, 0x80, ALU_CMP, AT_CPU(CPU_OFF(intr))); /* an interrupt waits for IF */
		emit8(&t->e, 0);
		slow[1] = emit_jcc8(&t->e, CC_NE);
		emit_target8(&t->e, off);
		emit_op_mem(&t->e, 4, 0x81, ALU_XOR, AT_CPU(CPU_OFF(rflags)));
		emit32(&t->e, (uint32_t)FLAG_IF);
		emit_target8(&t->e, same);
	}
	xlat_stack_move(t, (int32_t)size);
	xlat_take_flags(t, HOST_T3);
	done = emit_jmp8(&t->e);
	emit_target8(&t->e, slow[0]);
	if (may_change)
		emit_target8(&t->e, slow[1]);
	xlat_slow_callout(t);
	emit_target8(&t->e, done);
	return true;
}

static bool cli(struct xlat *t)
{
	if (!allowed(t))
		return false;
	emit_load(&t->e, 4, HOST_T1, AT_CPU(CPU_OFF(rflags)));
	xlat_mask(t, HOST_T1, (uint32_t)(FLAGS_ALL | FLAG_1) & ~(uint32_t)FLAG_IF, HOST_T2);
	emit_store(&t->e, 4, HOST_T1, AT_CPU(CPU_OFF(rflags)));
	return true;
}

/* The next instruction is in STI's shadow: it must be in this block. */
static bool sti(struct xlat *t)
{
	uint8_t *quiet, *done;

	if (!allowed(t) || t->last)
		return false;
	emit_mov(&t->e, 8, HOST_T1, RCX);
	emit_load(&t->e, 1, RCX, AT_CPU(CPU_OFF(intr)));
	quiet = emit_jecxz(&t->e);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_slow_callout(t);
	done = emit_jmp8(&t->e);
	emit_target8(&t->e, quiet);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_load(&t->e, 4, HOST_T1, AT_CPU(CPU_OFF(rflags)));
	xlat_mask(t, HOST_T1, (uint32_t)(FLAGS_ALL | FLAG_1) & ~(uint32_t)FLAG_IF, HOST_T2);
	emit_lea(&t->e, 4, HOST_T1, (struct host_addr){HOST_T1, REG_NONE, 1, (int32_t)FLAG_IF, false, false});
	emit_store(&t->e, 4, HOST_T1, AT_CPU(CPU_OFF(rflags)));
	emit_target8(&t->e, done);
	xlat_map(t)[1].flags |= MAP_NO_EVENT;
	return true;
}

bool xlat_flags(struct xlat *t)
{
	switch (t->in->id) {
	case INSN_PUSHF:
	case INSN_PUSHFD:
		return pushf(t);
	case INSN_POPF:
	case INSN_POPFD:
		return popf(t);
	case INSN_CLI:
		return cli(t);
	case INSN_STI:
		return sti(t);
	default:
		return false;
	}
}
