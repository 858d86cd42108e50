/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes host instructions. Nothing here changes host flags: they are the guest's. Host registers by number (0-15);
 * memory operands are relative to GS (guest memory) or to HOST_CPU (struct cpu).
 */
#ifndef GNOMON_EMIT_H
#define GNOMON_EMIT_H

#include <stddef.h>

#include "cpu/cpu.h"

/* clang-format off */
/*
 * Host registers in translated code. RAX..RDI but RSP hold the guest's. Guest ESP lives in R12: as a base register it has the same ModRM and SIB bits, with REX.B set.
 */
enum {
	HOST_T0 = R8, HOST_T1 = R9, HOST_T2 = R10, HOST_T3 = R11, /* scratch */
	HOST_ESP = R12,
	HOST_WINDOW = R13,  /* = GS.base, a multiple of 4 GiB */
	HOST_CPU = R14,     /* struct cpu + CPU_BIAS */
	HOST_TABLE = R15,   /* entries of the present table of indirect branch targets */
};
/* clang-format on */

/* HOST_CPU points this far into struct cpu, so that the registers used most have 8-bit displacements. */
#define CPU_BIAS       128
#define CPU_OFF(field) ((int32_t)offsetof(struct cpu, field) - CPU_BIAS)
#define SEG_OFF(n, field)                                                                                              \
	((int32_t)(offsetof(struct cpu, seg) + (n) * sizeof(struct segment) + offsetof(struct segment, field)) -       \
	 CPU_BIAS)

struct emit {
	uint8_t *p; /* next byte, writable alias */
	uint8_t *end;
	uint8_t *start;
	cache_pc_t run; /* address of `start` when executed */
	bool full;	/* ran into the end: what was written is not complete */
};

static inline cache_pc_t emit_pc(const struct emit *e)
{
	return e->run + (cache_pc_t)(e->p - e->start);
}

void emit_bytes(struct emit *e, const void *bytes, unsigned len);
void emit8(struct emit *e, uint8_t v);
void emit32(struct emit *e, uint32_t v);

/* A base register with displacement, optionally a scaled index. base REG_NONE: none. */
struct host_addr {
	uint8_t base, index; /* REG_NONE: none */
	uint8_t scale;
	int32_t disp;
	bool gs;
	bool a32; /* 32-bit address size: the sum wraps at 4 GiB */
};

#define AT_CPU(off) ((struct host_addr){HOST_CPU, REG_NONE, 1, (off), false, false})
#define AT_GS(reg)  ((struct host_addr){(reg), REG_NONE, 1, 0, true, false})

/* One instruction: optional 66, REX as needed, opcode bytes (1-3, big-endian in `opcode`), ModRM. */
void emit_op_mem(struct emit *e, unsigned size, uint32_t opcode, unsigned reg, struct host_addr at);
void emit_op_reg(struct emit *e, unsigned size, uint32_t opcode, unsigned reg, unsigned rm);

void emit_mov(struct emit *e, unsigned size, unsigned to, unsigned from); /* size 2, 4, 8 */
void emit_mov_imm(struct emit *e, unsigned to, uint32_t imm);		  /* zero-extended */
void emit_mov_imm64(struct emit *e, unsigned to, uint64_t imm);
void emit_movzx16(struct emit *e, unsigned to, unsigned from);
void emit_lea(struct emit *e, unsigned size, unsigned to, struct host_addr at);
void emit_load(struct emit *e, unsigned size, unsigned to, struct host_addr at); /* 1, 2: zero-extended; 4, 8 */
void emit_load_part(struct emit *e, unsigned size, unsigned to,
		    struct host_addr at); /* 1, 2: leaves the rest of the register */
void emit_store(struct emit *e, unsigned size, unsigned from, struct host_addr at);
void emit_store_imm(struct emit *e, unsigned size, uint32_t imm, struct host_addr at);
void emit_not64(struct emit *e, unsigned reg);
void emit_bswap32(struct emit *e, unsigned reg);
void emit_pext32(struct emit *e, unsigned to, unsigned from, unsigned mask_reg);
void emit_pdep32(struct emit *e, unsigned to, unsigned from, unsigned mask_reg);
void emit_pushf(struct emit *e); /* on the monitor's stack */
void emit_popf(struct emit *e);
void emit_push(struct emit *e, unsigned reg);
void emit_pop(struct emit *e, unsigned reg);
void emit_sarx32(struct emit *e, unsigned to, unsigned from, unsigned count_reg);
void emit_sarx64(struct emit *e, unsigned to, unsigned from, unsigned count_reg);
void emit_rorx64(struct emit *e, unsigned to, unsigned from, unsigned count);
void emit_rorx64_at(struct emit *e, unsigned to, uint32_t address, unsigned count); /* of 8 bytes there */
/* high:low = RDX * the 8 bytes at base (not RSP, R12) + disp */
void emit_mulx64(struct emit *e, unsigned high, unsigned low, unsigned base, int32_t disp);
void emit_rdtsc(struct emit *e); /* EDX:EAX */
void emit_wrgsbase(struct emit *e, unsigned reg);
void emit_shrx64(struct emit *e, unsigned to, unsigned from, unsigned count_reg);

/* Jumps with 32-bit displacement; the address of the displacement (writable alias) is returned, to be set by
 * emit_target. */
uint8_t *emit_jmp(struct emit *e);
uint8_t *emit_jcc(struct emit *e, unsigned cc);
/* Short jumps, likewise, 8-bit displacement. */
uint8_t *emit_jecxz(struct emit *e); /* 32-bit count */
uint8_t *emit_jrcxz(struct emit *e); /* 64-bit */
uint8_t *emit_jmp8(struct emit *e);
uint8_t *emit_jcc8(struct emit *e, unsigned cc);
void emit_target8(struct emit *e, uint8_t *disp); /* to here */
/* To here. */
void emit_target32_here(struct emit *e, uint8_t *disp);
void emit_target32(struct emit *e, uint8_t *disp, cache_pc_t to);
void emit_jmp_to(struct emit *e, cache_pc_t to);
void emit_jmp_reg(struct emit *e, unsigned reg);

#endif
