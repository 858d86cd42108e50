; SPDX-License-Identifier: GPL-2.0-or-later
; The same 64-bit code of ring 3 at several addresses, the last of which are next to what is not canonical: branches by up to 2 GiB lead beyond it there, forwards and backwards, and code runs off the end.
%include "programs/long.inc"

T	equ TABLES
LOW_	equ 0x800000000
NEXT	equ 0x900000000
TOP	equ 0x7ffffffff000
BOTTOM	equ 0xffff800000000000

%define HERE(x) ((x) - snippets)

; Where the page is, snippet: it comes to the address, in the page or not, and cannot be fetched there.
%macro LEADS 3
	mov	rdx, (%1) + HERE(%2)
	call	run
	mov	rax, (%1) + (%3)
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], PF_U|PF_I
	ASSERT	[got_rip], rax
	ASSERT	[got_cr2], rax
%endmacro

; It ends in #GP at the branch.
%macro LEADS_NOWHERE 3
	mov	rdx, (%1) + HERE(%2)
	call	run
	mov	rax, (%1) + HERE(%3)
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	ASSERT	[got_rip], rax
%endmacro

LONG_PROGRAM
	mov	qword [PDPT + 32 * 8], T|P|W|U
	mov	qword [PDPT + 36 * 8], T|P|W|U
	mov	qword [T], (T + 0x1000)|P|W|U
	mov	qword [T + 0x1000], FRAMES|P|W|U
	mov	qword [PML4 + 256 * 8], (T + 0x2000)|P|W|U
	mov	qword [T + 0x2000], T|P|W|U
	mov	qword [PML4 + 255 * 8], (T + 0x3000)|P|W|U
	mov	qword [T + 0x3000 + 511 * 8], (T + 0x4000)|P|W|U
	mov	qword [T + 0x4000 + 511 * 8], (T + 0x5000)|P|W|U
	mov	qword [T + 0x5000 + 511 * 8], FRAMES|P|W|U
	mov	rax, cr3
	mov	cr3, rax
	mov	esi, snippets
	mov	edi, FRAMES
	mov	ecx, snippets_end - snippets
	rep	movsb
	IN	CODE64_3, DATA32_3
	mov	r9d, 3
.round:
%macro ALL 1
	LEADS	%1, back, -0x800
	LEADS	%1, far_back, -0x80000000 + HERE(far_back.end)
	LEADS	%1, back_if, -0x800
	LEADS	%1, called, -0x400
	LEADS	%1, on, 0x1800
	LEADS	%1, far_on, 0x7fffffff + HERE(far_on.end)
%endmacro
	ALL	LOW_
	ALL	NEXT
	LEADS	BOTTOM, on, 0x1800
	LEADS	BOTTOM, far_on, 0x7fffffff + HERE(far_on.end)
	LEADS_NOWHERE BOTTOM, back, back.at
	LEADS_NOWHERE BOTTOM, far_back, far_back
	LEADS_NOWHERE BOTTOM, back_if, back_if.at
	LEADS_NOWHERE BOTTOM, called, called
	LEADS	TOP, back, -0x800
	LEADS	TOP, far_back, -0x80000000 + HERE(far_back.end)
	LEADS	TOP, back_if, -0x800
	LEADS	TOP, called, -0x400
	LEADS_NOWHERE TOP, on, on
	LEADS_NOWHERE TOP, far_on, far_on
	ALL	NEXT
	dec	r9d
	jnz	.round
	CHECK	{esp, STACK}
	DONE

	align	16
snippets:
back:	mov	eax, 1
.at:	jmp	near snippets - 0x800
far_back:
	db	0xe9
	dd	0x80000000
.end:
back_if:
	xor	eax, eax
.at:	jz	near snippets - 0x800
	int	BACK
called:	call	snippets - 0x400
on:	jmp	near snippets + 0x1800
far_on:	db	0xe9
	dd	0x7fffffff
.end:
snippets_end:
