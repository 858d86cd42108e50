/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capstone_compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"

enum { REPORTS = 20 };

void pair_open(struct pair *p)
{
	static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};

	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < 3; i++) {
		if (cs_open(CS_ARCH_X86, modes[i], &p->cs[i]) != CS_ERR_OK)
			PANIC("capstone does not open");
		cs_option(p->cs[i], CS_OPT_DETAIL, CS_OPT_ON);
	}
	p->insn = cs_malloc(p->cs[0]);
	p->spare = cs_malloc(p->cs[0]);
}

void pair_close(struct pair *p)
{
	cs_free(p->insn, 1);
	cs_free(p->spare, 1);
	for (unsigned i = 0; i < 3; i++)
		cs_close(&p->cs[i]);
}

/* --- what an instruction is --- */

enum { IS_JUMP = 1, IS_CALL = 2, IS_RET = 4, IS_INT = 8, IS_IRET = 16, IS_PRIVILEGED = 32 };

static unsigned our_groups(const struct insn *in)
{
	switch (in->id) {
	case INSN_CALL_REL:
	case INSN_CALL_IND:
	case INSN_CALL_FAR:
		return IS_CALL;
	case INSN_RET:
	case INSN_RET_FAR:
		return IS_RET;
	case INSN_INT:
	case INSN_INT3:
	case INSN_INT1:
	case INSN_INTO:
		return IS_INT;
	case INSN_IRET:
	case INSN_IRETD:
	case INSN_IRETQ:
		return IS_IRET;
	case INSN_JMP_FAR:
		return IS_JUMP;
	}
	if (insn_rows[in->id].class == CLASS_BRANCH)
		return IS_JUMP;
	return insn_rows[in->id].checks & CHK_CPL0 ? IS_PRIVILEGED : 0;
}

static unsigned their_groups(csh cs, const cs_insn *i)
{
	unsigned groups = 0;

	groups |= cs_insn_group(cs, i, X86_GRP_JUMP) ? IS_JUMP : 0;
	groups |= cs_insn_group(cs, i, X86_GRP_CALL) ? IS_CALL : 0;
	groups |= cs_insn_group(cs, i, X86_GRP_RET) ? IS_RET : 0;
	groups |= cs_insn_group(cs, i, X86_GRP_INT) ? IS_INT : 0;
	groups |= cs_insn_group(cs, i, X86_GRP_IRET) ? IS_IRET : 0;
	groups |= cs_insn_group(cs, i, X86_GRP_PRIVILEGE) ? IS_PRIVILEGED : 0;
	return groups;
}

/* --- memory operands --- */

static uint8_t gpr_of(x86_reg reg)
{
	static const struct {
		x86_reg reg;
		uint8_t number;
	} map[] = {
	    /* clang-format off */
	    {X86_REG_AX, RAX}, {X86_REG_CX, RCX}, {X86_REG_DX, RDX}, {X86_REG_BX, RBX}, {X86_REG_SP, RSP}, {X86_REG_BP, RBP}, {X86_REG_SI, RSI}, {X86_REG_DI, RDI},
	    {X86_REG_EAX, RAX}, {X86_REG_ECX, RCX}, {X86_REG_EDX, RDX}, {X86_REG_EBX, RBX}, {X86_REG_ESP, RSP}, {X86_REG_EBP, RBP}, {X86_REG_ESI, RSI}, {X86_REG_EDI, RDI},
	    {X86_REG_RAX, RAX}, {X86_REG_RCX, RCX}, {X86_REG_RDX, RDX}, {X86_REG_RBX, RBX}, {X86_REG_RSP, RSP}, {X86_REG_RBP, RBP}, {X86_REG_RSI, RSI}, {X86_REG_RDI, RDI},
	    {X86_REG_R8, R8}, {X86_REG_R9, R9}, {X86_REG_R10, R10}, {X86_REG_R11, R11}, {X86_REG_R12, R12}, {X86_REG_R13, R13}, {X86_REG_R14, R14}, {X86_REG_R15, R15},
	    {X86_REG_R8D, R8}, {X86_REG_R9D, R9}, {X86_REG_R10D, R10}, {X86_REG_R11D, R11}, {X86_REG_R12D, R12}, {X86_REG_R13D, R13}, {X86_REG_R14D, R14}, {X86_REG_R15D, R15},
	    /* clang-format on */
	};

	for (unsigned i = 0; i < ARRAY_LEN(map); i++)
		if (map[i].reg == reg)
			return map[i].number;
	return REG_NONE;
}

static const cs_x86_op *memory_operand(const cs_x86 *x)
{
	for (unsigned i = 0; i < x->op_count; i++)
		if (x->operands[i].type == X86_OP_MEM)
			return &x->operands[i];
	return NULL;
}

static const char *compare_memory(const struct insn *in, const cs_insn *theirs)
{
	const cs_x86_op *op = memory_operand(&theirs->detail->x86);
	uint64_t mask = size_mask(in->addrsize);

	if (!in->has_mem)
		return NULL; /* string instructions and the like have implicit ones in Capstone's list */
	if (!op)
		return "memory operand missing";
	if (in->vsib)
		return NULL;
	if (op->mem.base == X86_REG_RIP || op->mem.base == X86_REG_EIP) {
		if (!in->rip_relative)
			return "RIP";
	} else if (in->base != gpr_of(op->mem.base)) {
		return "base";
	}
	if (in->index != gpr_of(op->mem.index))
		return "index";
	if (in->index != REG_NONE && in->scale != op->mem.scale)
		return "scale";
	if (((uint64_t)in->disp ^ (uint64_t)op->mem.disp) & mask)
		return "displacement";
	return NULL;
}

/* --- comparison --- */

static const char *compare(csh cs, const struct insn *ours, const cs_insn *theirs)
{
	unsigned a, b;

	if (ours->len != theirs->size)
		return "length";
	a = our_groups(ours);
	b = their_groups(cs, theirs);
	if (a != b && ours->id != INSN_INVALID)
		return "group";
	return compare_memory(ours, theirs);
}

static void report(struct pair *p, const char *what, const uint8_t *bytes, unsigned avail, unsigned code_size,
		   const struct insn *ours, const cs_insn *theirs)
{
	char text[96] = "nothing";

	p->disagreements++;
	if (!p->verbose && p->disagreements > REPORTS)
		return;
	if (ours)
		insn_format(ours, 0, text, sizeof(text));
	fprintf(stderr, "%s: code size %u:", what, code_size);
	for (unsigned i = 0; i < MIN(avail, INSN_MAX_BYTES); i++)
		fprintf(stderr, " %02x", bytes[i]);
	fprintf(stderr, ": %s (%u, %s), Capstone: %s %s (%u)\n", text, ours ? ours->len : 0,
		ours ? insn_name(ours) : "", theirs ? theirs->mnemonic : "nothing", theirs ? theirs->op_str : "",
		theirs ? theirs->size : 0);
}

void pair_compare(struct pair *p, const uint8_t *bytes, unsigned avail, unsigned code_size)
{
	csh cs = p->cs[code_size == 8 ? 2 : code_size / 2 - 1];
	size_t left = MIN(avail, INSN_MAX_BYTES);
	const uint8_t *at = bytes;
	uint64_t address = 0;
	struct insn ours;
	bool decoded = insn_decode(&ours, bytes, avail, code_size) == 0;
	bool theirs = cs_disasm_iter(cs, &at, &left, &address, p->insn);
	const char *what = NULL;
	struct question question;
	int known;

	if (decoded && theirs) {
		p->both++;
		what = compare(cs, &ours, p->insn);
	} else if (decoded) {
		p->ours_only++;
		what = ours.id != INSN_INVALID ? "only ours" : NULL;
	} else if (theirs) {
		p->theirs_only++;
		what = "only theirs";
	} else {
		p->neither++;
	}
	if (!what)
		return;
	question = (struct question){.bytes = bytes,
				     .avail = MIN(avail, INSN_MAX_BYTES),
				     .code_size = code_size,
				     .cs = cs,
				     .cs32 = p->cs[1],
				     .spare = p->spare,
				     .ours = decoded ? &ours : NULL,
				     .theirs = theirs ? p->insn : NULL,
				     .what = what};
	known = known_disagreement(&question);
	if (known >= 0)
		p->known[known]++;
	else
		report(p, what, bytes, avail, code_size, decoded ? &ours : NULL, theirs ? p->insn : NULL);
}
