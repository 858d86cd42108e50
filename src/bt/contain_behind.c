/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries behind probes (xlat64_behind.c). Who enters there has registers within ENTRY_REACH of the chunk; whoever
 * leaves says of which that is so. It is if they are what they were at such an entry, or within NEAR_REACH of what has
 * been compared or accessed since: what moves in each pass of a loop is not near for having been near before.
 */
#include "contain_internal.h"
#include "xlat64.h"

#define CHUNK_MASK ((uint32_t)BIT(20) - 1) /* of a chunk's number, what probes compare */

unsigned behind_entry(const struct contain *k, unsigned offset)
{
	for (unsigned i = 0; i < ARRAY_LEN(k->code->behind); i++)
		if (k->code->behind[i] && k->code->behind[i] == offset)
			return i + 1;
	return 0;
}

static bool as_entered(const struct contain *k, const struct value *v)
{
	for (unsigned r = 0; r < ARRAY_LEN(k->entered); r++)
		if ((k->code->near >> r & 1) && value_same(v, &k->entered[r]))
			return true;
	return false;
}

static bool found_near(struct contain *k, const struct value *v)
{
	for (unsigned i = 0; i < k->now.nfacts; i++) {
		const struct fact *f = &k->now.fact[i];
		struct value apart;
		if (f->kind != FACT_NEAR || (f->chunk ^ k->code->chunk) & CHUNK_MASK)
			continue;
		apart = value_sum(k, *v, f->value, -1);
		if (value_is_constant(&apart) && value_within(k, &apart, -NEAR_REACH, NEAR_REACH))
			return true;
	}
	return false;
}

static bool chunk_delta(const struct contain *k)
{
	const struct symbol *s = value_only(k, &k->now.gpr[k->code->delta]);

	return s && s->kind == SYM_DELTA && value_is_constant(&s->of) &&
	       s->of.constant == (uint64_t)k->code->chunk << SHADOW_VIEW_SHIFT;
}

bool behind_known(struct contain *k, uint16_t near)
{
	for (unsigned r = 0; r < ARRAY_LEN(k->now.gpr); r++) {
		if (!(near >> r & 1))
			continue;
		if (r == k->code->scratch ? !chunk_delta(k)
					  : !as_entered(k, &k->now.gpr[r]) && !found_near(k, &k->now.gpr[r]))
			return false;
	}
	return true;
}

void behind_enter(struct contain *k, bool delta)
{
	const struct contain_code *c = k->code;
	struct fact f = {.kind = FACT_NEAR, .trust = CLAIMED, .chunk = c->chunk & CHUNK_MASK};

	state_reset(k);
	for (unsigned r = 0; r < ARRAY_LEN(k->entered); r++) {
		k->entered[r] = k->now.gpr[r];
		if (!(c->near >> r & 1))
			continue;
		f.value = value_sum(k, k->now.gpr[r], value_symbol(k, SYM_APART, -ENTRY_REACH, ENTRY_REACH), 1);
		state_learn(k, &f);
	}
	if (delta)
		k->now.gpr[c->delta] =
		    value_made(k, SYM_DELTA, 0, value_constant((uint64_t)c->chunk << SHADOW_VIEW_SHIFT));
}

/* As near as the translator takes the base for: others may have been copied from it before. */
void behind_accessed(struct contain *k, const struct value *v, const struct fact *near)
{
	struct value apart = value_sum(k, *v, near->value, -1);
	struct fact f = *near;

	if (k->in.disp > NEAR_REACH || k->in.disp < -NEAR_REACH) /* would not do */
		return;
	for (unsigned i = 0; i < apart.n; i++)
		if (k->symbols[apart.term[i].symbol].kind != SYM_APART)
			return;
	f.value = *v;
	state_learn(k, &f);
}
