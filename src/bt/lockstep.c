/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lockstep: the single-stepper runs a block first, on the real machine, with every memory write journaled and every
 * answer of a device recorded. Then memory and registers are put back, the translator runs the same instructions with
 * the recorded answers, and everything must come out the same.
 *
 * Masked: flags that the SDM calls undefined after the last instruction that left them so, and the x87 data pointer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt_internal.h"
#include "cpu/event.h"
#include "cpu/fpu.h"
#include "cpu/mem.h"
#include "cpu/step.h"
#include "cpu/sys.h"
#include "cpu/tlb.h"
#include "trace.h"

enum { MAX_WRITES = 16384, MAX_ANSWERS = 16384, WRITE_PIECE = 64 };

enum answer_kind {
	ANS_PORT_IN,
	ANS_PORT_OUT,
	ANS_TSC,
	ANS_MMIO_READ,
	ANS_MMIO_WRITE,
	ANS_MSR_READ,
	ANS_MSR_WRITE,
	ANS_CR8_READ,
	ANS_CR8_WRITE
};

/* One exchange with the machine. */
struct answer {
	uint8_t kind;
	bool ok;
	uint64_t where, size, value;
};

/* A piece of memory before and after the single-stepper wrote it. */
struct written {
	gpa_t gpa;
	uint8_t len;
	uint8_t before[WRITE_PIECE], after[WRITE_PIECE];
};

struct lockstep {
	struct bt *bt;
	struct cpu before, reference;
	const struct cpu_ops *real_ops;
	struct cpu_ops ops;
	struct cpu_journal journal;
	bool replaying;
	bool overflow;		/* a table was too small: this unit is not compared */
	bool flushed;		/* translations were dropped or switched during the reference run */
	bool tables_written;	/* a page-table entry changed: the unit is not compared, and stale translations go */
	bool mmx_store_faulted; /* processors then set TOP to 0, the single-stepper asks first: x87 is not compared */
	bool inside;		/* the machine answers: what it asks of the CPU meanwhile is no exchange */
	bool differs;		/* the translator asked the machine something else */
	struct written writes[MAX_WRITES];
	unsigned nwrites;
	struct answer answers[MAX_ANSWERS];
	unsigned nanswers, next_answer;
	struct insn insns[BLOCK_MAX_INSNS];
	uint32_t undefined; /* flags undefined at the end */
	unsigned started;   /* instructions of the reference run, with the one under way */
};

static struct lockstep *state_of(void *m);

/* --- exchanges with the machine --- */

/* Records a new exchange, or finds the recorded one; NULL if there is none like it. */
static struct answer *exchange(struct lockstep *ls, enum answer_kind kind, uint64_t where, uint64_t size)
{
	struct answer *a;

	if (!ls->replaying) {
		if (ls->nanswers == MAX_ANSWERS) {
			ls->overflow = true;
			ls->nanswers = 0;
		}
		a = &ls->answers[ls->nanswers++];
		*a = (struct answer){.kind = (uint8_t)kind, .ok = true, .where = where, .size = size};
		return a;
	}
	a = &ls->answers[ls->next_answer];
	if (ls->next_answer == ls->nanswers || a->kind != kind || a->where != where || a->size != size) {
		ls->differs = true;
		fprintf(stderr,
			"lockstep: the translator asks for %u %" PRIx64 " (%" PRIu64
			"), which the single-stepper did not\n",
			kind, where, size);
		return NULL;
	}
	ls->next_answer++;
	return a;
}

static bool sent_differs(struct lockstep *ls, const struct answer *a, uint64_t value)
{
	if (a && a->value != value) {
		fprintf(stderr, "lockstep: %" PRIx64 " sent to %" PRIx64 ", single-stepped %" PRIx64 "\n", value,
			a->where, a->value);
		ls->differs = true;
	}
	return false;
}

static uint32_t port_in(void *m, uint16_t port, unsigned size)
{
	struct lockstep *ls = state_of(m);
	struct answer *a = exchange(ls, ANS_PORT_IN, port, size);

	if (a && !ls->replaying) {
		ls->inside = true;
		a->value = ls->real_ops->port_in(ls->before.machine, port, size);
		ls->inside = false;
	}
	return a ? (uint32_t)a->value : 0;
}

static void port_out(void *m, uint16_t port, unsigned size, uint32_t value)
{
	struct lockstep *ls = state_of(m);
	struct answer *a = exchange(ls, ANS_PORT_OUT, port, size);

	if (ls->replaying) {
		sent_differs(ls, a, value);
		return;
	}
	a->value = value;
	ls->inside = true;
	ls->real_ops->port_out(ls->before.machine, port, size, value);
	ls->inside = false;
}

static uint64_t tsc(void *m)
{
	struct lockstep *ls = state_of(m);
	struct answer *a;

	if (ls->inside) /* the local APIC, about its deadline */
		return ls->real_ops->tsc(ls->before.machine);
	a = exchange(ls, ANS_TSC, 0, 0);

	if (a && !ls->replaying)
		a->value = ls->real_ops->tsc(ls->before.machine);
	return a ? a->value : 0;
}

static bool msr_read(void *m, uint32_t index, uint64_t *value)
{
	struct lockstep *ls = state_of(m);
	struct answer *a = exchange(ls, ANS_MSR_READ, index, 0);

	if (a && !ls->replaying) {
		ls->inside = true;
		a->ok = ls->real_ops->apic_msr_read(ls->before.machine, index, &a->value);
		ls->inside = false;
	}
	*value = a ? a->value : 0;
	return a && a->ok;
}

static bool msr_write(void *m, uint32_t index, uint64_t value)
{
	struct lockstep *ls = state_of(m);
	struct answer *a = exchange(ls, ANS_MSR_WRITE, index, 0);

	if (ls->replaying)
		return sent_differs(ls, a, value) || (a && a->ok);
	a->value = value;
	ls->inside = true;
	a->ok = ls->real_ops->apic_msr_write(ls->before.machine, index, value);
	ls->inside = false;
	return a->ok;
}

static uint64_t cr8_read(void *m)
{
	struct lockstep *ls = state_of(m);
	struct answer *a = exchange(ls, ANS_CR8_READ, 0, 0);

	if (a && !ls->replaying)
		a->value = ls->real_ops->cr8_read(ls->before.machine);
	return a ? a->value : 0;
}

static void cr8_write(void *m, uint64_t value)
{
	struct lockstep *ls = state_of(m);
	struct answer *a = exchange(ls, ANS_CR8_WRITE, 0, 0);

	if (ls->replaying) {
		sent_differs(ls, a, value);
		return;
	}
	a->value = value;
	ls->real_ops->cr8_write(ls->before.machine, value);
}

static void mmu_event(void *m, enum mmu_event event, gva_t address)
{
	struct lockstep *ls = state_of(m);

	/* In both runs: the translator's own mappings must follow what it does. Global pages may outlive a load of CR3
	 * there, but not in the single-stepper, which keeps nothing. */
	ls->flushed = true;
	ls->real_ops->mmu_event(ls->before.machine, event == MMU_CR3 ? MMU_CR4 : event, address);
}

static void ferr(void *m, bool level)
{
	struct lockstep *ls = state_of(m);

	if (!ls->replaying)
		ls->real_ops->ferr(ls->before.machine, level);
}

static void triple_fault(void *m)
{
	struct lockstep *ls = state_of(m);

	if (!ls->replaying)
		ls->real_ops->triple_fault(ls->before.machine);
}

static void machine_reads(struct lockstep *ls, gpa_t gpa, void *buf, unsigned len)
{
	ls->inside = true;
	physmem_read(ls->bt->pm, gpa, buf, len);
	ls->inside = false;
}

static void device_read(void *arg, gpa_t gpa, void *buf, unsigned len)
{
	struct lockstep *ls = arg;
	uint8_t *to = buf;

	for (unsigned done = 0; done < len; done += 8) {
		unsigned n = MIN(len - done, 8u);
		struct answer *a = exchange(ls, ANS_MMIO_READ, gpa + done, n);
		if (a && !ls->replaying)
			machine_reads(ls, gpa + done, &a->value, n);
		store_le(to + done, n, a ? a->value : 0);
	}
}

static void device_write(void *arg, gpa_t gpa, const void *buf, unsigned len)
{
	struct lockstep *ls = arg;

	for (unsigned done = 0; done < len; done += 8) {
		unsigned n = MIN(len - done, 8u);
		uint64_t value = load_le((const uint8_t *)buf + done, n);
		struct answer *a = exchange(ls, ANS_MMIO_WRITE, gpa + done, n);
		if (ls->replaying) {
			sent_differs(ls, a, value);
			continue;
		}
		a->value = value;
		ls->inside = true;
		physmem_write(ls->bt->pm, gpa + done, &value, n);
		ls->inside = false;
	}
}

/* --- memory --- */

/* Does the page hold entries of the address space in use, outside long mode? `dir` and what it points to, of `n`
 * entries of `size` bytes. */
static bool in_directory(const struct cpu *cpu, gpa_t dir, unsigned n, unsigned size, gpa_t page)
{
	const uint8_t *host = physmem_host(cpu->pm, dir, NULL);

	if (page == dir)
		return true;
	for (unsigned i = 0; host && i < n; i++) {
		uint64_t entry = load_le(host + (size_t)i * size, size);
		if ((entry & PTE_P) && !(entry & PTE_PS) && ((entry & ~PTE_NX) >> PAGE_SHIFT) == page >> PAGE_SHIFT)
			return true;
	}
	return false;
}

static bool is_page_table(const struct cpu *cpu, gpa_t gpa)
{
	gpa_t page = ALIGN_DOWN(gpa, PAGE_SIZE);

	if (!cpu_paging(cpu))
		return false;
	if (!(cpu->cr4 & CR4_PAE))
		return in_directory(cpu, cpu->cr3 & 0xfffff000u, 1024, 4, page);
	for (unsigned i = 0; i < 4; i++)
		if ((cpu->pdpte[i] & PTE_P) && in_directory(cpu, ALIGN_DOWN(cpu->pdpte[i], PAGE_SIZE), 512, 8, page))
			return true;
	return false;
}

static void on_write(void *arg, gpa_t gpa, unsigned len)
{
	struct lockstep *ls = arg;

	if (ls->replaying)
		return;
	while (len) {
		unsigned n = MIN(len, (unsigned)WRITE_PIECE);
		uint64_t left;
		const uint8_t *host = physmem_host(ls->bt->pm, gpa, &left);
		if (ls->nwrites == MAX_WRITES)
			ls->overflow = true;
		ls->tables_written |= is_page_table(ls->bt->cpu, gpa);
		if (host && ls->nwrites < MAX_WRITES) {
			struct written *w = &ls->writes[ls->nwrites++];
			n = (unsigned)MIN(n, left);
			w->gpa = gpa;
			w->len = (uint8_t)n;
			memcpy(w->before, host, n);
		}
		gpa += n;
		len -= n;
	}
}

/* Accessed and dirty bits stay set in the second run, in which an earlier instruction of the unit may look at them. */
static void on_accessed(void *arg)
{
	struct lockstep *ls = arg;

	if (!ls->replaying && ls->started > 1)
		ls->overflow = true;
}

static void note_after(struct lockstep *ls)
{
	for (unsigned i = 0; i < ls->nwrites; i++)
		memcpy(ls->writes[i].after, physmem_host(ls->bt->pm, ls->writes[i].gpa, NULL), ls->writes[i].len);
}

static void undo_writes(struct lockstep *ls)
{
	for (unsigned i = ls->nwrites; i-- > 0;) {
		const struct written *w = &ls->writes[i];
		const struct pm_region *r = physmem_span(ls->bt->pm, w->gpa)->region;
		if (r && r->kind == PM_RAM)
			memcpy(physmem_host(ls->bt->pm, w->gpa, NULL), w->before, w->len);
	}
}

/* --- comparison --- */

static bool same_bytes(const char *what, const void *bt, const void *ref, size_t len, bool *same)
{
	if (!memcmp(bt, ref, len))
		return true;
	*same = false;
	fprintf(stderr, "lockstep: %s: translated", what);
	for (size_t i = 0; i < len && i < 32; i++)
		fprintf(stderr, " %02x", ((const uint8_t *)bt)[i]);
	fprintf(stderr, ", single-stepped");
	for (size_t i = 0; i < len && i < 32; i++)
		fprintf(stderr, " %02x", ((const uint8_t *)ref)[i]);
	fputc('\n', stderr);
	return false;
}

static bool same_number(const char *what, uint64_t bt, uint64_t ref)
{
	if (bt == ref)
		return true;
	fprintf(stderr, "lockstep: %s: translated %" PRIx64 ", single-stepped %" PRIx64 "\n", what, bt, ref);
	return false;
}

#define SAME(field) same &= same_number(#field, cpu->field, ref->field)

static bool same_segments(const struct cpu *cpu, const struct cpu *ref)
{
	bool same = true;

	for (unsigned i = 0; i < SEG_COUNT; i++) {
		SAME(seg[i].selector);
		SAME(seg[i].base);
		SAME(seg[i].limit);
		SAME(seg[i].attr);
	}
	SAME(ldtr.selector);
	SAME(ldtr.base);
	SAME(tr.selector);
	SAME(tr.base);
	SAME(tr.attr);
	SAME(gdtr.base);
	SAME(gdtr.limit);
	SAME(idtr.base);
	SAME(idtr.limit);
	return same;
}

static bool same_registers(const struct lockstep *ls, const struct cpu *cpu, const struct cpu *ref)
{
	static const char *const names[GPR_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	bool same = true;

	for (unsigned i = 0; i < GPR_COUNT; i++)
		same &= same_number(names[i], cpu->gpr[i], ref->gpr[i]);
	same &= same_number("rflags", cpu->rflags & ~(uint64_t)ls->undefined, ref->rflags & ~(uint64_t)ls->undefined);
	SAME(rip);
	SAME(cr0);
	SAME(cr2);
	SAME(cr3);
	SAME(cr4);
	SAME(efer);
	SAME(dr[6]);
	SAME(dr[7]);
	SAME(cpl);
	SAME(shadow);
	SAME(activity);
	SAME(nmi_blocked);
	SAME(pending_db);
	SAME(tsc_offset);
	SAME(sysenter_cs);
	SAME(sysenter_esp);
	SAME(sysenter_eip);
	return same;
}

/* AMD's processors may have lost the x87 instruction pointer, but for that of an exception (cpu/fpu.c). */
static bool lost_pointers(const uint8_t *image)
{
	return !load_le(image + FX_FIP, 8) && !(image[FX_FSW] & FSW_ES);
}

/* The data pointer is not compared: processors may set it for exceptions only. */
static bool same_fpu(const struct cpu *cpu, const struct cpu *ref)
{
	const uint8_t *image = cpu->fpu.image, *wanted = ref->fpu.image;
	bool same = true;

	same_bytes("x87 control", image, wanted, FX_FOP, &same);
	if (!lost_pointers(image) && !lost_pointers(wanted))
		same_bytes("x87 instruction", image + FX_FOP, wanted + FX_FOP, FX_FDP - FX_FOP, &same);
	same_bytes("MXCSR", image + FX_MXCSR, wanted + FX_MXCSR, 4, &same);
	for (unsigned i = 0; i < 8; i++)
		same_bytes("x87 register", image + FX_ST0 + 16 * i, wanted + FX_ST0 + 16 * i, 10, &same);
	same_bytes("XMM registers", image + FX_XMM0, wanted + FX_XMM0, 256, &same);
	return same;
}

static bool same_memory(const struct lockstep *ls)
{
	bool same = true;
	char what[32];

	for (unsigned i = 0; i < ls->nwrites; i++) {
		const struct written *w = &ls->writes[i];
		snprintf(what, sizeof(what), "memory at %" PRIx64, w->gpa);
		same_bytes(what, physmem_host(ls->bt->pm, w->gpa, NULL), w->after, w->len, &same);
	}
	return same;
}

static void print_block(const struct lockstep *ls, const struct block *b, unsigned count)
{
	char text[96];
	const struct cpu *c = &ls->before;

	fprintf(stderr, "lockstep: in the block at %x (%u instructions), which began with\n", b->linear, count);
	fprintf(stderr, "  eax %08" PRIx64 " ecx %08" PRIx64 " edx %08" PRIx64 " ebx %08" PRIx64 "\n", c->gpr[RAX],
		c->gpr[RCX], c->gpr[RDX], c->gpr[RBX]);
	fprintf(stderr,
		"  esp %08" PRIx64 " ebp %08" PRIx64 " esi %08" PRIx64 " edi %08" PRIx64 " flags %08" PRIx64 "\n",
		c->gpr[RSP], c->gpr[RBP], c->gpr[RSI], c->gpr[RDI], c->rflags);
	for (unsigned i = 0; i < count && i < BLOCK_MAX_INSNS; i++) {
		insn_format(&ls->insns[i], ls->before.rip, text, sizeof(text));
		fprintf(stderr, "  %s\n", text);
	}
	bt_dump(ls->bt);
}

/* --- one unit --- */

static bool touches_ports(const struct insn *in)
{
	switch (in->id) {
	case INSN_IN:
	case INSN_OUT:
	case INSN_INSB:
	case INSN_INSW:
	case INSN_INSD:
	case INSN_OUTSB:
	case INSN_OUTSW:
	case INSN_OUTSD:
		return true;
	}
	return false;
}

/* Single-steps one instruction to its end. False: nothing more in this unit. */
static bool reference_insn(struct lockstep *ls, struct insn *in)
{
	struct cpu *cpu = ls->bt->cpu;
	unsigned answers = ls->nanswers;
	uint64_t rip = cpu->rip;
	struct x86_fault f;

	if (!cpu_fetch(cpu, in, &f)) {
		memset(in, 0, sizeof(*in));
		cpu_step(cpu);
		return false;
	}
	/* The same number does not come twice. */
	if (in->id == INSN_RDRAND || in->id == INSN_RDSEED)
		ls->overflow = true;
	do {
		if (cpu_step(cpu) != STEP_DONE) {
			ls->mmx_store_faulted = in->mem_write && (insn_rows[in->id].checks & CHK_MMX);
			/* Repeated compares: Intel's processors put the flags back, AMD's leave those of the last
			 * element, and so does what ran in the cache. */
			ls->overflow |= in->repeats && in->flags_written;
			return false;
		}
		/* Billions of elements: whoever wants the thread back does not wait for them. */
		if (in->repeats && cpu->rip == rip && *ls->bt->stop)
			ls->overflow = true;
		/* The single-stepper sees a changed page table at once, the translator after the guest's flush. */
		if (ls->tables_written)
			ls->overflow = true;
	} while (in->repeats && cpu->rip == rip && cpu->activity == CPU_RUNNING && !cpu->pending_db && !ls->overflow);
	ls->undefined = (ls->undefined & ~in->flags_written) | in->flags_undefined;
	return ls->nanswers == answers && !ls->overflow;
}

/* The reference run along the block: the number of instructions. */
static unsigned run_reference(struct lockstep *ls, const struct block *b)
{
	struct cpu *cpu = ls->bt->cpu;
	unsigned n = 0;

	ls->nwrites = ls->nanswers = ls->next_answer = 0;
	ls->undefined = ls->started = 0;
	ls->flushed = ls->overflow = ls->differs = ls->replaying = ls->tables_written = ls->mmx_store_faulted = false;
	cpu->ops = &ls->ops;
	cpu->machine = ls;
	cpu->journal = &ls->journal;
	while (n < b->ninsns && (uint32_t)cpu->rip == b->eip + b->map[n].guest) {
		struct insn peek;
		struct x86_fault f;
		if (n && cpu_debug_active(cpu))
			break; /* POPF set TF: not a block's code any more */
		if (n && !cpu->shadow && cpu_fetch(cpu, &peek, &f) && touches_ports(&peek))
			break; /* a device may write memory: its instruction stands alone */
		ls->started = ++n;
		if (!reference_insn(ls, &ls->insns[n - 1]))
			break;
		/* An interrupt that waited for STI or POPF: those leave the cache then. */
		if (cpu->activity != CPU_RUNNING || cpu->pending_db || cpu_event_ready(cpu) || !b->valid)
			break;
	}
	return n;
}

static void leave_unit(struct lockstep *ls)
{
	struct cpu *cpu = ls->bt->cpu;

	cpu->ops = ls->real_ops;
	cpu->machine = ls->before.machine;
	cpu->journal = NULL;
	tlb_flush(cpu); /* what the reference run dropped may have come back with the registers */
}

/* What the machine changed in the CPU during the reference run stays. */
static void keep_inputs(struct cpu *cpu, const struct cpu *ref)
{
	cpu->intr = ref->intr;
	cpu->nmi = ref->nmi;
	cpu->ferr = ref->ferr;
}

/* All but the TLB, which is empty between units, and the part of the XSAVE image that no guest uses (AVX is not shown):
 * they are two thirds of the structure. */
static void copy_cpu(struct cpu *to, const struct cpu *from)
{
	enum {
		FXSAVE_END = offsetof(struct cpu, fpu) + FX_BYTES,
		FPU_END = offsetof(struct cpu, fpu) + sizeof(struct fpu_state),
		TLB = offsetof(struct cpu, tlb),
		TLB_END = TLB + sizeof(struct tlb),
	};
	uint8_t *t = (uint8_t *)to;
	const uint8_t *f = (const uint8_t *)from;

	_Static_assert((int)FPU_END <= (int)TLB, "the parts are in this order");
	memcpy(t, f, FXSAVE_END);
	memcpy(t + FPU_END, f + FPU_END, TLB - FPU_END);
	memcpy(t + TLB_END, f + TLB_END, sizeof(struct cpu) - TLB_END);
}

static bool run_translated(struct lockstep *ls, struct block *b, unsigned count)
{
	struct bt *bt = ls->bt;
	struct cpu *cpu = bt->cpu;

	copy_cpu(cpu, &ls->before);
	tlb_flush(cpu);
	cpu->bt_indirect = bt->miss_table;
	if (ls->flushed) /* what is cached belongs to the state at the end of the reference run */
		ls->real_ops->mmu_event(ls->before.machine, MMU_CR4, 0);
	cpu->ops = &ls->ops;
	cpu->machine = ls;
	cpu->journal = &ls->journal;
	keep_inputs(cpu, &ls->before);
	ls->replaying = true;
	bt->count_limit = bt->frame.count + count;
	bt->current = b;
	bt->resume = b->body;
	bt->resume_uncounted = 0;
	while (bt->frame.count < bt->count_limit && !ls->differs) {
		bt->frame.kick = 0;
		if (bt->resume)
			bt_run_once(bt);
		else
			bt_step(bt, &bt->stats->stepped_callout);
	}
	return !ls->differs && bt->frame.count == bt->count_limit;
}

static bool compare(struct lockstep *ls, const struct block *b, unsigned count, bool ran)
{
	struct cpu *cpu = ls->bt->cpu;
	bool same = ran;

	same &= same_registers(ls, cpu, &ls->reference);
	same &= same_segments(cpu, &ls->reference);
	same &= ls->mmx_store_faulted || same_fpu(cpu, &ls->reference);
	same &= same_memory(ls);
	if (same && ls->next_answer != ls->nanswers) {
		fprintf(stderr, "lockstep: the translator made %u of %u exchanges with devices\n", ls->next_answer,
			ls->nanswers);
		same = false;
	}
	if (!same)
		print_block(ls, b, count);
	return same;
}

static struct lockstep *make_state(struct bt *bt)
{
	struct lockstep *ls = calloc(1, sizeof(*ls));

	if (!ls)
		return NULL;
	ls->bt = bt;
	ls->ops = (struct cpu_ops){.port_in = port_in,
				   .port_out = port_out,
				   .tsc = tsc,
				   .mmu_event = mmu_event,
				   .apic_msr_read = msr_read,
				   .apic_msr_write = msr_write,
				   .cr8_read = cr8_read,
				   .cr8_write = cr8_write,
				   .ferr = ferr,
				   .triple_fault = triple_fault};
	ls->journal = (struct cpu_journal){
	    .write = on_write, .io_read = device_read, .io_write = device_write, .accessed = on_accessed, .arg = ls};
	return ls;
}

static struct lockstep *state_of(void *m)
{
	return m;
}

void bt_lockstep_destroy(struct bt *bt)
{
	free(bt->lockstep_state);
}

static void drop_stale(struct lockstep *ls)
{
	if (ls->tables_written)
		ls->real_ops->mmu_event(ls->before.machine, MMU_CR4, 0);
}

static bool lockstep_block(struct bt *bt, struct context *ctx)
{
	struct lockstep *ls = bt->lockstep_state;
	struct block *b = bt_find_block(bt, ctx);
	unsigned count;
	bool ran, same;

	if (!b) {
		bt_step(bt, &bt->stats->stepped_fault);
		return true;
	}
	copy_cpu(&ls->before, bt->cpu);
	ls->real_ops = bt->cpu->ops;
	count = run_reference(ls, b);
	copy_cpu(&ls->reference, bt->cpu);
	/* The block changed its own code, or the unit is too large to be recorded or not to be repeated: the reference
	 * run stands. */
	if (!b->valid || ls->overflow) {
		leave_unit(ls);
		drop_stale(ls);
		bt->frame.count += count;
		return true;
	}
	note_after(ls);
	undo_writes(ls);
	ran = run_translated(ls, b, count);
	leave_unit(ls);
	keep_inputs(bt->cpu, &ls->reference);
	same = compare(ls, b, count, ran);
	bt->stats->lockstep_blocks++;
	bt->stats->lockstep_insns += count;
	return same;
}

/* Fetching from device memory is an exchange itself, and the reference run fetches more often. */
static bool code_in_device(const struct bt *bt)
{
	for (unsigned at = 0; at < INSN_MAX_BYTES; at += INSN_MAX_BYTES - 1) {
		uint32_t linear = (uint32_t)cpu_linear_pc(bt->cpu) + at;
		struct translation t = {.gpa = linear};
		const struct pm_region *r;
		struct x86_fault f;
		if (cpu_paging(bt->cpu) && !cpu_walk(bt->cpu, linear, ACC_EXEC, bt->cpu->cpl == 3, false, &t, &f))
			continue;
		r = physmem_span(bt->pm, t.gpa & bt->pm->a20_mask)->region;
		if (r && r->kind == PM_IO)
			return true;
	}
	return false;
}

bool bt_lockstep(struct bt *bt)
{
	struct context *ctx;
	bool same = true;

	if (!bt->lockstep_state && !(bt->lockstep_state = make_state(bt)))
		return false;
	bt->lockstep = true;
	bt_begin(bt);
	while (same && !bt_must_return(bt)) {
		ctx = bt->cpu->shadow || bt->cpu->pending_db || code_in_device(bt) ? NULL : bt_context(bt);
		if (ctx)
			same = lockstep_block(bt, bt->ctx = ctx);
		else
			bt_step(bt, &bt->stats->stepped_debug);
		bt->stats->insns_executed = bt->frame.count;
	}
	bt_end(bt);
	return same;
}
