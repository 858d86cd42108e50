/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IN, OUT, INS, OUTS and the permission to use them (SDM vol. 1 ch. 18; vol. 3, 7.2). */
#include "string_internal.h"

enum {
	TSS_IOMAP_BASE = 102, /* offset of the I/O map base address in the TSS (7.2.1) */
	TSS_MIN_LIMIT = 103,
};

static bool io_permitted(struct cpu *cpu, uint16_t port, unsigned size, struct x86_fault *f)
{
	unsigned type = cpu->tr.attr & SEG_TYPE;
	uint16_t base, bits;
	uint32_t at;

	if (!cpu_protected(cpu) || (!cpu_v86(cpu) && cpu->cpl <= cpu_iopl(cpu)))
		return true;
	if ((type != SYS_TSS32 && type != SYS_TSS32_BUSY) || cpu->tr.limit < TSS_MIN_LIMIT)
		return raise_gp0(f);
	if (!cpu_read_linear(cpu, cpu->tr.base + TSS_IOMAP_BASE, &base, 2, ACC_SYSTEM, f))
		return false;
	/* Two bytes are always read, as a port's bits may straddle them (vol. 1, 18.5.2). */
	at = (uint32_t)base + port / 8;
	if (at + 1 > cpu->tr.limit)
		return raise_gp0(f);
	if (!cpu_read_linear(cpu, cpu->tr.base + at, &bits, 2, ACC_SYSTEM, f))
		return false;
	if (bits >> (port % 8) & ((1u << size) - 1))
		return raise_gp0(f);
	return true;
}

bool cpu_io_allowed(struct cpu *cpu, uint16_t port, unsigned size, struct x86_fault *f)
{
	if (!io_permitted(cpu, port, size, f))
		return false;
	if (UNLIKELY(cpu->dr[7] & DR7_ENABLES))
		cpu_match_io_breakpoints(cpu, port, size);
	return true;
}

/* There is no 64-bit port access. */
static unsigned port_size(const struct insn *in)
{
	return MIN(sized_by_opcode(in), 4u);
}

/* 0xE4-0xE7 name the port in a byte, the others in DX. */
static uint16_t port_number(const struct cpu *cpu, const struct insn *in)
{
	return in->imm_len ? in->bytes[in->imm_off] : (uint16_t)cpu->gpr[RDX];
}

bool do_in(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = port_size(in);
	uint16_t port = port_number(cpu, in);

	if (!cpu_io_allowed(cpu, port, size, f))
		return false;
	gpr_write(cpu, RAX, size, cpu->ops->port_in(cpu->machine, port, size));
	return true;
}

bool do_out(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = port_size(in);
	uint16_t port = port_number(cpu, in);

	if (!cpu_io_allowed(cpu, port, size, f))
		return false;
	cpu->ops->port_out(cpu->machine, port, size, (uint32_t)gpr_read(cpu, RAX, size));
	return true;
}

/* A page of RAM at most; the ports are read only once it is known that the memory can be written. */
static unsigned ins_bulk(struct cpu *cpu, const struct string_op *s, uint16_t port)
{
	struct string_run to = string_run(cpu, s, SEG_ES, string_offset(cpu, s, RDI), ACC_WRITE);
	uint8_t buf[PAGE_SIZE];
	struct x86_fault ignored;
	unsigned done = 0;

	if (s->step > 0 && to.n > 1 && cpu->ops->port_in_block)
		done = (unsigned)cpu->ops->port_in_block(cpu->machine, port, s->size, buf, to.n);
	for (unsigned i = done; i < to.n; i++) {
		unsigned at = s->step > 0 ? i : to.n - 1 - i;
		store_le(buf + at * s->size, s->size, cpu->ops->port_in(cpu->machine, port, s->size));
	}
	if (to.n)
		(void)cpu_write_linear(cpu, to.low, buf, to.n * s->size, ACC_WRITE, &ignored);
	return to.n;
}

static bool ins_one(struct cpu *cpu, const struct string_op *s, uint16_t port, struct x86_fault *f)
{
	uint64_t offset = string_offset(cpu, s, RDI);

	return cpu_probe_write(cpu, SEG_ES, offset, s->size, f) &&
	       cpu_write(cpu, SEG_ES, offset, s->size, cpu->ops->port_in(cpu->machine, port, s->size), f);
}

bool do_ins(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint16_t port = (uint16_t)cpu->gpr[RDX];
	struct string_op s;

	if (!string_begin(cpu, in, port_size(in), &s))
		return true;
	if (!cpu_io_allowed(cpu, port, s.size, f))
		return false;
	while (string_more(&s)) {
		unsigned n = ins_bulk(cpu, &s, port);
		if (!n) {
			if (!ins_one(cpu, &s, port, f))
				return false;
			n = 1;
		}
		string_move(cpu, &s, RDI, n);
		string_done(cpu, &s, n);
	}
	return string_end(cpu, &s);
}

/* Element by element: what a port does may change what the next read of memory gives. */
bool do_outs(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint16_t port = (uint16_t)cpu->gpr[RDX];
	struct string_op s;

	if (!string_begin(cpu, in, port_size(in), &s))
		return true;
	if (!cpu_io_allowed(cpu, port, s.size, f))
		return false;
	while (string_more(&s)) {
		uint64_t value;
		if (!cpu_read(cpu, in->seg, string_offset(cpu, &s, RSI), s.size, &value, f))
			return false;
		cpu->ops->port_out(cpu->machine, port, s.size, (uint32_t)value);
		string_move(cpu, &s, RSI, 1);
		string_done(cpu, &s, 1);
	}
	return string_end(cpu, &s);
}
