/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows the control of a block's code. Loops lead to entries only: once through is enough. */
#include "contain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contain_internal.h"
#include "cpu/cpu.h"

struct contain *contain_create(void)
{
	return calloc(1, sizeof(struct contain));
}

void contain_destroy(struct contain *k)
{
	free(k);
}

static void fail(struct contain *k, const char *why)
{
	if (!k->wrong)
		k->wrong = why;
}

/* Control goes to 64-bit code elsewhere. */
static void leave(struct contain *k)
{
	if (!rsp_in_order(k))
		fail(k, "the delta that is kept for RSP is not near it");
}

static const char not_known[] = "not all is known that is taken for granted behind the probes";

/* Is what those take for granted who enter there? */
static bool all_behind(struct contain *k, unsigned offset)
{
	bool delta = behind_entry(k, offset) == 2;

	return behind_known(k, k->code->near | (uint16_t)(delta ? BIT(k->code->scratch) : 0));
}

/* What is said of the jump. */
static void check_link(struct contain *k)
{
	for (unsigned i = 0; i < k->code->nlinks; i++)
		if (k->code->links[i].at == k->next && !behind_known(k, k->code->links[i].near))
			fail(k, not_known);
}

static bool is_entry(const struct contain *k, unsigned offset)
{
	for (unsigned i = 0; i < CONTAIN_ENTRIES; i++)
		if (k->code->entries[i] == offset)
			return true;
	return false;
}

/* Control goes on there, too, as things are now. */
static void lead_to(struct contain *k, unsigned offset)
{
	struct pending *free_one = NULL;

	if (is_entry(k, offset) || behind_entry(k, offset)) {
		leave(k);
		if (behind_entry(k, offset) && !all_behind(k, offset))
			fail(k, not_known);
		return;
	}
	if (offset <= k->offset) {
		fail(k, "a jump back, to no entry");
		return;
	}
	for (unsigned i = 0; i < PENDING; i++) {
		struct pending *p = &k->pending[i];
		if (p->at == offset) {
			state_meet(k, &p->state, &k->now);
			return;
		}
		if (!p->at)
			free_one = p;
	}
	if (!free_one) {
		fail(k, "too many jumps");
		return;
	}
	free_one->at = offset;
	free_one->state = k->now;
}

static void jump_to(struct contain *k, uint64_t displacement)
{
	uint64_t to = (uint32_t)(k->code->run + k->next + displacement);

	if (to - k->code->run < k->code->len) {
		lead_to(k, (unsigned)(to - k->code->run));
		return;
	}
	for (unsigned i = 0; i < CONTAIN_EXITS; i++)
		if (k->rules->exits[i] == to) {
			if (i == 1)
				leave(k);
			return;
		}
	fail(k, "a jump out of the block");
}

/* Through a table: what it holds, and what that is counted from. */
static void check_indirect(struct contain *k)
{
	const struct operand *op = &k->in.op[0];
	struct value v = op->kind == OPD_GPR ? k->now.gpr[op->reg] : value_constant(0);
	uint64_t miss = v.constant;
	const struct symbol *s;

	v.constant = 0;
	s = value_only(k, &v);
	if (!s || s->kind != SYM_ENTRY || (miss != k->rules->miss[0] && miss != k->rules->miss[1]))
		fail(k, "a jump to what is in no table");
	if (miss == k->rules->miss[1])
		leave(k);
}

/* What RCX being 0 tells, or not being it, is known on one way only. */
static void if_zero(struct contain *k)
{
	unsigned before = k->now.nfacts;

	look_zero(k);
	jump_to(k, k->in.op[0].imm);
	k->now.nfacts = MIN(before, k->now.nfacts);
	look_not_zero(k);
}

static void branch(struct contain *k)
{
	const struct insn *in = &k->in;

	check_link(k);
	switch (in->id) {
	case INSN_JMP_REL:
		jump_to(k, in->op[0].imm);
		k->live = false;
		break;
	case INSN_JMP_IND:
		check_indirect(k);
		k->live = false;
		break;
	case INSN_CALL_REL:
	case INSN_CALL_IND:
	case INSN_RET:
	case INSN_LOOP:
	case INSN_LOOPE:
	case INSN_LOOPNE:
		fail(k, "a transfer that translations are not made of");
		break;
	case INSN_JRCXZ:
	case INSN_JECXZ:
		if_zero(k);
		break;
	default:
		jump_to(k, in->op[0].imm);
	}
}

/* What the monitor does not bring back if it has left before the point and goes on there. */
static void forget_scratch(struct contain *k, const struct contain_point *p)
{
	const struct contain_code *c = k->code;

	k->now.gpr[c->scratch] = value_any(k);
	if (p->delta == CONTAIN_NONE)
		k->now.gpr[c->delta] = value_any(k);
	for (unsigned i = 0; i < SLOTS; i++)
		if (i != offsetof(struct bt_home, rsp_delta) / 8) /* rsp_at_point() */
			k->now.slot[i].n = TERMS + 1;
}

/*
 * Those who come in here have seen to what the point says; so has the code, if it comes here itself. The guest's
 * registers are what the instructions before made of them, whoever has executed these, and what an access before tells
 * of them holds (block.indexes).
 */
static void at_point(struct contain *k, const struct contain_point *p)
{
	const struct contain_code *c = k->code;
	struct value *delta = &k->now.gpr[c->delta], at;
	struct fact f = {.trust = TRUE, .value = value_constant(0), .chunk = c->chunk};
	bool came = k->live;

	if (!came)
		state_reset(k);
	else
		rsp_at_point(k, p->delta);
	k->live = true;
	forget_scratch(k, p);
	state_forget(k, FACT_TRACED); /* states change while the monitor is in */
	state_forget(k, FACT_KNOWN);
	for (unsigned r = 0; r < 16; r++) {
		f.value = k->now.gpr[r];
		if (!(p->near >> r & 1))
			continue;
		if (!came)
			state_learn(k, &f);
		else if (!value_near(k, &f.value, c->chunk))
			fail(k, "a register is not where it is said to be");
	}
	if (p->delta == CONTAIN_NONE)
		return;
	at = p->delta == CONTAIN_CHUNK ? value_constant((uint64_t)c->chunk << 32) : k->now.gpr[p->delta];
	if (!came)
		*delta = value_made(k, SYM_DELTA, 0, at);
	at = value_sum(k, at, *delta, 1);
	if (!value_placed(k, &at, 0))
		fail(k, "the delta is not what it is said to be");
}

/* What is known where control comes to. */
static void arrive(struct contain *k)
{
	for (unsigned i = 0; i < PENDING; i++) {
		struct pending *p = &k->pending[i];
		if (p->at != k->offset)
			continue;
		if (k->live)
			state_meet(k, &k->now, &p->state);
		else
			k->now = p->state;
		k->live = true;
		p->at = 0;
	}
	if (is_entry(k, k->offset)) {
		state_reset(k);
		k->live = true;
	}
	if (behind_entry(k, k->offset)) {
		if (k->live && !all_behind(k, k->offset))
			fail(k, not_known);
		if (k->live)
			leave(k);
		behind_enter(k, behind_entry(k, k->offset) == 2);
		k->live = true;
	}
	for (unsigned i = 0; i < k->code->npoints; i++)
		if (k->code->points[i].at == k->offset)
			at_point(k, &k->code->points[i]);
}

static void one_insn(struct contain *k)
{
	const struct contain_code *c = k->code;

	if (insn_decode(&k->in, c->bytes + k->offset, MIN(c->len - k->offset, 15u), 8) || k->in.id == INSN_INVALID) {
		fail(k, "no instruction");
		return;
	}
	k->next = k->offset + k->in.len;
	arrive(k);
	if (!k->live || k->wrong) /* what nobody comes to is checked where somebody does */
		return;
	if (insn_rows[k->in.id].class == CLASS_BRANCH)
		branch(k);
	else
		effect_apply(k);
}

bool contain_check(struct contain *k, const struct contain_rules *rules, const struct contain_code *code, char *why,
		   size_t size)
{
	char text[96];

	k->rules = rules;
	k->code = code;
	k->nsymbols = 0;
	k->wrong = NULL;
	k->live = false;
	for (unsigned i = 0; i < PENDING; i++)
		k->pending[i].at = 0;
	for (unsigned i = 0; i < ARRAY_LEN(k->entered); i++)
		k->entered[i].n = TERMS + 1;
	for (k->offset = 0; k->offset < code->len && !k->wrong; k->offset = k->next)
		one_insn(k);
	for (unsigned i = 0; i < PENDING && !k->wrong; i++)
		if (k->pending[i].at)
			fail(k, "a jump into an instruction");
	if (!k->wrong && k->live)
		fail(k, "control runs off the end");
	if (!k->wrong)
		return true;
	insn_format(&k->in, code->run + k->offset, text, sizeof(text));
	snprintf(why, size, "%s: at byte %u, %s", k->wrong, k->offset, text);
	return false;
}
