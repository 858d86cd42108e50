/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Twins: the same bytes of RAM at another EIP. With address randomisation each start of a program maps its libraries
 * elsewhere; their blocks are copied then, and what depends on the place is adjusted, at a tenth of what translating
 * costs. For user mode of flat 32-bit code and of 64-bit code, under paging. The decoded instructions, the map and the
 * copy of the guest's bytes are those of the first.
 *
 * In 64-bit code the chunk that a block expects its addresses in (xlat64_near.c) is another one, too. The copy of the
 * block that the CPU is at takes it from the register that a translation would take it from. For others nobody knows
 * their registers yet: what was the code's own or the stack's chunk is so again. (The probes are copied with the code,
 * so that a wrong guess costs no more than time.)
 *
 * Blocks with adapted instructions are not copied: what a site does in one program need not hold in the next.
 */
#include <string.h>

#include "bt_profile_internal.h"
#include "cpu/sys.h"
#include "xlat64.h"

enum { CLUSTER_MAX = 24 };

static bool copyable_context(const struct context *ctx)
{
	const unsigned want = CTX_PAGED | CTX_CPL3 | CTX_PROTECTED, flags = ctx->key.flags;

	return (flags & (want | CTX_V86)) == want && (flags & (CTX_CODE32 | CTX_CODE64)) && ctx->key.cs_base == 0 &&
	       ctx->key.cs_limit == 0xffffffff;
}

static uint32_t *place(struct bt *bt, const struct context *ctx, gpa_t gpa)
{
	uint32_t h = ((uint32_t)(gpa >> PAGE_SHIFT) ^ (uint32_t)ctx->id * 0x9e3779b9u) * 0x85ebca6bu;

	return &bt->places[h >> (32 - HASH_BITS + HASH_PAGE_BITS) << HASH_PAGE_BITS | bt_hash_in_page(gpa)];
}

static struct block *find(struct bt *bt, const struct context *ctx, gpa_t gpa)
{
	for (struct block *b = bt_block(bt, *place(bt, ctx, gpa)); b; b = bt_block(bt, b->place_next))
		if (b->ctx == ctx && b->gpa == gpa)
			return b;
	return NULL;
}

/* Is no target of a direct branch there beyond what is canonical? */
static bool far_from_edge(const struct cpu *cpu, guest_pc_t eip)
{
	return cpu_canonical(cpu, eip) && cpu_canonical(cpu, eip + 4 * GiB) && cpu_canonical(cpu, eip - 4 * GiB);
}

void bt_place_add(struct bt *bt, struct block *b)
{
	uint32_t *p = place(bt, b->ctx, b->gpa);

	if (!b->copyable || !copyable_context(b->ctx) || bt_crosses(b) || find(bt, b->ctx, b->gpa))
		return;
	if (context_code64(b->ctx) && !far_from_edge(bt->cpu, b->eip))
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

/* --- the chunk that the code of the copy expects --- */

static struct chunk_note *note_of(struct bt *bt, guest_pc_t eip)
{
	return &bt->chunk_notes[(eip >> SHADOW_VIEW_SHIFT) % ARRAY_LEN(bt->chunk_notes)];
}

/* What code at these RIPs takes for neither its own chunk nor the stack's, as far as is known. Programs have one such,
 * as a rule: the heap's, for libraries, and that of libraries and files. Without address spaces: the chunk of code will
 * do, for it is another one in each process. */
static void note_others(struct bt *bt, guest_pc_t eip, uint32_t chunk)
{
	*note_of(bt, eip) = (struct chunk_note){(uint32_t)(eip >> SHADOW_VIEW_SHIFT), chunk};
}

static bool find_others(struct bt *bt, guest_pc_t eip, uint32_t *chunk)
{
	const struct chunk_note *n = note_of(bt, eip);

	*chunk = n->others;
	return n->code == eip >> SHADOW_VIEW_SHIFT && n->others;
}

/* here: the CPU is at eip, with registers as a translation would look at them. False: nobody knows. */
static bool choose_chunk(struct bt *bt, const struct block *from, guest_pc_t eip, bool here, uint32_t *chunk)
{
	const uint64_t *gpr = bt->cpu->gpr;

	*chunk = (uint32_t)(eip >> SHADOW_VIEW_SHIFT);
	if (from->chunk_by == CHUNK_BY_NOTHING || from->chunk_by == CHUNK_BY_RIP)
		return true;
	if (here && from->chunk_by < GPR_COUNT) {
		*chunk = (uint32_t)(gpr[from->chunk_by] >> SHADOW_VIEW_SHIFT);
		if (from->chunk_in == CHUNK_OF_OTHERS)
			note_others(bt, eip, *chunk);
		return true;
	}
	switch ((enum chunk_in)from->chunk_in) {
	case CHUNK_OF_CODE:
		return true;
	case CHUNK_OF_STACK:
		*chunk = (uint32_t)(gpr[RSP] >> SHADOW_VIEW_SHIFT);
		return true;
	default:
		return find_others(bt, eip, chunk);
	}
}

/* --- relocation --- */

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static void put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

static void add32(uint8_t *at, uint32_t value)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	put32(at, v + value);
}

/* By what the copy's places are further than the model's. */
struct shift {
	uint64_t eip;
	uint32_t exits, body;
};

/* leave(): mov r8d, number of the exit; jmp stub. xlat64_leave(): mov dword [address], number; jmp stub. */
enum { LEAVE_NUMBER = 2, LEAVE_DISPLACEMENT = 7, LEAVE64_NUMBER = 7, LEAVE64_DISPLACEMENT = 12 };

static void move_leave(uint8_t *number, uint8_t *displacement, const struct shift *by)
{
	add32(number, by->exits);
	add32(displacement, 0u - by->body);
}

static bool needs_64(uint64_t v)
{
	return v != (uint64_t)(int64_t)(int32_t)v;
}

/* Of an address, which it returns. */
static uint64_t move_rip(uint8_t *at, const struct shift *by)
{
	uint64_t v = get64(at) + by->eip;

	memcpy(at, &v, sizeof(v));
	return v;
}

/* A displacement in a table of deltas. */
static bool put_chunk(const struct xlat *t, uint8_t *at, uint64_t chunk)
{
	uint64_t place = chunk * 8 + (uint64_t)context_view(t->ctx);

	put32(at, (uint32_t)place);
	return place <= INT32_MAX;
}

static bool put_probe(const struct bt *bt, const struct block *b, uint8_t *at)
{
	uint32_t v = xlat64_probe_displacement(bt, b->chunk);

	put32(at, v);
	return v != (uint32_t)(int8_t)v;
}

/* False: a translation would have another form there. next: where the next one's constant is. */
static bool relocate_one(const struct xlat *t, uint8_t *at, enum reloc_kind kind, const uint8_t *next,
			 const struct shift *by)
{
	uint32_t code = (uint32_t)(t->b->eip >> SHADOW_VIEW_SHIFT);
	uint64_t v;

	switch (kind) {
	case RELOC_EIP:
		add32(at, (uint32_t)by->eip);
		return true;
	case RELOC_LEAVE:
		move_leave(at + LEAVE_NUMBER, at + LEAVE_DISPLACEMENT, by);
		return true;
	case RELOC_LEAVE64:
		move_leave(at + LEAVE64_NUMBER, at + LEAVE64_DISPLACEMENT, by);
		return true;
	case RELOC_RIP:
		return needs_64(move_rip(at, by));
	case RELOC_RIP_NEAR:
		v = move_rip(at, by);
		return needs_64(v) && v >> SHADOW_VIEW_SHIFT == t->b->chunk;
	case RELOC_RIP_CODE:
		v = move_rip(at, by);
		return needs_64(v) && v >> SHADOW_VIEW_SHIFT == code;
	case RELOC_RIP_CHUNK:
		return put_chunk(t, at, (get64(next) + by->eip) >> SHADOW_VIEW_SHIFT);
	case RELOC_CHUNK:
		return put_chunk(t, at, t->b->chunk);
	case RELOC_CODE_CHUNK:
		return put_chunk(t, at, code);
	case RELOC_PROBE:
		return put_probe(t->bt, t->b, at);
	default: /* RELOC_INDEX */
		return true;
	}
}

static bool relocate(struct xlat *t, const struct block *from, uint8_t *body)
{
	const struct bt_reloc *r = &t->bt->relocs[from->relocs];
	struct shift by = {t->b->eip - from->eip, t->b->exits - from->exits, t->b->body - from->body};

	for (unsigned i = 0; i < from->nrelocs; i++)
		if (!relocate_one(t, body + r[i].at, r[i].kind, i + 1u < from->nrelocs ? body + r[i + 1].at : NULL,
				  &by))
			return false;
	return true;
}

/* --- copies --- */

/* NULL: no twin can be made of it, or there is no room. here: see choose_chunk(). */
static struct block *copy(struct bt *bt, const struct block *from, guest_pc_t eip, bool here)
{
	bool code64 = context_code64(from->ctx);
	uint32_t chunk = 0;
	struct xlat t;
	uint8_t *body;

	if (code64 && (!far_from_edge(bt->cpu, eip) || !choose_chunk(bt, from, eip, here, &chunk)))
		return NULL;
	memset(&t, 0, offsetof(struct xlat, relocs));
	if (bt_breakpoint_within(bt, eip, from->guest_len) ||
	    !xlat_begin(&t, bt, AREA_COPIED, from->ctx, eip, from->gpa))
		return NULL;
	xlat_head(&t);
	body = t.e.p;
	emit_bytes(&t.e, bt_writable(bt, from, 0), from->stubs);
	t.b->guest_len = from->guest_len;
	t.b->ninsns = from->ninsns;
	t.b->open = from->open;
	t.b->inner = from->inner;
	t.b->probed = from->probed;
	t.b->near = from->near;
	t.b->indexes = from->indexes;
	memcpy(t.b->pair, from->pair, sizeof(t.b->pair));
	t.b->map = from->map;
	t.b->insns = from->insns;
	t.b->source = from->source;
	t.b->chunk = chunk;
	t.b->chunk_by = from->chunk_by;
	copy_exits(&t, from);
	if (!relocate(&t, from, body))
		return NULL;
	bt_profile_copied(&t, body);
	xlat_stubs(&t);
	if (bt->audit && !bt->profile)
		bt_audit_twin(&t, from);
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

	if (b || c->n == CLUSTER_MAX || !xlat_has_room(bt, AREA_COPIED))
		return b;
	from = find(bt, ctx, gpa);
	b = from ? copy(bt, from, eip, false) : NULL;
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
	c.copies[0] = copy(bt, from, eip, true);
	if (!c.copies[0])
		return NULL;
	if (!bt->lockstep && opt_on(bt->cpu->opt_off, OPT_CLUSTER))
		for (unsigned n = 0; n < c.n; n++) {
			link_copy(bt, &c, n);
			copy_behind(bt, &c, n);
		}
	return c.copies[0];
}
