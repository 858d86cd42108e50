/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa_program ENGINE NAME IMAGE KNOWN_FAILURES: runs one test program. A test listed in KNOWN_FAILURES must fail. */
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "program.h"

int main(int argc, char **argv)
{
	struct program p;
	struct machine *m;
	unsigned failures, engine = 0;

	if (argc != 5)
		return 2;
	while (engine < ENGINES && strcmp(argv[1], isa_engine_names[engine]))
		engine++;
	if (engine == ENGINES || !program_load(&p, argv[3]))
		return 2;
	m = machine_create(engine);
	failures = program_run(&p, m);
	machine_destroy(m);
	program_free(&p);
	return known_result(argv[4], argv[1], argv[2], failures);
}
