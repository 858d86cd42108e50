/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest in long mode, its tables in RAM, and accesses as translated 64-bit code makes them: by the view, faults dealt
 * with as they come. */
#ifndef GNOMON_TESTS_VIEW_FIXTURE_H
#define GNOMON_TESTS_VIEW_FIXTURE_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>

#include "cpu/mem.h"
#include "machine_fixture.h"

enum {
	RAM_BYTES = 64 * 1024 * 1024,
	DONE = 100, /* beside enum shadow_fault: the access was made */
	PTE_ALL = PTE_P | PTE_W | PTE_U,
	PTE_USED = PTE_ALL | PTE_A | PTE_D,
};

static sigjmp_buf back;
static volatile hva_t fault_address;

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	(void)sig, (void)uc;
	fault_address = (hva_t)info->si_addr;
	siglongjmp(back, 1);
}

static void setup_limited(unsigned max_mappings, bool audit)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	make_machine(RAM_BYTES, max_mappings, audit);
	cpu->seg[SEG_CS].attr = SEG_L;
	sigaction(SIGSEGV, &sa, NULL);
}

/* By the CPU, as code that is single-stepped does. */
static void poke(gpa_t at, uint64_t value)
{
	physmem_write(&pm, at, &value, 8);
}

static inline void load_cr3(gpa_t pml4)
{
	cpu->cr3 = pml4;
	shadow_mmu_event(sh, MMU_CR3, 0);
	audit_upper(sh);
}

static inline void flush_all(void)
{
	shadow_mmu_event(sh, MMU_CR3, 0);
	audit_upper(sh);
}

static void enter_long_mode(gpa_t pml4)
{
	cpu->cr0 = CR0_PE | CR0_PG | CR0_WP;
	cpu->cr4 = CR4_PAE;
	cpu->efer = EFER_LME | EFER_LMA | EFER_NXE;
	cpu->cr3 = pml4;
	shadow_mmu_event(sh, MMU_CR0, 0);
}

/* The access itself: host instructions, whose addresses no sanitizer knows. false: it faults. */
static bool try_access(gva_t linear, int64_t disp, bool write, uint8_t *value)
{
	const uint64_t *entry = (const uint64_t *)shadow_view_of(sh, cpu->cpl == 3) + (linear >> SHADOW_VIEW_SHIFT);
	uint64_t at;

	if (sigsetjmp(back, 0))
		return false;
	__asm__ volatile("mov (%1), %0" : "=r"(at) : "r"(entry) : "memory");
	at += linear + (uint64_t)disp;
	if (write)
		__asm__ volatile("movb %0, (%1)" : : "q"(*value), "r"(at) : "memory");
	else
		__asm__ volatile("movb (%1), %0" : "=q"(*value) : "r"(at) : "memory");
	return true;
}

/* Until it is DONE, or the instruction is to be single-stepped, and why. */
static int access_view(gva_t linear, int64_t disp, bool write, uint8_t *value)
{
	for (unsigned tries = 0; tries < 16; tries++) {
		enum shadow_fault what;
		if (try_access(linear, disp, write, value))
			return DONE;
		what = shadow_handle_fault(sh, fault_address, write);
		if (what == SHADOW_EMULATE && !paged_chunk_near(sh, fault_address) &&
		    shadow_own(sh, linear, cpu->cpl == 3))
			continue; /* the view has not owned it: the translator would single-step it this once */
		if (what != SHADOW_RESOLVED && what != SHADOW_RESOLVED_USER)
			return (int)what;
	}
	ck_abort_msg("no end of faults");
}

/* Is the entry of the table for an address there? */
static bool try_entry(gva_t linear)
{
	const uint64_t *entry = (const uint64_t *)shadow_view_of(sh, cpu->cpl == 3) + (linear >> SHADOW_VIEW_SHIFT);
	uint64_t at;

	if (sigsetjmp(back, 0))
		return false;
	__asm__ volatile("mov (%1), %0" : "=r"(at) : "r"(entry) : "memory");
	return true;
}

/* At the address in the window, or, the page being known, in RAM, where the state allows either; else false. */
static inline bool look_and_access(gva_t linear, hva_t at, bool write, uint8_t *value)
{
	uint64_t n = at >> PAGE_SHIFT, frame = ((const uint32_t *)shadow_host_frames(sh))[n];
	uint8_t state = ((const uint8_t *)shadow_host_states(sh))[n], masked = state & SHADOW_PAGE_MASK;
	uint8_t *byte = pm.ram.host + (frame << PAGE_SHIFT) + (at & PAGE_MASK);

	if (write ? masked == SHADOW_PAGE_STORABLE : masked & SHADOW_PAGE_LOADABLE) {
		ck_assert_msg(try_access(linear, 0, write, value), "state %x, and it faults", state);
		return true;
	}
	if (!(state & SHADOW_PAGE_KNOWN) || (write && masked != SHADOW_PAGE_KNOWN_STORABLE) ||
	    !shadow_page_uses(sh)[frame])
		return false;
	shadow_page_uses(sh)[frame]--;
	if (write)
		*byte = *value;
	else
		*value = *byte;
	return true;
}

/* As access_view(), by code that looks at states first. */
static inline int access_looking(gva_t linear, bool write, uint8_t *value)
{
	for (unsigned tries = 0; tries < 16; tries++) {
		bool entry = try_entry(linear);
		hva_t at = entry ? linear + shadow_delta(sh, linear, cpu->cpl == 3) : fault_address;
		enum shadow_fault what;
		if (entry && look_and_access(linear, at, write, value))
			return DONE;
		what = entry ? shadow_handle_look(sh, at, write) : shadow_handle_fault(sh, at, false);
		if (what == SHADOW_EMULATE && entry && !paged_chunk_near(sh, at) &&
		    shadow_own(sh, linear, cpu->cpl == 3))
			continue;
		if (what != SHADOW_RESOLVED && what != SHADOW_RESOLVED_USER)
			return (int)what;
	}
	ck_abort_msg("no end of looks");
}

static inline int load(gva_t linear, uint8_t *value)
{
	return access_view(linear, 0, false, value);
}

static inline int store(gva_t linear, uint8_t value)
{
	return access_view(linear, 0, true, &value);
}

#endif
