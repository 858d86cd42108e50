/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Under --audit: what has been emitted for 64-bit code is contained (contain.h). */
#include <inttypes.h>

#include "bt_profile_internal.h"
#include "contain.h"
#include "xlat64.h"

int bt_audit_emitted_init(struct bt *bt)
{
	bt->contain = bt->audit ? contain_create() : NULL;
	return bt->audit && !bt->contain ? -ENOMEM : 0;
}

void bt_audit_emitted_destroy(struct bt *bt)
{
	contain_destroy(bt->contain);
}

static struct contain_rules rules(const struct bt *bt)
{
	struct contain_rules r = {
	    .home = (uintptr_t)bt->home,
	    .probe = bt->probe,
	    .exits = {(uint32_t)bt->stubs.exit, (uint32_t)bt->stubs.exit64, (uint32_t)bt->stubs.indirect_miss,
		      (uint32_t)bt->stubs.indirect_miss64},
	    .miss = {0, (uint32_t)bt->stubs.indirect_miss64}, /* of compatibility mode's tables; of 64-bit code's */
	    .rsp_kept = opt_on(bt->cpu->opt_off, OPT_RSP),
	    .data[0] = {(uintptr_t)bt->contexts, (uintptr_t)(bt->contexts + MAX_CONTEXTS)},
	    .states = shadow_host_states(bt->shadow),
	    .frames = shadow_host_frames(bt->shadow),
	    .traced = (uintptr_t)bt->pm->traced,
	    .watched = (uintptr_t)shadow_watched(bt->shadow),
	    .uses = (uintptr_t)shadow_page_uses(bt->shadow),
	    .ram = (uintptr_t)bt->pm->ram.host,
	};

	bt_profile_counters(bt, &r.data[1].from, &r.data[1].to);
	return r;
}

/* What find_delta() of run64.c sees to. */
static struct contain_point point(const struct block *b, const struct insn_map *m)
{
	const uint8_t *pair = b->pair; /* DELTA_CHUNK and DELTA_NONE */
	unsigned of = MAP64_DELTA(m->swapped);

	return (struct contain_point){.at = m->host,
				      .delta = of == pair[1]   ? CONTAIN_NONE
					       : of == pair[0] ? CONTAIN_CHUNK
							       : (uint8_t)of,
				      .near = m->flags & (MAP_SWAPPED | MAP_STRING) ? 0 : m->near};
}

static unsigned links_of(const struct bt *bt, const struct block *b, struct contain_link *links)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->nexits; i++) {
		const struct bt_exit *x = &bt_exits(bt, b)[i];
		if (x->kind == EXIT_LINK || x->kind == EXIT_TABLE)
			links[n++] = (struct contain_link){b->body - b->indirect + x->patch + (unsigned)sizeof(int32_t),
							   x->near};
	}
	return n;
}

void bt_audit_emitted(struct bt *bt, const struct block *b)
{
	struct contain_point points[BLOCK_MAX_INSNS + 1];
	struct contain_link links[2 * BLOCK_MAX_INSNS];
	unsigned head = b->body - b->indirect;
	struct contain_code code = {
	    .bytes = bt_writable(bt, b, 0) - head,
	    .len = head + b->body_len,
	    .run = b->indirect,
	    .entries = {0, head, head + b->inner},
	    .chunk = b->chunk,
	    .view = context_view(b->ctx),
	    .delta = b->pair[1],
	    .scratch = b->pair[0],
	    .points = points,
	    .npoints = b->ninsns + b->open,
	    .near = b->near,
	    .links = links,
	};
	struct contain_rules r;
	char why[256];

	if (!bt->contain || !context_code64(b->ctx))
		return;
	r = rules(bt);
	code.nlinks = links_of(bt, b, links);
	if (b->near) {
		code.behind[0] = head + b->probed;
		code.behind[1] = b->map[0].host > b->probed ? head + b->map[0].host : 0;
	}
	for (unsigned i = 0; i < code.npoints; i++) {
		points[i] = point(b, &b->map[i]);
		points[i].at = (uint16_t)(points[i].at + head);
	}
	ASSERTF(contain_check(bt->contain, &r, &code, why, sizeof(why)),
		"BT-12: block %" PRIx64 " is not contained: %s", block_linear(b, 0), why);
}
