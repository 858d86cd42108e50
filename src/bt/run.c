/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dispatcher: finds blocks and enters the cache; leave.c deals with what comes out of it. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt_profile_internal.h"
#include "cpu/event.h"
#include "cpu/fpu.h"
#include "cpu/step.h"
#include "cpu/sys.h"
#include "phase.h"
#include "shadow/track.h"
#include "trace.h"

/* What enter.S takes for granted. */
_Static_assert(offsetof(struct bt_frame, reason) == 0 && offsetof(struct bt_frame, value) == 8, "enter.S");
_Static_assert(offsetof(struct bt_frame, swapped) == 16 && offsetof(struct bt_frame, rflags) == 24, "enter.S");
_Static_assert(offsetof(struct bt_frame, table) == 32 && offsetof(struct bt_frame, host_rsp) == 40, "enter.S");
_Static_assert(offsetof(struct bt_frame, window) == 48 && offsetof(struct bt_frame, cpu) == 56, "enter.S");
_Static_assert(offsetof(struct bt_frame, kick) == 64 && offsetof(struct bt_frame, fpu) == 72, "enter.S");
_Static_assert(offsetof(struct bt_frame, upper) == 80 && FX_MXCSR == 24 && FX_XMM0 == 160 && FX_YMM == 576 &&
		   FX_K == 832 && FX_ZMM == 896 && FX_HI16 == 1408 && FPU_YMM == 1,
	       "enter.S");
_Static_assert(offsetof(struct cpu, fpu_live) - CPU_BIAS == 16, "enter.S");
_Static_assert(offsetof(struct cpu, gpr) == 0 && RSP == 4 && RDI == 7, "enter.S");
_Static_assert(LEAVE_EXIT == 0 && LEAVE_INDIRECT == 1 && LEAVE_FAULT == 2 && LEAVE_EVENT == 3 && LEAVE_KICKED == 4,
	       "enter.S");

static const char *const insn_names[INSN_COUNT] = {
    [INSN_INVALID] = "INVALID",
#define INSN(id, mnemonic, form, class, checks, feature, handler) [INSN_##id] = #id,
#include "cpu/insn.def"
#undef INSN
};

_Static_assert((unsigned)INSN_COUNT <= (unsigned)STATS_MAX_INSNS, "counters by instruction");

static void code_written(void *arg, gpa_t gpa, const uint8_t *data, unsigned len)
{
	struct bt *bt = arg;

	unsigned count;

	bt->losing = bt->cpu->writing ? BT_LOST_WRITE : BT_LOST_DMA;
	count = bt_invalidate_bytes(bt, gpa, data, len);

	if (bt->cpu->writing)
		bt->stats->invalidated_cpu_write += count;
	else
		bt->stats->invalidated_dma += count;
}

static void map_changed(void *arg, gpa_t base, uint64_t len)
{
	struct bt *bt = arg;
	uint64_t before = bt->stats->blocks_live;

	if (!before)
		return;
	bt->losing = BT_LOST_MAP;
	trace(bt, "map changed at %llx+%llx", (unsigned long long)base, (unsigned long long)len);
	for (struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b)) {
		if (b->valid && b->gpa < base + len && base < b->gpa + b->guest_len)
			bt_invalidate(bt, b, true);
	}
	bt->stats->invalidated_map += before - bt->stats->blocks_live;
}

int bt_create(struct bt **out, const struct bt_config *cfg)
{
	struct bt *bt = calloc(1, sizeof(*bt));
	int err;

	*out = NULL;
	if (!bt)
		return -ENOMEM;
	bt->cpu = cfg->cpu;
	bt->pm = cfg->cpu->pm;
	bt->gsbase = gsbase_kind();
	/* Whoever has it switched off wants none of what goes with it. */
	if (bt->gsbase == GSBASE_LOST && (!opt_on(cfg->cpu->opt_off, OPT_GSBASE) || !gsbase_begin(bt->gsbase)))
		bt->gsbase = GSBASE_CALL;
	bt->shadow = cfg->shadow;
	bt->stats = cfg->cpu->stats;
	bt->stop = cfg->stop;
	bt->audit = cfg->audit;
	bt->count = cfg->count || cfg->profile == BT_PROFILE_EXACT || !opt_on(cfg->cpu->opt_off, OPT_UNCOUNTED);
	bt->stats->insn_names = insn_names;
	bt->stats->insn_count = INSN_COUNT;
	bt->frame.cpu = (uintptr_t)cfg->cpu + CPU_BIAS;
	bt->frame.fpu = (uintptr_t)cfg->cpu->fpu.image;
	bt->frame.window = shadow_window(cfg->shadow);
	err = bt_host_lacks() ? -ENOTSUP : 0;
	if (!err)
		err = bt_cache_init(bt, cfg->cache_bytes ? cfg->cache_bytes : DEFAULT_CACHE_BYTES);
	if (!err)
		err = bt_profile_init(bt, cfg);
	if (!err)
		err = bt_audit_emitted_init(bt);
	if (err) {
		bt_profile_destroy(bt);
		bt_cache_destroy(bt);
		free(bt);
		return err;
	}
	bt->cpu->fpu_stored = bt_fpu_stored;
	bt->cpu->fpu_stored_arg = bt;
	track_subscribe(bt->shadow, TRACK_CODE, code_written, bt);
	shadow_on_lost(bt->shadow, bt_indirect_lost, bt);
	physmem_listen(bt->pm, (struct pm_listener){.map_changed = map_changed, .arg = bt});
	*out = bt;
	return 0;
}

void bt_destroy(struct bt *bt)
{
	if (!bt)
		return;
	bt->cpu->fpu_stored = NULL;
	physmem_unlisten(bt->pm, bt);
	shadow_on_lost(bt->shadow, NULL, NULL);
	bt_lockstep_destroy(bt);
	bt_audit_emitted_destroy(bt);
	bt_profile_destroy(bt);
	bt_cache_destroy(bt);
	track_subscribe(bt->shadow, TRACK_CODE, NULL, NULL);
	free(bt);
}

void bt_mmu_event(struct bt *bt, enum mmu_event event, gva_t address)
{
	bt->mmu_events++;
	if ((event != MMU_FAULT && event != MMU_INVLPG) || bt->fills_noted ||
	    shadow_space(bt->shadow, true) != bt->space)
		bt_indirect_event(bt);
	if (event == MMU_A20)
		bt_flush(bt);
}

_Static_assert(BIT(SHADOW_VIEW_TABLE_BITS) <= GSBASE_REACH, "a view, if GS.base has been lost");

/* Translated code reaches the window of the CPU's present mode. */
static void use_window(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;
	hva_t window;

	cpu->bt_window[0] = shadow_window_of(bt->shadow, false);
	cpu->bt_window[1] = shadow_window_of(bt->shadow, true);
	cpu->bt_states[0] = shadow_page_states(bt->shadow, false);
	cpu->bt_states[1] = shadow_page_states(bt->shadow, true);
	cpu->bt_frames[0] = shadow_page_frames(bt->shadow, false);
	cpu->bt_frames[1] = shadow_page_frames(bt->shadow, true);
	window = context_code64(bt->ctx) ? shadow_view(bt->shadow) : cpu->bt_window[cpu->cpl == 3];
	gsbase_set(bt->gsbase, window);
	bt->frame.window = window;
}

/* Counts an instruction that the stepper executes for the translator. */
void bt_step(struct bt *bt, uint64_t *why)
{
	uint8_t phase = phase_set(bt->stats, PHASE_STEP);

	++*why;
	bt->frame.count += cpu_step_counts(bt->cpu);
	phase_set(bt->stats, phase);
}

struct block *bt_find_block(struct bt *bt, struct context *ctx)
{
	guest_pc_t eip = context_pc(ctx, bt->cpu->rip);
	uint64_t generation = bt->generation;
	struct block *b;
	uint8_t phase;
	gpa_t gpa;

	if (context_code64(ctx) && !cpu_canonical(bt->cpu, eip))
		return NULL;
	if (!bt_code_gpa(bt, context_linear(ctx, eip), &gpa))
		return NULL;
	b = bt_lookup(bt, ctx, eip, gpa);
	if (b) {
		bt_page_entered(bt, b);
		return b;
	}
	bt->stats->dispatcher_misses++;
	phase = phase_set(bt->stats, PHASE_TRANSLATE);
	b = bt_revive(bt, ctx, eip, gpa);
	if (!b && !bt_profile_wants(bt, eip, gpa))
		b = bt_copy_twin(bt, ctx, eip, gpa);
	if (!b) {
		if (generation != bt->generation) /* flushed for the copy: contexts, too */
			ctx = bt_context(bt);
		b = ctx ? bt_translate(bt, ctx, eip, gpa, BLOCK_MAX_INSNS) : NULL;
		if (b)
			bt->ctx = b->ctx;
	}
	if (b)
		bt_page_entered(bt, b);
	phase_set(bt->stats, phase);
	return b;
}

/* RF lasts to the end of the next instruction: bt_restore_rf(). */
static void note_rf(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;

	bt->entry_rf = cpu->rflags & FLAG_RF;
	cpu->bt_rf_at = bt->entry_rf ? bt->frame.count + bt->resume_uncounted : UINT64_MAX;
	cpu->rflags &= ~FLAG_RF;
	if (!bt->entry_rf || bt_counts(bt))
		return;
	memcpy(bt->entry_gpr, cpu->gpr, sizeof(bt->entry_gpr));
	bt->entry_gpr[RSP] += (uint64_t)(int64_t)bt->resume_esp;
	bt->entry_rip = cpu->rip;
	bt->entry_flags = cpu->rflags & FLAGS_LIVE;
}

static void enter(struct bt *bt, cache_pc_t at)
{
	struct cpu *cpu = bt->cpu;

	bt->frame.rflags = (cpu->rflags & FLAGS_LIVE) | FLAG_1 | FLAG_IF;
	note_rf(bt);
	bt->stats->cache_entries++;
	bt->stats->block_dispatches += at == bt->current->body;
	use_window(bt);
	bt_tables_check(bt);
	bt->frame.upper = bt->ctx->key.flags & CTX_AVX512 ? FPU_ZMM : bt->ctx->key.flags & CTX_AVX ? FPU_YMM : FPU_XMM;
	bt->home->code64 = context_code64(bt->ctx);
	bt->home->count = bt->frame.count;
	if (bt->home->code64) {
		bt_enter_code64(bt, at);
	} else {
		if (bt->ctx->key.flags & CTX_COMPAT)
			bt_prepare_code64(bt);
		bt->frame.table = (uintptr_t)bt->ctx->indirect;
		bt_enter(&bt->frame, at);
	}
	bt->frame.count = bt->home->count;
	if (bt->home->code64 && bt->frame.reason != LEAVE_KICKED)
		bt_left_code64(bt);
	if (cpu->bt_table_stores) {
		shadow_tables_stored(bt->shadow, cpu->bt_table_store, cpu->bt_table_stores);
		cpu->bt_table_stores = 0;
	}
	if (bt->home->table_stores) {
		shadow_tables_stored(bt->shadow, bt->home->table_store, (unsigned)bt->home->table_stores);
		bt->home->table_stores = 0;
	}
	if (bt->frame.reason == LEAVE_KICKED) {
		cpu->rflags |= bt->entry_rf;
		return;
	}
	cpu->rflags = (cpu->rflags & ~(uint64_t)FLAGS_LIVE) | (bt->frame.rflags & FLAGS_LIVE);
	cpu->shadow = SHADOW_NONE;
}

/* Where to enter: 0 if the instruction was single-stepped instead, or is at a breakpoint. */
static cache_pc_t entry(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;
	cache_pc_t at = bt->resume;
	struct context *ctx;
	struct block *b;

	bt->resume = 0;
	if (at && bt->current && bt->current->valid &&
	    (!context_code64(bt->current->ctx) || at == bt->current->body || bt_may_resume64(bt))) {
		if (bt_counts(bt))
			bt->frame.count -= bt->resume_uncounted; /* they will be counted again */
		bt_move_esp(cpu, -bt->resume_esp);
		return at;
	}
	bt->resume_uncounted = 0;
	bt->resume_esp = 0;
	if (UNLIKELY(bt->nbreakpoints) && bt_is_breakpoint(bt, cpu_linear_pc(cpu))) {
		bt->at_breakpoint = true;
		return 0;
	}
	if (cpu->shadow || cpu->pending_db) {
		bt_step(bt, &bt->stats->stepped_shadow);
		return 0;
	}
	ctx = bt_context(bt);
	if (!ctx) {
		bt_step(bt, &bt->stats->stepped_debug);
		return 0;
	}
	bt->ctx = ctx;
	b = bt_find_block(bt, ctx);
	if (!b) {
		bt_step(bt, &bt->stats->stepped_fault);
		return 0;
	}
	bt->current = b;
	return b->body;
}

bool bt_must_return(const struct bt *bt)
{
	return *bt->stop || bt->at_breakpoint || bt->cpu->activity != CPU_RUNNING || cpu_event_ready(bt->cpu);
}

void bt_run_once(struct bt *bt)
{
	cache_pc_t at;

	phase_set(bt->stats, PHASE_DISPATCH);
	if (UNLIKELY(shadow_space(bt->shadow, true) != bt->space)) /* it made room, and numbered them anew */
		bt_indirect_event(bt);
	bt_profile_choose(bt);
	at = entry(bt);
	if (!at)
		return;
	trace(exec, "%04x:%08" PRIx64 " host %lx", bt->cpu->seg[SEG_CS].selector, bt->cpu->rip, (unsigned long)at);
	enter(bt, at);
	bt_left(bt);
	if (bt_counts(bt))
		bt->stats->insns_executed = bt->frame.count;
	bt->stats->indirect_hits = bt->home->hits;
}

void bt_begin(struct bt *bt, bool lockstep)
{
	if (lockstep != bt->lockstep) {
		bt_flush(bt);
		bt->lockstep = lockstep;
	}
	bt->stats->insns_counted = bt_counts(bt);
	gsbase_begin(bt->gsbase);
	bt_signals_attach(bt);
	bt->resume = 0;
	bt->at_breakpoint = false;
}

void bt_end(struct bt *bt)
{
	cpu_fpu_sync(bt->cpu);
	bt_profile_collect(bt);
	bt_signals_detach(bt);
}

void bt_run(struct bt *bt)
{
	bt_begin(bt, false);
	for (;;) {
		bt->frame.kick = 0;
		if (bt_must_return(bt))
			break;
		bt_run_once(bt);
	}
	bt_end(bt);
}

void bt_dump(struct bt *bt)
{
	const struct block *b = bt->current;

	if (!b)
		return;
	fprintf(stderr, "block %" PRIx64 ", %u instructions, %u bytes, host %lx, context %u, %s\n", block_linear(b, 0),
		b->ninsns, b->guest_len, (unsigned long)b->body, b->ctx->id, b->valid ? "valid" : "invalid");
}
