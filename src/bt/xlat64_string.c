/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: string instructions run as they are, with RSI and RDI moved by the deltas of their chunks. Both chunks
 * are looked up before either register is moved, so that what faults while they are moved is the string instruction
 * itself. A repeated one that comes to its chunk's end faults there.
 */
#include "xlat64.h"

static unsigned pointers(uint16_t id)
{
	switch (id) {
	case INSN_MOVSB:
	case INSN_MOVSW:
	case INSN_MOVSD_STRING:
	case INSN_MOVSQ:
	case INSN_CMPSB:
	case INSN_CMPSW:
	case INSN_CMPSD_STRING:
	case INSN_CMPSQ:
		return STRING_SI | STRING_DI;
	case INSN_LODSB:
	case INSN_LODSW:
	case INSN_LODSD:
	case INSN_LODSQ:
		return STRING_SI;
	case INSN_STOSB:
	case INSN_STOSW:
	case INSN_STOSD:
	case INSN_STOSQ:
	case INSN_SCASB:
	case INSN_SCASW:
	case INSN_SCASD:
	case INSN_SCASQ:
		return STRING_DI;
	default:
		return 0;
	}
}

/* What tells, half-way, how it began. */
static void before_repetition(struct xlat *t)
{
	emit_store(&t->e, 8, RCX, AT_HOME(t, rep_count));
	if (!insn_compares_strings(t->in))
		return;
	xlat64_use_stack(t, HOME_STACK);
	emit_pushf(&t->e);
	xlat64_leave_stack(t);
}

static void restore(struct xlat *t, unsigned reg, struct host_addr delta)
{
	emit_load(&t->e, 8, HOST64_DELTA, delta);
	emit_not64(&t->e, HOST64_DELTA);
	emit_lea(&t->e, 8, reg, (struct host_addr){(uint8_t)reg, HOST64_DELTA, 1, 1, false, false});
}

bool xlat64_string(struct xlat *t)
{
	const struct insn *in = t->in;
	struct insn_map *map = xlat_map(t);
	unsigned uses = pointers(in->id);

	if (!uses || in->addrsize != 8 || ((uses & STRING_SI) && (in->seg == SEG_FS || in->seg == SEG_GS)))
		return false;
	xlat64_near_forget(t);
	map->flags |= MAP_STRING;
	map->swapped |= (uint8_t)uses;
	if (in->repeats)
		before_repetition(t);
	if (uses & STRING_SI) {
		xlat64_look_up(t, RSI);
		emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, si_delta));
	}
	if (uses & STRING_DI) {
		xlat64_look_up(t, RDI);
		emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, di_delta));
		emit_lea(&t->e, 8, RDI, (struct host_addr){RDI, HOST64_DELTA, 1, 0, false, false});
	}
	if (uses & STRING_SI) {
		emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, si_delta));
		emit_lea(&t->e, 8, RSI, (struct host_addr){RSI, HOST64_DELTA, 1, 0, false, false});
	}
	map->swap_from = xlat_here(t);
	if (in->opsize == 2 && (in->bytes[in->opcode_off] & 1))
		emit8(&t->e, 0x66);
	if (in->repeats) {
		map->flags |= MAP_REP;
		emit8(&t->e, in->prefixes & PFX_REPNE ? 0xf2 : 0xf3);
	}
	if (in->opsize == 8)
		emit8(&t->e, 0x48);
	emit8(&t->e, in->bytes[in->opcode_off]);
	if (uses & STRING_DI)
		restore(t, RDI, AT_HOME(t, di_delta));
	if (uses & STRING_SI)
		restore(t, RSI, AT_HOME(t, si_delta));
	map->swap_to = xlat_here(t);
	t->delta = DELTA_NONE;
	return true;
}

/* --- repeated ones at sites that have been adapted --- */

/* Slow is the C body, which works in bulk. There, and where the ways to it are taken, RCX is in home.rcx. */

/* RCX = the distance of the last byte, upwards, from the address in `reg` (REG_NONE: from 0). */
static void last_byte(struct xlat *t, unsigned reg)
{
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	emit_lea(&t->e, 8, RCX, (struct host_addr){(uint8_t)reg, RCX, insn_element_size(t->in), -1, false, false});
}

/* Upwards, all elements from the pointer on are within its page and the next; else slow. */
static void within_pages(struct xlat *t, unsigned reg, struct slow *s)
{
	last_byte(t, reg);
	emit_mov_imm(&t->e, HOST64_T, PAGE_SHIFT);
	emit_shrx64(&t->e, RCX, RCX, HOST64_T);
	emit_shrx64(&t->e, HOST64_T, reg, HOST64_T);
	emit_not64(&t->e, HOST64_T);
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, HOST64_T, 1, 1, false, false}); /* pages further */
	emit_mov_imm(&t->e, HOST64_T, 1);
	emit_shrx64(&t->e, RCX, RCX, HOST64_T);
	xlat_unless_zero(t, xlat_slow_add(s));
}

/* The page at HOST64_DELTA, which stays, can be loaded from or (write) stored to; else slow. */
static void page_there(struct xlat *t, bool write, struct slow *s)
{
	xlat64_look(t, write);
	xlat_unless_zero(t, xlat_slow_add(s));
}

/* All elements are in pages that are there; else slow. The pointer has been looked up before, so that this cannot
 * fault, unless GS.base is lost (gsbase.h): RCX is the guest's there. */
static void all_there(struct xlat *t, unsigned reg, bool write, struct slow *s)
{
	within_pages(t, reg, s);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat64_look_up(t, reg);
	emit_lea(&t->e, 8, HOST64_DELTA, (struct host_addr){(uint8_t)reg, HOST64_DELTA, 1, 0, false, false});
	t->delta = DELTA_NONE;
	page_there(t, write, s);
	last_byte(t, REG_NONE);
	emit_mov_imm(&t->e, HOST64_T, 2 * PAGE_SIZE - 1); /* it is no more than that; docs/isolation.md, "Looks" */
	emit_pext32(&t->e, RCX, RCX, HOST64_T);
	emit_lea(&t->e, 8, HOST64_DELTA, (struct host_addr){HOST64_DELTA, RCX, 1, 0, false, false});
	page_there(t, write, s);
}

/* Behind this, looking it up does not fault. */
static void look_up_or_fault(struct xlat *t, unsigned reg)
{
	emit_mov(&t->e, 8, HOST64_T, reg);
	xlat64_probe_canonical(t);
	xlat64_look_up(t, reg);
}

/*
 * One that has stored to traced pages (a page that was a page table is cleared), or comes to new pages all the time:
 * where it seems to stay within two pages that can be accessed, it runs here. (Buffers of programs are where malloc()
 * puts them: what is copied a page at a time crosses into the next.) That saves signals and is no matter of safety:
 * what faults all the same (it goes downwards, say) does so as it does elsewhere.
 */
bool xlat64_string_guarded(struct xlat *t)
{
	const struct insn *in = t->in;
	unsigned uses = pointers(in->id);
	struct slow slow = {.count = 0};
	uint8_t *done;

	if (!(uses & STRING_DI) || insn_compares_strings(in) || !in->repeats || in->addrsize != 8 ||
	    (t->ctx->key.flags & CTX_CPL3) || !xlat64_probes(t) ||
	    ((uses & STRING_SI) && (in->seg == SEG_FS || in->seg == SEG_GS)))
		return false;
	xlat64_near_forget(t);
	if (uses & STRING_SI)
		look_up_or_fault(t, RSI);
	look_up_or_fault(t, RDI);
	emit_store(&t->e, 8, RCX, AT_HOME(t, rcx));
	all_there(t, RDI, true, &slow);
	if (uses & STRING_SI)
		all_there(t, RSI, false, &slow);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat64_string(t);
	done = emit_jmp(&t->e);
	xlat_slow_here(t, &slow);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat_slow_callout(t);
	emit_target32_here(&t->e, done);
	xlat64_near_behind(t);
	return true;
}
