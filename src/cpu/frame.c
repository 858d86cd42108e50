/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a transfer pushes: checked as a whole, written as a whole, on the stack in use or on that of an inner ring
 * (SDM 5.8.5, 6.12.1).
 */
#include "transfer_internal.h"

/* Offsets in a TSS (figures 7-2, 7-10, 7-11). */
enum { TSS16_SP0 = 0x02, TSS32_ESP0 = 0x04, TSS64_RSP0 = 0x04 };

bool cpu_tss_stack(struct cpu *cpu, unsigned ring, uint16_t *ss, uint64_t *rsp, struct x86_fault *f)
{
	const struct segment *tr = &cpu->tr;
	bool wide = tr->attr & 8; /* type 9 or 11, not 1 or 3 */
	unsigned pointer = cpu_long(cpu) ? 8 : wide ? 4 : 2;
	unsigned selector = cpu_long(cpu) ? 0 : 2;
	unsigned offset = cpu_long(cpu) ? TSS64_RSP0 + ring * 8 : wide ? TSS32_ESP0 + ring * 8 : TSS16_SP0 + ring * 4;
	uint8_t buf[8];

	if ((tr->attr & SEG_NULL) || offset + pointer + selector - 1 > tr->limit)
		return raise_selector(f, EXC_TS, tr->selector);
	if (!cpu_read_linear(cpu, tr->base + offset, buf, pointer + selector, ACC_READ | ACC_SYSTEM, f))
		return false;
	*rsp = load_le(buf, pointer);
	*ss = selector ? (uint16_t)load_le(buf + pointer, 2) : (uint16_t)ring;
	return true;
}

struct frame frame_current(const struct cpu *cpu, unsigned size)
{
	return (struct frame){
	    .ss = cpu->seg[SEG_SS], .rsp = cpu->gpr[RSP], .width = (uint8_t)cpu_stack_size(cpu), .size = (uint8_t)size};
}

bool frame_inner(struct cpu *cpu, unsigned ring, unsigned size, struct frame *out, struct x86_fault *f)
{
	uint16_t ss;

	*out = (struct frame){.size = (uint8_t)size, .system = true};
	if (!cpu_tss_stack(cpu, ring, &ss, &out->rsp, f))
		return false;
	if (cpu_long(cpu)) {
		out->ss = segment_null_stack(ring);
		out->width = 8;
		return true;
	}
	if (!cpu_check_stack(cpu, ss, ring, EXC_TS, &out->ss, f))
		return false;
	out->width = out->ss.attr & SEG_DB ? 4 : 2;
	out->error = ss & (SEL_INDEX | SEL_TI);
	return true;
}

void frame_add(struct frame *frame, uint64_t word)
{
	ASSERT(frame->count < FRAME_WORDS);
	frame->word[frame->count++] = word;
}

/* Offset of the n-th word pushed. */
static uint64_t word_offset(const struct frame *frame, unsigned n)
{
	return (frame->rsp - (uint64_t)(n + 1) * frame->size) & size_mask(frame->width);
}

static gva_t word_linear(const struct frame *frame, unsigned n)
{
	uint64_t offset = word_offset(frame, n);
	return frame->width == 8 ? offset : (uint32_t)(frame->ss.base + offset);
}

static bool word_fits(const struct cpu *cpu, const struct frame *frame, unsigned n)
{
	uint64_t first = word_offset(frame, n), last = first + frame->size - 1;

	if (frame->width == 8)
		return cpu_canonical(cpu, first) && cpu_canonical(cpu, last);
	if (frame->ss.attr & SEG_NULL)
		return false;
	if (!attr_code(frame->ss.attr) && (frame->ss.attr & SEG_E))
		return first > frame->ss.limit && last <= (frame->ss.attr & SEG_DB ? 0xffffffffu : 0xffffu);
	return last <= frame->ss.limit;
}

bool frame_room(const struct cpu *cpu, const struct frame *frame, struct x86_fault *f)
{
	for (unsigned n = 0; n < frame->count; n++) {
		if (!word_fits(cpu, frame, n))
			return x86_raise_error(f, EXC_SS, frame->error);
	}
	return true;
}

/* #AC for a push of ring 3 (6.15). */
static bool word_aligned(const struct cpu *cpu, const struct frame *frame, unsigned n, struct x86_fault *f)
{
	bool checked = !frame->system && cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->rflags & FLAG_AC);

	return !checked || !(word_linear(frame, n) & (frame->size - 1u)) || x86_raise_error(f, EXC_AC, 0);
}

bool frame_write(struct cpu *cpu, struct frame *frame, struct x86_fault *f)
{
	enum access access = frame->system ? ACC_WRITE | ACC_SYSTEM : ACC_WRITE;
	unsigned total = (unsigned)frame->count * frame->size;
	gva_t bottom = frame->count ? word_linear(frame, frame->count - 1u) : 0;
	gva_t probed = ~0ull; /* not the address of a page */
	uint8_t buf[FRAME_WORDS * 8];

	/* Words from the top down, so that the address of a page fault is that of the first push that fails. */
	for (unsigned n = 0; n < frame->count; n++) {
		gva_t first = word_linear(frame, n), last = first + frame->size - 1;

		if (!word_aligned(cpu, frame, n, f))
			return false;
		if ((first & ~PAGE_MASK) != probed || (last & ~PAGE_MASK) != probed) {
			if (!cpu_probe_linear(cpu, first, frame->size, access, f))
				return false;
			probed = first & ~PAGE_MASK;
		}
		store_le(buf + total - (n + 1) * frame->size, frame->size, frame->word[n]);
	}
	if (frame->count && word_linear(frame, 0) - bottom == total - frame->size) {
		if (!cpu_write_linear(cpu, bottom, buf, total, access, f))
			return false;
	} else { /* wraps around the segment or the address space */
		for (unsigned n = 0; n < frame->count; n++) {
			if (!cpu_write_linear(cpu, word_linear(frame, n), buf + total - (n + 1) * frame->size,
					      frame->size, access, f))
				return false;
		}
	}
	uint64_t mask = size_mask(frame->width);
	frame->rsp = (frame->rsp & ~mask) | ((frame->rsp - total) & mask);
	if (frame->width != 8)
		frame->rsp &= 0xffffffffu;
	return true;
}

void frame_commit(struct cpu *cpu, const struct frame *frame)
{
	cpu->seg[SEG_SS] = frame->ss;
	cpu->gpr[RSP] = frame->rsp;
}
