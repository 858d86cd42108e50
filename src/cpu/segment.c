/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment registers: loads by MOV, POP, LxS, LLDT, LTR, and what other transfers do to them.
 */
#include "sys.h"
#include "transfer_internal.h"

/* Present, writable, accessed data: what segment registers hold in real mode (9.1.4); DPL 3 in V86 mode. */
#define ATTR_REAL (SEG_P | SEG_S | SEG_W | SEG_A)
#define ATTR_V86  (ATTR_REAL | SEG_DPL)

void cpu_set_cpl(struct cpu *cpu, unsigned cpl)
{
	cpu->cpl = (uint8_t)cpl;
}

struct segment segment_null(uint16_t selector)
{
	return (struct segment){.selector = selector, .attr = SEG_NULL};
}

struct segment segment_null_stack(unsigned cpl)
{
	return (struct segment){.selector = (uint16_t)cpl, .attr = (uint16_t)(SEG_NULL | cpl << SEG_DPL_SHIFT)};
}

/* Limit and size survive from protected mode ("unreal mode"). A null segment has none that could. */
static struct segment real_segment(struct segment s, uint16_t selector)
{
	if (s.attr & SEG_NULL)
		s = (struct segment){.limit = 0xffff};
	s.selector = selector;
	s.base = (uint32_t)selector << 4;
	s.attr = (s.attr & (SEG_G | SEG_DB | SEG_AVL)) | ATTR_REAL;
	return s;
}

static struct segment v86_segment(uint16_t selector)
{
	return (struct segment){
	    .selector = selector, .attr = ATTR_V86, .limit = 0xffff, .base = (uint32_t)selector << 4};
}

struct segment cpu_paragraph_segment(const struct cpu *cpu, unsigned seg, uint16_t selector)
{
	return cpu_v86(cpu) ? v86_segment(selector) : real_segment(cpu->seg[seg], selector);
}

void cpu_set_real_segment(struct cpu *cpu, unsigned seg, uint16_t selector)
{
	cpu->seg[seg] = real_segment(cpu->seg[seg], selector);
}

void cpu_set_v86_segment(struct cpu *cpu, unsigned seg, uint16_t selector)
{
	cpu->seg[seg] = v86_segment(selector);
}

/* MOV SS with a null selector: 64-bit code of rings 0-2 only, RPL = CPL. */
static bool null_stack_allowed(const struct cpu *cpu, uint16_t selector)
{
	return cpu_code64(cpu) && cpu->cpl != 3 && (selector & SEL_RPL) == cpu->cpl;
}

bool cpu_load_segment(struct cpu *cpu, unsigned seg, uint16_t selector, struct x86_fault *f)
{
	struct segment s;

	if (cpu_real_segments(cpu)) {
		cpu->seg[seg] = cpu_paragraph_segment(cpu, seg, selector);
		return true;
	}
	if (seg == SEG_SS) {
		if (selector_null(selector)) {
			if (!null_stack_allowed(cpu, selector))
				return x86_raise_error(f, EXC_GP, 0);
			s = segment_null_stack(cpu->cpl);
		} else if (!cpu_check_stack(cpu, selector, cpu->cpl, EXC_GP, &s, f)) {
			return false;
		}
	} else if (!cpu_check_data(cpu, selector, EXC_GP, &s, f)) {
		return false;
	}
	cpu->seg[seg] = s;
	return true;
}

bool cpu_load_ldtr(struct cpu *cpu, uint16_t selector, struct x86_fault *f)
{
	struct descriptor d;
	struct segment ldtr;

	if (selector_null(selector)) {
		cpu->ldtr = segment_null(selector);
		return true;
	}
	if (selector & SEL_TI)
		return raise_selector(f, EXC_GP, selector);
	if (!cpu_read_descriptor(cpu, selector, &d, EXC_GP, f))
		return false;
	unsigned attr = desc_attr(d.low);
	if (attr_system_type(attr) != SYS_LDT || (cpu_long(cpu) && !descriptor_high_valid(&d)))
		return raise_selector(f, EXC_GP, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	cpu_segment_from_descriptor(&ldtr, selector, d.low);
	ldtr.base |= d.high << 32;
	if (cpu_long(cpu) && !cpu_base_canonical(cpu, ldtr.base))
		return raise_selector(f, EXC_GP, selector);
	cpu->ldtr = ldtr;
	return true;
}

bool cpu_load_tr(struct cpu *cpu, uint16_t selector, struct x86_fault *f)
{
	struct descriptor d;
	struct segment tr;

	if (selector_null(selector))
		return x86_raise_error(f, EXC_GP, 0);
	if (selector & SEL_TI)
		return raise_selector(f, EXC_GP, selector);
	if (!cpu_read_descriptor(cpu, selector, &d, EXC_GP, f))
		return false;
	unsigned attr = desc_attr(d.low), type = attr_system_type(attr);
	if (type != SYS_TSS32 && (type != SYS_TSS16 || cpu_long(cpu)))
		return raise_selector(f, EXC_GP, selector);
	if (cpu_long(cpu) && !descriptor_high_valid(&d))
		return raise_selector(f, EXC_GP, selector);
	if (!(attr & SEG_P))
		return raise_selector(f, EXC_NP, selector);
	d.low |= BIT(41); /* busy */
	cpu_segment_from_descriptor(&tr, selector, d.low);
	tr.base |= d.high << 32;
	if (cpu_long(cpu) && !cpu_base_canonical(cpu, tr.base))
		return raise_selector(f, EXC_GP, selector);
	uint8_t busy = (uint8_t)(d.low >> 40);
	if (!cpu_write_linear(cpu, cpu_descriptor_address(cpu, selector) + 5, &busy, 1, ACC_WRITE | ACC_SYSTEM, f))
		return false;
	cpu->tr = tr;
	return true;
}

bool cpu_check_return_stack(struct cpu *cpu, uint16_t selector, unsigned cpl, bool to_code64, struct segment *out,
			    struct x86_fault *f)
{
	if (!selector_null(selector))
		return cpu_check_stack(cpu, selector, cpl, EXC_GP, out, f);
	if (!to_code64 || cpl == 3 || (selector & SEL_RPL) != cpl)
		return x86_raise_error(f, EXC_GP, 0);
	*out = segment_null_stack(cpl);
	return true;
}

void cpu_drop_inner_segments(struct cpu *cpu)
{
	static const uint8_t segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

	for (unsigned i = 0; i < ARRAY_LEN(segs); i++) {
		struct segment *s = &cpu->seg[segs[i]];
		if ((s->attr & SEG_NULL) || (attr_code(s->attr) && attr_conforming(s->attr)))
			continue;
		if (attr_dpl(s->attr) < cpu->cpl) {
			/* Processors keep the base, which 64-bit code uses of FS and GS. */
			uint64_t base = cpu_long(cpu) ? s->base : 0;
			*s = segment_null(0);
			s->base = base;
		}
	}
}

void cpu_enter_code(struct cpu *cpu, const struct segment *cs, unsigned cpl, uint64_t rip)
{
	cpu->seg[SEG_CS] = *cs;
	cpu->seg[SEG_CS].selector = (uint16_t)((cs->selector & ~SEL_RPL) | cpl);
	cpu_set_cpl(cpu, cpl);
	cpu->next_rip = rip;
	cpu_drop_upper_halves(cpu);
}

void cpu_drop_upper_halves(struct cpu *cpu)
{
	if (!cpu_long(cpu) || cpu_code64(cpu))
		return;
	for (unsigned i = RAX; i <= RDI; i++)
		cpu->gpr[i] = (uint32_t)cpu->gpr[i];
}

void cpu_set_stack_pointer(struct cpu *cpu, uint64_t rsp)
{
	unsigned width = cpu_stack_size(cpu);

	if (width == 2)
		rsp = (cpu->gpr[RSP] & 0xffff0000u) | (rsp & 0xffff);
	cpu->gpr[RSP] = rsp & size_mask(MAX(width, 4));
}
