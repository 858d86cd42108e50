/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random bytes behind 62h, in 64-bit code: what the host makes of them is what our decoder says. It raises #UD where
 * there is no instruction, ends where we say, changes the general registers that we name and no others, and faults
 * where we say that the operand is: nothing is mapped where registers point. Prefixes that must not stand before EVEX
 * are among them. What instructions compute is not looked at: the ISA matrix does.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "cpu/decode.h"
#include "cpu/sys.h"

enum { CASES = 100000, SKIP = 77, BYTES = 32, INT3 = 0xcc, RIP_DISP = 0x40000000, STACK_BYTES = 1 << 20 };

#define CODE  ((uint8_t *)0x300000000000)
#define FIRST 0x10000000000ull /* of what registers point to: 4 GiB and some pages apart */
#define APART 0x100001000ull

static const int host_regs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static struct {
	int signo;
	uint64_t gpr[16], rip, address;
} end;
static sigjmp_buf back;
static uint64_t state = 1;
static unsigned failures;

/* Loads RAX to R15 and k0 to k7; vector registers are 0. */
void run_at(const uint64_t gpr[16], const uint64_t k[8], const void *code);
__asm__(".pushsection .text\n"
	"run_at:\n\tvzeroall\n"
	".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\tvpxorq %zmm\\n, %zmm\\n, "
	"%zmm\\n\n.endr\n"
	".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n\tkmovq 8 * \\n(%rsi), %k\\n\n.endr\n"
	"\tmov %rdx, run_target(%rip)\n\tmov %rdi, %rax\n"
	"\tmov 8(%rax), %rcx\n\tmov 16(%rax), %rdx\n\tmov 24(%rax), %rbx\n\tmov 32(%rax), %rsp\n\tmov 40(%rax), %rbp\n"
	"\tmov 48(%rax), %rsi\n\tmov 56(%rax), %rdi\n"
	".irp n, 8, 9, 10, 11, 12, 13, 14, 15\n\tmov 8 * \\n(%rax), %r\\n\n.endr\n"
	"\tmov (%rax), %rax\n\tjmp *run_target(%rip)\n"
	".popsection\n.lcomm run_target, 8\n");

static void on_signal(int signo, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	end.signo = signo;
	end.address = (uintptr_t)info->si_addr;
	end.rip = (uint64_t)regs[REG_RIP];
	for (unsigned i = 0; i < 16; i++)
		end.gpr[i] = (uint64_t)regs[host_regs[i]];
	siglongjmp(back, 1);
}

static void catch_signals(void)
{
	static const int all[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE};
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	stack_t stack = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};

	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		sigaction(all[i], &sa, NULL);
}

/* Until it raises a signal. */
static __attribute__((noinline)) void execute(const uint64_t gpr[16], const uint64_t k[8])
{
	if (!sigsetjmp(back, 0))
		run_at(gpr, k, CODE);
}

static uint32_t random32(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33);
}

static bool chance(unsigned one_in)
{
	return random32() % one_in == 0;
}

/* Fields that go together now and then. What is not made here is INT3. */
static void random_bytes(uint8_t *b)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67,
					   0x66, 0xf0, 0xf2, 0xf3, 0x41, 0x48};
	uint32_t disp = random32() & 0x3fffffff;
	unsigned n = 0, modrm;

	memset(b, INT3, BYTES);
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
	fprintf(stderr, "%s: %s (signal %d, RIP + %lld):", valid ? insn_name(in) : "none", what, end.signo,
		(long long)(end.rip - (uintptr_t)CODE));
	for (unsigned i = 0; i < INSN_MAX_BYTES; i++)
		fprintf(stderr, " %02x", b[i]);
	fprintf(stderr, "\n");
}

static uint64_t operand(const struct insn *in, const uint64_t *gpr)
{
	uint64_t at = (uint64_t)in->disp + (in->rip_relative ? (uintptr_t)CODE + in->len : 0);

	at += in->base == REG_NONE ? 0 : gpr[in->base];
	at += in->index == REG_NONE ? 0 : gpr[in->index] * in->scale;
	if (in->addrsize == 4)
		at = (uint32_t)at;
	return at + (in->seg == SEG_FS ? (uintptr_t)__builtin_thread_pointer() : 0);
}

static void check(const struct insn *in, bool valid, const uint8_t *b, const uint64_t *gpr)
{
	bool faulted = end.signo != SIGTRAP;

	if (end.signo == SIGILL || !valid) {
		if (valid || end.signo != SIGILL)
			wrong(in, valid, b, "#UD or not");
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		if (end.gpr[i] != gpr[i] && (faulted || !(in->gpr_written >> i & 1)))
			wrong(in, valid, b, "a register has changed");
	if (!faulted && end.rip - (uintptr_t)CODE != in->len + 1u)
		wrong(in, valid, b, "its length");
	if (!faulted && in->has_mem && !in->mask.opmask)
		wrong(in, valid, b, "it has accessed nothing");
	if (end.signo == SIGSEGV && !in->has_mem)
		wrong(in, valid, b, "it has accessed memory");
	/* No address: not canonical, or not aligned. */
	if (end.signo == SIGSEGV && end.address && !in->vsib && end.address - operand(in, gpr) >= in->mem_size)
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
	uint8_t b[BYTES];
	unsigned valid_ones = 0;
	struct insn in;

	if (!__builtin_cpu_supports("avx512bw"))
		return SKIP;
	if (mmap(CODE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		 -1, 0) != CODE)
		return SKIP;
	catch_signals();
	for (unsigned i = 0; i < 16; i++)
		gpr[i] = FIRST + i * APART;
	for (unsigned n = 0; n < CASES; n++) {
		random_bytes(b);
		bool valid = !insn_decode(&in, b, INSN_MAX_BYTES, 8) && in.id != INSN_INVALID;
		if (valid && !host_has(&in))
			continue;
		if (valid)
			memset(b + in.len, INT3, BYTES - in.len);
		for (unsigned i = 0; i < 8; i++)
			k[i] = chance(4) ? 0 - (uint64_t)chance(2) : (uint64_t)random32() << 32 | random32();
		memset(CODE, INT3, 2 * BYTES);
		memcpy(CODE, b, BYTES);
		execute(gpr, k);
		valid_ones += valid;
		check(&in, valid, b, gpr);
	}
	if (valid_ones < CASES / 50)
		fprintf(stderr, "%u instructions only\n", valid_ones);
	return failures || valid_ones < CASES / 50;
}
