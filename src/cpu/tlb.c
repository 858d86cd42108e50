/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tlb.h"

#include <string.h>

void tlb_flush(struct cpu *cpu)
{
	memset(cpu->tlb.entry, 0, sizeof(cpu->tlb.entry));
	cpu->tlb.generation = cpu->pm->generation;
}

void tlb_fill(struct cpu *cpu, gva_t gva, enum access access, bool user, const struct translation *t)
{
	gpa_t gpa = ALIGN_DOWN(t->gpa & cpu->pm->a20_mask, (gpa_t)PAGE_SIZE);
	const struct pm_region *r = physmem_span(cpu->pm, gpa)->region;
	uint64_t left, offset;
	uint8_t *host = physmem_host(cpu->pm, gpa, &left);

	if (!host || left < PAGE_SIZE || ((access & ACC_WRITE) && r->kind != PM_RAM))
		return;
	if (!user && t->user && (cpu->cr4 & CR4_SMAP))
		return; /* RFLAGS.AC and the kind of access decide each time */
	if (cpu->tlb.generation != cpu->pm->generation)
		tlb_flush(cpu);
	if (access & ACC_WRITE)
		physmem_make_here(cpu->pm, host);
	struct tlb_entry entry = {
	    .tag = tlb_tag(gva, user),
	    .host = host,
	    .gpa = gpa,
	    .traced = physmem_ram_offset(cpu->pm, gpa, &offset) ? &cpu->pm->traced[offset >> PAGE_SHIFT] : NULL};

	*tlb_slot(cpu, gva, access) = entry;
	if (access & ACC_WRITE) /* a read-modify-write must not read elsewhere, by an older entry */
		*tlb_slot(cpu, gva, ACC_READ) = entry;
}

enum { LARGEST_PAGE_SHIFT = 22, LARGEST_LONG_PAGE_SHIFT = 30 };

/* What may be of the page of an address: others are wanted soon, for the delivery of its fault. */
static void forget_page(struct cpu *cpu, gva_t gva)
{
	unsigned shift = cpu_long(cpu) ? LARGEST_LONG_PAGE_SHIFT : LARGEST_PAGE_SHIFT;
	struct tlb_entry *e = &cpu->tlb.entry[0][0];

	for (unsigned i = 0; i < TLB_KINDS * TLB_ENTRIES; i++)
		if (!((e[i].tag ^ gva) >> shift))
			e[i].tag = 0;
}

void cpu_mmu_event(struct cpu *cpu, enum mmu_event event, gva_t address)
{
	if ((event == MMU_FAULT || event == MMU_INVLPG) && opt_on(cpu->opt_off, OPT_FORGET))
		forget_page(cpu, address);
	else
		tlb_flush(cpu);
	cpu->ops->mmu_event(cpu->machine, event, address);
}
