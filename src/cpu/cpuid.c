/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's CPU says it is: the host, without what the translator cannot do (SDM vol. 2, CPUID). Feature bits:
 * features.c. */
#include <cpuid.h>
#include <string.h>

#include "cpuid_internal.h"
#include "fpu.h"
#include "handlers_internal.h"

enum {
	LEAF_MAX = 0xd,
	LEAF_HYPERVISOR = 0x40000000,
};
#define LEAF_ADDRESSES	0x80000008u /* Intel's last one */
#define LEAF_FEATURES_2 0x80000021u /* AMD's */

#define LEAF1_EDX_APIC BIT(9)
/* Bits of leaf 1 that AMD repeats in 8000_0001 EDX (APM vol. 3, E.4.2). */
#define AMD_REPEATED 0x0183f3ffu

/* Asking the host takes microseconds under a hypervisor, and programs ask dozens of times when they start: answers are
 * kept, a few for each thread. */
struct cpuid_result host_cpuid(uint32_t leaf, uint32_t subleaf)
{
	static __thread struct {
		bool valid;
		uint32_t leaf, subleaf;
		struct cpuid_result r;
	} known[64];
	unsigned n = (leaf ^ leaf >> 26 ^ subleaf << 4) % ARRAY_LEN(known);

	if (known[n].valid && known[n].leaf == leaf && known[n].subleaf == subleaf)
		return known[n].r;
	known[n].valid = true;
	known[n].leaf = leaf;
	known[n].subleaf = subleaf;
	known[n].r = (struct cpuid_result){0};
	if (leaf <= (uint32_t)__get_cpuid_max(leaf & LEAF_EXTENDED, NULL))
		__cpuid_count(leaf, subleaf, known[n].r.eax, known[n].r.ebx, known[n].r.ecx, known[n].r.edx);
	return known[n].r;
}

static bool apic_enabled(const struct cpu *cpu)
{
	uint64_t base = APIC_BASE_ENABLE;

	if (cpu->ops && cpu->ops->apic_msr_read)
		(void)cpu->ops->apic_msr_read(cpu->machine, MSR_APIC_BASE, &base);
	return base & APIC_BASE_ENABLE;
}

/* Version, one logical processor, features. */
static struct cpuid_result leaf_1(const struct cpu *cpu)
{
	struct cpuid_result host = host_cpuid(1, 0), r = feature_bits(cpu, 1, 0, host);

	r.eax = host.eax;
	r.ebx = (host.ebx & 0xff00) | 1 << 16; /* CLFLUSH line size; one processor, APIC ID 0 */
	if (cpu->cr4 & CR4_OSXSAVE)
		r.ecx |= LEAF1_ECX_OSXSAVE;
	if (!apic_enabled(cpu))
		r.edx &= (uint32_t)~LEAF1_EDX_APIC;
	return r;
}

/* Caches as the host's, shared by nobody. */
static struct cpuid_result leaf_4(uint32_t subleaf)
{
	struct cpuid_result r = host_cpuid(4, subleaf);

	r.eax &= 0x3fff;
	return r;
}

/* MONITOR and MWAIT: the line, and that interrupts end a wait though IF is clear; C1 alone. */
static struct cpuid_result leaf_5(const struct cpu *cpu)
{
	enum { EXTENSIONS = 1, BREAK_ON_INTERRUPT = 2, ONE_C1 = 0x10 };
	const struct cpuid_result none = {0};

	if (!cpu_has(cpu, FEAT_MONITOR))
		return none;
	return (struct cpuid_result){MONITOR_LINE, MONITOR_LINE, EXTENSIONS | BREAK_ON_INTERRUPT, ONE_C1};
}

/* Features. Subleaf 1 is shown if there is something in it. */
static struct cpuid_result leaf_7(const struct cpu *cpu, uint32_t subleaf)
{
	struct cpuid_result r = {0};

	if (subleaf > 1)
		return r;
	r = feature_bits(cpu, 7, subleaf, host_cpuid(7, subleaf));
	if (!subleaf)
		r.eax = cpu_has(cpu, FEAT_AVX512_BF16);
	return r;
}

/* Topology: a thread, in a core, of one each. */
static struct cpuid_result leaf_b(uint32_t subleaf)
{
	enum { LEVEL_SMT = 1, LEVEL_CORE = 2 };
	struct cpuid_result r = {.ecx = subleaf & 0xff};

	if (subleaf < 2) {
		r.ebx = 1;
		r.ecx |= (uint32_t)(subleaf ? LEVEL_CORE : LEVEL_SMT) << 8;
	}
	return r;
}

/* Bytes that XSAVE's area has, in the standard form or the compacted one, with these components. */
static uint32_t area_bytes(uint64_t components, bool compacted)
{
	uint32_t bytes = FX_YMM;

	for (unsigned i = 2; i < 64; i++)
		if (components >> i & 1)
			bytes = compacted ? bytes + xsave_bytes(i) : MAX(bytes, xsave_offset(i) + xsave_bytes(i));
	return bytes;
}

/* XSAVE state components: x87, SSE and, in subleafs of their own, AVX and AVX-512 (vol. 1, 13.2). */
static struct cpuid_result leaf_d(const struct cpu *cpu, uint32_t subleaf)
{
	const uint64_t all = cpu_xcr0_valid(cpu);
	struct cpuid_result r = {0};

	if (!cpu_has(cpu, FEAT_XSAVE))
		return r;
	if (subleaf == 0) {
		r.eax = (uint32_t)all;
		r.ebx = area_bytes(cpu->xcr0, false);
		r.ecx = area_bytes(all, false);
	} else if (subleaf == 1) {
		r = feature_bits(cpu, 0xd, 1, host_cpuid(0xd, 1));
		r.ebx = area_bytes(cpu->xcr0, true);
	} else if (subleaf < 64 && all >> subleaf & 1) {
		r.eax = xsave_bytes(subleaf);
		r.ebx = xsave_offset(subleaf);
	}
	return r;
}

/* The vendor's name in a result (leaf 0, and on AMD 8000_0000). */
static struct cpuid_result with_vendor(const struct cpu *cpu, struct cpuid_result r)
{
	if (cpu->vendor) {
		r.ebx = (uint32_t)load_le(cpu->vendor, 4);
		r.edx = (uint32_t)load_le(cpu->vendor + 4, 4);
		r.ecx = (uint32_t)load_le(cpu->vendor + 8, 4);
	}
	return r;
}

bool cpu_is_amd(const struct cpu *cpu)
{
	return with_vendor(cpu, host_cpuid(0, 0)).ebx == signature_AMD_ebx;
}

static struct cpuid_result leaf_extended(const struct cpu *cpu, uint32_t leaf)
{
	const struct cpuid_result none = {0};
	struct cpuid_result host = host_cpuid(leaf, 0), r;

	switch (leaf) {
	case LEAF_EXTENDED:
		/* The vendor once more, which Intel leaves 0. */
		r = cpu_is_amd(cpu) ? with_vendor(cpu, host_cpuid(0, 0)) : none;
		r.eax = cpu_is_amd(cpu) ? LEAF_FEATURES_2 : LEAF_ADDRESSES;
		return r;
	case 0x80000001:
		r = feature_bits(cpu, leaf, 0, host);
		r.eax = host.eax;
		if (cpu_is_amd(cpu))
			r.edx |= leaf_1(cpu).edx & AMD_REPEATED;
		return r;
	case 0x80000007:
		return feature_bits(cpu, leaf, 0, host);
	case LEAF_FEATURES_2:
		return cpu_is_amd(cpu) ? feature_bits(cpu, leaf, 0, host) : none;
	case LEAF_ADDRESSES:
		r = feature_bits(cpu, leaf, 0, host);
		r.eax = PHYSMEM_BITS | (cpu_has(cpu, FEAT_LA57) ? 57 : 48) << 8;
		return r;
	default: /* brand string, cache sizes */
		return leaf < LEAF_ADDRESSES ? host : none;
	}
}

static struct cpuid_result leaf_hypervisor(void)
{
	static const char name[12] = "GnomonVMM";
	struct cpuid_result r = {.eax = LEAF_HYPERVISOR};

	memcpy(&r.ebx, name, 4);
	memcpy(&r.ecx, name + 4, 4);
	memcpy(&r.edx, name + 8, 4);
	return r;
}

struct cpuid_result cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf)
{
	enum { ARAT = 4 }; /* leaf 6: the APIC timer never stops */
	struct cpuid_result r = {0};

	if (leaf == LEAF_HYPERVISOR)
		return leaf_hypervisor();
	if (leaf >= LEAF_EXTENDED && leaf <= LEAF_FEATURES_2)
		return leaf_extended(cpu, leaf);
	switch (leaf) {
	case 0:
		r = with_vendor(cpu, host_cpuid(0, 0));
		r.eax = LEAF_MAX;
		return r;
	case 1:
		return leaf_1(cpu);
	case 2:
		return host_cpuid(2, 0);
	case 4:
		return leaf_4(subleaf);
	case 5:
		return leaf_5(cpu);
	case 6:
		r.eax = ARAT;
		return r;
	case 7:
		return leaf_7(cpu, subleaf);
	case 0xb:
		return leaf_b(subleaf);
	case 0xd:
		return leaf_d(cpu, subleaf);
	default:
		return r;
	}
}

bool cpu_base_canonical(const struct cpu *cpu, uint64_t address)
{
	unsigned shift = cpu_has(cpu, FEAT_LA57) ? 64 - 57 : 64 - 48;
	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

bool do_cpuid(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	struct cpuid_result r = cpu_cpuid(cpu, (uint32_t)cpu->gpr[RAX], (uint32_t)cpu->gpr[RCX]);

	gpr_write(cpu, RAX, 4, r.eax);
	gpr_write(cpu, RBX, 4, r.ebx);
	gpr_write(cpu, RCX, 4, r.ecx);
	gpr_write(cpu, RDX, 4, r.edx);
	return true;
}
