/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forms of memory operands that are allowed: docs/isolation.md. */
#include "bt_internal.h"
#include "contain_internal.h"

enum {
	OPERAND_MAX = PAGE_SIZE,
	CHUNK_BITS = 20,  /* that a probe compares */
	HALF_ROTATE = 19, /* of a probe that compares with half a chunk */
	CHUNK_ROTATE = 20,
};

#define CHUNK_BYTES BIT(SHADOW_VIEW_SHIFT)
#define GUARD	    ((int64_t)SHADOW_VIEW_GUARD)
#define LITTLE	    ((int64_t)1 << 20)
#define TABLE_BYTES ((int64_t)8 << 32)

struct value operand_address(struct contain *k)
{
	const struct insn *in = &k->in;
	struct value v = value_constant((uint64_t)in->disp);

	if (in->rip_relative)
		v.constant += k->code->run + k->next;
	if (in->base != REG_NONE)
		v = value_sum(k, v, k->now.gpr[in->base], 1);
	if (in->index != REG_NONE)
		v = value_sum(k, v, k->now.gpr[in->index], in->scale);
	return v;
}

struct value access_refused(struct contain *k, const char *why)
{
	if (!k->wrong)
		k->wrong = why;
	return value_constant(0);
}

/* Near the chunk by a fact of that trust at least? *by: that fact; NULL: the value is a constant. */
static bool near_by(struct contain *k, const struct value *v, uint32_t chunk, enum trust least, struct fact **by)
{
	const uint64_t base = (uint64_t)chunk << SHADOW_VIEW_SHIFT;
	struct value apart;

	*by = NULL;
	if (value_is_constant(v) &&
	    v->constant - (base - (uint64_t)GUARD) <= CHUNK_BYTES + 2 * (uint64_t)GUARD - OPERAND_MAX)
		return true;
	for (unsigned i = 0; i < k->now.nfacts; i++) {
		struct fact *f = &k->now.fact[i];
		if (f->kind != FACT_NEAR || f->trust < least || (f->chunk ^ chunk) & (BIT(CHUNK_BITS) - 1))
			continue;
		k->used = (struct used){.near = f};
		apart = value_sum(k, *v, f->value, -1);
		if (value_within(k, &apart, -GUARD, GUARD - OPERAND_MAX) && !k->used.claims) {
			*by = f;
			return true;
		}
	}
	return false;
}

bool value_near(struct contain *k, const struct value *v, uint32_t chunk)
{
	struct fact *by;

	return near_by(k, v, chunk, CLAIMED, &by);
}

/* The symbol of a delta that was added, once, from term *i on; NULL: none is left. *rest: the value without it. There
 * may be several: what the guest has computed of a string instruction's pointer has that one's in it. */
static const struct symbol *next_delta(struct contain *k, const struct value *v, unsigned *i, struct value *rest)
{
	for (; *i < v->n; ++*i) {
		const struct symbol *s = &k->symbols[v->term[*i].symbol];
		if (s->kind != SYM_DELTA || v->term[*i].times != 1)
			continue;
		*rest = value_sum(k, *v, (struct value){.n = 1, .term[0] = v->term[*i]}, -1);
		++*i;
		return s;
	}
	return NULL;
}

/* What bt_home.held has of it, and little more? */
static bool by_held(struct contain *k, const struct value *v)
{
	for (unsigned i = 0; i < v->n; i++) {
		struct value rest = value_constant(0);
		if (k->symbols[v->term[i].symbol].kind != SYM_HELD || v->term[i].times != 1)
			continue;
		rest = value_sum(k, *v, (struct value){.n = 1, .term[0] = v->term[i]}, -1);
		return value_within(k, &rest, -GUARD, GUARD - OPERAND_MAX) && !k->used.claims;
	}
	return false;
}

/* By a delta, and the rest of the address. */
static void note_access(struct contain *k, const struct symbol *delta, const struct value *rest)
{
	if (k->used.near && !k->used.bounds && value_is_constant(&delta->of))
		behind_accessed(k, rest, k->used.near);
	rsp_accessed(k, rest, (uint32_t)(delta - k->symbols));
}

/* Is `rest` near what the delta is of? */
static bool near_delta(struct contain *k, const struct symbol *delta, const struct value *rest, enum trust bases)
{
	struct value apart = value_sum(k, *rest, delta->of, -1);
	int64_t beyond = 0;
	struct fact *by;

	k->used = (struct used){.near = NULL};
	if (value_is_constant(&delta->of)) /* the first address of a chunk */
		beyond = (int64_t)CHUNK_BYTES;
	if (value_within(k, &apart, -GUARD, beyond + GUARD - OPERAND_MAX) && !k->used.claims)
		return true;
	return value_is_constant(&delta->of) &&
	       near_by(k, rest, (uint32_t)(delta->of.constant >> SHADOW_VIEW_SHIFT), bases, &by);
}

/* With bases that are to be trusted that much. *delta: what it is placed by, and *rest; NULL: not by one. */
static bool placed_by(struct contain *k, const struct value *v, unsigned size, enum trust bases,
		      const struct symbol **delta, struct value *rest)
{
	*delta = NULL;
	if (value_is_constant(v) || size > OPERAND_MAX)
		return false;
	k->used = (struct used){.near = NULL};
	if (by_held(k, v))
		return true;
	for (unsigned i = 0; (*delta = next_delta(k, v, &i, rest));)
		if (near_delta(k, *delta, rest, bases))
			return true;
	return false;
}

bool value_placed(struct contain *k, const struct value *v, unsigned size)
{
	const struct symbol *delta;
	struct value rest;

	return placed_by(k, v, size, CLAIMED, &delta, &rest);
}

/* Is an access made, whatever the other operands are? Not with a mask of zeros, nor perhaps by an x87 store that has an
 * exception to raise. */
static bool accesses_surely(const struct insn *in)
{
	enum { EVEX_OPMASK = 7 };

	if (in->encoding == ENC_EVEX && (in->bytes[in->opcode_off + 3] & EVEX_OPMASK))
		return false;
	if (in->mem_write && (insn_rows[in->id].checks & CHK_FPU))
		return false;
	return in->id != INSN_VMASKMOVPS && in->id != INSN_VMASKMOVPD && in->id != INSN_VPMASKMOVD &&
	       in->id != INSN_VPMASKMOVQ;
}

/*
 * An access: if it is made, what it rests on is so. One index that is only claimed to be small may be added to a base
 * that is known for certain, or one base that is only claimed to be near to indexes that an access has been made with.
 */
static bool access_placed(struct contain *k, const struct value *v)
{
	unsigned size = k->in.mem_size;
	const struct symbol *delta;
	struct value rest;
	bool ok = placed_by(k, v, size, CLAIMED, &delta, &rest);

	if (!ok && accesses_surely(&k->in)) {
		k->claims = true;
		ok = placed_by(k, v, size, TRUE, &delta, &rest);
		k->claims = false;
	}
	if (!ok || !accesses_surely(&k->in))
		return ok;
	if (k->used.claim)
		k->used.claim->trust = ACCESSED;
	else if (k->used.near)
		k->used.near->trust = MAX(k->used.near->trust, k->used.bounds ? ACCESSED : TRUE);
	if (delta)
		note_access(k, delta, &rest); /* moves facts */
	return true;
}

/* gs:[index * 8], of the ring's table, or [view + index * 8] */
static struct value view_access(struct contain *k, const struct value *at)
{
	const struct insn *in = &k->in;
	struct value of = value_any(k);

	if (in->mem_write || in->mem_size != 8 || in->addrsize != 8 || !value_within(k, at, 0, TABLE_BYTES - 8))
		return access_refused(k, "GS: no index of the view");
	if (value_is_constant(at)) {
		of = value_constant(at->constant / 8 << SHADOW_VIEW_SHIFT);
	} else if (at->n == 1 && at->term[0].times == 8 && !at->constant) {
		const struct symbol *s = &k->symbols[at->term[0].symbol];
		if (s->kind == SYM_SHIFTED && s->count == SHADOW_VIEW_SHIFT)
			of = s->of;
	}
	return value_made(k, SYM_DELTA, 0, of);
}

static struct value other_view_access(struct contain *k, const struct value *at)
{
	struct value index = *at;

	for (unsigned i = 0; i < index.n; i++)
		if (k->symbols[index.term[i].symbol].kind == SYM_VIEW && index.term[i].times == 1)
			index.term[i] = index.term[--index.n];
	return index.n + 1 == at->n ? view_access(k, &index) : access_refused(k, "no index of a view");
}

/* [register of 32 bits + constant]: a probe. */
static struct value probe_access(struct contain *k, const struct value *at)
{
	uint32_t page = k->rules->probe - (uint32_t)at->constant;
	struct value base = {.n = at->n, .term[0] = at->term[0]};
	const struct symbol *s = value_only(k, &base);
	struct fact f = {.chunk = page >> PAGE_SHIFT};
	struct value little;
	bool learn;

	if (!s || s->kind != SYM_ROTATED || k->in.mem_size != 1 || k->in.mem_write || k->in.index != REG_NONE)
		return access_refused(k, "an address of 32 bits that is no probe");
	f.value = s->of;
	little = value_constant(f.value.constant);
	learn = s->count == CHUNK_ROTATE;
	f.kind = s->count == HALF_ROTATE ? FACT_BOUNDS : FACT_NEAR;
	f.low = (int64_t)(int32_t)page << HALF_ROTATE;
	f.high = f.low + (int64_t)BIT(31) - 1;
	if (f.kind == FACT_BOUNDS) { /* of a symbol to which little may have been added */
		f.low -= (int64_t)f.value.constant;
		f.high -= (int64_t)f.value.constant;
		learn = value_within(k, &little, -LITTLE, LITTLE);
		f.value.constant = 0;
		learn = learn && value_only(k, &f.value);
	}
	if (!(page & PAGE_MASK) && learn)
		state_learn(k, &f);
	return value_symbol(k, SYM_SECRET, 0, UINT8_MAX);
}

/* bt_home.held: of what is there nothing is kept track of but what it is good for. */
static struct value held_access(struct contain *k, size_t offset)
{
	if (offset % 8 || k->in.mem_size != 8)
		return access_refused(k, "a part of where a base leads");
	if (offset <= offsetof(struct bt_held, kernel_gs))
		return value_symbol(k, SYM_HELD, INT64_MIN, INT64_MAX);
	if (k->in.mem_write)
		return access_refused(k, "where a base is expected is written");
	return offset == offsetof(struct bt_held, minus_chunk) ? value_any(k)
							       : value_symbol(k, SYM_PLACE, INT64_MIN, INT64_MAX);
}

static struct value home_access(struct contain *k, unsigned offset)
{
	const struct insn *in = &k->in;
	struct value *slot = &k->now.slot[offset / 8], v;
	bool whole = offset % 8 == 0 && in->mem_size == 8;
	const struct value none = value_constant(0);

	if (offset % 8 + in->mem_size > 8)
		return access_refused(k, "across two of bt_home's");
	if (offset / 8 == offsetof(struct bt_home, cpu) / 8)
		return in->mem_write ? access_refused(k, "struct cpu's address is written")
				     : value_symbol(k, SYM_CPU, INT64_MIN, INT64_MAX);
	if (offset - offsetof(struct bt_home, held) < sizeof(struct bt_held))
		return held_access(k, offset - offsetof(struct bt_home, held));
	if (slot->n > TERMS) {
		*slot = value_any(k);
		if (offset / 8 == offsetof(struct bt_home, table) / 8)
			*slot = value_symbol(k, SYM_TABLE, INT64_MIN, INT64_MAX);
		else if (offset - offsetof(struct bt_home, view) < sizeof(((struct bt_home *)0)->view))
			*slot = value_symbol(k, SYM_VIEW, INT64_MIN, INT64_MAX);
	}
	v = whole ? *slot : value_sized(k, in->mem_size);
	if (offset == offsetof(struct bt_home, table_stores) && in->mem_size == 4) {
		v = value_symbol(k, SYM_ANY, 0, TABLE_STORES - (state_knows(k, FACT_ROOM, &none) ? 1 : 0));
		k->stores = v.term[0].symbol;
	}
	if (offset / 8 == offsetof(struct bt_home, table_stores) / 8 && in->mem_write)
		state_forget(k, FACT_ROOM);
	if (in->mem_write)
		slot->n = TERMS + 1;
	return v;
}

/* What struct cpu has for the cache's own use. */
static struct value cpu_access(struct contain *k, uint64_t offset)
{
	const size_t window = offsetof(struct cpu, bt_window), windows = sizeof(((struct cpu *)0)->bt_window);

	if (offset + k->in.mem_size > sizeof(struct cpu) || offset > sizeof(struct cpu))
		return access_refused(k, "beyond struct cpu");
	if (offset == offsetof(struct cpu, bt_compat.table))
		return value_symbol(k, SYM_TABLE_PTR, INT64_MIN, INT64_MAX);
	if (offset - window < windows && k->in.mem_size == 8)
		return value_symbol(k, SYM_WINDOW, INT64_MIN, INT64_MAX);
	return value_sized(k, k->in.mem_size);
}

static struct value constant_access(struct contain *k, uint64_t at)
{
	const struct contain_rules *r = k->rules;

	if (at - r->home < sizeof(struct bt_home))
		return home_access(k, (unsigned)(at - r->home));
	for (unsigned i = 0; i < CONTAIN_DATA; i++)
		if (at >= r->data[i].from && at + k->in.mem_size <= r->data[i].to)
			return value_symbol(k, SYM_TABLE, INT64_MIN, INT64_MAX);
	return access_refused(k, "a constant address");
}

/* [table + index * 4] */
static struct value table_access(struct contain *k, const struct value *at)
{
	struct value index = *at;

	for (unsigned i = 0; i < index.n; i++)
		if (k->symbols[index.term[i].symbol].kind == SYM_TABLE && index.term[i].times == 1)
			index.term[i] = index.term[--index.n];
	if (index.n + 1 != at->n || k->in.mem_write || k->in.mem_size != 4 ||
	    !value_within(k, &index, 0, ((int64_t)4 << 32) - 4))
		return access_refused(k, "beyond a table of branch targets");
	return value_symbol(k, SYM_ENTRY, 0, UINT32_MAX);
}

struct value operand_access(struct contain *k)
{
	const struct insn *in = &k->in;
	struct value at = operand_address(k), base = at, read;
	int64_t page = k->rules->probe;
	const struct symbol *s;

	base.constant = 0;
	s = value_only(k, &base);
	if (in->vsib || in->seg == SEG_FS)
		return access_refused(k, "no operand of translated code's");
	if (in->seg == SEG_GS) {
		at.constant -= k->code->view;
		return view_access(k, &at);
	}
	if (in->addrsize != 8)
		return probe_access(k, &at);
	if (value_is_constant(&at))
		return constant_access(k, at.constant);
	if (s && s->kind == SYM_CPU)
		return cpu_access(k, at.constant);
	if (s && s->kind == SYM_TABLE_PTR && !at.constant && !in->mem_write && in->mem_size == 8)
		return value_symbol(k, SYM_TABLE, INT64_MIN, INT64_MAX);
	if (value_has(k, &at, SYM_VIEW))
		return other_view_access(k, &at);
	if (value_has(k, &at, SYM_TABLE))
		return table_access(k, &at);
	if (access_placed(k, &at))
		return value_sized(k, in->mem_size);
	if (look_access(k, &at, &read))
		return read;
	if (!in->mem_write && in->mem_size == 1 && value_within(k, &at, page - BT_PROBE_REACH, page + BT_PROBE_REACH))
		return value_symbol(k, SYM_SECRET, 0, UINT8_MAX);
	return access_refused(k, "nothing keeps the address in a chunk's place");
}

struct value *stack_word(struct contain *k, bool push)
{
	const struct value *rsp = &k->now.gpr[RSP];
	uint64_t at = rsp->constant - (push ? 8 : 0) - (k->rules->home + offsetof(struct bt_home, stack));

	if (!value_is_constant(rsp) || at % 8 || at >= sizeof(((struct bt_home *)0)->stack)) {
		access_refused(k, "the stack is not the monitor's");
		return NULL;
	}
	return &k->now.slot[offsetof(struct bt_home, stack) / 8 + at / 8];
}
