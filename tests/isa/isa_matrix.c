/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa_matrix ENGINE (matrix|sequence|storm)_LAYOUT KNOWN_FAILURES [ROUNDS [SEED]]: generated instructions under an
 * engine, compared with the host's own execution. Exit status 77: the host does not run 16- and 32-bit code.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/seg.h"
#include "cpu/sys.h"
#include "known.h"
#include "matrix.h"

enum {
	ROUNDS = 4,
	MAX_REPORTS = 30,
	SKIP = 77,
	TRAP_PAGE_FAULT = 14,
	FX_COMPARED = 288,
	SEQUENCES_PER_ROUND = 500,
	STORMS_PER_ROUND = 40,
	STORM_TIMES = 3000
};

struct matrix {
	struct machine *m;
	struct native *n;
	const struct layout *l;
	struct cpu base; /* the mode's state, but for what a case sets */
	uint8_t *pristine;
	unsigned *done, *failed; /* by row */
	unsigned reports, cases, skipped, faults, finished;
};

/* What is compared, and made as it was after each case. */
static const struct {
	uint32_t from, to;
} ranges[] = {{CODE_FROM, LOW_TO}, {DATA_FROM, DATA_TO}};

/* What changed in the last case is made as it was, on both sides. */
static void restore_memory(struct matrix *x)
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
	m->done = m->triple = false;
	why = machine_run(m);
	for (unsigned i = 0; i < 8; i++)
		s->gpr[i] = (uint32_t)cpu->gpr[i];
	memcpy(s->fx, cpu->fpu.image, FX_COMPARED);
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

/* The x87 opcode and data pointer (6-7, 16-23) are left out: the processor may or may not set them. */
static bool same_fx(const uint8_t *a, const uint8_t *b)
{
	if (memcmp(a, b, 6) || memcmp(a + 8, b + 8, 4) || memcmp(a + 24, b + 24, 4))
		return false;
	for (unsigned i = 0; i < 8; i++)
		if (memcmp(a + 32 + 16 * i, b + 32 + 16 * i, 10))
			return false;
	return !memcmp(a + 160, b + 160, 128);
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

static void compare(struct matrix *x, const struct test_case *c, const struct native_state *host,
		    const struct native_state *guest)
{
	bool partial = ended_partially(c, host);
	uint32_t at = memory_difference(x);
	/* The host's own flags are exact; C bodies need not have what the manual leaves open. */
	uint32_t open = insn_rows[c->in.id].class == CLASS_IDENT ? 0 : c->in.flags_undefined;
	uint32_t flags = (uint32_t)(FLAGS_ARITH | FLAG_DF) & ~(host->trap == EXC_GP && host->eip != CODE_AT ? open : 0);

	if ((c->nsequence && host->trap == EXC_GP && guest->trap == EXC_SS) || either_fault(&c->in, host, guest))
		return;
	if (host->trap != guest->trap || host->error != guest->error)
		report(x, c, host, guest, "the end");
	else if ((memcmp(host->gpr, guest->gpr, sizeof(host->gpr)) && !partial) || host->eip != guest->eip)
		report(x, c, host, guest, "a register");
	else if ((host->eflags ^ guest->eflags) & flags)
		report(x, c, host, guest, "a flag");
	else if (!partial && !same_fx(host->fx, guest->fx)) {
		report(x, c, host, guest, "x87 or SSE state");
		if (x->reports <= MAX_REPORTS)
			report_bytes("FXSAVE", host->fx, guest->fx, FX_COMPARED);
	} else if (at && !partial) {
		report(x, c, host, guest, "memory");
		if (x->reports <= MAX_REPORTS) {
			fprintf(stderr, "  at %x\n", at);
			report_bytes("memory", native_memory(x->n, at), physmem_host(&x->m->pm, at, NULL), 16);
		}
	}
}

static unsigned sequence_bytes(const struct test_case *c)
{
	unsigned bytes = 0;

	for (unsigned i = 0; i < c->nsequence; i++)
		bytes += c->sequence[i].len;
	return bytes;
}

static void run_case(struct matrix *x, const struct test_case *c)
{
	struct native_state host = c->start, guest = c->start;
	const struct insn_row *row = &insn_rows[c->in.id];
	bool real = x->l->mode == ISA_REAL || x->l->mode == ISA_V86;

	put_case(x, c);
	native_run(x->n, &host);
	x->cases++;
	if (host.trap == TRAP_PAGE_FAULT || host.trap == NATIVE_ENDLESS) {
		x->skipped++;
		restore_memory(x);
		return;
	}
	x->done[c->in.id]++;
	x->faults += host.eip == CODE_AT;
	x->finished += c->nsequence && host.eip == CODE_AT + sequence_bytes(c);
	if (real && (row->checks & CHK_PROTECTED) && !c->nsequence) {
		host = c->start;
		host.trap = EXC_UD;
		host.error = 0;
		restore_memory(x);
		put_case(x, c);
	}
	if (c->storm)
		machine_set_storm(x->m, true);
	bool ended = run_guest(x, &guest);
	if (c->storm)
		machine_set_storm(x->m, false);
	if (ended)
		compare(x, c, &host, &guest);
	else
		report(x, c, &host, &guest, "how it stops");
	restore_memory(x);
}

static void fill_memory(struct matrix *x)
{
	x->pristine = malloc(DATA_TO);
	for (unsigned i = 0; i < DATA_TO; i++)
		x->pristine[i] = i >= CODE_FROM && i < CODE_TO ? 0xf4 : (uint8_t)machine_random(x->m);
	for (unsigned i = 0; i < ARRAY_LEN(ranges); i++)
		native_map(x->n, ranges[i].from, ranges[i].to - ranges[i].from);
	restore_memory(x);
}

/* The same segments on both sides; the guest's at CPL 3 in protected mode. */
static void set_segments(struct matrix *x)
{
	struct cpu *cpu = &x->m->cpu;

	for (unsigned i = 0; i < SEG_COUNT; i++) {
		const struct native_segment *s = &x->l->seg[i];
		unsigned attr = SEG_P | SEG_S | SEG_A | 3u << SEG_DPL_SHIFT;
		if (i == SEG_FS)
			continue;
		native_set_segment(x->n, i, s);
		if (x->l->mode == ISA_REAL) {
			cpu_set_real_segment(cpu, i, (uint16_t)(s->base >> 4));
		} else if (x->l->mode == ISA_V86) {
			cpu_set_v86_segment(cpu, i, (uint16_t)(s->base >> 4));
		} else {
			attr |= s->code ? SEG_CODE | SEG_R : (s->down ? SEG_E : 0) | (s->read_only ? 0 : SEG_W);
			attr |= s->big ? SEG_DB : 0;
			cpu->seg[i] = (struct segment){.selector = (uint16_t)(8 * i + 8 + 7),
						       .attr = (uint16_t)attr,
						       .limit = s->limit,
						       .base = s->base};
			cpu->seg[i].attr |= s->limit > 0xfffff ? SEG_G : 0;
		}
	}
	if (x->l->mode != ISA_REAL)
		cpu_set_cpl(cpu, 3);
	cpu_has(cpu, FEAT_BASE); /* fills a cache in *cpu, once and not for every case */
	x->base = *cpu;
}

/* Has every row been executed, as far as the layout lets it? */
static unsigned check_coverage(const struct matrix *x, const struct encoding *list, unsigned count)
{
	unsigned missing = 0;

	for (unsigned id = 1; id < INSN_COUNT; id++) {
		bool listed = false;
		for (unsigned i = 0; i < count && !listed; i++)
			listed = list[i].id == id;
		if (!matrix_row_tested(&x->m->cpu, id) || x->done[id])
			continue;
		fprintf(stderr, "%s was not tested: %s\n", insn_rows[id].name,
			listed ? "no case came to an end" : "no encoding found");
		missing++;
	}
	return missing;
}

static unsigned summary(const struct matrix *x, const struct encoding *list, unsigned count)
{
	unsigned failures = check_coverage(x, list, count);

	for (unsigned id = 0; id < INSN_COUNT; id++) {
		if (x->failed[id])
			fprintf(stderr, "%s: %u of %u cases differ\n", insn_rows[id].name, x->failed[id], x->done[id]);
		failures += x->failed[id];
	}
	printf("%s: %u encodings, %u cases, %u ended in a fault of their own, %u not comparable, %u failures\n",
	       x->l->name, count, x->cases, x->faults, x->skipped, failures);
	return failures;
}

static struct matrix *matrix_create(enum isa_engine engine, const struct layout *l, struct native *n, uint64_t seed)
{
	struct matrix *x = aligned_alloc(64, ALIGN_UP(sizeof(*x), 64));

	memset(x, 0, sizeof(*x));
	x->l = l;
	x->n = n;
	x->m = machine_create(engine);
	x->m->random = seed;
	x->m->timeout_ns = 5 * NS_PER_SEC;
	x->done = calloc(INSN_COUNT, sizeof(unsigned));
	x->failed = calloc(INSN_COUNT, sizeof(unsigned));
	machine_reset(x->m, l->mode, CODE_AT);
	fill_memory(x);
	set_segments(x);
	return x;
}

static void matrix_destroy(struct matrix *x)
{
	machine_destroy(x->m);
	free(x->pristine);
	free(x->done);
	free(x->failed);
	free(x);
}

static unsigned run_matrix(struct matrix *x, unsigned rounds)
{
	unsigned count, failures;
	struct encoding *list = matrix_encodings(&x->m->cpu, &count);
	struct test_case c;

	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < rounds; k++)
			if (matrix_case(x->m, x->l, &list[i], &c))
				run_case(x, &c);
	failures = summary(x, list, count);
	free(list);
	return failures;
}

static unsigned run_sequences(struct matrix *x, unsigned rounds, bool storm)
{
	unsigned count, failures = 0;
	struct encoding *list = matrix_encodings(&x->m->cpu, &count);
	struct test_case c;

	for (unsigned i = 0; i < rounds * (storm ? STORMS_PER_ROUND : SEQUENCES_PER_ROUND); i++) {
		matrix_sequence(x->m, x->l, list, count, storm ? STORM_TIMES : 3, &c);
		c.storm = storm;
		run_case(x, &c);
	}
	for (unsigned id = 0; id < INSN_COUNT; id++)
		failures += x->failed[id];
	printf("%s: %u sequences, %u ran to their end, %u not comparable, %llu interruptions, %u failures\n",
	       x->l->name, x->cases, x->finished, x->skipped, (unsigned long long)x->m->stats.async_exits, failures);
	free(list);
	return failures;
}

/* "matrix_flat32", "sequence_flat32", "storm_flat32": the layout, or NULL. */
static const struct layout *find_layout(const char *name)
{
	const char *layout = strchr(name, '_');

	for (unsigned i = 0; layout && i < layout_count; i++)
		if (!strcmp(layouts[i].name, layout + 1))
			return &layouts[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct layout *l = argc < 4 ? NULL : find_layout(argv[2]);
	unsigned engine = 0, failures;
	struct native *n;
	struct matrix *x;

	while (l && engine < ENGINES && strcmp(argv[1], isa_engine_names[engine]))
		engine++;
	if (!l || engine == ENGINES)
		return 2;
	machine_destroy(machine_create(ENGINE_STEP)); /* signals, before the oracle needs them */
	if (native_create(&n)) {
		fprintf(stderr, "the host does not run 16- and 32-bit code\n");
		return SKIP;
	}
	x = matrix_create(engine, l, n, argc > 5 ? (uint64_t)atoll(argv[5]) : 1);
	unsigned rounds = argc > 4 ? (unsigned)atoi(argv[4]) : ROUNDS;
	failures = argv[2][0] == 'm' ? run_matrix(x, rounds) : run_sequences(x, rounds, argv[2][1] == 't');
	matrix_destroy(x);
	native_destroy(n);
	return known_result(argv[3], argv[1], argv[2], failures);
}
