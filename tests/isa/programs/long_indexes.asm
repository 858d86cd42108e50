; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code with indexes of all sizes: the same code with those that are small and those that are not, bases that are no canonical addresses when only the sum is one, and indexes that the code has
; computed. The sum is always that of a word that holds 1.
%include "programs/long.inc"

T	equ TABLES
LOW_	equ 0x8fffff000		; pages of ones on both sides of a multiple of 4 GiB
EDGE	equ 0x900000000
OTHER_	equ 0x8000000000	; the first 512 GiB again
HIGH_	equ 0xffff800000000000	; and again
ring	equ V + 0x10
at_	equ V + 0x18
scale	equ V + 0x20
code	equ V + 0x28
place	equ V + 0x30

; snippet, scale: for each index and each place
%macro READS 2
	mov	qword [code], %1
	mov	qword [scale], %2
	call	each
%endmacro

LONG_PROGRAM
	mov	byte [IDT + E_GP * 16 + 4], 1
	mov	byte [IDT + E_PF * 16 + 4], 1
	mov	byte [IDT + BACK * 16 + 4], 1
	EDGE_PAGES 1024
	mov	qword [ring], 0
.again:	READS	by1, 1
	READS	by2, 2
	READS	by4, 4
	READS	by8, 8
	READS	swapped, 1
	READS	swapped_vex, 1
	READS	zeros4, 4
	READS	zeros8, 8
	READS	signs8, 8
	READS	chained, 8
	READS	chosen, 8
	READS	loop_, 8
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

; R9 = what the snippet makes of the index in R8
each:	mov	rbx, places
.place:	mov	rax, [rbx]
	mov	[place], rax
	mov	rsi, indexes
.next:	mov	r8, [rsi]
	push	rsi
	push	rbx
	mov	rax, [code]
	call	[rax - 8]
	imul	r9, [scale]
	mov	rdi, [place]
	sub	rdi, r9
	mov	rbp, rdi
	mov	rdx, [code]
	mov	[at_], r8
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rbx], 1
	pop	rbx
	pop	rsi
	add	rsi, 8
	cmp	rsi, indexes.end
	jb	.next
	add	rbx, 8
	cmp	rbx, places.end
	jb	.place
	ret

	align	8
places:	dq	LOW_ + 8, EDGE - 8, EDGE, EDGE + OTHER_, LOW_ + HIGH_, LOW_ + 0xff0
.end:
indexes: dq	0, 1, -1, 0x1000, -0x1000, 1 << 20, -(1 << 20), 0x7ffffff, 0x7fffffff, 0x80000000, -0x7fffffff, -0x80000000, -0x80000001, 0xfffffff8, 0xffffffff, 1 << 32, -(1 << 32)
	dq	1 << 33, 1 << 35, -(1 << 35), 1 << 46, 1 << 47, -(1 << 47), 1 << 48, 1 << 50, (1 << 51) + 1, 1 << 51, -(1 << 51), 1 << 52, 1 << 60, (1 << 61) + 0x100, 1 << 61, 1 << 62, 1 << 63, 0x7fffffffffffffff
	dq	0x123456789abcdef0, 0xfedcba9876543210, 0, 1, -1
.end:

; what comes before a snippet tells what becomes of the index
%macro SNIPPET 2	; name, of the index
	align	8
	dq	%2
%1:
%endmacro

same:	mov	r9, r8
	ret
zeros:	mov	r9d, r8d
	ret
signs:	movsxd	r9, r8d
	ret
chain:	mov	r9d, r8d
	movzx	eax, r8b
	lea	r9, [r9 + rax * 4]
	sub	r9, 0x100
	neg	r9
	inc	r9
	shl	r9, 2
	ret
choice:	movzx	r9d, r8w
	mov	eax, r8d
	test	r8b, 1
	cmovnz	r9, rax
	ret

SNIPPET	by1, same
	mov	rbx, [rdi + r8]
	int	BACK
SNIPPET	by2, same
	mov	rbx, [rdi + r8 * 2]
	add	r8, 8
	mov	rcx, [rdi + r8 * 2 - 16]
	int	BACK
SNIPPET	by4, same
	mov	rbx, [rdi + r8 * 4]
	sub	r8, 0x100
	mov	[rdi + r8 * 4 + 0x400], rbx
	int	BACK
SNIPPET	by8, same
	mov	rbx, [rdi + r8 * 8]
	cmp	rbx, [rdi + r8 * 8]
	int	BACK
SNIPPET	swapped, same
	mov	rbx, [r8 + rdi]
	or	rbx, [rdi + r8]
	int	BACK
; base and index change places, in an encoding that has VEX
SNIPPET	swapped_vex, zeros
	mov	eax, r8d
	mov	r9, rdi
	xor	ecx, ecx
	andn	rbx, rcx, [rax + r9]
	int	BACK
SNIPPET	zeros4, zeros
	mov	eax, r8d
	mov	rbx, [rdi + rax * 4]
	int	BACK
SNIPPET	zeros8, zeros
	mov	eax, r8d
	or	eax, eax
	mov	rbx, [rdi + rax * 8]
	int	BACK
SNIPPET	signs8, signs
	movsxd	rax, r8d
	mov	rbx, [rdi + rax * 8]
	int	BACK
SNIPPET	chained, chain
	mov	eax, r8d
	movzx	ecx, r8b
	lea	rax, [rax + rcx * 4]
	sub	rax, 0x100
	neg	rax
	inc	rax
	shl	rax, 2
	mov	rbx, [rdi + rax * 8]
	int	BACK
SNIPPET	chosen, choice
	movzx	eax, r8w
	mov	ecx, r8d
	test	r8b, 1
	cmovnz	rax, rcx
	mov	rbx, [rdi + rax * 8]
	int	BACK
; the index and the base move
SNIPPET	loop_, same
	mov	ecx, 3
.next:	mov	rbx, [rdi + r8 * 8]
	add	r8, 1
	lea	rdi, [rdi - 8]
	dec	ecx
	jnz	.next
	int	BACK
