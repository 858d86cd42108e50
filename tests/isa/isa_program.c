/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa_program ENGINE NAME IMAGE KNOWN_FAILURES [TRACE]: runs one test program. A test listed in KNOWN_FAILURES must
 * fail. TRACE: categories as for gnomon --trace, when one is looked at by hand. Exit status 77: the host has not what
 * the program is for.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/sys.h"
#include "known.h"
#include "program.h"
#include "trace.h"

enum { SKIP = 77 };

int main(int argc, char **argv)
{
	struct program p;
	struct machine *m;
	unsigned failures, engine = 0;
	char bad[32];

	if (argc < 5 || argc > 6)
		return 2;
	if (argc == 6 && trace_select(argv[5], bad, sizeof(bad)) < 0) {
		fprintf(stderr, "no trace category '%s'\n", bad);
		return 2;
	}
	while (engine < ENGINES && strcmp(argv[1], isa_engine_names[engine]))
		engine++;
	if (engine == ENGINES || !program_load(&p, argv[3]))
		return 2;
	m = machine_create(engine);
	if (p.avx2 && !cpu_has(&m->cpu, FEAT_AVX2)) {
		fprintf(stderr, "no AVX2\n");
		return SKIP;
	}
	if (p.avx512 &&
	    !(cpu_has(&m->cpu, FEAT_AVX512BW) && cpu_has(&m->cpu, FEAT_AVX512DQ) && cpu_has(&m->cpu, FEAT_AVX512VL))) {
		fprintf(stderr, "no AVX-512\n");
		return SKIP;
	}
	failures = program_run(&p, m);
	machine_destroy(m);
	program_free(&p);
	return known_result(argv[4], argv[1], argv[2], failures);
}
