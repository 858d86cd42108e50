/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pointers that the x87 unit keeps of its last instruction: made the guest's when its state is stored. */
#include <string.h>

#include "bt_internal.h"
#include "cpu/exec.h"
#include "cpu/fpu.h"

/* What FIP names if an instruction in the cache has set it: prefixes, and an opcode of the x87 unit. Else it is a
 * number that the guest has loaded (FLDENV, FRSTOR, FXRSTOR), which happens to lie here. */
static bool is_x87(const struct bt *bt, cache_pc_t fip)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3};
	const uint8_t *host = (const uint8_t *)fip;
	size_t room = bt->cache_run + bt->cache_bytes - fip;

	for (; room && ((*host & 0xf0) == 0x40 || memchr(prefixes, *host, sizeof(prefixes))); room--)
		host++;
	return room && (*host & 0xf8) == 0xd8;
}

/* FOP of an x87 instruction that ran in the cache holds the ModRM byte of the host's encoding. */
static void fix_fpu_opcode(struct bt *bt, const struct insn *in, cache_pc_t fip, bool whole)
{
	const uint8_t *host = (const uint8_t *)fip;
	const uint8_t *image = bt->cpu->fpu.image;

	/* Intel's processors remember it for unmasked exceptions only; and there, 0 is an opcode as well. */
	if (whole && !load_le(&image[FX_FOP], 2) && !(image[FX_FSW] & FSW_ES))
		return;
	for (unsigned i = 0; i < 6 && (*host & 0xf8) != 0xd8; i++) /* prefixes */
		host++;
	exec_fix_fop(bt->cpu, in, host[1]);
}

/*
 * FDP of one is the linear address (its low half), as its operand had the base added. So the sum of FDP and fdp_base is
 * right; FDP alone is where `in` has the operand, and its segment register was not loaded since.
 */
static void fix_fpu_operand(struct cpu *cpu, const struct insn *in)
{
	uint32_t linear = (uint32_t)load_le(&cpu->fpu.image[FX_FDP], 8);

	cpu->fdp_base = in->has_mem ? (uint32_t)cpu->seg[in->seg].base : 0;
	store_le(&cpu->fpu.image[FX_FDP], 8, linear - cpu->fdp_base);
}

/* The pointers that the instruction n of the block has left. */
static void fix_fpu_pointers(struct bt *bt, const struct block *b, int n, cache_pc_t fip,
			     const struct fpu_pointers *before, bool whole)
{
	uint8_t *image = bt->cpu->fpu.image;
	unsigned at = b->map[n].guest, code_size = context_code_size(b->ctx);
	struct insn in;

	if (!insn_decode(&in, b->source + at, b->guest_len - at, code_size)) {
		fix_fpu_opcode(bt, &in, fip, whole);
		if (load_le(&image[FX_FDP], 8) != before->fdp)
			fix_fpu_operand(bt->cpu, &in);
	}
	store_le(&image[FX_FIP], 8, block_pc(b, (unsigned)n));
	bt->cpu->fip_base = b->ctx->key.cs_base;
}

/* For cpu_fpu_sync(): FIP names the cache, give it the guest's address. */
void bt_fpu_stored(void *arg, const struct fpu_pointers *before, bool whole)
{
	struct bt *bt = arg;
	uint8_t *image = bt->cpu->fpu.image;
	cache_pc_t fip = (cache_pc_t)load_le(&image[FX_FIP], 8);
	struct block *b;
	int n;

	if (!whole && fip)
		fip = bt->cache_run + (uint32_t)(fip - bt->cache_run);
	if (LIKELY(!bt_in_cache(bt, fip) || !is_x87(bt, fip)))
		return;
	b = bt_find_host(bt, fip);
	n = b ? bt_find_insn(b, fip) : -1;
	if (n >= 0 && n < b->ninsns)
		fix_fpu_pointers(bt, b, n, fip, before, whole);
	else
		store_le(&image[FX_FIP], 8, 0);
}
