/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both sides have made of a case. */
#include <string.h>

#include "matrix.h"

enum { MAX_REPORTS = 30 };

static void print_state(const char *who, const struct native_state *s, bool wide)
{
	static const char *const names[16] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
					      "8",  "9",  "10", "11", "12", "13", "14", "15"};

	fprintf(stderr, "  %-6s", who);
	for (unsigned i = 0; i < (wide ? 16 : 8); i++)
		fprintf(stderr, wide ? " r%s %016llx" : " e%s %08llx", names[i], (unsigned long long)s->gpr[i]);
	fprintf(stderr, " ip %llx flags %llx cr2 %llx\n", (unsigned long long)s->rip, (unsigned long long)s->rflags,
		(unsigned long long)s->cr2);
}

static void print_insn(const struct insn *in, uint64_t at)
{
	char text[96];

	insn_format(in, at, text, sizeof(text));
	fprintf(stderr, "  %llx: %-40s", (unsigned long long)at, text);
	for (unsigned i = 0; i < in->len; i++)
		fprintf(stderr, " %02x", in->bytes[i]);
	fprintf(stderr, "\n");
}

static void print_code(const struct matrix *x, const struct test_case *c)
{
	uint64_t at = layout_code(x->l);

	fprintf(stderr, "%s in %s\n", c->nsequence ? "a sequence" : insn_rows[c->in.id].name, x->l->name);
	if (!c->nsequence)
		print_insn(&c->in, at);
	for (unsigned i = 0; i < c->nsequence; at += c->sequence[i++].len)
		print_insn(&c->sequence[i], at);
}

void matrix_report(struct matrix *x, const struct test_case *c, const struct native_state *host,
		   const struct native_state *guest, const char *what)
{
	x->failed[c->in.id]++;
	if ((x->failed[c->in.id] > 1 && !c->nsequence) || x->reports++ >= MAX_REPORTS)
		return;
	print_code(x, c);
	fprintf(stderr, "  %s differs; host ends with %d(%x), guest with %d(%x)\n", what, host->trap, host->error,
		guest->trap, guest->error);
	print_state("before", &c->start, layout_wide(x->l));
	print_state("host", host, layout_wide(x->l));
	print_state("guest", guest, layout_wide(x->l));
}

static void report_bytes(const char *what, const uint8_t *host, const uint8_t *guest, unsigned len)
{
	unsigned at = 0;

	while (at < len - 1 && host[at] == guest[at])
		at++;
	fprintf(stderr, "  first %s difference at %x: host", what, at);
	for (unsigned i = at; i < MIN(at + 16, len); i++)
		fprintf(stderr, " %02x", host[i]);
	fprintf(stderr, ", guest");
	for (unsigned i = at; i < MIN(at + 16, len); i++)
		fprintf(stderr, " %02x", guest[i]);
	fprintf(stderr, "\n");
}

/*
 * The x87 opcode and data pointer (6-7, 16-23) are left out: the processor may or may not set them. Nor does an AMD
 * host tell the instruction pointer (8-11) of anything but an exception (FSW.ES).
 */
static bool same_fx(const uint8_t *a, const uint8_t *b, bool wide)
{
	unsigned vectors = wide ? 16 : 8;

	bool untold = !load_le(a + 8, 4) && !(a[2] & 0x80);

	if (memcmp(a, b, 6) || (memcmp(a + 8, b + 8, 4) && !untold) || memcmp(a + 24, b + 24, 4))
		return false;
	for (unsigned i = 0; i < 8; i++)
		if (memcmp(a + 32 + 16 * i, b + 32 + 16 * i, 10))
			return false;
	if (wide && memcmp(a + NATIVE_K, b + NATIVE_K, NATIVE_STATE_BYTES - NATIVE_K))
		return false;
	return !memcmp(a + 160, b + 160, 16 * vectors) && !memcmp(a + NATIVE_YMM, b + NATIVE_YMM, 16 * vectors);
}

/*
 * Where these fault, the processor has loaded or stored a part already (a register of POPA, the return address of
 * CALL), which the manual leaves open; ours never does.
 */
static bool may_be_partial(const struct insn *in)
{
	switch (in->id) {
	case INSN_POPA:
	case INSN_POPAD:
	case INSN_CALL_REL:
	case INSN_CALL_IND:
	case INSN_FBSTP:
	case INSN_FSTP:
		return true;
	}
	return insn_rows[in->id].class == CLASS_CALLOUT || (insn_rows[in->id].checks & CHK_MMX);
}

/* A misaligned SSE operand beyond the limit of SS: either exception may come first. */
static bool either_fault(const struct matrix *x, const struct insn *in, const struct native_state *host,
			 const struct native_state *guest)
{
	uint64_t code = layout_code(x->l);

	return in->mem_size >= 16 && host->trap == EXC_GP && guest->trap == EXC_SS && host->rip == code &&
	       guest->rip == code;
}

/* Two accesses, both of which fault, and no order that the manual has for them. */
static bool accesses_two(const struct insn *in)
{
	switch (in->id) {
	case INSN_MOVSB ... INSN_MOVSQ:
	case INSN_MOVSD_STRING:
	case INSN_CMPSB ... INSN_CMPSQ:
	case INSN_CMPSD_STRING:
	case INSN_CALL_IND:
	case INSN_CALL_REL:
	case INSN_PUSH:
	case INSN_POP:
	case INSN_ENTER:
		return true;
	}
	return false;
}

static bool is_access_fault(const struct native_state *s, uint64_t rip)
{
	return s->rip == rip && (s->trap == EXC_GP || s->trap == EXC_SS || s->trap == EXC_PF);
}

static bool same_end(const struct matrix *x, const struct test_case *c, const struct native_state *host,
		     const struct native_state *guest)
{
	bool large = c->in.mem_size >= 10 && !c->nsequence;
	uint64_t code = layout_code(x->l), apart = host->cr2 ^ guest->cr2;

	if (layout_wide(x->l) && !c->nsequence && accesses_two(&c->in) && is_access_fault(host, code) &&
	    is_access_fault(guest, code))
		return true;
	if (host->trap != guest->trap || host->error != guest->error)
		return false;
	/* Where in the page, depends on the pieces that the processor makes of an operand. */
	return host->trap != EXC_PF || (large ? apart < PAGE_SIZE : !apart);
}

static bool ended_partially(const struct matrix *x, const struct test_case *c, const struct native_state *host)
{
	uint64_t at = layout_code(x->l);

	for (unsigned i = 0; i < c->nsequence; at += c->sequence[i++].len)
		if (at == host->rip)
			return may_be_partial(&c->sequence[i]);
	return !c->nsequence && host->rip == layout_code(x->l) && may_be_partial(&c->in);
}

/*
 * CMPS and SCAS that fault half-way: the flags are those from before (volume 2, REP). AMD's processors leave those of
 * the last comparison.
 */
static bool faulted_comparing(const struct matrix *x, const struct test_case *c, const struct native_state *host)
{
	return !c->nsequence && host->rip == layout_code(x->l) && c->in.repeats && insn_compares_strings(&c->in);
}

/* Has the processor changed a register that the decoder does not know of? What the translator keeps of registers would
 * be of no use. */
static bool changed_unknown(const struct test_case *c, const struct native_state *host)
{
	if (c->nsequence || insn_rows[c->in.id].class == CLASS_BRANCH) /* others have run, too */
		return false;
	for (unsigned i = 0; i < 16; i++)
		if (host->gpr[i] != c->start.gpr[i] && !(c->in.gpr_written >> i & 1))
			return true;
	return false;
}

void matrix_compare(struct matrix *x, const struct test_case *c, const struct native_state *host,
		    const struct native_state *guest)
{
	bool partial = ended_partially(x, c, host);
	uint32_t at = matrix_memory_difference(x);
	/* The host's own flags are exact; C bodies need not have what the manual leaves open. */
	uint32_t open = insn_rows[c->in.id].class == CLASS_IDENT ? 0 : c->in.flags_undefined;
	uint32_t flags =
	    (uint32_t)(FLAGS_ARITH | FLAG_DF) & ~(host->trap == EXC_GP && host->rip != layout_code(x->l) ? open : 0);
	uint64_t expected = faulted_comparing(x, c, host) ? c->start.rflags : host->rflags;

	if ((c->nsequence && host->trap == EXC_GP && guest->trap == EXC_SS) || either_fault(x, &c->in, host, guest))
		return;
	if (!same_end(x, c, host, guest))
		matrix_report(x, c, host, guest, "the end");
	else if ((memcmp(host->gpr, guest->gpr, sizeof(host->gpr)) && !partial) || host->rip != guest->rip)
		matrix_report(x, c, host, guest, "a register");
	else if (changed_unknown(c, host))
		matrix_report(x, c, host, guest, "what the instruction is known to write");
	else if ((expected ^ guest->rflags) & flags)
		matrix_report(x, c, host, guest, "a flag");
	else if (!partial && !same_fx(host->fx, guest->fx, layout_wide(x->l))) {
		matrix_report(x, c, host, guest, "x87 or SSE state");
		if (x->reports <= MAX_REPORTS)
			report_bytes("state", host->fx, guest->fx, NATIVE_STATE_BYTES);
	} else if (at && !partial) {
		matrix_report(x, c, host, guest, "memory");
		if (x->reports <= MAX_REPORTS) {
			fprintf(stderr, "  at %x\n", at);
			report_bytes("memory", matrix_host_memory(x, at), physmem_host(&x->m->pm, at, NULL), 16);
		}
	}
}
