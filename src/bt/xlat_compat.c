/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between compatibility mode and 64-bit code without leaving the cache: what each keeps where (README.md, "Registers in
 * the cache"), and SYSCALL and SYSENTER of compatibility mode. Nothing here can fault, but the probe of the kernel's
 * RIP, which comes first. XMM8 to XMM15 (with AVX, YMM8 to YMM15, with AVX-512, ZMM8 to ZMM15) are in struct cpu while
 * 32-bit code runs, whose VZEROUPPER leaves them alone.
 */
#include "cpu/fpu.h"
#include "cpu/seg.h"
#include "cpu/sys.h"
#include "xlat64.h"

static struct host_addr displaced(unsigned base, int32_t disp)
{
	return (struct host_addr){(uint8_t)base, REG_NONE, 1, disp, false, false};
}

/* A VEX instruction (third byte, opcode) with one of XMM8 to XMM15 and memory at base (R8 to R15 but R12) + disp. */
static void vex(struct xlat *t, unsigned map, unsigned third, unsigned opcode, unsigned n, unsigned base, int32_t disp)
{
	uint8_t code[] = {0xc4,
			  (uint8_t)(0x40 | map),
			  (uint8_t)third,
			  (uint8_t)opcode,
			  (uint8_t)(0x80 | (n & 7) << 3 | (base & 7)),
			  0,
			  0,
			  0,
			  0};

	store_le(&code[5], 4, (uint32_t)disp);
	emit_bytes(&t->e, code, sizeof(code));
}

/*
 * YMM8 to YMM15, struct cpu being at base + disp, the upper halves apart. The lower ones by VMOVAPS: processors take
 * 0.1 us for an SSE instruction that has to keep an upper half.
 */
static void move_ymm(struct xlat *t, bool load, unsigned base, int32_t disp)
{
	for (unsigned n = 8; n < 16; n++) {
		vex(t, 1, 0x78, load ? 0x28 : 0x29, n, base, disp + FX_XMM0 + 16 * (int32_t)n);
		/* VINSERTF128, VEXTRACTF128 */
		vex(t, 3, (load ? ~n & 15 : 15) << 3 | 5, load ? 0x18 : 0x19, n, base, disp + FX_YMM + 16 * (int32_t)n);
		emit8(&t->e, 1);
	}
}

/* The upper halves of ZMM8 to ZMM15, by VINSERTI64X4 or VEXTRACTI64X4. */
static void move_upper_zmm(struct xlat *t, bool load, unsigned base, int32_t disp)
{
	for (unsigned n = 8; n < 16; n++) {
		uint8_t code[] = {0x62,
				  0x53,						/* R and B, inverted; map 3 */
				  (uint8_t)(0x85 | (load ? ~n & 15 : 15) << 3), /* W, vvvv, 66 */
				  0x48,						/* 512 bits, no mask */
				  load ? 0x3a : 0x3b,
				  (uint8_t)(0x80 | (n & 7) << 3 | (base & 7)),
				  0,
				  0,
				  0,
				  0,
				  1};

		store_le(&code[6], 4, (uint32_t)(disp + FX_ZMM + 32 * (int32_t)n));
		emit_bytes(&t->e, code, sizeof(code));
	}
}

/* XMM8 to XMM15, or YMM8 to YMM15, struct cpu being at base + disp. */
static void move_upper_xmm(struct xlat *t, bool load, unsigned base, int32_t disp)
{
	int32_t image = disp + (int32_t)offsetof(struct cpu, fpu);

	if (t->ctx->key.flags & CTX_AVX) {
		move_ymm(t, load, base, image);
		if (t->ctx->key.flags & CTX_AVX512)
			move_upper_zmm(t, load, base, image);
		return;
	}
	for (unsigned n = 8; n < 16; n++) /* MOVAPS */
		emit_op_mem(&t->e, 4, load ? 0x0f28 : 0x0f29, n, displaced(base, image + FX_XMM0 + 16 * (int32_t)n));
}

/* --- to 64-bit code --- */

const struct context *xlat_kernel64(struct xlat *t)
{
	const uint32_t code32 =
	    CTX_CODE32 | CTX_STACK32 | CTX_CPL3 | CTX_CPL12 | CTX_NO_USER | CTX_COMPAT | 7u << CTX_GS_SHIFT;
	struct context_key k = {.cs_limit = 0xffffffff, .flags = (t->ctx->key.flags & ~code32) | CTX_CODE64 | CTX_IOPL};

	return xlat64_probes(t) ? bt_context_of(t->bt, &k) : NULL;
}

/* The MSR with the kernel's RIP: canonical when it was written, which was perhaps for addresses of 57 bits. */
static void probe_entry(struct xlat *t, int32_t msr)
{
	emit_load(&t->e, 8, HOST64_T, AT_CPU(msr));
	xlat64_probe_canonical(t);
}

/* home = struct cpu, 8 bytes. Changes T2. */
#define COPY_TO_HOME(t, field, off)                                                                                    \
	(emit_load(&(t)->e, 8, HOST_T2, AT_CPU(off)), emit_store(&(t)->e, 8, HOST_T2, AT_HOME(t, field)))

static void flat_segments(struct xlat *t, uint16_t cs)
{
	struct segment code, stack;

	cpu_flat_segments(cs, (uint16_t)(cs + 8), 0, true, &code, &stack);
	xlat_store_segment(t, SEG_CS, &code);
	xlat_store_segment(t, SEG_SS, &stack);
	emit_store_imm(&t->e, 1, 0, AT_CPU(CPU_OFF(cpl)));
}

/*
 * Goes to the RIP in T0, in context `to`, with the stack pointer in HOST_ESP, whose delta is found. R11 is in home.r11,
 * all other state of 64-bit code in struct cpu. Flags stay.
 */
static void enter_code64(struct xlat *t, const struct context *to)
{
	static const uint8_t last[] = {R8, R9, R12, R13, R15, R14 /* HOST_CPU itself */};

	xlat_count(t);
	emit_store(&t->e, 8, HOST_T0, AT_HOME(t, target));
	COPY_TO_HOME(t, fs_base, SEG_OFF(SEG_FS, base));
	COPY_TO_HOME(t, gs_base, SEG_OFF(SEG_GS, base));
	emit_load(&t->e, 8, HOST_T2, AT_HOME(t, held.nowhere)); /* either may have been loaded meanwhile */
	emit_store(&t->e, 8, HOST_T2, AT_HOME(t, held.fs));
	emit_store(&t->e, 8, HOST_T2, AT_HOME(t, held.gs));
	COPY_TO_HOME(t, gpr[R10], CPU_OFF(gpr[R10]));
	xlat64_rsp_take_found(t);
	move_upper_xmm(t, true, HOST_CPU, -CPU_BIAS);
	emit_mov_imm64(&t->e, HOST_T2, (uintptr_t)&to->indirect);
	emit_load(&t->e, 8, HOST64_DELTA, displaced(HOST_T2, 0));
	emit_store(&t->e, 8, HOST64_DELTA, AT_HOME(t, table));
	emit_load(&t->e, 8, HOST_T2, AT_HOME(t, view[1]));
	emit_wrgsbase(&t->e, HOST_T2);
	emit_store(&t->e, 8, RSP, AT_HOME(t, host_rsp));
	emit_store_imm(&t->e, 4, 1, AT_HOME(t, code64));
	emit_mov(&t->e, 8, RSP, HOST_ESP);
	emit_mov(&t->e, 4, HOST64_T, HOST_T0);
	emit_load(&t->e, 4, HOST64_T, (struct host_addr){HOST64_DELTA, HOST64_T, 4, 0, false, false});
	emit_lea(&t->e, 8, HOST64_T, displaced(HOST64_T, (int32_t)t->bt->stubs.indirect_miss64));
	for (unsigned i = 0; i < ARRAY_LEN(last); i++)
		emit_load(&t->e, 8, last[i], AT_CPU((int32_t)(last[i] * sizeof(uint64_t)) - CPU_BIAS));
	emit_jmp_reg(&t->e, HOST64_T);
}

void xlat_finish_code64(struct xlat *t, const struct context *to, uint8_t **slow, unsigned nslow)
{
	unsigned uncounted = t->uncounted;

	enter_code64(t, to);
	t->uncounted = uncounted;
	for (unsigned i = 0; i < nslow; i++)
		emit_target32_here(&t->e, slow[i]);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_callout(t);
}

bool xlat_sysenter_compat(struct xlat *t)
{
	const struct cpu *cpu = t->bt->cpu;
	uint16_t cs = (uint16_t)(cpu->sysenter_cs & ~(uint64_t)SEL_RPL);
	const struct context *to = cs && !cpu_is_amd(cpu) && bt_switches_windows(t->bt) ? xlat_kernel64(t) : NULL;
	uint8_t *slow;

	if (!to)
		return false;
	probe_entry(t, CPU_OFF(sysenter_eip));
	emit_load(&t->e, 8, HOST_T0, AT_CPU(CPU_OFF(sysenter_esp)));
	xlat64_rsp_find(t, false, HOST_T0);
	emit_mov(&t->e, 8, HOST_T1, RCX);
	slow = xlat_unless_same(t, CPU_OFF(sysenter_cs), (uint32_t)cpu->sysenter_cs);
	emit_mov(&t->e, 8, RCX, HOST_T1);
	emit_load(&t->e, 4, HOST_T0, AT_CPU(CPU_OFF(rflags)));
	xlat_mask(t, HOST_T0, (uint32_t)(FLAGS_ALL | FLAG_1) & ~(uint32_t)(FLAG_IF | FLAG_VM | FLAG_RF), HOST_T2);
	emit_store(&t->e, 4, HOST_T0, AT_CPU(CPU_OFF(rflags)));
	flat_segments(t, cs);
	COPY_TO_HOME(t, gpr[R11], CPU_OFF(gpr[R11]));
	emit_load(&t->e, 8, HOST_ESP, AT_CPU(CPU_OFF(sysenter_esp)));
	emit_load(&t->e, 8, HOST_T0, AT_CPU(CPU_OFF(sysenter_eip)));
	xlat_finish_code64(t, to, &slow, 1);
	return true;
}

/* AMD's processors have it in 32-bit code, too. Flags are dead behind the checks: it replaces them. */
bool xlat_syscall_compat(struct xlat *t)
{
	const struct cpu *cpu = t->bt->cpu;
	bool usable =
	    (t->ctx->key.flags & CTX_COMPAT) && cpu_is_amd(cpu) && (cpu->efer & EFER_SCE) && bt_switches_windows(t->bt);
	const struct context *to = usable ? xlat_kernel64(t) : NULL;
	uint8_t *slow[2];

	if (!to)
		return false;
	probe_entry(t, CPU_OFF(cstar));
	xlat64_rsp_find(t, false, HOST_ESP);
	emit_mov(&t->e, 8, HOST_T1, RCX);
	slow[0] = xlat_unless_same(t, CPU_OFF(efer), (uint32_t)cpu->efer);
	slow[1] = xlat_unless_same(t, CPU_OFF(star) + 4, (uint32_t)(cpu->star >> 32));
	xlat_flags_image(t, HOST_T0, HOST_T2, HOST_T3);
	emit_store(&t->e, 8, HOST_T0, AT_HOME_GPR(t, R11));
	emit_load(&t->e, 4, RCX, AT_CPU(CPU_OFF(sfmask)));
	emit_not64(&t->e, RCX);
	emit_op_reg(&t->e, 4, 0x21, RCX, HOST_T0); /* and */
	xlat_alu_imm(t, ALU_OR, HOST_T0, (uint32_t)FLAG_1);
	emit_store(&t->e, 4, HOST_T0, AT_CPU(CPU_OFF(rflags)));
	xlat_take_flags(t, HOST_T0);
	flat_segments(t, (uint16_t)(cpu->star >> 32 & ~(uint64_t)SEL_RPL));
	emit_mov_imm(&t->e, RCX, t->eip + t->in->len);
	xlat_reloc(t, 4, RELOC_EIP);
	emit_load(&t->e, 8, HOST_T0, AT_CPU(CPU_OFF(cstar)));
	xlat_finish_code64(t, to, slow, ARRAY_LEN(slow));
	return true;
}

/* --- to compatibility mode --- */

/* 8 bytes of a segment register against those of the last return's. HOST64_DELTA is struct cpu. */
static uint8_t *unless_same_half(struct xlat *t, size_t segment, size_t wanted)
{
	emit_load(&t->e, 8, HOST64_T, AT_CPU64(segment));
	emit_op_mem(&t->e, 8, 0x3b, HOST64_T, AT_CPU64(wanted)); /* cmp */
	return emit_jcc(&t->e, CC_NE);
}

void xlat64_check_compat(struct xlat *t, uint8_t *slow[COMPAT_SLOW])
{
	static const uint8_t segs[DATA_SEGMENTS] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
	const size_t size = sizeof(struct segment);

	_Static_assert(sizeof(struct segment) == 16, "two halves");
	for (unsigned i = 0; i < 2 * DATA_SEGMENTS; i++)
		slow[i] = unless_same_half(t, offsetof(struct cpu, seg) + segs[i / 2] * size + i % 2 * 8,
					   offsetof(struct cpu, bt_compat.seg) + i / 2 * size + i % 2 * 8);
	emit_op_mem(&t->e, 8, 0x83, ALU_CMP, AT_CPU64(offsetof(struct cpu, bt_compat.table)));
	emit8(&t->e, 0);
	slow[2 * DATA_SEGMENTS] = emit_jcc(&t->e, CC_E);
}

void xlat64_enter_compat(struct xlat *t)
{
	static const uint8_t upper[] = {R8, R9, R12, R13, R14, R15}, lower[] = {RAX, RCX, RDX, RBX, RBP, RSI, RDI};

	xlat64_count(t, HOST64_DELTA);
	xlat64_load_cpu(t);
	for (unsigned i = 0; i < ARRAY_LEN(upper); i++)
		emit_store(&t->e, 8, upper[i], AT_CPU64(upper[i] * sizeof(uint64_t)));
	move_upper_xmm(t, false, HOST64_DELTA, 0);
	emit_mov(&t->e, 4, HOST_ESP, RSP);
	emit_load(&t->e, 8, RSP, AT_HOME(t, host_rsp));
	emit_store_imm(&t->e, 4, 0, AT_HOME(t, code64));
	emit_lea(&t->e, 8, HOST_CPU, displaced(HOST64_DELTA, CPU_BIAS));
	emit_mov(&t->e, 4, HOST_T0, HOST64_T);
	for (unsigned i = 0; i < ARRAY_LEN(lower); i++)
		emit_mov(&t->e, 4, lower[i], lower[i]);
	emit_load(&t->e, 8, HOST_T1, AT_HOME_GPR(t, R10));
	emit_store(&t->e, 8, HOST_T1, AT_CPU(CPU_OFF(gpr[R10])));
	emit_load(&t->e, 8, HOST_T1, AT_HOME_GPR(t, R11));
	emit_store(&t->e, 8, HOST_T1, AT_CPU(CPU_OFF(gpr[R11])));
	emit_load(&t->e, 8, HOST_WINDOW, AT_CPU(CPU_OFF(bt_window[1])));
	emit_wrgsbase(&t->e, HOST_WINDOW);
	emit_load(&t->e, 8, HOST_T1, AT_CPU(CPU_OFF(bt_compat.table)));
	emit_load(&t->e, 8, HOST_TABLE, displaced(HOST_T1, 0));
	emit_load(&t->e, 4, HOST_T2, (struct host_addr){HOST_TABLE, HOST_T0, 4, 0, false, false});
	emit_jmp_reg(&t->e, HOST_T2);
	t->ended = true;
}
