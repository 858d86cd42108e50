/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: RET, indirect JMP and CALL through a table of landings (landings.c), and where they land. A landing
 * compares all of RIP, by what changes no flags: even if its block has no use for them, another one may, whose address
 * has the same lowest 16 bits and which is looked for behind the comparison.
 */
#include <string.h>

#include "xlat64.h"

void xlat64_choose_landing(struct xlat *t)
{
	t->b->landing = t->like ? t->like->landing : t->ctx->landings && !t->bt->coming_from;
}

static bool is_32(uint64_t v)
{
	return v == (uint64_t)(int64_t)(int32_t)v;
}

/* RCX is in R11 meanwhile. */
void xlat64_landing(struct xlat *t)
{
	uint64_t minus = 0 - t->b->eip;
	uint8_t *same;

	emit_mov(&t->e, 8, R11, RCX);
	if (is_32(minus)) {
		emit_lea(&t->e, 8, RCX, (struct host_addr){R10, REG_NONE, 1, (int32_t)minus, false, false});
	} else {
		emit_mov_imm64(&t->e, RCX, minus);
		emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, R10, 1, 0, false, false});
	}
	same = emit_jrcxz(&t->e);
	emit_mov(&t->e, 8, RCX, R11);
	emit_jmp_to(&t->e, t->bt->stubs.no_landing);
	emit_target8(&t->e, same);
	emit_mov(&t->e, 8, RCX, R11);
}

void xlat64_jump_landing(struct xlat *t)
{
	emit_movzx16(&t->e, R11, R10);
	emit_op_mem(&t->e, 4, 0xff, 4,
		    (struct host_addr){REG_NONE, R11, 8, bt_landings_displacement(t->ctx), true, false});
}

void xlat64_no_landing(struct bt *bt, size_t *used)
{
	struct xlat t;

	memset(&t, 0, offsetof(struct xlat, relocs));
	t.bt = bt;
	t.ctx = &bt->contexts[0]; /* of none yet */
	t.pair[0] = R10;
	t.pair[1] = R11;
	t.e = (struct emit){.end = bt->cache_write + bt->cache_bytes, .run = bt->cache_run + *used};
	t.e.p = t.e.start = bt->cache_write + *used;
	bt->stubs.no_landing = t.e.run;
	emit_store(&t.e, 8, R10, AT_HOME(&t, target));
	if (xlat64_probes(&t))
		xlat64_probe_canonical(&t);
	emit_mov(&t.e, 4, R10, R10);
	xlat64_through_table(&t);
	*used = ALIGN_UP((size_t)(t.e.p - bt->cache_write), 16);
}
