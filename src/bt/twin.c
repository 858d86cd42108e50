/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Twins: the same bytes of RAM at another EIP. With address randomisation each start of a program maps its libraries
 * elsewhere; their blocks are copied then, and what depends on the place is adjusted, at a tenth of what translating
 * costs. For user mode of flat 32-bit code under paging. The decoded instructions, the map and the copy of the guest's
 * bytes are those of the first.
 *
 * Blocks with adapted instructions are not copied: what a site does in one program need not hold in the next.
 */
#include <string.h>

#include "bt_profile_internal.h"

enum { CLUSTER_MAX = 24 };

static bool copyable_context(const struct context *ctx)
{
	const unsigned want = CTX_PAGED | CTX_CPL3 | CTX_PROTECTED | CTX_CODE32;

	return (ctx->key.flags & (want | CTX_V86)) == want && ctx->key.cs_base == 0 && ctx->key.cs_limit == 0xffffffff;
}

static uint32_t *place(struct bt *bt, const struct context *ctx, gpa_t gpa)
{
	uint32_t h = ((uint32_t)gpa ^ (uint32_t)(gpa >> 32) ^ (uint32_t)ctx->id * 0x9e3779b9u) * 0x85ebca6bu;

	return &bt->places[h >> (32 - HASH_BITS)];
}

static struct block *find(struct bt *bt, const struct context *ctx, gpa_t gpa)
{
	for (struct block *b = bt_block(bt, *place(bt, ctx, gpa)); b; b = bt_block(bt, b->place_next))
		if (b->ctx == ctx && b->gpa == gpa)
			return b;
	return NULL;
}

void bt_place_add(struct bt *bt, struct block *b)
{
	uint32_t *p = place(bt, b->ctx, b->gpa);

	if (!b->copyable || !copyable_context(b->ctx) || bt_crosses(b) || find(bt, b->ctx, b->gpa))
		return;
	b->place_next = *p;
	*p = bt_block_number(bt, b);
}

/* Also when a twin of it has been invalidated, as that may have been for an adaptation: the next one is translated. */
void bt_place_remove(struct bt *bt, struct block *b)
{
	uint32_t *p = place(bt, b->ctx, b->gpa);
	struct block *at = bt_block(bt, *p);

	for (; at && (at->ctx != b->ctx || at->gpa != b->gpa); at = bt_block(bt, *p))
		p = &at->place_next;
	if (at)
		*p = at->place_next;
}

static void copy_exits(struct xlat *t, const struct block *from)
{
	const struct bt_exit *exits = bt_exits(t->bt, from);

	for (unsigned i = 0; i < from->nexits; i++) {
		struct bt_exit *x = &bt_exits(t->bt, t->b)[i];
		*x = exits[i];
		x->from = bt_block_number(t->bt, t->b);
		x->to = x->next_from = 0;
	}
	t->b->nexits = from->nexits;
}

static void add32(uint8_t *at, uint32_t value)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	v += value;
	memcpy(at, &v, sizeof(v));
}

/* leave(): mov r8d, number of the exit; jmp stub. */
enum { LEAVE_NUMBER = 2, LEAVE_DISPLACEMENT = 7 };

static void relocate(struct xlat *t, const struct block *from, uint8_t *body)
{
	const uint16_t *relocs = &t->bt->relocs[from->relocs];
	uint32_t exits = t->b->exits - from->exits, moved = t->b->body - from->body;

	for (unsigned i = 0; i < from->nrelocs; i++) {
		uint8_t *at = body + (relocs[i] & ~RELOC_LEAVE);
		if (relocs[i] & RELOC_LEAVE) {
			add32(at + LEAVE_NUMBER, exits);
			add32(at + LEAVE_DISPLACEMENT, 0u - moved);
		} else {
			add32(at, (uint32_t)(t->b->eip - from->eip));
		}
	}
}

/* NULL: no twin can be made of it, or there is no room. */
static struct block *copy(struct bt *bt, const struct block *from, guest_pc_t eip)
{
	struct xlat t;
	uint8_t *body;

	memset(&t, 0, offsetof(struct xlat, relocs));
	if (bt_breakpoint_within(bt, eip, from->guest_len) || !xlat_begin(&t, bt, from->ctx, eip, from->gpa))
		return NULL;
	xlat_head(&t);
	body = t.e.p;
	emit_bytes(&t.e, bt_writable(bt, from, 0), from->stubs);
	t.b->guest_len = from->guest_len;
	t.b->ninsns = from->ninsns;
	t.b->open = from->open;
	t.b->map = from->map;
	t.b->insns = from->insns;
	t.b->source = from->source;
	copy_exits(&t, from);
	relocate(&t, from, body);
	bt_profile_copied(&t, body);
	xlat_stubs(&t);
	xlat_insert(&t);
	bt->stats->blocks_copied++;
	return t.b;
}

/* Blocks that are copied together, since the first is needed: what it led to in the other program. All on one page. */
struct cluster {
	struct block *copies[CLUSTER_MAX];
	const struct block *from[CLUSTER_MAX];
	unsigned n;
};

/* The block of these bytes at eip, which is on the cluster's page: it exists, or is copied. NULL: neither. */
static struct block *neighbour(struct bt *bt, struct cluster *c, guest_pc_t eip, gpa_t gpa)
{
	struct context *ctx = c->copies[0]->ctx;
	struct block *b = bt_peek(bt, ctx, eip, gpa);
	const struct block *from;

	if (b || c->n == CLUSTER_MAX || !xlat_has_room(bt))
		return b;
	from = find(bt, ctx, gpa);
	b = from ? copy(bt, from, eip) : NULL;
	if (b) {
		c->from[c->n] = from;
		c->copies[c->n++] = b;
	}
	return b;
}

/* Links the copy as its model is linked. */
static void link_copy(struct bt *bt, struct cluster *c, unsigned n)
{
	const struct bt_exit *exits = bt_exits(bt, c->from[n]);

	for (unsigned i = 0; i < c->from[n]->nexits; i++) {
		const struct block *to = bt_block(bt, exits[i].to);
		struct bt_exit *x = &bt_exits(bt, c->copies[n])[i];
		struct block *b = to && exits[i].kind == EXIT_LINK && !bt_crosses(to)
				      ? neighbour(bt, c, bt_exit_target(bt, x), to->gpa)
				      : NULL;
		if (b)
			bt_link(bt, x, b);
	}
}

/* What a call at the end of the copy will return to. */
static void copy_behind(struct bt *bt, struct cluster *c, unsigned n)
{
	const struct block *b = c->copies[n];
	guest_pc_t eip = block_pc(b, b->ninsns);
	struct block *behind;

	if (b->open || (eip ^ b->eip) >> PAGE_SHIFT || !find(bt, b->ctx, b->gpa + b->guest_len))
		return;
	behind = neighbour(bt, c, eip, b->gpa + b->guest_len);
	if (behind && opt_on(bt->cpu->opt_off, OPT_TABLE))
		bt_indirect_fill(bt, behind);
}

struct block *bt_copy_twin(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa)
{
	const struct block *from = copyable_context(ctx) ? find(bt, ctx, gpa) : NULL;
	struct cluster c = {.n = 1};

	if (!from || !opt_on(bt->cpu->opt_off, OPT_TWIN))
		return NULL;
	c.from[0] = from;
	c.copies[0] = copy(bt, from, eip);
	if (!c.copies[0])
		return NULL;
	if (!bt->lockstep && opt_on(bt->cpu->opt_off, OPT_CLUSTER))
		for (unsigned n = 0; n < c.n; n++) {
			link_copy(bt, &c, n);
			copy_behind(bt, &c, n);
		}
	return c.copies[0];
}
