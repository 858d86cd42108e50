/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: RET, indirect JMP and CALL through a table of landings (landings.c), and where they land. A landing
 * compares all of RIP: by CMP, if flags are dead at the block's beginning, else by what changes no flags.
 */
#include <string.h>

#include "xlat64.h"

/* Those that write all of them, whatever their operands are. */
static bool writes_flags(const struct insn *in)
{
	switch (in->id) {
	case INSN_ADD:
	case INSN_SUB:
	case INSN_AND:
	case INSN_OR:
	case INSN_XOR:
	case INSN_CMP:
	case INSN_TEST:
	case INSN_NEG:
		return true;
	default:
		return false;
	}
}

/* Does nobody see in which way flags are dead? Not one who stops between here and there: in what it is told of them
 * there is nothing that it has use for. */
static bool flags_dead(const struct insn *ins, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct insn *in = &ins[i];
		bool known = insn_rows[in->id].class == CLASS_IDENT || in->id == INSN_PUSH || in->id == INSN_POP ||
			     in->id == INSN_LEAVE;
		if (!known || (in->flags_read & FLAGS_ARITH))
			return false;
		if (writes_flags(in))
			return true;
	}
	return false;
}

void xlat64_choose_landing(struct xlat *t, const struct insn *ins, unsigned count)
{
	t->b->landing = t->like ? t->like->landing : t->ctx->landings && !t->bt->coming_from;
	t->b->flags_dead = t->b->landing && flags_dead(ins, count);
}

static void to_no_landing(struct xlat *t, uint8_t *displacement)
{
	emit_target32(&t->e, displacement, t->bt->stubs.no_landing);
}

static bool is_32(uint64_t v)
{
	return v == (uint64_t)(int64_t)(int32_t)v;
}

static void compare(struct xlat *t, uint64_t rip)
{
	if (is_32(rip)) {
		emit_op_reg(&t->e, 8, 0x81, ALU_CMP, R10);
		emit32(&t->e, (uint32_t)rip);
	} else {
		emit_mov_imm64(&t->e, R11, rip);
		emit_op_reg(&t->e, 8, 0x39, R11, R10); /* CMP */
	}
	to_no_landing(t, emit_jcc(&t->e, CC_NE));
}

/* RCX is in R11 meanwhile. */
static void compare_by_count(struct xlat *t, uint64_t minus)
{
	uint8_t *same;

	emit_mov(&t->e, 8, R11, RCX);
	if (is_32(minus)) {
		emit_lea(&t->e, 8, RCX, (struct host_addr){R10, REG_NONE, 1, (int32_t)minus, false, false});
	} else {
		emit_mov_imm64(&t->e, RCX, minus);
		emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, R10, 1, 0, false, false});
	}
	same = emit_jrcxz(&t->e);
	emit_mov(&t->e, 8, RCX, R11);
	to_no_landing(t, emit_jmp(&t->e));
	emit_target8(&t->e, same);
	emit_mov(&t->e, 8, RCX, R11);
}

void xlat64_landing(struct xlat *t)
{
	if (t->b->flags_dead)
		compare(t, t->b->eip);
	else
		compare_by_count(t, 0 - t->b->eip);
}

void xlat64_jump_landing(struct xlat *t)
{
	emit_movzx16(&t->e, R11, R10);
	emit_op_mem(&t->e, 4, 0xff, 4,
		    (struct host_addr){REG_NONE, R11, 8, bt_landings_displacement(t->ctx), true, false});
}

void xlat64_no_landing(struct bt *bt, size_t *used)
{
	struct xlat t;

	memset(&t, 0, offsetof(struct xlat, relocs));
	t.bt = bt;
	t.ctx = &bt->contexts[0]; /* of none yet */
	t.pair[0] = R10;
	t.pair[1] = R11;
	t.e = (struct emit){.end = bt->cache_write + bt->cache_bytes, .run = bt->cache_run + *used};
	t.e.p = t.e.start = bt->cache_write + *used;
	bt->stubs.no_landing = t.e.run;
	emit_store(&t.e, 8, R10, AT_HOME(&t, target));
	if (xlat64_probes(&t))
		xlat64_probe_canonical(&t);
	emit_mov(&t.e, 4, R10, R10);
	xlat64_through_table(&t);
	*used = ALIGN_UP((size_t)(t.e.p - bt->cache_write), 16);
}
