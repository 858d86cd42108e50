/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A translation look-aside buffer for the monitor's own accesses to guest memory (descriptor tables, stacks of
 * interrupts, code fetches ...): linear page -> host memory, with the rights and A/D bits already checked. It forgets
 * what a processor's would at the guest's flushes (SDM vol. 3, 4.10.4), and at changes of the physical map.
 */
#ifndef GNOMON_CPU_TLB_H
#define GNOMON_CPU_TLB_H

#include "mem.h"

enum { TLB_TAG_VALID = 1, TLB_TAG_USER = 2 };

static inline struct tlb_entry *tlb_slot(struct cpu *cpu, gva_t gva, enum access access)
{
	unsigned kind = access & ACC_EXEC ? TLB_EXEC : access & ACC_WRITE ? TLB_WRITE : TLB_READ;

	return &cpu->tlb.entry[kind][gva >> PAGE_SHIFT & (TLB_ENTRIES - 1)];
}

static inline uint64_t tlb_tag(gva_t gva, bool user)
{
	return ALIGN_DOWN(gva, (gva_t)PAGE_SIZE) | TLB_TAG_VALID | (user ? TLB_TAG_USER : 0);
}

/* The entry for an access, or NULL if it has to be looked up in the guest's tables. */
static inline struct tlb_entry *tlb_find(struct cpu *cpu, gva_t gva, enum access access, bool user)
{
	struct tlb_entry *e = tlb_slot(cpu, gva, access);

	if (e->tag != tlb_tag(gva, user) || UNLIKELY(cpu->tlb.generation != cpu->pm->generation))
		return NULL;
	return e;
}

/* Notes the outcome of a walk, if it leads to RAM (or, not for writes, ROM). */
void tlb_fill(struct cpu *cpu, gva_t gva, enum access access, bool user, const struct translation *t);
void tlb_flush(struct cpu *cpu);

/* A flush by the guest: here, and for those who listen (cpu_ops.mmu_event). */
void cpu_mmu_event(struct cpu *cpu, enum mmu_event event, gva_t address);

#endif
