/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instructions the matrix tests, and their encodings. */
#include <stdlib.h>
#include <string.h>

#include "cpu/sys.h"
#include "matrix.h"

/* Rows with a C body that ring 3 may execute and whose outcome does not depend on selectors or privilege. */
static bool callout_tested(unsigned id, bool wide)
{
	switch (id) {
	case INSN_FXSAVE64:
	case INSN_FXRSTOR64:
	case INSN_PUSHF:
	case INSN_PUSHFQ:
	case INSN_POPF:
	case INSN_POPFQ:
		return wide;
	case INSN_DAA:
	case INSN_DAS:
	case INSN_AAA:
	case INSN_AAS:
	case INSN_AAM:
	case INSN_AAD:
	case INSN_ENTER:
	case INSN_BOUND:
	case INSN_MASKMOVQ:
	case INSN_MASKMOVDQU:
	case INSN_VMASKMOVDQU:
	case INSN_VGATHERDPD:
	case INSN_VGATHERDPS:
	case INSN_VGATHERQPD:
	case INSN_VGATHERQPS:
	case INSN_VPGATHERDD:
	case INSN_VPGATHERDQ:
	case INSN_VPGATHERQD:
	case INSN_VPGATHERQQ:
	case INSN_VGATHERDPD_EVEX:
	case INSN_VGATHERDPS_EVEX:
	case INSN_VGATHERQPD_EVEX:
	case INSN_VGATHERQPS_EVEX:
	case INSN_VPGATHERDD_EVEX:
	case INSN_VPGATHERDQ_EVEX:
	case INSN_VPGATHERQD_EVEX:
	case INSN_VPGATHERQQ_EVEX:
	case INSN_VSCATTERDPD:
	case INSN_VSCATTERDPS:
	case INSN_VSCATTERQPD:
	case INSN_VSCATTERQPS:
	case INSN_VPSCATTERDD:
	case INSN_VPSCATTERDQ:
	case INSN_VPSCATTERQD:
	case INSN_VPSCATTERQQ:
	case INSN_FNSTENV:
	case INSN_FLDENV:
	case INSN_FNSAVE:
	case INSN_FRSTOR:
	case INSN_FXSAVE:
	case INSN_FXRSTOR:
		return true;
	}
	return false;
}

/* Rows without an encoding in 16- and 32-bit code, or (the last ones) none that Zydis is asked to know. */
static bool only64(unsigned id)
{
	switch (id) {
	case INSN_JRCXZ:
	case INSN_MOVSQ:
	case INSN_STOSQ:
	case INSN_LODSQ:
	case INSN_CMPSQ:
	case INSN_SCASQ:
	case INSN_MOVSXD:
	case INSN_CDQE:
	case INSN_CQO:
	case INSN_PEXTRQ:
	case INSN_PINSRQ:
	case INSN_VPEXTRQ:
	case INSN_VPINSRQ:
	case INSN_ENDBR32:
	case INSN_ENDBR64:
	case INSN_CLDEMOTE:
		return true;
	}
	return insn_rows[id].checks & CHK_ONLY64;
}

/* Rows without an encoding in 64-bit code. */
static bool never64(unsigned id)
{
	switch (id) {
	case INSN_JCXZ:
	case INSN_PUSHFD:
	case INSN_POPFD:
	case INSN_CLDEMOTE:
	case INSN_ENDBR32:
	case INSN_ENDBR64:
		return true;
	}
	return insn_rows[id].checks & CHK_NO64;
}

bool matrix_row_tested(const struct cpu *cpu, unsigned id, bool wide)
{
	const struct insn_row *row = &insn_rows[id];

	if (id == INSN_INVALID || !cpu_has(cpu, row->feature) || (wide ? never64(id) : only64(id)))
		return false;
	if ((row->checks & CHK_AVX) && !cpu_has(cpu, FEAT_AVX))
		return false;
	/* In 16- and 32-bit code guest and host have AVX state only. */
	if ((row->checks & CHK_AVX512) && (!wide || !cpu_has(cpu, FEAT_AVX512F)))
		return false;
	switch (row->class) {
	case CLASS_IDENT:
		return id != INSN_RDRAND && id != INSN_RDSEED;
	case CLASS_BRANCH:
		return true;
	case CLASS_REWRITE:
		/* Selectors are not the same on both sides. */
		return wide || (id != INSN_MOV_FROM_SREG && id != INSN_PUSH_SREG);
	case CLASS_CALLOUT:
		return callout_tested(id, wide);
	case CLASS_UNDEF:
		return id == INSN_UD1 || id == INSN_UD2;
	}
	return false;
}

struct list {
	struct encoding *items;
	unsigned count, room;
};

static void append(struct list *list, const struct encoding *e)
{
	for (unsigned i = list->count; i-- > 0;) {
		const struct encoding *o = &list->items[i];
		if (o->map != e->map || o->prefix != e->prefix || o->opcode != e->opcode)
			break;
		if (o->id == e->id && o->mem == e->mem && o->rex == e->rex)
			return;
	}
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 1024;
		list->items = realloc(list->items, list->room * sizeof(*list->items));
		ASSERT(list->items);
	}
	list->items[list->count++] = *e;
}

unsigned matrix_put_opcode(uint8_t *to, const struct encoding *e, uint8_t rex, uint8_t vex)
{
	static const uint8_t pp[4] = {0, 0x66, 0xf3, 0xf2};
	unsigned n = 0, map = e->map;

	if (map >= MAP_EVEX) {
		to[n++] = 0x62;
		to[n++] = (uint8_t)((~rex & 7) << 5 | 0x10 | (map - MAP_EVEX + 1));
		to[n] = (uint8_t)((vex & (VEX_W | VEX_NO_VVVV)) | 4);
		for (unsigned i = 0; i < 4; i++)
			if (pp[i] == e->prefix)
				to[n] |= (uint8_t)i;
		n++;
		to[n++] = EVEX_NO_V;
		to[n++] = e->opcode;
		return n;
	}
	if (map >= 4) {
		to[n++] = 0xc4;
		to[n++] = (uint8_t)((~rex & 7) << 5 | (map == 6 ? 1 : map - 2));
		to[n] = vex;
		for (unsigned i = 0; i < 4; i++)
			if (pp[i] == e->prefix)
				to[n] |= (uint8_t)i;
		n++;
		to[n++] = e->opcode;
		return n;
	}
	if (e->prefix)
		to[n++] = e->prefix;
	if (rex)
		to[n++] = rex;
	if (map)
		to[n++] = 0x0f;
	if (map >= 2)
		to[n++] = map == 2 ? 0x38 : 0x3a;
	to[n++] = e->opcode;
	return n;
}

/* Every ModRM byte that can matter: all of mod 3 (of EVEX, one register), and one addressing form for each reg; one
 * with SIB for gathers. */
static bool worth_trying(unsigned modrm, unsigned map)
{
	if (map >= MAP_EVEX)
		return (modrm & 0xc7) == 0xc1 || (modrm & 0xc7) == 1 || (modrm & 0xc7) == 4;
	return modrm >= 0xc0 || (modrm & 0xc7) == 1 || (map == 4 && (modrm & 0xc7) == 4);
}

static bool is_prefix_byte(uint8_t map, uint8_t opcode)
{
	switch (opcode) {
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
		return map == 0;
	case 0x0f:
		return map == 0;
	case 0x38:
	case 0x3a:
		return map == 1;
	}
	return false;
}

/* False: what was decoded has no ModRM. */
static bool scan_one(const struct cpu *cpu, struct list *list, struct encoding e, uint8_t modrm, unsigned code_size,
		     bool a32, uint8_t vex, uint8_t evex)
{
	const uint8_t sib = 2 << 3; /* the index is none of the registers that the others are */
	uint8_t bytes[INSN_MAX_BYTES] = {0};
	unsigned n = 0;
	struct insn in;

	if (a32)
		bytes[n++] = 0x67;
	n += matrix_put_opcode(bytes + n, &e, e.rex, vex);
	if (e.map >= MAP_EVEX)
		matrix_set_evex(bytes + n, evex);
	bytes[n++] = modrm;
	bytes[n] = (modrm & 0xc7) == 4 ? sib : 0;
	if (insn_decode(&in, bytes, sizeof(bytes), code_size))
		return true;
	e.id = in.id;
	e.mem = in.has_mem;
	if (matrix_row_tested(cpu, in.id, code_size == 8))
		append(list, &e);
	return in.modrm_off;
}

/* In EVEX with or without a mask, too, as vectors of 16 or 64 bytes. */
static void scan_evex(const struct cpu *cpu, struct list *list, struct encoding e, unsigned size)
{
	for (unsigned modrm = 0; modrm < 256; modrm++)
		for (unsigned i = 0; worth_trying(modrm, e.map) && i < 16; i++)
			scan_one(cpu, list, e, (uint8_t)modrm, size, false,
				 (uint8_t)((i & 1 ? VEX_NO_VVVV - 8 : VEX_NO_VVVV) | (i & 2 ? VEX_W : 0)),
				 (uint8_t)(EVEX_NO_V | (i & 4 ? EVEX_L512 : 0) | (i & 8 ? 1 : 0)));
}

static void scan_opcode(const struct cpu *cpu, struct list *list, struct encoding e, bool wide)
{
	unsigned size = wide ? 8 : 4;

	if (e.map >= MAP_EVEX) {
		scan_evex(cpu, list, e, size);
		return;
	}

	for (unsigned modrm = 0; modrm < 256; modrm++) {
		/* Either code size; and in VEX either a free or a fixed vvvv, W and L. */
		if (!worth_trying(modrm, e.map))
			continue;
		bool has_modrm = scan_one(cpu, list, e, (uint8_t)modrm, size, false, VEX_NO_VVVV, EVEX_NO_V);
		if (wide) /* JECXZ */
			scan_one(cpu, list, e, (uint8_t)modrm, size, true, VEX_NO_VVVV, EVEX_NO_V);
		else
			scan_one(cpu, list, e, (uint8_t)modrm, 2, false, VEX_NO_VVVV, EVEX_NO_V);
		for (unsigned i = 1; e.map >= 4 && i < 8; i++)
			has_modrm |= scan_one(cpu, list, e, (uint8_t)modrm, size, false,
					      (uint8_t)((i & 1 ? VEX_NO_VVVV - 8 : VEX_NO_VVVV) | (i & 2 ? VEX_W : 0) |
							(i & 4 ? VEX_L : 0)),
					      EVEX_NO_V);
		if (!has_modrm)
			return;
	}
}

struct encoding *matrix_encodings(const struct cpu *cpu, bool wide, unsigned *count)
{
	static const uint8_t prefixes[4] = {0, 0x66, 0xf2, 0xf3};
	struct list list = {0};

	unsigned maps = wide && cpu_has(cpu, FEAT_AVX512F) ? MAP_LAST : MAP_EVEX - 1;

	for (unsigned map = 0; map <= maps; map++)
		for (unsigned opcode = 0; opcode < 256; opcode++)
			for (unsigned i = 0; i < (wide && map < 4 ? 8 : 4); i++) {
				struct encoding e = {.prefix = prefixes[i % 4],
						     .map = (uint8_t)map,
						     .opcode = (uint8_t)opcode,
						     .rex = i < 4 ? 0 : REX_W};
				if (!is_prefix_byte(e.map, e.opcode) && !(wide && map == 0 && (opcode & 0xf0) == 0x40))
					scan_opcode(cpu, &list, e, wide);
			}
	*count = list.count;
	return list.items;
}
