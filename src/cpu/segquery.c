/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LAR, LSL, VERR, VERW, ARPL: what a selector would allow (SDM vol. 2; vol. 3, 5.10). */
#include "handlers_internal.h"

/* Types of system descriptors that LAR and LSL tell about: bit per type. In long mode only the 64-bit ones. */
enum {
	LSL_TYPES = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY,
	LAR_TYPES = LSL_TYPES | 1 << SYS_CALL16 | 1 << SYS_TASK_GATE | 1 << SYS_CALL32,
	LSL_TYPES_LONG = 1 << SYS_LDT | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY,
	LAR_TYPES_LONG = LSL_TYPES_LONG | 1 << SYS_CALL32,
};

#define LAR_MASK 0x00ffff00u /* of the descriptor's high doubleword; processors give bits 19:16 too */

/* Reads a descriptor that may well not be there. False: a page fault. *valid: inside its table and not null. */
static bool query(struct cpu *cpu, uint16_t selector, struct segment *s, bool *valid, uint64_t *raw,
		  struct x86_fault *f)
{
	struct descriptor d;

	*valid = false;
	if (!(selector & ~SEL_RPL))
		return true;
	if (!cpu_read_descriptor(cpu, selector, &d, EXC_GP, f))
		return f->vector == EXC_GP;
	cpu_segment_from_descriptor(s, selector, d.low);
	*raw = d.low;
	*valid = true;
	return true;
}

static unsigned segment_dpl(const struct segment *s)
{
	return (s->attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

/* Conforming code is visible from everywhere, the rest from its own ring inwards. */
static bool visible(const struct cpu *cpu, const struct segment *s, uint16_t selector)
{
	if ((s->attr & (SEG_S | SEG_CODE | SEG_C)) == (SEG_S | SEG_CODE | SEG_C))
		return true;
	return cpu->cpl <= segment_dpl(s) && (selector & SEL_RPL) <= segment_dpl(s);
}

static bool type_listed(const struct segment *s, unsigned types)
{
	return (s->attr & SEG_S) || (types >> (s->attr & SEG_TYPE) & 1);
}

/* LAR (limit false) and LSL: result in the register, or ZF clear and nothing written. */
static bool load_query(struct cpu *cpu, const struct insn *in, bool limit, struct x86_fault *f)
{
	unsigned types = cpu_long(cpu) ? (limit ? LSL_TYPES_LONG : LAR_TYPES_LONG) : (limit ? LSL_TYPES : LAR_TYPES);
	uint64_t selector, raw = 0;
	struct segment s;
	bool valid;

	if (!insn_read(cpu, in, 1, &selector, f) || !query(cpu, (uint16_t)selector, &s, &valid, &raw, f))
		return false;
	if (!valid || !type_listed(&s, types) || !visible(cpu, &s, (uint16_t)selector)) {
		set_flags(cpu, FLAG_ZF, 0);
		return true;
	}
	gpr_write(cpu, in->op[0].reg, operand_size(in), limit ? s.limit : (uint32_t)(raw >> 32) & LAR_MASK);
	set_flags(cpu, FLAG_ZF, FLAG_ZF);
	return true;
}

bool do_lar(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return load_query(cpu, in, false, f);
}

bool do_lsl(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return load_query(cpu, in, true, f);
}

static bool verify(struct cpu *cpu, const struct insn *in, bool write, struct x86_fault *f)
{
	uint64_t selector, raw;
	struct segment s;
	bool ok;

	if (!insn_read(cpu, in, 0, &selector, f) || !query(cpu, (uint16_t)selector, &s, &ok, &raw, f))
		return false;
	ok = ok && (s.attr & SEG_S) && visible(cpu, &s, (uint16_t)selector);
	if (ok && (s.attr & SEG_CODE))
		ok = !write && (s.attr & SEG_R);
	else if (ok)
		ok = !write || (s.attr & SEG_W);
	set_flags(cpu, FLAG_ZF, ok ? FLAG_ZF : 0);
	return true;
}

bool do_verr(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return verify(cpu, in, false, f);
}

bool do_verw(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return verify(cpu, in, true, f);
}

bool do_arpl(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t to, from;
	bool raise;

	if (!insn_read(cpu, in, 0, &to, f) || !insn_read(cpu, in, 1, &from, f))
		return false;
	raise = (to & SEL_RPL) < (from & SEL_RPL);
	if (raise && !insn_write(cpu, in, 0, (to & ~(uint64_t)SEL_RPL) | (from & SEL_RPL), f))
		return false;
	set_flags(cpu, FLAG_ZF, raise ? FLAG_ZF : 0);
	return true;
}
