/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `gnomon doctor` says of CPUID's features: those that a guest can be shown on this host, and the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "doctor.h"

/* A processor that shows all it can; NULL: no memory. The caller frees it. */
static struct cpu *all_shown(void)
{
	struct cpu *cpu = aligned_alloc(_Alignof(struct cpu), ALIGN_UP(sizeof(*cpu), _Alignof(struct cpu)));

	if (cpu) {
		memset(cpu, 0, sizeof(*cpu));
		cpu->max = cpu->lm = true;
	}
	return cpu;
}

static void print_names(const struct cpu *cpu, bool shown)
{
	enum { INDENT = 2, WIDTH = 110 };
	unsigned column = 0;

	for (unsigned i = 0; i < CPUID_BITS; i++) {
		unsigned len = (unsigned)strlen(feature_name(i)) + 1;
		if (feature_shown(cpu, i) != shown)
			continue;
		if (column + len > WIDTH) {
			printf("\n");
			column = 0;
		}
		printf("%*s%s", column ? 1 : INDENT, "", feature_name(i));
		column += len;
	}
	printf("%s\n", column ? "" : "  none");
}

void doctor_print_features(void)
{
	struct cpu *cpu = all_shown();

	if (!cpu)
		return;
	printf("\nFeatures of the processor that guests can be shown (gnomon run --cpu -NAME hides one):\n");
	print_names(cpu, true);
	printf("Those that this host does not have:\n");
	print_names(cpu, false);
	free(cpu);
}

json_t *doctor_features_json(void)
{
	json_t *shown = json_array(), *others = json_array();
	struct cpu *cpu = all_shown();

	for (unsigned i = 0; cpu && i < CPUID_BITS; i++)
		json_array_append_new(feature_shown(cpu, i) ? shown : others, json_string(feature_name(i)));
	free(cpu);
	return json_pack("{s:o, s:o}", "shown", shown, "missing", others);
}

void doctor_avx(struct finding *f)
{
	struct cpu *cpu = all_shown();
	bool avx = cpu && feature_shown(cpu, CPUID_avx), avx2 = cpu && feature_shown(cpu, CPUID_avx2);
	bool avx512 = cpu && feature_shown(cpu, CPUID_avx512f);

	free(cpu);
	f->status = avx2 ? FINDING_OK : FINDING_HINT;
	snprintf(f->found, sizeof(f->found), "%s",
		 avx512 ? "AVX2 and AVX-512, shown to guests"
		 : avx2 ? "AVX2, shown to guests"
		 : avx	? "AVX only"
			: "no AVX");
	if (!avx2)
		snprintf(f->advice, sizeof(f->advice),
			 "programs that would use AVX2 take slower ways; a hypervisor "
			 "around this machine may be able to show it");
}
