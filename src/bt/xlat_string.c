/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions on flat segments run as they are, with RSI and RDI rebased to host addresses: the window is a multiple of 4 GiB, so their low halves are the guest's
 * registers at every moment, half-way through a repetition too.
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
	emit_lea(&t->e, 8, reg, (struct host_addr){HOST_WINDOW, (uint8_t)reg, 1, 0, false, false});
}

static bool flat_string(struct xlat *t, unsigned uses)
{
	struct insn_map *map = xlat_map(t);

	map->flags |= MAP_STRING;
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

bool xlat_string(struct xlat *t)
{
	unsigned uses = pointers(t->in->id);

	if (!uses || t->in->addrsize != 4)
		return false;
	if ((uses & USES_SI) && !flat(t, t->in->seg, false))
		return false;
	if ((uses & USES_DI) && !flat(t, SEG_ES, true))
		return false;
	return flat_string(t, uses);
}
