/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decimal arithmetic against the host's own, in a 32-bit code segment: all flags, on an Intel host the undefined ones
 * too (AMD's processors set OF otherwise). Where the host's kernel has no such segment only the manual's examples are
 * checked.
 */
#include "insn_fixture.h"

#include <cpuid.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINUX_CS32 = 0x23, LINUX_CS64 = 0x33, THUNK_BYTES = 8192, THUNK_STACK = 8000, THUNK_STUB = 64 };

static uint8_t *thunk;
static uint64_t open_flags; /* of those that the manual leaves undefined, those that are not compared */

static void make_thunk(void)
{
	thunk =
	    mmap(NULL, THUNK_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ck_assert_ptr_ne(thunk, MAP_FAILED);
}

/*
 * Runs code (one instruction and RETF) on the host with EAX and flags; gives both back. 32-bit code can only return to
 * low addresses, hence a stub in the thunk: POP RSP, RET.
 */
static void host_run(const uint8_t *code, unsigned len, uint64_t *rax, uint64_t *flags)
{
	static const uint8_t stub[] = {0x5c, 0xc3};
	uint8_t *stack = thunk + THUNK_STACK;

	memcpy(thunk, code, len);
	thunk[len] = 0xcb; /* RETF */
	memcpy(thunk + THUNK_STUB, stub, sizeof(stub));
	/* Frames of LRETQ into 32-bit code and of RETF out of it. */
	store_le(stack - 24, 8, (uintptr_t)thunk);
	store_le(stack - 16, 8, LINUX_CS32);
	store_le(stack - 8, 4, (uintptr_t)thunk + THUNK_STUB);
	store_le(stack - 4, 4, LINUX_CS64);
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* past the red zone */
			 "leaq 1f(%%rip), %%r8\n\t"
			 "pushq %%r8\n\t"
			 "movq %%rsp, (%[stack])\n\t"
			 "pushq %[flags]\n\t"
			 "leaq -24(%[stack]), %%r8\n\t"
			 "popfq\n\t"
			 "movq %%r8, %%rsp\n\t"
			 "lretq\n"
			 "1:\tpushfq\n\t"
			 "popq %[flags]\n\t"
			 "leaq 128(%%rsp), %%rsp\n\t"
			 "cld"
			 : "+a"(*rax), [flags] "+r"(*flags)
			 : [stack] "r"(stack)
			 : "r8", "memory", "cc");
}

/* Does the kernel let a process run 32-bit code? */
static bool host_can(void)
{
	static const uint8_t nop[] = {0x90};
	uint64_t rax = 0, flags = FLAG_1;
	int status;
	pid_t child;

	child = fork();
	if (!child) {
		host_run(nop, 1, &rax, &flags);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool host_is_intel(void)
{
	unsigned eax, ebx = 0, ecx, edx;

	__get_cpuid(0, &eax, &ebx, &ecx, &edx);
	return ebx == signature_INTEL_ebx;
}

static void compare(const uint8_t *code, unsigned len, unsigned ax, uint64_t in_flags)
{
	uint64_t rax = ax, flags = FLAG_1 | FLAG_IF | in_flags;

	host_run(code, len, &rax, &flags);
	cpu.gpr[RAX] = ax;
	cpu.rflags = FLAG_1 | FLAG_IF | in_flags;
	WORKS(run_bytes(code, len));
	ck_assert_msg(cpu.gpr[RAX] == rax, "%s AX %04x flags %02x: %04llx, host %04llx", insn_name(&insn_now), ax,
		      (unsigned)in_flags, (unsigned long long)cpu.gpr[RAX], (unsigned long long)rax);
	ck_assert_msg(((cpu.rflags ^ flags) & FLAGS_ARITH & ~(insn_now.flags_undefined & open_flags)) == 0,
		      "%s AX %04x flags %03x: %03llx, host %03llx", insn_name(&insn_now), ax, (unsigned)in_flags,
		      (unsigned long long)(cpu.rflags & FLAGS_ARITH), (unsigned long long)(flags & FLAGS_ARITH));
}

static void compare_all(const uint8_t *code, unsigned len, unsigned first_ah, unsigned last_ah)
{
	for (unsigned ah = first_ah; ah <= last_ah; ah++)
		for (unsigned al = 0; al < 256; al++)
			for (unsigned i = 0; i < 8; i++)
				compare(code, len, ah << 8 | al,
					(i & 1 ? FLAG_CF : 0) | (i & 2 ? FLAG_AF : 0) |
					    (i & 4 ? FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF : 0));
}

START_TEST(as_the_host)
{
	static const uint8_t bases[] = {1, 2, 7, 10, 16, 255};

	make_thunk();
	open_flags = host_is_intel() ? 0 : FLAGS_ARITH;
	if (!host_can()) {
		fprintf(stderr, "no 32-bit code on this host: comparison skipped\n");
		return;
	}
	compare_all((const uint8_t[]){0x27}, 1, 0, 0);
	compare_all((const uint8_t[]){0x2f}, 1, 0, 0);
	compare_all((const uint8_t[]){0x37}, 1, 0, 255);
	compare_all((const uint8_t[]){0x3f}, 1, 0, 255);
	compare_all((const uint8_t[]){0xd6}, 1, 0, 0);
	for (unsigned i = 0; i < sizeof(bases); i++) {
		compare_all((const uint8_t[]){0xd4, bases[i]}, 2, 0, 1);
		compare_all((const uint8_t[]){0xd5, bases[i]}, 2, 0, 20);
	}
	compare_all((const uint8_t[]){0xd5, 0}, 2, 0, 3);
}
END_TEST

START_TEST(manual_examples)
{
	cpu.gpr[RAX] = 0x79 + 0x35; /* DAA, "Examples" */
	cpu.rflags = FLAG_1;
	OK(0x27);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x14);
	ck_assert(flag(FLAG_CF) && flag(FLAG_AF));
	cpu.gpr[RAX] = 0xffff1234;
	OK(0xd4, 0x0a);
	ck_assert_uint_eq(cpu.gpr[RAX], 0xffff0502);
	OK(0xd5, 0x0a);
	ck_assert_uint_eq(cpu.gpr[RAX], 0xffff0034);
	RAISES(EXC_DE, 0xd4, 0x00);
}
END_TEST

START_TEST(not_in_64_bit_mode)
{
	static const uint8_t opcodes[] = {0x27, 0x2f, 0x37, 0x3f};
	struct insn in;

	for (unsigned i = 0; i < sizeof(opcodes); i++)
		ck_assert_int_eq(insn_decode(&in, &opcodes[i], 1, 8), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bcd");
	TCase *tc = insn_case(s, "bcd");

	tcase_add_test(tc, as_the_host);
	tcase_add_test(tc, manual_examples);
	tcase_add_test(tc, not_in_64_bit_mode);
	return run_suite(s);
}
