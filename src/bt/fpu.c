/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pointers that the x87 unit keeps of its last instruction: made the guest's when its state is stored. */
#include "bt_internal.h"
#include "cpu/exec.h"

/* FOP of an x87 instruction that ran in the cache holds the ModRM byte of the host's encoding. */
static void fix_fpu_opcode(struct bt *bt, const struct block *b, int n, cache_pc_t fip)
{
	const uint8_t *host = (const uint8_t *)fip;
	const uint8_t *image = bt->cpu->fpu.image;
	unsigned at = b->map[n].guest, code_size = b->ctx->key.flags & CTX_CODE32 ? 4 : 2;
	enum { FSW_ES = 0x80 };
	struct insn in;

	/* Nearly always 0: processors remember it for unmasked exceptions only. */
	if (LIKELY(!load_le(&image[6], 2) && !(image[2] & FSW_ES)))
		return;
	if (insn_decode(&in, b->source + at, b->guest_len - at, code_size))
		return;
	for (unsigned i = 0; i < 6 && (*host & 0xf8) != 0xd8; i++) /* prefixes */
		host++;
	exec_fix_fop(bt->cpu, &in, host[1]);
}

/* For cpu_fpu_sync(): FIP names the cache, give it the guest's address. */
void bt_fpu_stored(void *arg)
{
	struct bt *bt = arg;
	cache_pc_t fip = (cache_pc_t)load_le(&bt->cpu->fpu.image[8], 8);
	struct block *b;
	int n;

	if (LIKELY(!bt_in_cache(bt, fip)))
		return;
	b = bt_find_host(bt, fip);
	n = b ? bt_find_insn(b, fip) : -1;
	if (n >= 0 && n < b->ninsns)
		fix_fpu_opcode(bt, b, n, fip);
	store_le(&bt->cpu->fpu.image[8], 8, n >= 0 && n < b->ninsns ? b->eip + b->map[n].guest : 0);
}
