/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_run(uint64_t *gpr, void *slot, uint64_t *flags): loads the guest's general registers and arithmetic flags, runs the slot, stores them back. Returns 0, or 1 if a host
 * exception ended the slot (exec.c's signal handler goes to exec_abort); gpr and flags are unchanged then.
 *
 * The handler loads the host's RSP, wherever it goes: exec_load (RDI = GPR) and exec_returned, too, where the host would not come back to the guest's.
 *
 * All sixteen registers are the guest's while the slot runs, RSP too: signals use the alternate stack, and what must survive is thread-local.
 */
#define HOST_RSP %fs:exec_tls@tpoff
#define GPR      %fs:exec_tls@tpoff+8
#define SLOT     %fs:exec_tls@tpoff+16
#define SCRATCH  %fs:exec_tls@tpoff+24
#define FLAGS    %fs:exec_tls@tpoff+40
#define SLOT_RSP %fs:exec_tls@tpoff+48

	.text
	.globl exec_run, exec_load, exec_return, exec_returned, exec_abort
	.type exec_run, @function
exec_run:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, HOST_RSP
	mov %rdi, GPR
	mov %rsi, SLOT
	mov %rdx, FLAGS
exec_load:
	mov FLAGS, %rdx
	pushq (%rdx)
	popfq
	mov (%rdi), %rax
	mov 8(%rdi), %rcx
	mov 16(%rdi), %rdx
	mov 24(%rdi), %rbx
	mov 32(%rdi), %rsp
	mov 40(%rdi), %rbp
	mov 48(%rdi), %rsi
	mov 64(%rdi), %r8
	mov 72(%rdi), %r9
	mov 80(%rdi), %r10
	mov 88(%rdi), %r11
	mov 96(%rdi), %r12
	mov 104(%rdi), %r13
	mov 112(%rdi), %r14
	mov 120(%rdi), %r15
	mov 56(%rdi), %rdi
	jmp *SLOT

exec_return:
	mov %rsp, SLOT_RSP
	mov HOST_RSP, %rsp
exec_returned:
	mov %rdi, SCRATCH
	mov GPR, %rdi
	mov %rax, (%rdi)
	mov %rcx, 8(%rdi)
	mov %rdx, 16(%rdi)
	mov %rbx, 24(%rdi)
	mov %rbp, 40(%rdi)
	mov %rsi, 48(%rdi)
	mov %r8, 64(%rdi)
	mov %r9, 72(%rdi)
	mov %r10, 80(%rdi)
	mov %r11, 88(%rdi)
	mov %r12, 96(%rdi)
	mov %r13, 104(%rdi)
	mov %r14, 112(%rdi)
	mov %r15, 120(%rdi)
	mov SCRATCH, %rax
	mov %rax, 56(%rdi)
	mov SLOT_RSP, %rax
	mov %rax, 32(%rdi)
	mov FLAGS, %rdx
	pushfq
	popq (%rdx)
	xor %eax, %eax
	jmp leave

exec_abort:
	mov $1, %eax
leave:
	cld
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size exec_run, . - exec_run
	.section .note.GNU-stack, "", @progbits
