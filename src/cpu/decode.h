/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoded instruction: what the table (insn.def) says of it and what Zydis says of its encoding. The only file that
 * sees Zydis is decode.c.
 */
#ifndef GNOMON_DECODE_H
#define GNOMON_DECODE_H

#include "cpu.h"

enum insn_id {
	INSN_INVALID,
#define INSN(id, mnemonic, form, class, checks, feature, handler) INSN_##id,
#include "insn.def"
#undef INSN
	INSN_COUNT
};

enum insn_class {
	CLASS_IDENT,   /* executed by the host CPU; the memory operand is rewritten */
	CLASS_REWRITE, /* the translator emits other instructions; the stepper calls the handler (or, without one,
			  treats it as IDENT) */
	CLASS_CALLOUT, /* handler only */
	CLASS_BRANCH,  /* near control transfer: ends a block */
	CLASS_UNDEF,   /* raises #UD */
};

/* Checks made before anything else, in this order: bits of insn_row.checks. */
enum {
	CHK_NONE = 0,
	CHK_PROTECTED = 1, /* #UD in real and V86 mode */
	CHK_CPL0 = 2,	   /* #GP(0) unless CPL 0 (real mode counts as 0) */
	CHK_FPU = 4,	   /* #NM if CR0.EM or CR0.TS: x87 */
	CHK_MMX = 8,	   /* #UD if EM, #NM if TS */
	CHK_SSE = 16,	   /* #UD if EM or not OSFXSR, #NM if TS */
	CHK_AVX = 32,	   /* #UD if not OSXSAVE/XCR0 or in real or V86 mode, #NM if TS */
	CHK_NO64 = 64,	   /* #UD in 64-bit mode */
	CHK_ONLY64 = 128,  /* #UD outside 64-bit mode */
	CHK_FWAIT = 256,   /* WAIT: #NM if MP and TS */
	CHK_XSAVE = 512,   /* #UD if not OSXSAVE, #NM if TS */
	CHK_AVX512 = 1024, /* as CHK_AVX, of XCR0's bits for AVX-512, too */
};

/* CPUID features an instruction depends on; #UD when the guest's CPUID does not show it. cpuid.h maps them to bits. */
enum insn_feature {
	FEAT_BASE,
	FEAT_FPU,
	FEAT_CMOV,
	FEAT_CX8,
	FEAT_MMX,
	FEAT_FXSR,
	FEAT_SSE,
	FEAT_SSE2,
	FEAT_SSE3,
	FEAT_SSSE3,
	FEAT_SSE41,
	FEAT_SSE42,
	FEAT_POPCNT,
	FEAT_AES,
	FEAT_PCLMUL,
	FEAT_SHA,
	FEAT_MOVBE,
	FEAT_LZCNT,
	FEAT_BMI1,
	FEAT_BMI2,
	FEAT_ADX,
	FEAT_RDRAND,
	FEAT_RDSEED,
	FEAT_CLFLUSH,
	FEAT_CLFLUSHOPT,
	FEAT_CLWB,
	FEAT_XSAVE,
	FEAT_XSAVEOPT,
	FEAT_XSAVEC,
	FEAT_XGETBV1,
	FEAT_AVX,
	FEAT_AVX2,
	FEAT_FMA,
	FEAT_F16C,
	FEAT_FSGSBASE,
	FEAT_RDTSCP,
	FEAT_RDPID,
	FEAT_CX16,
	FEAT_SYSCALL,
	FEAT_SEP,
	FEAT_LAHF64,
	FEAT_GFNI,
	FEAT_VAES,
	FEAT_VPCLMUL,
	FEAT_SMAP,
	FEAT_PCID,
	FEAT_SERIALIZE,
	FEAT_MOVDIRI,
	FEAT_INVPCID,
	FEAT_SMEP,
	FEAT_UMIP,
	FEAT_LM,
	FEAT_LA57,
	FEAT_NX,
	FEAT_MONITOR,
	FEAT_AVX512F,
	FEAT_AVX512CD,
	FEAT_AVX512BW,
	FEAT_AVX512DQ,
	FEAT_AVX512VL,
	FEAT_AVX512_IFMA,
	FEAT_AVX512_VBMI,
	FEAT_AVX512_VBMI2,
	FEAT_AVX512_VNNI,
	FEAT_AVX512_BITALG,
	FEAT_AVX512_VPOPCNTDQ,
	FEAT_AVX512_BF16,
	FEAT_AVX512_VP2,
	FEAT_COUNT
};

/* When one mnemonic has forms that behave differently: which operands make this row apply. */
enum insn_form {
	FORM_ANY,
	FORM_SREG, /* an operand is a segment register */
	FORM_CR,   /* an operand is a control register */
	FORM_DR,
	FORM_NEAR_REL,	/* near, relative */
	FORM_NEAR_IND,	/* near, through register or memory */
	FORM_FAR,	/* far, pointer or memory */
	FORM_MEM,	/* a memory operand (bt mem, reg: with FORM_MEM_REG) */
	FORM_MEM_REG,	/* first operand memory, second a general register */
	FORM_FROM_SREG, /* the last explicit operand is a segment register (MOV r/m, Sreg) */
	FORM_STRING,	/* no explicit XMM operand: MOVSD and CMPSD as string instructions */
	FORM_MMX,	/* an explicit operand is an MMX register */
	FORM_EVEX,	/* encoded with EVEX, as no other form's are */
};

/* A row of insn.def, readable at run time. */
struct insn_row {
	const char *name;
	enum insn_class class;
	uint16_t checks;
	uint8_t feature;
	/* Executes the instruction; see step.h. NULL where the host does. */
	bool (*handler)(struct cpu *cpu, const struct insn *in, struct x86_fault *f);
};

extern const struct insn_row insn_rows[INSN_COUNT];

enum operand_kind {
	OPD_NONE,
	OPD_GPR,
	OPD_GPR_HIGH /* AH, CH, DH, BH as reg 0..3 */,
	OPD_SREG,
	OPD_CR,
	OPD_DR,
	OPD_VEC /* MMX, XMM, x87 ... */,
	OPD_MEM,
	OPD_IMM,
	OPD_REL,
	OPD_FAR
};

/* Where an encoding names a register operand. */
enum operand_field { FIELD_NONE, FIELD_REG /* ModRM.reg */, FIELD_RM, FIELD_OPCODE, FIELD_VVVV };

struct operand {
	uint8_t kind;
	uint8_t field; /* enum operand_field */
	uint8_t size;  /* bytes (vectors, FXSAVE areas: insn.mem_size) */
	uint8_t reg;
	bool read, write;
	uint64_t imm; /* OPD_IMM: sign-extended as the instruction uses it; OPD_REL: sign-extended displacement;
			 OPD_FAR: offset */
};

enum insn_encoding { ENC_LEGACY, ENC_VEX, ENC_EVEX, ENC_OTHER };

/* insn.prefixes */
enum { PFX_LOCK = 1, PFX_REP = 2, PFX_REPNE = 4, PFX_OPSIZE = 8, PFX_ADDRSIZE = 16, PFX_66_MANDATORY = 32 };

enum { INSN_MAX_BYTES = 15, INSN_MAX_OPERANDS = 5 };

/*
 * Which parts of a memory operand the opmask register of an EVEX instruction leaves out, so that they are not accessed
 * and cannot fault (vol. 2, 2.7.5, 2.7.8).
 */
enum mask_kind {
	MASK_NONE,    /* none: no mask, or one that does not keep the operand from being read */
	MASK_EACH,    /* bit n is of element n */
	MASK_REPEATS, /* of element n modulo how many there are: broadcasts */
	MASK_PACKED,  /* as many elements as there are bits: VPEXPAND, VPCOMPRESS */
};

struct insn {
	uint8_t len;
	uint8_t bytes[INSN_MAX_BYTES];
	uint16_t id;	      /* enum insn_id */
	uint8_t code_size;    /* 2, 4, 8: mode it was decoded for */
	uint8_t opsize;	      /* effective operand size in bytes: 1, 2, 4, 8 */
	uint8_t addrsize;     /* 2, 4, 8 */
	uint8_t stacksize_op; /* size of the implicit stack operand in bytes (PUSH, CALL ...), 0 if none */
	uint8_t prefixes;     /* PFX_*: F2/F3 are flagged whether mandatory or repeat */
	bool repeats;	      /* F2/F3 means repetition here (string instruction) */
	uint8_t encoding;
	uint8_t rex; /* 0 if none */

	/* Layout: offsets in bytes[]; 0 where absent (but opcode_off, which may be 0). opcode_off: first byte after
	 * legacy prefixes and REX (VEX/EVEX: the C4/C5/62 byte). */
	uint8_t opcode_off;
	uint8_t modrm_off, sib_off, disp_off, disp_len, imm_off, imm_len; /* imm: all immediate bytes together */
	uint8_t modrm, sib;

	/* The explicit memory operand (ModRM form or moffs); absent: mem_size 0 and !has_mem. LEA has one with agen
	 * set. */
	bool has_mem, agen, moffs, vsib;
	bool mem_read, mem_write;
	uint8_t seg;	     /* effective segment of that operand, or of the string source */
	uint8_t base, index; /* GPR number or REG_NONE; base RIP-relative: rip_relative */
	uint8_t vsib_index;  /* number of the vector register, with vsib */
	bool rip_relative;
	uint8_t scale; /* 1, 2, 4, 8 */
	int64_t disp;
	uint16_t mem_size; /* bytes accessed */

	/* EVEX. opmask: number of the register, 0 if the instruction has no mask; of it, `bits` count. element: bytes
	 * of the memory operand's; gathers and scatters: of those in registers and memory. */
	struct {
		uint8_t opmask, kind, bits, element;
		bool whole; /* what is not stored must be writable, too */
	} mask;
	uint8_t vector; /* bytes of its vectors, or 0 */
	bool vl;	/* AVX512VL has it */

	uint8_t noperands; /* explicit operands */
	struct operand op[INSN_MAX_OPERANDS];
	uint16_t far_selector; /* OPD_FAR */

	uint32_t flags_read, flags_written, flags_undefined; /* FLAG_*; undefined ones are in written too */
	uint16_t gpr_read, gpr_written; /* bit per register, implicit ones and address registers included */
};

/*
 * Decodes for a code size of 2, 4 or 8 bytes. avail: bytes readable at `bytes`. Returns 0; -ENODATA if the instruction
 * runs beyond avail (avail < 15); -EINVAL if it is not an instruction (#UD) - in->len is then 1 at least; -E2BIG if it
 * is longer than 15 bytes (#GP). An instruction that Zydis knows but the table does not list decodes to INSN_INVALID
 * with 0 returned.
 */
int insn_decode(struct insn *in, const uint8_t *bytes, unsigned avail, unsigned code_size);

/* "mov eax, [ebx+4]" for traces. */
void insn_format(const struct insn *in, uint64_t rip, char *buf, size_t len);

/* Has it a memory operand that a mask may keep from being accessed? (VMASKMOV and its like have no opmask register.) */
static inline bool insn_masked(const struct insn *in)
{
	return in->has_mem && in->mask.opmask;
}

/* How many bytes of parameters a RET pops. */
static inline int32_t insn_ret_pops(const struct insn *in)
{
	return in->noperands && in->op[0].kind == OPD_IMM ? (int32_t)(in->op[0].imm & 0xffff) : 0;
}

/* Bytes of an element of a string instruction. */
static inline uint8_t insn_element_size(const struct insn *in)
{
	return in->bytes[in->opcode_off] & 1 ? in->opsize : 1;
}

/* Bytes of an index of a gather or scatter (opcodes 90 to 93, A0 to A3 behind 0F38). */
static inline unsigned insn_index_size(const struct insn *in)
{
	return in->bytes[in->modrm_off - 1] & 1 ? 8 : 4;
}

/* CMPS and SCAS: string instructions that set flags. */
static inline bool insn_compares_strings(const struct insn *in)
{
	switch (in->id) {
	case INSN_CMPSB:
	case INSN_CMPSW:
	case INSN_CMPSD_STRING:
	case INSN_CMPSQ:
	case INSN_SCASB:
	case INSN_SCASW:
	case INSN_SCASD:
	case INSN_SCASQ:
		return true;
	}
	return false;
}

static inline bool insn_moves_strings(const struct insn *in)
{
	switch (in->id) {
	case INSN_MOVSB:
	case INSN_MOVSW:
	case INSN_MOVSD_STRING:
	case INSN_MOVSQ:
		return true;
	}
	return false;
}

/* Name of a row for statistics and tests. */
static inline const char *insn_name(const struct insn *in)
{
	return insn_rows[in->id].name;
}

#endif
