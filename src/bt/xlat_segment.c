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

bool xlat_load_sreg(struct xlat *t)
{
	const struct insn *in = t->in;
	bool pop = in->id == INSN_POP_SREG;
	unsigned seg = in->op[0].reg;
	bool real = !(t->ctx->key.flags & CTX_PROTECTED) || (t->ctx->key.flags & CTX_V86);

	/* With any other class the loaded value could make it flat or not flat: another context. */
	if (!real || seg == SEG_CS || context_seg_class(t->ctx, seg) != SEGC_64K)
		return false;
	/* The instruction behind a load of SS is in its shadow: it must be in this block. */
	if (seg == SEG_SS && t->last)
		return false;
	if (pop && !xlat_segment_usable(t, SEG_SS, false))
		return false;
	if (pop) {
		unsigned size = in->opsize;
		emit_load(&t->e, 2, HOST_T3, xlat_stack(t, 0, size));
		xlat_stack_move(t, (int32_t)size);
	} else if (in->op[1].kind == OPD_MEM) {
		if (!xlat_segment_usable(t, in->seg, false))
			return false;
		emit_load(&t->e, 2, HOST_T3, xlat_operand(t, 2, 0));
	} else {
		emit_movzx16(&t->e, HOST_T3, host_reg(in->op[1].reg));
	}
	set_real(t, seg);
	if (seg == SEG_SS)
		xlat_map(t)[1].flags |= MAP_NO_EVENT | MAP_BEHIND_SS;
	return true;
}
