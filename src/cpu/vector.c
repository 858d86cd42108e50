/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX instructions that have a C body: masked moves and gathers, which access memory element by element, and VZEROUPPER
 * and VZEROALL, which leave YMM8 to YMM15 alone outside 64-bit mode (SDM vol. 2). Neither checks alignment.
 */
#include <string.h>

#include "fpu.h"
#include "handlers_internal.h"

enum { XMM_BYTES = FX_REG_BYTES, YMM_BYTES = 2 * XMM_BYTES };

static uint8_t *lower(struct cpu *cpu, unsigned reg)
{
	return cpu->fpu.image + FX_XMM0 + reg * FX_REG_BYTES;
}

static uint8_t *upper(struct cpu *cpu, unsigned reg)
{
	return cpu->fpu.image + FX_YMM + reg * FX_REG_BYTES;
}

static void read_vector(struct cpu *cpu, unsigned reg, uint8_t *to)
{
	memcpy(to, lower(cpu, reg), XMM_BYTES);
	memcpy(to + XMM_BYTES, upper(cpu, reg), XMM_BYTES);
}

/* Behind the YMM register, in the ZMM register. */
static uint8_t *upper_zmm(struct cpu *cpu, unsigned reg)
{
	return cpu->fpu.image + FX_ZMM + reg * YMM_BYTES;
}

/* With zeros beyond, as all VEX instructions. */
static void write_vector(struct cpu *cpu, unsigned reg, const uint8_t *from)
{
	memcpy(lower(cpu, reg), from, XMM_BYTES);
	memcpy(upper(cpu, reg), from + XMM_BYTES, XMM_BYTES);
	memset(upper_zmm(cpu, reg), 0, YMM_BYTES);
}

/* All of these have the VEX prefix of three bytes. */
static unsigned vector_bytes(const struct insn *in)
{
	return in->bytes[in->opcode_off + 2] & 4 ? YMM_BYTES : XMM_BYTES;
}

static bool selected(const uint8_t *mask, unsigned i, unsigned size)
{
	return mask[(i + 1) * size - 1] & 0x80;
}

/* All elements are checked before the first is stored. Whatever size the address has, the operand is in one piece
 * behind its first byte, as any other. */
static bool masked_store(struct cpu *cpu, const struct insn *in, unsigned size, const uint8_t *mask,
			 const uint8_t *data, struct x86_fault *f)
{
	uint64_t ea = insn_ea(cpu, in);
	unsigned count = vector_bytes(in) / size;
	gva_t linear[YMM_BYTES / 4];

	for (unsigned i = 0; i < count; i++) {
		uint64_t at = ea + i * size;
		if (selected(mask, i, size) && (!cpu_seg_linear(cpu, in->seg, at, size, ACC_WRITE, &linear[i], f) ||
						!cpu_probe_linear(cpu, linear[i], size, ACC_WRITE, f)))
			return false;
	}
	for (unsigned i = 0; i < count; i++)
		if (selected(mask, i, size) && !cpu_write_linear(cpu, linear[i], data + i * size, size, ACC_WRITE, f))
			return false;
	return true;
}

bool do_vmaskmov(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	unsigned size = in->id == INSN_VMASKMOVPD || in->id == INSN_VPMASKMOVQ ? 8 : 4;
	uint8_t mask[YMM_BYTES], data[YMM_BYTES] = {0};
	uint64_t ea = insn_ea(cpu, in);

	read_vector(cpu, in->op[1].reg, mask);
	if (in->mem_write) {
		read_vector(cpu, in->op[2].reg, data);
		return masked_store(cpu, in, size, mask, data, f);
	}
	for (unsigned i = 0; i < vector_bytes(in) / size; i++)
		if (selected(mask, i, size) &&
		    !cpu_read_elements(cpu, in->seg, ea + i * size, size, 1, data + i * size, f))
			return false;
	write_vector(cpu, in->op[0].reg, data);
	return true;
}

/* Of AVX2's, whose VEX prefix has three bytes. */
static unsigned gathered_size(const struct insn *in)
{
	const uint8_t vex_w = 0x80;

	return in->bytes[in->opcode_off + 2] & vex_w ? 8 : 4;
}

/*
 * From the lowest element up. What has been gathered when one faults stays, and is not asked for by the mask any more:
 * the instruction goes on there when it is executed again.
 */
bool do_gather(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	uint8_t data[YMM_BYTES], index[YMM_BYTES], mask[YMM_BYTES];
	uint64_t base = insn_ea(cpu, in);
	unsigned index_size = insn_index_size(in), size = gathered_size(in);
	unsigned count = vector_bytes(in) / MAX(size, index_size);
	bool done = true;

	read_vector(cpu, in->op[0].reg, data);
	read_vector(cpu, in->vsib_index, index);
	read_vector(cpu, in->op[2].reg, mask);
	for (unsigned i = 0; i < count && done; i++) {
		uint64_t by = sign_extend(load_le(index + i * index_size, index_size), index_size) * in->scale;
		if (selected(mask, i, size))
			done = cpu_read_elements(cpu, in->seg, (base + by) & size_mask(in->addrsize), size, 1,
						 data + i * size, f);
		if (done)
			memset(mask + i * size, 0, size);
	}
	if (done)
		memset(mask, 0, sizeof(mask));
	memset(data + count * size, 0, sizeof(data) - count * size);
	write_vector(cpu, in->op[0].reg, data);
	write_vector(cpu, in->op[2].reg, mask);
	return done;
}

bool do_vzeroupper(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	memset(upper(cpu, 0), 0, (in->code_size == 8 ? 16 : 8) * (size_t)XMM_BYTES);
	memset(upper_zmm(cpu, 0), 0, (in->code_size == 8 ? 16 : 8) * (size_t)YMM_BYTES);
	return true;
}

bool do_vzeroall(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	memset(lower(cpu, 0), 0, (in->code_size == 8 ? 16 : 8) * (size_t)XMM_BYTES);
	return do_vzeroupper(cpu, in, f);
}
