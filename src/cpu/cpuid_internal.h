/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cpuid.c and features.c share. Does not leave this folder. */
#ifndef GNOMON_CPUID_INTERNAL_H
#define GNOMON_CPUID_INTERNAL_H

#include "sys.h"

#define LEAF_EXTENDED	  0x80000000u
#define LEAF1_ECX_OSXSAVE BIT(27)

/* The host's answer; zeros beyond its last leaf. */
struct cpuid_result host_cpuid(uint32_t leaf, uint32_t subleaf);

/* The registers of a leaf of feature bits, made from the table and the host's `from`. */
struct cpuid_result feature_bits(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid_result from);

#endif
