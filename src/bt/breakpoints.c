/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A debugger's breakpoints, which the guest cannot see: a block ends where one lies, with an exit in place of the
 * instruction. So blocks translated before that contain it are dropped when one is set, and those that end at it when
 * it is removed.
 */
#include <string.h>

#include "bt_internal.h"

/* Above that many changes at once, the whole cache goes: each change looks at every block. */
enum { MAX_SINGLE_CHANGES = 16 };

static bool in_set(const gva_t *set, unsigned n, gva_t linear)
{
	for (unsigned i = 0; i < n; i++)
		if (set[i] == linear)
			return true;
	return false;
}

bool bt_is_breakpoint(const struct bt *bt, gva_t linear)
{
	return in_set(bt->breakpoints, bt->nbreakpoints, linear);
}

static bool covers(gva_t at, gva_t linear, unsigned len)
{
	gva_t distance = at - linear;

	return distance < len || (!(at >> 32) && !(linear >> 32) && (uint32_t)distance < len); /* EIP wraps around */
}

bool bt_breakpoint_within(const struct bt *bt, gva_t linear, unsigned len)
{
	for (unsigned i = 0; i < bt->nbreakpoints; i++)
		if (covers(bt->breakpoints[i], linear, len))
			return true;
	return false;
}

static void drop_blocks(struct bt *bt, gva_t linear)
{
	for (struct block *b = bt_next_made(bt, NULL); b; b = bt_next_made(bt, b)) {
		if (!covers(linear, block_linear(b, 0), b->guest_len))
			continue;
		b->stale = true;
		if (b->valid)
			bt_invalidate(bt, b, false);
	}
}

void bt_set_breakpoints(struct bt *bt, const gva_t *at, unsigned n)
{
	gva_t changed[2 * BT_MAX_BREAKPOINTS];
	unsigned changes = 0;

	ASSERT(n <= BT_MAX_BREAKPOINTS);
	for (unsigned i = 0; i < n; i++)
		if (!bt_is_breakpoint(bt, at[i]))
			changed[changes++] = at[i];
	for (unsigned i = 0; i < bt->nbreakpoints; i++)
		if (!in_set(at, n, bt->breakpoints[i]))
			changed[changes++] = bt->breakpoints[i];
	memcpy(bt->breakpoints, at, n * sizeof(at[0]));
	bt->nbreakpoints = n;
	if (changes > MAX_SINGLE_CHANGES)
		bt_flush(bt);
	else
		for (unsigned i = 0; i < changes; i++)
			drop_blocks(bt, changed[i]);
	if (bt->audit)
		bt_audit(bt);
}

bool bt_at_breakpoint(const struct bt *bt)
{
	return bt->at_breakpoint;
}
