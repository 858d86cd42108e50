/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data watchpoints of a debugger outside of the guest, on linear addresses. The guest's own are the debug registers.
 * Accesses of the single-stepper are seen (all of it: operands, stacks, descriptor tables, frames of events), so
 * whoever sets cpu->watch executes with cpu_step() only. What devices write is not seen, nor what the page walker does.
 */
#ifndef GNOMON_CPU_WATCH_H
#define GNOMON_CPU_WATCH_H

#include "cpu.h"

enum { WATCH_MAX = 64 };
enum { WATCH_READ = 1, WATCH_WRITE = 2 };

struct watchpoint {
	gva_t first, last;
	uint8_t on; /* WATCH_* */
};

struct watchpoints {
	struct watchpoint point[WATCH_MAX];
	unsigned count;
	/* The first access since `hit` was cleared that one is for. */
	bool hit;
	uint8_t hit_on; /* of that watchpoint */
	gva_t hit_at;	/* the lowest byte of it that was touched */
};

/* An access was made. */
void watch_access(struct watchpoints *w, gva_t gva, unsigned len, bool write);

#endif
