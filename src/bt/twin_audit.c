/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Under --audit: is a twin, byte by byte, what translating its code would make? */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "xlat.h"

/* What these are translated to depends on registers and tables, and on what the translator has learnt of those. */
static bool depends_on_state(unsigned id, bool code64)
{
	switch (id) {
	case INSN_SYSCALL:
		return true;
	case INSN_SYSENTER:
	case INSN_INT:
	case INSN_MOV_TO_SREG:
	case INSN_POP_SREG:
		return !code64;
	default:
		return false;
	}
}

static bool comparable(const struct block *b)
{
	unsigned code_size = context_code_size(b->ctx);
	struct insn in;

	for (unsigned i = 0; i < b->ninsns; i++) {
		unsigned at = b->map[i].guest;
		if (insn_decode(&in, b->source + at, b->guest_len - at, code_size) ||
		    depends_on_state(in.id, code_size == 8))
			return false;
	}
	return true;
}

static bool same_exit(const struct bt_exit *a, const struct bt_exit *b)
{
	return a->distance == b->distance && a->patch == b->patch && a->stub == b->stub && a->kind == b->kind &&
	       a->insn == b->insn && (a->kind <= EXIT_TABLE ? a->near == b->near : a->extra == b->extra);
}

static void compare(const struct xlat *fresh, const struct block *twin, const uint8_t *code,
		    const struct bt_exit *exits)
{
	const struct block *b = fresh->b;
	gva_t linear = block_linear(b, 0);
	unsigned len = twin->body + twin->body_len - twin->indirect;

	ASSERTF(b->body == twin->body && b->body_len == twin->body_len && b->stubs == twin->stubs,
		"twin %" PRIx64 " has %u bytes and %u of stubs, not %u and %u", linear, twin->body_len,
		twin->body_len - twin->stubs, b->body_len, b->body_len - b->stubs);
	ASSERTF(b->ninsns == twin->ninsns && b->guest_len == twin->guest_len && b->open == twin->open &&
		    !memcmp(b->map, twin->map, (b->ninsns + 1u) * sizeof(*b->map)),
		"twin %" PRIx64 " has another map", linear);
	ASSERTF(b->near == twin->near && b->probed == twin->probed, "twin %" PRIx64 " has other entries", linear);
	for (unsigned i = 0; i < len; i++)
		ASSERTF(fresh->e.start[i] == code[i], "twin %" PRIx64 " has %02x, not %02x, at byte %d of its body",
			linear, code[i], fresh->e.start[i], (int)i - (int)(twin->body - twin->indirect));
	ASSERTF(b->nexits == twin->nexits, "twin %" PRIx64 " has %u exits, not %u", linear, twin->nexits, b->nexits);
	for (unsigned i = 0; i < b->nexits; i++)
		ASSERTF(same_exit(&exits[i], &bt_exits(fresh->bt, b)[i]), "twin %" PRIx64 " has another exit %u",
			linear, i);
}

void bt_audit_twin(struct xlat *t, const struct block *from)
{
	struct bt *bt = t->bt;
	unsigned ninsns = bt->ninsns, len = (unsigned)(t->e.p - t->e.start);
	struct bt_exit *exits = bt_exits(bt, t->b), copied[2 * BLOCK_MAX_INSNS];
	struct block twin = *t->b;
	struct xlat fresh;
	uint8_t *code;

	if (!comparable(&twin))
		return;
	code = malloc(len);
	if (!code)
		return;
	memcpy(code, t->e.start, len);
	memcpy(copied, exits, twin.nexits * sizeof(*exits));
	memset(&fresh, 0, offsetof(struct xlat, relocs));
	fresh.like = from;
	fresh.like_chunk = twin.chunk;
	if (!xlat_begin(&fresh, bt, AREA_COPIED, twin.ctx, twin.eip, twin.gpa) || !xlat_block(&fresh, BLOCK_MAX_INSNS))
		PANIC("twin %" PRIx64 " cannot be translated", block_linear(&twin, 0));
	compare(&fresh, &twin, code, copied);
	bt->ninsns = ninsns;
	*t->b = twin;
	memcpy(exits, copied, twin.nexits * sizeof(*exits));
	free(code);
}
