/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory the process takes, and for what (memory.def). The sum of private memory, of file pages and of page
 * tables is the host kernel's own count (/proc/self/status). Shared memory, which windows map again and again, is
 * counted once, by the object: what of it is allocated. Modules say which private memory is whose; what nobody claims
 * is `other`. So nothing is counted twice and nothing is left out.
 */
#ifndef GNOMON_MEMORY_H
#define GNOMON_MEMORY_H

#include "base.h"

enum memory_kind {
#define MEMORY(name, help) MEMORY_##name,
#include "memory.def"
#undef MEMORY
	MEMORY_KINDS
};

struct memory_use {
	uint64_t bytes[MEMORY_KINDS];
	uint64_t claimed; /* of private memory */
	int pagemap;	  /* 0: not opened yet; closed by memory_finish() */
};

extern const char *const memory_names[MEMORY_KINDS], *const memory_helps[MEMORY_KINDS];

/* Of a mapping that stays empty but for pages here and there: where a host makes memory of large pages (transparent
 * huge pages), each of those would take 2 MiB. */
void memory_is_sparse(void *at, size_t bytes);

/* Counts what of the private memory at [at, at + bytes) is present. NULL: nothing. */
void memory_count(struct memory_use *u, enum memory_kind kind, const void *at, size_t bytes);
/* The same of shared memory, which must be counted at one of the places where it is mapped only. */
void memory_count_shared(struct memory_use *u, enum memory_kind kind, const void *at, size_t bytes);
/* Counts what is allocated of a memfd. */
void memory_count_file(struct memory_use *u, enum memory_kind kind, int fd);
/* Adds what only the host's kernel knows. Called last. 0, or a negative errno: there is no /proc. */
int memory_finish(struct memory_use *u);

/* All but the guest's RAM. */
uint64_t memory_beyond_ram(const struct memory_use *u);

#endif
