/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: comparisons by loads from the page of probes (probe.c), which fault where they fail. Neither flags nor
 * branches, and nothing waits for them. docs/isolation.md has what they compare.
 */
#include "xlat64.h"

/* An address of 32 bits has bits 20 to 51 of what is compared in it. */
enum { PROBE_ROTATE = 20 };

bool xlat64_probes(const struct xlat *t)
{
	return opt_on(t->bt->cpu->opt_off, OPT_PROBES);
}

bool xlat64_probe_target(struct xlat *t, guest_pc_t rip)
{
	if (!xlat64_probes(t) || xlat64_wide(t))
		return false;
	emit_rorx64_at(&t->e, HOST64_T, (uint32_t)AT_HOME(t, target).disp, PROBE_ROTATE);
	emit_load(&t->e, 1, HOST64_T,
		  (struct host_addr){HOST64_T, REG_NONE, 1, (int32_t)(t->bt->probe - (uint32_t)(rip >> PROBE_ROTATE)),
				     false, true});
	return true;
}

uint32_t xlat64_probe_displacement(const struct bt *bt, uint32_t chunk)
{
	return bt->probe - (chunk << (SHADOW_VIEW_SHIFT - PROBE_ROTATE));
}

void xlat64_probe_chunk(struct xlat *t, unsigned reg, unsigned temp)
{
	emit_rorx64(&t->e, temp, reg, PROBE_ROTATE);
	emit_load(&t->e, 1, temp,
		  (struct host_addr){(uint8_t)temp, REG_NONE, 1, (int32_t)xlat64_probe_displacement(t->bt, t->b->chunk),
				     false, true});
	xlat_reloc(t, 4, RELOC_PROBE);
}

void xlat64_probe_half(struct xlat *t, unsigned reg, uint64_t half)
{
	emit_rorx64(&t->e, HOST64_T, reg, PROBE_ROTATE - 1);
	emit_load(&t->e, 1, HOST64_T,
		  (struct host_addr){HOST64_T, REG_NONE, 1,
				     (int32_t)(t->bt->probe - (uint32_t)(half >> (PROBE_ROTATE - 1))), false, true});
}

/* Shifted to the right, canonical addresses are numbers from -2048 to 2047. */
void xlat64_probe_canonical(struct xlat *t)
{
	emit_mov_imm(&t->e, HOST64_DELTA, (xlat64_wide(t) ? 57 : 48) - PAGE_SHIFT);
	emit_sarx64(&t->e, HOST64_DELTA, HOST64_T, HOST64_DELTA);
	emit_load(&t->e, 1, HOST64_DELTA,
		  (struct host_addr){HOST64_DELTA, REG_NONE, 1, (int32_t)(t->bt->probe + PAGE_SIZE / 2), false, false});
	t->delta = DELTA_NONE;
}
