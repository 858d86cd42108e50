/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's stack, by frame pointers: Linux's 32-bit kernels keep them (CONFIG_FRAME_POINTER), 64-bit ones do not
 * (profiler_orc.c), programs may. */
#include "profiler_internal.h"

enum { FRAME_MAX = 64 * 1024 }; /* bytes between two frames; more is taken for a register that is no frame pointer */

/* Whatever the guest says: a look at RAM, without accessed bits, faults or devices. */
static bool ram_read(const struct vm *vm, uint64_t gpa, unsigned len, uint64_t *value)
{
	uint64_t end = MIN(vm->pm.ram.size, 3 * GiB);

	if (gpa > end - len)
		return false;
	*value = load_le(vm->pm.ram.host + gpa, len);
	return true;
}

/* Of entries of 8 bytes: SDM vol. 3, tables 4-15 to 4-20. */
#define ENTRY_ADDR (BIT(52) - PAGE_SIZE)

/* Where the guest's tables lead, as far as a look at them is free of consequences. */
struct place {
	uint64_t gpa;
	bool executable;
};

/* One step down from *table; done: at a page of 1 << shift bytes. False: not there. */
static bool walk_entry(const struct vm *vm, uint64_t linear, unsigned shift, unsigned bytes, uint64_t *table,
		       struct place *p, bool *done)
{
	unsigned index_bits = bytes == 8 ? 9 : 10;
	uint64_t entry, size = BIT(shift);

	if (!ram_read(vm, *table + (linear >> shift & (BIT(index_bits) - 1)) * bytes, bytes, &entry) ||
	    !(entry & PTE_P))
		return false;
	if (bytes == 8 && (vm->cpu.efer & EFER_NXE))
		p->executable = p->executable && !(entry & PTE_NX);
	*table = bytes == 8 ? entry & ENTRY_ADDR : ALIGN_DOWN((uint32_t)entry, (uint32_t)PAGE_SIZE);
	*done = shift == PAGE_SHIFT || ((entry & PTE_PS) && shift <= 30 && (bytes == 8 || (vm->cpu.cr4 & CR4_PSE)));
	if (*done)
		p->gpa = ALIGN_DOWN(*table, size) | (linear & (size - 1));
	return true;
}

/* Paging with 32-bit, PAE, 4-level and 5-level tables (SDM vol. 3, 4.3 to 4.5). */
static bool translate(const struct vm *vm, uint64_t linear, struct place *p)
{
	const struct cpu *cpu = &vm->cpu;
	bool pae = cpu->cr4 & CR4_PAE, done = false;
	unsigned bytes = pae ? 8 : 4, index_bits = pae ? 9 : 10, shift;
	uint64_t table = ALIGN_DOWN(cpu->cr3 & ENTRY_ADDR, (uint64_t)PAGE_SIZE);

	*p = (struct place){linear, true};
	if (!cpu_paging(cpu))
		return true;
	if (cpu_long(cpu)) {
		shift = cpu->cr4 & CR4_LA57 ? 48 : 39;
	} else {
		shift = PAGE_SHIFT + index_bits;
		if (pae && !(cpu->pdpte[linear >> 30 & 3] & PTE_P))
			return false;
		if (pae)
			table = cpu->pdpte[linear >> 30 & 3] & ENTRY_ADDR;
	}
	for (; !done; shift -= index_bits)
		if (!walk_entry(vm, linear, shift, bytes, &table, p, &done))
			return false;
	return true;
}

bool profile_stack_translate(const struct vm *vm, uint64_t linear, uint64_t *gpa, bool *executable)
{
	struct place p;

	if (!translate(vm, linear, &p))
		return false;
	*gpa = p.gpa;
	*executable = p.executable;
	return true;
}

bool profile_stack_read(const struct vm *vm, uint64_t linear, unsigned bytes, uint64_t *value)
{
	struct place p;

	return (linear & PAGE_MASK) <= PAGE_SIZE - bytes && translate(vm, linear, &p) &&
	       ram_read(vm, p.gpa, bytes, value);
}

/* 64-bit code is mostly built without frame pointers: what RBP is instead is told by where it and its frames lead. */
static bool plausible(const struct vm *vm, uint64_t rbp, uint64_t rsp, uint64_t ip)
{
	struct place p;

	return !cpu_code64(&vm->cpu) || (rbp - rsp < FRAME_MAX && translate(vm, ip, &p) && p.executable);
}

unsigned profile_stack(const struct vm *vm, uint64_t rbp, uint64_t rsp, uint64_t *to, unsigned max)
{
	bool code64 = cpu_code64(&vm->cpu);
	unsigned n = 0, bytes = code64 ? 8 : 4;
	uint64_t next, ip;

	/* Segments that are not flat (real mode) have no frames that we know of. */
	if (!code64 && (vm->cpu.seg[SEG_SS].base || vm->cpu.seg[SEG_CS].base || !(vm->cpu.seg[SEG_CS].attr & SEG_DB)))
		return 0;
	if (!code64)
		rbp = (uint32_t)rbp;
	while (n < max && !(rbp & (bytes - 1)) && profile_stack_read(vm, rbp, bytes, &next) &&
	       profile_stack_read(vm, rbp + bytes, bytes, &ip)) {
		if (ip < PAGE_SIZE || !plausible(vm, rbp, rsp, ip))
			break;
		to[n++] = ip;
		if (next <= rbp || next - rbp > FRAME_MAX)
			break;
		rsp = rbp;
		rbp = next;
	}
	return n;
}
