/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lockstep: the single-stepper runs some blocks first, on the real machine, with every memory write journaled and every
 * answer of a device recorded. Then memory and registers are put back, the translator runs the same instructions with
 * the recorded answers, and everything must come out the same.
 *
 * A unit ends with an instruction that asks the machine something, and where the translator would be left for an event.
 * What cannot be repeated (a page-table write takes effect at once in one run and after the guest's flush in the other)
 * is not compared: such a block becomes a unit of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "cpu/fpu.h"
#include "cpu/mem.h"
#include "cpu/step.h"
#include "cpu/tlb.h"
#include "lockstep_internal.h"

static bool touches_ports(const struct insn *in)
{
	switch (in->id) {
	case INSN_IN:
	case INSN_OUT:
	case INSN_INSB:
	case INSN_INSW:
	case INSN_INSD:
	case INSN_OUTSB:
	case INSN_OUTSW:
	case INSN_OUTSD:
		return true;
	}
	return false;
}

/* Single-steps one instruction to its end. fetched: it is *in, else fetching it faults. False: nothing more in this
 * unit. */
static bool reference_insn(struct lockstep *ls, struct insn *in, bool fetched)
{
	struct cpu *cpu = ls->bt->cpu;
	unsigned answers = ls->nanswers;
	uint64_t rip = cpu->rip;

	if (!fetched) {
		memset(in, 0, sizeof(*in));
		cpu_step(cpu);
		return false;
	}
	/* The same number does not come twice, nor do pointers that AMD's processors may have lost (cpu/fpu.c). */
	if (in->id == INSN_RDRAND || in->id == INSN_RDSEED || fpu_stores_lost_pointers(cpu, in))
		ls->overflow = true;
	do {
		if (cpu_step(cpu) != STEP_DONE) {
			ls->mmx_store_faulted = in->mem_write && (insn_rows[in->id].checks & CHK_MMX);
			return false;
		}
		/* Billions of elements: whoever wants the thread back does not wait for them. */
		if (in->repeats && cpu->rip == rip && *ls->bt->stop)
			ls->overflow = ls->no_way_back = true;
		/* The single-stepper sees a changed page table at once, the translator after the guest's flush. */
		if (ls->tables_written)
			ls->overflow = true;
	} while (in->repeats && cpu->rip == rip && cpu->activity == CPU_RUNNING && !cpu->pending_db && !ls->overflow);
	ls->undefined = (ls->undefined & ~in->flags_written) | in->flags_undefined;
	return ls->nanswers == answers && !ls->overflow;
}

/* The reference run along a block. False: nothing more in this unit. */
static bool reference_block(struct lockstep *ls, const struct block *b)
{
	struct cpu *cpu = ls->bt->cpu;

	for (unsigned n = 0; n < b->ninsns && cpu->rip == block_pc(b, n); n++) {
		struct insn *in = &ls->insns[ls->ninsns];
		struct x86_fault f;
		bool fetched;
		if (n && cpu_debug_active(cpu))
			return false; /* POPF set TF: not a block's code any more */
		fetched = cpu_fetch(cpu, in, &f);
		if (fetched && ls->ninsns && !cpu->shadow && touches_ports(in))
			return false; /* a device may write memory: its instruction stands alone */
		ls->started = n + 1;
		ls->eips[ls->ninsns++] = cpu->rip;
		if (!reference_insn(ls, in, fetched))
			return false;
		/* An interrupt that waited for STI or POPF: those leave the cache then. */
		if (cpu->activity != CPU_RUNNING || cpu->pending_db || cpu_event_ready(cpu) || !b->valid)
			return false;
	}
	return true;
}

/* The block that the unit goes on with; NULL: it ends here. */
static struct block *next_block(struct lockstep *ls, unsigned max_blocks)
{
	struct bt *bt = ls->bt;
	struct context *ctx;
	struct block *b;
	gva_t linear;

	if (ls->nblocks == max_blocks || ls->ninsns >= UNIT_INSNS || ls->flushed || *bt->stop || bt->cpu->shadow)
		return NULL;
	ctx = bt_context(bt);
	b = ctx ? bt_find_block(bt, ctx) : NULL;
	if (!b || bt->generation != ls->generation || ls->overflow)
		return NULL;
	/* Code of devices is an exchange by itself. */
	linear = block_linear(b, 0);
	return b->ram_page[0] == NO_PAGE || ls->alone[linear % ALONE] == linear ? NULL : b;
}

static void run_reference(struct lockstep *ls, struct block *b, unsigned max_blocks)
{
	struct cpu *cpu = ls->bt->cpu;

	ls->nwrites = ls->nanswers = ls->next_answer = 0;
	ls->nblocks = ls->ninsns = ls->started = 0;
	ls->undefined = 0;
	ls->flushed = ls->overflow = ls->differs = ls->replaying = ls->tables_written = ls->mmx_store_faulted =
	    ls->no_way_back = false;
	ls->generation = ls->bt->generation;
	cpu->ops = &ls->ops;
	cpu->machine = ls;
	cpu->journal = &ls->journal;
	do {
		ls->blocks[ls->nblocks++] = (struct unit_block){b, ls->ninsns};
		if (!reference_block(ls, b))
			break;
		b = next_block(ls, max_blocks);
	} while (b);
}

/* Is the reference run of the unit not to be repeated by the translator? */
static bool spoiled(const struct lockstep *ls)
{
	if (ls->overflow || ls->bt->generation != ls->generation)
		return true;
	for (unsigned i = 0; i < ls->nblocks; i++)
		if (!ls->blocks[i].b->valid) /* changed by its own code */
			return true;
	return false;
}

/* All but the TLB, which is empty between units: it is most of the structure. */
static void copy_cpu(struct cpu *to, const struct cpu *from)
{
	enum {
		TLB = offsetof(struct cpu, tlb),
		TLB_END = TLB + sizeof(struct tlb),
	};
	uint8_t *t = (uint8_t *)to;
	const uint8_t *f = (const uint8_t *)from;

	memcpy(t, f, TLB);
	memcpy(t + TLB_END, f + TLB_END, sizeof(struct cpu) - TLB_END);
}

static void drop_stale(struct lockstep *ls)
{
	if (ls->tables_written)
		ls->real_ops->mmu_event(ls->before.machine, MMU_CR4, 0);
}

static void leave_unit(struct lockstep *ls)
{
	struct cpu *cpu = ls->bt->cpu;

	cpu->ops = ls->real_ops;
	cpu->machine = ls->before.machine;
	cpu->journal = NULL;
	tlb_flush(cpu); /* what the reference run dropped may have come back with the registers */
}

/* What the machine changed in the CPU during the reference run stays. */
static void keep_inputs(struct cpu *cpu, const struct cpu *ref)
{
	cpu->intr = ref->intr;
	cpu->nmi = ref->nmi;
	cpu->ferr = ref->ferr;
}

/* Makes the reference run once more, without its last block, which spoils it, if it has more than one. */
static void shorten(struct lockstep *ls, struct context *ctx)
{
	struct bt *bt = ls->bt;
	unsigned blocks = ls->nblocks;
	struct block *b;

	if (blocks == 1 || ls->nanswers || ls->flushed || ls->no_way_back || bt->generation != ls->generation)
		return;
	lockstep_undo_writes(ls, true);
	copy_cpu(&ls->reference, bt->cpu);
	copy_cpu(bt->cpu, &ls->before);
	keep_inputs(bt->cpu, &ls->reference);
	leave_unit(ls);
	drop_stale(ls);
	b = bt_find_block(bt, ctx);
	if (b) {
		run_reference(ls, b, blocks - 1);
	} else { /* nothing runs, and is not compared */
		ls->nblocks = ls->ninsns = 0;
		ls->tables_written = false;
	}
}

/* If the CPU stands where a block of the unit begins, that is what is entered next. */
static void enter_block(struct lockstep *ls, unsigned done)
{
	struct bt *bt = ls->bt;
	const struct cpu *cpu = bt->cpu;

	for (unsigned i = 0; i < ls->nblocks; i++) {
		struct block *b = ls->blocks[i].b;
		if (ls->blocks[i].before != done || cpu->rip != b->eip || cpu->shadow || cpu->pending_db ||
		    bt_context(bt) != b->ctx)
			continue;
		if (!b->valid && bt_find_block(bt, b->ctx) != b) /* it comes back when the bytes do */
			return;
		bt->ctx = b->ctx;
		bt_resume_block(bt, b);
		return;
	}
}

/* False: it asked the machine something else, or went on too far. */
static bool run_translated(struct lockstep *ls)
{
	struct bt *bt = ls->bt;
	struct cpu *cpu = bt->cpu;
	uint64_t start = bt->frame.count;

	copy_cpu(cpu, &ls->before);
	tlb_flush(cpu);
	if (ls->flushed) /* what is cached belongs to the state at the end of the reference run */
		ls->real_ops->mmu_event(ls->before.machine, MMU_CR4, 0);
	cpu->ops = &ls->ops;
	cpu->machine = ls;
	cpu->journal = &ls->journal;
	keep_inputs(cpu, &ls->before);
	ls->replaying = true;
	bt->count_limit = start + ls->ninsns;
	bt->resume = 0;
	while (bt->frame.count < bt->count_limit && !ls->differs) {
		bt->frame.kick = 0;
		/* Another block in its place might go on behind the end of the unit. */
		if (bt->resume && !bt->current->valid)
			bt->resume = 0;
		if (!bt->resume)
			enter_block(ls, (unsigned)(bt->frame.count - start));
		if (bt->resume)
			bt_run_once(bt);
		else
			bt_step(bt, &bt->stats->stepped_callout);
	}
	cpu_fpu_sync(cpu);
	return !ls->differs && bt->frame.count == bt->count_limit;
}

static struct lockstep *make_state(struct bt *bt)
{
	struct lockstep *ls = calloc(1, sizeof(*ls));

	if (!ls)
		return NULL;
	ls->bt = bt;
	lockstep_attach(ls);
	return ls;
}

void bt_lockstep_destroy(struct bt *bt)
{
	free(bt->lockstep_state);
}

static bool lockstep_unit(struct bt *bt, struct context *ctx)
{
	struct lockstep *ls = bt->lockstep_state;
	struct block *b = bt_find_block(bt, ctx);
	bool ran, same;

	if (!b) {
		bt_step(bt, &bt->stats->stepped_fault);
		return true;
	}
	cpu_fpu_sync(bt->cpu);
	copy_cpu(&ls->before, bt->cpu);
	ls->real_ops = bt->cpu->ops;
	run_reference(ls, b, UNIT_BLOCKS);
	if (spoiled(ls))
		shorten(ls, ctx);
	copy_cpu(&ls->reference, bt->cpu);
	if (spoiled(ls)) { /* the reference run stands */
		leave_unit(ls);
		drop_stale(ls);
		bt->frame.count += ls->ninsns;
		bt->stats->lockstep_skipped += ls->ninsns;
		return true;
	}
	lockstep_note_writes(ls);
	lockstep_undo_writes(ls, false);
	ran = run_translated(ls);
	leave_unit(ls);
	keep_inputs(bt->cpu, &ls->reference);
	same = lockstep_same(ls, ran);
	bt->stats->lockstep_blocks += ls->nblocks;
	bt->stats->lockstep_insns += ls->ninsns;
	return same;
}

/* Fetching from device memory is an exchange itself, and the reference run fetches more often. */
static bool code_in_device(const struct bt *bt)
{
	for (unsigned at = 0; at < INSN_MAX_BYTES; at += INSN_MAX_BYTES - 1) {
		gva_t linear = cpu_linear_pc(bt->cpu) + at;
		struct translation t = {.gpa = linear};
		const struct pm_region *r;
		struct x86_fault f;
		if (cpu_paging(bt->cpu) && !cpu_walk(bt->cpu, linear, ACC_EXEC, bt->cpu->cpl == 3, false, &t, &f))
			continue;
		r = physmem_span(bt->pm, t.gpa & bt->pm->a20_mask)->region;
		if (r && r->kind == PM_IO)
			return true;
	}
	return false;
}

bool bt_lockstep(struct bt *bt, uint64_t until)
{
	struct context *ctx;
	bool same = true;

	if (!bt->lockstep_state && !(bt->lockstep_state = make_state(bt)))
		return false;
	bt_begin(bt, true);
	while (same && !bt_must_return(bt) && bt->stats->insns_executed < until) {
		ctx = bt->cpu->shadow || bt->cpu->pending_db || code_in_device(bt) ? NULL : bt_context(bt);
		if (ctx)
			same = lockstep_unit(bt, bt->ctx = ctx);
		else
			bt_step(bt, &bt->stats->stepped_debug);
		bt->stats->insns_executed = bt->frame.count;
	}
	bt_end(bt);
	return same;
}
