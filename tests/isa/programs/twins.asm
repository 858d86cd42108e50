; SPDX-License-Identifier: GPL-2.0-or-later
; The same code of ring 3 at several addresses. Branches with the prefix 66h have targets of 16 bits: those do not move with the code, all others do (SDM vol. 2, Jcc, JMP,
; LOOP).
%define PAE 0
%include "programs/paging.inc"

PLACES	equ 4
PLACE	equ PLAY + 0x1b000	; the first of them; 64 KiB apart
LANDING	equ 0xb000		; where 16-bit branches lead from any: 2 in EAX
WRONG	equ 0x1b000		; where they would 64 KiB further: 3
CODE_PAGE equ FRAME(1)
place	equ VAR
round	equ VAR + 4

; A page of NOPs that ends with a number in EAX and a return.
%macro SLED 2
	mov	edi, %1
	mov	ecx, 0xff0
	mov	al, 0x90
	rep	stosb
	mov	byte [edi], 0xb8
	mov	dword [edi + 1], %2
	mov	byte [edi + 5], 0xc3
%endmacro

; Calls a snippet at [place]; what EAX is then.
%macro CALL_ 3	; EBX (ECX is one more), snippet, EAX
	mov	ebx, %1
	mov	ecx, (%1) + 1
	mov	edx, [place]
	lea	edx, [edx + %2 - snippets]
	xor	eax, eax
	call	edx
	ASSERT_EQ eax, %3
%endmacro

PAGING_PROGRAM
	SLED	LANDING, 2
	SLED	WRONG, 3
	mov	esi, snippets
	mov	edi, CODE_PAGE
	mov	ecx, snippets_end - snippets
	rep	movsb
%assign i 0
%rep PLACES
	SET_PTE	PLACE + i * 0x10000, CODE_PAGE|P|W|U
%assign i i + 1
%endrep
	FLUSH
	mov	dword [round], 0
.round:	TO_RING3
	mov	dword [place], PLACE
.place:
%rep 2
	CALL_	0, near_, 1
	CALL_	1, near_, 2
	CALL_	0, short_, 1
	CALL_	1, short_, 2
	CALL_	0, loop_, 1
	CALL_	1, loop_, 2
	CALL_	0, jecxz_, 1
	CALL_	-1, jecxz_, 2
	CALL_	0, jump, 2
	CALL_	0, plain, 1
	CALL_	1, plain, 4
	mov	esi, [place]
	lea	esi, [esi + eip.at - snippets]
	CALL_	0, eip, esi
	CALL_	1, eip, esi
%endrep
	add	dword [place], 0x10000
	cmp	dword [place], PLACE + PLACES * 0x10000
	jb	near .place
	TO_RING0
	inc	dword [round]
	cmp	dword [round], 3
	jb	near .round
	CHECK	{esp, STACK}
	DONE

snippets:
near_:	test	ebx, ebx
	db	0x66, 0x0f, 0x85	; JNZ
	dw	0x100
	mov	eax, 1
	ret
short_:	test	ebx, ebx
	db	0x66, 0x75, 0x40
	mov	eax, 1
	ret
loop_:	db	0x66, 0xe2, 0x40
	mov	eax, 1
	ret
jecxz_:	db	0x66, 0xe3, 0x40
	mov	eax, 1
	ret
jump:	db	0x66, 0xe9
	dw	0x100
plain:	test	ebx, ebx
	jnz	.four
	mov	eax, 1
	ret
.four:	mov	eax, 4
	ret
eip:	test	ebx, ebx
	jnz	.there
	nop
.there:	call	.at
.at:	pop	eax
	ret
snippets_end:
