/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Callouts: the C body of an instruction, and what is remembered of it for translated code. */
#include "bt_internal.h"
#include "cpu/event.h"
#include "cpu/mem.h"
#include "cpu/step.h"
#include "leave_internal.h"
#include "phase.h"

/* The operand of VERW, once more: nothing has run since. */
static void remember_writable(struct bt *bt, const struct insn *in)
{
	struct x86_fault f;
	uint64_t selector;
	bool read;

	bt->cpu->rip -= in->len; /* operands are relative to it */
	read = insn_read(bt->cpu, in, 0, &selector, &f);
	bt->cpu->rip += in->len;
	if (read)
		bt_selector_writable(bt, (uint16_t)selector);
}

/* What the C body found is remembered for translated code. */
static void remember_transfer(struct bt *bt, struct block *b, const struct insn *in, unsigned cpl, bool slow)
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
		if (!cpl) /* else SS was not loaded */
			bt_ring_left(bt);
		break;
	case INSN_IRETQ:
		if (!cpl)
			bt_ring_left64(bt);
		/* fall through */
	case INSN_SYSRET:
		if (!cpl)
			bt_compat_entered(bt, in->id == INSN_IRETQ);
		break;
	case INSN_VERW:
		if (!cpl && (bt->cpu->rflags & FLAG_ZF) && !slow)
			remember_writable(bt, in);
		break;
	}
}

/* Where a translation that looks at its page's state stores. */
struct store {
	bool looked; /* it does look */
	bool user;   /* in user mode's window */
	bool loads;  /* looks at a page to load from, too */
	gva_t linear, source;
	unsigned more; /* 32-bit code: bytes to its last one, if that is at most a page further */
};

/* How far behind the first byte that a repeated string instruction accesses the last one is; 0: more than a page. */
static unsigned last_byte(const struct cpu *cpu, const struct insn *in)
{
	uint64_t bytes = (uint64_t)(uint32_t)cpu->gpr[RCX] * insn_element_size(in);

	return bytes && bytes <= PAGE_SIZE && !(cpu->rflags & FLAG_DF) ? (unsigned)bytes - 1 : 0;
}

static struct store store_of(struct bt *bt, const struct block *b, const struct insn *in, unsigned n)
{
	const struct site *site = bt_site(bt, block_linear(b, b->map[n].guest));
	const struct cpu *cpu = bt->cpu;
	bool looks = site->level != SITE_PLAIN || (b->map[n].flags & MAP_LOOKS);
	struct store s = {.user = cpu->cpl == 3};

	if (context_code64(b->ctx)) { /* xlat64_ident_guarded(), xlat64_string_guarded() */
		s.looked =
		    looks && cpu->cpl != 3 && (in->repeats ? !insn_compares_strings(in) : in->has_mem && in->mem_write);
		s.linear = in->repeats ? cpu->gpr[RDI] : bt_operand64(cpu, in);
		s.loads = in->repeats && insn_moves_strings(in);
		s.source = cpu->gpr[RSI];
		return s;
	}
	if (!cpu_paging(cpu) || !looks)
		return s;
	if (in->repeats) { /* xlat_string_guarded() */
		s.looked = cpu->cpl != 3 && !insn_compares_strings(in);
		s.linear = (uint32_t)(cpu->seg[SEG_ES].base + cpu->gpr[RDI]);
		s.user = site->user && cpu->bt_user_region[s.linear >> USER_REGION_SHIFT];
		s.more = last_byte(cpu, in);
	} else {
		s.looked = site->level != SITE_PLAIN && in->has_mem && in->mem_write;
		s.linear = (uint32_t)(cpu->seg[in->seg].base + insn_ea(cpu, in));
	}
	return s;
}

enum { STORES_TO_MAP = 4, MAPPED_IN_VAIN = 2 };

/*
 * Is it time to map the page? Not if it was mapped before and is lost again, and no row of stores to it is seen: two
 * mmaps, two mprotects of its page table and their undoing cost as much as several callouts. Linux stores to a page of
 * code through an address space that it leaves at once, thousands of times while it boots.
 */
static bool worth_mapping(struct bt *bt, uint32_t page)
{
	struct stored_page *s = &bt->stored_pages[page % STORED_PAGES];

	if (s->page != page)
		*s = (struct stored_page){.page = page};
	if (s->mapped < MAPPED_IN_VAIN) {
		s->mapped++;
		return true;
	}
	if (s->mmu_events != bt->mmu_events)
		s->stores = 0;
	s->mmu_events = bt->mmu_events;
	return ++s->stores >= STORES_TO_MAP;
}

/* Memory of a program lasts. */
static bool is_users(struct bt *bt, gva_t linear)
{
	struct translation t;
	struct x86_fault f;

	return cpu_walk(bt->cpu, linear, ACC_READ, false, false, &t, &f) && t.user;
}

static void make_accessible(struct bt *bt, gva_t linear, bool user, bool write)
{
	uint8_t state = shadow_page_state(bt->shadow, linear, user) & SHADOW_PAGE_MASK;

	if (write ? state == SHADOW_PAGE_STORABLE || state == SHADOW_PAGE_TRACED : state & SHADOW_PAGE_LOADABLE)
		return;
	if (user || is_users(bt, linear) || worth_mapping(bt, (uint32_t)(linear >> PAGE_SHIFT)))
		shadow_install(bt->shadow, linear, user);
}

/* The store went to memory: the next one to this page is to find it mapped, or traced only. */
static void make_storable(struct bt *bt, const struct store *s)
{
	make_accessible(bt, s->linear, s->user, true);
	if (s->loads)
		make_accessible(bt, s->source, s->user, false);
	if (s->more)
		make_accessible(bt, (uint32_t)(s->linear + s->more), s->user, true);
}

void bt_callout(struct bt *bt, struct block *b, const struct bt_exit *x)
{
	struct cpu *cpu = bt->cpu;
	const struct insn *in = &bt->insns[b->insns + x->extra];
	gva_t linear = block_linear(b, b->map[x->insn].guest);
	guest_pc_t pc = bt_exit_target(bt, x);
	uint64_t slow = bt_slow_accesses(bt->stats), mmu_events = bt->mmu_events, exceptions = bt->stats->exceptions;
	enum site_level level = bt_site_level(bt, linear);
	uint64_t mmio = bt->stats->mmio_reads + bt->stats->mmio_writes;
	unsigned cpl = cpu->cpl;
	enum step_result result;
	struct store store;
	bool unfinished;

	cpu->rip = pc;
	bt_restore_rf(bt);
	store = store_of(bt, b, in, x->insn);
	bt->stats->callouts++;
	bt->stats->insn_callouts[in->id]++;
	bt->stats->phase_insn = in->id;
	phase_set(bt->stats, PHASE_CALLOUT);
	/* A repeated instruction works in bounded parts. */
	do {
		result = cpu_step_insn(cpu, in);
		unfinished = result == STEP_DONE && in->repeats && cpu->rip == pc;
	} while (unfinished && !*bt->stop && !cpu_event_ready(cpu) && b->valid);
	bt->frame.count += !unfinished;
	if ((in->id == INSN_IRETD || in->id == INSN_IRETQ) && result == STEP_DONE)
		bt_back_from_fault(bt);
	if (result == STEP_DONE && bt->stats->exceptions == exceptions)
		remember_transfer(bt, b, in, cpl, bt_slow_accesses(bt->stats) != slow);
	if (store.user && in->repeats && bt->stats->exceptions != exceptions)
		bt_note_copy_fault(bt, (uint32_t)cpu->cr2);
	else if (store.looked && result == STEP_DONE && bt->stats->mmio_reads + bt->stats->mmio_writes == mmio)
		make_storable(bt, &store);
	if (level == SITE_CALLOUT)
		bt_site_ran(bt, b, linear, bt_slow_accesses(bt->stats) != slow);
	/* After an event this very page may be another one. After an exception all registers that its delivery changes
	 * are, even if its handler is what follows. */
	if (mmu_events == bt->mmu_events && bt->stats->exceptions == exceptions)
		bt_continue_behind(bt, b, x->insn);
}
