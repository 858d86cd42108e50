; SPDX-License-Identifier: GPL-2.0-or-later
; The same in real-address mode.
%include "isa.inc"
%define ENOUGH 25
PROGRAM REAL
	mov	word [0x40 * 4], .isr
	mov	al, 0x40
	out	P_ASYNC, al
	sti
.round:	mov	cx, 500
	mov	ax, 0x1234
	mov	dx, 0x9abc
	mov	bx, 1
	clc
.a:	adc	ax, dx
	rcl	dx, 3
	push	bx
	adc	bx, ax
	pop	si
	push	ds
	pop	es
	sbb	dx, si
	call	.f
	loop	.a
	cmp	word [.have], 0
	jne	.compare
	mov	[.sum], ax
	mov	[.sum + 2], dx
	mov	word [.have], 1
.compare:
	cmp	ax, [.sum]
	jne	.bad
	cmp	dx, [.sum + 2]
	jne	.bad
	mov	ax, 0x2000
	mov	ds, ax
	mov	ax, 0x3000
	mov	es, ax
	mov	word [0x0fff], 0xa55a
	xor	si, si
	xor	di, di
	mov	cx, 0x1800
	rep movsb
	cmp	word [es:0x0fff], 0xa55a
	jne	.bad
	cmp	si, 0x1800
	jne	.bad
	xor	ax, ax
	mov	ds, ax
	mov	es, ax
	cmp	word [.count], ENOUGH
	jb	.round
	mov	al, 0
	out	P_ASYNC, al
	cli
	CHECK	{sp, STACK}
	DONE
.f:	rcr	ax, 1
	ret
.bad:	NEVER
.isr:	push	ds
	push	word 0
	pop	ds
	inc	word [.count]
	cmp	sp, 0
	pop	ds
	iret
	align 2
.have:	dw 0
.sum:	dw 0, 0
.count:	dw 0
