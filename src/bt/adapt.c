/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adaptation: an instruction that faults into the monitor again and again (device memory, writes beside translated code) is retranslated as a callout, which costs a tenth; and
 * back, when it no longer needs it.
 */
#include "bt_internal.h"
#include "trace.h"

static struct site *site_of(struct bt *bt, uint32_t linear)
{
	struct site *s = &bt->sites[(linear ^ linear >> 12) % SITE_ENTRIES];

	if (s->linear != linear)
		*s = (struct site){.linear = linear};
	return s;
}

bool bt_site_adapted(struct bt *bt, uint32_t linear)
{
	const struct site *s = &bt->sites[(linear ^ linear >> 12) % SITE_ENTRIES];
	return s->linear == linear && s->adapted;
}

static void retranslate(struct bt *bt, struct block *b)
{
	if (b->valid) {
		bt_invalidate(bt, b);
		bt->stats->invalidated_adapt++;
	}
}

void bt_site_faulted(struct bt *bt, struct block *b, uint32_t linear)
{
	struct site *s = site_of(bt, linear);

	if (s->adapted || ++s->faults < ADAPT_AFTER)
		return;
	s->adapted = true;
	s->cold = 0;
	bt->stats->sites_adapted++;
	trace(bt, "site %x adapted", linear);
	retranslate(bt, b);
}

void bt_site_ran(struct bt *bt, struct block *b, uint32_t linear, bool slow)
{
	struct site *s = site_of(bt, linear);

	if (slow) {
		s->cold = 0;
		return;
	}
	if (!s->adapted || ++s->cold < COLD_AFTER)
		return;
	*s = (struct site){.linear = linear};
	trace(bt, "site %x is fast again", linear);
	retranslate(bt, b);
}
