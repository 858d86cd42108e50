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

/* QEMU's name of a feature -> that of cpuid.def; QEMU takes "tsc_adjust" for "tsc-adjust" as well. */
static const char *our_name(char *name)
{
	static const char *const others[][2] = {{"sse3", "pni"},
						{"sse4.1", "sse4_1"},
						{"sse4.2", "sse4_2"},
						{"pclmuldq", "pclmulqdq"},
						{"tsc_deadline", "tsc_deadline_timer"},
						{"invtsc", "invariant_tsc"}};

	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (!strcmp(name, others[i][0]))
			return others[i][1];
	return name;
}

/* Hiding what is not there needs nothing; some features are shown only if they are asked for. */
static bool take_feature(struct cpu *cpu, char *item, bool on)
{
	const char *name = our_name(item);
	enum cpuid_bit bit = feature_find(name, strlen(name));

	if (bit == CPUID_none)
		return !on;
	if (bit == CPUID_lm)
		cpu->lm = on;
	else if (feature_shown(cpu, bit) != on)
		feature_choose(&cpu->chosen, bit, on);
	return feature_shown(cpu, bit) == on;
}

static bool take_property(struct cpu *cpu, char *item, char *why, size_t whylen)
{
	char *value = strchr(item, '=');
	bool off = *item == '-', on = *item == '+';

	if (on || off)
		item++;
	else if (value)
		*value++ = 0;
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
		snprintf(why, whylen, "the processor has no feature '%.40s'", item);
		return take_feature(cpu, item, !off);
	}
	snprintf(why, whylen, "the processor has no property '%.40s'", item);
	return false;
}

/* The option of ours that makes a processor like this one. False: out of memory. */
static bool add_option(struct qemu_params *p, const struct cpu *cpu)
{
	char *option = NULL;
	size_t len;
	FILE *f = open_memstream(&option, &len);
	bool ok;

	if (!f)
		return false;
	fprintf(f, "%s%slm", cpu->max ? "max," : "", cpu->lm ? "" : "-");
	for (enum cpuid_bit bit = 0; bit < CPUID_BITS; bit++)
		if (feature_chosen(&cpu->chosen, bit, true) || feature_chosen(&cpu->chosen, bit, false))
			fprintf(f, ",%c%s", feature_chosen(&cpu->chosen, bit, true) ? '+' : '-', feature_name(bit));
	if (cpu->vendor)
		fprintf(f, ",vendor=%s", cpu->vendor);
	ok = fclose(f) == 0;
	if (ok)
		strings_set_option(&p->run, "--cpu", option);
	free(option);
	return ok;
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
	if (ok && !add_option(p, cpu)) {
		snprintf(why, whylen, "out of memory");
		ok = false;
	}
	free(copy);
	free(cpu);
	return ok;
}
