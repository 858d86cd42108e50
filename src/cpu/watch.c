/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

void watch_access(struct watchpoints *w, gva_t gva, unsigned len, bool write)
{
	for (unsigned i = 0; i < w->count && !w->hit; i++) {
		const struct watchpoint *p = &w->point[i];
		if (!(p->on & (write ? WATCH_WRITE : WATCH_READ)) || gva > p->last || p->first > gva + (len - 1))
			continue;
		w->hit = true;
		w->hit_on = p->on;
		w->hit_at = MAX(gva, p->first);
	}
}
