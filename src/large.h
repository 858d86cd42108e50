/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory in pages of 2 MiB, for hosts on which those of 4 KiB are dear. On a host that is a virtual machine without
 * virtualization hardware itself, its hypervisor keeps page tables of its own for each page of ours: the first touch of
 * a page costs some 10 us there although it is mapped already (by MAP_POPULATE, say), and a large one not much more.
 * Elsewhere this is a matter of the TLB, and large pages are as often slower as faster, as the host has to find, clear
 * or copy all of one.
 */
#ifndef GNOMON_LARGE_H
#define GNOMON_LARGE_H

#include "base.h"

#define LARGE_PAGE ((uintptr_t)(2 * MiB))

/* Is this such a host? Measured, in some 100 us. */
bool large_pays(void);

/* Host addresses for `bytes`, aligned for large pages, without access; flags: more of mmap()'s. NULL: none. */
void *large_reserve(size_t bytes, int flags);

/*
 * Private memory of zeros that is going to be used as a whole, or from its beginning on; large: in large pages, if the
 * host has any. It takes none before it is touched. Freed by munmap(). NULL: none.
 */
void *large_alloc(size_t bytes, bool large);

/* Makes a large page of the shared memory that is mapped, writable, at an aligned address. What is there stays. False:
 * there is none. */
bool large_make(void *at);

#endif
