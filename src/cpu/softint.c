/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Software interrupts and the ways back (vol. 3, 6.4, 20.3). */
#include "handlers_internal.h"

enum {
	TSS_IOMAP_BASE = 102, /* offset of the I/O map base address in a 32-bit TSS (7.2.1) */
	REDIRECTION_BYTES = 32,
};

static bool soft_interrupt(struct cpu *cpu, unsigned vector, struct x86_fault *f)
{
	cpu->stats->soft_interrupts++;
	return cpu_deliver(cpu, vector, EVENT_SOFTWARE, NULL, f);
}

/* The interrupt's bit in the software interrupt redirection bit map, which ends where the I/O map begins (20.3.3). */
static bool redirection_bit(struct cpu *cpu, unsigned vector, bool *set, struct x86_fault *f)
{
	uint16_t base;
	uint8_t byte;
	uint32_t at;

	if (cpu->tr.limit < TSS_IOMAP_BASE + 1)
		return raise_gp0(f);
	if (!cpu_read_linear(cpu, cpu->tr.base + TSS_IOMAP_BASE, &base, 2, ACC_SYSTEM, f))
		return false;
	at = (uint32_t)base - REDIRECTION_BYTES + vector / 8;
	if (base < REDIRECTION_BYTES || at > cpu->tr.limit)
		return raise_gp0(f);
	if (!cpu_read_linear(cpu, cpu->tr.base + at, &byte, 1, ACC_SYSTEM, f))
		return false;
	*set = byte >> (vector % 8) & 1;
	return true;
}

/*
 * INT n handed to the 8086 program's own handler through its interrupt vector table (20.3.3, table 20-2). With IOPL
 * below 3 the virtual interrupt flag stands in for IF.
 */
static bool interrupt_in_v86(struct cpu *cpu, unsigned vector, struct x86_fault *f)
{
	bool virtual_if = cpu_iopl(cpu) < 3;
	uint64_t flags = cpu->rflags & 0xffff, rsp = cpu->gpr[RSP];
	uint8_t entry[4];

	if (virtual_if) {
		flags &= ~FLAG_IF;
		flags |= FLAG_IOPL | (cpu->rflags & FLAG_VIF ? FLAG_IF : 0);
	}
	if (!cpu_read_linear(cpu, vector * 4, entry, 4, ACC_READ, f))
		return false;
	if (!cpu_push(cpu, 2, flags, f) || !cpu_push(cpu, 2, cpu->seg[SEG_CS].selector, f) ||
	    !cpu_push(cpu, 2, cpu->next_rip, f)) {
		cpu->gpr[RSP] = rsp;
		return false;
	}
	cpu_set_v86_segment(cpu, SEG_CS, (uint16_t)load_le(entry + 2, 2));
	cpu->next_rip = load_le(entry, 2);
	cpu->rflags &= ~(FLAG_TF | (virtual_if ? FLAG_VIF : FLAG_IF));
	return true;
}

bool do_int(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned vector = in->bytes[in->imm_off];
	bool redirect_to_monitor = true;

	if (cpu_v86(cpu)) {
		if ((cpu->cr4 & CR4_VME) && !redirection_bit(cpu, vector, &redirect_to_monitor, f))
			return false;
		if (!redirect_to_monitor) {
			cpu->stats->soft_interrupts++;
			return interrupt_in_v86(cpu, vector, f);
		}
		if (cpu_iopl(cpu) < 3)
			return raise_gp0(f);
	}
	return soft_interrupt(cpu, vector, f);
}

bool do_int3(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return soft_interrupt(cpu, EXC_BP, f);
}

bool do_into(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return !(cpu->rflags & FLAG_OF) || soft_interrupt(cpu, EXC_OF, f);
}

bool do_int1(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	/* Data breakpoints that a load of SS before it has put off come with this #DB, not after it: one call of the
	 * handler, as on processors. */
	uint64_t put_off = cpu->pending_db;

	cpu->stats->soft_interrupts++;
	cpu->pending_db = 0;
	if (!cpu_deliver(cpu, EXC_DB, EVENT_ICEBP, NULL, f)) {
		cpu->pending_db = put_off;
		return false;
	}
	cpu->dr[6] |= put_off;
	return true;
}

bool do_iret(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	return cpu_iret(cpu, operand_size(in), f);
}
