/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "step.h"

#include <string.h>

#include "event.h"
#include "exec.h"
#include "sys.h"
#include "trace.h"
#include "watch.h"

uint64_t gpr_read(const struct cpu *cpu, unsigned reg, unsigned size)
{
	return cpu->gpr[reg] & size_mask(size);
}

void gpr_write(struct cpu *cpu, unsigned reg, unsigned size, uint64_t value)
{
	if (size >= 4)
		cpu->gpr[reg] = value & size_mask(size);
	else
		cpu->gpr[reg] = (cpu->gpr[reg] & ~size_mask(size)) | (value & size_mask(size));
}

uint64_t insn_ea(const struct cpu *cpu, const struct insn *in)
{
	uint64_t ea = (uint64_t)in->disp;

	if (in->rip_relative)
		ea += cpu->rip + in->len;
	else if (in->base != REG_NONE)
		ea += cpu->gpr[in->base];
	if (in->index != REG_NONE)
		ea += cpu->gpr[in->index] * in->scale;
	return ea & size_mask(in->addrsize);
}

bool insn_read(struct cpu *cpu, const struct insn *in, unsigned n, uint64_t *value, struct x86_fault *f)
{
	const struct operand *op = &in->op[n];

	switch (op->kind) {
	case OPD_GPR:
		*value = gpr_read(cpu, op->reg, op->size);
		return true;
	case OPD_GPR_HIGH:
		*value = cpu->gpr[op->reg] >> 8 & 0xff;
		return true;
	case OPD_SREG:
		*value = cpu->seg[op->reg].selector;
		return true;
	case OPD_MEM:
		return cpu_read(cpu, in->seg, insn_ea(cpu, in), op->size, value, f);
	default:
		*value = op->imm;
		return true;
	}
}

bool insn_write(struct cpu *cpu, const struct insn *in, unsigned n, uint64_t value, struct x86_fault *f)
{
	const struct operand *op = &in->op[n];

	switch (op->kind) {
	case OPD_GPR:
		gpr_write(cpu, op->reg, op->size, value);
		return true;
	case OPD_GPR_HIGH:
		cpu->gpr[op->reg] = (cpu->gpr[op->reg] & ~0xff00ull) | (value & 0xff) << 8;
		return true;
	case OPD_MEM:
		return cpu_write(cpu, in->seg, insn_ea(cpu, in), op->size, value, f);
	default:
		PANIC("operand %u of %s is not writable", n, insn_name(in));
	}
}

bool cpu_branch(struct cpu *cpu, uint64_t target, unsigned opsize, struct x86_fault *f)
{
	if (cpu_code64(cpu)) {
		if (!cpu_canonical(cpu, target))
			return x86_raise_error(f, EXC_GP, 0);
	} else {
		target &= size_mask(MIN(opsize, 4));
		if (target > cpu->seg[SEG_CS].limit)
			return x86_raise_error(f, EXC_GP, 0);
	}
	cpu->next_rip = target;
	return true;
}

/* Copies up to `want` code bytes at a linear address; *got: how many lie before the next page. */
static bool fetch_bytes(struct cpu *cpu, gva_t gva, uint8_t *buf, unsigned want, unsigned *got, struct x86_fault *f)
{
	*got = (unsigned)MIN(want, PAGE_SIZE - (gva & PAGE_MASK));
	return cpu_read_linear(cpu, gva, buf, *got, ACC_EXEC, f);
}

/* Decodes at the linear address, asking for the second page only if the instruction reaches it. */
static bool decode_at(struct cpu *cpu, gva_t gva, struct insn *in, struct x86_fault *f)
{
	unsigned code_size = cpu_code_size(cpu);
	struct insn *cached = exec_decode_cache(cpu->exec, gva);
	uint8_t bytes[INSN_MAX_BYTES];
	unsigned have, more;
	int err;

	if (!fetch_bytes(cpu, gva, bytes, sizeof(bytes), &have, f))
		return false;
	if (cached->len && cached->len <= have && cached->code_size == code_size &&
	    !memcmp(cached->bytes, bytes, cached->len)) {
		*in = *cached;
		return true;
	}
	err = decode_cached(exec_templates(cpu->exec), in, bytes, have, code_size);
	if (err == -ENODATA) {
		gva_t next = code_size == 8 ? gva + have : (uint32_t)(gva + have);
		if (!fetch_bytes(cpu, next, bytes + have, (unsigned)sizeof(bytes) - have, &more, f))
			return false;
		err = insn_decode(in, bytes, have + more, code_size);
	}
	if (err == -E2BIG)
		return x86_raise_error(f, EXC_GP, 0);
	if (err)
		return x86_raise(f, EXC_UD);
	*cached = *in;
	return true;
}

bool cpu_fetch(struct cpu *cpu, struct insn *in, struct x86_fault *f)
{
	const struct segment *cs = &cpu->seg[SEG_CS];

	/* In 64-bit code each byte's address is checked where it is fetched (walk.c): there is no limit. */
	if (!cpu_code64(cpu) && cpu->rip > cs->limit)
		return x86_raise_error(f, EXC_GP, 0);
	if (!decode_at(cpu, cpu_linear_pc(cpu), in, f))
		return false;
	if (!cpu_code64(cpu) && in->len - 1u > cs->limit - cpu->rip)
		return x86_raise_error(f, EXC_GP, 0);
	return true;
}

static bool check_fpu(const struct cpu *cpu, unsigned checks, struct x86_fault *f)
{
	const uint64_t all512 = XCR0_SSE | XCR0_AVX | XCR0_AVX512;

	if ((checks & CHK_FWAIT) && (cpu->cr0 & CR0_MP) && (cpu->cr0 & CR0_TS))
		return x86_raise(f, EXC_NM);
	if ((checks & CHK_FPU) && (cpu->cr0 & (CR0_EM | CR0_TS)))
		return x86_raise(f, EXC_NM);
	if ((checks & (CHK_MMX | CHK_SSE)) && (cpu->cr0 & CR0_EM))
		return x86_raise(f, EXC_UD);
	if ((checks & CHK_SSE) && !(cpu->cr4 & CR4_OSFXSR))
		return x86_raise(f, EXC_UD);
	if ((checks & CHK_XSAVE) && !(cpu->cr4 & CR4_OSXSAVE))
		return x86_raise(f, EXC_UD);
	if ((checks & CHK_AVX) && (!(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & 6) != 6 || cpu_real_segments(cpu)))
		return x86_raise(f, EXC_UD);
	if ((checks & CHK_AVX512) &&
	    (!(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & all512) != all512 || cpu_real_segments(cpu)))
		return x86_raise(f, EXC_UD);
	if ((checks & (CHK_MMX | CHK_SSE | CHK_AVX | CHK_AVX512 | CHK_XSAVE)) && (cpu->cr0 & CR0_TS))
		return x86_raise(f, EXC_NM);
	return true;
}

bool cpu_insn_checks(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	const struct insn_row *row = &insn_rows[in->id];

	if (UNLIKELY(in->id == INSN_INVALID || row->class == CLASS_UNDEF)) {
		trace(insn, "%u bytes %02x %02x %02x %02x at %llx: %s", in->len, in->bytes[0], in->bytes[1],
		      in->bytes[2], in->bytes[3], (unsigned long long)cpu_linear_pc(cpu),
		      in->id ? row->name : "not in the table");
		return x86_raise(f, EXC_UD);
	}
	if (LIKELY(row->checks == CHK_NONE && row->feature == FEAT_BASE))
		return true;
	if ((row->checks & CHK_PROTECTED) && cpu_real_segments(cpu))
		return x86_raise(f, EXC_UD);
	if ((row->checks & CHK_NO64) && cpu_code64(cpu))
		return x86_raise(f, EXC_UD);
	if ((row->checks & CHK_ONLY64) && !cpu_code64(cpu))
		return x86_raise(f, EXC_UD);
	if (!cpu_has(cpu, row->feature) || (in->vl && !cpu_has(cpu, FEAT_AVX512VL)))
		return x86_raise(f, EXC_UD);
	if ((row->checks & CHK_CPL0) && cpu->cpl != 0)
		return x86_raise_error(f, EXC_GP, 0);
	return check_fpu(cpu, row->checks, f);
}

/* Instruction breakpoints (17.2.4, 17.3.1.1): faults before the instruction, unless RF. Behind a load of SS Intel's
 * processors go on as if RF were set (17.3.1.1); AMD's meet them (so KVM and kvm-unit-tests have it). */
static bool check_code_breakpoints(struct cpu *cpu, struct x86_fault *f)
{
	uint64_t hit = 0;
	gva_t pc = cpu_linear_pc(cpu);

	if (LIKELY(!(cpu->dr[7] & DR7_ENABLES)) || (cpu->rflags & FLAG_RF) ||
	    (cpu->shadow == SHADOW_MOV_SS && !cpu_is_amd(cpu)))
		return true;
	for (unsigned n = 0; n < 4; n++)
		if ((cpu->dr[7] & (DR7_L(n) | DR7_G(n))) && DR7_RW(cpu->dr[7], n) == 0 && cpu->dr[n] == pc)
			hit |= DR6_B(n);
	if (!hit)
		return true;
	*f = (struct x86_fault){.vector = EXC_DB, .address = hit};
	return false;
}

/* These decide themselves whether they are single-stepped. */
static bool not_single_stepped(unsigned id)
{
	return id == INSN_INT || id == INSN_INT3 || id == INSN_INT1 || id == INSN_INTO || id == INSN_SYSCALL ||
	       id == INSN_SYSRET;
}

static bool execute(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	const struct insn_row *row = &insn_rows[in->id];

	if (!cpu_insn_checks(cpu, in, f))
		return false;
	cpu->next_rip = cpu->rip + in->len;
	if (!cpu_code64(cpu))
		cpu->next_rip = (uint32_t)cpu->next_rip;
	return row->handler ? row->handler(cpu, in, f) : exec_insn(cpu, in, f);
}

static enum step_result fault(struct cpu *cpu, const struct x86_fault *f)
{
	cpu->shadow = SHADOW_NONE;
	cpu_deliver_fault(cpu, f);
	return STEP_EXCEPTION;
}

enum step_result cpu_step_insn(struct cpu *cpu, const struct insn *in)
{
	struct x86_fault f;
	bool single_step = cpu->rflags & FLAG_TF;
	uint64_t rf = cpu->rflags & FLAG_RF, pending_db = cpu->pending_db;

	if (!check_code_breakpoints(cpu, &f))
		return fault(cpu, &f);
	cpu->shadow = SHADOW_NONE;
	cpu->rflags &= ~FLAG_RF;
	if (!execute(cpu, in, &f)) {
		cpu->rflags |= rf;
		cpu->pending_db = pending_db; /* data breakpoints are of instructions that complete */
		if (cpu->watch)
			cpu->watch->hit = false;
		return fault(cpu, &f);
	}
	/* Behind a load of SS the trap is lost, while data breakpoints wait (6.8.3). */
	if (single_step && !not_single_stepped(in->id) && cpu->shadow != SHADOW_MOV_SS)
		cpu->pending_db |= DR6_BS;
	cpu->rip = cpu->next_rip;
	return STEP_DONE;
}

enum step_result cpu_step(struct cpu *cpu)
{
	struct insn in;
	struct x86_fault f;

	cpu->stats->stepped++;
	if (UNLIKELY(!check_code_breakpoints(cpu, &f)) || !cpu_fetch(cpu, &in, &f))
		return fault(cpu, &f);
	if (trace_on(exec)) {
		char text[96];
		insn_format(&in, cpu->rip, text, sizeof(text));
		trace(exec, "%04x:%08llx %s", cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip, text);
	}
	return cpu_step_insn(cpu, &in);
}

bool cpu_step_counts(struct cpu *cpu)
{
	uint64_t rip = cpu->rip;

	/* Others may come back to themselves, or wait for FERR# to be seen. */
	return cpu_step(cpu) != STEP_DONE || cpu->rip != rip ||
	       !exec_decode_cache(cpu->exec, cpu_linear_pc(cpu))->repeats;
}
