/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: the block's chunk. What a register pointed to when the block was translated, it is expected to point to
 * again. The delta is that of a chunk that is known, then, and not waited for; a probe (xlat64_probe.c) makes sure that
 * the address is in that chunk. Registers that were found there, and have been moved by little since, are not looked at
 * again in the block. A site whose addresses are elsewhere is translated anew (bt_site_strayed()).
 */
#include "xlat64.h"

static enum chunk_in chunk_in(const struct xlat *t, uint32_t chunk)
{
	if (chunk == t->b->eip >> SHADOW_VIEW_SHIFT)
		return CHUNK_OF_CODE;
	return chunk == t->bt->cpu->gpr[RSP] >> SHADOW_VIEW_SHIFT ? CHUNK_OF_STACK : CHUNK_OF_OTHERS;
}

void xlat64_near_take(struct xlat *t, uint32_t chunk, unsigned by)
{
	t->has_chunk = true;
	t->b->chunk = chunk;
	t->b->chunk_by = (uint8_t)by;
	t->b->chunk_in = (uint8_t)chunk_in(t, chunk);
}

bool xlat64_near_choose(struct xlat *t, uint32_t chunk, unsigned by)
{
	if (!opt_on(t->bt->cpu->opt_off, OPT_DELTAS))
		return false;
	if (t->like && !xlat_like(t, by == CHUNK_BY_RIP ? RELOC_RIP_NEAR : RELOC_PROBE))
		return false;
	if (!t->has_chunk)
		xlat64_near_take(t, t->like ? t->like_chunk : chunk, by);
	return t->like || t->b->chunk == chunk;
}

void xlat64_near_delta(struct xlat *t)
{
	if (t->delta == DELTA_CHUNK)
		return;
	xlat64_constant_delta(t, t->b->chunk, RELOC_CHUNK);
	t->delta = DELTA_CHUNK;
}

bool xlat64_near_usable(const struct xlat *t)
{
	opt_off_t off = t->bt->cpu->opt_off;

	return xlat64_probes(t) && !xlat64_wide(t) && opt_on(off, OPT_NEAR) && opt_on(off, OPT_DELTAS);
}

static bool usable(const struct xlat *t)
{
	return xlat64_near_usable(t) && (t->like || !bt_site_strays(t->bt, t->b, xlat_map(t)->guest));
}

/* Is `linear` what the register will hold, as far as is known? */
static bool expected(struct xlat *t, unsigned reg, uint64_t linear)
{
	uint32_t chunk = (uint32_t)(linear >> SHADOW_VIEW_SHIFT);

	if (t->like || (t->foreseen & BIT(reg)))
		return xlat64_near_choose(t, chunk,
					  t->bt->cpu->gpr[reg] >> SHADOW_VIEW_SHIFT == chunk ? reg : CHUNK_BY_SUM);
	return t->has_chunk && ((t->near | t->loaded) & BIT(reg));
}

/* Is it known, or to be expected, that the register is a pointer into the block's chunk? */
static bool points(const struct xlat *t, unsigned reg)
{
	if (reg == RSP || xlat64_in_memory(t, reg) || !t->has_chunk)
		return false;
	if ((t->near | t->loaded) & BIT(reg))
		return true;
	return (t->foreseen & BIT(reg)) && t->seen[reg] >> SHADOW_VIEW_SHIFT == t->b->chunk;
}

bool xlat64_near_base(struct xlat *t, unsigned base)
{
	if (xlat64_serves(t, base) || (t->in_code & BIT(base)))
		return false;
	if (t->has_chunk && (t->near & BIT(base))) {
		xlat64_near_delta(t);
		return true;
	}
	if (base == RSP || !usable(t) || !expected(t, base, t->seen[base]))
		return false;
	xlat64_near_delta(t);
	xlat64_near_probe(t, base);
	return true;
}

void xlat64_near_probe(struct xlat *t, unsigned reg)
{
	xlat64_probe_chunk(t, reg, HOST64_T);
	t->near |= (uint16_t)BIT(reg);
	t->entered &= (uint16_t)~BIT(reg);
	t->moved[reg] = 0;
}

/* [base + index * scale + disp], all of it in registers. */
static bool indexed(const struct xlat *t)
{
	const struct insn *in = t->in;

	return in->base != REG_NONE && in->index != REG_NONE && in->addrsize == 8 && in->seg != SEG_FS &&
	       in->seg != SEG_GS && !xlat64_in_memory(t, in->base) && !xlat64_in_memory(t, in->index);
}

/* Does xlat64_near_base() take a probe's word for the register? */
static bool probed(const struct xlat *t, unsigned reg)
{
	if (xlat64_serves(t, reg) || (t->in_code & BIT(reg)))
		return false;
	if (t->has_chunk && (t->near & BIT(reg)))
		return !(t->sure & BIT(reg));
	if (reg == RSP)
		return false;
	if (t->like)
		return xlat_like(t, RELOC_PROBE);
	if (!(t->foreseen & BIT(reg)))
		return t->has_chunk && (t->loaded & BIT(reg));
	return !t->has_chunk || t->seen[reg] >> SHADOW_VIEW_SHIFT == t->b->chunk;
}

bool xlat64_surely_accesses(const struct insn *in)
{
	if (insn_masked(in))
		return false;
	switch (in->id) {
	case INSN_VMASKMOVPS:
	case INSN_VMASKMOVPD:
	case INSN_VPMASKMOVD:
	case INSN_VPMASKMOVQ:
		return false;
	default:
		return !(in->mem_write && (insn_rows[in->id].checks & CHK_FPU));
	}
}

void xlat64_near_accessed(struct xlat *t, unsigned base, int32_t disp)
{
	if (!xlat64_surely_accesses(t->in) || !(t->near & BIT(base)))
		return;
	t->sure |= (uint16_t)BIT(base);
	/* By the chunk's delta: the sum is in the chunk. Another one may be that of the chunk beside it. */
	if (t->delta != DELTA_CHUNK || disp > NEAR_REACH || disp < -NEAR_REACH)
		return;
	t->entered &= (uint16_t)~BIT(base);
	t->moved[base] = -disp;
}

/* Is it worth a lookup of the base that the index is known behind it? Two instructions more here than a probe of the
 * sum, one or three fewer where either or both are used again. */
static bool worth_certainty(const struct xlat *t, unsigned base, unsigned index)
{
	unsigned kept = (unsigned)(BIT(base) | BIT(index)), saved = 0;

	for (const struct insn *in = t->in + 1; kept && in <= t->in + t->rest; in++) {
		if (insn_rows[in->id].class == CLASS_CALLOUT)
			break;
		if (in->has_mem && !in->agen && in->base != REG_NONE && in->index != REG_NONE) {
			unsigned same = kept & ((in->base == base ? (unsigned)BIT(base) : 0) |
						(in->index == index ? (unsigned)BIT(index) : 0));
			saved += !same ? 0 : same & (same - 1) ? 3 : 1;
		}
		kept &= ~(unsigned)in->gpr_written;
	}
	return saved > 2;
}

/* Is the base known for certain, without a lookup? */
static bool certain(const struct xlat *t, unsigned base)
{
	if (xlat64_serves(t, base) || (t->in_code & BIT(base)))
		return true;
	if (t->has_chunk && (t->near & BIT(base)))
		return t->sure & BIT(base);
	return base == RSP && opt_on(t->bt->cpu->opt_off, OPT_RSP);
}

static bool may_probe(const struct xlat *t, unsigned base, unsigned index)
{
	return certain(t, base) || worth_certainty(t, base, index);
}

/* Is the base the index, rather? In programs that are linked below 2 GiB pointers are small, too. */
static bool looks_swapped(const struct xlat *t, unsigned base, unsigned index)
{
	return (t->foreseen & BIT(base)) && (t->foreseen & BIT(index)) && t->seen[base] < t->seen[index];
}

/*
 * Is one of them known to be small, or found to be so? how: INDEX_*. A probe passes for some numbers that are far from
 * small, and the one of a base for some that are far from its chunk: the access is what these do not come past. So one
 * of both at a time (docs/isolation.md, "Bounds").
 */
static bool small_index(struct xlat *t, unsigned *how)
{
	const struct insn *in = t->in;
	bool may_swap = in->scale == 1 && in->base != RSP;
	bool swapped = may_swap && looks_swapped(t, in->base, in->index);

	*how = 0;
	if (xlat64_bounded(t, in->index, in->scale))
		return true;
	*how = INDEX_SWAPPED;
	if (may_swap && xlat64_bounded(t, in->base, 1))
		return true;
	*how = 0;
	if (!usable(t) || !xlat64_surely_accesses(in))
		return false;
	if ((t->like || !swapped) && may_probe(t, in->base, in->index) && xlat64_bound_probe(t, in->index, how))
		return true;
	*how = INDEX_SWAPPED;
	return may_swap && (t->like || swapped) && may_probe(t, in->index, in->base) &&
	       xlat64_bound_probe(t, in->base, how);
}

/* Whether a model added an index behind the lookup is noted, as all that was decided otherwise than by the code. */
static bool may_index(const struct xlat *t)
{
	if (!t->like)
		return !bt_site_strays(t->bt, t->b, xlat_map(t)->guest);
	for (unsigned kind = RELOC_INDEX; kind <= RELOC_INDEX_LAST; kind++)
		if (xlat_like(t, kind))
			return true;
	return false;
}

bool xlat64_near_indexed(struct xlat *t, struct host_addr *at)
{
	const struct insn *in = t->in;
	unsigned base = in->base, index = in->index, how;

	if (!opt_on(t->bt->cpu->opt_off, OPT_INDEXES) || !indexed(t) || in->disp > DIRECT_DISP ||
	    in->disp < -DIRECT_DISP || !may_index(t) || !small_index(t, &how))
		return false;
	xlat_reloc(t, 0, RELOC_INDEX + how);
	t->b->indexes = true;
	if (how & INDEX_SWAPPED) {
		base = in->index;
		index = in->base;
	}
	if (((how & INDEX_PROBED) && probed(t, base)) || !xlat64_near_base(t, base))
		xlat64_look_up(t, base);
	emit_lea(&t->e, 8, HOST64_T, (struct host_addr){(uint8_t)base, HOST64_DELTA, 1, 0, false, false});
	*at = (struct host_addr){HOST64_T, (uint8_t)index, in->scale, (int32_t)in->disp, false, false};
	return true;
}

bool xlat64_near_operand(struct xlat *t)
{
	const struct insn *in = t->in;
	struct host_addr at = {in->base, in->index, in->scale, (int32_t)in->disp, false, false};
	uint64_t linear;

	if (!indexed(t) || !usable(t))
		return false;
	linear = t->seen[in->base] + t->seen[in->index] * in->scale + (uint64_t)in->disp;
	if ((t->foreseen & BIT(in->base)) && !(t->foreseen & BIT(in->index)))
		linear = t->seen[in->base];
	if (!expected(t, in->base, linear))
		return false;
	emit_lea(&t->e, 8, HOST64_T, at);
	if (t->delta == DELTA_CHUNK) {
		xlat64_probe_chunk(t, HOST64_T, HOST64_T);
		emit_lea(&t->e, 8, HOST64_T, at);
	} else {
		xlat64_probe_chunk(t, HOST64_T, HOST64_DELTA);
		xlat64_near_delta(t);
	}
	return true;
}

void xlat64_near_forget(struct xlat *t)
{
	t->near = t->entered = t->sure = t->loaded = t->in_code = 0;
	xlat64_bound_forget(t);
}

bool xlat64_moves(const struct insn *in, unsigned *to, unsigned *from, int64_t *by)
{
	const struct operand *op = in->op;

	if (in->opsize != 8 || op[0].kind != OPD_GPR || op[0].size != 8)
		return false;
	*to = *from = op[0].reg;
	switch (in->id) {
	case INSN_INC:
		*by = 1;
		return true;
	case INSN_DEC:
		*by = -1;
		return true;
	case INSN_ADD:
		*by = (int64_t)op[1].imm;
		return op[1].kind == OPD_IMM;
	case INSN_SUB:
		*by = (int64_t)(0 - op[1].imm);
		return op[1].kind == OPD_IMM;
	case INSN_MOV:
		*from = op[1].reg;
		*by = 0;
		return op[1].kind == OPD_GPR;
	case INSN_LEA:
		*from = in->base;
		*by = in->disp;
		return in->base != REG_NONE && in->index == REG_NONE && !in->rip_relative && in->addrsize == 8;
	default:
		return false;
	}
}

static void set(uint16_t *bits, unsigned reg, bool on)
{
	*bits = (uint16_t)(on ? *bits | BIT(reg) : *bits & ~BIT(reg));
}

/* A register was loaded through one that is near: it probably points there, too. (A kernel's often does not: 4,000 of
 * its 6,800 sites that strayed while it booted.) */
static bool loads_pointer(const struct xlat *t)
{
	const struct insn *in = t->in;

	return (t->ctx->key.flags & CTX_CPL3) && (in->id == INSN_MOV || in->id == INSN_ADD) &&
	       in->op[0].kind == OPD_GPR && in->op[1].kind == OPD_MEM && in->opsize == 8 && in->base != REG_NONE &&
	       ((t->near | t->loaded) & BIT(in->base));
}

/* Does the instruction make a pointer of one, of 64 bits, by adding to it what may be anything? */
static bool adds_to_pointer(const struct xlat *t)
{
	const struct insn *in = t->in;
	const struct operand *op = in->op;

	if (op[0].kind != OPD_GPR || op[0].size != 8)
		return false;
	switch (in->id) {
	case INSN_ADD:
		return (op[1].kind == OPD_GPR && (points(t, op[0].reg) || points(t, op[1].reg))) || loads_pointer(t);
	case INSN_SUB:
	case INSN_AND:
		return points(t, op[0].reg) && !(op[1].kind == OPD_GPR && points(t, op[1].reg));
	case INSN_LEA:
		return in->addrsize == 8 && in->base != REG_NONE && in->index != REG_NONE &&
		       (points(t, in->base) || (in->scale == 1 && points(t, in->index)));
	default:
		return in->id >= INSN_CMOVB && in->id <= INSN_CMOVZ && op[1].kind == OPD_GPR && points(t, op[0].reg) &&
		       points(t, op[1].reg);
	}
}

/* Registers that the instruction writes, and of which nothing is known behind it. The translations of stack
 * instructions see to RSP, and only they (RDFSBASE RSP is none of them). */
static uint16_t changed(const struct insn *in)
{
	switch (in->id) {
	case INSN_PUSH:
	case INSN_POP:
	case INSN_LEAVE:
	case INSN_PUSHFQ:
	case INSN_POPFQ:
		return (uint16_t)(in->gpr_written & ~BIT(RSP));
	default:
		return in->gpr_written;
	}
}

/* Whom the delta in HOST64_DELTA serves. moved: `to` is `from` + by now. */
static void follow_delta(struct xlat *t, bool moved, unsigned to, unsigned from, int64_t by)
{
	int64_t apart;

	if (!xlat64_has_delta(t))
		return;
	if (moved) {
		apart = t->apart[from] + by;
		set(&t->same, to, (t->same & BIT(from)) && apart >= -DIRECT_DISP && apart <= DIRECT_DISP);
		t->apart[to] = (int32_t)apart;
		if (apart < -RSP_REACH || apart > RSP_REACH)
			t->looked_up = false; /* where the monitor comes in it is of what moved so far */
	} else {
		t->same &= (uint16_t)~changed(t->in);
	}
	if (!(t->same & BIT(t->delta)))
		t->delta = t->same ? (uint8_t)__builtin_ctz(t->same) : DELTA_NONE;
}

void xlat64_near_behind(struct xlat *t)
{
	bool loads = loads_pointer(t) || adds_to_pointer(t);
	unsigned to = 0, from = 0;
	int64_t by = 0;
	bool moved = xlat64_moves(t->in, &to, &from, &by) && !xlat64_in_memory(t, to) && !xlat64_in_memory(t, from);

	t->in_code &= (uint16_t)~t->in->gpr_written;
	if (xlat64_lea_in_code(t))
		t->in_code |= (uint16_t)BIT(t->in->op[0].reg);
	xlat64_bound_behind(t);
	xlat64_foresee_behind(t);
	xlat64_rsp_behind(t);
	follow_delta(t, moved, to, from, by);
	if (moved) {
		int64_t sum = t->moved[from] + by;

		set(&t->near, to, (t->near & BIT(from)) && sum >= -DIRECT_DISP && sum <= DIRECT_DISP);
		set(&t->entered, to, (t->entered & BIT(from)) && (t->near & BIT(to)));
		set(&t->sure, to, (t->sure & BIT(from)) && (t->near & BIT(to)));
		set(&t->loaded, to, t->loaded & BIT(from));
		t->moved[to] = (int32_t)sum;
		return;
	}
	t->near &= (uint16_t)~t->in->gpr_written;
	t->entered &= t->near;
	t->sure &= t->near;
	t->loaded &= (uint16_t)~t->in->gpr_written;
	if (loads && !xlat64_in_memory(t, t->in->op[0].reg))
		t->loaded |= (uint16_t)BIT(t->in->op[0].reg);
}
