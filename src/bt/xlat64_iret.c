/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IRETQ of ring 0, as xlat_gate.c has IRETD: to the segments that its C body last found in the same
 * descriptors (rings.c); all else is left to that. What it pops is read first, into home.iret; nothing behind the
 * descriptors can fault.
 */
#include "xlat64.h"

enum { POP_RIP, POP_CS, POP_FLAGS, POP_RSP, POP_SS };

static void read_frame(struct xlat *t)
{
	for (unsigned i = 0; i < HOME_IRET; i++) {
		emit_load(&t->e, 8, HOST64_T, xlat64_stack(t, (int32_t)(8 * i)));
		emit_store(&t->e, 8, HOST64_T, AT_HOME(t, iret[i]));
	}
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, iret[POP_RIP]));
	xlat64_probe_canonical(t);
}

/* Goes to *other unless what was popped is the selector at that offset in struct cpu. Changes RCX, HOST64_T. */
static void same_selector(struct xlat *t, unsigned popped, size_t selector, uint8_t **other)
{
	xlat64_load_cpu(t);
	emit_load(&t->e, 2, HOST64_T, AT_HOME(t, iret[popped]));
	emit_load(&t->e, 4, RCX, AT_CPU64(selector + offsetof(struct ring_selector, minus_selector)));
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, HOST64_T, 1, 0, false, false});
	xlat_unless_zero(t, other);
}

/* From here on the host's flags are not the guest's, but in home.stack. HOST64_DELTA is struct cpu, HOST64_T the image
 * of RFLAGS. RF is left to the C body where instructions are counted, or breakpoints look for it. */
static void check_flags(struct xlat *t, bool user, struct slow *s)
{
	uint8_t *no_rf;

	xlat64_use_stack(t, HOME_STACK);
	emit_pushf(&t->e);
	xlat64_leave_stack(t);
	xlat64_load_cpu(t);
	emit_load(&t->e, 4, HOST64_T, AT_HOME(t, iret[POP_FLAGS]));
	xlat_iret_flags(t, HOST64_T, user, bt_counts(t->bt), s);
	xlat_test_imm(t, HOST64_T, (uint32_t)FLAG_RF);
	no_rf = emit_jcc8(&t->e, CC_E);
	emit_load(&t->e, 4, RCX, AT_CPU64(offsetof(struct cpu, dr[7])));
	xlat_slow_if_set(t, RCX, DR7_ENABLES, s);
	emit_target8(&t->e, no_rf);
}

/* May the segments that were found at `to` be returned to? s: the flags are still in place; changed: they are in
 * home.stack. */
static void check_return(struct xlat *t, size_t to, bool user, struct slow *s, struct slow *changed)
{
	same_selector(t, POP_SS, to + offsetof(struct ring_return, ss), xlat_slow_add(s));
	xlat64_same_descriptor(t, to + offsetof(struct ring_return, cs), xlat_slow_add(s));
	xlat64_same_descriptor(t, to + offsetof(struct ring_return, ss), xlat_slow_add(s));
	check_flags(t, user, changed);
}

/* RFLAGS from HOST64_T, CS and SS. */
static void take_return(struct xlat *t, size_t to)
{
	xlat_alu_imm(t, ALU_AND, HOST64_T, (uint32_t)(FLAGS_ALL & ~FLAG_RF));
	xlat_alu_imm(t, ALU_OR, HOST64_T, (uint32_t)FLAG_1);
	emit_store(&t->e, 4, HOST64_T, AT_CPU64(offsetof(struct cpu, rflags)));
	xlat64_take_flags(t);
	xlat_take_segment(t, SEG_CS, (int32_t)(to + offsetof(struct ring_return, cs)) - CPU_BIAS, HOST64_T);
	xlat_take_segment(t, SEG_SS, (int32_t)(to + offsetof(struct ring_return, ss)) - CPU_BIAS, HOST64_T);
}

/* RCX and RSP are the guest's again; HOST64_T: RIP. */
static void take_registers(struct xlat *t)
{
	emit_load(&t->e, 8, RCX, AT_HOME(t, spare));
	emit_load(&t->e, 8, RSP, AT_HOME(t, iret[POP_RSP]));
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, iret[POP_RIP]));
}

/* The way back from a page fault goes by the monitor, which maps the page. */
static void return_by_monitor(struct xlat *t)
{
	take_registers(t);
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, target));
	xlat64_count(t, HOST64_DELTA);
	emit_jmp_to(&t->e, t->bt->stubs.indirect_miss64);
}

static void return_to(struct xlat *t, const struct context *to, struct slow *s, struct slow *changed)
{
	bool user = to != t->ctx;
	size_t from = offsetof(struct cpu, bt_return64) + user * sizeof(struct ring_return);
	unsigned uncounted = t->uncounted;
	uint8_t *fault;

	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, iret[POP_RSP]));
	xlat64_rsp_find(t, user, HOST64_T);
	check_return(t, from, user, s, changed);
	if (user)
		xlat_iret_data_segments(t, changed);
	take_return(t, from);
	if (user) {
		emit_store_imm(&t->e, 1, 3, AT_CPU64(offsetof(struct cpu, cpl)));
		xlat64_enter_ring(t, to);
		emit_load(&t->e, 1, RCX, AT_CPU64(offsetof(struct cpu, bt_user_faulted)));
		xlat_unless_zero(t, &fault);
	}
	xlat64_rsp_take_found(t);
	take_registers(t);
	xlat64_jump_indirect(t, BRANCH_TABLE);
	t->uncounted = uncounted;
	if (!user)
		return;
	emit_target32_here(&t->e, fault);
	xlat64_rsp_take_found(t);
	return_by_monitor(t);
	t->uncounted = uncounted;
}

/* To compatibility mode, with the data segments of the last return there. */
static void return_to_compat(struct xlat *t, struct slow *s, struct slow *changed)
{
	const size_t from = offsetof(struct cpu, bt_compat.to);
	struct host_addr upper = AT_HOME(t, iret[POP_RIP]);
	unsigned uncounted = t->uncounted;
	uint8_t *others[COMPAT_SLOW];

	check_return(t, from, true, s, changed);
	xlat_slow_unless_clear8(t, CPU_OFF(bt_user_faulted), changed); /* a page fault's way back */
	upper.disp += 4;
	emit_op_mem(&t->e, 4, 0x83, ALU_CMP, upper); /* beyond the limit? */
	emit8(&t->e, 0);
	*xlat_slow_add(changed) = emit_jcc(&t->e, CC_NE);
	xlat64_check_compat(t, others);
	for (unsigned i = 0; i < COMPAT_SLOW; i++)
		*xlat_slow_add(changed) = others[i];
	emit_load(&t->e, 4, HOST64_T, AT_HOME(t, iret[POP_FLAGS]));
	take_return(t, from);
	emit_store_imm(&t->e, 1, 3, AT_CPU64(offsetof(struct cpu, cpl)));
	take_registers(t);
	xlat64_enter_compat(t);
	t->uncounted = uncounted;
}

bool xlat64_iret(struct xlat *t)
{
	bool here = xlat64_probes(t) && !(t->ctx->key.flags & CTX_CPL3);
	const struct context *user = here ? xlat64_context_behind(t, true) : NULL;
	struct slow slow = {.count = 0}, changed = {.count = 0};
	struct insn_map *map = xlat_map(t);
	uint8_t *same;

	if (!user)
		return false;
	xlat64_near_forget(t);
	read_frame(t);
	emit_store(&t->e, 8, RCX, AT_HOME(t, spare));
	map->flags |= MAP_SWAPPED;
	map->swapped |= RCX;
	map->swap_from = xlat_here(t);
	same_selector(t, POP_CS, offsetof(struct cpu, bt_return64[1].cs), &same);
	return_to(t, user, &slow, &changed);
	emit_target32_here(&t->e, same);
	same_selector(t, POP_CS, offsetof(struct cpu, bt_return64[0].cs), &same);
	return_to(t, t->ctx, &slow, &changed);
	emit_target32_here(&t->e, same);
	if (bt_switches_windows(t->bt)) {
		same_selector(t, POP_CS, offsetof(struct cpu, bt_compat.to.cs), xlat_slow_add(&slow));
		return_to_compat(t, &slow, &changed);
	} else {
		*xlat_slow_add(&slow) = emit_jmp(&t->e);
	}
	xlat_slow_here(t, &changed);
	xlat64_use_stack(t, HOME_STACK - 1);
	emit_popf(&t->e);
	xlat64_leave_stack(t);
	xlat_slow_here(t, &slow);
	emit_load(&t->e, 8, RCX, AT_HOME(t, spare));
	map->swap_to = xlat_here(t);
	xlat_callout(t);
	return true;
}
