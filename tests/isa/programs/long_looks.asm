; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code that takes page faults again and again at the same instructions: every state of a page, at addresses whose lower halves are the same in two stretches of 4 GiB and in two address
; spaces, from both rings, across the end of a page and of 4 GiB. Whatever the instruction did last, it does what the tables say now.
%include "programs/long.inc"

PT_	equ TABLES		; of PLAY, and of the first page behind a multiple of 4 GiB
PD_	equ TABLES + 0x1000
PT2	equ TABLES + 0x2000	; of PLAY2
PD2	equ TABLES + 0x3000
PT3	equ TABLES + 0x4000	; of PLAY in the other address space
PD3	equ TABLES + 0x5000
PT4	equ TABLES + 0x6000	; of the last page before that multiple
PD4	equ TABLES + 0x7000
PDPT3	equ TABLES + 0x8000
PML43	equ TABLES + 0x9000
PT5	equ TABLES + 0xa000	; of UPPER + PLAY2 there
PD5	equ TABLES + 0xb000
PLAY	equ 0x1_0000_0000
PLAY2	equ 0x2_0000_0000
UPPER	equ 0xffff800000000000	; the first 512 GiB again
MEMORY	equ 0x40000
%define F(n) (MEMORY + (n) * 0x1000)

BASE	equ 0x1000		; of FS
STATES	equ 5
STATES2	equ 3			; of the other page
state	equ V			; of the page in question, and of another one
state2	equ V + 8
place	equ V + 0x10
ring	equ V + 0x18
error	equ V + 0x20		; wanted; -1: no fault
address	equ V + 0x28
writes	equ V + 0x30
frame	equ V + 0x38
site	equ V + 0x40

LONG_PROGRAM
	mov	ecx, 7
.number:
	mov	eax, ecx
	shl	eax, 12
	mov	[F(0) + 0x10 + rax], rcx
	dec	ecx
	jns	.number
	mov	qword [PDPT + 4 * 8], PD_|P|W|U
	mov	qword [PD_], PT_|P|W|U
	mov	qword [PDPT + 8 * 8], PD2|P|W|U
	mov	qword [PD2], PT2|P|W|U
	mov	qword [PDPT + 3 * 8], PD4|P|W|U
	mov	qword [PD4 + 511 * 8], PT4|P|W|U
	mov	qword [PD3], PT3|P|W|U
	mov	qword [PML4 + 256 * 8], PDPT|P|W|U
	mov	esi, PDPT
	mov	edi, PDPT3
	mov	ecx, 512
	rep	movsq
	mov	qword [PDPT3 + 4 * 8], PD3|P|W|U
	mov	qword [PDPT3 + 8 * 8], PD5|P|W|U
	mov	qword [PD5], PT5|P|W|U
	mov	qword [PML43], PDPT3|P|W|U
	mov	qword [PML43 + 256 * 8], PDPT3|P|W|U
	SET_MSR	FS_BASE, BASE
	mov	rax, cr0
	or	eax, CR0_WP
	mov	cr0, rax
	call	all
	call	straddles
	call	wild
	CHECK	{esp, STACK}
	DONE

; Each site, with each pair of states at two places.
all:	mov	qword [site], 0
.site:	mov	qword [state], 0
.state:	mov	qword [state2], 0
.state2:
	mov	qword [place], 0
.place:	call	set
	mov	qword [ring], 0
.ring:	mov	rax, [state]
	mov	r8d, [place]
	call	try
	mov	rax, [state2]
	mov	r8d, [place]
	inc	r8d
	cmp	r8d, PLACES
	jb	.other
	xor	r8d, r8d
.other:	call	try
	inc	qword [ring]
	cmp	qword [ring], 2
	jb	.ring
	inc	qword [place]
	cmp	qword [place], PLACES
	jb	.place
	inc	qword [state2]
	cmp	qword [state2], STATES2
	jb	.state2
	inc	qword [state]
	cmp	qword [state], STATES
	jb	.state
	inc	qword [site]
	cmp	qword [site], SITES
	jb	.site
	ret

; The page at `place` has `state`, that at the next one state2. Frames differ.
set:	mov	r8d, [place]
	mov	rax, [state]
	call	.one
	mov	r8d, [place]
	inc	r8d
	cmp	r8d, PLACES
	jb	.next
	xor	r8d, r8d
.next:	mov	rax, [state2]
.one:	mov	rdi, [entries + r8 * 8]
	lea	rcx, [r8 + 1]
	shl	ecx, 12
	mov	rdx, [states + rax * 8]
	lea	rcx, [rcx + rdx + MEMORY]
	mov	[rdi], rcx
	mov	rax, [spaces + r8 * 8]
	mov	cr3, rax
	mov	rbx, [places + r8 * 8]
	invlpg	[rbx]
	ret

; The site at place R8, whose page has state RAX.
try:	mov	rcx, [spaces + r8 * 8]
	mov	cr3, rcx
	mov	rbx, [places + r8 * 8]
	lea	rcx, [rbx + 0x10]
	mov	[address], rcx
	lea	rcx, [r8 + 1]
	mov	[frame], rcx
	mov	rcx, [site]
	mov	rdx, [sites + rcx * 8]
	movzx	ecx, byte [writers + rcx]
	mov	[writes], rcx
	call	judge
	mov	rax, [frame]		; what is stored
	mov	r10, rax
	xor	r11d, r11d
	xor	ecx, ecx
	mov	r9, rax
	call	go
	cmp	qword [error], -1
	jne	.faults
	ASSERT	qword [got_vector], BACK
	mov	rax, [frame]
	cmp	qword [site], LOADS
	jae	.stored
	ASSERT	[got_rax], rax
.stored:
	mov	rdi, rax
	shl	edi, 12
	ASSERT	[rdi + MEMORY + 0x10], rax
	ret
.faults:
	ASSERT	qword [got_vector], E_PF
	mov	rax, [error]
	ASSERT	[got_error], rax
	mov	rax, [address]
	ASSERT	[got_cr2], rax
	ret

; error: that of an access to a page of state RAX.
judge:	mov	rcx, [states + rax * 8]
	mov	r9, [writes]
	lea	r9, [r9 * PF_W]
	mov	rsi, [ring]
	lea	r9, [r9 + rsi * PF_U]
	mov	qword [error], -1
	test	cl, P
	jz	.fault
	or	r9d, PF_P
	test	cl, U
	jnz	.user
	cmp	qword [ring], 0
	jne	.fault
.user:	cmp	qword [writes], 0
	je	.fine
	test	cl, W
	jnz	.fine			; WP is set
.fault:	mov	[error], r9
.fine:	ret

; Runs the snippet at RDX in `ring`.
go:	cmp	qword [ring], 0
	jne	.user
	IN	CODE64, DATA32
	jmp	run
.user:	IN	CODE64_3, DATA32_3
	jmp	run

; Eight bytes, of which four are in the last page before a multiple of 4 GiB: of two chunks, of two tables.
straddles:
	mov	qword [site], 0
.site:	mov	qword [state], 0
.state:	mov	qword [state2], 0
.state2:
	mov	qword [ring], 0
.ring:	mov	rax, cr3
	mov	ecx, PML4
	mov	cr3, rcx
	mov	rax, [state]
	mov	rax, [states + rax * 8]
	add	rax, F(1)
	mov	[PT4 + 511 * 8], rax
	mov	rax, [state2]
	mov	rax, [states + rax * 8]
	add	rax, F(2)
	mov	[PT_], rax
	mov	rax, cr3
	mov	cr3, rax
	mov	rcx, [site]
	movzx	ecx, byte [writers + rcx]
	mov	[writes], rcx
	mov	rax, [state]
	call	judge
	mov	rcx, PLAY - 4
	mov	[address], rcx
	cmp	qword [error], -1
	jne	.judged
	mov	rax, [state2]
	call	judge
	mov	rcx, PLAY
	mov	[address], rcx
.judged:
	mov	rcx, [site]
	mov	rdx, [sites + rcx * 8]
	mov	rbx, PLAY - 4 - 0x10
	xor	r11d, r11d
	xor	ecx, ecx
	xor	r10d, r10d
	xor	eax, eax
	xor	r9d, r9d
	call	go
	cmp	qword [error], -1
	jne	.faults
	ASSERT	qword [got_vector], BACK
	jmp	.done
.faults:
	ASSERT	qword [got_vector], E_PF
	mov	rax, [error]
	ASSERT	[got_error], rax
	mov	rax, [address]
	ASSERT	[got_cr2], rax
.done:	inc	qword [ring]
	cmp	qword [ring], 2
	jb	.ring
	inc	qword [state2]
	cmp	qword [state2], STATES
	jb	.state2
	inc	qword [state]
	cmp	qword [state], STATES
	jb	.state
	inc	qword [site]
	cmp	qword [site], SITES
	jb	.site
	ret

; Addresses that are not canonical, or where there is nothing at all: by sites that look.
wild:	mov	qword [site], 0
.site:	mov	qword [ring], 0
.ring:	mov	rbx, 0x0000_8000_0000_0000
	mov	ecx, E_GP
	call	.at
	mov	rbx, 0xffff_7fff_ffff_ff00
	mov	ecx, E_GP
	call	.at
	mov	rbx, 0x0001_0001_0000_0000
	mov	ecx, E_GP
	call	.at
	mov	rbx, 0x0000_7fff_ffff_f000
	mov	ecx, E_PF
	call	.at
	mov	rbx, 0xffff_ffff_ffff_f000
	mov	ecx, E_PF
	call	.at
	mov	rbx, 0xffff_8030_0000_0000
	mov	ecx, E_PF
	call	.at
	inc	qword [ring]
	cmp	qword [ring], 2
	jb	.ring
	inc	qword [site]
	cmp	qword [site], SITES
	jb	.site
	ret
.at:	push	rcx
	mov	rcx, [site]
	mov	rdx, [sites + rcx * 8]
	xor	r11d, r11d
	xor	ecx, ecx
	call	go
	pop	rcx
	ASSERT	[got_vector], rcx
	ret

	align	8
states:	dq 0, P|U, P|W|U, P|W, P
; Where the page is, its entry, its address space.
places:	dq PLAY, PLAY2, PLAY, UPPER + PLAY2
entries: dq PT_, PT2, PT3, PT5
spaces:	dq PML4, PML4, PML43, PML43
PLACES	equ 4
sites:	dq load, load_rcx, load_r10, load_index, load_fs, move, compare, load_sse, store, store_rcx, store_r11, exchange, add_, shift, move_to, fill
SITES	equ 16
LOADS	equ 6
writers: db 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1

load:	mov	rax, [rbx + 0x10]
	int	BACK
load_rcx: mov	rcx, [rbx + 0x10]
	mov	rax, rcx
	int	BACK
load_r10: xor	r10d, r10d
	add	r10, [rbx + r11 + 0x10]
	mov	rax, r10
	int	BACK
load_index: mov	rax, [rbx + rcx * 4 + 0x10]
	int	BACK
load_fs: lea	rcx, [rbx - BASE]
	mov	rax, [fs:rcx + 0x10]
	int	BACK
move:	lea	rsi, [rbx + 0x10]
	mov	edi, F(0) + 0x800
	mov	ecx, 1
	rep	movsq
	mov	rax, [rdi - 8]
	int	BACK
compare: cmp	[rbx + 0x10], rax
	int	BACK
load_sse: movups xmm0, [rbx + 0x10]
	int	BACK
store:	mov	[rbx + 0x10], rax
	int	BACK
store_rcx: mov	rcx, rax
	mov	[rbx + 0x10], rcx
	int	BACK
store_r11: mov	r11, rax
	mov	[rbx + 0x10], r11
	int	BACK
exchange: xchg	[rbx + 0x10], r10
	int	BACK
add_:	lock	add [rbx + 0x10], r11
	int	BACK
shift:	xor	ecx, ecx
	mov	cl, 4
	shl	qword [rbx + 0x10], cl
	shr	qword [rbx + 0x10], cl
	int	BACK
move_to: mov	esi, F(0) + 0x900
	mov	[rsi], rax
	lea	rdi, [rbx + 0x10]
	mov	ecx, 1
	rep	movsq
	int	BACK
fill:	lea	rdi, [rbx + 0x10]
	mov	ecx, 1
	rep	stosq
	int	BACK
