/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key of a template is everything before displacement and immediate: prefixes, opcode, ModRM, SIB. Its length comes
 * from the tables below, but nothing rests on them: a template is kept only if Zydis finds the same layout, and if it
 * gives what Zydis gives for two instructions whose displacements and immediates differ in every bit. Where these do
 * not say what the decoder does (VEX, 3DNow!, ENTER, far pointers ...), there is no template.
 */
#include "decode_cache.h"

#include <string.h>

enum { KEY_MAX = 8, CREDIT = 2 };

/* What follows a byte. M: ModRM. -: neither ModRM nor opcode bytes. p: it is a prefix, r: REX in 64-bit code, else as
 * -. e: the next map. */
/* clang-format off */
static const char one_byte[] =
    /* 0123456789abcdef */
    /* 0 */ "MMMM----MMMM---e"
    /* 1 */ "MMMM----MMMM----"
    /* 2 */ "MMMM--p-MMMM--p-"
    /* 3 */ "MMMM--p-MMMM--p-"
    /* 4 */ "rrrrrrrrrrrrrrrr"
    /* 5 */ "----------------"
    /* 6 */ "--MMpppp-M-M----"
    /* 7 */ "----------------"
    /* 8 */ "MMMMMMMMMMMMMMMM"
    /* 9 */ "----------------"
    /* a */ "----------------"
    /* b */ "----------------"
    /* c */ "MM--MMMM--------"
    /* d */ "MMMM----MMMMMMMM"
    /* e */ "----------------"
    /* f */ "p-pp--MM------MM";
static const char two_byte[] =
    /* 0123456789abcdef */
    /* 0 */ "MMMM---------M-M"
    /* 1 */ "MMMMMMMMMMMMMMMM"
    /* 2 */ "MMMMMMMMMMMMMMMM"
    /* 3 */ "--------e-e-----"
    /* 4 */ "MMMMMMMMMMMMMMMM"
    /* 5 */ "MMMMMMMMMMMMMMMM"
    /* 6 */ "MMMMMMMMMMMMMMMM"
    /* 7 */ "MMMMMMM-MMMMMMMM"
    /* 8 */ "----------------"
    /* 9 */ "MMMMMMMMMMMMMMMM"
    /* a */ "---MMMMM---MMMMM"
    /* b */ "MMMMMMMMMMMMMMMM"
    /* c */ "MMMMMMMM--------"
    /* d */ "MMMMMMMMMMMMMMMM"
    /* e */ "MMMMMMMMMMMMMMMM"
    /* f */ "MMMMMMMMMMMMMMMM";
/* clang-format on */
_Static_assert(sizeof(one_byte) == 257 && sizeof(two_byte) == 257, "a character for each opcode");

/* Length of the key, 0 if it does not lie within avail bytes and KEY_MAX. */
static unsigned key_length(const uint8_t *bytes, unsigned avail, unsigned code_size)
{
	unsigned end = MIN(avail, (unsigned)KEY_MAX), at = 0;
	bool other_addrsize = false;
	char kind = 'p';
	uint8_t modrm;

	while (at < end && (kind = one_byte[bytes[at]]) == 'p')
		other_addrsize |= bytes[at++] == 0x67;
	if (kind == 'r' && code_size == 8 && ++at < end)
		kind = one_byte[bytes[at]];
	if (kind == 'e' && ++at < end) {
		kind = two_byte[bytes[at]];
		if (kind == 'e' && ++at < end)
			kind = 'M';
	}
	if (++at >= end) /* behind the opcode */
		return at == end && kind != 'M' ? at : 0;
	if (kind != 'M')
		return at;
	modrm = bytes[at++];
	if (modrm < 0xc0 && (modrm & 7) == 4 && (code_size == 8 || (code_size == 4) != other_addrsize))
		at++;
	return at <= end ? at : 0;
}

/* load_le() for the few lengths that there are, without a call. */
static uint64_t load_value(const uint8_t *from, unsigned len)
{
	switch (len) {
	case 1:
		return *from;
	case 2:
		return load_le(from, 2);
	case 4:
		return load_le(from, 4);
	default:
		return load_le(from, len);
	}
}

static uint64_t immediate(const struct insn *in, const uint8_t *bytes, bool is_signed)
{
	uint64_t raw = load_value(&bytes[in->imm_off], in->imm_len);

	return is_signed ? sign_extend(raw, in->imm_len) : raw;
}

static void apply(const struct decode_template *t, const uint8_t *bytes, struct insn *in)
{
	unsigned disp_len = t->in.disp_len;

	memcpy(in, &t->in, sizeof(*in));
	for (unsigned i = t->key_len; i < t->in.len; i++)
		in->bytes[i] = bytes[i];
	if (disp_len)
		in->disp = (int64_t)sign_extend(load_value(&bytes[t->in.disp_off], disp_len), disp_len);
	if (t->imm_op < INSN_MAX_OPERANDS)
		in->op[t->imm_op].imm = immediate(&t->in, bytes, t->imm_signed);
}

static bool gives(const struct decode_template *t, const struct insn *wanted)
{
	struct insn in;

	apply(t, wanted->bytes, &in);
	return !memcmp(&in, wanted, sizeof(in));
}

/* Finds the operand that is the immediate in both. */
static void find_immediate(struct decode_template *t, const struct insn *a, const struct insn *b)
{
	for (unsigned i = 0; i < 2 * INSN_MAX_OPERANDS; i++) {
		unsigned n = i / 2, is_signed = i & 1;
		if ((a->op[n].kind == OPD_IMM || a->op[n].kind == OPD_REL) &&
		    a->op[n].imm == immediate(a, a->bytes, is_signed) &&
		    b->op[n].imm == immediate(b, b->bytes, is_signed)) {
			t->imm_op = (uint8_t)n;
			t->imm_signed = is_signed;
		}
	}
}

/* Keeps the template of an instruction that the decoder has just given, if it has one. */
static void learn(struct decode_template *t, uint64_t key, unsigned key_len, const struct insn *in)
{
	struct decode_template made = {.key = key, .key_len = (uint8_t)key_len, .imm_op = INSN_MAX_OPERANDS};
	uint8_t bytes[INSN_MAX_BYTES];
	struct insn other;

	if (key_len + in->disp_len + in->imm_len != in->len)
		return;
	memcpy(&made.in, in, sizeof(*in)); /* with what lies between the fields */
	for (unsigned i = 0; i < in->len; i++)
		bytes[i] = i < key_len ? in->bytes[i] : (uint8_t)~in->bytes[i];
	if (insn_decode(&other, bytes, in->len, in->code_size))
		return;
	if (in->imm_len)
		find_immediate(&made, in, &other);
	if (gives(&made, in) && gives(&made, &other))
		memcpy(t, &made, sizeof(made));
}

int decode_cached(struct decode_cache *c, struct insn *in, const uint8_t *bytes, unsigned avail, unsigned code_size)
{
	unsigned key_len = key_length(bytes, avail, code_size);
	struct decode_template *t;
	uint64_t key;
	int err;

	if (!key_len)
		return insn_decode(in, bytes, avail, code_size);
	key = avail >= KEY_MAX ? load_le(bytes, KEY_MAX) & size_mask(key_len) : load_le(bytes, key_len);
	t = &c->templates[(key ^ (uint64_t)code_size << 60) * 0x9e3779b97f4a7c15ull >> (64 - DECODE_CACHE_BITS)];
	if (LIKELY(t->key == key && t->in.code_size == code_size && t->in.len <= avail)) {
		apply(t, bytes, in);
		t->credit = CREDIT;
		return 0;
	}
	err = insn_decode(in, bytes, avail, code_size);
	if (t->credit)
		t->credit--;
	else if (!err)
		learn(t, key, key_len, in);
	return err;
}
