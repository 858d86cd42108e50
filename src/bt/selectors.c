/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads of segment registers in protected mode, in translated code: xlat_segment.c emits a look into cpu->bt_selector,
 * which says what the selector gave when a C body last loaded it; valid while the descriptor in the GDT is the same.
 */
#include <string.h>

#include "bt_internal.h"

void bt_selectors_forget(struct bt *bt)
{
	struct cpu *cpu = bt->cpu;

	memset(cpu->bt_selector, 0, sizeof(cpu->bt_selector));
	/* An entry of all zeros must match no selector. */
	for (unsigned i = 0; i < SELECTORS; i++)
		cpu->bt_selector[i].seg.selector = (uint16_t)((i + 1) << 3);
}

/* At CPL 0 and from the GDT only: other loads are rare. */
static void remember(struct bt *bt, const struct segment *s, enum seg_class class)
{
	struct ring_selector r;

	if (!bt_describe_selector(bt, s->selector, &r))
		return;
	bt_tables_check(bt);
	bt->cpu->bt_selector[s->selector / 8 % SELECTORS] = (struct selector_entry){
	    .seg = *s, .minus_raw = r.minus_raw, .address = (uint32_t)r.address, .class = (uint8_t) class};
}

void bt_selector_loaded(struct bt *bt, struct block *b, unsigned seg)
{
	struct cpu *cpu = bt->cpu;
	enum seg_class class = bt_classify(cpu, seg);
	struct context *now = bt_context(bt);

	if (cpu_real_segments(cpu) || cpu_long(cpu) || cpu->cpl || !now || !b->valid)
		return;
	remember(bt, &cpu->seg[seg], class);
	if (now != b->ctx)
		b->ctx->after_load[seg][class] = now;
}
