/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa_matrix ENGINE (matrix|sequence|storm)_LAYOUT KNOWN_FAILURES [ROUNDS [SEED]]: generated instructions under an
 * engine, compared with the host's own execution. Exit status 77: the host does not run 16- and 32-bit code.
 */
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/seg.h"
#include "cpu/sys.h"
#include "known.h"
#include "matrix.h"

enum { ROUNDS = 4, SKIP = 77, SEQUENCES_PER_ROUND = 500, STORMS_PER_ROUND = 40, STORM_TIMES = 3000 };

static void fill_memory(struct matrix *x)
{
	unsigned bytes = layout_wide(x->l) ? HIGH_TO : DATA_TO;

	x->pristine = malloc(bytes);
	for (unsigned i = 0; i < bytes; i++)
		x->pristine[i] = i >= CODE_FROM && i < CODE_TO ? 0xf4 : (uint8_t)machine_random(x->m);
	native_map(x->n, CODE_FROM, LOW_TO - CODE_FROM);
	native_map(x->n, DATA_FROM, DATA_TO - DATA_FROM);
	if (layout_wide(x->l)) {
		ASSERT((uintptr_t)native_memory(x->n, 0) == LOW_LINEAR);
		ASSERT(native_map64(HIGH_LINEAR, HIGH_TO - HIGH_FROM));
		machine_map(x->m, LOW_LINEAR + CODE_FROM, CODE_FROM, LOW_TO - CODE_FROM);
		machine_map(x->m, LOW_LINEAR + DATA_FROM, DATA_FROM, DATA_TO - DATA_FROM);
		machine_map(x->m, HIGH_LINEAR, HIGH_FROM, HIGH_TO - HIGH_FROM);
	}
	matrix_restore_memory(x);
}

/* 64-bit code: selectors are those of this process. */
static void set_selectors(struct cpu *cpu)
{
	uint16_t *s[SEG_COUNT];

	for (unsigned i = 0; i < SEG_COUNT; i++)
		s[i] = &cpu->seg[i].selector;
	__asm__("movw %%es, %0" : "=r"(*s[SEG_ES]));
	__asm__("movw %%cs, %0" : "=r"(*s[SEG_CS]));
	__asm__("movw %%ss, %0" : "=r"(*s[SEG_SS]));
	__asm__("movw %%ds, %0" : "=r"(*s[SEG_DS]));
	__asm__("movw %%fs, %0" : "=r"(*s[SEG_FS]));
	__asm__("movw %%gs, %0" : "=r"(*s[SEG_GS]));
	cpu->rflags |= FLAG_IF;
}

/* The same segments on both sides; the guest's at CPL 3 in protected mode. */
static void set_segments(struct matrix *x)
{
	struct cpu *cpu = &x->m->cpu;

	if (layout_wide(x->l))
		set_selectors(cpu);
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		const struct native_segment *s = &x->l->seg[i];
		unsigned attr = SEG_P | SEG_S | SEG_A | 3u << SEG_DPL_SHIFT;
		if (i == SEG_FS || layout_wide(x->l))
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
	if (x->l->mode != ISA_REAL && !layout_wide(x->l))
		cpu_set_cpl(cpu, 3);
	for (unsigned i = R8; i <= R15; i++)
		cpu->gpr[i] = 0x123456789abcdef0ull * i;
	memset(cpu->fpu.image + FX_XMM0 + 8 * 16, 0x5a, 8 * 16);
	cpu_has(cpu, FEAT_BASE); /* fills a cache in *cpu, once and not for every case */
	if (cpu_has(cpu, FEAT_AVX)) {
		cpu->cr4 |= CR4_OSXSAVE;
		cpu->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	}
	if (layout_wide(x->l) && cpu_has(cpu, FEAT_AVX512F))
		cpu->xcr0 |= XCR0_AVX512;
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
		if (!matrix_row_tested(&x->m->cpu, id, layout_wide(x->l)) || x->done[id])
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

/* Where processors differ, the guest's is to be the host's. */
static bool is_amd(void)
{
	unsigned eax, ebx = 0, ecx, edx;

	__get_cpuid(0, &eax, &ebx, &ecx, &edx);
	return ebx == signature_AMD_ebx;
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
	machine_set_processor(x->m, l->mode == ISA_COMPAT || layout_wide(l), layout_wide(l) && is_amd());
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
	struct encoding *list = matrix_encodings(&x->m->cpu, layout_wide(x->l), &count);
	struct test_case c;

	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < rounds; k++)
			if (layout_wide(x->l) ? matrix64_case(x->m, x->l, &list[i], &c)
					      : matrix_case(x->m, x->l, &list[i], &c))
				matrix_run_case(x, &c);
	failures = summary(x, list, count);
	free(list);
	return failures;
}

static unsigned run_sequences(struct matrix *x, unsigned rounds, bool storm)
{
	unsigned count, failures = 0;
	struct encoding *list = matrix_encodings(&x->m->cpu, layout_wide(x->l), &count);
	struct test_case c;

	for (unsigned i = 0; i < rounds * (storm ? STORMS_PER_ROUND : SEQUENCES_PER_ROUND); i++) {
		matrix_sequence(x->m, x->l, list, count, storm ? STORM_TIMES : 3, &c);
		c.storm = storm;
		matrix_run_case(x, &c);
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
	if ((!layout_wide(l) && !native_has_segments()) || native_create(&n)) {
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
