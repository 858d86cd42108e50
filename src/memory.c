/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Pages that are looked at in one go. */
enum { CHUNK = 4096 };

/* Of pages from an address on, those that are the process's own: not shared, and not the page of zeros that a load from
 * untouched memory finds (Documentation/admin-guide/mm/pagemap.rst of the kernel). */
static uint64_t own_pages(int pagemap, uintptr_t from, size_t pages)
{
	const uint64_t own = BIT(63) | BIT(56);
	uint64_t entries[CHUNK], count = 0;
	ssize_t n = pread(pagemap, entries, pages * sizeof(*entries), (off_t)(from / PAGE_SIZE * sizeof(*entries)));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*entries); i++)
		count += (entries[i] & own) == own;
	return count;
}

/* Bytes of memory that are present; pagemap: a file to tell the process's own by, or -1. Stretches of which nothing is
 * present cost little. */
static uint64_t present(int pagemap, const void *at, size_t bytes)
{
	uint8_t there[CHUNK];
	uintptr_t from = ALIGN_DOWN((uintptr_t)at, PAGE_SIZE), to = ALIGN_UP((uintptr_t)at + bytes, PAGE_SIZE);
	uint64_t count = 0;

	for (size_t pages; at && from < to; from += pages * PAGE_SIZE) {
		uint64_t resident = 0;
		pages = MIN((to - from) / PAGE_SIZE, (size_t)CHUNK);
		if (mincore((void *)from, pages * PAGE_SIZE, there) == 0)
			for (size_t i = 0; i < pages; i++)
				resident += there[i] & 1;
		count += resident && pagemap >= 0 ? own_pages(pagemap, from, pages) : resident;
	}
	return count * PAGE_SIZE;
}

void memory_is_sparse(void *at, size_t bytes)
{
	if (at)
		madvise(at, bytes, MADV_NOHUGEPAGE); /* fails where there are none */
}

void memory_count(struct memory_use *u, enum memory_kind kind, const void *at, size_t bytes)
{
	uint64_t there;

	if (!u->pagemap)
		u->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	there = present(u->pagemap, at, bytes);
	u->bytes[kind] += there;
	u->claimed += there;
}

void memory_count_shared(struct memory_use *u, enum memory_kind kind, const void *at, size_t bytes)
{
	u->bytes[kind] += present(-1, at, bytes);
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

	if (u->pagemap > 0)
		close(u->pagemap);
	u->pagemap = 0;
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		take(line, "RssAnon", &private);
		take(line, "RssFile", &u->bytes[MEMORY_program]);
		take(line, "VmPTE", &u->bytes[MEMORY_page_tables]);
	}
	fclose(f);
	/* Counts change while they are made. */
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
