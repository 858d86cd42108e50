/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: RSP's delta is in memory (home.rsp_delta) for whoever uses the stack. Between blocks RSP is near an
 * address that is in the chunk that this is the delta of: nobody looks where it is now. Instructions that access the
 * stack where they move RSP see to that by themselves, since the guards around a chunk's place are wider than any of
 * their steps; one that moves it by a constant touches the stack before, unless that has been done in the block; behind
 * all others it is looked up. docs/isolation.md has the argument.
 */
#include "xlat64.h"

static bool keeps(const struct xlat *t)
{
	return opt_on(t->bt->cpu->opt_off, OPT_RSP);
}

static bool within_reach(int64_t apart)
{
	return apart >= -RSP_REACH && apart <= RSP_REACH;
}

bool xlat64_rsp_load(struct xlat *t)
{
	if (!keeps(t))
		return false;
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, rsp_delta));
	t->delta = DELTA_NONE;
	if (opt_on(t->bt->cpu->opt_off, OPT_DELTAS))
		xlat64_serve(t, RSP, 0);
	t->looked_up = false;
	return true;
}

void xlat64_rsp_accessed(struct xlat *t, int32_t disp)
{
	if (!within_reach(disp))
		return;
	t->rsp_sure = true;
	t->rsp_apart = -disp;
}

void xlat64_rsp_taken(struct xlat *t, int32_t apart)
{
	if (!keeps(t))
		return;
	emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, rsp_delta));
	t->rsp_sure = true;
	t->rsp_apart = apart;
}

void xlat64_rsp_forget(struct xlat *t)
{
	t->rsp_sure = t->rsp_stale = false;
	t->rsp_apart = 0;
}

/* By a constant that is added to it? */
static bool moves_rsp(const struct xlat *t, int64_t *by)
{
	unsigned to, from;

	return xlat64_moves(t->in, &to, &from, by) && to == RSP && from == RSP;
}

/* Does the instruction write RSP in a way that its translation does not see to? */
static bool strays(const struct insn *in)
{
	switch (in->id) {
	case INSN_PUSH:
	case INSN_PUSHFQ:
	case INSN_POPFQ:
	case INSN_LEAVE:
	case INSN_CALL_REL:
	case INSN_CALL_IND:
	case INSN_RET:
		return false;
	case INSN_POP:
		return in->op[0].kind == OPD_GPR && in->op[0].reg == RSP;
	default:
		return in->gpr_written & BIT(RSP);
	}
}

/* Does it leave RSP where the delta in memory does not serve? */
bool xlat64_rsp_looks_behind(const struct xlat *t)
{
	int64_t by;

	if (!keeps(t) || !strays(t->in))
		return false;
	return !moves_rsp(t, &by) || !within_reach((t->rsp_sure ? t->rsp_apart : 0) + by);
}

void xlat64_rsp_before(struct xlat *t)
{
	int64_t by;

	if (t->rsp_sure || !keeps(t) || !moves_rsp(t, &by))
		return;
	xlat64_look_up(t, RSP);
	emit_load(&t->e, 1, HOST64_T, (struct host_addr){RSP, HOST64_DELTA, 1, 0, false, false});
	xlat64_rsp_accessed(t, 0);
}

void xlat64_rsp_behind(struct xlat *t)
{
	int64_t by;

	if (!keeps(t) || !strays(t->in))
		return;
	t->rsp_stale = !t->rsp_sure || xlat64_rsp_looks_behind(t);
	if (!t->rsp_stale && moves_rsp(t, &by))
		t->rsp_apart += (int32_t)by;
}

void xlat64_rsp_refresh(struct xlat *t)
{
	int32_t apart = t->apart[RSP];

	if (!t->rsp_stale)
		return;
	t->rsp_stale = false;
	if (!xlat64_serves(t, RSP) || !t->looked_up || !within_reach(apart)) {
		xlat64_look_up_anew(t, RSP);
		apart = 0;
	}
	xlat64_rsp_taken(t, apart);
}

/* The monitor sees to it, and goes on there. */
void xlat64_rsp_leave(struct xlat *t)
{
	xlat64_count(t, HOST64_T);
	emit_mov_imm64(&t->e, HOST64_T, t->eip);
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, target));
	xlat64_end_pair(t);
	emit_jmp_to(&t->e, t->bt->stubs.indirect_miss64);
	t->adapted = true; /* no copies */
}

/* --- transfers --- */

void xlat64_rsp_find(struct xlat *t, bool user, unsigned reg)
{
	if (!keeps(t))
		return;
	emit_mov_imm(&t->e, HOST64_DELTA, SHADOW_VIEW_SHIFT);
	emit_shrx64(&t->e, HOST64_DELTA, reg, HOST64_DELTA);
	emit_load(&t->e, 8, HOST64_T, user ? AT_HOME(t, view[1]) : AT_HOME(t, view[0]));
	emit_load(&t->e, 8, HOST64_DELTA, (struct host_addr){HOST64_T, HOST64_DELTA, 8, 0, false, false});
	emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, rsp_next));
	t->delta = DELTA_NONE;
}

void xlat64_rsp_take_found(struct xlat *t)
{
	if (!keeps(t))
		return;
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, rsp_next));
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, rsp_delta));
}
