/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAGIC = 0x41534947,
	HEADER_BYTES = 32,
	WITH_LM = 1,
	WITH_AMD = 2,
	WITH_AVX2 = 4,
	WITH_MONITOR = 8,
	WITH_AVX512 = 16
};

/* Kinds of rows: isa.inc has the same. */
enum { X_POINT = 1, X_REG, X_FLAGS, X_SEG, X_MEM, X_FAULT, X_PART, X_TRAP, X_X87, X_ST, X_CR2 };

struct expectation {
	uint32_t kind, a, value, mask;
};

enum { MAX_FAILURES = 20 };

struct run {
	struct program *p;
	struct machine *m;
	unsigned failures;
	bool *reached; /* one for each row */
	bool snapped;
	struct cpu before;
	uint8_t *memory; /* RAM at the snapshot */
	gpa_t where;	 /* linear address of the present checkpoint or fault, for messages */
};

/* Memory that a guest's fault may not change. Programs have their page tables behind it, where A bits may be set. */
enum { COMPARED_BYTES = MiB };

bool program_load(struct program *p, const char *path)
{
	FILE *file = fopen(path, "rb");
	long size = -1;
	uint32_t header[8], expect;

	memset(p, 0, sizeof(*p));
	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	p->image = size > HEADER_BYTES ? malloc((size_t)size) : NULL;
	if (!p->image || fseek(file, 0, SEEK_SET) || fread(p->image, 1, (size_t)size, file) != (size_t)size)
		goto bad;
	fclose(file);
	memcpy(header, p->image, sizeof(header));
	expect = header[4];
	if (header[0] != MAGIC || header[1] >= ISA_MODES || expect > (unsigned long)size || expect < HEADER_BYTES) {
		fprintf(stderr, "%s: not a test program\n", path);
		return false;
	}
	p->mode = header[1];
	p->load = header[2];
	p->lm = header[5] & WITH_LM;
	p->amd = header[5] & WITH_AMD;
	p->monitor = header[5] & WITH_MONITOR;
	p->avx2 = header[5] & WITH_AVX2;
	p->avx512 = header[5] & WITH_AVX512;
	p->entry = header[3];
	p->text = p->image + HEADER_BYTES;
	p->text_bytes = expect - HEADER_BYTES;
	p->rows = (struct expectation *)(p->image + expect);
	p->nrows = (unsigned)((unsigned long)size - expect) / sizeof(struct expectation);
	return true;
bad:
	fprintf(stderr, "%s: cannot be read\n", path);
	if (file)
		fclose(file);
	return false;
}

void program_free(struct program *p)
{
	free(p->image);
}

static void fail(struct run *r, const char *what, uint64_t got, uint64_t expected)
{
	if (r->failures++ < MAX_FAILURES)
		fprintf(stderr, "at %llx: %s is %llx, expected %llx\n", (unsigned long long)r->where, what,
			(unsigned long long)got, (unsigned long long)expected);
}

static void compare(struct run *r, const char *what, uint64_t got, uint64_t expected, uint64_t mask)
{
	if ((got ^ expected) & mask)
		fail(r, what, got & mask, expected & mask);
}

static const char *const gpr_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
static void show_registers(const struct machine *m)
{
	for (unsigned i = 0; i < 8; i++)
		fprintf(stderr, "%s %llx%c", gpr_names[i], (unsigned long long)m->cpu.gpr[i], i % 4 == 3 ? '\n' : ' ');
}

static const char *const seg_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void compare_x87(struct run *r, const struct expectation *x)
{
	static const struct {
		const char *name;
		unsigned offset, bytes;
	} fields[] = {{"FCW", 0, 2}, {"FSW", 2, 2}, {"FTW", 4, 1}, {"MXCSR", 24, 4}};

	if (x->a < ARRAY_LEN(fields))
		compare(r, fields[x->a].name, load_le(r->m->cpu.fpu.image + fields[x->a].offset, fields[x->a].bytes),
			x->value, x->mask);
}

static void compare_row(struct run *r, const struct expectation *x)
{
	const struct cpu *cpu = &r->m->cpu;
	char what[32];

	switch (x->kind) {
	case X_REG:
		compare(r, gpr_names[x->a & 7], cpu->gpr[x->a & 7], x->value, x->mask);
		break;
	case X_FLAGS:
		compare(r, "flags", cpu->rflags, x->value, x->mask);
		break;
	case X_SEG:
		compare(r, seg_names[x->a % SEG_COUNT], cpu->seg[x->a % SEG_COUNT].selector, x->value, x->mask);
		break;
	case X_MEM:
		snprintf(what, sizeof(what), "memory at %x", x->a);
		compare(r, what, machine_peek(r->m, x->a, 4), x->value, x->mask);
		break;
	case X_X87:
		compare_x87(r, x);
		break;
	case X_CR2:
		compare(r, "cr2", cpu->cr2, x->value, x->mask);
		break;
	case X_ST:
		snprintf(what, sizeof(what), "FXSAVE byte %u", x->a);
		compare(r, what, load_le(cpu->fpu.image + x->a % 512, 4), x->value, x->mask);
		break;
	}
}

static bool is_detail(const struct expectation *x)
{
	return x->kind != X_POINT && x->kind != X_FAULT && x->kind != X_PART && x->kind != X_TRAP;
}

/* The OUT of a checkpoint. Labels are linear addresses. */
static void checkpoint(struct run *r)
{
	const struct program *p = r->p;
	uint32_t at = (uint32_t)cpu_linear_pc(&r->m->cpu);

	r->where = at;
	for (unsigned i = 0; i < p->nrows; i++) {
		if (p->rows[i].kind != X_POINT || p->rows[i].a != at)
			continue;
		r->reached[i] = true;
		for (unsigned j = i + 1; j < p->nrows && is_detail(&p->rows[j]); j++)
			compare_row(r, &p->rows[j]);
		return;
	}
	fail(r, "a checkpoint that is not listed", at, 0);
	if (r->failures < MAX_FAILURES)
		show_registers(r->m);
}

static void on_check(struct machine *m, bool snap)
{
	struct run *r = m->arg;

	cpu_fpu_sync(&m->cpu);
	if (!snap) {
		checkpoint(r);
		return;
	}
	r->snapped = true;
	r->before = m->cpu;
	physmem_read(&m->pm, 0, r->memory, COMPARED_BYTES);
}

static bool in_frame(const struct isa_frame *f, gpa_t at)
{
	return at - f->bottom < f->bytes;
}

/* The first byte of a page that differs, but for the frame. */
static void compare_page(struct run *r, const struct isa_frame *f, const uint8_t *now, gpa_t page)
{
	for (gpa_t at = page; at < page + PAGE_SIZE; at++) {
		/* The TSS of a task that was left is written by the switch; programs check it. */
		if (now[at] != r->memory[at] && !in_frame(f, at)) {
			char what[48];
			snprintf(what, sizeof(what), "memory at %llx after a fault", (unsigned long long)at);
			fail(r, what, now[at], r->memory[at]);
			return;
		}
	}
}

static void compare_memory(struct run *r, const struct isa_frame *f)
{
	const uint8_t *now = physmem_host(&r->m->pm, 0, NULL);

	for (gpa_t page = 0; page < COMPARED_BYTES; page += PAGE_SIZE)
		if (memcmp(now + page, r->memory + page, PAGE_SIZE))
			compare_page(r, f, now, page);
}

static bool is_data_segment(unsigned seg)
{
	return seg != SEG_CS && seg != SEG_SS;
}

/* After a fault, nothing may differ from the snapshot but the frame. */
static void compare_unchanged(struct run *r, const struct isa_frame *f)
{
	const struct cpu *now = &r->m->cpu, *before = &r->before;
	const uint64_t flags = FLAGS_ALL & ~(FLAG_RF | (f->width == 2 ? ~0xffffull : 0));
	bool v86 = before->rflags & FLAG_VM;

	for (unsigned i = 0; i < 8; i++)
		compare(r, gpr_names[i], i == RSP ? f->esp : now->gpr[i], before->gpr[i],
			i == RSP ? size_mask(cpu_stack_size(before)) : ~0ull);
	compare(r, "saved flags", f->eflags, before->rflags, flags);
	compare(r, "saved cs", f->cs, before->seg[SEG_CS].selector, 0xffff);
	compare(r, "saved ss", f->ss, before->seg[SEG_SS].selector, 0xffff);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		if (is_data_segment(i) && !v86)
			compare(r, seg_names[i], now->seg[i].selector, before->seg[i].selector, 0xffff);
	if (memcmp(now->fpu.image + 32, before->fpu.image + 32, 384))
		fail(r, "an x87 or XMM register after a fault", 0, 0);
	compare_memory(r, f);
}

static bool is_exception(const struct expectation *x, const struct isa_frame *f)
{
	bool kind = x->kind == X_FAULT || x->kind == X_PART || x->kind == X_TRAP;

	return kind && x->a == f->eip && (x->value & 0xff) == f->vector;
}

/* Compares and goes on. The first row that fits counts; others are the same exception at the same place. */
static void expected_fault(struct run *r, const struct isa_frame *f, const struct expectation *x)
{
	if (f->has_error)
		compare(r, "error code", f->error, x->value >> 16, ~0ull);
	if (x->kind == X_FAULT && !r->snapped)
		fail(r, "a fault without snapshot", f->vector, 0);
	if (x->kind == X_FAULT)
		compare_unchanged(r, f);
	for (unsigned i = (unsigned)(x - r->p->rows) + 1; i < r->p->nrows && is_detail(&r->p->rows[i]); i++)
		compare_row(r, &r->p->rows[i]);
	r->snapped = false;
	machine_resume(r->m, f, x->mask);
}

static void on_fault(struct run *r)
{
	const struct program *p = r->p;
	struct isa_frame f = machine_frame(r->m);
	const struct expectation *found = NULL;

	r->where = (uint32_t)f.eip;
	for (unsigned i = 0; i < p->nrows; i++) {
		if (!is_exception(&p->rows[i], &f))
			continue;
		r->reached[i] = true;
		if (!found)
			found = &p->rows[i];
	}
	if (found) {
		expected_fault(r, &f, found);
		return;
	}
	fail(r, "an unexpected exception", f.vector, 0);
	fprintf(stderr, "exception %u, error code %x, cs:eip %x:%llx, cr2 %llx\n", f.vector, f.error, f.cs,
		(unsigned long long)f.eip, (unsigned long long)r->m->cpu.cr2);
	show_registers(r->m);
	r->m->done = true;
}

static void check_reached(struct run *r)
{
	for (unsigned i = 0; i < r->p->nrows; i++) {
		const struct expectation *x = &r->p->rows[i];
		r->where = x->a;
		if (r->reached[i] || is_detail(x) || (x->kind == X_POINT && x->value))
			continue;
		fail(r, x->kind == X_POINT ? "times a checkpoint was reached" : "times an exception was raised", 0, 1);
	}
}

static void report_stop(struct run *r, enum isa_stop why)
{
	static const char *const names[] = {
	    [STOP_TRIPLE] = "triple fault", [STOP_TIMEOUT] = "no end in time", [STOP_LOCKSTEP] = "the engines differ"};

	if (why == STOP_DONE)
		return;
	r->failures++;
	fprintf(stderr, "%s at %x:%llx\n", names[why], r->m->cpu.seg[SEG_CS].selector,
		(unsigned long long)r->m->cpu.rip);
}

unsigned program_run(struct program *p, struct machine *m)
{
	struct run *r = aligned_alloc(64, ALIGN_UP(sizeof(*r), 64));
	enum isa_stop why;
	unsigned failures;

	memset(r, 0, sizeof(*r));
	r->p = p;
	r->m = m;
	r->reached = calloc(p->nrows + 1, sizeof(*r->reached));
	r->memory = malloc(COMPARED_BYTES);
	machine_set_processor(m, p->lm, p->amd);
	feature_choose(&m->cpu.chosen, CPUID_monitor, p->monitor);
	machine_reset(m, p->mode, p->entry);
	physmem_write(&m->pm, p->load, p->text, p->text_bytes);
	m->check = on_check;
	m->arg = r;
	while ((why = machine_run(m)) == STOP_FAULT && !m->done)
		on_fault(r);
	if (why != STOP_FAULT)
		report_stop(r, why);
	check_reached(r);
	machine_audit(m);
	failures = r->failures;
	free(r->memory);
	free(r->reached);
	free(r);
	return failures;
}
