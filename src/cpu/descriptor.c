/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors in the GDT and LDT, and the checks that a descriptor passes before it becomes a segment
 * (SDM 3.4.5, 5.4-5.8).
 */
#include "transfer_internal.h"

gva_t cpu_descriptor_address(const struct cpu *cpu, uint16_t selector)
{
	uint64_t address = (selector & SEL_TI ? cpu->ldtr.base : cpu->gdtr.base) + (selector & SEL_INDEX);
	return cpu_long(cpu) ? address : (uint32_t)address;
}

bool cpu_read_descriptor(struct cpu *cpu, uint16_t selector, struct descriptor *out, unsigned vector,
			 struct x86_fault *f)
{
	uint32_t limit = selector & SEL_TI ? cpu->ldtr.limit : cpu->gdtr.limit;
	uint32_t last = (selector & SEL_INDEX) + 7u;
	gva_t address = cpu_descriptor_address(cpu, selector);

	*out = (struct descriptor){0};
	if (selector_null(selector) || last > limit || ((selector & SEL_TI) && (cpu->ldtr.attr & SEG_NULL)))
		return raise_selector(f, vector, selector);
	if (!cpu_read_linear(cpu, address, &out->low, 8, ACC_READ | ACC_SYSTEM, f))
		return false;
	if (!cpu_long(cpu) || (desc_attr(out->low) & SEG_S))
		return true;
	if (last + 8 > limit)
		return raise_selector(f, vector, selector);
	return cpu_read_linear(cpu, address + 8, &out->high, 8, ACC_READ | ACC_SYSTEM, f);
}

void cpu_segment_from_descriptor(struct segment *s, uint16_t selector, uint64_t descriptor)
{
	uint32_t limit = (uint32_t)(descriptor & 0xffff) | ((uint32_t)(descriptor >> 32) & 0xf0000);

	s->selector = selector;
	s->attr = (uint16_t)desc_attr(descriptor);
	s->limit = s->attr & SEG_G ? limit << 12 | 0xfff : limit;
	s->base = ((descriptor >> 16) & 0xffffff) | ((descriptor >> 32) & 0xff000000u);
}

bool cpu_mark_accessed(struct cpu *cpu, uint16_t selector, struct descriptor *d, struct x86_fault *f)
{
	if (d->low & BIT(40))
		return true;
	d->low |= BIT(40);
	uint8_t type = (uint8_t)(d->low >> 40);
	return cpu_write_linear(cpu, cpu_descriptor_address(cpu, selector) + 5, &type, 1, ACC_WRITE | ACC_SYSTEM, f);
}

static bool accept(struct cpu *cpu, uint16_t selector, struct descriptor *d, struct segment *out, struct x86_fault *f)
{
	if (!cpu_mark_accessed(cpu, selector, d, f))
		return false;
	cpu_segment_from_descriptor(out, selector, d->low);
	return true;
}

bool cpu_check_stack(struct cpu *cpu, uint16_t selector, unsigned cpl, unsigned vector, struct segment *out,
		     struct x86_fault *f)
{
	struct descriptor d;

	if (!cpu_read_descriptor(cpu, selector, &d, vector, f))
		return false;
	unsigned attr = desc_attr(d.low);
	if ((selector & SEL_RPL) != cpl || !attr_writable_data(attr) || attr_dpl(attr) != cpl)
		return raise_selector(f, vector, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_SS, selector);
	return accept(cpu, selector, &d, out, f);
}

bool cpu_check_data(struct cpu *cpu, uint16_t selector, unsigned vector, struct segment *out, struct x86_fault *f)
{
	struct descriptor d;

	if (selector_null(selector)) {
		*out = segment_null(selector);
		return true;
	}
	if (!cpu_read_descriptor(cpu, selector, &d, vector, f))
		return false;
	unsigned attr = desc_attr(d.low), dpl = attr_dpl(attr);
	if (!(attr & SEG_S) || (attr_code(attr) && !(attr & SEG_R)))
		return raise_selector(f, vector, selector);
	if (!(attr_code(attr) && attr_conforming(attr)) && (dpl < cpu->cpl || dpl < (selector & SEL_RPL)))
		return raise_selector(f, vector, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	return accept(cpu, selector, &d, out, f);
}

bool cpu_check_return_code(struct cpu *cpu, uint16_t selector, struct segment *out, struct x86_fault *f)
{
	struct descriptor d;
	unsigned rpl = selector & SEL_RPL;

	if (!cpu_read_descriptor(cpu, selector, &d, EXC_GP, f))
		return false;
	unsigned attr = desc_attr(d.low), dpl = attr_dpl(attr);
	if (!attr_code(attr) || rpl < cpu->cpl || (attr_conforming(attr) ? dpl > rpl : dpl != rpl))
		return raise_selector(f, EXC_GP, selector);
	if (cpu_long(cpu) && (attr & SEG_L) && (attr & SEG_DB))
		return raise_selector(f, EXC_GP, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	return accept(cpu, selector, &d, out, f);
}

bool cpu_check_rip(const struct cpu *cpu, const struct segment *cs, uint64_t rip, struct x86_fault *f)
{
	bool ok = cpu_long(cpu) && (cs->attr & SEG_L) ? cpu_canonical(cpu, rip) : rip <= cs->limit;
	return ok || x86_raise_error(f, EXC_GP, 0);
}
