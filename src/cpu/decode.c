/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only file that sees Zydis. */
#include "decode.h"

#include <Zydis/Zydis.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

_Static_assert(ZYDIS_CPUFLAG_CF == FLAG_CF && ZYDIS_CPUFLAG_ZF == FLAG_ZF && ZYDIS_CPUFLAG_OF == FLAG_OF &&
		   ZYDIS_CPUFLAG_DF == FLAG_DF && ZYDIS_CPUFLAG_AF == FLAG_AF,
	       "Zydis numbers flags as EFLAGS does");

/* Which mnemonic and form each row is for. */
static const struct {
	uint16_t mnemonic;
	uint8_t form;
} row_keys[INSN_COUNT] = {
#define INSN(id, mnemonic, form, class, checks, feature, handler)                                                      \
	[INSN_##id] = {ZYDIS_MNEMONIC_##mnemonic, FORM_##form},
#include "insn.def"
#undef INSN
};

/* Rows by mnemonic, in the order of the table: written once, constant afterwards. */
static uint16_t first_row[ZYDIS_MNEMONIC_MAX_VALUE + 1];
static uint16_t next_row[INSN_COUNT];

/* By code size / 4: initialised once, constant afterwards. */
static ZydisDecoder decoders[3];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void init_decoder(ZydisDecoder *decoder, unsigned code_size)
{
	ZydisMachineMode mode = code_size == 8	 ? ZYDIS_MACHINE_MODE_LONG_64
				: code_size == 4 ? ZYDIS_MACHINE_MODE_LEGACY_32
						 : ZYDIS_MACHINE_MODE_LEGACY_16;
	ZydisStackWidth width = code_size == 8	 ? ZYDIS_STACK_WIDTH_64
				: code_size == 4 ? ZYDIS_STACK_WIDTH_32
						 : ZYDIS_STACK_WIDTH_16;
	ZydisDecoderInit(decoder, mode, width);
	/* CPUs older than MPX, CET and the like treat these as NOP or as plain BSR/BSF: so do we, as none of them is
	 * shown. */
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
}

static void make_tables(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(decoders); i++)
		init_decoder(&decoders[i], 2u << i);
	for (unsigned i = INSN_COUNT - 1; i > INSN_INVALID; i--) {
		next_row[i] = first_row[row_keys[i].mnemonic];
		first_row[row_keys[i].mnemonic] = (uint16_t)i;
	}
}

struct decoded {
	ZydisDecodedInstruction zi;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

static bool is_gpr(ZydisRegister reg)
{
	return reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_R15;
}

/* Number of a general register, whatever its width; AH..BH give 0..3. */
static uint8_t gpr_number(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return (uint8_t)(reg - ZYDIS_REGISTER_AH);
	if (!is_gpr(reg))
		return REG_NONE;
	return (uint8_t)ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg));
}

static bool has_reg_class(const struct decoded *d, ZydisRegisterClass class)
{
	for (unsigned i = 0; i < d->zi.operand_count_visible; i++)
		if (d->ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(d->ops[i].reg.value) == class)
			return true;
	return false;
}

static bool form_matches(const struct decoded *d, enum insn_form form)
{
	const ZydisDecodedInstruction *zi = &d->zi;
	const ZydisDecodedOperand *op = d->ops;

	switch (form) {
	case FORM_ANY:
		return true;
	case FORM_SREG:
		return has_reg_class(d, ZYDIS_REGCLASS_SEGMENT);
	case FORM_CR:
		return has_reg_class(d, ZYDIS_REGCLASS_CONTROL);
	case FORM_DR:
		return has_reg_class(d, ZYDIS_REGCLASS_DEBUG);
	case FORM_NEAR_REL:
		return zi->meta.branch_type != ZYDIS_BRANCH_TYPE_FAR && op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	case FORM_NEAR_IND:
		return zi->meta.branch_type != ZYDIS_BRANCH_TYPE_FAR && op[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE;
	case FORM_FAR:
		return zi->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
	case FORM_MEM:
		return zi->operand_count_visible && op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	case FORM_MEM_REG:
		return zi->operand_count_visible >= 2 && op[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		       op[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
	case FORM_FROM_SREG:
		return zi->operand_count_visible >= 2 && op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       ZydisRegisterGetClass(op[1].reg.value) == ZYDIS_REGCLASS_SEGMENT;
	case FORM_MMX:
		return has_reg_class(d, ZYDIS_REGCLASS_MMX);
	case FORM_STRING:
		return !has_reg_class(d, ZYDIS_REGCLASS_XMM);
	case FORM_EVEX:
		return true; /* find_row() */
	}
	return false;
}

/* Those that processors have which we show. Zydis knows others of the same mnemonics: MVEX is EVEX with a bit clear. */
static bool known_encoding(ZydisInstructionEncoding encoding)
{
	return encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY || encoding == ZYDIS_INSTRUCTION_ENCODING_VEX ||
	       encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
}

static uint16_t find_row(const struct decoded *d)
{
	uint16_t row = known_encoding(d->zi.encoding) ? first_row[d->zi.mnemonic] : 0;
	bool evex = d->zi.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;

	while (row && ((row_keys[row].form == FORM_EVEX) != evex || !form_matches(d, row_keys[row].form)))
		row = next_row[row];
	return row;
}

static uint8_t segment_number(ZydisRegister reg)
{
	switch (reg) {
	case ZYDIS_REGISTER_ES:
		return SEG_ES;
	case ZYDIS_REGISTER_CS:
		return SEG_CS;
	case ZYDIS_REGISTER_SS:
		return SEG_SS;
	case ZYDIS_REGISTER_FS:
		return SEG_FS;
	case ZYDIS_REGISTER_GS:
		return SEG_GS;
	default:
		return SEG_DS;
	}
}

static uint8_t operand_field(ZydisOperandEncoding encoding)
{
	switch (encoding) {
	case ZYDIS_OPERAND_ENCODING_MODRM_REG:
		return FIELD_REG;
	case ZYDIS_OPERAND_ENCODING_MODRM_RM:
		return FIELD_RM;
	case ZYDIS_OPERAND_ENCODING_OPCODE:
		return FIELD_OPCODE;
	case ZYDIS_OPERAND_ENCODING_NDSNDD:
		return FIELD_VVVV;
	default:
		return FIELD_NONE;
	}
}

static void fill_operand(struct operand *to, const ZydisDecodedOperand *from)
{
	to->field = operand_field(from->encoding);
	to->size = (uint8_t)MIN(from->size / 8, 255);
	to->read = from->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
	to->write = from->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	switch (from->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		switch (ZydisRegisterGetClass(from->reg.value)) {
		case ZYDIS_REGCLASS_GPR8:
		case ZYDIS_REGCLASS_GPR16:
		case ZYDIS_REGCLASS_GPR32:
		case ZYDIS_REGCLASS_GPR64:
			to->kind = from->reg.value >= ZYDIS_REGISTER_AH && from->reg.value <= ZYDIS_REGISTER_BH
				       ? OPD_GPR_HIGH
				       : OPD_GPR;
			to->reg = gpr_number(from->reg.value);
			break;
		case ZYDIS_REGCLASS_SEGMENT:
			to->kind = OPD_SREG;
			to->reg = segment_number(from->reg.value);
			break;
		case ZYDIS_REGCLASS_CONTROL:
			to->kind = OPD_CR;
			to->reg = (uint8_t)(from->reg.value - ZYDIS_REGISTER_CR0);
			break;
		case ZYDIS_REGCLASS_DEBUG:
			to->kind = OPD_DR;
			to->reg = (uint8_t)(from->reg.value - ZYDIS_REGISTER_DR0);
			break;
		default:
			to->kind = OPD_VEC;
			to->reg = (uint8_t)ZydisRegisterGetId(from->reg.value);
		}
		break;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		to->kind = OPD_MEM;
		break;
	case ZYDIS_OPERAND_TYPE_POINTER:
		to->kind = OPD_FAR;
		to->imm = from->ptr.offset;
		break;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		to->kind = from->imm.is_relative ? OPD_REL : OPD_IMM;
		to->imm = from->imm.value.u;
		break;
	default:
		to->kind = OPD_NONE;
	}
}

static void fill_memory(struct insn *in, const ZydisDecodedOperand *op)
{
	in->has_mem = true;
	in->agen = op->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
	in->vsib = op->mem.type == ZYDIS_MEMOP_TYPE_VSIB;
	in->mem_read = !in->agen && (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ);
	in->mem_write = !in->agen && (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
	in->seg = segment_number(op->mem.segment);
	in->rip_relative = op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP;
	in->base = gpr_number(op->mem.base);
	in->index = in->vsib ? REG_NONE : gpr_number(op->mem.index);
	in->vsib_index = in->vsib ? (uint8_t)ZydisRegisterGetId(op->mem.index) : 0;
	in->scale = op->mem.scale ? op->mem.scale : 1;
	in->disp = op->mem.disp.has_displacement ? op->mem.disp.value : 0;
	in->mem_size = (uint16_t)(op->size / 8);
}

/* With REX.B and a 32-bit address, Zydis 4.0.0 takes R13D for the base of a SIB form that has none (vol. 2, table 2-3).
 */
static void correct_sib(struct insn *in, const ZydisDecodedInstruction *zi)
{
	if (in->sib_off && zi->raw.modrm.mod == 0 && zi->raw.sib.base == 5 && in->base != REG_NONE) {
		in->base = REG_NONE;
		in->disp = zi->raw.disp.value;
	}
}

/* What Zydis calls an access and is none: hints never fault. What it calls a cache line is a byte to segmentation and
 * paging (volume 2, CLFLUSH). */
static void correct_memory(struct insn *in)
{
	switch (in->id) {
	case INSN_NOP:
	case INSN_PREFETCH:
	case INSN_PREFETCHW:
	case INSN_PREFETCHWT1:
	case INSN_PREFETCHNTA:
	case INSN_PREFETCHT0:
	case INSN_PREFETCHT1:
	case INSN_PREFETCHT2:
		in->mem_read = in->mem_write = false;
		break;
	case INSN_CLFLUSH:
	case INSN_CLFLUSHOPT:
	case INSN_CLWB:
		in->mem_size = 1;
		break;
	}
}

/* The isa sets that are AVX512VL's for vectors of 16 and 32 bytes. */
static bool needs_vl(ZydisISASet set)
{
#define BOTH(name)                                                                                                     \
	case ZYDIS_ISA_SET_##name##_128:                                                                               \
	case ZYDIS_ISA_SET_##name##_256:
	switch (set) {
		BOTH(AVX512F)
		BOTH(AVX512CD)
		BOTH(AVX512BW)
		BOTH(AVX512DQ)
		BOTH(AVX512_IFMA)
		BOTH(AVX512_VBMI)
		BOTH(AVX512_VBMI2)
		BOTH(AVX512_VNNI)
		BOTH(AVX512_BITALG)
		BOTH(AVX512_VPOPCNTDQ)
		BOTH(AVX512_BF16)
		BOTH(AVX512_VP2INTERSECT)
		BOTH(AVX512_GFNI)
		BOTH(AVX512_VAES)
		BOTH(AVX512_VPCLMULQDQ)
		return true;
	default:
		return false;
	}
#undef BOTH
}

/* How many elements of a vector are made of those of a broadcast. */
static unsigned broadcast_to(ZydisBroadcastMode mode)
{
	static const uint8_t to[] = {
	    [ZYDIS_BROADCAST_MODE_1_TO_2] = 2,	 [ZYDIS_BROADCAST_MODE_1_TO_4] = 4,
	    [ZYDIS_BROADCAST_MODE_1_TO_8] = 8,	 [ZYDIS_BROADCAST_MODE_1_TO_16] = 16,
	    [ZYDIS_BROADCAST_MODE_1_TO_32] = 32, [ZYDIS_BROADCAST_MODE_1_TO_64] = 64,
	    [ZYDIS_BROADCAST_MODE_2_TO_4] = 4,	 [ZYDIS_BROADCAST_MODE_2_TO_8] = 8,
	    [ZYDIS_BROADCAST_MODE_2_TO_16] = 16, [ZYDIS_BROADCAST_MODE_4_TO_8] = 8,
	    [ZYDIS_BROADCAST_MODE_4_TO_16] = 16, [ZYDIS_BROADCAST_MODE_8_TO_16] = 16,
	};

	return mode < ARRAY_LEN(to) ? to[mode] : 0;
}

/* Instructions that fault whatever the mask is (vol. 2, 2.7.8): their elements are not those of the operand, or come
 * from elsewhere. */
static bool no_suppression(unsigned id, ZydisExceptionClass class)
{
	switch (id) { /* Zydis has them as others */
	case INSN_VGF2P8AFFINEQB_EVEX:
	case INSN_VGF2P8AFFINEINVQB_EVEX:
	case INSN_VDBPSADBW:
	case INSN_VCVTNE2PS2BF16:
		return true;
	}
	switch (class) {
	case ZYDIS_EXCEPTION_CLASS_E1NF:
	case ZYDIS_EXCEPTION_CLASS_E2NF:
	case ZYDIS_EXCEPTION_CLASS_E3NF:
	case ZYDIS_EXCEPTION_CLASS_E4NF:
	case ZYDIS_EXCEPTION_CLASS_E5NF:
	case ZYDIS_EXCEPTION_CLASS_E6NF:
	case ZYDIS_EXCEPTION_CLASS_E9NF:
	case ZYDIS_EXCEPTION_CLASS_E10NF:
	case ZYDIS_EXCEPTION_CLASS_E11NF:
		return true;
	default:
		return false;
	}
}

static bool packs(unsigned id)
{
	switch (id) {
	case INSN_VEXPANDPS:
	case INSN_VEXPANDPD:
	case INSN_VPEXPANDB:
	case INSN_VPEXPANDW:
	case INSN_VPEXPANDD:
	case INSN_VPEXPANDQ:
	case INSN_VCOMPRESSPS:
	case INSN_VCOMPRESSPD:
	case INSN_VPCOMPRESSB:
	case INSN_VPCOMPRESSW:
	case INSN_VPCOMPRESSD:
	case INSN_VPCOMPRESSQ:
		return true;
	}
	return false;
}

static void note_mask_of(struct insn *in, const struct decoded *d, const ZydisDecodedOperand *mem)
{
	unsigned to = broadcast_to(d->zi.avx.broadcast.mode);

	in->mask.element = (uint8_t)(mem->element_size / 8);
	in->mask.bits = (uint8_t)(to ? to : mem->element_count);
	in->mask.whole = no_suppression(in->id, d->zi.meta.exception_class);
	if (!in->mask.opmask || in->vsib || (!in->mem_write && in->mask.whole))
		return;
	in->mask.kind = packs(in->id) ? MASK_PACKED : to ? MASK_REPEATS : MASK_EACH;
}

/* What EVEX has beside what VEX has. */
static void note_evex(struct insn *in, const struct decoded *d)
{
	ZydisRegister mask = d->zi.avx.mask.reg;

	if (in->encoding != ENC_EVEX)
		return;
	in->vl = needs_vl(d->zi.meta.isa_set);
	in->vector = (uint8_t)(d->zi.avx.vector_length / 8);
	in->mask.opmask =
	    mask > ZYDIS_REGISTER_K0 && mask <= ZYDIS_REGISTER_K7 ? (uint8_t)(mask - ZYDIS_REGISTER_K0) : 0;
	for (unsigned i = 0; i < d->zi.operand_count; i++)
		if (d->ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			note_mask_of(in, d, &d->ops[i]);
}

static void note_registers(struct insn *in, const struct decoded *d)
{
	for (unsigned i = 0; i < d->zi.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->ops[i];
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			if (is_gpr(op->mem.base))
				in->gpr_read |= (uint16_t)BIT(gpr_number(op->mem.base));
			if (is_gpr(op->mem.index))
				in->gpr_read |= (uint16_t)BIT(gpr_number(op->mem.index));
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && is_gpr(op->reg.value)) {
			uint16_t bit = (uint16_t)BIT(gpr_number(op->reg.value));
			if (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
				in->gpr_read |= bit;
			if (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
				in->gpr_written |= bit;
		}
	}
}

/* F3 90 with REX.B: PAUSE for some processors, XCHG R8, RAX for others; its bytes are what the host gets. */
static void note_pause(struct insn *in)
{
	const uint16_t bits = (uint16_t)(BIT(R8) | BIT(RAX));

	if (in->id == INSN_PAUSE && (in->rex & 1)) {
		in->gpr_read |= bits;
		in->gpr_written |= bits;
	}
}

/* Zydis does not say that comparing string instructions move their pointers. */
static void note_comparison(struct insn *in)
{
	if (!insn_compares_strings(in))
		return;
	in->gpr_written |= BIT(RDI);
	if (in->gpr_read & BIT(RSI))
		in->gpr_written |= BIT(RSI);
}

/* Zydis knows of no segment that MONITOR's address is in. */
static void note_monitor(struct insn *in)
{
	static const uint8_t prefixes[SEG_COUNT] = {
	    [SEG_ES] = 0x26, [SEG_CS] = 0x2e, [SEG_SS] = 0x36, [SEG_DS] = 0x3e, [SEG_FS] = 0x64, [SEG_GS] = 0x65};

	for (unsigned i = 0; in->id == INSN_MONITOR && i < in->opcode_off; i++)
		for (unsigned seg = 0; seg < SEG_COUNT; seg++)
			if (in->bytes[i] == prefixes[seg] && (in->code_size != 8 || seg >= SEG_FS))
				in->seg = (uint8_t)seg;
}

static bool is_legacy_prefix(uint8_t b)
{
	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	}
	return false;
}

static bool is_rex(const struct insn *in, uint8_t b)
{
	return in->code_size == 8 && (b & 0xf0) == 0x40;
}

/* A REX that is not the last of all prefixes is ignored (volume 2, 2.2.1). */
static void fill_prefixes(struct insn *in, const struct decoded *d)
{
	const ZydisDecodedInstruction *zi = &d->zi;
	unsigned at = 0;

	for (; at < in->len && (is_legacy_prefix(in->bytes[at]) || is_rex(in, in->bytes[at])); at++) {
		in->rex = is_rex(in, in->bytes[at]) ? in->bytes[at] : 0;
		switch (in->bytes[at]) {
		case 0x66:
			in->prefixes |= PFX_OPSIZE;
			break;
		case 0x67:
			in->prefixes |= PFX_ADDRSIZE;
			break;
		case 0xf0:
			in->prefixes |= PFX_LOCK;
			break;
		case 0xf2:
			in->prefixes = (uint8_t)((in->prefixes & ~PFX_REP) | PFX_REPNE); /* the last one counts */
			break;
		case 0xf3:
			in->prefixes = (uint8_t)((in->prefixes & ~PFX_REPNE) | PFX_REP);
			break;
		}
	}
	for (unsigned i = 0; i < zi->raw.prefix_count; i++)
		if (zi->raw.prefixes[i].value == 0x66 && zi->raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_MANDATORY)
			in->prefixes |= PFX_66_MANDATORY;
	in->opcode_off = (uint8_t)at;
	in->repeats = zi->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

static void fill_layout(struct insn *in, const ZydisDecodedInstruction *zi)
{
	if (zi->attributes & ZYDIS_ATTRIB_HAS_MODRM) {
		in->modrm_off = zi->raw.modrm.offset;
		in->modrm = in->bytes[in->modrm_off];
	}
	if (zi->attributes & ZYDIS_ATTRIB_HAS_SIB) {
		in->sib_off = zi->raw.sib.offset;
		in->sib = in->bytes[in->sib_off];
	}
	if (zi->raw.disp.size) {
		in->disp_off = zi->raw.disp.offset;
		in->disp_len = zi->raw.disp.size / 8;
	}
	if (zi->raw.imm[0].size) {
		in->imm_off = zi->raw.imm[0].offset;
		in->imm_len = (uint8_t)(zi->raw.imm[0].size / 8 + zi->raw.imm[1].size / 8);
	}
	switch (zi->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
		in->encoding = ENC_LEGACY;
		break;
	case ZYDIS_INSTRUCTION_ENCODING_VEX:
		in->encoding = ENC_VEX;
		break;
	case ZYDIS_INSTRUCTION_ENCODING_EVEX:
		in->encoding = ENC_EVEX;
		break;
	default:
		in->encoding = ENC_OTHER;
	}
}

static uint8_t override_segment(const ZydisDecodedInstruction *zi)
{
	if (zi->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS)
		return SEG_CS;
	if (zi->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_SS)
		return SEG_SS;
	if (zi->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_ES)
		return SEG_ES;
	if (zi->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS)
		return SEG_FS;
	if (zi->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS)
		return SEG_GS;
	return SEG_DS;
}

int insn_decode(struct insn *in, const uint8_t *bytes, unsigned avail, unsigned code_size)
{
	struct decoded d;
	ZyanStatus status;

	pthread_once(&tables_once, make_tables);
	memset(in, 0, sizeof(*in));
	in->len = 1;
	in->code_size = (uint8_t)code_size;
	in->base = in->index = REG_NONE;
	status = ZydisDecoderDecodeFull(&decoders[code_size / 4], bytes, MIN(avail, INSN_MAX_BYTES), &d.zi, d.ops);
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return avail < INSN_MAX_BYTES ? -ENODATA : -E2BIG;
	if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
		return -E2BIG;
	if (!ZYAN_SUCCESS(status))
		return -EINVAL;

	in->len = d.zi.length;
	memcpy(in->bytes, bytes, in->len);
	in->id = find_row(&d);
	in->opsize = d.zi.operand_width / 8;
	in->addrsize = d.zi.address_width / 8;
	in->seg = override_segment(&d.zi);
	fill_prefixes(in, &d);
	fill_layout(in, &d.zi);
	for (unsigned i = 0; i < d.zi.operand_count; i++) {
		const ZydisDecodedOperand *op = &d.ops[i];
		if (op->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
			if (in->noperands < INSN_MAX_OPERANDS)
				fill_operand(&in->op[in->noperands++], op);
			if (op->type == ZYDIS_OPERAND_TYPE_POINTER)
				in->far_selector = op->ptr.segment;
			if (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
			    op->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
				fill_memory(in, op);
		} else if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.segment == ZYDIS_REGISTER_SS) {
			in->stacksize_op = (uint8_t)(op->size / 8);
		}
	}
	in->moffs = in->has_mem && !in->modrm_off;
	correct_sib(in, &d.zi);
	correct_memory(in);
	note_registers(in, &d);
	note_evex(in, &d);
	note_pause(in);
	note_comparison(in);
	note_monitor(in);
	if (d.zi.cpu_flags) {
		in->flags_read = d.zi.cpu_flags->tested;
		in->flags_undefined = d.zi.cpu_flags->undefined;
		in->flags_written =
		    d.zi.cpu_flags->modified | d.zi.cpu_flags->set_0 | d.zi.cpu_flags->set_1 | in->flags_undefined;
	}
	return 0;
}

void insn_format(const struct insn *in, uint64_t rip, char *buf, size_t len)
{
	ZydisFormatter formatter;
	struct decoded d;

	pthread_once(&tables_once, make_tables);
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoders[in->code_size / 4], in->bytes, in->len, &d.zi, d.ops)) ||
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &d.zi, d.ops, d.zi.operand_count_visible, buf,
							  len, rip, NULL)))
		snprintf(buf, len, "(bad)");
}
