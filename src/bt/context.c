/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mode contexts: what a translation depends on beside the bytes. */
#include <stdlib.h>
#include <string.h>

#include "bt_internal.h"
#include "cpu/sys.h"

enum seg_class bt_classify(const struct cpu *cpu, unsigned seg)
{
	const struct segment *s = &cpu->seg[seg];
	bool real = cpu_real_segments(cpu);

	if (!real && ((s->attr & SEG_NULL) || !(s->attr & SEG_P)))
		return SEGC_ODD;
	if (!real && (s->attr & SEG_CODE)) {
		/* Writes through CS are found when translating; in another register the key must tell code from data.
		 */
		if (!(s->attr & SEG_R) || seg != SEG_CS)
			return SEGC_ODD;
	} else if (!(s->attr & SEG_CODE)) {
		if ((s->attr & SEG_E) || (!real && !(s->attr & SEG_W)))
			return SEGC_ODD;
	}
	if (s->limit == 0xffffffffu)
		return s->base == 0 ? SEGC_FLAT : SEGC_BASED;
	/* A load in real mode also sets the attributes; where that changes something, it is left to the C body
	 * (xlat_load_sreg). */
	if (real && !cpu_v86(cpu) &&
	    (s->attr & (SEG_TYPE | SEG_S | SEG_DPL | SEG_P)) != (SEG_P | SEG_S | SEG_W | SEG_A))
		return SEGC_LIMIT;
	return s->limit == 0xffff ? SEGC_64K : SEGC_LIMIT;
}

static unsigned common_flags(const struct cpu *cpu)
{
	unsigned flags = 0;

	flags |= cpu_protected(cpu) ? CTX_PROTECTED : 0;
	flags |= cpu->cpl ? CTX_CPL3 : 0;
	flags |= cpu->cpl == 1 || cpu->cpl == 2 ? CTX_CPL12 : 0;
	flags |= cpu->cpl <= cpu_iopl(cpu) ? CTX_IOPL : 0;
	flags |= cpu->cr0 & (CR0_EM | CR0_TS) ? CTX_NO_FPU : 0;
	flags |= (cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS) ? CTX_WAIT_TRAPS : 0;
	flags |= cpu->cr4 & CR4_OSFXSR ? CTX_SSE : 0;
	flags |= cpu_paging(cpu) ? CTX_PAGED : 0;
	flags |= cpu->cr4 & CR4_OSXSAVE ? CTX_XSAVE : 0;
	flags |= (cpu->cr4 & CR4_OSXSAVE) && (cpu->xcr0 & XCR0_AVX) ? CTX_AVX : 0;
	flags |= (flags & CTX_AVX) && (cpu->xcr0 & XCR0_AVX512) ? CTX_AVX512 : 0;
	flags |= cpu->cr4 & CR4_TSD ? CTX_NO_TSC : 0;
	flags |= cpu_long(cpu) && (cpu->cr4 & CR4_FSGSBASE) ? CTX_FSGSBASE : 0;
	flags |= cpu_long(cpu) && (cpu->cr4 & CR4_LA57) ? CTX_LA57 : 0;
	return flags;
}

/* Segments other than FS and GS have no base here, and none has a limit or attributes that matter (vol. 1, 3.2.4). */
static struct context_key make_key64(const struct cpu *cpu)
{
	return (struct context_key){.cs_limit = 0xffffffff, .flags = common_flags(cpu) | CTX_CODE64};
}

static struct context_key make_key(const struct cpu *cpu)
{
	struct context_key k = {.cs_base = (uint32_t)cpu->seg[SEG_CS].base, .cs_limit = cpu->seg[SEG_CS].limit};
	unsigned flags = 0;

	if (cpu_code64(cpu))
		return make_key64(cpu);
	for (unsigned seg = SEG_ES; seg <= SEG_FS; seg++)
		k.seg_class |= (uint32_t)bt_classify(cpu, seg) << (3 * seg);
	flags |= (unsigned)bt_classify(cpu, SEG_GS) << CTX_GS_SHIFT;
	flags |= cpu->seg[SEG_CS].attr & SEG_DB ? CTX_CODE32 : 0;
	flags |= cpu->seg[SEG_SS].attr & SEG_DB ? CTX_STACK32 : 0;
	flags |= common_flags(cpu);
	flags |= cpu_v86(cpu) ? CTX_V86 : 0;
	flags |= cpu_long(cpu) ? CTX_COMPAT : 0;
	/* At any CPL: transitions keep AC, and derive the context behind them from this one. */
	flags |= (cpu->cr4 & CR4_SMAP) && !(cpu->rflags & FLAG_AC) ? CTX_NO_USER : 0;
	k.flags = flags;
	return k;
}

/* Other modes are single-stepped. */
static bool translated_mode(const struct bt *bt)
{
	const struct cpu *cpu = bt->cpu;

	if (cpu_long(cpu) && !shadow_view(bt->shadow))
		return false;
	/* Alignment checks are made by the single-stepper. */
	return !((cpu->rflags & FLAG_AC) && (cpu->cr0 & CR0_AM) && cpu->cpl == 3);
}

static struct context *find(struct bt *bt, const struct context_key *k)
{
	for (unsigned i = 0; i < bt->ncontexts; i++)
		if (!memcmp(&bt->contexts[i].key, k, sizeof(*k)))
			return &bt->contexts[i];
	return NULL;
}

struct context *bt_context_of(struct bt *bt, const struct context_key *k)
{
	struct context *c = find(bt, k);

	if (c || bt->ncontexts == MAX_CONTEXTS)
		return c;
	c = &bt->contexts[bt->ncontexts];
	c->key = *k;
	c->id = (uint16_t)bt->ncontexts++;
	memset(c->after_load, 0, sizeof(c->after_load));
	c->fills.count = 0;
	c->miss = context_code64(c) ? 0 : (uint32_t)bt->stubs.indirect_miss;
	bt_indirect_select(bt, c);
	bt->stats->mode_contexts = bt->ncontexts;
	return c;
}

/* Making a key takes as long as a short callout, so the last ones are remembered by what they were made of. */
static struct mode_inputs inputs_of(const struct cpu *cpu)
{
	struct mode_inputs in = {
	    .cr0 = cpu->cr0,
	    .cr4 = cpu->cr4,
	    .xcr0 = cpu->xcr0,
	    .efer = cpu->efer,
	    .rflags = cpu->rflags & (FLAG_VM | FLAG_IOPL | FLAG_AC),
	    .cpl = cpu->cpl,
	};
	if (cpu_code64(cpu)) /* nothing else of segments matters, and bases of FS and GS change all the time */
		in.seg[SEG_CS].attr = cpu->seg[SEG_CS].attr;
	else
		memcpy(in.seg, cpu->seg, sizeof(in.seg));
	return in;
}

struct context *bt_context(struct bt *bt)
{
	const struct cpu *cpu = bt->cpu;
	struct mode_inputs in = inputs_of(cpu);
	struct mode_inputs *known = &bt->known_modes[(cpu->cpl & 1) | (cpu->seg[SEG_FS].selector >> 2 & 6)];
	struct context_key k;

	if (cpu_debug_active(cpu))
		return NULL;
	if (LIKELY(known->ctx && !memcmp(known, &in, offsetof(struct mode_inputs, ctx))))
		return known->ctx;
	if (!translated_mode(bt))
		return NULL;
	k = make_key(cpu);
	in.ctx = bt_context_of(bt, &k);
	if (!in.ctx) {
		bt_flush(bt);
		in.ctx = bt_context_of(bt, &k);
	}
	*known = in;
	return in.ctx;
}
