; SPDX-License-Identifier: GPL-2.0-or-later
; Code that changes itself in real-address mode, as boot sectors and loaders do: overlays, moved code, another CS base on the same bytes.
%include "isa.inc"
PROGRAM REAL
	mov	byte [.p1 + 1], 0x42
.p1:	mov	al, 0
	CHECK	{al, 0x42}
	; through another segment
	mov	ax, 0x700
	mov	ds, ax
	mov	word [.p2 + 1 - 0x7000], 0x1234
.p2:	mov	bx, 0
	CHECK	{bx, 0x1234}
	; move code down and go there, as a master boot record does
	xor	ax, ax
	mov	ds, ax
	mov	es, ax
	cld
	mov	si, .moved
	mov	di, 0x600
	mov	cx, .moved_end - .moved
	rep movsb
	mov	bp, 0
	call	0x600
	CHECK	{bp, 1}
	; overlay it with another, then the first again
	mov	cx, 12
.overlay:
	push	cx
	mov	si, .moved
	test	cl, 1
	jz	.even
	mov	si, .other
.even:	mov	di, 0x600
	mov	cx, 8
	rep movsw
	call	0x600
	pop	cx
	loop	.overlay
	CHECK	{bp, 1 + 6 + 600}
	; the same bytes by another CS
	mov	si, .moved
	mov	di, 0x600
	mov	cx, .moved_end - .moved
	rep movsb
	mov	word [.far], 0x600 - 0x10
	mov	word [.far + 2], 1
	mov	byte [0x600 + .moved_end - .moved - 1], 0xcb	; retf
	call	far [.far]
	CHECK	{bp, 1 + 6 + 600 + 1}, {cs, 0}
	mov	word [0x601], 0x9090
	mov	byte [0x600], 0x4d	; dec bp
	call	far [.far]
	CHECK	{bp, 607}
	; decoding with its own loop: every byte of a routine by XOR, then run
	mov	cx, .enc_end - .enc
	mov	si, .enc
.xor:	xor	byte [si], 0x5a
	inc	si
	loop	.xor
	mov	cx, .enc_end - .enc
	mov	si, .enc
.xor2:	xor	byte [si], 0x5a
	inc	si
	loop	.xor2
.enc:	mov	dx, 0x7777
	nop
.enc_end:
	CHECK	{dx, 0x7777}
	; code at the top of a segment and below its own stack
	mov	sp, .stackcode
	mov	cx, 50
.push:	push	cx
	pop	ax
	loop	.push
	CHECK	{ax, 1}
	mov	sp, STACK
	; 64-KiB wrap of a block: IP FFFE
	mov	byte [0xffff], 0x40	; inc ax
	mov	byte [0xfffe], 0x40
	mov	dword [0xfffc], 0xfeebfeeb
	mov	word [0xfffc], 0x4040
	mov	word [0xfffe], 0x00eb	; jmp 0 (wraps)
	mov	byte [0], 0xe9
	mov	word [1], .back - 3
	mov	ax, 5
	mov	bx, 0xfffc
	jmp	bx
.back:	mov	word [0], STUBS16
	mov	byte [2], 0
	CHECK	{ax, 7}
	DONE
.moved:	add	bp, 1
	nop
	nop
	nop
	ret
.moved_end:
	times 16 nop
.other:	add	bp, 100
	ret
	times 16 nop
.far:	dw 0, 0
	times 16 nop
.stackcode: dw 0
