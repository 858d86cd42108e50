/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dispatcher: enters the cache, and deals with what comes out of it. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt_profile_internal.h"
#include "cpu/event.h"
#include "cpu/exec.h"
#include "cpu/step.h"
#include "cpu/sys.h"
#include "phase.h"
#include "shadow/track.h"
#include "trace.h"

/* What enter.S takes for granted. */
_Static_assert(offsetof(struct bt_frame, reason) == 0 && offsetof(struct bt_frame, value) == 8, "enter.S");
_Static_assert(offsetof(struct bt_frame, swapped) == 16 && offsetof(struct bt_frame, rflags) == 24, "enter.S");
_Static_assert(offsetof(struct bt_frame, count) == 32 && offsetof(struct bt_frame, host_rsp) == 40, "enter.S");
_Static_assert(offsetof(struct bt_frame, window) == 48 && offsetof(struct bt_frame, cpu) == 56, "enter.S");
_Static_assert(offsetof(struct bt_frame, kick) == 64 && offsetof(struct bt_frame, fpu) == 72, "enter.S");
_Static_assert(offsetof(struct cpu, fpu_live) - CPU_BIAS == 16, "enter.S");
_Static_assert(offsetof(struct cpu, gpr) == 0 && RSP == 4 && RDI == 7, "enter.S");
_Static_assert(LEAVE_EXIT == 0 && LEAVE_INDIRECT == 1 && LEAVE_FAULT == 2 && LEAVE_EVENT == 3 && LEAVE_KICKED == 4,
	       "enter.S");

/* Flags that live in the host's while in the cache. */
#define FLAGS_LIVE (FLAGS_ARITH | FLAG_DF)

static const char *const insn_names[INSN_COUNT] = {
    [INSN_INVALID] = "INVALID",
#define INSN(id, mnemonic, form, class, checks, feature, handler) [INSN_##id] = #id,
#include "cpu/insn.def"
#undef INSN
};

_Static_assert((unsigned)INSN_COUNT <= (unsigned)STATS_MAX_INSNS, "counters by instruction");

static int check_host(void)
{
	unsigned a, b = 0, c, d;

	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	return b & bit_BMI2 ? 0 : -ENOTSUP; /* SHRX: limit checks that leave flags alone */
}

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
	for (unsigned i = 0; i < bt->nblocks; i++) {
		struct block *b = &bt->blocks[i];
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
	bt->shadow = cfg->shadow;
	bt->stats = cfg->cpu->stats;
	bt->stop = cfg->stop;
	bt->audit = cfg->audit;
	bt->count = cfg->count;
	bt->stats->insn_names = insn_names;
	bt->stats->insn_count = INSN_COUNT;
	bt->frame.cpu = (uintptr_t)cfg->cpu + CPU_BIAS;
	bt->frame.fpu = (uintptr_t)cfg->cpu->fpu.image;
	bt->frame.window = shadow_window(cfg->shadow);
	err = check_host();
	if (!err)
		err = bt_cache_init(bt, cfg->cache_bytes ? cfg->cache_bytes : DEFAULT_CACHE_BYTES);
	if (!err)
		err = bt_profile_init(bt, cfg);
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
	bt_lockstep_destroy(bt);
	bt_profile_destroy(bt);
	bt_cache_destroy(bt);
	free(bt);
}

void bt_mmu_event(struct bt *bt, enum mmu_event event, gva_t address)
{
	bt->mmu_events++;
	bt_indirect_event(bt);
	if (event == MMU_A20)
		bt_flush(bt);
}

/* Translated code reaches the window of the CPU's present mode. */
static void use_window(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;
	hva_t window;

	cpu->bt_window[0] = shadow_window_of(bt->shadow, false);
	cpu->bt_window[1] = shadow_window_of(bt->shadow, true);
	cpu->bt_states[0] = shadow_page_states(bt->shadow, false);
	cpu->bt_states[1] = shadow_page_states(bt->shadow, true);
	window = cpu->bt_window[cpu->cpl == 3];
	if (window == bt->frame.window && bt->gs_known)
		return;
	bt_set_gs_base(window);
	bt->gs_known = true;
	bt->frame.window = window;
}

/* Counts an instruction that the stepper executes for the translator. */
void bt_step(struct bt *bt, uint64_t *why)
{
	struct cpu *cpu = bt->cpu;
	uint64_t rip = cpu->rip;
	uint8_t phase = phase_set(bt->stats, PHASE_STEP);

	++*why;
	/* Part of a repeated instruction is none yet. Others may come back to themselves, or wait for FERR# to be seen.
	 */
	if (cpu_step(cpu) != STEP_DONE || cpu->rip != rip || !exec_decode_cache(cpu->exec, cpu_linear_pc(cpu))->repeats)
		bt->frame.count++;
	phase_set(bt->stats, phase);
}

static void set_context(struct bt *bt, struct context *ctx)
{
	bt->ctx = ctx;
	bt->cpu->bt_indirect = ctx->indirect;
}

struct block *bt_find_block(struct bt *bt, struct context *ctx)
{
	uint32_t eip = (uint32_t)bt->cpu->rip;
	struct block *b;
	uint8_t phase;
	gpa_t gpa;

	if (!bt_code_gpa(bt, ctx->key.cs_base + eip, &gpa))
		return NULL;
	b = bt_lookup(bt, ctx, eip, gpa);
	if (b)
		return b;
	bt->stats->dispatcher_misses++;
	phase = phase_set(bt->stats, PHASE_TRANSLATE);
	b = bt_revive(bt, ctx, eip, gpa);
	if (!b)
		b = bt_copy_twin(bt, ctx, eip, gpa);
	if (!b) {
		b = bt_translate(bt, ctx, eip, gpa, BLOCK_MAX_INSNS);
		if (b)
			set_context(bt, b->ctx);
	}
	phase_set(bt->stats, phase);
	return b;
}

/* The next entry is at instruction n of the block. */
static void resume_at(struct bt *bt, struct block *b, unsigned n)
{
	bt->current = b;
	bt->resume = b->body + b->map[n].host;
	bt->resume_uncounted = b->map[n].uncounted;
}

/* At its beginning, with what counts the entry. */
static void enter_block(struct bt *bt, struct block *b)
{
	resume_at(bt, b, 0);
	bt->resume = b->body;
}

/* Continues behind instruction n of the block: there, if the CPU stands there in the same mode. */
static void continue_behind(struct bt *bt, struct block *b, unsigned n)
{
	if ((bt->lockstep && bt->frame.count >= bt->count_limit) || n + 1 >= b->ninsns + (unsigned)b->open ||
	    (uint32_t)bt->cpu->rip != b->eip + b->map[n + 1].guest)
		return;
	if (bt->cpu->shadow || bt->cpu->pending_db || bt_context(bt) != b->ctx || !b->valid)
		return;
	resume_at(bt, b, n + 1);
}

/* Accesses that a translated instruction cannot make by itself. */
static uint64_t slow_accesses(const struct stats *s)
{
	return s->mmio_reads + s->mmio_writes + s->traced_writes;
}

/* RF lasts to the end of the first instruction: it still holds if that one has not been completed. */
static void restore_rf(struct bt *bt)
{
	if (bt->frame.count == bt->entry_count)
		bt->cpu->rflags |= bt->entry_rf;
}

/* The operand of VERW, once more: nothing has run since. */
static void remember_writable(struct bt *bt, const struct insn *in)
{
	struct x86_fault f;
	uint64_t selector;

	if (insn_read(bt->cpu, in, 0, &selector, &f))
		bt_selector_writable(bt, (uint16_t)selector);
}

/* What the C body found is remembered for translated code. */
static void remember_transfer(struct bt *bt, struct block *b, const struct insn *in, unsigned cpl)
{
	switch (in->id) {
	case INSN_MOV_TO_SREG:
	case INSN_POP_SREG:
		bt_selector_loaded(bt, b, in->op[0].reg);
		break;
	case INSN_INT:
		if (cpl == 3)
			bt_ring_entered(bt, in->bytes[in->imm_off]);
		break;
	case INSN_IRETD:
		bt_ring_left(bt);
		break;
	case INSN_VERW:
		if (!cpl && (bt->cpu->rflags & FLAG_ZF))
			remember_writable(bt, in);
		break;
	}
}

static void callout(struct bt *bt, struct block *b, const struct bt_exit *x)
{
	struct cpu *cpu = bt->cpu;
	const struct insn *in = &b->insns[x->extra];
	uint32_t linear = b->linear + b->map[x->insn].guest;
	uint64_t slow = slow_accesses(bt->stats), mmu_events = bt->mmu_events, exceptions = bt->stats->exceptions;
	unsigned cpl = cpu->cpl;
	enum step_result result;
	bool unfinished;

	cpu->rip = x->target;
	restore_rf(bt);
	bt->stats->callouts++;
	bt->stats->insn_callouts[in->id]++;
	bt->stats->phase_insn = in->id;
	phase_set(bt->stats, PHASE_CALLOUT);
	/* A repeated instruction works in bounded parts. */
	do {
		result = cpu_step_insn(cpu, in);
		unfinished = result == STEP_DONE && in->repeats && (uint32_t)cpu->rip == x->target;
	} while (unfinished && !*bt->stop && !cpu_event_ready(cpu) && b->valid);
	bt->frame.count += !unfinished;
	if (bt->user_faulted && in->id == INSN_IRETD && cpu->cpl == 3) {
		bt->user_faulted = false;
		shadow_install(bt->shadow, bt->faulted_at);
	}
	if (result == STEP_DONE && bt->stats->exceptions == exceptions)
		remember_transfer(bt, b, in, cpl);
	if (bt_site_level(bt, linear) == SITE_CALLOUT)
		bt_site_ran(bt, b, linear, slow_accesses(bt->stats) != slow);
	if (mmu_events == bt->mmu_events) /* else this very page may be another one now */
		continue_behind(bt, b, x->insn);
}

static void follow_link(struct bt *bt, struct bt_exit *x)
{
	struct block *to;
	uint64_t generation = bt->generation;

	bt->cpu->rip = x->target;
	bt->stats->link_misses++;
	if (bt->lockstep)
		return;
	to = bt_find_block(bt, x->from->ctx);
	if (!to)
		return;
	/* Under paging links stay within a page of RAM; the guest may have changed its mapping without having flushed
	 * it yet. */
	bool apart = (to->ctx->key.flags & CTX_PAGED) && ((to->gpa ^ x->from->gpa) >> PAGE_SHIFT || bt_crosses(to));
	if (generation == bt->generation && x->from->valid && !x->to && !apart)
		bt_link(bt, x, to);
	enter_block(bt, to);
}

static void follow_indirect(struct bt *bt, uint32_t eip)
{
	struct context *ctx;
	struct block *b;

	bt->cpu->rip = eip;
	bt->stats->indirect_misses++;
	bt_profile_missed_table(bt);
	if (bt->lockstep)
		return;
	ctx = bt_context(bt); /* translated code may have changed the mode on the way */
	b = ctx ? bt_find_block(bt, ctx) : NULL;
	if (!b)
		return;
	bt_indirect_fill(bt, b);
	set_context(bt, b->ctx);
	enter_block(bt, b);
}

/* The CPU is at the beginning of instruction n, all before it being counted. */
static void recover_insn(struct bt *bt, const struct block *b, int n)
{
	const struct insn_map *m = &b->map[n];
	struct cpu *cpu = bt->cpu;

	cpu->rip = b->eip + m->guest;
	if (m->flags & MAP_NO_EVENT) /* whoever looks for events before it goes on must know */
		cpu->shadow = m->flags & MAP_BEHIND_SS ? SHADOW_MOV_SS : SHADOW_STI;
	restore_rf(bt);
}

/* Makes the state that of the beginning of instruction n, in which the host stood at pc. */
static void recover(struct bt *bt, const struct block *b, int n, cache_pc_t pc)
{
	const struct insn_map *m = &b->map[n];
	struct cpu *cpu = bt->cpu;
	unsigned offset = (unsigned)(pc - b->body);

	if ((m->flags & MAP_SWAPPED) && offset > m->swap_from && offset < m->swap_to)
		cpu->gpr[m->swapped] = bt->frame.swapped;
	if (m->flags & MAP_STRING) {
		cpu->gpr[RSI] = (uint32_t)cpu->gpr[RSI];
		cpu->gpr[RDI] = (uint32_t)cpu->gpr[RDI];
	}
	bt->frame.count += m->uncounted;
	recover_insn(bt, b, n);
}

static struct block *block_at(struct bt *bt, cache_pc_t pc, int *n)
{
	struct block *b = bt_find_host(bt, pc);

	if (!b)
		PANIC("no block at host address %lx", (unsigned long)pc);
	*n = bt_find_insn(b, pc);
	if (*n < 0 || *n >= b->ninsns)
		PANIC("host address %lx of block %x is in no instruction", (unsigned long)pc, b->linear);
	return b;
}

enum { TRAP_PAGE_FAULT = 14 };

static uint64_t *step_reason(struct bt *bt, enum shadow_fault what)
{
	switch (what) {
	case SHADOW_TRACED:
		return &bt->stats->stepped_traced;
	case SHADOW_EMULATE:
	case SHADOW_EMULATE_USER:
		return &bt->stats->stepped_mmio;
	case SHADOW_TRUE:
		bt->stats->true_faults++;
		return &bt->stats->stepped_fault;
	default:
		return &bt->stats->stepped_fault;
	}
}

/* Instruction n of the block, which is at its beginning, cannot make its access. what: what has become of it. */
static void no_access(struct bt *bt, struct block *b, int n, enum shadow_fault what, uint32_t address)
{
	uint64_t slow = slow_accesses(bt->stats), exceptions = bt->stats->exceptions;
	const struct insn_map *m = &b->map[n];
	uint32_t linear = b->linear + m->guest;

	if (what == SHADOW_RESOLVED_USER || what == SHADOW_EMULATE_USER)
		bt_site_touched_user(bt, b, linear, address, m->flags & MAP_USER);
	if (what == SHADOW_RESOLVED || what == SHADOW_RESOLVED_USER) {
		resume_at(bt, b, (unsigned)n);
		return;
	}
	if (what == SHADOW_TRUE && bt->cpu->cpl == 3) {
		bt->user_faulted = true;
		bt->faulted_at = address;
	}
	bt_step(bt, step_reason(bt, what));
	if ((m->flags & MAP_USER) && what == SHADOW_EMULATE && bt->stats->exceptions == exceptions)
		bt_site_missed_user(bt, address);
	/* A checked store that faults is near what is watched, or where the alias shows nothing. */
	if (slow_accesses(bt->stats) != slow || (m->flags & MAP_CHECKED))
		bt_site_faulted(bt, b, linear, m->flags & MAP_CHECKED);
	continue_behind(bt, b, (unsigned)n);
}

/* A signal. */
static void fault(struct bt *bt)
{
	struct bt_frame *fr = &bt->frame;
	int n;
	struct block *b = block_at(bt, (cache_pc_t)fr->pc, &n);
	enum shadow_fault what = SHADOW_FOREIGN; /* a limit check, a divide error, ... */

	phase_set(bt->stats, PHASE_FAULT);
	recover(bt, b, n, (cache_pc_t)fr->pc);
	if (fr->trap == TRAP_PAGE_FAULT)
		what = shadow_handle_fault(bt->shadow, fr->address, fr->error & 2);
	trace(step, "fault at %x: trap %u, host %lx", b->linear + b->map[n].guest, (unsigned)fr->trap,
	      (unsigned long)fr->address);
	no_access(bt, b, n, what, (uint32_t)fr->address);
	if (b->valid && (what == SHADOW_RESOLVED || what == SHADOW_TRUE))
		bt_site_page_faulted(bt, b, b->linear + b->map[n].guest);
}

/* What would be a signal if the code had not looked. */
static void foreseen_fault(struct bt *bt, struct block *b, const struct bt_exit *x)
{
	uint32_t address = bt->cpu->bt_fault_address;

	recover_insn(bt, b, x->insn);
	no_access(bt, b, x->insn, shadow_handle_fault(bt->shadow, bt->frame.window + address, x->extra), address);
}

static void event(struct bt *bt)
{
	int n;
	struct block *b = block_at(bt, (cache_pc_t)bt->frame.pc, &n);

	recover(bt, b, n, (cache_pc_t)bt->frame.pc);
}

static void enter(struct bt *bt, cache_pc_t at)
{
	struct cpu *cpu = bt->cpu;

	bt->frame.rflags = (cpu->rflags & FLAGS_LIVE) | FLAG_1 | FLAG_IF;
	bt->entry_rf = cpu->rflags & FLAG_RF;
	bt->entry_count = bt->frame.count + bt->resume_uncounted;
	cpu->rflags &= ~FLAG_RF;
	bt->stats->cache_entries++;
	bt->stats->block_dispatches += at == bt->current->body;
	use_window(bt);
	bt_selectors_check(bt);
	bt_rings_check(bt);
	bt_enter(&bt->frame, at);
	if (bt->frame.reason == LEAVE_KICKED) {
		cpu->rflags |= bt->entry_rf;
		return;
	}
	cpu->rflags = (cpu->rflags & ~FLAGS_LIVE) | (bt->frame.rflags & FLAGS_LIVE);
	cpu->shadow = SHADOW_NONE;
	if (bt->lockstep)
		cpu_fpu_sync(cpu);
}

static void leave(struct bt *bt)
{
	switch ((enum leave_reason)bt->frame.reason) {
	case LEAVE_EXIT: {
		struct bt_exit *x = &bt->exits[bt->frame.value];
		if (x->kind == EXIT_LINK)
			follow_link(bt, x);
		else if (bt->lockstep && bt->frame.count >= bt->count_limit)
			bt->cpu->rip = x->target; /* the unit ends before this instruction */
		else if (x->kind == EXIT_CALLOUT)
			callout(bt, x->from, x);
		else if (x->kind == EXIT_FAULT)
			foreseen_fault(bt, x->from, x);
		else if (x->kind == EXIT_BREAK) {
			recover_insn(bt, x->from, x->insn);
			bt->at_breakpoint = true;
		} else {
			bt->cpu->rip = x->target;
			restore_rf(bt);
			bt_step(bt, &bt->stats->stepped_callout);
		}
		break;
	}
	case LEAVE_INDIRECT:
		follow_indirect(bt, (uint32_t)bt->frame.value);
		break;
	case LEAVE_FAULT:
		fault(bt);
		break;
	case LEAVE_EVENT:
		event(bt);
		break;
	case LEAVE_KICKED:
		bt->frame.count += bt->resume_uncounted; /* not entered */
		break;
	}
}

/* Where to enter: 0 if the instruction was single-stepped instead, or is at a breakpoint. */
static cache_pc_t entry(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;
	cache_pc_t at = bt->resume;
	struct context *ctx;
	struct block *b;

	bt->resume = 0;
	if (at && bt->current && bt->current->valid) {
		bt->frame.count -= bt->resume_uncounted; /* they will be counted again */
		return at;
	}
	bt->resume_uncounted = 0;
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
	set_context(bt, ctx);
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
	if (UNLIKELY(shadow_space(bt->shadow, true) != bt->space)) { /* it made room, and numbered them anew */
		bt_indirect_event(bt);
		if (bt->ctx)
			set_context(bt, bt->ctx);
	}
	at = entry(bt);
	if (!at)
		return;
	trace(exec, "%04x:%08x host %lx", bt->cpu->seg[SEG_CS].selector, (unsigned)bt->cpu->rip, (unsigned long)at);
	enter(bt, at);
	leave(bt);
	bt->stats->insns_executed = bt->frame.count;
	bt->stats->indirect_hits = bt->cpu->bt_indirect_hits;
}

void bt_begin(struct bt *bt)
{
	bt->gs_known = false; /* the thread may have run another VM meanwhile */
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
	bt_begin(bt);
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
	fprintf(stderr, "block %x, %u instructions, %u bytes, host %lx, context %u, %s\n", b->linear, b->ninsns,
		b->guest_len, (unsigned long)b->body, b->ctx->id, b->valid ? "valid" : "invalid");
}
