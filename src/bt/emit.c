/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emit.h"

#include <string.h>

void emit_bytes(struct emit *e, const void *bytes, unsigned len)
{
	if (e->p + len > e->end) {
		e->full = true;
		return;
	}
	memcpy(e->p, bytes, len);
	e->p += len;
}

void emit8(struct emit *e, uint8_t v)
{
	emit_bytes(e, &v, 1);
}

void emit32(struct emit *e, uint32_t v)
{
	emit_bytes(e, &v, 4);
}

static void put_opcode(struct emit *e, uint32_t opcode)
{
	if (opcode > 0xffff)
		emit8(e, (uint8_t)(opcode >> 16));
	if (opcode > 0xff)
		emit8(e, (uint8_t)(opcode >> 8));
	emit8(e, (uint8_t)opcode);
}

/* byte_reg: a byte register 4-7 must be SPL..DIL, not AH..BH. */
static void put_prefixes(struct emit *e, unsigned size, unsigned reg, unsigned index, unsigned base, bool byte_reg)
{
	unsigned rex = (size == 8) << 3 | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;

	if (size == 2)
		emit8(e, 0x66);
	if (rex || byte_reg)
		emit8(e, (uint8_t)(0x40 | rex));
}

void emit_op_reg(struct emit *e, unsigned size, uint32_t opcode, unsigned reg, unsigned rm)
{
	put_prefixes(e, size, reg, 0, rm, size == 1 && ((reg & 12) == 4 || (rm & 12) == 4));
	put_opcode(e, opcode);
	emit8(e, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

static void put_modrm(struct emit *e, unsigned reg, struct host_addr at)
{
	uint8_t field = (uint8_t)((reg & 7) << 3);
	bool has_base = at.base != REG_NONE, has_index = at.index != REG_NONE;
	uint8_t mod = at.disp == 0 && (at.base & 7) != 5 ? 0x00 : at.disp == (int8_t)at.disp ? 0x40 : 0x80;
	uint8_t scale = at.scale == 8 ? 0xc0 : at.scale == 4 ? 0x80 : at.scale == 2 ? 0x40 : 0;

	if (!has_base) {
		emit8(e, field | 4);
		emit8(e, (uint8_t)(scale | (has_index ? (at.index & 7) << 3 : 4 << 3) | 5));
		emit32(e, (uint32_t)at.disp);
		return;
	}
	if (has_index || (at.base & 7) == 4) {
		emit8(e, mod | field | 4);
		emit8(e, (uint8_t)(scale | (has_index ? (at.index & 7) << 3 : 4 << 3) | (at.base & 7)));
	} else {
		emit8(e, mod | field | (at.base & 7));
	}
	if (mod == 0x40)
		emit8(e, (uint8_t)at.disp);
	else if (mod == 0x80)
		emit32(e, (uint32_t)at.disp);
}

void emit_op_mem(struct emit *e, unsigned size, uint32_t opcode, unsigned reg, struct host_addr at)
{
	if (at.gs)
		emit8(e, 0x65);
	if (at.a32)
		emit8(e, 0x67);
	put_prefixes(e, size, reg, at.index == REG_NONE ? 0 : at.index, at.base == REG_NONE ? 0 : at.base,
		     size == 1 && (reg & 12) == 4);
	put_opcode(e, opcode);
	put_modrm(e, reg, at);
}

void emit_mov(struct emit *e, unsigned size, unsigned to, unsigned from)
{
	emit_op_reg(e, size, 0x89, from, to);
}

void emit_mov_imm(struct emit *e, unsigned to, uint32_t imm)
{
	put_prefixes(e, 4, 0, 0, to, false);
	emit8(e, (uint8_t)(0xb8 | (to & 7)));
	emit32(e, imm);
}

void emit_mov_imm64(struct emit *e, unsigned to, uint64_t imm)
{
	put_prefixes(e, 8, 0, 0, to, false);
	emit8(e, (uint8_t)(0xb8 | (to & 7)));
	emit_bytes(e, &imm, 8);
}

void emit_movzx16(struct emit *e, unsigned to, unsigned from)
{
	emit_op_reg(e, 4, 0x0fb7, to, from);
}

void emit_lea(struct emit *e, unsigned size, unsigned to, struct host_addr at)
{
	at.gs = at.a32 = false;
	emit_op_mem(e, size, 0x8d, to, at);
}

void emit_load(struct emit *e, unsigned size, unsigned to, struct host_addr at)
{
	if (size == 1)
		emit_op_mem(e, 4, 0x0fb6, to, at);
	else if (size == 2)
		emit_op_mem(e, 4, 0x0fb7, to, at);
	else
		emit_op_mem(e, size, 0x8b, to, at);
}

void emit_load_part(struct emit *e, unsigned size, unsigned to, struct host_addr at)
{
	emit_op_mem(e, size, size == 1 ? 0x8a : 0x8b, to, at);
}

void emit_store(struct emit *e, unsigned size, unsigned from, struct host_addr at)
{
	emit_op_mem(e, size, size == 1 ? 0x88 : 0x89, from, at);
}

void emit_store_imm(struct emit *e, unsigned size, uint32_t imm, struct host_addr at)
{
	emit_op_mem(e, size, size == 1 ? 0xc6 : 0xc7, 0, at);
	emit_bytes(e, &imm, MIN(size, 4));
}

void emit_not64(struct emit *e, unsigned reg)
{
	emit_op_reg(e, 8, 0xf7, 2, reg);
}

void emit_bswap32(struct emit *e, unsigned reg)
{
	put_prefixes(e, 4, 0, 0, reg, false);
	emit8(e, 0x0f);
	emit8(e, (uint8_t)(0xc8 | (reg & 7)));
}

/* VEX.LZ.F3/F2.0F38.W0 F5 /r: PEXT, PDEP. */
static void put_bit_move(struct emit *e, unsigned pp, unsigned to, unsigned from, unsigned mask_reg)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((~to >> 3 & 1) << 7 | 1 << 6 | (~mask_reg >> 3 & 1) << 5 | 2));
	emit8(e, (uint8_t)((~from & 15) << 3 | pp));
	emit8(e, 0xf5);
	emit8(e, (uint8_t)(0xc0 | (to & 7) << 3 | (mask_reg & 7)));
}

void emit_pext32(struct emit *e, unsigned to, unsigned from, unsigned mask_reg)
{
	put_bit_move(e, 2, to, from, mask_reg);
}

void emit_pdep32(struct emit *e, unsigned to, unsigned from, unsigned mask_reg)
{
	put_bit_move(e, 3, to, from, mask_reg);
}

void emit_pushf(struct emit *e)
{
	emit8(e, 0x9c);
}

void emit_popf(struct emit *e)
{
	emit8(e, 0x9d);
}

void emit_push(struct emit *e, unsigned reg)
{
	put_prefixes(e, 4, 0, 0, reg, false);
	emit8(e, (uint8_t)(0x50 | (reg & 7)));
}

void emit_pop(struct emit *e, unsigned reg)
{
	put_prefixes(e, 4, 0, 0, reg, false);
	emit8(e, (uint8_t)(0x58 | (reg & 7)));
}

/* VEX.LZ.F3.0F38 F7 /r: SARX. */
static void put_sarx(struct emit *e, bool wide, unsigned to, unsigned from, unsigned count_reg)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((~to >> 3 & 1) << 7 | 1 << 6 | (~from >> 3 & 1) << 5 | 2));
	emit8(e, (uint8_t)(wide << 7 | (~count_reg & 15) << 3 | 2));
	emit8(e, 0xf7);
	emit8(e, (uint8_t)(0xc0 | (to & 7) << 3 | (from & 7)));
}

void emit_sarx32(struct emit *e, unsigned to, unsigned from, unsigned count_reg)
{
	put_sarx(e, false, to, from, count_reg);
}

void emit_sarx64(struct emit *e, unsigned to, unsigned from, unsigned count_reg)
{
	put_sarx(e, true, to, from, count_reg);
}

/* VEX.LZ.F2.0F38.W1 F7 /r: SHRX. */
void emit_shrx64(struct emit *e, unsigned to, unsigned from, unsigned count_reg)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((~to >> 3 & 1) << 7 | 1 << 6 | (~from >> 3 & 1) << 5 | 2));
	emit8(e, (uint8_t)(0x80 | (~count_reg & 15) << 3 | 3));
	emit8(e, 0xf7);
	emit8(e, (uint8_t)(0xc0 | (to & 7) << 3 | (from & 7)));
}

/* VEX.LZ.F2.0F3A.W1 F0 /r ib */
void emit_rorx64_at(struct emit *e, unsigned to, uint32_t address, unsigned count)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((~to >> 3 & 1) << 7 | 1 << 6 | 1 << 5 | 3));
	emit8(e, 0x80 | 15 << 3 | 3);
	emit8(e, 0xf0);
	emit8(e, (uint8_t)((to & 7) << 3 | 4));
	emit8(e, 0x25);
	emit32(e, address);
	emit8(e, (uint8_t)count);
}

void emit_rorx64(struct emit *e, unsigned to, unsigned from, unsigned count)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((~to >> 3 & 1) << 7 | 1 << 6 | (~from >> 3 & 1) << 5 | 3));
	emit8(e, 0x80 | 15 << 3 | 3);
	emit8(e, 0xf0);
	emit8(e, (uint8_t)(0xc0 | (to & 7) << 3 | (from & 7)));
	emit8(e, (uint8_t)count);
}

/* VEX.LZ.F2.0F38.W1 F6 /r */
void emit_mulx64(struct emit *e, unsigned high, unsigned low, unsigned base, int32_t disp)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((~high >> 3 & 1) << 7 | 1 << 6 | (~base >> 3 & 1) << 5 | 2));
	emit8(e, (uint8_t)(0x80 | (~low & 15) << 3 | 3));
	emit8(e, 0xf6);
	emit8(e, (uint8_t)(0x80 | (high & 7) << 3 | (base & 7)));
	emit32(e, (uint32_t)disp);
}

void emit_rdtsc(struct emit *e)
{
	emit8(e, 0x0f);
	emit8(e, 0x31);
}

/* F3 REX.W 0F AE /3 */
void emit_wrgsbase(struct emit *e, unsigned reg)
{
	emit8(e, 0xf3);
	emit8(e, (uint8_t)(0x48 | reg >> 3));
	emit8(e, 0x0f);
	emit8(e, 0xae);
	emit8(e, (uint8_t)(0xd8 | (reg & 7)));
}

uint8_t *emit_jmp(struct emit *e)
{
	emit8(e, 0xe9);
	emit32(e, 0);
	return e->p - 4;
}

uint8_t *emit_jcc(struct emit *e, unsigned cc)
{
	emit8(e, 0x0f);
	emit8(e, (uint8_t)(0x80 | cc));
	emit32(e, 0);
	return e->p - 4;
}

uint8_t *emit_jecxz(struct emit *e)
{
	emit8(e, 0x67);
	emit8(e, 0xe3);
	emit8(e, 0);
	return e->p - 1;
}

uint8_t *emit_jrcxz(struct emit *e)
{
	emit8(e, 0xe3);
	emit8(e, 0);
	return e->p - 1;
}

uint8_t *emit_jmp8(struct emit *e)
{
	emit8(e, 0xeb);
	emit8(e, 0);
	return e->p - 1;
}

uint8_t *emit_jcc8(struct emit *e, unsigned cc)
{
	emit8(e, (uint8_t)(0x70 | cc));
	emit8(e, 0);
	return e->p - 1;
}

void emit_target8(struct emit *e, uint8_t *disp)
{
	ptrdiff_t distance = e->p - (disp + 1);

	if (e->full)
		return;
	ASSERT(distance >= -128 && distance <= 127);
	*disp = (uint8_t)distance;
}

void emit_target32(struct emit *e, uint8_t *disp, cache_pc_t to)
{
	cache_pc_t after = e->run + (cache_pc_t)(disp + 4 - e->start);
	int32_t distance = (int32_t)(to - after);

	if (!e->full)
		memcpy(disp, &distance, 4);
}

void emit_target32_here(struct emit *e, uint8_t *disp)
{
	emit_target32(e, disp, emit_pc(e));
}

void emit_jmp_to(struct emit *e, cache_pc_t to)
{
	uint8_t *disp = emit_jmp(e);
	emit_target32(e, disp, to);
}

void emit_jmp_reg(struct emit *e, unsigned reg)
{
	emit_op_reg(e, 4, 0xff, 4, reg);
}
