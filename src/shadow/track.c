/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "track.h"

#include "shadow_internal.h"
#include "trace.h"

static unsigned client_index(enum track_client who)
{
	return (unsigned)__builtin_ctz(who);
}

void track_subscribe(struct shadow *sh, enum track_client who, track_fn *fn, void *arg)
{
	sh->subscribers[client_index(who)] = (struct subscriber){fn, arg};
}

bool track_protect(struct shadow *sh, gpa_t gpa, enum track_client who)
{
	uint8_t before = physmem_traced(sh->pm, gpa);
	uint64_t offset;

	if (!physmem_ram_offset(sh->pm, gpa, &offset))
		return false;
	if (before & who)
		return true;
	physmem_trace(sh->pm, gpa, (uint8_t)who);
	if (!before) {
		shadow_protect_page(sh, ALIGN_DOWN(offset, PAGE_SIZE), false);
		sh->cpu->stats->traces_set++;
		trace(shadow, "trace %llx", (unsigned long long)gpa);
	}
	if (sh->audit)
		shadow_audit(sh);
	return true;
}

void track_release(struct shadow *sh, uint64_t offset, enum track_client who)
{
	uint8_t *traced = &sh->pm->traced[offset >> PAGE_SHIFT];

	if (!(*traced & who))
		return;
	*traced &= (uint8_t)~who;
	if (!*traced) {
		shadow_protect_page(sh, ALIGN_DOWN(offset, PAGE_SIZE), true);
		sh->cpu->stats->traces_dropped++;
		trace(shadow, "untrace RAM page %llx", (unsigned long long)offset);
	}
}

void track_watch(struct shadow *sh, uint64_t offset, unsigned len, bool on)
{
	uint64_t first = offset >> SHADOW_GRANULE_SHIFT, last = (offset + len - 1) >> SHADOW_GRANULE_SHIFT;

	if (offset + len > WINDOW_BYTES)
		return;	    /* RAM that no alias shows */
	first -= first > 0; /* stores that begin before and reach into it */
	for (uint64_t g = first; g <= last; g++) {
		if (sh->watched[g] == UINT8_MAX)
			continue; /* too many to count: stays watched */
		ASSERT(on || sh->watched[g]);
		sh->watched[g] = (uint8_t)(on ? sh->watched[g] + 1 : sh->watched[g] - 1);
	}
}
