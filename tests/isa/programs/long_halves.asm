; SPDX-License-Identifier: GPL-2.0-or-later
; RET, JMP and CALL of 64-bit code among many upper halves of RIP, all with the same lower half, by which tables of branch targets go; one of them is taken away and comes back, and another
; address space has other code there.
%include "programs/long.inc"

T	equ TABLES
F	equ FRAMES
PML4_2	equ T + 0x1000
HALVES	equ 21
LOST	equ 5			; one of them
CODE	equ 0x210080		; in each
OFFSET	equ 0x80
NUMBER	equ 8
ring	equ V + 0x10
place	equ V + 0x20
number	equ V + 0x28		; what the code says there; in the other address space
way	equ V + 0x30
turn	equ V + 0x38
nth	equ V + 0x40

LONG_PROGRAM
	mov	byte [IDT + BACK * 16 + 4], 1
	mov	byte [IDT + E_PF * 16 + 4], 1
	call	make
	mov	qword [ring], 0
.again:	mov	dword [turn], 3
.turn:	mov	qword [number], 1
	call	all
	call	lost
	mov	eax, PML4_2
	mov	cr3, rax
	mov	qword [number], 2
	call	all
	mov	eax, PML4
	mov	cr3, rax
	dec	dword [turn]
	jnz	.turn
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

make:	mov	edi, F + OFFSET
	call	.code
	mov	dword [F + OFFSET + NUMBER], 1
	mov	edi, F + 0x1000 + OFFSET
	call	.code
	mov	dword [F + 0x1000 + OFFSET + NUMBER], 2
	mov	qword [PD + 8], T|P|W|U
	mov	qword [T + 0x10 * 8], F|P|W|U
	mov	qword [PML4_2], (T + 0x2000)|P|W|U
	mov	qword [T + 0x2000], (T + 0x3000)|P|W|U
	mov	qword [T + 0x3000], PT|P|W|U
	mov	qword [T + 0x3008], (T + 0x4000)|P|W|U
	mov	qword [T + 0x4000 + 0x10 * 8], (F + 0x1000)|P|W|U
	mov	ecx, 1
.half:	mov	eax, ecx
	shl	eax, 5			; four entries of the PDPT
	mov	qword [PDPT + rax], PD|P|W|U
	mov	rdx, (T + 0x3000)|P|W|U
	mov	[T + 0x2000 + rax], rdx
	inc	ecx
	cmp	ecx, HALVES
	jb	.half
	ret
.code:	mov	esi, code
	mov	ecx, code.end - code
	rep movsb
	ret

; Each, and the first one after each.
all:	mov	dword [nth], 0
.next:	mov	eax, [nth]
	call	go
	xor	eax, eax
	call	go
	inc	dword [nth]
	cmp	dword [nth], HALVES
	jb	.next
	ret

; To that half, in all ways
go:	shl	rax, 32
	or	rax, CODE
	mov	[place], rax
	mov	dword [way], 0
.way:	call	branch
	ASSERT	qword [got_vector], BACK
	mov	rax, [place]
	ASSERT	[got_rbx], rax
	mov	rax, [number]
	ASSERT	[got_rcx], rax
	inc	dword [way]
	cmp	dword [way], 3
	jb	.way
	ret

branch:	mov	rax, [place]
	mov	[RSTACK], rax
	mov	ecx, [way]
	mov	rdx, [ways + rcx * 8]
	jmp	run

lost:	mov	eax, LOST
	call	go
	mov	qword [PDPT + LOST * 32], 0
	mov	rax, cr3
	mov	cr3, rax
	mov	dword [way], 0
.way:	call	branch
	ASSERT	qword [got_vector], E_PF
	mov	rax, [place]
	ASSERT	[got_rip], rax
	ASSERT	[got_cr2], rax
	inc	dword [way]
	cmp	dword [way], 3
	jb	.way
	mov	qword [PDPT + LOST * 32], PD|P|W|U
	mov	eax, LOST
	jmp	go

ways:	dq	jumps, calls, returns

	BRANCHES

	align	16
code:	lea	rbx, [rel code]
	mov	ecx, 0
	int	BACK
.end:
