/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiboot entry, the way into ring 3 and back, what system call and faults lead to. */
#include "micro.h"

	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.globl start
start:
	mov $stack_end, %esp
	cld
	call kernel_main
1:	hlt
	jmp 1b

/* void load_tables(const void *gdt, const void *idt): the six bytes that LGDT and LIDT take. */
	.globl load_tables
load_tables:
	mov 4(%esp), %eax
	lgdt (%eax)
	mov 8(%esp), %eax
	lidt (%eax)
	mov $DATA3, %eax /* what ring 3 may use, too */
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov $DATA0, %eax
	mov %eax, %ss
	mov $TSS, %eax
	ltr %ax
	ljmp $CODE0, $1f
1:	ret

/* void run_in_ring3(body *b, uint32_t n) */
	.globl run_in_ring3
run_in_ring3:
	mov 4(%esp), %eax
	mov 8(%esp), %edx
	push %ebx
	push %esi
	push %edi
	push %ebp
	mov %esp, kernel_esp
	mov $user_stack_end - 8, %ecx
	mov %edx, 4(%ecx)
	movl $to_ring0, (%ecx)
	push $DATA3
	push %ecx
	push $2 /* no interrupts */
	push $CODE3
	push %eax
	iret
to_ring0:
	int $0x80

/* INT 80h: back to who has called run_in_ring3. */
	.globl on_int80
on_int80:
	mov kernel_esp, %esp
	pop %ebp
	pop %edi
	pop %esi
	pop %ebx
	ret

	.globl on_sysenter
on_sysenter:
	sysexit

	.globl on_divide
on_divide:
	addl $SKIPPED, (%esp)
	iret

	.globl on_page_fault
on_page_fault:
	add $4, %esp
	addl $SKIPPED, (%esp)
	iret

/* Any other: vector 99 on the serial line, and the end. */
	.globl on_unexpected
on_unexpected:
	call unexpected

	.bss
	.align 16
kernel_esp:
	.long 0
	.skip 16384
stack_end:
	.skip 4096
	.globl entry_stack_end
entry_stack_end:
	.skip 4096
user_stack_end:
	.section .note.GNU-stack, "", @progbits
