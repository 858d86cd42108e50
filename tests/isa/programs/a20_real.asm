; SPDX-License-Identifier: GPL-2.0-or-later
; Above FFFF:000F with and without address bit 20.
%include "isa.inc"
PROGRAM REAL
	mov	ax, 0xffff
	mov	ds, ax
	xor	ax, ax
	mov	es, ax
	mov	bp, 10
.round:	mov	al, 1
	out	P_A20, al
	mov	word [0xa010], 0x1234	; 10A000
	mov	word [es:0xa000], 0x5678
	cmp	word [0xa010], 0x1234
	jne	.bad
	mov	al, 0
	out	P_A20, al
	cmp	word [0xa010], 0x5678
	jne	.bad
	inc	word [0xa010]
	cmp	word [es:0xa000], 0x5679
	jne	.bad
	; code there
	mov	word [es:0xa020], 0xcb40	; inc ax; retf
	mov	ax, 7
	call	0xffff:0xa030
	cmp	ax, 8
	jne	.bad
	mov	byte [0xa030], 0x48		; dec ax
	call	0xffff:0xa030
	cmp	ax, 7
	jne	.bad
	mov	al, 1
	out	P_A20, al
	cmp	word [0xa010], 0x1234
	jne	.bad
	mov	word [0xa030], 0xcb40
	mov	ax, 7
	call	0xffff:0xa030
	cmp	ax, 8
	jne	.bad
	dec	bp
	jnz	.round
	CHECK	{sp, STACK}, {mem16, 0x10a000, 0x1234}, {mem16, 0xa000, 0x5679}
	DONE
.bad:	NEVER
