; SPDX-License-Identifier: GPL-2.0-or-later
; RET, JMP and CALL of 64-bit code to addresses of which others have the lowest 16 bits, or 32: mapped, not mapped, and not canonical, one bit at a time; to code that is changed, mapped elsewhere or
; another one in each address space; in two contexts of one address space. Flags are as they were, where they are looked at.
%include "programs/long.inc"

T	equ TABLES
F	equ FRAMES
BASE	equ 0x200000		; 64 KiB from there on, and each 64 KiB behind it, have the code below in their first page
OTHER_	equ 0x8000000000	; the first 512 GiB again
HIGH_	equ 0xffff800000000000	; and again
PML4_2	equ T + 0x1000
LIVE	equ 0x40
DEAD	equ 0x80
MIXED	equ 0xc0		; either: who looks at flags is gone to by way of who does not
NUMBER	equ 8			; where that is in both
FIRST	equ BASE + 0x10000
MAPPED	equ 1 << 17 | 1 << 32 | 1 << 39	; bits that lead from there to others
ALL_	equ 0x8d5
CR0_TS	equ 8
ring	equ V + 0x10
bit_	equ V + 0x18
place	equ V + 0x20		; what is gone to
number	equ V + 0x28		; what is there
way	equ V + 0x30
turn	equ V + 0x38
nth	equ V + 0x40

; the address in RAX, code of the number %1 there
%macro GO 1
	mov	qword [number], %1
	call	go
%endmacro

LONG_PROGRAM
	mov	byte [IDT + BACK * 16 + 4], 1
	mov	byte [IDT + E_GP * 16 + 4], 1
	mov	byte [IDT + E_PF * 16 + 4], 1
	call	make
	mov	qword [ring], 0
.again:	mov	dword [turn], 4
.turn:	call	everywhere
	call	refused
	call	changed
	call	moved
	call	spaces
	mov	rax, cr0
	or	eax, CR0_TS
	mov	cr0, rax
	call	everywhere
	clts
	dec	dword [turn]
	jnz	.turn
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

; Code and page tables. The first half of numbers is that of the frame.
make:	mov	ebx, F
	call	.code
	mov	dword [F + LIVE + NUMBER], 1
	mov	dword [F + DEAD + NUMBER], 1
	mov	esi, live
	mov	ecx, live.end - live
	call	.mixed
	mov	dword [F + MIXED + NUMBER], 1
	mov	ebx, F + 0x1000
	call	.code
	mov	dword [F + 0x1000 + LIVE + NUMBER], 2
	mov	dword [F + 0x1000 + DEAD + NUMBER], 2
	mov	esi, dead
	mov	ecx, dead.end - dead
	call	.mixed
	mov	dword [F + 0x1000 + MIXED + NUMBER], 2
	mov	qword [PD + 8], T|P|W|U
	mov	qword [T + 0x10 * 8], F|P|W|U
	mov	qword [T + 0x20 * 8], (F + 0x1000)|P|W|U
	mov	qword [T + 0x30 * 8], F|P|W|U
	mov	qword [T + 0x40 * 8], (F + 0x1000)|P|W|U
	mov	qword [PDPT + 4 * 8], PD|P|W|U
	mov	qword [PML4 + 8], PDPT|P|W|U
	mov	qword [PML4 + 256 * 8], PDPT|P|W|U
	; another address space
	mov	qword [PML4_2], (T + 0x2000)|P|W|U
	mov	qword [T + 0x2000], (T + 0x3000)|P|W|U
	mov	qword [T + 0x3000], PT|P|W|U
	mov	qword [T + 0x3008], (T + 0x4000)|P|W|U
	mov	qword [T + 0x4000 + 0x10 * 8], (F + 0x1000)|P|W|U
	mov	qword [T + 0x4000 + 0x20 * 8], F|P|W|U
	ret
.mixed:	lea	edi, [rbx + MIXED]
	rep movsb
	ret
.code:	mov	esi, live
	lea	edi, [rbx + LIVE]
	mov	ecx, live.end - live
	rep movsb
	mov	esi, dead
	lea	edi, [rbx + DEAD]
	mov	ecx, dead.end - dead
	rep movsb
	ret

everywhere:
	mov	dword [nth], 0
.next:	mov	ecx, [nth]
	mov	rax, [places + rcx * 8 + 8]
	mov	[number], rax
	mov	rax, [places + rcx * 8]
	call	go
	add	dword [nth], 2
	cmp	dword [nth], (places.end - places) / 8
	jb	.next
	ret

	align	8
places:
%assign n 1
%rep 4
	dq	BASE + n * 0x10000 + LIVE, 2 - (n & 1)
	dq	BASE + n * 0x10000 + DEAD, 2 - (n & 1)
	dq	BASE + n * 0x10000 + MIXED, 2 - (n & 1)
	dq	BASE + n * 0x10000 + LIVE + 0x100000000, 2 - (n & 1)
	dq	BASE + n * 0x10000 + DEAD + OTHER_, 2 - (n & 1)
	dq	BASE + n * 0x10000 + LIVE + HIGH_, 2 - (n & 1)
	dq	BASE + n * 0x10000 + DEAD + HIGH_, 2 - (n & 1)
	dq	BASE + n * 0x10000 + MIXED + HIGH_, 2 - (n & 1)
%assign n n + 1
%endrep
.end:
ways:	dq	jumps, calls, returns

; To RAX, in all ways
go:	mov	[place], rax
	mov	dword [way], 0
.way:	mov	qword [run_flags], 2
.flags:	call	branch
	ASSERT	qword [got_vector], BACK
	mov	rax, [place]
	ASSERT	[got_rbx], rax
	mov	rax, [number]
	ASSERT	[got_rcx], rax
	mov	al, [place]
	cmp	al, DEAD
	je	.dead
	cmp	al, LIVE
	je	.live
	cmp	byte [number], 1
	jne	.dead
.live:	mov	rax, [got_rax + 6 * 8]
	and	eax, ALL_ | 2
	ASSERT	[run_flags], rax
.dead:	xor	dword [run_flags], ALL_
	test	byte [run_flags], 1
	jnz	.flags
	inc	dword [way]
	cmp	dword [way], 3
	jb	.way
	ret

branch:	mov	rax, [place]
	mov	[RSTACK], rax
	mov	ecx, [way]
	mov	rdx, [ways + rcx * 8]
	jmp	run

; One bit of the address is another one. None of the first 2 MiB's: there is something else.
refused:
	mov	dword [bit_], 16
.next:	mov	dword [way], 0
.way:	mov	rax, FIRST + DEAD
	mov	[place], rax
	mov	qword [number], 1
	call	branch
	ASSERT	qword [got_vector], BACK
	mov	ecx, [bit_]
	mov	eax, 1
	shl	rax, cl
	xor	[place], rax
	mov	qword [run_flags], 2 | ALL_
	call	branch
	mov	ecx, [bit_]
	cmp	ecx, 47
	jae	.not_canonical
	mov	rax, MAPPED
	bt	rax, rcx
	jc	.mapped
	ASSERT	qword [got_vector], E_PF
	mov	rax, [place]
	ASSERT	[got_rip], rax
	ASSERT	[got_cr2], rax
	jmp	.flags
.mapped:
	ASSERT	qword [got_vector], BACK
	mov	rax, [place]
	ASSERT	[got_rbx], rax
	jmp	.on
.not_canonical:
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	mov	ecx, [way]
	mov	rax, [ways + rcx * 8]
	ASSERT	[got_rip], rax
	ASSERT	qword [got_rsp], RSTACK
.flags:	mov	rax, [got_flags]
	and	eax, ALL_
	ASSERT	eax, ALL_
.on:	inc	dword [way]
	cmp	dword [way], 3
	jb	.way
	inc	dword [bit_]
	cmp	dword [bit_], 21
	jne	.more
	inc	dword [bit_]
.more:	cmp	dword [bit_], 64
	jb	.next
	ret

; The code is written to
changed:
	mov	rax, FIRST + DEAD
	GO	1
	mov	dword [F + DEAD + NUMBER], 7
	mov	rax, FIRST + DEAD
	GO	7
	mov	rax, FIRST + DEAD + HIGH_
	GO	7
	mov	dword [F + DEAD + NUMBER], 1
	mov	rax, FIRST + DEAD + HIGH_
	GO	1
	mov	rax, FIRST + LIVE
	GO	1
	mov	byte [F + LIVE + 12], 0xf8	; CLC for NOP, before flags are looked at
	mov	qword [run_flags], 2 | ALL_
	mov	dword [way], 2
	call	branch
	mov	rax, [got_rax + 6 * 8]
	and	eax, ALL_
	ASSERT	eax, ALL_ & ~1
	mov	byte [F + LIVE + 12], 0x90
	mov	rax, FIRST + LIVE
	GO	1
	ret

; The page is another one
moved:	mov	qword [T + 0x10 * 8], (F + 0x1000)|P|W|U
	invlpg	[FIRST]
	mov	rax, FIRST + HIGH_
	invlpg	[rax]
	mov	rax, FIRST + DEAD
	GO	2
	mov	rax, FIRST + LIVE
	GO	2
	mov	rax, FIRST + LIVE + HIGH_
	GO	2
	mov	qword [T + 0x10 * 8], F|P|W|U
	mov	rax, cr3
	mov	cr3, rax
	mov	rax, FIRST + LIVE + HIGH_
	GO	1
	mov	rax, FIRST + DEAD
	GO	1
	mov	rax, FIRST + LIVE
	GO	1
	mov	qword [T + 0x10 * 8], 0
	invlpg	[FIRST]
	mov	dword [way], 0
	call	branch
	ASSERT	qword [got_vector], E_PF
	mov	qword [T + 0x10 * 8], F|P|W|U
	mov	rax, FIRST + LIVE
	GO	1
	ret

spaces:	mov	eax, PML4_2
	mov	cr3, rax
	mov	rax, FIRST + DEAD
	GO	2
	mov	rax, FIRST + 0x10000 + LIVE
	GO	1
	mov	eax, PML4
	mov	cr3, rax
	mov	rax, FIRST + 0x10000 + LIVE
	GO	2
	mov	rax, FIRST + DEAD
	GO	1
	ret

	BRANCHES

	align	16
live:	lea	rbx, [rel live]
	mov	ecx, 0
	nop
	pushfq
	pop	rsi
	int	BACK
.end:
	align	16
dead:	lea	rbx, [rel dead]
	mov	ecx, 0
	add	eax, eax
	int	BACK
.end:
