/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem.h"

#include <string.h>

#include "phase.h"
#include "sys.h"
#include "tlb.h"

#define PAGE_LEFT(a) ((unsigned)(PAGE_SIZE - ((a)&PAGE_MASK)))

static bool is_io(const struct cpu *cpu, gpa_t gpa)
{
	const struct pm_region *r = physmem_span(cpu->pm, gpa)->region;
	return r && r->kind == PM_IO;
}

void cpu_phys_read(struct cpu *cpu, gpa_t gpa, void *buf, unsigned len)
{
	uint8_t phase = cpu->stats->phase;

	gpa &= cpu->pm->a20_mask;
	if (UNLIKELY(is_io(cpu, gpa))) {
		cpu->stats->mmio_reads++;
		if (cpu->journal) {
			cpu->journal->io_read(cpu->journal->arg, gpa, buf, len);
			return;
		}
		phase_set(cpu->stats, PHASE_DEVICE);
	}
	physmem_read(cpu->pm, gpa, buf, len);
	phase_set(cpu->stats, phase);
}

void cpu_phys_write(struct cpu *cpu, gpa_t gpa, const void *buf, unsigned len)
{
	uint8_t phase = cpu->stats->phase;
	bool io;

	gpa &= cpu->pm->a20_mask;
	io = is_io(cpu, gpa);
	if (UNLIKELY(io)) {
		cpu->stats->mmio_writes++;
		if (cpu->journal) {
			cpu->journal->io_write(cpu->journal->arg, gpa, buf, len);
			return;
		}
		phase_set(cpu->stats, PHASE_DEVICE);
	} else if (UNLIKELY(cpu->journal != NULL)) {
		cpu->journal->write(cpu->journal->arg, gpa, len);
	}
	cpu->writing = !io;
	physmem_write(cpu->pm, gpa, buf, len);
	cpu->writing = false;
	phase_set(cpu->stats, phase);
}

/* Linear addresses have 32 bits outside 64-bit mode, but for tables and inner stacks of a kernel in long mode. */
static gva_t wrap(const struct cpu *cpu, gva_t gva, enum access access)
{
	return cpu_code64(cpu) || (cpu_long(cpu) && (access & ACC_SYSTEM)) ? gva : (uint32_t)gva;
}

static bool is_user(const struct cpu *cpu, enum access access)
{
	return cpu->cpl == 3 && !(access & ACC_SYSTEM);
}

static bool translate(struct cpu *cpu, gva_t gva, enum access access, gpa_t *gpa, struct x86_fault *f)
{
	bool user = is_user(cpu, access);
	struct tlb_entry *e = tlb_find(cpu, gva, access, user);
	struct translation t;

	if (!e && !(access & (ACC_WRITE | ACC_EXEC))) /* what may be written is read by the same entry */
		e = tlb_find(cpu, gva, access | ACC_WRITE, user);
	if (e) {
		*gpa = e->gpa | (gva & PAGE_MASK);
		return true;
	}
	if (!cpu_walk(cpu, gva, access, user, true, &t, f))
		return false;
	tlb_fill(cpu, gva, access, user, &t);
	*gpa = t.gpa;
	return true;
}

static inline void copy(void *to, const void *from, unsigned len)
{
	switch (len) {
	case 1:
		__builtin_memcpy(to, from, 1);
		break;
	case 2:
		__builtin_memcpy(to, from, 2);
		break;
	case 4:
		__builtin_memcpy(to, from, 4);
		break;
	case 8:
		__builtin_memcpy(to, from, 8);
		break;
	default:
		memcpy(to, from, len);
	}
}

/* The common case: within a page that is known. False: take the long way. */
static inline bool read_known(struct cpu *cpu, gva_t gva, void *buf, unsigned len, enum access access)
{
	struct tlb_entry *e;

	if (len > PAGE_LEFT(gva) || (UNLIKELY(cpu_watches_data(cpu)) && !(access & ACC_EXEC)))
		return false;
	e = tlb_find(cpu, wrap(cpu, gva, access), access, is_user(cpu, access));
	if (e)
		copy(buf, e->host + (gva & PAGE_MASK), len);
	return e;
}

static inline bool write_known(struct cpu *cpu, gva_t gva, const void *buf, unsigned len, enum access access)
{
	struct tlb_entry *e;

	if (len > PAGE_LEFT(gva) || UNLIKELY(cpu_watches_data(cpu)))
		return false;
	e = tlb_find(cpu, wrap(cpu, gva, access), access | ACC_WRITE, is_user(cpu, access));
	if (!e || (e->traced && *e->traced))
		return false;
	if (UNLIKELY(cpu->journal != NULL))
		cpu->journal->write(cpu->journal->arg, e->gpa | (gva & PAGE_MASK), len);
	copy(e->host + (gva & PAGE_MASK), buf, len);
	return true;
}

bool cpu_translate_linear(struct cpu *cpu, gva_t gva, enum access access, gpa_t *gpa, struct x86_fault *f)
{
	if (cpu_paging(cpu))
		return translate(cpu, wrap(cpu, gva, access), access, gpa, f);
	*gpa = gva;
	return true;
}

bool cpu_probe_linear(struct cpu *cpu, gva_t gva, unsigned len, enum access access, struct x86_fault *f)
{
	gpa_t gpa;

	if (!cpu_paging(cpu))
		return true;
	while (len) {
		unsigned n = MIN(len, PAGE_LEFT(gva));
		if (!translate(cpu, wrap(cpu, gva, access), access, &gpa, f))
			return false;
		gva += n;
		len -= n;
	}
	return true;
}

bool cpu_read_linear(struct cpu *cpu, gva_t gva, void *buf, unsigned len, enum access access, struct x86_fault *f)
{
	uint8_t *to = buf;
	gpa_t gpa;

	if (read_known(cpu, gva, buf, len, access))
		return true;
	while (len) {
		unsigned n = MIN(len, PAGE_LEFT(gva));
		if (!translate(cpu, wrap(cpu, gva, access), access, &gpa, f))
			return false;
		if (UNLIKELY(cpu_watches_data(cpu)) && !(access & ACC_EXEC))
			cpu_match_data_breakpoints(cpu, wrap(cpu, gva, access), n, false);
		cpu_phys_read(cpu, gpa, to, n);
		gva += n;
		to += n;
		len -= n;
	}
	return true;
}

bool cpu_write_linear(struct cpu *cpu, gva_t gva, const void *buf, unsigned len, enum access access,
		      struct x86_fault *f)
{
	const uint8_t *from = buf;
	gpa_t gpa;

	if (write_known(cpu, gva, buf, len, access))
		return true;
	if (len > PAGE_LEFT(gva) && !cpu_probe_linear(cpu, gva, len, access | ACC_WRITE, f))
		return false;
	while (len) {
		unsigned n = MIN(len, PAGE_LEFT(gva));
		if (!translate(cpu, wrap(cpu, gva, access), access | ACC_WRITE, &gpa, f))
			return false;
		if (UNLIKELY(cpu_watches_data(cpu)))
			cpu_match_data_breakpoints(cpu, wrap(cpu, gva, access), n, true);
		cpu_phys_write(cpu, gpa, from, n);
		gva += n;
		from += n;
		len -= n;
	}
	return true;
}

static bool seg_fault(unsigned seg, struct x86_fault *f)
{
	return x86_raise_error(f, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
}

static bool type_allows(const struct segment *s, enum access access)
{
	if ((s->attr & SEG_NULL) || !(s->attr & SEG_P))
		return false;
	if (s->attr & SEG_CODE)
		return !(access & ACC_WRITE) && (s->attr & SEG_R);
	return !(access & ACC_WRITE) || (s->attr & SEG_W);
}

static bool limit_allows(const struct segment *s, uint32_t offset, unsigned len)
{
	uint32_t last = offset + len - 1;
	bool wraps = last < offset;

	if (!(s->attr & SEG_CODE) && (s->attr & SEG_E)) {
		uint32_t top = s->attr & SEG_DB ? 0xffffffffu : 0xffffu;
		return offset > s->limit && last <= top && !wraps;
	}
	if (s->limit == 0xffffffffu)
		return true; /* a wrap at 4 GiB is implementation-specific (5.3): silicon wraps */
	return last <= s->limit && !wraps;
}

bool cpu_seg_linear(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, enum access access, gva_t *out,
		    struct x86_fault *f)
{
	const struct segment *s = &cpu->seg[seg];

	if (cpu_code64(cpu)) {
		gva_t first = offset + (seg == SEG_FS || seg == SEG_GS ? s->base : 0);
		gva_t last = first + len - 1;
		if (!cpu_canonical(cpu, first) || !cpu_canonical(cpu, last))
			return seg_fault(seg, f);
		*out = first;
		return true;
	}
	if (cpu_protected(cpu) && !cpu_v86(cpu) && !type_allows(s, access))
		return seg_fault(seg, f);
	if (!limit_allows(s, (uint32_t)offset, len))
		return seg_fault(seg, f);
	*out = (uint32_t)(s->base + (uint32_t)offset);
	return true;
}

/* Alignment that #AC asks of an operand, by its size (table 6-7). Of 16 bytes and more it is no processor's habit. */
static unsigned natural_alignment(unsigned len)
{
	switch (len) {
	case 6: /* far pointer of 48 bits, table register */
	case 28:
	case 108: /* FNSTENV, FNSAVE */
		return 4;
	case 10: /* extended real, packed BCD */
		return 8;
	case 14:
	case 94: /* FNSTENV, FNSAVE with 16-bit operand size */
		return 2;
	default:
		return len > 8 || (len & (len - 1)) ? 1 : len;
	}
}

/* Alignment checking (6.15, #AC): CPL 3 with CR0.AM and EFLAGS.AC. */
static bool aligned(const struct cpu *cpu, gva_t gva, unsigned alignment, struct x86_fault *f)
{
	if (LIKELY(!(cpu->rflags & FLAG_AC)) || !(cpu->cr0 & CR0_AM) || cpu->cpl != 3)
		return true;
	return !(gva & (alignment - 1)) || x86_raise_error(f, EXC_AC, 0);
}

static bool alignment_ok(const struct cpu *cpu, gva_t gva, unsigned len, struct x86_fault *f)
{
	return aligned(cpu, gva, natural_alignment(len), f);
}

bool cpu_read_elements(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, unsigned alignment, void *buf,
		       struct x86_fault *f)
{
	gva_t gva;

	return cpu_seg_linear(cpu, seg, offset, len, ACC_READ, &gva, f) && aligned(cpu, gva, alignment, f) &&
	       cpu_read_linear(cpu, gva, buf, len, ACC_READ, f);
}

bool cpu_read_bytes(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, void *buf, struct x86_fault *f)
{
	return cpu_read_elements(cpu, seg, offset, len, natural_alignment(len), buf, f);
}

bool cpu_write_bytes(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, const void *buf, struct x86_fault *f)
{
	gva_t gva;

	return cpu_seg_linear(cpu, seg, offset, len, ACC_WRITE, &gva, f) && alignment_ok(cpu, gva, len, f) &&
	       cpu_write_linear(cpu, gva, buf, len, ACC_WRITE, f);
}

bool cpu_probe_write(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, struct x86_fault *f)
{
	gva_t gva;

	return cpu_seg_linear(cpu, seg, offset, len, ACC_WRITE, &gva, f) && alignment_ok(cpu, gva, len, f) &&
	       cpu_probe_linear(cpu, gva, len, ACC_WRITE, f);
}

bool cpu_read(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, uint64_t *value, struct x86_fault *f)
{
	*value = 0;
	return cpu_read_bytes(cpu, seg, offset, len, value, f);
}

bool cpu_write(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len, uint64_t value, struct x86_fault *f)
{
	return cpu_write_bytes(cpu, seg, offset, len, &value, f);
}

uint64_t cpu_stack_add(const struct cpu *cpu, uint64_t rsp, int64_t delta)
{
	switch (cpu_stack_size(cpu)) {
	case 2:
		return (rsp & ~0xffffull) | ((rsp + (uint64_t)delta) & 0xffff);
	case 4:
		return (uint32_t)(rsp + (uint64_t)delta);
	default:
		return rsp + (uint64_t)delta;
	}
}

/* The offset that a stack pointer value stands for. */
static uint64_t stack_offset(const struct cpu *cpu, uint64_t rsp)
{
	return rsp & size_mask(cpu_stack_size(cpu));
}

bool cpu_push(struct cpu *cpu, unsigned size, uint64_t value, struct x86_fault *f)
{
	uint64_t rsp = cpu_stack_add(cpu, cpu->gpr[RSP], -(int64_t)size);

	if (!cpu_write(cpu, SEG_SS, stack_offset(cpu, rsp), size, value, f))
		return false;
	cpu->gpr[RSP] = rsp;
	return true;
}

bool cpu_peek(struct cpu *cpu, unsigned size, unsigned index, uint64_t *value, struct x86_fault *f)
{
	uint64_t rsp = cpu_stack_add(cpu, cpu->gpr[RSP], (int64_t)size * index);

	return cpu_read(cpu, SEG_SS, stack_offset(cpu, rsp), size, value, f);
}

bool cpu_pop(struct cpu *cpu, unsigned size, uint64_t *value, struct x86_fault *f)
{
	if (!cpu_peek(cpu, size, 0, value, f))
		return false;
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], size);
	return true;
}
