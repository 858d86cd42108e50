/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions. On flat segments they run as they are, with RSI and RDI rebased to host addresses: the window is
 * a multiple of 4 GiB, so their low halves are the guest's registers at every moment, half-way through a repetition
 * too.
 */
#include "xlat.h"

enum { USES_SI = 1, USES_DI = 2 };

static unsigned pointers(uint16_t id)
{
	switch (id) {
	case INSN_MOVSB:
	case INSN_MOVSW:
	case INSN_MOVSD_STRING:
	case INSN_CMPSB:
	case INSN_CMPSW:
	case INSN_CMPSD_STRING:
		return USES_SI | USES_DI;
	case INSN_LODSB:
	case INSN_LODSW:
	case INSN_LODSD:
		return USES_SI;
	case INSN_STOSB:
	case INSN_STOSW:
	case INSN_STOSD:
	case INSN_SCASB:
	case INSN_SCASW:
	case INSN_SCASD:
		return USES_DI;
	default:
		return 0;
	}
}

static bool flat(const struct xlat *t, unsigned seg, bool write)
{
	return context_seg_class(t->ctx, seg) == SEGC_FLAT && xlat_segment_usable(t, seg, write);
}

static void rebase(struct xlat *t, unsigned reg)
{
	uint8_t window = HOST_WINDOW;

	if (t->user) {
		xlat_choose_window(t, reg);
		window = HOST_T1;
	}
	emit_lea(&t->e, 8, reg, (struct host_addr){window, (uint8_t)reg, 1, 0, false, false});
}

/* What tells, half-way, how it began. */
static void before_repetition(struct xlat *t)
{
	emit_store(&t->e, 4, RCX, AT_CPU(CPU_OFF(bt_rep_count)));
	if (!insn_compares_strings(t->in))
		return;
	emit_pushf(&t->e);
	emit_pop(&t->e, HOST_T0);
	emit_store(&t->e, 8, HOST_T0, AT_CPU(CPU_OFF(bt_flags)));
}

static bool flat_string(struct xlat *t, unsigned uses)
{
	struct insn_map *map = xlat_map(t);

	map->flags |= MAP_STRING;
	if (t->in->repeats)
		before_repetition(t);
	if (uses & USES_SI)
		rebase(t, RSI);
	if (uses & USES_DI)
		rebase(t, RDI);
	map->swap_from = xlat_here(t);
	if (t->in->opsize == 2 && (t->in->bytes[t->in->opcode_off] & 1))
		emit8(&t->e, 0x66);
	if (t->in->repeats) {
		map->flags |= MAP_REP;
		emit8(&t->e, t->in->prefixes & PFX_REPNE ? 0xf2 : 0xf3);
	}
	emit8(&t->e, t->in->bytes[t->in->opcode_off]);
	if (uses & USES_SI)
		emit_mov(&t->e, 4, RSI, RSI);
	if (uses & USES_DI)
		emit_mov(&t->e, 4, RDI, RDI);
	return true;
}

static unsigned element_size(const struct xlat *t)
{
	return t->in->bytes[t->in->opcode_off] & 1 ? t->in->opsize : 1;
}

/* T0 = linear address of the element at SI or DI. */
static void element(struct xlat *t, unsigned reg, unsigned seg)
{
	bool narrow = t->in->addrsize == 2;

	if (narrow)
		emit_movzx16(&t->e, HOST_T0, reg);
	else
		emit_mov(&t->e, 4, HOST_T0, reg);
	xlat_segment_apply(t, seg, element_size(t), narrow);
}

/* T2 = element size, negative if DF: size - 2 * size * DF, by way of the complement of DF. */
static void step_by_direction(struct xlat *t)
{
	unsigned size = element_size(t);

	emit_pushf(&t->e);
	emit_pop(&t->e, HOST_T1);
	emit_mov_imm(&t->e, HOST_T2, (uint32_t)FLAG_DF);
	emit_pext32(&t->e, HOST_T1, HOST_T1, HOST_T2);
	emit_not64(&t->e, HOST_T1);
	emit_lea(&t->e, 8, HOST_T2,
		 (struct host_addr){REG_NONE, HOST_T1, (uint8_t)(2 * size), (int32_t)(3 * size), false, false});
}

static void advance(struct xlat *t, unsigned reg)
{
	struct host_addr sum = {(uint8_t)reg, HOST_T2, 1, 0, false, false};

	if (t->in->addrsize == 2) {
		emit_lea(&t->e, 4, HOST_T1, sum);
		emit_mov(&t->e, 2, reg, HOST_T1);
	} else {
		emit_lea(&t->e, 4, reg, sum);
	}
}

/* One element on any segments, as a load, a store or compare, and the pointers' steps. */
static bool single(struct xlat *t, unsigned uses, bool checked)
{
	unsigned size = element_size(t), value = RAX;
	bool compare = insn_compares_strings(t->in);
	struct host_addr at = AT_GS(HOST_T0);

	if (uses & USES_SI) {
		element(t, RSI, t->in->seg);
		value = uses & USES_DI ? HOST_T3 : RAX;
		emit_load_part(&t->e, size, value, at);
	}
	if (uses & USES_DI) {
		element(t, RDI, SEG_ES);
		if (checked && !compare) {
			xlat_map(t)->flags |= MAP_CHECKED;
			xlat_go_through_alias(t);
			at.gs = false;
		}
		if (compare)
			emit_op_mem(&t->e, size, size == 1 ? 0x3a : 0x3b, value, at); /* CMP reg, mem */
		else
			emit_store(&t->e, size, value, at);
	}
	step_by_direction(t);
	if (uses & USES_SI)
		advance(t, RSI);
	if (uses & USES_DI)
		advance(t, RDI);
	return true;
}

bool xlat_string(struct xlat *t, enum site_level level)
{
	unsigned uses = pointers(t->in->id);
	bool writes = (uses & USES_DI) && !insn_compares_strings(t->in);

	if (!uses || t->in->opsize == 8)
		return false;
	if (level == SITE_PLAIN && t->in->addrsize == 4 && (!(uses & USES_SI) || flat(t, t->in->seg, false)) &&
	    (!(uses & USES_DI) || flat(t, SEG_ES, writes)))
		return flat_string(t, uses);
	/* Repeated ones work in bulk in their C body. */
	if (t->in->repeats || ((uses & USES_SI) && !xlat_segment_usable(t, t->in->seg, false)) ||
	    ((uses & USES_DI) && !xlat_segment_usable(t, SEG_ES, writes)))
		return false;
	return single(t, uses, level == SITE_CHECKED);
}
