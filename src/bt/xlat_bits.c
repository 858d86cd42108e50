/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BT, BTS, BTR, BTC with a bit offset in a register: the operand is a bit string, which reaches beyond the address
 * (volume 2, BT). */
#include "xlat.h"

/* T0 = offset of the operand with its bits 5 (4) and up of the bit offset added; T2 = bit within it. Flags stay: ZF is
 * not written by these. */
bool xlat_bit_string(struct xlat *t)
{
	const struct insn *in = t->in;
	unsigned size = in->opsize, bit = in->op[1].reg;
	bool writes = in->id != INSN_BT_MEM_REG;
	uint8_t opcode = in->bytes[in->opcode_off + 1];
	struct host_addr at = AT_GS(HOST_T0);

	if ((size != 2 && size != 4) || in->addrsize != 4 || !xlat_segment_usable(t, in->seg, writes))
		return false;
	/* The signed number of words before the operand. */
	if (size == 2)
		emit_op_reg(&t->e, 4, 0x0fbf, HOST_T3, host_reg(bit)); /* MOVSX */
	else
		emit_mov(&t->e, 4, HOST_T3, host_reg(bit));
	emit_mov_imm(&t->e, HOST_T1, size == 2 ? 4 : 5);
	emit_sarx32(&t->e, HOST_T1, HOST_T3, HOST_T1);
	xlat_offset(t, 0);
	emit_lea(&t->e, 4, HOST_T0, (struct host_addr){HOST_T0, HOST_T1, (uint8_t)size, 0, false, false});
	xlat_segment_apply(t, in->seg, size, false);
	emit_mov_imm(&t->e, HOST_T2, size * 8 - 1);
	emit_pext32(&t->e, HOST_T2, HOST_T3, HOST_T2);
	if (in->prefixes & PFX_LOCK)
		emit8(&t->e, 0xf0);
	emit_op_mem(&t->e, size, 0x0f00u | opcode, HOST_T2, at);
	return true;
}
