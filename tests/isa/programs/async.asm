; SPDX-License-Identifier: GPL-2.0-or-later
; Interrupts at random moments of a computation: its result does not change. The handler counts; the program goes on until enough have come.
%include "isa.inc"
%define ENOUGH 25
PROGRAM PM32
	mov	eax, .isr
	mov	[IDT + 8 * 0x40], ax
	shr	eax, 16
	mov	[IDT + 8 * 0x40 + 6], ax
	mov	al, 0x40
	out	P_ASYNC, al
	sti
.round:	; arithmetic with carries from one instruction to the next
	mov	ecx, 500
	mov	eax, 0x12345678
	mov	edx, 0x9abcdef0
	mov	ebx, 1
	xor	esi, esi
	clc
.a:	adc	eax, edx
	rcl	edx, 3
	adc	ebx, eax
	push	ebx
	sbb	edx, [esp]
	pop	esi
	bswap	eax
	push	eax		; a row
	push	edx
	push	ebx
	call	.f
	pop	edi
	adc	esi, edi
	pop	edi
	pop	edi
	adc	esi, 5
	call	.f
	dec	ecx
	jnz	.a
	cmp	dword [.have], 0
	jne	.compare
	mov	[.sum], eax
	mov	[.sum + 4], edx
	mov	[.sum + 8], ebx
	mov	dword [.have], 1
.compare:
	cmp	eax, [.sum]
	jne	.bad
	cmp	edx, [.sum + 4]
	jne	.bad
	cmp	ebx, [.sum + 8]
	jne	.bad
	; a copy, in pieces and with other segments too
	mov	edi, 0x30000
	mov	ecx, 0x800
	mov	eax, ecx
	rep stosd
	mov	dword [0x20000 + 0x1ffc], 0x5a5a5a5a
	mov	esi, 0x20000
	mov	edi, 0x30000
	mov	ecx, 0x2000
	rep movsb
	test	ecx, ecx
	jnz	.bad
	cmp	esi, 0x22000
	jne	.bad
	cmp	edi, 0x32000
	jne	.bad
	cmp	dword [0x30000 + 0x1ffc], 0x5a5a5a5a
	jne	.bad
	mov	esi, 0x20000
	mov	edi, 0x30000
	mov	ecx, 0x800
	repe cmpsd
	jne	.bad
	push	dword BASED_4G
	pop	fs
	mov	ecx, 300
	xor	eax, eax
.b:	add	eax, [fs:0x1ffc]
	mov	ah, [fs:0x1ffc]
	loop	.b
	cmp	dword [.count], ENOUGH
	jb	.round
	mov	al, 0
	out	P_ASYNC, al
	cli
	CHECK	{esp, STACK}
	DONE
.f:	rcr	eax, 1
	ret
.bad:	NEVER
.isr:	push	eax
	push	ecx
	inc	dword [.count]
	mov	ecx, 3
.i:	loop	.i
	cmp	esp, 0
	pop	ecx
	pop	eax
	iretd
	align 4
.have:	dd 0
.sum:	dd 0, 0, 0

.count:	dd 0
