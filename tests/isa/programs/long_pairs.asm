; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code that uses R10 and R11 more than others, which are not always in registers: the same sums as by other registers, over blocks that use them and blocks that do not, and all registers when
; such a block is left in the middle.
%include "programs/long.inc"

words	equ FRAMES		; 512 of them
AWAY	equ 0xa00000000		; nothing is mapped
count	equ V + 0x10
ring	equ V + 0x18
sums	equ V + 0x20

; A round over all registers; %1, %2: what takes the place of R10 and R11
%macro ROUND 2
	mov	%1, [rsi]
	xor	%1, r8
	ror	%1, 11
	add	%2, %1
	mov	%1, r9
	rol	%1, 7
	xor	%2, %1
	lea	%1, [%2 + r12 * 4 + 3]
	add	r8, %2
	xor	r9, %1
	imul	%1, %2, 0x1003
	add	r12, %1
	mov	[rsi + 0x800], %1
	add	%2, [rsi + 8]
	push	%1
	push	r13
	pop	%1
	pop	r13
	xor	r14, %1
	bswap	%2
	mov	%1, %2
	shrd	%1, r15, 9
	sub	r15, %1
	movzx	ebx, %1 %+ b
	add	r14, [rsi + rbx * 8]
	mov	bl, [rsi + 9]
	add	ah, [rsi + 3]
	add	%1 %+ w, 0x1234
	mov	%2 %+ d, %2 %+ d
	add	r13, %1
%endmacro

%define raxb al
%define raxw ax
%define rdxd edx
%define rbpb bpl
%define rbpw bp

; RSI: words; ECX: rounds
%macro ROUNDS 2
	mov	qword [words + 8], 0x1234567
	xor	eax, eax
	mov	r8, 0x0123456789abcdef
	mov	r9, 0xfedcba9876543210
	lea	r12, [r8 + r9 * 2]
	mov	r13d, 0x8badf00d
	mov	r14d, 5
	mov	r15, -7
	mov	%2, 0x9e3779b97f4a7c15
	lea	rsi, [words]
	mov	ecx, 300
%%next:	ROUND	%1, %2
	test	%1, 3
	jz	%%other
	call	less_%1
	test	%2, 0x10
	jz	%%on
%%other:
	add	r8, 3
	add	r12, r8
%%on:	lea	rdi, [rel %%there]
	jmp	rdi
%%there: dec	ecx
	jnz	%%next
%endmacro

%macro KEEP 3
	mov	[sums + %3], r8
	mov	[sums + %3 + 0x08], r9
	mov	[sums + %3 + 0x10], r12
	mov	[sums + %3 + 0x18], r13
	mov	[sums + %3 + 0x20], r14
	mov	[sums + %3 + 0x28], r15
	mov	[sums + %3 + 0x30], %1
	mov	[sums + %3 + 0x38], %2
%endmacro

%macro SAME 1
	mov	rax, [sums + %1]
	ASSERT	rax, [sums + 0x40 + %1]
%endmacro

LONG_PROGRAM
	mov	byte [IDT + E_PF * 16 + 4], 1
	mov	byte [IDT + E_DE * 16 + 4], 1
	mov	byte [IDT + BACK * 16 + 4], 1
	mov	qword [ring], 0
.again:	mov	dword [count], 3
.next:	mov	rdx, by_r10
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rdx, by_others
	call	run
	ASSERT	qword [got_vector], BACK
	SAME	0
	SAME	8
	SAME	0x10
	SAME	0x18
	SAME	0x20
	SAME	0x28
	SAME	0x30
	SAME	0x38
	call	middle
	dec	dword [count]
	jnz	.next
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

; a short block, and a string instruction
less_r10:
	mov	[words + 0x18], r10
	lea	rdi, [words + 0x20]
	xchg	rax, r8
	stosq
	xchg	rax, r8
	ret
less_rbp:
	mov	[words + 0x18], rbp
	lea	rdi, [words + 0x20]
	xchg	rax, r8
	stosq
	xchg	rax, r8
	ret

clear:	lea	rdi, [words]
	xor	eax, eax
	mov	ecx, 512
	rep stosq
	ret

by_r10:	call	clear
	ROUNDS	r10, r11
	KEEP	r10, r11, 0
	int	BACK
by_others:
	call	clear
	ROUNDS	rbp, rdx
	KEEP	rbp, rdx, 0x40
	int	BACK

%macro LEAVES 3	; vector, snippet, where
	mov	rdx, %2
	call	run
	ASSERT	qword [got_vector], %1
	ASSERT	qword [got_rip], %3
	xor	ecx, ecx
%%next:	mov	rax, [got_rax + 0x40 + rcx * 8]
	sub	rax, 0x1111
	ASSERT	rax, rcx
	inc	ecx
	cmp	ecx, 8
	jb	%%next
%endmacro

; R8 to R15 are 1111 to 1118
%macro NUMBERS 0
	mov	r10d, 0x1000
	mov	r11d, 0x1000
	add	r10d, 0x100
	add	r11d, 0x100
	xor	r10d, 0x13
	xor	r11d, 0x14
	add	r10, r11
	sub	r11, r10
	neg	r11
	sub	r10, r11
	xchg	r10, r11
	lea	r8d, [r10 - 2]
	lea	r9d, [r11 - 2]
	lea	r12d, [r11 + 1]
	lea	r13d, [r10 + 3]
	lea	r14d, [r11 + 3]
	lea	r15d, [r11 + 4]
%endmacro

middle:	LEAVES	E_PF, loads, loads.at
	LEAVES	E_PF, stores, stores.at
	LEAVES	E_DE, divides, divides.at
	LEAVES	E_PF, pops, pops.at
	LEAVES	BACK, ends, ends.at
	ret

loads:	mov	rsi, AWAY
	NUMBERS
.at:	mov	r10, [rsi]
	int	BACK
stores:	mov	rsi, AWAY
	NUMBERS
.at:	add	[rsi + r9 * 4], r11d
	int	BACK
divides:
	xor	eax, eax
	xor	edx, edx
	xor	ebx, ebx
	NUMBERS
.at:	div	ebx
	int	BACK
pops:	mov	rsi, AWAY
	NUMBERS
	mov	rbp, rsp
	mov	rsp, rsi
.at:	pop	r11
	int	BACK
ends:	NUMBERS
	jmp	.over
.over:	int	BACK
.at:
