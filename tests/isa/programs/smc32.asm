; SPDX-License-Identifier: GPL-2.0-or-later
; Code that changes itself: next instruction, own block, across pages, through an alias, by a device, by string and stack instructions.
%include "isa.inc"
AWAY equ 0x20000	; where code is copied to: starts on a page
PROGRAM PM32
	; the next instruction
	mov	byte [.p1 + 1], 0x77
.p1:	mov	al, 0x11
	CHECK	{al, 0x77}
	; again and again at the same place, so that an engine adapts
	mov	ecx, 40
	xor	edx, edx
.again:	mov	[.p2 + 1], cl
.p2:	mov	al, 0
	movzx	eax, al
	add	edx, eax
	loop	.again
	CHECK	{edx, 40 * 41 / 2}
	; an instruction before: the next round sees it
	mov	ecx, 3
	xor	ebx, ebx
.p3:	add	ebx, 1
	inc	byte [.p3 + 2]
	loop	.p3
	CHECK	{ebx, 1 + 2 + 3}
	; an instruction grows out of another: opcode
	mov	eax, 5
	mov	byte [.p4], 0x48	; inc eax -> dec eax
.p4:	inc	eax
	CHECK	{eax, 4}
	; a called function
	call	.f
	CHECK	{eax, 1}
	mov	byte [.f + 1], 2
	call	.f
	CHECK	{eax, 2}
	mov	dword [.f + 1], 0x12345678
	call	.f
	CHECK	{eax, 0x12345678}
	jmp	.next
.f:	mov	eax, 1
	ret
.next:	; data beside code on one page
	mov	ecx, 1000
.data:	inc	dword [.count]
	loop	.data
	CHECK	{mem32, .count, 1000}
	jmp	.next2
.count:	dd 0
.next2:	; a block that lies on two pages, changed on the second
	mov	edi, AWAY + 0x1000 - 3
	mov	esi, .two
	mov	ecx, .two_end - .two
	rep movsb
	call	AWAY + 0x1000 - 3
	CHECK	{eax, 0x11111111}, {ebx, 2}
	mov	byte [AWAY + 0x1001], 0x22	; last byte of the immediate, on the second page
	call	AWAY + 0x1000 - 3
	CHECK	{eax, 0x22111111}
	mov	byte [AWAY + 0xffe], 0x33	; and the first, on the first
	call	AWAY + 0x1000 - 3
	CHECK	{eax, 0x22111133}
	; a store that crosses the page
	mov	dword [AWAY + 0xffe], 0x44434241
	call	AWAY + 0x1000 - 3
	CHECK	{eax, 0x44434241}
	; through the alias
	mov	byte [ALIAS + AWAY + 0x1001], 0x55
	call	AWAY + 0x1000 - 3
	CHECK	{eax, 0x55434241}
	call	ALIAS + AWAY + 0x1000 - 3	; the same code at another address
	CHECK	{eax, 0x55434241}
	mov	byte [AWAY + 0x1001], 0x66
	call	ALIAS + AWAY + 0x1000 - 3
	CHECK	{eax, 0x66434241}
	call	AWAY + 0x1000 - 3
	CHECK	{eax, 0x66434241}
	; by a device
	mov	eax, AWAY + 0xffe
	mov	dx, 0xff00 | P_DMA_AT
	xor	dh, dh
	out	dx, eax
	mov	eax, 0x0d0c0b0a
	mov	dl, P_DMA
	out	dx, eax
	call	AWAY + 0x1000 - 3
	CHECK	{eax, 0x0d0c0b0a}
	; by a device, the very next instruction
	mov	eax, .p5 + 1
	mov	dl, P_DMA_AT
	out	dx, eax
	mov	eax, 0x01020304
	mov	dl, P_DMA
	out	dx, eax
.p5:	mov	ebx, 0x99999999
	CHECK	{ebx, 0x01020304}
	; by string instructions: code is laid over code that has run
	mov	ebp, 20
.over:	mov	edi, AWAY
	mov	esi, .one
	mov	ecx, .one_end - .one
	rep movsb
	mov	eax, ebp
	mov	[AWAY + 1], eax
	call	AWAY
	cmp	eax, ebp
	jne	.bad
	dec	ebp
	jnz	.over
	CHECK	{ebp, 0}
	; REP STOS over the instructions that follow it
	mov	edi, .nops
	mov	al, 0x40		; inc eax
	mov	ecx, 8
	rep stosb
	mov	eax, 0
.nops:	times 8 nop
	CHECK	{eax, 8}
	; by the stack
	mov	esp, .stk + 5
	push	dword 0xabcdef01
	mov	esp, STACK
.stk:	mov	eax, 0
	CHECK	{eax, 0xabcdef01}
	mov	esp, .stk2 + 5
	call	.push_ret
.back:	mov	esp, STACK
.stk2:	mov	eax, 0
	CHECK	{eax, .back}
	; XCHG, ADD and LOCK on code
	mov	eax, 7
	xchg	[.p6 + 1], eax
.p6:	mov	ebx, 0
	lock add dword [.p7 + 1], 8
.p7:	mov	ecx, 1
	CHECK	{ebx, 7}, {ecx, 9}
	; x87 and SSE stores
	fld1
	fstp	dword [.p8 + 1]
.p8:	mov	eax, 0
	CHECK	{eax, 0x3f800000}
	; a whole page of small functions, one after the other replaced
	mov	edi, AWAY
	mov	ecx, 128
.mk:	mov	dword [edi], 0xc3c0ff	; inc eax; ret
	add	edi, 32
	loop	.mk
	mov	ebp, 3
.round:	mov	edi, AWAY
	mov	ecx, 128
	xor	eax, eax
.run:	call	edi
	add	edi, 32
	loop	.run
	mov	byte [AWAY + 32 * 64 + 1], 0xc8	; one becomes dec eax
	dec	ebp
	jnz	.round
	CHECK	{eax, 126}
	DONE
.push_ret:
	jmp	.back
.bad:	NEVER
.two:	mov	eax, 0x11111111
	mov	ebx, 2
	ret
.two_end:
.one:	mov	eax, 0
	ret
.one_end:
