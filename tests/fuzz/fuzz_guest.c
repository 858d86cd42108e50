/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random guests under every engine: the monitor must survive, come back when it is asked to, and the engines must
 * agree.
 *
 * step, bt: no crash, no hang. lockstep: every block compared with the single-stepper. compare: a guest that ends by
 * itself under the single-stepper ends in the same state under the translator, with its links and invalidations, which
 * lockstep does not use. few: likewise, with hardly any host mappings.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "cpu/fpu.h"
#include "cpu/mem.h"
#include "cpu/step.h"
#include "cpu/sys.h"
#include "guest.h"
#include "trace.h"

#define SLICE_NS  (1 * NS_PER_MS) /* between kicks */
#define BUDGET_NS (6 * NS_PER_MS) /* for one case */

enum { MIN_SLICES = 6, MAX_STEPS = 4000, MAX_EVENTS = 200, PORT_A20 = 0x92 };

struct guest {
	struct machine *m;
	const struct cpu_ops *machine_ops;
	struct cpu_ops ops;
	unsigned events; /* interrupts left that wake it from HLT */
	bool ambiguous;	 /* a repeated instruction overwrote itself: when that is noticed is up to the processor; or x87
			  * pointers were stored that AMD's may have lost */
};

/* --- ports: those of the harness, but for what makes a run depend on time or files --- */

static struct guest *guest_of(void *arg)
{
	return (struct guest *)((struct machine *)arg)->arg;
}

static void port_out(void *arg, uint16_t port, unsigned size, uint32_t value)
{
	struct machine *m = arg;
	bool enabled = value & 2;

	if (port == PORT_A20) {
		if (enabled != (m->pm.a20_mask == ~0ull)) {
			physmem_set_a20(&m->pm, enabled);
			guest_of(arg)->machine_ops->mmu_event(m, MMU_A20, 0);
		}
		return;
	}
	if (port == ISA_PORT_ASYNC || port == ISA_PORT_DONE)
		return;
	guest_of(arg)->machine_ops->port_out(arg, port, size, value);
}

static void guest_create(struct guest *g, uint64_t seed, enum isa_engine engine)
{
	struct rng r = rng_seeded(seed);

	g->m = machine_create(engine);
	g->m->arg = g;
	g->machine_ops = g->m->cpu.ops;
	g->ops = *g->machine_ops;
	g->ops.port_out = port_out;
	g->m->cpu.ops = &g->ops;
	g->events = rng_below(&r, 8);
	g->ambiguous = false;
	guest_setup(g->m, &r);
	/* Random by design: they differ from run to run. */
	cpu_has(&g->m->cpu, FEAT_RDRAND);
	g->m->cpu.features &= ~(BIT(FEAT_RDRAND) | BIT(FEAT_RDSEED));
	timer_settime(g->m->timer, 0,
		      &(struct itimerspec){.it_value = {.tv_nsec = SLICE_NS}, .it_interval = {.tv_nsec = SLICE_NS}},
		      NULL);
}

/* Between engine runs: events. False: the guest has come to its end. */
static bool boundary(struct guest *g)
{
	struct cpu *cpu = &g->m->cpu;

	cpu_take_event(cpu);
	if (g->m->triple)
		return false;
	if (cpu->activity == CPU_HALTED && (cpu->rflags & FLAG_IF) && g->events) {
		g->events--;
		g->m->vector = (uint8_t)(0x20 + g->events);
		cpu->intr = true;
		return cpu_take_event(cpu) && cpu->activity == CPU_RUNNING;
	}
	return cpu->activity == CPU_RUNNING;
}

/* --- runs --- */

static void code_bytes(struct cpu *cpu, gva_t pc, uint8_t *bytes)
{
	struct translation t = {.gpa = pc};
	struct x86_fault f;

	memset(bytes, 0, INSN_MAX_BYTES);
	if (!cpu_paging(cpu) || cpu_walk(cpu, pc, ACC_EXEC, cpu->cpl == 3, false, &t, &f))
		cpu_phys_read(cpu, t.gpa, bytes, INSN_MAX_BYTES);
}

/* True if the guest came to its end. */
static bool run_step(struct guest *g)
{
	struct cpu *cpu = &g->m->cpu;

	for (unsigned n = 0; n < MAX_STEPS; n++) {
		uint8_t before[INSN_MAX_BYTES], after[INSN_MAX_BYTES];
		gva_t pc;
		struct insn in;
		bool known;
		if (!boundary(g))
			return true;
		if (cpu_event_ready(cpu)) /* delivering one event caused the next */
			continue;
		pc = cpu_linear_pc(cpu);
		code_bytes(cpu, pc, before);
		known = !insn_decode(&in, before, sizeof(before), cpu_code_size(cpu));
		if (known && fpu_stores_lost_pointers(cpu, &in))
			g->ambiguous = true;
		cpu_step(cpu);
		code_bytes(cpu, pc, after);
		if (known && in.repeats && memcmp(before, after, sizeof(after)))
			g->ambiguous = true;
	}
	return false;
}

/* Of this thread: a host with other work is not a guest that does not end. */
static uint64_t own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Until its end, or for `ns` of CPU time, and some slices: on a busy host they may be all that there is. *same:
 * lockstep found no difference. */
static bool run_translator(struct guest *g, uint64_t ns, bool *same)
{
	uint64_t end = own_ns() + ns;

	*same = true;
	for (unsigned slices = 0; slices < MIN_SLICES || own_ns() < end; slices++) {
		if (!boundary(g))
			return true;
		if (g->m->engine == ENGINE_LOCKSTEP)
			*same = bt_lockstep(g->m->bt, UINT64_MAX);
		else
			bt_run(g->m->bt);
		if (!*same)
			return false;
		g->m->stop = 0;
	}
	return false;
}

/* --- the end compared --- */

static bool same_value(const char *what, unsigned n, uint64_t bt, uint64_t step)
{
	if (bt == step)
		return true;
	fprintf(stderr, "%s %x: %llx, single-stepped %llx\n", what, n, (unsigned long long)bt,
		(unsigned long long)step);
	return false;
}

static bool same_cpu(const struct cpu *a, const struct cpu *b)
{
	bool same = true;

	for (unsigned i = 0; i < GPR_COUNT; i++)
		same &= same_value("register", i, a->gpr[i], b->gpr[i]);
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		same &= same_value("selector", i, a->seg[i].selector, b->seg[i].selector);
		same &= same_value("base", i, a->seg[i].base, b->seg[i].base);
		same &= same_value("limit", i, a->seg[i].limit, b->seg[i].limit);
		same &= same_value("attr", i, a->seg[i].attr, b->seg[i].attr);
	}
	same &= same_value("rip", 0, a->rip, b->rip);
	same &= same_value("rflags", 0, a->rflags, b->rflags);
	same &= same_value("cr", 0, a->cr0, b->cr0);
	same &= same_value("cr", 2, a->cr2, b->cr2);
	same &= same_value("cpl", 0, a->cpl, b->cpl);
	same &= same_value("activity", 0, a->activity, b->activity);
	same &= same_value("x87 control", 0, load_le(a->fpu.image, 6), load_le(b->fpu.image, 6));
	for (unsigned i = 0; i < 8; i++) {
		same &=
		    same_value("st", i, load_le(a->fpu.image + 32 + 16 * i, 8), load_le(b->fpu.image + 32 + 16 * i, 8));
	}
	for (unsigned i = 0; i < 16 * 2; i++) { /* halves */
		same &= same_value("xmm", i, load_le(a->fpu.image + FX_XMM0 + 8 * i, 8),
				   load_le(b->fpu.image + FX_XMM0 + 8 * i, 8));
		same &= same_value("ymm", i, load_le(a->fpu.image + FX_YMM + 8 * i, 8),
				   load_le(b->fpu.image + FX_YMM + 8 * i, 8));
	}
	for (unsigned i = 0; i < (CPU_XSAVE_BYTES - FX_K) / 8; i++)
		same &= same_value("k, zmm", i, load_le(a->fpu.image + FX_K + 8 * i, 8),
				   load_le(b->fpu.image + FX_K + 8 * i, 8));
	return same;
}

enum { TABLE_ENTRIES = 0x20000 / 4 };

struct tables {
	unsigned from, entries; /* of 4 bytes; those of 8 have A and D in the lower half */
	uint32_t entry[TABLE_ENTRIES];
};

/* Accessed and dirty bits depend on what a processor looks at ahead and on what it still remembers (4.8, 4.10). */
static uint32_t table_entry(const struct machine *m, const struct tables *t, unsigned n)
{
	uint32_t entry = (uint32_t)load_le(&m->pm.ram.host[t->from + 4 * n], 4);

	return m->mode == ISA_LONG && n % 2 ? entry : entry & ~(uint32_t)(PTE_A | PTE_D);
}

static void note_tables(const struct machine *m, struct tables *t)
{
	bool wide = m->mode == ISA_LONG;

	t->from = wide ? ISA_TABLES : GUEST_PAGE_DIRECTORY;
	t->entries = (wide ? ISA_RAM - ISA_TABLES : GUEST_PAGE_TABLE + PAGE_SIZE - GUEST_PAGE_DIRECTORY) / 4;
	ASSERT(t->entries <= TABLE_ENTRIES);
	for (unsigned i = 0; i < t->entries; i++)
		t->entry[i] = table_entry(m, t, i);
}

static bool in_tables(const struct tables *t, unsigned at)
{
	return at >= t->from && at < t->from + 4 * t->entries;
}

static bool same_memory(const struct physmem *a, const struct physmem *b, const struct tables *t)
{
	unsigned differ = 0;

	for (unsigned i = 0; i < ISA_RAM && differ < 8; i++)
		if (a->ram.host[i] != b->ram.host[i] && !in_tables(t, i))
			differ += !same_value("memory", i, a->ram.host[i], b->ram.host[i]);
	return !differ;
}

/* A guest that changes its page tables may or may not see it before a flush. */
static bool tables_changed(const struct machine *m, const struct tables *before)
{
	for (unsigned i = 0; i < before->entries; i++)
		if (table_entry(m, before, i) != before->entry[i])
			return true;
	return false;
}

static void print_cpu(const char *which, const struct cpu *c)
{
	fprintf(stderr, "%s: %x:%llx flags %llx cr0 %llx cr2 %llx eax %llx ecx %llx esp %llx activity %u\n", which,
		c->seg[SEG_CS].selector, (unsigned long long)c->rip, (unsigned long long)c->rflags,
		(unsigned long long)c->cr0, (unsigned long long)c->cr2, (unsigned long long)c->gpr[RAX],
		(unsigned long long)c->gpr[RCX], (unsigned long long)c->gpr[RSP], c->activity);
}

/*
 * Does the guest end translated as it did single-stepped? Whether RF is still set is a guess where instructions are not
 * counted (bt_restore_rf()), for a guest that has come back to where it was with all its registers: if RF differs, what
 * counts them has to agree.
 */
static bool ends_the_same(uint64_t seed, enum isa_engine engine, const struct guest *step, const struct tables *tables)
{
	struct guest bt;
	bool ok = false, same, guess = false;

	guest_create(&bt, seed, engine);
	if (!run_translator(&bt, 6 * NS_PER_SEC, &same)) {
		fprintf(stderr, "the guest ended single-stepped, not translated\n");
		print_cpu("step", &step->m->cpu);
		print_cpu("bt", &bt.m->cpu);
	} else {
		guess = engine != ENGINE_BT_PLAIN && (bt.m->cpu.rflags ^ step->m->cpu.rflags) == FLAG_RF;
		ok = guess || same_cpu(&bt.m->cpu, &step->m->cpu);
		ok &= same_memory(&bt.m->pm, &step->m->pm, tables);
	}
	machine_destroy(bt.m);
	return ok && (!guess || ends_the_same(seed, ENGINE_BT_PLAIN, step, tables));
}

static bool compare(uint64_t seed, enum isa_engine engine)
{
	struct tables tables;
	struct guest step;
	bool ok = true;

	guest_create(&step, seed, ENGINE_STEP);
	note_tables(step.m, &tables);
	if (run_step(&step) && !step.ambiguous && !tables_changed(step.m, &tables))
		ok = ends_the_same(seed, engine, &step, &tables);
	machine_destroy(step.m);
	return ok;
}

/* How far cases get: for whoever changes the generator. */
static void print_stats(const struct machine *m)
{
	const struct stats *s = &m->stats;

	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr,
			"mode %u: %llu executed, %llu exceptions, %llu blocks, %llu invalidated, %llu compared, %llu "
			"in lockstep\n",
			m->mode, (unsigned long long)s->insns_executed, (unsigned long long)s->exceptions,
			(unsigned long long)s->blocks_translated, (unsigned long long)s->invalidated_cpu_write,
			(unsigned long long)s->lockstep_blocks, (unsigned long long)s->lockstep_insns);
}

static bool run_case(uint64_t seed, const char *variant)
{
	struct guest g;
	bool same = true;

	if (!strcmp(variant, "compare"))
		return compare(seed, ENGINE_BT);
	if (!strcmp(variant, "few"))
		return compare(seed, ENGINE_BT_FEW);
	if (!strcmp(variant, "step")) {
		guest_create(&g, seed, ENGINE_STEP);
		run_step(&g);
	} else {
		guest_create(&g, seed, !strcmp(variant, "bt") ? ENGINE_BT : ENGINE_LOCKSTEP);
		run_translator(&g, BUDGET_NS, &same);
		shadow_audit(g.m->shadow);
		print_stats(g.m);
	}
	machine_destroy(g.m);
	return same;
}

int main(int argc, char **argv)
{
	static const char *const variants[] = {"step", "bt", "lockstep", "compare", "few", NULL};
	const char *trace = getenv("FUZZ_TRACE");
	char bad[64];

	if (trace)
		trace_select(trace, bad, sizeof(bad));

	return fuzz_main(
	    argc, argv,
	    &(struct fuzzer){.name = "fuzz_guest", .variants = variants, .run = run_case, .case_seconds = 40});
}
