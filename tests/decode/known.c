/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list was made by looking at every disagreement over all one-, two- and three-byte opcodes with all ModRM bytes
 * and the usual prefixes, and checking it with the manual (volume 2). What only Capstone decodes was executed on a
 * processor, too (64-bit code, 117,000 encodings): all raised #UD, but for VMCALL.
 */
#include "known.h"

#include <string.h>

static bool is_prefix(uint8_t b)
{
	return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x26 || b == 0x2e || b == 0x36 ||
	       b == 0x3e || b == 0x64 || b == 0x65;
}

/* Bytes before the opcode: prefixes, and in 64-bit code REX, which counts only if it stands last. */
static unsigned prefix_bytes(const struct question *q)
{
	unsigned n = 0;

	while (n + 4 < q->avail && (is_prefix(q->bytes[n]) || (q->code_size == 8 && (q->bytes[n] & 0xf0) == 0x40)))
		n++;
	return n;
}

static bool has_prefix(const struct question *q, uint8_t wanted)
{
	return memchr(q->bytes, wanted, prefix_bytes(q)) != NULL;
}

/* The opcode: 0x0fXX for two bytes, 0x0f38XX for three. */
static unsigned opcode(const struct question *q, uint8_t *modrm)
{
	unsigned i = prefix_bytes(q), op = q->bytes[i++];

	if (op == 0x0f) {
		op = op << 8 | q->bytes[i++];
		if (op == 0x0f38 || op == 0x0f3a)
			op = op << 8 | q->bytes[i++];
	}
	*modrm = i < q->avail ? q->bytes[i] : 0;
	return op;
}

/* Copies the bytes without a prefix, all of them. Returns how many there were. */
static unsigned without(const struct question *q, uint8_t prefix, uint8_t out[INSN_MAX_BYTES])
{
	unsigned n = 0, prefixes = prefix_bytes(q);

	memset(out, 0x90, INSN_MAX_BYTES);
	for (unsigned i = 0; i < q->avail; i++)
		if (i >= prefixes || q->bytes[i] != prefix)
			out[n++] = q->bytes[i];
	return q->avail - n;
}

static unsigned capstone_length(csh cs, const uint8_t *bytes, size_t avail, cs_insn *out)
{
	uint64_t address = 0;

	return cs_disasm_iter(cs, &bytes, &avail, &address, out) ? out->size : 0;
}

/* --- only Capstone decodes it --- */

/* 66, F2 or F3 before an opcode that it does not go with makes another, undefined, instruction (volume 2, 2.1.2, tables
 * */
static bool ignores_mandatory_prefix(const struct question *q)
{
	static const uint8_t prefixes[] = {0x66, 0xf2, 0xf3};
	uint8_t bytes[INSN_MAX_BYTES];

	if (q->ours || !q->theirs)
		return false;
	for (unsigned i = 0; i < sizeof(prefixes); i++) {
		if (!without(q, prefixes[i], bytes))
			continue;
		if (capstone_length(q->cs, bytes, sizeof(bytes), q->spare) &&
		    !strcmp(q->spare->mnemonic, q->theirs->mnemonic))
			return true;
	}
	return false;
}

/* Volume 2, LOCK: #UD on instructions that it is not for, and where the destination is not in memory. */
static bool allows_lock(const struct question *q)
{
	static const char *const lockable[] = {"add",	    "adc",	  "and", "btc",	 "btr", "bts", "cmpxchg",
					       "cmpxchg8b", "cmpxchg16b", "dec", "inc",	 "neg", "not", "or",
					       "sbb",	    "sub",	  "xor", "xadd", "xchg"};
	const char *name = q->theirs ? strrchr(q->theirs->mnemonic, ' ') : NULL;
	const cs_x86 *x = q->theirs ? &q->theirs->detail->x86 : NULL;

	if (q->ours || !q->theirs || !has_prefix(q, 0xf0))
		return false;
	name = name ? name + 1 : q->theirs->mnemonic;
	for (unsigned i = 0; i < ARRAY_LEN(lockable); i++)
		if (!strcmp(name, lockable[i]))
			return x->op_count == 0 || x->operands[0].type != X86_OP_MEM;
	return true;
}

static bool allows_reserved_register(const struct question *q)
{
	uint8_t modrm, reg;
	unsigned op = opcode(q, &modrm);

	reg = modrm >> 3 & 7;
	if (q->ours || !q->theirs)
		return false;
	if (op == 0x8e)
		return reg == SEG_CS || reg > SEG_GS;
	if (op == 0x8c)
		return reg > SEG_GS;
	return (op == 0x0f20 || op == 0x0f22) ? reg == 1 || reg >= 5 || q->code_size == 8
					      : (op == 0x0f21 || op == 0x0f23) && q->code_size == 8; /* REX.R */
}

/* Of other makers, or withdrawn: VIA PadLock, SSE4A (EXTRQ, INSERTQ), XOP, FMA4, TBM, MPX, PCOMMIT; SWAPGS outside
 * 64-bit code. */
static bool other_makers(const struct question *q)
{
	static const char *const names[] = {
	    "xstore", "xcrypt", "xsha",	  "montmul", "extrq",	"insertq",  "pcommit", "swapgs",  "bnd",    "femms",
	    "pf",     "pi2f",	"pswapd", "pmulhrw", "pavgusb", "monitorx", "mwaitx",  "clzero",  "vmrun",  "vmmcall",
	    "vmload", "vmsave", "stgi",	  "clgi",    "skinit",	"invlpga",  "movntss", "movntsd", "llwpcb", "slwpcb"};

	if (q->ours || !q->theirs)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!strncmp(q->theirs->mnemonic, names[i], strlen(names[i])))
			return true;
	return false;
}

/*
 * VEX with reserved W, L or vvvv, or behind 66, F2, F3, F0 or REX: #UD (2.3.2 to 2.3.6), which Capstone does not look
 * at; XOP is AMD's. None of it is shown to guests without AVX.
 */
static bool lax_vex(const struct question *q)
{
	uint8_t modrm;
	unsigned op = opcode(q, &modrm);

	return !q->ours && q->theirs && (op == 0xc4 || op == 0xc5 || op == 0x62 || op == 0x8f);
}

/* With REX.W, Capstone takes 67 for a mandatory 66. */
static bool takes_67_for_66(const struct question *q)
{
	uint8_t bytes[INSN_MAX_BYTES];

	return !q->ours && q->theirs && q->code_size == 8 && without(q, 0x67, bytes) &&
	       !capstone_length(q->cs, bytes, sizeof(bytes), q->spare);
}

/* --- only ours decodes it --- */

/* AVX-512 (and Knights Corner's, which is not executed), of which Capstone knows part. */
static bool avx512(const struct question *q)
{
	return q->ours && (q->ours->encoding == ENC_EVEX || q->ours->encoding == ENC_OTHER ||
			   (insn_rows[q->ours->id].checks & CHK_AVX512));
}

/*
 * Prefixes in the order that Capstone understands: mandatory ones last, F2 and F3 behind 66, and no REX before another
 * prefix (it has no effect there, volume 2, 2.2.1). Returns the number of bytes dropped.
 */
static unsigned in_order(const struct question *q, uint8_t out[INSN_MAX_BYTES])
{
	unsigned prefixes = prefix_bytes(q), n = 0, dropped = 0;
	bool rex = prefixes && q->code_size == 8 && !is_prefix(q->bytes[prefixes - 1]);
	unsigned legacy = prefixes - rex;

	memset(out, 0x90, INSN_MAX_BYTES);
	for (unsigned pass = 0; pass < 3; pass++)
		for (unsigned i = 0; i < legacy; i++) {
			uint8_t b = q->bytes[i];
			unsigned when = b == 0x66 ? 1 : b == 0xf2 || b == 0xf3 ? 2 : 0;
			if (!is_prefix(b))
				dropped += pass == 0;
			else if (when == pass)
				out[n++] = b;
		}
	for (unsigned i = legacy; i < q->avail; i++)
		out[n++] = q->bytes[i];
	return dropped;
}

static bool prefix_order(const struct question *q)
{
	uint8_t bytes[INSN_MAX_BYTES];
	unsigned dropped;

	if (!q->ours)
		return false;
	dropped = in_order(q, bytes);
	return memcmp(bytes, q->bytes, MIN(q->avail, (unsigned)INSN_MAX_BYTES)) &&
	       capstone_length(q->cs, bytes, INSN_MAX_BYTES, q->spare) == q->ours->len - dropped;
}

/* Newer than Capstone 4.0.2: SERIALIZE, MOVDIRI, GFNI and others. */
static bool too_new(const struct question *q)
{
	if (!q->ours || q->theirs)
		return false;
	if (q->ours->encoding == ENC_VEX && q->ours->mem_size != 16)
		switch (q->ours->id) { /* 256 bits wide */
		case INSN_VAESENC:
		case INSN_VAESENCLAST:
		case INSN_VAESDEC:
		case INSN_VAESDECLAST:
		case INSN_VPCLMULQDQ:
			return true;
		}
	switch (insn_rows[q->ours->id].feature) {
	case FEAT_MOVDIRI:
	case FEAT_SERIALIZE:
	case FEAT_GFNI:
	case FEAT_VAES:
	case FEAT_VPCLMUL:
	case FEAT_RDPID:
		return true;
	}
	return false;
}

/* 0F 0D and 0F 18 to 0F 1F: hints and reserved NOPs, any ModRM (volume 2, NOP, PREFETCHW; table A-3). */
static bool reserved_nop(const struct question *q)
{
	uint8_t modrm;
	unsigned op = opcode(q, &modrm);

	return q->ours && !q->theirs && (op == 0x0f0d || (op >= 0x0f18 && op <= 0x0f1f));
}

/* The fences ignore ModRM.rm (volume 2, SFENCE). */
static bool fence(const struct question *q)
{
	return q->ours && !q->theirs &&
	       (q->ours->id == INSN_SFENCE || q->ours->id == INSN_LFENCE || q->ours->id == INSN_MFENCE);
}

/* In 16-bit code Capstone knows no mandatory prefixes. The same instruction in 32-bit code with 16-bit addresses must
 * have our length. */
static bool no_prefixes_in_16_bit_code(const struct question *q)
{
	uint8_t ordered[INSN_MAX_BYTES], bytes[INSN_MAX_BYTES + 1] = {0x67};
	struct question more = *q;
	unsigned removed, expected;

	if (q->code_size != 2 || !q->ours || (!has_prefix(q, 0x66) && !has_prefix(q, 0xf2) && !has_prefix(q, 0xf3)))
		return false;
	in_order(q, ordered);
	more.bytes = ordered;
	more.avail = INSN_MAX_BYTES;
	expected = q->ours->len + 1u;
	removed = without(&more, 0x67, bytes + 1);
	if (removed) {
		memmove(bytes, bytes + 1, INSN_MAX_BYTES);
		expected = q->ours->len - removed;
	}
	return capstone_length(q->cs32, bytes, sizeof(bytes), q->spare) == expected;
}

/* REX.R is ignored with a segment register, seen on a processor. */
static bool rex_of_segment(const struct question *q)
{
	return q->ours && !q->theirs && q->ours->rex &&
	       (q->ours->id == INSN_MOV_FROM_SREG || q->ours->id == INSN_MOV_TO_SREG);
}

/* --- both do, differently --- */

/* UD0 and UD1 have a ModRM byte (volume 2, UD). Both raise #UD anyway. */
static bool ud_modrm(const struct question *q)
{
	return q->ours && (q->ours->id == INSN_UD0 || q->ours->id == INSN_UD1);
}

/* The immediate of RET has 16 bits whatever REX.W says. */
static bool ret_rex(const struct question *q)
{
	return q->ours && (q->ours->id == INSN_RET || q->ours->id == INSN_RET_FAR) && q->ours->rex && q->theirs;
}

/* Intel's processors ignore 66 before near branches in 64-bit code (volume 2, CALL, JMP, Jcc); Capstone reads a 16-bit
 * displacement, with 67 and REX too. */
static bool near_branch_64(const struct question *q)
{
	return q->code_size == 8 && q->ours && insn_rows[q->ours->id].class == CLASS_BRANCH &&
	       (has_prefix(q, 0x66) || has_prefix(q, 0x67));
}

/* A repeat prefix before what does not repeat makes Capstone forget 66 or the whole instruction. Without it both must
 * agree. */
static bool repeat_prefix_confuses(const struct question *q)
{
	uint8_t bytes[INSN_MAX_BYTES], once[INSN_MAX_BYTES], again[INSN_MAX_BYTES];
	struct question more = *q;
	unsigned removed, repeats;
	struct insn in;

	if (!q->ours)
		return false;
	removed = in_order(q, bytes);
	more.bytes = bytes;
	more.avail = INSN_MAX_BYTES;
	repeats = without(&more, 0xf2, once);
	more.bytes = once;
	repeats += without(&more, 0xf3, again);
	return repeats && insn_decode(&in, again, sizeof(again), q->code_size) == 0 &&
	       in.len + removed + repeats == q->ours->len &&
	       capstone_length(q->cs, again, sizeof(again), q->spare) == in.len;
}

static bool group_differs(const struct question *q)
{
	return q->ours && q->theirs && !strcmp(q->what, "group");
}

/* Privileged for Capstone: depends on IOPL, CR4 or the mode, or is checked by the instruction itself (volume 2): not
 * CPL 0 alone. */
static bool not_cpl0_alone(const struct question *q)
{
	if (!group_differs(q))
		return false;
	switch (q->ours->id) {
	case INSN_POP_SREG:
	case INSN_MOV_TO_SREG:
	case INSN_STR:
	case INSN_IRET:
	case INSN_IRETD:
	case INSN_IRETQ:
	case INSN_STI:
	case INSN_CLI:
	case INSN_RDPMC:
	case INSN_RDTSCP:
	case INSN_RSM:
	case INSN_XSETBV:
	case INSN_CLAC:
	case INSN_STAC:
	case INSN_SWAPGS:
		return true;
	}
	return false;
}

/* CPL 0 in the manual, but not for Capstone. */
static bool missed_as_privileged(const struct question *q)
{
	return group_differs(q) && (q->ours->id == INSN_RDMSR || q->ours->id == INSN_CLTS);
}

/* LOOP is no jump for Capstone; fast system calls are interrupts and their returns, which are classes of their own
 * here. */
static bool other_grouping(const struct question *q)
{
	if (!group_differs(q))
		return false;
	switch (q->ours->id) {
	case INSN_LOOP:
	case INSN_LOOPE:
	case INSN_LOOPNE:
	case INSN_SYSENTER:
	case INSN_SYSEXIT:
	case INSN_SYSCALL:
	case INSN_SYSRET:
		return true;
	}
	return false;
}

static const struct {
	bool (*applies)(const struct question *q);
	const char *reason;
} rules[] = {
    {not_cpl0_alone, "not a matter of CPL 0 alone"},
    {missed_as_privileged, "Capstone misses that it is privileged"},
    {other_grouping, "LOOP, SYSENTER and the like are grouped otherwise"},
    {ud_modrm, "UD0 and UD1 have a ModRM byte"},
    {near_branch_64, "66 or 67 before a near branch in 64-bit code"},
    {avx512, "AVX-512"},
    {prefix_order, "prefixes in another order"},
    {takes_67_for_66, "67 taken for 66"},
    {lax_vex, "VEX encodings that are reserved, XOP"},
    {ret_rex, "RET imm16 with REX.W"},
    {rex_of_segment, "REX.R with a segment register"},
    {too_new, "newer than Capstone"},
    {reserved_nop, "reserved NOPs"},
    {fence, "fences ignore ModRM.rm"},
    {no_prefixes_in_16_bit_code, "no mandatory prefixes in 16-bit code"},
    {repeat_prefix_confuses, "a repeat prefix without meaning"},
    {allows_lock, "LOCK where it is not allowed"},
    {allows_reserved_register, "reserved segment or control registers"},
    {other_makers, "of other makers, or withdrawn"},
    {ignores_mandatory_prefix, "a prefix that makes it undefined"},
};

int known_disagreement(const struct question *q)
{
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].applies(q))
			return (int)i;
	return -1;
}

const char *known_reason(unsigned n)
{
	return n < ARRAY_LEN(rules) ? rules[n].reason : NULL;
}
