/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stack instructions: the access first, then the stack pointer, so that faults are precise. A row of them moves it
 * once: esp_pending is what HOST_ESP lacks meanwhile, insn_map says so to who stops or faults half-way. It is made up
 * for with LEA, so that flags live on.
 */
#include "xlat.h"

/* That much may HOST_ESP lack: insn_map.esp holds it, and a displacement of 8 bits as a rule. */
enum { LAG_MAX = 112 };

bool xlat_stack_is_flat(const struct xlat *t)
{
	return xlat_wide_stack(t) && context_seg_class(t->ctx, SEG_SS) == SEGC_FLAT;
}

struct host_addr xlat_stack(struct xlat *t, int32_t delta, unsigned size)
{
	struct host_addr at = {HOST_ESP, REG_NONE, 1, delta + t->esp_pending, true, true};

	if (xlat_stack_is_flat(t))
		return at;
	emit_lea(&t->e, 4, HOST_T0, at);
	if (!xlat_wide_stack(t))
		emit_movzx16(&t->e, HOST_T0, HOST_T0);
	xlat_segment_apply(t, SEG_SS, size, !xlat_wide_stack(t));
	return AT_GS(HOST_T0);
}

void xlat_stack_move(struct xlat *t, int32_t delta)
{
	if (xlat_wide_stack(t)) {
		t->esp_pending += delta;
		if (!opt_on(t->bt->cpu->opt_off, OPT_STACK) || !xlat_stack_may_lag(t) || t->esp_pending > LAG_MAX ||
		    t->esp_pending < -LAG_MAX)
			xlat_stack_update(t);
		return;
	}
	emit_lea(&t->e, 4, HOST_T2, (struct host_addr){HOST_ESP, REG_NONE, 1, delta, false, false});
	emit_mov(&t->e, 2, HOST_ESP, HOST_T2);
}

void xlat_stack_update_aside(struct xlat *t)
{
	if (t->esp_pending)
		emit_lea(&t->e, 4, HOST_ESP, (struct host_addr){HOST_ESP, REG_NONE, 1, t->esp_pending, false, false});
}

void xlat_stack_update(struct xlat *t)
{
	xlat_stack_update_aside(t);
	t->esp_pending = 0;
}

bool xlat_stack_copies(const struct insn *in)
{
	return in->id == INSN_MOV && in->opsize == 4 && in->op[0].kind == OPD_GPR && in->op[0].reg != RSP &&
	       in->op[1].kind == OPD_GPR && in->op[1].reg == RSP;
}

bool xlat_stack_may_lag(const struct xlat *t)
{
	const struct insn *in = t->in;

	if (xlat_stack_copies(in))
		return true;
	for (unsigned i = 0; i < in->noperands; i++)
		if (in->op[i].kind == OPD_GPR && in->op[i].reg == RSP)
			return false;
	if (insn_rows[in->id].class == CLASS_IDENT)
		return true;
	switch (in->id) {
	case INSN_PUSH:
	case INSN_POP:
	case INSN_CALL_REL:
	case INSN_CALL_IND:
	case INSN_RET:
	case INSN_LEAVE:
		return true;
	}
	return false;
}

static bool stack_usable(const struct xlat *t)
{
	return xlat_segment_usable(t, SEG_SS, true);
}

bool xlat_push(struct xlat *t)
{
	const struct operand *op = &t->in->op[0];
	unsigned size = t->in->opsize;

	if (!stack_usable(t) || (op->kind == OPD_MEM && !xlat_segment_usable(t, t->in->seg, false)))
		return false;
	switch (op->kind) {
	case OPD_GPR:
		emit_store(&t->e, size, host_reg(op->reg), xlat_stack(t, -(int32_t)size, size));
		break;
	case OPD_IMM:
		emit_store_imm(&t->e, size, (uint32_t)op->imm, xlat_stack(t, -(int32_t)size, size));
		break;
	case OPD_MEM:
		emit_load(&t->e, size, HOST_T3, xlat_operand(t, size, 0));
		emit_store(&t->e, size, HOST_T3, xlat_stack(t, -(int32_t)size, size));
		break;
	default:
		return false;
	}
	xlat_stack_move(t, -(int32_t)size);
	return true;
}

bool xlat_push_sreg(struct xlat *t)
{
	unsigned size = t->in->opsize;

	if (!stack_usable(t))
		return false;
	/* 32-bit pushes write two bytes of four, as recent processors do (volume 2, PUSH). */
	emit_load(&t->e, 2, HOST_T3, AT_CPU(SEG_OFF(t->in->op[0].reg, selector)));
	emit_store(&t->e, 2, HOST_T3, xlat_stack(t, -(int32_t)size, 2));
	xlat_stack_move(t, -(int32_t)size);
	return true;
}

static bool pop_memory(struct xlat *t, unsigned size)
{
	/* An address with ESP counts from the stack pointer behind the POP (volume 2, POP). */
	int32_t more = t->in->base == RSP ? (int32_t)size : 0;

	if (!xlat_segment_usable(t, t->in->seg, true) || (more && !xlat_wide_stack(t)))
		return false;
	emit_load(&t->e, size, HOST_T3, xlat_stack(t, 0, size));
	emit_store(&t->e, size, HOST_T3, xlat_operand(t, size, more));
	xlat_stack_move(t, (int32_t)size);
	return true;
}

bool xlat_pop(struct xlat *t)
{
	const struct operand *op = &t->in->op[0];
	unsigned size = t->in->opsize;

	if (!stack_usable(t))
		return false;
	if (op->kind == OPD_MEM)
		return pop_memory(t, size);
	if (op->reg == RSP) { /* the value replaces the moved pointer */
		emit_load(&t->e, size, HOST_T3, xlat_stack(t, 0, size));
		if (size == 2)
			xlat_stack_move(t, 2);
		emit_mov(&t->e, size, HOST_ESP, HOST_T3);
		return true;
	}
	emit_load_part(&t->e, size, op->reg, xlat_stack(t, 0, size));
	xlat_stack_move(t, (int32_t)size);
	return true;
}

/* PUSHA and POPA take registers in this order from the highest address down. */
static const uint8_t pusha_order[8] = {RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI};

/* SS:[SP + delta], from where eight words lie; faults if any of them is beyond the limit or behind the wrap-around of
 * SP. */
static struct host_addr eight_words(struct xlat *t, int32_t delta, unsigned size)
{
	if (xlat_wide_stack(t))
		return xlat_stack(t, delta, 8 * size);
	emit_lea(&t->e, 4, HOST_T0, (struct host_addr){HOST_ESP, REG_NONE, 1, delta, false, false});
	emit_movzx16(&t->e, HOST_T0, HOST_T0);
	xlat_check_64k(t, 8 * size);
	xlat_segment_apply(t, SEG_SS, 8 * size, true);
	return AT_GS(HOST_T0);
}

bool xlat_pusha(struct xlat *t)
{
	int32_t size = t->in->opsize;
	struct host_addr at;

	if (!stack_usable(t))
		return false;
	at = eight_words(t, -8 * size, (unsigned)size);
	for (int32_t i = 7; i >= 0; i--, at.disp += size)
		emit_store(&t->e, (unsigned)size, host_reg(pusha_order[i]), at);
	xlat_stack_move(t, -8 * size);
	return true;
}

bool xlat_popa(struct xlat *t)
{
	int32_t size = t->in->opsize;
	struct host_addr at;

	if (!stack_usable(t))
		return false;
	at = eight_words(t, 0, (unsigned)size);
	/* Both ends first: no register is loaded before all that can fault has been touched. */
	emit_load(&t->e, (unsigned)size, HOST_T3, at);
	at.disp += 7 * size;
	emit_load(&t->e, (unsigned)size, HOST_T3, at);
	for (int32_t i = 0; i < 8; i++, at.disp -= size)
		if (pusha_order[i] != RSP)
			emit_load_part(&t->e, (unsigned)size, pusha_order[i], at);
	xlat_stack_move(t, 8 * size);
	return true;
}

bool xlat_leave(struct xlat *t)
{
	int32_t size = t->in->opsize;
	struct host_addr frame = {RBP, REG_NONE, 1, 0, true, true};

	if (!stack_usable(t))
		return false;
	if (!xlat_stack_is_flat(t)) {
		if (xlat_wide_stack(t))
			emit_mov(&t->e, 4, HOST_T0, RBP);
		else
			emit_movzx16(&t->e, HOST_T0, RBP);
		xlat_segment_apply(t, SEG_SS, (unsigned)size, !xlat_wide_stack(t));
		frame = AT_GS(HOST_T0);
	}
	emit_load(&t->e, (unsigned)size, HOST_T3, frame);
	emit_mov(&t->e, xlat_wide_stack(t) ? 4 : 2, HOST_ESP, RBP);
	t->esp_pending = 0;
	xlat_stack_move(t, size);
	emit_mov(&t->e, (unsigned)size, RBP, HOST_T3);
	return true;
}
