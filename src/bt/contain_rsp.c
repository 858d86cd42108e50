/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bt_home.rsp_delta (xlat64_rsp.c). Whoever enters a block has there the delta of a chunk that has an address in it
 * which RSP is near, and whoever leaves leaves it so: the delta is of an address that was looked up in this block, or
 * one has been accessed by it, and RSP is within RSP_REACH of that; or RSP has not changed.
 */
#include "contain_internal.h"
#include "xlat64.h"

/* symbol.count of the delta that was there in the beginning. */
enum { ENTERED = 1 };

static struct value *kept(struct contain *k)
{
	return &k->now.slot[offsetof(struct bt_home, rsp_delta) / 8];
}

/* The symbol that it is; false: none. */
static bool kept_symbol(struct contain *k, uint32_t *symbol)
{
	const struct value *v = kept(k);

	if (v->n != 1 || !value_only(k, v) || value_only(k, v)->kind != SYM_DELTA)
		return false;
	*symbol = v->term[0].symbol;
	return true;
}

/* Twice that: rsp_at_point(). */
void rsp_reset(struct contain *k)
{
	struct value of = value_symbol(k, SYM_ANY, -2 * RSP_REACH, 2 * RSP_REACH);

	if (k->rules->rsp_kept)
		*kept(k) = value_made(k, SYM_DELTA, ENTERED, value_sum(k, k->now.gpr[RSP], of, 1));
}

static bool near(struct contain *k, const struct value *of, int64_t reach)
{
	struct value apart = value_sum(k, k->now.gpr[RSP], *of, -1);

	return value_within(k, &apart, -reach, reach);
}

void rsp_accessed(struct contain *k, const struct value *address, uint32_t delta)
{
	struct fact f = {.kind = FACT_LAST, .value = *address, .mask = delta};
	uint32_t symbol;

	if (!k->rules->rsp_kept)
		return;
	state_forget(k, FACT_LAST);
	state_learn(k, &f);
	if (!kept_symbol(k, &symbol) || symbol != delta || !near(k, address, RSP_REACH))
		return;
	f.kind = FACT_TOUCHED;
	state_forget(k, FACT_TOUCHED);
	state_learn(k, &f);
}

static const struct fact *fact_of(const struct contain *k, enum fact_kind kind)
{
	for (unsigned i = 0; i < k->now.nfacts; i++)
		if (k->now.fact[i].kind == kind)
			return &k->now.fact[i];
	return NULL;
}

void rsp_stored(struct contain *k)
{
	const struct fact *last;
	uint32_t symbol;
	struct fact f;

	state_forget(k, FACT_TOUCHED);
	last = fact_of(k, FACT_LAST);
	if (!last || !kept_symbol(k, &symbol) || last->mask != symbol)
		return;
	f = *last;
	f.kind = FACT_TOUCHED;
	state_learn(k, &f);
}

bool rsp_in_order(struct contain *k)
{
	const struct fact *touched = fact_of(k, FACT_TOUCHED);
	uint32_t symbol;
	int64_t reach;

	if (!k->rules->rsp_kept)
		return true;
	if (!kept_symbol(k, &symbol))
		return false;
	reach = k->symbols[symbol].count == ENTERED ? 2 * RSP_REACH : RSP_REACH;
	return near(k, &k->symbols[symbol].of, reach) ||
	       (touched && touched->mask == symbol && near(k, &touched->value, RSP_REACH));
}

/*
 * If all is in order here it will be behind: RSP is within RSP_REACH of the address that was accessed or looked up, and
 * will be when the block is left, so it will be within twice that of where it is now, which is what the monitor's delta
 * is of. If not, nothing of before is relied on. What the monitor has in the register for deltas is the same one only
 * if it is RSP's.
 */
void rsp_at_point(struct contain *k, unsigned delta)
{
	struct value *held = &k->now.gpr[k->code->delta];
	const struct symbol *s = value_only(k, held);
	uint32_t symbol;

	if (!k->rules->rsp_kept)
		return;
	state_forget(k, FACT_LAST);
	if (!rsp_in_order(k)) {
		kept(k)->n = TERMS + 1;
		state_forget(k, FACT_TOUCHED);
	} else if (delta != RSP && s && kept_symbol(k, &symbol) && held->term[0].symbol == symbol) {
		*held = value_made(k, SYM_DELTA, 0, s->of);
	}
}
