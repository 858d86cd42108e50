/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

const char *const memory_names[MEMORY_KINDS] = {
#define MEMORY(name, help) #name,
#include "memory.def"
#undef MEMORY
};

const char *const memory_helps[MEMORY_KINDS] = {
#define MEMORY(name, help) help,
#include "memory.def"
#undef MEMORY
};

static uint64_t present(const void *at, size_t bytes)
{
	enum { AT_ONCE = 4096 };
	unsigned char there[AT_ONCE];
	uintptr_t from = ALIGN_DOWN((uintptr_t)at, PAGE_SIZE), to = ALIGN_UP((uintptr_t)at + bytes, PAGE_SIZE);
	uint64_t count = 0;

	while (at && from < to) {
		size_t pages = MIN((to - from) / PAGE_SIZE, (size_t)AT_ONCE);
		if (mincore((void *)from, pages * PAGE_SIZE, there) == 0)
			for (size_t i = 0; i < pages; i++)
				count += there[i] & 1;
		from += pages * PAGE_SIZE;
	}
	return count * PAGE_SIZE;
}

void memory_count(struct memory_use *u, enum memory_kind kind, const void *at, size_t bytes)
{
	uint64_t there = present(at, bytes);

	u->bytes[kind] += there;
	u->claimed += there;
}

void memory_count_shared(struct memory_use *u, enum memory_kind kind, const void *at, size_t bytes)
{
	u->bytes[kind] += present(at, bytes);
}

void memory_count_file(struct memory_use *u, enum memory_kind kind, int fd)
{
	enum { BLOCK = 512 }; /* of st_blocks */
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		u->bytes[kind] += (uint64_t)st.st_blocks * BLOCK;
}

/* The value of "Name:   123 kB", in bytes, if that is the line's name. */
static void take(const char *line, const char *name, uint64_t *bytes)
{
	unsigned long long kib;

	if (!strncmp(line, name, strlen(name)) && sscanf(line + strlen(name), ": %llu kB", &kib) == 1)
		*bytes = kib * KiB;
}

int memory_finish(struct memory_use *u)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t private = 0;
	char line[128];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		take(line, "RssAnon", &private);
		take(line, "RssFile", &u->bytes[MEMORY_program]);
		take(line, "VmPTE", &u->bytes[MEMORY_page_tables]);
	}
	fclose(f);
	/* A page of zeros that was only read is present, but no memory. */
	u->bytes[MEMORY_other] = private > u->claimed ? private - u->claimed : 0;
	return private ? 0 : -ENOTSUP;
}

uint64_t memory_beyond_ram(const struct memory_use *u)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MEMORY_KINDS; i++)
		sum += i == MEMORY_guest_ram ? 0 : u->bytes[i];
	return sum;
}
