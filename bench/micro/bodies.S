/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations: void body_NAME(uint32_t n) does it n times. */
#include "micro.h"

	.macro body name
	.globl body_\name
	.align 16
body_\name:
	push %esi
	push %ebx
	mov 12(%esp), %esi
	.endm

	.macro again label
	dec %esi
	jnz \label
	pop %ebx
	pop %esi
	ret
	.endm

/* Ring 3: into ring 0 by SYSENTER, which returns at once by SYSEXIT. */
	body syscall
1:	mov $2f, %edx
	mov %esp, %ecx
	sysenter
2:	again 1b

	body in
1:	in $0x80, %al
	again 1b

	body tpr
	mov $TPR_AT, %ebx
	xor %eax, %eax
1:	mov %eax, (%ebx)
	again 1b

	body cr3
	mov %cr3, %eax
1:	mov %eax, %cr3
	again 1b

/* Eight calls of one function, from eight places. */
	body callret
1:	.rept 8
	call 3f
	.endr
	again 1b
	.align 16
3:	ret

/* A load from a page that is absent; the handler skips it. */
	body pgfault
	mov $TEST_AT, %ecx
1:	mov (%ecx), %al
	again 1b

	body divzero
	xor %ecx, %ecx
1:	div %ecx
	again 1b

/* The entry of a page that has been used gets another frame, and the first one again. */
	body ptemod
	mov pte_at, %ebx
	mov pte_first, %ecx
	mov pte_second, %edx
1:	mov %edx, (%ebx)
	mov %ecx, (%ebx)
	again 1b

/* The same with INVLPG and a load behind each. */
	body remap
	mov pte_at, %ebx
	mov pte_first, %ecx
	mov pte_second, %edx
1:	mov %edx, (%ebx)
	invlpg TEST_AT + 0x1000
	mov TEST_AT + 0x1000, %eax
	mov %ecx, (%ebx)
	invlpg TEST_AT + 0x1000
	mov TEST_AT + 0x1000, %eax
	again 1b

	.data
	.globl pte_at, pte_first, pte_second
	.align 4
pte_at:	.long 0
pte_first: .long 0
pte_second: .long 0
	.section .note.GNU-stack, "", @progbits
