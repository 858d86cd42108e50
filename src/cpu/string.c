/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MOVS, STOS, LODS, CMPS, SCAS (SDM vol. 2). */
#include "string_internal.h"

#include <string.h>

/* Cuts both runs to what can be copied at once with the result of copying element by element: overlaps are seen through
 * any alias. */
static unsigned copy_at_once(const struct string_op *s, const struct string_run *from, const struct string_run *to)
{
	unsigned n = MIN(from->n, to->n);
	uintptr_t source = (uintptr_t)from->host, target = (uintptr_t)to->host;
	uintptr_t distance;

	if (s->step < 0) { /* addresses of the first elements */
		source += (uintptr_t)(from->n - 1) * s->size;
		target += (uintptr_t)(to->n - 1) * s->size;
	}
	if (s->step > 0 ? target <= source : target >= source)
		return n; /* reads stay ahead of writes */
	distance = target > source ? target - source : source - target;
	return (unsigned)MIN(n, distance / s->size);
}

static unsigned movs_bulk(struct cpu *cpu, const struct insn *in, const struct string_op *s)
{
	struct string_run from = string_run(cpu, s, in->seg, string_offset(cpu, s, RSI), ACC_READ), to;
	uint8_t buf[PAGE_SIZE];
	struct x86_fault ignored;
	unsigned n;

	if (!from.n)
		return 0;
	to = string_run(cpu, s, SEG_ES, string_offset(cpu, s, RDI), ACC_WRITE);
	if (!to.n)
		return 0;
	n = copy_at_once(s, &from, &to);
	if (!n)
		return 0;
	if (s->step < 0) {
		from.host += (from.n - n) * s->size;
		to.low += (to.n - n) * s->size;
	}
	memcpy(buf, from.host, n * s->size);
	return cpu_write_linear(cpu, to.low, buf, n * s->size, ACC_WRITE, &ignored) ? n : 0;
}

static bool movs_one(struct cpu *cpu, const struct insn *in, const struct string_op *s, struct x86_fault *f)
{
	uint64_t value;

	return cpu_read(cpu, in->seg, string_offset(cpu, s, RSI), s->size, &value, f) &&
	       cpu_write(cpu, SEG_ES, string_offset(cpu, s, RDI), s->size, value, f);
}

bool do_movs(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	struct string_op s;

	if (!string_begin(cpu, in, sized_by_opcode(in), &s))
		return true;
	while (string_more(&s)) {
		unsigned n = movs_bulk(cpu, in, &s);
		if (!n) {
			if (!movs_one(cpu, in, &s, f))
				return false;
			n = 1;
		}
		string_move(cpu, &s, RSI, n);
		string_move(cpu, &s, RDI, n);
		string_done(cpu, &s, n);
	}
	return string_end(cpu, &s);
}

static unsigned stos_bulk(struct cpu *cpu, const struct string_op *s, uint64_t value)
{
	struct string_run to = string_run(cpu, s, SEG_ES, string_offset(cpu, s, RDI), ACC_WRITE);
	uint8_t buf[PAGE_SIZE];
	struct x86_fault ignored;

	if (!to.n)
		return 0;
	if (s->size == 1)
		memset(buf, (int)value, to.n);
	else
		for (unsigned i = 0; i < to.n; i++)
			store_le(buf + i * s->size, s->size, value);
	return cpu_write_linear(cpu, to.low, buf, to.n * s->size, ACC_WRITE, &ignored) ? to.n : 0;
}

bool do_stos(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	struct string_op s;
	uint64_t value;

	if (!string_begin(cpu, in, sized_by_opcode(in), &s))
		return true;
	value = gpr_read(cpu, RAX, s.size);
	while (string_more(&s)) {
		unsigned n = stos_bulk(cpu, &s, value);
		if (!n) {
			if (!cpu_write(cpu, SEG_ES, string_offset(cpu, &s, RDI), s.size, value, f))
				return false;
			n = 1;
		}
		string_move(cpu, &s, RDI, n);
		string_done(cpu, &s, n);
	}
	return string_end(cpu, &s);
}

bool do_lods(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	struct string_op s;

	if (!string_begin(cpu, in, sized_by_opcode(in), &s))
		return true;
	while (string_more(&s)) {
		struct string_run from = string_run(cpu, &s, in->seg, string_offset(cpu, &s, RSI), ACC_READ);
		unsigned n = from.n;
		uint64_t value;
		if (n) { /* only the last one stays in the accumulator */
			value = load_le(from.host + (s.step > 0 ? (n - 1) * s.size : 0), s.size);
		} else {
			if (!cpu_read(cpu, in->seg, string_offset(cpu, &s, RSI), s.size, &value, f))
				return false;
			n = 1;
		}
		gpr_write(cpu, RAX, s.size, value);
		string_move(cpu, &s, RSI, n);
		string_done(cpu, &s, n);
	}
	return string_end(cpu, &s);
}

/* Flags of a - b. */
static uint64_t compare(uint64_t a, uint64_t b, unsigned size)
{
	uint64_t mask = size_mask(size), r = (a - b) & mask, top = 1ull << (size * 8 - 1);

	a &= mask;
	b &= mask;
	return flags_szp(r, size) | (a < b ? FLAG_CF : 0) | ((a ^ b ^ r) & 0x10 ? FLAG_AF : 0) |
	       ((a ^ b) & (a ^ r) & top ? FLAG_OF : 0);
}

/* REPE goes on while equal, REPNE while not. Without a prefix the count ends it. */
static bool repeats_on(const struct insn *in, uint64_t flags)
{
	bool equal = flags & FLAG_ZF;

	return in->prefixes & PFX_REPNE ? !equal : equal;
}

/*
 * CMPS and SCAS. When an element faults, the flags are those from before (REP, "Description"), so they are set at the
 * end only.
 */
static bool compare_strings(struct cpu *cpu, const struct insn *in, bool scan, struct x86_fault *f)
{
	struct string_op s;
	uint64_t flags = 0;
	bool ended = false;

	if (!string_begin(cpu, in, sized_by_opcode(in), &s))
		return true;
	while (string_more(&s) && !ended) {
		uint64_t a, b;
		if (scan)
			a = gpr_read(cpu, RAX, s.size);
		else if (!cpu_read(cpu, in->seg, string_offset(cpu, &s, RSI), s.size, &a, f))
			return false;
		if (!cpu_read(cpu, SEG_ES, string_offset(cpu, &s, RDI), s.size, &b, f))
			return false;
		flags = compare(a, b, s.size);
		if (!scan)
			string_move(cpu, &s, RSI, 1);
		string_move(cpu, &s, RDI, 1);
		string_done(cpu, &s, 1);
		ended = !repeats_on(in, flags);
	}
	/* Of a part that is not the last, flags show when it is single-stepped: a fault later leaves those from before.
	 */
	if (ended || !s.count || cpu_debug_active(cpu))
		set_flags(cpu, FLAGS_ARITH, flags);
	return ended || string_end(cpu, &s);
}

bool do_cmps(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return compare_strings(cpu, in, false, f);
}

bool do_scas(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return compare_strings(cpu, in, true, f);
}
