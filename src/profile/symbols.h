/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of guest code: from an ELF file, from a System.map or /proc/kallsyms, or found in a kernel's memory. */
#ifndef GNOMON_PROFILE_SYMBOLS_H
#define GNOMON_PROFILE_SYMBOLS_H

#include "base.h"

struct symbol {
	uint64_t address;
	uint64_t size; /* bytes; up to the next one where the source has no sizes */
	const char *name;
};

struct symbols {
	struct symbol *list; /* by address */
	size_t count, room;
	struct name_chunk *names;
};

void symbols_init(struct symbols *s);
void symbols_destroy(struct symbols *s);

/* Adds code symbols of an ELF file, or of lines "ADDRESS TYPE NAME". 0, or a negative errno with one line in err. */
int symbols_load(struct symbols *s, const char *path, char *err, size_t errlen);

/*
 * Adds the symbols of a Linux kernel with CONFIG_KALLSYMS that lies, linked for 32 bits, in the len bytes at memory:
 * how many. What is in memory is the guest's and may be anything.
 */
size_t symbols_find_kallsyms(struct symbols *s, const uint8_t *memory, size_t len);

/* The same, with symbols of data, one by one until fn says false: how many it was given. The name ends after len. */
typedef bool kallsyms_fn(void *arg, uint64_t address, char type, const char *name, size_t len);
size_t symbols_each_kallsyms(const uint8_t *memory, size_t len, kallsyms_fn *fn, void *arg);
/* A kallsyms_fn: adds it to the struct symbols. */
bool symbols_add_kallsym(void *symbols, uint64_t address, char type, const char *name, size_t len);

/* Adds one; false without memory. type: as nm's; data symbols are passed over. */
bool symbols_add(struct symbols *s, uint64_t address, uint64_t size, char type, const char *name, size_t name_len);

/* Sorts, and gives sizes to those without: after the last was added. */
void symbols_finish(struct symbols *s);

/* The symbol that the address lies in, or NULL. */
const struct symbol *symbols_at(const struct symbols *s, uint64_t address);

#endif
