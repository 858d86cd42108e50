; SPDX-License-Identifier: GPL-2.0-or-later
; A repeated string instruction that writes more than lockstep records: done once, whatever comes before it in the same unit.
%include "isa.inc"
FIRST	equ 0x14000
COUNT	equ (0x120000 - FIRST) / 4
bad	equ 0xa000

PROGRAM PM32
	mov	edi, FIRST
	mov	ecx, COUNT
	xor	eax, eax
.fill:	mov	[edi], eax
	inc	eax
	add	edi, 4
	dec	ecx
	jnz	.fill
	mov	edi, FIRST
	mov	esi, FIRST + 4
	mov	ecx, COUNT - 1
	jmp	.move
	ud2
	; each element one down: a second time it would be two
.move:	rep movsd
	CHECK	{ecx, 0}, {edi, FIRST + 4 * (COUNT - 1)}, {esi, FIRST + 4 * COUNT}
	mov	dword [bad], 0
	mov	edi, FIRST
	mov	eax, 1
	mov	ecx, COUNT - 1
.look:	cmp	[edi], eax
	je	.right
	inc	dword [bad]
.right:	inc	eax
	add	edi, 4
	dec	ecx
	jnz	.look
	CHECK	{mem32, bad, 0}
	DONE
