/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bt_enter(struct bt_frame *frame, cache_pc_t at): loads the guest's registers, vector state and flags and jumps into the cache. It returns when translated code (or the signal
 * handler, on its behalf) comes to one of the bt_leave_* labels. frame->reason tells which.
 *
 * Upper halves of registers are 0 in the cache, whoever has changed them (a debugger): translated code adds registers to the window's base, all 64 bits of them.
 * RSP stays the monitor's throughout: translated code does not use it. Offsets are checked in run.c.
 */
#define F_REASON  0
#define F_VALUE   8
#define F_SWAPPED 16
#define F_RFLAGS  24
#define F_TABLE   32
#define F_RSP     40
#define F_WINDOW  48
#define F_CPU     56
#define F_KICK    64
#define F_FPU     72
#define F_UPPER   80

#define CPU_BIAS  128
#define FPU_LIVE  16(%r14)
#include "enter_fpu.inc"
#define G(n)      (n * 8 - CPU_BIAS)(%r14)

	.text
	.globl bt_enter_begin, bt_enter_code_end
	.globl bt_enter, bt_enter_critical, bt_enter_end, bt_leave_exit, bt_leave_indirect, bt_leave_fault, bt_leave_event, bt_leave_kicked
	.type bt_enter, @function
bt_enter_begin:
bt_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi /* frame, at (%rsp) while in the cache */
	mov %rsp, F_RSP(%rdi)
	mov F_FPU(%rdi), %rax
	mov F_CPU(%rdi), %r14
	cmpq $0, FPU_LIVE
	jne 1f
	fxrstor64 (%rax)
	jmp 2f
1:	ldmxcsr FX_MXCSR(%rax)
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	movaps FX_XMM0 + 16 * \n(%rax), %xmm\n
	.endr
2:	cmpq $0, F_UPPER(%rdi)
	je 3f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	vinsertf128 $1, FX_YMM + 16 * \n(%rax), %ymm\n, %ymm\n
	.endr
	cmpq $1, F_UPPER(%rdi)
	je 3f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	vinserti64x4 $1, FX_ZMM + 32 * \n(%rax), %zmm\n, %zmm\n
	.endr
	move_512 load
3:
	mov F_WINDOW(%rdi), %r13
	mov F_TABLE(%rdi), %r15
	mov %rsi, %r11
	mov G(0), %eax
	mov G(1), %ecx
	mov G(2), %edx
	mov G(3), %ebx
	mov G(4), %r12d
	mov G(5), %ebp
	mov G(6), %esi
	mov %rdi, %r10
	/* From here to the jump, a kick must not be missed: the handler sends a thread found here to bt_leave_kicked. */
bt_enter_critical:
	cmpq $0, F_KICK(%r10)
	jne bt_leave_kicked
	pushq F_RFLAGS(%r10)
	popfq
	mov G(7), %edi
	jmp *%r11
bt_enter_end:

	/* HOST_T0 (r8): value. Flags are the guest's. */
bt_leave_exit:
	mov $0, %r9d
	jmp save
bt_leave_indirect:
	mov $1, %r9d
	jmp save
	/* A fault: HOST_T1 may hold a guest register. */
bt_leave_fault:
	mov (%rsp), %r10
	mov %r9, F_SWAPPED(%r10)
	mov $2, %r9d
	jmp save
bt_leave_event:
	mov $3, %r9d
save:
	mov %rax, G(0)
	mov %rcx, G(1)
	mov %rdx, G(2)
	mov %rbx, G(3)
	mov %r12, G(4)
	mov %rbp, G(5)
	mov %rsi, G(6)
	mov %rdi, G(7)
	pushfq
	popq %rax
	cld
	mov (%rsp), %rdi
	mov %rax, F_RFLAGS(%rdi)
	mov %r9, F_REASON(%rdi)
	mov %r8, F_VALUE(%rdi)
	mov %r13, F_WINDOW(%rdi)
	/* The monitor's code uses SSE registers, but neither x87 nor MMX: those stay where they are. */
	mov F_FPU(%rdi), %rax
	movq $1, FPU_LIVE
	stmxcsr FX_MXCSR(%rax)
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	movaps %xmm\n, FX_XMM0 + 16 * \n(%rax)
	.endr
	cmpq $0, F_UPPER(%rdi)
	je 4f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	vextractf128 $1, %ymm\n, FX_YMM + 16 * \n(%rax)
	.endr
	cmpq $1, F_UPPER(%rdi)
	je 6f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	vextracti64x4 $1, %zmm\n, FX_ZMM + 32 * \n(%rax)
	.endr
	move_512 store
6:
	vzeroupper /* else the monitor's SSE code would be slow */
4:
	pushq $0x1f80
	ldmxcsr (%rsp)
	add $8, %rsp
leave:
	add $8, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	/* Nothing ran: the registers in struct cpu still hold. */
bt_leave_kicked:
	mov %r10, %rdi
	mov F_RSP(%rdi), %rsp
	movq $4, F_REASON(%rdi)
	movq $1, FPU_LIVE
	cmpq $0, F_UPPER(%rdi)
	je 5f
	vzeroupper
5:
	pushq $0x1f80
	ldmxcsr (%rsp)
	add $8, %rsp
	cld
	jmp leave
bt_enter_code_end:
	.size bt_enter, . - bt_enter
	.section .note.GNU-stack, "", @progbits
