; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code whose page faults are dealt with: pages come with the first access, at instructions that do this all the time, are used a little or a lot, across their ends, and go, come back as others,
; become read-only, tables, code. In both rings.
%include "programs/long.inc"

PT_	equ TABLES
PD_	equ TABLES + 0x1000
PLAY	equ 0x1_0000_0000
BEHIND	equ PLAY + 0x200000	; what a page of PLAY's is the table of
MEMORY	equ 0x40000
%define F(n) (MEMORY + (n) * 0x1000)
PAGES	equ 16
ROUNDS	equ 12
HOT	equ 5000		; accesses to one page

faults	equ V			; taken by PLAY
give	equ V + 8		; what the next one gets: the first frame, and the entry's bits; page by page
error	equ V + 0x10		; of the last one
ring	equ V + 0x18
round	equ V + 0x20
left	equ V + 0x28
before	equ V + 0x30

; Label: runs it in `ring`, with RBX = PLAY.
%macro GO 1
	mov	rdx, %1
	mov	rbx, PLAY
	call	go
	ASSERT	qword [got_vector], BACK
%endmacro

LONG_PROGRAM
	mov	eax, page_fault
	mov	[IDT + E_PF * 16], ax
	mov	rax, cr0
	or	eax, CR0_WP
	mov	cr0, rax
	mov	qword [PDPT + 4 * 8], PD_|P|W|U
	mov	qword [PD_], PT_|P|W|U
	mov	qword [ring], 0
.ring:	mov	qword [round], 0
.round:	call	clear
	call	pages
	call	crosses
	call	hot
	call	rights
	call	table
	call	code
	inc	qword [round]
	cmp	qword [round], ROUNDS
	jb	.round
	inc	qword [ring]
	cmp	qword [ring], 2
	jb	.ring
	CHECK	{esp, STACK}
	DONE

page_fault:
	push	rax
	push	rcx
	mov	rax, [rsp + 16]
	mov	[error], rax
	inc	qword [faults]
	mov	rax, cr2
	shr	eax, 12
	and	eax, 511
	mov	rcx, rax
	shl	ecx, 12
	add	rcx, [give]
	mov	[PT_ + rax * 8], rcx
	mov	rax, cr2
	invlpg	[rax]
	pop	rcx
	pop	rax
	add	rsp, 8
	iretq

go:	cmp	qword [ring], 0
	jne	.user
	IN	CODE64, DATA32
	jmp	run
.user:	IN	CODE64_3, DATA32_3
	jmp	run

; Memory of the frames, and all pages gone.
clear:	mov	edi, MEMORY
	mov	ecx, 48 * 512
	xor	eax, eax
	rep	stosq
; All pages gone. The next ones are others in each round.
gone:	mov	edi, PT_
	mov	ecx, 512
	xor	eax, eax
	rep	stosq
	mov	rax, cr3
	mov	cr3, rax
	mov	qword [faults], 0
	mov	rax, [round]
	and	eax, 3
	shl	eax, 12
	lea	rax, [rax + F(0) + P + W + U]
	mov	[give], rax
	ret

; RDI: where page RAX is in memory
frame:	mov	rdi, [give]
	and	rdi, -0x1000
	shl	eax, 12
	add	rdi, rax
	ret

; Each page is stored to, and loaded from.
pages:	call	gone
	mov	eax, 7
	add	rax, [round]
	GO	touch
	ASSERT	qword [faults], PAGES
	xor	esi, esi
	xor	ecx, ecx
.page:	mov	eax, esi
	call	frame
	lea	rax, [rsi + 7]
	add	rax, [round]
	ASSERT	[rdi + 0x10], rax
	add	rcx, rax
	ASSERT	dword [rdi + 0x20], eax
	ASSERT	word [rdi + 0x30], ax
	inc	esi
	cmp	esi, PAGES
	jb	.page
	ASSERT	[got_rcx], rcx
	ret

touch:	xor	ecx, ecx
	mov	r8d, PAGES
.page:	mov	[rbx + 0x10], rax
	add	rcx, [rbx + 0x10]
	lock	xadd [rbx + 0x20], eax ; 0 was there
	mov	eax, [rbx + 0x20]
	movd	xmm0, [rbx + 0x20]
	movd	eax, xmm0
	mov	r11w, ax
	mov	[rbx + 0x30], r11w
	inc	rax
	add	rbx, 0x1000
	dec	r8d
	jnz	.page
	int	BACK

; Of each store of eight bytes four are in the next page.
crosses:
	call	clear
	mov	rax, 0x8877665544332211
	GO	across
	ASSERT	qword [faults], PAGES + 1
	mov	esi, 0
.page:	mov	eax, esi
	call	frame
	ASSERT	dword [rdi + 0xffc], 0x44332211
	ASSERT	dword [rdi + 0x1000], 0x88776655
	inc	esi
	cmp	esi, PAGES
	jb	.page
	mov	rax, 0x8877665544332211
	ASSERT	[got_rcx], rax
	ret

across:	mov	r8d, PAGES
.page:	mov	[rbx + 0xffc], rax
	mov	rcx, [rbx + 0xffc]
	add	rbx, 0x1000
	dec	r8d
	jnz	.page
	int	BACK

; One page, again and again, at the instruction that it comes with.
hot:	call	clear
	GO	often
	ASSERT	qword [faults], 2
	xor	eax, eax
	call	frame
	ASSERT	qword [rdi + 8], HOT
	ASSERT	qword [rdi + 0x1008], HOT
	ret

often:	mov	r8d, HOT
.again:	inc	qword [rbx + 8]
	inc	qword [rbx + 0x1008]
	dec	r8d
	jnz	.again
	int	BACK

; A page that can be written no more, and again.
rights:	call	clear
	mov	qword [left], 8
.again:	GO	stores
	xor	eax, eax
	call	frame
	ASSERT	qword [rdi + 0x40], 0x55
	mov	qword [rdi + 0x40], 0
	mov	rax, [faults]
	mov	[before], rax
	and	qword [PT_], ~W
	mov	rbx, PLAY
	invlpg	[rbx]
	GO	loads
	ASSERT	qword [got_rcx], 0
	mov	rax, [faults]
	ASSERT	[before], rax
	GO	stores
	mov	rax, [faults]
	dec	rax
	ASSERT	[before], rax
	mov	rax, [ring]
	lea	rax, [rax * PF_U + PF_P + PF_W]
	ASSERT	[error], rax
	xor	eax, eax
	call	frame
	ASSERT	qword [rdi + 0x40], 0x55
	and	qword [PT_], ~D		; clean: the next store sets it
	mov	rbx, PLAY
	invlpg	[rbx]
	GO	stores
	mov	rax, [PT_]
	and	eax, D
	ASSERT	rax, D
	dec	qword [left]
	jnz	.again
	ret

stores:	mov	qword [rbx + 0x40], 0x55
	int	BACK
loads:	mov	rcx, [rbx + 0x40]
	int	BACK

; The page becomes a page table, and is stored to where it is data.
table:	call	clear
	mov	rax, F(30) + (P|W|U)
	GO	touch			; which has found many pages
	mov	qword [F(30)], 0x30
	mov	qword [F(31)], 0x31
	xor	eax, eax
	call	frame
	lea	rax, [rdi + (P|W|U)]
	mov	[PD_ + 8], rax
	mov	rax, cr3
	mov	cr3, rax
	GO	through2
	ASSERT	qword [got_rcx], 0x30
	mov	rax, F(31) + (P|W|U)
	GO	touch
	mov	rbx, BEHIND + 0x2000
	invlpg	[rbx]
	GO	through2
	ASSERT	qword [got_rcx], 0x31
	mov	qword [PD_ + 8], 0
	call	clear
	mov	rax, F(30) + (P|W|U)
	GO	set_entry
	mov	qword [F(30)], 0x30
	mov	qword [F(31)], 0x31
	mov	qword [F(32)], 0x32
	xor	eax, eax
	call	frame
	lea	rax, [rdi + (P|W|U)]
	mov	[PD_ + 8], rax
	mov	rax, cr3
	mov	cr3, rax
	mov	qword [left], 8
.again:	GO	through
	ASSERT	qword [got_rcx], 0x30
	mov	rax, F(31) + (P|W|U)
	GO	set_entry
	call	.flush
	GO	through
	ASSERT	qword [got_rcx], 0x31
	mov	rax, F(32) + (P|W|U)
	GO	set_entry
	call	.flush
	GO	through
	ASSERT	qword [got_rcx], 0x32
	mov	rax, F(30) + (P|W|U)
	GO	set_entry
	call	.flush
	dec	qword [left]
	jnz	.again
	mov	qword [PD_ + 8], 0
	mov	rax, cr3
	mov	cr3, rax
	ret
.flush:	mov	rbx, BEHIND
	invlpg	[rbx]
	ret

set_entry: mov	[rbx], rax
	int	BACK
through2: add	rbx, 0x2000
through: mov	rcx, [rbx + BEHIND - PLAY]
	int	BACK

; Code is stored to the page, and run, and stored to once more.
code:	call	clear
	mov	rax, 0x30cd_00000000_b9 + (1 << 8)	; mov ecx, 1; int BACK
	GO	touch
	GO	.touched
	ASSERT	qword [got_rcx], 1
	mov	rax, 0x30cd_00000000_b9 + (2 << 8)
	GO	touch
	GO	.touched
	ASSERT	qword [got_rcx], 2
	mov	qword [left], 8
.again:	mov	rax, 0x30cd_00000000_b9 + (1 << 8)	; mov ecx, 1; int BACK
	GO	patch
	GO	.play
	ASSERT	qword [got_rcx], 1
	mov	rax, 0x30cd_00000000_b9 + (2 << 8)
	GO	patch
	GO	.play
	ASSERT	qword [got_rcx], 2
	mov	rax, 7
	GO	beside
	GO	.play
	ASSERT	qword [got_rcx], 2
	dec	qword [left]
	jnz	.again
	ret
.play	equ PLAY + 0x800
.touched equ PLAY + 0x10

patch:	mov	[rbx + 0x800], rax
	int	BACK
beside:	mov	[rbx + 0x400], rax
	int	BACK
