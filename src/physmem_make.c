/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM is made in pieces: see physmem.h. */
#define _GNU_SOURCE
#include "physmem.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "large.h"

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

/* All pieces of its large page. */
static bool make_large(struct physmem *pm, uint64_t offset)
{
	uint64_t at = ALIGN_DOWN(offset, LARGE_PAGE), end = at + LARGE_PAGE;

	if (!pm->large || end > pm->ram.size || !large_make(pm->ram.host + at))
		return false;
	for (; at < end; at += PM_PIECE) {
		set(pm->made, at);
		set(pm->made_here, at);
	}
	return true;
}

void physmem_make(struct physmem *pm, uint64_t offset)
{
	uint64_t at = ALIGN_DOWN(offset, PM_PIECE), end = MIN(at + PM_PIECE, pm->ram.size);

	if (!pm->in_pieces || has(pm->made, offset) || make_large(pm, offset))
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

/* How much there is in one go around an offset: nobody reads what is not made, which would make it. */
static uint64_t piece_at(const struct physmem *pm, uint64_t offset)
{
	uint64_t at = ALIGN_DOWN(offset, LARGE_PAGE), end = at + LARGE_PAGE;

	if (!pm->large)
		return PM_PIECE;
	while (at < end && at < pm->ram.size && has(pm->made, at))
		at += PM_PIECE;
	return at == end ? LARGE_PAGE : PM_PIECE;
}

void physmem_touch(const struct physmem *pm, const uint8_t *at, uint64_t len, uint64_t offset, uint64_t here)
{
	uint64_t piece = piece_at(pm, offset + here), before = (offset + here) % piece;
	uint64_t from = here - MIN(here, before), to = MIN(here - before + piece, len);

	/* One call, where each fault is dear. */
	if (pm->large && madvise((void *)(at + from), to - from, MADV_POPULATE_READ) == 0)
		return;
	for (; from < to; from = ALIGN_DOWN((uintptr_t)at + from, (uintptr_t)AROUND) + AROUND - (uintptr_t)at)
		(void)*(const volatile uint8_t *)(at + from);
}

void physmem_make_here(struct physmem *pm, const uint8_t *host)
{
	uint64_t offset = (uint64_t)(host - pm->ram.host);

	if (!pm->in_pieces || offset >= pm->ram.size || has(pm->made_here, offset))
		return;
	set(pm->made_here, offset);
	physmem_make(pm, offset);
	physmem_touch(pm, pm->ram.host, pm->ram.size, 0, offset);
}
