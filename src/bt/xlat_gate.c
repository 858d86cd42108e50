/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INT n from user mode to ring 0, and IRETD and VERW (which kernels run before they return) of ring 0, in flat 32-bit
 * code, without leaving the cache (SDM vol. 3, 6.12.1). Where they lead was found by the C body (rings.c): the code
 * here makes sure that gate, descriptors and stack selector are still those, and goes to the C body with everything
 * else: other privileges, tasks, V86 mode, flags that the context depends on, pending interrupts.
 */
#include "cpu/x86.h"
#include "xlat64.h"

enum { FRAME_EIP = 0, FRAME_CS = 4, FRAME_FLAGS = 8, FRAME_ESP = 12, FRAME_SS = 16, FRAME_SAME = 12, FRAME_OUTER = 20 };

#define RING_OFF(entry, field) (CPU_OFF(entry) + (int32_t)offsetof(struct ring_selector, field))

static void faults_end_here(struct xlat *t)
{
	xlat_map(t)->swap_to = xlat_here(t);
}

/* Goes slow unless the eight bytes at a linear address of supervisor mode's are what they were. Changes RCX, temp.
 * window: a register with its base, or GS. */
static void same_bytes(struct xlat *t, unsigned window, int32_t address, int32_t minus_raw, unsigned temp,
		       struct slow *s)
{
	struct host_addr at = {(uint8_t)window, (uint8_t)temp, 1, 0, false, false};

	if (window == REG_NONE)
		at = AT_GS(temp);
	emit_load(&t->e, 4, temp, AT_CPU(address));
	emit_load(&t->e, 8, RCX, at);
	emit_load(&t->e, 8, temp, AT_CPU(minus_raw));
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, (uint8_t)temp, 1, 0, false, false});
	xlat_unless_zero(t, xlat_slow_add(s));
}

/* Goes slow unless the selector in `reg` is the one that minus_selector is of. Changes RCX. */
static void same_selector(struct xlat *t, unsigned reg, int32_t minus_selector, struct slow *s)
{
	emit_load(&t->e, 4, RCX, AT_CPU(minus_selector));
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, (uint8_t)reg, 1, 0, false, false});
	xlat_unless_zero(t, xlat_slow_add(s));
}

static bool flat32(const struct xlat *t)
{
	unsigned flags = t->ctx->key.flags;

	return (flags & (CTX_PROTECTED | CTX_V86)) == CTX_PROTECTED && (flags & CTX_CODE32) && (flags & CTX_STACK32) &&
	       context_seg_class(t->ctx, SEG_CS) == SEGC_FLAT && context_seg_class(t->ctx, SEG_SS) == SEGC_FLAT &&
	       t->ctx->key.cs_base == 0 && t->ctx->key.cs_limit == 0xffffffff && bt_switches_windows(t->bt);
}

/* --- INT n --- */

/* T0 = host address of the frame on the stack of ring 0. T3: base of supervisor mode's window. */
static void find_stack(struct xlat *t, int32_t gate, struct slow *s)
{
	int32_t ss = gate + (int32_t)offsetof(struct ring_gate, ss);

	emit_load(&t->e, 4, HOST_T0, AT_CPU(gate + (int32_t)offsetof(struct ring_gate, stack)));
	emit_load(&t->e, 2, HOST_T2, (struct host_addr){HOST_T3, HOST_T0, 1, 4, false, false});
	same_selector(t, HOST_T2, ss + (int32_t)offsetof(struct ring_selector, minus_selector), s);
	same_bytes(t, HOST_T3, ss + (int32_t)offsetof(struct ring_selector, address),
		   ss + (int32_t)offsetof(struct ring_selector, minus_raw), HOST_T2, s);
	emit_load(&t->e, 4, HOST_T0, (struct host_addr){HOST_T3, HOST_T0, 1, 0, false, false});
	emit_lea(&t->e, 4, HOST_T0, (struct host_addr){HOST_T0, REG_NONE, 1, -FRAME_OUTER, false, false});
	emit_lea(&t->e, 8, HOST_T0, (struct host_addr){HOST_T3, HOST_T0, 1, 0, false, false});
}

static struct host_addr in_frame(int32_t offset)
{
	return (struct host_addr){HOST_T0, REG_NONE, 1, offset, false, false};
}

/* The frame at T0. Changes RCX, T2, T3. */
static void push_frame(struct xlat *t)
{
	emit_store_imm(&t->e, 4, t->eip + t->in->len, in_frame(FRAME_EIP));
	xlat_reloc(t, 4, RELOC_EIP);
	emit_load(&t->e, 2, HOST_T2, AT_CPU(SEG_OFF(SEG_CS, selector)));
	emit_store(&t->e, 4, HOST_T2, in_frame(FRAME_CS));
	xlat_flags_image(t, HOST_T2, RCX, HOST_T3);
	emit_store(&t->e, 4, HOST_T2, in_frame(FRAME_FLAGS));
	emit_store(&t->e, 4, HOST_ESP, in_frame(FRAME_ESP));
	emit_load(&t->e, 2, HOST_T2, AT_CPU(SEG_OFF(SEG_SS, selector)));
	emit_store(&t->e, 4, HOST_T2, in_frame(FRAME_SS));
}

bool xlat_int(struct xlat *t)
{
	unsigned vector = t->in->bytes[t->in->imm_off];
	int32_t gate = CPU_OFF(bt_gate) + (int32_t)(vector % RING_GATES * sizeof(struct ring_gate));
	int32_t cs = gate + (int32_t)offsetof(struct ring_gate, cs);
	const struct context *to = flat32(t) && (t->ctx->key.flags & CTX_CPL3) ? xlat_context_behind(t, false) : NULL;
	struct slow slow = {.count = 0};

	if (t->ctx->key.flags & CTX_COMPAT)
		return xlat_int_compat(t);
	if (!to)
		return false;
	xlat_save_rcx(t);
	emit_load(&t->e, 4, RCX, AT_CPU(gate + (int32_t)offsetof(struct ring_gate, vector)));
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -(int32_t)vector, false, false});
	xlat_unless_zero(t, xlat_slow_add(&slow));
	emit_load(&t->e, 8, HOST_T3, AT_CPU(CPU_OFF(bt_window[0])));
	same_bytes(t, HOST_T3, gate + (int32_t)offsetof(struct ring_gate, address),
		   gate + (int32_t)offsetof(struct ring_gate, minus_raw), HOST_T2, &slow);
	same_bytes(t, HOST_T3, cs + (int32_t)offsetof(struct ring_selector, address),
		   cs + (int32_t)offsetof(struct ring_selector, minus_raw), HOST_T2, &slow);
	find_stack(t, gate, &slow);
	push_frame(t);
	faults_end_here(t);
	emit_load(&t->e, 4, HOST_T2, AT_CPU(gate + (int32_t)offsetof(struct ring_gate, flags_kept)));
	emit_load(&t->e, 4, RCX, AT_CPU(CPU_OFF(rflags)));
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	emit_pdep32(&t->e, RCX, RCX, HOST_T2);
	emit_store(&t->e, 4, RCX, AT_CPU(CPU_OFF(rflags)));
	emit_mov(&t->e, 4, HOST_ESP, HOST_T0); /* the window's base is a multiple of 4 GiB */
	xlat_take_segment(t, SEG_CS, cs, HOST_T2);
	xlat_take_segment(t, SEG_SS, gate + (int32_t)offsetof(struct ring_gate, ss), HOST_T2);
	xlat_change_ring(t, to, 0);
	emit_load(&t->e, 4, HOST_T0, AT_CPU(gate + (int32_t)offsetof(struct ring_gate, target)));
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_finish_transfer(t, slow.at, slow.count);
	return true;
}

/* --- IRETD --- */

static struct host_addr on_stack(int32_t offset)
{
	return (struct host_addr){HOST_ESP, REG_NONE, 1, offset, true, true};
}

/* From here on the host's flags are not the guest's, but in bt_flags. T3: the image of EFLAGS. Changes RCX. */
static void check_flags(struct xlat *t, bool user, struct slow *s)
{
	emit_pushf(&t->e);
	emit_pop(&t->e, RCX);
	emit_store(&t->e, 8, RCX, AT_CPU(CPU_OFF(bt_flags)));
	xlat_iret_flags(t, HOST_T3, user, false, s);
}

/* RF is not in cpu.rflags while the cache runs: bt_restore_rf(). T3: EFLAGS. Changes RCX. */
static void count_rf(struct xlat *t)
{
	uint8_t *clear;

	xlat_test_imm(t, HOST_T3, (uint32_t)FLAG_RF);
	clear = emit_jcc8(&t->e, CC_E);
	emit_load(&t->e, 8, RCX, AT_HOME(t, count));
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, REG_NONE, 1, (int32_t)t->uncounted, false, false});
	emit_store(&t->e, 8, RCX, AT_CPU(CPU_OFF(bt_rf_at)));
	emit_target8(&t->e, clear);
}

/* On at T0, T3: EFLAGS. */
static void go_on(struct xlat *t)
{
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_take_flags(t, HOST_T3);
	xlat_count(t);
}

/* T0: EIP, T3: EFLAGS; all else is done. By way of the monitor go what is back from a page fault of user mode, whose
 * page is mapped then, and RF, where nothing is counted. */
static void arrive(struct xlat *t, bool user)
{
	unsigned uncounted = t->uncounted;
	uint8_t *rf = NULL, *fault = NULL;

	emit_mov(&t->e, 4, RCX, HOST_T3);
	xlat_alu_imm(t, ALU_AND, RCX, (uint32_t)(FLAGS_ALL & ~FLAG_RF));
	xlat_alu_imm(t, ALU_OR, RCX, (uint32_t)FLAG_1);
	emit_store(&t->e, 4, RCX, AT_CPU(CPU_OFF(rflags)));
	if (bt_counts(t->bt)) {
		count_rf(t);
	} else {
		xlat_test_imm(t, HOST_T3, (uint32_t)FLAG_RF);
		rf = emit_jcc(&t->e, CC_NE);
	}
	if (user) {
		emit_op_mem(&t->e, 1, 0x80, ALU_CMP, AT_CPU(CPU_OFF(bt_user_faulted)));
		emit8(&t->e, 0);
		fault = emit_jcc(&t->e, CC_NE);
	}
	go_on(t);
	xlat_jump_table(t);
	t->uncounted = uncounted;
	if (rf) {
		emit_target32_here(&t->e, rf);
		emit_store_imm(&t->e, 1, 1, AT_CPU(CPU_OFF(bt_rf)));
	}
	if (fault)
		emit_target32_here(&t->e, fault);
	if (!rf && !fault)
		return;
	go_on(t);
	emit_jmp_to(&t->e, t->bt->stubs.indirect_miss);
	t->uncounted = uncounted;
}

/* s: the flags are still in place; changed: they are in bt_flags. */
static void return_to_user(struct xlat *t, const struct context *to, struct slow *s, struct slow *changed)
{
	same_bytes(t, REG_NONE, RING_OFF(bt_return[1].cs, address), RING_OFF(bt_return[1].cs, minus_raw), HOST_T0, s);
	emit_load(&t->e, 2, HOST_T2, on_stack(FRAME_SS));
	same_selector(t, HOST_T2, RING_OFF(bt_return[1].ss, minus_selector), s);
	same_bytes(t, REG_NONE, RING_OFF(bt_return[1].ss, address), RING_OFF(bt_return[1].ss, minus_raw), HOST_T0, s);
	emit_load(&t->e, 4, HOST_T3, on_stack(FRAME_FLAGS));
	emit_load(&t->e, 4, HOST_T2, on_stack(FRAME_ESP));
	emit_load(&t->e, 4, HOST_T0, on_stack(FRAME_EIP));
	check_flags(t, true, changed);
	xlat_iret_data_segments(t, changed);
	emit_mov(&t->e, 4, HOST_ESP, HOST_T2);
	xlat_take_segment(t, SEG_CS, CPU_OFF(bt_return[1].cs), HOST_T2);
	xlat_take_segment(t, SEG_SS, CPU_OFF(bt_return[1].ss), HOST_T2);
	xlat_change_ring(t, to, 3);
	arrive(t, true);
}

static void return_to_same(struct xlat *t, struct slow *s, struct slow *changed)
{
	same_selector(t, HOST_T2, RING_OFF(bt_return[0].cs, minus_selector), s);
	same_bytes(t, REG_NONE, RING_OFF(bt_return[0].cs, address), RING_OFF(bt_return[0].cs, minus_raw), HOST_T0, s);
	emit_load(&t->e, 4, HOST_T3, on_stack(FRAME_FLAGS));
	emit_load(&t->e, 4, HOST_T0, on_stack(FRAME_EIP));
	faults_end_here(t);
	check_flags(t, false, changed);
	if (bt_counts(t->bt)) /* else RF goes by the monitor, which looks whether it is the way back from that */
		xlat_slow_unless_clear8(t, CPU_OFF(bt_copy_faulted), changed);
	emit_lea(&t->e, 4, HOST_ESP, (struct host_addr){HOST_ESP, REG_NONE, 1, FRAME_SAME, false, false});
	xlat_take_segment(t, SEG_CS, CPU_OFF(bt_return[0].cs), HOST_T2);
	arrive(t, false);
}

bool xlat_iret(struct xlat *t)
{
	bool here = flat32(t) && !(t->ctx->key.flags & CTX_CPL3) && t->in->opsize == 4;
	const struct context *user = here ? xlat_context_behind(t, true) : NULL;
	struct slow slow = {.count = 0}, changed = {.count = 0};
	uint8_t *same;

	if (!user)
		return false;
	xlat_save_rcx(t);
	emit_load(&t->e, 2, HOST_T2, on_stack(FRAME_CS));
	emit_load(&t->e, 4, RCX, AT_CPU(RING_OFF(bt_return[1].cs, minus_selector)));
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, HOST_T2, 1, 0, false, false});
	xlat_unless_zero(t, &same);
	return_to_user(t, user, &slow, &changed);
	emit_target32_here(&t->e, same);
	return_to_same(t, &slow, &changed);
	xlat_slow_here(t, &changed);
	emit_load(&t->e, 8, RCX, AT_CPU(CPU_OFF(bt_flags)));
	emit_push(&t->e, RCX);
	emit_popf(&t->e);
	xlat_slow_here(t, &slow);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_callout(t);
	return true;
}

/* --- VERW --- */

/* Sets ZF where the segment was found writable before. */
bool xlat_verw(struct xlat *t)
{
	const struct operand *op = &t->in->op[0];
	struct slow slow = {.count = 0};
	uint8_t *done;

	if ((t->ctx->key.flags & (CTX_PROTECTED | CTX_V86 | CTX_CPL3 | CTX_COMPAT)) != CTX_PROTECTED ||
	    (op->kind == OPD_MEM && !xlat_segment_usable(t, t->in->seg, false)))
		return false;
	if (op->kind == OPD_MEM)
		emit_load(&t->e, 2, HOST_T3, xlat_operand(t, 2, 0));
	else
		emit_movzx16(&t->e, HOST_T3, host_reg(op->reg));
	xlat_save_rcx(t);
	same_selector(t, HOST_T3, RING_OFF(bt_writable, minus_selector), &slow);
	same_bytes(t, REG_NONE, RING_OFF(bt_writable, address), RING_OFF(bt_writable, minus_raw), HOST_T0, &slow);
	faults_end_here(t);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_pushf(&t->e);
	emit_pop(&t->e, HOST_T0);
	xlat_alu_imm(t, ALU_OR, HOST_T0, (uint32_t)FLAG_ZF);
	emit_push(&t->e, HOST_T0);
	emit_popf(&t->e);
	done = emit_jmp(&t->e);
	xlat_slow_here(t, &slow);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_slow_callout(t);
	emit_target32_here(&t->e, done);
	return true;
}
