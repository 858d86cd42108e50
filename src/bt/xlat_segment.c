/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment registers: reading them, and loading them in real-address and V86 mode, where a selector is a paragraph. */
#include "xlat.h"

bool xlat_read_sreg(struct xlat *t)
{
	const struct operand *to = &t->in->op[0];
	unsigned seg = t->in->op[1].reg;

	if (to->kind == OPD_MEM) {
		if (!xlat_segment_usable(t, t->in->seg, true))
			return false;
		struct host_addr at = xlat_operand(t, 2, 0);
		emit_load(&t->e, 2, HOST_T3, AT_CPU(SEG_OFF(seg, selector)));
		emit_store(&t->e, 2, HOST_T3, at);
		return true;
	}
	emit_load(&t->e, 2, HOST_T3, AT_CPU(SEG_OFF(seg, selector)));
	emit_mov(&t->e, to->size, host_reg(to->reg), HOST_T3);
	return true;
}

/* T3: selector. The class of the segment must not depend on its base: see xlat_load_sreg. */
static void set_real(struct xlat *t, unsigned seg)
{
	emit_store(&t->e, 2, HOST_T3, AT_CPU(SEG_OFF(seg, selector)));
	emit_lea(&t->e, 4, HOST_T3, (struct host_addr){REG_NONE, HOST_T3, 8, 0, false, false});
	emit_lea(&t->e, 4, HOST_T3, (struct host_addr){HOST_T3, HOST_T3, 1, 0, false, false});
	emit_store(&t->e, 8, HOST_T3, AT_CPU(SEG_OFF(seg, base)));
}

/* T3 = the selector that the instruction loads. */
static bool load_selector(struct xlat *t)
{
	const struct insn *in = t->in;

	if (in->id == INSN_POP_SREG) {
		if (!xlat_segment_usable(t, SEG_SS, false))
			return false;
		emit_load(&t->e, 2, HOST_T3, xlat_stack(t, 0, in->opsize));
	} else if (in->op[1].kind == OPD_MEM) {
		if (!xlat_segment_usable(t, in->seg, false))
			return false;
		emit_load(&t->e, 2, HOST_T3, xlat_operand(t, 2, 0));
	} else {
		emit_movzx16(&t->e, HOST_T3, host_reg(in->op[1].reg));
	}
	return true;
}

static void pop_selector(struct xlat *t)
{
	if (t->in->id == INSN_POP_SREG)
		xlat_stack_move(t, t->in->opsize);
}

/* A field of the entry of cpu->bt_selector that T0 is the index of, times 8. */
#define AT_SELECTOR(field)                                                                                             \
	((struct host_addr){HOST_CPU, HOST_T0, 4,                                                                      \
			    CPU_OFF(bt_selector) + (int32_t)offsetof(struct selector_entry, field), false, false})

void xlat_save_rcx(struct xlat *t)
{
	struct insn_map *map = xlat_map(t);

	emit_mov(&t->e, 8, HOST_T1, RCX);
	map->flags |= MAP_SWAPPED;
	map->swapped = RCX;
	map->swap_from = xlat_here(t);
}

void xlat_unless_zero(struct xlat *t, uint8_t **slow)
{
	uint8_t *zero = emit_jrcxz(&t->e);

	*slow = emit_jmp(&t->e);
	emit_target8(&t->e, zero);
}

static void take_segment(struct xlat *t, unsigned seg)
{
	emit_load(&t->e, 8, RCX, AT_SELECTOR(seg));
	emit_store(&t->e, 8, RCX, AT_CPU(SEG_OFF(seg, selector)));
	emit_load(&t->e, 8, RCX, AT_SELECTOR(seg.base));
	emit_store(&t->e, 8, RCX, AT_CPU(SEG_OFF(seg, base)));
	emit_mov(&t->e, 8, RCX, HOST_T1);
	pop_selector(t);
}

/* T0 = the selector's index, times 8; goes slow unless the entry is of this selector. */
static void find_selector(struct xlat *t, uint8_t **slow)
{
	emit_mov_imm(&t->e, HOST_T2, (SELECTORS - 1) << 3);
	emit_pext32(&t->e, HOST_T0, HOST_T3, HOST_T2);
	emit_lea(&t->e, 4, HOST_T0, (struct host_addr){REG_NONE, HOST_T0, 8, 0, false, false});
	emit_load(&t->e, 2, RCX, AT_SELECTOR(seg.selector));
	emit_mov(&t->e, 8, HOST_T2, HOST_T3);
	emit_not64(&t->e, HOST_T2);
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, HOST_T2, 1, 1, false, false});
	xlat_unless_zero(t, slow);
}

/* Goes slow unless the descriptor is what it was. */
static void check_descriptor(struct xlat *t, uint8_t **slow)
{
	emit_load(&t->e, 4, HOST_T2, AT_SELECTOR(address));
	emit_load(&t->e, 8, RCX, AT_GS(HOST_T2));
	xlat_map(t)->swap_to = xlat_here(t);
	emit_load(&t->e, 8, HOST_T2, AT_SELECTOR(minus_raw));
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, HOST_T2, 1, 0, false, false});
	xlat_unless_zero(t, slow);
}

/* The segment is of another class: on in the context that it made the last time. */
static void load_and_switch(struct xlat *t, unsigned seg, uint8_t **slow)
{
	unsigned uncounted = t->uncounted;
	uint8_t *unknown;

	emit_load(&t->e, 1, RCX, AT_SELECTOR(class));
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)t->ctx->after_load[seg]);
	emit_load(&t->e, 8, RCX, (struct host_addr){HOST_T2, RCX, 8, 0, false, false});
	unknown = emit_jrcxz(&t->e);
	emit_load(&t->e, 8, HOST_TABLE,
		  (struct host_addr){RCX, REG_NONE, 1, offsetof(struct context, indirect), false, false});
	take_segment(t, seg);
	xlat_count(t);
	emit_mov_imm(&t->e, HOST_T0, t->eip + t->in->len);
	xlat_reloc(t, 4, RELOC_EIP);
	t->branch = BRANCH_UNCOUNTED;
	xlat_jump_table(t);
	t->branch = BRANCH_TABLE;
	emit_target8(&t->e, unknown);
	*slow = emit_jmp(&t->e);
	t->uncounted = uncounted;
}

/* At CPL 0 from the GDT: what the C body found before, while the descriptor is the same (selectors.c). */
static bool load_protected(struct xlat *t, unsigned seg)
{
	uint8_t *slow[3], *same, *done;

	if ((t->ctx->key.flags & (CTX_CPL3 | CTX_COMPAT)) || seg == SEG_SS || !(t->ctx->key.flags & CTX_CODE32) ||
	    !load_selector(t))
		return false;
	xlat_save_rcx(t);
	find_selector(t, &slow[0]);
	check_descriptor(t, &slow[1]);
	emit_load(&t->e, 1, RCX, AT_SELECTOR(class));
	emit_lea(&t->e, 8, RCX,
		 (struct host_addr){RCX, REG_NONE, 1, -(int32_t)context_seg_class(t->ctx, seg), false, false});
	same = emit_jrcxz(&t->e);
	load_and_switch(t, seg, &slow[2]);
	emit_target8(&t->e, same);
	take_segment(t, seg);
	done = emit_jmp(&t->e);
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
		emit_target32_here(&t->e, slow[i]);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_slow_callout(t);
	emit_target32_here(&t->e, done);
	return true;
}

bool xlat_load_sreg(struct xlat *t)
{
	const struct insn *in = t->in;
	unsigned seg = in->op[0].reg;
	bool real = !(t->ctx->key.flags & CTX_PROTECTED) || (t->ctx->key.flags & CTX_V86);

	if (seg == SEG_CS)
		return false;
	if (!real)
		return load_protected(t, seg);
	/* With any other class the loaded value could make it flat or not flat: another context. */
	if (context_seg_class(t->ctx, seg) != SEGC_64K)
		return false;
	/* The instruction behind a load of SS is in its shadow: it must be in this block. */
	if ((seg == SEG_SS && t->last) || !load_selector(t))
		return false;
	pop_selector(t);
	set_real(t, seg);
	if (seg == SEG_SS)
		xlat_map(t)[1].flags |= MAP_NO_EVENT | MAP_BEHIND_SS;
	return true;
}
