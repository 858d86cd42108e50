/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reencode.h"

#include <string.h>

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };
enum { RM_SIB = 4, RM_DISP32 = 5, SIB_NO_INDEX = 4 << 3, SIB_ABSOLUTE = 0x25 };

struct emit {
	uint8_t out[32];
	unsigned n;
};

static void put(struct emit *e, uint8_t byte)
{
	e->out[e->n++] = byte;
}

static void put_bytes(struct emit *e, const void *bytes, unsigned len)
{
	memcpy(&e->out[e->n], bytes, len);
	e->n += len;
}

/* What the instruction becomes, before it is put in order. */
struct parts {
	uint8_t rex; /* without the 0x40 */
	bool has_modrm;
	uint8_t modrm; /* mod and rm still to be replaced for a memory operand */
	uint8_t opcode[4];
	unsigned opcode_len;
	uint8_t vvvv; /* VEX: register number */
	bool high_byte;
};

static void move_esp(struct parts *p, const struct insn *in, uint8_t home)
{
	p->vvvv = 0xff;
	for (unsigned i = 0; i < in->noperands; i++) {
		const struct operand *op = &in->op[i];
		if (op->kind == OPD_GPR_HIGH)
			p->high_byte = true;
		if (op->kind != OPD_GPR || op->reg != RSP || home == RSP)
			continue;
		if (op->field == FIELD_REG)
			p->rex |= REX_R;
		else if (op->field == FIELD_RM || op->field == FIELD_OPCODE)
			p->rex |= REX_B;
		else if (op->field == FIELD_VVVV)
			p->vvvv = home;
	}
}

/* ModRM.reg and VEX.vvvv; their REX bits stay, as do all where memory is the other operand. */
static void move_register(struct parts *p, const struct insn *in, uint8_t from, uint8_t to)
{
	for (unsigned i = 0; from != to && i < in->noperands; i++) {
		const struct operand *op = &in->op[i];
		if (op->kind != OPD_GPR || op->reg != from)
			continue;
		if (op->field == FIELD_REG)
			p->modrm = (uint8_t)((p->modrm & ~0x38) | (to & 7) << 3);
		else if (op->field == FIELD_VVVV)
			p->vvvv = to;
	}
}

/* Opcodes that mean something else, or nothing, in 64-bit mode. */
static void fix_opcode(struct parts *p, const struct insn *in)
{
	uint8_t op = p->opcode[0];

	if (in->code_size == 8 || in->encoding != ENC_LEGACY)
		return;
	if (op >= 0x40 && op <= 0x4f && p->opcode_len == 1) { /* INC, DEC: REX there */
		p->opcode[0] = 0xff;
		p->has_modrm = true;
		p->modrm = (uint8_t)(0xc0 | (op & 8) | (op & 7));
	} else if (op == 0x82 && p->opcode_len == 1) {
		p->opcode[0] = 0x80;
	}
}

static void fix_moffs(struct parts *p, const struct insn *in)
{
	static const uint8_t with_modrm[4] = {0x8a, 0x8b, 0x88, 0x89};

	p->rex &= (uint8_t) ~(REX_R | REX_X | REX_B); /* mean nothing there */
	p->opcode[0] = with_modrm[in->bytes[in->opcode_off] & 3];
	p->has_modrm = true;
	p->modrm = 0;
}

/* ModRM, SIB and displacement of a form with a base, whose displacement is another one on the host. */
static void put_displaced(struct emit *e, const struct parts *p, const struct insn *in, int32_t more)
{
	int32_t disp = (int32_t)((uint32_t)in->disp + (uint32_t)more);
	bool small = disp == (int8_t)disp && in->encoding != ENC_EVEX; /* which has it in units */

	put(e, (uint8_t)((p->modrm & 0x3f) | (small ? 0x40 : 0x80)));
	if (in->sib_off)
		put(e, in->sib);
	put_bytes(e, &disp, small ? 1 : 4);
}

/* mod of a form with a base. EVEX counts displacements of a byte in units of the operand: it gets none. */
static uint8_t displacement_mod(const struct insn *in, const struct reencoding *how)
{
	if (how->disp == 0 && (how->base & 7) != RM_DISP32)
		return 0x00;
	return how->disp == (int8_t)how->disp && (in->encoding != ENC_EVEX || !how->disp) ? 0x40 : 0x80;
}

static void put_memory(struct emit *e, const struct parts *p, const struct insn *in, const struct reencoding *how)
{
	uint8_t reg = p->modrm & 0x38;

	switch (how->mem) {
	case HOST_MEM_NONE:
		put(e, p->modrm);
		return;
	case HOST_MEM_RIP: {
		put(e, reg | RM_DISP32);
		put_bytes(e, &how->disp, 4);
		return;
	}
	case HOST_MEM_BASE: {
		uint8_t low = how->base & 7;
		uint8_t mod = displacement_mod(in, how);
		put(e, mod | reg | low);
		if (low == RM_SIB)
			put(e, SIB_NO_INDEX | RM_SIB);
		if (mod)
			put_bytes(e, &how->disp, mod == 0x40 ? 1 : 4);
		return;
	}
	case HOST_MEM_INDEX: {
		uint8_t mod = displacement_mod(in, how);
		put(e, mod | reg | RM_SIB);
		put(e, (uint8_t)(__builtin_ctz(how->scale) << 6 | (how->index & 7) << 3 | (how->base & 7)));
		if (mod)
			put_bytes(e, &how->disp, mod == 0x40 ? 1 : 4);
		return;
	}
	case HOST_MEM_SAME:
		if (in->moffs || (in->base == REG_NONE && in->index == REG_NONE)) {
			int32_t disp = (int32_t)in->disp;
			put(e, reg | RM_SIB);
			put(e, SIB_ABSOLUTE);
			put_bytes(e, &disp, 4);
			return;
		}
		if (how->disp) {
			put_displaced(e, p, in, how->disp);
			return;
		}
		put(e, p->modrm);
		if (in->sib_off)
			put(e, in->sib);
		if (in->disp_len)
			put_bytes(e, &in->bytes[in->disp_off], in->disp_len);
	}
}

static bool has_gpr(const struct insn *in)
{
	for (unsigned i = 0; i < in->noperands; i++)
		if (in->op[i].kind == OPD_GPR)
			return true;
	return false;
}

/* W is ignored outside 64-bit mode where it would mean 64-bit registers, or as much memory (AMD's raise #UD for VPEXTRD
 * and VPINSRD). */
static bool ignores_w(const struct insn *in)
{
	switch (in->id) {
	case INSN_VMOVD:
	case INSN_VPEXTRD:
	case INSN_VPINSRD:
	case INSN_VCVTSI2SD:
	case INSN_VCVTSI2SS:
	case INSN_VPCMPESTRI:
	case INSN_VPCMPESTRM:
	case INSN_VMOVD_EVEX:
	case INSN_VPEXTRD_EVEX:
	case INSN_VPINSRD_EVEX:
	case INSN_VCVTSI2SD_EVEX:
	case INSN_VCVTSI2SS_EVEX:
	case INSN_VCVTUSI2SD:
	case INSN_VCVTUSI2SS:
		return true;
	}
	return has_gpr(in);
}

static void put_vex(struct emit *e, const struct parts *p, const struct insn *in)
{
	const uint8_t *vex = &in->bytes[in->opcode_off];
	uint8_t map = 1, last;
	bool wide = in->code_size == 8;

	if (vex[0] == 0xc5) {
		last = vex[1] & 0x7f;
	} else {
		map = vex[1] & 0x1f;
		last = vex[2];
	}
	if (!wide)
		last |= 0x40; /* vvvv[3] is ignored outside 64-bit mode, and 1 means "below 8" */
	if (!wide && ignores_w(in))
		last &= 0x7f;
	if (p->vvvv != 0xff)
		last = (uint8_t)((last & ~0x78) | (~p->vvvv & 15) << 3);
	put(e, 0xc4);
	put(e, (uint8_t)((~p->rex & 7) << 5 | map));
	put(e, last);
	put(e, p->opcode[0]);
}

/*
 * The opmask register, zeroing, length, broadcast and rounding stay, as do the fifth bits of the registers that
 * ModRM.reg and vvvv name (R', V'), but outside 64-bit mode, where there are no such registers. V' is of the index,
 * too, of gathers and scatters, which nobody encodes anew. X and B are the address's, and how->base's; without a memory
 * operand they are bits of the register that ModRM.rm names, and stay.
 */
static void put_evex(struct emit *e, const struct parts *p, const struct insn *in)
{
	enum { R_HIGH = 0x10, MAP = 7, VVVV_3 = 0x40, W = 0x80, V_HIGH = 8 };
	const uint8_t *evex = &in->bytes[in->opcode_off];
	uint8_t first = (uint8_t)((~p->rex & 7) << 5 | (evex[1] & (R_HIGH | MAP)));
	uint8_t second = evex[2], third = evex[3];

	if (in->code_size != 8) {
		first |= R_HIGH;
		second |= VVVV_3;
		third |= V_HIGH;
		if (ignores_w(in))
			second &= (uint8_t)~W;
	}
	put(e, 0x62);
	put(e, first);
	put(e, second);
	put(e, third);
	put(e, p->opcode[0]);
}

static bool needs_66(const struct insn *in)
{
	if (in->prefixes & PFX_66_MANDATORY)
		return true;
	/* With a mandatory prefix's place taken, 66 would choose another instruction. */
	if (insn_rows[in->id].checks & (CHK_MMX | CHK_SSE | CHK_AVX))
		return false;
	/* Group 15 (FXSAVE, CLFLUSH, XSAVE ...) has no operand size: there, 66 makes #UD or another instruction. */
	if (in->bytes[in->opcode_off] == 0x0f && in->bytes[in->opcode_off + 1] == 0xae)
		return false;
	switch (in->id) { /* nor have these */
	case INSN_MOVNTI:
	case INSN_MOVDIRI:
	case INSN_SERIALIZE:
		return false;
	}
	return in->opsize == 2;
}

static void put_legacy(struct emit *e, const struct parts *p, const struct insn *in)
{
	if (needs_66(in))
		put(e, 0x66);
	if (in->prefixes & PFX_LOCK)
		put(e, 0xf0);
	if (in->prefixes & PFX_REP)
		put(e, 0xf3);
	else if (in->prefixes & PFX_REPNE)
		put(e, 0xf2);
	if (p->rex || in->rex)
		put(e, 0x40 | p->rex);
	put_bytes(e, p->opcode, p->opcode_len);
}

/* As REX has them: R, X, B, which stand inverted. Outside 64-bit mode they name nothing. */
static uint8_t vex_registers(const struct insn *in)
{
	const uint8_t *vex = &in->bytes[in->opcode_off];

	if (in->code_size != 8)
		return 0;
	if (in->encoding == ENC_EVEX)
		return ~vex[1] >> 5 & 7;
	return vex[0] == 0xc5 ? (vex[1] & 0x80 ? 0 : REX_R) : (uint8_t)(~vex[1] >> 5 & 7);
}

/* Splits the guest's bytes. False: an encoding this file does not know. */
static bool split(struct parts *p, const struct insn *in)
{
	unsigned end = in->modrm_off ? in->modrm_off : in->moffs ? in->disp_off : in->imm_off ? in->imm_off : in->len;
	unsigned start = in->opcode_off;

	memset(p, 0, sizeof(*p));
	if (in->encoding == ENC_VEX)
		start += in->bytes[start] == 0xc5 ? 2 : 3;
	else if (in->encoding == ENC_EVEX && !in->vsib)
		start += 4;
	else if (in->encoding != ENC_LEGACY)
		return false;
	if (end <= start || end - start > sizeof(p->opcode))
		return false;
	p->opcode_len = end - start;
	memcpy(p->opcode, &in->bytes[start], p->opcode_len);
	p->has_modrm = in->modrm_off != 0;
	p->modrm = in->modrm;
	p->rex = in->encoding == ENC_LEGACY ? in->rex & 15 : vex_registers(in);
	return true;
}

unsigned insn_reencode(const struct insn *in, const struct reencoding *how, uint8_t *out)
{
	bool sum = how->mem == HOST_MEM_BASE || how->mem == HOST_MEM_INDEX;
	struct emit e = {.n = 0};
	struct parts p;

	if (!split(&p, in))
		return 0;
	move_esp(&p, in, how->esp_home);
	move_register(&p, in, how->moved, how->moved_to);
	if (in->moffs)
		fix_moffs(&p, in);
	else
		fix_opcode(&p, in);
	if (how->mem == HOST_MEM_BASE) {
		p.rex = (uint8_t)((p.rex & ~(REX_B | REX_X)) | (how->base >= 8 ? REX_B : 0));
	} else if (how->mem == HOST_MEM_INDEX) {
		p.rex &= (uint8_t) ~(REX_B | REX_X);
		p.rex |= (how->base >= 8 ? REX_B : 0) | (how->index >= 8 ? REX_X : 0);
	} else if (how->mem == HOST_MEM_RIP) {
		p.rex &= (uint8_t) ~(REX_B | REX_X);
	} else if (how->mem == HOST_MEM_SAME && in->base == RSP && how->esp_home != RSP) {
		p.rex |= REX_B;
	}
	if (p.high_byte && p.rex)
		return 0;

	if (how->mem == HOST_MEM_SAME || (sum && how->gs))
		put(&e, 0x65);
	if (how->mem == HOST_MEM_SAME || (sum && how->a32))
		put(&e, 0x67);
	if (in->encoding == ENC_VEX)
		put_vex(&e, &p, in);
	else if (in->encoding == ENC_EVEX)
		put_evex(&e, &p, in);
	else
		put_legacy(&e, &p, in);
	if (p.has_modrm)
		put_memory(&e, &p, in, how);
	if (in->imm_len)
		put_bytes(&e, &in->bytes[in->imm_off], in->imm_len);
	/* The immediate byte of VBLENDVPS and the like names a register: bit 7 is ignored outside 64-bit mode. */
	if (in->encoding == ENC_VEX && in->code_size != 8 && in->noperands == 4 && in->op[3].kind == OPD_VEC)
		e.out[e.n - 1] &= 0x7f;
	if (e.n > REENCODE_MAX)
		return 0;
	memcpy(out, e.out, e.n);
	return e.n;
}
