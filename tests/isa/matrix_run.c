/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One case on both sides, and the comparison. */
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/step.h"
#include "matrix.h"

enum { MAX_REPORTS = 30, TRAP_PAGE_FAULT = 14, FX_COMPARED = 288 };

/* What is compared, and made as it was after each case. */
static const struct {
	uint32_t from, to;
} ranges[] = {{CODE_FROM, LOW_TO}, {DATA_FROM, DATA_TO}};

/* What changed in the last case is made as it was, on both sides. */
void matrix_restore_memory(struct matrix *x)
{
	for (unsigned i = 0; i < ARRAY_LEN(ranges); i++)
		for (uint32_t at = ranges[i].from; at < ranges[i].to; at += PAGE_SIZE) {
			uint8_t *host = native_memory(x->n, at), *old = x->pristine + at;
			if (memcmp(physmem_host(&x->m->pm, at, NULL), old, PAGE_SIZE))
				physmem_write(&x->m->pm, at, old, PAGE_SIZE);
			if (memcmp(host, old, PAGE_SIZE))
				memcpy(host, old, PAGE_SIZE);
		}
}

/* Address of the first difference in memory; 0: none. */
static uint32_t memory_difference(const struct matrix *x)
{
	for (unsigned i = 0; i < ARRAY_LEN(ranges); i++) {
		uint32_t from = ranges[i].from, len = ranges[i].to - from;
		const uint8_t *host = native_memory(x->n, from), *guest = physmem_host(&x->m->pm, from, NULL);
		if (!memcmp(host, guest, len))
			continue;
		for (uint32_t k = 0; k < len; k++)
			if (host[k] != guest[k])
				return from + k;
	}
	return 0;
}

static void put_case(struct matrix *x, const struct test_case *c)
{
	uint8_t bytes[SEQUENCE_MAX * INSN_MAX_BYTES + 1];
	unsigned at = 0;

	memset(bytes, 0xf4, sizeof(bytes));
	memcpy(bytes, c->in.bytes, c->in.len);
	for (unsigned i = 0; i < c->nsequence; at += c->sequence[i++].len)
		memcpy(bytes + at, c->sequence[i].bytes, c->sequence[i].len);
	physmem_write(&x->m->pm, CODE_AT, bytes, sizeof(bytes));
	memcpy(native_memory(x->n, CODE_AT), bytes, sizeof(bytes));
	if (c->word.used && c->word.at >= CODE_TO && c->word.at < DATA_TO - 4 &&
	    (c->word.at < LOW_TO - 4 || c->word.at >= DATA_FROM)) {
		machine_poke(x->m, c->word.at, 4, c->word.value);
		memcpy(native_memory(x->n, c->word.at), &c->word.value, 4);
	}
}

/*
 * Processors differ on LOOPE and LOOPNE with F2 or F3: Intel's ignore the prefix, to AMD's it is the condition. A guest
 * sees it ignored on any host, so the host is to run the instruction with a prefix that means nothing to either.
 */
static void run_host(struct matrix *x, const struct test_case *c, struct native_state *s)
{
	const struct insn *in = &c->in;
	bool loop = !c->nsequence && (in->id == INSN_LOOPE || in->id == INSN_LOOPNE);
	uint8_t *code = native_memory(x->n, CODE_AT);

	for (unsigned i = 0; loop && i < in->opcode_off; i++)
		if (code[i] == 0xf2 || code[i] == 0xf3)
			code[i] = 0x3e;
	native_run(x->n, s);
	if (loop)
		memcpy(code, in->bytes, in->opcode_off);
}

/* What 64-bit code alone has: nothing changes it. */
static bool kept_registers(const struct matrix *x)
{
	const struct cpu *cpu = &x->m->cpu;
	enum { XMM8 = FX_XMM0 + 8 * 16 };

	return !memcmp(&cpu->gpr[R8], &x->base.gpr[R8], 8 * sizeof(cpu->gpr[0])) &&
	       !memcmp(cpu->fpu.image + XMM8, x->base.fpu.image + XMM8, 8 * 16);
}

/* Runs the case in the guest; the outcome in the form that the host's has. False: no comparable end. */
static bool run_guest(struct matrix *x, struct native_state *s)
{
	struct machine *m = x->m;
	struct cpu *cpu = &m->cpu;
	struct isa_frame f;
	enum isa_stop why;

	*cpu = x->base;
	for (unsigned i = 0; i < 8; i++)
		cpu->gpr[i] = s->gpr[i];
	cpu->rip = cpu->next_rip = s->eip;
	cpu->rflags = (x->base.rflags & ~(FLAGS_ARITH | FLAG_DF)) | s->eflags;
	memcpy(cpu->fpu.image, s->fx, FX_COMPARED);
	memcpy(cpu->fpu.image + FX_YMM, s->fx + NATIVE_YMM, NATIVE_YMM_BYTES);
	m->done = m->triple = false;
	why = machine_run(m);
	if (!kept_registers(x))
		return false;
	for (unsigned i = 0; i < 8; i++)
		s->gpr[i] = (uint32_t)cpu->gpr[i];
	memcpy(s->fx, cpu->fpu.image, FX_COMPARED);
	memcpy(s->fx + NATIVE_YMM, cpu->fpu.image + FX_YMM, NATIVE_YMM_BYTES);
	s->trap = EXC_GP;
	s->error = 0;
	s->eip = (uint32_t)cpu->rip - 1;
	s->eflags = (uint32_t)cpu->rflags;
	if (why == STOP_DONE) /* HLT */
		return true;
	if (why != STOP_FAULT)
		return false;
	f = machine_frame(m);
	s->trap = f.vector;
	s->error = f.has_error ? f.error : 0;
	s->gpr[RSP] = (s->gpr[RSP] & (m->mode == ISA_REAL ? 0xffff0000u : 0)) | f.esp;
	s->eip = f.eip;
	s->eflags = f.eflags;
	/* The frame lies in the data in real-address mode only; the host has none. */
	for (unsigned i = 0; m->mode == ISA_REAL && i < f.bytes; i++) {
		uint32_t at = (uint32_t)cpu->seg[SEG_SS].base + ((uint32_t)(cpu->gpr[RSP] + i) & 0xffff);
		memcpy(physmem_host(&m->pm, at, NULL), native_memory(x->n, at), 1);
	}
	return true;
}

static void print_state(const char *who, const struct native_state *s)
{
	fprintf(stderr,
		"  %-6s eax %08x ecx %08x edx %08x ebx %08x esp %08x ebp %08x esi %08x edi %08x eip %x flags %x\n", who,
		s->gpr[0], s->gpr[1], s->gpr[2], s->gpr[3], s->gpr[4], s->gpr[5], s->gpr[6], s->gpr[7], s->eip,
		s->eflags);
}

static void print_insn(const struct insn *in, uint32_t at)
{
	char text[96];

	insn_format(in, at, text, sizeof(text));
	fprintf(stderr, "  %x: %-40s", at, text);
	for (unsigned i = 0; i < in->len; i++)
		fprintf(stderr, " %02x", in->bytes[i]);
	fprintf(stderr, "\n");
}

static void print_code(const struct matrix *x, const struct test_case *c)
{
	uint32_t at = CODE_AT;

	fprintf(stderr, "%s in %s\n", c->nsequence ? "a sequence" : insn_rows[c->in.id].name, x->l->name);
	if (!c->nsequence)
		print_insn(&c->in, at);
	for (unsigned i = 0; i < c->nsequence; at += c->sequence[i++].len)
		print_insn(&c->sequence[i], at);
}

static void report(struct matrix *x, const struct test_case *c, const struct native_state *host,
		   const struct native_state *guest, const char *what)
{
	x->failed[c->in.id]++;
	if ((x->failed[c->in.id] > 1 && !c->nsequence) || x->reports++ >= MAX_REPORTS)
		return;
	print_code(x, c);
	fprintf(stderr, "  %s differs; host ends with %d(%x), guest with %d(%x)\n", what, host->trap, host->error,
		guest->trap, guest->error);
	print_state("before", &c->start);
	print_state("host", host);
	print_state("guest", guest);
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
static bool same_fx(const uint8_t *a, const uint8_t *b)
{
	bool untold = !load_le(a + 8, 4) && !(a[2] & 0x80);

	if (memcmp(a, b, 6) || (memcmp(a + 8, b + 8, 4) && !untold) || memcmp(a + 24, b + 24, 4))
		return false;
	for (unsigned i = 0; i < 8; i++)
		if (memcmp(a + 32 + 16 * i, b + 32 + 16 * i, 10))
			return false;
	return !memcmp(a + 160, b + 160, 128) && !memcmp(a + NATIVE_YMM, b + NATIVE_YMM, NATIVE_YMM_BYTES);
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
static bool either_fault(const struct insn *in, const struct native_state *host, const struct native_state *guest)
{
	return in->mem_size >= 16 && host->trap == EXC_GP && guest->trap == EXC_SS && host->eip == CODE_AT &&
	       guest->eip == CODE_AT;
}

static bool ended_partially(const struct test_case *c, const struct native_state *host)
{
	uint32_t at = CODE_AT;

	for (unsigned i = 0; i < c->nsequence; at += c->sequence[i++].len)
		if (at == host->eip)
			return may_be_partial(&c->sequence[i]);
	return !c->nsequence && host->eip == CODE_AT && may_be_partial(&c->in);
}

/*
 * CMPS and SCAS that fault half-way: the flags are those from before (volume 2, REP). AMD's processors leave those of
 * the last comparison.
 */
static bool faulted_comparing(const struct test_case *c, const struct native_state *host)
{
	return !c->nsequence && host->eip == CODE_AT && c->in.repeats && insn_compares_strings(&c->in);
}

static void compare(struct matrix *x, const struct test_case *c, const struct native_state *host,
		    const struct native_state *guest)
{
	bool partial = ended_partially(c, host);
	uint32_t at = memory_difference(x);
	/* The host's own flags are exact; C bodies need not have what the manual leaves open. */
	uint32_t open = insn_rows[c->in.id].class == CLASS_IDENT ? 0 : c->in.flags_undefined;
	uint32_t flags = (uint32_t)(FLAGS_ARITH | FLAG_DF) & ~(host->trap == EXC_GP && host->eip != CODE_AT ? open : 0);
	uint32_t expected = faulted_comparing(c, host) ? c->start.eflags : host->eflags;

	if ((c->nsequence && host->trap == EXC_GP && guest->trap == EXC_SS) || either_fault(&c->in, host, guest))
		return;
	if (host->trap != guest->trap || host->error != guest->error)
		report(x, c, host, guest, "the end");
	else if ((memcmp(host->gpr, guest->gpr, sizeof(host->gpr)) && !partial) || host->eip != guest->eip)
		report(x, c, host, guest, "a register");
	else if ((expected ^ guest->eflags) & flags)
		report(x, c, host, guest, "a flag");
	else if (!partial && !same_fx(host->fx, guest->fx)) {
		report(x, c, host, guest, "x87 or SSE state");
		if (x->reports <= MAX_REPORTS)
			report_bytes("state", host->fx, guest->fx, NATIVE_STATE_BYTES);
	} else if (at && !partial) {
		report(x, c, host, guest, "memory");
		if (x->reports <= MAX_REPORTS) {
			fprintf(stderr, "  at %x\n", at);
			report_bytes("memory", native_memory(x->n, at), physmem_host(&x->m->pm, at, NULL), 16);
		}
	}
}

/*
 * Where environments hold the x87 unit's pointers, real-address and V86 mode have a format of their own, which the host
 * cannot be asked for: those bytes, and what was loaded from them, are taken from the guest (programs/fpu_real.inc
 * looks at them).
 */
static void leave_out_pointers(struct matrix *x, const struct test_case *c, struct native_state *host,
			       const struct native_state *guest)
{
	const struct insn *in = &c->in;
	bool is_short = in->mem_size == 14 || in->mem_size == 94;
	struct cpu *cpu = &x->m->cpu;
	uint32_t at;

	if (c->nsequence || host->eip == CODE_AT)
		return;
	switch (in->id) {
	case INSN_FLDENV:
	case INSN_FRSTOR:
		memcpy(host->fx + 8, guest->fx + 8, 4);
		break;
	case INSN_FNSTENV:
	case INSN_FNSAVE:
		for (unsigned i = 0; i < 8; i++)
			cpu->gpr[i] = c->start.gpr[i];
		at = x->l->seg[in->seg].base + (uint32_t)insn_ea(cpu, in) + (is_short ? 6 : 12);
		memcpy(native_memory(x->n, at), physmem_host(&x->m->pm, at, NULL), is_short ? 8 : 16);
		break;
	}
}

static unsigned sequence_bytes(const struct test_case *c)
{
	unsigned bytes = 0;

	for (unsigned i = 0; i < c->nsequence; i++)
		bytes += c->sequence[i].len;
	return bytes;
}

void matrix_run_case(struct matrix *x, const struct test_case *c)
{
	struct native_state host = c->start, guest = c->start;
	const struct insn_row *row = &insn_rows[c->in.id];
	bool real = x->l->mode == ISA_REAL || x->l->mode == ISA_V86;

	put_case(x, c);
	run_host(x, c, &host);
	x->cases++;
	if (host.trap == TRAP_PAGE_FAULT || host.trap == NATIVE_ENDLESS) {
		x->skipped++;
		matrix_restore_memory(x);
		return;
	}
	x->done[c->in.id]++;
	x->faults += host.eip == CODE_AT;
	x->finished += c->nsequence && host.eip == CODE_AT + sequence_bytes(c);
	if (real && (row->checks & (CHK_PROTECTED | CHK_AVX)) && !c->nsequence) {
		host = c->start;
		host.trap = EXC_UD;
		host.error = 0;
		matrix_restore_memory(x);
		put_case(x, c);
	}
	if (c->storm)
		machine_set_storm(x->m, true);
	bool ended = run_guest(x, &guest);
	if (c->storm)
		machine_set_storm(x->m, false);
	if (ended && real)
		leave_out_pointers(x, c, &host, &guest);
	if (ended)
		compare(x, c, &host, &guest);
	else
		report(x, c, &host, &guest, "how it stops");
	matrix_restore_memory(x);
}
