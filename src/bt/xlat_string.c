/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions. On flat segments they run as they are, with RSI and RDI rebased to host addresses: the window is
 * a multiple of 4 GiB, so their low halves are the guest's registers at every moment, half-way through a repetition
 * too.
 */
#include "xlat.h"

enum { USES_SI = 1, USES_DI = 2 };

static unsigned pointers(uint16_t id)
{
	switch (id) {
	case INSN_MOVSB:
	case INSN_MOVSW:
	case INSN_MOVSD_STRING:
	case INSN_CMPSB:
	case INSN_CMPSW:
	case INSN_CMPSD_STRING:
		return USES_SI | USES_DI;
	case INSN_LODSB:
	case INSN_LODSW:
	case INSN_LODSD:
		return USES_SI;
	case INSN_STOSB:
	case INSN_STOSW:
	case INSN_STOSD:
	case INSN_SCASB:
	case INSN_SCASW:
	case INSN_SCASD:
		return USES_DI;
	default:
		return 0;
	}
}

static bool flat(const struct xlat *t, unsigned seg, bool write)
{
	return context_seg_class(t->ctx, seg) == SEGC_FLAT && xlat_segment_usable(t, seg, write);
}

static void rebase(struct xlat *t, unsigned reg)
{
	uint8_t window = HOST_WINDOW;

	if (t->user) {
		xlat_choose_window(t, reg);
		window = HOST_T1;
	}
	emit_lea(&t->e, 8, reg, (struct host_addr){window, (uint8_t)reg, 1, 0, false, false});
}

/* What tells, half-way, how it began. */
static void before_repetition(struct xlat *t)
{
	emit_store(&t->e, 4, RCX, AT_CPU(CPU_OFF(bt_rep_count)));
	if (!insn_compares_strings(t->in))
		return;
	emit_pushf(&t->e);
	emit_pop(&t->e, HOST_T0);
	emit_store(&t->e, 8, HOST_T0, AT_CPU(CPU_OFF(bt_flags)));
}

static bool flat_string(struct xlat *t, unsigned uses)
{
	struct insn_map *map = xlat_map(t);

	map->flags |= MAP_STRING;
	if (t->in->repeats)
		before_repetition(t);
	if (uses & USES_SI)
		rebase(t, RSI);
	if (uses & USES_DI)
		rebase(t, RDI);
	map->swap_from = xlat_here(t);
	if (t->in->opsize == 2 && (t->in->bytes[t->in->opcode_off] & 1))
		emit8(&t->e, 0x66);
	if (t->in->repeats) {
		map->flags |= MAP_REP;
		emit8(&t->e, t->in->prefixes & PFX_REPNE ? 0xf2 : 0xf3);
	}
	emit8(&t->e, t->in->bytes[t->in->opcode_off]);
	if (uses & USES_SI)
		emit_mov(&t->e, 4, RSI, RSI);
	if (uses & USES_DI)
		emit_mov(&t->e, 4, RDI, RDI);
	return true;
}

/* --- repeated ones at sites that have been adapted --- */

/* Slow is the C body, which works in bulk. There and where the ways to it are taken RCX is in T3. */

/* Goes slow unless all elements from the pointer on are within two pages, upwards. Changes RCX, T0 to T2. */
static void within_pages(struct xlat *t, unsigned reg, struct slow *s)
{
	emit_pushf(&t->e);
	emit_pop(&t->e, HOST_T1);
	emit_mov_imm(&t->e, HOST_T2, (uint32_t)FLAG_DF);
	emit_pext32(&t->e, HOST_T0, HOST_T1, HOST_T2); /* 1 if downwards */
	emit_mov(&t->e, 4, HOST_T1, reg);
	emit_mov(&t->e, 4, RCX, HOST_T3);
	emit_lea(&t->e, 8, RCX, (struct host_addr){HOST_T1, RCX, insn_element_size(t->in), -1, false, false});
	emit_mov_imm(&t->e, HOST_T2, PAGE_SHIFT);
	emit_shrx64(&t->e, RCX, RCX, HOST_T2);
	emit_shrx64(&t->e, HOST_T1, HOST_T1, HOST_T2);
	emit_not64(&t->e, HOST_T1);
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, HOST_T1, 1, 1, false, false}); /* pages further */
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, HOST_T0, 2, 0, false, false});
	emit_mov_imm(&t->e, HOST_T2, ~1u); /* not the last bit: 1 page further */
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	xlat_unless_zero(t, xlat_slow_add(s));
}

/* Goes slow unless the page of the first or (last) the last element can be loaded from or (write) stored to. Changes
 * RCX, T1, T2. */
static void page_there(struct xlat *t, unsigned reg, bool last, bool write, struct slow *s)
{
	if (t->user) {
		emit_mov_imm(&t->e, HOST_T1, USER_REGION_SHIFT);
		emit_mov(&t->e, 4, HOST_T2, reg);
		emit_shrx64(&t->e, HOST_T1, HOST_T2, HOST_T1);
		emit_load(&t->e, 1, HOST_T1,
			  (struct host_addr){HOST_CPU, HOST_T1, 1, CPU_OFF(bt_user_region), false, false});
		emit_load(&t->e, 8, HOST_T1,
			  (struct host_addr){HOST_CPU, HOST_T1, 8, CPU_OFF(bt_states[0]), false, false});
	} else {
		emit_load(&t->e, 8, HOST_T1, AT_CPU(CPU_OFF(bt_states[0])));
	}
	if (last)
		emit_lea(&t->e, 4, RCX,
			 (struct host_addr){(uint8_t)reg, HOST_T3, insn_element_size(t->in), -1, false, false});
	else
		emit_mov(&t->e, 4, RCX, reg);
	emit_mov_imm(&t->e, HOST_T2, PAGE_SHIFT);
	emit_shrx64(&t->e, RCX, RCX, HOST_T2);
	emit_load(&t->e, 1, RCX, (struct host_addr){HOST_T1, RCX, 1, 0, false, false});
	emit_mov_imm(&t->e, HOST_T2, write ? SHADOW_PAGE_MASK : SHADOW_PAGE_LOADABLE);
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	emit_lea(
	    &t->e, 4, RCX,
	    (struct host_addr){RCX, REG_NONE, 1, write ? -SHADOW_PAGE_STORABLE : -SHADOW_PAGE_LOADABLE, false, false});
	xlat_unless_zero(t, xlat_slow_add(s));
}

static void all_there(struct xlat *t, unsigned reg, bool write, struct slow *s)
{
	within_pages(t, reg, s);
	page_there(t, reg, false, write, s);
	page_there(t, reg, true, write, s);
}

/*
 * Supervisor mode's site that has stored to traced pages (a page that was a page table is cleared), or comes to new
 * pages of user mode all the time: where all of it is within two pages that can be accessed, it runs here. (Buffers of
 * programs are where malloc() puts them: what is copied a page at a time crosses into the next.)
 */
bool xlat_string_guarded(struct xlat *t)
{
	unsigned uses = pointers(t->in->id);
	struct slow slow = {.count = 0};
	uint8_t *done;

	if (!(uses & USES_DI) || insn_compares_strings(t->in) || !t->in->repeats || t->in->addrsize != 4 ||
	    t->in->opsize == 8 || (t->ctx->key.flags & (CTX_PAGED | CTX_CPL3)) != CTX_PAGED ||
	    ((uses & USES_SI) && !flat(t, t->in->seg, false)) || !flat(t, SEG_ES, true))
		return false;
	emit_mov(&t->e, 8, HOST_T3, RCX);
	all_there(t, RDI, true, &slow);
	if (uses & USES_SI)
		all_there(t, RSI, false, &slow);
	emit_mov(&t->e, 8, RCX, HOST_T3);
	flat_string(t, uses);
	done = emit_jmp(&t->e);
	xlat_slow_here(t, &slow);
	emit_mov(&t->e, 8, RCX, HOST_T3);
	xlat_slow_callout(t);
	emit_target32_here(&t->e, done);
	return true;
}

/* --- on any segments --- */

/* T0 = linear address of the element at SI or DI. */
static void element(struct xlat *t, unsigned reg, unsigned seg)
{
	bool narrow = t->in->addrsize == 2;

	if (narrow)
		emit_movzx16(&t->e, HOST_T0, reg);
	else
		emit_mov(&t->e, 4, HOST_T0, reg);
	xlat_segment_apply(t, seg, insn_element_size(t->in), narrow);
}

/* T2 = element size, negative if DF: size - 2 * size * DF, by way of the complement of DF. */
static void step_by_direction(struct xlat *t)
{
	unsigned size = insn_element_size(t->in);

	emit_pushf(&t->e);
	emit_pop(&t->e, HOST_T1);
	emit_mov_imm(&t->e, HOST_T2, (uint32_t)FLAG_DF);
	emit_pext32(&t->e, HOST_T1, HOST_T1, HOST_T2);
	emit_not64(&t->e, HOST_T1);
	emit_lea(&t->e, 8, HOST_T2,
		 (struct host_addr){REG_NONE, HOST_T1, (uint8_t)(2 * size), (int32_t)(3 * size), false, false});
}

static void advance(struct xlat *t, unsigned reg)
{
	struct host_addr sum = {(uint8_t)reg, HOST_T2, 1, 0, false, false};

	if (t->in->addrsize == 2) {
		emit_lea(&t->e, 4, HOST_T1, sum);
		emit_mov(&t->e, 2, reg, HOST_T1);
	} else {
		emit_lea(&t->e, 4, reg, sum);
	}
}

/* One element on any segments, as a load, a store or compare, and the pointers' steps. */
static bool single(struct xlat *t, unsigned uses, bool checked)
{
	unsigned size = insn_element_size(t->in), value = RAX;
	bool compare = insn_compares_strings(t->in);
	struct host_addr at = AT_GS(HOST_T0);

	if (uses & USES_SI) {
		element(t, RSI, t->in->seg);
		value = uses & USES_DI ? HOST_T3 : RAX;
		emit_load_part(&t->e, size, value, at);
	}
	if (uses & USES_DI) {
		element(t, RDI, SEG_ES);
		if (checked && !compare) {
			xlat_map(t)->flags |= MAP_CHECKED;
			xlat_go_through_alias(t);
			at.gs = false;
		}
		if (compare)
			emit_op_mem(&t->e, size, size == 1 ? 0x3a : 0x3b, value, at); /* CMP reg, mem */
		else
			emit_store(&t->e, size, value, at);
	}
	step_by_direction(t);
	if (uses & USES_SI)
		advance(t, RSI);
	if (uses & USES_DI)
		advance(t, RDI);
	return true;
}

bool xlat_string(struct xlat *t, enum site_level level)
{
	unsigned uses = pointers(t->in->id);
	bool writes = (uses & USES_DI) && !insn_compares_strings(t->in);

	if (!uses || t->in->opsize == 8)
		return false;
	if (level == SITE_PLAIN && t->in->addrsize == 4 && (!(uses & USES_SI) || flat(t, t->in->seg, false)) &&
	    (!(uses & USES_DI) || flat(t, SEG_ES, writes)))
		return flat_string(t, uses);
	if (t->in->repeats || /* those work in bulk in their C body */
	    ((uses & USES_SI) && !xlat_segment_usable(t, t->in->seg, false)) ||
	    ((uses & USES_DI) && !xlat_segment_usable(t, SEG_ES, writes)))
		return false;
	return single(t, uses, level == SITE_CHECKED);
}
