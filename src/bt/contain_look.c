/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at the state of a page before it is accessed, and stores to page tables in RAM (xlat64_look.c): all indexed by
 * a host address that a delta led to. What the tables hold is the shadow's matter; that they are asked for the address
 * that is accessed, and that RAM is stored to only behind the right answer, is ours.
 */
#include "contain_internal.h"
#include "shadow/shadow.h"

enum { PAGE_ROTATE = 64 - PAGE_SHIFT };

static struct symbol *only(struct contain *k, const struct value *v)
{
	return (struct symbol *)value_only(k, v);
}

/* The index in a table at `table`, one of `size` bytes per page. */
static struct symbol *index_of(struct contain *k, const struct value *at, uint64_t table, unsigned size)
{
	struct value index = {.n = at->n, .term[0] = at->term[0]};

	if (at->n != 1 || at->constant != table || index.term[0].times != (int32_t)size || k->in.mem_write ||
	    k->in.mem_size != size)
		return NULL;
	index.term[0].times = 1;
	return only(k, &index);
}

static bool is_page(struct contain *k, const struct symbol *s)
{
	return s && s->kind == SYM_SHIFTED && s->count == PAGE_SHIFT && value_placed(k, &s->of, 1);
}

static struct value made(struct contain *k, enum kind kind, struct value of, int64_t high)
{
	struct value v = value_made(k, kind, 0, of);

	k->symbols[v.term[0].symbol].low = 0;
	k->symbols[v.term[0].symbol].high = high;
	return v;
}

/* bt_home.verdict, by state; bt_home.table_store, by a count. */
static bool home_tables(struct contain *k, const struct value *at, struct value *read)
{
	const uint64_t verdicts = k->rules->home + offsetof(struct bt_home, verdict),
		       stores = k->rules->home + offsetof(struct bt_home, table_store);
	const struct symbol *s;

	for (unsigned write = 0; write < 2; write++) {
		s = index_of(k, at, verdicts + write * PAGE_STATES, 1);
		if (!s || s->kind != SYM_STATE)
			continue;
		*read = made(k, SYM_VERDICT, s->of, UINT8_MAX);
		k->symbols[read->term[0].symbol].count = write;
		return true;
	}
	*read = value_any(k);
	return at->n && value_within(k, at, (int64_t)stores, (int64_t)(stores + 8 * (TABLE_STORES - 1))) &&
	       k->in.mem_size == 8;
}

/* (frame << 12) + offset in the page, of one host address, which is returned; NULL: no. */
static const struct value *in_ram(struct contain *k, const struct value *at)
{
	const struct symbol *frame = NULL, *offset = NULL, *of;

	if (at->constant || at->n != 2)
		return NULL;
	for (unsigned i = 0; i < 2; i++) {
		const struct symbol *s = &k->symbols[at->term[i].symbol];
		if (at->term[i].times != 1)
			return NULL;
		if (s->kind == SYM_ROTATED && s->count == PAGE_ROTATE)
			frame = s;
		else if (s->kind == SYM_EXTRACTED && s->mask == PAGE_MASK)
			offset = s;
	}
	of = frame ? value_only(k, &frame->of) : NULL;
	if (!offset || !of || of->kind != SYM_FRAME || !value_same(&of->of, &offset->of))
		return NULL;
	return &offset->of;
}

/* A traced page is stored to in pieces that tables are made of, or beside code; one that is known anywhere. */
static bool is_in_ram(struct contain *k, const struct value *at)
{
	struct value offset = *at;
	const struct value *host;
	const struct fact *aligned, *inside, *known;

	offset.constant -= k->rules->ram;
	host = in_ram(k, &offset);
	if (!host)
		return false;
	aligned = state_knows(k, FACT_ALIGNED, host);
	inside = state_knows(k, FACT_INSIDE, host);
	known = state_knows(k, FACT_KNOWN, host);
	if (!state_knows(k, FACT_TRACED, host) && (!known || (k->in.mem_write && !known->mask)))
		return false;
	return (known && k->in.mem_size == 1) ||
	       (aligned && k->in.mem_size <= 8 && aligned->mask == k->in.mem_size - 1u) ||
	       (inside && k->in.mem_size <= inside->mask + 1);
}

/* How often a page that is known is still to be used: read, and written. */
static bool is_use(struct contain *k, const struct value *at)
{
	struct value index = {.n = at->n, .term[0] = at->term[0]};
	const struct symbol *s;

	if (at->n != 1 || at->constant != k->rules->uses || index.term[0].times != 2 || k->in.mem_size != 2)
		return false;
	index.term[0].times = 1;
	s = only(k, &index);
	return s && s->kind == SYM_FRAME && state_knows(k, FACT_KNOWN, &s->of);
}

bool look_access(struct contain *k, const struct value *at, struct value *read)
{
	const struct contain_rules *r = k->rules;
	const struct symbol *s;

	*read = value_sized(k, k->in.mem_size);
	s = index_of(k, at, r->states, 1);
	if (is_page(k, s)) {
		*read = made(k, SYM_STATE, s->of, UINT8_MAX);
		return true;
	}
	s = index_of(k, at, r->frames, 4);
	if (is_page(k, s) && (state_knows(k, FACT_TRACED, &s->of) || state_knows(k, FACT_KNOWN, &s->of))) {
		*read = made(k, SYM_FRAME, s->of, UINT32_MAX);
		return true;
	}
	s = index_of(k, at, r->traced, 1);
	if (s && s->kind == SYM_FRAME)
		return true;
	s = index_of(k, at, r->watched, 1);
	if (s && s->kind == SYM_SHIFTED && s->count == SHADOW_GRANULE_SHIFT && in_ram(k, &s->of))
		return true;
	return is_use(k, at) || is_in_ram(k, at) || home_tables(k, at, read);
}

/* RCX, before it was cut to 32 bits. */
static struct value count(struct contain *k)
{
	const struct symbol *s = value_only(k, &k->now.gpr[RCX]);

	return s && s->kind == SYM_LOW ? s->of : k->now.gpr[RCX];
}

/* Bit 12 of the offset in a page, and something added. */
static void page_not_left(struct contain *k, struct value sum)
{
	uint64_t more = sum.constant;
	const struct symbol *s;

	sum.constant = 0;
	s = value_only(k, &sum);
	if (s && s->kind == SYM_EXTRACTED && s->mask == PAGE_MASK && more < PAGE_SIZE)
		state_learn(k, &(struct fact){.kind = FACT_INSIDE, .value = s->of, .mask = more});
}

void look_zero(struct contain *k)
{
	struct value v = count(k);
	uint64_t minus = 0 - v.constant;
	const struct symbol *s;

	v.constant = 0;
	s = value_only(k, &v);
	if (s && s->kind == SYM_VERDICT && minus == LOOK_KNOWN)
		state_learn(k, &(struct fact){.kind = FACT_KNOWN, .value = s->of, .mask = s->count});
	else if (s && s->kind == SYM_VERDICT && minus == LOOK_TRACED && s->count)
		state_learn(k, &(struct fact){.kind = FACT_TRACED, .value = s->of});
	else if (s && s->kind == SYM_EXTRACTED && s->mask == PAGE_SIZE && !minus)
		page_not_left(k, s->of);
	else if (s && s->kind == SYM_EXTRACTED && !minus)
		state_learn(k, &(struct fact){.kind = FACT_ALIGNED, .value = s->of, .mask = s->mask});
}

void look_not_zero(struct contain *k)
{
	struct value v = count(k);
	int64_t low, high;

	if (v.n == 1 && v.term[0].symbol == k->stores && v.constant == 0 - (uint64_t)TABLE_STORES &&
	    value_bounds(k, &v, &low, &high) && high == 0)
		state_learn(k, &(struct fact){.kind = FACT_ROOM});
}
