; SPDX-License-Identifier: GPL-2.0-or-later
; Interrupts at random moments of repeated string instructions: RF is in the flags that are saved after any element but the last, and never else (SDM vol. 3, 17.3.1.1).
%include "isa.inc"
%define ENOUGH 8	; in the middle of each
COUNT	equ 0x100000
V	equ 0xa000
rep_at	equ V		; EIP of the string instruction under test
count	equ V + 4	; its ECX
inside	equ V + 8	; interrupts in its middle, so far
bad	equ V + 12	; RF that is not as it should be

; Executes an instruction until enough interrupts have come in its middle.
%macro INTERRUPTED 3+	; times, ECX, instruction
	mov	dword [inside], 0
	mov	dword [bad], 0
	mov	dword [rep_at], %%rep
	mov	dword [count], %2
%%again:
	xor	esi, esi
	mov	edi, 0x20000
	mov	ecx, %2
%%rep:	%3
	cmp	dword [inside], %1
	jb	%%again
	CHECK	{mem32, bad, 0}, {ecx, 0}, {esp, STACK}
%endmacro

PROGRAM PM32
	mov	eax, isr
	mov	[IDT + 8 * 0x40], ax
	shr	eax, 16
	mov	[IDT + 8 * 0x40 + 6], ax
	mov	ax, BASED_4G
	mov	fs, ax
	mov	al, 0x40
	out	P_ASYNC, al
	sti
	INTERRUPTED ENOUGH, COUNT, rep lodsb
	INTERRUPTED ENOUGH, COUNT / 2, repe lodsw
	xor	eax, eax
	INTERRUPTED ENOUGH, COUNT / 4, rep stosd
	INTERRUPTED ENOUGH, COUNT / 4, repe scasd
	INTERRUPTED ENOUGH, 0xe0000, rep movsb
	; by its C body: another segment
	INTERRUPTED ENOUGH, 0xe0000, fs rep lodsb
	mov	al, 0
	out	P_ASYNC, al
	cli
	DONE

isr:	push	eax
	push	ebx
	mov	eax, [esp + 16]
	and	eax, RF
	mov	ebx, [esp + 8]
	cmp	ebx, [rep_at]
	jne	.outside
	cmp	ecx, [count]
	je	.outside
	inc	dword [inside]
	xor	eax, RF
.outside:
	or	[bad], eax
	pop	ebx
	pop	eax
	iretd
