/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bt_enter64(struct bt_home *home): bt_enter (enter.S) for 64-bit code, whose registers are the host's of the same number, RSP included, but for R10 and R11. On the way out R10 is `home`:
 * the trampolines in the cache and the signal handler see to that. The stack is as bt_enter() has it: code that goes from 64-bit code to compatibility mode, or back, leaves by the other
 * way than it came (xlat_compat.c). Offsets are checked in run64.c.
 *
 * The guest's RSP need not be canonical, and not every host can return to such a one (hostsig_refuses_rsp()): the signal handler always goes to code here with the host's, having stored the
 * guest's as found; bt_resume64 then goes on where the thread was.
 */
#define H_REASON 0
#define H_FRAME  8
#define H_CPU    16
#define H_RSP    24
#define H_ENTER  32
#define H_IMAGE  48
#define H_RSP_FOUND   320
#define H_FLAGS_FOUND 328

#define F_REASON 0
#define F_RFLAGS 24
#define F_KICK   64
#define F_FPU    72
#define F_UPPER  80

#define FPU_LIVE 144
#include "enter_fpu.inc"
#define G(n)     (n * 8)(%r11)
#define I(n)     (H_IMAGE + n * 8)(%r10)

	.macro load_and_enter
	mov I(0), %rax
	mov I(1), %rcx
	mov I(2), %rdx
	mov I(3), %rbx
	mov I(4), %rsp
	mov I(5), %rbp
	mov I(6), %rsi
	mov I(7), %rdi
	mov I(8), %r8
	mov I(9), %r9
	mov I(11), %r11
	mov I(12), %r12
	mov I(13), %r13
	mov I(14), %r14
	mov I(15), %r15
	jmp *H_ENTER(%r10)
	.endm
	.macro leave_stack
	mov %rsp, H_RSP_FOUND(%r10)
	mov H_RSP(%r10), %rsp
	.endm

	.text
	.globl bt_enter64_begin, bt_enter64_code_end
	.globl bt_enter64, bt_enter64_critical, bt_enter64_end, bt_resume64, bt_resume64_end, bt_leave64_fault, bt_leave64_event, bt_leave64_kicked
	.globl bt_leave64_exit, bt_leave64_exit_found, bt_leave64_indirect, bt_leave64_indirect_found
	.type bt_enter64, @function
bt_enter64_begin:
bt_enter64:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov H_FRAME(%rdi), %rcx
	push %rcx
	mov %rsp, H_RSP(%rdi)
	mov %rdi, %r10
	mov H_CPU(%r10), %r11
	mov F_FPU(%rcx), %rax
	cmpq $0, FPU_LIVE(%r11)
	jne 1f
	fxrstor64 (%rax)
	jmp 2f
1:	ldmxcsr FX_MXCSR(%rax)
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps FX_XMM0 + 16 * \n(%rax), %xmm\n
	.endr
2:	cmpq $0, F_UPPER(%rcx)
	je 3f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vinsertf128 $1, FX_YMM + 16 * \n(%rax), %ymm\n, %ymm\n
	.endr
	cmpq $1, F_UPPER(%rcx)
	je 3f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vinserti64x4 $1, FX_ZMM + 32 * \n(%rax), %zmm\n, %zmm\n
	.endr
	move_512 load
3:
	/* From here to the jump, a kick must not be missed: the handler sends a thread found here to bt_leave64_kicked. */
bt_enter64_critical:
	cmpq $0, F_KICK(%rcx)
	jne bt_leave64_kicked
	pushq F_RFLAGS(%rcx)
	popfq
	load_and_enter
bt_enter64_end:

	/* R10 is home. As often as it takes: nothing of what it loads changes. */
bt_resume64:
	pushq H_FLAGS_FOUND(%r10)
	popfq
	load_and_enter
bt_resume64_end:

bt_leave64_exit:
	leave_stack
bt_leave64_exit_found:
	mov $0, %r11d
	jmp save
bt_leave64_indirect:
	leave_stack
bt_leave64_indirect_found:
	mov $1, %r11d
	jmp save
bt_leave64_fault:
	mov $2, %r11d
	jmp save
bt_leave64_event:
	mov $3, %r11d
save:
	mov %r11, H_REASON(%r10)
	mov H_CPU(%r10), %r11
	mov %rax, G(0)
	mov %rcx, G(1)
	mov %rdx, G(2)
	mov %rbx, G(3)
	mov %rbp, G(5)
	mov %rsi, G(6)
	mov %rdi, G(7)
	mov %r8, G(8)
	mov %r9, G(9)
	mov %r12, G(12)
	mov %r13, G(13)
	mov %r14, G(14)
	mov %r15, G(15)
	pushfq
	popq %rax
	cld
	mov H_RSP_FOUND(%r10), %rcx
	mov %rcx, G(4)
	mov H_FRAME(%r10), %rdi
	mov %rax, F_RFLAGS(%rdi)
	mov H_REASON(%r10), %rax
	mov %rax, F_REASON(%rdi)
	/* The monitor's code uses SSE registers, but neither x87 nor MMX: those stay where they are. */
	mov F_FPU(%rdi), %rax
	movq $1, FPU_LIVE(%r11)
	stmxcsr FX_MXCSR(%rax)
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps %xmm\n, FX_XMM0 + 16 * \n(%rax)
	.endr
	cmpq $0, F_UPPER(%rdi)
	je 4f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vextractf128 $1, %ymm\n, FX_YMM + 16 * \n(%rax)
	.endr
	cmpq $1, F_UPPER(%rdi)
	je 6f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vextracti64x4 $1, %zmm\n, FX_ZMM + 32 * \n(%rax)
	.endr
	move_512 store
6:
	vzeroupper /* else the monitor's SSE code would be slow */
4:
leave:
	pushq $0x1f80
	ldmxcsr (%rsp)
	add $16, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	/* Nothing ran: the registers in struct cpu still hold. */
bt_leave64_kicked:
	mov H_FRAME(%r10), %rdi
	mov H_CPU(%r10), %r11
	movq $4, F_REASON(%rdi)
	movq $1, FPU_LIVE(%r11)
	cmpq $0, F_UPPER(%rdi)
	je 5f
	vzeroupper
5:	cld
	jmp leave
bt_enter64_code_end:
	.size bt_enter64, . - bt_enter64
	.section .note.GNU-stack, "", @progbits
