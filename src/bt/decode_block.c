/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a block's code lies, and what it is: from a linear address to decoded instructions. */
#include <string.h>

#include "cpu/exec.h"
#include "cpu/mem.h"
#include "cpu/tlb.h"
#include "xlat.h"

bool bt_code_gpa(struct bt *bt, gva_t linear, gpa_t *gpa)
{
	struct cpu *cpu = bt->cpu;
	bool user = cpu->cpl == 3;
	const struct tlb_entry *e = tlb_find(cpu, linear, ACC_EXEC, user);
	struct translation tr;
	struct x86_fault f;

	if (e) {
		*gpa = e->gpa | (linear & PAGE_MASK);
		return true;
	}
	if (!cpu_walk(cpu, linear, ACC_EXEC, user, true, &tr, &f))
		return false;
	tlb_fill(cpu, linear, ACC_EXEC, user, &tr);
	*gpa = tr.gpa & bt->pm->a20_mask;
	return true;
}

const uint8_t *bt_code_at(struct bt *bt, gpa_t gpa, unsigned *len)
{
	const struct pm_region *r = physmem_span(bt->pm, gpa)->region;
	uint64_t left;
	const uint8_t *host = physmem_host(bt->pm, gpa, &left);

	*len = (unsigned)MIN(left, PAGE_SIZE - (gpa & PAGE_MASK));
	/* Writes to memory that is not RAM (a frame buffer) are not traced. */
	if (r && r->kind == PM_RAM && r->backing != &bt->pm->ram)
		return NULL;
	return host;
}

bool bt_next_page(struct bt *bt, gva_t linear, gpa_t *gpa)
{
	gva_t next = ALIGN_DOWN(linear, (gva_t)PAGE_SIZE) + PAGE_SIZE;

	return bt_code_gpa(bt, cpu_code64(bt->cpu) ? next : (uint32_t)next, gpa);
}

/*
 * Decodes one instruction, the second page asked only if it is reached. Under paging, where that page may change by
 * itself, such an instruction is a block of its own. code: the block's bytes on the first page, len of them; NULL: not
 * in memory. False: not decodable here.
 */
static bool decode(struct xlat *t, unsigned offset, struct insn *in, const uint8_t *code, unsigned len)
{
	struct bt *bt = t->bt;
	unsigned code_size = context_code_size(t->ctx);
	uint8_t bytes[INSN_MAX_BYTES];
	unsigned have, more;
	const uint8_t *next;
	int err;

	if (!code || offset >= len)
		return false;
	code += offset;
	have = MIN(len - offset, INSN_MAX_BYTES);
	err = decode_cached(exec_templates(bt->cpu->exec), in, code, have, code_size);
	if (err != -ENODATA)
		return err == 0;
	if ((t->ctx->key.flags & CTX_PAGED) && offset)
		return false;
	if (!bt_next_page(bt, block_linear(t->b, offset), &t->b->next_page)) {
		t->unfetched = true;
		return false;
	}
	next = bt_code_at(bt, t->b->next_page, &more);
	if (!next)
		return false;
	memcpy(bytes, code, have);
	memcpy(bytes + have, next, INSN_MAX_BYTES - have);
	return insn_decode(in, bytes, INSN_MAX_BYTES, code_size) == 0;
}

static bool ends_straight_line(const struct insn *in, opt_off_t off)
{
	switch (in->id) {
	case INSN_JMP_REL:
	case INSN_JMP_IND:
	case INSN_CALL_REL:
	case INSN_CALL_IND:
	case INSN_RET:
		return true;
	}
	if (!opt_on(off, OPT_EXTEND) && insn_rows[in->id].class == CLASS_BRANCH)
		return true;
	return in->id == INSN_INVALID || xlat_callout_ends_block(in->id) || insn_rows[in->id].class == CLASS_UNDEF;
}

/* Are `len` bytes of code at the block's byte `offset` within CS? */
static bool in_limit(const struct xlat *t, unsigned offset, unsigned len)
{
	guest_pc_t eip = context_pc(t->ctx, t->b->eip + offset), limit = t->ctx->key.cs_limit;

	return context_code64(t->ctx) || (eip <= limit && len - 1u <= limit - eip);
}

unsigned xlat_decode(struct xlat *t, struct insn *ins, unsigned max)
{
	gva_t first = block_linear(t->b, 0);
	unsigned offset = 0, n = 0, len;
	const uint8_t *code = bt_code_at(t->bt, t->b->gpa, &len);

	while (n < max) {
		struct insn *in = &ins[n];
		if (n && (block_linear(t->b, offset) ^ first) >> PAGE_SHIFT)
			break;
		if (!in_limit(t, offset, 1) || !decode(t, offset, in, code, len) || !in_limit(t, offset, in->len)) {
			if (n)
				break;
			memset(in, 0, sizeof(*in)); /* single-stepped: it raises what it must */
			in->len = 1;
		}
		n++;
		if (ends_straight_line(in, t->bt->cpu->opt_off))
			break;
		offset += in->len;
	}
	return n;
}
