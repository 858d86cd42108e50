/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses under paging that look at their page's state first, and so take no signal. */
#include "cpu/reencode.h"
#include "shadow/track.h"
#include "xlat.h"

/* Is it user mode's window? */
static bool is_user(const struct xlat *t)
{
	return (t->ctx->key.flags & (CTX_CPL3 | CTX_CPL12)) == CTX_CPL3;
}

static int32_t by_mode(const struct xlat *t, int32_t field)
{
	return field + (is_user(t) ? (int32_t)sizeof(void *) : 0);
}

/* Jumps if the page of the linear address in T0 can be stored to (write) or loaded from. There RCX is in T1, and so it
 * is behind the jump, RCX being what the state has more than it should. Changes T2. */
static uint8_t *if_page(struct xlat *t, bool write)
{
	unsigned want = write ? SHADOW_PAGE_STORABLE : SHADOW_PAGE_LOADABLE;

	emit_mov(&t->e, 8, HOST_T1, RCX);
	emit_mov_imm(&t->e, HOST_T2, PAGE_SHIFT);
	emit_shrx64(&t->e, RCX, HOST_T0, HOST_T2);
	emit_load(&t->e, 8, HOST_T2, AT_CPU(by_mode(t, CPU_OFF(bt_states))));
	emit_load(&t->e, 1, RCX, (struct host_addr){HOST_T2, RCX, 1, 0, false, false});
	emit_mov_imm(&t->e, HOST_T2, write ? SHADOW_PAGE_MASK : SHADOW_PAGE_LOADABLE);
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -(int32_t)want, false, false});
	return emit_jecxz(&t->e);
}

/* T0 = the offset in a segment -> linear address of the explicit operand. */
static void operand_address(struct xlat *t)
{
	xlat_offset(t, 0);
	xlat_segment_apply(t, t->in->seg, t->in->mem_size, t->in->addrsize == 2);
}

/* The instruction with its operand at T0, in the window or (no gs) anywhere. */
static unsigned at_t0(const struct xlat *t, bool gs, uint8_t code[REENCODE_MAX])
{
	struct reencoding how = {.mem = HOST_MEM_BASE, .esp_home = HOST_ESP, .gs = gs, .base = HOST_T0};

	return insn_reencode(t->in, &how, code);
}

/* --- pages that are known --- */

/* T3 = page of the linear address in T0. Slow unless it is known, and may be accessed so. Changes RCX, T2. */
static void if_known(struct xlat *t, bool write, struct slow *slow)
{
	enum { KNOWN = SHADOW_PAGE_MASK + 1 /* behind the masked bits, where those are extracted, too */ };
	uint32_t mask = SHADOW_PAGE_KNOWN | (write ? SHADOW_PAGE_MASK : 0);
	int32_t want = write ? KNOWN | SHADOW_PAGE_KNOWN_STORABLE : 1;

	emit_mov_imm(&t->e, HOST_T2, PAGE_SHIFT);
	emit_shrx64(&t->e, HOST_T3, HOST_T0, HOST_T2);
	emit_load(&t->e, 8, RCX, AT_CPU(by_mode(t, CPU_OFF(bt_states))));
	emit_load(&t->e, 1, RCX, (struct host_addr){RCX, HOST_T3, 1, 0, false, false});
	emit_mov_imm(&t->e, HOST_T2, mask);
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -want, false, false});
	xlat_unless_zero(t, xlat_slow_add(slow));
}

bool xlat_can_know(const struct xlat *t)
{
	enum { KNOWN_MAX = 64 /* bytes of an operand */ };

	return t->in->mem_size <= KNOWN_MAX && opt_on(t->bt->cpu->opt_off, OPT_KNOWN);
}

void xlat_use_frame(struct xlat *t, unsigned frame, unsigned temp, struct slow *slow)
{
	struct host_addr at = {(uint8_t)temp, (uint8_t)frame, 2, 0, false, false};
	uint8_t *none, *some;

	emit_mov_imm64(&t->e, temp, (uintptr_t)shadow_page_uses(t->bt->shadow));
	emit_load(&t->e, 2, RCX, at);
	none = emit_jrcxz(&t->e);
	some = emit_jmp8(&t->e);
	emit_target8(&t->e, none);
	*xlat_slow_add(slow) = emit_jmp(&t->e);
	emit_target8(&t->e, some);
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -1, false, false});
	emit_store(&t->e, 2, RCX, at);
}

/* T2 = offset in the page of the linear address in T0. Slow unless the operand ends there. Changes RCX. */
static void within_page(struct xlat *t, struct slow *slow)
{
	int32_t more = t->in->mem_size - 1;

	emit_mov_imm(&t->e, HOST_T2, PAGE_MASK);
	emit_pext32(&t->e, RCX, HOST_T0, HOST_T2);
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, more, false, false});
	emit_mov_imm(&t->e, HOST_T2, PAGE_SIZE);
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	xlat_unless_zero(t, xlat_slow_add(slow));
	emit_mov_imm(&t->e, HOST_T2, PAGE_MASK);
	emit_pext32(&t->e, HOST_T2, HOST_T0, HOST_T2);
}

/* T0 = where the operand is in RAM: the offset in T2 of the frame in T3. */
static void address_in_ram(struct xlat *t)
{
	emit_rorx64(&t->e, HOST_T3, HOST_T3, 64 - PAGE_SHIFT);
	emit_lea(&t->e, 8, HOST_T3, (struct host_addr){HOST_T3, HOST_T2, 1, 0, false, false});
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)t->bt->pm->ram.host);
	emit_lea(&t->e, 8, HOST_T0, (struct host_addr){HOST_T2, HOST_T3, 1, 0, false, false});
}

/* Behind if_page(). The access of the instruction, which is `code` there, is made in RAM, if the page is known; else to
 * one of slow's. */
static void access_known(struct xlat *t, const uint8_t *code, unsigned len, struct slow *slow)
{
	if_known(t, t->in->mem_write, slow);
	emit_load(&t->e, 8, RCX, AT_CPU(by_mode(t, CPU_OFF(bt_frames))));
	emit_load(&t->e, 4, HOST_T3, (struct host_addr){RCX, HOST_T3, 4, 0, false, false});
	xlat_use_frame(t, HOST_T3, HOST_T2, slow);
	within_page(t, slow);
	address_in_ram(t);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_bytes(&t->e, code, len);
}

bool xlat_ident_present(struct xlat *t)
{
	const struct insn *in = t->in;
	uint8_t code[REENCODE_MAX], in_ram[REENCODE_MAX], *can, *cannot, *done[2] = {0};
	struct slow slow = {.count = 0};
	unsigned len, ram_len, extra = in->mem_write ? FAULT_WRITE : 0;

	if (!in->has_mem || in->agen || !(in->mem_read || in->mem_write) || t->user ||
	    !xlat_segment_usable(t, in->seg, in->mem_write))
		return false;
	len = at_t0(t, true, code);
	ram_len = at_t0(t, false, in_ram);
	if (!len) /* AH to BH: rare enough */
		return false;
	operand_address(t);
	can = if_page(t, in->mem_write);
	cannot = emit_jmp(&t->e);
	emit_target8(&t->e, can);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_bytes(&t->e, code, len);
	done[0] = emit_jmp(&t->e);
	emit_target32_here(&t->e, cannot);
	if (ram_len && xlat_can_know(t)) {
		access_known(t, in_ram, ram_len, &slow);
		done[1] = emit_jmp(&t->e);
		extra |= FAULT_KNOWS;
	}
	xlat_slow_here(t, &slow);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_store(&t->e, 4, HOST_T0, AT_CPU(CPU_OFF(bt_fault_address)));
	xlat_fault_exit(t, extra);
	for (unsigned i = 0; i < ARRAY_LEN(done); i++)
		if (done[i])
			emit_target32_here(&t->e, done[i]);
	return true;
}

/* --- stores to page tables --- */

void xlat_unless_full(struct xlat *t, struct host_addr count, uint8_t **slow)
{
	uint8_t *full, *room;

	emit_load(&t->e, 4, RCX, count);
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -(int32_t)TABLE_STORES, false, false});
	full = emit_jecxz(&t->e);
	room = emit_jmp8(&t->e);
	emit_target8(&t->e, full);
	*slow = emit_jmp(&t->e);
	emit_target8(&t->e, room);
}

/*
 * Behind if_page(): if all that keeps the page from being written is that it is a page table, the store is noted for
 * shadow_tables_stored() and made, in RAM itself. Else a jump to one of slow[]. There RCX is in T1. Within a page: the
 * operand is aligned to its size.
 */
static unsigned store_to_table(struct xlat *t, const uint8_t *code, unsigned len, uint8_t *slow[4])
{
	const struct bt *bt = t->bt;
	unsigned n = 0, size = t->in->mem_size;

	emit_lea(&t->e, 4, RCX,
		 (struct host_addr){RCX, REG_NONE, 1, SHADOW_PAGE_STORABLE - SHADOW_PAGE_TRACED, false, false});
	xlat_unless_zero(t, &slow[n++]);
	emit_mov_imm(&t->e, RCX, size - 1);
	emit_pext32(&t->e, RCX, HOST_T0, RCX);
	xlat_unless_zero(t, &slow[n++]);
	xlat_unless_full(t, AT_CPU(CPU_OFF(bt_table_stores)), &slow[n++]);
	/* T3 = frame */
	emit_mov_imm(&t->e, HOST_T2, PAGE_SHIFT);
	emit_shrx64(&t->e, RCX, HOST_T0, HOST_T2);
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)shadow_page_frames(bt->shadow, false));
	emit_load(&t->e, 4, HOST_T3, (struct host_addr){HOST_T2, RCX, 4, 0, false, false});
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)bt->pm->traced);
	emit_load(&t->e, 1, RCX, (struct host_addr){HOST_T2, HOST_T3, 1, 0, false, false});
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -TRACK_PAGE_TABLE, false, false});
	xlat_unless_zero(t, &slow[n++]);
	/* T3 = offset in RAM */
	emit_mov_imm(&t->e, HOST_T2, PAGE_MASK);
	emit_pext32(&t->e, HOST_T2, HOST_T0, HOST_T2);
	emit_rorx64(&t->e, HOST_T3, HOST_T3, 64 - PAGE_SHIFT);
	emit_lea(&t->e, 8, HOST_T3, (struct host_addr){HOST_T3, HOST_T2, 1, 0, false, false});
	emit_load(&t->e, 4, RCX, AT_CPU(CPU_OFF(bt_table_stores)));
	emit_store(&t->e, 8, HOST_T3, (struct host_addr){HOST_CPU, RCX, 8, CPU_OFF(bt_table_store[0]), false, false});
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, 1, false, false});
	emit_store(&t->e, 4, RCX, AT_CPU(CPU_OFF(bt_table_stores)));
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)bt->pm->ram.host);
	emit_lea(&t->e, 8, HOST_T0, (struct host_addr){HOST_T2, HOST_T3, 1, 0, false, false});
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_bytes(&t->e, code, len);
	return n;
}

bool xlat_ident_guarded(struct xlat *t)
{
	const struct insn *in = t->in;
	uint8_t code[REENCODE_MAX], in_ram[REENCODE_MAX], *can, *done[2], *slow[4];
	unsigned len, ram_len, nslow = 0;

	if (!in->has_mem || in->agen || !in->mem_write || !xlat_segment_usable(t, in->seg, true))
		return false;
	len = at_t0(t, true, code);
	ram_len = at_t0(t, false, in_ram);
	if (!len || !ram_len)
		return false;
	operand_address(t);
	can = if_page(t, true);
	done[0] = emit_jmp(&t->e);
	emit_target8(&t->e, can);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_bytes(&t->e, code, len);
	done[1] = emit_jmp(&t->e);
	emit_target32_here(&t->e, done[0]);
	if (opt_on(t->bt->cpu->opt_off, OPT_STORES) && in->mem_size <= 8 && !(in->mem_size & (in->mem_size - 1))) {
		nslow = store_to_table(t, in_ram, ram_len, slow);
		done[0] = emit_jmp(&t->e);
	}
	for (unsigned i = 0; i < nslow; i++)
		emit_target32_here(&t->e, slow[i]);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_slow_callout(t);
	if (nslow)
		emit_target32_here(&t->e, done[0]);
	emit_target32_here(&t->e, done[1]);
	return true;
}
