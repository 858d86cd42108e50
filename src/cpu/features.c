/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which feature bits CPUID shows: cpuid.def, the host, and what the user wants. */
#include "features.h"

#include <string.h>

#include "cpuid_internal.h"

enum policy {
	POLICY_HOST,
	POLICY_ALWAYS,
	POLICY_AVX,
	POLICY_AVX512,
	POLICY_MAX,
	POLICY_LM,
	POLICY_LM_OURS,
	POLICY_LM_MAX
};
enum cpuid_register { REG_EAX, REG_EBX, REG_ECX, REG_EDX };

static const struct {
	uint32_t leaf;
	uint8_t subleaf, reg, bit, policy, feature, needs;
	const char *name;
} rows[CPUID_BITS] = {
#define CPUID_BIT(leaf, subleaf, reg, bit, policy, feature, name, needs)                                               \
	[CPUID_##name] = {leaf, subleaf, REG_##reg, bit, POLICY_##policy, FEAT_##feature, CPUID_##needs, #name},
#include "cpuid.def"
#undef CPUID_BIT
};
_Static_assert(CPUID_BITS < 256, "rows.needs");

enum cpuid_bit feature_find(const char *name, size_t len)
{
	unsigned i = 0;

	while (i < CPUID_BITS && (strlen(rows[i].name) != len || strncmp(rows[i].name, name, len)))
		i++;
	return i;
}

const char *feature_name(enum cpuid_bit bit)
{
	return rows[bit].name;
}

static bool is_set(const uint8_t *set, unsigned i)
{
	return set[i / 8] >> i % 8 & 1;
}

void feature_choose(struct feature_choice *c, enum cpuid_bit bit, bool on)
{
	uint8_t mask = (uint8_t)(1u << bit % 8);

	c->on[bit / 8] = (uint8_t)(on ? c->on[bit / 8] | mask : c->on[bit / 8] & ~mask);
	c->off[bit / 8] = (uint8_t)(on ? c->off[bit / 8] & ~mask : c->off[bit / 8] | mask);
}

bool feature_chosen(const struct feature_choice *c, enum cpuid_bit bit, bool on)
{
	return is_set(on ? c->on : c->off, bit);
}

/* The host's kernel saves that state: else its instructions raise #UD (vol. 1, 14.3, 15.2). */
static bool host_saves(uint32_t state)
{
	uint32_t eax, edx;

	if (!(host_cpuid(1, 0).ecx & LEAF1_ECX_OSXSAVE))
		return false;
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return (eax & state) == state;
}

static bool host_saves_avx(void)
{
	return host_saves(XCR0_SSE | XCR0_AVX);
}

/* Opmask registers of 64 bits are AVX512BW's: hosts without it, which are few, do not count. */
static bool host_saves_avx512(void)
{
	enum { AVX512BW = 30 };

	return host_saves(XCR0_SSE | XCR0_AVX | (uint32_t)XCR0_AVX512) && (host_cpuid(7, 0).ebx >> AVX512BW & 1);
}

/* host: the host shows it; max: it is asked for though it costs speed. */
static bool policy_shows(const struct cpu *cpu, unsigned policy, bool host, bool max)
{
	switch (policy) {
	case POLICY_ALWAYS:
		return true;
	case POLICY_AVX:
		return host && host_saves_avx();
	case POLICY_AVX512:
		return host && host_saves_avx512();
	case POLICY_MAX:
		return max;
	case POLICY_LM:
		return cpu->lm && host;
	case POLICY_LM_OURS:
		return cpu->lm;
	case POLICY_LM_MAX:
		return cpu->lm && max;
	default:
		return host;
	}
}

static uint32_t *result_register(struct cpuid_result *r, unsigned reg)
{
	return reg == REG_EAX ? &r->eax : reg == REG_EBX ? &r->ebx : reg == REG_ECX ? &r->ecx : &r->edx;
}

static bool shown(const struct cpu *cpu, unsigned i, bool host)
{
	if (is_set(cpu->chosen.off, i) || (rows[i].needs != CPUID_none && !feature_shown(cpu, rows[i].needs)))
		return false;
	return policy_shows(cpu, rows[i].policy, host, cpu->max || is_set(cpu->chosen.on, i));
}

bool feature_shown(const struct cpu *cpu, enum cpuid_bit bit)
{
	struct cpuid_result host = host_cpuid(rows[bit].leaf, rows[bit].subleaf);

	return shown(cpu, bit, *result_register(&host, rows[bit].reg) >> rows[bit].bit & 1);
}

enum cpuid_bit feature_refused(const struct cpu *cpu)
{
	unsigned i = 0;

	while (i < CPUID_BITS && (!is_set(cpu->chosen.on, i) || feature_shown(cpu, i)))
		i++;
	return i;
}

struct cpuid_result feature_bits(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid_result from)
{
	struct cpuid_result r = {0};

	for (unsigned i = 0; i < CPUID_BITS; i++) {
		uint32_t bit = 1u << rows[i].bit;
		if (rows[i].leaf != leaf || rows[i].subleaf != subleaf)
			continue;
		if (shown(cpu, i, *result_register(&from, rows[i].reg) & bit))
			*result_register(&r, rows[i].reg) |= bit;
	}
	return r;
}

/* All features that cpuid.def shows on this host, and the one that has no bit. */
static __uint128_t find_features(const struct cpu *cpu)
{
	__uint128_t features = BIT(FEAT_BASE);

	_Static_assert(FEAT_COUNT <= 128, "a bit for each feature");
	for (unsigned i = 0; i < CPUID_BITS; i++)
		if (feature_shown(cpu, i))
			features |= (__uint128_t)1 << rows[i].feature;
	return features;
}

bool cpu_has(const struct cpu *cpu, enum insn_feature feature)
{
	/* Asking the host takes microseconds under a hypervisor. The cache is no state of the guest's, hence the cast.
	 */
	if (UNLIKELY(!cpu->features))
		((struct cpu *)cpu)->features = find_features(cpu);
	return cpu->features >> feature & 1;
}
