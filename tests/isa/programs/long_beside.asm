; SPDX-License-Identifier: GPL-2.0-or-later
; Stores of 64-bit code into a page that has been translated from: beside code, over it, from before it into it, over the end of the page. By sites that do nothing else, so that they
; look for themselves where code is.
%include "programs/long.inc"

CODE_	equ 0x40000	; a function every 256 bytes: mov eax, number; ret
BEHIND	equ 0x45000	; the page behind it, where the same site stores
VIEW	equ 0x1_0000_0000
PT_	equ TABLES + 0x1000
FUNCTIONS equ 16
FIRST	equ -72		; from so many bytes before a function
PATTERN	equ 0x5a5a5a5a5a5a5a5a

; size, register: to each address around the function at R9, what is there; but where its number is, the next one. R10: its lowest byte
%macro AROUND 2
	mov	rbx, FIRST
%%next:	lea	rdi, [r9 + rbx]
	mov	%2, [rdi]
	mov	[V], rax
	mov	ecx, 1
	sub	rcx, rbx
	cmp	rcx, %1
	jae	%%beside
	inc	r10b
	mov	[V + rcx], r10b
%%beside:
	mov	rax, [V]
	call	%%store
	ASSERT	[rdi], %2
	call	r9
	ASSERT	al, r10b
	ASSERT	ah, 0
	inc	rbx
	cmp	rbx, 9
	jl	%%next
	jmp	%%over
%%store:
	mov	[rdi], %2
	ret
%%over:
%endmacro

LONG_PROGRAM
	mov	qword [PDPT + 4 * 8], TABLES|P|W|U
	mov	qword [TABLES], PT_|P|W|U
	mov	qword [PT_], CODE_|P|W|U
	mov	qword [PT_ + 8], BEHIND|P|W|U
	mov	ebp, 3
.round:	call	functions
	mov	r9, VIEW + 0x100
	call	around
	mov	r9d, CODE_ + 0x200
	call	around
	mov	r9, VIEW + 0x500
	call	around
	call	page_end
	call	new_code
	dec	ebp
	jnz	.round
	CHECK	{esp, STACK}
	DONE

functions:
	xor	ecx, ecx
.next:	mov	eax, ecx
	shl	eax, 8
	mov	byte [CODE_ + rax], 0xb8
	mov	[CODE_ + rax + 1], ecx
	mov	byte [CODE_ + rax + 5], 0xc3
	mov	r8, VIEW
	add	r8, rax
	call	r8
	ASSERT	eax, ecx
	inc	ecx
	cmp	ecx, FUNCTIONS
	jb	.next
	ret

around:
	call	r9
	mov	r10d, eax
	AROUND	1, al
	AROUND	2, ax
	AROUND	4, eax
	AROUND	8, rax
	ret

; All addresses at the end of a page whose last function is somewhere else; what is behind it in memory stays.
page_end:
	mov	rax, PATTERN
	mov	[CODE_ + 0x1000], rax
	mov	rbx, VIEW + 0xfb0
.next:	mov	[BEHIND], rax
	mov	rdi, rbx
	not	rax
	call	.store
	ASSERT	[rdi], rax
	ASSERT	[rbx], rax
	not	rax
	ASSERT	[CODE_ + 0x1000], rax
	inc	rbx
	mov	rcx, VIEW + 0x1000
	cmp	rbx, rcx
	jbe	.next
	mov	rcx, VIEW + 0xf00
	call	rcx
	ASSERT	eax, FUNCTIONS - 1
	ret
.store:	mov	[rdi], rax
	ret

; Code where nothing but data was, again and again: at the address it is stored to, and at the other one.
new_code:
	mov	r8d, 20
.next:	mov	rdi, VIEW + 0x780
	mov	rax, 0xc300000000b8
	mov	rcx, r8
	shl	rcx, 8
	or	rax, rcx
	call	.store
	call	rdi
	ASSERT	eax, r8d
	mov	ecx, CODE_ + 0x780
	call	rcx
	ASSERT	eax, r8d
	dec	r8d
	jnz	.next
	ret
.store:	mov	[rdi], rax
	ret
