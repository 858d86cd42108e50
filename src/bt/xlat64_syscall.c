/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 64-bit code: RDTSC and RDTSCP, as xlat_system.c has them; SYSCALL and SYSRET without leaving the cache. EFER and STAR
 * are compared with what they were when the code was translated, the C body does what differs. Flags are dead from
 * there on: both instructions replace them.
 */
#include "cpu/seg.h"
#include "xlat64.h"

const struct context *xlat64_context_behind(struct xlat *t, bool user)
{
	struct context_key k = t->ctx->key;

	k.flags &= ~(uint32_t)(CTX_CPL3 | CTX_CPL12 | CTX_IOPL);
	k.flags |= user ? CTX_CPL3 : CTX_IOPL;
	return bt_context_of(t->bt, &k);
}

/* HOST64_DELTA is struct cpu; RCX is in home.rcx. */
static uint8_t *unless_same(struct xlat *t, size_t offset, uint32_t value)
{
	uint8_t *slow;

	emit_load(&t->e, 4, RCX, AT_CPU64(offset));
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -(int32_t)value, false, false});
	xlat_unless_zero(t, &slow);
	return slow;
}

static void check_registers(struct xlat *t, uint8_t *slow[2])
{
	const struct cpu *cpu = t->bt->cpu;

	xlat64_load_cpu(t);
	emit_store(&t->e, 8, RCX, AT_HOME(t, rcx));
	slow[0] = unless_same(t, offsetof(struct cpu, efer), (uint32_t)cpu->efer);
	slow[1] = unless_same(t, offsetof(struct cpu, star) + 4, (uint32_t)(cpu->star >> 32));
}

static void or_alu(struct xlat *t, unsigned to, unsigned from)
{
	emit_op_reg(&t->e, 4, 0x09, from, to);
}

void xlat64_take_flags(struct xlat *t)
{
	xlat_alu_imm(t, ALU_AND, HOST64_T, FLAGS_LIVE);
	xlat_alu_imm(t, ALU_OR, HOST64_T, (uint32_t)(FLAG_1 | FLAG_IF)); /* the host's own IF */
	xlat64_use_stack(t, HOME_STACK);
	emit_push(&t->e, HOST64_T);
	emit_popf(&t->e);
	xlat64_leave_stack(t);
}

/* HOST64_DELTA is struct cpu. */
static void store_segment(struct xlat *t, unsigned seg, const struct segment *s)
{
	size_t at = offsetof(struct cpu, seg) + seg * sizeof(*s);
	uint64_t half[2];

	__builtin_memcpy(half, s, sizeof(half));
	for (unsigned i = 0; i < 2; i++) {
		emit_mov_imm64(&t->e, HOST64_T, half[i]);
		emit_store(&t->e, 8, HOST64_T, AT_CPU64(at + 8 * i));
	}
}

static void load_segments(struct xlat *t, uint16_t cs, uint16_t ss, unsigned cpl, bool code64)
{
	struct segment code, stack;

	cpu_flat_segments(cs, ss, cpl, code64, &code, &stack);
	store_segment(t, SEG_CS, &code);
	store_segment(t, SEG_SS, &stack);
	emit_store_imm(&t->e, 1, cpl, AT_CPU64(offsetof(struct cpu, cpl)));
}

void xlat64_enter_ring(struct xlat *t, const struct context *to)
{
	emit_mov_imm64(&t->e, HOST64_T, (uintptr_t)&to->indirect);
	emit_load(&t->e, 8, HOST64_T, (struct host_addr){HOST64_T, REG_NONE, 1, 0, false, false});
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, table));
}

static void change_ring(struct xlat *t, const struct context *to, uint16_t cs, uint16_t ss, unsigned cpl)
{
	load_segments(t, cs, ss, cpl, true);
	xlat64_enter_ring(t, to);
}

/* Goes to the RIP in HOST64_T, in 64-bit code or (compat) in compatibility mode; the C body, to which `slow` leads,
 * does all of it. */
static void finish(struct xlat *t, bool compat, uint8_t **slow, unsigned nslow)
{
	unsigned uncounted = t->uncounted;

	if (compat)
		xlat64_enter_compat(t);
	else
		xlat64_jump_indirect(t, BRANCH_TABLE);
	t->uncounted = uncounted;
	for (unsigned i = 0; i < nslow; i++)
		emit_target32_here(&t->e, slow[i]);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat_callout(t);
}

bool xlat64_rdtsc(struct xlat *t)
{
	const size_t line = offsetof(struct cpu, tsc_line);

	if (!t->bt->cpu->tsc_line.ratio || t->bt->lockstep ||
	    (t->ctx->key.flags & (CTX_NO_TSC | CTX_CPL3)) == (CTX_NO_TSC | CTX_CPL3))
		return false;
	xlat64_load_cpu(t);
	emit_rdtsc(&t->e);
	emit_rorx64(&t->e, RDX, RDX, 32);
	emit_load(&t->e, 8, HOST64_T, AT_CPU64(line + offsetof(struct tsc_line, minus_host)));
	emit_lea(&t->e, 8, RAX, (struct host_addr){RAX, RDX, 1, 0, false, false});
	emit_lea(&t->e, 8, RAX, (struct host_addr){RAX, HOST64_T, 1, 0, false, false});
	emit_lea(&t->e, 8, RDX, (struct host_addr){RAX, RAX, 1, 0, false, false});
	emit_mulx64(&t->e, HOST64_T, RAX, HOST64_DELTA, (int32_t)(line + offsetof(struct tsc_line, ratio)));
	emit_load(&t->e, 8, RAX, AT_CPU64(line + offsetof(struct tsc_line, guest)));
	emit_lea(&t->e, 8, RAX, (struct host_addr){RAX, HOST64_T, 1, 0, false, false});
	emit_load(&t->e, 8, HOST64_T, AT_CPU64(offsetof(struct cpu, tsc_offset)));
	emit_lea(&t->e, 8, RAX, (struct host_addr){RAX, HOST64_T, 1, 0, false, false});
	emit_rorx64(&t->e, RDX, RAX, 32);
	emit_mov(&t->e, 4, RAX, RAX);
	emit_mov(&t->e, 4, RDX, RDX);
	if (t->in->id == INSN_RDTSCP)
		emit_load(&t->e, 4, RCX, AT_CPU64(offsetof(struct cpu, tsc_aux)));
	return true;
}

static bool usable(const struct xlat *t)
{
	return t->bt->cpu->efer & EFER_SCE;
}

bool xlat64_syscall(struct xlat *t)
{
	const struct context *to = usable(t) ? xlat64_context_behind(t, false) : NULL;
	uint16_t cs = (uint16_t)(t->bt->cpu->star >> 32 & ~(uint64_t)SEL_RPL);
	uint8_t *slow[2];

	if (!to || !xlat64_probes(t))
		return false;
	xlat64_load_cpu(t);
	emit_load(&t->e, 8, HOST64_T, AT_CPU64(offsetof(struct cpu, lstar)));
	xlat64_probe_canonical(t); /* what would be found out behind it cannot be undone */
	xlat64_rsp_find(t, false, RSP);
	check_registers(t, slow);
	xlat64_use_stack(t, HOME_STACK);
	emit_pushf(&t->e);
	xlat64_leave_stack(t);
	emit_load(&t->e, 8, HOST64_T, AT_HOME(t, stack[HOME_STACK - 1]));
	xlat_alu_imm(t, ALU_AND, HOST64_T, FLAGS_LIVE);
	emit_load(&t->e, 4, RCX, AT_CPU64(offsetof(struct cpu, rflags)));
	xlat_alu_imm(t, ALU_AND, RCX, (uint32_t)(FLAGS_ALL & ~FLAG_RF) & ~FLAGS_LIVE);
	or_alu(t, HOST64_T, RCX);
	xlat_alu_imm(t, ALU_OR, HOST64_T, (uint32_t)FLAG_1);
	xlat64_store_reg(t, 8, R11, HOST64_T);
	emit_load(&t->e, 4, RCX, AT_CPU64(offsetof(struct cpu, sfmask)));
	emit_not64(&t->e, RCX);
	emit_op_reg(&t->e, 4, 0x21, RCX, HOST64_T); /* and */
	xlat_alu_imm(t, ALU_OR, HOST64_T, (uint32_t)FLAG_1);
	emit_store(&t->e, 4, HOST64_T, AT_CPU64(offsetof(struct cpu, rflags)));
	xlat64_take_flags(t);
	change_ring(t, to, cs, (uint16_t)(cs + 8), 0);
	xlat64_rsp_take_found(t);
	emit_mov_imm64(&t->e, RCX, t->eip + t->in->len);
	xlat_reloc(t, 8, RELOC_RIP);
	emit_load(&t->e, 8, HOST64_T, AT_CPU64(offsetof(struct cpu, lstar)));
	finish(t, false, slow, ARRAY_LEN(slow));
	return true;
}

/* RFLAGS = R11, RCX = the guest's. */
static void return_flags(struct xlat *t, uint8_t *slow[2])
{
	uint8_t *off;

	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	xlat64_load_reg(t, HOST64_T, R11);
	/* Another context, or a trap. */
	xlat_test_imm(t, HOST64_T, (uint32_t)(FLAG_TF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC));
	slow[0] = emit_jcc(&t->e, CC_NE);
	xlat_test_imm(t, HOST64_T, (uint32_t)FLAG_IF);
	off = emit_jcc8(&t->e, CC_E);
	emit_op_mem(&t->e, 1, 0x80, ALU_CMP, AT_CPU64(offsetof(struct cpu, intr))); /* an interrupt waits for IF */
	emit8(&t->e, 0);
	slow[1] = emit_jcc(&t->e, CC_NE);
	emit_target8(&t->e, off);
	xlat_alu_imm(t, ALU_AND, HOST64_T, (uint32_t)FLAGS_ALL);
	xlat_alu_imm(t, ALU_OR, HOST64_T, (uint32_t)FLAG_1);
	emit_store(&t->e, 4, HOST64_T, AT_CPU64(offsetof(struct cpu, rflags)));
	xlat64_take_flags(t);
}

static bool sysret_compat(struct xlat *t, uint16_t base)
{
	uint8_t *slow[4 + COMPAT_SLOW];

	check_registers(t, slow);
	xlat64_check_compat(t, slow + 4);
	return_flags(t, slow + 2);
	load_segments(t, base, (uint16_t)(base + 8), 3, false);
	emit_mov(&t->e, 4, HOST64_T, RCX);
	finish(t, true, slow, ARRAY_LEN(slow));
	return true;
}

bool xlat64_sysret(struct xlat *t)
{
	bool allowed = usable(t) && xlat64_probes(t) && t->in->opsize >= 4 && !(t->ctx->key.flags & CTX_CPL3);
	uint16_t base = (uint16_t)(t->bt->cpu->star >> 48);
	const struct context *to;
	uint8_t *slow[4];

	if (allowed && t->in->opsize == 4)
		return bt_switches_windows(t->bt) && sysret_compat(t, base);
	to = allowed ? xlat64_context_behind(t, true) : NULL;
	if (!to)
		return false;
	emit_mov(&t->e, 8, HOST64_T, RCX);
	xlat64_probe_canonical(t);
	xlat64_rsp_find(t, true, RSP);
	check_registers(t, slow);
	return_flags(t, slow + 2);
	change_ring(t, to, (uint16_t)(base + 16), (uint16_t)(base + 8), 3);
	xlat64_rsp_take_found(t);
	emit_mov(&t->e, 8, HOST64_T, RCX);
	finish(t, false, slow, ARRAY_LEN(slow));
	return true;
}
