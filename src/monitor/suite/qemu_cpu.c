/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -cpu MODEL,+feature,-feature,property=value: there is one model, whose features are the host's as far as they are
 * shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../config.h"
#include "cpu/cpu.h"
#include "cpu/sys.h"
#include "physmem.h"
#include "qemu_params.h"

enum { R_eax, R_ebx, R_ecx, R_edx };

static const struct {
	const char *name;
	uint32_t leaf;
	uint8_t subleaf, reg, bit;
} features[] = {
#define CPU_FEATURE(name, leaf, subleaf, reg, bit) {name, leaf, subleaf, R_##reg, bit},
#include "cpu_features.def"
#undef CPU_FEATURE
};

/* These leave it to the monitor what the CPU is like. */
static const char *const models[] = {"max", "host", "base", "qemu32", "qemu64", "kvm32", "kvm64"};
/* Processors of a vendor's, none of which has a feature that is not shown: the name is theirs. */
static const struct {
	const char *name, *vendor;
} vendor_models[] = {{"Opteron_G1", "AuthenticAMD"},
		     {"Conroe", "GenuineIntel"},
		     {"Penryn", "GenuineIntel"},
		     {"Nehalem", "GenuineIntel"}};
/* About how QEMU finds its features, or what is so here. */
static const char *const harmless[] = {"check", "enforce", "host-phys-bits", "migratable", "full-cpuid-auto-level"};

static bool listed(const char *const *list, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], what))
			return true;
	return false;
}

static bool shown(const struct cpu *cpu, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		struct cpuid_result r;
		if (strcmp(features[i].name, name))
			continue;
		r = cpu_cpuid(cpu, features[i].leaf, features[i].subleaf);
		return (const uint32_t[]){r.eax, r.ebx, r.ecx, r.edx}[features[i].reg] & BIT(features[i].bit);
	}
	return false;
}

static bool take_model(struct cpu *cpu, const char *model)
{
	cpu->max = !strcmp(model, "max");
	for (size_t i = 0; i < ARRAY_LEN(vendor_models); i++)
		if (!strcmp(vendor_models[i].name, model)) {
			cpu->vendor = vendor_models[i].vendor;
			return true;
		}
	return listed(models, ARRAY_LEN(models), model);
}

/* QEMU takes "tsc_adjust" for "tsc-adjust", and some have two names. */
static void canonical(char *name)
{
	static const char *const twins[][2] = {
	    {"sse4-1", "sse4.1"}, {"sse4-2", "sse4.2"}, {"ds-cpl", "ds_cpl"}, {"pclmuldq", "pclmulqdq"}};

	for (char *p = name; *p; p++)
		if (*p == '_')
			*p = '-';
	for (size_t i = 0; i < ARRAY_LEN(twins); i++)
		if (!strcmp(name, twins[i][0]))
			strcpy(name, twins[i][1]);
}

static bool take_property(struct cpu *cpu, char *item, char *why, size_t whylen)
{
	char *value = strchr(item, '=');
	bool off = *item == '-', on = *item == '+';

	if (on || off)
		item++;
	else if (value)
		*value++ = 0;
	canonical(item);
	if (listed(harmless, ARRAY_LEN(harmless), item))
		return true;
	if (value && !strcmp(item, "vendor")) {
		cpu->vendor = value;
		snprintf(why, whylen, "'%.40s' is no processor's vendor", value);
		return strlen(value) == CONFIG_CPU_VENDOR;
	}
	if (value && !strcmp(item, "phys-bits")) {
		snprintf(why, whylen, "physical addresses have %d bits, not %.8s", PHYSMEM_BITS, value);
		return strtol(value, NULL, 10) == PHYSMEM_BITS;
	}
	if (!value || !strcmp(value, "on") || !strcmp(value, "off")) {
		off |= value && !strcmp(value, "off");
		snprintf(why, whylen,
			 off ? "the processor's feature '%.40s' cannot be hidden"
			     : "the processor has no feature '%.40s'",
			 item);
		cpu->max |= !off && !shown(cpu, item); /* perhaps that has it */
		return shown(cpu, item) != off;
	}
	snprintf(why, whylen, "the processor has no property '%.40s'", item);
	return false;
}

/* The option of ours that makes a processor like this one. */
static void add_option(struct qemu_params *p, const struct cpu *cpu)
{
	char *option = format("%s%s%s%s", cpu->max ? ",max" : "", cpu->lm ? ",lm" : ",-lm",
			      cpu->vendor ? ",vendor=" : "", cpu->vendor ? cpu->vendor : "");

	if (option && *option)
		strings_set_option(&p->run, "--cpu", option + 1);
	free(option);
}

bool qemu_cpu_take(struct qemu_params *p, const char *value, char *why, size_t whylen)
{
	struct cpu *cpu = aligned_alloc(_Alignof(struct cpu), sizeof(*cpu));
	char *copy = strdup(value), *save = NULL, *item;
	bool ok = cpu && copy;

	if (!ok) {
		snprintf(why, whylen, "out of memory");
	} else {
		memset(cpu, 0, sizeof(*cpu));
		cpu->lm = p->lm;
		item = strtok_r(copy, ",", &save);
		if (item && !take_model(cpu, item)) {
			snprintf(why, whylen, "there is no processor model '%.40s'", item);
			ok = false;
		}
		while (ok && (item = strtok_r(NULL, ",", &save)))
			ok = take_property(cpu, item, why, whylen);
	}
	if (ok)
		add_option(p, cpu);
	free(copy);
	free(cpu);
	return ok;
}
