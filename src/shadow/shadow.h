/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shadow mappings: host mappings that realise the guest's linear address space, so that translated code reaches guest
 * memory with one instruction. Vocabulary and invariants (SH-n): README.md in this folder.
 */
#ifndef GNOMON_SHADOW_H
#define GNOMON_SHADOW_H

#include "cpu/cpu.h"
#include "memory.h"

struct shadow;

struct shadow_config {
	struct cpu *cpu;
	bool audit;	       /* check all invariants at every change */
	unsigned max_mappings; /* how many mappings the host allows the process; 0: vm.max_map_count */
};

/* Reserves the window (4 GiB and guards of host address space, no memory). Listens to cpu->pm. 0 or a negative errno.
 */
int shadow_create(struct shadow **out, const struct shadow_config *cfg);
void shadow_destroy(struct shadow *sh);

/*
 * Translated code checks segment limits without touching flags: it loads from window + SHADOW_PROBE + 8 * x, where x is
 * 0 if the check holds and 256 .. 8191 if not. Only the former is readable.
 */
#define SHADOW_PROBE (-(int32_t)(512 * KiB) + (int32_t)PAGE_SIZE - 8)

/*
 * Host address of linear address 0 for the CPU's present mode: what GS.base must hold in translated code. A multiple of
 * 4 GiB, so that the low half of a host address in the window is the linear address.
 */
hva_t shadow_window(const struct shadow *sh);
/* The same for a given ring: with paging, user mode's and supervisor mode's windows differ. */
hva_t shadow_window_of(const struct shadow *sh, bool user);

/*
 * Views: what 64-bit code reaches memory by. A view is a table of 64-bit deltas, one for each 4 GiB (a chunk) of linear
 * address space, at index linear >> 32 (all 32 bits of it: sign-extended addresses have the upper indexes):
 *
 *   host address = linear address + delta[linear >> 32], modulo 2^64
 *
 * A delta leads into a place with at least SHADOW_VIEW_GUARD bytes on both sides that are never mapped: so does
 * whatever is added to an address after the lookup, up to that distance. Chunks come into the view as they are used:
 * loads from the table itself may fault, and deltas of chunks that the view does not own lead nowhere;
 * shadow_handle_fault() tells. Any call of the shadow may change deltas, those of chunks in use as well: who goes on in
 * translated code looks them up again.
 */
#define SHADOW_VIEW_SHIFT 32
#define SHADOW_VIEW_GUARD (20 * GiB) /* more than an index of 31 bits, times 8 */
#define SHADOW_VIEW_REACH (2 * GiB)  /* shadow_to_linear() */
/* Supervisor mode's table can be read so far behind that of user mode, too, whichever address space is the present one:
 * GS.base need not change with the ring. Further than the entries of canonical addresses reach, and nothing else is
 * there; docs/isolation.md has why an index of the one that leads into the other does no harm, and why this is no
 * multiple of 4 MiB: probed indexes may be multiples of 2^51 too far. */
#define SHADOW_SUPERVISOR_VIEW ((1 << 30) + (1 << 21))
#define SHADOW_VIEW_TABLE_BITS 36 /* tables are at least 2^n bytes apart */
/* Host address of user mode's table of the present address space: what GS.base must hold in 64-bit code. 0: there is
 * none, memory is to be reached by the single-stepper (not long mode). */
hva_t shadow_view(const struct shadow *sh);
/* The table of a given ring. As with windows, there is one for supervisor mode, which stays where it is, and one for
 * user mode of each address space. */
hva_t shadow_view_of(const struct shadow *sh, bool user);
/* The view owns the chunk of a linear address from now on. To be asked for what an instruction accessed that had to be
 * single-stepped without it. False: there is no view, the address is not canonical, or the guest's upper tables lead
 * nowhere in all of the chunk. */
bool shadow_own(struct shadow *sh, gva_t linear, bool user);
/* The delta for a linear address: what the table has, or would have if it could be read there. */
uint64_t shadow_delta(const struct shadow *sh, gva_t linear, bool user);
/* Does it? */
bool shadow_owns(const struct shadow *sh, gva_t linear, bool user);
/* Where the view leads the address, as things are: into its chunk's place, or nowhere. */
hva_t shadow_host_of(const struct shadow *sh, gva_t linear, bool user);
/* Reads 8 bytes of RAM within a page that the view shows at present. False: it shows none there. */
bool shadow_peek(const struct shadow *sh, gva_t linear, bool user, uint64_t *value);
/* The beginning of nowhere. */
hva_t shadow_nowhere(const struct shadow *sh);

/*
 * The alias: the same memory at window + SHADOW_ALIAS, without the write protection of traces. Only for writes that
 * shadow_watched() clears: a store whose first byte lies in a granule of count 0 touches nothing that is watched (up to
 * SHADOW_GRANULE bytes; the granule before a watched one counts as watched too).
 */
#define SHADOW_ALIAS	     (8 * GiB)
#define SHADOW_GRANULE_SHIFT 6
#define SHADOW_GRANULE	     (1u << SHADOW_GRANULE_SHIFT)
/* One byte for each granule of RAM, of the first SHADOW_WATCHED_MAX bytes: where the alias maps RAM, it is at the
 * linear address that is its offset. */
#define SHADOW_WATCHED_MAX (4 * GiB)
const uint8_t *shadow_watched(const struct shadow *sh);

/*
 * One byte for each page of a window of a guest with paging, for translated code to look at: a store goes through
 * without a fault if the byte, masked, is SHADOW_PAGE_STORABLE, a load if SHADOW_PAGE_LOADABLE is set. Supervisor
 * mode's array stays where it is, user mode's goes with the address space.
 */
enum { SHADOW_PAGE_MASK = 7, SHADOW_PAGE_STORABLE = 3, SHADOW_PAGE_LOADABLE = 1, SHADOW_PAGE_TRACED = 7 };
/*
 * A page may be known without being mapped (the state has SHADOW_PAGE_KNOWN, SHADOW_PAGE_LOADABLE not): its frame is
 * one of RAM, and code that has looked may make accesses within the page there: loads, and stores if the state, masked,
 * is SHADOW_PAGE_KNOWN_STORABLE. Each such access takes one from the page's uses; where none is left it is to fault.
 */
enum { SHADOW_PAGE_KNOWN = 16, SHADOW_PAGE_KNOWN_STORABLE = 2 };
const uint8_t *shadow_page_states(const struct shadow *sh, bool user);
/* The state of the page at a linear address, for the CPU's present mode. */
uint8_t shadow_page_state(const struct shadow *sh, gva_t linear, bool user);
/* The page of RAM by page of the window, where the masked state is SHADOW_PAGE_TRACED (writable, but for a trace), or
 * the state has SHADOW_PAGE_KNOWN. */
const uint32_t *shadow_page_frames(const struct shadow *sh, bool user);
/*
 * The same for 64-bit code, by pages of host addresses: the state of the page at any that a delta leads to, or within
 * SHADOW_VIEW_REACH of one, is the byte at shadow_host_states() + (address >> PAGE_SHIFT), its frame the uint32_t at
 * shadow_host_frames() + (address >> PAGE_SHIFT) * 4. They stay where they are once there is a view.
 */
hva_t shadow_host_states(const struct shadow *sh);
hva_t shadow_host_frames(const struct shadow *sh);
/* By page of RAM: how many more accesses to a page that is known are made there before it is mapped. */
uint16_t *shadow_page_uses(const struct shadow *sh);
/* Is the access, which has faulted, one to a page that is known, and nothing else in its way? */
bool shadow_is_known(const struct shadow *sh, hva_t address, bool write);
/*
 * Translated code has stored to pages of RAM that are traced as page tables, and as nothing else, itself: at these
 * offsets, within an entry or two. To be told before anything else is asked of the shadow.
 */
void shadow_tables_stored(struct shadow *sh, const uint64_t *offsets, unsigned count);

/*
 * Address spaces of a guest with paging. Each that is known has a number; kernel mode is the same one in all of them:
 * SHADOW_SUPERVISOR. Numbers are used again; the loss of all linear addresses is reported then.
 */
enum { SHADOW_SUPERVISOR, SHADOW_SPACES = 33 };
/* The number for user or supervisor mode in the present address space. With paging off: SHADOW_SUPERVISOR. */
unsigned shadow_space(const struct shadow *sh, bool user);

/*
 * Code was fetched from a linear address of the present address space, by a translation that led to gpa: the caller
 * will rely on it until told of its loss. False: that cannot be told, it holds to the next mmu_event only.
 */
bool shadow_fetched(struct shadow *sh, gva_t linear, gpa_t gpa, bool user);
/* For audits: was it, by any code of the space, and has its loss not been told since? */
bool shadow_is_fetched(const struct shadow *sh, gva_t linear, gpa_t gpa, unsigned space);
/*
 * Called when linear addresses [linear, linear + len) of a space may lead elsewhere from now on: at the guest's flush,
 * or before. Pages that nothing was fetched from are not reported.
 */
typedef void shadow_lost_fn(void *arg, unsigned space, gva_t linear, uint64_t len);
void shadow_on_lost(struct shadow *sh, shadow_lost_fn *fn, void *arg);

enum shadow_fault {
	SHADOW_FOREIGN,	      /* not an address of a window or a view */
	SHADOW_RESOLVED,      /* was a hidden fault: now mapped, retry the access */
	SHADOW_RESOLVED_USER, /* the same, of supervisor mode in its own window, on a page of user mode's */
	SHADOW_EMULATE_USER, /* supervisor mode's access to a page of user mode's, which SMAP keeps out of its window */
	SHADOW_EMULATE,	     /* device memory, ROM write, hole, guard page, chunk that is not owned: single-step it */
	SHADOW_TRACED,	     /* write to a traced page: single-step the instruction */
	SHADOW_TRUE,	     /* the guest's own tables forbid it: single-step the instruction, which raises it */
};

/*
 * If the guest's tables map the linear address now, and as accessed, so does the window of user or supervisor mode from
 * here on: writable, if they allow it and it is dirty. Saves the hidden fault that would follow.
 */
void shadow_install(struct shadow *sh, gva_t linear, bool user);
/* The same for code that looks: the page may become known instead. Returns whether it is. */
bool shadow_know(struct shadow *sh, gva_t linear, bool user);

/*
 * Deals with a host fault of translated code at a host address. Supervisor code may use user mode's window for what it
 * expects to be user mode's: pages that user mode may not access in this way are SHADOW_EMULATE there. User mode's code
 * uses supervisor mode's window where the processor itself accesses memory for it: the tables and the stack of INT n.
 * For views: a load from the table that faulted is SHADOW_RESOLVED (the chunk is owned now) or, the address not being
 * canonical or nothing mapped anywhere in the chunk, SHADOW_EMULATE. Where a delta led nowhere, or an access left its
 * chunk, it is SHADOW_EMULATE as well.
 */
enum shadow_fault shadow_handle_fault(struct shadow *sh, hva_t address, bool write);
/* The same of an access that was not made, since code has looked: its page may become known only. */
enum shadow_fault shadow_handle_look(struct shadow *sh, hva_t address, bool write);

/* What the guest's tables say of the access that was SHADOW_TRUE last. */
const struct x86_fault *shadow_true_fault(const struct shadow *sh);

/* Inverse of the window: the linear address of a host address in it, or in a chunk that a view owns or within its
 * SHADOW_VIEW_REACH. False if it is in none. */
bool shadow_to_linear(const struct shadow *sh, hva_t address, gva_t *linear);

/* Is it in a window under paging, or in a chunk itself: not only around one? */
bool shadow_in_place(const struct shadow *sh, hva_t address);

/* Is the host address in a table of chunks (shadow_view())? One that faults there has no entry: the view does not have
 * the chunk. */
bool shadow_in_view_table(const struct shadow *sh, hva_t address);

/* For cpu_ops.mmu_event. */
void shadow_mmu_event(struct shadow *sh, enum mmu_event event, gva_t address);

void shadow_count_memory(const struct shadow *sh, struct memory_use *u);

/* Checks every mapping against the guest's memory map: panics with the invariant's number. */
void shadow_audit(const struct shadow *sh);

#endif
