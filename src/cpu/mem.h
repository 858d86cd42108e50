/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as the CPU sees it: segmentation checks, paging, physical access. Every function that can fault returns
 * false with *f filled in, and has then changed nothing the guest can see (but accessed bits).
 */
#ifndef GNOMON_CPU_MEM_H
#define GNOMON_CPU_MEM_H

#include "cpu.h"

enum access {
	ACC_READ = 0,
	ACC_WRITE = 1, /* a read-modify-write asks for ACC_WRITE only */
	ACC_EXEC = 2,
	ACC_SYSTEM = 4, /* implicit supervisor access: descriptor tables, TSS, stack switch */
};

/* Result of a page walk: physical address and what the mapping allows (effective, over all levels). */
struct translation {
	gpa_t gpa;	    /* of the very byte asked for; A20 not yet applied */
	uint64_t page_size; /* bytes mapped by the leaf: 4 KiB, 2/4 MiB, 1 GiB */
	bool writable;	    /* in the leaf and above, before WP is considered */
	bool user;
	bool executable;
	bool global;
	bool accessed; /* A was set at every level (or has been set by this walk) */
	bool dirty;    /* D was set (or has been set by this walk) */
};

/*
 * The page walker (4.3-4.5), pure but for A/D bits, which it sets when `set_ad`. With paging off, an identity mapping.
 * False: *f holds #PF (address = gva) with the exact error code. user: CPL 3 access rights apply.
 */
bool cpu_walk(struct cpu *cpu, gva_t gva, enum access access, bool user, bool set_ad, struct translation *out,
	      struct x86_fault *f);

/* Loads the PAE PDPTEs for a new CR3; false (#GP) if a reserved bit is set. Only with PAE paging outside long mode. */
bool cpu_load_pdptes(struct cpu *cpu, uint64_t cr3, struct x86_fault *f);

/* Linear memory, any length, across pages; a fault on any page is found before anything is written. */
bool cpu_read_linear(struct cpu *cpu, gva_t gva, void *buf, unsigned len, enum access access, struct x86_fault *f);
bool cpu_write_linear(struct cpu *cpu, gva_t gva, const void *buf, unsigned len, enum access access,
		      struct x86_fault *f);
/* The physical address (A20 not applied) that an access to one byte reaches; sets A/D bits as the access would. */
bool cpu_translate_linear(struct cpu *cpu, gva_t gva, enum access access, gpa_t *gpa, struct x86_fault *f);
/* Would it fault? Sets A/D bits as the access would. */
bool cpu_probe_linear(struct cpu *cpu, gva_t gva, unsigned len, enum access access, struct x86_fault *f);

/*
 * Segmentation (5.3, 3.4.5): checks type, limit and canonicality of seg:[offset, offset + len) and gives the linear
 * address. Raises #GP(0), or #SS(0) for SS.
 */
bool cpu_seg_linear(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, enum access access, gva_t *out,
		    struct x86_fault *f);

/* Both steps, with the alignment check (#AC) for CPL 3. len 1..8 for the number forms. */
bool cpu_read(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, uint64_t *value, struct x86_fault *f);
bool cpu_write(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, uint64_t value, struct x86_fault *f);
bool cpu_read_bytes(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, void *buf, struct x86_fault *f);
/* For operands of several parts, whose alignment (bytes, a power of two) does not follow from their size. */
bool cpu_read_elements(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, unsigned alignment, void *buf,
		       struct x86_fault *f);
bool cpu_write_bytes(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, const void *buf,
		     struct x86_fault *f);
bool cpu_probe_write(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, struct x86_fault *f);

/* Physical memory through A20 and the journal. */
void cpu_phys_read(struct cpu *cpu, gpa_t gpa, void *buf, unsigned len);
void cpu_phys_write(struct cpu *cpu, gpa_t gpa, const void *buf, unsigned len);

/* Stack in words of `size` bytes (2, 4, 8) at SS:SP of the current stack width. They move RSP only on success. */
bool cpu_push(struct cpu *cpu, unsigned size, uint64_t value, struct x86_fault *f);
bool cpu_pop(struct cpu *cpu, unsigned size, uint64_t *value, struct x86_fault *f);
/* The word `index` words above SP, without moving it. */
bool cpu_peek(struct cpu *cpu, unsigned size, unsigned index, uint64_t *value, struct x86_fault *f);
/* RSP + delta in the stack's width (upper part kept as the architecture does). */
uint64_t cpu_stack_add(const struct cpu *cpu, uint64_t rsp, int64_t delta);

#endif
