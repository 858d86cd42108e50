/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INT n of ring 3 in compatibility mode, without leaving the cache (SDM vol. 3, 6.14), as xlat_gate.c has it for 32-bit
 * kernels: while gate and code segment are those that the C body found (rings.c). They and the stack of ring 0 are
 * reached through supervisor mode's view. Flags stay throughout.
 */
#include "xlat64.h"

enum { FRAME_RIP = 0, FRAME_CS = 8, FRAME_FLAGS = 16, FRAME_RSP = 24, FRAME_SS = 32, FRAME_BYTES = 40 };
enum { MAX_SLOW = 4 };

#define GATE_OFF(field) (CPU_OFF(bt_compat_gate) + (int32_t)offsetof(struct compat_gate, field))
#define CS_OFF(field)	(GATE_OFF(cs) + (int32_t)offsetof(struct ring_selector, field))

static struct host_addr at(unsigned base, int32_t disp)
{
	return (struct host_addr){(uint8_t)base, REG_NONE, 1, disp, false, false};
}

/* T3 = host address of the linear address of ring 0's in T0, or some that faults. Changes T2. */
static void look_up(struct xlat *t)
{
	emit_mov_imm(&t->e, HOST_T2, SHADOW_VIEW_SHIFT);
	emit_shrx64(&t->e, HOST_T2, HOST_T0, HOST_T2);
	emit_load(&t->e, 8, HOST_T3, AT_HOME(t, view[0]));
	emit_load(&t->e, 8, HOST_T3, (struct host_addr){HOST_T3, HOST_T2, 8, 0, false, false});
	emit_lea(&t->e, 8, HOST_T3, (struct host_addr){HOST_T3, HOST_T0, 1, 0, false, false});
}

/* Goes slow unless the eight bytes at T3 + disp are what they were. Changes RCX, T2. */
static void same_bytes(struct xlat *t, int32_t disp, int32_t minus_raw, uint8_t **slow)
{
	emit_load(&t->e, 8, RCX, at(HOST_T3, disp));
	emit_load(&t->e, 8, HOST_T2, AT_CPU(minus_raw));
	emit_lea(&t->e, 8, RCX, (struct host_addr){RCX, HOST_T2, 1, 0, false, false});
	xlat_unless_zero(t, slow);
}

static void check_gate(struct xlat *t, unsigned vector, uint8_t *slow[MAX_SLOW])
{
	emit_load(&t->e, 4, RCX, AT_CPU(GATE_OFF(vector)));
	emit_lea(&t->e, 4, RCX, at(RCX, -(int32_t)vector));
	xlat_unless_zero(t, &slow[0]);
	emit_load(&t->e, 8, HOST_T0, AT_CPU(GATE_OFF(address)));
	look_up(t);
	same_bytes(t, 0, GATE_OFF(minus_raw[0]), &slow[1]);
	same_bytes(t, 8, GATE_OFF(minus_raw[1]), &slow[2]);
	emit_load(&t->e, 8, HOST_T0, AT_CPU(CS_OFF(address)));
	look_up(t);
	same_bytes(t, 0, CS_OFF(minus_raw), &slow[3]);
}

/* T0 = the new RSP, T3 its host address. */
static void find_stack(struct xlat *t)
{
	emit_load(&t->e, 8, HOST_T0, AT_CPU(GATE_OFF(stack)));
	look_up(t);
	emit_load(&t->e, 8, HOST_T0, at(HOST_T3, 0));
	/* A multiple of 16 */
	emit_mov_imm(&t->e, HOST_T2, 4);
	emit_shrx64(&t->e, HOST_T0, HOST_T0, HOST_T2);
	emit_lea(&t->e, 8, HOST_T0, (struct host_addr){REG_NONE, HOST_T0, 8, 0, false, false});
	emit_lea(&t->e, 8, HOST_T0, (struct host_addr){HOST_T0, HOST_T0, 1, -FRAME_BYTES, false, false});
	xlat64_rsp_find(t, false, HOST_T0);
	look_up(t);
}

static void push_selector(struct xlat *t, unsigned seg, int32_t offset)
{
	emit_load(&t->e, 2, HOST_T2, AT_CPU(SEG_OFF(seg, selector)));
	emit_store(&t->e, 8, HOST_T2, at(HOST_T3, offset));
}

/* The frame at T3; the image of RFLAGS is in home.spare. Changes T2. */
static void push_frame(struct xlat *t)
{
	emit_mov_imm(&t->e, HOST_T2, t->eip + t->in->len);
	xlat_reloc(t, 4, RELOC_EIP);
	emit_store(&t->e, 8, HOST_T2, at(HOST_T3, FRAME_RIP));
	push_selector(t, SEG_CS, FRAME_CS);
	emit_load(&t->e, 8, HOST_T2, AT_HOME(t, spare));
	emit_store(&t->e, 8, HOST_T2, at(HOST_T3, FRAME_FLAGS));
	emit_store(&t->e, 8, HOST_ESP, at(HOST_T3, FRAME_RSP));
	push_selector(t, SEG_SS, FRAME_SS);
}

bool xlat_int_compat(struct xlat *t)
{
	bool usable = (t->ctx->key.flags & CTX_CPL3) && !(t->ctx->key.flags & CTX_CPL12) && bt_switches_windows(t->bt);
	const struct context *to = usable ? xlat_kernel64(t) : NULL;
	uint8_t *slow[MAX_SLOW];

	if (!to)
		return false;
	xlat_flags_image(t, HOST_T0, HOST_T2, HOST_T3);
	emit_store(&t->e, 8, HOST_T0, AT_HOME(t, spare));
	xlat_save_rcx(t);
	check_gate(t, t->in->bytes[t->in->imm_off], slow);
	find_stack(t);
	push_frame(t);
	xlat_map(t)->swap_to = xlat_here(t); /* faults end here */
	emit_load(&t->e, 4, HOST_T2, AT_CPU(GATE_OFF(flags_kept)));
	emit_load(&t->e, 4, RCX, AT_CPU(CPU_OFF(rflags)));
	emit_pext32(&t->e, RCX, RCX, HOST_T2);
	emit_pdep32(&t->e, RCX, RCX, HOST_T2);
	emit_store(&t->e, 4, RCX, AT_CPU(CPU_OFF(rflags)));
	xlat_take_segment(t, SEG_CS, CS_OFF(seg), HOST_T2);
	xlat_take_segment(t, SEG_SS, GATE_OFF(ss), HOST_T2);
	emit_store_imm(&t->e, 1, 0, AT_CPU(CPU_OFF(cpl)));
	emit_load(&t->e, 8, HOST_T2, AT_CPU(CPU_OFF(gpr[R11])));
	emit_store(&t->e, 8, HOST_T2, AT_HOME_GPR(t, R11));
	emit_mov(&t->e, 8, HOST_ESP, HOST_T0);
	emit_load(&t->e, 8, HOST_T0, AT_CPU(GATE_OFF(target)));
	emit_mov(&t->e, 8, RCX, HOST_T1);
	xlat_finish_code64(t, to, slow, MAX_SLOW);
	return true;
}
