/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM, a processor and a shadow, for tests of windows of guests with paging. */
#ifndef GNOMON_TESTS_MACHINE_FIXTURE_H
#define GNOMON_TESTS_MACHINE_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "shadow/shadow_internal.h"

static struct physmem pm;
static struct cpu *cpu;
static struct stats stats;
static struct shadow *sh;
static struct pm_region ram;

/* max_mappings 0: as many as there may be. audit: at the named points. */
static inline void make_machine(uint64_t ram_bytes, unsigned max_mappings, bool audit)
{
	memset(&stats, 0, sizeof(stats));
	ck_assert_int_eq(physmem_init(&pm, ram_bytes), 0);
	ram = (struct pm_region){.name = "ram", .kind = PM_RAM, .len = ram_bytes, .enabled = true, .backing = &pm.ram};
	physmem_add(&pm, &ram);
	cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64));
	memset(cpu, 0, sizeof(*cpu));
	cpu->pm = &pm;
	cpu->stats = &stats;
	ck_assert_int_eq(
	    shadow_create(&sh, &(struct shadow_config){.cpu = cpu, .audit = audit, .max_mappings = max_mappings}), 0);
}

static inline void teardown(void)
{
	shadow_audit(sh);
	shadow_destroy(sh);
	physmem_destroy(&pm);
	free(cpu);
}

#endif
