/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Under --audit: what has been emitted for 64-bit code is contained (contain.h). */
#include <inttypes.h>

#include "bt_profile_internal.h"
#include "contain.h"
#include "xlat64.h"

int bt_audit_emitted_init(struct bt *bt)
{
	struct contain_rules rules = {
	    .home = (uintptr_t)bt->home,
	    .probe = bt->probe,
	    .exits = {(uint32_t)bt->stubs.exit, (uint32_t)bt->stubs.exit64, (uint32_t)bt->stubs.indirect_miss,
		      (uint32_t)bt->stubs.indirect_miss64},
	    .miss = {(uint32_t)bt->stubs.indirect_miss, (uint32_t)bt->stubs.indirect_miss64},
	    .data[0] = {(uintptr_t)bt->contexts, (uintptr_t)(bt->contexts + MAX_CONTEXTS)},
	};

	if (!bt->audit)
		return 0;
	bt_profile_counters(bt, &rules.data[1].from, &rules.data[1].to);
	bt->contain = contain_create(&rules);
	return bt->contain ? 0 : -ENOMEM;
}

void bt_audit_emitted_destroy(struct bt *bt)
{
	contain_destroy(bt->contain);
}

/* What find_delta() of run64.c sees to. */
static struct contain_point point(const struct insn_map *m)
{
	unsigned of = MAP64_DELTA(m->swapped);

	return (struct contain_point){.at = m->host,
				      .delta = of == DELTA_NONE	   ? CONTAIN_NONE
					       : of == DELTA_CHUNK ? CONTAIN_CHUNK
								   : (uint8_t)of,
				      .near = m->flags & (MAP_SWAPPED | MAP_STRING) ? 0 : m->near};
}

void bt_audit_emitted(struct bt *bt, const struct block *b)
{
	struct contain_point points[BLOCK_MAX_INSNS + 1];
	unsigned head = b->body - b->indirect;
	struct contain_code code = {
	    .bytes = bt_writable(bt, b, 0) - head,
	    .len = head + b->body_len,
	    .run = b->indirect,
	    .entries = {0, head, head},
	    .chunk = b->chunk,
	    .delta = HOST64_DELTA,
	    .points = points,
	    .npoints = b->ninsns + b->open,
	};
	char why[256];

	if (!bt->contain || !context_code64(b->ctx))
		return;
	for (unsigned i = 0; i < code.npoints; i++) {
		points[i] = point(&b->map[i]);
		points[i].at = (uint16_t)(points[i].at + head);
	}
	ASSERTF(contain_check(bt->contain, &code, why, sizeof(why)), "BT-12: block %" PRIx64 " is not contained: %s",
		block_linear(b, 0), why);
}
