/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 64-bit code: the bases of FS and GS, without leaving the cache. struct cpu and home.h hold both. */
#include "cpu/sys.h"
#include "xlat64.h"

static size_t base_of(unsigned seg)
{
	return offsetof(struct cpu, seg) + seg * sizeof(struct segment) + offsetof(struct segment, base);
}

static struct host_addr at_home(const struct xlat *t, unsigned seg)
{
	return seg == SEG_FS ? AT_HOME(t, fs_base) : AT_HOME(t, gs_base);
}

bool xlat64_swapgs(struct xlat *t)
{
	struct host_addr base = AT_CPU64(base_of(SEG_GS)), other = AT_CPU64(offsetof(struct cpu, kernel_gs_base));

	if (t->ctx->key.flags & CTX_CPL3)
		return false;
	xlat64_load_cpu(t);
	emit_load(&t->e, 8, HOST64_T, base);
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, spare));
	emit_load(&t->e, 8, HOST64_T, other);
	emit_store(&t->e, 8, HOST64_T, base);
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, gs_base));
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, spare));
	emit_store(&t->e, 8, HOST64_T, other);
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, held.gs));
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, held.kernel_gs));
	emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, held.gs));
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, held.kernel_gs));
	return true;
}

static void read_base(struct xlat *t, unsigned seg)
{
	const struct operand *to = &t->in->op[0];

	emit_load(&t->e, t->in->opsize, HOST64_T, at_home(t, seg));
	if (xlat64_in_memory(t, to->reg))
		xlat64_store_reg(t, 8, to->reg, HOST64_T);
	else
		emit_mov(&t->e, 8, to->reg, HOST64_T);
}

/* Goes to *slow unless HOST64_T is a canonical address: then adding half of what is canonical carries out of it. RCX is
 * in home.rcx. */
static void unless_canonical(struct xlat *t, uint8_t **slow)
{
	unsigned width = cpu_has(t->bt->cpu, FEAT_LA57) ? 57 : 48; /* as cpu_base_canonical() */

	emit_mov_imm64(&t->e, HOST64_DELTA, BIT(width - 1));
	emit_lea(&t->e, 8, RCX, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	emit_mov_imm(&t->e, HOST64_DELTA, width);
	emit_shrx64(&t->e, RCX, RCX, HOST64_DELTA);
	xlat_unless_zero(t, slow);
}

/* FS base is HOST64_T: where it leads, if it is where it is expected. Whoever else uses it faults, enters the cache
 * anew, and finds it right then. Changes RCX, HOST64_T. */
static void hold_fs(struct xlat *t)
{
	uint8_t *expected;

	emit_mov_imm(&t->e, RCX, SHADOW_VIEW_SHIFT);
	emit_shrx64(&t->e, RCX, HOST64_T, RCX);
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, held.minus_chunk));
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, HOST64_DELTA, 1, 0, false, false});
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, held.place));
	emit_mov(&t->e, 4, HOST64_T, HOST64_T);
	emit_lea(&t->e, 8, HOST64_T, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, held.fs));
	expected = emit_jrcxz(&t->e);
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, held.nowhere));
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, held.fs));
	emit_target8(&t->e, expected);
}

static void hold(struct xlat *t, unsigned seg)
{
	if (seg == SEG_FS) {
		hold_fs(t);
		return;
	}
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, held.nowhere));
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, held.gs));
}

bool xlat64_held(struct xlat *t, int64_t offset, struct host_addr *at)
{
	bool user = t->ctx->key.flags & CTX_CPL3;

	if (!opt_on(t->bt->cpu->opt_off, OPT_HELD) || t->in->seg != (user ? SEG_FS : SEG_GS) || t->in->rip_relative ||
	    offset > DIRECT_DISP || offset < -DIRECT_DISP)
		return false;
	emit_load(&t->e, 8, HOST64_T, user ? AT_HOME(t, held.fs) : AT_HOME(t, held.gs));
	*at = (struct host_addr){HOST64_T, REG_NONE, 1, (int32_t)offset, false, false};
	return true;
}

static void write_base(struct xlat *t, unsigned seg)
{
	unsigned from = t->in->op[0].reg;
	uint8_t *slow, *done;

	if (xlat64_in_memory(t, from))
		xlat64_load_reg(t, HOST64_T, from);
	emit_mov(&t->e, t->in->opsize, HOST64_T, xlat64_in_memory(t, from) ? HOST64_T : from);
	emit_store(&t->e, 8, RCX, AT_HOME(t, rcx));
	unless_canonical(t, &slow);
	xlat64_load_cpu(t);
	emit_store(&t->e, 8, HOST64_T, AT_CPU64(base_of(seg)));
	emit_store(&t->e, 8, HOST64_T, at_home(t, seg));
	hold(t, seg);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	done = emit_jmp(&t->e);
	emit_target32_here(&t->e, slow);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat_slow_callout(t);
	emit_target32_here(&t->e, done);
}

bool xlat64_bases(struct xlat *t)
{
	if (!(t->ctx->key.flags & CTX_FSGSBASE) || (t->in->opsize != 4 && t->in->opsize != 8))
		return false;
	switch (t->in->id) {
	case INSN_RDFSBASE:
		read_base(t, SEG_FS);
		return true;
	case INSN_RDGSBASE:
		read_base(t, SEG_GS);
		return true;
	case INSN_WRFSBASE:
		write_base(t, SEG_FS);
		return true;
	default:
		write_base(t, SEG_GS);
		return true;
	}
}
