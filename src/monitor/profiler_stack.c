/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's stack, by frame pointers: Linux's 32-bit kernels keep them (CONFIG_FRAME_POINTER), programs may. */
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

#define ENTRY_ADDR_PAE (BIT(40) - PAGE_SIZE)

/* Paging of 32-bit and PAE guests (SDM vol. 3, 4.3 and 4.4). */
static bool translate(const struct vm *vm, uint32_t linear, uint64_t *gpa)
{
	const struct cpu *cpu = &vm->cpu;
	bool pae = cpu->cr4 & CR4_PAE;
	unsigned bytes = pae ? 8 : 4, large_shift = pae ? 21 : 22, index_bits = pae ? 9 : 10;
	uint64_t table = pae ? cpu->pdpte[linear >> 30] : cpu->cr3, entry;

	if (!cpu_paging(cpu)) {
		*gpa = linear;
		return true;
	}
	if (cpu_long(cpu) || (pae && !(table & PTE_P)))
		return false;
	table &= ENTRY_ADDR_PAE;
	if (!ram_read(vm, table + (linear >> large_shift & (BIT(index_bits) - 1)) * bytes, bytes, &entry) ||
	    !(entry & PTE_P))
		return false;
	if ((entry & PTE_PS) && (pae || (cpu->cr4 & CR4_PSE))) {
		uint64_t large = BIT(large_shift);
		*gpa = (entry & ENTRY_ADDR_PAE & ~(large - 1)) | (linear & (large - 1));
		return true;
	}
	if (!ram_read(vm, (entry & ENTRY_ADDR_PAE) + (linear >> PAGE_SHIFT & (BIT(index_bits) - 1)) * bytes, bytes,
		      &entry) ||
	    !(entry & PTE_P))
		return false;
	*gpa = (entry & ENTRY_ADDR_PAE) | (linear & PAGE_MASK);
	return true;
}

static bool read32(const struct vm *vm, uint32_t linear, uint32_t *value)
{
	uint64_t gpa, v;

	if ((linear & PAGE_MASK) > PAGE_SIZE - 4 || !translate(vm, linear, &gpa) || !ram_read(vm, gpa, 4, &v))
		return false;
	*value = (uint32_t)v;
	return true;
}

unsigned profile_stack(const struct vm *vm, uint32_t ebp, uint32_t *to, unsigned max)
{
	unsigned n = 0;
	uint32_t next, ip;

	/* Segments that are not flat (real mode) have no frames that we know of. */
	if (vm->cpu.seg[SEG_SS].base || vm->cpu.seg[SEG_CS].base || !(vm->cpu.seg[SEG_CS].attr & SEG_DB))
		return 0;
	while (n < max && !(ebp & 3) && read32(vm, ebp, &next) && read32(vm, ebp + 4, &ip)) {
		if (ip < PAGE_SIZE)
			break;
		to[n++] = ip;
		if (next <= ebp || next - ebp > FRAME_MAX)
			break;
		ebp = next;
	}
	return n;
}
