/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: accesses that look at their page's state first, and so take no signal. The state is that of the page at
 * the host address, which is the guest's with its chunk's delta: whatever chunk that is, and whether there is one, the
 * state belongs to the page that is accessed.
 */
#include "shadow/track.h"
#include "xlat64.h"

#define AT_OPERAND ((struct host_addr){HOST64_DELTA, REG_NONE, 1, 0, false, false})

/* HOST64_DELTA = host address of the linear one in HOST64_T. It is looked up as it is: nothing is added behind the
 * lookup. What is not canonical faults here: it might lead to where there are no states. */
static void host_address(struct xlat *t)
{
	xlat64_probe_canonical(t);
	xlat64_look_up(t, HOST64_T);
	emit_lea(&t->e, 8, HOST64_DELTA, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	t->delta = DELTA_NONE;
}

void xlat64_look(struct xlat *t, bool write)
{
	emit_mov_imm(&t->e, RCX, PAGE_SHIFT);
	emit_shrx64(&t->e, RCX, HOST64_DELTA, RCX);
	emit_mov_imm64(&t->e, HOST64_T, shadow_host_states(t->bt->shadow));
	emit_load(&t->e, 1, RCX, (struct host_addr){HOST64_T, RCX, 1, 0, false, false});
	emit_load(&t->e, 1, RCX, (struct host_addr){RCX, REG_NONE, 1, AT_HOME(t, verdict[write]).disp, false, false});
}

/* Jumps if the page at HOST64_DELTA can be stored to (write) or loaded from; behind the jump RCX is what else it is
 * (enum look_verdict). There and here the guest's is in home.rcx. Changes HOST64_T. */
static uint8_t *if_page(struct xlat *t, bool write)
{
	emit_store(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat64_look(t, write);
	return emit_jrcxz(&t->e);
}

static void restore_rcx(struct xlat *t)
{
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
}

/* Leaves unless the page at HOST64_DELTA, which stays, can be accessed. */
static void look(struct xlat *t, bool write)
{
	uint8_t *can = if_page(t, write);

	restore_rcx(t);
	emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, fault));
	xlat_fault_exit(t, write ? FAULT_WRITE : 0);
	emit_target8(&t->e, can);
	restore_rcx(t);
}

/* --- in RAM --- */

/* HOST64_T = frame -> the offset in RAM; HOST64_DELTA = host address -> the offset in the page. */
static void offset_in_ram(struct xlat *t)
{
	emit_mov_imm(&t->e, RCX, PAGE_MASK);
	emit_pext32(&t->e, HOST64_DELTA, HOST64_DELTA, RCX);
	emit_rorx64(&t->e, HOST64_T, HOST64_T, 64 - PAGE_SHIFT);
	emit_lea(&t->e, 8, HOST64_T, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
}

/* The access, at the offset in HOST64_T. */
static void access_in_ram(struct xlat *t)
{
	emit_mov_imm64(&t->e, HOST64_DELTA, (uintptr_t)t->bt->pm->ram.host);
	emit_lea(&t->e, 8, HOST64_DELTA, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	restore_rcx(t);
	xlat64_access(t, AT_OPERAND);
}

/* --- pages that are known --- */

/* HOST64_T = frame of the page at HOST64_DELTA. */
static void load_frame(struct xlat *t)
{
	emit_mov_imm(&t->e, RCX, PAGE_SHIFT);
	emit_shrx64(&t->e, RCX, HOST64_DELTA, RCX);
	emit_mov_imm64(&t->e, HOST64_T, shadow_host_frames(t->bt->shadow));
	emit_load(&t->e, 4, HOST64_T, (struct host_addr){HOST64_T, RCX, 4, 0, false, false});
}

/* Slow unless the operand, at the offset in HOST64_DELTA, ends in its page. Changes HOST64_DELTA. */
static void within_page(struct xlat *t, struct slow *slow)
{
	int32_t more = t->in->mem_size - 1;

	if (!more)
		return;
	emit_lea(&t->e, 4, HOST64_DELTA, (struct host_addr){HOST64_DELTA, REG_NONE, 1, more, false, false});
	emit_mov_imm(&t->e, RCX, PAGE_SIZE);
	emit_pext32(&t->e, RCX, HOST64_DELTA, RCX);
	xlat_unless_zero(t, xlat_slow_add(slow));
}

/* The access at HOST64_DELTA: to the page if it is mapped, to RAM if it is known. Else it leaves. */
static void access_or_leave(struct xlat *t, bool write)
{
	uint8_t *can = if_page(t, write), *cannot = emit_jmp(&t->e), *done[2];
	struct slow slow = {.count = 0};

	emit_target8(&t->e, can);
	restore_rcx(t);
	xlat64_access(t, AT_OPERAND);
	done[0] = emit_jmp(&t->e);
	emit_target32_here(&t->e, cannot);
	emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, fault));
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -LOOK_KNOWN, false, false});
	xlat_unless_zero(t, xlat_slow_add(&slow));
	load_frame(t);
	xlat_use_frame(t, HOST64_T, HOST64_DELTA, &slow);
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, fault));
	offset_in_ram(t);
	within_page(t, &slow);
	access_in_ram(t);
	done[1] = emit_jmp(&t->e);
	xlat_slow_here(t, &slow);
	restore_rcx(t);
	xlat_fault_exit(t, FAULT_KNOWS | (write ? FAULT_WRITE : 0));
	emit_target32_here(&t->e, done[0]);
	emit_target32_here(&t->e, done[1]);
}

bool xlat64_ident_present(struct xlat *t)
{
	const struct insn *in = t->in;

	if (!in->has_mem || in->agen || !(in->mem_read || in->mem_write) || !xlat64_can_access(t) || !xlat64_probes(t))
		return false;
	xlat64_linear(t);
	host_address(t);
	if (xlat_can_know(t)) {
		access_or_leave(t, in->mem_write);
	} else {
		look(t, in->mem_write);
		xlat64_access(t, AT_OPERAND);
	}
	xlat64_near_behind(t);
	return true;
}

void xlat64_look_at_stack(struct xlat *t)
{
	struct host_addr at = {RSP, REG_NONE, 1, 0, false, false};
	bool write = false;

	if (t->in->has_mem || t->in->opsize != 8 || !xlat64_probes(t)) /* an operand of PUSH comes first */
		return;
	switch (t->in->id) {
	case INSN_PUSH:
	case INSN_CALL_REL:
		at.disp = -8;
		write = true;
		break;
	case INSN_POP:
	case INSN_RET:
		break;
	case INSN_LEAVE:
		at.base = RBP;
		break;
	default:
		return;
	}
	emit_lea(&t->e, 8, HOST64_T, at);
	host_address(t);
	look(t, write);
}

/* --- stores to traced pages --- */

/* Slow: the store is a callout. */

/* To a page table: noted for shadow_tables_stored(). Within a page: the operand is aligned to its size. */
static void store_to_table(struct xlat *t, struct slow *slow)
{
	emit_mov_imm(&t->e, RCX, t->in->mem_size - 1u);
	emit_pext32(&t->e, RCX, HOST64_DELTA, RCX);
	xlat_unless_zero(t, xlat_slow_add(slow));
	xlat_unless_full(t, AT_HOME(t, table_stores), xlat_slow_add(slow));
	offset_in_ram(t);
	emit_load(&t->e, 4, RCX, AT_HOME(t, table_stores));
	emit_store(&t->e, 8, HOST64_T,
		   (struct host_addr){REG_NONE, RCX, 8, AT_HOME(t, table_store[0]).disp, false, false});
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, 1, false, false});
	emit_store(&t->e, 4, RCX, AT_HOME(t, table_stores));
	access_in_ram(t);
}

/* To a page of code, where none of it is. Not at the end of the page, which the operand might cross. */
static void store_beside_code(struct xlat *t, struct slow *slow)
{
	offset_in_ram(t);
	emit_lea(&t->e, 4, HOST64_DELTA,
		 (struct host_addr){HOST64_DELTA, REG_NONE, 1, SHADOW_GRANULE - 1, false, false});
	emit_mov_imm(&t->e, RCX, PAGE_SIZE);
	emit_pext32(&t->e, RCX, HOST64_DELTA, RCX);
	xlat_unless_zero(t, xlat_slow_add(slow));
	emit_mov_imm(&t->e, RCX, SHADOW_GRANULE_SHIFT);
	emit_shrx64(&t->e, RCX, HOST64_T, RCX);
	emit_mov_imm64(&t->e, HOST64_DELTA, (uintptr_t)shadow_watched(t->bt->shadow));
	emit_load(&t->e, 1, RCX, (struct host_addr){HOST64_DELTA, RCX, 1, 0, false, false});
	xlat_unless_zero(t, xlat_slow_add(slow));
	access_in_ram(t);
}

/*
 * Behind if_page(): if all that keeps the page from being written is one trace, the store is made in RAM itself: to a
 * page table or beside code. Else a jump to one of slow's. *done: behind the first of the two.
 */
static void store_traced(struct xlat *t, struct slow *slow, uint8_t **done)
{
	const struct bt *bt = t->bt;
	int32_t traced = TRACK_PAGE_TABLE;
	uint8_t *table;

	*done = NULL;
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -LOOK_TRACED, false, false});
	xlat_unless_zero(t, xlat_slow_add(slow));
	load_frame(t);
	emit_mov_imm64(&t->e, RCX, (uintptr_t)bt->pm->traced);
	emit_load(&t->e, 1, RCX, (struct host_addr){RCX, HOST64_T, 1, 0, false, false});
	if (opt_on(bt->cpu->opt_off, OPT_BESIDE) && bt->pm->ram.size <= SHADOW_WATCHED_MAX) {
		emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -TRACK_CODE, false, false});
		xlat_unless_zero(t, &table);
		store_beside_code(t, slow);
		*done = emit_jmp(&t->e);
		emit_target32_here(&t->e, table);
		traced -= TRACK_CODE;
	}
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -traced, false, false});
	xlat_unless_zero(t, xlat_slow_add(slow));
	store_to_table(t, slow);
}

bool xlat64_ident_guarded(struct xlat *t)
{
	const struct insn *in = t->in;
	uint8_t *can, *cannot, *done[3] = {0};
	struct slow slow = {.count = 0};

	if ((t->ctx->key.flags & CTX_CPL3) || !in->has_mem || in->agen || !in->mem_write || !xlat64_can_access(t) ||
	    !xlat64_probes(t))
		return false;
	xlat64_linear(t);
	host_address(t);
	can = if_page(t, true);
	cannot = emit_jmp(&t->e);
	emit_target8(&t->e, can);
	restore_rcx(t);
	xlat64_access(t, AT_OPERAND);
	done[0] = emit_jmp(&t->e);
	emit_target32_here(&t->e, cannot);
	if (opt_on(t->bt->cpu->opt_off, OPT_STORES) && in->mem_size <= 8 && !(in->mem_size & (in->mem_size - 1))) {
		store_traced(t, &slow, &done[1]);
		done[2] = emit_jmp(&t->e);
	}
	xlat_slow_here(t, &slow);
	restore_rcx(t);
	xlat_slow_callout(t);
	for (unsigned i = 0; i < ARRAY_LEN(done); i++)
		if (done[i])
			emit_target32_here(&t->e, done[i]);
	xlat64_near_behind(t);
	return true;
}
