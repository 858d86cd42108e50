/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 64-bit code: memory operands, and the instructions that are the same on the host. */
#include "cpu/reencode.h"
#include "xlat64.h"

/* The table of deltas faults where it has none, by the index; indexes are 32 bits, so nothing but it is reached. */
static void load_delta(struct xlat *t)
{
	emit_load(&t->e, 8, HOST64_DELTA,
		  (struct host_addr){REG_NONE, HOST64_DELTA, 8, context_view(t->ctx), true, false});
}

void xlat64_look_up(struct xlat *t, unsigned reg)
{
	if (xlat64_serves(t, reg) || (reg == RSP && xlat64_rsp_load(t)))
		return;
	if (reg == HOST64_T || !(t->in_code & BIT(reg))) {
		xlat64_look_up_anew(t, reg);
		return;
	}
	xlat64_constant_delta(t, (uint32_t)(t->b->eip >> SHADOW_VIEW_SHIFT), RELOC_CODE_CHUNK);
	t->looked_up = false;
	if (opt_on(t->bt->cpu->opt_off, OPT_DELTAS))
		xlat64_serve(t, reg, 0);
}

void xlat64_look_up_anew(struct xlat *t, unsigned reg)
{
	emit_mov_imm(&t->e, HOST64_DELTA, SHADOW_VIEW_SHIFT);
	emit_shrx64(&t->e, HOST64_DELTA, reg, HOST64_DELTA);
	load_delta(t);
	t->delta = DELTA_NONE;
	t->looked_up = true;
	if (reg != HOST64_T && opt_on(t->bt->cpu->opt_off, OPT_DELTAS))
		xlat64_serve(t, reg, 0);
}

void xlat64_serve(struct xlat *t, unsigned reg, int32_t apart)
{
	t->delta = (uint8_t)reg;
	t->same = (uint16_t)BIT(reg);
	t->apart[reg] = apart;
}

void xlat64_constant_delta(struct xlat *t, uint32_t chunk, enum reloc_kind kind)
{
	int64_t at = (int64_t)chunk * 8 + context_view(t->ctx);

	if (at == (int32_t)at) {
		emit_load(&t->e, 8, HOST64_DELTA, (struct host_addr){REG_NONE, REG_NONE, 1, (int32_t)at, true, false});
		xlat_reloc(t, 4, kind);
	} else {
		emit_mov_imm(&t->e, HOST64_DELTA, chunk);
		load_delta(t);
		t->adapted = true; /* no copies: not of user mode's addresses */
	}
	t->delta = DELTA_NONE;
}

/* reg = a constant that depends on RIP if the operand does. */
static void constant(struct xlat *t, unsigned reg, uint64_t offset, enum reloc_kind kind)
{
	emit_mov_imm64(&t->e, reg, offset);
	if (!t->in->rip_relative)
		return;
	xlat_reloc(t, 8, kind);
	t->adapted |= t->in->addrsize == 4;
}

/* A constant address. Those that 32 bits hold are not of programs that are moved: no copies. */
static struct host_addr constant_address(struct xlat *t, gva_t linear)
{
	uint32_t chunk = (uint32_t)(linear >> SHADOW_VIEW_SHIFT);
	bool near = xlat64_near_choose(t, chunk, CHUNK_BY_RIP);

	if (near)
		xlat64_near_delta(t);
	else
		xlat64_constant_delta(t, chunk, RELOC_RIP_CHUNK);
	t->adapted |= !t->in->rip_relative;
	if (linear == (uint64_t)(int64_t)(int32_t)linear) {
		t->adapted = true;
		return (struct host_addr){HOST64_DELTA, REG_NONE, 1, (int32_t)linear, false, false};
	}
	constant(t, HOST64_T, linear, near ? RELOC_RIP_NEAR : RELOC_RIP);
	return (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false};
}

static bool has_base(const struct insn *in)
{
	return in->seg == SEG_FS || in->seg == SEG_GS;
}

/* The operand's offset, if it is a constant. */
static bool constant_offset(const struct xlat *t, uint64_t *offset)
{
	const struct insn *in = t->in;

	if (in->base != REG_NONE || in->index != REG_NONE)
		return false;
	*offset = (uint64_t)in->disp + (in->rip_relative ? t->eip + in->len : 0);
	if (in->addrsize == 4)
		*offset = (uint32_t)*offset;
	return true;
}

/* The pair's registers among these are in their host's registers from here on. */
static void load_pair(struct xlat *t, unsigned regs)
{
	for (unsigned i = 0; i < ARRAY_LEN(t->pair); i++)
		if (regs & BIT(t->pair[i]))
			xlat64_load_reg(t, t->pair[i], t->pair[i]);
}

static unsigned address_registers(const struct insn *in)
{
	return (in->base != REG_NONE ? (unsigned)BIT(in->base) : 0) |
	       (in->index != REG_NONE ? (unsigned)BIT(in->index) : 0);
}

void xlat64_linear(struct xlat *t)
{
	const struct insn *in = t->in;
	uint64_t offset;

	if (constant_offset(t, &offset)) {
		constant(t, HOST64_T, offset, RELOC_RIP);
	} else {
		load_pair(t, address_registers(in));
		emit_lea(&t->e, in->addrsize, HOST64_T,
			 (struct host_addr){in->base, in->index, in->scale, (int32_t)in->disp, false, false});
	}
	if (!has_base(in))
		return;
	emit_load(&t->e, 8, HOST64_DELTA, in->seg == SEG_FS ? AT_HOME(t, fs_base) : AT_HOME(t, gs_base));
	emit_lea(&t->e, 8, HOST64_T, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	t->delta = DELTA_NONE;
}

struct host_addr xlat64_operand(struct xlat *t)
{
	const struct insn *in = t->in;
	struct host_addr at;
	uint64_t offset;

	if (constant_offset(t, &offset)) {
		if (!has_base(in))
			return constant_address(t, offset);
		if (xlat64_held(t, (int64_t)offset, &at))
			return at;
	}
	if (!has_base(in) && in->addrsize == 8 && in->index == REG_NONE && !xlat64_in_memory(t, in->base) &&
	    in->disp <= DIRECT_DISP && in->disp >= -DIRECT_DISP) {
		if (!xlat64_near_base(t, in->base))
			xlat64_look_up(t, in->base);
		xlat64_near_accessed(t, in->base, (int32_t)in->disp);
		if (in->base == RSP && t->delta != DELTA_CHUNK && xlat64_surely_accesses(in))
			xlat64_rsp_accessed(t, (int32_t)in->disp);
		return (struct host_addr){in->base, HOST64_DELTA, 1, (int32_t)in->disp, false, false};
	}
	if (xlat64_near_indexed(t, &at))
		return at;
	if (xlat64_near_operand(t))
		return (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false};
	xlat64_linear(t);
	xlat64_look_up(t, HOST64_T);
	return (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false};
}

/* Registers that are in memory among those that the instruction's encoding names beside its address. */
static unsigned data_registers(const struct xlat *t)
{
	const struct insn *in = t->in;
	unsigned bits = 0;

	for (unsigned i = 0; i < in->noperands; i++)
		if (in->op[i].kind == OPD_GPR && xlat64_in_memory(t, in->op[i].reg))
			bits |= BIT(in->op[i].reg);
	return bits;
}

/* The register that the instruction overwrites without having used what was there as data. */
static unsigned overwritten(const struct insn *in)
{
	switch (in->id) {
	case INSN_MOV:
	case INSN_MOVZX:
	case INSN_MOVSX:
	case INSN_MOVSXD:
	case INSN_LEA:
		return in->op[0].kind == OPD_GPR && in->op[0].size >= 4 ? (unsigned)BIT(in->op[0].reg) : 0;
	default:
		return 0;
	}
}

bool xlat64_lea_in_code(const struct xlat *t)
{
	const struct insn *in = t->in;
	const struct operand *to = &in->op[0];
	uint64_t offset;

	if (in->id != INSN_LEA || !in->rip_relative || to->size != 8 || xlat64_in_memory(t, to->reg) ||
	    in->addrsize != 8 || !constant_offset(t, &offset) || !opt_on(t->bt->cpu->opt_off, OPT_DELTAS))
		return false;
	return t->like ? xlat_like(t, RELOC_RIP_CODE) : (offset ^ t->b->eip) >> SHADOW_VIEW_SHIFT == 0;
}

/* LEA of an address that is a constant. */
static void lea_constant(struct xlat *t, uint64_t offset)
{
	const struct operand *to = &t->in->op[0];

	if (to->size == 8 && !xlat64_in_memory(t, to->reg)) {
		constant(t, to->reg, offset, xlat64_lea_in_code(t) ? RELOC_RIP_CODE : RELOC_RIP);
		return;
	}
	constant(t, HOST64_T, offset, RELOC_RIP);
	if (to->size == 4)
		emit_mov(&t->e, 4, HOST64_T, HOST64_T);
	if (xlat64_in_memory(t, to->reg))
		xlat64_store_reg(t, to->size == 2 ? 2 : 8, to->reg, HOST64_T);
	else
		emit_mov(&t->e, to->size, to->reg, HOST64_T);
}

/* No access: the guest's own bytes, with the pair in registers where they name them. */
static bool verbatim(struct xlat *t)
{
	const struct insn *in = t->in;
	unsigned touched = in->gpr_read | in->gpr_written;
	uint64_t offset;

	if (in->agen && in->rip_relative && constant_offset(t, &offset)) {
		lea_constant(t, offset);
		return true;
	}
	load_pair(t, touched & ~(overwritten(in) & (unsigned)~in->gpr_read));
	if (in->gpr_written & BIT(HOST64_DELTA))
		t->delta = DELTA_NONE;
	emit_bytes(&t->e, in->bytes, in->len);
	for (unsigned i = 0; i < ARRAY_LEN(t->pair); i++)
		if (in->gpr_written & BIT(t->pair[i]))
			xlat64_store_reg(t, 8, t->pair[i], t->pair[i]);
	return true;
}

static bool high_byte(const struct insn *in)
{
	for (unsigned i = 0; i < in->noperands; i++)
		if (in->op[i].kind == OPD_GPR_HIGH)
			return true;
	return false;
}

/* For AH..BH, which cannot meet REX: the address goes into a legacy register for the time. */
static bool ident_swapped(struct xlat *t)
{
	struct insn_map *map = xlat_map(t);
	uint8_t code[REENCODE_MAX];
	struct reencoding how = {.mem = HOST_MEM_BASE, .esp_home = RSP};
	unsigned spare = RAX, len;

	while (spare <= RDI && (spare == RSP || ((t->in->gpr_read | t->in->gpr_written) & BIT(spare))))
		spare++;
	how.base = (uint8_t)spare;
	len = spare > RDI ? 0 : insn_reencode(t->in, &how, code);
	if (!len)
		return false;
	xlat64_near_forget(t);
	struct host_addr at = xlat64_operand(t);
	emit_store(&t->e, 8, spare, AT_HOME(t, spare));
	map->flags |= MAP_SWAPPED;
	map->swapped |= (uint8_t)spare;
	map->swap_from = xlat_here(t);
	emit_lea(&t->e, 8, spare, at);
	emit_bytes(&t->e, code, len);
	emit_load(&t->e, 8, spare, AT_HOME(t, spare));
	map->swap_to = xlat_here(t);
	return true;
}

bool xlat64_can_access(const struct xlat *t)
{
	struct reencoding longest = {.mem = HOST_MEM_INDEX,
				     .esp_home = RSP,
				     .base = HOST64_T,
				     .index = HOST64_DELTA,
				     .scale = 1,
				     .disp = INT32_MAX};
	uint8_t code[REENCODE_MAX];

	return !t->in->vsib && data_registers(t) != (BIT(HOST64_T) | BIT(HOST64_DELTA)) && !high_byte(t->in) &&
	       insn_reencode(t->in, &longest, code);
}

void xlat64_access(struct xlat *t, struct host_addr at)
{
	const struct insn *in = t->in;
	struct reencoding how = {.esp_home = RSP};
	unsigned data = data_registers(t), reg = data & BIT(HOST64_T) ? HOST64_T : HOST64_DELTA;
	bool loads = data & ~overwritten(in);
	uint8_t code[REENCODE_MAX];

	if (data) {
		if (at.base == HOST64_T && loads) {
			emit_lea(&t->e, 8, HOST64_DELTA, at);
			t->delta = DELTA_NONE;
			at = (struct host_addr){HOST64_DELTA, REG_NONE, 1, 0, false, false};
		}
		if (loads)
			xlat64_load_reg(t, HOST64_T, reg);
		how.moved = (uint8_t)reg;
		how.moved_to = HOST64_T;
	}
	how.mem = at.index == REG_NONE ? HOST_MEM_BASE : HOST_MEM_INDEX;
	how.base = at.base;
	how.index = at.index;
	how.scale = at.scale;
	how.disp = at.disp;
	emit_bytes(&t->e, code, insn_reencode(in, &how, code));
	if (in->gpr_written & data)
		xlat64_store_reg(t, 8, reg, HOST64_T);
}

static bool access_memory(struct xlat *t)
{
	if (high_byte(t->in))
		return ident_swapped(t);
	if (!xlat64_can_access(t))
		return false;
	xlat64_access(t, xlat64_operand(t));
	return true;
}

bool xlat64_ident(struct xlat *t)
{
	const struct insn *in = t->in;
	bool done = true;

	if (in->has_mem && (in->mem_read || in->mem_write))
		done = access_memory(t);
	else if (!in->has_mem || in->agen)
		done = verbatim(t);
	/* else a hint, which does nothing here */
	return done;
}
