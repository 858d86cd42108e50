/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jumps, calls, returns, loops, software interrupts (SDM vol. 2; vol. 3 ch. 5, 6, 20.3). */
#include "handlers_internal.h"

/* Condition codes as encoded in the low four bits of Jcc (vol. 1, appendix B). */
static bool condition(uint64_t flags, unsigned cc)
{
	bool less = !(flags & FLAG_SF) != !(flags & FLAG_OF);
	bool holds = false;

	switch (cc >> 1) {
	case 0:
		holds = flags & FLAG_OF;
		break;
	case 1:
		holds = flags & FLAG_CF;
		break;
	case 2:
		holds = flags & FLAG_ZF;
		break;
	case 3:
		holds = flags & (FLAG_CF | FLAG_ZF);
		break;
	case 4:
		holds = flags & FLAG_SF;
		break;
	case 5:
		holds = flags & FLAG_PF;
		break;
	case 6:
		holds = less;
		break;
	case 7:
		holds = less || (flags & FLAG_ZF);
		break;
	}
	return holds != (cc & 1);
}

static bool jump_relative(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return cpu_branch(cpu, cpu->next_rip + in->op[0].imm, branch_size(in), f);
}

bool do_jmp_rel(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return jump_relative(cpu, in, f);
}

bool do_jmp_ind(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t target;

	return insn_read(cpu, in, 0, &target, f) && cpu_branch(cpu, target, branch_size(in), f);
}

static bool call_near(struct cpu *cpu, const struct insn *in, uint64_t target, struct x86_fault *f)
{
	uint64_t back = cpu->next_rip;

	if (!cpu_branch(cpu, target, branch_size(in), f))
		return false;
	if (!cpu_push(cpu, branch_size(in), back, f)) {
		cpu->next_rip = back;
		return false;
	}
	return true;
}

bool do_call_rel(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return call_near(cpu, in, cpu->next_rip + in->op[0].imm, f);
}

bool do_call_ind(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint64_t target;

	return insn_read(cpu, in, 0, &target, f) && call_near(cpu, in, target, f);
}

/* Bytes of parameters that RET imm16 releases. */
static unsigned released_bytes(const struct insn *in)
{
	return in->imm_len ? (unsigned)load_le(in->bytes + in->imm_off, 2) : 0;
}

bool do_ret(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = branch_size(in);
	uint64_t target;

	if (!cpu_peek(cpu, size, 0, &target, f) || !cpu_branch(cpu, target, size, f))
		return false;
	cpu->gpr[RSP] = cpu_stack_add(cpu, cpu->gpr[RSP], (int64_t)size + released_bytes(in));
	return true;
}

bool do_ret_far(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return cpu_far_return(cpu, operand_size(in), released_bytes(in), f);
}

/* The far pointer of JMP and CALL: in the instruction, or offset and selector in memory. */
static bool far_pointer(struct cpu *cpu, const struct insn *in, uint16_t *selector, uint64_t *offset,
			struct x86_fault *f)
{
	unsigned size = operand_size(in);
	uint8_t buf[10];

	if (!in->has_mem) {
		*selector = in->far_selector;
		*offset = in->op[0].imm & size_mask(size);
		return true;
	}
	if (!cpu_read_elements(cpu, in->seg, insn_ea(cpu, in), size + 2, size, buf, f))
		return false;
	*offset = load_le(buf, size);
	*selector = (uint16_t)load_le(buf + size, 2);
	return true;
}

bool do_jmp_far(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint16_t selector;
	uint64_t offset;

	return far_pointer(cpu, in, &selector, &offset, f) && cpu_far_jump(cpu, selector, offset, operand_size(in), f);
}

bool do_call_far(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint16_t selector;
	uint64_t offset;

	return far_pointer(cpu, in, &selector, &offset, f) && cpu_far_call(cpu, selector, offset, operand_size(in), f);
}

bool do_jcc(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	const uint8_t *opcode = in->bytes + in->opcode_off;
	unsigned cc = (*opcode == 0x0f ? opcode[1] : *opcode) & 15;

	return !condition(cpu->rflags, cc) || jump_relative(cpu, in, f);
}

/* LOOPcc: the counter has the width of an address; it changes only if the jump may be taken. */
static bool loop(struct cpu *cpu, const struct insn *in, bool also, struct x86_fault *f)
{
	uint64_t count = (gpr_read(cpu, RCX, in->addrsize) - 1) & size_mask(in->addrsize);

	if (count && also && !jump_relative(cpu, in, f))
		return false;
	gpr_write(cpu, RCX, in->addrsize, count);
	return true;
}

bool do_loop(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return loop(cpu, in, true, f);
}

bool do_loope(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return loop(cpu, in, cpu->rflags & FLAG_ZF, f);
}

bool do_loopne(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return loop(cpu, in, !(cpu->rflags & FLAG_ZF), f);
}

bool do_jcxz(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return gpr_read(cpu, RCX, in->addrsize) != 0 || jump_relative(cpu, in, f);
}

bool do_bound(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = operand_size(in);
	int64_t index = (int64_t)sign_extend(gpr_read(cpu, in->op[0].reg, size), size);
	uint8_t bounds[8];

	if (!cpu_read_elements(cpu, in->seg, insn_ea(cpu, in), 2 * size, size, bounds, f))
		return false;
	if (index < (int64_t)sign_extend(load_le(bounds, size), size) ||
	    index > (int64_t)sign_extend(load_le(bounds + size, size), size))
		return x86_raise(f, EXC_BR);
	return true;
}
