/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 64-bit code: PUSHFQ, POPFQ, CLI, STI as xlat_flags.c has them; reads of segment registers. */
#include "xlat64.h"

/* A POPFQ that changes any of these is left to the C body. */
#define FLAGS_SLOW ((uint32_t)(FLAG_TF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID))

/* HOST64_T &= mask. Changes HOST64_DELTA. */
static void mask(struct xlat *t, uint32_t bits)
{
	emit_mov_imm(&t->e, HOST64_DELTA, bits);
	emit_pext32(&t->e, HOST64_T, HOST64_T, HOST64_DELTA);
	emit_pdep32(&t->e, HOST64_T, HOST64_T, HOST64_DELTA);
	t->delta = DELTA_NONE;
}

void xlat64_use_stack(struct xlat *t, unsigned words)
{
	emit_store(&t->e, 8, RSP, AT_HOME(t, rsp));
	emit_mov_imm(&t->e, RSP, (uint32_t)(uintptr_t)&t->bt->home->stack[words]);
}

void xlat64_leave_stack(struct xlat *t)
{
	emit_load(&t->e, 8, RSP, AT_HOME(t, rsp));
}

static bool pushf(struct xlat *t)
{
	xlat64_use_stack(t, HOME_STACK);
	emit_pushf(&t->e);
	xlat64_leave_stack(t);
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, stack[HOME_STACK - 1]));
	mask(t, FLAGS_LIVE | (uint32_t)FLAG_1);
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, stack[HOME_STACK - 1]));
	xlat64_load_cpu(t);
	emit_load(&t->e, 4, HOST64_T, AT_CPU64(offsetof(struct cpu, rflags)));
	mask(t, (uint32_t)(FLAGS_ALL & ~(FLAG_VM | FLAG_RF)) & ~FLAGS_LIVE);
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, stack[HOME_STACK - 1]));
	emit_lea(&t->e, 8, HOST64_T, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	emit_store(&t->e, 8, HOST64_T, xlat64_stack(t, -8));
	xlat64_stack_move(t, -8);
	return true;
}

/* Flags are dead from the load on: POPFQ, or its C body, replaces them all. */
static bool popf(struct xlat *t)
{
	bool may_change = t->ctx->key.flags & CTX_IOPL;
	uint8_t *slow[2], *same, *off, *done;

	emit_load(&t->e, 8, HOST64_T, xlat64_stack(t, 0));
	xlat64_load_cpu(t);
	emit_load(&t->e, 4, HOST64_DELTA, AT_CPU64(offsetof(struct cpu, rflags)));
	emit_op_reg(&t->e, 4, 0x31, HOST64_T, HOST64_DELTA); /* xor: what changes */
	xlat_test_imm(t, HOST64_DELTA, FLAGS_SLOW);
	slow[0] = emit_jcc(&t->e, CC_NE);
	if (may_change) {
		xlat_test_imm(t, HOST64_DELTA, (uint32_t)FLAG_IF);
		same = emit_jcc8(&t->e, CC_E);
		xlat64_load_cpu(t);
		xlat_test_imm(t, HOST64_T, (uint32_t)FLAG_IF);
		off = emit_jcc8(&t->e, CC_E);
		emit_op_mem(&t->e, 1, 0x80, ALU_CMP, AT_CPU64(offsetof(struct cpu, intr))); /* one waits for IF */
		emit8(&t->e, 0);
		slow[1] = emit_jcc(&t->e, CC_NE);
		emit_target8(&t->e, off);
		emit_op_mem(&t->e, 4, 0x81, ALU_XOR, AT_CPU64(offsetof(struct cpu, rflags)));
		emit32(&t->e, (uint32_t)FLAG_IF);
		emit_target8(&t->e, same);
	}
	xlat64_stack_move(t, 8);
	xlat64_take_flags(t);
	done = emit_jmp(&t->e);
	emit_target32_here(&t->e, slow[0]);
	if (may_change)
		emit_target32_here(&t->e, slow[1]);
	xlat_slow_callout(t);
	emit_target32_here(&t->e, done);
	return true;
}

/* IF of cpu->rflags becomes 0 or 1. */
static void set_if(struct xlat *t, bool on)
{
	xlat64_load_cpu(t);
	emit_load(&t->e, 4, HOST64_T, AT_CPU64(offsetof(struct cpu, rflags)));
	mask(t, (uint32_t)(FLAGS_ALL | FLAG_1) & ~(uint32_t)FLAG_IF);
	if (on)
		emit_lea(&t->e, 4, HOST64_T, (struct host_addr){HOST64_T, REG_NONE, 1, (int32_t)FLAG_IF, false, false});
	xlat64_load_cpu(t);
	emit_store(&t->e, 4, HOST64_T, AT_CPU64(offsetof(struct cpu, rflags)));
}

/* The next instruction is in STI's shadow: it must be in this block. */
static bool sti(struct xlat *t)
{
	uint8_t *quiet, *done;

	if (t->last)
		return false;
	xlat64_load_cpu(t);
	emit_store(&t->e, 8, RCX, AT_HOME(t, rcx));
	emit_load(&t->e, 1, RCX, AT_CPU64(offsetof(struct cpu, intr)));
	quiet = emit_jrcxz(&t->e);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat_slow_callout(t);
	done = emit_jmp(&t->e);
	emit_target8(&t->e, quiet);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	set_if(t, true);
	emit_target32_here(&t->e, done);
	xlat_map(t)[1].flags |= MAP_NO_EVENT;
	return true;
}

static bool cli(struct xlat *t)
{
	set_if(t, false);
	return true;
}

bool xlat64_flags(struct xlat *t)
{
	bool allowed = t->ctx->key.flags & CTX_IOPL;

	switch (t->in->id) {
	case INSN_PUSHFQ:
		return pushf(t);
	case INSN_POPFQ:
		return popf(t);
	case INSN_CLI:
		return allowed && cli(t);
	case INSN_STI:
		return allowed && sti(t);
	default:
		return false;
	}
}

bool xlat64_read_cr(struct xlat *t)
{
	static const size_t fields[] = {[0] = offsetof(struct cpu, cr0),
					[2] = offsetof(struct cpu, cr2),
					[3] = offsetof(struct cpu, cr3),
					[4] = offsetof(struct cpu, cr4)};
	const struct operand *to = &t->in->op[0], *from = &t->in->op[1];

	if (from->kind != OPD_CR || from->reg >= ARRAY_LEN(fields) || from->reg == 1 || (t->ctx->key.flags & CTX_CPL3))
		return false;
	xlat64_load_cpu(t);
	if (xlat64_in_memory(t, to->reg)) {
		emit_load(&t->e, 8, HOST64_T, AT_CPU64(fields[from->reg]));
		xlat64_store_reg(t, 8, to->reg, HOST64_T);
	} else {
		emit_load(&t->e, 8, to->reg, AT_CPU64(fields[from->reg]));
	}
	return true;
}

bool xlat64_read_sreg(struct xlat *t)
{
	const struct operand *to = &t->in->op[0];
	size_t offset =
	    offsetof(struct cpu, seg) + t->in->op[1].reg * sizeof(struct segment) + offsetof(struct segment, selector);

	if (to->kind != OPD_GPR)
		return false;
	xlat64_load_cpu(t);
	emit_load(&t->e, 2, HOST64_T, AT_CPU64(offset));
	if (xlat64_in_memory(t, to->reg))
		xlat64_store_reg(t, to->size == 2 ? 2 : 8, to->reg, HOST64_T);
	else
		emit_mov(&t->e, to->size == 2 ? 2 : 4, to->reg, HOST64_T);
	return true;
}

/* HOST64_T = the selector. */
static void load_selector(struct xlat *t)
{
	const struct operand *op = &t->in->op[0];

	if (op->kind == OPD_MEM) {
		emit_load(&t->e, 2, HOST64_T, xlat64_operand(t));
		return;
	}
	if (xlat64_in_memory(t, op->reg))
		xlat64_load_reg(t, HOST64_T, op->reg);
	emit_movzx16(&t->e, HOST64_T, xlat64_in_memory(t, op->reg) ? HOST64_T : op->reg);
}

/* RCX += a number that is minus what it should be; to *slow if it is not. */
static void unless_minus(struct xlat *t, unsigned size, uint8_t **slow)
{
	emit_lea(&t->e, size, RCX, (struct host_addr){RCX, HOST64_T, 1, 0, false, false});
	xlat_unless_zero(t, slow);
}

void xlat64_same_descriptor(struct xlat *t, size_t selector, uint8_t **other)
{
	emit_load(&t->e, 8, HOST64_T, AT_CPU64(selector + offsetof(struct ring_selector, address)));
	xlat64_look_up(t, HOST64_T);
	emit_load(&t->e, 8, RCX, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	xlat64_load_cpu(t);
	emit_load(&t->e, 8, HOST64_T, AT_CPU64(selector + offsetof(struct ring_selector, minus_raw)));
	unless_minus(t, 8, other);
}

/* VERW of the selector that it last found writable, as xlat_verw() has it: kernels run it before they return to user
 * mode. */
bool xlat64_verw(struct xlat *t)
{
	const size_t known = offsetof(struct cpu, bt_writable);
	struct insn_map *map = xlat_map(t);
	uint8_t *slow[2], *done;

	if (t->ctx->key.flags & CTX_CPL3)
		return false;
	xlat64_near_forget(t);
	load_selector(t);
	emit_store(&t->e, 8, RCX, AT_HOME(t, spare));
	map->flags |= MAP_SWAPPED;
	map->swapped |= RCX;
	map->swap_from = xlat_here(t);
	xlat64_load_cpu(t);
	emit_load(&t->e, 4, RCX, AT_CPU64(known + offsetof(struct ring_selector, minus_selector)));
	unless_minus(t, 4, &slow[0]);
	xlat64_same_descriptor(t, known, &slow[1]);
	emit_load(&t->e, 8, RCX, AT_HOME(t, spare));
	map->swap_to = xlat_here(t);
	xlat64_use_stack(t, HOME_STACK);
	emit_pushf(&t->e);
	emit_pop(&t->e, HOST64_T);
	xlat_alu_imm(t, ALU_OR, HOST64_T, (uint32_t)FLAG_ZF);
	emit_push(&t->e, HOST64_T);
	emit_popf(&t->e);
	xlat64_leave_stack(t);
	done = emit_jmp(&t->e);
	emit_target32_here(&t->e, slow[0]);
	emit_target32_here(&t->e, slow[1]);
	emit_load(&t->e, 8, RCX, AT_HOME(t, spare));
	xlat_slow_callout(t);
	emit_target32_here(&t->e, done);
	return true;
}

/* BT, BTS, BTR, BTC with a bit offset in a register, which reaches beyond the operand's address (volume 2, BT). */
bool xlat64_bit_string(struct xlat *t)
{
	const struct insn *in = t->in;
	unsigned size = in->opsize, bit = in->op[1].reg;
	uint8_t opcode = in->bytes[in->opcode_off + 1];

	/* The sum with the bit's word is cut to the address size. */
	if ((size != 4 && size != 8) || xlat64_in_memory(t, bit) || in->addrsize != 8)
		return false;
	xlat64_linear(t);
	emit_mov_imm(&t->e, HOST64_DELTA, size == 4 ? 5 : 6);
	if (size == 4) {
		emit_sarx32(&t->e, HOST64_DELTA, bit, HOST64_DELTA);
		emit_op_reg(&t->e, 8, 0x63, HOST64_DELTA, HOST64_DELTA); /* MOVSXD */
	} else {
		emit_sarx64(&t->e, HOST64_DELTA, bit, HOST64_DELTA);
	}
	emit_lea(&t->e, 8, HOST64_T, (struct host_addr){HOST64_T, HOST64_DELTA, (uint8_t)size, 0, false, false});
	xlat64_look_up(t, HOST64_T);
	emit_lea(&t->e, 8, HOST64_T, (struct host_addr){HOST64_T, HOST64_DELTA, 1, 0, false, false});
	emit_mov_imm(&t->e, HOST64_DELTA, size * 8 - 1);
	emit_pext32(&t->e, HOST64_DELTA, bit, HOST64_DELTA);
	if (in->prefixes & PFX_LOCK)
		emit8(&t->e, 0xf0);
	emit_op_mem(&t->e, size, 0x0f00u | opcode, HOST64_DELTA,
		    (struct host_addr){HOST64_T, REG_NONE, 1, 0, false, false});
	t->delta = DELTA_NONE;
	return true;
}
