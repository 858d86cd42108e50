/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting, stepping and page runs of string instructions: see string_internal.h. */
#include "string_internal.h"

bool string_begin(struct cpu *cpu, const struct insn *in, unsigned element, struct string_op *s)
{
	*s = (struct string_op){
	    .size = element,
	    .addrsize = in->addrsize,
	    .step = cpu->rflags & FLAG_DF ? -(int64_t)element : (int64_t)element,
	    .repeats = in->repeats,
	    .count = in->repeats ? gpr_read(cpu, RCX, in->addrsize) : 1,
	    /* Single steps and data breakpoints trap after each element (17.3.1.4). */
	    .budget = cpu_debug_active(cpu) ? 1 : STRING_BUDGET,
	};
	return s->count != 0;
}

void string_move(struct cpu *cpu, const struct string_op *s, unsigned reg, unsigned n)
{
	gpr_write(cpu, reg, s->addrsize, gpr_read(cpu, reg, s->addrsize) + (uint64_t)(s->step * (int64_t)n));
}

void string_done(struct cpu *cpu, struct string_op *s, unsigned n)
{
	s->count -= n;
	s->budget -= n;
	if (s->repeats)
		gpr_write(cpu, RCX, s->addrsize, s->count);
}

bool string_end(struct cpu *cpu, const struct string_op *s)
{
	if (s->count) {
		cpu->next_rip = cpu->rip;
		/* Saved with what comes now; and a breakpoint is not met again in each round (17.3.1.1). */
		cpu->rflags |= FLAG_RF;
	}
	return true;
}

/* Elements from `offset` on that neither leave the page of gva nor wrap around in the address size. */
static unsigned elements_in_page(const struct string_op *s, uint64_t offset, gva_t gva)
{
	uint64_t in_page = gva & PAGE_MASK, n = MIN(s->count, s->budget);

	if (s->step > 0) {
		n = MIN(n, (PAGE_SIZE - in_page) / s->size);
		return (unsigned)MIN(n, (size_mask(s->addrsize) - offset) / s->size);
	}
	if (in_page + s->size > PAGE_SIZE)
		return 0;
	n = MIN(n, in_page / s->size + 1);
	return (unsigned)MIN(n, offset / s->size + 1);
}

static bool plain_memory(struct cpu *cpu, gva_t gva, unsigned access, uint8_t **host)
{
	struct x86_fault ignored;
	const struct pm_span *span;
	gpa_t gpa;

	if (!cpu_translate_linear(cpu, gva, access, &gpa, &ignored))
		return false;
	gpa &= cpu->pm->a20_mask;
	span = physmem_span(cpu->pm, gpa);
	if (!span->region || (access == ACC_WRITE && span->region->kind != PM_RAM))
		return false;
	*host = physmem_host(cpu->pm, gpa, NULL);
	return *host != NULL;
}

struct string_run string_run(struct cpu *cpu, const struct string_op *s, unsigned seg, uint64_t offset, unsigned access)
{
	struct string_run none = {0}, run = {0};
	struct x86_fault ignored;
	uint64_t low = offset;
	gva_t gva;

	if (s->count < 2 || s->budget < 2)
		return none;
	if ((cpu->rflags & FLAG_AC) && cpu->cpl == 3)
		return none; /* alignment is checked element by element */
	if (!cpu_seg_linear(cpu, seg, offset, s->size, access, &gva, &ignored))
		return none;
	run.n = elements_in_page(s, offset, gva);
	if (run.n < 2)
		return none;
	if (s->step < 0)
		low -= (uint64_t)(run.n - 1) * s->size;
	if (!cpu_seg_linear(cpu, seg, low, run.n * s->size, access, &run.low, &ignored))
		return none;
	return plain_memory(cpu, run.low, access, &run.host) ? run : none;
}
