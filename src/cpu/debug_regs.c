/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug registers, data and I/O breakpoints (SDM vol. 3 17.2). */
#include "handlers_internal.h"
#include "watch.h"

#define DR6_WRITABLE (DR6_B(0) | DR6_B(1) | DR6_B(2) | DR6_B(3) | DR6_BD | DR6_BS | DR6_BT)
#define DR7_RESERVED (BIT(11) | BIT(12) | BIT(14) | BIT(15)) /* always 0 */

/* General detection, then DR4 and DR5 as aliases of DR6 and DR7 unless CR4.DE (17.2.2). */
static bool check_dr(const struct cpu *cpu, unsigned *n, struct x86_fault *f)
{
	if (*n == 4 || *n == 5) {
		if (cpu->cr4 & CR4_DE)
			return x86_raise(f, EXC_UD);
		*n += 2;
	}
	if (*n > 7)
		return x86_raise(f, EXC_UD);
	if (cpu->dr[7] & DR7_GD) {
		*f = (struct x86_fault){.vector = EXC_DB, .address = DR6_BD};
		return false;
	}
	return true;
}

bool cpu_read_dr(struct cpu *cpu, unsigned n, uint64_t *value, struct x86_fault *f)
{
	if (!check_dr(cpu, &n, f))
		return false;
	*value = cpu->dr[n];
	return true;
}

bool cpu_write_dr(struct cpu *cpu, unsigned n, uint64_t value, struct x86_fault *f)
{
	if (!check_dr(cpu, &n, f))
		return false;
	if (n >= 6 && value >> 32)
		return raise_gp0(f);
	if (n == 6)
		value = (value & DR6_WRITABLE) | DR6_FIXED;
	else if (n == 7)
		value = (value & ~DR7_RESERVED) | DR7_FIXED;
	cpu->dr[n] = value;
	return true;
}

bool do_mov_dr(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = in->code_size == 8 ? 8 : 4;
	uint64_t value;

	if (in->op[0].kind == OPD_DR)
		return cpu_write_dr(cpu, in->op[0].reg, gpr_read(cpu, in->op[1].reg, size), f);
	if (!cpu_read_dr(cpu, in->op[1].reg, &value, f))
		return false;
	gpr_write(cpu, in->op[0].reg, size, value);
	return true;
}

/* Sets the bits of the enabled breakpoints of the types in the mask that the bytes touch (17.2.5). */
static void match_breakpoints(struct cpu *cpu, uint64_t at, unsigned len, unsigned types)
{
	static const uint8_t lengths[] = {1, 2, 8, 4}; /* by DR7.LEN */

	for (unsigned n = 0; n < 4; n++) {
		unsigned watched = lengths[DR7_LEN(cpu->dr[7], n)];
		uint64_t first = cpu->dr[n] & ~(uint64_t)(watched - 1);
		if (!(cpu->dr[7] & (DR7_L(n) | DR7_G(n))) || !(types & BIT(DR7_RW(cpu->dr[7], n))))
			continue;
		if (at < first + watched && first < at + len)
			cpu->pending_db |= DR6_B(n);
	}
}

void cpu_match_data_breakpoints(struct cpu *cpu, gva_t gva, unsigned len, bool write)
{
	if (cpu->watch)
		watch_access(cpu->watch, gva, len, write);
	match_breakpoints(cpu, gva, len, write ? BIT(DR7_RW_WRITE) | BIT(DR7_RW_DATA) : BIT(DR7_RW_DATA));
}

void cpu_match_io_breakpoints(struct cpu *cpu, uint16_t port, unsigned size)
{
	if (cpu->cr4 & CR4_DE)
		match_breakpoints(cpu, port, size, BIT(DR7_RW_IO));
}
