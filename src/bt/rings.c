/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What C bodies of INT n, IRETD and VERW found, for translated code to repeat (xlat_gate.c): in cpu->bt_gate,
 * bt_return and bt_writable. It holds while gate and descriptors are the same, which that code checks, and GDTR, IDTR
 * and TR, which bt_tables_check does whenever the cache is entered.
 */
#include <string.h>

#include "bt_internal.h"
#include "cpu/mem.h"

enum { TSS32_ESP0 = 4, TSS32_END0 = 9 };     /* ESP0 and SS0 (7.2.1) */
enum { TSS64_RSP0_AT = 4, TSS64_END0 = 11 }; /* RSP0 (7.7) */
enum { GATE64_IST = 7 };

static bool same_table(const struct dtable *a, const struct dtable *b)
{
	return a->base == b->base && a->limit == b->limit;
}

static bool same_task(const struct segment *a, const struct segment *b)
{
	return a->base == b->base && a->limit == b->limit && a->attr == b->attr;
}

void bt_tables_check(struct bt *bt)
{
	static const struct ring_return unknown = {.cs.minus_selector = RING_UNKNOWN,
						   .ss.minus_selector = RING_UNKNOWN};
	struct cpu *cpu = bt->cpu;
	struct ring_tables *of = &bt->rings_of;

	if (UNLIKELY(cpu->cr0 != of->cr0 || cpu->cr4 != of->cr4 || cpu->xcr0 != of->xcr0 || cpu->efer != of->efer)) {
		cpu->bt_compat.table = NULL;
		if ((cpu->cr4 ^ of->cr4) & CR4_LA57) /* what was canonical */
			cpu->bt_compat_gate.vector = RING_UNKNOWN;
		of->cr0 = cpu->cr0;
		of->cr4 = cpu->cr4;
		of->xcr0 = cpu->xcr0;
		of->efer = cpu->efer;
	}
	if (LIKELY(same_table(&cpu->gdtr, &of->gdtr) && same_table(&cpu->idtr, &of->idtr) &&
		   same_task(&cpu->tr, &of->tr)))
		return;
	if (!same_table(&cpu->gdtr, &of->gdtr))
		bt_selectors_forget(bt);
	for (unsigned i = 0; i < RING_GATES; i++)
		cpu->bt_gate[i] = (struct ring_gate){.vector = RING_UNKNOWN};
	for (unsigned i = 0; i < ARRAY_LEN(cpu->bt_return); i++)
		cpu->bt_return[i] = cpu->bt_return64[i] = unknown;
	cpu->bt_compat.to = unknown;
	cpu->bt_compat_gate.vector = RING_UNKNOWN;
	cpu->bt_writable = (struct ring_selector){.minus_selector = RING_UNKNOWN};
	of->gdtr = cpu->gdtr;
	of->idtr = cpu->idtr;
	of->tr = cpu->tr;
}

bool bt_describe_selector(struct bt *bt, uint16_t selector, struct ring_selector *out)
{
	struct cpu *cpu = bt->cpu;
	uint32_t offset = selector & ~7u;
	struct x86_fault f;
	uint64_t raw;

	*out = (struct ring_selector){.address = cpu->gdtr.base + offset, .minus_selector = 0u - selector};
	if (!cpu_long(cpu))
		out->address = (uint32_t)out->address;
	if ((selector & SEL_TI) || offset + 7 > cpu->gdtr.limit ||
	    !cpu_read_linear(cpu, out->address, &raw, sizeof(raw), ACC_READ | ACC_SYSTEM, &f))
		return false;
	out->minus_raw = 0 - raw;
	return true;
}

/* False: not a flat 32-bit segment. */
static bool describe_flat(struct bt *bt, unsigned seg, struct ring_selector *out)
{
	const struct segment *s = &bt->cpu->seg[seg];

	if (bt_classify(bt->cpu, seg) != SEGC_FLAT || !(s->attr & SEG_DB) ||
	    !bt_describe_selector(bt, s->selector, out))
		return false;
	out->seg = *s;
	return true;
}

/* From 64-bit code, too, but it is compatibility mode's INT n that makes use of it. */
static void entered_by_long_gate(struct bt *bt, unsigned vector)
{
	struct cpu *cpu = bt->cpu;
	struct compat_gate gate = {.vector = vector, .address = cpu->idtr.base + 16 * vector, .ss = cpu->seg[SEG_SS]};
	struct x86_fault f;
	uint64_t raw[2];

	if (cpu->cpl || cpu->tr.limit < TSS64_END0 || !bt_describe_selector(bt, cpu->seg[SEG_CS].selector, &gate.cs) ||
	    !cpu_read_linear(cpu, gate.address, raw, sizeof(raw), ACC_READ | ACC_SYSTEM, &f) ||
	    (raw[0] >> 32 & GATE64_IST))
		return;
	gate.cs.seg = cpu->seg[SEG_CS];
	gate.minus_raw[0] = 0 - raw[0];
	gate.minus_raw[1] = 0 - raw[1];
	gate.stack = cpu->tr.base + TSS64_RSP0_AT;
	gate.target = (raw[0] & 0xffff) | (raw[0] >> 32 & 0xffff0000) | raw[1] << 32;
	gate.flags_kept = (uint32_t)((FLAGS_ALL | FLAG_1) & ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM));
	if (((raw[0] >> 40) & SEG_TYPE) == SYS_INT32)
		gate.flags_kept &= ~(uint32_t)FLAG_IF;
	bt_tables_check(bt);
	cpu->bt_compat_gate = gate;
}

void bt_ring_entered(struct bt *bt, unsigned vector)
{
	struct cpu *cpu = bt->cpu;
	struct ring_gate gate = {.vector = vector, .address = (uint32_t)(cpu->idtr.base + 8 * vector)};
	struct x86_fault f;
	uint64_t raw;
	unsigned type, tss = cpu->tr.attr & SEG_TYPE;

	if (cpu_long(cpu)) {
		entered_by_long_gate(bt, vector);
		return;
	}
	if (cpu->cpl || cpu_real_segments(cpu) || (tss != SYS_TSS32 && tss != SYS_TSS32_BUSY) ||
	    cpu->tr.limit < TSS32_END0 || !describe_flat(bt, SEG_CS, &gate.cs) ||
	    !describe_flat(bt, SEG_SS, &gate.ss) ||
	    !cpu_read_linear(cpu, gate.address, &raw, sizeof(raw), ACC_READ | ACC_SYSTEM, &f))
		return;
	type = (unsigned)(raw >> 40) & SEG_TYPE;
	if (type != SYS_INT32 && type != SYS_TRAP32) /* a task gate, or one of 16 bits */
		return;
	gate.minus_raw = 0 - raw;
	gate.stack = (uint32_t)cpu->tr.base + TSS32_ESP0;
	gate.target = (uint32_t)(raw & 0xffff) | (uint32_t)(raw >> 32 & 0xffff0000);
	gate.flags_kept = (uint32_t)((FLAGS_ALL | FLAG_1) & ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM));
	if (type == SYS_INT32)
		gate.flags_kept &= ~(uint32_t)FLAG_IF;
	bt_tables_check(bt);
	cpu->bt_gate[vector % RING_GATES] = gate;
}

void bt_selector_writable(struct bt *bt, uint16_t selector)
{
	struct ring_selector s;

	if (!bt_describe_selector(bt, selector, &s))
		return;
	bt_tables_check(bt);
	bt->cpu->bt_writable = s;
}

void bt_ring_left(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;
	struct ring_return r;

	if ((cpu->cpl != 0 && cpu->cpl != 3) || cpu_long(cpu) || cpu_real_segments(cpu) ||
	    !describe_flat(bt, SEG_CS, &r.cs) || !describe_flat(bt, SEG_SS, &r.ss))
		return;
	bt_tables_check(bt);
	cpu->bt_return[cpu->cpl == 3] = r;
}

void bt_ring_left64(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;
	struct ring_return r;

	if ((cpu->cpl != 0 && cpu->cpl != 3) || !cpu_code64(cpu) ||
	    !bt_describe_selector(bt, cpu->seg[SEG_CS].selector, &r.cs) ||
	    !bt_describe_selector(bt, cpu->seg[SEG_SS].selector, &r.ss))
		return;
	r.cs.seg = cpu->seg[SEG_CS];
	r.ss.seg = cpu->seg[SEG_SS];
	bt_tables_check(bt);
	cpu->bt_return64[cpu->cpl == 3] = r;
}

/* Where SYSRET leads, and IRETQ as a rule. */
static bool in_flat_program(const struct cpu *cpu)
{
	const struct segment *cs = &cpu->seg[SEG_CS];

	return cpu_long(cpu) && !cpu_code64(cpu) && cpu->cpl == 3 && !(cpu->rflags & (FLAG_IOPL | FLAG_AC)) &&
	       (cs->attr & SEG_DB) && !cs->base && cs->limit == 0xffffffff && (cpu->seg[SEG_SS].attr & SEG_DB) &&
	       bt_classify(cpu, SEG_CS) == SEGC_FLAT && bt_classify(cpu, SEG_SS) == SEGC_FLAT;
}

void bt_compat_entered(struct bt *bt, bool by_iret)
{
	static const uint8_t segs[DATA_SEGMENTS] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
	struct cpu *cpu = bt->cpu;
	struct context *ctx = in_flat_program(cpu) ? bt_context(bt) : NULL;
	struct ring_return to;

	if (!ctx)
		return;
	bt_tables_check(bt);
	if (by_iret && describe_flat(bt, SEG_CS, &to.cs) && describe_flat(bt, SEG_SS, &to.ss))
		cpu->bt_compat.to = to;
	for (unsigned i = 0; i < DATA_SEGMENTS; i++)
		cpu->bt_compat.seg[i] = cpu->seg[segs[i]];
	cpu->bt_compat.table = &ctx->indirect;
}
