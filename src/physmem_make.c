/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM is made in pieces: see physmem.h. */
#define _GNU_SOURCE
#include "physmem.h"

#include <sys/uio.h>
#include <unistd.h>

enum {
	PIECE_PAGES = PM_PIECE / PAGE_SIZE,
	AROUND = 16 * PAGE_SIZE, /* what the host maps around a page that is read, by default (fault_around_bytes) */
};

static bool has(const uint64_t *pieces, uint64_t offset)
{
	return pieces[offset / PM_PIECE / 64] >> (offset / PM_PIECE % 64) & 1;
}

static void set(uint64_t *pieces, uint64_t offset)
{
	pieces[offset / PM_PIECE / 64] |= BIT(offset / PM_PIECE % 64);
}

bool physmem_is_made(const struct physmem *pm, uint64_t offset)
{
	return has(pm->made, offset);
}

/* Writing makes a page in two thirds of the time that a fault takes, even one of MADV_POPULATE_WRITE. If it fails, or
 * writes less, that much is left to faults. */
static void write_zeros(int fd, uint64_t from, uint64_t to)
{
	static const uint8_t zeros[PAGE_SIZE];
	struct iovec pages[PIECE_PAGES];
	int n = (int)((to - from) / PAGE_SIZE);

	for (int i = 0; i < n; i++)
		pages[i] = (struct iovec){(void *)zeros, PAGE_SIZE};
	if (pwritev(fd, pages, n, (off_t)from) < 0)
		return;
}

void physmem_make(struct physmem *pm, uint64_t offset)
{
	uint64_t at = ALIGN_DOWN(offset, PM_PIECE), end = MIN(at + PM_PIECE, pm->ram.size);

	if (!pm->in_pieces || has(pm->made, offset))
		return;
	set(pm->made, offset);
	/* Nobody else writes to RAM meanwhile. A page that has been swapped out is no hole. */
	while (at < end) {
		off_t hole = lseek(pm->ram.fd, (off_t)at, SEEK_HOLE), data;
		if (hole < 0 || (uint64_t)hole >= end)
			return;
		data = lseek(pm->ram.fd, hole, SEEK_DATA); /* none at all: fails */
		at = data < 0 ? end : MIN((uint64_t)data, end);
		write_zeros(pm->ram.fd, (uint64_t)hole, at);
	}
}

void physmem_touch(const void *mapping, uint64_t len)
{
	uintptr_t at = (uintptr_t)mapping, end = at + len;

	for (; at < end; at = ALIGN_DOWN(at, (uintptr_t)AROUND) + AROUND)
		(void)*(const volatile uint8_t *)at;
}

void physmem_make_here(struct physmem *pm, const uint8_t *host)
{
	uint64_t offset = (uint64_t)(host - pm->ram.host), first = ALIGN_DOWN(offset, PM_PIECE);

	if (!pm->in_pieces || offset >= pm->ram.size || has(pm->made_here, offset))
		return;
	set(pm->made_here, offset);
	physmem_make(pm, offset);
	physmem_touch(pm->ram.host + first, MIN(PM_PIECE, pm->ram.size - first));
}
