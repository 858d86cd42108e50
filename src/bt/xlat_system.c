/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSENTER and SYSEXIT of 32-bit guests: the ring changes without leaving the cache (SDM vol. 3, 5.8.7); RDTSC and
 * RDTSCP, by the host's (struct tsc_line); reads of control registers.
 */
#include "cpu/seg.h"
#include "xlat.h"

uint8_t *xlat_unless_same(struct xlat *t, int32_t field, uint32_t value)
{
	uint8_t *slow;

	emit_load(&t->e, 4, RCX, AT_CPU(field));
	emit_lea(&t->e, 4, RCX, (struct host_addr){RCX, REG_NONE, 1, -(int32_t)value, false, false});
	xlat_unless_zero(t, &slow);
	return slow;
}

/* Goes to the C body unless IA32_SYSENTER_CS is what it is now. Leaves RCX in T1. */
static uint8_t *check_sysenter_cs(struct xlat *t)
{
	emit_mov(&t->e, 8, HOST_T1, RCX);
	return xlat_unless_same(t, CPU_OFF(sysenter_cs), (uint32_t)t->bt->cpu->sysenter_cs);
}

void xlat_store_segment(struct xlat *t, unsigned seg, const struct segment *s)
{
	uint64_t half[2];

	__builtin_memcpy(half, s, sizeof(half));
	emit_mov_imm64(&t->e, HOST_T2, half[0]);
	emit_store(&t->e, 8, HOST_T2, AT_CPU(SEG_OFF(seg, selector)));
	emit_mov_imm64(&t->e, HOST_T2, half[1]);
	emit_store(&t->e, 8, HOST_T2, AT_CPU(SEG_OFF(seg, base)));
}

static void store_flat_segments(struct xlat *t, uint16_t cs, unsigned cpl)
{
	struct segment code, stack;

	cpu_flat_segments(cs, (uint16_t)(cs + 8), cpl, false, &code, &stack);
	xlat_store_segment(t, SEG_CS, &code);
	xlat_store_segment(t, SEG_SS, &stack);
}

void xlat_change_ring(struct xlat *t, const struct context *to, unsigned cpl)
{
	emit_store_imm(&t->e, 1, cpl, AT_CPU(CPU_OFF(cpl)));
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)&to->indirect);
	emit_load(&t->e, 8, HOST_TABLE, (struct host_addr){HOST_T2, REG_NONE, 1, 0, false, false});
	emit_load(&t->e, 8, HOST_WINDOW, AT_CPU(CPU_OFF(bt_window[cpl == 3])));
	emit_wrgsbase(&t->e, HOST_WINDOW);
}

const struct context *xlat_context_behind(struct xlat *t, bool user)
{
	const unsigned flat = 7u << (3 * SEG_CS) | 7u << (3 * SEG_SS);
	struct context_key k = t->ctx->key;

	if (k.flags & CTX_COMPAT)
		return NULL;
	k.cs_base = 0;
	k.cs_limit = 0xffffffff;
	k.seg_class &= ~flat; /* SEGC_FLAT is 0 */
	k.flags = (k.flags & ~(unsigned)(CTX_CPL3 | CTX_CPL12 | CTX_IOPL)) | CTX_CODE32 | CTX_STACK32;
	k.flags |= user ? CTX_CPL3 : CTX_IOPL;
	return bt_context_of(t->bt, &k);
}

static bool usable(const struct xlat *t)
{
	unsigned mode = t->ctx->key.flags & (CTX_PROTECTED | CTX_V86);

	return mode == CTX_PROTECTED && bt_switches_windows(t->bt) && (t->bt->cpu->sysenter_cs & 0xfffc);
}

void xlat_finish_transfer(struct xlat *t, uint8_t **slow, unsigned nslow)
{
	unsigned uncounted = t->uncounted;

	xlat_count(t);
	xlat_jump_table(t);
	t->uncounted = uncounted;
	for (unsigned i = 0; i < nslow; i++)
		emit_target32_here(&t->e, slow[i]);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_callout(t);
}

bool xlat_sysenter(struct xlat *t)
{
	if (t->ctx->key.flags & CTX_COMPAT)
		return xlat_sysenter_compat(t);
	const struct context *to = usable(t) ? xlat_context_behind(t, false) : NULL;
	uint8_t *slow;

	if (!to)
		return false;
	slow = check_sysenter_cs(t);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_load(&t->e, 4, HOST_T0, AT_CPU(CPU_OFF(rflags)));
	xlat_mask(t, HOST_T0, (uint32_t)(FLAGS_ALL | FLAG_1) & ~(uint32_t)(FLAG_IF | FLAG_VM | FLAG_RF), HOST_T2);
	emit_store(&t->e, 4, HOST_T0, AT_CPU(CPU_OFF(rflags)));
	store_flat_segments(t, (uint16_t)(t->bt->cpu->sysenter_cs & 0xfffc), 0);
	xlat_change_ring(t, to, 0);
	emit_load(&t->e, 4, HOST_ESP, AT_CPU(CPU_OFF(sysenter_esp)));
	emit_load(&t->e, 4, HOST_T0, AT_CPU(CPU_OFF(sysenter_eip)));
	xlat_finish_transfer(t, &slow, 1);
	return true;
}

bool xlat_sysexit(struct xlat *t)
{
	bool to_user = !(t->ctx->key.flags & CTX_CPL3);
	const struct context *to = usable(t) && to_user ? xlat_context_behind(t, true) : NULL;
	uint8_t *slow[2], *zero;

	if (!to)
		return false;
	slow[0] = check_sysenter_cs(t);
	/* With an IOPL the context is another one; with AC there may be none. */
	emit_load(&t->e, 4, RCX, AT_CPU(CPU_OFF(rflags)));
	emit_mov_imm(&t->e, HOST_T2, (uint32_t)(FLAG_IOPL | FLAG_AC));
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	zero = emit_jecxz(&t->e);
	slow[1] = emit_jmp(&t->e);
	emit_target8(&t->e, zero);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	store_flat_segments(t, (uint16_t)((t->bt->cpu->sysenter_cs & 0xfffc) + 16), 3);
	xlat_change_ring(t, to, 3);
	emit_mov(&t->e, 4, HOST_ESP, RCX);
	emit_mov(&t->e, 4, HOST_T0, RDX);
	xlat_finish_transfer(t, slow, ARRAY_LEN(slow));
	return true;
}

bool xlat_rdtsc(struct xlat *t)
{
	const int32_t line = CPU_OFF(tsc_line);

	if (!t->bt->cpu->tsc_line.ratio || t->bt->lockstep ||
	    (t->ctx->key.flags & (CTX_NO_TSC | CTX_CPL3)) == (CTX_NO_TSC | CTX_CPL3))
		return false;
	emit_rdtsc(&t->e);
	emit_rorx64(&t->e, RDX, RDX, 32);
	emit_load(&t->e, 8, HOST_T0, AT_CPU(line + (int32_t)offsetof(struct tsc_line, minus_host)));
	emit_lea(&t->e, 8, RAX, (struct host_addr){RAX, RDX, 1, 0, false, false});
	emit_lea(&t->e, 8, RAX, (struct host_addr){RAX, HOST_T0, 1, 0, false, false});
	emit_lea(&t->e, 8, RDX, (struct host_addr){RAX, RAX, 1, 0, false, false});
	emit_mulx64(&t->e, HOST_T1, HOST_T0, HOST_CPU, line + (int32_t)offsetof(struct tsc_line, ratio));
	emit_load(&t->e, 8, HOST_T0, AT_CPU(line + (int32_t)offsetof(struct tsc_line, guest)));
	emit_load(&t->e, 8, HOST_T2, AT_CPU(CPU_OFF(tsc_offset)));
	emit_lea(&t->e, 8, HOST_T0, (struct host_addr){HOST_T0, HOST_T1, 1, 0, false, false});
	emit_lea(&t->e, 8, RAX, (struct host_addr){HOST_T0, HOST_T2, 1, 0, false, false});
	emit_rorx64(&t->e, RDX, RAX, 32);
	emit_mov(&t->e, 4, RAX, RAX);
	emit_mov(&t->e, 4, RDX, RDX);
	if (t->in->id == INSN_RDTSCP)
		emit_load(&t->e, 4, RCX, AT_CPU(CPU_OFF(tsc_aux)));
	return true;
}

bool xlat_read_cr(struct xlat *t)
{
	static const int32_t fields[] = {
	    [0] = CPU_OFF(cr0), [2] = CPU_OFF(cr2), [3] = CPU_OFF(cr3), [4] = CPU_OFF(cr4)};
	const struct operand *to = &t->in->op[0], *from = &t->in->op[1];

	if (from->kind != OPD_CR || from->reg >= ARRAY_LEN(fields) || from->reg == 1 || (t->ctx->key.flags & CTX_CPL3))
		return false;
	emit_load(&t->e, 4, host_reg(to->reg), AT_CPU(fields[from->reg]));
	return true;
}
