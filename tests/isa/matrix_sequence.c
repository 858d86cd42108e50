/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random straight-line code with short branches. */
#include <string.h>

#include "matrix.h"

#define POINTERS (BIT(RBX) | BIT(RBP) | BIT(RSI) | BIT(RDI) | BIT(RSP))

static bool moves_stack(unsigned id)
{
	return id == INSN_PUSH || id == INSN_POP;
}

/* What loads control words could unmask exceptions, and what the C bodies leave undefined need not be the host's. */
static bool fits(const struct insn *in)
{
	const struct insn_row *row = &insn_rows[in->id];

	if (row->class != CLASS_IDENT && in->id != INSN_XLAT && in->id != INSN_SALC && !moves_stack(in->id))
		return false;
	if (in->id == INSN_DIV || in->id == INSN_IDIV || in->id == INSN_LDMXCSR || in->id == INSN_VLDMXCSR ||
	    in->id == INSN_FLDCW)
		return false;
	if ((in->gpr_written & POINTERS) && !(moves_stack(in->id) && !(in->gpr_written & POINTERS & ~BIT(RSP))))
		return false;
	if (in->id == INSN_POP && in->op[0].kind == OPD_GPR && (POINTERS >> in->op[0].reg & 1))
		return false;
	if (in->has_mem && !in->agen && in->index != REG_NONE && !(in->addrsize == 2))
		return false;
	return !(in->has_mem && !in->agen && in->base != REG_NONE && !(POINTERS >> in->base & 1));
}

/* Displacements that keep near the pointers. */
static void tame(struct machine *m, const struct layout *l, struct insn *in)
{
	uint32_t disp = machine_random(m) % 256 - 128;

	if (!in->has_mem || in->agen || in->disp_len < 2)
		return;
	if (in->base == REG_NONE)
		disp = matrix_offset(m, l, in->seg, in->addrsize);
	if (in->mem_size >= 16)
		disp &= ~31u;
	memcpy(in->bytes + in->disp_off, &disp, in->disp_len);
}

static bool allowed(const struct layout *l, const struct insn *in)
{
	if ((l->mode == ISA_REAL || l->mode == ISA_V86) && (insn_rows[in->id].checks & (CHK_PROTECTED | CHK_AVX)))
		return false;
	/* Pointers into a flat segment are not 16-bit ones. */
	return !in->has_mem || in->agen || in->addrsize == l->code_size || l->seg[in->seg].limit != 0xffffffffu;
}

static void pick_insn(struct machine *m, const struct layout *l, const struct encoding *list, unsigned count,
		      struct insn *in)
{
	do {
		while (!matrix_try_encoding(m, l, &list[machine_random(m) % count], in))
			continue;
	} while (!fits(in) || !allowed(l, in));
	tame(m, l, in);
}

/* A conditional jump over the next instruction. */
static void put_jump(struct machine *m, const struct layout *l, struct insn *in, unsigned over)
{
	uint8_t bytes[2] = {(uint8_t)(0x70 | (machine_random(m) & 15)), (uint8_t)over};

	ASSERT(insn_decode(in, bytes, 2, l->code_size) == 0);
}

/* DEC of a word in memory and a jump back to the start. Returns the number of instructions. */
static unsigned put_loop(struct machine *m, const struct layout *l, struct test_case *c, unsigned n, unsigned times)
{
	uint32_t counter = matrix_offset(m, l, SEG_DS, l->code_size) & ~3u, back;
	uint8_t dec[6] = {0xff, l->code_size == 4 ? 0x0d : 0x0e}, jnz[6] = {0x0f, 0x85};
	unsigned bytes = 0;

	memcpy(dec + 2, &counter, l->code_size);
	ASSERT(insn_decode(&c->sequence[n++], dec, sizeof(dec), l->code_size) == 0);
	for (unsigned i = 0; i < n; i++)
		bytes += c->sequence[i].len;
	back = -(bytes + 2 + l->code_size);
	memcpy(jnz + 2, &back, l->code_size);
	ASSERT(insn_decode(&c->sequence[n++], jnz, sizeof(jnz), l->code_size) == 0);
	c->word.used = true;
	c->word.at = l->seg[SEG_DS].base + counter;
	c->word.value = times;
	return n;
}

/* Aligned, and not near either end of the segment, nor of 4 GiB. */
static uint32_t pointer(struct machine *m, const struct layout *l, unsigned seg, unsigned addrsize)
{
	uint32_t at = matrix_offset(m, l, seg, addrsize) & ~15u;

	return (at & 0xf00) == 0 ? at | 0x100 : at;
}

void matrix_sequence(struct machine *m, const struct layout *l, const struct encoding *list, unsigned count,
		     unsigned times, struct test_case *c)
{
	unsigned n = 0, want = 4 + machine_random(m) % (SEQUENCE_MAX - 6);

	memset(c, 0, sizeof(*c));
	matrix_start_state(m, l, &c->start);
	c->start.gpr[RBX] = pointer(m, l, SEG_DS, l->code_size);
	c->start.gpr[RSI] = pointer(m, l, SEG_DS, l->code_size);
	c->start.gpr[RDI] = pointer(m, l, SEG_DS, l->code_size);
	c->start.gpr[RBP] = pointer(m, l, SEG_SS, l->code_size);
	c->start.gpr[RSP] = pointer(m, l, SEG_SS, l->seg[SEG_SS].big ? 4 : 2);
	while (n < want) {
		bool jump = n + 1 < want && machine_random(m) % 6 == 0;
		pick_insn(m, l, list, count, &c->sequence[n + jump]);
		if (jump)
			put_jump(m, l, &c->sequence[n], c->sequence[n + 1].len);
		n += jump + 1u;
	}
	c->nsequence = put_loop(m, l, c, n, times);
	c->in = c->sequence[0];
}
