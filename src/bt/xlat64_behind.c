/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: entries behind probes. What a block knows of registers where it is left (xlat64_near.c) the next one, if
 * it is linked to it, need not find out again: a block begins with the probes of registers that it uses as they come,
 * then loads the chunk's delta, and links whose blocks know as much enter behind these. So does the link of a loop to
 * its own beginning, whose next pass finds near what the last one left near.
 *
 * Passes must not add up: a register that was near at such an entry counts as near where the block is left if it is the
 * same, or has been compared or accessed meanwhile (docs/isolation.md, "Entries behind probes").
 */
#include <string.h>

#include "xlat64.h"

_Static_assert(ENTRY_REACH >= NEAR_REACH + DIRECT_DISP, "what the monitor comes in with may be moved by both");

enum {
	REGS_MAX = 5,
	POINTER_LEAST = 64 * KiB, /* less is NULL, now */
};

/* What the instructions of a block will do, roughly: what is wrong costs time. */
struct ahead {
	uint8_t order[GPR_COUNT]; /* of the first uses */
	unsigned nused;
	uint16_t used;		 /* bases that come into the block, but for constants that are added, ... */
	uint16_t early;		 /* ... before it branches */
	uint16_t touched;	 /* surely accessed by that */
	uint16_t moved, changed; /* by constants; otherwise. In a loop: to its last branch back */
	bool branches, loops;
	bool near_first; /* the first access is one of these */
	bool accesses;
};

static bool usable(const struct xlat *t)
{
	return opt_on(t->bt->cpu->opt_off, OPT_BEHIND) && xlat64_near_usable(t);
}

uint16_t xlat64_behind_known(const struct xlat *t)
{
	uint16_t near = 0;

	if (!t->has_chunk || !usable(t))
		return 0;
	for (unsigned r = 0; r < GPR_COUNT; r++) {
		bool in_order =
		    t->entered & BIT(r) ? !t->moved[r] : t->moved[r] >= -NEAR_REACH && t->moved[r] <= NEAR_REACH;
		if ((t->near & BIT(r)) && in_order && !xlat64_in_memory(t, r))
			near |= (uint16_t)BIT(r);
	}
	near &= (uint16_t)~BIT(RSP);
	if (insn_rows[t->in->id].class == CLASS_BRANCH) /* LOOP has changed RCX */
		near &= (uint16_t)~t->in->gpr_written;
	if (t->delta == DELTA_CHUNK)
		near |= (uint16_t)BIT(HOST64_T);
	return near;
}

unsigned bt_behind_probes(const struct block *from, const struct bt_exit *x, const struct block *to)
{
	if (!to->near || (to->near & ~x->near) || from->chunk != to->chunk)
		return 0;
	return x->near & BIT(from->pair[0]) ? to->map[0].host : to->probed;
}

/* --- which registers --- */

/* AH..BH and memory: xlat64_mem.c forgets all. */
static bool forgets(const struct insn *in)
{
	for (unsigned i = 0; i < in->noperands; i++)
		if (in->has_mem && in->op[i].kind == OPD_GPR_HIGH)
			return true;
	return false;
}

/* The register of the instruction's operand that is to be near; RSP: none. */
static unsigned base_of(const struct xlat *t, unsigned offset)
{
	const struct insn *in = t->in;
	unsigned base = in->base;

	if (!in->has_mem || in->agen || !(in->mem_read || in->mem_write) || in->addrsize != 8 || in->seg == SEG_FS ||
	    in->seg == SEG_GS || base == REG_NONE || in->disp > DIRECT_DISP || in->disp < -DIRECT_DISP)
		return RSP;
	if (in->index != REG_NONE && !xlat64_bounded(t, in->index, in->scale)) {
		if (in->scale != 1 || !xlat64_bounded(t, base, 1))
			return RSP;
		base = in->index;
	}
	return xlat64_in_memory(t, base) || bt_site_strays(t->bt, t->b, offset) || bt_look_pays(t->bt, t->b, offset)
		   ? RSP
		   : base;
}

static bool accesses(const struct insn *in)
{
	return (in->has_mem && !in->agen) || insn_rows[in->id].class != CLASS_IDENT;
}

static void use(const struct xlat *t, struct ahead *a, unsigned offset)
{
	unsigned base = base_of(t, offset);
	bool as_it_came = base != RSP && !(a->changed & BIT(base));

	if (as_it_came && !(a->used & BIT(base))) {
		a->order[a->nused++] = (uint8_t)base;
		a->used |= (uint16_t)BIT(base);
		if (!a->branches)
			a->early |= (uint16_t)BIT(base);
	}
	if (as_it_came && t->in->index == REG_NONE && xlat64_surely_accesses(t->in))
		a->touched |= (uint16_t)BIT(base);
	if (!a->accesses && insn_rows[t->in->id].class != CLASS_BRANCH && accesses(t->in)) {
		a->accesses = true;
		a->near_first = as_it_came;
	}
}

static void look_ahead(struct xlat *t, const struct insn *ins, unsigned count, struct ahead *a)
{
	unsigned offset = 0, to, from;
	uint16_t moved = 0, changed = 0;
	int64_t by;

	*a = (struct ahead){.nused = 0};
	for (unsigned i = 0; i < count && xlat64_is_plain(&ins[i]) && !forgets(&ins[i]); i++) {
		const struct insn *in = t->in = &ins[i];
		use(t, a, offset);
		if (xlat64_moves(in, &to, &from, &by) && to == from && by >= -NEAR_REACH && by <= NEAR_REACH)
			a->moved |= (uint16_t)BIT(to);
		else
			a->changed |= in->gpr_written;
		xlat64_bound_behind(t);
		a->branches |= insn_rows[in->id].class == CLASS_BRANCH;
		if (xlat64_loops(in, offset)) {
			a->loops = true;
			moved = a->moved;
			changed = a->changed;
		}
		offset += in->len;
	}
	if (a->loops) {
		a->moved = moved;
		a->changed = changed;
	}
	xlat64_bound_forget(t);
}

/* Those that are worth a probe at the block's beginning. Where an exit of another block led here, what that one knows;
 * else what will be as near at its end, of which nothing is compared that need not be. */
static uint16_t choose(const struct xlat *t, const struct ahead *a)
{
	const struct block *from = t->bt->coming_from;
	uint16_t lasting = (uint16_t)(a->used & ~a->changed & (~a->moved | a->touched));

	if (a->loops)
		return lasting;
	if (from && !memcmp(from->pair, t->b->pair, sizeof(t->b->pair)) && (a->used & t->bt->coming_near))
		return a->used & t->bt->coming_near;
	return lasting & a->early;
}

/* Those of them that are in the chunk of the first. */
static uint16_t in_one_chunk(struct xlat *t, const struct ahead *a, uint16_t wanted)
{
	unsigned first = RSP, n = 0;
	uint16_t regs = 0;

	for (unsigned i = 0; i < a->nused && n < REGS_MAX; i++) {
		unsigned r = a->order[i];
		if (!(wanted & BIT(r)) || t->seen[r] < POINTER_LEAST)
			continue;
		if (first == RSP)
			first = r;
		if ((t->seen[r] ^ t->seen[first]) >> SHADOW_VIEW_SHIFT)
			continue;
		regs |= (uint16_t)BIT(r);
		n++;
	}
	if (regs && !xlat64_near_choose(t, (uint32_t)(t->seen[first] >> SHADOW_VIEW_SHIFT), first))
		return 0;
	return regs;
}

void xlat64_behind_begin(struct xlat *t, const struct insn *ins, unsigned count)
{
	bool counted = xlat_here(t) != t->b->inner, delta;
	uint16_t regs;
	struct ahead a;

	if (t->like) {
		regs = t->like->near;
		delta = regs && MAP64_DELTA(t->like->map[0].swapped) == DELTA_CHUNK;
		if (regs)
			xlat64_near_take(t, t->like_chunk, t->like->chunk_by);
	} else {
		if (!usable(t) || counted || bt_site_strays(t->bt, t->b, 0))
			return;
		look_ahead(t, ins, count, &a);
		regs = in_one_chunk(t, &a, choose(t, &a));
		delta = regs && a.near_first;
	}
	if (!regs)
		return;
	for (unsigned r = 0; r < GPR_COUNT; r++)
		if (regs & BIT(r))
			xlat64_near_probe(t, r);
	t->entered = t->b->near = regs;
	t->b->probed = (uint8_t)xlat_here(t);
	if (delta)
		xlat64_near_delta(t);
}
