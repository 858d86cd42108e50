/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Feature bits of CPUID by name (cpuid.def), and the user's choice among them. */
#ifndef GNOMON_CPU_FEATURES_H
#define GNOMON_CPU_FEATURES_H

#include "base.h"

enum cpuid_bit {
#define CPUID_BIT(leaf, subleaf, reg, bit, policy, feature, name, needs) CPUID_##name,
#include "cpuid.def"
#undef CPUID_BIT
	CPUID_BITS,
	CPUID_none = CPUID_BITS
};

/* What is to be shown if that is possible, and what is not to be shown, whatever the policy: by enum cpuid_bit. */
struct feature_choice {
	uint8_t on[(CPUID_BITS + 7) / 8], off[(CPUID_BITS + 7) / 8];
};

struct cpu;

/* The bit of a name of len characters; CPUID_none if there is none. */
enum cpuid_bit feature_find(const char *name, size_t len);
const char *feature_name(enum cpuid_bit bit);

/* The last word counts. */
void feature_choose(struct feature_choice *c, enum cpuid_bit bit, bool on);
/* on: is it to be shown? Else: is it to be hidden? */
bool feature_chosen(const struct feature_choice *c, enum cpuid_bit bit, bool on);

/* A feature that was chosen and is not shown: the host lacks it, or what it needs is not shown. CPUID_none: none. */
enum cpuid_bit feature_refused(const struct cpu *cpu);

/* Does the guest's CPUID show it? */
bool feature_shown(const struct cpu *cpu, enum cpuid_bit bit);

#endif
