/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: the pair, two guest registers that are in memory. Between blocks they are R10 and R11. A loop over all
 * sixteen registers (hashes, ciphers, big numbers) would wait for store and load at each use of them: its blocks keep
 * them in registers and put two others in memory, which they use less. Blocks of one pair that are linked go from one
 * to the other as they are (block.inner); all other ways lead through the exit's stub, which makes the pair R10 and R11
 * again, and the beginning of the block's body.
 */
#include <string.h>

#include "xlat64.h"

static const uint8_t between[2] = {R10, R11};

bool xlat64_is_plain(const struct insn *in)
{
	switch (insn_rows[in->id].class) {
	case CLASS_IDENT:
	case CLASS_BRANCH:
		return true;
	default:
		return in->id == INSN_PUSH || in->id == INSN_POP || in->id == INSN_LEAVE;
	}
}

bool xlat64_loops(const struct insn *in, unsigned offset)
{
	return insn_rows[in->id].class == CLASS_BRANCH && in->op[0].kind == OPD_REL &&
	       !(offset + in->len + in->op[0].imm);
}

static bool has(const uint8_t pair[2], unsigned reg)
{
	return pair[0] == reg || pair[1] == reg;
}

void xlat64_begin_pair(struct xlat *t)
{
	const uint8_t *pair = t->b->pair;
	bool first = !xlat_here(t); /* else something is counted here */

	for (unsigned i = 0; i < 2; i++)
		if (!has(between, pair[i]))
			xlat64_store_reg(t, 8, pair[i], pair[i]);
	for (unsigned i = 0; i < 2; i++)
		if (!has(pair, between[i]))
			emit_load(&t->e, 8, between[i], AT_HOME_GPR(t, between[i]));
	memcpy(t->pair, pair, sizeof(t->pair));
	t->delta = DELTA_NONE;
	t->b->inner = first ? (uint8_t)xlat_here(t) : 0;
}

void xlat64_end_pair(struct xlat *t)
{
	const uint8_t *pair = t->b->pair;

	for (unsigned i = 0; i < 2; i++)
		if (!has(pair, between[i]))
			xlat64_store_reg(t, 8, between[i], between[i]);
	for (unsigned i = 0; i < 2; i++)
		if (!has(between, pair[i]))
			emit_load(&t->e, 8, pair[i], AT_HOME_GPR(t, pair[i]));
	memcpy(t->pair, between, sizeof(t->pair));
}

/* For links to blocks of other pairs the stub has a jump of its own behind that. */
void xlat64_stub(struct xlat *t, const struct bt_exit *x)
{
	if (!memcmp(t->b->pair, between, sizeof(between)))
		return;
	xlat64_end_pair(t);
	t->b->ending = (uint8_t)(xlat_here(t) - x->stub);
	emit_jmp(&t->e); /* to what follows, first */
}

/* --- the choice --- */

enum {
	FIRST = R8, /* encodings of R8 to R15 are of one length: one may stand for another */
	CANDIDATES = GPR_COUNT - FIRST,
	/* Of an instruction with a register that is in memory, in host instructions, roughly: */
	COST_READ = 2,
	COST_WRITE = 2,
	COST_WAIT = 4,	   /* it is written from what it was */
	COST_ADDRESS = 12, /* cannot be known to be near */
	COST_CHANGE = 12,  /* of beginning and ending a pair of the block's own */
	COST_LEAST = 8,	   /* worth it */
	WEIGHT = 64,	   /* of the first instructions, before a branch leaves the block */
};

static unsigned cost_of(const struct insn *in, unsigned reg)
{
	unsigned cost = 0;

	if (in->has_mem && (in->base == reg || in->index == reg))
		cost += in->agen ? COST_READ : COST_ADDRESS;
	else if (in->gpr_read & BIT(reg))
		cost += COST_READ;
	if (in->gpr_written & BIT(reg))
		cost += cost ? COST_WAIT : COST_WRITE;
	return cost;
}

void xlat64_choose_pair(struct xlat *t, const struct insn *ins, unsigned count)
{
	const struct block *from = t->bt->coming_from;
	unsigned cost[CANDIDATES] = {0}, weight = WEIGHT, change = COST_CHANGE * WEIGHT, best;
	unsigned offset = 0;

	if (t->like)
		memcpy(t->b->pair, t->like->pair, sizeof(t->b->pair));
	if (t->like || !opt_on(t->bt->cpu->opt_off, OPT_PAIRS))
		return;
	for (unsigned i = 0; i < count; i++) {
		if (!xlat64_is_plain(&ins[i]))
			return;
		for (unsigned r = 0; r < CANDIDATES; r++)
			cost[r] += weight * cost_of(&ins[i], FIRST + r);
		if (xlat64_loops(&ins[i], offset))
			change = COST_CHANGE * WEIGHT / 4;
		if (insn_rows[ins[i].id].class == CLASS_BRANCH)
			weight -= weight / 8;
		offset += ins[i].len;
	}
	best = cost[R10 - FIRST] + cost[R11 - FIRST];
	if (from && memcmp(from->pair, between, sizeof(between)))
		best += change;
	else
		best = best > COST_LEAST * WEIGHT ? best - COST_LEAST * WEIGHT : 0;
	for (unsigned a = 0; a < CANDIDATES; a++) {
		for (unsigned b = a + 1; b < CANDIDATES; b++) {
			const uint8_t pair[2] = {(uint8_t)(FIRST + a), (uint8_t)(FIRST + b)};
			unsigned shared = has(between, pair[0]) + has(between, pair[1]), sum;
			bool same = from && !memcmp(from->pair, pair, sizeof(pair));
			if (shared == 2)
				continue;
			sum = cost[a] + cost[b] + (same ? 0 : change / (1 + shared));
			if (sum >= best)
				continue;
			best = sum;
			memcpy(t->b->pair, pair, sizeof(pair));
		}
	}
}
