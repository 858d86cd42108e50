/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the profiler asks of the translator: where the thread is, what blocks cost, why they are translated again. */
#define _GNU_SOURCE
#include "bt_profile_internal.h"
#include "xlat64.h"

#include <stdlib.h>
#include <string.h>

extern const char bt_enter_begin[], bt_enter_code_end[], bt_leave_fault[];

enum { HISTORY_BITS = 16 };

/* The last translation of the code at a physical address, as far as its place in the table was not taken since. */
struct translated {
	uint64_t gpa; /* and 1 in bit 63: none */
	guest_pc_t eip;
	uint32_t generation;
	uint16_t context;
	uint8_t lost; /* enum bt_lost */
};

/* What a block cost. By the number of the block. */
struct block_cost {
	uint64_t entries; /* counted by the block itself, if it does */
	uint64_t ns;
	uint64_t seen; /* `entries` when the working set was last asked for */
	uint32_t samples;
	bool counts;
};

struct bt_profile_state {
	bool exact;
	uint64_t entries_before; /* of blocks that flushes have thrown away */
	/* Which blocks count follows the samples: see bt_sample(). */
	uint32_t samples, counted_samples;
	uint32_t chosen; /* number + 1 of a block that is to count, 0: none. Written by the signal handler, too */
	bool awaited;	 /* the code of wanted_* will count when it is translated */
	uint64_t wanted_gpa;
	guest_pc_t wanted_eip;
	struct block_cost *costs; /* max_blocks */
	unsigned max_blocks;
	struct translated history[1 << HISTORY_BITS];
};

int bt_profile_init(struct bt *bt, const struct bt_config *cfg)
{
	if (cfg->profile == BT_PROFILE_OFF)
		return 0;
	bt->before_flush = cfg->before_flush;
	bt->before_flush_arg = cfg->before_flush_arg;
	bt->profile = calloc(1, sizeof(*bt->profile));
	if (!bt->profile)
		return -ENOMEM;
	bt->profile->exact = cfg->profile == BT_PROFILE_EXACT;
	bt->profile->max_blocks = (unsigned)(AREAS * (bt->cache_bytes / sizeof(struct block)));
	bt->profile->costs = calloc(bt->profile->max_blocks, sizeof(*bt->profile->costs));
	return bt->profile->costs ? 0 : -ENOMEM;
}

void bt_profile_destroy(struct bt *bt)
{
	if (bt->profile)
		free(bt->profile->costs);
	free(bt->profile);
}

static struct block_cost *cost_of(const struct bt *bt, const struct block *b)
{
	return &bt->profile->costs[b - bt->blocks];
}

void bt_profile_flush(struct bt *bt, bool copies)
{
	if (!bt->profile)
		return;
	if (bt->before_flush && bt_next_made(bt, NULL))
		bt->before_flush(bt->before_flush_arg);
	for (const struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b)) {
		struct block_cost *c = cost_of(bt, b);
		bt->profile->entries_before += c->entries;
		*c = (struct block_cost){.counts = c->counts && copies && !bt_is_copy(bt, b)};
	}
	bt->profile->chosen = 0;
}

/* --- translations that are made again --- */

static struct translated *history_of(struct bt *bt, gpa_t gpa)
{
	return &bt->profile->history[(uint32_t)((uint32_t)gpa * 0x9e3779b1u) >> (32 - HISTORY_BITS)];
}

static uint64_t *why_again(struct bt *bt, const struct translated *last, const struct block *b)
{
	static const size_t by_loss[] = {
	    [BT_LOST_NOT] = offsetof(struct stats, retranslated_flush), /* not by itself */
	    [BT_LOST_WRITE] = offsetof(struct stats, retranslated_write),
	    [BT_LOST_DMA] = offsetof(struct stats, retranslated_dma),
	    [BT_LOST_MAP] = offsetof(struct stats, retranslated_map),
	    [BT_LOST_ADAPT] = offsetof(struct stats, retranslated_adapt),
	};

	if (last->eip != b->eip)
		return &bt->stats->retranslated_moved;
	/* Contexts are numbered anew by a flush. */
	if (last->generation != (uint32_t)bt->stats->flushes)
		return &bt->stats->retranslated_flush;
	if (last->context != b->ctx->id)
		return &bt->stats->retranslated_context;
	return (uint64_t *)((char *)bt->stats + by_loss[last->lost]);
}

void bt_profile_translated(struct bt *bt, const struct block *b)
{
	struct translated *t;

	if (!bt->profile)
		return;
	bt->profile->awaited &= !bt_profile_wants(bt, b->eip, b->gpa);
	t = history_of(bt, b->gpa);
	if (t->gpa == (b->gpa | BIT(63)))
		++*why_again(bt, t, b);
	*t = (struct translated){
	    .gpa = b->gpa | BIT(63), .eip = b->eip, .generation = (uint32_t)bt->stats->flushes, .context = b->ctx->id};
}

void bt_profile_lost(struct bt *bt, const struct block *b, enum bt_lost why)
{
	struct translated *t;

	if (!bt->profile)
		return;
	t = history_of(bt, b->gpa);
	if (t->gpa == (b->gpa | BIT(63)) && t->eip == b->eip && t->context == b->ctx->id)
		t->lost = (uint8_t)why;
}

/* --- code that counts --- */

/* at: not by a register that 64-bit code has for the guest. */
static void emit_increment(struct xlat *t, struct host_addr at)
{
	uint8_t scratch = context_code_size(t->ctx) == 8 ? HOST64_DELTA : HOST_T1;

	emit_load(&t->e, 8, scratch, at);
	emit_lea(&t->e, 8, scratch, (struct host_addr){scratch, REG_NONE, 1, 1, false, false});
	emit_store(&t->e, 8, scratch, at);
}

/* By its place in RAM: copies have the same code. */
static bool counts_by_place(const struct block *b)
{
	return !((b->gpa * 0x9e3779b97f4a7c15u) >> (64 - BT_PROFILE_COUNTED_BITS));
}

bool bt_profile_wants(const struct bt *bt, guest_pc_t eip, gpa_t gpa)
{
	const struct bt_profile_state *p = bt->profile;

	return p && p->awaited && p->wanted_gpa == gpa && p->wanted_eip == eip;
}

void bt_profile_choose(struct bt *bt)
{
	struct bt_profile_state *p = bt->profile;
	uint32_t chosen = p && p->chosen ? __atomic_exchange_n(&p->chosen, 0, __ATOMIC_RELAXED) : 0;
	struct block *b;

	if (!chosen)
		return;
	b = &bt->blocks[chosen - 1];
	if (!b->valid)
		return;
	p->awaited = true;
	p->wanted_gpa = b->gpa;
	p->wanted_eip = b->eip;
	bt->losing = BT_LOST_ADAPT;
	bt_invalidate(bt, b, false);
	bt->stats->invalidated_adapt++;
}

void bt_profile_count_entry(struct xlat *t)
{
	struct bt_profile_state *p = t->bt->profile;

	if (!p || !(p->exact || counts_by_place(t->b) || bt_profile_wants(t->bt, t->b->eip, t->b->gpa)))
		return;
	cost_of(t->bt, t->b)->counts = true;
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)&cost_of(t->bt, t->b)->entries);
	emit_increment(t, (struct host_addr){HOST_T2, REG_NONE, 1, 0, false, false});
}

void bt_profile_counters(const struct bt *bt, uint64_t *from, uint64_t *to)
{
	const struct bt_profile_state *p = bt->profile;

	*from = p ? (uintptr_t)p->costs : 0;
	*to = p ? (uintptr_t)(p->costs + p->max_blocks) : 0;
}

/* The entry's counting begins the body, with a MOV of its address: two bytes, then the constant. */
void bt_profile_copied(struct xlat *t, uint8_t *body)
{
	struct bt_profile_state *p = t->bt->profile;
	uint64_t address;

	if (!p || !(p->exact || counts_by_place(t->b)))
		return;
	cost_of(t->bt, t->b)->counts = true;
	address = (uintptr_t)&cost_of(t->bt, t->b)->entries;
	memcpy(body + 2, &address, sizeof(address));
}

void bt_profile_count_branch(struct xlat *t)
{
	if (!t->bt->profile || !t->bt->profile->exact || t->branch == BRANCH_UNCOUNTED)
		return;
	emit_increment(t, AT_CPU(CPU_OFF(bt_branches) + t->branch * 8));
	emit_store_imm(&t->e, 4, t->branch, AT_CPU(CPU_OFF(bt_last_branch)));
}

void bt_profile_missed_table(struct bt *bt)
{
	uint64_t *const misses[] = {
	    [BRANCH_TABLE] = &bt->stats->misses_table,
	    [BRANCH_INDIRECT] = &bt->stats->misses_indirect,
	    [BRANCH_RETURN] = &bt->stats->misses_return,
	};

	if (bt->profile && bt->profile->exact)
		++*misses[bt->cpu->bt_last_branch];
}

void bt_profile_collect(struct bt *bt)
{
	bt->stats->branches_table = bt->cpu->bt_branches[BRANCH_TABLE];
	bt->stats->branches_indirect = bt->cpu->bt_branches[BRANCH_INDIRECT];
	bt->stats->branches_return = bt->cpu->bt_branches[BRANCH_RETURN];
}

void bt_collect_stats(struct bt *bt)
{
	uint64_t entries;

	if (!bt->profile || !bt->profile->exact)
		return;
	entries = bt->profile->entries_before;
	for (const struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b))
		entries += cost_of(bt, b)->entries;
	bt->stats->block_entries = entries;
}

unsigned bt_profile_working_set(struct bt *bt)
{
	unsigned count = 0;

	if (!bt->profile || !bt->profile->exact)
		return 0;
	for (const struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b)) {
		struct block_cost *c = cost_of(bt, b);
		uint64_t entries = __atomic_load_n(&c->entries, __ATOMIC_RELAXED);
		count += entries != c->seen;
		c->seen = entries;
	}
	return count;
}

/* --- where the thread is, and what it cost --- */

/* One sample in so many, at least, is to be in blocks that count, and one of the first so many. */
enum { COUNTED_SHARE = 32 };

/* In the signal handler. A program whose time goes to few blocks has none that counts by its place: then the block that
 * is met counts from its next translation on. */
static void charge(struct bt_profile_state *p, uint32_t n, uint32_t ns)
{
	struct block_cost *c = &p->costs[n];

	c->ns += ns;
	c->samples++;
	p->samples++;
	p->counted_samples += c->counts;
	if (!c->counts && !p->exact && (p->counted_samples + 1) * COUNTED_SHARE < p->samples)
		__atomic_store_n(&p->chosen, n + 1, __ATOMIC_RELAXED);
}

enum bt_place bt_sample(struct bt *bt, const ucontext_t *uc, uint32_t ns, struct bt_sample *out)
{
	uint64_t pc = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	struct block *b;
	int n;

	if (!bt_in_cache(bt, pc)) {
		if (pc == (uintptr_t)bt_leave_fault)
			return BT_FAULTING;
		return pc >= (uintptr_t)bt_enter_begin && pc < (uintptr_t)bt_enter_code_end ? BT_ON_THE_WAY
											    : BT_ELSEWHERE;
	}
	b = bt_find_host(bt, pc);
	if (!b)
		return BT_ON_THE_WAY;
	n = bt_find_insn(b, pc);
	if (n >= b->ninsns)
		n = b->ninsns - 1; /* in the stubs behind the last */
	charge(bt->profile, (uint32_t)(b - bt->blocks), ns);
	out->block = block_linear(b, 0);
	out->pc = block_linear(b, n < 0 ? 0 : b->map[n].guest);
	out->rbp = (uint64_t)uc->uc_mcontext.gregs[REG_RBP];
	out->rsp = (uint64_t)uc->uc_mcontext.gregs[context_code64(b->ctx) ? REG_RSP : REG_R12];
	out->user = b->ctx->key.flags & CTX_CPL3;
	return BT_IN_CACHE;
}

static void tell(struct bt *bt, const struct block *b, void (*fn)(void *arg, const struct bt_block_info *b), void *arg)
{
	const struct block_cost *c = cost_of(bt, b);
	uint16_t map[BLOCK_MAX_INSNS + 1][2];

	for (unsigned i = 0; i <= b->ninsns; i++) {
		map[i][0] = b->map[i].guest;
		map[i][1] = i ? b->map[i].host : 0; /* what counts entries goes with the first */
	}
	fn(arg, &(struct bt_block_info){.linear = block_linear(b, 0),
					.eip = b->eip,
					.gpa = b->gpa,
					.host = b->body,
					.entries = c->entries,
					.counted = c->counts,
					.ns = c->ns,
					.samples = c->samples,
					.context = b->ctx->id,
					.ninsns = b->ninsns,
					.guest_len = b->guest_len,
					.host_len = b->body_len,
					.user = b->ctx->key.flags & CTX_CPL3,
					.code32 = b->ctx->key.flags & CTX_CODE32,
					.code64 = context_code64(b->ctx),
					.valid = b->valid,
					.guest_code = b->source,
					.host_code = bt_writable(bt, b, 0),
					.map = (const uint16_t(*)[2])map});
}

void bt_profile_blocks(struct bt *bt, bool all, void (*fn)(void *arg, const struct bt_block_info *b), void *arg)
{
	if (!bt->profile)
		return;
	for (const struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b))
		if (all || cost_of(bt, b)->samples || cost_of(bt, b)->entries)
			tell(bt, b, fn, arg);
}
