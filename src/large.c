/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "large.h"

#include <sys/mman.h>

#include "clock.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; the C library's header may be older */
#endif

enum {
	PROBED_PAGES = 16,
	DEAR_NS =
	    2000, /* a page that is mapped: some 10 ns, and a TLB miss; where a hypervisor hears of it 8 us and more */
};

bool large_pays(void)
{
	uint64_t best = UINT64_MAX;
	uint8_t *p = mmap(NULL, PROBED_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	/* The least of all: each may be disturbed. A host that cannot populate them is an old one, and not asked. */
	if (madvise(p, PROBED_PAGES * PAGE_SIZE, MADV_POPULATE_WRITE) == 0)
		for (unsigned i = 0; i < PROBED_PAGES; i++) {
			uint64_t t0 = host_now_ns();
			((volatile uint8_t *)p)[i * PAGE_SIZE] = 1;
			best = MIN(best, host_now_ns() - t0);
		}
	munmap(p, PROBED_PAGES * PAGE_SIZE);
	return best != UINT64_MAX && best > DEAR_NS;
}

void *large_reserve(size_t bytes, int flags)
{
	uint8_t *p, *at, *end;

	bytes = ALIGN_UP(bytes, PAGE_SIZE);
	p = mmap(NULL, bytes + LARGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	at = (uint8_t *)ALIGN_UP((uintptr_t)p, LARGE_PAGE);
	end = p + bytes + LARGE_PAGE;
	if (at > p)
		munmap(p, (size_t)(at - p));
	if (end > at + bytes)
		munmap(at + bytes, (size_t)(end - at) - bytes);
	return at;
}

void *large_alloc(size_t bytes, bool large)
{
	void *at = large_reserve(bytes, 0);

	if (at && mprotect(at, bytes, PROT_READ | PROT_WRITE) < 0) {
		munmap(at, bytes);
		return NULL;
	}
	if (at && large)
		madvise(at, bytes, MADV_HUGEPAGE); /* fails where there are none */
	return at;
}

bool large_make(void *at)
{
	/* Of nothing at all it does not make one. */
	return madvise(at, PAGE_SIZE, MADV_POPULATE_WRITE) == 0 && madvise(at, LARGE_PAGE, MADV_COLLAPSE) == 0;
}
