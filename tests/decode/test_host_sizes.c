/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands are no larger than our decoder says, for all instructions that translated code has as they are: one that
 * ends where a page ends does not fault. Containment rests on it where accesses are made in RAM (docs/isolation.md,
 * "Looks"): what is more would be beyond the page. (Whether they are smaller differs by processor: MOVSXD of 16 bits.)
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/decode.h"
#include "host_run.h"

enum { CASES = 400000, ROWS_LEAST = 1000 };
#define DATA ((uint8_t *)0x310000000000) /* a page, and one that is not mapped */

static unsigned failures;

/* Any encoding with [rbx] as its operand: legacy, VEX or EVEX without a mask. */
static void random_bytes(uint8_t *b)
{
	static const uint8_t prefixes[] = {0x66, 0xf2, 0xf3};
	unsigned n = 0, kind = random32() % 7;

	memset(b, INT3, HOST_CODE_BYTES);
	if (kind < 3) {
		if (chance(2))
			b[n++] = prefixes[random32() % ARRAY_LEN(prefixes)];
		if (chance(6))
			b[n++] = 0xf0;
		if (chance(2))
			b[n++] = 0x40 | (random32() & 0xe);
		if (kind > 0)
			b[n++] = 0x0f;
		if (kind == 2)
			b[n++] = chance(2) ? 0x38 : 0x3a;
	} else if (kind < 5) {
		b[n++] = 0xc4;
		b[n++] = (uint8_t)(0xe0 | (1 + random32() % 3));
		b[n++] = (uint8_t)((chance(2) ? 0x78 : random32() & 0x78) | (random32() & 0x87));
	} else {
		b[n++] = 0x62;
		b[n++] = (uint8_t)(0xf0 | (1 + random32() % 3));
		b[n++] = (uint8_t)((chance(2) ? 0x78 : random32() & 0x78) | (random32() & 0x83) | 4);
		b[n++] = (uint8_t)(8 | random32() % 3 << 5 | (chance(4) ? 0x10 : 0));
	}
	b[n++] = (uint8_t)random32();
	b[n++] = (uint8_t)((random32() & 0x38) | 3);
	for (unsigned i = 0; i < 8; i++)
		b[n + i] = (uint8_t)random32();
}

static bool wanted(const struct insn *in)
{
	return in->id != INSN_INVALID && insn_rows[in->id].class == CLASS_IDENT && in->has_mem && !in->agen &&
	       !in->vsib && (in->mem_read || in->mem_write) && in->base == RBX && in->index == REG_NONE &&
	       in->addrsize == 8 && in->seg != SEG_FS && in->seg != SEG_GS && !in->disp_len &&
	       !(in->gpr_written & BIT(RSP));
}

/* The operand of `in` ends where the page ends. */
static int run(const struct insn *in, const uint8_t *b)
{
	static const uint64_t k[8];
	uint64_t gpr[16];

	for (unsigned i = 0; i < 16; i++)
		gpr[i] = random32() % 3;
	gpr[RSP] = (uintptr_t)DATA;
	gpr[RBX] = (uintptr_t)DATA + PAGE_SIZE - in->mem_size;
	host_run(b, gpr, k);
	return host_end.signo == SIGSEGV && !host_end.address ? SIGBUS /* not aligned */ : host_end.signo;
}

static void wrong(const struct insn *in)
{
	char text[96];

	insn_format(in, 0, text, sizeof(text));
	if (failures++ < 20)
		fprintf(stderr, "%s: more than %u bytes: %s\n", insn_name(in), in->mem_size, text);
}

int main(void)
{
	static bool seen[INSN_COUNT];
	uint8_t b[HOST_CODE_BYTES];
	unsigned rows = 0;
	struct insn in;

	if (!host_run_init() || mmap(DATA, PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != DATA)
		return SKIP;
	for (unsigned n = 0; n < CASES; n++) {
		random_bytes(b);
		if (insn_decode(&in, b, INSN_MAX_BYTES, 8) || !wanted(&in))
			continue;
		memset(b + in.len, INT3, HOST_CODE_BYTES - in.len);
		int signo = run(&in, b);
		if (signo == SIGSEGV)
			wrong(&in);
		rows += signo == SIGTRAP && !seen[in.id];
		seen[in.id] |= signo == SIGTRAP;
	}
	if (rows < ROWS_LEAST)
		fprintf(stderr, "%u rows only\n", rows);
	return failures || rows < ROWS_LEAST;
}
