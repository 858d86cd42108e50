/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random straight-line code with short branches. */
#include <string.h>

#include "matrix.h"

#define POINTERS   (BIT(RBX) | BIT(RBP) | BIT(RSI) | BIT(RDI) | BIT(RSP))
#define POINTERS64 (POINTERS | BIT(R10) | BIT(R12) | BIT(R13)) /* R11 and others are data */

enum { INDEX64 = R9, GS_BASE64 = 0x140 };

static unsigned pointers(const struct layout *l)
{
	return layout_wide(l) ? POINTERS64 : POINTERS;
}

/* What no instruction may change. */
static unsigned kept(const struct layout *l)
{
	return layout_wide(l) ? POINTERS64 | BIT(INDEX64) : POINTERS;
}

static bool moves_stack(unsigned id)
{
	return id == INSN_PUSH || id == INSN_POP;
}

/* What loads control words could unmask exceptions, and what the C bodies leave undefined need not be the host's. */
static bool fits(const struct layout *l, const struct insn *in)
{
	const struct insn_row *row = &insn_rows[in->id];

	if (row->class != CLASS_IDENT && in->id != INSN_XLAT && in->id != INSN_SALC && !moves_stack(in->id))
		return false;
	if (in->id == INSN_DIV || in->id == INSN_IDIV || in->id == INSN_LDMXCSR || in->id == INSN_VLDMXCSR ||
	    in->id == INSN_FLDCW)
		return false;
	if ((in->gpr_written & kept(l)) && !(moves_stack(in->id) && !(in->gpr_written & kept(l) & ~BIT(RSP))))
		return false;
	if (in->id == INSN_POP && in->op[0].kind == OPD_GPR && (kept(l) >> in->op[0].reg & 1))
		return false;
	if (in->id == INSN_XLAT && layout_wide(l))
		return in->seg != SEG_FS && in->seg != SEG_GS && in->addrsize == 8;
	if (!in->has_mem || in->agen)
		return true;
	if (layout_wide(l) && (in->seg == SEG_FS || in->addrsize == 4))
		return false;
	if (in->index != REG_NONE && !(in->addrsize == 2) && !(layout_wide(l) && in->index == INDEX64))
		return false;
	return in->base != REG_NONE ? pointers(l) >> in->base & 1 : !(layout_wide(l) && in->index != REG_NONE);
}

/* Displacements that keep near the pointers. at: the instruction's address. */
static void tame(struct machine *m, const struct layout *l, struct insn *in, uint64_t at)
{
	uint64_t disp = machine_random(m) % 256 - 128ull;

	if (in->has_mem && in->encoding == ENC_EVEX && in->disp_len == 1) /* in units of the operand */
		in->bytes[in->disp_off] = (uint8_t)(machine_random(m) % 5 - 2);
	if (!in->has_mem || in->agen || in->disp_len < 2)
		return;
	if (in->base == REG_NONE && layout_wide(l))
		disp = matrix64_address(m, !in->moffs) - (in->seg == SEG_GS ? GS_BASE64 : 0);
	else if (in->base == REG_NONE)
		disp = matrix_offset(m, l, in->seg, in->addrsize);
	if (in->mem_size >= 16)
		disp &= in->mem_size == 64 ? ~63ull : ~31ull;
	if (in->rip_relative)
		disp -= at + in->len;
	memcpy(in->bytes + in->disp_off, &disp, in->disp_len);
}

static bool allowed(const struct layout *l, const struct insn *in)
{
	if ((l->mode == ISA_REAL || l->mode == ISA_V86) && (insn_rows[in->id].checks & (CHK_PROTECTED | CHK_AVX)))
		return false;
	if (layout_wide(l))
		return true;
	/* Pointers into a flat segment are not 16-bit ones. */
	return !in->has_mem || in->agen || in->addrsize == l->code_size || l->seg[in->seg].limit != 0xffffffffu;
}

static bool try_any(struct machine *m, const struct layout *l, const struct encoding *list, unsigned count,
		    struct insn *in)
{
	const struct encoding *e = &list[machine_random(m) % count];

	return layout_wide(l) ? matrix64_try_encoding(m, e, in) : matrix_try_encoding(m, l, e, in);
}

static unsigned any_pointer(struct machine *m)
{
	unsigned reg;

	do
		reg = machine_random(m) % 16;
	while (!(POINTERS64 >> reg & 1));
	return reg;
}

/* Pointers move by a little, or become other pointers. */
static void move_pointers(struct machine *m, struct insn *in)
{
	unsigned to = any_pointer(m), from = any_pointer(m), kind = machine_random(m) % 3;
	uint8_t bytes[4] = {(uint8_t)(REX_W | to >> 3),
			    kind == 0	? 0x83
			    : kind == 1 ? 0x87
					: 0x89,
			    (uint8_t)(0xc0 | (to & 7)), (uint8_t)machine_random(m)};

	if (kind) {
		bytes[0] |= (uint8_t)(from >> 3 << 2);
		bytes[2] |= (uint8_t)((from & 7) << 3);
	}
	ASSERT(insn_decode(in, bytes, sizeof(bytes), 8) == 0);
}

static void pick_insn(struct machine *m, const struct layout *l, const struct encoding *list, unsigned count,
		      struct insn *in, uint64_t at)
{
	if (layout_wide(l) && machine_random(m) % 8 == 0) {
		move_pointers(m, in);
		return;
	}
	while (!try_any(m, l, list, count, in) || !fits(l, in) || !allowed(l, in))
		continue;
	tame(m, l, in, at);
}

enum { JUMP_BYTES = 2 };

/* A conditional jump over the next instruction. */
static void put_jump(struct machine *m, const struct layout *l, struct insn *in, unsigned over)
{
	uint8_t bytes[2] = {(uint8_t)(0x70 | (machine_random(m) & 15)), (uint8_t)over};

	ASSERT(insn_decode(in, bytes, 2, l->code_size) == 0);
}

/* DEC of a word in memory and a jump back to the start. Returns the number of instructions. */
static unsigned put_loop(struct machine *m, const struct layout *l, struct test_case *c, unsigned n, unsigned times)
{
	bool wide = layout_wide(l);
	uint32_t counter =
	    (wide ? (uint32_t)matrix64_address(m, true) : matrix_offset(m, l, SEG_DS, l->code_size)) & ~3u;
	uint8_t dec[7] = {0xff, wide ? 0x0c : l->code_size == 4 ? 0x0d : 0x0e, 0x25}, jnz[6] = {0x0f, 0x85};
	unsigned bytes = 0, size = MIN(l->code_size, 4u);
	uint32_t back;

	memcpy(dec + 2 + wide, &counter, size);
	ASSERT(insn_decode(&c->sequence[n++], dec, sizeof(dec), l->code_size) == 0);
	for (unsigned i = 0; i < n; i++)
		bytes += c->sequence[i].len;
	back = -(bytes + 2 + size);
	memcpy(jnz + 2, &back, size);
	ASSERT(insn_decode(&c->sequence[n++], jnz, sizeof(jnz), l->code_size) == 0);
	c->word.used = true;
	c->word.at = (uint64_t)l->seg[SEG_DS].base + counter;
	c->word.value = times;
	return n;
}

/* Aligned, and not near either end of the segment, nor of 4 GiB. */
static uint32_t pointer(struct machine *m, const struct layout *l, unsigned seg, unsigned addrsize)
{
	uint32_t at = matrix_offset(m, l, seg, addrsize) & ~15u;

	return (at & 0xf00) == 0 ? at | 0x100 : at;
}

static void set_pointers64(struct machine *m, struct test_case *c)
{
	uint64_t *gpr = c->start.gpr;

	matrix64_start_state(m, &c->start);
	for (unsigned i = 0; i < 16; i++)
		if (POINTERS64 >> i & 1)
			gpr[i] = matrix64_address(m, false) & ~(machine_random(m) % 4 ? 15ull : 0);
	gpr[INDEX64] = machine_random(m) % 64 - 8ull;
	c->gs_base = GS_BASE64;
}

static void set_pointers(struct machine *m, const struct layout *l, struct test_case *c)
{
	uint64_t *gpr = c->start.gpr;

	matrix_start_state(m, l, &c->start);
	gpr[RBX] = pointer(m, l, SEG_DS, l->code_size);
	gpr[RSI] = pointer(m, l, SEG_DS, l->code_size);
	gpr[RDI] = pointer(m, l, SEG_DS, l->code_size);
	gpr[RBP] = pointer(m, l, SEG_SS, l->code_size);
	gpr[RSP] = pointer(m, l, SEG_SS, l->seg[SEG_SS].big ? 4 : 2);
}

void matrix_sequence(struct machine *m, const struct layout *l, const struct encoding *list, unsigned count,
		     unsigned times, struct test_case *c)
{
	unsigned n = 0, want = 4 + machine_random(m) % (SEQUENCE_MAX - 6);

	uint64_t at = layout_code(l);

	memset(c, 0, sizeof(*c));
	if (layout_wide(l))
		set_pointers64(m, c);
	else
		set_pointers(m, l, c);
	while (n < want) {
		bool jump = n + 1 < want && machine_random(m) % 6 == 0;
		struct insn *in = &c->sequence[n + jump];
		pick_insn(m, l, list, count, in, at + (jump ? JUMP_BYTES : 0));
		if (jump)
			put_jump(m, l, &c->sequence[n], in->len);
		at += in->len + (jump ? JUMP_BYTES : 0u);
		n += jump + 1u;
	}
	c->nsequence = put_loop(m, l, c, n, times);
	c->in = c->sequence[0];
}
