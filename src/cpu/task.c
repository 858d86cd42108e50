/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task switches between 16- and 32-bit TSSs (SDM vol. 3 7.2, 7.3). Up to the commit point a fault belongs to the old
 * task and has changed nothing; after it, the segments of the new task are loaded one by one, and a fault is the new
 * task's.
 */
#include <string.h>

#include "tlb.h"
#include "trace.h"
#include "transfer_internal.h"

/* Offsets (figures 7-2, 7-10); from `ip` to `ldt` is what a switch saves. Segments in the order of SEG_*. */
struct tss_layout {
	uint8_t word, ip, flags, gpr, seg, nsegs, ldt, limit;
};

static const struct tss_layout tss16 = {
    .word = 2, .ip = 0x0e, .flags = 0x10, .gpr = 0x12, .seg = 0x22, .nsegs = 4, .ldt = 0x2a, .limit = 0x2b};
static const struct tss_layout tss32 = {
    .word = 4, .ip = 0x20, .flags = 0x24, .gpr = 0x28, .seg = 0x48, .nsegs = 6, .ldt = 0x60, .limit = 0x67};

enum { TSS32_CR3 = 0x1c, TSS32_TRAP = 0x64, TSS_BYTES = 0x68, GPRS_SAVED = 8 };

/* DR7.L0-L3 and LE: cleared by every switch (17.2.4). */
#define DR7_LOCAL (DR7_L(0) | DR7_L(1) | DR7_L(2) | DR7_L(3) | DR7_L(4))

/* A switch in preparation. */
struct task {
	uint16_t selector;
	struct descriptor d;
	struct segment tr;
	const struct tss_layout *layout, *old_layout;
	uint8_t image[TSS_BYTES]; /* the new TSS */
	uint8_t saved[TSS_BYTES]; /* what the old one receives, at its offsets */
	bool load_cr3;
	uint64_t cr3, pdpte[4];
};

static const struct tss_layout *layout_of(unsigned attr)
{
	return attr & 8 ? &tss32 : &tss16;
}

/* The TSS descriptor: in the GDT, of the right type, present, long enough. */
static bool check_descriptor(struct cpu *cpu, struct task *t, enum task_switch why, struct x86_fault *f)
{
	unsigned vector = why == TASK_IRET ? EXC_TS : EXC_GP;

	if (t->selector & SEL_TI)
		return raise_selector(f, vector, t->selector);
	if (!cpu_read_descriptor(cpu, t->selector, &t->d, vector, f))
		return false;
	unsigned attr = desc_attr(t->d.low), type = attr_system_type(attr);
	bool fits = why == TASK_IRET ? type == SYS_TSS16_BUSY || type == SYS_TSS32_BUSY
				     : type == SYS_TSS16 || type == SYS_TSS32;
	if (!fits)
		return raise_selector(f, vector, t->selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, t->selector);
	cpu_segment_from_descriptor(&t->tr, t->selector, t->d.low);
	t->tr.attr |= SYS_TSS16_BUSY ^ SYS_TSS16;
	t->layout = layout_of(attr);
	if (t->tr.limit < t->layout->limit)
		return raise_selector(f, EXC_TS, t->selector);
	return true;
}

/* The old TSS with the state of the present task, in t->saved. */
static void save_state(const struct cpu *cpu, struct task *t, uint64_t rip, uint64_t rflags)
{
	const struct tss_layout *l = t->old_layout;

	store_le(t->saved + l->ip, l->word, rip);
	store_le(t->saved + l->flags, l->word, rflags);
	for (unsigned i = 0; i < GPRS_SAVED; i++)
		store_le(t->saved + l->gpr + i * l->word, l->word, cpu->gpr[i]);
	for (unsigned i = 0; i < l->nsegs; i++)
		store_le(t->saved + l->seg + i * l->word, 2, cpu->seg[i].selector);
}

/* Everything that memory accesses or CR3 could refuse, before anything changes (7.3, step 6). */
static bool prepare(struct cpu *cpu, struct task *t, enum task_switch why, struct x86_fault *f)
{
	const struct tss_layout *old = t->old_layout = layout_of(cpu->tr.attr);
	bool nested = why == TASK_CALL || why == TASK_EVENT;

	if ((cpu->tr.attr & SEG_NULL) || cpu->tr.limit < old->ldt - 1u)
		return raise_selector(f, EXC_TS, cpu->tr.selector);
	if (!cpu_read_linear(cpu, t->tr.base, t->image, t->layout->limit + 1u, ACC_READ | ACC_SYSTEM, f))
		return false;
	if (nested && !cpu_probe_linear(cpu, t->tr.base, 2, ACC_WRITE | ACC_SYSTEM, f))
		return false;
	if (!cpu_probe_linear(cpu, cpu->tr.base + old->ip, old->ldt - old->ip, ACC_WRITE | ACC_SYSTEM, f) ||
	    !cpu_read_linear(cpu, cpu->tr.base + old->ip, t->saved + old->ip, old->ldt - old->ip, ACC_READ | ACC_SYSTEM,
			     f))
		return false;
	if (why != TASK_IRET &&
	    !cpu_probe_linear(cpu, cpu_descriptor_address(cpu, t->selector) + 5, 1, ACC_WRITE | ACC_SYSTEM, f))
		return false;
	if (!nested && !selector_null(cpu->tr.selector) &&
	    !cpu_probe_linear(cpu, cpu_descriptor_address(cpu, cpu->tr.selector) + 5, 1, ACC_WRITE | ACC_SYSTEM, f))
		return false;
	t->load_cr3 = cpu_paging(cpu) && t->layout == &tss32;
	if (!t->load_cr3)
		return true;
	t->cr3 = load_le(t->image + TSS32_CR3, 4);
	if (!(cpu->cr4 & CR4_PAE))
		return true;
	/* Memory is still that of the old task until the commit. */
	uint64_t old_pdpte[4];
	memcpy(old_pdpte, cpu->pdpte, sizeof(old_pdpte));
	if (!cpu_load_pdptes(cpu, t->cr3, f))
		return false;
	memcpy(t->pdpte, cpu->pdpte, sizeof(old_pdpte));
	memcpy(cpu->pdpte, old_pdpte, sizeof(old_pdpte));
	return true;
}

static bool set_busy(struct cpu *cpu, uint16_t selector, bool busy, struct x86_fault *f)
{
	gva_t address = cpu_descriptor_address(cpu, selector) + 5;
	uint8_t type;

	if (!cpu_read_linear(cpu, address, &type, 1, ACC_READ | ACC_SYSTEM, f))
		return false;
	type = (uint8_t)(busy ? type | 2 : type & ~2);
	return cpu_write_linear(cpu, address, &type, 1, ACC_WRITE | ACC_SYSTEM, f);
}

/* Writes to memory: busy bits, the old TSS, the link. prepare() has seen to it that none can fault. */
static bool commit_memory(struct cpu *cpu, struct task *t, enum task_switch why, struct x86_fault *f)
{
	const struct tss_layout *old = t->old_layout;
	bool nested = why == TASK_CALL || why == TASK_EVENT;

	if (!nested && !selector_null(cpu->tr.selector) && !set_busy(cpu, cpu->tr.selector, false, f))
		return false;
	if (!cpu_write_linear(cpu, cpu->tr.base + old->ip, t->saved + old->ip, old->ldt - old->ip,
			      ACC_WRITE | ACC_SYSTEM, f))
		return false;
	if (nested &&
	    !cpu_write_linear(cpu, t->tr.base, &cpu->tr.selector, sizeof(uint16_t), ACC_WRITE | ACC_SYSTEM, f))
		return false;
	if (why != TASK_IRET && !set_busy(cpu, t->selector, true, f))
		return false;
	/* Once more: the TSSs may overlap. */
	return cpu_read_linear(cpu, t->tr.base, t->image, t->layout->limit + 1u, ACC_READ | ACC_SYSTEM, f);
}

/* The registers; segments by selector only, unusable until load_segments(). */
static void commit_registers(struct cpu *cpu, const struct task *t, enum task_switch why)
{
	const struct tss_layout *l = t->layout;
	uint64_t flags = load_le(t->image + l->flags, l->word) & FLAGS_ALL;

	if (why == TASK_CALL || why == TASK_EVENT)
		flags |= FLAG_NT;
	cpu->tr = t->tr;
	cpu->cr0 |= CR0_TS;
	cpu->dr[7] &= ~DR7_LOCAL;
	if (t->load_cr3) {
		cpu->cr3 = t->cr3;
		if (cpu->cr4 & CR4_PAE)
			memcpy(cpu->pdpte, t->pdpte, sizeof(cpu->pdpte));
		if (cpu->ops->mmu_event)
			cpu_mmu_event(cpu, MMU_CR3, 0);
	}
	cpu->rflags = flags | FLAG_1;
	cpu->rip = cpu->next_rip = load_le(t->image + l->ip, l->word);
	for (unsigned i = 0; i < GPRS_SAVED; i++)
		cpu->gpr[i] = load_le(t->image + l->gpr + i * l->word, l->word);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		cpu->seg[i] = segment_null(i < l->nsegs ? (uint16_t)load_le(t->image + l->seg + i * l->word, 2) : 0);
	cpu->ldtr = segment_null((uint16_t)load_le(t->image + l->ldt, 2));
	cpu_set_cpl(cpu, flags & FLAG_VM ? 3 : cpu->seg[SEG_CS].selector & SEL_RPL);
	cpu->shadow = SHADOW_NONE;
}

static bool load_task_ldt(struct cpu *cpu, struct x86_fault *f)
{
	uint16_t selector = cpu->ldtr.selector;
	struct descriptor d;

	if (selector_null(selector))
		return true;
	if (selector & SEL_TI)
		return raise_selector(f, EXC_TS, selector);
	if (!cpu_read_descriptor(cpu, selector, &d, EXC_TS, f))
		return false;
	unsigned attr = desc_attr(d.low);
	if (attr_system_type(attr) != SYS_LDT || !(attr & SEG_P))
		return raise_selector(f, EXC_TS, selector);
	cpu_segment_from_descriptor(&cpu->ldtr, selector, d.low);
	return true;
}

static bool load_task_code(struct cpu *cpu, struct x86_fault *f)
{
	uint16_t selector = cpu->seg[SEG_CS].selector;
	struct descriptor d;

	if (!cpu_read_descriptor(cpu, selector, &d, EXC_TS, f))
		return false;
	unsigned attr = desc_attr(d.low), dpl = attr_dpl(attr), rpl = selector & SEL_RPL;
	if (!attr_code(attr) || (attr_conforming(attr) ? dpl > rpl : dpl != rpl))
		return raise_selector(f, EXC_TS, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	if (!cpu_mark_accessed(cpu, selector, &d, f))
		return false;
	cpu_segment_from_descriptor(&cpu->seg[SEG_CS], selector, d.low);
	return true;
}

/* In the new task's context (7.3, table 7-1). */
static bool load_segments(struct cpu *cpu, struct x86_fault *f)
{
	static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

	if (!load_task_ldt(cpu, f))
		return false;
	if (cpu_v86(cpu)) {
		for (unsigned i = 0; i < SEG_COUNT; i++)
			cpu_set_v86_segment(cpu, i, cpu->seg[i].selector);
		return true;
	}
	if (!load_task_code(cpu, f) ||
	    !cpu_check_stack(cpu, cpu->seg[SEG_SS].selector, cpu->cpl, EXC_TS, &cpu->seg[SEG_SS], f))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
		struct segment *s = &cpu->seg[data[i]];
		if (!cpu_check_data(cpu, s->selector, EXC_TS, s, f))
			return false;
	}
	return true;
}

bool cpu_switch_task(struct cpu *cpu, uint16_t selector, enum task_switch why, const uint16_t *error, uint64_t rip,
		     uint64_t rflags, struct x86_fault *f)
{
	struct task t = {.selector = selector};

	if (!check_descriptor(cpu, &t, why, f) || !prepare(cpu, &t, why, f))
		return false;
	save_state(cpu, &t, rip, why == TASK_IRET ? rflags & ~FLAG_NT : rflags);
	if (!commit_memory(cpu, &t, why, f))
		return false;
	trace(mode, "task switch %04x -> %04x", cpu->tr.selector, selector);
	commit_registers(cpu, &t, why);
	if (!load_segments(cpu, f))
		return false;
	if (error && !cpu_push(cpu, t.layout->word, *error, f))
		return false;
	if (!cpu_check_rip(cpu, &cpu->seg[SEG_CS], cpu->rip, f))
		return false;
	if (t.layout == &tss32 && (t.image[TSS32_TRAP] & 1))
		cpu->pending_db |= DR6_BT;
	return true;
}

bool cpu_task_switch(struct cpu *cpu, uint16_t selector, enum task_switch why, const uint16_t *error,
		     struct x86_fault *f)
{
	return cpu_switch_task(cpu, selector, why, error, why == TASK_EVENT ? cpu->rip : cpu->next_rip, cpu->rflags, f);
}
