/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory is left: what the kernel thinks, and the limits of control groups, versions 1 and 2. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

static uint64_t available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * KiB;
}

/* "max", or a file that is not there: no limit. */
static uint64_t limit_in(const char *folder, const char *name)
{
	unsigned long long n = UINT64_MAX;
	char path[600];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (file && fscanf(file, "%llu", &n) != 1)
		n = UINT64_MAX;
	if (file)
		fclose(file);
	return n;
}

/* What a group leaves, and the groups that it is in, up to `root`. */
static uint64_t left_in_groups(char *folder, size_t root, const char *limit, const char *usage)
{
	uint64_t left = UINT64_MAX;

	while (true) {
		uint64_t max = limit_in(folder, limit), used = limit_in(folder, usage);
		char *slash = strrchr(folder, '/');
		if (max != UINT64_MAX && used != UINT64_MAX)
			left = MIN(left, max > used ? max - used : 0);
		if (!slash || (size_t)(slash - folder) < root)
			return left;
		*slash = 0;
	}
}

static uint64_t left_in_control_groups(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t left = UINT64_MAX;
	char line[400], folder[500];

	/* "0::/path" of version 2, "5:memory:/path" of version 1 */
	while (file && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(++controllers, ':') : NULL;
		bool v2;
		if (!path)
			continue;
		*path++ = 0;
		path[strcspn(path, "\n")] = 0;
		v2 = !*controllers;
		if (!v2 && strcmp(controllers, "memory"))
			continue;
		snprintf(folder, sizeof(folder), "%s%s", v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory",
			 strcmp(path, "/") ? path : "");
		left = MIN(left, left_in_groups(folder, strlen(v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"),
						v2 ? "memory.max" : "memory.limit_in_bytes",
						v2 ? "memory.current" : "memory.usage_in_bytes"));
	}
	if (file)
		fclose(file);
	return left;
}

uint64_t doctor_free_memory(void)
{
	uint64_t machine = available();

	return machine ? MIN(machine, left_in_control_groups()) : 0;
}
