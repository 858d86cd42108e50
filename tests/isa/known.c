/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "known.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Is "ENGINE.NAME" a line of the file? What follows a blank on the line is the reason. */
static bool listed(FILE *file, const char *engine, const char *name)
{
	char line[256], key[128];
	bool found = false;

	snprintf(key, sizeof(key), "%s.%s", engine, name);
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \t\n")] = 0;
		found = !strcmp(line, key);
	}
	return found;
}

int known_result(const char *path, const char *engine, const char *name, unsigned failures)
{
	FILE *file = fopen(path, "r");
	bool known;

	if (!file) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 2;
	}
	known = listed(file, engine, name);
	fclose(file);
	if (known)
		fprintf(stderr, failures ? "failed as known\n" : "passed, though listed as a known failure\n");
	return (failures != 0) != known;
}
