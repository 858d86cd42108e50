/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of symbols, and what is known of them. */
#include <string.h>

#include "contain_internal.h"

/* Sums beyond are of no use. */
#define LARGE ((__int128)1 << 62)

struct value value_constant(uint64_t c)
{
	return (struct value){.constant = c};
}

static struct value of_symbol(unsigned n)
{
	return (struct value){.n = 1, .term[0] = {n, 1}};
}

struct value value_symbol(struct contain *k, enum kind kind, int64_t low, int64_t high)
{
	if (k->nsymbols == SYMBOLS) {
		k->wrong = "too long to be checked";
		return of_symbol(0);
	}
	k->symbols[k->nsymbols] = (struct symbol){.kind = kind, .low = low, .high = high};
	return of_symbol(k->nsymbols++);
}

struct value value_any(struct contain *k)
{
	return value_symbol(k, SYM_ANY, INT64_MIN, INT64_MAX);
}

struct value value_sized(struct contain *k, unsigned size)
{
	return size < 8 ? value_symbol(k, SYM_ANY, 0, (int64_t)BIT(8 * size) - 1) : value_any(k);
}

struct value value_made(struct contain *k, enum kind kind, unsigned count, struct value of)
{
	int64_t high = kind == SYM_SHIFTED && count ? (int64_t)(UINT64_MAX >> count)
		       : kind == SYM_LOW	    ? UINT32_MAX
						    : INT64_MAX;
	struct value v = value_symbol(k, kind, high == INT64_MAX ? INT64_MIN : 0, high);
	struct symbol *s = &k->symbols[v.term[0].symbol];

	s->of = of;
	s->count = count;
	return v;
}

static bool add_term(struct value *v, uint32_t symbol, int64_t times)
{
	unsigned i = 0;

	while (i < v->n && v->term[i].symbol != symbol)
		i++;
	if (i == v->n) {
		if (v->n == TERMS)
			return false;
		v->term[v->n++] = (struct term){symbol, 0};
	}
	times += v->term[i].times;
	if (times != (int32_t)times)
		return false;
	v->term[i].times = (int32_t)times;
	if (!times) /* order does not matter but to value_same(), which may err on this side */
		v->term[i] = v->term[--v->n];
	return true;
}

struct value value_sum(struct contain *k, struct value a, struct value b, int64_t times)
{
	bool fits = times == (int32_t)times;

	a.constant += b.constant * (uint64_t)times;
	for (unsigned i = 0; i < b.n && fits; i++)
		fits = add_term(&a, b.term[i].symbol, b.term[i].times * times);
	return fits ? a : value_any(k);
}

bool value_same(const struct value *a, const struct value *b)
{
	return a->constant == b->constant && a->n == b->n && !memcmp(a->term, b->term, a->n * sizeof(a->term[0]));
}

const struct symbol *value_only(const struct contain *k, const struct value *v)
{
	return v->n == 1 && v->term[0].times == 1 && !v->constant ? &k->symbols[v->term[0].symbol] : NULL;
}

static void use_bounds(struct contain *k, struct fact *f)
{
	k->used.bounds = true;
	if (f->trust != CLAIMED)
		return;
	k->used.claims |= k->used.claim && k->used.claim != f;
	k->used.claim = f;
}

static void symbol_bounds(struct contain *k, uint32_t n, int64_t *low, int64_t *high)
{
	*low = k->symbols[n].low;
	*high = k->symbols[n].high;
	for (unsigned i = 0; i < k->now.nfacts; i++) {
		struct fact *f = &k->now.fact[i];
		if (f->kind != FACT_BOUNDS || f->value.term[0].symbol != n || (f->trust == CLAIMED && !k->claims) ||
		    (f->low <= *low && f->high >= *high))
			continue;
		*low = MAX(*low, f->low);
		*high = MIN(*high, f->high);
		use_bounds(k, f);
	}
}

bool value_bounds(struct contain *k, const struct value *v, int64_t *low, int64_t *high)
{
	__int128 l = (int64_t)v->constant, h = l;

	for (unsigned i = 0; i < v->n; i++) {
		int64_t from, to, times = v->term[i].times;
		symbol_bounds(k, v->term[i].symbol, &from, &to);
		l += (__int128)times * (times > 0 ? from : to);
		h += (__int128)times * (times > 0 ? to : from);
	}
	if (l < -LARGE || h > LARGE)
		return false;
	*low = (int64_t)l;
	*high = (int64_t)h;
	return true;
}

bool value_within(struct contain *k, const struct value *v, int64_t low, int64_t high)
{
	int64_t l, h;

	return value_bounds(k, v, &l, &h) && l >= low && h <= high;
}

bool value_has(const struct contain *k, const struct value *v, enum kind kind)
{
	for (unsigned i = 0; i < v->n; i++)
		if (k->symbols[v->term[i].symbol].kind == kind)
			return true;
	return false;
}

void state_reset(struct contain *k)
{
	for (unsigned i = 0; i < ARRAY_LEN(k->now.gpr); i++)
		k->now.gpr[i] = value_any(k);
	for (unsigned i = 0; i < SLOTS; i++)
		k->now.slot[i] = (struct value){.n = TERMS + 1}; /* made when it is asked for */
	k->now.nfacts = 0;
	rsp_reset(k);
}

static void meet(struct contain *k, struct value *into, const struct value *other)
{
	int64_t low, high, low2, high2;

	if (value_same(into, other))
		return;
	if (into->n > TERMS || other->n > TERMS)
		into->n = TERMS + 1;
	else if (value_bounds(k, into, &low, &high) && value_bounds(k, other, &low2, &high2))
		*into = value_symbol(k, SYM_ANY, MIN(low, low2), MAX(high, high2));
	else
		*into = value_any(k);
}

static bool same_fact(const struct fact *a, const struct fact *b)
{
	return a->kind == b->kind && value_same(&a->value, &b->value) && a->chunk == b->chunk && a->mask == b->mask &&
	       a->low == b->low && a->high == b->high;
}

void state_meet(struct contain *k, struct state *into, const struct state *other)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < into->nfacts; i++)
		for (unsigned j = 0; j < other->nfacts; j++)
			if (same_fact(&into->fact[i], &other->fact[j])) {
				into->fact[kept] = into->fact[i];
				into->fact[kept].trust = MIN(into->fact[i].trust, other->fact[j].trust);
				kept++;
				break;
			}
	into->nfacts = kept;
	for (unsigned i = 0; i < ARRAY_LEN(into->gpr); i++)
		meet(k, &into->gpr[i], &other->gpr[i]);
	for (unsigned i = 0; i < SLOTS; i++) {
		if (into->slot[i].n > TERMS && other->slot[i].n > TERMS)
			continue;
		meet(k, &into->slot[i], &other->slot[i]);
	}
}

/* The oldest are forgotten. What is known already may be known better. */
void state_learn(struct contain *k, const struct fact *f)
{
	struct state *s = &k->now;

	for (unsigned i = 0; i < s->nfacts; i++)
		if (same_fact(&s->fact[i], f)) {
			s->fact[i].trust = MAX(s->fact[i].trust, f->trust);
			return;
		}
	if (s->nfacts == FACTS)
		memmove(&s->fact[0], &s->fact[1], --s->nfacts * sizeof(s->fact[0]));
	s->fact[s->nfacts++] = *f;
}

void state_forget(struct contain *k, enum fact_kind kind)
{
	struct state *s = &k->now;
	unsigned kept = 0;

	for (unsigned i = 0; i < s->nfacts; i++)
		if (s->fact[i].kind != kind)
			s->fact[kept++] = s->fact[i];
	s->nfacts = kept;
}

const struct fact *state_knows(const struct contain *k, enum fact_kind kind, const struct value *v)
{
	for (unsigned i = 0; i < k->now.nfacts; i++)
		if (k->now.fact[i].kind == kind && value_same(&k->now.fact[i].value, v))
			return &k->now.fact[i];
	return NULL;
}
