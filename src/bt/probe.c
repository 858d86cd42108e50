/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page that 64-bit code compares by: an address is made of what is to be compared, of which the page's is the one
 * that is wanted. All others fault, if they are within BT_PROBE_REACH.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "bt_internal.h"

#define PROBE_BYTES (2 * BT_PROBE_REACH + PAGE_SIZE)
/* Where to try: the page is the displacement of a 64-bit address (xlat64_probe_canonical()), which is sign-extended.
 * What is mapped with MAP_32BIT lies above the first places. */
#define FIRST_PLACE (256 * MiB)
#define LAST_PLACE  (2 * GiB - PROBE_BYTES)

static uint32_t page;

static void reserve(void)
{
	for (uint64_t at = FIRST_PLACE; at <= LAST_PLACE && !page; at += BT_PROBE_REACH) {
		void *p = mmap((void *)at, PROBE_BYTES, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		if (p == MAP_FAILED)
			continue;
		if ((uint64_t)p != at || mprotect((char *)p + BT_PROBE_REACH, PAGE_SIZE, PROT_READ))
			munmap(p, PROBE_BYTES);
		else
			page = (uint32_t)(at + BT_PROBE_REACH);
	}
}

uint32_t bt_probe_page(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, reserve);
	return page;
}
