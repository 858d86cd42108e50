/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 64-bit code: what is different when the cache is entered and left. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "cpu/step.h"
#include "cpu/sys.h"
#include "xlat64.h"

/* What enter64.S takes for granted. */
_Static_assert(offsetof(struct bt_home, reason) == 0 && offsetof(struct bt_home, frame) == 8, "enter64.S");
_Static_assert(offsetof(struct bt_home, cpu) == 16 && offsetof(struct bt_home, host_rsp) == 24, "enter64.S");
_Static_assert(offsetof(struct bt_home, enter) == 32 && offsetof(struct bt_home, image) == 48, "enter64.S");
_Static_assert(offsetof(struct bt_home, rsp_found) == 320 && offsetof(struct bt_home, flags_found) == 328, "enter64.S");
_Static_assert(offsetof(struct cpu, fpu_live) == 144 && offsetof(struct cpu, gpr) == 0, "enter64.S");
_Static_assert(sizeof(struct bt_home) <= PAGE_SIZE, "one page");

int bt_home_init(struct bt *bt)
{
	void *p = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	bt->probe = bt_probe_page();
	if (!bt->probe) {
		munmap(p, PAGE_SIZE);
		return -ENOMEM;
	}
	bt->home = p;
	bt->home->frame = (uintptr_t)&bt->frame;
	bt->home->cpu = (uintptr_t)bt->cpu;
	for (unsigned s = 0; s < PAGE_STATES; s++) {
		unsigned state = s & SHADOW_PAGE_MASK;
		bool known = s & SHADOW_PAGE_KNOWN;
		bt->home->verdict[0][s] = state & SHADOW_PAGE_LOADABLE ? LOOK_CAN : known ? LOOK_KNOWN : LOOK_CANNOT;
		bt->home->verdict[1][s] = state == SHADOW_PAGE_STORABLE			 ? LOOK_CAN
					  : state == SHADOW_PAGE_TRACED			 ? LOOK_TRACED
					  : known && state == SHADOW_PAGE_KNOWN_STORABLE ? LOOK_KNOWN
											 : LOOK_CANNOT;
	}
	return 0;
}

void bt_home_destroy(struct bt *bt)
{
	if (bt->home)
		munmap(bt->home, PAGE_SIZE);
}

static bool is_user(const struct bt *bt)
{
	return bt->cpu->cpl == 3;
}

/* Are the registers that the code behind takes for near the block's chunk in it? */
static bool all_near(const struct bt *bt, const struct insn_map *m)
{
	unsigned near = m->flags & (MAP_SWAPPED | MAP_STRING) ? 0 : m->near;

	for (; near; near &= near - 1)
		if (bt->cpu->gpr[__builtin_ctz(near)] >> SHADOW_VIEW_SHIFT != bt->current->chunk)
			return false;
	return true;
}

/* The delta that the code at bt->resume expects in the second register of its pair. False: there is none, or it expects
 * something else. */
static bool find_delta(struct bt *bt, uint64_t *delta)
{
	const struct insn_map *m = &bt->current->map[bt->resume_insn];
	const uint8_t *pair = bt->current->pair;
	unsigned of = MAP64_DELTA(m->swapped);
	gva_t linear = of == pair[0] ? (gva_t)bt->current->chunk << SHADOW_VIEW_SHIFT : bt->cpu->gpr[of];

	*delta = 0;
	if (!all_near(bt, m))
		return false;
	if (of == pair[1])
		return true;
	if (!shadow_own(bt->shadow, linear, is_user(bt)))
		return false;
	*delta = ((const uint64_t *)shadow_view_of(bt->shadow, is_user(bt)))[linear >> SHADOW_VIEW_SHIFT];
	return true;
}

bool bt_may_resume64(struct bt *bt)
{
	uint64_t delta;

	return find_delta(bt, &delta);
}

/* Programs have all their FS bases in one chunk, mostly. */
static uint32_t *expected_chunk(struct bt *bt)
{
	return &bt->fs_chunk[(bt->home->view[1] >> SHADOW_VIEW_TABLE_BITS) % ARRAY_LEN(bt->fs_chunk)];
}

static void hold_bases(struct bt *bt)
{
	const struct cpu *cpu = bt->cpu;
	const struct shadow *sh = bt->shadow;
	uint32_t *chunk = expected_chunk(bt);
	uint64_t fs = cpu->seg[SEG_FS].base;

	if (is_user(bt) && fs)
		*chunk = (uint32_t)(fs >> SHADOW_VIEW_SHIFT);
	bt->home->held = (struct bt_held){
	    .fs = shadow_host_of(sh, fs, true),
	    .gs = shadow_host_of(sh, cpu->seg[SEG_GS].base, false),
	    .kernel_gs = shadow_host_of(sh, cpu->kernel_gs_base, false),
	    .minus_chunk = 0 - (uint64_t)*chunk,
	    .place = shadow_host_of(sh, (gva_t)*chunk << SHADOW_VIEW_SHIFT, true),
	    .nowhere = shadow_nowhere(sh),
	};
}

void bt_prepare_code64(struct bt *bt)
{
	bt->home->view[0] = shadow_view_of(bt->shadow, false);
	bt->home->view[1] = shadow_view_of(bt->shadow, true);
	hold_bases(bt);
}

/* What registers, and home.gpr, hold at a block's beginning, or in the middle of it. */
static void load_registers(struct bt *bt, bool beginning)
{
	static const uint8_t between[] = {R10, R11};
	const uint8_t *pair = beginning ? between : bt->current->pair;
	struct bt_home *h = bt->home;
	uint64_t delta;

	memcpy(h->image, bt->cpu->gpr, sizeof(h->image));
	for (unsigned i = 0; i < 2; i++)
		h->gpr[pair[i]] = bt->cpu->gpr[pair[i]];
	if (beginning || !find_delta(bt, &delta))
		delta = BIT(62); /* leads to no canonical address */
	h->image[pair[1]] = delta;
}

/* Those that a stub has not stored: what struct cpu has of the pair are scratch registers. */
static void store_registers(struct bt *bt)
{
	bool by_signal = bt->frame.reason == LEAVE_FAULT || bt->frame.reason == LEAVE_EVENT;
	const struct block *b = by_signal ? bt_find_host(bt, (cache_pc_t)bt->frame.pc) : NULL;
	struct bt_home *h = bt->home;
	uint64_t *gpr = bt->cpu->gpr;

	if (!b || !context_code64(b->ctx) || (cache_pc_t)bt->frame.pc < b->body) {
		gpr[R10] = h->gpr[R10];
		gpr[R11] = h->gpr[R11];
		return;
	}
	gpr[R10] = h->stopped[0];
	gpr[R11] = h->stopped[1];
	gpr[b->pair[0]] = h->gpr[b->pair[0]];
	gpr[b->pair[1]] = h->gpr[b->pair[1]];
}

void bt_enter_code64(struct bt *bt, cache_pc_t at)
{
	struct cpu *cpu = bt->cpu;
	struct bt_home *h = bt->home;

	bt_prepare_code64(bt);
	h->entry = at;
	h->resuming = false;
	load_registers(bt, at == bt->current->body);
	h->table = (uintptr_t)bt->ctx->indirect;
	h->fs_base = cpu->seg[SEG_FS].base;
	h->gs_base = cpu->seg[SEG_GS].base;
	h->rsp_delta = shadow_delta(bt->shadow, cpu->gpr[RSP], is_user(bt));
	bt_enter64(h);
}

void bt_left_code64(struct bt *bt)
{
	const struct bt_home *h = bt->home;

	bt->frame.window = h->view[1];
	store_registers(bt);
	bt->frame.value = bt->frame.reason == LEAVE_INDIRECT ? h->target : h->value;
	bt->frame.swapped = h->spare;
}

void bt_recover64(struct bt *bt, const struct insn_map *m, unsigned offset)
{
	struct cpu *cpu = bt->cpu;
	bool between = offset > m->swap_from && offset < m->swap_to;

	if ((m->flags & MAP_SWAPPED) && between)
		cpu->gpr[MAP64_LOW(m->swapped)] = bt->home->spare;
	if (!(m->flags & MAP_STRING) || (offset != m->swap_from && !between))
		return;
	if (m->swapped & STRING_SI)
		cpu->gpr[RSI] -= bt->home->si_delta;
	if (m->swapped & STRING_DI)
		cpu->gpr[RDI] -= bt->home->di_delta;
	cpu->bt_flags = bt->home->stack[HOME_STACK - 1];
}

bool bt_half_way64(const struct bt *bt)
{
	return bt->cpu->gpr[RCX] != bt->home->rep_count;
}

static bool decode(const struct block *b, unsigned n, struct insn *in)
{
	unsigned at = b->map[n].guest;

	return insn_decode(in, b->source + at, b->guest_len - at, 8) == 0;
}

gva_t bt_operand64(const struct cpu *cpu, const struct insn *in)
{
	return insn_ea(cpu, in) + (in->seg == SEG_FS || in->seg == SEG_GS ? cpu->seg[in->seg].base : 0);
}

enum { ACCESSES = 8 };

/* The linear addresses of what instruction n of the block may access; their number. */
static unsigned accesses_of(const struct bt *bt, const struct block *b, unsigned n, gva_t linear[ACCESSES])
{
	const struct cpu *cpu = bt->cpu;
	unsigned count = 0;
	struct insn in;

	if (!decode(b, n, &in))
		return 0;
	if (in.has_mem && !in.agen)
		linear[count++] = bt_operand64(cpu, &in);
	if (b->map[n].flags & MAP_STRING) {
		linear[count++] = cpu->gpr[RSI];
		linear[count++] = cpu->gpr[RDI];
	}
	linear[count++] = cpu->gpr[RSP] - 8;
	linear[count++] = cpu->gpr[in.id == INSN_LEAVE ? RBP : RSP];
	return count;
}

bool bt_own_accesses(struct bt *bt, const struct block *b, unsigned n)
{
	bool user = is_user(bt), missed = false, all = true;
	gva_t linear[ACCESSES];
	unsigned count = accesses_of(bt, b, n, linear), owned = 0;

	for (unsigned i = 0; i < count; i++) {
		bool before = shadow_owns(bt->shadow, linear[i], user);
		if (!shadow_own(bt->shadow, linear[i], user))
			continue;
		missed |= !before;
		owned |= 1u << i;
	}
	for (unsigned i = 0; i < count; i++)
		all &= !(owned >> i & 1) || shadow_owns(bt->shadow, linear[i], user);
	return missed && all;
}

void bt_own_tables(struct bt *bt)
{
	const gva_t tables[] = {bt->cpu->gdtr.base, bt->cpu->idtr.base, bt->cpu->tr.base};

	for (unsigned i = 0; i < ARRAY_LEN(tables); i++)
		shadow_own(bt->shadow, tables[i], false);
}

bool bt_undo_branch(struct bt *bt)
{
	const struct block *b = &bt->blocks[HOME_FROM_BLOCK(bt->home->from)];
	unsigned n = HOME_FROM_INSN(bt->home->from);
	struct insn in;

	if (cpu_canonical(bt->cpu, bt->home->target))
		return false;
	bt->cpu->rip = block_pc(b, n);
	if (decode(b, n, &in) && in.id == INSN_RET)
		bt->cpu->gpr[RSP] -= 8 + (unsigned)insn_ret_pops(&in);
	bt->frame.count -= bt_counts(bt);
	bt_step(bt, &bt->stats->stepped_fault);
	return true;
}
