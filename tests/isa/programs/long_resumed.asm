; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code whose exceptions lead to the very next instruction, with another stack: what was known of RSP does not hold there.
%include "programs/long.inc"

T	equ TABLES
EDGE	equ 0x900000000
HIGH_	equ 0xffff800000000000
STACK_H	equ HIGH_ + 0x1f000

; where the handler of #GP is, and the snippet
%macro NEXT_IS 2
	mov	eax, %1
	mov	[IDT + E_GP * 16], ax
	mov	rbx, EDGE
	mov	rcx, 1 << 60
	mov	rdx, %2
	call	run
	ASSERT	qword [got_vector], E_PF
	mov	rax, EDGE + STACK_H - 0x30
	ASSERT	[got_cr2], rax
%endmacro

LONG_PROGRAM
	EDGE_PAGES 1024
	mov	byte [IDT + E_GP * 16 + 4], 2
	mov	rax, STACK_H
	mov	[TSS_ + 0x2c], rax
	mov	rax, cr4
	or	eax, CR4_FSGSBASE
	mov	cr4, rax
	mov	ecx, 3
.again:	push	rcx
	NEXT_IS	based.next, based
	NEXT_IS	stored.next, stored
	pop	rcx
	dec	ecx
	jnz	.again
	CHECK	{esp, STACK}
	DONE

based:	mov	esp, 0x1f000
	wrfsbase rcx
.next:	mov	rax, rsp
	mov	rdx, [rbx + rax]
	int	BACK

; a site that has stored to page tables
stored:	mov	esp, 0x1f000
	mov	[rcx], rdx
.next:	mov	rax, rsp
	mov	rdx, [rbx + rax]
	int	BACK
