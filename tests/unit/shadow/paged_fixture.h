/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest with 32-bit tables, which are the tests' own. */
#ifndef GNOMON_TESTS_PAGED_FIXTURE_H
#define GNOMON_TESTS_PAGED_FIXTURE_H

#include "machine_fixture.h"

static inline void poke(gpa_t at, uint32_t value)
{
	physmem_write(&pm, at, &value, 4);
}

/* Paging with this directory, in a ring. */
static inline void enter(gpa_t directory, unsigned cpl)
{
	cpu->cr0 = CR0_PE | CR0_PG | CR0_WP;
	cpu->cpl = (uint8_t)cpl;
	cpu->cr3 = directory;
	shadow_mmu_event(sh, MMU_CR0, 0);
}

#endif
