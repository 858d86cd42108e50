/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory operands: segmentation, addresses, and the instructions that are the same on the host. */
#include "cpu/reencode.h"
#include "xlat.h"

/* Probe loads (SHADOW_PROBE): readable for x = 0 only. */
static void probe(struct xlat *t, unsigned reg)
{
	emit_load(&t->e, 1, reg, (struct host_addr){HOST_WINDOW, (uint8_t)reg, 8, SHADOW_PROBE, false, false});
}

/* Faults if the 64-bit number in T1 is negative (it is above -2^51 and below 2^51): its top 13 bits become the probe's
 * x. */
static void probe_sign(struct xlat *t)
{
	emit_mov_imm(&t->e, HOST_T2, 51);
	emit_shrx64(&t->e, HOST_T1, HOST_T1, HOST_T2);
	probe(t, HOST_T1);
}

/* T1 = T1 - reg + k: one's complement, since subtractions change flags. */
static void subtract(struct xlat *t, unsigned reg, int32_t k)
{
	emit_mov(&t->e, 8, HOST_T2, reg);
	emit_not64(&t->e, HOST_T2);
	emit_lea(&t->e, 8, HOST_T1, (struct host_addr){HOST_T1, HOST_T2, 1, k + 1, false, false});
}

void xlat_check_limit(struct xlat *t, unsigned reg, uint32_t limit)
{
	emit_mov_imm(&t->e, HOST_T1, limit);
	subtract(t, reg, 0);
	probe_sign(t);
}

bool xlat_segment_usable(const struct xlat *t, unsigned seg, bool write)
{
	if (context_seg_class(t->ctx, seg) == SEGC_ODD)
		return false;
	/* A code segment in protected mode is readable at best; one loaded into a data segment register too. */
	if (write && (t->ctx->key.flags & CTX_PROTECTED) && !(t->ctx->key.flags & CTX_V86))
		return seg != SEG_CS && !(t->bt->cpu->seg[seg].attr & SEG_CODE);
	return true;
}

/* offset + size - 1 <= limit, the limit being in the segment register. */
static void check_limit(struct xlat *t, unsigned seg, unsigned size)
{
	emit_load(&t->e, 4, HOST_T1, AT_CPU(SEG_OFF(seg, limit)));
	subtract(t, HOST_T0, 1 - (int32_t)size);
	probe_sign(t);
}

/* Bit 16 of the last byte's offset, moved to bit 8. */
void xlat_check_64k(struct xlat *t, unsigned size)
{
	emit_lea(&t->e, 4, HOST_T1, (struct host_addr){HOST_T0, REG_NONE, 1, (int32_t)size - 1, false, false});
	emit_bswap32(&t->e, HOST_T1);
	emit_movzx16(&t->e, HOST_T1, HOST_T1);
	probe(t, HOST_T1);
}

void xlat_segment_apply(struct xlat *t, unsigned seg, unsigned size, bool off16)
{
	enum seg_class class = context_seg_class(t->ctx, seg);

	if (class == SEGC_FLAT)
		return;
	if (class == SEGC_LIMIT || (class == SEGC_64K && !off16))
		check_limit(t, seg, size);
	else if (class == SEGC_64K && size > 1)
		xlat_check_64k(t, size);
	emit_load(&t->e, 4, HOST_T1, AT_CPU(SEG_OFF(seg, base)));
	emit_lea(&t->e, 4, HOST_T0, (struct host_addr){HOST_T0, HOST_T1, 1, 0, false, false});
}

/* Wraps around as the guest's 32-bit addresses do. */
static int32_t displacement(const struct xlat *t, int32_t more)
{
	int32_t lag = t->in->base == RSP ? t->esp_pending : 0;

	return (int32_t)((uint32_t)t->in->disp + (uint32_t)more + (uint32_t)lag);
}

void xlat_offset(struct xlat *t, int32_t more_disp)
{
	const struct insn *in = t->in;
	struct host_addr at = {REG_NONE, in->index, in->scale, displacement(t, more_disp), false, false};

	if (in->base == REG_NONE && in->index == REG_NONE) {
		emit_mov_imm(&t->e, HOST_T0, (uint32_t)(at.disp & (int32_t)size_mask(in->addrsize)));
		return;
	}
	if (in->base != REG_NONE)
		at.base = (uint8_t)host_reg(in->base);
	emit_lea(&t->e, 4, HOST_T0, at);
	if (in->addrsize == 2)
		emit_movzx16(&t->e, HOST_T0, HOST_T0);
}

/* The segment has a base and no limit, and the operand has room for it: HOST_T1, once loaded. */
static bool adds_base(const struct xlat *t)
{
	const struct insn *in = t->in;

	return context_seg_class(t->ctx, in->seg) == SEGC_BASED && in->addrsize == 4 &&
	       (in->base == REG_NONE || in->index == REG_NONE) && opt_on(t->bt->cpu->opt_off, OPT_BASED);
}

static void load_base(struct xlat *t)
{
	emit_load(&t->e, 4, HOST_T1, AT_CPU(SEG_OFF(t->in->seg, base)));
}

/* Of guest base and index there is one at most: which, and its scale. */
static uint8_t index_beside_base(const struct insn *in, uint8_t *scale)
{
	*scale = in->base == REG_NONE && in->index != REG_NONE ? in->scale : 1;
	return in->base == REG_NONE ? in->index : (uint8_t)host_reg(in->base);
}

struct host_addr xlat_operand(struct xlat *t, unsigned size, int32_t more_disp)
{
	const struct insn *in = t->in;

	if (adds_base(t)) {
		struct host_addr at = {.base = HOST_T1, .disp = displacement(t, more_disp), .gs = true, .a32 = true};
		at.index = index_beside_base(in, &at.scale);
		load_base(t);
		return at;
	}
	if (context_seg_class(t->ctx, in->seg) == SEGC_FLAT && in->addrsize == 4) {
		uint8_t base = in->base == REG_NONE ? REG_NONE : (uint8_t)host_reg(in->base);
		return (struct host_addr){base, in->index, in->scale, displacement(t, more_disp), true, true};
	}
	xlat_offset(t, more_disp);
	xlat_segment_apply(t, in->seg, size, in->addrsize == 2);
	return AT_GS(HOST_T0);
}

/* A register among RAX..RDI that the instruction does not use. */
static unsigned spare_register(const struct insn *in)
{
	for (unsigned r = RAX; r <= RDI; r++)
		if (r != RSP && !((in->gpr_read | in->gpr_written) & BIT(r)))
			return r;
	return REG_NONE;
}

/* For AH..BH beside an address in T0, which needs REX: the address goes into a legacy register for the time. */
static bool ident_swapped(struct xlat *t, struct reencoding *how)
{
	struct insn_map *map = xlat_map(t);
	uint8_t code[REENCODE_MAX];
	unsigned spare = spare_register(t->in), len;

	how->base = (uint8_t)spare;
	len = spare == REG_NONE ? 0 : insn_reencode(t->in, how, code);
	if (!len)
		return false;
	emit_mov(&t->e, 8, HOST_T1, spare);
	map->flags |= MAP_SWAPPED;
	map->swapped = (uint8_t)spare;
	map->swap_from = xlat_here(t);
	emit_mov(&t->e, 8, spare, HOST_T0);
	emit_bytes(&t->e, code, len);
	emit_mov(&t->e, 8, spare, HOST_T1);
	map->swap_to = xlat_here(t);
	return true;
}

void xlat_go_through_alias(struct xlat *t)
{
	emit_mov_imm(&t->e, HOST_T2, SHADOW_GRANULE_SHIFT);
	emit_shrx64(&t->e, HOST_T1, HOST_T0, HOST_T2);
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)shadow_watched(t->bt->shadow));
	emit_load(&t->e, 1, HOST_T1, (struct host_addr){HOST_T2, HOST_T1, 1, 0, false, false});
	probe(t, HOST_T1);
	emit_mov_imm64(&t->e, HOST_T2, SHADOW_ALIAS);
	emit_lea(&t->e, 8, HOST_T2, (struct host_addr){HOST_WINDOW, HOST_T2, 1, 0, false, false});
	emit_lea(&t->e, 8, HOST_T0, (struct host_addr){HOST_T2, HOST_T0, 1, 0, false, false});
}

void xlat_choose_window(struct xlat *t, unsigned reg)
{
	xlat_map(t)->flags |= MAP_USER;
	emit_mov_imm(&t->e, HOST_T1, USER_REGION_SHIFT);
	emit_shrx64(&t->e, HOST_T1, reg, HOST_T1);
	emit_load(&t->e, 1, HOST_T1, (struct host_addr){HOST_CPU, HOST_T1, 1, CPU_OFF(bt_user_region), false, false});
	emit_load(&t->e, 8, HOST_T1, (struct host_addr){HOST_CPU, HOST_T1, 8, CPU_OFF(bt_window), false, false});
}

/* Any memory operand, through T0. checked: a store that goes through the alias. */
static bool ident_general(struct xlat *t, bool checked)
{
	const struct insn *in = t->in;
	struct reencoding how = {
	    .mem = HOST_MEM_BASE, .esp_home = HOST_ESP, .gs = !checked && !t->user, .base = HOST_T0};
	uint8_t code[REENCODE_MAX];
	unsigned len = insn_reencode(in, &how, code);

	if (!len && spare_register(in) == REG_NONE)
		return false;
	how.base = RBX; /* only to learn whether any legacy register would do */
	if (!len && !insn_reencode(in, &how, code))
		return false;
	how.base = HOST_T0;
	xlat_offset(t, 0);
	xlat_segment_apply(t, in->seg, in->mem_size, in->addrsize == 2);
	if (checked) {
		xlat_map(t)->flags |= MAP_CHECKED;
		xlat_go_through_alias(t);
	} else if (t->user) {
		xlat_choose_window(t, HOST_T0);
		emit_lea(&t->e, 8, HOST_T0, (struct host_addr){HOST_T1, HOST_T0, 1, 0, false, false});
	}
	if (!len)
		return ident_swapped(t, &how);
	emit_bytes(&t->e, code, len);
	return true;
}

/* Two host instructions where ident_general() has four. */
static bool ident_based(struct xlat *t)
{
	const struct insn *in = t->in;
	struct reencoding how = {
	    .esp_home = HOST_ESP, .gs = true, .a32 = true, .base = HOST_T1, .disp = displacement(t, 0)};
	uint8_t code[REENCODE_MAX];
	unsigned len;

	how.index = index_beside_base(in, &how.scale);
	how.mem = how.index == REG_NONE ? HOST_MEM_BASE : HOST_MEM_INDEX;
	len = insn_reencode(in, &how, code);
	if (!len) /* AH to BH */
		return false;
	load_base(t);
	emit_bytes(&t->e, code, len);
	return true;
}

static bool lea16(struct xlat *t)
{
	xlat_offset(t, 0);
	emit_mov(&t->e, t->in->op[0].size, host_reg(t->in->op[0].reg), HOST_T0);
	return true;
}

bool xlat_ident(struct xlat *t)
{
	const struct insn *in = t->in;
	struct reencoding how = {.mem = HOST_MEM_NONE, .esp_home = HOST_ESP};
	uint8_t code[REENCODE_MAX];
	unsigned len;

	if (t->esp_pending && xlat_stack_copies(in)) {
		emit_lea(&t->e, 4, in->op[0].reg,
			 (struct host_addr){HOST_ESP, REG_NONE, 1, t->esp_pending, false, false});
		return true;
	}
	if (in->has_mem) {
		if (in->agen && in->addrsize == 2)
			return lea16(t);
		if (!in->agen && (in->mem_read || in->mem_write)) {
			if (!xlat_segment_usable(t, in->seg, in->mem_write))
				return false;
			if (adds_base(t) && !t->user && ident_based(t))
				return true;
			if (context_seg_class(t->ctx, in->seg) != SEGC_FLAT || in->addrsize == 2 || t->user)
				return ident_general(t, false);
		}
		how.mem = HOST_MEM_SAME;
		how.disp = in->base == RSP ? t->esp_pending : 0;
		if (in->addrsize == 2) { /* a hint without an access */
			how.mem = HOST_MEM_BASE;
			how.base = HOST_WINDOW;
		}
	}
	len = insn_reencode(in, &how, code);
	if (!len)
		return in->has_mem && !in->agen && ident_general(t, false);
	emit_bytes(&t->e, code, len);
	return true;
}

bool xlat_ident_checked(struct xlat *t)
{
	const struct insn *in = t->in;

	if (!in->has_mem || in->agen || !in->mem_write || in->mem_size > SHADOW_GRANULE ||
	    !xlat_segment_usable(t, in->seg, true))
		return false;
	return ident_general(t, true);
}

bool xlat_xlat(struct xlat *t)
{
	const struct insn *in = t->in;

	if (!xlat_segment_usable(t, in->seg, false))
		return false;
	emit_op_reg(&t->e, 4, 0x0fb6, HOST_T0, RAX);
	emit_lea(&t->e, 4, HOST_T0, (struct host_addr){RBX, HOST_T0, 1, 0, false, false});
	if (in->addrsize == 2)
		emit_movzx16(&t->e, HOST_T0, HOST_T0);
	xlat_segment_apply(t, in->seg, 1, in->addrsize == 2);
	emit_load_part(&t->e, 1, RAX, AT_GS(HOST_T0));
	return true;
}
