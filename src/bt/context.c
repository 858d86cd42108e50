/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mode contexts: what a translation depends on beside the bytes. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bt_internal.h"
#include "cpu/sys.h"

#define INDIRECT_BYTES (INDIRECT_ENTRIES * sizeof(cache_pc_t))

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

static struct context_key make_key(const struct cpu *cpu)
{
	struct context_key k = {.cs_base = (uint32_t)cpu->seg[SEG_CS].base, .cs_limit = cpu->seg[SEG_CS].limit};
	unsigned flags = 0;

	for (unsigned seg = SEG_ES; seg <= SEG_FS; seg++)
		k.seg_class |= (uint16_t)(bt_classify(cpu, seg) << (3 * seg));
	flags |= (unsigned)bt_classify(cpu, SEG_GS) << CTX_GS_SHIFT;
	flags |= cpu->seg[SEG_CS].attr & SEG_DB ? CTX_CODE32 : 0;
	flags |= cpu->seg[SEG_SS].attr & SEG_DB ? CTX_STACK32 : 0;
	flags |= cpu_protected(cpu) ? CTX_PROTECTED : 0;
	flags |= cpu_v86(cpu) ? CTX_V86 : 0;
	flags |= cpu->cpl ? CTX_CPL3 : 0;
	flags |= cpu->cpl <= cpu_iopl(cpu) ? CTX_IOPL : 0;
	flags |= cpu->cr0 & (CR0_EM | CR0_TS) ? CTX_NO_FPU : 0;
	flags |= (cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS) ? CTX_WAIT_TRAPS : 0;
	flags |= cpu->cr4 & CR4_OSFXSR ? CTX_SSE : 0;
	flags |= cpu_paging(cpu) ? CTX_PAGED : 0;
	k.flags = (uint16_t)flags;
	return k;
}

/* Other modes are single-stepped. */
static bool translated_mode(const struct cpu *cpu)
{
	if (cpu_long(cpu))
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
	*c = (struct context){.key = *k, .id = (uint16_t)bt->ncontexts, .indirect = c->indirect};
	bt->ncontexts++;
	bt->stats->mode_contexts = bt->ncontexts;
	return c;
}

/* Making a key takes as long as a short callout, so the last ones are remembered by what they were made of. */
static struct mode_inputs inputs_of(const struct cpu *cpu)
{
	struct mode_inputs in = {
	    .cr0 = cpu->cr0,
	    .cr4 = cpu->cr4,
	    .efer = cpu->efer,
	    .rflags = cpu->rflags & (FLAG_VM | FLAG_IOPL | FLAG_AC),
	    .cpl = cpu->cpl,
	};
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
	if (!translated_mode(cpu))
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

cache_pc_t *bt_indirect_table(struct bt *bt, struct context *ctx)
{
	if (ctx->indirect)
		return ctx->indirect;
	cache_pc_t *table = mmap(NULL, INDIRECT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (table == MAP_FAILED)
		return NULL; /* it goes on without a table */
	memcpy(table, bt->miss_table, INDIRECT_BYTES);
	return ctx->indirect = table;
}

static void set_bit(uint64_t *map, uint32_t n)
{
	map[n / 64] |= BIT(n % 64);
}

/* Code at the linear address has an entry: INVLPG has to look for it. */
static void note_page(struct bt *bt, uint32_t linear)
{
	enum { LARGEST = 4 * MiB };

	set_bit(bt->code_pages, linear >> PAGE_SHIFT);
	if (!bt->fetch_large)
		return;
	set_bit(bt->large_code, ALIGN_DOWN(linear, (uint32_t)LARGEST) >> LARGE_PAGE_SHIFT);
	set_bit(bt->large_code, (ALIGN_DOWN(linear, (uint32_t)LARGEST) >> LARGE_PAGE_SHIFT) + 1);
}

void bt_indirect_fill(struct bt *bt, struct block *b)
{
	cache_pc_t *table = bt_indirect_table(bt, b->ctx);
	unsigned n = b->eip % INDIRECT_ENTRIES;
	struct fills *f;

	if (!table)
		return;
	table[n] = b->indirect;
	bt->stats->indirect_fills++;
	if (!(b->ctx->key.flags & CTX_PAGED))
		return;
	note_page(bt, b->linear);
	if (bt_crosses(b))
		note_page(bt, b->linear + b->guest_len - 1);
	if (bt->fetch_global)
		return;
	f = &b->ctx->fills;
	if (f->count < MAX_FILLS)
		f->at[f->count] = (uint16_t)n;
	f->count++;
}

static void forget_all(struct bt *bt, struct context *c)
{
	memcpy(c->indirect, bt->miss_table, INDIRECT_BYTES);
	c->fills.count = 0;
}

/* A load of CR3: the entries of pages that are not global. */
static void forget_transient(struct bt *bt, struct context *c)
{
	struct fills *f = &c->fills;

	if (f->count > MAX_FILLS) {
		forget_all(bt, c);
		return;
	}
	for (unsigned n = 0; n < f->count; n++)
		c->indirect[f->at[n]] = bt->stubs.indirect_miss;
	f->count = 0;
}

/* The entries that code on one page may have: those whose EIP has the page's bits 15:12, or that cross into it. CS
 * bases are 0, but for oddities, which are forgotten whole. */
static void forget_page(struct bt *bt, struct context *c, uint32_t linear)
{
	unsigned first = linear & (INDIRECT_ENTRIES - 1) & ~(unsigned)PAGE_MASK;

	if (c->key.cs_base) {
		forget_all(bt, c);
		return;
	}
	for (unsigned n = 0; n < PAGE_SIZE; n++)
		c->indirect[first + n] = bt->stubs.indirect_miss;
	for (unsigned n = 1; n < INSN_MAX_BYTES; n++)
		c->indirect[(first - n) % INDIRECT_ENTRIES] = bt->stubs.indirect_miss;
}

static bool test_bit(const uint64_t *map, uint32_t n)
{
	return map[n / 64] >> n % 64 & 1;
}

void bt_indirect_forget(struct bt *bt, enum mmu_event event, gva_t address)
{
	uint32_t linear = (uint32_t)address;
	bool large = test_bit(bt->large_code, linear >> LARGE_PAGE_SHIFT);

	/* Nearly all pages that are flushed singly hold no code. */
	if (event == MMU_INVLPG && !large && !test_bit(bt->code_pages, linear >> PAGE_SHIFT))
		return;
	for (unsigned i = 0; i < bt->ncontexts; i++) {
		struct context *c = &bt->contexts[i];
		if (!c->indirect || !(c->key.flags & CTX_PAGED))
			continue;
		if (event == MMU_CR3)
			forget_transient(bt, c);
		else if (event == MMU_INVLPG && !large)
			forget_page(bt, c, linear);
		else
			forget_all(bt, c);
	}
}
