/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One case on both sides. */
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/step.h"
#include "matrix.h"

enum { FX_COMPARED = 288, FX_COMPARED64 = 416 };

/* What is compared, and made as it was after each case: physical addresses. */
static const struct {
	uint32_t from, to;
} ranges[] = {{CODE_FROM, LOW_TO}, {DATA_FROM, DATA_TO}, {HIGH_FROM, HIGH_TO}};

static unsigned range_count(const struct matrix *x)
{
	return ARRAY_LEN(ranges) - !layout_wide(x->l);
}

uint8_t *matrix_host_memory(const struct matrix *x, uint32_t at)
{
	return at >= HIGH_FROM ? (uint8_t *)(uintptr_t)(HIGH_LINEAR + at - HIGH_FROM) : native_memory(x->n, at);
}

/* Physical address of a linear one; 0: there is none. */
static uint32_t physical(const struct matrix *x, uint64_t linear)
{
	if (!layout_wide(x->l))
		return (uint32_t)linear;
	if (linear - HIGH_LINEAR < HIGH_TO - HIGH_FROM)
		return (uint32_t)(linear - HIGH_LINEAR) + HIGH_FROM;
	return linear - LOW_LINEAR < HIGH_FROM ? (uint32_t)(linear - LOW_LINEAR) : 0;
}

/* What changed in the last case is made as it was, on both sides. */
void matrix_restore_memory(struct matrix *x)
{
	for (unsigned i = 0; i < range_count(x); i++)
		for (uint32_t at = ranges[i].from; at < ranges[i].to; at += PAGE_SIZE) {
			uint8_t *host = matrix_host_memory(x, at), *old = x->pristine + at;
			if (memcmp(physmem_host(&x->m->pm, at, NULL), old, PAGE_SIZE))
				physmem_write(&x->m->pm, at, old, PAGE_SIZE);
			if (memcmp(host, old, PAGE_SIZE))
				memcpy(host, old, PAGE_SIZE);
		}
}

uint32_t matrix_memory_difference(const struct matrix *x)
{
	for (unsigned i = 0; i < range_count(x); i++) {
		uint32_t from = ranges[i].from, len = ranges[i].to - from;
		const uint8_t *host = matrix_host_memory(x, from), *guest = physmem_host(&x->m->pm, from, NULL);
		if (!memcmp(host, guest, len))
			continue;
		for (uint32_t k = 0; k < len; k++)
			if (host[k] != guest[k])
				return from + k;
	}
	return 0;
}

static void put_word(struct matrix *x, const struct test_case *c)
{
	uint32_t at = physical(x, c->word.at), size = layout_wide(x->l) ? 8 : 4;

	for (unsigned i = 0; c->word.used && i < range_count(x); i++) {
		uint32_t from = i ? ranges[i].from : CODE_TO;
		if (at < from || at > ranges[i].to - size)
			continue;
		machine_poke(x->m, at, size, c->word.value);
		memcpy(matrix_host_memory(x, at), &c->word.value, size);
	}
}

static void put_case(struct matrix *x, const struct test_case *c)
{
	uint8_t bytes[SEQUENCE_MAX * INSN_MAX_BYTES + 1];
	unsigned at = 0;

	memset(bytes, 0xf4, sizeof(bytes));
	memcpy(bytes, c->in.bytes, c->in.len);
	for (unsigned i = 0; i < c->nsequence; at += c->sequence[i++].len)
		memcpy(bytes + at, c->sequence[i].bytes, c->sequence[i].len);
	physmem_write(&x->m->pm, CODE_AT, bytes, sizeof(bytes));
	memcpy(native_memory(x->n, CODE_AT), bytes, sizeof(bytes));
	put_word(x, c);
}

/*
 * Processors differ on LOOPE and LOOPNE with F2 or F3: Intel's ignore the prefix, to AMD's it is the condition. A guest
 * sees it ignored on any host, so the host is to run the instruction with a prefix that means nothing to either. The
 * host's FS is the C library's: what 64-bit code does with it, GS does there.
 */
static void run_host(struct matrix *x, const struct test_case *c, struct native_state *s)
{
	const struct insn *in = &c->in;
	bool loop = !c->nsequence && (in->id == INSN_LOOPE || in->id == INSN_LOOPNE);
	bool fs = layout_wide(x->l) && !c->nsequence && in->seg == SEG_FS;
	uint8_t *code = native_memory(x->n, CODE_AT);

	for (unsigned i = 0; i < in->opcode_off; i++)
		if (loop && (code[i] == 0xf2 || code[i] == 0xf3))
			code[i] = 0x3e;
		else if (fs && code[i] == 0x64)
			code[i] = 0x65;
	if (layout_wide(x->l))
		native_run64(x->n, s, fs ? c->fs_base : c->gs_base);
	else
		native_run(x->n, s);
	if (loop || fs)
		memcpy(code, in->bytes, in->opcode_off);
}

/* What 64-bit code alone has: nothing changes it. */
static bool kept_registers(const struct matrix *x)
{
	const struct cpu *cpu = &x->m->cpu;
	enum { XMM8 = FX_XMM0 + 8 * 16 };

	if (layout_wide(x->l))
		return true;
	return !memcmp(&cpu->gpr[R8], &x->base.gpr[R8], 8 * sizeof(cpu->gpr[0])) &&
	       !memcmp(cpu->fpu.image + XMM8, x->base.fpu.image + XMM8, 8 * 16);
}

/* Runs the case in the guest; the outcome in the form that the host's has. False: no comparable end. */
static bool run_guest(struct matrix *x, const struct test_case *c, struct native_state *s)
{
	bool wide = layout_wide(x->l);
	unsigned gprs = wide ? 16 : 8, fx = wide ? FX_COMPARED64 : FX_COMPARED, ymm = gprs * 16;
	const unsigned avx512 = NATIVE_STATE_BYTES - NATIVE_K;
	struct machine *m = x->m;
	struct cpu *cpu = &m->cpu;
	struct isa_frame f;
	enum isa_stop why;

	*cpu = x->base;
	for (unsigned i = 0; i < gprs; i++)
		cpu->gpr[i] = s->gpr[i];
	cpu->seg[SEG_FS].base = wide ? c->fs_base : cpu->seg[SEG_FS].base;
	cpu->seg[SEG_GS].base = wide ? c->gs_base : cpu->seg[SEG_GS].base;
	cpu->rip = cpu->next_rip = s->rip;
	cpu->rflags = (x->base.rflags & ~(uint64_t)(FLAGS_ARITH | FLAG_DF)) | s->rflags;
	memcpy(cpu->fpu.image, s->fx, fx);
	memcpy(cpu->fpu.image + FX_YMM, s->fx + NATIVE_YMM, ymm);
	if (wide)
		memcpy(cpu->fpu.image + FX_K, s->fx + NATIVE_K, avx512);
	m->done = m->triple = false;
	why = machine_run(m);
	if (!kept_registers(x))
		return false;
	for (unsigned i = 0; i < gprs; i++)
		s->gpr[i] = wide ? cpu->gpr[i] : (uint32_t)cpu->gpr[i];
	memcpy(s->fx, cpu->fpu.image, fx);
	memcpy(s->fx + NATIVE_YMM, cpu->fpu.image + FX_YMM, ymm);
	if (wide)
		memcpy(s->fx + NATIVE_K, cpu->fpu.image + FX_K, avx512);
	s->trap = EXC_GP;
	s->error = 0;
	s->rip = cpu->rip - 1;
	s->cr2 = cpu->cr2;
	s->rflags = (uint32_t)cpu->rflags;
	if (why == STOP_DONE) /* HLT */
		return true;
	if (why != STOP_FAULT)
		return false;
	f = machine_frame(m);
	s->trap = f.vector;
	s->error = f.has_error ? f.error : 0;
	s->gpr[RSP] = (s->gpr[RSP] & (m->mode == ISA_REAL ? 0xffff0000u : 0)) | f.esp;
	s->rip = f.eip;
	s->rflags = f.eflags;
	/* The frame lies in the data in real-address mode only; the host has none. */
	for (unsigned i = 0; m->mode == ISA_REAL && i < f.bytes; i++) {
		uint32_t at = (uint32_t)cpu->seg[SEG_SS].base + ((uint32_t)(cpu->gpr[RSP] + i) & 0xffff);
		memcpy(physmem_host(&m->pm, at, NULL), native_memory(x->n, at), 1);
	}
	return true;
}

/*
 * Where environments hold the x87 unit's pointers, real-address and V86 mode have a format of their own, which the host
 * cannot be asked for: those bytes, and what was loaded from them, are taken from the guest (programs/fpu_real.inc
 * looks at them).
 */
static void leave_out_pointers(struct matrix *x, const struct test_case *c, struct native_state *host,
			       const struct native_state *guest)
{
	const struct insn *in = &c->in;
	bool is_short = in->mem_size == 14 || in->mem_size == 94;
	struct cpu *cpu = &x->m->cpu;
	uint32_t at;

	if (c->nsequence || host->rip == layout_code(x->l))
		return;
	switch (in->id) {
	case INSN_FLDENV:
	case INSN_FRSTOR:
		memcpy(host->fx + 8, guest->fx + 8, 4);
		break;
	case INSN_FNSTENV:
	case INSN_FNSAVE:
		for (unsigned i = 0; i < 8; i++)
			cpu->gpr[i] = c->start.gpr[i];
		at = x->l->seg[in->seg].base + (uint32_t)insn_ea(cpu, in) + (is_short ? 6 : 12);
		memcpy(native_memory(x->n, at), physmem_host(&x->m->pm, at, NULL), is_short ? 8 : 16);
		break;
	}
}

static unsigned sequence_bytes(const struct test_case *c)
{
	unsigned bytes = 0;

	for (unsigned i = 0; i < c->nsequence; i++)
		bytes += c->sequence[i].len;
	return bytes;
}

void matrix_run_case(struct matrix *x, const struct test_case *c)
{
	struct native_state host = c->start, guest = c->start;
	const struct insn_row *row = &insn_rows[c->in.id];
	bool real = x->l->mode == ISA_REAL || x->l->mode == ISA_V86;

	put_case(x, c);
	run_host(x, c, &host);
	x->cases++;
	if ((host.trap == EXC_PF && !layout_wide(x->l)) || host.trap == NATIVE_ENDLESS) {
		x->skipped++;
		matrix_restore_memory(x);
		return;
	}
	x->done[c->in.id]++;
	x->faults += host.rip == layout_code(x->l);
	x->finished += c->nsequence && host.rip == layout_code(x->l) + sequence_bytes(c);
	if (real && (row->checks & (CHK_PROTECTED | CHK_AVX | CHK_AVX512)) && !c->nsequence) {
		host = c->start;
		host.trap = EXC_UD;
		host.error = 0;
		matrix_restore_memory(x);
		put_case(x, c);
	}
	if (c->storm)
		machine_set_storm(x->m, true);
	bool ended = run_guest(x, c, &guest);
	if (c->storm)
		machine_set_storm(x->m, false);
	if (ended && real)
		leave_out_pointers(x, c, &host, &guest);
	if (ended)
		matrix_compare(x, c, &host, &guest);
	else
		matrix_report(x, c, &host, &guest, "how it stops");
	matrix_restore_memory(x);
}
