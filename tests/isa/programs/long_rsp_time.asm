; SPDX-License-Identifier: GPL-2.0-or-later
; RSP is not canonical for long: code that does not use it runs on in both rings, whatever interrupts the host meanwhile; then
; what uses it raises #SS.
%include "programs/long.inc"

ring	equ V + 0x10
count	equ V + 0x18
packed	equ V + 0x20
HOLE	equ 0x800000000000
ROUNDS	equ 200000		; of slow instructions: some timer interrupts of the host

LONG_PROGRAM
	OWN_STACKS
	mov	qword [ring], 0
.again:	mov	rax, HOLE + 0x18
	mov	[run_rsp], rax
	mov	qword [count], 0
	mov	rdx, spend
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rax, HOLE + 0x18
	ASSERT	[got_rsp], rax
	mov	rax, [count]
	lea	rax, [rax + rax * 2]
	ASSERT	[got_rbx], rax
	mov	rdx, use
	call	run
	ASSERT	qword [got_vector], E_SS
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

	align	16
spend:	xor	ebx, ebx
	mov	ecx, ROUNDS
	mov	esi, V
	mov	qword [packed], 0x1234
	mov	qword [packed + 8], 0
.loop:	inc	qword [rsi + count - V]
	add	rbx, 3
	fbld	[rsi + packed - V]
	lea	rdi, [rel .on]
	jmp	rdi
.on:	fbstp	[rsi + packed - V]
	dec	ecx
	jnz	.loop
	ASSERT	qword [rsi + packed - V], 0x1234
	int	BACK

use:	push	rbx
	int	BACK
