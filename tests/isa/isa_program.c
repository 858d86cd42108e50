/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa_program ENGINE NAME IMAGE KNOWN_FAILURES: runs one test program. A test listed in KNOWN_FAILURES must fail. */
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* Is "ENGINE.NAME" a line of the file? What follows a blank on the line is the reason. */
static bool known_failure(const char *path, const char *engine, const char *name)
{
	char line[256], key[128];
	FILE *file = fopen(path, "r");
	bool found = false;

	if (!file) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(2);
	}
	snprintf(key, sizeof(key), "%s.%s", engine, name);
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \t\n")] = 0;
		found = !strcmp(line, key);
	}
	fclose(file);
	return found;
}

int main(int argc, char **argv)
{
	struct program p;
	struct machine *m;
	unsigned failures, engine = 0;
	bool known;

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
	known = known_failure(argv[4], argv[1], argv[2]);
	if (known)
		fprintf(stderr, failures ? "failed as known\n" : "passed, though listed as a known failure\n");
	return (failures != 0) != known;
}
