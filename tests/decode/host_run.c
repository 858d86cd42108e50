/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host_run.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { STACK_BYTES = 1 << 20 };

static const int host_regs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct host_end host_end;
static sigjmp_buf back;
static uint64_t state = 1;

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

	host_end.signo = signo;
	host_end.address = (uintptr_t)info->si_addr;
	host_end.rip = (uint64_t)regs[REG_RIP];
	for (unsigned i = 0; i < 16; i++)
		host_end.gpr[i] = (uint64_t)regs[host_regs[i]];
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
		run_at(gpr, k, HOST_CODE);
}

bool host_run_init(void)
{
	if (!__builtin_cpu_supports("avx512bw") ||
	    mmap(HOST_CODE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != HOST_CODE)
		return false;
	catch_signals();
	return true;
}

void host_run(const uint8_t *code, const uint64_t gpr[16], const uint64_t k[8])
{
	memset(HOST_CODE, INT3, 2 * HOST_CODE_BYTES);
	memcpy(HOST_CODE, code, HOST_CODE_BYTES);
	execute(gpr, k);
}

uint32_t random32(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33);
}

bool chance(unsigned one_in)
{
	return random32() % one_in == 0;
}
