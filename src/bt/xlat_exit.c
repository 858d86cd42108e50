/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ways out of a block: links to others, and what leaves for the monitor. */
#include <string.h>

#include "xlat64.h"

enum { ENDS_BLOCK = 1, FLUSHES_TC = 2 };

static const uint8_t callout_effects[INSN_COUNT] = {
#define CALLOUT(id, effects) [INSN_##id] = effects,
#include "callout.def"
#undef CALLOUT
};

bool xlat_callout_ends_block(unsigned id)
{
	return callout_effects[id] & ENDS_BLOCK;
}

static struct bt_exit *new_exit(struct xlat *t, enum exit_kind kind, guest_pc_t target)
{
	struct bt_exit *x = &bt_exits(t->bt, t->b)[t->b->nexits++];

	*x = (struct bt_exit){.from = bt_block_number(t->bt, t->b),
			      .kind = (uint8_t)kind,
			      .insn = (uint8_t)t->n,
			      .distance = (int32_t)(uint32_t)(target - t->b->eip)};
	return x;
}

void xlat_link(struct xlat *t, guest_pc_t target, int cc)
{
	gva_t linear = context_linear(t->ctx, target);
	bool other_page = (linear ^ block_linear(t->b, 0)) >> PAGE_SHIFT || bt_may_cross(linear);
	struct bt_exit *x = new_exit(t, other_page && (t->ctx->key.flags & CTX_PAGED) ? EXIT_TABLE : EXIT_LINK, target);

	xlat_stack_update(t);
	xlat_count(t);
	if (cc < 0)
		emit_jmp(&t->e);
	else
		emit_jcc(&t->e, (unsigned)cc);
	x->patch = (uint16_t)(xlat_here(t) - 4u);
	if (context_code64(t->ctx))
		x->near = xlat64_behind_known(t);
}

void xlat_reloc(struct xlat *t, unsigned back, enum reloc_kind kind)
{
	if (!t->in_body)
		return;
	if (t->nrelocs < MAX_RELOCS)
		t->relocs[t->nrelocs] = (struct bt_reloc){(uint16_t)(xlat_here(t) - back), (uint8_t)kind};
	t->nrelocs++;
}

bool xlat_like(const struct xlat *t, enum reloc_kind kind)
{
	const struct bt_reloc *r = &t->bt->relocs[t->like->relocs];
	const struct insn_map *m = &t->like->map[t->n];

	for (unsigned i = 0; i < t->like->nrelocs; i++)
		if (r[i].kind == kind && r[i].at >= m[0].host && r[i].at < m[1].host)
			return true;
	return false;
}

/* mov r8d, number; jmp stub: leaves for the monitor. */
static void leave(struct xlat *t, const struct bt_exit *x)
{
	if (context_code64(t->ctx)) {
		uint8_t pair[2];
		memcpy(pair, t->pair, sizeof(pair));
		if (t->in_body)
			xlat64_end_pair(t);
		xlat64_leave(t, (uint32_t)(x - t->bt->exits));
		memcpy(t->pair, pair, sizeof(pair)); /* whoever comes back comes to code with the block's */
		return;
	}
	xlat_reloc(t, 0, RELOC_LEAVE);
	emit_mov_imm(&t->e, HOST_T0, (uint32_t)(x - t->bt->exits));
	emit_jmp_to(&t->e, t->bt->stubs.exit);
}

static void callout_exit(struct xlat *t)
{
	struct bt_exit *x = new_exit(t, EXIT_CALLOUT, t->eip);

	t->uncounted--; /* the monitor counts the instruction itself */
	xlat_count(t);
	xlat_stack_update_aside(t);
	x->extra = (uint8_t)(t->bt->ninsns - t->b->insns);
	t->bt->insns[t->bt->ninsns++] = *t->in;
	leave(t, x);
}

void xlat_callout(struct xlat *t)
{
	callout_exit(t);
	t->esp_pending = 0;
	t->delta = DELTA_NONE;
	xlat64_near_forget(t);
	xlat64_rsp_forget(t);
	t->ended = xlat_callout_ends_block(t->in->id);
}

void xlat_slow_callout(struct xlat *t)
{
	unsigned uncounted = t->uncounted;

	callout_exit(t);
	t->uncounted = uncounted; /* on the fast path nothing was counted */
}

void xlat_fault_exit(struct xlat *t, unsigned extra)
{
	struct bt_exit *x = new_exit(t, EXIT_FAULT, t->eip);
	unsigned uncounted = t->uncounted--;

	x->extra = (uint8_t)extra;
	if (insn_rows[t->in->id].checks == CHK_NONE)
		x->extra |= FAULT_ALONE;
	xlat_count(t);
	xlat_stack_update_aside(t);
	leave(t, x);
	t->uncounted = uncounted;
}

void xlat_leave_before(struct xlat *t, enum exit_kind kind)
{
	xlat_count(t);
	xlat_stack_update(t);
	leave(t, new_exit(t, kind, t->eip));
}

void xlat_single_step(struct xlat *t)
{
	t->uncounted--;
	xlat_leave_before(t, EXIT_STEP);
	t->ended = true;
}

void xlat_stubs(struct xlat *t)
{
	t->in_body = false;
	t->b->stubs = xlat_here(t);
	for (unsigned i = 0; i < t->b->nexits; i++) {
		struct bt_exit *x = &bt_exits(t->bt, t->b)[i];
		if (x->kind != EXIT_LINK && x->kind != EXIT_TABLE)
			continue;
		x->stub = xlat_here(t);
		emit_target32_here(&t->e, bt_writable(t->bt, t->b, x->patch));
		if (context_code64(t->ctx))
			xlat64_stub(t, x);
		if (x->kind == EXIT_LINK) {
			leave(t, x);
		} else if (context_code64(t->ctx)) {
			xlat64_jump_table(t, bt_exit_target(t->bt, x));
		} else {
			emit_mov_imm(&t->e, HOST_T0, (uint32_t)bt_exit_target(t->bt, x));
			xlat_jump_table(t);
		}
	}
	t->b->body_len = xlat_here(t);
}
