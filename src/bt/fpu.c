/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pointers that the x87 unit keeps of its last instruction: made the guest's when its state is stored. */
#include <string.h>

#include "bt_internal.h"
#include "cpu/exec.h"
#include "cpu/fpu.h"

/* The opcode of the x87 instruction that FIP names, behind its prefixes. NULL: none in the cache has set FIP; it is a
 * number that the guest has loaded (FLDENV, FRSTOR, FXRSTOR), which happens to lie here. */
static const uint8_t *x87_opcode(const struct bt *bt, cache_pc_t fip)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3};
	const uint8_t *host = (const uint8_t *)fip;
	size_t room = bt->cache_run + bt->cache_bytes - fip;

	for (; room && ((*host & 0xf0) == 0x40 || memchr(prefixes, *host, sizeof(prefixes))); room--)
		host++;
	return room >= 2 && (*host & 0xf8) == 0xd8 ? host : NULL;
}

/* FOP of an x87 instruction that ran in the cache holds the ModRM byte of the host's encoding. */
static void fix_fpu_opcode(struct bt *bt, const struct insn *in, const uint8_t *opcode, bool whole)
{
	const uint8_t *image = bt->cpu->fpu.image;

	/* Intel's processors remember it for unmasked exceptions only; and there, 0 is an opcode as well. */
	if (!whole || load_le(&image[FX_FOP], 2) || (image[FX_FSW] & FSW_ES))
		exec_fix_fop(bt->cpu, in, opcode[1]);
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
static void fix_fpu_pointers(struct bt *bt, const struct block *b, int n, const uint8_t *opcode,
			     const struct fpu_pointers *before, bool whole)
{
	uint8_t *image = bt->cpu->fpu.image;
	unsigned at = b->map[n].guest, code_size = context_code_size(b->ctx);
	struct insn in;

	if (!insn_decode(&in, b->source + at, b->guest_len - at, code_size)) {
		fix_fpu_opcode(bt, &in, opcode, whole);
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
	const uint8_t *opcode;
	struct block *b;
	int n;

	if (!whole && fip)
		fip = bt->cache_run + (uint32_t)(fip - bt->cache_run);
	if (LIKELY(!bt_in_cache(bt, fip)))
		return;
	opcode = x87_opcode(bt, fip);
	if (!opcode)
		return;
	b = bt_find_host(bt, fip);
	n = b ? bt_find_insn(b, fip) : -1;
	if (n >= 0 && n < b->ninsns)
		fix_fpu_pointers(bt, b, n, opcode, before, whole);
	else
		store_le(&image[FX_FIP], 8, 0);
}
