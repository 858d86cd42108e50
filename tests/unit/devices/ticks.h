/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that counts the ticks it takes, on a host that does not let it run evenly. Behind chip_fixture.h. */
#ifndef GNOMON_TEST_TICKS_H
#define GNOMON_TEST_TICKS_H

#include "chip_fixture.h"

/*
 * take(): takes a tick if one is pending, as the interrupt handler does, and says so. Returns how many were taken in
 * about `seconds`, of which the last one is without stalls. *took: the virtual time that was, in ns.
 */
static inline unsigned count_ticks(bool (*take)(void), unsigned seconds, uint64_t *took)
{
	uint64_t start = clock_now(&clk), end = start + seconds * NS_PER_SEC;
	unsigned taken = 0;

	srand(7);
	while (clock_now(&clk) < end) {
		bool calm = clock_now(&clk) + NS_PER_SEC > end;
		/* Now and then the host takes up to 200 ms. */
		if (!calm && rand() % 1000 == 0)
			clk.base += (uint64_t)(rand() % 200) * NS_PER_MS;
		clk.base += 50 * NS_PER_US;
		clock_run(&clk);
		taken += take();
	}
	*took = clock_now(&clk) - start;
	return taken;
}

#endif
