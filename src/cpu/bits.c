/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BT, BTS, BTR, BTC with a bit string in memory (vol. 1, 3.1.1.9): the bit offset in a register reaches beyond the
 * operand. */
#include "handlers_internal.h"

enum bit_op { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static bool bit_string(struct cpu *cpu, const struct insn *in, enum bit_op op, struct x86_fault *f)
{
	unsigned size = operand_size(in);
	int64_t bit = (int64_t)sign_extend(gpr_read(cpu, in->op[1].reg, size), size);
	unsigned shift = size == 8 ? 6 : size == 4 ? 5 : 4;
	/* Of the operand that holds the bit: an arithmetic shift rounds down. */
	uint64_t ea = (insn_ea(cpu, in) + (uint64_t)((bit >> shift) * (int64_t)size)) & size_mask(in->addrsize);
	uint64_t mask = 1ull << (bit & (size * 8 - 1)), value;

	/* What is written back must be writable before anything else happens. */
	if (op != BIT_TEST && !cpu_probe_write(cpu, in->seg, ea, size, f))
		return false;
	if (!cpu_read(cpu, in->seg, ea, size, &value, f))
		return false;
	if (op != BIT_TEST) {
		uint64_t result = op == BIT_SET ? value | mask : op == BIT_RESET ? value & ~mask : value ^ mask;
		if (!cpu_write(cpu, in->seg, ea, size, result, f))
			return false;
	}
	set_flags(cpu, FLAG_CF, value & mask ? FLAG_CF : 0);
	return true;
}

bool do_bt_mem(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return bit_string(cpu, in, BIT_TEST, f);
}

bool do_bts_mem(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return bit_string(cpu, in, BIT_SET, f);
}

bool do_btr_mem(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return bit_string(cpu, in, BIT_RESET, f);
}

bool do_btc_mem(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return bit_string(cpu, in, BIT_COMPLEMENT, f);
}
