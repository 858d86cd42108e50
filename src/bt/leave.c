/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes out of the cache: links to be made, faults, events; callouts: callout.c. */
#include <inttypes.h>
#include <string.h>

#include "bt_profile_internal.h"
#include "cpu/event.h"
#include "cpu/step.h"
#include "leave_internal.h"
#include "phase.h"
#include "trace.h"

/* The next entry is at instruction n of the block. */
static void resume_at(struct bt *bt, struct block *b, unsigned n)
{
	bt->current = b;
	bt->ctx = b->ctx; /* translated code may have changed the mode */
	bt->resume = b->body + b->map[n].host;
	bt->resume_uncounted = b->map[n].uncounted;
	bt->resume_esp = b->map[n].esp;
	bt->resume_insn = n;
}

void bt_resume_block(struct bt *bt, struct block *b)
{
	resume_at(bt, b, 0);
	bt->resume = b->body;
}

void bt_continue_behind(struct bt *bt, struct block *b, unsigned n)
{
	if (!opt_on(bt->cpu->opt_off, OPT_RESUME) || (bt->lockstep && bt->frame.count >= bt->count_limit) ||
	    n + 1 >= b->ninsns + (unsigned)b->open || bt->cpu->rip != block_pc(b, n + 1))
		return;
	if (bt->cpu->shadow || bt->cpu->pending_db || bt_context(bt) != b->ctx || !b->valid)
		return;
	resume_at(bt, b, n + 1);
}

uint64_t bt_slow_accesses(const struct stats *s)
{
	return s->mmio_reads + s->mmio_writes + s->traced_writes;
}

/* Has no instruction been completed, for all that can be seen without a count of them? */
static bool as_entered(const struct bt *bt)
{
	const struct cpu *cpu = bt->cpu;

	return cpu->rip == bt->entry_rip && (cpu->rflags & FLAGS_LIVE) == bt->entry_flags &&
	       !memcmp(cpu->gpr, bt->entry_gpr, sizeof(bt->entry_gpr));
}

/*
 * RF is set if it was when the cache was entered, or by the IRET that left it, and no instruction has been completed
 * since. A deviation, where nothing is counted: so it is if the CPU has come to the same place with the same registers.
 */
void bt_restore_rf(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;

	if (bt_counts(bt) ? bt->frame.count == cpu->bt_rf_at : cpu->bt_rf || (bt->entry_rf && as_entered(bt)))
		cpu->rflags |= FLAG_RF;
	cpu->bt_rf = false;
}

void bt_note_copy_fault(struct bt *bt, uint32_t address)
{
	bt->cpu->bt_copy_faulted = true;
	bt->copy_faulted_at = address;
}

static hva_t user_host(const struct bt *bt, gva_t linear)
{
	return cpu_code64(bt->cpu) ? shadow_host_of(bt->shadow, linear, true)
				   : shadow_window_of(bt->shadow, true) + (uint32_t)linear;
}

void bt_back_from_fault(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;

	if (cpu->cpl == 3 && cpu->bt_user_faulted) {
		cpu->bt_user_faulted = false;
		if (!bt->faulted_by)
			shadow_install(bt->shadow, bt->faulted_at, true);
		else if (shadow_know(bt->shadow, bt->faulted_at, true))
			bt_page_known(bt, bt->faulted_by, user_host(bt, bt->faulted_at));
	} else if (cpu->cpl != 3 && cpu->bt_copy_faulted && (cpu->rflags & FLAG_RF)) {
		cpu->bt_copy_faulted = false;
		shadow_install(bt->shadow, bt->copy_faulted_at, true);
	}
}

static void follow_link(struct bt *bt, struct bt_exit *x)
{
	const struct block *from = bt_block(bt, x->from);
	struct block *to;
	uint64_t generation = bt->generation;

	bt->cpu->rip = bt_exit_target(bt, x);
	bt->stats->link_misses++;
	if (bt->lockstep)
		return;
	/* If the mode is another one than that of the code that ran (which would be an error), this must not spread. */
	bt->coming_from = from;
	bt->coming_near = x->near;
	to = bt_context(bt) == from->ctx ? bt_find_block(bt, from->ctx) : NULL;
	bt->coming_from = NULL;
	if (!to)
		return;
	/* Under paging links stay within a page of RAM; the guest may have changed its mapping without having flushed
	 * it yet. */
	bool apart = (to->ctx->key.flags & CTX_PAGED) && ((to->gpa ^ from->gpa) >> PAGE_SHIFT || bt_crosses(to));
	if (generation == bt->generation && from->valid && !x->to && !apart && opt_on(bt->cpu->opt_off, OPT_LINK))
		bt_link(bt, x, to);
	bt_resume_block(bt, to);
}

/* Is it to be entered in the table? Half of what a kernel runs while it comes up is returned to once: not worth a page
 * of the table. A program's blocks are entered at once: many are copies, and new ones in each process. So is the first
 * of all: where there is no table yet, each miss may be a signal (indirect.c). */
static bool is_awaited(const struct bt *bt, const struct block *b)
{
	return b->missed || context_user(b->ctx) || b->ctx->indirect == bt->miss_table ||
	       !opt_on(bt->cpu->opt_off, OPT_SECOND);
}

static void follow_indirect(struct bt *bt, guest_pc_t eip)
{
	struct context *ctx;
	struct block *b;

	if (bt->home->code64 && bt_undo_branch(bt))
		return;
	bt->cpu->rip = eip;
	bt_restore_rf(bt); /* it may be the way back from an interrupt */
	bt_back_from_fault(bt);
	bt->stats->indirect_misses++;
	bt_profile_missed_table(bt);
	if (bt->lockstep)
		return;
	ctx = bt_context(bt); /* translated code may have changed the mode on the way */
	if (!ctx)
		return;
	bt_indirect_missed(bt, ctx, eip);
	b = bt_find_block(bt, ctx);
	if (!b)
		return;
	if (opt_on(bt->cpu->opt_off, OPT_TABLE) && is_awaited(bt, b))
		bt_indirect_fill(bt, b);
	b->missed = true;
	bt->ctx = b->ctx;
	bt_resume_block(bt, b);
}

/* The CPU is at the beginning of instruction n, all before it being counted. */
static void recover_insn(struct bt *bt, const struct block *b, int n)
{
	const struct insn_map *m = &b->map[n];
	struct cpu *cpu = bt->cpu;

	cpu->rip = block_pc(b, (unsigned)n);
	if (m->flags & MAP_NO_EVENT) /* whoever looks for events before it goes on must know */
		cpu->shadow = m->flags & MAP_BEHIND_SS ? SHADOW_MOV_SS : SHADOW_STI;
	bt_restore_rf(bt);
}

/*
 * Between two elements of a repeated string instruction: RF is in what is saved now (vol. 3, 17.3.1.1), and the flags
 * of CMPS and SCAS are those from before (vol. 2, REP), where AMD's processors leave those of the last comparison.
 */
static void recover_half_way(struct bt *bt, const struct block *b, int n)
{
	unsigned at = b->map[n].guest, code_size = context_code_size(b->ctx);
	struct cpu *cpu = bt->cpu;
	struct insn in;

	cpu->rflags |= FLAG_RF;
	if (!insn_decode(&in, b->source + at, b->guest_len - at, code_size) && insn_compares_strings(&in))
		cpu->rflags = (cpu->rflags & ~FLAGS_ARITH) | (cpu->bt_flags & FLAGS_ARITH);
}

/* Makes the state that of the beginning of instruction n, in which the host stood at pc. */
static void recover(struct bt *bt, const struct block *b, int n, cache_pc_t pc)
{
	const struct insn_map *m = &b->map[n];
	struct cpu *cpu = bt->cpu;
	unsigned offset = (unsigned)(pc - b->body);

	bool half_way = (uint32_t)cpu->gpr[RCX] != cpu->bt_rep_count;

	if (context_code64(b->ctx)) {
		bt_recover64(bt, m, offset);
		half_way = bt_half_way64(bt);
	} else if ((m->flags & MAP_SWAPPED) && offset > m->swap_from && offset < m->swap_to) {
		cpu->gpr[m->swapped] = bt->frame.swapped;
	} else if (m->flags & MAP_STRING) {
		cpu->gpr[RSI] = (uint32_t)cpu->gpr[RSI];
		cpu->gpr[RDI] = (uint32_t)cpu->gpr[RDI];
	}
	bt_move_esp(cpu, m->esp);
	bt->frame.count += m->uncounted;
	recover_insn(bt, b, n);
	if ((m->flags & MAP_REP) && offset >= m->swap_from && half_way)
		recover_half_way(bt, b, n);
}

static struct block *block_at(struct bt *bt, cache_pc_t pc, int *n)
{
	struct block *b = bt_find_host(bt, pc);

	if (!b)
		PANIC("no block at host address %lx", (unsigned long)pc);
	*n = bt_find_insn(b, pc);
	if (*n < 0 || *n >= b->ninsns)
		PANIC("host address %lx of block %" PRIx64 " is in no instruction", (unsigned long)pc,
		      block_linear(b, 0));
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

/* The instruction, at which the CPU is, makes no other access and has nothing to check before it. */
static void raise_page_fault(struct bt *bt)
{
	bt->stats->true_faults++;
	bt->frame.count++;
	bt->cpu->shadow = SHADOW_NONE;
	cpu_deliver_fault(bt->cpu, shadow_true_fault(bt->shadow));
}

/* Is the page fault the only one that the access can raise? One that ends beyond what is canonical raises another. */
static bool no_other_fault(const struct bt *bt)
{
	return cpu_canonical(bt->cpu, shadow_true_fault(bt->shadow)->address + PAGE_MASK);
}

/* Did what the instruction needs take the place of something else, and the last time, too? That may have been of what
 * it needs, and so on for ever: the single-stepper needs no mappings. */
static bool takes_turns(struct bt *bt)
{
	bool again = bt->short_at == bt->cpu->rip;

	if (bt->stats->mappings_short == bt->shorts)
		return false;
	bt->shorts = bt->stats->mappings_short;
	bt->short_at = bt->cpu->rip;
	return again;
}

/* Instruction n of the block, which is at its beginning, cannot make its access. what: what has become of it. alone:
 * see raise_page_fault(). */
static void no_access(struct bt *bt, struct block *b, int n, enum shadow_fault what, gva_t address, bool alone)
{
	uint64_t slow = bt_slow_accesses(bt->stats), exceptions = bt->stats->exceptions;
	const struct insn_map *m = &b->map[n];
	gva_t linear = block_linear(b, m->guest);
	bool code64 = context_code64(b->ctx), user = bt->cpu->cpl == 3;

	if (!code64 && (what == SHADOW_RESOLVED_USER || what == SHADOW_EMULATE_USER))
		bt_site_touched_user(bt, b, linear, (uint32_t)address, m->flags & MAP_USER);
	if ((what == SHADOW_RESOLVED || what == SHADOW_RESOLVED_USER) && !takes_turns(bt)) {
		resume_at(bt, b, (unsigned)n);
		return;
	}
	if (what == SHADOW_TRUE && user) {
		bt->cpu->bt_user_faulted = true;
		bt->faulted_at = shadow_true_fault(bt->shadow)->address;
	}
	if (what == SHADOW_TRUE && alone && opt_on(bt->cpu->opt_off, OPT_RAISE) && no_other_fault(bt)) {
		raise_page_fault(bt);
		return;
	}
	bt_step(bt, step_reason(bt, what));
	if (what == SHADOW_EMULATE && (b->ctx->key.flags & (CTX_CODE64 | CTX_COMPAT)))
		bt_own_tables(bt);
	if ((m->flags & MAP_USER) && what == SHADOW_EMULATE) {
		if (bt->stats->exceptions == exceptions)
			bt_site_missed_user(bt, (uint32_t)address);
		else
			bt_note_copy_fault(bt, (uint32_t)address);
	}
	/* A checked store that faults is near what is watched, or where the alias shows nothing. */
	if (bt_slow_accesses(bt->stats) != slow || (m->flags & MAP_CHECKED))
		bt_site_faulted(bt, b, linear, m->flags & MAP_CHECKED);
	/* What its probes found is not known of the registers as they are now, nor what it knew before an exception. */
	if (!b->indexes && bt->stats->exceptions == exceptions)
		bt_continue_behind(bt, b, (unsigned)n);
}

/* A comparison by address that failed, not an access of the guest's: windows are higher. It is near the page of probes
 * unless what was compared is no canonical address. */
static bool is_probe(uint64_t address)
{
	return address < 4 * GiB;
}

/* The instruction, at which the CPU is, has accessed a host address, or (looked) has not, having looked at its page. */
static enum shadow_fault handle_access(struct bt *bt, const struct block *b, int n, hva_t address, bool write,
				       bool looked)
{
	enum shadow_fault what =
	    looked ? shadow_handle_look(bt->shadow, address, write) : shadow_handle_fault(bt->shadow, address, write);

	if (what == SHADOW_EMULATE && context_code64(b->ctx) && bt_own_accesses(bt, b, (unsigned)n))
		what = SHADOW_RESOLVED;
	return what;
}

/* An index led out of the base's chunk, or what was taken for the base is none: a kernel's own addresses are small
 * negative numbers. */
static bool left_chunk(const struct bt *bt, const struct block *b, hva_t address)
{
	return b->valid && b->indexes && !shadow_in_place(bt->shadow, address);
}

/* The table of chunks has nothing for the chunk that the code expected, and yet the instruction made its access:
 * elsewhere. Code that is translated while a pointer is NULL expects chunk 0, which most address spaces do not have.
 * A site that looks its chunks up has met a chunk that is no memory: nothing would change. */
static bool missed_chunk(struct bt *bt, const struct block *b, int n, hva_t address, bool raised)
{
	return b->valid && !raised && shadow_in_view_table(bt->shadow, address) &&
	       !bt_site_strays(bt, b, b->map[n].guest);
}

/* A signal. */
static void fault(struct bt *bt)
{
	struct bt_frame *fr = &bt->frame;
	int n;
	struct block *b = bt_find_host(bt, (cache_pc_t)fr->pc);
	gva_t address = fr->address;
	uint64_t exceptions = bt->stats->exceptions;
	bool new_page, raised, elsewhere, known = false;
	enum shadow_fault what = SHADOW_FOREIGN; /* a limit check, a divide error, ... */

	phase_set(bt->stats, PHASE_FAULT);
	if (b && context_code64(b->ctx) && fr->pc < b->body) { /* the head: another RIP's */
		follow_indirect(bt, bt->home->target);
		return;
	}
	b = block_at(bt, (cache_pc_t)fr->pc, &n);
	recover(bt, b, n, (cache_pc_t)fr->pc);
	if (bt->gsbase == GSBASE_LOST && fr->trap == TRAP_PAGE_FAULT && gsbase_is_nowhere(fr->address)) {
		bt->stats->gsbase_lost++;
		resume_at(bt, b, (unsigned)n); /* it is written again on the way in */
		return;
	}
	bt->faulted_by = NULL;
	if (fr->trap == TRAP_PAGE_FAULT && !is_probe(fr->address)) {
		known = shadow_is_known(bt->shadow, fr->address, fr->error & 2);
		what = handle_access(bt, b, n, fr->address, fr->error & 2, false);
	}
	if (known)
		bt_known_in_vain(bt, fr->address);
	/* Contained or not, this must not happen: docs/isolation.md. */
	ASSERTF(!bt->audit || !context_code64(b->ctx) || fr->trap != TRAP_PAGE_FAULT || what != SHADOW_FOREIGN ||
		    is_probe(fr->address),
		"an access of the guest's at host address %lx", (unsigned long)fr->address);
	trace(step, "fault at %" PRIx64 ": trap %u, host %lx", block_linear(b, b->map[n].guest), (unsigned)fr->trap,
	      (unsigned long)fr->address);
	if (!context_code64(b->ctx))
		address = (uint32_t)address;
	no_access(bt, b, n, what, address, false);
	raised = bt->stats->exceptions != exceptions;
	elsewhere =
	    what == SHADOW_EMULATE && (left_chunk(bt, b, fr->address) || missed_chunk(bt, b, n, fr->address, raised));
	if (fr->trap == TRAP_PAGE_FAULT && (is_probe(fr->address) || elsewhere))
		bt_site_strayed(bt, b, b->map[n].guest);
	new_page = what == SHADOW_RESOLVED || what == SHADOW_RESOLVED_USER || what == SHADOW_TRUE ||
		   ((b->map[n].flags & MAP_USER) && raised);
	if (b->valid && new_page && (b->ctx->key.flags & CTX_PAGED))
		bt_look_faulted(bt, b, (unsigned)n);
}

/* What would be a signal if the code had not looked. */
static void foreseen_fault(struct bt *bt, struct block *b, const struct bt_exit *x)
{
	gva_t address = bt->cpu->bt_fault_address;
	hva_t at = context_code64(b->ctx) ? bt->home->fault : bt->frame.window + address;
	enum shadow_fault what;

	recover_insn(bt, b, x->insn);
	bt->faulted_by = x->extra & FAULT_KNOWS ? bt_look_knows(bt, b, x->insn) : NULL;
	what = handle_access(bt, b, x->insn, at, x->extra & FAULT_WRITE, bt->faulted_by);
	if (bt->faulted_by && shadow_is_known(bt->shadow, at, x->extra & FAULT_WRITE))
		bt_page_known(bt, bt->faulted_by, at);
	bt_look_faulted(bt, b, x->insn);
	no_access(bt, b, x->insn, what, address, x->extra & FAULT_ALONE);
}

static void event(struct bt *bt)
{
	int n;
	struct block *b = block_at(bt, (cache_pc_t)bt->frame.pc, &n);

	recover(bt, b, n, (cache_pc_t)bt->frame.pc);
	bt_looks_sampled(bt, b);
	bt_cross_link(bt);
}

void bt_left(struct bt *bt)
{
	switch ((enum leave_reason)bt->frame.reason) {
	case LEAVE_EXIT: {
		struct bt_exit *x = &bt->exits[bt->frame.value];
		struct block *from = bt_block(bt, x->from);
		if (x->kind == EXIT_LINK)
			follow_link(bt, x);
		else if (bt->lockstep && bt->frame.count >= bt->count_limit) { /* the unit ends before this one */
			bt->cpu->rip = bt_exit_target(bt, x);
			bt_restore_rf(bt);
		} else if (x->kind == EXIT_CALLOUT)
			bt_callout(bt, from, x);
		else if (x->kind == EXIT_FAULT)
			foreseen_fault(bt, from, x);
		else if (x->kind == EXIT_BREAK) {
			recover_insn(bt, from, x->insn);
			bt->at_breakpoint = true;
		} else {
			bt->cpu->rip = bt_exit_target(bt, x);
			bt_restore_rf(bt);
			bt_step(bt, &bt->stats->stepped_callout);
		}
		break;
	}
	case LEAVE_INDIRECT:
		follow_indirect(bt, bt->home->code64 ? bt->frame.value : (uint32_t)bt->frame.value);
		break;
	case LEAVE_FAULT:
		fault(bt);
		break;
	case LEAVE_EVENT:
		event(bt);
		break;
	case LEAVE_KICKED:
		if (bt_counts(bt))
			bt->frame.count += bt->resume_uncounted; /* not entered */
		bt_move_esp(bt->cpu, bt->resume_esp);
		break;
	}
}
