/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory operands of AVX-512 that are accessed by elements (SDM vol. 2, 2.7.5, 2.7.8): those that an opmask register
 * chooses from, which the host executes in the bounce buffer, and gathers and scatters.
 */
#include "masked.h"

#include <string.h>

#include "fpu.h"
#include "handlers_internal.h"

enum { VECTOR_MAX = 64 };

static uint64_t opmask(const struct cpu *cpu, const struct insn *in)
{
	return load_le(cpu->fpu.image + FX_K + 8 * in->mask.opmask, 8);
}

/* Bit per element of the operand: is it accessed? */
static uint64_t accessed(const struct cpu *cpu, const struct insn *in)
{
	unsigned elements = in->mem_size / in->mask.element;
	uint64_t bits = opmask(cpu, in) & (in->mask.bits < 64 ? BIT(in->mask.bits) - 1 : ~0ull), repeated = 0;
	unsigned count = (unsigned)__builtin_popcountll(bits);

	switch (in->mask.kind) {
	case MASK_REPEATS:
		for (; bits; bits >>= elements)
			repeated |= bits & (BIT(elements) - 1);
		return repeated;
	case MASK_PACKED:
		return count < 64 ? BIT(count) - 1 : ~0ull;
	default:
		return bits;
	}
}

/* Whatever size the address has, the operand is in one piece behind its first byte, as any other. */
bool masked_fetch(struct cpu *cpu, const struct insn *in, uint64_t offset, uint8_t *bounce, struct x86_fault *f)
{
	unsigned size = in->mask.element;
	unsigned alignment = in->mem_size == size ? size : 1;

	memset(bounce, 0, in->mem_size);
	if (in->mask.whole && !cpu_probe_write(cpu, in->seg, offset, in->mem_size, f))
		return false;
	for (uint64_t left = accessed(cpu, in); left; left &= left - 1) {
		unsigned at = (unsigned)__builtin_ctzll(left) * size;
		uint64_t element = offset + at;
		if (in->mem_write && !cpu_probe_write(cpu, in->seg, element, size, f))
			return false;
		if (in->mem_read && !cpu_read_elements(cpu, in->seg, element, size, alignment, bounce + at, f))
			return false;
	}
	return true;
}

bool masked_store(struct cpu *cpu, const struct insn *in, uint64_t offset, const uint8_t *bounce, struct x86_fault *f)
{
	unsigned size = in->mask.element;

	for (uint64_t left = accessed(cpu, in); left; left &= left - 1) {
		unsigned at = (unsigned)__builtin_ctzll(left) * size;
		uint64_t element = offset + at;
		if (!cpu_write_bytes(cpu, in->seg, element, size, bounce + at, f))
			return false;
	}
	return true;
}

/* --- gathers and scatters --- */

static void read_vector(const struct cpu *cpu, unsigned reg, uint8_t to[VECTOR_MAX])
{
	const uint8_t *image = cpu->fpu.image;

	if (reg >= 16) {
		memcpy(to, image + FX_HI16 + 64 * (reg - 16), 64);
		return;
	}
	memcpy(to, image + FX_XMM0 + 16 * reg, 16);
	memcpy(to + 16, image + FX_YMM + 16 * reg, 16);
	memcpy(to + 32, image + FX_ZMM + 32 * reg, 32);
}

static void write_vector(struct cpu *cpu, unsigned reg, const uint8_t from[VECTOR_MAX])
{
	uint8_t *image = cpu->fpu.image;

	if (reg >= 16) {
		memcpy(image + FX_HI16 + 64 * (reg - 16), from, 64);
		return;
	}
	memcpy(image + FX_XMM0 + 16 * reg, from, 16);
	memcpy(image + FX_YMM + 16 * reg, from + 16, 16);
	memcpy(image + FX_ZMM + 32 * reg, from + 32, 32);
}

struct walk {
	uint8_t data[VECTOR_MAX], index[VECTOR_MAX];
	uint64_t base;
	unsigned index_size, size, count;
};

static void start(const struct cpu *cpu, const struct insn *in, unsigned data, struct walk *w)
{
	w->base = insn_ea(cpu, in);
	w->index_size = insn_index_size(in);
	w->size = in->mask.element;
	w->count = in->vector / MAX(w->size, w->index_size);
	read_vector(cpu, data, w->data);
	read_vector(cpu, in->vsib_index, w->index);
}

static uint64_t element_offset(const struct insn *in, const struct walk *w, unsigned i)
{
	uint64_t by = sign_extend(load_le(w->index + i * w->index_size, w->index_size), w->index_size) * in->scale;

	return (w->base + by) & size_mask(in->addrsize);
}

/*
 * From the lowest element up. What has been done when one faults stays, and is not asked for by the mask any more: the
 * instruction goes on there when it is executed again.
 */
bool do_gather_masked(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned to = in->op[0].reg;
	uint64_t mask = opmask(cpu, in);
	struct walk w;
	bool done = true;

	start(cpu, in, to, &w);
	mask &= BIT(w.count) - 1;
	for (; mask && done; mask &= done ? mask - 1 : ~0ull) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		done = cpu_read_elements(cpu, in->seg, element_offset(in, &w, i), w.size, 1, w.data + i * w.size, f);
	}
	memset(w.data + w.count * w.size, 0, sizeof(w.data) - w.count * w.size);
	write_vector(cpu, to, w.data);
	store_le(cpu->fpu.image + FX_K + 8 * in->mask.opmask, 8, mask);
	return done;
}

bool do_scatter(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t mask = opmask(cpu, in);
	struct walk w;
	bool done = true;
	gva_t linear;

	start(cpu, in, in->op[2].reg, &w);
	mask &= BIT(w.count) - 1;
	for (; mask && done; mask &= done ? mask - 1 : ~0ull) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		done = cpu_seg_linear(cpu, in->seg, element_offset(in, &w, i), w.size, ACC_WRITE, &linear, f) &&
		       cpu_write_linear(cpu, linear, w.data + i * w.size, w.size, ACC_WRITE, f);
	}
	store_le(cpu->fpu.image + FX_K + 8 * in->mask.opmask, 8, mask);
	return done;
}
