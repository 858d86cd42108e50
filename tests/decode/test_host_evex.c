/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random bytes behind 62h, in 64-bit code: what the host makes of them is what our decoder says. It raises #UD where
 * there is no instruction, ends where we say, changes the general registers that we name and no others, and faults
 * where we say that the operand is: nothing is mapped where registers point. Prefixes that must not stand before EVEX
 * are among them. What instructions compute is not looked at: the ISA matrix does.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/sys.h"
#include "host_run.h"

enum { CASES = 100000, RIP_DISP = 0x40000000 };

#define FIRST 0x10000000000ull /* of what registers point to: 4 GiB and some pages apart */
#define APART 0x100001000ull

static unsigned failures;

/* Fields that go together now and then. What is not made here is INT3. */
static void random_bytes(uint8_t *b)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67,
					   0x66, 0xf0, 0xf2, 0xf3, 0x41, 0x48};
	uint32_t disp = random32() & 0x3fffffff;
	unsigned n = 0, modrm;

	memset(b, INT3, HOST_CODE_BYTES);
	while (n < 3 && chance(16))
		b[n++] = prefixes[random32() % ARRAY_LEN(prefixes)];
	b[n++] = 0x62;
	b[n++] = (uint8_t)((random32() & 0xf0) | (chance(12) ? random32() & 15 : 1 + random32() % 3));
	b[n++] = (uint8_t)((chance(2) ? 0x78 : random32() & 0x78) | (random32() & 0x83) | (chance(30) ? 0 : 4));
	b[n++] = (uint8_t)((chance(6) ? 0 : 8) | (chance(2) ? random32() & 7 : 0) | random32() % 3 << 5 |
			   (chance(6) ? 0x10 : 0) | (chance(8) ? 0x80 : 0) | (chance(30) ? 0x60 : 0));
	b[n++] = (uint8_t)random32();
	b[n++] = (uint8_t)(modrm = random32() & 0xff);
	if ((modrm & 7) == 4 && modrm < 0xc0)
		b[n++] = (uint8_t)random32();
	if (modrm >> 6 == 1)
		b[n] = (uint8_t)random32();
	else if (modrm >> 6 == 2 || (modrm & 0xc7) == 5)
		store_le(b + n, 4, (modrm & 0xc7) == 5 ? RIP_DISP : disp);
}

static void wrong(const struct insn *in, bool valid, const uint8_t *b, const char *what)
{
	if (failures++ >= 20)
		return;
	fprintf(stderr, "%s: %s (signal %d, RIP + %lld):", valid ? insn_name(in) : "none", what, host_end.signo,
		(long long)(host_end.rip - (uintptr_t)HOST_CODE));
	for (unsigned i = 0; i < INSN_MAX_BYTES; i++)
		fprintf(stderr, " %02x", b[i]);
	fprintf(stderr, "\n");
}

static uint64_t operand(const struct insn *in, const uint64_t *gpr)
{
	uint64_t at = (uint64_t)in->disp + (in->rip_relative ? (uintptr_t)HOST_CODE + in->len : 0);

	at += in->base == REG_NONE ? 0 : gpr[in->base];
	at += in->index == REG_NONE ? 0 : gpr[in->index] * in->scale;
	if (in->addrsize == 4)
		at = (uint32_t)at;
	return at + (in->seg == SEG_FS ? (uintptr_t)__builtin_thread_pointer() : 0);
}

static void check(const struct insn *in, bool valid, const uint8_t *b, const uint64_t *gpr)
{
	bool faulted = host_end.signo != SIGTRAP;

	if (host_end.signo == SIGILL || !valid) {
		if (valid || host_end.signo != SIGILL)
			wrong(in, valid, b, "#UD or not");
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		if (host_end.gpr[i] != gpr[i] && (faulted || !(in->gpr_written >> i & 1)))
			wrong(in, valid, b, "a register has changed");
	if (!faulted && host_end.rip - (uintptr_t)HOST_CODE != in->len + 1u)
		wrong(in, valid, b, "its length");
	if (!faulted && in->has_mem && !in->mask.opmask)
		wrong(in, valid, b, "it has accessed nothing");
	if (host_end.signo == SIGSEGV && !in->has_mem)
		wrong(in, valid, b, "it has accessed memory");
	/* No address: not canonical, or not aligned. */
	if (host_end.signo == SIGSEGV && host_end.address && !in->vsib &&
	    host_end.address - operand(in, gpr) >= in->mem_size)
		wrong(in, valid, b, "it has accessed something else");
}

/* Has the host all that the instruction needs? */
static bool host_has(const struct insn *in)
{
	static struct cpu cpu = {.lm = true, .max = true, .vendor = "GenuineIntel"};

	return cpu_has(&cpu, insn_rows[in->id].feature) && (!in->vl || cpu_has(&cpu, FEAT_AVX512VL));
}

int main(void)
{
	uint64_t gpr[16], k[8];
	uint8_t b[HOST_CODE_BYTES];
	unsigned valid_ones = 0;
	struct insn in;

	if (!host_run_init())
		return SKIP;
	for (unsigned i = 0; i < 16; i++)
		gpr[i] = FIRST + i * APART;
	for (unsigned n = 0; n < CASES; n++) {
		random_bytes(b);
		bool valid = !insn_decode(&in, b, INSN_MAX_BYTES, 8) && in.id != INSN_INVALID;
		if (valid && !host_has(&in))
			continue;
		if (valid)
			memset(b + in.len, INT3, HOST_CODE_BYTES - in.len);
		for (unsigned i = 0; i < 8; i++)
			k[i] = chance(4) ? 0 - (uint64_t)chance(2) : (uint64_t)random32() << 32 | random32();
		host_run(b, gpr, k);
		valid_ones += valid;
		check(&in, valid, b, gpr);
	}
	if (valid_ones < CASES / 50)
		fprintf(stderr, "%u instructions only\n", valid_ones);
	return failures || valid_ones < CASES / 50;
}
